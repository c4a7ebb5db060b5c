//! Who may act in the back office.

use std::time::Duration;

use ca_core::Timestamp;
use ca_core::application::{Officer, Role};
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{officer_clients, officers, recovery_codes, sessions};
use crate::{audit, officer_statements};

/// An officer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login and role.
    pub officer: Officer,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// The TOTP secret, sealed; none while TOTP is not enrolled.
    pub totp_secret: Option<Vec<u8>>,
    /// The TOTP step last used: a code works once (RFC 6238 section 5.2).
    pub totp_last_step: Option<i64>,
    /// The password was made by somebody else.
    pub must_change_password: bool,
    /// Wrong passwords in a row.
    pub failed_attempts: i32,
    /// No sign-in before.
    pub locked_until: Option<Timestamp>,
    /// The account is closed.
    pub disabled_at: Option<Timestamp>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = officers, treat_none_as_default_value = false)]
struct Row {
    login: String,
    role: String,
    password_hash: String,
    totp_secret: Option<Vec<u8>>,
    totp_last_step: Option<i64>,
    must_change_password: bool,
    failed_attempts: i32,
    locked_until: Option<i64>,
    disabled_at: Option<i64>,
    created_at: i64,
}

impl TryFrom<Row> for Account {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            officer: Officer { login: row.login, role: row.role.parse().map_err(StoreError::corrupt)? },
            password_hash: row.password_hash,
            totp_secret: row.totp_secret,
            totp_last_step: row.totp_last_step,
            must_change_password: row.must_change_password,
            failed_attempts: row.failed_attempts,
            locked_until: row.locked_until.map(Timestamp::from_unix_millis),
            disabled_at: row.disabled_at.map(Timestamp::from_unix_millis),
        })
    }
}

/// Opens an account with a password somebody else made.
///
/// # Errors
/// [`StoreError::Conflict`] if the login is taken.
pub fn add(
    connection: &mut Connection,
    login: &str,
    role: Role,
    password_hash: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = Row {
        login: login.to_owned(),
        role: role.as_str().to_owned(),
        password_hash: password_hash.to_owned(),
        totp_secret: None,
        totp_last_step: None,
        must_change_password: true,
        failed_attempts: 0,
        locked_until: None,
        disabled_at: None,
        created_at: now.unix_millis(),
    };
    diesel::insert_into(officers::table).values(&row).execute(connection)?;
    record(connection, login, "officer.add", serde_json::json!({ "role": role.as_str() }), actor, now)
}

/// Closes an account and ends its sessions.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn disable(
    connection: &mut Connection,
    login: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changed = diesel::update(officers::table.find(login))
        .filter(officers::disabled_at.is_null())
        .set(officers::disabled_at.eq(now.unix_millis()))
        .execute(connection)?;
    end_sessions_of_changed(connection, login, changed)?;
    officer_statements::revoke_certificates(connection, login, actor, now)?;
    record(connection, login, "officer.disable", serde_json::json!({}), actor, now)
}

/// One account.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, login: &str) -> Result<Account, StoreError> {
    officers::table.find(login).select(Row::as_select()).first::<Row>(connection)?.try_into()
}

/// Every account, by login.
///
/// # Errors
/// The database's.
pub fn all(connection: &mut Connection) -> Result<Vec<Account>, StoreError> {
    let rows: Vec<Row> = officers::table.order(officers::login).select(Row::as_select()).load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Until when no sign-in is judged. A client that the officer has signed in with has a lock of its own, so that strangers
/// who guess at the account lock each other out and not the officer.
///
/// # Errors
/// The database's.
pub fn locked_until(
    connection: &mut Connection,
    account: &Account,
    client: Option<&[u8; 32]>,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(client) = client else { return Ok(account.locked_until) };
    let known: Option<Option<i64>> = officer_clients::table
        .find((&account.officer.login, client.as_slice()))
        .select(officer_clients::locked_until)
        .first(connection)
        .optional()?;
    Ok(match known {
        Some(locked_until) => locked_until.map(Timestamp::from_unix_millis),
        None => account.locked_until,
    })
}

/// Counts a wrong password or code; from the `failures`-th in a row the client, or the account for clients that are not
/// known, rests for `lockout` after each. Counting is a row update, so that parallel guesses are all counted.
///
/// # Errors
/// The database's.
pub fn sign_in_failed(
    connection: &mut Connection,
    login: &str,
    client: Option<&[u8; 32]>,
    failures: u32,
    lockout: Duration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let until = now.plus(lockout).unix_millis();
    let known = client.map(|client| officer_clients::table.find((login, client.as_slice())));
    let of_client: Option<i32> = match known {
        None => None,
        Some(row) => diesel::update(row)
            .set(officer_clients::failed_attempts.eq(officer_clients::failed_attempts + 1))
            .returning(officer_clients::failed_attempts)
            .get_result(connection)
            .optional()?,
    };
    let reached = |attempts: i32| attempts.unsigned_abs() >= failures;
    let is_locked = match (known, of_client) {
        (Some(row), Some(attempts)) => {
            if reached(attempts) {
                diesel::update(row).set(officer_clients::locked_until.eq(until)).execute(connection)?;
            }
            reached(attempts)
        }
        _ => {
            let attempts: Option<i32> = diesel::update(officers::table.find(login))
                .set(officers::failed_attempts.eq(officers::failed_attempts + 1))
                .returning(officers::failed_attempts)
                .get_result(connection)
                .optional()?;
            let is_locked = attempts.is_some_and(reached);
            if is_locked {
                let row = officers::table.find(login);
                diesel::update(row).set(officers::locked_until.eq(until)).execute(connection)?;
            }
            is_locked
        }
    };
    let details = serde_json::json!({ "locked": is_locked });
    record(connection, login, "officer.sign-in-failed", details, "anonymous", now)
}

/// Somebody tried to sign in as nobody. What was typed is not kept: it may be a password in the wrong field.
///
/// # Errors
/// The database's.
pub fn stranger_failed(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let entry = audit::Entry {
        at: now,
        actor: "anonymous".to_owned(),
        action: "officer.sign-in-failed".to_owned(),
        object: "officer".to_owned(),
        details: serde_json::json!({ "account": false }),
    };
    audit::record(connection, &[entry])
}

/// What an officer showed besides the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nothing: none is enrolled.
    None,
    /// The code of this TOTP step.
    Totp(i64),
    /// The recovery code with this SHA-256.
    RecoveryCode([u8; 32]),
}

