//! An issuing CA whose key is here.

use std::sync::Arc;

use ca_core::issue::{Issuer, Urls};
use ca_core::signer::Signer;
use config::Settings;

use crate::revocation_list::CrlSigner;
use crate::service::ServiceError;

/// Signs certificates while it has no successor, and CRLs until its key is destroyed.
pub(crate) struct Authority {
    /// Its short name.
    pub(crate) id: String,
    pub(crate) issuer: Issuer,
    /// Where its certificates say that status and more is to be had.
    pub(crate) urls: Urls,
    pub(crate) crls: CrlSigner,
}

impl Authority {
    pub(crate) fn new(
        id: &str,
        certificate: &[u8],
        key: Arc<dyn Signer>,
        settings: &Settings,
    ) -> Result<Self, ServiceError> {
        Ok(Self {
            crls: CrlSigner::new(id, certificate, Arc::clone(&key), settings)?,
            issuer: Issuer::new(certificate, key)?,
            urls: settings.issuance.urls(id),
            id: id.to_owned(),
        })
    }
}
