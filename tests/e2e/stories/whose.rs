//! Who may see and do what.

use serde_json::json;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::officer::{Officer, certify, key_of};
use crate::stack::Database;
use crate::stories::main_job::walk_in;

on_both_databases!(
    somebody_elses_application_does_not_exist,
    without_a_token_nothing_is_shown,
    an_applicants_token_opens_no_officers_door,
    each_role_does_its_own_work_only,
    an_officer_cannot_approve_what_they_registered,
    the_log_holds_no_codes_tokens_or_personal_numbers,
);

fn somebody_elses_application_does_not_exist(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let stranger = Applicant::with_confirmed_phone(&stack).client;
    for rest in ["", "/invoice", "/invoice.pdf", "/certificate"] {
        stranger.get(&application.path(rest)).problem(404, "not-found");
    }
    for rest in ["/submission", "/withdrawal"] {
        stranger.post(&application.path(rest), &json!({})).problem(404, "not-found");
    }
    stranger
        .put(&application.path("/csr"), "application/pkcs10", application.key.csr())
        .problem(404, "not-found");
    let photo = crate::picture::photo();
    stranger.put(&application.path("/documents/photo"), "image/jpeg", photo).problem(404, "not-found");
}

fn without_a_token_nothing_is_shown(database: Database) {
    let stack = database.shared();
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    for client in [stack.anybody(), stack.anybody().with_token("guessed"), stack.anybody().with_token("")] {
        for path in [
            "/api/v1/applications",
            &application.path(""),
            "/api/v1/officer/applications",
            "/api/v1/officer/audit",
        ] {
            let answer = client.get(path);
            answer.problem(401, "unauthenticated");
            assert!(
                !answer.header("www-authenticate").is_empty(),
                "RFC 9110 section 15.5.2: {:?}",
                answer.headers
            );
        }
        client.post("/api/v1/applications", &json!({})).problem(401, "unauthenticated");
    }
    let wrong = json!({"login": "reviewer", "password": "wrong password"});
    Applicant::new(&stack).client.post("/api/v1/officer/sessions", &wrong).problem(401, "sign-in-failed");
    let unknown = json!({"login": "nobody", "password": "wrong password"});
    Applicant::new(&stack).client.post("/api/v1/officer/sessions", &unknown).problem(401, "sign-in-failed");
}

fn an_applicants_token_opens_no_officers_door(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let answers = [
        application.client.get("/api/v1/officer/applications"),
        application
            .client
            .post(&format!("/api/v1/officer/applications/{}/approval", application.id), &json!({})),
    ];
    for answer in answers {
        assert!(answer.status == 401 || answer.status == 403, "{}", answer.text());
    }
    assert_eq!(application.view()["state"], "under_review");
}

fn each_role_does_its_own_work_only(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let waiting = Application::under_review(&stack, SubjectType::NaturalPerson);
    for login in ["auditor", "revocation"] {
        Officer::named(&stack, login).approve(&waiting.id).problem(403, "forbidden");
    }
    for login in ["auditor", "reviewer"] {
        Officer::named(&stack, login).revoke(&application.serial(), "superseded").problem(403, "forbidden");
    }
    Officer::reviewer(&stack).client.get("/api/v1/officer/audit").problem(403, "forbidden");
    assert_eq!(waiting.view()["state"], "under_review");
    assert_eq!(application.view()["certificate"]["status"], "good");
}

fn an_officer_cannot_approve_what_they_registered(database: Database) {
    let stack = database.start();
    let registrar = Officer::named(&stack, "registrar");
    let application = walk_in(&stack, &registrar);
    application.complete();
    application.submit().json();
    registrar.approve(&application.id).problem(403, "forbidden");
    // Not even after a promotion.
    stack.rows("UPDATE officers SET role = 'reviewer' WHERE login = 'registrar'");
    certify(&stack, "registrar", "reviewer", &key_of(&stack, "registrar"));
    registrar.approve(&application.id).problem(403, "own-application");
    registrar.reject(&application.id, "other", "note").problem(403, "own-application");

    let reviewer = Officer::reviewer(&stack);
    let second = walk_in(&stack, &reviewer);
    second.complete();
    second.submit().json();
    reviewer.approve(&second.id).problem(403, "own-application");
    registrar.approve(&second.id).json();
    second.wait_until("issued");
    assert_eq!(application.view()["state"], "under_review");
}

fn the_log_holds_no_codes_tokens_or_personal_numbers(database: Database) {
    let stack = database.start();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let code = applicant.received_code();
    let application = applicant.apply(SubjectType::LegalEntity);
    application.complete();
    application.submit().json();
    Officer::reviewer(&stack).approve(&application.id).json();
    application.wait_until("issued");
    let log = stack.log();
    assert!(log.lines().count() > 3, "there is a log");
    let password =
        stack.secrets("sandbox-officers.json")["reviewer"].as_str().expect("a password").to_owned();
    let person = &application.person;
    let digits = person.phone.trim_start_matches('+');
    let reviewer = Officer::reviewer(&stack).client;
    let [applicants, officers] =
        [&applicant.client, &reviewer].map(|client| client.token().expect("signed in").to_owned());
    for secret in [
        &format!("\"{code}\""),
        &person.pinfl,
        &person.passport,
        digits,
        &person.organization_stir,
        &applicants,
        &officers,
    ] {
        assert!(!json_lines(&log).any(|line| line.contains(secret)), "{secret} is in the log");
    }
    // What `muhr up` prints for the person who started it is on standard output, not in the log.
    assert!(!json_lines(&log).any(|line| line.contains(&password)), "a password is in the log");
}

fn json_lines(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter(|line| line.starts_with('{'))
}
