//! Work that follows from a fact: queued in the fact's transaction, leased, retried, deduplicated, buried when hopeless.

use std::time::Duration;

use ca_core::Timestamp;
use diesel::dsl::{case_when, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::database::Connection;
use crate::error::StoreError;
use crate::kept::{
    self,
    Piece::{Number, Sql, Text},
};
use crate::schema::jobs;

/// What kind of work; each kind has one worker that claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// `ca-signer`: sign the certificate of an approved application. The key is the application's name.
    IssueCertificate,
    /// `ca-signer`: sign the CRLs of a partition. The key is the issuer's name, and after a slash the partition's.
    SignCrl,
    /// `ca-signer`: certify an OCSP responder's key again. The key is the SHA-256 of its SubjectPublicKeyInfo.
    CertifyResponder,
    /// `issuance-api`: tell a person something, or send them an SMS about it. The key names the fact, or the delivery.
    SendMessage,
    /// `issuance-api`: send a person mail. The key names the delivery.
    SendMail,
    /// `issuance-api`: have a provider return money. The key names the refund.
    ExecuteRefund,
    /// `issuance-api`: have a provider show an invoice to its payer, and see what became of that. The key names the bill.
    SendBill,
    /// `issuance-api`: compare a day with a provider's statement. The key names provider and day.
    Reconcile,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::IssueCertificate,
        Self::SignCrl,
        Self::CertifyResponder,
        Self::SendMessage,
        Self::SendMail,
        Self::ExecuteRefund,
        Self::SendBill,
        Self::Reconcile,
    ];

    /// The name in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IssueCertificate => "issue-certificate",
            Self::SignCrl => "sign-crl",
            Self::CertifyResponder => "certify-responder",
            Self::SendMessage => "send-message",
            Self::SendMail => "send-mail",
            Self::ExecuteRefund => "execute-refund",
            Self::SendBill => "send-bill",
            Self::Reconcile => "reconcile",
        }
    }

    /// Attempts before the job is dead and an officer must look. A signing job waits for the key as long as it takes.
    fn max_attempts(self) -> i32 {
        match self {
            Self::IssueCertificate | Self::SignCrl | Self::CertifyResponder => 1000,
            Self::SendMessage => 12,
            // An hour; after that an officer decides how the money goes back, or the applicant pays in another way.
            Self::ExecuteRefund | Self::SendBill => 12,
            // Two days: a statement may come late.
            Self::Reconcile => 288,
            // Some six hours: a server that greylists (RFC 6647) wants to see us again after minutes or an hour.
            Self::SendMail => 42,
        }
    }
}

/// Work to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Who shall do it.
    pub kind: JobKind,
    /// Two jobs of a kind with the same key are one.
    pub key: String,
    /// What the worker needs to know, as JSON.
    pub payload: String,
    /// Not before.
    pub run_at: Timestamp,
}

impl NewJob {
    /// The CRLs of a partition are due; empty is the issuer's undivided one. The key may be anywhere.
    pub fn sign_crl(issuer: &str, partition: &str, run_at: Timestamp) -> Self {
        let key = if partition.is_empty() { issuer.to_owned() } else { format!("{issuer}/{partition}") };
        Self { kind: JobKind::SignCrl, key, payload: "{}".to_owned(), run_at }
    }
}

impl Job {
    /// Issuer and partition of a [`JobKind::SignCrl`].
    pub fn crl_partition(&self) -> (&str, &str) {
        self.key.split_once('/').unwrap_or((&self.key, ""))
    }
}

/// Claimed work.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Job {
    /// For [`complete`] and [`retry`].
    pub id: i64,
    /// Two jobs of a kind with the same key are one.
    pub key: String,
    /// What the worker needs to know, as JSON.
    pub payload: String,
    /// This attempt's number, from 1.
    pub attempt: i32,
}

/// A dead one comes back to life, another one stays as it is.
const REVIVE: &str = " ON CONFLICT (kind, dedup_key) DO UPDATE SET state = 'ready', \
    payload = CASE WHEN jobs.state = 'dead' THEN excluded.payload ELSE jobs.payload END, \
    run_at = CASE WHEN jobs.state = 'dead' THEN excluded.run_at ELSE jobs.run_at END, \
    attempts = CASE WHEN jobs.state = 'dead' THEN excluded.attempts ELSE jobs.attempts END, \
    waiting_since = CASE WHEN jobs.state = 'dead' THEN NULL ELSE jobs.waiting_since END";

