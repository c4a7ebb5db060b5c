//! What somebody has to look into. Rows are only ever added.

use ca_core::Timestamp;
use diesel::prelude::*;
use serde_json::json;

use crate::audit;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::alarms;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// An application was called approved, and the signatures do not say so.
    Unapproved,
}

impl AlarmKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Unapproved];

    /// The name in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unapproved => "unapproved",
        }
    }
}

/// Raises an alarm, and records it in the audit log.
///
/// # Errors
/// The database's.
pub fn raise(
    connection: &mut Connection,
    kind: AlarmKind,
    object: &str,
    details: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(alarms::table)
        .values((
            alarms::at.eq(now.unix_millis()),
            alarms::kind.eq(kind.as_str()),
            alarms::object.eq(object),
            alarms::details.eq(details),
        ))
        .execute(connection)?;
    let entry = audit::Entry {
        at: now,
        actor: actor.to_owned(),
        action: format!("alarm.{}", kind.as_str()),
        object: object.to_owned(),
        details: json!({ "why": details }),
    };
    audit::record(connection, &[entry])
}

/// How many alarms there were of each kind.
///
/// # Errors
/// The database's.
pub fn counts(connection: &mut Connection) -> Result<Vec<(AlarmKind, i64)>, StoreError> {
    let counted: Vec<(String, i64)> = alarms::table
        .group_by(alarms::kind)
        .select((alarms::kind, diesel::dsl::count_star()))
        .load(connection)?;
    let of = |kind: AlarmKind| counted.iter().find(|(name, _)| name == kind.as_str()).map_or(0, |(_, n)| *n);
    Ok(AlarmKind::ALL.into_iter().map(|kind| (kind, of(kind))).collect())
}
