//! The register of certificates, and what takes their validity away or gives it back.
//!
//! The register is public: a relying party who was given a certificate asks by its serial, and reads the certificate that
//! it has in hand anyway. In what can be searched, personal numbers are masked, and the certificates themselves, which
//! hold them, are left out.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::application::Role;
use ca_core::officer_statement::{FIRST, OfficerStatement};
use ca_core::revocation::{Change, Reason, Requester, Status, decide};
use ca_core::{SerialNumber, Timestamp, bundle};
use serde::{Deserialize, Serialize};
use store::Connection;
use store::certificates::{self, Search, StoredCertificate};

use crate::applications::{Reader, status_at, to_sign};
use crate::auth::{Acting, Anybody, SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::{self, List};
use crate::officer::statements;
use crate::problem::{Document, Kind, Problem, only};

/// Fewer letters would find everybody.
const SEARCH_MIN: usize = 3;
const PINFL_DIGITS: usize = 14;
const STIR_DIGITS: usize = 9;

/// A certificate in the register.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Certificate)]
pub(crate) struct CertificateView {
    /// Lower-case hex.
    serial: String,
    /// The short name of the CA that signed it: `/repository/{issuer}.cer`.
    issuer: String,
    /// The subject on one line; personal numbers are masked for all but its holder and officers.
    subject: String,
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// `good`, `suspended`, `revoked` or `expired`.
    status: &'static str,
    /// Since when it is suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    suspended_at: Option<Timestamp>,
    /// Since when it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// RFC 5280's name of the reason it was revoked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Since when its key is suspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    invalidity_date: Option<Timestamp>,
    /// The certificate; not in lists for the public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pem: Option<String>,
}

/// What the register is searched for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RegisterQuery {
    /// The beginning of a name (three letters or more) or a whole STIR; for officers also a PINFL, or nothing for all.
    subject: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

/// Why a certificate is revoked.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationForm {
    /// RFC 5280's name: `keyCompromise`, `affiliationChanged`, `superseded`, `cessationOfOperation`, `unspecified`; for
    /// officers also `privilegeWithdrawn`.
    #[schema(value_type = String, required = true)]
    reason: Option<String>,
    /// Since when the key is suspected, if known; not in the future.
    #[schema(value_type = Option<String>, format = DateTime)]
    invalidity_date: Option<Timestamp>,
    /// The holder's PINFL: whoever has the phone and does not know it is told so. The portal always asks for it.
    pinfl: Option<String>,
    /// Of an officer: detached CMS (RFC 5652) over the revocation statement, DER in Base64, with the officer's certificate in it.
    signature: Option<String>,
}

/// A change that needs no words but, of an officer, a signature.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusForm {
    /// Of an officer: detached CMS (RFC 5652) over the statement of the change, DER in Base64, with the officer's certificate in it.
    signature: Option<String>,
}

/// What a revocation would say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevocationQuery {
    /// RFC 5280's name.
    reason: Option<String>,
    /// Since when the key is suspected.
    #[param(value_type = Option<String>, format = DateTime)]
    invalidity_date: Option<Timestamp>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    let verb = |verb: &str| web::resource(format!("/v1/certificates/{{serial}}/{verb}"));
    cfg.service(web::resource("/v1/certificates").route(web::get().to(list)).default_service(only("GET")))
        .service(
            web::resource("/v1/certificates/{serial}").route(web::get().to(get)).default_service(only("GET")),
        )
        .service(
            verb("revocation-statement")
                .route(web::get().to(revocation_statement))
                .default_service(only("GET")),
        )
        .service(
            verb("suspension-statement")
                .route(web::get().to(suspension_statement))
                .default_service(only("GET")),
        )
        .service(
            verb("restoration-statement")
                .route(web::get().to(restoration_statement))
                .default_service(only("GET")),
        )
        .service(verb("revocation").route(web::post().to(revoke)).default_service(only("POST")))
        .service(verb("suspension").route(web::post().to(suspend)).default_service(only("POST")))
        .service(verb("restoration").route(web::post().to(restore)).default_service(only("POST")));
}

/// Search the register, newest first
#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", operation_id = "register",
    security((), ("applicant" = []), ("officer" = [])), params(RegisterQuery),
    responses(
        (status = 200, description = "a page", body = List<CertificateView>),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    who: Anybody,
    query: web::Query<RegisterQuery>,
) -> Result<HttpResponse, Problem> {
    let limit = list::limit(query.limit.as_deref())?;
    let before: Option<i64> = list::after(query.after.as_deref())?;
    let officer = matches!(who, Anybody::Officer(_));
    let search = search(query.subject.as_deref().unwrap_or_default().trim(), officer)?;
    let now = context.now();
    let page = context
        .read(move |connection| Ok(certificates::search(connection, &search, before, limit)?))
        .await?
        .map(|stored| CertificateView::of(&stored, officer, officer, now));
    Ok(HttpResponse::Ok().json(List::from(page)))
}

