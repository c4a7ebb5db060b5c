//! `GET /repository/ISSUER.crl`, `.cer` and the heads of the audit log, as RFC 5280 sections 4.2.1.13 and 4.2.2.1 want them served.

use std::fs::File;
use std::io;
use std::ops::Range as Span;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, Header, HttpDate, IF_NONE_MATCH, IF_RANGE, IfModifiedSince, LAST_MODIFIED, RANGE, Range, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::stream;

use crate::Publisher;
use crate::repository::{Kind, Octets, Published, Repository, Source};

/// Octets read from the disk at a time.
const BLOCK: u64 = 64 << 10;

/// Mounts `/repository`.
pub fn configure(application: &mut web::ServiceConfig, publisher: &Publisher) {
    application.service(
        web::resource("/repository/{name}")
            .app_data(web::Data::from(Arc::clone(publisher.repository())))
            .route(web::get().to(get))
            .route(web::head().to(get))
            .default_service(web::to(method_not_allowed)),
    );
}

async fn get(
    request: HttpRequest,
    name: web::Path<String>,
    repository: web::Data<Repository>,
) -> HttpResponse {
    // A file that is replaced between the look at what is known of it and the opening is looked at again.
    for _ in 0..3 {
        let Some(published) = repository.find(&name) else {
            return HttpResponse::NotFound()
                .content_type("text/plain")
                .body("nothing is published under this name");
        };
        match answer(&request, &published).await {
            Ok(response) => return response,
            Err(error) => tracing::debug!(name = name.as_str(), %error, "looked at again"),
        }
    }
    HttpResponse::ServiceUnavailable().content_type("text/plain").body("try again")
}

async fn answer(request: &HttpRequest, published: &Arc<Published>) -> io::Result<HttpResponse> {
    let wants_part = request.method() == Method::GET && request.headers().contains_key(RANGE);
    let gzip = published.gzip.as_ref().filter(|_| !wants_part && accepts_gzip(request));
    let octets = gzip.unwrap_or(&published.plain);
    if is_known(request, published, octets) {
        return Ok(head(StatusCode::NOT_MODIFIED, published, octets).finish());
    }
    let span = match part(request, published).filter(|_| wants_part) {
        Some(Some(span)) => span,
        Some(None) => {
            let mut response = head(StatusCode::RANGE_NOT_SATISFIABLE, published, octets);
            return Ok(response.insert_header((CONTENT_RANGE, format!("bytes */{}", octets.size))).finish());
        }
        None => 0..octets.size,
    };
    let is_part = span.end - span.start < octets.size;
    let status = if is_part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = head(status, published, octets);
    if is_part {
        let part = format!("bytes {}-{}/{}", span.start, span.end - 1, octets.size);
        response.insert_header((CONTENT_RANGE, part));
    }
    if gzip.is_some() {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    let content_type = match published.kind {
        Kind::Crl => "application/pkix-crl",
        Kind::Certificate => "application/pkix-cert",
        Kind::AuditHeads => "text/plain; charset=utf-8",
    };
    response.insert_header((CONTENT_TYPE, content_type));
    let opened = Arc::clone(published);
    let is_gzip = gzip.is_some();
    let source = web::block(move || {
        let octets = opened.gzip.as_ref().filter(|_| is_gzip).unwrap_or(&opened.plain);
        octets.open()
    })
    .await
    .map_err(io::Error::other)??;
    Ok(match source {
        Source::Held(octets) => response.body(octets.slice(span.start as usize..span.end as usize)),
        Source::File(file) => {
            let size = span.end - span.start;
            response.body(SizedStream::new(size, stream::try_unfold((Arc::new(file), span), block)))
        }
    })
}

/// The next block of a file and where to go on.
async fn block((file, span): (Arc<File>, Span<u64>)) -> io::Result<Option<(Bytes, (Arc<File>, Span<u64>))>> {
    if span.is_empty() {
        return Ok(None);
    }
    let end = span.end.min(span.start + BLOCK);
    let (reader, length) = (Arc::clone(&file), (end - span.start) as usize);
    let octets = web::block(move || {
        let mut octets = vec![0; length];
        reader.read_exact_at(&mut octets, span.start).map(|()| octets)
    })
    .await
    .map_err(io::Error::other)??;
    Ok(Some((octets.into(), (file, end..span.end))))
}

/// What every answer about this representation says.
fn head(status: StatusCode, published: &Published, octets: &Octets) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    // A CRL may change at any moment; asking whether it has costs little.
    let age = match published.kind {
        Kind::Crl | Kind::AuditHeads => 60,
        Kind::Certificate => 86_400,
    };
    response
        .insert_header((CACHE_CONTROL, format!("max-age={age}, public, no-transform, must-revalidate")))
        .insert_header((ETAG, octets.entity_tag.as_str()))
        .insert_header((LAST_MODIFIED, HttpDate::from(published.modified)))
        .insert_header((ACCEPT_RANGES, "bytes"));
    if published.gzip.is_some() {
        response.insert_header((VARY, "Accept-Encoding"));
    }
    response
}

async fn method_not_allowed() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD")).finish()
}

/// RFC 9110 section 12.5.3; only a client that names gzip gets it.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let lists = request.headers().get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

/// The one part that is asked for: `Some(None)` where there is no such part, `None` where the whole is the answer, as it
/// is to several parts at once (RFC 9110 section 14.2) and to a part of something that has changed (section 13.1.5).
fn part(request: &HttpRequest, published: &Published) -> Option<Option<Span<u64>>> {
    let Ok(Range::Bytes(specs)) = Range::parse(request) else { return None };
    let [spec] = &specs[..] else { return None };
    if let Some(condition) = request.headers().get(IF_RANGE) {
        let date = HttpDate::from(published.modified).to_string();
        let condition = condition.to_str().unwrap_or_default();
        if condition != published.plain.entity_tag && condition != date {
            return None;
        }
    }
    Some(spec.to_satisfiable_range(published.plain.size).map(|(first, last)| first..last + 1))
}

/// Whether the asker has it already (RFC 9110 section 13.2.2: the date counts only where no entity tag is given).
fn is_known(request: &HttpRequest, published: &Published, octets: &Octets) -> bool {
    if request.headers().contains_key(IF_NONE_MATCH) {
        let lists = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        return lists
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == octets.entity_tag);
    }
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    IfModifiedSince::parse(request)
        .is_ok_and(|IfModifiedSince(date)| seconds(published.modified) <= seconds(SystemTime::from(date)))
}
