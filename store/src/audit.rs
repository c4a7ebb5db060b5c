//! Who did what to what, and when. Rows are only ever added.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;

use crate::Page;
use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::audit_entries;

/// An audit entry. It names people by login or application, never by personal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// `applicant`, `officer:<login>`, `ca`, `clock`, `partner:<name>`, `operator`.
    pub actor: String,
    /// What, for example `application.approve`.
    pub action: String,
    /// To what, for example `application:<id>` or `certificate:<issuer>/<serial>`.
    pub object: String,
    /// More, as a JSON object.
    pub details: serde_json::Value,
}

#[derive(Insertable)]
#[diesel(table_name = audit_entries, treat_none_as_default_value = false)]
struct NewRow {
    at: i64,
    actor: String,
    action: String,
    object: String,
    details: String,
}

#[derive(Queryable)]
struct Row {
    id: i64,
    at: i64,
    actor: String,
    action: String,
    object: String,
    details: String,
}

/// Adds entries, in the transaction of what they tell.
///
/// # Errors
/// The database's.
pub fn record(connection: &mut Connection, entries: &[Entry]) -> Result<(), StoreError> {
    for chunk in entries.chunks(1000) {
        let rows: Vec<NewRow> = chunk
            .iter()
            .map(|entry| NewRow {
                at: entry.at.unix_millis(),
                actor: entry.actor.clone(),
                action: entry.action.clone(),
                object: entry.object.clone(),
                details: entry.details.to_string(),
            })
            .collect();
        insert_all!(connection, audit_entries::table, &rows)?;
    }
    Ok(())
}

/// Adds what was done to an application.
pub(crate) fn of_application(
    connection: &mut Connection,
    id: ApplicationId,
    action: &str,
    details: serde_json::Value,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = Entry {
        at: now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: format!("application:{id}"),
        details,
    };
    record(connection, &[entry])
}

/// A page of entries with their numbers, oldest first.
///
/// # Errors
/// The database's; a row that is not JSON.
pub fn page(connection: &mut Connection, after: i64, limit: usize) -> Result<Page<(i64, Entry)>, StoreError> {
    let rows: Vec<Row> = audit_entries::table
        .filter(audit_entries::id.gt(after))
        .order(audit_entries::id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .load(connection)?;
    numbered(rows, limit)
}

/// Whose entries, and about what; everybody's about everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// As in [`Entry::actor`].
    pub actor: Option<String>,
    /// As in [`Entry::object`].
    pub object: Option<String>,
}

/// A page of entries with their numbers, newest first: those before a number, if one is given.
///
/// # Errors
/// As [`page`].
pub fn newest(
    connection: &mut Connection,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<(i64, Entry)>, StoreError> {
    let mut query = audit_entries::table.into_boxed();
    if let Some(actor) = &filter.actor {
        query = query.filter(audit_entries::actor.eq(actor.clone()));
    }
    if let Some(object) = &filter.object {
        query = query.filter(audit_entries::object.eq(object.clone()));
    }
    if let Some(before) = before {
        query = query.filter(audit_entries::id.lt(before));
    }
    let rows: Vec<Row> = query
        .order(audit_entries::id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .load(connection)?;
    numbered(rows, limit)
}

fn numbered(rows: Vec<Row>, limit: usize) -> Result<Page<(i64, Entry)>, StoreError> {
    let entries = rows
        .into_iter()
        .map(|row| {
            let details = serde_json::from_str(&row.details).map_err(StoreError::corrupt)?;
            let at = Timestamp::from_unix_millis(row.at);
            Ok((row.id, Entry { at, actor: row.actor, action: row.action, object: row.object, details }))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Page::from_rows(entries, limit, |(id, _)| id.to_string()))
}
