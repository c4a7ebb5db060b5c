//! What a signer counts.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds: from a key in memory to a module across a network.
const SIGNATURE: [f64; 9] = [0.00005, 0.0001, 0.00025, 0.001, 0.005, 0.025, 0.1, 0.5, 2.0];
/// Upper bounds in seconds of a batch and of a CRL: many rows each.
const WORK: [f64; 9] = [0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Clones share their counts.
#[derive(Clone)]
pub(crate) struct Metrics {
    certificates: Family<Outcome, Counter>,
    signatures: Histogram,
    batches: Histogram,
    crls: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let certificates = Family::<Outcome, Counter>::default();
        // Series that are there from the start: a rate of what begins at its first event misses that event.
        for outcome in ["issued", "refused"] {
            drop(certificates.get_or_create(&Outcome { outcome }));
        }
        Self {
            certificates,
            signatures: Histogram::new(SIGNATURE),
            batches: Histogram::new(WORK),
            crls: Histogram::new(WORK),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "signer_certificates",
            "Applications settled: issued, refused",
            self.certificates.clone(),
        );
        registry.register(
            "signer_signature_seconds",
            "Time of a certificate's signature",
            self.signatures.clone(),
        );
        registry.register(
            "signer_batch_seconds",
            "Time of a claimed batch until it is stored",
            self.batches.clone(),
        );
        registry.register("signer_crl_seconds", "Time of a CRL until it is stored", self.crls.clone());
    }

    pub(crate) fn issued(&self, count: usize) {
        self.certificates.get_or_create(&Outcome { outcome: "issued" }).inc_by(count as u64);
    }

    pub(crate) fn refused(&self) {
        self.certificates.get_or_create(&Outcome { outcome: "refused" }).inc();
    }

    pub(crate) fn signed(&self, began: Instant) {
        self.signatures.observe(began.elapsed().as_secs_f64());
    }

    pub(crate) fn settled(&self, began: Instant) {
        self.batches.observe(began.elapsed().as_secs_f64());
    }

    pub(crate) fn listed(&self, began: Instant) {
        self.crls.observe(began.elapsed().as_secs_f64());
    }
}
