//! What officers signed, and the certificates they sign with.

use std::collections::HashMap;

use ca_core::application::{ApplicationId, Officer, Role, State};
use ca_core::officer_statement::{FIRST, OfficerStatement};
use ca_core::{SerialNumber, Timestamp};
use diesel::prelude::*;
use serde_json::json;

use crate::connection::on_both;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{application_events, officer_certificates, officer_statements};
use crate::{audit, officers};

/// A statement and the signature under it. Neither is believed because it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatement {
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// Detached CMS over them, DER, with the officer's certificate in it.
    pub signature: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = officer_statements, treat_none_as_default_value = false)]
struct NewRow<'a> {
    act: &'a str,
    object: &'a str,
    login: &'a str,
    at: i64,
    statement: Vec<u8>,
    signature: &'a [u8],
    sha256: &'a [u8],
    previous: &'a [u8],
}

/// Keeps a statement with its signature, which the caller has verified.
///
/// # Errors
/// [`StoreError::Conflict`] if another statement about the same object came first.
pub fn record(
    connection: &mut Connection,
    statement: &OfficerStatement,
    signature: &[u8],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sha256 = statement.sha256();
    let row = NewRow {
        act: &statement.act,
        object: &statement.object,
        login: &statement.officer,
        at: now.unix_millis(),
        statement: statement.text(),
        signature,
        sha256: &sha256,
        previous: &statement.previous,
    };
    on_both!(connection, c => diesel::insert_into(officer_statements::table).values(&row).execute(c))?;
    let entry = audit::Entry {
        at: now,
        actor: format!("officer:{}", statement.officer),
        action: "statement.sign".to_owned(),
        object: statement.object.clone(),
        details: json!({ "act": statement.act, "sha256": hex::encode(sha256) }),
    };
    audit::record(connection, &[entry])
}

/// What the next statement about an object follows.
///
/// # Errors
/// The database's.
pub fn last(connection: &mut Connection, object: &str) -> Result<[u8; 32], StoreError> {
    let newest: Option<Vec<u8>> = officer_statements::table
        .filter(officer_statements::object.eq(object))
        .order(officer_statements::id.desc())
        .select(officer_statements::sha256)
        .first(connection)
        .optional()?;
    newest.map_or(Ok(FIRST), |sha256| sha256.try_into().map_err(|_| StoreError::corrupt("a digest")))
}

/// All statements about these objects, by object, the earliest first.
///
/// # Errors
/// The database's.
pub fn about(
    connection: &mut Connection,
    objects: &[String],
) -> Result<HashMap<String, Vec<StoredStatement>>, StoreError> {
    let rows: Vec<(String, Vec<u8>, Vec<u8>)> = officer_statements::table
        .filter(officer_statements::object.eq_any(objects.to_vec()))
        .order(officer_statements::id)
        .select((officer_statements::object, officer_statements::statement, officer_statements::signature))
        .load(connection)?;
    let mut statements: HashMap<String, Vec<StoredStatement>> = HashMap::new();
    for (object, statement, signature) in rows {
        statements.entry(object).or_default().push(StoredStatement { statement, signature });
    }
    Ok(statements)
}

/// Since when these applications wait, or waited last, for reviewers.
///
/// # Errors
/// The database's.
pub fn under_review_since(
    connection: &mut Connection,
    ids: &[ApplicationId],
) -> Result<HashMap<ApplicationId, Timestamp>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    // The last in the order of the record, whatever the clocks of those who moved it said.
    let rows: Vec<(String, i64)> = application_events::table
        .filter(application_events::application_id.eq_any(ids))
        .filter(application_events::to_state.eq(State::UnderReview.as_str()))
        .order(application_events::id)
        .select((application_events::application_id, application_events::at))
        .load(connection)?;
    rows.into_iter()
        .map(|(id, at)| Ok((id.parse().map_err(StoreError::corrupt)?, Timestamp::from_unix_millis(at))))
        .collect()
}

/// A certificate that the officer CA has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerCertificate {
    /// Its serial number.
    pub serial: SerialNumber,
    /// Whose, and what they may do.
    pub officer: Officer,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Vec<u8>,
    /// DER.
    pub der: Vec<u8>,
    /// The first second it is valid.
    pub not_before: Timestamp,
    /// The last.
    pub not_after: Timestamp,
    /// Since when it is revoked.
    pub revoked_at: Option<Timestamp>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = officer_certificates, treat_none_as_default_value = false)]
