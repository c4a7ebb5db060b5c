//! Who is let in: sessions, one-time codes, puzzles, and the POST that comes twice.

use std::time::Duration;

use ca_core::Timestamp;
use ca_core::administration::{Act, ActState};
use store::idempotency::{self, Answer, Known};
use store::officers::SecondFactor;
use store::phone_verifications::{self, PhoneVerification};
use store::sessions::{self, Session, SessionKind};
use store::{StoreError, acts, captchas, officers};

use super::stage::{Ground, HOUR, at_once, later, now};
use crate::stack::Database;

on_both_databases!(
    a_session_dies_of_idleness_and_of_age,
    a_session_is_of_one_kind,
    every_guess_of_a_code_is_counted_however_many_come_at_once,
    a_code_works_once,
    a_puzzle_is_answered_once,
    of_requests_with_one_idempotency_key_at_once_one_is_fresh,
    a_reservation_is_part_of_its_transaction,
    an_idempotency_key_remembers_its_request_and_its_answer,
    every_wrong_password_is_counted_however_many_come_at_once,
    a_totp_step_is_used_once,
    a_recovery_code_is_used_once_however_many_try_at_once,
    an_act_is_decided_once_and_by_another,
);

const TOKEN: [u8; 32] = [1; 32];

/// Whose session it is at a moment; like the API, it notes the use when the last note is old.
fn used(ground: &Ground, token: &[u8; 32], at: Timestamp) -> Option<Session> {
    let idle = |_| Duration::from_secs(600);
    let session = ground.write(|c| sessions::find(c, token, idle, at))?;
    if session.note_is_old {
        ground.write(|c| sessions::note_use(c, token, at));
    }
    Some(session)
}

fn a_session_dies_of_idleness_and_of_age(kind: Database) {
    let ground = Ground::new(kind);
    ground.write(|c| sessions::open(c, &TOKEN, SessionKind::Officer, "reviewer", later(3600), now()));
    let in_use: Vec<u64> = (0..=3599).step_by(599).collect();
    for seconds in in_use {
        let session = used(&ground, &TOKEN, later(seconds)).expect("used every ten minutes");
        assert_eq!(session.principal, "reviewer", "{seconds} s");
    }
    assert_eq!(used(&ground, &TOKEN, later(3600)), None, "of age");

    let other = [2; 32];
    ground.write(|c| sessions::open(c, &other, SessionKind::Officer, "reviewer", later(3600), now()));
    assert_eq!(used(&ground, &other, later(600)), None, "of idleness");
    assert_eq!(ground.write(|c| sessions::sweep(c, later(3600))), 2);
    ground.write(|c| sessions::open(c, &TOKEN, SessionKind::Officer, "reviewer", later(3600), now()));
    ground.write(|c| sessions::close(c, &TOKEN));
    assert_eq!(ground.count("sessions"), 0);
}

fn a_session_is_of_one_kind(kind: Database) {
    let ground = Ground::new(kind);
    ground.write(|c| sessions::open(c, &TOKEN, SessionKind::Applicant, "+998901234567", later(3600), now()));
    let session = used(&ground, &TOKEN, now()).expect("it lives");
    assert_eq!((session.kind, session.principal.as_str()), (SessionKind::Applicant, "+998901234567"));
    assert_eq!(used(&ground, &[9; 32], now()), None, "another token's");
}

fn verification(ground: &Ground) -> PhoneVerification {
    let verification = PhoneVerification {
        id: "v".to_owned(),
        phone: "+998901234567".to_owned(),
        address: "somewhere".to_owned(),
        code_hash: vec![1; 32],
        language: "uz".to_owned(),
        attempts: 0,
        created_at: now().unix_millis(),
        resend_at: later(60).unix_millis(),
        expires_at: later(300).unix_millis(),
        confirmed_at: None,
    };
    ground.write(|c| phone_verifications::insert(c, &verification));
    verification
}

fn every_guess_of_a_code_is_counted_however_many_come_at_once(kind: Database) {
    let ground = Ground::new(kind);
    verification(&ground);
    let counted = at_once(16, |_| ground.write(|c| phone_verifications::count_attempt(c, "v", 5)));
    assert_eq!(counted.into_iter().filter(|is_left| *is_left).count(), 5);
    assert_eq!(ground.read(|c| phone_verifications::find(c, "v")).attempts, 5);
}

fn a_code_works_once(kind: Database) {
    let ground = Ground::new(kind);
    verification(&ground);
    let confirmed = at_once(8, |_| ground.store.write(|c| phone_verifications::confirm(c, "v", now())));
    assert_eq!(confirmed.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(confirmed.iter().all(|outcome| matches!(outcome, Ok(()) | Err(StoreError::Conflict(_)))));
    let phone = "+998901234567";
    assert_eq!(ground.read(|c| phone_verifications::resend_at(c, phone)), Some(later(60)));
    assert_eq!(ground.read(|c| phone_verifications::asked_since(c, phone, "elsewhere", later(0))), (0, 0));
    let before = now().minus(HOUR);
    assert_eq!(ground.read(|c| phone_verifications::asked_since(c, phone, "elsewhere", before)), (1, 0));
}

fn a_puzzle_is_answered_once(kind: Database) {
    let ground = Ground::new(kind);
    ground.write(|c| captchas::insert(c, "p", "answer", later(60)));
    assert_eq!(ground.write(|c| captchas::take(c, "p", later(60))), None, "too late");
    let taken = at_once(8, |_| ground.write(|c| captchas::take(c, "p", now())));
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), ["answer"]);
}