/// One certificate and its status
///
/// Signed answers about the status are given by OCSP and the CRL that the certificate names.
#[utoipa::path(get, path = "/api/v1/certificates/{serial}", tag = "certificates", operation_id = "certificate",
    security((), ("applicant" = []), ("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex")),
    responses(
        (status = 200, description = "the certificate", body = CertificateView),
        (status = 404, description = "not-found", body = Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    who: Anybody,
    serial: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let serial = named(&serial)?;
    let now = context.now();
    let view = context
        .read(move |connection| {
            let stored = certificates::find(connection, &serial)?;
            let unmasked = match who {
                Anybody::Officer(_) => true,
                Anybody::Applicant(holder) => is_holder(connection, &serial, &holder.phone)?,
                Anybody::Public => false,
            };
            Ok(CertificateView::of(&stored, unmasked, true, now))
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Revoke, for ever
///
/// By its holder (the phone that applied) or an officer in the revocation role. Visible in OCSP within a second, in the
/// CRL within ten.
#[utoipa::path(post, path = "/api/v1/certificates/{serial}/revocation", tag = "certificates", operation_id = "revoke",
    security(("applicant" = []), ("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex")), request_body = RevocationForm,
    responses(
        (status = 200, description = "revoked", body = CertificateView),
        (status = 403, description = "forbidden: the role or the reason", body = Document),
        (status = 404, description = "not-found: there is none, or it is somebody else's", body = Document),
        (status = 409, description = "status-change-refused", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn revoke(
    context: web::Data<Context>,
    request: HttpRequest,
    serial: web::Path<String>,
    Then(acting, Json(form)): Then<Acting, Json<RevocationForm>>,
) -> Result<HttpResponse, Problem> {
    let RevocationForm { reason, invalidity_date, pinfl, signature } = form;
    let change = revocation(reason.as_deref(), invalidity_date)?;
    let given = Given { pinfl: pinfl.map(|pinfl| pinfl.trim().to_owned()), signature };
    apply(&context, &request, acting, named(&serial)?, change, given).await
}

fn revocation(reason: Option<&str>, invalidity_date: Option<Timestamp>) -> Result<Change, Problem> {
    let named = reason.map(str::trim).unwrap_or_default();
    let unknown = || Problem::field("/reason", if named.is_empty() { "required" } else { "reason-unknown" });
    let reason: Reason = named.parse().map_err(|_| unknown())?;
    Ok(Change::Revoke { reason, invalidity_date })
}

/// What an officer signs to revoke
///
/// The exact bytes. They hold for 15 minutes, or until an officer signs something else about the certificate.
#[utoipa::path(get, path = "/api/v1/certificates/{serial}/revocation-statement", tag = "certificates",
    operation_id = "revocation_statement", security(("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex"), RevocationQuery),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden: the role or the reason", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "status-change-refused", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn revocation_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    serial: web::Path<String>,
    query: web::Query<RevocationQuery>,
) -> Result<HttpResponse, Problem> {
    let change = revocation(query.reason.as_deref(), query.invalidity_date)?;
    statement(&context, officer, named(&serial)?, change).await
}

/// What an officer signs to suspend
#[utoipa::path(get, path = "/api/v1/certificates/{serial}/suspension-statement", tag = "certificates",
    operation_id = "suspension_statement", security(("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex")),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "status-change-refused", body = Document),
    ))]
pub(crate) async fn suspension_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    serial: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    statement(&context, officer, named(&serial)?, Change::Suspend).await
}

/// What an officer signs to end a suspension
#[utoipa::path(get, path = "/api/v1/certificates/{serial}/restoration-statement", tag = "certificates",
    operation_id = "restoration_statement", security(("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex")),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "status-change-refused", body = Document),
    ))]
pub(crate) async fn restoration_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    serial: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    statement(&context, officer, named(&serial)?, Change::Restore).await
}

async fn statement(
    context: &Context,
    officer: SignedIn,
    serial: SerialNumber,
    change: Change,
) -> Result<HttpResponse, Problem> {
    let now = context.now();
    let text = context
        .read(move |connection| {
            let stored = certificates::find(connection, &serial)?;
            let said = said(&stored, change, &officer.officer.login, now);
            let requester = requester(connection, &Acting::Officer(officer), &stored)?;
            decide(stored.status, stored.certificate.not_after, change, requester, now)?;
            statements::offer(connection, &said, now)
        })
        .await?;
    Ok(to_sign(text))
}

