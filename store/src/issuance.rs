//! The signer's three durable steps: what it means to sign, what it signed, what it refused to sign.

use std::collections::{BTreeSet, HashMap, HashSet};

use ca_core::application::{ApplicationId, State, Transition};
use ca_core::digest::sha256;
use ca_core::{SerialNumber, Timestamp};
use diesel::prelude::*;

use crate::certificates::{self, NewCertificate};
use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{application_events, applications, certificates as issued, intents};
use crate::{applications as store_applications, audit, issuers, jobs};

/// What the signer is about to sign. Committed before the signature exists, so that no certificate can exist without a
/// record, and a serial is never used twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Whose key will sign.
    pub issuer: String,
    /// The serial, taken for ever.
    pub serial: SerialNumber,
    /// The application it answers; none for CA and OCSP certificates.
    pub application: Option<ApplicationId>,
    /// The profile's name.
    pub profile: String,
    /// The to-be-signed certificate, DER.
    pub tbs: Vec<u8>,
}

/// Of how many certificates at most the waiting is looked at.
const LOOKED_AT: i64 = 500;

/// How long the newest subscribers' certificates took from the approval to their row, in milliseconds from the shortest, of those
/// issued since a moment.
///
/// # Errors
/// The database's.
pub fn waits(connection: &mut Connection, since: Timestamp) -> Result<Vec<i64>, StoreError> {
    // By the key, which has an index and grows with time.
    let newest: Vec<(Option<String>, i64)> = issued::table
        .order(issued::id.desc())
        .limit(LOOKED_AT)
        .select((issued::application_id, issued::issued_at))
        .load(connection)?;
    let newest: HashMap<String, i64> = newest
        .into_iter()
        .filter(|(_, at)| *at >= since.unix_millis())
        .filter_map(|(application, at)| Some((application?, at)))
        .collect();
    let approved: Vec<(String, i64)> = application_events::table
        .filter(application_events::application_id.eq_any(newest.keys()))
        .filter(application_events::command.eq("approve"))
        .order(application_events::id)
        .select((application_events::application_id, application_events::at))
        .load(connection)?;
    // The last approval is the one that was followed.
    let approved: HashMap<String, i64> = approved.into_iter().collect();
    let mut waits: Vec<i64> =
        newest.iter().filter_map(|(id, at)| Some((at - approved.get(id)?).max(0))).collect();
    waits.sort_unstable();
    Ok(waits)
}

#[derive(Insertable)]
#[diesel(table_name = intents, treat_none_as_default_value = false)]
struct NewRow<'a> {
    issuer_id: &'a str,
    serial: &'a [u8],
    application_id: Option<String>,
    profile: &'a str,
    tbs: &'a [u8],
    state: &'a str,
    recorded_at: i64,
}

type Row = (String, Vec<u8>, Option<String>, String, Vec<u8>);

/// Whether a CA means to sign something that is not signed yet.
///
/// # Errors
/// The database's.
pub fn is_awaited_of(connection: &mut Connection, issuer: &str) -> Result<bool, StoreError> {
    Ok(!awaited_of(connection, issuer)?.is_empty())
}

/// The approved applications for which a CA has begun a certificate that it has not signed.
fn awaited_of(connection: &mut Connection, issuer: &str) -> Result<Vec<ApplicationId>, StoreError> {
    let awaited: Vec<String> = intents::table
        .inner_join(applications::table.on(intents::application_id.eq(applications::id.nullable())))
        .filter(intents::issuer_id.eq(issuer))
        .filter(intents::state.eq("recorded"))
        .filter(applications::state.eq(State::Approved.as_str()))
        .select(applications::id)
        .load(connection)?;
    awaited.iter().map(|id| id.parse().map_err(StoreError::corrupt)).collect()
}

/// Records intents. Where an application has a pending one already (its signer died, or another signer is at it), the
/// earlier intent stays and the new one is not recorded: ask [`pending_intents`] which holds. Nor is one recorded for
/// an application that is no longer the CA's to move: another signer has settled it. Returns how many were recorded.
///
/// # Errors
/// [`StoreError::Conflict`] if the key of an issuer is destroyed.
pub fn record_intents(
    connection: &mut Connection,
    new: &[Intent],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let ids: Vec<ApplicationId> = new.iter().filter_map(|intent| intent.application).collect();
    let named: BTreeSet<&str> = new.iter().map(|intent| intent.issuer.as_str()).collect();
    for issuer in named {
        issuers::has_key(connection, issuer)?;
    }
    // Whoever holds the rows of the applications is alone with their intents until the commit.
    let approved = lock_approved(connection, &ids)?;
    let pending = pending_intents(connection, &ids)?;
    let is_free = |id: &ApplicationId| approved.contains(&id.to_string()) && !pending.contains_key(id);
    let rows: Vec<NewRow<'_>> = new
        .iter()
        .filter(|intent| intent.application.as_ref().is_none_or(is_free))
        .map(|intent| NewRow {
            issuer_id: &intent.issuer,
            serial: intent.serial.as_bytes(),
            application_id: intent.application.map(|id| id.to_string()),
            profile: &intent.profile,
            tbs: &intent.tbs,
            state: "recorded",
            recorded_at: now.unix_millis(),
        })
        .collect();
    for chunk in rows.chunks(500) {
        insert_all!(connection, intents::table, chunk)?;
    }
    Ok(rows.len())
}

