//! One-time codes that prove a phone is in the hands of the one who asks.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::phone_verifications;

/// A code on its way, or confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = phone_verifications, treat_none_as_default_value = false)]
pub struct PhoneVerification {
    /// Its name in URLs.
    pub id: String,
    /// The phone, E.164.
    pub phone: String,
    /// A keyed hash of the network address that asked: enough to count, not to know.
    pub address: String,
    /// A keyed hash of name and code: useless without the key (ASVS 6.5.2).
    pub code_hash: Vec<u8>,
    /// The tag of the language the text is sent in.
    pub language: String,
    /// Answers given so far.
    pub attempts: i32,
    /// When it was asked for, unix milliseconds.
    pub created_at: i64,
    /// When the next may be asked for, unix milliseconds.
    pub resend_at: i64,
    /// Until when the code works, unix milliseconds.
    pub expires_at: i64,
    /// When it was confirmed, unix milliseconds.
    pub confirmed_at: Option<i64>,
}

/// Keeps a new verification.
///
/// # Errors
/// The database's.
pub fn insert(connection: &mut Connection, verification: &PhoneVerification) -> Result<(), StoreError> {
    diesel::insert_into(phone_verifications::table).values(verification).execute(connection)?;
    Ok(())
}

/// One verification.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<PhoneVerification, StoreError> {
    Ok(phone_verifications::table.find(id).select(PhoneVerification::as_select()).first(connection)?)
}

/// When a phone may be sent the next code, if a code was sent to it recently.
///
/// # Errors
/// The database's.
pub fn resend_at(connection: &mut Connection, phone: &str) -> Result<Option<Timestamp>, StoreError> {
    let latest: Option<i64> = phone_verifications::table
        .filter(phone_verifications::phone.eq(phone))
        .select(diesel::dsl::max(phone_verifications::resend_at))
        .first(connection)?;
    Ok(latest.map(Timestamp::from_unix_millis))
}

/// How many codes were asked for since `since` for a phone and from an address.
///
/// # Errors
/// The database's.
pub fn asked_since(
    connection: &mut Connection,
    phone: &str,
    address: &str,
    since: Timestamp,
) -> Result<(i64, i64), StoreError> {
    let since = since.unix_millis();
    let by_phone = phone_verifications::table
        .filter(phone_verifications::phone.eq(phone))
        .filter(phone_verifications::created_at.gt(since))
        .count()
        .get_result(connection)?;
    let by_address = phone_verifications::table
        .filter(phone_verifications::address.eq(address))
        .filter(phone_verifications::created_at.gt(since))
        .count()
        .get_result(connection)?;
    Ok((by_phone, by_address))
}

/// Counts an answer before it is judged, so that parallel guesses are all counted. Returns whether there was one left.
///
/// # Errors
/// The database's.
pub fn count_attempt(connection: &mut Connection, id: &str, tries: i32) -> Result<bool, StoreError> {
    let counted = diesel::update(phone_verifications::table.find(id))
        .filter(phone_verifications::attempts.lt(tries))
        .set(phone_verifications::attempts.eq(phone_verifications::attempts + 1))
        .execute(connection)?;
    Ok(counted == 1)
}

/// The code was right: it never works again.
///
/// # Errors
/// [`StoreError::Conflict`] if it was used meanwhile.
pub fn confirm(connection: &mut Connection, id: &str, now: Timestamp) -> Result<(), StoreError> {
    let confirmed = diesel::update(phone_verifications::table.find(id))
        .filter(phone_verifications::confirmed_at.is_null())
        .set(phone_verifications::confirmed_at.eq(now.unix_millis()))
        .execute(connection)?;
    if confirmed == 0 { Err(StoreError::Conflict("phone verification".to_owned())) } else { Ok(()) }
}

/// Forgets verifications asked for before `before`.
///
/// # Errors
/// The database's.
pub fn sweep(connection: &mut Connection, before: Timestamp) -> Result<usize, StoreError> {
    let old = phone_verifications::table.filter(phone_verifications::created_at.lt(before.unix_millis()));
    Ok(diesel::delete(old).execute(connection)?)
}
