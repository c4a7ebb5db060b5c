//! Reminders that a certificate ends: each certificate once for each number of days before.
//!
//! A sweep goes through the certificates in the order of their ends and remembers how far it has come, in the
//! transaction that queues the reminders. What it has passed it never meets again.

use std::time::Duration;

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::{self, NewJob};
use crate::messages::{self, Message};
use crate::schema::{certificates, reminder_sweeps};
use crate::turns;

/// Days before the end of a certificate on which its holder is reminded, the earliest first.
pub const DAYS: [u32; 3] = [30, 7, 1];

/// End, number, application, issuer, serial, status.
type Row = (i64, i64, Option<String>, String, Vec<u8>, String);

const DAY: Duration = Duration::from_secs(86_400);

/// A place in the order of the certificates' ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    not_after: i64,
    certificate: i64,
}

/// Queues up to `limit` of the reminders of `days` before the end that are due, and returns how many certificates it
/// passed; fewer than `limit` means that it is through. A reminder whose time is over because the next one's has come
/// (after a standstill) is left out, and so are revoked certificates.
///
/// # Errors
/// The database's; nothing is queued then.
pub fn sweep(
    connection: &mut Connection,
    days: u32,
    limit: i64,
    now: Timestamp,
) -> Result<usize, StoreError> {
    turns::take(connection, "reminders")?;
    let next = DAYS.into_iter().filter(|other| *other < days).max().unwrap_or(0);
    let from = i64::max(now.plus(DAY * next).unix_millis(), 0);
    let until = now.plus(DAY * days).unix_millis();
    let start = match place(connection, days)? {
        Some(place) if place.not_after > from => place,
        // What ends before is the next reminder's.
        _ => Place { not_after: from, certificate: i64::MAX },
    };
    let rows: Vec<Row> = certificates::table
        .filter(certificates::application_id.is_not_null())
        .filter(certificates::not_after.ge(start.not_after))
        .filter(certificates::not_after.le(until))
        .filter(certificates::not_after.gt(start.not_after).or(certificates::id.gt(start.certificate)))
        .order((certificates::not_after, certificates::id))
        .limit(limit)
        .select((
            certificates::not_after,
            certificates::id,
            certificates::application_id,
            certificates::issuer_id,
            certificates::serial,
            certificates::status,
        ))
        .load(connection)?;
    let mut reminders = Vec::with_capacity(rows.len());
    for (_, _, application, issuer, serial, status) in &rows {
        let Some(application) = application.as_ref().filter(|_| status != "revoked") else { continue };
        let application: ApplicationId = application.parse().map_err(StoreError::corrupt)?;
        let fact = format!("certificate:{issuer}/{}", hex::encode(serial));
        reminders.push(reminder(application, days, &fact, now));
    }
    jobs::enqueue(connection, &reminders, now)?;
    if let Some((not_after, certificate, ..)) = rows.last() {
        advance(connection, days, Place { not_after: *not_after, certificate: *certificate })?;
    }
    Ok(rows.len())
}

/// Its key has no time in it: the delivery of this reminder is there once, whoever asks for it again.
fn reminder(application: ApplicationId, days: u32, fact: &str, now: Timestamp) -> NewJob {
    let event = format!("expiring-{days}");
    let key = format!("{event}:{fact}");
    messages::job(&Message::Notice { application, event }, key, now)
}

fn column(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn place(connection: &mut Connection, days: u32) -> Result<Option<Place>, StoreError> {
    let found: Option<(i64, i64)> = reminder_sweeps::table
        .find(column(days))
        .select((reminder_sweeps::not_after, reminder_sweeps::certificate_id))
        .first(connection)
        .optional()?;
    Ok(found.map(|(not_after, certificate)| Place { not_after, certificate }))
}

fn advance(connection: &mut Connection, days: u32, to: Place) -> Result<(), StoreError> {
    let columns =
        (reminder_sweeps::not_after.eq(to.not_after), reminder_sweeps::certificate_id.eq(to.certificate));
    let moved = diesel::update(reminder_sweeps::table.find(column(days))).set(columns).execute(connection)?;
    if moved == 0 {
        diesel::insert_into(reminder_sweeps::table)
            .values((reminder_sweeps::days.eq(column(days)), columns.0, columns.1))
            .execute(connection)?;
    }
    Ok(())
}
