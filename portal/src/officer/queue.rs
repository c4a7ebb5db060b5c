//! The first page of the office: what waits, and for how long it may.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use ca_core::calendar::{full_date, tashkent_date};
use serde::Deserialize;

use super::working_day::Clock;
use super::{Desk, elsewhere, more, query, told};
use crate::api::{Failure, List};
use crate::form::Objections;
use crate::page::{Page, show};
use crate::record::{Application, segment};

const STATES: [&str; 7] = ["under_review", "draft", "approved", "issued", "rejected", "withdrawn", "expired"];

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer", web::get().to(queue));
}

/// An application as officers see it.
#[derive(Debug, Deserialize)]
pub(super) struct Queued {
    #[serde(flatten)]
    pub(super) a: Application,
    pub(super) channel: String,
    pub(super) phone: String,
    pub(super) benefit: Option<String>,
    pub(super) submitted_at: Option<Timestamp>,
    pub(super) registered_by: Option<String>,
    pub(super) registered_partner: Option<String>,
    pub(super) approvals: Option<Approvals>,
}

/// How far it is from its approval.
#[derive(Debug, Deserialize)]
pub(super) struct Approvals {
    /// The logins of those who have approved it since it was submitted.
    pub(super) given: Vec<String>,
    /// How many officers have to.
    pub(super) needed: usize,
}

impl Queued {
    /// The time left for a decision, while one is waited for.
    pub(super) fn clock(&self, now: &Timestamp) -> Option<Clock> {
        let waits = self.a.state == "under_review";
        self.submitted_at.filter(|_| waits).map(|submitted_at| Clock::of(submitted_at, *now))
    }

    /// Whom or what the certificate is for.
    pub(super) fn name(&self) -> String {
        match self.a.subject.organization.as_str() {
            "" => self.a.subject.full_name(),
            organization => organization.to_owned(),
        }
    }

    /// This officer registered it: another one decides.
    pub(super) fn is_registered_by(&self, login: &str) -> bool {
        self.registered_by.as_deref() == Some(login)
    }

    /// This officer has approved it: another one is waited for.
    fn is_approved_by(&self, login: &str) -> bool {
        self.approvals.as_ref().is_some_and(|approvals| approvals.given.iter().any(|given| given == login))
    }

    /// How many approvals it waits for, and whose there are, where one is not enough.
    pub(super) fn shared_approvals(&self) -> Option<&Approvals> {
        self.approvals.as_ref().filter(|approvals| self.a.state == "under_review" && approvals.needed > 1)
    }
}

impl Page {
    /// How many approvals of how many there are, and whose.
    pub(super) fn approvals(&self, approvals: &Approvals) -> String {
        let Approvals { given, needed } = approvals;
        let (count, needed) = (given.len().to_string(), needed.to_string());
        let said =
            self.o_values("approvals-given", &[("given", count.as_str()), ("needed", needed.as_str())]);
        if given.is_empty() { said } else { format!("{said}: {}", given.join(", ")) }
    }

    /// How long is left or over, in words, to the minute.
    pub(super) fn span(&self, clock: &Clock) -> String {
        let (days, hours, minutes) = clock.parts();
        let span = self.time_span(days, hours, minutes);
        self.o_with(if clock.is_over() { "overdue" } else { "left" }, "span", &span)
    }

    /// Days and hours, or hours and minutes, or minutes, in words.
    pub(super) fn time_span(&self, days: i64, hours: i64, minutes: i64) -> String {
        let parts = match (days, hours, minutes) {
            (0, 0, minutes) => vec![("minutes", minutes)],
            (0, hours, minutes) => vec![("hours", hours), ("minutes", minutes)],
            (days, hours, _) => vec![("days", days), ("hours", hours)],
        };
        let said = parts
            .into_iter()
            .map(|(unit, count)| self.o_with(&format!("span-{unit}"), "count", &count.to_string()));
        said.collect::<Vec<_>>().join(" ")
    }
}

