//! The certification request of an application.

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev, web};
use ca_core::csr::{CertificationRequest, Refusal, check_history};
use futures_util::future::LocalBoxFuture;
use store::{Connection, applications, certificates, turns};

use super::view::{self, ApplicationView};
use super::{Reader, editable, named};
use crate::auth::{Acting, Then};
use crate::context::Context;
use crate::json::{collect, declared_length, limit};
use crate::problem::{Kind, Problem, only};

/// RFC 5967 for DER; PEM has no registered type of its own (RFC 7468), this is what browsers and servers use.
const MEDIA_TYPES: [&str; 2] = ["application/pkcs10", "application/x-pem-file"];

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/csr").route(web::put().to(put)).default_service(only("PUT")),
    );
}

/// A request as it was sent.
pub(crate) struct Body(Vec<u8>);

impl FromRequest for Body {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let most = limit(request, |context| context.settings.http.max_csr_bytes);
        let length = declared_length(request);
        let known = MEDIA_TYPES.iter().any(|known| request.content_type().eq_ignore_ascii_case(known));
        let payload = payload.take();
        Box::pin(async move {
            if !known {
                return Err(Problem::new(Kind::UnsupportedMediaType));
            }
            collect(payload, length, most).await.map(Self)
        })
    }
}

/// Hand in the certification request
///
/// PKCS#10, DER or PEM. Only its key is taken; the subject comes from the application. A later request takes the place of
/// an earlier one.
#[utoipa::path(put, path = "/api/v1/applications/{id}/csr", tag = "applications", operation_id = "put_csr",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body(content(
        (Vec<u8> = "application/pkcs10"),
        (String = "application/x-pem-file"),
    )),
    responses(
        (status = 200, description = "the application", body = ApplicationView),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 409, description = "wrong-state, key-already-used", body = crate::problem::Document),
        (status = 413, description = "payload-too-large", body = crate::problem::Document),
        (status = 415, description = "unsupported-media-type", body = crate::problem::Document),
        (status = 422, description = "csr-refused", body = crate::problem::Document),
    ))]
pub(crate) async fn put(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(acting, Body(body)): Then<Acting, Body>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let asking = acting.clone();
    // Checked before the costly proof as well, so that nobody has foreign keys proved.
    context.read(move |connection| editable(connection, &asking, id).map(drop)).await?;
    let csr = web::block(move || CertificationRequest::parse(&body)).await?.map_err(refused)?;
    let view = context
        .decide(move |connection| {
            // With `submit`: a statement is signed by the key that is there when it is judged.
            turns::take(connection, &format!("application/{id}"))?;
            let stored = editable(connection, &acting, id)?;
            let key = csr.public_key().sha256();
            check_holder(connection, &key, stored.application.subject.person().pinfl.as_str())?;
            applications::set_csr(connection, id, csr.der(), &key, &acting.actor().to_string(), reader.now)?;
            view::of(connection, id, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// One key, one person; a compromised key, nobody.
fn check_holder(connection: &mut Connection, key: &[u8; 32], pinfl: &str) -> Result<(), Problem> {
    turns::take(connection, &format!("key/{}", hex::encode(key)))?;
    check_history(&certificates::uses_of_key(connection, key)?, pinfl).map_err(refused)?;
    if applications::other_holders_of_key(connection, key, pinfl)? {
        return Err(refused(Refusal::KeyOfAnotherPerson));
    }
    Ok(())
}

fn refused(refusal: Refusal) -> Problem {
    let kind = match refusal {
        Refusal::CompromisedKey | Refusal::KeyOfAnotherPerson => Kind::KeyAlreadyUsed,
        _ => Kind::CsrRefused,
    };
    Problem::new(kind).because("", format!("csr-{}", refusal.name()), &refusal.to_string())
}
