//! OCSP over HTTP: POST and GET (RFC 6960 appendix A.1), with what caches are told (RFC 9919 sections 6 and 7).

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPIRES, HeaderMap, HeaderValue, IF_NONE_MATCH,
    LAST_MODIFIED, RETRY_AFTER,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, rt, web};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ca_core::Timestamp;
use ca_core::ocsp::ErrorStatus;
use futures_util::StreamExt;

use crate::answers::{Caching, SignedAnswer};
use crate::{Reply, Service, overload};

/// Where the responder is mounted; the path in certificates' authority information access.
const MOUNTED_AT: &str = "/ocsp";

/// The longest path of a GET: 20 CertIDs with SHA-512 and room for percent-encoding.
const MAX_PATH_OCTETS: usize = 8000;

/// The longest time that a cache between us and the asker may keep telling a status that has changed, in seconds.
const MAX_CACHE_AGE: u64 = 3600;

const OCSP_REQUEST: &str = "application/ocsp-request";
const OCSP_RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// To whoever asked with a nonce: it is of no use to anybody else.
const ONCE: HeaderValue = HeaderValue::from_static("max-age=0, no-transform, must-revalidate");
/// The usual one, with [`MAX_CACHE_AGE`].
const FOR_AN_HOUR: HeaderValue =
    HeaderValue::from_static("max-age=3600, public, no-transform, must-revalidate");

/// Padded or not: clients do both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a client may use the service.
struct Endpoint {
    service: Arc<Service>,
    patience: Duration,
}

/// Mounts `/ocsp`. Nothing in front of it may normalise paths: base64 has `//` in it. A client that has not sent the
/// whole of a request after `patience` is cut off.
pub fn configure(application: &mut web::ServiceConfig, service: Arc<Service>, patience: Duration) {
    let endpoint = web::Data::new(Endpoint { service, patience });
    // One handler behind the shortest match: routes and guards would cost as much as an answer.
    application.service(web::scope(MOUNTED_AT).app_data(endpoint).default_service(web::to(handle)));
}

async fn handle(request: HttpRequest, body: web::Payload, endpoint: web::Data<Endpoint>) -> HttpResponse {
    overload::watch();
    match *request.method() {
        Method::POST => post(&request, body, &endpoint).await,
        Method::GET | Method::HEAD => get(&request, &endpoint.service),
        _ => {
            let mut refused = HttpResponse::new(StatusCode::METHOD_NOT_ALLOWED);
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            refused
        }
    }
}

async fn post(request: &HttpRequest, body: web::Payload, endpoint: &Endpoint) -> HttpResponse {
    let service = &endpoint.service;
    if !is_ocsp_request(request.headers()) {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type of a request is application/ocsp-request",
        );
    }
    let limit = service.max_request_octets;
    if announced(request.headers()).is_some_and(|octets| octets > limit as u64) {
        return too_large();
    }
    match rt::time::timeout(endpoint.patience, read(body, limit)).await {
        Ok(Ok(octets)) => respond(request, service, &octets),
        Ok(Err(Unread::TooLarge)) => too_large(),
        Ok(Err(Unread::Cut)) => refusal(StatusCode::BAD_REQUEST, "the request ended early"),
        Err(_) => {
            let mut refused = refusal(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time");
            refused.head_mut().set_connection_type(actix_http::ConnectionType::Close);
            refused
        }
    }
}

/// A parameter changes nothing (RFC 9110 section 8.3.1).
fn is_ocsp_request(headers: &HeaderMap) -> bool {
    let essence = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(OCSP_REQUEST)
    };
    headers.get(CONTENT_TYPE).is_some_and(essence)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

enum Unread {
    TooLarge,
    Cut,
}

