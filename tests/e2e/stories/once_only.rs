//! The same thing asked twice, or by two at once, happens once.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::officer::{Officer, pages};
use crate::stack::Database;

on_both_databases!(
    of_two_officers_who_approve_at_once_one_wins,
    the_same_application_posted_twice_is_one_application,
    the_same_decision_posted_twice_with_one_key_gives_one_answer,
    a_key_used_for_something_else_is_refused,
    a_key_is_private_to_its_caller,
    of_many_revocations_at_once_one_wins,
);

fn of_two_officers_who_approve_at_once_one_wins(database: Database) {
    let stack = database.shared();
    let officers = [Officer::reviewer(&stack), Officer::named(&stack, "second-reviewer")];
    for _ in 0..5 {
        let application = Application::under_review(&stack, SubjectType::NaturalPerson);
        let start = Barrier::new(officers.len());
        let approve = |officer: &Officer| {
            start.wait();
            let answer = officer.approve(&application.id);
            if answer.status != 200 {
                let problem = answer.any_json();
                let kind = problem["type"].as_str().unwrap_or_default();
                assert!(kind.ends_with(":wrong-state") || kind.ends_with(":conflict"), "{problem}");
            }
            answer.status
        };
        let approve = &approve;
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let runs: Vec<_> = officers.iter().map(|officer| scope.spawn(move || approve(officer))).collect();
            runs.into_iter().map(|run| run.join().expect("no panic")).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        application.wait_until("issued");
    }
}

fn the_same_application_posted_twice_is_one_application(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let form = applicant.form(SubjectType::NaturalPerson);
    let first = applicant.client.post_once("/api/v1/applications", "once", &form).is(201);
    let second = applicant.client.post_once("/api/v1/applications", "once", &form).is(201);
    assert_eq!(first.body, second.body);
    assert_eq!(pages(&applicant.client, "/api/v1/applications").len(), 1);

    let start = Barrier::new(4);
    let answers: Vec<u16> = thread::scope(|scope| {
        let post = || {
            start.wait();
            applicant.client.post_once("/api/v1/applications", "at once", &form).status
        };
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(post)).collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).collect()
    });
    assert!(answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
    assert!(answers.contains(&201), "{answers:?}");
    assert_eq!(pages(&applicant.client, "/api/v1/applications").len(), 2);
}

fn the_same_decision_posted_twice_with_one_key_gives_one_answer(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let path = format!("/api/v1/officer/applications/{}/approval", application.id);
    let reviewer = Officer::reviewer(&stack);
    let statement = reviewer.client.get(&format!("{path}-statement")).is(200);
    let (client, approval) = (&reviewer.client, json!({"signature": reviewer.sign(&statement.body)}));
    let first = client.post_once(&path, &application.id, &approval).is(200);
    let second = client.post_once(&path, &application.id, &approval).is(200);
    assert_eq!(first.body, second.body);
    application.wait_until("issued");
    let third = client.post_once(&path, &application.id, &approval).is(200);
    assert_eq!(first.body, third.body);
}

fn a_key_used_for_something_else_is_refused(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let (form, other) =
        (applicant.form(SubjectType::NaturalPerson), applicant.form(SubjectType::SoleProprietor));
    applicant.client.post_once("/api/v1/applications", "mine", &form).is(201);
    let refused = applicant.client.post_once("/api/v1/applications", "mine", &other);
    refused.problem(422, "idempotency-key-reused");
    assert_eq!(pages(&applicant.client, "/api/v1/applications").len(), 1);
}

fn a_key_is_private_to_its_caller(database: Database) {
    let stack = database.shared();
    let [one, two] = [Applicant::with_confirmed_phone(&stack), Applicant::with_confirmed_phone(&stack)];
    let ids = [&one, &two].map(|applicant| {
        let form = applicant.form(SubjectType::NaturalPerson);
        let answer = applicant.client.post_once("/api/v1/applications", "1", &form).is(201).json();
        answer["id"].as_str().expect("an id").to_owned()
    });
    assert_ne!(ids[0], ids[1]);
}

fn of_many_revocations_at_once_one_wins(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let (officer, serial) = (Officer::revocation(&stack), application.serial());
    let start = Barrier::new(4);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let revoke = || {
            start.wait();
            officer.revoke(&serial, "superseded").status
        };
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(revoke)).collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).collect()
    });
    let won = statuses.iter().filter(|status| **status < 300).count();
    assert_eq!(won, 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| *status < 300 || *status == 409), "{statuses:?}");
}
