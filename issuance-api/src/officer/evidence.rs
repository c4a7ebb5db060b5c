//! The bytes of an applicant's documents, for the officer who decides. Every look leaves an audit entry with its reason.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use ca_core::application::{DocumentKind, Role, State};
use serde::Deserialize;
use store::{audit, documents};

use super::applications::visible;
use crate::applications::named;
use crate::auth::SignedIn;
use crate::context::Context;
use crate::custody;
use crate::problem::{Document, Kind, Problem, only};

/// Why somebody looks who is not reviewing the application.
const REASONS: [&str; 4] = ["complaint", "authority", "inspection", "owner"];

/// Why the officer looks.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Look {
    /// `complaint`, `authority` (a court or another authority asks), `inspection` or `owner` (the person asks). A reviewer
    /// of an application under review needs none.
    reason: Option<String>,
}

impl Look {
    /// The reason to be written down.
    ///
    /// # Errors
    /// 422 if there is none, or one that nobody may have.
    fn reason(&self, officer: &SignedIn, state: State) -> Result<&'static str, Problem> {
        let reviews = officer.officer.role == Role::Reviewer && state == State::UnderReview;
        match self.reason.as_deref().filter(|reason| !reason.is_empty()) {
            None if reviews => Ok("review"),
            None => Err(Problem::field("/reason", "required")),
            Some(stated) => {
                let known = REASONS.into_iter().find(|reason| *reason == stated);
                known.ok_or_else(|| Problem::field("/reason", "not-a-choice"))
            }
        }
    }
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/applications/{id}/documents/{kind}")
            .route(web::get().to(get))
            .default_service(only("GET")),
    );
}

/// A document
#[utoipa::path(get, path = "/api/v1/officer/applications/{id}/documents/{kind}", tag = "officers",
    operation_id = "evidence", security(("officer" = [])),
    params(
        ("id" = String, Path, description = "the application"),
        ("kind" = String, Path, description = "photo, selfie or power-of-attorney"),
        Look,
    ),
    responses(
        (status = 200, description = "the bytes", content(
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/png"),
            (Vec<u8> = "application/pdf"),
        )),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 422, description = "invalid-fields: the reason is lacking or unknown", body = Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    officer: SignedIn,
    path: web::Path<(String, String)>,
    look: web::Query<Look>,
) -> Result<HttpResponse, Problem> {
    let id = named(&path.0)?;
    let kind: DocumentKind = path.1.parse().map_err(|()| Problem::new(Kind::NotFound))?;
    let now = context.now();
    let document = context
        .write(move |connection| {
            let stored = visible(connection, &officer, id)?;
            let reason = look.reason(&officer, stored.application.state)?;
            let found = documents::of(connection, id)?.into_iter().find(|document| document.kind == kind);
            let document = found.ok_or_else(|| Problem::new(Kind::NotFound))?;
            let entry = audit::Entry {
                at: now,
                actor: officer.actor(),
                action: "evidence.view".to_owned(),
                object: format!("application:{id}"),
                details: serde_json::json!({ "kind": kind.as_str(), "reason": reason }),
            };
            audit::record(connection, &[entry])?;
            Ok(document)
        })
        .await?;
    let opened = custody::open(&context, &document).await?;
    let extension = match document.media_type.as_str() {
        "image/png" => "png",
        "application/pdf" => "pdf",
        _ => "jpg",
    };
    let disposition = format!("attachment; filename=\"{}-{id}.{extension}\"", kind.as_str());
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, document.media_type))
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(opened.to_vec()))
}
