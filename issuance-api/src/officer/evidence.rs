//! The bytes of an applicant's documents, for the officer who decides. Every look leaves an audit entry.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use ca_core::application::DocumentKind;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use store::{audit, documents};

use super::applications::visible;
use crate::applications::documents::sealing_context;
use crate::applications::named;
use crate::auth::SignedIn;
use crate::context::Context;
use crate::problem::{Document, Kind, Problem, only};

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
    ),
    responses(
        (status = 200, description = "the bytes", content(
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/png"),
            (Vec<u8> = "application/pdf"),
        )),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    officer: SignedIn,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let id = named(&path.0)?;
    let kind: DocumentKind = path.1.parse().map_err(|()| Problem::new(Kind::NotFound))?;
    let now = context.now();
    let document = context
        .write(move |connection| {
            visible(connection, &officer, id)?;
            let found = documents::of(connection, id)?.into_iter().find(|document| document.kind == kind);
            let document = found.ok_or_else(|| Problem::new(Kind::NotFound))?;
            let entry = audit::Entry {
                at: now,
                actor: officer.actor(),
                action: "evidence.view".to_owned(),
                object: format!("application:{id}"),
                details: serde_json::json!({ "kind": kind.as_str() }),
            };
            audit::record(connection, &[entry])?;
            Ok(document)
        })
        .await?;
    let object = context.documents.get(&Path::from(document.object_key.as_str())).await;
    let sealed = object.map_err(Problem::internal)?.bytes().await.map_err(Problem::internal)?;
    let opened =
        context.sealer.open(sealing_context(id, kind).as_bytes(), &sealed).map_err(Problem::internal)?;
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
