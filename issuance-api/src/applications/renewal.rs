//! A certificate is renewed before it ends: its holder applies with what is known, and may sign with its key.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{Actor, ApplicationId};
use ca_core::csr::{SubjectPublicKey, public_key_of};
use ca_core::fee::Channel;
use ca_core::revocation::Status;
use ca_core::statement::verify;
use serde::Deserialize;
use store::applications::{self, NewApplication};
use store::certificates::{self, StoredCertificate};
use store::{Connection, data_keys, renewals, turns};

use super::form::offer_objection;
use super::submission::{decode, no_csr, statement_of};
use super::view::{self, ApplicationView};
use super::{Reader, Registration, created, named};
use crate::auth::{Acting, Applicant, Then};
use crate::context::Context;
use crate::json::Json;
use crate::limits::Counted;
use crate::problem::{Document, Kind, Problem, only};
use crate::request::address;

/// What renewing takes: the rest is known.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewalForm {
    /// Must be true.
    #[schema(value_type = bool, required = true)]
    offer_accepted: Option<bool>,
}

/// A statement signed with the key of the certificate that is renewed.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewalSignature {
    /// The application's statement: CMS SignedData in DER, Base64.
    #[schema(value_type = String, required = true)]
    statement_cms: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/certificates/{serial}/renewal")
            .route(web::post().to(renew))
            .default_service(only("POST")),
    )
    .service(
        web::resource("/v1/applications/{id}/renewal")
            .route(web::put().to(sign))
            .default_service(only("PUT")),
    );
}

/// Renew a certificate before it ends
///
/// Makes a draft of the same subject, at today's price. It needs a new key; with the statement signed by the present key
/// (`PUT /api/v1/applications/{id}/renewal`) it needs no photo and no selfie.
#[utoipa::path(post, path = "/api/v1/certificates/{serial}/renewal", tag = "applications", operation_id = "renew",
    security(("applicant" = [])), params(("serial" = String, Path, description = "lower-case hex")),
    request_body = RenewalForm,
    responses(
        (status = 201, description = "a draft", body = ApplicationView),
        (status = 404, description = "not-found: there is none, or it is somebody else's", body = Document),
        (status = 409, description = "not-renewable, too-many-open-applications", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn renew(
    context: web::Data<Context>,
    request: HttpRequest,
    serial: web::Path<String>,
    Then(applicant, Json(form)): Then<Applicant, Json<RenewalForm>>,
) -> Result<HttpResponse, Problem> {
    let from = address(&request, &context.settings.http.trusted_proxies);
    context.limits.count(Counted::Application, from)?;
    if let Some(objection) = offer_objection(form.offer_accepted) {
        return Err(Problem::fields(vec![objection]));
    }
    let serial = serial.parse().map_err(|_| Problem::new(Kind::NotFound))?;
    let (inner, reader) = (context.as_ref().clone(), Reader::of(&context, &request));
    let view = context
        .decide(move |connection| {
            let renewed = certificates::find(connection, &serial)?;
            let of = renewed.certificate.application.ok_or_else(|| Problem::new(Kind::NotFound))?;
            let before = Acting::Applicant(applicant.clone()).find(connection, of)?;
            if !is_valid(&renewed, reader.now) {
                return Err(Problem::new(Kind::NotRenewable));
            }
            let mut subject = before.application.subject;
            if let Some(sealed) = data_keys::of(connection, of)? {
                let number = reader.vault.document_number(of, &sealed)?;
                subject.put_document(number);
            }
            let new = NewApplication {
                id: ApplicationId::new(reader.now),
                subject,
                channel: Channel::Online,
                phone: before.phone,
                region: before.region,
                district: before.district,
                email: before.email,
                purpose: before.purpose,
                language: reader.language.tag().to_owned(),
                offer_accepted_at: Some(reader.now),
                registered_by: None,
                registered_partner: None,
                benefit: None,
            };
            let registration = Registration::of(&inner, new, Actor::Applicant, &reader)?;
            registration.make(connection)?;
            let actor = Actor::Applicant.to_string();
            renewals::begin(connection, registration.id(), &renewed, &actor, reader.now)?;
            view::of(connection, registration.id(), &reader)
        })
        .await?;
    Ok(created(view))
}

/// Sign a renewal with the present key
///
/// The application's statement, signed with the key of the certificate that is renewed. Another certification request makes
/// it another statement.
#[utoipa::path(put, path = "/api/v1/applications/{id}/renewal", tag = "applications", operation_id = "sign_renewal",
    security(("applicant" = [])), params(("id" = String, Path, description = "the application")),
    request_body = RenewalSignature,
    responses(
        (status = 200, description = "the application", body = ApplicationView),
        (status = 404, description = "not-found: no such application, or it renews nothing", body = Document),
        (status = 409, description = "wrong-state, submission-incomplete, not-renewable", body = Document),
        (status = 422, description = "invalid-fields, statement-refused", body = Document),
    ))]
pub(crate) async fn sign(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(acting, Json(form)): Then<Acting, Json<RenewalSignature>>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let cms = form.statement_cms.ok_or_else(|| Problem::field("/statement_cms", "required"))?;
    let cms = decode("/statement_cms", &cms)?;
    let view = context
        .decide(move |connection| {
            // With a new certification request, which makes another statement: see `csr::put`.
            turns::take(connection, &format!("application/{id}"))?;
            let stored = acting.find(connection, id)?;
            stored.application.edit()?;
            let renewal = renewals::of(connection, id)?.ok_or_else(|| Problem::new(Kind::NotFound))?;
            if !is_valid(&renewal.certificate, reader.now) {
                return Err(Problem::new(Kind::NotRenewable));
            }
            let key = key_of(connection, &renewal.certificate)?;
            verify(&cms, &statement_of(&stored)?, &key).map_err(|refusal| {
                let rule = refusal.name().to_owned();
                Problem::new(Kind::StatementRefused).because("/statement_cms", rule, &refusal.to_string())
            })?;
            renewals::sign(connection, id, &cms, &acting.actor().to_string(), reader.now)?;
            view::of(connection, id, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// The certified key, from the request that it came in.
fn key_of(connection: &mut Connection, certificate: &StoredCertificate) -> Result<SubjectPublicKey, Problem> {
    let of = certificate.certificate.application.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let csr = applications::find(connection, of)?.csr.ok_or_else(no_csr)?;
    let key = public_key_of(&csr).map_err(Problem::internal)?;
    if key.sha256() == certificate.certificate.spki_sha256 {
        Ok(key)
    } else {
        Err(Problem::internal("the request has another key than its certificate"))
    }
}

/// Only what others may rely on now is renewed, and only its key speaks for its holder.
fn is_valid(certificate: &StoredCertificate, now: Timestamp) -> bool {
    certificate.status == Status::Good && now <= certificate.certificate.not_after
}

/// The signature of a renewal counts at the moment the application is handed in. One whose certificate is no longer valid
/// is forgotten: then the pictures are missing after all.
///
/// # Errors
/// The database's.
pub(super) fn still_counts(
    connection: &mut Connection,
    id: ApplicationId,
    now: Timestamp,
) -> Result<bool, Problem> {
    match renewals::of(connection, id)? {
        Some(renewal) if renewal.signed_at.is_some() && !is_valid(&renewal.certificate, now) => {
            renewals::forget_signature(connection, id, "clock", now)?;
            Ok(false)
        }
        _ => Ok(true),
    }
}
