//! `kill -9` of the signer, again and again, at every moment of its work.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::applicant::{Application, SubjectType};
use crate::auditor;
use crate::officer::Officer;
use crate::relying_party::RelyingParty;
use crate::stack::{Database, Role, Stack};

on_both_databases!(fifty_kills_of_the_signer_lose_nothing_and_issue_nothing_twice);

const KILLS: usize = 50;
const APPROVALS_PER_LIFE: usize = 2;

/// Applications whose certificate a signer meant to sign, and did not finish.
const OPEN_INTENTS: &str =
    "SELECT intents.application_id FROM intents LEFT JOIN certificates USING (issuer_id, serial)
    WHERE intents.application_id IS NOT NULL AND state = 'recorded' AND certificate IS NULL";

fn fifty_kills_of_the_signer_lose_nothing_and_issue_nothing_twice(database: Database) {
    // It looks for work at once, and what a dead signer had claimed is free again soon.
    let settings = [("ISSUANCE__POLL_INTERVAL_MILLISECONDS", "10"), ("ISSUANCE__LEASE_SECONDS", "5")];
    let stack = database.start_roles_with(&settings);
    stack.terminate(Role::Signer);
    let started = std::time::Instant::now();
    let mut applications = many_under_review(&stack, KILLS * APPROVALS_PER_LIFE);
    eprintln!("{:?} to fill in", started.elapsed());
    let reviewer = Officer::reviewer(&stack);
    let mut between = BTreeSet::new();
    let mut approve_and_kill = |batch: &[Application], after: Duration| {
        stack.run(Role::Signer);
        thread::scope(|scope| {
            scope.spawn(|| {
                batch.iter().for_each(|application| drop(reviewer.approve(&application.id).json()))
            });
            thread::sleep(after);
            stack.kill(Role::Signer);
        });
        between.extend(stack.rows(OPEN_INTENTS));
        between.len()
    };
    let mut hurt = 0;
    for (kill, batch) in applications.chunks(APPROVALS_PER_LIFE).enumerate() {
        hurt = approve_and_kill(batch, moment(kill));
    }
    // A machine that is busy with something else does everything later: so do the kills, until one has hurt.
    for more in 0..3 * KILLS {
        if hurt > 0 {
            break;
        }
        let batch = many_under_review(&stack, APPROVALS_PER_LIFE);
        hurt = approve_and_kill(&batch, moment(more % KILLS) * (2 + more / KILLS) as u32);
        applications.extend(batch);
    }
    eprintln!("{:?} to kill", started.elapsed());
    let interrupted =
        applications.iter().filter(|application| application.view()["state"] != "issued").count();
    eprintln!(
        "{database:?}: {KILLS} kills left {interrupted} of {} certificates to the next life",
        applications.len()
    );
    eprintln!("{} applications were cut off between intent and certificate", between.len());
    assert!(!between.is_empty(), "no kill fell where it hurts; move the moments");
    stack.run(Role::Signer);
    for application in &applications {
        application.wait_long_until("issued", Duration::from_secs(60));
    }
    each_was_issued_once(&stack, &applications);
}

/// Spread over the time that two approvals and their certificates take, no two alike.
fn moment(kill: usize) -> Duration {
    Duration::from_micros((kill * 37 % KILLS) as u64 * 800 + kill as u64 * 13)
}

fn each_was_issued_once(stack: &Stack, applications: &[Application]) {
    let serials: BTreeSet<String> = applications.iter().map(Application::serial).collect();
    assert_eq!(serials.len(), applications.len(), "no serial twice");
    let count = |query: &str| stack.rows(&format!("SELECT count(*) FROM {query}")).remove(0);
    let expected = applications.len().to_string();
    assert_eq!(
        count("certificates WHERE application_id IS NOT NULL"),
        expected,
        "none without an application"
    );
    let standing =
        "intents JOIN certificates USING (issuer_id, serial) WHERE intents.application_id IS NOT NULL";
    assert_eq!(count(standing), expected, "none without an intent");
    assert_eq!(stack.rows(OPEN_INTENTS), Vec::<String>::new());
    assert_eq!(count("application_events WHERE command = 'issue'"), expected);
    eprintln!("intents given up: {}", count("intents WHERE state = 'abandoned'"));
    auditor::finds_nothing(stack);
    let last = applications.last().expect("there are some");
    RelyingParty::receiving(stack, &last.certificate()).openssl_verify().well();
}

/// Several people at once, because each takes a while to fill in.
pub(super) fn many_under_review(stack: &Stack, count: usize) -> Vec<Application> {
    const AT_ONCE: usize = 4;
    thread::scope(|scope| {
        let share = |part: usize| {
            let own = (part..count).step_by(AT_ONCE);
            own.map(|_| Application::under_review(stack, SubjectType::NaturalPerson)).collect::<Vec<_>>()
        };
        let runs: Vec<_> = (0..AT_ONCE).map(|part| scope.spawn(move || share(part))).collect();
        runs.into_iter().flat_map(|run| run.join().expect("no panic")).collect()
    })
}