/// The whole body. What comes in one piece, as nearly all do, is not copied.
async fn read(mut body: web::Payload, limit: usize) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| Unread::Cut)?;
        if first.len().max(all.len()) + piece.len() > limit {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

fn get(request: &HttpRequest, service: &Service) -> HttpResponse {
    let path = request.uri().path();
    if path.len() > MAX_PATH_OCTETS {
        return refusal(StatusCode::URI_TOO_LONG, "a request of this size is sent by POST");
    }
    // Undecodable octets decode to no request at all, and the answer to that is malformedRequest.
    let octets = decode_path(path.strip_prefix(MOUNTED_AT).unwrap_or_default()).unwrap_or_default();
    respond(request, service, &octets)
}

fn too_large() -> HttpResponse {
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large")
}

fn refusal(status: StatusCode, why: &'static str) -> HttpResponse {
    HttpResponse::build(status).insert_header((CACHE_CONTROL, NO_STORE)).content_type("text/plain").body(why)
}

fn respond(request: &HttpRequest, service: &Service, octets: &[u8]) -> HttpResponse {
    match service.reply(octets) {
        Reply::Answer(answer) => successful(request, &answer, service.clock.now()),
        Reply::Error(error) => unsuccessful(error),
        Reply::Busy => {
            let mut busy = refusal(StatusCode::SERVICE_UNAVAILABLE, "too much is asked at this moment");
            busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            busy
        }
    }
}

/// RFC 9919 section 7.2: what is not an authoritative answer is not kept.
fn unsuccessful(error: ErrorStatus) -> HttpResponse {
    let mut response = HttpResponse::Ok().body(error.response());
    response.headers_mut().insert(CONTENT_TYPE, OCSP_RESPONSE);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn successful(request: &HttpRequest, answer: &SignedAnswer, now: Timestamp) -> HttpResponse {
    let is_known = answer.caching.as_ref().is_some_and(|caching| {
        request.method() != Method::POST && names(request.headers(), &caching.entity_tag)
    });
    let mut response = match is_known {
        true => HttpResponse::new(StatusCode::NOT_MODIFIED),
        false => HttpResponse::Ok().body(answer.der.clone()),
    };
    let headers = response.headers_mut();
    if !is_known {
        headers.insert(CONTENT_TYPE, OCSP_RESPONSE);
    }
    match &answer.caching {
        Some(Caching { entity_tag, expires, last_modified }) => {
            headers.insert(CACHE_CONTROL, cache_control(answer.validity.next_update, now));
            headers.insert(ETAG, entity_tag.clone());
            headers.insert(EXPIRES, expires.clone());
            headers.insert(LAST_MODIFIED, last_modified.clone());
        }
        None => {
            headers.insert(CACHE_CONTROL, ONCE);
        }
    }
    response
}

fn cache_control(next_update: Timestamp, now: Timestamp) -> HeaderValue {
    // A second less than is left, so that rounding never carries it past nextUpdate.
    let left = next_update.since(now).as_secs().saturating_sub(1);
    if left >= MAX_CACHE_AGE {
        return FOR_AN_HOUR;
    }
    let value = format!("max-age={left}, public, no-transform, must-revalidate");
    HeaderValue::try_from(value).unwrap_or(NO_STORE)
}

/// Whether If-None-Match lists this entity tag (RFC 9110 section 13.1.2).
fn names(headers: &HeaderMap, entity_tag: &HeaderValue) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim())
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == entity_tag.as_bytes())
}

/// Base64 from a path in every form in which clients write it: percent-encoded wholly, partly or not at all, padded or
/// not, with the URL-safe alphabet, with `+` that became a space, after one slash or several.
fn decode_path(path: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(path.len());
    let mut rest = path.trim_start_matches('/').as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let octet = if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            rest = after;
            let mut octet = [0];
            hex::decode_to_slice(digits, &mut octet).ok()?;
            octet[0]
        } else {
            *first
        };
        text.push(match octet {
            b' ' | b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
    }
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_in_every_form_that_clients_write() {
        let octets = [0xfb, 0xff, 0xbf, 0xff, 0xff, 0xf0, 0x3e];
        for path in [
            "/+/+////wPg==",
            "/+/+////wPg",
            "/%2B%2F%2B%2F%2F%2F%2FwPg%3D%3D",
            "/%2b/%2b%2f%2f//wPg%3d=",
            "/-_-____wPg",
            "/%20/%20////wPg==",
        ] {
            assert_eq!(decode_path(path).as_deref(), Some(&octets[..]), "{path}");
        }
        for path in ["/A", "/====", "/!!!!", "/MEow%2", "/MEow%ZZ", "/%", "/%u0041", "/MEow%00", "/%+1A="] {
            assert_eq!(decode_path(path), None, "{path}");
        }
    }
}