/// Those of the applications that are the CA's to move, and nobody else moves them until the caller's commit.
fn lock_approved(connection: &mut Connection, ids: &[ApplicationId]) -> Result<HashSet<String>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let approved = applications::table
        .filter(applications::id.eq_any(ids))
        .filter(applications::state.eq(State::Approved.as_str()))
        .order(applications::id)
        .select(applications::id);
    // An island: PostgreSQL locks the rows, SQLite's BEGIN IMMEDIATE has locked everything.
    let approved: Vec<String> = match connection {
        Connection::Postgres(c) => approved.for_update().load(c)?,
        Connection::Sqlite(c) => approved.load(c)?,
    };
    Ok(approved.into_iter().collect())
}

/// The intents that stand for these applications, by application; of applications that are not issued yet, those that
/// a signer which died has left.
///
/// # Errors
/// The database's.
pub fn pending_intents(
    connection: &mut Connection,
    ids: &[ApplicationId],
) -> Result<HashMap<ApplicationId, Intent>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = intents::table
        .filter(intents::application_id.eq_any(ids))
        .filter(intents::state.eq("recorded"))
        .select((
            intents::issuer_id,
            intents::serial,
            intents::application_id,
            intents::profile,
            intents::tbs,
        ))
        .load(connection)?;
    let mut found = HashMap::with_capacity(rows.len());
    for (issuer, serial, application, profile, tbs) in rows {
        let application: Option<ApplicationId> =
            application.map(|id| id.parse()).transpose().map_err(StoreError::corrupt)?;
        let serial = SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?;
        if let Some(id) = application {
            found.insert(id, Intent { issuer, serial, application, profile, tbs });
        }
    }
    Ok(found)
}

/// A signed certificate with the decision and the job it settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// As signed.
    pub certificate: NewCertificate,
    /// Approved to issued.
    pub transition: Transition,
    /// The job.
    pub job: i64,
}

/// Stores signed certificates in one transaction with the states, the events, the audit entries, the notices and the
/// change feed, and takes the jobs off the queue. Of an application that another signer settled or refused meanwhile, only the
/// job is taken off; where an intent was given up and the application is approved as before, the job stays for another
/// intent. Returns how many certificates were stored.
///
/// # Errors
/// The database's; nothing is stored then.
pub fn settle(connection: &mut Connection, signed: &[Signed], now: Timestamp) -> Result<usize, StoreError> {
    let ids: Vec<ApplicationId> = signed.iter().map(|s| s.transition.application).collect();
    let approved = lock_approved(connection, &ids)?;
    let candidates = signed.iter().filter(|s| approved.contains(&s.transition.application.to_string()));
    let kept = standing(connection, candidates.map(|s| &s.certificate))?;
    let won: Vec<&Signed> = signed.iter().filter(|s| kept.contains(&s.certificate.serial)).collect();

    let certificates: Vec<NewCertificate> = won.iter().map(|s| s.certificate.clone()).collect();
    let transitions: Vec<Transition> = won.iter().map(|s| s.transition.clone()).collect();
    let moved: Vec<String> = transitions.iter().map(|t| t.application.to_string()).collect();
    diesel::update(applications::table.filter(applications::id.eq_any(moved)))
        .set((applications::state.eq(State::Issued.as_str()), applications::updated_at.eq(now.unix_millis())))
        .execute(connection)?;
    store_applications::record(connection, &transitions)?;
    audit::record(connection, &certificates.iter().map(|c| issued(c, now)).collect::<Vec<_>>())?;
    // What is approved and whose intent was given up with a lost key is still to be issued.
    let is_left = |s: &Signed| {
        approved.contains(&s.transition.application.to_string()) && !kept.contains(&s.certificate.serial)
    };
    let done: Vec<i64> = signed.iter().filter(|s| !is_left(s)).map(|s| s.job).collect();
    jobs::complete(connection, &done)?;
    certificates::insert(connection, &certificates, now)?;
    Ok(certificates.len())
}

