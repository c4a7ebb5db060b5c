//! From the octets of a request to the octets of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::ocsp::{Answer, CertId, CertStatus, ErrorStatus, Request, Responder, UnfitResponder, Validity};
use ca_core::signer::Signer;
use config::clock::SystemClock;
use config::settings::{Ocsp, Unissued};
use prometheus_client::registry::Registry;
use store::issuers::Issuer;

use crate::answers::{Answers, SignedAnswer, Told};
use crate::authority::Authority;
use crate::metrics::Metrics;
use crate::overload;

/// `as_of` before anything has been read.
const NEVER: i64 = 0;

/// Answers for the certificates of every CA that has certified its key.
pub struct Service {
    /// One at least.
    pub(crate) authorities: Vec<Authority>,
    /// The place of the CA among them that came last.
    newest: usize,
    pub(crate) signer: Arc<dyn Signer>,
    lifetime: Duration,
    unissued: CertStatus,
    retention: Option<Duration>,
    overload: Duration,
    pub(crate) max_request_octets: usize,
    pub(crate) clock: SystemClock,
    /// Unix milliseconds at which the database had nothing that is not in the indexes.
    as_of: AtomicI64,
    answers: Answers,
    pub(crate) metrics: Metrics,
}

/// What a client is told.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A signed answer.
    Answer(Arc<SignedAnswer>),
    /// An error, which nobody signs.
    Error(ErrorStatus),
    /// More is asked than can be signed; nothing is wrong with the request.
    Busy,
}

/// Why there is no answer.
enum Refusal {
    Error(ErrorStatus),
    Busy,
}

impl From<ErrorStatus> for Refusal {
    fn from(status: ErrorStatus) -> Self {
        Self::Error(status)
    }
}

/// The certificate that one CertID is about.
struct Asked<'s, 'a> {
    authority: &'s Authority,
    answer: Answer<'a>,
}

impl Service {
    /// A responder with this key, for those of the issuers (in the order in which they came) that issued one of the certificates
    /// (DER). It answers tryLater until a [`crate::Follower`] has filled its indexes.
    ///
    /// # Errors
    /// An [`UnfitResponder`]: there is no certificate, or clients would not believe answers under one.
    pub fn new(
        settings: &Ocsp,
        clock: SystemClock,
        issuers: &[Issuer],
        signer: Arc<dyn Signer>,
        certificates: &[Vec<u8>],
    ) -> Result<Self, UnfitResponder> {
        let mut authorities: Vec<Authority> = Vec::new();
        for certificate in certificates {
            let authority = Authority::of_certificate(issuers, &signer, certificate)?;
            match authorities.iter().find(|known| known.issuer == authority.issuer) {
                Some(known) => {
                    known.renew(Responder::new(signer.clone(), certificate, &known.certificate)?);
                }
                None => authorities.push(authority),
            }
        }
        if authorities.is_empty() {
            return Err(UnfitResponder::OtherIssuer);
        }
        let days = u64::from(settings.archive_cutoff_days);
        let age = |authority: &Authority| issuers.iter().position(|issuer| issuer.id == authority.issuer);
        let newest = (0..authorities.len()).max_by_key(|&place| age(&authorities[place])).unwrap_or(0);
        Ok(Self {
            authorities,
            newest,
            signer,
            lifetime: settings.validity,
            unissued: match settings.unissued {
                Unissued::Unknown => CertStatus::Unknown,
                Unissued::Revoked => CertStatus::NeverIssued,
            },
            retention: (days > 0).then(|| Duration::from_secs(days * 86_400)),
            overload: settings.overload,
            max_request_octets: settings.max_request_bytes,
            clock,
            as_of: AtomicI64::new(NEVER),
            answers: Answers::new(settings.kept_answers_bytes),
            metrics: Metrics::default(),
        })
    }

    /// Answers a request that arrived now.
    pub fn reply(&self, request: &[u8]) -> Reply {
        match self.answer(request, self.clock.now()) {
            Ok(answer) => Reply::Answer(answer),
            Err(Refusal::Error(error)) => {
                self.metrics.count_error(error);
                Reply::Error(error)
            }
            Err(Refusal::Busy) => {
                self.metrics.busy.inc();
                Reply::Busy
            }
        }
    }

    /// Whether it can give signed answers now about what is issued today, for `/health/ready`. A certificate by the root or by a CA
    /// that issues no more, which has ended, is no reason to take away the other answers.
    pub fn is_ready(&self) -> bool {
        let now = self.clock.now();
        let responder = self.authorities[self.newest].responder();
        self.as_of().is_some_and(|as_of| responder.validity(as_of, now, self.lifetime).is_some())
            && self.signer.is_reachable()
    }

    /// How many certificates it knows.
    pub fn certificates(&self) -> usize {
        self.authorities.iter().map(|authority| authority.index.len()).sum()
    }