/// A sign-in succeeded: the count starts again, and what was shown cannot be shown again.
///
/// # Errors
/// [`StoreError::Conflict`] if the code was used before, or is none.
pub fn signed_in(
    connection: &mut Connection,
    login: &str,
    client: Option<&[u8; 32]>,
    second: SecondFactor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let shown = match second {
        SecondFactor::None => "none",
        SecondFactor::Totp(step) => {
            let fresh = officers::totp_last_step.is_null().or(officers::totp_last_step.lt(step));
            let changed = diesel::update(officers::table.find(login))
                .filter(fresh)
                .set(officers::totp_last_step.eq(step))
                .execute(connection)?;
            if changed == 0 {
                return Err(StoreError::Conflict("TOTP step".to_owned()));
            }
            "totp"
        }
        SecondFactor::RecoveryCode(sha256) => {
            let code = recovery_codes::table.find((login, sha256.as_slice()));
            if diesel::delete(code).execute(connection)? == 0 {
                return Err(StoreError::Conflict("recovery code".to_owned()));
            }
            "recovery-code"
        }
    };
    count_again(connection, login, client, now)?;
    let (actor, details) = (format!("officer:{login}"), serde_json::json!({ "second_factor": shown }));
    record(connection, login, "officer.sign-in", details, &actor, now)
}

/// A known client's count starts again; of an unknown one the account's does, and from now on it is known. What strangers
/// have guessed meanwhile stays counted when a known client signs in.
fn count_again(
    connection: &mut Connection,
    login: &str,
    client: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(client) = client {
        let known = diesel::update(officer_clients::table.find((login, client.as_slice())))
            .set((
                officer_clients::failed_attempts.eq(0),
                officer_clients::locked_until.eq(None::<i64>),
                officer_clients::signed_in_at.eq(now.unix_millis()),
            ))
            .execute(connection)?;
        if known == 1 {
            return Ok(());
        }
        diesel::insert_into(officer_clients::table)
            .values((
                officer_clients::login.eq(login),
                officer_clients::client_sha256.eq(client.as_slice()),
                officer_clients::failed_attempts.eq(0),
                officer_clients::signed_in_at.eq(now.unix_millis()),
            ))
            .execute(connection)?;
    }
    diesel::update(officers::table.find(login))
        .set((officers::failed_attempts.eq(0), officers::locked_until.eq(None::<i64>)))
        .execute(connection)?;
    Ok(())
}

/// Forgets clients that nobody has signed in with since a moment.
///
/// # Errors
/// The database's.
pub fn sweep_clients(connection: &mut Connection, before: Timestamp) -> Result<usize, StoreError> {
    let quiet = officer_clients::table.filter(officer_clients::signed_in_at.lt(before.unix_millis()));
    Ok(diesel::delete(quiet).execute(connection)?)
}

/// Replaces the recovery codes by these, given as SHA-256.
///
/// # Errors
/// The database's.
pub fn set_recovery_codes(
    connection: &mut Connection,
    login: &str,
    codes_sha256: &[[u8; 32]],
    now: Timestamp,
) -> Result<(), StoreError> {
    forget_recovery_codes(connection, login)?;
    for sha256 in codes_sha256 {
        diesel::insert_into(recovery_codes::table)
            .values((recovery_codes::login.eq(login), recovery_codes::code_sha256.eq(sha256.as_slice())))
            .execute(connection)?;
    }
    let details = serde_json::json!({ "count": codes_sha256.len() });
    record(connection, login, "officer.recovery-codes", details, &format!("officer:{login}"), now)
}

