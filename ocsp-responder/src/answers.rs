//! Answers that were signed and may be given again.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::header::{HeaderValue, HttpDate, TryIntoHeaderValue};
use actix_web::web::Bytes;
use aws_lc_rs::digest::{SHA256, digest};
use ca_core::Timestamp;
use ca_core::ocsp::Validity;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::index::Record;

/// What an entry takes beyond the octets of its key and its answer: headers, the cache's own records, the allocator's.
const OVERHEAD: u64 = 400;

/// What the cache is laid out for; more or fewer answers of other sizes fit as well.
const TYPICAL_OCTETS: u64 = 1500;

/// A successful OCSPResponse.
#[derive(Debug)]
pub struct SignedAnswer {
    /// The OCSPResponse.
    pub der: Bytes,
    /// Its times.
    pub validity: Validity,
    /// What caches are told; `None` if it answers one asker only, because it repeats a nonce.
    pub caching: Option<Caching>,
}

/// The header fields of RFC 9919 section 7.2 that stay the same as long as the answer is given, ready to be sent.
#[derive(Debug)]
pub struct Caching {
    /// A strong entity tag, quotes included: the hex SHA-256 of the response.
    pub entity_tag: HeaderValue,
    /// nextUpdate.
    pub expires: HeaderValue,
    /// thisUpdate.
    pub last_modified: HeaderValue,
}

impl SignedAnswer {
    /// An answer to one asker.
    pub(crate) fn once(der: Vec<u8>, validity: Validity) -> Self {
        Self { der: der.into(), validity, caching: None }
    }

    /// An answer to everybody who asks the same.
    pub(crate) fn repeatable(der: Vec<u8>, validity: Validity) -> Self {
        let tag = format!("\"{}\"", hex::encode(digest(&SHA256, &der)));
        let caching = Caching {
            entity_tag: header_value(tag),
            expires: http_date(validity.next_update),
            last_modified: http_date(validity.this_update),
        };
        Self { der: der.into(), validity, caching: Some(caching) }
    }

    /// Whether it is given rather than a new one: until half of its validity has passed, and beyond that while a new
    /// one could not begin later, because the database has not been seen since.
    fn is_fresh(&self, now: Timestamp, as_of: Timestamp) -> bool {
        let Validity { this_update, next_update, .. } = self.validity;
        let half: Duration = next_update.since(this_update) / 2;
        let is_newest = this_update == as_of.whole_seconds() && now < next_update;
        this_update <= now && (now < this_update.plus(half) || is_newest)
    }
}

fn http_date(at: Timestamp) -> HeaderValue {
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(at.unix_seconds().unsigned_abs()));
    date.try_into_value().unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn header_value(ascii: String) -> HeaderValue {
    HeaderValue::try_from(ascii).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What an answer tells beside its times: it is not given any more once this is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) record: Record,
    pub(crate) is_expired: bool,
}

type Kept = (Told, Arc<SignedAnswer>);

#[derive(Clone)]
struct Octets;

impl Weighter<Vec<u8>, Kept> for Octets {
    fn weight(&self, cert_id: &Vec<u8>, (_, answer): &Kept) -> u64 {
        (cert_id.len() + answer.der.len()) as u64 + OVERHEAD
    }
}

/// Answers by the whole CertID, octet for octet: hash algorithm, issuer and serial are all in it, so that no answer is
/// ever given for another issuer's certificate or in another hash algorithm. Those asked for least make room.
pub(crate) struct Answers {
    kept: Cache<Vec<u8>, Kept, Octets>,
}

impl Answers {
    pub(crate) fn new(octets: u64) -> Self {
        let typical = usize::try_from(octets / TYPICAL_OCTETS).unwrap_or(usize::MAX);
        Self { kept: Cache::with_weighter(typical, octets, Octets) }
    }

    /// The answer for this CertID, if it tells what is true now.
    pub(crate) fn find(
        &self,
        cert_id: &[u8],
        told: Told,
        now: Timestamp,
        as_of: Timestamp,
    ) -> Option<Arc<SignedAnswer>> {
        let (kept, answer) = self.kept.get(cert_id)?;
        (kept == told && answer.is_fresh(now, as_of)).then_some(answer)
    }

    /// Keeps an answer.
    pub(crate) fn keep(&self, cert_id: &[u8], told: Told, answer: Arc<SignedAnswer>) {
        self.kept.insert(cert_id.to_vec(), (told, answer));
    }

    /// Octets that are kept.
    pub(crate) fn octets(&self) -> u64 {
        self.kept.weight()
    }
}
