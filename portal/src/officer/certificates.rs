//! The register, unmasked, and the revocation desk.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::calendar::{parse_full_date, tashkent_midnight};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Desk, more, query, signing, told};
use crate::api::{Failure, List};
use crate::certificates::{Certificate, serial};
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::record::segment;

/// The reasons that an officer may give (RFC 5280 section 5.3.1).
const REASONS: [&str; 6] = [
    "keyCompromise",
    "superseded",
    "affiliationChanged",
    "cessationOfOperation",
    "privilegeWithdrawn",
    "unspecified",
];

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    let verb = |name: &str| format!("/officer/certificates/{{serial}}/{name}");
    cfg.route("/officer/certificates", web::get().to(register))
        .route("/officer/certificates/{serial}", web::get().to(certificate))
        .route(&verb("revocation"), web::post().to(revoke))
        .route(&verb("suspension"), web::post().to(suspend))
        .route(&verb("restoration"), web::post().to(restore))
        .route(&verb("{verb:revocation|suspension|restoration}/statement"), web::post().to(statement));
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "office_certificates.html")]
struct RegisterPage {
    p: Page,
    q: String,
    found: List<Certificate>,
    more: String,
    objections: Objections,
}

#[derive(Template)]
#[template(path = "office_certificate.html")]
struct CertificatePage {
    p: Page,
    c: Certificate,
    done: String,
    /// A revocation that was refused: what was typed stays.
    typed: Fields,
    objections: Objections,
    reasons: [&'static str; 6],
    /// This officer changes the status of certificates.
    acts: bool,
    here: String,
}

/// A serial number: hexadecimal, longer than any PINFL. Programs show it with colons and spaces.
fn is_serial(text: &str) -> bool {
    let shown = |c: char| c.is_ascii_hexdigit() || c == ':' || c == ' ';
    text.chars().all(shown) && serial(text).len() > 14
}

async fn register(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let q = asked.q.trim();
    if is_serial(q) {
        return Ok(see(&format!("/officer/certificates/{}", serial(q))));
    }
    let path = format!("/api/v1/certificates{}", query(&[("subject", q), ("after", &asked.after)]));
    let (found, objections) = match desk.get(&path).read::<List<Certificate>>().await {
        Ok(found) => (found, Objections::default()),
        Err(failure) => (List { items: Vec::new(), next: None }, Objections::answerable(failure)?),
    };
    let more = more("/officer/certificates", &[("q", q)], found.next.as_ref());
    show(&desk.visitor, &RegisterPage { p: desk.page(), q: q.to_owned(), found, more, objections })
}

async fn certificate(
    desk: Desk,
    name: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    page(&desk, &name, &asked.done, Fields::default(), Objections::default()).await
}

async fn page(
    desk: &Desk,
    name: &str,
    done: &str,
    typed: Fields,
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let c: Certificate = desk.get(&format!("/api/v1/certificates/{}", segment(&serial(name)))).read().await?;
    let here = format!("/officer/certificates/{}", c.serial);
    let acts = desk.me.is("revocation");
    let p = desk.page_at(&here);
    let p = if acts { p.with_keys() } else { p };
    let page =
        CertificatePage { here, done: told(&p, done), typed, objections, reasons: REASONS, acts, c, p };
    show(&desk.visitor, &page)
}

/// What a revocation says; none for a day that is none.
fn revocation(fields: &Fields) -> Option<Map<String, Value>> {
    let mut why = fields.object(&["reason"]);
    let day = fields.get("invalid_since");
    if !day.is_empty() {
        let since = tashkent_midnight(parse_full_date(day).ok()?);
        why.insert("invalidity_date".to_owned(), since.to_string().into());
    }
    Some(why)
}

async fn statement(
    desk: Desk,
    Posted { fields, .. }: Posted,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (name, verb) = path.into_inner();
    let why = if verb == "revocation" { revocation(&fields).unwrap_or_default() } else { Map::new() };
    let said: Vec<_> =
        why.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    let path = format!("/api/v1/certificates/{}/{verb}-statement{}", segment(&name), query(&said));
    signing::statement(&desk, &path).await
}

async fn revoke(
    desk: Desk,
    Posted { fields, .. }: Posted,
    name: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let Some(mut why) = revocation(&fields) else {
        let said = desk.page().o("not-a-day");
        return page(&desk, &name, "", fields, Objections::to("invalidity_date", said)).await;
    };
    why.extend(fields.object(&["signature"]));
    let call = desk.post(&format!("/api/v1/certificates/{}/revocation", segment(&name)));
    went_on(&desk, &name, "revoke", fields, call.json(&why).done().await).await
}

async fn suspend(
    desk: Desk,
    Posted { fields, .. }: Posted,
    name: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/certificates/{}/suspension", segment(&name)));
    let outcome = call.json(&fields.object(&["signature"])).done().await;
    went_on(&desk, &name, "suspend", Fields::default(), outcome).await
}

async fn restore(
    desk: Desk,
    Posted { fields, .. }: Posted,
    name: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/certificates/{}/restoration", segment(&name)));
    let outcome = call.json(&fields.object(&["signature"])).done().await;
    went_on(&desk, &name, "restore", Fields::default(), outcome).await
}

async fn went_on(
    desk: &Desk,
    name: &str,
    verb: &str,
    typed: Fields,
    outcome: Result<(), Failure>,
) -> Result<HttpResponse, Failure> {
    match outcome {
        Ok(()) => Ok(see(&format!("/officer/certificates/{}?done={verb}", segment(name)))),
        Err(failure) => page(desk, name, "", typed, signing::objections(&desk.page(), failure)?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_told_from_a_personal_number() {
        assert!(is_serial("4A:0F:9B:11:22:33:44:55"));
        assert!(is_serial("4a0f9b1122334455"));
        for other in ["30101901112227", "301234567", "", "Abdullayev", "fade"] {
            assert!(!is_serial(other), "{other}");
        }
    }
}