/// Queues jobs. One that is queued already stays as it is; a dead one with the same key comes back to life.
///
/// One that is queued already is locked until the caller's commit: a worker that takes it off the queue and then looks
/// at the facts waits, and finds the fact that asked for it here.
///
/// # Errors
/// The database's.
pub fn enqueue(connection: &mut Connection, new: &[NewJob], now: Timestamp) -> Result<(), StoreError> {
    let name = |job: &NewJob| (job.kind.as_str(), job.key.clone());
    let mut new: Vec<&NewJob> = new.iter().collect();
    new.sort_by_key(|job| name(job)); // everybody takes locks in one order
    new.dedup_by_key(|job| name(job));
    // Each fact of a payment queues one: the statement is kept, and one for each row is cheaper than a long one parsed anew.
    for job in new {
        let pieces = [
            Sql(
                "INSERT INTO jobs (state, attempts, leased_until, kind, dedup_key, payload, run_at, max_attempts, created_at) \
                 VALUES ('ready', 0, 0, ",
            ),
            Text(job.kind.as_str()),
            Sql(", "),
            Text(&job.key),
            Sql(", "),
            Text(&job.payload),
            Sql(", "),
            Number(job.run_at.unix_millis()),
            Sql(", "),
            Number(job.kind.max_attempts().into()),
            Sql(", "),
            Number(now.unix_millis()),
            Sql(")"),
            Sql(REVIVE),
        ];
        kept::execute(connection, &pieces)?;
    }
    Ok(())
}

