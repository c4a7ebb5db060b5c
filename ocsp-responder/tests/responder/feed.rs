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
    stage.follow();
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