/// What an officer says when they change the status of a certificate.
fn said(stored: &StoredCertificate, change: Change, officer: &str, at: Timestamp) -> OfficerStatement {
    let (act, terms) = match change {
        Change::Revoke { reason, invalidity_date } => {
            let since = invalidity_date.map(|date| ("invalidity-date", date.to_string()));
            ("revoke", [("reason", reason.as_str().to_owned())].into_iter().chain(since).collect())
        }
        Change::Suspend => ("suspend", Vec::new()),
        Change::Restore => ("restore", Vec::new()),
    };
    let object = format!("certificate:{}/{}", stored.certificate.issuer, stored.certificate.serial);
    let (act, officer) = (act.to_owned(), officer.to_owned());
    OfficerStatement { act, object, terms, officer, at, previous: FIRST }
}

/// Suspend (certificateHold)
#[utoipa::path(post, path = "/api/v1/certificates/{serial}/suspension", tag = "certificates", operation_id = "suspend",
    security(("applicant" = []), ("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex")), request_body = StatusForm,
    responses(
        (status = 200, description = "suspended", body = CertificateView),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "status-change-refused", body = Document),
    ))]
pub(crate) async fn suspend(
    context: web::Data<Context>,
    request: HttpRequest,
    serial: web::Path<String>,
    Then(acting, Json(StatusForm { signature })): Then<Acting, Json<StatusForm>>,
) -> Result<HttpResponse, Problem> {
    let given = Given { pinfl: None, signature };
    apply(&context, &request, acting, named(&serial)?, Change::Suspend, given).await
}

/// End a suspension
///
/// By an officer in the revocation role: a hold may have been put by one.
#[utoipa::path(post, path = "/api/v1/certificates/{serial}/restoration", tag = "certificates", operation_id = "restore",
    security(("applicant" = []), ("officer" = [])),
    params(("serial" = String, Path, description = "lower-case hex")), request_body = StatusForm,
    responses(
        (status = 200, description = "good again", body = CertificateView),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "status-change-refused", body = Document),
    ))]
pub(crate) async fn restore(
    context: web::Data<Context>,
    request: HttpRequest,
    serial: web::Path<String>,
    Then(acting, Json(StatusForm { signature })): Then<Acting, Json<StatusForm>>,
) -> Result<HttpResponse, Problem> {
    let given = Given { pinfl: None, signature };
    apply(&context, &request, acting, named(&serial)?, Change::Restore, given).await
}

/// What is not the name of a serial is not there.
fn named(serial: &str) -> Result<SerialNumber, Problem> {
    serial.parse().map_err(|_| Problem::new(Kind::NotFound))
}

/// What comes with a change besides the change.
#[derive(Debug, Clone)]
struct Given {
    /// The holder's, if it was asked for.
    pinfl: Option<String>,
    /// An officer's, Base64.
    signature: Option<String>,
}

