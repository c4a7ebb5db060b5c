//! Work that follows from a fact: once, by one worker at a time, until it is done or hopeless.

use std::collections::HashMap;
use std::sync::mpsc;
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::revocation::{Reason, Status};
use store::crls::{self, CrlKind, Issue, Signed};
use store::jobs::{self, Job, JobKind, NewJob};
use store::{StoreError, certificates, feed, issuers};

use super::stage::{Ground, HOUR, assert_distinct, at_once, later, now};
use crate::stack::Database;

on_both_databases!(
    two_jobs_of_a_kind_with_one_key_are_one,
    jobs_of_two_kinds_may_have_one_key,
    a_lease_hides_a_job_from_others_until_it_runs_out,
    what_a_worker_still_holds_it_may_claim_again,
    a_job_is_not_due_before_its_time,
    no_two_claimers_get_the_same_job,
    a_failed_job_waits_twice_as_long_each_time,
    a_job_out_of_attempts_is_dead_until_it_is_queued_again,
    a_worker_whose_lease_ran_out_does_not_judge_the_job_of_another,
    everybody_may_queue_the_same_jobs_at_once,
    a_job_is_not_done_before_the_fact_that_asked_for_it_is_committed,
    a_crl_takes_its_job_along_unless_it_is_told_too_little,
);

fn job(kind: JobKind, key: &str) -> NewJob {
    NewJob { kind, key: key.to_owned(), payload: format!("{{\"of\":\"{key}\"}}"), run_at: now() }
}

fn enqueue(ground: &Ground, jobs: &[NewJob]) {
    ground.write(|c| jobs::enqueue(c, jobs, now()));
}

fn claim(ground: &Ground, owner: &str, at: Timestamp) -> Vec<Job> {
    ground.write(|c| jobs::claim(c, JobKind::SendMessage, owner, at, HOUR, 10))
}

fn two_jobs_of_a_kind_with_one_key_are_one(kind: Database) {
    let ground = Ground::new(kind);
    let first = job(JobKind::SendMessage, "a");
    let second = NewJob { payload: "another".to_owned(), ..first.clone() };
    enqueue(&ground, &[first.clone(), second.clone()]);
    enqueue(&ground, &[second]);
    let claimed = claim(&ground, "w", now());
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].payload.as_str(), claimed[0].attempt), (first.payload.as_str(), 1));
}

fn jobs_of_two_kinds_may_have_one_key(kind: Database) {
    let ground = Ground::new(kind);
    enqueue(&ground, &JobKind::ALL.map(|kind| job(kind, "a")));
    assert_eq!(ground.count("jobs"), JobKind::ALL.len() as u64);
    assert_eq!(claim(&ground, "w", now()).len(), 1);
    ground.write(|c| jobs::complete_named(c, JobKind::SignCrl, "a"));
    assert_eq!(
        ground.rows("SELECT kind FROM jobs ORDER BY kind"),
        [
            "certify-responder",
            "execute-refund",
            "issue-certificate",
            "reconcile",
            "send-bill",
            "send-mail",
            "send-message",
        ]
    );
}

fn a_lease_hides_a_job_from_others_until_it_runs_out(kind: Database) {
    let ground = Ground::new(kind);
    enqueue(&ground, &[job(JobKind::SendMessage, "a")]);
    assert_eq!(claim(&ground, "first", now()).len(), 1);
    assert_eq!(claim(&ground, "second", later(3599)), []);
    let again = claim(&ground, "second", later(3600));
    assert_eq!((again.len(), again[0].attempt), (1, 2));
    assert_eq!(claim(&ground, "first", later(3601)), [], "it is the second's now");
}

fn what_a_worker_still_holds_it_may_claim_again(kind: Database) {
    let ground = Ground::new(kind);
    enqueue(&ground, &[job(JobKind::SendMessage, "a")]);
    let first = claim(&ground, "w", now());
    let again = claim(&ground, "w", now());
    assert_eq!((first[0].id, first[0].attempt), (again[0].id, 1));
    assert_eq!(again[0].attempt, 2);
}

