//! The certificates of OCSP responders: the newest of each key.

use ca_core::Timestamp;
use ca_core::revocation::Status;
use diesel::prelude::*;

use crate::certificates::StatusColumns;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::responder_certificates as own;

/// The profile of every responder's certificate; the view `responder_certificates` has those of it.
pub const PROFILE: &str = "ocsp_signer";

/// A responder's key as one CA has certified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The CA's short name.
    pub issuer: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Vec<u8>,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The beginning of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// Its status: a responder that is given up is revoked, and not certified again.
    pub status: Status,
}

/// The certificate of each key by each CA that ends last.
///
/// # Errors
/// The database's.
pub fn newest(connection: &mut Connection) -> Result<Vec<Certified>, StoreError> {
    type Columns = (String, Vec<u8>, Vec<u8>, i64, i64, StatusColumns);
    let rows: Vec<Columns> = own::table
        .order((own::not_after.desc(), own::id.desc()))
        .select((
            own::issuer_id,
            own::spki_sha256,
            own::certificate,
            own::not_before,
            own::not_after,
            (own::status, own::status_since, own::reason, own::invalidity_date),
        ))
        .load(connection)?;
    let mut newest: Vec<Certified> = Vec::new();
    for (issuer, spki_sha256, certificate, not_before, not_after, status) in rows {
        if newest.iter().any(|known| known.issuer == issuer && known.spki_sha256 == spki_sha256) {
            continue;
        }
        newest.push(Certified {
            issuer,
            spki_sha256,
            certificate,
            not_before: Timestamp::from_unix_millis(not_before),
            not_after: Timestamp::from_unix_millis(not_after),
            status: status.try_into()?,
        });
    }
    Ok(newest)
}
