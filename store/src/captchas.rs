//! Picture puzzles, each good for one answer.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::captchas;

/// Keeps a puzzle's answer.
///
/// # Errors
/// The database's.
pub fn insert(
    connection: &mut Connection,
    id: &str,
    answer: &str,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(captchas::table)
        .values((
            captchas::id.eq(id),
            captchas::answer.eq(answer),
            captchas::expires_at.eq(expires_at.unix_millis()),
            captchas::used.eq(false),
        ))
        .execute(connection)?;
    Ok(())
}

/// Uses a puzzle up, right answer or wrong, and returns the answer; none if it is unknown, used or expired.
///
/// # Errors
/// The database's.
pub fn take(connection: &mut Connection, id: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
    Ok(diesel::update(captchas::table.find(id))
        .filter(captchas::used.eq(false))
        .filter(captchas::expires_at.gt(now.unix_millis()))
        .set(captchas::used.eq(true))
        .returning(captchas::answer)
        .get_result(connection)
        .optional()?)
}

/// Was there such a puzzle, never answered, whose time has passed?
///
/// # Errors
/// The database's.
pub fn has_lapsed(connection: &mut Connection, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let found: Option<String> = captchas::table
        .find(id)
        .filter(captchas::used.eq(false))
        .filter(captchas::expires_at.le(now.unix_millis()))
        .select(captchas::id)
        .first(connection)
        .optional()?;
    Ok(found.is_some())
}

/// The answer of a live puzzle, for the sandbox.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn answer(connection: &mut Connection, id: &str) -> Result<String, StoreError> {
    Ok(captchas::table.find(id).select(captchas::answer).first(connection)?)
}

/// Forgets puzzles that have expired.
///
/// # Errors
/// The database's.
pub fn sweep(connection: &mut Connection, now: Timestamp) -> Result<usize, StoreError> {
    Ok(diesel::delete(captchas::table.filter(captchas::expires_at.le(now.unix_millis())))
        .execute(connection)?)
}