fn a_job_is_not_due_before_its_time(kind: Database) {
    let ground = Ground::new(kind);
    let due = NewJob { run_at: later(10), ..job(JobKind::SendMessage, "a") };
    enqueue(&ground, &[due]);
    let any_due = |at| ground.read(|c| jobs::any_due(c, JobKind::SendMessage, at));
    assert!(claim(&ground, "w", later(9)).is_empty() && !any_due(later(9)));
    assert!(any_due(later(10)) && claim(&ground, "w", later(10)).len() == 1);
}

fn no_two_claimers_get_the_same_job(kind: Database) {
    const JOBS: usize = 400;
    let ground = Ground::new(kind);
    let all: Vec<NewJob> = (0..JOBS).map(|n| job(JobKind::SendMessage, &n.to_string())).collect();
    enqueue(&ground, &all);
    let claimed = at_once(8, |n| {
        let owner = format!("worker {n}");
        let mut mine = Vec::new();
        // Nobody is done before everything is claimed: an empty claim may only mean that the others hold the rows.
        while ground.count_unclaimed() > 0 {
            for job in ground.write(|c| jobs::claim(c, JobKind::SendMessage, &owner, now(), HOUR, 7)) {
                mine.push(job.id);
                ground.write(|c| jobs::complete(c, &[job.id]));
            }
        }
        mine
    });
    let claimed: Vec<i64> = claimed.into_iter().flatten().collect();
    assert_eq!(claimed.len(), JOBS);
    assert_distinct(&claimed);
}

impl Ground {
    fn count_unclaimed(&self) -> i64 {
        let counts = self.read(jobs::counts);
        counts.iter().map(|(_, _, count)| count).sum()
    }
}

/// How long the job rests after its attempt failed at that moment.
fn rest(ground: &Ground, at: Timestamp) -> (Duration, bool) {
    let failed = claim(ground, "w", at);
    let is_dead = ground.write(|c| jobs::retry(c, &failed[0], "no answer", at));
    let run_at = ground.rows("SELECT run_at FROM jobs")[0].parse().expect("milliseconds");
    (Timestamp::from_unix_millis(run_at).since(at), is_dead)
}

fn a_failed_job_waits_twice_as_long_each_time(kind: Database) {
    let ground = Ground::new(kind);
    enqueue(&ground, &[job(JobKind::SendMessage, "a")]);
    let mut at = now();
    for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600] {
        assert_eq!(rest(&ground, at), (Duration::from_secs(seconds), false));
        assert_eq!(claim(&ground, "w", at.plus(Duration::from_millis(seconds * 1000 - 1))), []);
        at = at.plus(Duration::from_secs(seconds));
    }
    assert_eq!(ground.rows("SELECT last_error FROM jobs"), ["no answer"]);
}

fn a_job_out_of_attempts_is_dead_until_it_is_queued_again(kind: Database) {
    let ground = Ground::new(kind);
    enqueue(&ground, &[job(JobKind::SendMessage, "a"), job(JobKind::SignCrl, "a")]);
    ground.rows("UPDATE jobs SET attempts = 11 WHERE kind = 'send-message'");
    ground.rows("UPDATE jobs SET state = 'dead' WHERE kind = 'sign-crl'");
    let last = claim(&ground, "w", now());
    assert!(ground.write(|c| jobs::retry(c, &last[0], "no answer", now())));
    assert_eq!(claim(&ground, "w", later(100_000)), []);
    let again = NewJob { payload: "new".to_owned(), ..job(JobKind::SendMessage, "a") };
    enqueue(&ground, &[again]);
    let revived = claim(&ground, "w", now());
    assert_eq!((revived[0].attempt, revived[0].payload.as_str()), (1, "new"));
    assert_eq!(ground.rows("SELECT state FROM jobs WHERE kind = 'sign-crl'"), ["dead"], "it is another job");
}