/// Loads, decides, applies. If somebody else changed the status meanwhile, it is decided anew on what is there now.
async fn apply(
    context: &Context,
    request: &HttpRequest,
    acting: Acting,
    serial: SerialNumber,
    change: Change,
    given: Given,
) -> Result<HttpResponse, Problem> {
    let now = Reader::of(context, request).now;
    let view = context
        .decide(move |connection| {
            let stored = certificates::find(connection, &serial)?;
            let requester = requester(connection, &acting, &stored)?;
            if let Some(said) = &given.pinfl {
                let holder = certificates::holder(connection, &serial)?;
                if holder.is_none_or(|(_, pinfl)| pinfl != *said) {
                    return Err(Problem::field("/pinfl", "pinfl-not-holders"));
                }
            }
            let to = decide(stored.status, stored.certificate.not_after, change, requester, now)?;
            if let Some(officer) = acting.officer() {
                let said = said(&stored, change, &officer.login, now);
                statements::accept(connection, officer, given.signature.as_deref(), &said, now)?;
            }
            certificates::change_status(connection, &stored, to, &acting.actor().to_string(), now)?;
            Ok(CertificateView::of(&StoredCertificate { status: to, ..stored }, true, true, now))
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Who may ask for a change. The CA's own certificates are changed where its key is.
fn requester(
    connection: &mut Connection,
    acting: &Acting,
    stored: &StoredCertificate,
) -> Result<Requester, Problem> {
    match acting {
        Acting::Applicant(applicant) => {
            let theirs = is_holder(connection, &stored.certificate.serial, &applicant.phone)?;
            if theirs { Ok(Requester::Holder) } else { Err(Problem::new(Kind::NotFound)) }
        }
        Acting::Officer(officer) => {
            officer.require(&[Role::Revocation])?;
            let subscriber = stored.certificate.application.is_some();
            if subscriber { Ok(Requester::RevocationOfficer) } else { Err(Problem::new(Kind::Forbidden)) }
        }
        // A partner applies; the certificate is its holder's.
        Acting::Partner(_) => Err(Problem::new(Kind::Forbidden)),
    }
}

fn is_holder(connection: &mut Connection, serial: &SerialNumber, phone: &str) -> Result<bool, Problem> {
    Ok(certificates::holder(connection, serial)?.is_some_and(|(holder, _)| holder == phone))
}

/// What is searched, by what it looks like.
fn search(subject: &str, officer: bool) -> Result<Search, Problem> {
    let digits = subject.bytes().all(|byte| byte.is_ascii_digit());
    match subject.len() {
        0 if officer => Ok(Search::All),
        PINFL_DIGITS if digits && officer => Ok(Search::Pinfl(subject.to_owned())),
        PINFL_DIGITS if digits => Err(Problem::new(Kind::Forbidden)),
        STIR_DIGITS if digits => Ok(Search::Stir(subject.to_owned())),
        _ if digits || subject.chars().count() < SEARCH_MIN => {
            Err(Problem::field("/subject", "search-too-short"))
        }
        _ => Ok(Search::Name(subject.to_owned())),
    }
}

impl CertificateView {
    /// As it is at this moment, personal numbers masked or not.
    pub(crate) fn of(stored: &StoredCertificate, unmasked: bool, with_pem: bool, now: Timestamp) -> Self {
        let certificate = &stored.certificate;
        let (suspended_at, revoked_at, reason, invalidity_date) = match stored.status {
            Status::Good => (None, None, None, None),
            Status::Suspended { since } => (Some(since), None, None, None),
            Status::Revoked { since, reason, invalidity_date } => {
                (None, Some(since), Some(reason.as_str()), invalidity_date)
            }
        };
        Self {
            serial: certificate.serial.to_string(),
            issuer: certificate.issuer.clone(),
            subject: if unmasked { certificate.subject.clone() } else { masked(&certificate.subject) },
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            status: status_at(stored, now),
            suspended_at,
            revoked_at,
            reason,
            invalidity_date,
            pem: with_pem.then(|| bundle::pem([certificate.der.as_slice()])),
        }
    }
}

/// The subject without the digits of PINFL and STIR: of a number of nine or more digits the last two stay, so that
/// somebody who knows it can compare.
fn masked(subject: &str) -> String {
    let mut masked = String::with_capacity(subject.len());
    let mut rest = subject;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(length);
        masked.push_str(before);
        if length >= STIR_DIGITS {
            masked.push_str(&"*".repeat(length - 2));
            masked.push_str(&number[length - 2..]);
        } else {
            masked.push_str(number);
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_numbers_are_masked_and_nothing_else_is() {
        assert_eq!(
            masked("CN=MISOLOV NAMUNA,O=«7 KUN 24» MCHJ,C=UZ,UID=302936161,1.2.860.3.16.1.2=31506801234560"),
            "CN=MISOLOV NAMUNA,O=«7 KUN 24» MCHJ,C=UZ,UID=*******61,1.2.860.3.16.1.2=************60"
        );
        assert_eq!(masked(""), "");
        assert_eq!(masked("12345678"), "12345678");
    }

    #[test]
    fn the_public_searches_by_name_or_stir_and_only_officers_by_pinfl() {
        assert_eq!(search("Mis", false), Ok(Search::Name("Mis".to_owned())));
        assert_eq!(search("Ўқт", false), Ok(Search::Name("Ўқт".to_owned())));
        assert_eq!(search("302936161", false), Ok(Search::Stir("302936161".to_owned())));
        assert_eq!(search("31506801234560", true), Ok(Search::Pinfl("31506801234560".to_owned())));
        assert_eq!(search("31506801234560", false).map_err(|p| p.kind()), Err(Kind::Forbidden));
        assert_eq!(search("", true), Ok(Search::All));
        for short in ["", "Mi", "12345678", "3029361611"] {
            assert_eq!(search(short, false).map_err(|p| p.kind()), Err(Kind::InvalidFields), "{short}");
        }
    }
}
