//! Comparisons of our ledger with providers' statements, as they were found.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::Page;
use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::{self, JobKind, NewJob};
use crate::schema::reconciliations;

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// Whose statement.
    pub provider: String,
    /// The first day in Tashkent, `YYYY-MM-DD`.
    pub first_day: String,
    /// The last day, included.
    pub last_day: String,
    /// Transactions of ours in that time.
    pub ours: i64,
    /// Transactions of the statement.
    pub theirs: i64,
    /// A JSON array.
    pub differences: serde_json::Value,
    /// When they were compared.
    pub at: Timestamp,
}

type Row = (i64, String, String, String, i64, i64, String, i64);

/// Keeps a comparison.
///
/// # Errors
/// The database's.
pub fn keep(connection: &mut Connection, found: &Reconciliation) -> Result<(), StoreError> {
    diesel::insert_into(reconciliations::table)
        .values((
            reconciliations::provider.eq(&found.provider),
            reconciliations::first_day.eq(&found.first_day),
            reconciliations::last_day.eq(&found.last_day),
            reconciliations::ours.eq(found.ours),
            reconciliations::theirs.eq(found.theirs),
            reconciliations::differences.eq(found.differences.to_string()),
            reconciliations::at.eq(found.at.unix_millis()),
        ))
        .execute(connection)?;
    Ok(())
}

/// A page of comparisons with their numbers, newest first.
///
/// # Errors
/// The database's; a row that is not JSON.
pub fn page(
    connection: &mut Connection,
    before: i64,
    limit: usize,
) -> Result<Page<(i64, Reconciliation)>, StoreError> {
    let rows: Vec<Row> = reconciliations::table
        .filter(reconciliations::id.lt(before))
        .order(reconciliations::id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .load(connection)?;
    let found = rows
        .into_iter()
        .map(|(id, provider, first_day, last_day, ours, theirs, differences, at)| {
            let differences = serde_json::from_str(&differences).map_err(StoreError::corrupt)?;
            let at = Timestamp::from_unix_millis(at);
            Ok((id, Reconciliation { provider, first_day, last_day, ours, theirs, differences, at }))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Page::from_rows(found, limit, |(id, _)| id.to_string()))
}

/// Asks for the comparison of a provider's day, not before `run_at`. One that was made already is not asked for again.
///
/// # Errors
/// The database's.
pub fn request(
    connection: &mut Connection,
    provider: &str,
    day: &str,
    run_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let made: Option<i64> = reconciliations::table
        .filter(reconciliations::provider.eq(provider))
        .filter(reconciliations::first_day.eq(day))
        .filter(reconciliations::last_day.eq(day))
        .select(reconciliations::id)
        .first(connection)
        .optional()?;
    let key = format!("{provider}/{day}");
    // A dead job stays dead: an officer has been told.
    if made.is_some() || jobs::exists(connection, JobKind::Reconcile, &key)? {
        return Ok(());
    }
    let job = NewJob { kind: JobKind::Reconcile, key, payload: "{}".to_owned(), run_at };
    jobs::enqueue(connection, &[job], now)
}
