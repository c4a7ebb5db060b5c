//! Whoever writes into the database behind the store's back is found out.

use ca_core::SerialNumber;
use ca_core::application::ApplicationId;
use store::verification::{self, Report};

use super::stage::Ground;
use crate::stack::Database;

on_both_databases!(
    a_database_that_nobody_tampered_with_has_no_finding,
    a_deleted_intent_is_found,
    an_intent_that_says_something_else_is_found,
    an_intent_that_was_given_up_is_found,
    a_changed_state_is_found,
    a_deleted_payment_is_found,
    a_payment_of_another_amount_is_found,
    a_deleted_approval_is_found,
    an_approval_by_the_registrar_is_found,
    an_approval_by_nobodys_login_is_found,
    a_missing_audit_entry_is_found,
    a_deleted_certificate_is_found,
    an_application_that_never_existed_is_found,
);

fn verify(ground: &Ground) -> Report {
    ground.read(|connection| verification::verify(connection, None))
}

/// Of three certificates one was tampered with; `sql` is given the names to do it with.
#[track_caller]
fn found_out(kind: Database, rule: &str, sql: impl Fn(ApplicationId, &SerialNumber) -> String) {
    let ground = Ground::new(kind);
    ground.issued();
    let (id, serial) = ground.issued();
    ground.issued();
    ground.tamper(&sql(id, &serial));
    let report = verify(&ground);
    let findings: Vec<(&str, &str)> =
        report.findings.iter().map(|finding| (finding.object.as_str(), finding.rule)).collect();
    let of_the_certificate = format!("certificate:ca/{serial}");
    let of_the_application = format!("application:{id}");
    assert!(findings.iter().any(|(_, broken)| *broken == rule), "{findings:?}");
    assert!(
        findings.iter().all(|(object, _)| *object == of_the_certificate || *object == of_the_application),
        "the others are in order: {findings:?}"
    );
}

/// The serial as an SQL literal that compares with the column as text on both databases.
fn is(serial: &SerialNumber, kind: Database) -> String {
    format!("serial = {}", kind.blob(serial))
}

fn a_database_that_nobody_tampered_with_has_no_finding(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    ground.issued();
    ground.under_review();
    let report = verify(&ground);
    assert_eq!((report.certificates, report.applications, report.findings), (2, 2, vec![]));
}

fn a_deleted_intent_is_found(kind: Database) {
    let rule = "a certificate has an intent that was recorded before it was signed";
    found_out(kind, rule, |_, serial| format!("DELETE FROM intents WHERE {}", is(serial, kind)));
}

fn an_intent_that_says_something_else_is_found(kind: Database) {
    let tbs = kind.blob("3003");
    found_out(kind, "a certificate says what its intent recorded", |_, serial| {
        format!("UPDATE intents SET tbs = {tbs} WHERE {}", is(serial, kind))
    });
}

fn an_intent_that_was_given_up_is_found(kind: Database) {
    found_out(kind, "the intent of a certificate was not given up", |_, serial| {
        format!("UPDATE intents SET state = 'abandoned' WHERE {}", is(serial, kind))
    });
}

fn a_changed_state_is_found(kind: Database) {
    found_out(kind, "the application of a certificate is issued", |id, _| {
        format!("UPDATE applications SET state = 'rejected' WHERE id = '{id}'")
    });
}

fn a_deleted_payment_is_found(kind: Database) {
    found_out(kind, "the application of a certificate is paid", |id, _| {
        format!(
            "DELETE FROM payments WHERE invoice_id IN (SELECT id FROM invoices WHERE application_id = '{id}')"
        )
    });
    found_out(kind, "the application of a certificate is paid", |id, _| {
        format!("UPDATE invoices SET state = 'open' WHERE application_id = '{id}'")
    });
}

fn a_payment_of_another_amount_is_found(kind: Database) {
    found_out(kind, "the application of a certificate is paid", |id, _| {
        format!("UPDATE invoices SET amount_tiyin = amount_tiyin * 2 WHERE application_id = '{id}'")
    });
}

fn a_deleted_approval_is_found(kind: Database) {
    found_out(kind, "the application of a certificate was approved", |id, _| {
        format!("DELETE FROM application_events WHERE application_id = '{id}' AND command = 'approve'")
    });
}

fn an_approval_by_the_registrar_is_found(kind: Database) {
    let rule = "an application is approved by an officer who did not register it";
    found_out(kind, rule, |id, _| {
        format!("UPDATE applications SET registered_by = 'reviewer' WHERE id = '{id}'")
    });
}

fn an_approval_by_nobodys_login_is_found(kind: Database) {
    let rule = "an application is approved by an officer who did not register it";
    found_out(kind, rule, |id, _| {
        format!(
            "UPDATE application_events SET actor = 'applicant' WHERE application_id = '{id}' AND command = 'approve'"
        )
    });
}

fn a_missing_audit_entry_is_found(kind: Database) {
    found_out(kind, "the audit log tells of the issuing of a certificate", |_, serial| {
        format!("DELETE FROM audit_entries WHERE object = 'certificate:ca/{serial}'")
    });
}

fn a_deleted_certificate_is_found(kind: Database) {
    found_out(kind, "an issued application has its certificate", |_, serial| {
        format!("DELETE FROM certificates WHERE {}", is(serial, kind))
    });
}

fn an_application_that_never_existed_is_found(kind: Database) {
    found_out(kind, "a certificate answers an application that exists", |id, _| {
        format!("DELETE FROM applications WHERE id = '{id}'")
    });
}
