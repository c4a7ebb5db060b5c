//! What a process is made of, and which part of it is not ready.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::{Database, migrations};

use super::{Labels, labels};

/// A part of the process that does its work or does not.
pub struct Check {
    /// Its name, for example `ocsp`.
    pub part: &'static str,
    /// What is the matter when it does not.
    pub trouble: &'static str,
    /// Its own word.
    pub is_ready: Box<dyn Fn() -> bool + Send + Sync>,
}

/// The database and the parts that stand on it.
pub struct Parts {
    database: Database,
    checks: Vec<Check>,
    ready: Family<Labels, Gauge>,
}

impl Parts {
    /// Nothing is asked yet.
    pub fn new(database: Database, checks: Vec<Check>, registry: &mut Registry) -> Self {
        let ready = Family::default();
        registry.register(
            "muhr_part_ready",
            "Whether a part of the process is ready: 1, or 0",
            ready.clone(),
        );
        Self { database, checks, ready }
    }

    /// Asks every part: its name, and what is the matter if it is not ready. Blocks while the database is asked.
    pub fn ask(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let database = match migrations::pending(&self.database) {
            Ok(false) => None,
            Ok(true) => Some("it is not in this version's shape"),
            Err(_) => Some("it cannot be reached"),
        };
        let ask = |check: &Check| (check.part, (!(check.is_ready)()).then_some(check.trouble));
        let parts: Vec<_> =
            std::iter::once(("database", database)).chain(self.checks.iter().map(ask)).collect();
        for (part, trouble) in &parts {
            self.ready.get_or_create(&labels([("part", part)])).set(trouble.is_none().into());
        }
        parts
    }
}
