//! An application with everything an officer decides on, and the decision.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::Timestamp;
use serde::Deserialize;

use super::queue::{Queued, next_after};
use super::{Desk, query, signing, told};
use crate::api::{Failure, List};
use crate::applications::passed_on;
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::places::{named, regions};
use crate::record::segment;

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/applications/{id}", web::get().to(review))
        .route("/officer/applications/{id}/documents/{kind}", web::get().to(document))
        .route("/officer/applications/{id}/approval", web::post().to(approve))
        .route("/officer/applications/{id}/rejection/statement", web::post().to(rejection_statement))
        .route("/officer/applications/{id}/return", web::post().to(send_back))
        .route("/officer/applications/{id}/rejection", web::post().to(reject));
}

/// An application with what only officers see.
#[derive(Debug, Deserialize)]
pub(super) struct Reviewed {
    #[serde(flatten)]
    pub(super) queued: Queued,
    invoice: Option<InvoiceSummary>,
    evidence: Vec<Evidence>,
    record: Vec<Record>,
    duplicates: Vec<Duplicate>,
    to_be_signed: Option<String>,
    findings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct InvoiceSummary {
    state: String,
    amount_tiyin: i64,
}

/// A document that was handed in.
#[derive(Debug, Deserialize)]
struct Evidence {
    kind: String,
    media_type: String,
    size_bytes: i64,
    sha256: String,
    uploaded_at: Timestamp,
}

impl Evidence {
    fn is_picture(&self) -> bool {
        self.media_type.starts_with("image/")
    }
}

/// What happened, as the auditor reads it.
#[derive(Debug, Deserialize)]
struct Record {
    at: Timestamp,
    actor: String,
    command: String,
    reason: Option<String>,
    note: Option<String>,
}

/// Another application with something in common.
#[derive(Debug, Deserialize)]
struct Duplicate {
    id: String,
    state: String,
    same: String,
}

/// A reason that an officer may give.
#[derive(Debug, Deserialize)]
struct Reason {
    reason: String,
    text: String,
    /// In every language, by tag.
    texts: BTreeMap<String, String>,
}

impl Reason {
    /// As the officer reads it, and as the applicant will, where that is something else.
    fn told(&self, language: &str) -> String {
        match self.texts.get(language) {
            Some(theirs) if *theirs != self.text => format!("{} · {theirs}", self.text),
            _ => self.text.clone(),
        }
    }
}

/// What was stated, and whether it is in the certificate word for word; `None` for what is no part of one.
struct Stated {
    label: String,
    value: String,
    certified: Option<bool>,
}

/// An application that was decided on.
#[derive(Debug, Deserialize)]
struct Moved {
    state: String,
}

/// What an approval says: the officer signs what this page has shown, and nothing that has come since.
struct Statement {
    text: String,
    /// Its octets.
    base64: String,
}

/// A decision that was refused: what was typed stays.
#[derive(Default)]
struct Refused {
    verb: &'static str,
    fields: Fields,
    objections: Objections,
}

#[derive(Template)]
#[template(path = "office_review.html")]
struct ReviewPage {
    p: Page,
    r: Reviewed,
    stated: Vec<Stated>,
    reasons: Vec<Reason>,
    refused: Refused,
    /// What an approval says, or why there is none by this officer.
    approval: Result<Statement, Objections>,
    /// Somebody else has decided meanwhile.
    raced: bool,
    done: String,
    /// The application that was decided before.
    of: String,
    next: Option<String>,
    /// This officer may decide on it.
    decides: bool,
    /// The pictures are shown: this officer reviews, or has said why they look.
    looks: bool,
    /// What follows the path of a picture.
    why: String,
    /// This officer registered it.
    own: bool,
    /// Path of this page.
    here: String,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
    #[serde(default)]
    of: String,
    /// Why the officer looks at the pictures.
    #[serde(default)]
    reason: String,
}

/// Why the officer looks.
#[derive(Debug, Deserialize)]
struct Look {
    #[serde(default)]
    reason: String,
}

/// The reasons there are besides reviewing.
const LOOKS: [&str; 4] = ["complaint", "authority", "inspection", "owner"];

impl ReviewPage {
    /// A picture that was handed in, to be looked at.
    fn evidence(&self, kind: &str) -> Option<&Evidence> {
        self.r.evidence.iter().find(|evidence| evidence.kind == kind)
    }

    /// This decision was refused just now.
    fn refused_on(&self, verb: &str, name: &str) -> &str {
        if self.refused.verb == verb { self.refused.objections.on(name) } else { "" }
    }

    /// What was typed into this decision before it was refused.
    fn typed(&self, verb: &str, name: &str) -> &str {
        if self.refused.verb == verb { self.refused.fields.get(name) } else { "" }
    }

