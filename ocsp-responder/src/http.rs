//! OCSP over HTTP: POST and GET (RFC 6960 appendix A.1), with what caches are told (RFC 9919 sections 6 and 7).

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPIRES, HttpDate, IF_NONE_MATCH, LAST_MODIFIED,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ca_core::Timestamp;
use ca_core::ocsp::ErrorStatus;

use crate::answers::SignedAnswer;
use crate::{Reply, Service};

/// Where the responder is mounted; the path in certificates' authority information access.
const MOUNTED_AT: &str = "/ocsp";

/// The longest path of a GET: 20 CertIDs with SHA-512 and room for percent-encoding.
const MAX_PATH_OCTETS: usize = 8000;

/// The longest time that a cache between us and the asker may keep telling a status that has changed.
const MAX_CACHE_AGE: Duration = Duration::from_secs(3600);

/// Padded or not: clients do both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Mounts `/ocsp`. Nothing in front of it may normalise paths: base64 has `//` in it.
pub fn configure(application: &mut web::ServiceConfig, service: Arc<Service>) {
    application.service(
        web::resource([MOUNTED_AT, "/ocsp/{request:.*}"])
            .app_data(web::Data::from(service))
            .route(web::post().to(post))
            .route(web::get().to(get))
            .route(web::head().to(get))
            .default_service(web::to(method_not_allowed)),
    );
}

async fn post(request: HttpRequest, body: web::Payload, service: web::Data<Service>) -> HttpResponse {
    if !request.content_type().trim().eq_ignore_ascii_case("application/ocsp-request") {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type of a request is application/ocsp-request",
        );
    }
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|octets| octets > service.max_request_octets as u64) {
        return too_large();
    }
    match body.to_bytes_limited(service.max_request_octets).await {
        Ok(Ok(octets)) => respond(&request, &service, &octets),
        Ok(Err(_)) => refusal(StatusCode::BAD_REQUEST, "the request ended early"),
        Err(_) => too_large(),
    }
}

async fn get(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    let path = request.uri().path();
    if path.len() > MAX_PATH_OCTETS {
        return refusal(StatusCode::URI_TOO_LONG, "a request of this size is sent by POST");
    }
    // Undecodable octets decode to no request at all, and the answer to that is malformedRequest.
    let octets = decode_path(path.strip_prefix(MOUNTED_AT).unwrap_or_default()).unwrap_or_default();
    respond(&request, &service, &octets)
}

async fn method_not_allowed() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD, POST")).finish()
}

fn too_large() -> HttpResponse {
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large")
}

fn refusal(status: StatusCode, why: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/plain")
        .body(why)
}

fn respond(request: &HttpRequest, service: &Service, octets: &[u8]) -> HttpResponse {
    match service.reply(octets) {
        Reply::Answer(answer) => successful(request, &answer, service.clock.now()),
        Reply::Error(error) => unsuccessful(error),
    }
}

/// RFC 9919 section 7.2: what is not an authoritative answer is not kept.
fn unsuccessful(error: ErrorStatus) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/ocsp-response"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(error.response())
}

fn successful(request: &HttpRequest, answer: &SignedAnswer, now: Timestamp) -> HttpResponse {
    if !answer.is_repeatable {
        return HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/ocsp-response"))
            .insert_header((CACHE_CONTROL, "max-age=0, no-transform, must-revalidate"))
            .body(answer.der.clone());
    }
    let is_post = request.method() == Method::POST;
    if !is_post && names(request, &answer.entity_tag) {
        return with_caching(HttpResponse::NotModified(), answer, now).finish();
    }
    with_caching(HttpResponse::Ok(), answer, now)
        .insert_header((CONTENT_TYPE, "application/ocsp-response"))
        .body(answer.der.clone())
}

fn with_caching(
    mut response: HttpResponseBuilder,
    answer: &SignedAnswer,
    now: Timestamp,
) -> HttpResponseBuilder {
    // A second less than is left, so that rounding never carries it past nextUpdate.
    let left = answer.validity.next_update.since(now).saturating_sub(Duration::from_secs(1));
    let age = left.min(MAX_CACHE_AGE).as_secs();
    response
        .insert_header((CACHE_CONTROL, format!("max-age={age}, public, no-transform, must-revalidate")))
        .insert_header((EXPIRES, http_date(answer.validity.next_update)))
        .insert_header((LAST_MODIFIED, http_date(answer.validity.this_update)))
        .insert_header((ETAG, answer.entity_tag.as_str()));
    response
}

fn http_date(at: Timestamp) -> HttpDate {
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(at.unix_seconds().unsigned_abs()))
}

/// Whether If-None-Match lists this entity tag (RFC 9110 section 13.1.2).
fn names(request: &HttpRequest, entity_tag: &str) -> bool {
    let lists = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim())
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == entity_tag)
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
