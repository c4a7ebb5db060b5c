//! Pictures and papers of an application: checked, drawn anew, sealed, and only then kept.

use std::sync::Arc;

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev, web};
use ca_core::Timestamp;
use ca_core::application::{ApplicationId, DocumentKind};
use futures_util::future::LocalBoxFuture;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use store::data_keys;
use store::documents::{self, Document};

use super::view::{self, ApplicationView};
use super::{Reader, editable, named};
use crate::auth::{Acting, Then, sha256};
use crate::context::Context;
#[cfg(test)]
use crate::evidence;
use crate::evidence::child::Purpose;
use crate::evidence::{Evidence, Format};
use crate::json::{collect, declared_length, limit};
use crate::problem::{Kind, Problem, only};
use crate::vault::DataKey;

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/documents/{kind}")
            .route(web::put().to(put))
            .default_service(only("PUT")),
    );
}

/// A document as it was sent, of a kind and a type that may be sent.
pub(crate) struct Upload {
    kind: DocumentKind,
    format: Format,
    bytes: Vec<u8>,
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let kind = request.match_info().get("kind").and_then(|kind| kind.parse::<DocumentKind>().ok());
        let format = Format::of_media_type(request.content_type());
        let most = limit(request, |context| context.settings.http.max_document_bytes);
        let length = declared_length(request);
        let payload = payload.take();
        Box::pin(async move {
            let kind = kind.ok_or_else(|| Problem::new(Kind::NotFound))?;
            let format = format
                .filter(|format| *format != Format::Pdf || kind == DocumentKind::PowerOfAttorney)
                .ok_or_else(|| Problem::new(Kind::UnsupportedMediaType))?;
            let bytes = collect(payload, length, most).await?;
            Ok(Self { kind, format, bytes })
        })
    }
}

/// Hand in a document
///
/// A picture is drawn anew, without its metadata. A later document takes the place of an earlier one of its kind.
#[utoipa::path(put, path = "/api/v1/applications/{id}/documents/{kind}", tag = "applications",
    operation_id = "put_document", security(("applicant" = []), ("officer" = [])),
    params(
        ("id" = String, Path, description = "the application"),
        ("kind" = String, Path, description = "photo, selfie or power-of-attorney"),
    ),
    request_body(content(
        (Vec<u8> = "image/jpeg"),
        (Vec<u8> = "image/png"),
        (Vec<u8> = "application/pdf"),
    ), description = "at most 5 MB and 40 megapixels; a PDF only as a power of attorney"),
    responses(
        (status = 200, description = "the application", body = ApplicationView),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 409, description = "wrong-state", body = crate::problem::Document),
        (status = 413, description = "payload-too-large", body = crate::problem::Document),
        (status = 415, description = "unsupported-media-type", body = crate::problem::Document),
        (status = 422, description = "document-refused", body = crate::problem::Document),
    ))]
pub(crate) async fn put(
    context: web::Data<Context>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    Then(acting, upload): Then<Acting, Upload>,
) -> Result<HttpResponse, Problem> {
    let id = named(&path.0)?;
    let reader = Reader::of(&context, &request);
    let asking = acting.clone();
    context.read(move |connection| editable(connection, &asking, id).map(drop)).await?;
    let kind = upload.kind;
    let evidence = take(&context, upload).await?;
    let document = keep(&context, id, kind, evidence, reader.now).await?;
    let new_object = Path::from(document.object_key.as_str());
    let document = Arc::new(document);
    let written = context
        .decide(move |connection| {
            editable(connection, &acting, id)?;
            let earlier = documents::put(connection, &document, &acting.actor().to_string(), reader.now)?;
            Ok((earlier, view::of(connection, id, &reader)?))
        })
        .await;
    match written {
        Ok((earlier, view)) => {
            if let Some(earlier) = earlier {
                forget(&context, &Path::from(earlier)).await;
            }
            Ok(HttpResponse::Ok().json(view))
        }
        Err(refused) => {
            forget(&context, &new_object).await;
            Err(refused)
        }
    }
}

/// Checks and draws anew, a few pictures at a time.
async fn take(context: &Context, upload: Upload) -> Result<Evidence, Problem> {
    let permit = Arc::clone(&context.decoders).acquire_owned().await.map_err(Problem::internal)?;
    let taken = web::block(move || {
        let Upload { kind, format, bytes } = upload;
        let purpose = match kind {
            DocumentKind::PowerOfAttorney => Purpose::Paper,
            DocumentKind::Photo | DocumentKind::Selfie => Purpose::Picture,
        };
        let taken = decode(purpose, format, bytes);
        drop(permit);
        taken
    })
    .await?;
    taken.map_err(Problem::internal)?.map_err(|refusal| {
        let text = format!("document-{}", refusal.name());
        Problem::new(Kind::DocumentRefused).because("", text, &refusal.to_string())
    })
}

#[cfg(not(test))]
use crate::evidence::child::take as decode;

/// The tests in this crate are no `muhr` that could be started again; those in `tests/` are served by one.
#[cfg(test)]
fn decode(
    purpose: Purpose,
    format: Format,
    bytes: Vec<u8>,
) -> std::io::Result<Result<Evidence, evidence::Refusal>> {
    Ok(purpose.take(format, &bytes))
}

/// Seals it and puts it where nobody could guess it.
async fn keep(
    context: &Context,
    application: ApplicationId,
    kind: DocumentKind,
    evidence: Evidence,
    now: Timestamp,
) -> Result<Document, Problem> {
    let key = data_key(context, application).await?;
    let sealed = key.seal(kind, &evidence.bytes).map_err(Problem::internal)?;
    let object_key = new_object_key();
    let stored = context.documents.put(&Path::from(object_key.as_str()), PutPayload::from(sealed)).await;
    stored.map_err(|error| cannot_keep(&error))?;
    Ok(Document {
        application,
        kind,
        media_type: evidence.format.media_type().to_owned(),
        size_bytes: i64::try_from(evidence.bytes.len()).unwrap_or(i64::MAX),
        sha256: sha256(&evidence.bytes).to_vec(),
        object_key,
        uploaded_at: now,
    })
}

/// The key of an application; one of before there were any gets it now.
async fn data_key(context: &Context, application: ApplicationId) -> Result<DataKey, Problem> {
    let vault = Arc::clone(&context.vault);
    let known = context.read(move |connection| match data_keys::of(connection, application)? {
        Some(sealed) => Ok(Some(vault.unwrap(application, &sealed.key)?)),
        None => Ok(None),
    });
    if let Some(key) = known.await? {
        return Ok(key);
    }
    let vault = Arc::clone(&context.vault);
    context.decide(move |connection| vault.key_of(connection, application)).await
}

/// A name that nobody could guess.
pub(crate) fn new_object_key() -> String {
    let name = uuid::Uuid::new_v4().simple().to_string();
    format!("{}/{name}", &name[..2])
}

/// An object that no row names is only waste: that it stays is no reason to refuse anything.
async fn forget(context: &Context, object: &Path) {
    if let Err(error) = context.documents.delete(object).await {
        tracing::warn!(%error, "a replaced document could not be deleted");
    }
}

fn cannot_keep(error: &object_store::Error) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(reason) = cause {
        let full = reason.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        });
        if full {
            tracing::error!("no space left for documents");
            return Problem::new(Kind::StorageFull).after(60);
        }
        cause = reason.source();
    }
    Problem::internal(error)
}