    /// The pieces of evidence that are papers.
    fn papers(&self) -> impl Iterator<Item = &Evidence> {
        self.r.evidence.iter().filter(|evidence| evidence.kind == "power-of-attorney")
    }
}

async fn review(
    desk: Desk,
    id: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let mut page = page(&desk, &id, Refused::default()).await?;
    if LOOKS.contains(&asked.reason.as_str()) {
        page.looks = true;
        page.why = query(&[("reason", &asked.reason)]);
    }
    page.done = told(&page.p, &asked.done);
    page.of = segment(&asked.of);
    show(&desk.visitor, &page)
}

async fn page(desk: &Desk, id: &str, refused: Refused) -> Result<ReviewPage, Failure> {
    let path = format!("/api/v1/officer/applications/{}", segment(id));
    // First what would be signed, then what is looked at: what changes in between makes the statement an old one.
    let approval = if desk.me.is("reviewer") { approval(desk, &path).await? } else { Err(Objections::NONE) };
    let r: Reviewed = desk.get(&path).read().await?;
    let place =
        named(&regions(&desk.portal.api, &desk.visitor).await?, r.queued.a.district, desk.visitor.language);
    let own = r.queued.is_registered_by(&desk.me.login);
    let waits = r.queued.a.state == "under_review";
    let decides = waits && !own && desk.me.is("reviewer");
    let looks = waits && desk.me.is("reviewer");
    let (mut reasons, mut next) = (Vec::new(), None);
    if desk.me.is("reviewer") {
        next = next_after(desk, &r.queued.a.id).await?;
    }
    if decides {
        reasons = desk.get("/api/v1/officer/reasons").read::<List<Reason>>().await?.items;
    }
    let here = format!("/officer/applications/{}", r.queued.a.id);
    let p = desk.page_at(&here);
    let p = if decides { p.with_keys() } else { p };
    let stated = stated(&p, &r, place);
    let raced = !refused.verb.is_empty() && !waits;
    let (done, of) = (String::new(), String::new());
    let why = String::new();
    Ok(ReviewPage {
        p,
        r,
        stated,
        reasons,
        refused,
        approval,
        raced,
        done,
        of,
        next,
        decides,
        looks,
        why,
        own,
        here,
    })
}

async fn approval(desk: &Desk, path: &str) -> Result<Result<Statement, Objections>, Failure> {
    match desk.get(&format!("{path}/approval-statement")).octets().await {
        Ok((_, octets)) => Ok(Ok(Statement {
            text: String::from_utf8_lossy(&octets).into_owned(),
            base64: STANDARD.encode(octets),
        })),
        Err(failure) => Ok(Err(Objections::answerable(failure)?)),
    }
}

/// What was stated beside what would be signed: the officer compares, the page helps to see what is missing.
fn stated(p: &Page, r: &Reviewed, place: String) -> Vec<Stated> {
    let (a, subject) = (&r.queued.a, &r.queued.a.subject);
    let certified = |value: &str| r.to_be_signed.as_ref().map(|text| text.contains(value));
    let in_certificate = [
        ("organization", subject.organization.as_str()),
        ("title", &subject.title),
        ("stir", &subject.stir),
        ("surname", &subject.surname),
        ("given_name", &subject.given_name),
        ("patronymic", &subject.patronymic),
        ("pinfl", &subject.pinfl),
    ];
    // Only some profiles carry an address.
    let email = (a.email.as_str(), certified(&a.email).filter(|found| *found));
    let beside = [
        ("birth_date", subject.birth_date.as_str()),
        ("passport", &subject.passport),
        ("head_pinfl", &subject.head_pinfl),
        ("purpose", &a.purpose),
    ];
    let certified = in_certificate.map(|(name, value)| (name, value, certified(value)));
    let rest = beside.map(|(name, value)| (name, value, None));
    let email = [("email", email.0, email.1)];
    let said = certified.into_iter().chain(email).chain(rest).filter(|(_, value, _)| !value.is_empty());
    let place = Stated { label: p.t("place"), value: place, certified: None };
    said.map(|(name, value, certified)| Stated { label: p.field(name), value: value.to_owned(), certified })
        .chain([place])
        .collect()
}

/// The picture or paper as the API keeps it. The API writes down who has looked.
async fn document(
    desk: Desk,
    path: web::Path<(String, String)>,
    look: web::Query<Look>,
) -> Result<HttpResponse, Failure> {
    let (id, kind) = path.into_inner();
    let why = query(&[("reason", &look.reason)]);
    let path = format!("/api/v1/officer/applications/{}/documents/{}{why}", segment(&id), segment(&kind));
    passed_on(desk.get(&path).octets().await?, "inline")
}

async fn rejection_statement(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let said = query(&[("reason", fields.get("reason")), ("note", fields.get("note"))]);
    let path = format!("/api/v1/officer/applications/{}/rejection-statement{said}", segment(&id));
    signing::statement(&desk, &path).await
}

async fn approve(desk: Desk, posted: Posted, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    decide(desk, posted.fields, &id, "approve", "approval").await
}

async fn send_back(desk: Desk, posted: Posted, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    decide(desk, posted.fields, &id, "return", "return").await
}

async fn reject(desk: Desk, posted: Posted, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    decide(desk, posted.fields, &id, "reject", "rejection").await
}

/// Decides and goes on with the next. Whoever was faster is found on the page that is shown again.
async fn decide(
    desk: Desk,
    fields: Fields,
    id: &str,
    verb: &'static str,
    path: &str,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/officer/applications/{}/{path}", segment(id)));
    match call.json(&fields.object(&["reason", "note", "signature"])).read::<Moved>().await {
        Ok(Moved { state }) => {
            let waits = verb == "approve" && state == "under_review";
            let told = query(&[("done", if waits { "approve-one" } else { verb }), ("of", id)]);
            let next = next_after(&desk, id).await?;
            Ok(see(&match next {
                Some(next) => format!("/officer/applications/{next}{told}"),
                None => format!("/officer{told}"),
            }))
        }
        Err(failure) => {
            let objections = signing::objections(&desk.page(), failure)?;
            show(&desk.visitor, &page(&desk, id, Refused { verb, fields, objections }).await?)
        }
    }
}
