//! A decision becomes durable as a whole, and one of two wins.

use ca_core::application::{Actor, Reason, State};
use store::{StoreError, applications, audit, documents};

use super::stage::{Ground, at_once, now, reviewer};
use crate::stack::Database;

on_both_databases!(
    of_two_decisions_at_once_one_wins_and_the_other_leaves_nothing,
    a_decision_tells_event_audit_and_job,
    what_a_draft_consists_of_cannot_change_once_it_is_handed_in,
    a_new_document_takes_the_place_of_the_earlier_of_its_kind,
    withdrawing_cancels_the_open_invoice_only,
);

/// Rows that a decision writes.
fn trace(ground: &Ground) -> [u64; 3] {
    ["application_events", "audit_entries WHERE action LIKE 'application.%'", "jobs"]
        .map(|table| ground.count(table))
}

fn of_two_decisions_at_once_one_wins_and_the_other_leaves_nothing(kind: Database) {
    let ground = Ground::new(kind);
    for _ in 0..8 {
        let id = ground.under_review();
        let seen = ground.application(id);
        let approve = seen.approve(&reviewer(), now()).expect("under review");
        let reject = seen.reject(&reviewer(), Reason::PhotoUnclear, None, now()).expect("under review");
        let before = trace(&ground);
        let outcomes = at_once(4, |n| {
            let decision = if n % 2 == 0 { &approve } else { &reject };
            ground.store.write(|c| applications::apply(c, decision))
        });
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Conflict(_)))).count();
        assert_eq!((won, lost), (1, 3), "{outcomes:?}");
        assert_eq!(trace(&ground), before.map(|rows| rows + 1), "one event, one audit entry of it, one job");
        let state = ground.application(id).state;
        let told = ground.read(|c| applications::history(c, id)).pop().expect("an event");
        assert_eq!(told.to, state.as_str());
    }
}

fn a_decision_tells_event_audit_and_job(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.approved();
    let history = ground.read(|c| applications::history(c, id));
    let commands: Vec<&str> = history.iter().map(|event| event.command.as_str()).collect();
    assert_eq!(commands, ["submit", "approve"]);
    let last = history.last().expect("two events");
    assert_eq!((last.actor.as_str(), last.from.as_str()), ("officer:reviewer", "under_review"));
    let entries = ground.read(|c| audit::page(c, 0, 1000)).items;
    let entry = entries.iter().find(|(_, entry)| entry.action == "application.approve").expect("an entry");
    assert_eq!(entry.1.object, format!("application:{id}"));
    assert_eq!(ground.count(&format!("jobs WHERE kind = 'issue-certificate' AND dedup_key = '{id}'")), 1);
}

fn what_a_draft_consists_of_cannot_change_once_it_is_handed_in(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.under_review();
    let csr = ground.store.write(|c| applications::set_csr(c, id, b"other", &[8; 32], "applicant", now()));
    assert!(matches!(csr, Err(StoreError::Conflict(_))));
    let photo = ground.read(|c| documents::of(c, id)).remove(0);
    let put = ground.store.write(|c| documents::put(c, &photo, "applicant", now()));
    assert!(matches!(put, Err(StoreError::Conflict(_))));
    assert_eq!(ground.read(|c| applications::find(c, id)).csr.as_deref(), Some(&b"a request"[..]));
}

fn a_new_document_takes_the_place_of_the_earlier_of_its_kind(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.draft();
    let mut photo = ground.read(|c| documents::of(c, id)).remove(0);
    photo.object_key = "elsewhere".to_owned();
    let left_behind = ground.write(|c| documents::put(c, &photo, "applicant", now()));
    assert_eq!(left_behind.as_deref(), Some("nowhere"));
    assert_eq!(ground.read(|c| documents::of(c, id)).len(), 2);
}

fn withdrawing_cancels_the_open_invoice_only(kind: Database) {
    let ground = Ground::new(kind);
    let (unpaid, paid) = (ground.draft(), ground.under_review());
    for id in [unpaid, paid] {
        ground.apply(|it| it.withdraw(Actor::Applicant, now()).expect("undecided"), id);
        assert_eq!(ground.application(id).state, State::Withdrawn);
    }
    assert_eq!(ground.invoice(unpaid).state, "cancelled");
    assert_eq!(ground.invoice(paid).state, "paid");
}
