//! Signed CRLs; the publisher places the newest.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::{JobKind, NewJob};
use crate::schema::crls;
use crate::{audit, feed, jobs};

/// A signed CRL.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = crls)]
pub struct Crl {
    /// Whose.
    pub issuer_id: String,
    /// CRL number (RFC 5280 section 5.2.3).
    pub number: i64,
    /// Unix milliseconds.
    pub this_update: i64,
    /// Unix milliseconds.
    pub next_update: i64,
    /// How many certificates it lists.
    pub entries: i64,
    /// The newest change of the feed it tells.
    pub last_change: i64,
    /// The CRL, DER.
    pub crl: Vec<u8>,
}

/// A CRL without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
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

/// How many CRLs of an issuer are kept: the newest, the one before for the judge, and a few for people.
const KEPT: i64 = 10;

/// Keeps a CRL, and takes the job that asked for it off the queue; or queues the next, if something has changed since
/// the rows were read that this one lists.
///
/// # Errors
/// [`StoreError::Conflict`] if another signer made the same number.
pub fn insert(connection: &mut Connection, crl: &Crl, now: Timestamp) -> Result<(), StoreError> {
    jobs::complete_named(connection, JobKind::SignCrl, &crl.issuer_id)?;
    // Asked after the job is gone: whoever changes something from now on queues another; whoever did before has committed.
    if feed::latest_for_crl(connection, &crl.issuer_id, crl.last_change)?.is_some() {
        jobs::enqueue(connection, &[NewJob::sign_crl(&crl.issuer_id, now)], now)?;
    }
    diesel::insert_into(crls::table).values(crl).execute(connection)?;
    diesel::delete(
        crls::table.filter(crls::issuer_id.eq(&crl.issuer_id)).filter(crls::number.le(crl.number - KEPT)),
    )
    .execute(connection)?;
    let entry = audit::Entry {
        at: now,
        actor: "ca".to_owned(),
        action: "crl.sign".to_owned(),
        object: format!("crl:{}/{}", crl.issuer_id, crl.number),
        details: serde_json::json!({ "entries": crl.entries }),
    };
    audit::record(connection, &[entry])
}

/// What is known of the newest CRL of an issuer.
///
/// # Errors
/// The database's.
pub fn newest(connection: &mut Connection, issuer: &str) -> Result<Option<CrlSummary>, StoreError> {
    let found: Option<(i64, i64, i64, i64)> = crls::table
        .filter(crls::issuer_id.eq(issuer))
        .order(crls::number.desc())
        .select((crls::number, crls::this_update, crls::next_update, crls::last_change))
        .first(connection)
        .optional()?;
    Ok(found.map(|(number, this_update, next_update, last_change)| CrlSummary {
        number,
        this_update: Timestamp::from_unix_millis(this_update),
        next_update: Timestamp::from_unix_millis(next_update),
        last_change,
    }))
}

/// The bytes of a CRL.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn bytes(connection: &mut Connection, issuer: &str, number: i64) -> Result<Vec<u8>, StoreError> {
    Ok(crls::table.find((issuer, number)).select(crls::crl).first(connection)?)
}
