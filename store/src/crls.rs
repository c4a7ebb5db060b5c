//! Signed CRLs; the publisher places the newest of each partition. Their octets are kept in pieces, so that nobody has to
//! hold a list of millions.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::time::Duration;

use ca_core::Timestamp;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::connection::on_both;
use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::{JobKind, NewJob};
use crate::schema::{crl_chunks, crl_partitions, crls};
use crate::{audit, feed, issuers, jobs};

/// Octets of a piece.
const CHUNK: usize = 1 << 20;

/// Of how many CRLs of a partition the octets are kept: the newest, the one before for the judge, and a few for people.
const KEPT: i64 = 10;

/// Whether a CRL tells everything, or what changed (RFC 5280 section 5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CrlKind {
    /// Everything.
    Full,
    /// What changed since an earlier full one.
    Delta,
}

impl CrlKind {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Delta => "delta",
        }
    }
}

/// One CRL of a pair that was signed together.
pub struct Signed<'a> {
    /// Full or delta.
    pub kind: CrlKind,
    /// BaseCRLNumber of a delta.
    pub base: Option<i64>,
    /// How many certificates it lists.
    pub entries: i64,
    /// The CRL, DER, from its start.
    pub octets: &'a mut dyn Read,
}

/// What CRLs that were signed together have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Whose.
    pub issuer: String,
    /// Of which partition; empty for the undivided CRL.
    pub partition: String,
    /// CRL number (RFC 5280 section 5.2.3).
    pub number: i64,
    /// As of when they are true.
    pub this_update: Timestamp,
    /// When the next must be there.
    pub next_update: Timestamp,
    /// The newest change of the feed they tell.
    pub last_change: i64,
}

#[derive(Insertable)]
#[diesel(table_name = crls, treat_none_as_default_value = false)]
struct NewRow<'a> {
    issuer_id: &'a str,
    crl_partition: &'a str,
    number: i64,
    kind: &'a str,
    base: Option<i64>,
    this_update: i64,
    next_update: i64,
    entries: i64,
    size_bytes: i64,
    last_change: i64,
}

#[derive(Insertable)]
#[diesel(table_name = crl_chunks)]
struct NewChunk<'a> {
    issuer_id: &'a str,
    crl_partition: &'a str,
    number: i64,
    kind: &'a str,
    position: i32,
    octets: &'a [u8],
}

/// What is known of the newest CRL of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlSummary {
    /// CRL number.
    pub number: i64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next must be there.
    pub next_update: Timestamp,
    /// The newest change of the feed it tells.
    pub last_change: i64,
}

/// A partition in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub issuer: String,
    /// Empty for the undivided CRL.
    pub partition: String,
    /// Its newest full CRL, if there is one yet.
    pub newest: Option<CrlSummary>,
    /// Whether the feed has a change that this CRL does not tell.
    pub is_changed: bool,
    /// Whether there can be another one: the CA has its key.
    pub has_key: bool,
}

#[derive(QueryableByName)]
struct HeadRow {
    #[diesel(sql_type = Text)]
    issuer_id: String,
    #[diesel(sql_type = Text)]
    crl_partition: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = BigInt)]
    this_update: i64,
    #[diesel(sql_type = BigInt)]
    next_update: i64,
    #[diesel(sql_type = BigInt)]
    last_change: i64,
    #[diesel(sql_type = Bool)]
    is_changed: bool,
    #[diesel(sql_type = Bool)]
    has_key: bool,
}

