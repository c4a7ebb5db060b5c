//! What is owed back to applicants.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use super::payments::{Asked, InvoiceName};
use super::{Desk, more, query, told};
use crate::api::{Failure, List};
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::record::segment;

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/refunds", web::get().to(list))
        .route("/officer/refunds/{id}/execution", web::post().to(execute))
        .route("/officer/refunds/{id}/abandonment", web::post().to(abandon));
}

/// What is owed back, and what became of it.
#[derive(Debug, Deserialize)]
struct Refund {
    id: String,
    application: String,
    invoice: InvoiceName,
    provider: String,
    transaction: String,
    amount_tiyin: i64,
    state: String,
    cause: String,
    way: Option<String>,
    reason: Option<String>,
    receipt_number: Option<String>,
    executed_by: Option<String>,
    last_error: Option<String>,
    due_at: Timestamp,
    done_at: Option<Timestamp>,
}

impl Refund {
    /// How it can be given back: a cash desk takes nothing back by itself.
    fn ways(&self) -> &'static [&'static str] {
        match self.provider.as_str() {
            "cash" | "bank-transfer" => &["cash", "bank-transfer"],
            _ => &["provider", "cash", "bank-transfer"],
        }
    }
}

#[derive(Template)]
#[template(path = "office_refunds.html")]
struct RefundsPage {
    p: Page,
    done: String,
    state: String,
    states: [&'static str; 3],
    found: List<Refund>,
    more: String,
    /// The refund that was refused, with what was typed.
    refused: (String, Fields),
    objections: Objections,
    /// This officer may execute and abandon.
    acts: bool,
    /// This officer reads every application.
    reads: bool,
}

impl RefundsPage {
    /// What was typed for this refund before it was refused.
    fn typed(&self, id: &str, name: &str) -> &str {
        if self.refused.0 == id { self.refused.1.get(name) } else { "" }
    }

    /// What is wrong with it.
    fn refused_on(&self, id: &str, name: &str) -> &str {
        if self.refused.0 == id { self.objections.on(name) } else { "" }
    }
}

async fn list(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    page(&desk, &asked, (String::new(), Fields::default()), Objections::default()).await
}

async fn page(
    desk: &Desk,
    asked: &Asked,
    refused: (String, Fields),
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let p = desk.page_at("/officer/refunds");
    let state = asked.state.as_deref().unwrap_or("due");
    let asked_for = query(&[("state", state), ("after", &asked.after)]);
    let found: List<Refund> = desk.get(&format!("/api/v1/officer/refunds{asked_for}")).read().await?;
    let page = RefundsPage {
        done: told(&p, &asked.done),
        state: state.to_owned(),
        states: ["due", "executing", "done"],
        more: more("/officer/refunds", &[("state", state)], found.next.as_ref()),
        found,
        refused,
        objections,
        acts: !desk.me.is("auditor"),
        reads: desk.me.reads_all(),
        p,
    };
    show(&desk.visitor, &page)
}

async fn execute(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/officer/refunds/{}/execution", segment(&id)));
    let asked = fields.object(&["way", "reason", "receipt_number"]);
    let outcome = call.idempotent(fields.get("csrf")).json(&asked).done().await;
    went_on(&desk, "execute", (id.into_inner(), fields), outcome).await
}

async fn abandon(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/officer/refunds/{}/abandonment", segment(&id)));
    let outcome = call.json(&fields.object(&["reason"])).done().await;
    went_on(&desk, "abandon", (id.into_inner(), fields), outcome).await
}

async fn went_on(
    desk: &Desk,
    verb: &str,
    refused: (String, Fields),
    outcome: Result<(), Failure>,
) -> Result<HttpResponse, Failure> {
    match outcome {
        Ok(()) => Ok(see(&format!("/officer/refunds?done={verb}"))),
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            let state = Some(if verb == "abandon" { "executing" } else { "due" }.to_owned());
            page(desk, &Asked { state, ..Asked::default() }, refused, objections).await
        }
    }
}