fn a_worker_whose_lease_ran_out_does_not_judge_the_job_of_another(kind: Database) {
    let ground = Ground::new(kind);
    enqueue(&ground, &[job(JobKind::SendMessage, "a")]);
    let slow = claim(&ground, "slow", now());
    claim(&ground, "quick", later(3600));
    ground.rows("UPDATE jobs SET max_attempts = 1");
    assert!(!ground.write(|c| jobs::retry(c, &slow[0], "late", later(3601))));
    assert_eq!(ground.rows("SELECT state, coalesce(last_error, '-') FROM jobs"), ["ready|-"]);
    assert_eq!(claim(&ground, "third", later(3700)), [], "the quick one still holds it");
}

fn everybody_may_queue_the_same_jobs_at_once(kind: Database) {
    let ground = Ground::new(kind);
    at_once(8, |n| {
        for round in 0..10 {
            let mut jobs: Vec<NewJob> =
                (0..20).map(|key| job(JobKind::SendMessage, &format!("{round}-{key}"))).collect();
            jobs.rotate_left(n * 2); // in another order each
            enqueue(&ground, &jobs);
        }
    });
    assert_eq!(ground.count("jobs"), 200);
}

/// A revocation finds the CRL's job queued, and does not queue another; it must not be taken off before the revocation
/// can be seen.
fn a_job_is_not_done_before_the_fact_that_asked_for_it_is_committed(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    enqueue(&ground, &[NewJob::sign_crl(issuers::ISSUING, "", now())]);
    let revoked = Status::Revoked { since: now(), reason: Reason::Superseded, invalidity_date: None };
    let (revoking, is_revoking) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ground.write(|c| {
                let stored = certificates::find(c, &serial)?;
                certificates::change_status(c, &stored, revoked, "test", now())?;
                revoking.send(()).expect("the other thread");
                std::thread::sleep(Duration::from_millis(500));
                Ok(())
            });
        });
        is_revoking.recv().expect("the other thread");
        ground.write(|c| jobs::complete_named(c, JobKind::SignCrl, issuers::ISSUING));
        let listed = ground.read(|c| certificates::not_good(c, (issuers::ISSUING, ""), now(), None, 10));
        assert_eq!(listed.len(), 1, "what is read after the job is gone tells of every fact that found it");
    });
}

fn keep_crl(connection: &mut store::Connection, number: i64, last_change: i64) -> Result<(), StoreError> {
    let issue = Issue {
        issuer: issuers::ISSUING.to_owned(),
        partition: String::new(),
        number,
        this_update: now(),
        next_update: later(3600),
        last_change,
    };
    let full = Signed { kind: CrlKind::Full, base: None, entries: 1, octets: &mut &[1][..] };
    crls::insert(connection, &issue, &mut [full], Duration::ZERO, now())
}

fn a_crl_takes_its_job_along_unless_it_is_told_too_little(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    let revoke = |status| {
        ground.write(|c| {
            let stored = certificates::find(c, &serial)?;
            certificates::change_status(c, &stored, status, "test", now())
        });
    };
    let waiting = || ground.count("jobs WHERE kind = 'sign-crl'");
    revoke(Status::Suspended { since: now() });
    assert_eq!(waiting(), 1);
    let told = ground.read(feed::latest);
    ground.write(|c| keep_crl(c, 1, told));
    assert_eq!(waiting(), 0);

    revoke(Status::Revoked { since: now(), reason: Reason::Superseded, invalidity_date: None });
    ground.write(|c| keep_crl(c, 2, told));
    assert_eq!(waiting(), 1, "it was made from rows that did not have the revocation yet");
    let again = ground.store.write(|c| keep_crl(c, 2, told));
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    assert_eq!(waiting(), 1, "the loser leaves the job");
    let states: HashMap<String, i64> =
        ground.read(jobs::counts).into_iter().map(|(kind, _, count)| (kind, count)).collect();
    assert_eq!(states["sign-crl"], 1);
}