fn forget_recovery_codes(connection: &mut Connection, login: &str) -> Result<(), StoreError> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::login.eq(login))).execute(connection)?;
    Ok(())
}

/// How many recovery codes an officer still has.
///
/// # Errors
/// The database's.
pub fn recovery_codes_left(connection: &mut Connection, login: &str) -> Result<i64, StoreError> {
    Ok(recovery_codes::table.filter(recovery_codes::login.eq(login)).count().get_result(connection)?)
}

/// Gives an open account another role and ends its sessions.
///
/// # Errors
/// [`StoreError::NotFound`] if there is no open account.
pub fn set_role(
    connection: &mut Connection,
    login: &str,
    role: Role,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changed = diesel::update(officers::table.find(login))
        .filter(officers::disabled_at.is_null())
        .set(officers::role.eq(role.as_str()))
        .execute(connection)?;
    end_sessions_of_changed(connection, login, changed)?;
    // The role that counts for a signature is the certificate's.
    officer_statements::revoke_certificates(connection, login, actor, now)?;
    record(connection, login, "officer.role", serde_json::json!({ "role": role.as_str() }), actor, now)
}

/// Gives an open account a password somebody else made, and takes its authenticator, recovery codes and sessions away.
///
/// # Errors
/// [`StoreError::NotFound`] if there is no open account.
pub fn reset(
    connection: &mut Connection,
    login: &str,
    password_hash: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let open = officers::table.find(login).filter(officers::disabled_at.is_null());
    let changed = diesel::update(open)
        .set((
            officers::password_hash.eq(password_hash),
            officers::must_change_password.eq(true),
            officers::totp_secret.eq(None::<Vec<u8>>),
            officers::totp_last_step.eq(None::<i64>),
            officers::failed_attempts.eq(0),
            officers::locked_until.eq(None::<i64>),
        ))
        .execute(connection)?;
    end_sessions_of_changed(connection, login, changed)?;
    diesel::delete(officer_clients::table.filter(officer_clients::login.eq(login))).execute(connection)?;
    forget_recovery_codes(connection, login)?;
    record(connection, login, "officer.reset", serde_json::json!({}), actor, now)
}

/// Opens a closed account again, with a password somebody else made and nothing else of before.
///
/// # Errors
/// [`StoreError::NotFound`] if there is no closed account.
pub fn reopen(
    connection: &mut Connection,
    login: &str,
    password_hash: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let closed = officers::table.find(login).filter(officers::disabled_at.is_not_null());
    let opened = diesel::update(closed).set(officers::disabled_at.eq(None::<i64>)).execute(connection)?;
    if opened == 0 {
        return Err(StoreError::NotFound);
    }
    reset(connection, login, password_hash, actor, now)
}

/// The account is another one from now on, so nobody goes on as before; if it was `changed` at all.
fn end_sessions_of_changed(
    connection: &mut Connection,
    login: &str,
    changed: usize,
) -> Result<(), StoreError> {
    if changed == 0 {
        return Err(StoreError::NotFound);
    }
    let theirs = sessions::table.filter(sessions::kind.eq("officer")).filter(sessions::principal.eq(login));
    diesel::delete(theirs).execute(connection)?;
    Ok(())
}

/// Replaces the password by one only its officer knows.
///
/// # Errors
/// [`StoreError::Conflict`] if the password is not the one with this hash any more.
pub fn set_password(
    connection: &mut Connection,
    login: &str,
    old_hash: &str,
    password_hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let unchanged = officers::table.find(login).filter(officers::password_hash.eq(old_hash));
    let changed = diesel::update(unchanged)
        .set((officers::password_hash.eq(password_hash), officers::must_change_password.eq(false)))
        .execute(connection)?;
    if changed == 0 {
        return Err(StoreError::Conflict("password".to_owned()));
    }
    record(connection, login, "officer.password", serde_json::json!({}), &format!("officer:{login}"), now)
}

/// Sets or removes the sealed TOTP secret. `used_step` is the step whose code proved that the officer has it.
///
/// # Errors
/// The database's.
pub fn set_totp(
    connection: &mut Connection,
    login: &str,
    sealed_secret: Option<&[u8]>,
    used_step: Option<i64>,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(officers::table.find(login))
        .set((officers::totp_secret.eq(sealed_secret), officers::totp_last_step.eq(used_step)))
        .execute(connection)?;
    let details = serde_json::json!({ "enrolled": sealed_secret.is_some() });
    record(connection, login, "officer.totp", details, &format!("officer:{login}"), now)
}

/// What was done about an officer, for the audit log.
pub(crate) fn record(
    connection: &mut Connection,
    login: &str,
    action: &str,
    details: serde_json::Value,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = audit::Entry {
        at: now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: format!("officer:{login}"),
        details,
    };
    audit::record(connection, &[entry])
}
