//! Channel partners: sites that apply for the citizens they have identified. Each request is signed (RFC 9421).

pub(crate) mod applications;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use ca_core::fee::Channel;
use futures_util::future::{Ready, ready};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use pkcs8::der::{Decode, pem};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{ObjectIdentifier, der};
use store::{StoreError, acts, seen_signatures};

use crate::context::Context;
use crate::json::{collect, declared_length};
use crate::problem::{Kind, Problem};
use signature::{ACCEPT_SIGNATURE, Head, Refusal, Signature, Target};

/// Everything below it is for partners.
const PLACE: &str = "/api/v1/partner/";
/// id-Ed25519 (RFC 8410 section 3).
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A partner, from the settings.
#[derive(Debug)]
pub struct Partner {
    /// Its name in settings, applications and audit entries.
    pub name: String,
    /// The channel it applies through.
    pub channel: Channel,
    /// Applications a day in Tashkent; 0 is any number.
    pub daily_quota: u32,
    /// SHA-256 of the certificates one of which its clients show in TLS; none: a signature is enough.
    certificates: Vec<[u8; 32]>,
    /// Requests a minute, in memory: a restart forgives.
    requests: DefaultDirectRateLimiter,
}

/// Every partner, by the ids of its keys.
#[derive(Debug, Default)]
pub struct Partners(HashMap<String, (Arc<Partner>, [u8; 32])>);

/// A partner's key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("partners.{partner}.keys.{key_id} = {path}: {reason}")]
pub struct PartnerKeyError {
    partner: String,
    key_id: String,
    path: PathBuf,
    reason: String,
}

impl Partners {
    /// Reads the keys that the settings name.
    ///
    /// # Errors
    /// The first that is absent or no Ed25519 public key.
    pub fn load(settings: &HashMap<String, config::settings::Partner>) -> Result<Self, PartnerKeyError> {
        let mut known = HashMap::new();
        for (name, partner) in settings {
            let per_minute = NonZeroU32::new(partner.per_minute).unwrap_or(NonZeroU32::MIN);
            let shared = Arc::new(Partner {
                name: name.clone(),
                channel: partner.channel,
                daily_quota: partner.daily_quota,
                certificates: partner.certificates_sha256.iter().filter_map(|hash| hash_of(hash)).collect(),
                requests: RateLimiter::direct(Quota::per_minute(per_minute)),
            });
            for (key_id, path) in &partner.keys {
                let key = public_key(path).map_err(|reason| PartnerKeyError {
                    partner: name.clone(),
                    key_id: key_id.clone(),
                    path: path.clone(),
                    reason,
                })?;
                known.insert(key_id.clone(), (Arc::clone(&shared), key));
            }
        }
        Ok(Self(known))
    }
}

/// The settings have been checked.
fn hash_of(hexadecimal: &str) -> Option<[u8; 32]> {
    hex::decode(hexadecimal).ok()?.try_into().ok()
}

/// The octets of an Ed25519 key in a PEM file with a SubjectPublicKeyInfo (RFC 7468 section 13).
fn public_key(path: &Path) -> Result<[u8; 32], String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let expected = "a PEM file with an Ed25519 PUBLIC KEY is expected";
    let (label, der) = pem::decode_vec(&text).map_err(|_| expected)?;
    if label != "PUBLIC KEY" {
        return Err(expected.to_owned());
    }
    let info: SubjectPublicKeyInfoRef<'_> = Decode::from_der(&der).map_err(|_: der::Error| expected)?;
    let octets = info.subject_public_key.as_bytes().and_then(|octets| octets.try_into().ok());
    match octets {
        Some(octets) if info.algorithm.oid == ED25519_OID && info.algorithm.parameters.is_none() => {
            Ok(octets)
        }
        _ => Err(expected.to_owned()),
    }
}

/// The SHA-256 of the certificate that a client has shown in TLS, DER. Whoever serves puts it with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate(pub [u8; 32]);

