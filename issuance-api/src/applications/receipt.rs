//! The receipt: the holder signs with the certified key, so that everybody knows it is theirs and works.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::csr::public_key_of;
use ca_core::statement::{receipt_text, verify};
use serde::Deserialize;
use store::applications::StoredApplication;
use store::certificates;
use store::{Connection, receipts};

use super::submission::{decode, no_csr, to_sign};
use super::view::{self, ApplicationView};
use super::{Reader, named};
use crate::auth::{Acting, Then};
use crate::context::Context;
use crate::json::Json;
use crate::problem::{Kind, Problem, only};

/// A signed receipt.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptForm {
    /// The receipt signed with the certified key: CMS SignedData in DER, Base64.
    #[schema(value_type = String, required = true)]
    receipt_cms: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/receipt")
            .route(web::get().to(text))
            .route(web::post().to(hand_in))
            .default_service(only("GET, POST")),
    );
}

/// The receipt to sign
///
/// The exact octets; a signing tool must not change line ends (`openssl cms -sign -binary`).
#[utoipa::path(get, path = "/api/v1/applications/{id}/receipt", tag = "applications", operation_id = "receipt",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the receipt", content_type = "text/plain", body = String),
        (status = 404, description = "not-found; while there is no certificate yet, with the state and whose move it is", body = crate::problem::Document),
    ))]
pub(crate) async fn text(
    context: web::Data<Context>,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let text = context
        .read(move |connection| {
            let stored = acting.find(connection, id)?;
            receipt_of(connection, &stored)
        })
        .await?;
    Ok(to_sign(text))
}

/// Hand the signed receipt in
///
/// It is verified under the certified key. The first one is kept.
#[utoipa::path(post, path = "/api/v1/applications/{id}/receipt", tag = "applications", operation_id = "hand_in_receipt",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body = ReceiptForm,
    responses(
        (status = 200, description = "the application, with `received_at`", body = ApplicationView),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 422, description = "invalid-fields, statement-refused", body = crate::problem::Document),
    ))]
pub(crate) async fn hand_in(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(acting, Json(form)): Then<Acting, Json<ReceiptForm>>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let cms = form.receipt_cms.ok_or_else(|| Problem::field("/receipt_cms", "required"))?;
    let cms = decode("/receipt_cms", &cms)?;
    let view = context
        .decide(move |connection| {
            let stored = acting.find(connection, id)?;
            let key = public_key_of(stored.csr.as_deref().ok_or_else(no_csr)?).map_err(Problem::internal)?;
            verify(&cms, &receipt_of(connection, &stored)?, &key).map_err(|refusal| {
                let rule = refusal.name().to_owned();
                Problem::new(Kind::StatementRefused).because("/receipt_cms", rule, &refusal.to_string())
            })?;
            receipts::keep(connection, id, &cms, &acting.actor().to_string(), reader.now)?;
            view::of(connection, id, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

fn receipt_of(connection: &mut Connection, stored: &StoredApplication) -> Result<Vec<u8>, Problem> {
    let (id, state) = (stored.application.id, stored.application.state);
    let found = certificates::of_application(connection, id)?;
    let certificate = found.ok_or_else(|| Problem::new(Kind::NotFound).in_state(state))?.certificate;
    Ok(receipt_text(&id.to_string(), &certificate.serial, &certificate.der))
}
