//! The audit log as evidence: entries get sequence numbers, the entries of a batch become a Merkle tree (RFC 6962 section
//! 2.1), and its root is signed in a head that names the head before it. Whoever holds a head can prove what was in the
//! log at its time, and that nothing of it was changed, moved or taken out since.

mod attachment;
mod chronicle;
mod head;
mod log;
mod tree;

use std::time::Duration;

pub use attachment::{Attachment, Examined, Examiner};
pub use chronicle::{Broken, Chronicle, Finding, History, Trust, is_subscribers};
pub use head::{AuditKeys, Head, HeadRefusal, KeysRefusal, SignedHead};
pub use log::{Evidence, Fault, Log, Report};
pub use tree::{Tree, leaf_hash, path, root_by_path};

/// SHA-256.
pub type Hash = [u8; 32];

/// The most entries of one head, so that an inclusion proof costs little however long the log is.
pub const MAX_BATCH: usize = 10_000;

/// After so long at the most an entry is under a head. PostgreSQL gives numbers before the commit, so an entry may appear after
/// larger numbers were sealed: the sealer looks back over what was sealed in so long a time. Nothing is committed so late: a
/// statement may take ten minutes at most (`database.statement_timeout_milliseconds`).
pub const LATENESS: Duration = Duration::from_secs(15 * 60);

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its row's number.
    pub id: i64,
    /// Unix milliseconds.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// Did what.
    pub action: String,
    /// To what.
    pub object: String,
    /// More: the JSON text, octet for octet.
    pub details: String,
}

/// The place that the log gives an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// From 1, without a gap, in the order of sealing.
    pub sequence: i64,
    /// [`Entry::id`].
    pub entry: i64,
    /// [`Entry::leaf`].
    pub hash: Hash,
}

impl Entry {
    /// The leaf hash of this entry at this place: SHA-256 over 0x00, sequence, id and time (8 octets each, big-endian),
    /// and actor, action, object and details, each after its length (4 octets, big-endian).
    pub fn leaf(&self, sequence: i64) -> Hash {
        let texts = [&self.actor, &self.action, &self.object, &self.details];
        let mut data = Vec::with_capacity(24 + texts.iter().map(|text| 4 + text.len()).sum::<usize>());
        for number in [sequence, self.id, self.at] {
            data.extend(number.to_be_bytes());
        }
        for text in texts {
            // No column holds 4 GiB; a longer text would only have another leaf.
            data.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            data.extend(text.as_bytes());
        }
        leaf_hash(&data)
    }
}

#[cfg(test)]
mod tests;
