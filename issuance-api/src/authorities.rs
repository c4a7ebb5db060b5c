//! The certification authorities of this service: whom relying parties trust, and where their lists are.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use config::settings::Issuance;
use serde::Serialize;
use store::issuers::{self, Issuer};

use crate::context::Context;
use crate::problem::{Problem, only};

/// A certification authority.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuthorityView {
    /// Its short name, as in the addresses below: `root`, `ca`, and for its successors `ca-2` and so on.
    id: String,
    /// `root` or `issuing`.
    kind: String,
    /// The subject of its certificate (RFC 4514).
    subject: String,
    /// Start of validity.
    #[schema(value_type = String)]
    not_before: Timestamp,
    /// End of validity.
    #[schema(value_type = String)]
    not_after: Timestamp,
    /// SHA-256 of the certificate, lower-case hexadecimal. Compare a root's with what you have from elsewhere.
    sha256: String,
    /// The certificate, DER.
    certificate_url: String,
    /// Its full CRL, undivided.
    crl_url: String,
    /// Since when its successor issues instead of it. Its status services go on.
    #[schema(value_type = Option<String>)]
    retired_at: Option<Timestamp>,
    /// Since when nothing is signed with its key any more; its last CRL holds for ever.
    #[schema(value_type = Option<String>)]
    key_destroyed_at: Option<Timestamp>,
}

/// Certification authorities.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuthorityList {
    items: Vec<AuthorityView>,
    /// Always null: there is one page.
    next: Option<String>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/authorities").route(web::get().to(list)).default_service(only("GET")));
}

/// Certification authorities
///
/// The root and the issuing CAs of this service, those before the present one included.
#[utoipa::path(get, path = "/api/v1/authorities", tag = "public", operation_id = "authorities",
    responses((status = 200, description = "the root, then the issuing CAs in the order in which they came", body = AuthorityList)))]
pub(crate) async fn list(context: web::Data<Context>) -> Result<HttpResponse, Problem> {
    let issuers = context.read(|connection| Ok(issuers::all(connection)?)).await?;
    let issuance = &context.settings.issuance;
    let items = issuers.into_iter().map(|issuer| AuthorityView::new(issuer, issuance)).collect();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(AuthorityList { items, next: None }))
}

impl AuthorityView {
    fn new(issuer: Issuer, issuance: &Issuance) -> Self {
        let urls = issuance.urls(&issuer.id);
        Self {
            sha256: hex::encode(ca_core::digest::sha256(&issuer.certificate)),
            certificate_url: urls.ca_issuers,
            crl_url: urls.crl,
            id: issuer.id,
            kind: issuer.kind,
            subject: issuer.subject,
            not_before: issuer.not_before,
            not_after: issuer.not_after,
            retired_at: issuer.retired_at,
            key_destroyed_at: issuer.key_destroyed_at,
        }
    }
}