struct CertificateRow {
    serial: String,
    login: String,
    role: String,
    spki_sha256: Vec<u8>,
    certificate: Vec<u8>,
    not_before: i64,
    not_after: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<CertificateRow> for OfficerCertificate {
    type Error = StoreError;

    fn try_from(row: CertificateRow) -> Result<Self, StoreError> {
        let role: Role = row.role.parse().map_err(StoreError::corrupt)?;
        Ok(Self {
            serial: row.serial.parse().map_err(StoreError::corrupt)?,
            officer: Officer { login: row.login, role },
            spki_sha256: row.spki_sha256,
            der: row.certificate,
            not_before: Timestamp::from_unix_millis(row.not_before),
            not_after: Timestamp::from_unix_millis(row.not_after),
            revoked_at: row.revoked_at.map(Timestamp::from_unix_millis),
        })
    }
}

/// Keeps a new certificate.
///
/// # Errors
/// [`StoreError::Conflict`] if the serial is taken.
pub fn certify(
    connection: &mut Connection,
    certificate: &OfficerCertificate,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = CertificateRow {
        serial: certificate.serial.to_string(),
        login: certificate.officer.login.clone(),
        role: certificate.officer.role.as_str().to_owned(),
        spki_sha256: certificate.spki_sha256.clone(),
        certificate: certificate.der.clone(),
        not_before: certificate.not_before.unix_millis(),
        not_after: certificate.not_after.unix_millis(),
        revoked_at: None,
    };
    on_both!(connection, c => diesel::insert_into(officer_certificates::table).values(&row).execute(c))?;
    let details = json!({
        "serial": row.serial, "role": row.role, "spki_sha256": hex::encode(&row.spki_sha256),
        "not_after": certificate.not_after.to_string(),
    });
    officers::record(connection, &certificate.officer.login, "officer.certify", details, actor, now)
}

/// An officer's certificates, the newest first.
///
/// # Errors
/// The database's.
pub fn certificates_of(
    connection: &mut Connection,
    login: &str,
) -> Result<Vec<OfficerCertificate>, StoreError> {
    let rows: Vec<CertificateRow> = officer_certificates::table
        .filter(officer_certificates::login.eq(login))
        .order((officer_certificates::not_before.desc(), officer_certificates::serial))
        .select(CertificateRow::as_select())
        .load(connection)?;
    rows.into_iter().map(OfficerCertificate::try_from).collect()
}

/// Revokes all certificates of an officer that are not revoked yet. Returns how many there were.
///
/// # Errors
/// The database's.
pub fn revoke_certificates(
    connection: &mut Connection,
    login: &str,
    actor: &str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let revoked = diesel::update(officer_certificates::table)
        .filter(officer_certificates::login.eq(login))
        .filter(officer_certificates::revoked_at.is_null())
        .set(officer_certificates::revoked_at.eq(now.unix_millis()))
        .execute(connection)?;
    if revoked > 0 {
        officers::record(
            connection,
            login,
            "officer.revoke-certificates",
            json!({ "certificates": revoked }),
            actor,
            now,
        )?;
    }
    Ok(revoked)
}

/// Who has certificates that are not revoked.
///
/// # Errors
/// The database's.
pub fn certified(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(officer_certificates::table
        .filter(officer_certificates::revoked_at.is_null())
        .select(officer_certificates::login)
        .distinct()
        .order(officer_certificates::login)
        .load(connection)?)
}

/// Whose certificates are over this key.
///
/// # Errors
/// The database's.
pub fn logins_of_key(connection: &mut Connection, spki_sha256: &[u8; 32]) -> Result<Vec<String>, StoreError> {
    Ok(officer_certificates::table
        .filter(officer_certificates::spki_sha256.eq(spki_sha256.as_slice()))
        .select(officer_certificates::login)
        .load(connection)?)
}

/// The serial numbers of all certificates of officers that are revoked. What is no serial number is left out: nobody can have
/// signed with it.
///
/// # Errors
/// The database's.
pub fn revoked(connection: &mut Connection) -> Result<Vec<SerialNumber>, StoreError> {
    let serials: Vec<String> = officer_certificates::table
        .filter(officer_certificates::revoked_at.is_not_null())
        .select(officer_certificates::serial)
        .load(connection)?;
    Ok(serials.iter().filter_map(|serial| serial.parse().ok()).collect())
}