/// The partner that signed a request.
#[derive(Debug, Clone)]
pub(crate) struct SignedBy(pub(crate) Arc<Partner>);

impl FromRequest for SignedBy {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| Problem::new(Kind::Unauthenticated)))
    }
}

/// Lets requests to partners' addresses pass if a partner signed them, once.
///
/// # Errors
/// The inner service's.
pub(crate) async fn authenticate(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    // Not by the route: the answer to a repeated `Idempotency-Key` is given before there is one.
    if request.path().starts_with(PLACE) {
        match identify(&mut request).await {
            Ok(partner) => drop(request.extensions_mut().insert(partner)),
            Err(problem) => {
                let mut response = problem.error_response();
                if problem.kind() == Kind::Unauthenticated {
                    let name = HeaderName::from_static("accept-signature");
                    response.headers_mut().insert(name, HeaderValue::from_static(ACCEPT_SIGNATURE));
                }
                return Ok(request.into_response(response));
            }
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// A stranger's body is not even read: its digest is under the signature, which is verified first.
async fn identify(request: &mut ServiceRequest) -> Result<SignedBy, Problem> {
    let context =
        request.app_data::<web::Data<Context>>().cloned().ok_or_else(|| Problem::internal("no context"))?;
    let now = context.now();
    let target = Target::under(context.settings.public_url.as_str(), request.uri().path_and_query())
        .ok_or_else(|| Problem::new(Kind::MalformedRequest))?;
    let head =
        Head { method: &request.method().clone(), target: &target, headers: &request.headers().clone() };
    let known = &context.partners.0;
    let signature = Signature::read(&head, |key_id| known.contains_key(key_id)).map_err(refused)?;
    let (partner, key) = known.get(&signature.key_id).ok_or_else(|| refused(Refusal::UnknownKey))?;
    signature.verify(&head, key, now).map_err(refused)?;
    let shown = request.conn_data::<ClientCertificate>().map(|ClientCertificate(hash)| *hash);
    if !partner.certificates.is_empty() && !shown.is_some_and(|hash| partner.certificates.contains(&hash)) {
        return Err(refused(Refusal::Certificate));
    }
    let length = declared_length(request.request());
    let content = collect(request.take_payload(), length, context.settings.http.max_json_bytes).await?;
    signature.verify_content(&head, &content).map_err(refused)?;
    // A content may come slowly, and what is too old is not remembered.
    signature.verify_moment(context.now()).map_err(refused)?;
    request.set_payload(Payload::from(web::Bytes::from(content)));

    let (database, name, ends_at) = (context.database.clone(), signature.name(), signature.ends_at());
    // Not by `Context::write`: asking who it is must not ring the doorbell.
    let signer = partner.name.clone();
    let (first, suspended) = web::block(move || {
        database.write(|connection| -> Result<_, StoreError> {
            let first = seen_signatures::note(connection, &name, ends_at)?;
            Ok((first, acts::is_suspended(connection, &signer)?))
        })
    })
    .await??;
    if !first {
        return Err(refused(Refusal::Used));
    }
    if suspended {
        return Err(Problem::new(Kind::PartnerSuspended));
    }
    // Last, so that nobody else can use the partner's minute up.
    partner.count()?;
    Ok(SignedBy(Arc::clone(partner)))
}

fn refused(refusal: Refusal) -> Problem {
    tracing::info!(reason = refusal.name(), "a partner's request was not taken");
    let text = format!("signature-{}", refusal.name());
    Problem::new(Kind::Unauthenticated).because("", text, &refusal.to_string())
}

impl Partner {
    /// Counts a request.
    fn count(&self) -> Result<(), Problem> {
        self.requests.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            let text = "limit-per-minute".to_owned();
            Problem::new(Kind::TooManyRequests).because("", text, "too many requests a minute").after(wait)
        })
    }
}
