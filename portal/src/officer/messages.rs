//! Messages to applicants: what became of them, and sending again what did not arrive.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use super::payments::Asked;
use super::{Desk, more, query, told};
use crate::api::{Failure, List};
use crate::form::{Objections, Posted};
use crate::page::{Page, see, show};
use crate::record::segment;

/// The first is what somebody has to look after.
const STATES: [&str; 5] = ["failed", "undelivered", "queued", "sent", "delivered"];

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/messages", web::get().to(list))
        .route("/officer/messages/{id}/resend", web::post().to(resend));
}

/// A message, without what it says.
#[derive(Debug, Deserialize)]
struct Message {
    id: i64,
    channel: String,
    template: String,
    language: String,
    state: String,
    application: Option<String>,
    to: Option<String>,
    gateway: Option<String>,
    attempts: i32,
    resends: i32,
    last_error: Option<String>,
    created_at: Timestamp,
    sent_at: Option<Timestamp>,
}

impl Message {
    /// A notice that did not arrive. Codes are asked for anew instead.
    fn can_be_resent(&self) -> bool {
        self.application.is_some() && matches!(self.state.as_str(), "failed" | "undelivered")
    }
}

#[derive(Template)]
#[template(path = "office_messages.html")]
struct MessagesPage {
    p: Page,
    done: String,
    state: String,
    states: [&'static str; 5],
    found: List<Message>,
    more: String,
    objections: Objections,
    /// This officer may send again.
    acts: bool,
    /// This officer reads every application.
    reads: bool,
}

async fn list(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    page(&desk, &asked, Objections::default()).await
}

async fn page(desk: &Desk, asked: &Asked, objections: Objections) -> Result<HttpResponse, Failure> {
    let p = desk.page_at("/officer/messages");
    let state = asked.state.as_deref().unwrap_or(STATES[0]);
    let asked_for = query(&[("state", state), ("after", &asked.after)]);
    let found: List<Message> = desk.get(&format!("/api/v1/officer/messages{asked_for}")).read().await?;
    let page = MessagesPage {
        done: told(&p, &asked.done),
        state: state.to_owned(),
        states: STATES,
        more: more("/officer/messages", &[("state", state)], found.next.as_ref()),
        found,
        objections,
        acts: !desk.me.is("auditor"),
        reads: desk.me.reads_all(),
        p,
    };
    show(&desk.visitor, &page)
}

async fn resend(desk: Desk, _: Posted, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    match desk.post(&format!("/api/v1/officer/messages/{}/resend", segment(&id))).done().await {
        Ok(()) => Ok(see("/officer/messages?done=resend")),
        Err(failure) => page(&desk, &Asked::default(), Objections::answerable(failure)?).await,
    }
}
