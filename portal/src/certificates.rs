//! Certificates for everybody: the register, the status of one, and its end.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::Portal;
use crate::api::{Failure, List};
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::record::{Application, segment};
use crate::visitor::Visitor;

/// The reasons that a holder may give (RFC 5280 section 5.3.1).
const REASONS: [&str; 5] =
    ["keyCompromise", "superseded", "affiliationChanged", "cessationOfOperation", "unspecified"];

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/certificates", web::get().to(register))
        .route("/certificates/{serial}", web::get().to(certificate))
        .route("/certificates/{serial}/revocation", web::post().to(revoke))
        .route("/certificates/{serial}/suspension", web::post().to(suspend))
        .route("/certificates/{serial}/renewal", web::post().to(renew))
        .route("/revoke", web::get().to(lost))
        .route("/password", web::get().to(password));
}

/// A certificate of the register.
#[derive(Debug, Deserialize)]
pub(crate) struct Certificate {
    pub(crate) serial: String,
    pub(crate) subject: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) status: String,
    pub(crate) suspended_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) pem: String,
}

impl Certificate {
    /// The attributes of the subject, one by one.
    pub(crate) fn attributes(&self) -> Vec<(String, String)> {
        ca_core::key_file::attributes(&self.subject)
    }

    /// Whom people know it by: the organization and the holder.
    pub(crate) fn title(&self) -> String {
        let attributes = self.attributes();
        let named = |wanted: &str| attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let organization = named("o").filter(|_| named("1.2.860.3.16.1.1").is_some());
        let names = organization.into_iter().chain(named("cn")).map(|(_, value)| value.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug, Deserialize)]
struct Search {
    #[serde(default)]
    serial: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    p: Page,
    subject: String,
    serial: String,
    found: Option<List<Certificate>>,
    objections: Objections,
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct CertificatePage {
    p: Page,
    c: Certificate,
    /// The visitor's own.
    mine: bool,
    /// What was typed before it was refused.
    fields: Fields,
    objections: Objections,
    reasons: [&'static str; 5],
}

#[derive(Template)]
#[template(path = "revoke.html")]
struct RevokePage {
    p: Page,
    mine: Vec<Application>,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    p: Page,
}

/// A serial as people copy it, with colons and spaces and in capitals, as the register writes it.
pub(crate) fn serial(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    digits.to_ascii_lowercase()
}

async fn register(
    portal: web::Data<Portal>,
    visitor: Visitor,
    search: web::Query<Search>,
) -> Result<HttpResponse, Failure> {
    let (given, subject) = (serial(&search.serial), search.subject.trim());
    if !given.is_empty() {
        return Ok(see(&format!("/certificates/{given}")));
    }
    let mut page = RegisterPage {
        p: portal.page(&visitor).with_keys(),
        subject: subject.to_owned(),
        serial: search.serial.clone(),
        found: None,
        objections: Objections::default(),
    };
    if !subject.is_empty() {
        let mut path = format!("/api/v1/certificates?subject={}", segment(subject));
        if !search.after.is_empty() {
            path = format!("{path}&after={}", segment(&search.after));
        }
        match portal.api.get(&visitor, &path).read().await {
            Ok(found) => page.found = Some(found),
            Err(failure) => page.objections = Objections::answerable(failure)?,
        }
    }
    show(&visitor, &page)
}

async fn certificate(
    portal: web::Data<Portal>,
    visitor: Visitor,
    serial: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    certificate_page(&portal, &visitor, &serial, Fields::default(), Objections::default()).await
}

async fn certificate_page(
    portal: &Portal,
    visitor: &Visitor,
    name: &str,
    fields: Fields,
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let path = format!("/api/v1/certificates/{}", segment(&serial(name)));
    let c: Certificate = portal.api.get(visitor, &path).read().await?;
    let mine = mine(portal, visitor).await?;
    let mine = mine.iter().filter_map(|a| a.certificate.as_ref()).any(|own| own.serial == c.serial);
    show(visitor, &CertificatePage { p: portal.page(visitor), c, mine, fields, objections, reasons: REASONS })
}

/// The visitor's applications that have a certificate, newest first; none without a sign-in.
async fn mine(portal: &Portal, visitor: &Visitor) -> Result<Vec<Application>, Failure> {
    if visitor.token().is_none() {
        return Ok(Vec::new());
    }
    let all: List<Application> = portal.api.get(visitor, "/api/v1/applications?limit=200").read().await?;
    Ok(all.items.into_iter().rev().filter(|application| application.certificate.is_some()).collect())
}

async fn revoke(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    serial: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = format!("/api/v1/certificates/{}/revocation", segment(&serial));
    let asked = portal.api.post(&visitor, &path);
    let asked = asked.json(&json!({"reason": fields.get("reason"), "pinfl": fields.get("pinfl")}));
    let outcome = asked.done().await;
    changed(&portal, &visitor, &serial, fields, outcome).await
}

async fn suspend(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    serial: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = format!("/api/v1/certificates/{}/suspension", segment(&serial));
    let asked = portal.api.post(&visitor, &path).done().await;
    changed(&portal, &visitor, &serial, fields, asked).await
}

async fn changed(
    portal: &Portal,
    visitor: &Visitor,
    serial: &str,
    fields: Fields,
    outcome: Result<(), Failure>,
) -> Result<HttpResponse, Failure> {
    match outcome {
        Ok(()) => Ok(see(&format!("/certificates/{}", segment(serial)))),
        Err(failure) => {
            certificate_page(portal, visitor, serial, fields, Objections::answerable(failure)?).await
        }
    }
}

/// A draft with what is known; its first step is the new key.
async fn renew(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    serial: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = format!("/api/v1/certificates/{}/renewal", segment(&serial));
    let call = portal.api.post(&visitor, &path).idempotent(fields.get("csrf"));
    let call = call.json(&json!({"offer_accepted": fields.get("offer_accepted") == "on"}));
    match call.read::<Application>().await {
        Ok(a) => Ok(see(&format!("/applications/{}/{}", a.id, a.next_step()))),
        Err(failure) => {
            certificate_page(&portal, &visitor, &serial, fields, Objections::answerable(failure)?).await
        }
    }
}

/// For whoever has lost a key: the phone that applied shows who they are.
async fn lost(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let mine = mine(&portal, &visitor).await?;
    show(&visitor, &RevokePage { p: portal.page(&visitor), mine })
}

async fn password(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    show(&visitor, &PasswordPage { p: portal.page(&visitor).with_keys() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_may_be_written_as_other_programs_show_it() {
        assert_eq!(serial("4A:0F 9b"), "4a0f9b");
    }
}
