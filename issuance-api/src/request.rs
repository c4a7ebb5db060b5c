//! What is true of every request: its name, its address, its reader's language, its line in the log, its problem
//! document.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use config::Language;
use tracing::Instrument;

use crate::context::Context;
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The name of a request, in the log and in its problem document.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// In an answer's extensions: its body is in the words of the caller's own protocol, also if it is an error.
#[derive(Debug, Clone, Copy)]
pub struct Spoken;

/// Names the request, logs it without anything personal, and writes problem documents in the reader's language.
pub async fn frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, actix_web::Error> {
    let started = Instant::now();
    let id = given_id(request.request()).unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let language = language(request.request());
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id = %id);
    // Handlers' errors are answers already, and so are those of our middlewares: actix forbids to keep the request here
    // for an answer of our own, because a scope writes into it.
    let response = next.call(request).instrument(span.clone()).await?;
    let mut response = written(response.map_into_left_body(), language, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // The pattern of the route, never the path: a path may name a person.
    let route = response.request().match_pattern().unwrap_or_default();
    if let Some(context) = response.request().app_data::<web::Data<Context>>() {
        context.metrics.answered(&method, &route, response.status(), started.elapsed());
    }
    span.in_scope(|| {
        tracing::info!(
            method = %method,
            route,
            status = response.status().as_u16(),
            micros = started.elapsed().as_micros() as u64,
            "answered"
        );
    });
    Ok(response)
}

/// An error answer gets its document; every other answer stays as it is.
fn written<B: MessageBody>(
    response: ServiceResponse<EitherBody<B>>,
    language: Language,
    id: &str,
) -> ServiceResponse<EitherBody<B>> {
    let status = response.status();
    let ours = response.response().extensions().get::<Problem>().cloned();
    let problem = match ours {
        Some(problem) => problem,
        None if response.response().extensions().contains::<Spoken>() => return response,
        // A library's answer, for example to a body that is too long or a path nobody has.
        None if status.as_u16() >= 400 => Problem::of_status(status),
        None => return response,
    };
    let (request, old) = response.into_parts();
    let mut new = HttpResponse::build(status);
    for (name, value) in old.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            new.append_header((name.clone(), value.clone()));
        }
    }
    let document = problem.document(language, &format!("urn:muhr:request:{id}"));
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let new = new
        .insert_header((header::CONTENT_TYPE, "application/problem+json"))
        .insert_header((header::CONTENT_LANGUAGE, language.tag()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body);
    ServiceResponse::new(request, new).map_into_right_body()
}

/// A client may name its request, in letters that cannot forge a log line.
fn given_id(request: &HttpRequest) -> Option<String> {
    let given = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let plain = given.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (plain && (1..=64).contains(&given.len())).then(|| given.to_owned())
}

/// The language the reader asks for in `Accept-Language` (RFC 9110 section 12.5.4).
pub fn language(request: &HttpRequest) -> Language {
    let default = request
        .app_data::<web::Data<Context>>()
        .map_or_else(Language::default, |context| context.settings.default_language);
    request
        .headers()
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| Language::accepted(value, default))
        .unwrap_or(default)
}

/// The network address that asks; behind a proxy that is ours, the one the proxy names last.
pub fn address(request: &HttpRequest, trusted_proxies: &[IpAddr]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    if !trusted_proxies.contains(&peer) {
        return peer;
    }
    request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.trim().parse::<IpAddr>().ok())
        .filter(|address| !trusted_proxies.contains(address))
        .last()
        .unwrap_or(peer)
}