#[derive(Template)]
#[template(path = "office_queue.html")]
struct QueuePage {
    p: Page,
    done: String,
    /// The application that was decided before.
    of: String,
    state: String,
    q: String,
    states: Vec<StateLink>,
    found: List<Queued>,
    more: String,
    objections: Objections,
    /// This officer decides.
    decides: bool,
    login: String,
}

/// A state to narrow the queue to, and how many applications are in it, if this role is told.
struct StateLink {
    name: &'static str,
    count: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    state: Option<String>,
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    done: String,
    #[serde(default)]
    of: String,
}

#[derive(Debug, Deserialize)]
struct Counts {
    applications: BTreeMap<String, i64>,
}

impl Asked {
    /// A search looks everywhere; without one, a registrar goes on with drafts and everybody else with what is to be decided.
    fn state(&self, registrar: bool) -> &str {
        match &self.state {
            Some(state) => state,
            None if !self.q.trim().is_empty() => "",
            None if registrar => "draft",
            None => "under_review",
        }
    }
}

async fn queue(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    if let Some(response) = elsewhere(&desk.me) {
        return Ok(response);
    }
    let (state, q) = (asked.state(desk.me.is("registrar")), asked.q.trim());
    let narrowed = [("state", state), ("q", q)];
    let asked_for = query(&[&narrowed[..], &[("after", asked.after.as_str())]].concat());
    let found = desk.get(&format!("/api/v1/officer/applications{asked_for}")).read::<List<Queued>>().await;
    let (mut found, objections) = match found {
        Ok(found) => (found, Objections::default()),
        Err(failure) => (List { items: Vec::new(), next: None }, Objections::answerable(failure)?),
    };
    // The API's order is that of creation; who has waited longest for a decision was submitted first.
    found.items.sort_by_key(|item| item.submitted_at.unwrap_or(item.a.created_at));
    let p = desk.page();
    let page = QueuePage {
        done: told(&p, &asked.done),
        of: segment(&asked.of),
        state: state.to_owned(),
        q: q.to_owned(),
        states: states(&desk).await?,
        more: more("/officer", &narrowed, found.next.as_ref()),
        found,
        objections,
        decides: desk.me.is("reviewer") && state == "under_review",
        login: desk.me.login.clone(),
        p,
    };
    show(&desk.visitor, &page)
}

async fn states(desk: &Desk) -> Result<Vec<StateLink>, Failure> {
    let counts = if desk.me.enters("statistics") {
        // These counts are of this moment: of what the figures tell of a period, the least is asked for.
        let today = full_date(tashkent_date(desk.page().now));
        let asked_for = query(&[("from", today.as_str()), ("to", today.as_str())]);
        desk.get(&format!("/api/v1/officer/statistics{asked_for}")).read::<Counts>().await?.applications
    } else {
        BTreeMap::new()
    };
    Ok(STATES.map(|name| StateLink { name, count: counts.get(name).copied() }).into())
}

/// The application to decide on after this one: the next in the queue that this officer may decide on, else the first.
pub(super) async fn next_after(desk: &Desk, id: &str) -> Result<Option<String>, Failure> {
    for after in [id, ""] {
        let asked_for = query(&[("state", "under_review"), ("after", after), ("limit", "20")]);
        let list: List<Queued> = desk.get(&format!("/api/v1/officer/applications{asked_for}")).read().await?;
        let login = &desk.me.login;
        let other =
            |item: &Queued| item.a.id != id && !item.is_registered_by(login) && !item.is_approved_by(login);
        if let Some(next) = list.items.into_iter().find(other) {
            return Ok(Some(next.a.id));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        web::Query::<Asked>::from_query(query).unwrap().into_inner()
    }

    #[test]
    fn the_queue_begins_with_what_this_role_has_to_do() {
        assert_eq!(asked("").state(false), "under_review");
        assert_eq!(asked("").state(true), "draft");
        assert_eq!(asked("state=").state(false), "", "all was asked for");
        assert_eq!(asked("state=issued").state(true), "issued");
    }

    #[test]
    fn a_search_looks_into_every_state() {
        assert_eq!(asked("q=Misolov").state(false), "");
        assert_eq!(asked("q=+").state(false), "under_review");
        assert_eq!(asked("q=Misolov&state=draft").state(false), "draft");
    }
}
