//! The statement an applicant signs, and the submission that may carry it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::application::{Fact, Refusal};
use ca_core::csr::public_key_of;
use ca_core::statement::{Statement, statement_text, verify};
use serde::Deserialize;
use store::applications::{self, StoredApplication};
use store::turns;

use super::view::ApplicationView;
use super::{Reader, moved, named, renewal};
use crate::auth::{Acting, Then};
use crate::context::Context;
use crate::json::Json;
use crate::problem::{Kind, Problem, only};

/// What a submission may carry.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmissionForm {
    /// The statement signed with the key of the certification request: CMS SignedData in DER, Base64.
    statement_cms: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/statement")
            .route(web::get().to(statement))
            .default_service(only("GET")),
    )
    .service(
        web::resource("/v1/applications/{id}/submission")
            .route(web::post().to(submit))
            .default_service(only("POST")),
    );
}

/// The statement to sign
///
/// The exact octets; a signing tool must not change line ends (`openssl cms -sign -binary`).
#[utoipa::path(get, path = "/api/v1/applications/{id}/statement", tag = "applications", operation_id = "statement",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the statement", content_type = "text/plain", body = String),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 409, description = "submission-incomplete: there is no certification request yet", body = crate::problem::Document),
    ))]
pub(crate) async fn statement(
    context: web::Data<Context>,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let text = context
        .read(move |connection| {
            let stored = acting.find(connection, id)?;
            statement_of(&stored)
        })
        .await?;
    Ok(to_sign(text))
}

/// Octets that somebody signs as they are.
pub(crate) fn to_sign(text: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text)
}

/// Hand the application in
///
/// Everything in `missing` must be there. A signed statement is verified under the key of the certification request.
#[utoipa::path(post, path = "/api/v1/applications/{id}/submission", tag = "applications", operation_id = "submit",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body = SubmissionForm,
    responses(
        (status = 200, description = "the application, under review", body = ApplicationView),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 409, description = "wrong-state, submission-incomplete", body = crate::problem::Document),
        (status = 422, description = "statement-refused", body = crate::problem::Document),
    ))]
pub(crate) async fn submit(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(acting, Json(form)): Then<Acting, Json<SubmissionForm>>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let cms = form.statement_cms.map(|text| decode("/statement_cms", &text)).transpose()?;
    let view = context
        .decide(move |connection| {
            // With a new certification request: see `csr::put`.
            turns::take(connection, &format!("application/{id}"))?;
            let stored = acting.find(connection, id)?;
            // What is no draft any more keeps what it was submitted with.
            stored.application.edit()?;
            if stored.application.facts.renewal_signed && !renewal::still_counts(connection, id, reader.now)?
            {
                // Forgetting it has to last, so the refusal does not undo this transaction.
                let stored = acting.find(connection, id)?;
                return match stored.application.submit(acting.actor(), reader.now) {
                    Err(refusal) => Ok(Err(refusal.into())),
                    Ok(_) => Ok(Err(Problem::new(Kind::Conflict))),
                };
            }
            let transition = stored.application.submit(acting.actor(), reader.now)?;
            if let Some(cms) = &cms {
                check(cms, &stored)?;
                applications::set_statement(connection, id, cms)?;
            }
            Ok(Ok(moved(connection, &transition, &reader)?))
        })
        .await??;
    Ok(HttpResponse::Ok().json(view))
}

/// The octets of a field of Base64, which may be broken into lines.
///
/// # Errors
/// 422.
pub(crate) fn decode(pointer: &'static str, text: &str) -> Result<Vec<u8>, Problem> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|_| Problem::field(pointer, "not-base64"))
}

fn check(cms: &[u8], stored: &StoredApplication) -> Result<(), Problem> {
    let csr = stored.csr.as_deref().ok_or_else(no_csr)?;
    let key = public_key_of(csr).map_err(Problem::internal)?;
    verify(cms, &statement_of(stored)?, &key).map_err(|refusal| {
        let text = refusal.name().to_owned();
        Problem::new(Kind::StatementRefused).because("/statement_cms", text, &refusal.to_string())
    })
}

/// The statement names the key, so there is none before there is a request.
pub(super) fn statement_of(stored: &StoredApplication) -> Result<Vec<u8>, Problem> {
    let csr = stored.csr.as_deref().ok_or_else(no_csr)?;
    let application = &stored.application;
    Ok(statement_text(&Statement {
        application: &application.id.to_string(),
        subject_type: application.subject_type().as_str(),
        pinfl: application.subject.person().pinfl.as_str(),
        stir: application.subject.stir().map(|stir| stir.as_str()),
        key_sha256: public_key_of(csr).map_err(Problem::internal)?.sha256(),
        purpose: &stored.purpose,
        created_at: application.created_at,
    }))
}

/// What is signed names the key, so there is nothing to sign before there is a request.
pub(super) fn no_csr() -> Problem {
    Refusal::Incomplete(vec![Fact::Csr]).into()
}