/// Stores the certificate of a CA or an OCSP signer with its intent, for the ceremony.
///
/// # Errors
/// [`StoreError::Conflict`] if the serial is taken.
pub fn store_own(
    connection: &mut Connection,
    certificate: &NewCertificate,
    now: Timestamp,
) -> Result<(), StoreError> {
    if standing(connection, std::iter::once(certificate))?.is_empty() {
        return Err(StoreError::Conflict("serial".to_owned()));
    }
    audit::record(connection, &[issued(certificate, now)])?;
    certificates::insert(connection, std::slice::from_ref(certificate), now)
}

/// Those of the certificates whose intents stand: what else was signed has been given up, and is not to be seen. Giving
/// up takes the lock on the application first, which the caller holds.
fn standing<'a>(
    connection: &mut Connection,
    certificates: impl Iterator<Item = &'a NewCertificate>,
) -> Result<HashSet<SerialNumber>, StoreError> {
    let mut serials: HashMap<&str, Vec<&[u8]>> = HashMap::new();
    for certificate in certificates {
        serials.entry(&certificate.issuer).or_default().push(certificate.serial.as_bytes());
    }
    let mut standing = HashSet::new();
    for (issuer, serials) in serials {
        let rows: Vec<Vec<u8>> = intents::table
            .filter(intents::issuer_id.eq(issuer))
            .filter(intents::serial.eq_any(serials))
            .filter(intents::state.eq("recorded"))
            .select(intents::serial)
            .load(connection)?;
        for serial in rows {
            standing.insert(SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?);
        }
    }
    Ok(standing)
}

fn issued(certificate: &NewCertificate, now: Timestamp) -> audit::Entry {
    audit::Entry {
        at: now,
        actor: "ca".to_owned(),
        action: "certificate.issue".to_owned(),
        object: format!("certificate:{}/{}", certificate.issuer, certificate.serial),
        details: serde_json::json!({
            "application": certificate.application,
            "profile": certificate.profile,
            "certificate_sha256": hex::encode(sha256(&certificate.der)),
        }),
    }
}

/// The signer refused what was approved: the application goes back to review with the finding, its pending intent,
/// whoever recorded it, is given up, and the job leaves the queue.
///
/// # Errors
/// [`StoreError::Conflict`] if somebody moved the application first.
pub fn refuse(connection: &mut Connection, transition: &Transition, job: i64) -> Result<(), StoreError> {
    store_applications::apply(connection, transition)?;
    abandon(connection, transition.application, transition.at)?;
    jobs::complete(connection, &[job])
}

/// The key of a CA is lost: what it has begun for applications is given up, and another CA begins anew. Returns how many there
/// were. [`issuers::key_destroyed`] comes first, so that nothing is begun meanwhile.
///
/// # Errors
/// The database's.
pub fn give_up(connection: &mut Connection, issuer: &str, now: Timestamp) -> Result<usize, StoreError> {
    let awaited = awaited_of(connection, issuer)?;
    // One that is issued meanwhile has its certificate.
    let still = lock_approved(connection, &awaited)?;
    let still = awaited.into_iter().filter(|id| still.contains(&id.to_string()));
    let mut given_up = 0;
    for application in still {
        abandon(connection, application, now)?;
        given_up += 1;
    }
    Ok(given_up)
}

/// What an intent recorded will not be signed, or not be seen. Its serial stays taken, and the log keeps the hash of what it was:
/// the name in it goes.
fn abandon(
    connection: &mut Connection,
    application: ApplicationId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let of_it = application.to_string();
    let pending = || {
        let of_it = intents::table.filter(intents::application_id.eq(&of_it));
        of_it.filter(intents::state.eq("recorded"))
    };
    let given_up: Vec<(String, Vec<u8>, Vec<u8>)> =
        pending().select((intents::issuer_id, intents::serial, intents::tbs)).load(connection)?;
    diesel::update(pending())
        .set((intents::state.eq("abandoned"), intents::tbs.eq(Vec::<u8>::new())))
        .execute(connection)?;
    for (issuer, serial, tbs) in given_up {
        let serial = SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?;
        let entry = audit::Entry {
            at: now,
            actor: "ca".to_owned(),
            action: "intent.abandon".to_owned(),
            object: format!("certificate:{issuer}/{serial}"),
            details: serde_json::json!({ "application": application, "tbs_sha256": hex::encode(sha256(&tbs)) }),
        };
        audit::record(connection, &[entry])?;
    }
    Ok(())
}
