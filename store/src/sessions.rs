//! Bearer tokens, kept by their SHA-256.

use std::time::Duration;

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::sessions;

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// The principal is a confirmed phone, E.164.
    Applicant,
    /// The principal is an officer's login.
    Officer,
}

impl SessionKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applicant => "applicant",
            Self::Officer => "officer",
        }
    }
}

/// Opens a session.
///
/// # Errors
/// The database's.
pub fn open(
    connection: &mut Connection,
    token_sha256: &[u8; 32],
    kind: SessionKind,
    principal: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::token_sha256.eq(token_sha256.as_slice()),
            sessions::kind.eq(kind.as_str()),
            sessions::principal.eq(principal),
            sessions::created_at.eq(now.unix_millis()),
            sessions::used_at.eq(now.unix_millis()),
            sessions::expires_at.eq(expires_at.unix_millis()),
        ))
        .execute(connection)?;
    Ok(())
}

/// The principal of a live session. A session idle for longer than `idle` is dead. The time of use is written at most
/// once a minute, so that reading stays reading.
///
/// # Errors
/// The database's.
pub fn principal(
    connection: &mut Connection,
    token_sha256: &[u8; 32],
    kind: SessionKind,
    idle: Duration,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let found: Option<(String, i64)> = sessions::table
        .find(token_sha256.to_vec())
        .filter(sessions::kind.eq(kind.as_str()))
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .filter(sessions::used_at.gt(now.minus(idle).unix_millis()))
        .select((sessions::principal, sessions::used_at))
        .first(connection)
        .optional()?;
    if let Some((_, used_at)) = &found
        && now.since(Timestamp::from_unix_millis(*used_at)) > Duration::from_secs(60)
    {
        diesel::update(sessions::table.find(token_sha256.to_vec()))
            .set(sessions::used_at.eq(now.unix_millis()))
            .execute(connection)?;
    }
    Ok(found.map(|(principal, _)| principal))
}

/// Ends a session.
///
/// # Errors
/// The database's.
pub fn close(connection: &mut Connection, token_sha256: &[u8; 32]) -> Result<(), StoreError> {
    diesel::delete(sessions::table.find(token_sha256.to_vec())).execute(connection)?;
    Ok(())
}

/// Ends every session of a principal but this one: whoever else signed in with the old password is out.
///
/// # Errors
/// The database's.
pub fn close_others(
    connection: &mut Connection,
    kind: SessionKind,
    principal: &str,
    but: &[u8; 32],
) -> Result<(), StoreError> {
    let others = sessions::table
        .filter(sessions::kind.eq(kind.as_str()))
        .filter(sessions::principal.eq(principal))
        .filter(sessions::token_sha256.ne(but.to_vec()));
    diesel::delete(others).execute(connection)?;
    Ok(())
}

/// Forgets sessions that have expired.
///
/// # Errors
/// The database's.
pub fn sweep(connection: &mut Connection, now: Timestamp) -> Result<usize, StoreError> {
    Ok(diesel::delete(sessions::table.filter(sessions::expires_at.le(now.unix_millis())))
        .execute(connection)?)
}
