//! Captchas and SMS codes: wrong, expired, used, guessed, hammered.

use serde_json::{Value, json};

use crate::applicant::Applicant;
use crate::stack::{Database, Role};

on_both_databases!(
    a_wrong_or_used_captcha_sends_no_message,
    a_wrong_code_is_refused_and_the_right_one_still_works,
    a_code_works_once,
    a_code_expires,
    guessing_ends_after_five_tries_even_with_the_right_code,
    a_second_code_has_to_wait_a_minute,
    one_address_cannot_ask_without_end,
    guessing_an_officers_password_locks_the_account,
);

fn a_wrong_or_used_captcha_sends_no_message(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::new(&stack);
    let (id, answer) = applicant.solve_captcha();
    applicant.ask_for_code_with(&id, "not this").problem(422, "captcha-wrong");
    applicant.ask_for_code_with(&id, &answer).problem(422, "captcha-wrong");
    applicant
        .ask_for_code_with("00000000-0000-4000-8000-000000000000", &answer)
        .problem(422, "captcha-wrong");

    let (id, answer) = applicant.solve_captcha();
    applicant.ask_for_code_with(&id, &answer).is(202);
    let other = Applicant::new(&stack);
    other.ask_for_code_with(&id, &answer).problem(422, "captcha-wrong");
    let messages =
        stack.anybody().get(&format!("/sandbox/messages?to=%2B{}", &other.person.phone[1..])).json();
    assert!(!messages.to_string().contains("code"), "{messages}");
}

fn a_wrong_code_is_refused_and_the_right_one_still_works(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::new(&stack);
    let verification = applicant.ask_for_code().is(202).json();
    let code = applicant.received_code();
    applicant.confirm(&verification, &other_than(&code)).problem(422, "code-wrong");
    assert!(applicant.confirm(&verification, &code).json()["token"].is_string());
}

fn a_code_works_once(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::new(&stack);
    let verification = applicant.ask_for_code().is(202).json();
    let code = applicant.received_code();
    applicant.confirm(&verification, &code).json();
    applicant.confirm(&verification, &code).problem(409, "code-used");
}

fn a_code_expires(database: Database) {
    let mut stack = database.start_with(&[("SMS__CODE_LIFETIME_SECONDS", "300")]);
    let applicant = Applicant::new(&stack);
    let verification = applicant.ask_for_code().is(202).json();
    let code = applicant.received_code();
    stack.terminate(Role::All);
    stack.set("CLOCK_OFFSET_SECONDS", "301");
    stack.run(Role::All);
    applicant.confirm(&verification, &code).problem(410, "code-expired");
}

fn guessing_ends_after_five_tries_even_with_the_right_code(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::new(&stack);
    let verification = applicant.ask_for_code().is(202).json();
    let code = applicant.received_code();
    for _ in 0..5 {
        let answer = applicant.confirm(&verification, &other_than(&code));
        assert!(answer.status == 422 || answer.status == 429, "{}", answer.text());
    }
    applicant.confirm(&verification, &code).problem(429, "code-exhausted");
}

fn a_second_code_has_to_wait_a_minute(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::new(&stack);
    applicant.ask_for_code().is(202);
    let again = applicant.ask_for_code();
    again.problem(429, "resend-too-soon");
    let seconds: u64 = again.header("retry-after").parse().expect("Retry-After in seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

fn one_address_cannot_ask_without_end(database: Database) {
    // `muhr up` forgives, because everybody comes from one address there.
    let stack = database.start_roles();
    let hasty = Applicant::new(&stack);
    let refused = (0..200)
        .map(|_| hasty.client.post("/api/v1/captchas", &json!({})))
        .find(|answer| answer.status != 200 && answer.status != 201)
        .expect("an end to the captchas of one address");
    refused.problem(429, "too-many-requests");
    assert!(
        refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0),
        "{:?}",
        refused.headers
    );
    Applicant::new(&stack).solve_captcha();
}

fn guessing_an_officers_password_locks_the_account(database: Database) {
    let stack = database.start();
    let sign_in = |password: &Value| {
        let client = Applicant::new(&stack).client;
        client.post("/api/v1/officer/sessions", &json!({"login": "auditor", "password": password}))
    };
    for _ in 0..5 {
        sign_in(&json!("perhaps this one")).problem(401, "sign-in-failed");
    }
    let password = stack.secrets("sandbox-officers.json")["auditor"].clone();
    sign_in(&password).problem(429, "account-locked");
}

fn other_than(code: &str) -> String {
    assert_eq!(code.len(), 6, "six digits, not {code}");
    let number: u32 = code.parse().expect("six digits");
    format!("{:06}", (number + 1) % 1_000_000)
}
