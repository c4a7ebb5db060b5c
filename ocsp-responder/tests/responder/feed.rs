use std::time::Duration;

use ca_core::SerialNumber;
use ca_core::revocation::{Reason, Status};
use config::settings::Ocsp;
use x509_ocsp::{CertStatus, OcspResponseStatus};

use crate::stage::{Stage, settings, within};

const SECOND: Duration = Duration::from_secs(1);

fn is_good(status: CertStatus) -> bool {
    matches!(status, CertStatus::Good(_))
}

#[test]
fn every_change_is_told_within_a_second() {
    let stage = Stage::new();
    let never = SerialNumber::random().unwrap();
    assert!(matches!(stage.statuses(&[never])[0], CertStatus::Unknown(_)));
    let serial = stage.issue();
    within(SECOND, || is_good(stage.statuses(&[serial])[0]));
    let since = stage.clock.now();
    stage.change(serial, Status::Suspended { since });
    within(SECOND, || !is_good(stage.statuses(&[serial])[0]));
    stage.change(serial, Status::Good);
    within(SECOND, || is_good(stage.statuses(&[serial])[0]));
    stage.change(serial, Status::Revoked { since, reason: Reason::Superseded, invalidity_date: None });
    within(SECOND, || !is_good(stage.statuses(&[serial])[0]));
    assert!(matches!(stage.statuses(&[never])[0], CertStatus::Unknown(_)));
}

#[test]
fn a_fresh_responder_knows_what_happened_before_it() {
    let mut stage = Stage::new();
    stage.follower = None;
    let serials = [stage.issue(), stage.issue()];
    let since = stage.clock.now();
    stage.change(serials[1], Status::Suspended { since });
    stage.restart();
    within(SECOND, || is_good(stage.statuses(&serials)[0]) && !is_good(stage.statuses(&serials)[1]));
}

/// Its row is set behind the feed's back, as a lost notification or a repaired database would leave it.
#[test]
fn what_the_feed_never_told_is_found_by_comparing() {
    let stage = Stage::with(Ocsp { reconcile: Duration::from_millis(200), ..settings() });
    let serial = stage.issue();
    within(SECOND, || is_good(stage.statuses(&[serial])[0]));
    stage.without_feed("UPDATE certificates SET status = 'suspended', status_since = 1790000000000");
    within(2 * SECOND, || !is_good(stage.statuses(&[serial])[0]));
}

#[test]
fn a_feed_that_went_back_makes_it_read_everything_again() {
    let stage = Stage::new();
    let serials = [stage.issue(), stage.issue()];
    within(SECOND, || is_good(stage.statuses(&serials)[1]));
    stage.without_feed("DELETE FROM status_changes; DELETE FROM certificates WHERE id > 1");
    let is_forgotten =
        |answer: Vec<CertStatus>| matches!(answer[..], [CertStatus::Good(_), CertStatus::Unknown(_)]);
    within(2 * SECOND, || {
        let response = stage.post(&stage.question("-no_nonce", &serials));
        response.error() == OcspResponseStatus::Successful && is_forgotten(response.statuses())
    });
}

#[test]
fn knowledge_that_is_older_than_an_answer_may_be_makes_no_answer() {
    let mut stage = Stage::with(Ocsp { validity: 2 * SECOND, ..settings() });
    let serial = stage.issue();
    within(SECOND, || is_good(stage.statuses(&[serial])[0]));
    stage.follower = None;
    let question = stage.question("-no_nonce", &[serial]);
    within(4 * SECOND, || stage.post(&question).error() == OcspResponseStatus::TryLater);
    assert!(!stage.service.is_ready());
    stage.follow();
    within(SECOND, || is_good(stage.statuses(&[serial])[0]));
}

/// A number that is missing was given up by a transaction, or its row was lost: everything is compared at once.
#[test]
fn a_gap_in_the_feed_is_repaired_without_waiting_for_the_next_comparison() {
    let stage = Stage::with(Ocsp { reconcile: Duration::from_secs(3600), ..settings() });
    let serial = stage.issue();
    within(SECOND, || is_good(stage.statuses(&[serial])[0]));
    stage.without_feed("UPDATE certificates SET status = 'suspended', status_since = 1790000000000");
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_good(stage.statuses(&[serial])[0]), "it is too early to know");
    stage.without_feed("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'status_changes'");
    stage.issue();
    within(SECOND, || !is_good(stage.statuses(&[serial])[0]));
}

#[test]
fn what_was_restored_or_issued_without_a_word_is_found_too() {
    let stage = Stage::with(Ocsp { reconcile: Duration::from_millis(200), ..settings() });
    let (held, lost) = (stage.issue(), stage.issue());
    let since = stage.clock.now();
    stage.change(held, Status::Suspended { since });
    within(SECOND, || !is_good(stage.statuses(&[held])[0]));
    stage.without_feed("UPDATE certificates SET status = 'good', status_since = NULL");
    within(2 * SECOND, || is_good(stage.statuses(&[held])[0]));
    stage.without_feed("DELETE FROM status_changes WHERE seq > 1");
    within(2 * SECOND, || is_good(stage.statuses(&[lost])[0]));
}
