//! What is signed was recorded before, once; what is stored was still meant to be.

use ca_core::application::{ApplicationId, State};
use store::issuance::{self, Intent};
use store::{StoreError, certificates};

use super::stage::{Ground, at_once, certificate, intent, now, signed};
use crate::stack::Database;

on_both_databases!(
    an_application_with_an_intent_keeps_it,
    of_signers_at_once_one_intent_holds,
    no_intent_is_recorded_for_an_application_that_is_not_approved,
    a_batch_stores_what_is_left_of_it_and_takes_every_job_off,
    of_signers_at_once_one_stores_the_certificate,
    a_certificate_whose_intent_was_given_up_is_not_stored,
    a_refusal_gives_up_the_intent_whoever_recorded_it,
    a_refusal_of_an_application_that_moved_on_changes_nothing,
    a_certificate_of_our_own_needs_its_intent,
);

fn record(ground: &Ground, intents: &[Intent]) -> usize {
    ground.write(|c| issuance::record_intents(c, intents, now()))
}

fn standing(ground: &Ground, id: ApplicationId) -> Option<Intent> {
    ground.read(|c| issuance::pending_intents(c, &[id])).remove(&id)
}

fn an_application_with_an_intent_keeps_it(kind: Database) {
    let ground = Ground::new(kind);
    let (first, second) = (ground.approved(), ground.approved());
    let (earlier, later, other) = (intent(Some(first)), intent(Some(first)), intent(Some(second)));
    assert_eq!(record(&ground, std::slice::from_ref(&earlier)), 1);
    assert_eq!(record(&ground, &[later, other.clone()]), 1);
    assert_eq!(standing(&ground, first), Some(earlier));
    assert_eq!(standing(&ground, second), Some(other));
    assert_eq!(ground.count("intents"), 2);
}

fn of_signers_at_once_one_intent_holds(kind: Database) {
    let ground = Ground::new(kind);
    let ids: Vec<ApplicationId> = (0..20).map(|_| ground.approved()).collect();
    let recorded = at_once(6, |n| {
        let mut intents: Vec<Intent> = ids.iter().map(|id| intent(Some(*id))).collect();
        intents.rotate_left(n * 3); // in another order each
        record(&ground, &intents)
    });
    assert_eq!(recorded.iter().sum::<usize>(), ids.len());
    assert_eq!(ground.read(|c| issuance::pending_intents(c, &ids)).len(), ids.len());
}

fn no_intent_is_recorded_for_an_application_that_is_not_approved(kind: Database) {
    let ground = Ground::new(kind);
    let (issued, serial) = ground.issued();
    let (waiting, approved) = (ground.under_review(), ground.approved());
    let new = [intent(Some(issued)), intent(Some(waiting)), intent(Some(approved))];
    assert_eq!(record(&ground, &new), 1);
    assert_eq!(standing(&ground, issued).map(|intent| intent.serial), Some(serial), "its own");
    assert_eq!(standing(&ground, waiting), None);
}

fn a_batch_stores_what_is_left_of_it_and_takes_every_job_off(kind: Database) {
    let ground = Ground::new(kind);
    let ids: Vec<ApplicationId> = (0..5).map(|_| ground.approved()).collect();
    let intents: Vec<Intent> = ids.iter().map(|id| intent(Some(*id))).collect();
    record(&ground, &intents);
    let batch: Vec<_> = ids
        .iter()
        .zip(&intents)
        .map(|(id, intent)| {
            let job = ground.rows(&format!("SELECT id FROM jobs WHERE dedup_key = '{id}'"));
            signed(&ground.application(*id), intent, job[0].parse().expect("a number"))
        })
        .collect();
    let taken = ids[2];
    ground.apply(|it| it.refuse_issuance("a finding".to_owned(), now()).expect("approved"), taken);
    assert_eq!(ground.write(|c| issuance::settle(c, &batch, now())), 4);
    for id in &ids {
        let is_taken = *id == taken;
        let found = ground.read(|c| certificates::of_application(c, *id));
        assert_eq!(found.is_none(), is_taken);
        let state = ground.application(*id).state;
        assert_eq!(state, if is_taken { State::UnderReview } else { State::Issued });
    }
    assert_eq!(ground.count("jobs WHERE kind = 'issue-certificate'"), 0);
    for table in ["application_events WHERE command = 'issue'", "status_changes", "certificates"] {
        assert_eq!(ground.count(table), 4, "{table}");
    }
    assert_eq!(ground.count("audit_entries WHERE action = 'certificate.issue'"), 4);
}

