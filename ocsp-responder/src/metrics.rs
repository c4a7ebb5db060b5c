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
#[derive(Clone)]
pub(crate) struct Metrics {
    told: Family<Told, Counter>,
    good: Counter,
    revoked: Counter,
    unknown: Counter,
    pub(crate) signatures: Counter,
    pub(crate) busy: Counter,
    pub(crate) drift: Counter,
    pub(crate) gaps: Counter,
    pub(crate) clock_steps: Counter,
    pub(crate) certificates: Gauge,
    pub(crate) kept_octets: Gauge,
    pub(crate) as_of: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let told = Family::<Told, Counter>::default();
        // Found once: looking a label up costs as much as an answer.
        let [good, revoked, unknown] =
            ["good", "revoked", "unknown"].map(|status| told.get_or_create_owned(&Told { status }));
        Self {
            told,
            good,
            revoked,
            unknown,
            signatures: Counter::default(),
            busy: Counter::default(),
            drift: Counter::default(),
            gaps: Counter::default(),
            clock_steps: Counter::default(),
            certificates: Gauge::default(),
            kept_octets: Gauge::default(),
            as_of: Gauge::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("ocsp_answers", "Statuses and errors told", self.told.clone());
        registry.register("ocsp_signatures", "Answers signed", self.signatures.clone());
        registry.register(
            "ocsp_busy",
            "Requests refused because too much was to be signed",
            self.busy.clone(),
        );
        registry.register("ocsp_drift", "Statuses that only the comparison brought", self.drift.clone());
        registry.register("ocsp_gaps", "Numbers that were missing in the change feed", self.gaps.clone());
        registry.register("ocsp_clock_steps", "Times the system clock was set", self.clock_steps.clone());
        registry.register("ocsp_certificates", "Certificates in the index", self.certificates.clone());
        registry.register("ocsp_kept_octets", "Octets of signed answers kept", self.kept_octets.clone());
        registry.register("ocsp_as_of_seconds", "Unix time at which the index was right", self.as_of.clone());
    }

    pub(crate) fn count(&self, status: CertStatus) {
        match status {
            CertStatus::Good => self.good.inc(),
            CertStatus::Revoked(_) => self.revoked.inc(),
            CertStatus::Unknown | CertStatus::NeverIssued => self.unknown.inc(),
        };
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
