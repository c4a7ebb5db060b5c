//! The CA certificates of ours.

use std::collections::BTreeSet;

use ca_core::Timestamp;
use diesel::dsl::max;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{certificates, issuers};
use crate::{crls, responders, turns};

/// Name of the root in paths and records.
pub const ROOT: &str = "root";
/// Name of the first issuing CA in paths and records. Its successors are `ca-2`, `ca-3` and so on.
pub const ISSUING: &str = "ca";

/// A CA certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its short name, for example `root` or `ca`; also the file name in the repository.
    pub id: String,
    /// `root` or `issuing`.
    pub kind: String,
    /// The issuer of this certificate; none for a root.
    pub parent: Option<String>,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The subject in readable form.
    pub subject: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Since when its successor issues instead of it.
    pub retired_at: Option<Timestamp>,
    /// Since when nothing can be signed with its key any more.
    pub key_destroyed_at: Option<Timestamp>,
}

impl Issuer {
    /// Whether it certifies subscribers, or has.
    pub fn is_issuing(&self) -> bool {
        self.kind == "issuing"
    }

    /// Whether it still has to sign: certificates, or that they are revoked.
    pub fn has_key(&self) -> bool {
        self.key_destroyed_at.is_none()
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = issuers, treat_none_as_default_value = false)]
struct Row {
    id: String,
    kind: String,
    parent: Option<String>,
    certificate: Vec<u8>,
    subject: String,
    not_before: i64,
    not_after: i64,
    created_at: i64,
    retired_at: Option<i64>,
    key_destroyed_at: Option<i64>,
}

/// Adds a CA certificate.
///
/// # Errors
/// [`StoreError::Conflict`] if the name is taken.
pub fn insert(connection: &mut Connection, issuer: &Issuer, now: Timestamp) -> Result<(), StoreError> {
    let row = Row {
        id: issuer.id.clone(),
        kind: issuer.kind.clone(),
        parent: issuer.parent.clone(),
        certificate: issuer.certificate.clone(),
        subject: issuer.subject.clone(),
        not_before: issuer.not_before.unix_millis(),
        not_after: issuer.not_after.unix_millis(),
        created_at: now.unix_millis(),
        retired_at: issuer.retired_at.map(Timestamp::unix_millis),
        key_destroyed_at: issuer.key_destroyed_at.map(Timestamp::unix_millis),
    };
    diesel::insert_into(issuers::table).values(&row).execute(connection)?;
    crls::open_partitions(connection, &BTreeSet::from([(issuer.id.as_str(), "")]), now)
}

/// Every CA certificate, the root first, and the issuing CAs in the order in which they came.
///
/// # Errors
/// The database's.
pub fn all(connection: &mut Connection) -> Result<Vec<Issuer>, StoreError> {
    let rows: Vec<Row> = issuers::table
        .order((issuers::kind.desc(), issuers::created_at))
        .select(Row::as_select())
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|row| Issuer {
            id: row.id,
            kind: row.kind,
            parent: row.parent,
            certificate: row.certificate,
            subject: row.subject,
            not_before: Timestamp::from_unix_millis(row.not_before),
            not_after: Timestamp::from_unix_millis(row.not_after),
            retired_at: row.retired_at.map(Timestamp::from_unix_millis),
            key_destroyed_at: row.key_destroyed_at.map(Timestamp::from_unix_millis),
        })
        .collect())
}

/// One CA certificate.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<Issuer, StoreError> {
    all(connection)?.into_iter().find(|issuer| issuer.id == id).ok_or(StoreError::NotFound)
}

/// The issuing CA that certifies now: the newest that has no successor.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn current(connection: &mut Connection) -> Result<Issuer, StoreError> {
    let mut issuing = all(connection)?.into_iter().rev();
    issuing.find(|issuer| issuer.is_issuing() && issuer.retired_at.is_none()).ok_or(StoreError::NotFound)
}

/// From now on the others of its kind issue no more.
///
/// # Errors
/// The database's.
pub fn succeed(connection: &mut Connection, successor: &str, now: Timestamp) -> Result<(), StoreError> {
    let others = issuers::table
        .filter(issuers::kind.eq("issuing"))
        .filter(issuers::id.ne(successor))
        .filter(issuers::retired_at.is_null());
    diesel::update(others).set(issuers::retired_at.eq(now.unix_millis())).execute(connection)?;
    Ok(())
}

/// Another certificate for the same name and key.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn renew(connection: &mut Connection, issuer: &Issuer) -> Result<(), StoreError> {
    let renewed = diesel::update(issuers::table.find(&issuer.id))
        .set((
            issuers::certificate.eq(&issuer.certificate),
            issuers::not_before.eq(issuer.not_before.unix_millis()),
            issuers::not_after.eq(issuer.not_after.unix_millis()),
        ))
        .execute(connection)?;
    if renewed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

fn use_of_key(id: &str) -> String {
    format!("key of {id}")
}

/// Nothing can be signed with its key any more. Until the caller's commit nobody begins a certificate or keeps a CRL of it, so
/// what the caller asks afterwards, whether it is still needed, stays true.
///
/// # Errors
/// [`StoreError::NotFound`]: there is none of this name with a key.
pub fn key_destroyed(connection: &mut Connection, id: &str, now: Timestamp) -> Result<(), StoreError> {
    turns::take(connection, &use_of_key(id))?;
    let destroyed = diesel::update(issuers::table.find(id).filter(issuers::key_destroyed_at.is_null()))
        .set(issuers::key_destroyed_at.eq(now.unix_millis()))
        .execute(connection)?;
    if destroyed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// A CA can sign, until the caller's commit; one that is not in the register yet is about to be.
///
/// # Errors
/// [`StoreError::Conflict`]: its key is destroyed, and whoever has it in memory signs nothing with it that counts.
pub(crate) fn has_key(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    turns::share(connection, &use_of_key(id))?;
    let destroyed: Option<Option<i64>> =
        issuers::table.find(id).select(issuers::key_destroyed_at).first(connection).optional()?;
    match destroyed.flatten() {
        Some(_) => Err(StoreError::Conflict(format!("the key of `{id}` is destroyed"))),
        None => Ok(()),
    }
}

/// The CAs whose certificates are answered for: those that have their key, and those without one of which a certificate still
/// holds. A key that was destroyed leaves none; one that was lost may leave many.
///
/// # Errors
/// The database's.
pub fn answered_for(connection: &mut Connection, now: Timestamp) -> Result<Vec<Issuer>, StoreError> {
    let mut answered = Vec::new();
    for issuer in all(connection)? {
        if issuer.has_key() || last_end(connection, &issuer.id)?.is_some_and(|end| end >= now) {
            answered.push(issuer);
        }
    }
    Ok(answered)
}

/// When the last certificate ends that it signed, and that is not revoked: its own and those of whoever answers for it do not
/// count.
///
/// # Errors
/// The database's.
pub fn last_end(connection: &mut Connection, id: &str) -> Result<Option<Timestamp>, StoreError> {
    let end: Option<i64> = certificates::table
        .filter(certificates::issuer_id.eq(id))
        .filter(certificates::status.ne("revoked"))
        .filter(certificates::profile.ne_all([ROOT, responders::PROFILE]))
        .select(max(certificates::not_after))
        .first(connection)?;
    Ok(end.map(Timestamp::from_unix_millis))
}