fn of_signers_at_once_one_stores_the_certificate(kind: Database) {
    let ground = Ground::new(kind);
    let ids: Vec<ApplicationId> = (0..12).map(|_| ground.approved()).collect();
    let intents: Vec<Intent> = ids.iter().map(|id| intent(Some(*id))).collect();
    record(&ground, &intents);
    let batch: Vec<_> =
        ids.iter().zip(&intents).map(|(id, intent)| signed(&ground.application(*id), intent, 0)).collect();
    let stored = at_once(5, |n| {
        let mut mine = batch.clone();
        mine.rotate_left(n * 2);
        ground.write(|c| issuance::settle(c, &mine, now()))
    });
    assert_eq!(stored.iter().sum::<usize>(), ids.len(), "{stored:?}");
    assert_eq!(ground.count("certificates"), 12);
    assert_eq!(ground.count("application_events WHERE command = 'issue'"), 12);
}

/// A signer that fell behind: another refused, the applicant brought another key, an officer approved again.
fn a_certificate_whose_intent_was_given_up_is_not_stored(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.approved();
    let stale = intent(Some(id));
    record(&ground, std::slice::from_ref(&stale));
    let late = signed(&ground.application(id), &stale, ground.issue_job(id).id);
    let refusal = ground.application(id).refuse_issuance("a finding".to_owned(), now()).expect("approved");
    ground.write(|c| issuance::refuse(c, &refusal, late.job));
    ground.approve(id);
    assert_eq!(ground.write(|c| issuance::settle(c, std::slice::from_ref(&late), now())), 0);
    assert_eq!(ground.application(id).state, State::Approved);
    assert_eq!(ground.count("certificates"), 0);
    assert_eq!(ground.count("jobs WHERE kind = 'issue-certificate'"), 1, "the second approval's");
}

fn a_refusal_gives_up_the_intent_whoever_recorded_it(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.approved();
    let refusal = ground.application(id).refuse_issuance("a finding".to_owned(), now()).expect("approved");
    record(&ground, &[intent(Some(id))]);
    let job = ground.issue_job(id).id;
    ground.write(|c| issuance::refuse(c, &refusal, job));
    assert_eq!(standing(&ground, id), None);
    // The name that it would have certified is gone.
    assert_eq!(ground.rows("SELECT state, length(tbs) FROM intents"), ["abandoned|0"]);
    assert_eq!(ground.count("audit_entries WHERE action = 'intent.abandon'"), 1);
    assert_eq!(ground.count("jobs WHERE kind = 'issue-certificate'"), 0);
    assert_eq!(ground.application(id).state, State::UnderReview);
}

fn a_refusal_of_an_application_that_moved_on_changes_nothing(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.approved();
    let refusal = ground.application(id).refuse_issuance("a finding".to_owned(), now()).expect("approved");
    let held = intent(Some(id));
    record(&ground, std::slice::from_ref(&held));
    let done = signed(&ground.application(id), &held, 0);
    ground.write(|c| issuance::settle(c, &[done], now()));
    let late = ground.store.write(|c| issuance::refuse(c, &refusal, 0));
    assert!(matches!(late, Err(StoreError::Conflict(_))));
    assert_eq!(ground.rows("SELECT state FROM intents"), ["recorded"]);
    assert_eq!(ground.application(id).state, State::Issued);
}

fn a_certificate_of_our_own_needs_its_intent(kind: Database) {
    let ground = Ground::new(kind);
    let own = intent(None);
    let store = || ground.store.write(|c| issuance::store_own(c, &certificate(&own), now()));
    assert!(matches!(store(), Err(StoreError::Conflict(_))));
    record(&ground, std::slice::from_ref(&own));
    store().expect("now it has one");
    assert!(matches!(store(), Err(StoreError::Conflict(_))));
    assert_eq!(ground.count("certificates"), 1);
}
