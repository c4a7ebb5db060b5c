//! The key that each application's evidence is sealed with, wrapped by a master key that only the registration authority has.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{applications, data_keys};

/// A wrapped key, and by which master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The master key's name.
    pub master: String,
    /// The key, sealed with it.
    pub wrapped: Vec<u8>,
}

/// An application's key, and what is sealed with it in the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedData {
    /// The key.
    pub key: WrappedKey,
    /// The number of the identity document.
    pub document: Option<Vec<u8>>,
}

type Row = (String, Option<String>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Gives an application its key. What it seals is no longer in the clear: the document's number leaves the subject.
///
/// # Errors
/// [`StoreError::Conflict`] if the application has one, or had one that was erased.
pub fn create(
    connection: &mut Connection,
    application: ApplicationId,
    sealed: &SealedData,
) -> Result<(), StoreError> {
    let id = application.to_string();
    diesel::insert_into(data_keys::table)
        .values((
            data_keys::application_id.eq(&id),
            data_keys::master_key.eq(&sealed.key.master),
            data_keys::wrapped_key.eq(&sealed.key.wrapped),
            data_keys::sealed_document.eq(sealed.document.as_deref()),
        ))
        .execute(connection)?;
    let stored: String = applications::table.find(&id).select(applications::subject).first(connection)?;
    let mut subject: ca_core::subject::Subject =
        serde_json::from_str(&stored).map_err(StoreError::corrupt)?;
    if subject.take_document().is_some() {
        let bare = serde_json::to_string(&subject).map_err(StoreError::corrupt)?;
        diesel::update(applications::table.find(&id))
            .set(applications::subject.eq(bare))
            .execute(connection)?;
    }
    Ok(())
}

/// The key of an application; none if it never had one or it was erased.
///
/// # Errors
/// The database's.
pub fn of(connection: &mut Connection, application: ApplicationId) -> Result<Option<SealedData>, StoreError> {
    Ok(of_many(connection, &[application])?.pop().map(|(_, sealed)| sealed))
}

/// Those of these applications that have a key, with it.
///
/// # Errors
/// The database's.
pub fn of_many(
    connection: &mut Connection,
    applications: &[ApplicationId],
) -> Result<Vec<(ApplicationId, SealedData)>, StoreError> {
    let ids: Vec<String> = applications.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = data_keys::table
        .filter(data_keys::application_id.eq_any(ids))
        .select((
            data_keys::application_id,
            data_keys::master_key,
            data_keys::wrapped_key,
            data_keys::sealed_document,
        ))
        .load(connection)?;
    rows.into_iter()
        .filter_map(|(id, master, wrapped, document)| {
            let key = WrappedKey { master: master?, wrapped: wrapped? };
            Some((id, SealedData { key, document }))
        })
        .map(|(id, sealed)| Ok((id.parse().map_err(StoreError::corrupt)?, sealed)))
        .collect()
}

/// Applications whose key is not under this master key, in the order of their names, beginning after one.
///
/// # Errors
/// The database's.
pub fn not_under(
    connection: &mut Connection,
    master: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(ApplicationId, WrappedKey)>, StoreError> {
    let rows: Vec<(String, Option<String>, Option<Vec<u8>>)> = data_keys::table
        .filter(data_keys::master_key.ne(master))
        .filter(data_keys::application_id.gt(after))
        .order(data_keys::application_id)
        .limit(limit)
        .select((data_keys::application_id, data_keys::master_key, data_keys::wrapped_key))
        .load(connection)?;
    rows.into_iter()
        .filter_map(|(id, master, wrapped)| Some((id, WrappedKey { master: master?, wrapped: wrapped? })))
        .map(|(id, key)| Ok((id.parse().map_err(StoreError::corrupt)?, key)))
        .collect()
}

/// Puts the same key, wrapped anew, in the place of an earlier wrap. False if somebody was first.
///
/// # Errors
/// The database's.
pub fn rewrap(
    connection: &mut Connection,
    application: ApplicationId,
    earlier: &WrappedKey,
    wrapped: &WrappedKey,
) -> Result<bool, StoreError> {
    let unchanged =
        data_keys::table.find(application.to_string()).filter(data_keys::wrapped_key.eq(&earlier.wrapped));
    let changed = diesel::update(unchanged)
        .set((data_keys::master_key.eq(&wrapped.master), data_keys::wrapped_key.eq(&wrapped.wrapped)))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Applications that have no key yet, of before there were any, in the order of their names, beginning after one.
///
/// # Errors
/// The database's.
pub fn without(
    connection: &mut Connection,
    after: &str,
    limit: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    let known = data_keys::table
        .filter(data_keys::application_id.eq(applications::id))
        .select(data_keys::application_id);
    let ids: Vec<String> = applications::table
        .filter(applications::id.gt(after))
        .filter(diesel::dsl::not(diesel::dsl::exists(known)))
        .order(applications::id)
        .limit(limit)
        .select(applications::id)
        .load(connection)?;
    ids.iter().map(|id| id.parse().map_err(StoreError::corrupt)).collect()
}

/// How many keys each master key wraps.
///
/// # Errors
/// The database's.
pub fn masters(connection: &mut Connection) -> Result<Vec<(String, i64)>, StoreError> {
    let counted: Vec<(Option<String>, i64)> = data_keys::table
        .filter(data_keys::master_key.is_not_null())
        .group_by(data_keys::master_key)
        .select((data_keys::master_key, diesel::dsl::count_star()))
        .load(connection)?;
    Ok(counted.into_iter().filter_map(|(master, count)| Some((master?, count))).collect())
}

/// Forgets the key: what it sealed is unreadable from now on.
pub(crate) fn erase(
    connection: &mut Connection,
    application: ApplicationId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let gone = (
        data_keys::master_key.eq(None::<String>),
        data_keys::wrapped_key.eq(None::<Vec<u8>>),
        data_keys::sealed_document.eq(None::<Vec<u8>>),
        data_keys::erased_at.eq(now.unix_millis()),
    );
    let id = application.to_string();
    if diesel::update(data_keys::table.find(&id)).set(gone.clone()).execute(connection)? == 0 {
        diesel::insert_into(data_keys::table)
            .values((data_keys::application_id.eq(id), gone))
            .execute(connection)?;
    }
    Ok(())
}