/// Keeps CRLs that were signed together, and takes the job that asked for them off the queue; or queues the next, not
/// before `pause` has passed, if something has changed since the rows were read that these list.
///
/// # Errors
/// [`StoreError::Conflict`] if another signer made the same number, or the issuer's key is destroyed;
/// [`StoreError::Unavailable`] if the octets cannot be read.
pub fn insert(
    connection: &mut Connection,
    issue: &Issue,
    signed: &mut [Signed<'_>],
    pause: Duration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (issuer, partition) = (issue.issuer.as_str(), issue.partition.as_str());
    let job = NewJob::sign_crl(issuer, partition, now.plus(pause));
    jobs::complete_named(connection, JobKind::SignCrl, &job.key)?;
    // Asked after the job is gone: whoever changes something from now on queues another; whoever did before has committed.
    if feed::latest_for_crl(connection, issuer, partition, issue.last_change)?.is_some() {
        jobs::enqueue(connection, &[job], now)?;
    }
    advance(connection, issue, issue.number - 1..issue.number)?;
    // Asked while the partition is ours: [`end`] waits for us, or we for it.
    issuers::has_key(connection, issuer)?;
    for crl in signed.iter_mut() {
        insert_one(connection, issue, crl)?;
    }
    forget(connection, issue, now)?;
    let listed = |kind| signed.iter().find(|crl| crl.kind == kind).map(|crl| crl.entries);
    let entry = audit::Entry {
        at: now,
        actor: "ca".to_owned(),
        action: "crl.sign".to_owned(),
        object: match partition {
            "" => format!("crl:{issuer}/{}", issue.number),
            _ => format!("crl:{issuer}/{partition}/{}", issue.number),
        },
        details: serde_json::json!({ "entries": listed(CrlKind::Full), "changes": listed(CrlKind::Delta) }),
    };
    audit::record(connection, &[entry])
}

/// Keeps a full CRL that another machine signed, the root's, and says so in the log.
///
/// # Errors
/// [`StoreError::Conflict`] if a newer one, or this, is here; [`StoreError::Unavailable`] if the octets cannot be read.
pub fn adopt(
    connection: &mut Connection,
    issue: &Issue,
    signed: &mut Signed<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let job = NewJob::sign_crl(&issue.issuer, &issue.partition, now);
    jobs::complete_named(connection, JobKind::SignCrl, &job.key)?;
    advance(connection, issue, 0..issue.number)?;
    insert_one(connection, issue, signed)?;
    forget(connection, issue, now)?;
    let entry = audit::Entry {
        at: now,
        actor: "operator".to_owned(),
        action: "crl.adopt".to_owned(),
        object: format!("crl:{}/{}", issue.issuer, issue.number),
        details: serde_json::json!({ "entries": signed.entries }),
    };
    audit::record(connection, &[entry])
}

/// The newest CRLs of an issuer are its last, and hold until `for_ever`; nobody is asked for another.
///
/// # Errors
/// [`StoreError::Conflict`] if one does not hold so long: another signer has signed since.
pub fn end(connection: &mut Connection, issuer: &str, for_ever: Timestamp) -> Result<(), StoreError> {
    give_up(connection, issuer)?;
    let partitions = crl_partitions::table.filter(crl_partitions::issuer_id.eq(issuer));
    // Whoever is about to keep a CRL has the row until its commit.
    diesel::update(partitions).set(crl_partitions::number.eq(crl_partitions::number)).execute(connection)?;
    let others = partitions.filter(crl_partitions::next_update.ne(for_ever.unix_millis()));
    match others.count().get_result::<i64>(connection)? {
        0 => Ok(()),
        _ => Err(StoreError::Conflict(format!(
            "a CRL of `{issuer}` was signed after its last one: stop every signer, and try again"
        ))),
    }
}

/// Nobody is asked for a CRL of this issuer any more. It comes before anything else is locked: whoever keeps a CRL takes its
/// job off first.
///
/// # Errors
/// The database's.
pub fn give_up(connection: &mut Connection, issuer: &str) -> Result<(), StoreError> {
    let partitions = crl_partitions::table.filter(crl_partitions::issuer_id.eq(issuer));
    let mut partitions: Vec<String> = partitions.select(crl_partitions::crl_partition).load(connection)?;
    partitions.sort();
    partitions.iter().try_for_each(|partition| {
        let job = NewJob::sign_crl(issuer, partition, Timestamp::MAX);
        jobs::complete_named(connection, JobKind::SignCrl, &job.key)
    })
}

/// The number follows one of these, or somebody else had it.
fn advance(connection: &mut Connection, issue: &Issue, after: Range<i64>) -> Result<(), StoreError> {
    let partitions = crl_partitions::table.find((&issue.issuer, &issue.partition));
    let before = crl_partitions::number.ge(after.start).and(crl_partitions::number.lt(after.end));
    let moved = diesel::update(partitions.filter(before))
        .set((
            crl_partitions::number.eq(issue.number),
            crl_partitions::this_update.eq(issue.this_update.unix_millis()),
            crl_partitions::next_update.eq(issue.next_update.unix_millis()),
            crl_partitions::last_change.eq(issue.last_change),
        ))
        .execute(connection)?;
    if moved == 0 { Err(StoreError::Conflict("CRL number".to_owned())) } else { Ok(()) }
}

fn insert_one(connection: &mut Connection, issue: &Issue, crl: &mut Signed<'_>) -> Result<(), StoreError> {
    let (mut size, mut position) = (0, 0);
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        let mut piece = (&mut crl.octets).take(CHUNK as u64);
        let read =
            piece.read_to_end(&mut chunk).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if read == 0 {
            break;
        }
        let row = NewChunk {
            issuer_id: &issue.issuer,
            crl_partition: &issue.partition,
            number: issue.number,
            kind: crl.kind.as_str(),
            position,
            octets: &chunk,
        };
        diesel::insert_into(crl_chunks::table).values(&row).execute(connection)?;
        size += i64::try_from(read).unwrap_or(i64::MAX);
        position += 1;
    }
    let row = NewRow {
        issuer_id: &issue.issuer,
        crl_partition: &issue.partition,
        number: issue.number,
        kind: crl.kind.as_str(),
        base: crl.base,
        this_update: issue.this_update.unix_millis(),
        next_update: issue.next_update.unix_millis(),
        entries: crl.entries,
        size_bytes: size,
        last_change: issue.last_change,
    };
    diesel::insert_into(crls::table).values(&row).execute(connection)?;
    Ok(())
}

