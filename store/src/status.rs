//! What a responder reads of every certificate: the whole feed once, and rows to compare itself with.

use ca_core::revocation::Status;
use ca_core::{SerialNumber, Timestamp};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::certificates::{STATUS, StatusColumns};
use crate::database::Connection;
use crate::error::StoreError;
use crate::feed::{self, Change};
use crate::schema::{certificates, status_changes};

/// Rows read at a time where they come in pages.
const PAGE: i64 = 10_000;

/// A row of the feed as it is copied out.
#[derive(Queryable, Selectable)]
#[diesel(table_name = status_changes)]
struct Row {
    seq: i64,
    kind: String,
    issuer_id: String,
    serial: Vec<u8>,
    not_after: i64,
    status: String,
    status_since: Option<i64>,
    reason: Option<i16>,
    invalidity_date: Option<i64>,
}

/// Visits every certificate with its present status, from the feed: it is narrow where certificates are wide, and has
/// told of each of them. Statuses that changed come once more, in the order in which they changed. Returns the number
/// of the newest change that was visited.
///
/// PostgreSQL copies the table out in one stream, without the time limit of other statements.
///
/// # Errors
/// The database's, or a row that no writer of ours wrote.
pub fn replay(
    connection: &mut Connection,
    mut visit: impl FnMut(&str, SerialNumber, Timestamp, Status),
) -> Result<i64, StoreError> {
    match connection {
        Connection::Postgres(c) => {
            c.batch_execute("SET LOCAL statement_timeout = 0")?;
            let mut newest = 0;
            let mut changed = Vec::new();
            for row in diesel::copy_to(status_changes::table).load::<Row, _>(c)? {
                let row = row?;
                newest = newest.max(row.seq);
                // A table has no order: what was issued comes first, then the changes in theirs.
                if row.kind == "issued" { visit_row(&row, &mut visit)? } else { changed.push(row) }
            }
            changed.sort_unstable_by_key(|row| row.seq);
            changed.iter().try_for_each(|row| visit_row(row, &mut visit))?;
            Ok(newest)
        }
        Connection::Sqlite(_) => {
            let mut newest = 0;
            loop {
                let page = feed::since(connection, newest, PAGE)?;
                for (number, change) in &page {
                    newest = *number;
                    visit(&change.issuer, change.serial, change.not_after, change.status);
                }
                if (page.len() as i64) < PAGE {
                    return Ok(newest);
                }
            }
        }
    }
}

fn visit_row(
    row: &Row,
    visit: &mut impl FnMut(&str, SerialNumber, Timestamp, Status),
) -> Result<(), StoreError> {
    let serial = SerialNumber::try_from(row.serial.as_slice()).map_err(StoreError::corrupt)?;
    let status = match (row.status.as_str(), row.status_since) {
        ("good", None) => Status::Good,
        _ => StatusColumns {
            status: row.status.clone(),
            status_since: row.status_since,
            reason: row.reason,
            invalidity_date: row.invalidity_date,
        }
        .try_into()?,
    };
    visit(&row.issuer_id, serial, Timestamp::from_unix_millis(row.not_after), status);
    Ok(())
}

/// For measurements of what follows the feed: it tells of certificates, all of them good, that nobody has issued.
///
/// # Errors
/// [`StoreError::Conflict`] in a database that has more certificates than a CA's own; the database's.
pub fn rehearse(
    connection: &mut Connection,
    issuer: &str,
    serials: &[SerialNumber],
    not_after: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let issued: i64 = certificates::table
        .filter(certificates::application_id.is_not_null())
        .count()
        .get_result(connection)?;
    if issued > 0 {
        return Err(StoreError::Conflict("this database has certificates of subscribers".to_owned()));
    }
    let told = |&serial: &SerialNumber| {
        (Change { issuer: issuer.to_owned(), serial, not_after, status: Status::Good }, "")
    };
    let changes: Vec<_> = serials.iter().map(told).collect();
    feed::record(connection, feed::Kind::Issued, &changes, now)
}

/// What tells one feed from another of the same length: serial and moment of the change with this number, if there is
/// one.
///
/// # Errors
/// The database's.
pub fn fingerprint(connection: &mut Connection, number: i64) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
    Ok(status_changes::table
        .find(number)
        .select((status_changes::serial, status_changes::at))
        .first(connection)
        .optional()?)
}

/// The row of the certificate that was stored last; 0 before the first.
///
/// # Errors
/// The database's.
pub fn newest_row(connection: &mut Connection) -> Result<i64, StoreError> {
    let newest: Option<i64> =
        certificates::table.select(diesel::dsl::max(certificates::id)).first(connection)?;
    Ok(newest.unwrap_or(0))
}

/// Where a walk over the certificates that are not good stands: the moment and the row of the last one seen.
pub type NotGoodCursor = (i64, i64);

/// Up to `limit` certificates that are revoked or on hold, after the cursor, and where the next ones begin.
///
/// # Errors
/// The database's.
pub fn not_good_after(
    connection: &mut Connection,
    (since, row): NotGoodCursor,
    limit: i64,
) -> Result<(Vec<Change>, NotGoodCursor), StoreError> {
    let rows: Vec<(i64, feed::Columns)> = certificates::table
        // In the very words of the partial index: with a parameter, SQLite plans the statement anew for each value.
        .filter(sql::<Bool>("status <> 'good'"))
        .filter(certificates::status_since.ge(since).assume_not_null())
        .filter(
            certificates::status_since.gt(since).or(certificates::id.gt(row).nullable()).assume_not_null(),
        )
        .order((certificates::status_since, certificates::id))
        .limit(limit)
        .select((
            certificates::id,
            (certificates::issuer_id, certificates::serial, certificates::not_after, STATUS),
        ))
        .load(connection)?;
    let next =
        rows.last().map_or((since, row), |(row, (.., status))| (status.status_since.unwrap_or(since), *row));
    let changes = rows.into_iter().map(|(_, columns)| feed::change(columns)).collect::<Result<_, _>>()?;
    Ok((changes, next))
}