fn reserve(ground: &Ground, request: u8, seconds: u64) -> Known {
    ground.write(|c| idempotency::reserve(c, "owner", "key", &[request; 32], 60_000, later(seconds)))
}

fn of_requests_with_one_idempotency_key_at_once_one_is_fresh(kind: Database) {
    for _ in 0..4 {
        let ground = Ground::new(kind);
        let known = at_once(10, |_| reserve(&ground, 1, 0));
        assert_eq!(known.iter().filter(|known| **known == Known::Fresh).count(), 1, "{known:?}");
        assert!(known.iter().all(|known| matches!(known, Known::Fresh | Known::InProgress)), "{known:?}");
    }
}

/// Whoever waited for another's reservation can go on in the same transaction.
fn a_reservation_is_part_of_its_transaction(kind: Database) {
    let ground = Ground::new(kind);
    at_once(6, |n| {
        ground.write(|c| {
            idempotency::reserve(c, "owner", "key", &[1; 32], 60_000, now())?;
            captchas::insert(c, &n.to_string(), "answer", later(60))
        });
    });
    assert_eq!(ground.count("captchas"), 6);
}

fn an_idempotency_key_remembers_its_request_and_its_answer(kind: Database) {
    let ground = Ground::new(kind);
    assert_eq!(reserve(&ground, 1, 0), Known::Fresh);
    assert_eq!(reserve(&ground, 1, 59), Known::InProgress);
    assert_eq!(reserve(&ground, 2, 0), Known::OtherRequest);
    assert_eq!(reserve(&ground, 1, 60), Known::Fresh, "its process must have died");
    let answer = Answer { status: 201, content_type: "application/json".to_owned(), body: b"{}".to_vec() };
    ground.write(|c| idempotency::answer(c, "owner", "key", &answer));
    assert_eq!(reserve(&ground, 1, 100_000), Known::Answered(answer));
    ground.write(|c| idempotency::release(c, "owner", "key"));
    assert_eq!(reserve(&ground, 2, 0), Known::Fresh);
}

fn every_wrong_password_is_counted_however_many_come_at_once(kind: Database) {
    let ground = Ground::new(kind);
    let fail = |at| ground.write(|c| officers::sign_in_failed(c, "reviewer", None, 5, HOUR, at));
    at_once(4, |_| fail(now()));
    let account = || ground.read(|c| officers::find(c, "reviewer"));
    assert_eq!((account().failed_attempts, account().locked_until), (4, None));
    fail(now());
    assert_eq!(account().locked_until, Some(now().plus(HOUR)));
    ground.write(|c| officers::signed_in(c, "reviewer", None, SecondFactor::None, now()));
    assert_eq!((account().failed_attempts, account().locked_until), (0, None));
}

fn a_totp_step_is_used_once(kind: Database) {
    let ground = Ground::new(kind);
    let sign_in = |step| {
        ground.store.write(|c| officers::signed_in(c, "reviewer", None, SecondFactor::Totp(step), now()))
    };
    let outcomes = at_once(6, |_| sign_in(7));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(matches!(sign_in(6), Err(StoreError::Conflict(_))), "nor an earlier one");
    sign_in(8).expect("the next");
}

fn a_recovery_code_is_used_once_however_many_try_at_once(kind: Database) {
    let ground = Ground::new(kind);
    ground.write(|c| officers::set_recovery_codes(c, "reviewer", &[[1; 32], [2; 32]], now()));
    let sign_in = |code| {
        ground.store.write(|c| {
            officers::signed_in(c, "reviewer", None, SecondFactor::RecoveryCode([code; 32]), now())
        })
    };
    let used = at_once(8, |_| sign_in(1));
    assert_eq!(used.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(matches!(sign_in(3), Err(StoreError::Conflict(_))), "never one");
    assert_eq!(ground.read(|c| officers::recovery_codes_left(c, "reviewer")), 1);
    ground.write(|c| officers::set_recovery_codes(c, "reviewer", &[[4; 32]], now()));
    assert!(matches!(sign_in(2), Err(StoreError::Conflict(_))), "replaced");
    assert!(sign_in(4).is_ok());
}

fn an_act_is_decided_once_and_by_another(kind: Database) {
    let ground = Ground::new(kind);
    let act = Act::PartnerRestoration { partner: "bank".to_owned() };
    let propose = || ground.store.write(|c| acts::propose(c, &act, "a test", "first", now()));
    let proposed = propose().expect("it is the first");
    assert!(matches!(propose(), Err(StoreError::Conflict(_))), "one at a time");
    let decide =
        |login: &str, state| ground.store.write(|c| acts::decide(c, &proposed.id, state, login, None, now()));
    assert!(matches!(decide("first", ActState::InForce), Err(StoreError::Conflict(_))), "one's own");
    assert!(matches!(decide("second", ActState::Withdrawn), Err(StoreError::Conflict(_))), "another's");
    let decided = at_once(8, |n| decide(&format!("second{n}"), ActState::InForce).expect("it may"));
    assert_eq!(decided.iter().flatten().count(), 1);
    let said = crate::sql::try_rows(&ground.address, "UPDATE acts SET decided_by = proposed_by");
    assert!(!said.success, "the database itself knows that nobody decides on their own proposal");
    let suspension = Act::PartnerSuspension { partner: "bank".to_owned() };
    ground.write(|c| acts::propose(c, &suspension, "a test", "first", now()));
    assert!(
        ground.read(|c| acts::is_suspended(c, "bank")) && !ground.read(|c| acts::is_suspended(c, "other"))
    );
}
