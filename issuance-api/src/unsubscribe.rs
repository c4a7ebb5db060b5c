//! No more reminders by mail: the link in each of them, for people and for mail programs (RFC 8058).

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use config::Language;
use config::texts::text;
use store::mail_opt_outs;

use crate::context::Context;
use crate::mail::html;
use crate::problem::{Kind, Problem, only};
use crate::request::language;
use crate::service_key::Hasher;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/{token}")
            .route(web::get().to(ask))
            .route(web::post().to(opt_out))
            .default_service(only("GET, POST")),
    );
}

/// What is kept of an address that wants no reminders. Mail systems do not tell capital letters from small ones.
pub(crate) fn address_hash(hasher: &Hasher, address: &str) -> [u8; 32] {
    hasher.hash("mail-address", address.trim().to_lowercase().as_bytes())
}

/// The token of an address: its hash, and the proof that we made it.
pub(crate) fn token(hasher: &Hasher, address: &str) -> String {
    let hash = address_hash(hasher, address);
    format!("{}{}", hex::encode(hash), hex::encode(hasher.hash("unsubscribe", &hash)))
}

/// The hash of the address that a token was made for.
fn read_token(hasher: &Hasher, token: &str) -> Result<Vec<u8>, Problem> {
    let octets = hex::decode(token).map_err(|_| Problem::new(Kind::NotFound))?;
    match octets.split_at_checked(32) {
        Some((hash, proof)) if hasher.is_hash_of(proof, "unsubscribe", hash) => Ok(hash.to_vec()),
        _ => Err(Problem::new(Kind::NotFound)),
    }
}

/// Ask before it is done
///
/// Programs that look at every link in a mail come here too, so nothing is done yet.
#[utoipa::path(get, path = "/unsubscribe/{token}", tag = "applicants", operation_id = "ask_unsubscribe",
    params(("token" = String, Path, description = "as in the mail")),
    responses(
        (status = 200, description = "a page with a button", content_type = "text/html"),
        (status = 404, description = "not-found", body = crate::problem::Document),
    ))]
pub(crate) async fn ask(
    context: web::Data<Context>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    read_token(&context.hasher, &token)?;
    let language = language(&request);
    let mut body = String::new();
    html::paragraph(&mut body, &text(language, "mail-opt-out-ask", &[]));
    let button = html::escaped(&text(language, "mail-opt-out-do", &[]));
    body.push_str(&format!("<form method=\"post\"><button>{button}</button></form>\n"));
    Ok(page(language, &body))
}

/// No more reminders to this address
///
/// From the page's button, or from a mail program on its reader's word (RFC 8058 section 3.1). Doing it again changes
/// nothing.
#[utoipa::path(post, path = "/unsubscribe/{token}", tag = "applicants", operation_id = "unsubscribe",
    params(("token" = String, Path, description = "as in the mail")),
    responses(
        (status = 200, description = "done", content_type = "text/html"),
        (status = 404, description = "not-found", body = crate::problem::Document),
    ))]
pub(crate) async fn opt_out(
    context: web::Data<Context>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let hash = read_token(&context.hasher, &token)?;
    let now = context.now();
    context.write(move |connection| Ok(mail_opt_outs::add(connection, &hash, now)?)).await?;
    let language = language(&request);
    let mut body = String::new();
    html::paragraph(&mut body, &text(language, "mail-opt-out-done", &[]));
    Ok(page(language, &body))
}

fn page(language: Language, body: &str) -> HttpResponse {
    let title = text(language, "mail-opt-out-title", &[]);
    // The one style is the body's own; the form goes where it came from.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; \
                  frame-ancestors 'none'";
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(html::document(language, &title, body))
}
