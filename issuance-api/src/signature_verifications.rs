//! Is this document signed, by whom, and did their certificate hold then? For everybody, about certificates of this CA.

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::Timestamp;
use ca_core::path::path;
use ca_core::revocation::Status;
use ca_core::signed_document::{SignatureRefusal, Signed};
use ca_core::statement::StatementRefusal;
use config::Language;
use config::texts::text_or;
use serde::{Deserialize, Serialize};
use store::certificates::{self, StoredCertificate};
use store::issuers;
use store::{Connection, StoreError};

use crate::certificates::CertificateView;
use crate::context::Context;
use crate::json::{collect, declared_length, parse};
use crate::problem::{Kind, Problem, only};
use crate::request::language;

/// Largest request: a document and its signature in Base64.
const LIMIT: usize = 16 * 1024 * 1024;

/// A signed document.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerificationForm {
    /// CMS SignedData (RFC 5652) of one signer, DER, BER or PEM, in Base64.
    #[schema(value_type = String, required = true)]
    signature: Option<String>,
    /// The document in Base64, if it is not in the signature.
    content: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SignatureVerification {
    /// The signature is right and the certificate held when it was made.
    valid: bool,
    /// What is not right, the first thing first.
    findings: Vec<Finding>,
    /// The signer's certificate, if this CA issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<CertificateView>,
    /// When it was signed, as the signer's own clock said: nothing proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    signed_at: Option<Timestamp>,
    /// The moment that the certificate was judged at: `signed_at`, else now.
    #[schema(value_type = String, format = DateTime)]
    judged_at: Timestamp,
}

/// Something that is not right.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SignatureFinding)]
pub(crate) struct Finding {
    /// The rule's name, stable.
    rule: &'static str,
    /// In the reader's language.
    detail: String,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/signature-verifications")
            .route(web::post().to(verify))
            .default_service(only("POST")),
    );
}

/// Verify a signed document
///
/// Structure, signature, path to the root and status of the certificate when it was signed. Documents are not kept. At most 16 MiB.
#[utoipa::path(post, path = "/api/v1/signature-verifications", tag = "certificates", operation_id = "verify_signature",
    request_body = VerificationForm,
    responses(
        (status = 200, description = "what was found", body = SignatureVerification),
        (status = 413, description = "payload-too-large", body = crate::problem::Document),
        (status = 422, description = "invalid-fields", body = crate::problem::Document),
    ))]
pub(crate) async fn verify(
    context: web::Data<Context>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Kind::UnsupportedMediaType));
    }
    let body = collect(payload.into_inner(), declared_length(&request), LIMIT).await?;
    let form: VerificationForm = parse(&body)?;
    let signature = form.signature.ok_or_else(|| Problem::field("/signature", "required"))?;
    let signature = octets("/signature", &signature)?;
    let content = form.content.map(|content| octets("/content", &content)).transpose()?;
    let judged = web::block(move || judge(&signature, content.as_deref())).await?;
    let (now, reader) = (context.now(), language(&request));
    let view = context.read(move |connection| Ok(judged.against(connection, reader, now)?)).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(view))
}

fn octets(pointer: &'static str, text: &str) -> Result<Vec<u8>, Problem> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|_| Problem::field(pointer, "not-base64"))
}

/// The document by itself, before anybody is asked about its certificate.
struct Judged {
    signed: Option<Signed>,
    rules: Vec<&'static str>,
}

fn judge(signature: &[u8], content: Option<&[u8]>) -> Judged {
    let signed = match Signed::read(signature) {
        Ok(signed) => signed,
        Err(refusal) => return Judged { signed: None, rules: vec![refusal.name()] },
    };
    let verified = match (content, signed.content.as_deref()) {
        // What is inside is what was signed; a document beside it has to be the same.
        (Some(given), Some(inside)) if given != inside => {
            Err(SignatureRefusal::Statement(StatementRefusal::OtherContent).name())
        }
        (Some(content), _) | (None, Some(content)) => signed.verify(content).map_err(SignatureRefusal::name),
        (None, None) => Err("signature-content-missing"),
    };
    Judged { rules: verified.err().into_iter().collect(), signed: Some(signed) }
}

impl Judged {
    fn against(
        self,
        connection: &mut Connection,
        language: Language,
        now: Timestamp,
    ) -> Result<SignatureVerification, StoreError> {
        let mut rules = self.rules;
        let signed_at = self.signed.as_ref().and_then(Signed::signing_time);
        // A time to come proves even less than one that has passed.
        let judged_at = signed_at.filter(|at| *at <= now).unwrap_or(now);
        let signer = match &self.signed {
            Some(signed) => signer(connection, signed)?,
            None => None,
        };
        match (&self.signed, &signer) {
            (Some(signed), Some(stored)) => rules.extend(standing(connection, signed, stored, judged_at)?),
            (Some(_), None) => rules.push("signature-unknown-signer"),
            (None, _) => {}
        }
        let said = |rule: &'static str| Finding { rule, detail: text_or(language, rule, &[], rule) };
        Ok(SignatureVerification {
            valid: rules.is_empty(),
            findings: rules.into_iter().map(said).collect(),
            signer: signer.map(|stored| CertificateView::of(&stored, false, true, now)),
            signed_at,
            judged_at,
        })
    }
}

/// The signer's certificate in the register, octet for octet.
fn signer(connection: &mut Connection, signed: &Signed) -> Result<Option<StoredCertificate>, StoreError> {
    let Some(serial) = signed.serial() else { return Ok(None) };
    match certificates::find(connection, &serial) {
        Ok(stored) => Ok(Some(stored).filter(|stored| stored.certificate.der == signed.certificate)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What speaks against the certificate at that moment.
fn standing(
    connection: &mut Connection,
    signed: &Signed,
    stored: &StoredCertificate,
    at: Timestamp,
) -> Result<Option<&'static str>, StoreError> {
    let known = issuers::all(connection)?;
    let all: Vec<&[u8]> = known.iter().map(|issuer| issuer.certificate.as_slice()).collect();
    let roots = known.iter().filter(|issuer| issuer.parent.is_none());
    let mut roots = roots.map(|root| path(&signed.certificate, &all, &root.certificate, at));
    if !roots.any(|found| found.is_ok()) {
        return Ok(Some("signature-not-valid-then"));
    }
    Ok(match stored.status {
        Status::Revoked { since, invalidity_date, .. }
            if invalidity_date.unwrap_or(since).min(since) <= at =>
        {
            Some("signature-revoked-then")
        }
        Status::Suspended { since } if since <= at => Some("signature-suspended"),
        _ => None,
    })
}