    /// Adds its counts to those of the process.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    fn answer(&self, request: &[u8], now: Timestamp) -> Result<Arc<SignedAnswer>, Refusal> {
        let request = Request::decode(request).map_err(|error| {
            tracing::debug!(%error, "request refused");
            error.status()
        })?;
        match (&request.cert_ids[..], request.nonce) {
            ([only], None) => self.answer_repeatably(only, now),
            (cert_ids, nonce) => {
                let authorities =
                    cert_ids.iter().map(|id| self.authority(id)).collect::<Result<Vec<_>, _>>()?;
                let as_of = self.as_of().ok_or(ErrorStatus::TryLater)?;
                let asked: Vec<Asked<'_, '_>> = cert_ids
                    .iter()
                    .zip(authorities)
                    .map(|(id, authority)| self.look_up(authority, id, now))
                    .collect();
                let (der, validity) = self.sign(&asked, as_of, now, nonce)?;
                let signed = match nonce {
                    Some(_) => SignedAnswer::once(der, validity),
                    None => SignedAnswer::repeatable(der, validity),
                };
                Ok(Arc::new(signed))
            }
        }
    }

    /// One certificate without a nonce: whoever asks the same gets the same.
    fn answer_repeatably(&self, id: &CertId<'_>, now: Timestamp) -> Result<Arc<SignedAnswer>, Refusal> {
        let authority = self.authority(id)?;
        let as_of = self.as_of().ok_or(ErrorStatus::TryLater)?;
        let record = authority.record(id);
        // Answers about serials that were never issued are not kept: there is no end of them.
        let told = record.map(|record| Told { record, is_expired: record.is_expired(now) });
        if let Some(told) = told
            && let Some(kept) = self.answers.find(id.encoded(), told, now, as_of)
        {
            self.metrics.count(told.record.status());
            return Ok(kept);
        }
        let answer = authority.answer(id, record, self.unissued, self.retention, now);
        self.metrics.count(answer.status);
        let (der, validity) = self.sign(&[Asked { authority, answer }], as_of, now, None)?;
        let signed = Arc::new(SignedAnswer::repeatable(der, validity));
        if let Some(told) = told {
            self.answers.keep(id.encoded(), told, signed.clone());
        }
        Ok(signed)
    }

    fn authority(&self, id: &CertId<'_>) -> Result<&Authority, ErrorStatus> {
        self.authorities.iter().find(|authority| authority.is_named_by(id)).ok_or(ErrorStatus::Unauthorized)
    }

    fn look_up<'s, 'a>(&self, authority: &'s Authority, id: &CertId<'a>, now: Timestamp) -> Asked<'s, 'a> {
        let answer = authority.answer(id, authority.record(id), self.unissued, self.retention, now);
        self.metrics.count(answer.status);
        Asked { authority, answer }
    }

    fn sign(
        &self,
        asked: &[Asked<'_, '_>],
        as_of: Timestamp,
        now: Timestamp,
        nonce: Option<&[u8]>,
    ) -> Result<(Vec<u8>, Validity), Refusal> {
        if overload::is_behind(self.overload) {
            return Err(Refusal::Busy);
        }
        let mut issuers: Vec<&Authority> = Vec::with_capacity(1);
        for Asked { authority, .. } in asked {
            if !issuers.iter().any(|known| std::ptr::eq(*known, *authority)) {
                issuers.push(authority);
            }
        }
        let mut responders = issuers.iter().map(|authority| authority.responder());
        let first = responders.next().ok_or(ErrorStatus::MalformedRequest)?;
        let others: Vec<Arc<Responder>> = responders.collect();
        // The database has been away for longer than an answer lasts, or the responder's certificate has ended.
        let mut validity = first.validity(as_of, now, self.lifetime).ok_or(ErrorStatus::TryLater)?;
        for other in &others {
            let theirs = other.validity(as_of, now, self.lifetime).ok_or(ErrorStatus::TryLater)?;
            validity.next_update = validity.next_update.min(theirs.next_update);
        }
        let answers: Vec<Answer<'_>> = asked.iter().map(|asked| asked.answer).collect();
        let der = first.respond_with(&others, &answers, &validity, nonce).map_err(|error| {
            tracing::error!(%error, "no answer could be signed");
            // A key in memory does not fail: it is a token that is away, and comes back.
            ErrorStatus::TryLater
        })?;
        self.metrics.signatures.inc();
        Ok((der, validity))
    }

    /// When the database had nothing newer; `None` until everything has been read once. To be asked before a status is
    /// looked up, which is then at least as new.
    pub(crate) fn as_of(&self) -> Option<Timestamp> {
        match self.as_of.load(Ordering::Acquire) {
            NEVER => None,
            millis => Some(Timestamp::from_unix_millis(millis)),
        }
    }

    /// Everything that was in the database at this moment is in the indexes.
    pub(crate) fn knows(&self, as_of: Timestamp) {
        self.as_of.store(as_of.unix_millis(), Ordering::Release);
        self.metrics.as_of.set(as_of.unix_seconds());
        self.metrics.certificates.set(i64::try_from(self.certificates()).unwrap_or(i64::MAX));
        self.metrics.kept_octets.set(i64::try_from(self.answers.octets()).unwrap_or(i64::MAX));
    }

    /// Nothing that was read holds: tryLater until everything has been read again.
    pub(crate) fn forget(&self) {
        self.as_of.store(NEVER, Ordering::Release);
        self.authorities.iter().for_each(|authority| authority.index.clear());
    }

    /// The CA with this short name.
    pub(crate) fn authority_named(&self, issuer: &str) -> Option<&Authority> {
        self.authorities.iter().find(|authority| authority.issuer == issuer)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let issuers: Vec<&str> = self.authorities.iter().map(|authority| authority.issuer.as_str()).collect();
        f.debug_struct("Service").field("issuers", &issuers).finish_non_exhaustive()
    }
}
