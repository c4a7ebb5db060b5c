//! What a publisher counts, and what it alarms with.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use ca_core::crl::Summary;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Which {
    crl: String,
}

/// Clones share their counts.
#[derive(Default, Clone)]
pub(crate) struct Metrics {
    next_update: Family<Which, Gauge>,
    this_update: Family<Which, Gauge>,
    number: Family<Which, Gauge>,
    pub(crate) failures: Counter,
    pub(crate) unmirrored: Gauge,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let next_update = self.next_update.clone();
        registry.register(
            "crl_next_update_seconds",
            "Unix time of the published CRL's nextUpdate",
            next_update,
        );
        let this_update = "Unix time of the published CRL's thisUpdate";
        registry.register("crl_this_update_seconds", this_update, self.this_update.clone());
        registry.register("crl_published_number", "Number of the published CRL", self.number.clone());
        registry.register(
            "crl_publication_failures",
            "CRLs that could not be published",
            self.failures.clone(),
        );
        let unmirrored = self.unmirrored.clone();
        registry.register("crl_unmirrored_files", "Files that crl.store_url has not got yet", unmirrored);
    }

    /// There will be no other: nobody is to be alarmed that it ends.
    pub(crate) fn is_last(&self, name: &str) {
        self.next_update.remove(&Which { crl: name.to_owned() });
    }

    pub(crate) fn published(&self, name: &str, summary: &Summary) {
        let which = Which { crl: name.to_owned() };
        self.next_update.get_or_create(&which).set(summary.next_update.unix_seconds());
        self.this_update.get_or_create(&which).set(summary.this_update.unix_seconds());
        self.number.get_or_create(&which).set(i64::try_from(summary.number).unwrap_or(i64::MAX));
    }
}
