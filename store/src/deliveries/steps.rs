//! What happens to a delivery on its way.

use ca_core::Timestamp;
use diesel::prelude::*;

use super::{Delivery, Row, State};
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::deliveries;

/// A gateway is about to be given the message. Committed before it is: whoever finds the row after a crash knows who
/// may have it.
///
/// # Errors
/// The database's.
pub fn hand(
    connection: &mut Connection,
    id: i64,
    gateway: &str,
    segments: Option<i32>,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(deliveries::table.find(id))
        .set((
            deliveries::gateway.eq(gateway),
            deliveries::handed_at.eq(now.unix_millis()),
            deliveries::segments.eq(segments),
            deliveries::attempts.eq(deliveries::attempts + 1),
            deliveries::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    Ok(())
}

/// The gateway has taken the message. What it has reported of it meanwhile stays.
///
/// # Errors
/// The database's.
pub fn sent(
    connection: &mut Connection,
    id: i64,
    gateway_message_id: Option<&str>,
    poll_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(deliveries::table.find(id))
        .set((
            deliveries::gateway_message_id.eq(gateway_message_id),
            deliveries::handed_at.eq(None::<i64>),
            deliveries::last_error.eq(None::<String>),
            deliveries::sent_at.eq(now.unix_millis()),
            deliveries::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    diesel::update(deliveries::table.find(id))
        .filter(deliveries::state.eq(State::Queued.as_str()))
        .set((
            deliveries::state.eq(State::Sent.as_str()),
            deliveries::poll_at.eq(poll_at.map(Timestamp::unix_millis)),
        ))
        .execute(connection)?;
    Ok(())
}

/// An attempt failed. `perhaps_taken`: the gateway may have the message all the same. `error` is shown to officers and
/// names nobody.
///
/// # Errors
/// The database's.
pub fn put_back(
    connection: &mut Connection,
    id: i64,
    error: &str,
    perhaps_taken: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = deliveries::table.find(id);
    diesel::update(row)
        .set((deliveries::last_error.eq(error), deliveries::updated_at.eq(now.unix_millis())))
        .execute(connection)?;
    if !perhaps_taken {
        diesel::update(row).set(deliveries::handed_at.eq(None::<i64>)).execute(connection)?;
    }
    Ok(())
}

/// No further attempt is made. `error` as for [`put_back`].
///
/// # Errors
/// The database's.
pub fn give_up(connection: &mut Connection, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
    diesel::update(deliveries::table.find(id))
        .filter(deliveries::state.eq(State::Queued.as_str()))
        .set((
            deliveries::state.eq(State::Failed.as_str()),
            deliveries::last_error.eq(error),
            deliveries::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    Ok(())
}

/// Nobody needs the message any more: its code has expired.
///
/// # Errors
/// The database's.
pub fn expire(connection: &mut Connection, fact: &str, now: Timestamp) -> Result<(), StoreError> {
    diesel::update(deliveries::table.filter(deliveries::fact.eq(fact)))
        .filter(deliveries::state.eq(State::Queued.as_str()))
        .set((deliveries::state.eq(State::Failed.as_str()), deliveries::updated_at.eq(now.unix_millis())))
        .execute(connection)?;
    Ok(())
}

/// The gateway says what became of the message: its last word counts once, and only while the message is under way.
/// Returns whether it did.
///
/// # Errors
/// The database's.
pub fn report(
    connection: &mut Connection,
    id: i64,
    arrived: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let state = if arrived { State::Delivered } else { State::Undelivered };
    let changed = diesel::update(deliveries::table.find(id))
        .filter(deliveries::state.eq_any([State::Queued.as_str(), State::Sent.as_str()]))
        .set((
            deliveries::state.eq(state.as_str()),
            deliveries::poll_at.eq(None::<i64>),
            deliveries::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Messages a gateway is to be asked about now, those that wait longest first.
///
/// # Errors
/// The database's.
pub fn to_ask_about(
    connection: &mut Connection,
    gateway: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<Row> = deliveries::table
        .filter(deliveries::gateway.eq(gateway))
        .filter(deliveries::poll_at.le(now.unix_millis()))
        .order(deliveries::poll_at)
        .limit(limit)
        .select(Row::as_select())
        .load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The gateway is asked again then, or never.
///
/// # Errors
/// The database's.
pub fn ask_again(connection: &mut Connection, id: i64, at: Option<Timestamp>) -> Result<(), StoreError> {
    diesel::update(deliveries::table.find(id))
        .set(deliveries::poll_at.eq(at.map(Timestamp::unix_millis)))
        .execute(connection)?;
    Ok(())
}

/// Forgets what became of codes that were queued before then.
///
/// # Errors
/// The database's.
pub fn sweep_codes(connection: &mut Connection, before: Timestamp) -> Result<(), StoreError> {
    diesel::delete(
        deliveries::table
            .filter(deliveries::application_id.is_null())
            .filter(deliveries::created_at.lt(before.unix_millis())),
    )
    .execute(connection)?;
    Ok(())
}
