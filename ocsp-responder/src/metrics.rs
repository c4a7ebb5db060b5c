//! What a responder counts.

use ca_core::ocsp::{CertStatus, ErrorStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Told {
    status: &'static str,
}

/// Clones share their counts.
#[derive(Default, Clone)]
pub(crate) struct Metrics {
    told: Family<Told, Counter>,
    pub(crate) signatures: Counter,
    pub(crate) drift: Counter,
    pub(crate) certificates: Gauge,
    pub(crate) as_of: Gauge,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("ocsp_answers", "Statuses and errors told", self.told.clone());
        registry.register("ocsp_signatures", "Answers signed", self.signatures.clone());
        registry.register("ocsp_drift", "Statuses that only the reconciliation brought", self.drift.clone());
        registry.register("ocsp_certificates", "Certificates in the index", self.certificates.clone());
        registry.register("ocsp_as_of_seconds", "Unix time at which the index was right", self.as_of.clone());
    }

    pub(crate) fn count(&self, status: CertStatus) {
        let status = match status {
            CertStatus::Good => "good",
            CertStatus::Revoked(_) => "revoked",
            CertStatus::Unknown => "unknown",
        };
        self.told.get_or_create(&Told { status }).inc();
    }

    pub(crate) fn count_error(&self, error: ErrorStatus) {
        let status = match error {
            ErrorStatus::MalformedRequest => "malformed_request",
            ErrorStatus::InternalError => "internal_error",
            ErrorStatus::TryLater => "try_later",
            ErrorStatus::Unauthorized => "unauthorized",
        };
        self.told.get_or_create(&Told { status }).inc();
    }
}
