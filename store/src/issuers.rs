//! The CA certificates of ours.

use std::collections::BTreeSet;

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::crls;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::issuers;

/// Name of the root in paths and records.
pub const ROOT: &str = "root";
/// Name of the issuing CA in paths and records.
pub const ISSUING: &str = "ca";

/// A CA certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its short name, for example `root` or `ca`; also the file name in the repository.
    pub id: String,
    /// `root` or `issuing`.
    pub kind: String,
    /// The issuer of this certificate; none for a root.
    pub parent: Option<String>,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The subject in readable form.
    pub subject: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = issuers, treat_none_as_default_value = false)]
struct Row {
    id: String,
    kind: String,
    parent: Option<String>,
    certificate: Vec<u8>,
    subject: String,
    not_before: i64,
    not_after: i64,
    created_at: i64,
}

/// Adds a CA certificate.
///
/// # Errors
/// [`StoreError::Conflict`] if the name is taken.
pub fn insert(connection: &mut Connection, issuer: &Issuer, now: Timestamp) -> Result<(), StoreError> {
    let row = Row {
        id: issuer.id.clone(),
        kind: issuer.kind.clone(),
        parent: issuer.parent.clone(),
        certificate: issuer.certificate.clone(),
        subject: issuer.subject.clone(),
        not_before: issuer.not_before.unix_millis(),
        not_after: issuer.not_after.unix_millis(),
        created_at: now.unix_millis(),
    };
    diesel::insert_into(issuers::table).values(&row).execute(connection)?;
    crls::open_partitions(connection, &BTreeSet::from([(issuer.id.as_str(), "")]), now)
}

/// Every CA certificate, the root first.
///
/// # Errors
/// The database's.
pub fn all(connection: &mut Connection) -> Result<Vec<Issuer>, StoreError> {
    let rows: Vec<Row> = issuers::table
        .order((issuers::kind.desc(), issuers::created_at))
        .select(Row::as_select())
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|row| Issuer {
            id: row.id,
            kind: row.kind,
            parent: row.parent,
            certificate: row.certificate,
            subject: row.subject,
            not_before: Timestamp::from_unix_millis(row.not_before),
            not_after: Timestamp::from_unix_millis(row.not_after),
        })
        .collect())
}

/// One CA certificate.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<Issuer, StoreError> {
    all(connection)?.into_iter().find(|issuer| issuer.id == id).ok_or(StoreError::NotFound)
}
