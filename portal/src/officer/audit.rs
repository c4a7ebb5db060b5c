//! Who did what to what, and when.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use super::{Desk, more, query};
use crate::api::{Failure, List};
use crate::form::Objections;
use crate::page::{Page, show};

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/audit", web::get().to(list));
}

/// An entry of the log.
#[derive(Debug, Deserialize)]
struct Entry {
    id: i64,
    at: Timestamp,
    actor: String,
    action: String,
    object: String,
    details: serde_json::Map<String, serde_json::Value>,
}

impl Entry {
    /// The application it is about.
    fn application(&self) -> Option<&str> {
        self.object.strip_prefix("application:")
    }

    /// Names and values, as texts.
    fn said(&self) -> Vec<(&str, String)> {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let told = self.details.iter().filter(|(_, value)| !value.is_null());
        told.map(|(name, value)| (name.as_str(), text(value))).collect()
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "office_audit.html")]
struct AuditPage {
    p: Page,
    after: String,
    found: List<Entry>,
    more: String,
    objections: Objections,
    /// This officer reads every application.
    reads: bool,
}

async fn list(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let after = asked.after.trim();
    let path = format!("/api/v1/officer/audit{}", query(&[("after", after), ("limit", "100")]));
    let (found, objections) = match desk.get(&path).read::<List<Entry>>().await {
        Ok(found) => (found, Objections::default()),
        Err(failure) => (List { items: Vec::new(), next: None }, Objections::answerable(failure)?),
    };
    let more = more("/officer/audit", &[], found.next.as_ref());
    let (after, reads) = (after.to_owned(), desk.me.reads_all());
    show(&desk.visitor, &AuditPage { p: desk.page(), after, found, more, objections, reads })
}
