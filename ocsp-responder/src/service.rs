//! From the octets of a request to the octets of an answer.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::ocsp::{Answer, CertId, ErrorStatus, IssuerKeyIds, Request, Responder, UnfitResponder};
use ca_core::signer::Signer;
use config::clock::SystemClock;
use config::settings::Ocsp;
use prometheus_client::registry::Registry;
use store::issuers::Issuer;

use crate::answers::{Answers, SignedAnswer};
use crate::index::Index;
use crate::metrics::Metrics;

/// Answers for the certificates of one CA, whose delegate it is.
pub struct Service {
    pub(crate) issuer: String,
    key_ids: IssuerKeyIds,
    responder: Responder,
    lifetime: Duration,
    pub(crate) max_request_octets: usize,
    pub(crate) clock: SystemClock,
    /// None until it was loaded once.
    index: RwLock<Option<Index>>,
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
}

impl Service {
    /// A responder with this key and certificate (DER), for the one of the issuers that issued the certificate. It
    /// answers tryLater until a [`crate::Follower`] has filled its index.
    ///
    /// # Errors
    /// An [`UnfitResponder`]: clients would not believe its answers.
    pub fn new(
        settings: &Ocsp,
        clock: SystemClock,
        issuers: &[Issuer],
        signer: Arc<dyn Signer>,
        certificate: &[u8],
    ) -> Result<Self, UnfitResponder> {
        for issuer in issuers {
            let responder = match Responder::new(signer.clone(), certificate, &issuer.certificate) {
                Err(UnfitResponder::OtherIssuer) => continue,
                made => made?,
            };
            let key_ids =
                IssuerKeyIds::of_certificate(&issuer.certificate).ok_or(UnfitResponder::NotACertificate)?;
            return Ok(Self {
                issuer: issuer.id.clone(),
                key_ids,
                responder,
                lifetime: settings.validity,
                max_request_octets: settings.max_request_bytes,
                clock,
                index: RwLock::default(),
                answers: Answers::default(),
                metrics: Metrics::default(),
            });
        }
        Err(UnfitResponder::OtherIssuer)
    }

    /// Answers a request that arrived now.
    pub fn reply(&self, request: &[u8]) -> Reply {
        let answered = self.answer(request, self.clock.now());
        match answered {
            Ok(answer) => Reply::Answer(answer),
            Err(error) => {
                self.metrics.count_error(error);
                Reply::Error(error)
            }
        }
    }

    /// Whether it can give signed answers now, for `/health/ready`.
    pub fn is_ready(&self) -> bool {
        let as_of = self.index().as_ref().map(Index::as_of);
        let now = self.clock.now();
        as_of.is_some_and(|as_of| self.responder.validity(as_of, now, self.lifetime).is_some())
    }

    /// Adds its counts to those of the process.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    fn answer(&self, request: &[u8], now: Timestamp) -> Result<Arc<SignedAnswer>, ErrorStatus> {
        let request = Request::decode(request).map_err(|error| {
            tracing::debug!(%error, "request refused");
            error.status()
        })?;
        if !request.cert_ids.iter().all(|id| self.key_ids.names(id)) {
            return Err(ErrorStatus::Unauthorized);
        }
        let (answers, as_of) = self.look_up(&request.cert_ids).ok_or(ErrorStatus::TryLater)?;
        for answer in &answers {
            self.metrics.count(answer.status);
        }
        let repeatable = match (&answers[..], request.nonce) {
            ([only], None) => Some(only),
            _ => None,
        };
        if let Some(kept) = repeatable.and_then(|only| self.answers.find(only.cert_id, only.status, now)) {
            return Ok(kept);
        }
        let signed = Arc::new(self.sign(&answers, as_of, now, request.nonce)?);
        if let Some(only) = repeatable {
            self.answers.keep(only.cert_id, only.status, signed.clone());
        }
        Ok(signed)
    }

    /// The status of each, and when they were known; `None` while nothing is known.
    fn look_up<'a>(&self, cert_ids: &[CertId<'a>]) -> Option<(Vec<Answer<'a>>, Timestamp)> {
        let index = self.index();
        let index = index.as_ref()?;
        let answer = |id: &CertId<'a>| Answer { cert_id: id.encoded(), status: index.status(id.serial()) };
        Some((cert_ids.iter().map(answer).collect(), index.as_of()))
    }

    fn sign(
        &self,
        answers: &[Answer<'_>],
        as_of: Timestamp,
        now: Timestamp,
        nonce: Option<&[u8]>,
    ) -> Result<SignedAnswer, ErrorStatus> {
        // The database has been away for longer than an answer lasts, or the responder's certificate has ended.
        let validity = self.responder.validity(as_of, now, self.lifetime).ok_or(ErrorStatus::TryLater)?;
        let der = self.responder.respond(answers, &validity, nonce).map_err(|error| {
            tracing::error!(%error, "no answer could be signed");
            ErrorStatus::InternalError
        })?;
        self.metrics.signatures.inc();
        Ok(SignedAnswer::new(der, validity, nonce.is_none()))
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Option<Index>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the index between two answers.
    pub(crate) fn change_index(&self, change: impl FnOnce(&mut Option<Index>)) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut index);
        if let Some(index) = index.as_ref() {
            self.metrics.certificates.set(i64::try_from(index.len()).unwrap_or(i64::MAX));
            self.metrics.as_of.set(index.as_of().unix_seconds());
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
