//! The portal's first page at `/`, and the practice statement at `/cps`, where certificates point to it.

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, web};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PAGE: &str = include_str!("../../portal/index.html");
const PRACTICE_STATEMENT: &str = include_str!("../../docs/CPS.md");

/// Nothing but the page's own style sheet, named by its hash (CSP level 3 section 2.3.1): no script, no form, no frame.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, style_of(PAGE).as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// Mounts `/` and `/cps`.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(read_only("/", page)).service(read_only("/cps", practice_statement));
}

fn read_only(path: &str, answer: fn() -> HttpResponse) -> actix_web::Resource {
    web::resource(path)
        .route(web::get().to(move || async move { answer() }))
        .route(web::head().to(move || async move { answer() }))
        .default_service(web::to(|| async {
            HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish()
        }))
}

fn page() -> HttpResponse {
    answer("text/html; charset=utf-8", PAGE)
}

fn practice_statement() -> HttpResponse {
    answer("text/plain; charset=utf-8", PRACTICE_STATEMENT)
}

fn answer(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .body(body)
}

/// What stands between the tags of the page's one style sheet.
fn style_of(page: &str) -> &str {
    let inside = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    inside.map_or("", |(style, _)| style)
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::{App, test as http};

    use super::*;

    #[actix_web::test]
    async fn the_page_is_served_with_headers_that_let_in_nothing_else() {
        let app = http::init_service(App::new().configure(configure)).await;
        let response = http::call_service(&app, http::TestRequest::get().uri("/").to_request()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(http::read_body(response).await, PAGE.as_bytes());
    }

    #[actix_web::test]
    async fn the_practice_statement_is_where_certificates_say() {
        let app = http::init_service(App::new().configure(configure)).await;
        let response = http::call_service(&app, http::TestRequest::get().uri("/cps").to_request()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers().get("content-type").unwrap(), "text/plain; charset=utf-8");
    }

    #[actix_web::test]
    async fn the_page_is_only_read() {
        let app = http::init_service(App::new().configure(configure)).await;
        let response = http::call_service(&app, http::TestRequest::post().uri("/").to_request()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers().get("allow").unwrap(), "GET, HEAD");
        let response = http::call_service(
            &app,
            http::TestRequest::default().method(actix_web::http::Method::HEAD).to_request(),
        )
        .await;
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn the_page_has_one_style_sheet_and_asks_nobody_for_anything() {
        assert_eq!(PAGE.matches("<style").count(), 1);
        assert!(style_of(PAGE).contains("--paper"));
        for foreign in ["<script", "style=", "http://", "https://", "src=", "url(", "@import", "<form"] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }
}
