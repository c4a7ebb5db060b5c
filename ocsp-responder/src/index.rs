//! What a responder knows: every serial its CA ever issued, with its status. Exact: a serial that is not here was never
//! issued.

use std::collections::HashMap;

use ca_core::ocsp::CertStatus;
use ca_core::revocation::Status;
use ca_core::{SerialNumber, Timestamp};

/// The statuses after one change of the feed.
pub(crate) struct Index {
    statuses: HashMap<SerialNumber, Status>,
    /// The number of the last change that is in.
    position: i64,
    /// When the database was last seen to have nothing newer.
    as_of: Timestamp,
}

impl Index {
    pub(crate) fn new(position: i64, as_of: Timestamp) -> Self {
        Self { statuses: HashMap::new(), position, as_of }
    }

    pub(crate) fn status(&self, serial: Option<SerialNumber>) -> CertStatus {
        serial
            .and_then(|serial| self.statuses.get(&serial))
            .map_or(CertStatus::Unknown, |&status| status.into())
    }

    /// Whether this is what the index says already.
    pub(crate) fn agrees(&self, serial: &SerialNumber, status: Status) -> bool {
        self.statuses.get(serial) == Some(&status)
    }

    pub(crate) fn set(&mut self, serial: SerialNumber, status: Status) {
        self.statuses.insert(serial, status);
    }

    pub(crate) fn len(&self) -> usize {
        self.statuses.len()
    }

    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    pub(crate) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Everything up to change `position` is in, and nothing else existed `as_of` then.
    pub(crate) fn advance(&mut self, position: i64, as_of: Timestamp) {
        self.position = position;
        self.as_of = as_of;
    }
}
