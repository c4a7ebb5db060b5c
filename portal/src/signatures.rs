//! Is this document signed? For everybody.

use actix_multipart::form::MultipartForm;
use actix_multipart::form::bytes::Bytes;
use actix_multipart::form::text::Text;
use actix_web::{HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::Portal;
use crate::api::Failure;
use crate::certificates::Certificate;
use crate::form::Objections;
use crate::page::{Page, show};
use crate::visitor::Visitor;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/signatures", web::get().to(ask)).route("/signatures", web::post().to(judge));
}

/// What the API found.
#[derive(Debug, Deserialize)]
struct Verification {
    valid: bool,
    findings: Vec<Finding>,
    signer: Option<Certificate>,
    signed_at: Option<Timestamp>,
    judged_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Finding {
    detail: String,
}

#[derive(Template)]
#[template(path = "signatures.html")]
struct SignaturesPage {
    p: Page,
    found: Option<Verification>,
    objections: Objections,
}

/// A signature, and the document if it is not inside.
#[derive(MultipartForm)]
struct Signed {
    csrf: Text<String>,
    signature: Bytes,
    content: Option<Bytes>,
}

async fn ask(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let (p, objections) = (portal.page(&visitor), Objections::default());
    show(&visitor, &SignaturesPage { p, found: None, objections })
}

async fn judge(
    portal: web::Data<Portal>,
    visitor: Visitor,
    MultipartForm(signed): MultipartForm<Signed>,
) -> Result<HttpResponse, Failure> {
    if !visitor.gave(&signed.csrf) {
        return Err(Failure::ForeignForm);
    }
    // A field for a file that nobody chose is sent empty.
    let content = signed.content.filter(|content| !content.data.is_empty());
    let body = json!({
        "signature": STANDARD.encode(&signed.signature.data),
        "content": content.map(|content| STANDARD.encode(&content.data)),
    });
    let mut page =
        SignaturesPage { p: portal.page(&visitor), found: None, objections: Objections::default() };
    match portal.api.post(&visitor, "/api/v1/signature-verifications").json(&body).read().await {
        Ok(found) => page.found = Some(found),
        Err(failure) => page.objections = Objections::answerable(failure)?,
    }
    show(&visitor, &page)
}
