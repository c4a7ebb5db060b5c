//! A CA that this responder answers for.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::ocsp::{Answer, CertId, CertStatus, IssuerKeyIds, Responder, UnfitResponder};
use ca_core::signer::Signer;
use store::issuers::Issuer;

use crate::index::{Index, Record};

/// A CA that has certified this responder's key, with every certificate that it issued.
pub(crate) struct Authority {
    /// Its short name.
    pub(crate) issuer: String,
    /// Its certificate, DER.
    pub(crate) certificate: Vec<u8>,
    not_before: Timestamp,
    key_ids: IssuerKeyIds,
    responder: RwLock<Arc<Responder>>,
    pub(crate) index: Index,
}

impl Authority {
    /// The one of the CAs that issued this responder's certificate (DER).
    pub(crate) fn of_certificate(
        issuers: &[Issuer],
        signer: &Arc<dyn Signer>,
        certificate: &[u8],
    ) -> Result<Self, UnfitResponder> {
        for issuer in issuers {
            let responder = match Responder::new(signer.clone(), certificate, &issuer.certificate) {
                Err(UnfitResponder::OtherIssuer) => continue,
                made => made?,
            };
            return Ok(Self {
                issuer: issuer.id.clone(),
                certificate: issuer.certificate.clone(),
                not_before: issuer.not_before,
                key_ids: IssuerKeyIds::of_certificate(&issuer.certificate)
                    .ok_or(UnfitResponder::NotACertificate)?,
                responder: RwLock::new(Arc::new(responder)),
                index: Index::default(),
            });
        }
        Err(UnfitResponder::OtherIssuer)
    }

    /// Whether the CertID is about a certificate of this CA.
    pub(crate) fn is_named_by(&self, id: &CertId<'_>) -> bool {
        self.key_ids.names(id)
    }

    /// What is known of the certificate; `None` if it was never issued.
    pub(crate) fn record(&self, id: &CertId<'_>) -> Option<Record> {
        self.index.get(&id.serial()?)
    }

    /// What relying parties are told of it. Statuses are kept for ever; what `retention` promises of that begins with
    /// the CA at the earliest.
    pub(crate) fn answer<'a>(
        &self,
        id: &CertId<'a>,
        record: Option<Record>,
        unissued: CertStatus,
        retention: Option<Duration>,
        now: Timestamp,
    ) -> Answer<'a> {
        let expired = record.filter(|record| record.is_expired(now));
        Answer {
            cert_id: id.encoded(),
            status: record.map_or(unissued, Record::status),
            archive_cutoff: expired.and(retention).map(|retention| now.minus(retention).max(self.not_before)),
        }
    }

    /// The key with the newest certificate that this CA gave it.
    pub(crate) fn responder(&self) -> Arc<Responder> {
        self.responder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a certificate that ends later. Answers under the one before stay valid: none outlives it.
    pub(crate) fn renew(&self, responder: Responder) {
        let mut current = self.responder.write().unwrap_or_else(PoisonError::into_inner);
        if responder.not_after() > current.not_after() {
            tracing::info!(issuer = self.issuer, not_after = %responder.not_after(), "the responder's certificate is renewed");
            *current = Arc::new(responder);
        }
    }
}
