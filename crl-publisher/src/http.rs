//! `GET /repository/ISSUER.crl` and `.cer`, as RFC 5280 sections 4.2.1.13 and 4.2.2.1 want them served.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, Header, HttpDate, IF_NONE_MATCH, IfModifiedSince, LAST_MODIFIED,
};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::Publisher;
use crate::repository::{Kind, Published, Repository};

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
    let Some(published) = repository.find(&name) else {
        return HttpResponse::NotFound()
            .content_type("text/plain")
            .body("nothing is published under this name");
    };
    let is_known = is_known(&request, &published);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // A CRL may change at any moment; asking whether it has costs little.
    let (content_type, age) = match published.kind {
        Kind::Crl => ("application/pkix-crl", 60),
        Kind::Certificate => ("application/pkix-cert", 86_400),
    };
    response
        .insert_header((CACHE_CONTROL, format!("max-age={age}, public, no-transform, must-revalidate")))
        .insert_header((ETAG, published.entity_tag.as_str()))
        .insert_header((LAST_MODIFIED, HttpDate::from(published.modified)));
    if is_known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, content_type)).body(published.octets.clone())
}

async fn method_not_allowed() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD")).finish()
}

/// Whether the asker has it already (RFC 9110 section 13.2.2: the date counts only where no entity tag is given).
fn is_known(request: &HttpRequest, published: &Published) -> bool {
    if request.headers().contains_key(IF_NONE_MATCH) {
        let lists = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        return lists
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == published.entity_tag);
    }
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    IfModifiedSince::parse(request)
        .is_ok_and(|IfModifiedSince(date)| seconds(published.modified) <= seconds(SystemTime::from(date)))
}
