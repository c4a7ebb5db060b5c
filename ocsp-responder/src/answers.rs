//! Answers that were signed and may be given again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::web::Bytes;
use aws_lc_rs::digest::{SHA256, digest};
use ca_core::Timestamp;
use ca_core::ocsp::{CertStatus, Validity};

/// How many answers are kept, of about 1 KiB each.
const CAPACITY: usize = 16_384;

/// A successful OCSPResponse.
#[derive(Debug)]
pub struct SignedAnswer {
    /// The OCSPResponse.
    pub der: Bytes,
    /// Its times.
    pub validity: Validity,
    /// Whether it answers anybody who asks the same: not if it repeats a nonce.
    pub is_repeatable: bool,
    /// A strong entity tag, quotes included: the hex SHA-256 of the response (RFC 9919 section 7.2).
    pub entity_tag: String,
}

impl SignedAnswer {
    pub(crate) fn new(der: Vec<u8>, validity: Validity, is_repeatable: bool) -> Self {
        let entity_tag = format!("\"{}\"", hex::encode(digest(&SHA256, &der)));
        Self { der: der.into(), validity, is_repeatable, entity_tag }
    }

    /// Half of its validity: from then on a new one is signed.
    fn is_fresh(&self, now: Timestamp) -> bool {
        let Validity { this_update, next_update, .. } = self.validity;
        let half: Duration = next_update.since(this_update) / 2;
        this_update <= now && now < this_update.plus(half)
    }
}

type Told = (CertStatus, Arc<SignedAnswer>);

/// Answers by the whole CertID, octet for octet: hash algorithm, issuer and serial are all in it, so that no answer is
/// ever given for another issuer's certificate or in another hash algorithm.
#[derive(Default)]
pub(crate) struct Answers {
    kept: RwLock<HashMap<Vec<u8>, Told>>,
}

impl Answers {
    /// The answer for this CertID, if it still tells the status that is true now.
    pub(crate) fn find(
        &self,
        cert_id: &[u8],
        status: CertStatus,
        now: Timestamp,
    ) -> Option<Arc<SignedAnswer>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let (told, answer) = kept.get(cert_id)?;
        (*told == status && answer.is_fresh(now)).then(|| answer.clone())
    }

    /// Keeps an answer. Those about serials that were never issued are not kept: there is no end of them.
    pub(crate) fn keep(&self, cert_id: &[u8], status: CertStatus, answer: Arc<SignedAnswer>) {
        if status == CertStatus::Unknown {
            return;
        }
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= CAPACITY {
            kept.clear();
        }
        kept.insert(cert_id.to_vec(), (status, answer));
    }
}
