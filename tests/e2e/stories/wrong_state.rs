//! Every command in every state where it is not allowed: a conflict that says whose move it is.

use serde_json::{Value, json};

use crate::applicant::{Applicant, Application, SubjectType};
use crate::http::Answer;
use crate::officer::Officer;
use crate::picture;
use crate::stack::{Database, Role, Stack};

on_both_databases!(
    a_draft_is_not_decided_on,
    under_review_the_applicant_can_only_withdraw,
    a_rejected_application_moves_no_more,
    a_withdrawn_application_moves_no_more,
    an_issued_application_moves_no_more,
    a_draft_left_alone_for_a_month_expires_and_moves_no_more,
    an_approved_application_waits_for_the_signer_alone,
    a_decision_needs_a_reason_from_the_list,
);

#[derive(Clone, Copy, Debug)]
enum Attempt {
    PutCsr,
    PutPhoto,
    Submit,
    Withdraw,
    Approve,
    Reject,
    Return,
}

use Attempt::{Approve, PutCsr, PutPhoto, Reject, Return, Submit, Withdraw};

impl Attempt {
    fn make(self, stack: &Stack, application: &Application) -> Answer {
        let reviewer = Officer::reviewer(stack);
        let id = &application.id;
        match self {
            PutCsr => application.put_csr(&application.key.csr()),
            PutPhoto => application.put_document("photo", "image/jpeg", picture::photo()),
            Submit => application.submit(),
            Withdraw => application.withdraw(),
            Approve => reviewer.approve(id),
            Reject => reviewer.reject(id, "identity-mismatch", "note"),
            Return => reviewer.hand_back(id, "photo-unclear", "note"),
        }
    }
}

/// Each attempt is refused with the state and whose move it is, and changes nothing.
fn refused(stack: &Stack, application: &Application, state: &str, next_actor: &Value, attempts: &[Attempt]) {
    for attempt in attempts {
        eprintln!("{attempt:?} in {state}");
        let problem = attempt.make(stack, application).problem(409, "wrong-state");
        assert_eq!(problem["state"], state, "{problem}");
        assert_eq!(&problem["next_actor"], next_actor, "{problem}");
        assert_eq!(application.view()["state"], state);
    }
}

fn whose_move(application: &Application) -> Value {
    application.view()["next_actor"].clone()
}

fn a_draft_is_not_decided_on(database: Database) {
    let stack = database.shared();
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    assert_eq!(whose_move(&application), "applicant");
    refused(&stack, &application, "draft", &json!("applicant"), &[Approve, Reject, Return]);
}

fn under_review_the_applicant_can_only_withdraw(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let next = whose_move(&application);
    assert_eq!(next, "registration_officer");
    refused(&stack, &application, "under_review", &next, &[PutCsr, PutPhoto, Submit]);
    application.withdraw().json_or_empty();
    assert_eq!(application.view()["state"], "withdrawn");
}

fn a_rejected_application_moves_no_more(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    Officer::reviewer(&stack).reject(&application.id, "identity-mismatch", "note").json();
    moves_no_more(&stack, &application, "rejected");
}

fn a_withdrawn_application_moves_no_more(database: Database) {
    let stack = database.shared();
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    application.withdraw().json_or_empty();
    moves_no_more(&stack, &application, "withdrawn");
}

fn an_issued_application_moves_no_more(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    moves_no_more(&stack, &application, "issued");
}

fn a_draft_left_alone_for_a_month_expires_and_moves_no_more(database: Database) {
    let mut stack = database.start();
    let mut applicant = Applicant::with_confirmed_phone(&stack);
    let mut application = applicant.apply(SubjectType::NaturalPerson);
    stack.terminate(Role::All);
    stack.set("CLOCK_OFFSET_SECONDS", &(31 * 24 * 3600).to_string());
    stack.run(Role::All);
    application.client.get(&application.path("")).problem(401, "unauthenticated");
    applicant.confirm_phone();
    application.client = applicant.client.clone();
    application.wait_until("expired");
    assert_eq!(application.invoice()["state"], "cancelled", "nobody pays for what has ended");
    moves_no_more(&stack, &application, "expired");
}

fn moves_no_more(stack: &Stack, application: &Application, state: &str) {
    let next = whose_move(application);
    assert_eq!(next, "nobody");
    let all = [PutCsr, PutPhoto, Submit, Withdraw, Approve, Reject, Return];
    refused(stack, application, state, &next, &all);
}

/// Without a signer, approved is where it stays.
fn an_approved_application_waits_for_the_signer_alone(database: Database) {
    let stack = database.start_roles();
    stack.terminate(Role::Signer);
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    assert_eq!(Officer::reviewer(&stack).approve(&application.id).json()["state"], "approved");
    let next = whose_move(&application);
    assert_eq!(next, "ca");
    let all = [PutCsr, PutPhoto, Submit, Withdraw, Approve, Reject, Return];
    refused(&stack, &application, "approved", &next, &all);
    application.client.get(&application.path("/certificate")).problem(404, "not-found");
    stack.run(Role::Signer);
    application.wait_until("issued");
}

fn a_decision_needs_a_reason_from_the_list(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let reviewer = Officer::reviewer(&stack);
    reviewer.reject(&application.id, "i do not like them", "note").names("/reason");
    reviewer.hand_back(&application.id, "", "note").names("/reason");
    reviewer
        .reject(&application.id, "identity-mismatch", &"n".repeat(100_000))
        .problem(413, "payload-too-large");
    assert_eq!(application.view()["state"], "under_review");
}
