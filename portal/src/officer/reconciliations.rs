//! Comparisons of our payments with the providers' statements.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use super::payments::Asked;
use super::{Desk, more, query};
use crate::api::{Failure, List};
use crate::page::{Page, show};

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/reconciliations", web::get().to(list));
}

/// A comparison with one statement.
#[derive(Debug, Deserialize)]
struct Reconciliation {
    provider: String,
    from: String,
    to: String,
    ours: i64,
    theirs: i64,
    differences: Vec<Difference>,
    at: Timestamp,
}

/// A payment on which the two do not agree.
#[derive(Debug, Deserialize)]
struct Difference {
    transaction: String,
    kind: String,
    #[serde(default)]
    ours: serde_json::Value,
    #[serde(default)]
    theirs: serde_json::Value,
}

impl Difference {
    /// What each side says, as it stands there: ours, then theirs.
    fn sides(&self) -> [String; 2] {
        [&self.ours, &self.theirs].map(|value| match value {
            serde_json::Value::Null => "–".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

#[derive(Template)]
#[template(path = "office_reconciliations.html")]
struct ReconciliationsPage {
    p: Page,
    found: List<Reconciliation>,
    more: String,
}

async fn list(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let path = format!("/api/v1/officer/reconciliations{}", query(&[("after", &asked.after)]));
    let found: List<Reconciliation> = desk.get(&path).read().await?;
    let more = more("/officer/reconciliations", &[], found.next.as_ref());
    show(&desk.visitor, &ReconciliationsPage { p: desk.page(), found, more })
}
