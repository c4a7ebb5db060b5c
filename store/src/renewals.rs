//! Applications that take the place of a certificate before it ends.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;
use serde_json::json;

use crate::audit;
use crate::certificates::{self, StoredCertificate};
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::renewals;

/// What an application renews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The certificate that is renewed, with its present status.
    pub certificate: StoredCertificate,
    /// Since when the statement, signed with its key, is here.
    pub signed_at: Option<Timestamp>,
}

/// The application renews this certificate.
///
/// # Errors
/// The database's.
pub fn begin(
    connection: &mut Connection,
    id: ApplicationId,
    renewed: &StoredCertificate,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = (renewals::application_id.eq(id.to_string()), renewals::certificate_id.eq(renewed.id));
    diesel::insert_into(renewals::table).values(row).execute(connection)?;
    let certificate = &renewed.certificate;
    let renews = format!("{}/{}", certificate.issuer, certificate.serial);
    let details = json!({ "certificate": renews });
    audit::of_application(connection, id, "application.renewal", details, actor, now)
}

/// What the application renews, if it renews anything.
///
/// # Errors
/// The database's.
pub fn of(connection: &mut Connection, id: ApplicationId) -> Result<Option<Renewal>, StoreError> {
    let found: Option<(i64, Option<i64>)> = renewals::table
        .find(id.to_string())
        .select((renewals::certificate_id, renewals::signed_at))
        .first(connection)
        .optional()?;
    let Some((certificate, signed_at)) = found else { return Ok(None) };
    let certificate = certificates::by_id(connection, certificate)?;
    Ok(Some(Renewal { certificate, signed_at: signed_at.map(Timestamp::from_unix_millis) }))
}

/// Those of these applications whose statement is signed with the key of the certificate they renew.
pub(crate) fn signed(connection: &mut Connection, ids: &[String]) -> Result<Vec<String>, StoreError> {
    Ok(renewals::table
        .filter(renewals::application_id.eq_any(ids.to_vec()))
        .filter(renewals::signed_at.is_not_null())
        .select(renewals::application_id)
        .load(connection)?)
}

/// Keeps the statement that was signed with the key of the renewed certificate (CMS in DER), which the caller has verified.
///
/// # Errors
/// [`StoreError::NotFound`] if the application renews nothing.
pub fn sign(
    connection: &mut Connection,
    id: ApplicationId,
    cms: &[u8],
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changed = diesel::update(renewals::table.find(id.to_string()))
        .set((renewals::statement_cms.eq(cms), renewals::signed_at.eq(now.unix_millis())))
        .execute(connection)?;
    if changed == 0 {
        return Err(StoreError::NotFound);
    }
    audit::of_application(connection, id, "application.renewal-signed", json!({}), actor, now)
}

/// The signature of a draft is worth nothing any more: the statement is another one, or the certificate is no longer valid.
///
/// # Errors
/// The database's.
pub fn forget_signature(
    connection: &mut Connection,
    id: ApplicationId,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let signed = renewals::table.find(id.to_string()).filter(renewals::signed_at.is_not_null());
    let forgotten = diesel::update(signed)
        .set((renewals::statement_cms.eq(None::<Vec<u8>>), renewals::signed_at.eq(None::<i64>)))
        .execute(connection)?;
    if forgotten == 0 {
        return Ok(());
    }
    audit::of_application(connection, id, "application.renewal-unsigned", json!({}), actor, now)
}
