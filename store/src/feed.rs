//! The change feed: what a responder must learn, in the order of commits.

use std::collections::BTreeMap;

use ca_core::revocation::Status;
use ca_core::{SerialNumber, Timestamp};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::certificates::{STATUS, StatusColumns};
use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{certificates, status_changes};

/// The advisory lock that makes numbers grow in the order of commits: without it a reader could see change 8, remember
/// 8, and never see change 7 of a slower transaction.
const ORDER: i64 = 0x6d75_6872_0002;

/// The status of one certificate, new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who signed the certificate.
    pub issuer: String,
    /// Its serial.
    pub serial: SerialNumber,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// Its status now.
    pub status: Status,
}

#[derive(Insertable)]
#[diesel(table_name = status_changes, treat_none_as_default_value = false)]
struct NewRow {
    kind: &'static str,
    issuer_id: String,
    serial: Vec<u8>,
    not_after: i64,
    status: String,
    status_since: Option<i64>,
    reason: Option<i16>,
    invalidity_date: Option<i64>,
    at: i64,
    crl_partition: String,
}

/// Why a change is in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A certificate is new.
    Issued,
    /// A certificate's status changed.
    Changed,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Changed => "changed",
        }
    }
}

/// What a [`Change`] is made of.
pub(crate) type Columns = (String, Vec<u8>, i64, StatusColumns);

/// Adds changes, each with the CRL partition of its certificate; to be the last statement of its transaction, which holds the feed's order until it commits.
pub(crate) fn record(
    connection: &mut Connection,
    kind: Kind,
    changes: &[(Change, &str)],
    now: Timestamp,
) -> Result<(), StoreError> {
    use diesel::connection::SimpleConnection;
    if let Connection::Postgres(c) = connection {
        c.batch_execute(&format!("SELECT pg_advisory_xact_lock({ORDER})"))?;
    }
    for chunk in changes.chunks(1000) {
        let rows: Vec<NewRow> = chunk
            .iter()
            .map(|(change, partition)| {
                let columns = StatusColumns::from(change.status);
                NewRow {
                    kind: kind.as_str(),
                    issuer_id: change.issuer.clone(),
                    serial: change.serial.as_bytes().to_vec(),
                    not_after: change.not_after.unix_millis(),
                    status: columns.status,
                    status_since: columns.status_since,
                    reason: columns.reason,
                    invalidity_date: columns.invalidity_date,
                    at: now.unix_millis(),
                    crl_partition: (*partition).to_owned(),
                }
            })
            .collect();
        insert_all!(connection, status_changes::table, &rows)?;
    }
    Ok(())
}

/// The number of the newest change, 0 before the first.
///
/// # Errors
/// The database's.
pub fn latest(connection: &mut Connection) -> Result<i64, StoreError> {
    let latest: Option<i64> =
        status_changes::table.select(diesel::dsl::max(status_changes::seq)).first(connection)?;
    Ok(latest.unwrap_or(0))
}

/// The number of the newest change after number `after` that a partition's CRL must tell: a revocation, a suspension or a
/// restoration, not the issuing of a certificate.
///
/// # Errors
/// The database's.
pub fn latest_for_crl(
    connection: &mut Connection,
    issuer: &str,
    partition: &str,
    after: i64,
) -> Result<Option<i64>, StoreError> {
    Ok(status_changes::table
        .filter(status_changes::issuer_id.eq(issuer))
        .filter(status_changes::crl_partition.eq(partition))
        // In the very words of the partial index: with a parameter, SQLite plans the statement anew for each value.
        .filter(sql::<Bool>("kind = 'changed'"))
        .filter(status_changes::seq.gt(after))
        .select(diesel::dsl::max(status_changes::seq))
        .first(connection)?)
}

/// The certificates of a partition that changed after number `after`, each with the moment of its last change, ascending
/// by serial; `None` if there were more than `limit` changes.
///
/// # Errors
/// The database's.
pub fn changed_since(
    connection: &mut Connection,
    (issuer, partition): (&str, &str),
    after: i64,
    limit: usize,
) -> Result<Option<BTreeMap<SerialNumber, Timestamp>>, StoreError> {
    let rows: Vec<(Vec<u8>, i64)> = status_changes::table
        .filter(status_changes::issuer_id.eq(issuer))
        .filter(status_changes::crl_partition.eq(partition))
        .filter(sql::<Bool>("kind = 'changed'"))
        .filter(status_changes::seq.gt(after))
        .order(status_changes::seq)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select((status_changes::serial, status_changes::at))
        .load(connection)?;
    if rows.len() > limit {
        return Ok(None);
    }
    let of = |(serial, at): (Vec<u8>, i64)| {
        let serial = SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?;
        Ok((serial, Timestamp::from_unix_millis(at)))
    };
    rows.into_iter().map(of).collect::<Result<_, StoreError>>().map(Some)
}

/// Up to `limit` changes after number `after`, oldest first, with their numbers.
///
/// # Errors
/// The database's.
pub fn since(connection: &mut Connection, after: i64, limit: i64) -> Result<Vec<(i64, Change)>, StoreError> {
    let rows: Vec<(i64, Columns)> = status_changes::table
        .filter(status_changes::seq.gt(after))
        .order(status_changes::seq)
        .limit(limit)
        .select((
            status_changes::seq,
            (
                status_changes::issuer_id,
                status_changes::serial,
                status_changes::not_after,
                (
                    status_changes::status,
                    status_changes::status_since,
                    status_changes::reason,
                    status_changes::invalidity_date,
                ),
            ),
        ))
        .load(connection)?;
    rows.into_iter().map(|(seq, columns)| Ok((seq, change(columns)?))).collect()
}

/// Up to `limit` certificates after row `after`, with their rows: the whole truth, for a fresh responder and for the
/// reconciliation.
///
/// # Errors
/// The database's.
pub fn snapshot(
    connection: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Change)>, StoreError> {
    let rows: Vec<(i64, Columns)> = certificates::table
        .filter(certificates::id.gt(after))
        .order(certificates::id)
        .limit(limit)
        .select((
            certificates::id,
            (certificates::issuer_id, certificates::serial, certificates::not_after, STATUS),
        ))
        .load(connection)?;
    rows.into_iter().map(|(id, columns)| Ok((id, change(columns)?))).collect()
}

pub(crate) fn change((issuer, serial, not_after, status): Columns) -> Result<Change, StoreError> {
    Ok(Change {
        issuer,
        serial: SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?,
        not_after: Timestamp::from_unix_millis(not_after),
        status: status.try_into()?,
    })
}
