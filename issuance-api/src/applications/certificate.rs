//! The certificate that answers an application, in four forms.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::bundle;
use store::certificates::{self, StoredCertificate};
use store::issuers::{self, Issuer};

use super::named;
use crate::auth::Acting;
use crate::context::Context;
use crate::messenger::compose::end_of;
use crate::negotiation::preferred;
use crate::problem::{Kind, Problem, only};
use crate::request::language;

const DER: &str = "application/pkix-cert";
const PEM: &str = "application/x-pem-file";
const PKCS7: &str = "application/pkcs7-mime";
const CALENDAR: &str = "text/calendar";

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/certificate")
            .route(web::get().to(download))
            .default_service(only("GET")),
    );
}

/// The certificate
///
/// `application/pkix-cert` (DER), `application/x-pem-file` (the certificate and its chain without the root),
/// `application/pkcs7-mime` (certs-only, with the root) or `text/calendar` (its end, with reminders; RFC 5545), as `Accept`
/// prefers.
#[utoipa::path(get, path = "/api/v1/applications/{id}/certificate", tag = "applications",
    operation_id = "certificate_of_application", security(("applicant" = []), ("officer" = [])),
    params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the certificate", content(
            (Vec<u8> = "application/pkix-cert"),
            (String = "application/x-pem-file"),
            (Vec<u8> = "application/pkcs7-mime"),
            (String = "text/calendar"),
        )),
        (status = 404, description = "not-found; while it is not signed yet, with the state and whose move it is", body = crate::problem::Document),
        (status = 406, description = "not-acceptable", body = crate::problem::Document),
    ))]
pub(crate) async fn download(
    context: web::Data<Context>,
    request: HttpRequest,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let accepted = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let accepted = accepted.collect::<Vec<_>>().join(",");
    let form = preferred(&accepted, &[DER, PEM, PKCS7, CALENDAR]);
    let (certificate, issuers) = context
        .read(move |connection| {
            let stored = acting.find(connection, id)?;
            let state = stored.application.state;
            let found = certificates::of_application(connection, id)?;
            let certificate = found.ok_or_else(|| Problem::new(Kind::NotFound).in_state(state))?;
            Ok((certificate, issuers::all(connection)?))
        })
        .await?;
    let form = form.ok_or_else(|| Problem::new(Kind::NotAcceptable))?;
    let chain = chain(&certificate, &issuers);
    let (body, extension) = match form {
        PEM => {
            (bundle::pem(chain.iter().filter(|link| !link.is_root).map(|link| link.der)).into_bytes(), "pem")
        }
        PKCS7 => (bundle::certs_only(chain.iter().map(|link| link.der)).map_err(Problem::internal)?, "p7c"),
        CALENDAR => {
            let stamp = certificate.certificate.not_before;
            let event = end_of(&certificate, language(&request), stamp, &context.settings);
            (event.calendar().into_bytes(), "ics")
        }
        _ => (certificate.certificate.der.clone(), "cer"),
    };
    let content_type = if form == PKCS7 { "application/pkcs7-mime; smime-type=certs-only" } else { form };
    let name = format!("attachment; filename=\"{}.{extension}\"", certificate.certificate.serial);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body))
}

struct Link<'a> {
    der: &'a [u8],
    is_root: bool,
}

/// The certificate, who signed it, who signed that, up to the root.
fn chain<'a>(certificate: &'a StoredCertificate, issuers: &'a [Issuer]) -> Vec<Link<'a>> {
    let mut links = vec![Link { der: &certificate.certificate.der, is_root: false }];
    let mut above = Some(certificate.certificate.issuer.as_str());
    // No chain is longer than there are issuers, even if the records went in a circle.
    for _ in issuers {
        let Some(issuer) = issuers.iter().find(|issuer| Some(issuer.id.as_str()) == above) else { break };
        links.push(Link { der: &issuer.certificate, is_root: issuer.parent.is_none() });
        above = issuer.parent.as_deref();
    }
    links
}