/// The octets of old CRLs go, and what nobody relies on any more.
fn forget(connection: &mut Connection, issue: &Issue, now: Timestamp) -> Result<(), StoreError> {
    let old = issue.number - KEPT;
    diesel::delete(
        crl_chunks::table
            .filter(crl_chunks::issuer_id.eq(&issue.issuer))
            .filter(crl_chunks::crl_partition.eq(&issue.partition))
            .filter(crl_chunks::number.le(old)),
    )
    .execute(connection)?;
    diesel::delete(
        crls::table
            .filter(crls::issuer_id.eq(&issue.issuer))
            .filter(crls::crl_partition.eq(&issue.partition))
            .filter(crls::number.le(old))
            .filter(crls::next_update.le(now.unix_millis())),
    )
    .execute(connection)?;
    Ok(())
}

/// Takes partitions into use. A new shard gets a job for its first CRL; that of an issuer itself is the ceremony's.
pub(crate) fn open_partitions(
    connection: &mut Connection,
    used: &BTreeSet<(&str, &str)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for &(issuer, partition) in used {
        let known: Option<i64> = crl_partitions::table
            .find((issuer, partition))
            .select(crl_partitions::number)
            .first(connection)
            .optional()?;
        if known.is_some() {
            continue;
        }
        let row = (
            crl_partitions::issuer_id.eq(issuer),
            crl_partitions::crl_partition.eq(partition),
            crl_partitions::number.eq(0),
            crl_partitions::this_update.eq(0),
            crl_partitions::next_update.eq(0),
            crl_partitions::last_change.eq(0),
        );
        on_both!(connection, c => {
            diesel::insert_into(crl_partitions::table).values(row).on_conflict_do_nothing().execute(c)?
        });
        if !partition.is_empty() {
            jobs::enqueue(connection, &[NewJob::sign_crl(issuer, partition, now)], now)?;
        }
    }
    Ok(())
}

/// Every partition in use of every issuer.
///
/// # Errors
/// The database's.
pub fn heads(connection: &mut Connection) -> Result<Vec<Head>, StoreError> {
    let rows: Vec<HeadRow> = diesel::sql_query(
        "SELECT issuer_id, crl_partition, number, this_update, next_update, last_change, EXISTS (\
         SELECT 1 FROM status_changes c WHERE c.kind = 'changed' AND c.issuer_id = p.issuer_id \
         AND c.crl_partition = p.crl_partition AND c.seq > p.last_change) AS is_changed, NOT EXISTS (\
         SELECT 1 FROM issuers i WHERE i.id = p.issuer_id AND i.key_destroyed_at IS NOT NULL) AS has_key \
         FROM crl_partitions p ORDER BY issuer_id, crl_partition",
    )
    .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|row| Head {
            newest: summary((row.number, row.this_update, row.next_update, row.last_change)),
            issuer: row.issuer_id,
            partition: row.crl_partition,
            is_changed: row.is_changed,
            has_key: row.has_key,
        })
        .collect())
}

/// What is known of the newest full CRL of a partition.
///
/// # Errors
/// The database's.
pub fn newest(
    connection: &mut Connection,
    issuer: &str,
    partition: &str,
) -> Result<Option<CrlSummary>, StoreError> {
    let found = crl_partitions::table
        .find((issuer, partition))
        .select((
            crl_partitions::number,
            crl_partitions::this_update,
            crl_partitions::next_update,
            crl_partitions::last_change,
        ))
        .first(connection)
        .optional()?;
    Ok(found.and_then(summary))
}

fn summary((number, this_update, next_update, last_change): (i64, i64, i64, i64)) -> Option<CrlSummary> {
    (number > 0).then(|| CrlSummary {
        number,
        this_update: Timestamp::from_unix_millis(this_update),
        next_update: Timestamp::from_unix_millis(next_update),
        last_change,
    })
}

/// The oldest full CRL of a partition that may still be relied upon at this moment: the base of the next delta. Its
/// number, and the newest change it tells.
///
/// # Errors
/// The database's.
pub fn oldest_relied_upon(
    connection: &mut Connection,
    issuer: &str,
    partition: &str,
    now: Timestamp,
) -> Result<Option<(i64, i64)>, StoreError> {
    Ok(crls::table
        .filter(crls::issuer_id.eq(issuer))
        .filter(crls::crl_partition.eq(partition))
        .filter(crls::kind.eq(CrlKind::Full.as_str()))
        .filter(crls::next_update.gt(now.unix_millis()))
        .order(crls::number)
        .select((crls::number, crls::last_change))
        .first(connection)
        .optional()?)
}

/// A piece of the octets of a CRL, counted from 0; `None` after the last, and of a CRL that there is not.
///
/// # Errors
/// The database's.
pub fn chunk(
    connection: &mut Connection,
    (issuer, partition): (&str, &str),
    (number, kind): (i64, CrlKind),
    position: i32,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(crl_chunks::table
        .find((issuer, partition, number, kind.as_str(), position))
        .select(crl_chunks::octets)
        .first(connection)
        .optional()?)
}
