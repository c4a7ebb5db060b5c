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

/// What a session is opened with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// SHA-256 of the name that the client gives itself and nobody else knows.
    pub sha256: Option<[u8; 32]>,
    /// What kind of program it says it is.
    pub user_agent: Option<String>,
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
    open_for(connection, token_sha256, kind, principal, &Client::default(), expires_at, now)
}

/// Opens a session that is this client's alone, if it has a name.
///
/// # Errors
/// The database's.
pub fn open_for(
    connection: &mut Connection,
    token_sha256: &[u8; 32],
    kind: SessionKind,
    principal: &str,
    client: &Client,
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
            sessions::client_sha256.eq(client.sha256.as_ref().map(<[u8; 32]>::as_slice)),
            sessions::user_agent.eq(client.user_agent.as_deref()),
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
    /// SHA-256 of the client's name, if it had one when it signed in: nobody else may use the session.
    pub client_sha256: Option<Vec<u8>>,
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
    let found: Option<(String, String, i64, Option<Vec<u8>>)> = sessions::table
        .find(token_sha256.to_vec())
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .select((sessions::kind, sessions::principal, sessions::used_at, sessions::client_sha256))
        .first(connection)
        .optional()?;
    let Some((kind, principal, used_at, client_sha256)) = found else { return Ok(None) };
    let kind = match kind.as_str() {
        "applicant" => SessionKind::Applicant,
        "officer" => SessionKind::Officer,
        _ => return Err(StoreError::corrupt("a kind of session")),
    };
    let unused = now.since(Timestamp::from_unix_millis(used_at));
    let note_is_old = unused > Duration::from_secs(60);
    Ok((unused < idle(kind)).then_some(Session { kind, principal, note_is_old, client_sha256 }))
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

/// A session as its officer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// SHA-256 of its token.
    pub token_sha256: Vec<u8>,
    /// What its client says it is.
    pub user_agent: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// The sessions of an officer that still live, oldest first.
///
/// # Errors
/// The database's.
pub fn of_officer(
    connection: &mut Connection,
    login: &str,
    idle: Duration,
    now: Timestamp,
) -> Result<Vec<Open>, StoreError> {
    type Columns = (Vec<u8>, Option<String>, i64, i64, i64);
    let rows: Vec<Columns> = sessions::table
        .filter(sessions::kind.eq(SessionKind::Officer.as_str()))
        .filter(sessions::principal.eq(login))
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .filter(sessions::used_at.gt(now.minus(idle).unix_millis()))
        .order((sessions::created_at, sessions::token_sha256))
        .select((
            sessions::token_sha256,
            sessions::user_agent,
            sessions::created_at,
            sessions::used_at,
            sessions::expires_at,
        ))
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(token_sha256, user_agent, created_at, used_at, expires_at)| Open {
            token_sha256,
            user_agent,
            created_at: Timestamp::from_unix_millis(created_at),
            used_at: Timestamp::from_unix_millis(used_at),
            expires_at: Timestamp::from_unix_millis(expires_at),
        })
        .collect())
}

/// Forgets sessions that have expired.
///
/// # Errors
/// The database's.
pub fn sweep(connection: &mut Connection, now: Timestamp) -> Result<usize, StoreError> {
    Ok(diesel::delete(sessions::table.filter(sessions::expires_at.le(now.unix_millis())))
        .execute(connection)?)
}