/// Claims up to `limit` jobs that are due, for `lease`. A job whose lease ran out is due again; so is one that `owner`
/// holds itself, because an owner works on one claim at a time and what it still holds is left from a failure.
///
/// # Errors
/// The database's.
pub fn claim(
    connection: &mut Connection,
    kind: JobKind,
    owner: &str,
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let due = jobs::table
        .filter(jobs::kind.eq(kind.as_str()))
        .filter(ready())
        .filter(jobs::run_at.le(now.unix_millis()))
        .filter(jobs::leased_until.le(now.unix_millis()).or(jobs::lease_owner.eq(owner)))
        .order((jobs::run_at, jobs::id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select((jobs::id, jobs::dedup_key, jobs::payload, jobs::attempts));
    // An island: PostgreSQL lets claimers pass each other, SQLite's BEGIN IMMEDIATE lets one in at a time.
    let mut claimed: Vec<Job> = match connection {
        Connection::Postgres(c) => due.for_update().skip_locked().load(c)?,
        Connection::Sqlite(c) => due.load(c)?,
    };
    let ids: Vec<i64> = claimed.iter().map(|job| job.id).collect();
    diesel::update(jobs::table.filter(jobs::id.eq_any(ids)))
        .set((
            jobs::leased_until.eq(now.plus(lease).unix_millis()),
            jobs::lease_owner.eq(owner),
            jobs::attempts.eq(jobs::attempts + 1),
        ))
        .execute(connection)?;
    claimed.iter_mut().for_each(|job| job.attempt += 1);
    Ok(claimed)
}

/// In the very words of the partial index: with a parameter, SQLite plans the statement anew for each value.
fn ready() -> SqlLiteral<Bool> {
    sql::<Bool>("state = 'ready'")
}

/// The jobs are done: they leave the queue.
///
/// # Errors
/// The database's.
pub fn complete(connection: &mut Connection, ids: &[i64]) -> Result<(), StoreError> {
    diesel::delete(jobs::table.filter(jobs::id.eq_any(ids.to_vec()))).execute(connection)?;
    Ok(())
}

/// The job of a kind with this key is done, whoever holds it.
///
/// # Errors
/// The database's.
pub fn complete_named(connection: &mut Connection, kind: JobKind, key: &str) -> Result<(), StoreError> {
    let named = jobs::table.filter(jobs::kind.eq(kind.as_str())).filter(jobs::dedup_key.eq(key));
    diesel::delete(named).execute(connection)?;
    Ok(())
}

/// The same of all whose keys begin so.
///
/// # Errors
/// The database's.
pub fn complete_beginning(
    connection: &mut Connection,
    kind: JobKind,
    beginning: &str,
) -> Result<(), StoreError> {
    let kind = jobs::table.filter(jobs::kind.eq(kind.as_str()));
    diesel::delete(kind.filter(jobs::dedup_key.like(format!("{beginning}%")))).execute(connection)?;
    Ok(())
}

/// An attempt failed: the job waits (2 s, doubling, at most 10 minutes) or, out of attempts, is dead. Returns whether
/// it is dead. `error` must carry no secret: it is shown to officers. A job that somebody else has claimed since, after
/// the lease of this attempt ran out, is theirs to judge.
///
/// # Errors
/// The database's.
pub fn retry(
    connection: &mut Connection,
    job: &Job,
    error: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let max_attempts: i32 =
        match jobs::table.find(job.id).select(jobs::max_attempts).first(connection).optional()? {
            Some(max_attempts) => max_attempts,
            None => return Ok(false),
        };
    let dead = job.attempt >= max_attempts;
    let wait = Duration::from_secs(2_u64.saturating_pow(job.attempt.clamp(1, 16).unsigned_abs()).min(600));
    let changed = diesel::update(jobs::table.find(job.id))
        .filter(jobs::attempts.eq(job.attempt))
        .set((
            jobs::state.eq(if dead { "dead" } else { "ready" }),
            jobs::run_at.eq(now.plus(wait).unix_millis()),
            jobs::leased_until.eq(0),
            jobs::last_error.eq(error.chars().take(500).collect::<String>()),
        ))
        .execute(connection)?;
    Ok(dead && changed == 1)
}

/// As [`retry`], but not before `at`: whoever was asked said when to ask again.
///
/// # Errors
/// The database's.
pub fn retry_not_before(
    connection: &mut Connection,
    job: &Job,
    error: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let dead = retry(connection, job, error, now)?;
    let waits = jobs::table.find(job.id).filter(jobs::attempts.eq(job.attempt));
    diesel::update(waits.filter(jobs::run_at.lt(at.unix_millis())))
        .set(jobs::run_at.eq(at.unix_millis()))
        .execute(connection)?;
    Ok(dead)
}

/// No further attempt makes sense: the job is dead at once. `error` as for [`retry`].
///
/// # Errors
/// The database's.
pub fn bury(connection: &mut Connection, job: &Job, error: &str) -> Result<(), StoreError> {
    diesel::update(jobs::table.find(job.id))
        .filter(jobs::attempts.eq(job.attempt))
        .set((
            jobs::state.eq("dead"),
            jobs::leased_until.eq(0),
            jobs::last_error.eq(error.chars().take(500).collect::<String>()),
        ))
        .execute(connection)?;
    Ok(())
}

/// The job is not to be done yet: it waits, and the attempt does not count.
///
/// # Errors
/// The database's.
pub fn postpone(connection: &mut Connection, job: &Job, until: Timestamp) -> Result<(), StoreError> {
    diesel::update(jobs::table.find(job.id))
        .filter(jobs::attempts.eq(job.attempt))
        .set((
            jobs::run_at.eq(until.unix_millis()),
            jobs::leased_until.eq(0),
            jobs::attempts.eq(job.attempt - 1),
        ))
        .execute(connection)?;
    Ok(())
}

/// Since when a job is due, however often somebody looked at it in vain.
#[diesel::dsl::auto_type(no_type_alias)]
fn since() -> _ {
    case_when(jobs::waiting_since.is_null(), jobs::run_at.nullable()).otherwise(jobs::waiting_since)
}

/// What the job needs is away, through no fault of its own: it waits, with the error for people to read, and the attempt does
/// not count.
///
/// # Errors
/// The database's.
pub fn wait(connection: &mut Connection, job: &Job, error: &str, until: Timestamp) -> Result<(), StoreError> {
    let ours = jobs::table.find(job.id).filter(jobs::attempts.eq(job.attempt));
    diesel::update(ours)
        .set((
            jobs::last_error.eq(error.chars().take(500).collect::<String>()),
            jobs::waiting_since.eq(since()),
        ))
        .execute(connection)?;
    postpone(connection, job, until)
}

/// How many jobs wait and how many are dead, by kind and state.
///
/// # Errors
/// The database's.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, String, i64)>, StoreError> {
    Ok(jobs::table
        .group_by((jobs::kind, jobs::state))
        .select((jobs::kind, jobs::state, diesel::dsl::count_star()))
        .load(connection)?)
}

/// When the work of each kind should have begun that waits longest; a job in somebody's hands waits as well until it is done,
/// and one that [`wait`]s, since it was first due.
///
/// # Errors
/// The database's.
pub fn longest_waiting(connection: &mut Connection) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let rows: Vec<(String, Option<i64>)> = jobs::table
        .filter(jobs::state.eq("ready"))
        .group_by(jobs::kind)
        .select((jobs::kind, diesel::dsl::min(since())))
        .load(connection)?;
    let known = |(kind, since): (String, Option<i64>)| Some((kind, Timestamp::from_unix_millis(since?)));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Is a message for this recipient still on its way? The sandbox waits for it.
///
/// # Errors
/// The database's.
pub fn any_due(connection: &mut Connection, kind: JobKind, now: Timestamp) -> Result<bool, StoreError> {
    let found: Option<i64> = jobs::table
        .filter(jobs::kind.eq(kind.as_str()))
        .filter(ready())
        .filter(jobs::run_at.le(now.unix_millis()))
        .select(jobs::id)
        .first(connection)
        .optional()?;
    Ok(found.is_some())
}

/// Is there a job of this kind with this key, even a dead one?
///
/// # Errors
/// The database's.
pub(crate) fn exists(connection: &mut Connection, kind: JobKind, key: &str) -> Result<bool, StoreError> {
    let found: Option<i64> = jobs::table
        .filter(jobs::kind.eq(kind.as_str()))
        .filter(jobs::dedup_key.eq(key))
        .select(jobs::id)
        .first(connection)
        .optional()?;
    Ok(found.is_some())
}
