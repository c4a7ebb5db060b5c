//! Signing CRLs: the store says who is not good, `ca-core` writes the list, the key signs.

use std::sync::Arc;

use ca_core::crl::{CertificateList, DistributionPoint, Entry, Issuer, Revocation, Scope};
use ca_core::signer::Signer;
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use store::crls::{self, Crl};
use store::{Connection, Database, StoreError, certificates, feed, issuers};

/// Rows read at a time.
const PAGE: i64 = 10_000;

/// Signs the CRLs of one issuer.
pub struct CrlSigner {
    issuer_id: String,
    issuer: Issuer,
    scope: Scope,
    uri: String,
    signer: Arc<dyn Signer>,
}

/// Why a CRL was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignCrlError {
    /// The issuer's certificate makes no CRL issuer.
    #[error(transparent)]
    Issuer(#[from] ca_core::crl::UnfitIssuer),
    /// The list could not be written or signed.
    #[error(transparent)]
    Crl(#[from] ca_core::crl::CrlError),
    /// The memory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CrlSigner {
    /// For an issuer with its key.
    ///
    /// # Errors
    /// [`SignCrlError::Issuer`].
    pub fn new(
        issuer_id: &str,
        certificate: &[u8],
        signer: Arc<dyn Signer>,
        settings: &Settings,
    ) -> Result<Self, SignCrlError> {
        let scope = if issuer_id == issuers::ROOT { Scope::CaCertificates } else { Scope::UserCertificates };
        Ok(Self {
            issuer_id: issuer_id.to_owned(),
            issuer: Issuer::from_certificate(certificate)?,
            scope,
            uri: format!("{}/{issuer_id}.crl", settings.issuance.repository_url.as_str()),
            signer,
        })
    }

    /// Signs the next CRL and stores it. Returns its number.
    ///
    /// # Errors
    /// [`SignCrlError`]; a conflict if another signer made the same number.
    pub fn sign(
        &self,
        database: &Database,
        validity: std::time::Duration,
        now: Timestamp,
    ) -> Result<i64, SignCrlError> {
        let (previous, last_change, entries) = database.read(|connection| self.gather(connection, now))?;
        let number = previous.map_or(1, |previous| previous.number + 1);
        let this_update = now.whole_seconds();
        let list = CertificateList {
            issuer: &self.issuer,
            number: u64::try_from(number).unwrap_or(1),
            this_update,
            next_update: this_update.plus(validity),
            distribution_point: DistributionPoint { uri: &self.uri, scope: self.scope },
        };
        let count = entries.len();
        let crl = Crl {
            issuer_id: self.issuer_id.clone(),
            number,
            this_update: this_update.unix_millis(),
            next_update: list.next_update.unix_millis(),
            entries: i64::try_from(count).unwrap_or(i64::MAX),
            last_change,
            crl: list.sign(entries, self.signer.as_ref())?,
        };
        database.write(|connection| crls::insert(connection, &crl, now))?;
        tracing::info!(issuer = self.issuer_id, number, entries = count, "CRL signed");
        Ok(number)
    }

    /// The number of the newest change is read before the entries: a change that comes between is listed now and told
    /// again by the next CRL.
    #[allow(clippy::type_complexity, reason = "three things read in one transaction")]
    fn gather(
        &self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<(Option<crls::CrlSummary>, i64, Vec<Entry>), StoreError> {
        let previous = crls::newest(connection, &self.issuer_id)?;
        let told = previous.as_ref().map_or(0, |previous| previous.last_change);
        let last_change = feed::latest_for_crl(connection, &self.issuer_id, told)?.unwrap_or(told);
        // RFC 5280 section 3.3: an entry stays until one CRL after the certificate's end has told it.
        let expired_before =
            previous.as_ref().map_or(Timestamp::EPOCH, |previous| previous.this_update).min(now);
        let mut entries = Vec::new();
        let mut after: Option<SerialNumber> = None;
        loop {
            let page =
                certificates::not_good(connection, &self.issuer_id, expired_before, after.as_ref(), PAGE)?;
            after = page.last().map(|(serial, _)| *serial);
            let complete = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            entries.extend(
                page.into_iter().filter_map(|(serial, status)| {
                    Some(Entry { serial, revocation: Revocation::of(status)? })
                }),
            );
            if complete {
                return Ok((previous, last_change, entries));
            }
        }
    }
}
