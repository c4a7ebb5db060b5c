//! Cash and bank transfers: one officer records them, another confirms.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use super::{Desk, more, query, told};
use crate::api::{Failure, List};
use crate::form::{Objections, Posted};
use crate::page::{Page, see, show};
use crate::record::segment;

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/payments", web::get().to(list))
        .route("/officer/payments/{id}/confirmation", web::post().to(confirm))
        .route("/officer/payments/{id}/cancellation", web::post().to(cancel));
}

/// What an officer recorded.
#[derive(Debug, Deserialize)]
struct Payment {
    id: i64,
    way: String,
    receipt_number: String,
    state: String,
    amount_tiyin: i64,
    application: String,
    invoice: InvoiceName,
    recorded_by: Option<String>,
    recorded_at: Timestamp,
    confirmed_by: Option<String>,
    confirmed_at: Option<Timestamp>,
}

/// An invoice as people name it.
#[derive(Debug, Deserialize)]
pub(super) struct InvoiceName {
    pub(super) number: String,
}

/// Which items, and what was just done to one of them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) after: String,
    #[serde(default)]
    pub(super) done: String,
}

#[derive(Template)]
#[template(path = "office_payments.html")]
struct PaymentsPage {
    p: Page,
    done: String,
    state: String,
    states: [&'static str; 3],
    found: List<Payment>,
    more: String,
    objections: Objections,
    login: String,
    /// This officer may confirm and cancel.
    acts: bool,
    /// This officer reads every application.
    reads: bool,
}

async fn list(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    page(&desk, &asked, Objections::default()).await
}

async fn page(desk: &Desk, asked: &Asked, objections: Objections) -> Result<HttpResponse, Failure> {
    let p = desk.page_at("/officer/payments");
    let state = asked.state.as_deref().unwrap_or("created");
    let asked_for = query(&[("state", state), ("after", &asked.after)]);
    let found: List<Payment> = desk.get(&format!("/api/v1/officer/payments{asked_for}")).read().await?;
    let page = PaymentsPage {
        done: told(&p, &asked.done),
        state: state.to_owned(),
        states: ["created", "performed", "cancelled"],
        more: more("/officer/payments", &[("state", state)], found.next.as_ref()),
        found,
        objections,
        login: desk.me.login.clone(),
        acts: !desk.me.is("auditor"),
        reads: desk.me.reads_all(),
        p,
    };
    show(&desk.visitor, &page)
}

async fn confirm(desk: Desk, _: Posted, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/officer/payments/{}/confirmation", segment(&id)));
    went_on(&desk, "confirm", call.done().await).await
}

async fn cancel(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/officer/payments/{}/cancellation", segment(&id)));
    went_on(&desk, "cancel", call.json(&fields.object(&["reason"])).done().await).await
}

async fn went_on(desk: &Desk, verb: &str, outcome: Result<(), Failure>) -> Result<HttpResponse, Failure> {
    match outcome {
        Ok(()) => Ok(see(&format!("/officer/payments?done={verb}"))),
        Err(failure) => page(desk, &Asked::default(), Objections::answerable(failure)?).await,
    }
}
