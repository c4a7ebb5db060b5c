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
    #[serde(default)]
    actor: String,
    #[serde(default)]
    object: String,
}

/// Whose entries are asked for: a login alone is an officer's.
fn actor(typed: &str) -> String {
    let others = ["applicant", "ca", "clock", "operator", "anonymous"];
    if typed.is_empty() || typed.contains(':') || others.contains(&typed) {
        typed.to_owned()
    } else {
        format!("officer:{typed}")
    }
}

#[derive(Template)]
#[template(path = "office_audit.html")]
struct AuditPage {
    p: Page,
    actor: String,
    object: String,
    found: List<Entry>,
    more: String,
    objections: Objections,
    /// This officer reads every application.
    reads: bool,
}

async fn list(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let (typed, object) = (asked.actor.trim(), asked.object.trim());
    let narrowed = [("actor", actor(typed)), ("object", object.to_owned())];
    let [whose, about] = narrowed.each_ref().map(|(name, value)| (*name, value.as_str()));
    let page = [("order", "newest"), ("after", asked.after.trim()), ("limit", "100")];
    let path = format!("/api/v1/officer/audit{}", query(&[&page[..], &[whose, about]].concat()));
    let (found, objections) = match desk.get(&path).read::<List<Entry>>().await {
        Ok(found) => (found, Objections::default()),
        Err(failure) => (List { items: Vec::new(), next: None }, Objections::answerable(failure)?),
    };
    let page = AuditPage {
        p: desk.page(),
        actor: typed.to_owned(),
        object: object.to_owned(),
        more: more("/officer/audit", &[("actor", typed), ("object", object)], found.next.as_ref()),
        found,
        objections,
        reads: desk.me.reads_all(),
    };
    show(&desk.visitor, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_alone_is_an_officers() {
        assert_eq!(actor("reviewer"), "officer:reviewer");
        for whole in ["", "applicant", "officer:reviewer", "partner:bank", "operator"] {
            assert_eq!(actor(whole), whole);
        }
    }
}
