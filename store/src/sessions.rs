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

/// A live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Applicant or officer.
    pub kind: SessionKind,
    /// E.164 or login.
    pub principal: String,
    /// Its use was last noted more than a minute ago: [`note_use`].
    pub note_is_old: bool,
}

/// The session of a token, if it lives: neither past its end nor unused for longer than `idle` allows its kind.
///
/// # Errors
/// The database's.
pub fn find(
    connection: &mut Connection,
    token_sha256: &[u8; 32],
    idle: impl Fn(SessionKind) -> Duration,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let found: Option<(String, String, i64)> = sessions::table
        .find(token_sha256.to_vec())
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .select((sessions::kind, sessions::principal, sessions::used_at))
        .first(connection)
        .optional()?;
    let Some((kind, principal, used_at)) = found else { return Ok(None) };
    let kind = match kind.as_str() {
        "applicant" => SessionKind::Applicant,
        "officer" => SessionKind::Officer,
        _ => return Err(StoreError::corrupt("a kind of session")),
    };
    let unused = now.since(Timestamp::from_unix_millis(used_at));
    let note_is_old = unused > Duration::from_secs(60);
    Ok((unused < idle(kind)).then_some(Session { kind, principal, note_is_old }))
}

/// Notes that a session is in use. Apart from [`find`], so that asking writes nothing most of the time.
///
/// # Errors
/// The database's.
pub fn note_use(
    connection: &mut Connection,
    token_sha256: &[u8; 32],
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(sessions::table.find(token_sha256.to_vec()))
        .set(sessions::used_at.eq(now.unix_millis()))
        .execute(connection)?;
    Ok(())
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
