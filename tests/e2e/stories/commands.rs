//! The command line, for the operator.

use serde_json::Value;

use crate::applicant::{Application, SubjectType};
use crate::postgres::Server;
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, eventually};

on_both_databases!(
    the_ceremony_refuses_to_overwrite_keys,
    a_certificate_is_shown_and_revoked_from_the_command_line,
    an_audit_with_a_missing_approval_is_found,
    a_certificate_without_an_intent_cannot_be_stored,
    a_setting_nobody_knows_is_refused,
    a_new_officer_signs_in_and_a_disabled_one_does_not,
    every_text_message_is_printed_for_moderation,
    every_measurement_runs_to_its_end,
);

fn the_ceremony_refuses_to_overwrite_keys(database: Database) {
    let stack = database.shared();
    let before = stack.muhr(&["ca", "list"]).well().out;
    assert!(!before.trim().is_empty());
    let said = stack.muhr(&["ca", "init"]);
    assert!(!said.success, "{}", said.all());
    assert_eq!(stack.muhr(&["ca", "list"]).well().out, before);
}

fn a_certificate_is_shown_and_revoked_from_the_command_line(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let serial = application.serial();
    let shown = |status: &str| {
        let said = stack.muhr(&["certificate", "show", &serial]).well();
        assert!(said.out.contains(&format!("Status: {status}")), "{}", said.all());
    };
    shown("good");
    stack.muhr(&["certificate", "revoke", &serial, "--reason", "superseded"]).well();
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
    eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    shown("revoked");
    let again = stack.muhr(&["certificate", "revoke", &serial, "--reason", "superseded"]);
    assert!(!again.success, "{}", again.all());
}

/// What an insider with access to the database would do: a certificate that nobody approved.
fn an_audit_with_a_missing_approval_is_found(database: Database) {
    let stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    stack.muhr(&["audit", "verify"]).well();
    stack.tamper("DELETE FROM audit_entries WHERE action = 'application.approve'");
    stack.rows("DELETE FROM application_events WHERE command = 'approve'");
    let said = stack.muhr(&["audit", "verify"]);
    assert!(!said.success, "{}", said.all());
    let named =
        [&application.id, &application.serial()].iter().any(|name| said.all().contains(name.as_str()));
    assert!(named, "it says which: {}", said.all());
}

/// The rule is the database's own: no program can forget it.
fn a_certificate_without_an_intent_cannot_be_stored(database: Database) {
    let stack = database.start();
    Application::issued(&stack, SubjectType::NaturalPerson);
    let serial = database.blob("0102");
    let columns = "issuer_id, application_id, profile, subject, common_name, common_name_folded, pinfl, stir, \
                   spki_sha256, certificate, not_before, not_after, issued_at, status";
    let copy = |application: &str| {
        let values = columns.replace("application_id", application);
        let insert = format!(
            "INSERT INTO certificates (serial, {columns}) SELECT {serial}, {values} FROM certificates LIMIT 1"
        );
        let keys = if database == Database::Sqlite { "PRAGMA foreign_keys = ON; " } else { "" };
        stack.try_rows(&format!("{keys}{insert}"))
    };
    for application in ["NULL", "application_id"] {
        let said = copy(application);
        assert!(!said.success, "a certificate was copied: {}", said.all());
    }
}

fn a_setting_nobody_knows_is_refused(database: Database) {
    let stack = database.shared();
    stack.muhr(&["check-config"]).well();
    let file = stack.folder.join("mistyped.toml");
    std::fs::write(&file, "[ocsp]\nvalidity_minutes = 10\n").expect("our folder");
    let said = stack.muhr(&["check-config", "--config", &file.display().to_string()]);
    said.refused_with("validity_minutes");
}

fn a_new_officer_signs_in_and_a_disabled_one_does_not(database: Database) {
    let stack = database.start();
    let password = stack.add_officer("second", "reviewer");
    let sign_in = serde_json::json!({"login": "second", "password": password});
    let session: Value = stack.anybody().post("/api/v1/officer/sessions", &sign_in).json();
    let client = stack.anybody().with_token(session["token"].as_str().expect("a token"));
    client.get("/api/v1/officer/applications?state=under_review").is(200);
    stack.muhr(&["officer", "disable", "second"]).well();
    client.get("/api/v1/officer/applications?state=under_review").problem(401, "unauthenticated");
    stack.anybody().post("/api/v1/officer/sessions", &sign_in).problem(401, "sign-in-failed");
}

fn every_text_message_is_printed_for_moderation(database: Database) {
    let said = database.shared().muhr(&["sms", "templates"]).well().out;
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 13 * 5, "{said}");
    let code: Vec<_> = lines.iter().filter(|line| line[0] == "code").collect();
    assert!(code.iter().all(|line| line[3] == "1"), "a code is one message: {said}");
    assert_eq!(code[0][..4], ["code", "uz", "GSM-7", "1"]);
    assert!(lines.iter().all(|line| line.len() == 5 && line[4].starts_with("Muhr: ")), "{said}");
}

fn every_measurement_runs_to_its_end(database: Database) {
    let stack = database.shared();
    let measurements: [(&[&str], &str); 5] = [
        (&["payments", "--count", "20"], "payments.verified"),
        (&["issuance", "--count", "5"], "issuance.verify.file"),
        (&["audit", "--count", "500"], "audit.verify"),
        (&["ocsp", "--count", "50", "--seconds", "0"], "ocsp.certificates"),
        (&["crl", "--count", "100"], "crl.100.size"),
    ];
    for (arguments, last) in measurements {
        let mut arguments = [&["bench"], arguments].concat();
        let address = database.address().filter(|_| arguments[1] != "crl");
        arguments.extend(address.iter().flat_map(|address| ["--database", address]));
        let said = stack.muhr(&arguments).well();
        let figures: Vec<Value> =
            said.out.lines().map(|line| serde_json::from_str(line).expect("a JSON line a figure")).collect();
        let named = |figure: &&Value| figure["figure"].as_str().is_some_and(|name| name.starts_with(last));
        assert!(figures.iter().any(|figure| named(&figure)), "{}", said.out);
        address.iter().for_each(|address| Server::drop_database(address));
    }
}
