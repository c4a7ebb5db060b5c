//! Revocation and suspension, as the world sees them.

use serde_json::json;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::officer::{Officer, change_status};
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, eventually};

on_both_databases_and_a_token!(
    a_revoked_certificate_is_refused_by_everybody_within_seconds,
    a_certificate_on_hold_comes_back_when_restored,
    a_holder_revokes_a_lost_key_with_their_own_token,
    a_revocation_is_final,
    a_holder_may_not_use_the_authoritys_reasons,
    openssl_reads_sha256_identifiers_and_answers_without_a_nonce,
    a_certificate_never_issued_is_unknown,
    several_certificates_are_answered_in_one_response,
    the_repository_lets_caches_ask_whether_anything_changed,
);
fn a_revoked_certificate_is_refused_by_everybody_within_seconds(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    assert_eq!(relying_party.status(), "good");

    Officer::revocation(&stack).revoke(&application.serial(), "keyCompromise").json_or_empty();
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
    let said = relying_party.openssl_ocsp().well();
    assert!(said.out.contains("Reason: keyCompromise"), "{}", said.out);
    assert!(said.out.contains("Revocation Time:"), "{}", said.out);

    let listed = eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    assert_eq!(listed, "Key Compromise");
    relying_party.openssl_verify_with_crl().refused_with("certificate revoked");
    relying_party.openssl_verify().well();

    let entry = stack.anybody().get(&format!("/api/v1/certificates/{}", application.serial())).json();
    assert_eq!(entry["status"], "revoked", "{entry}");
    assert_eq!(entry["reason"], "keyCompromise", "{entry}");
    assert!(entry["revoked_at"].is_string(), "{entry}");
    assert_eq!(application.view()["certificate"]["status"], "revoked");
}

fn a_certificate_on_hold_comes_back_when_restored(database: Database) {
    let stack = database.shared();
    let officer = Officer::revocation(&stack);
    let application = Application::issued(&stack, SubjectType::SoleProprietor);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());

    officer.suspend(&application.serial()).json_or_empty();
    eventually("OCSP says on hold", OCSP_KNOWS, || {
        relying_party.openssl_ocsp().well().out.contains("Reason: certificateHold").then_some(())
    });
    let listed = eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    assert_eq!(listed, "Certificate Hold");
    assert_eq!(application.view()["certificate"]["status"], "suspended");

    officer.restore(&application.serial()).json_or_empty();
    eventually("OCSP says good again", OCSP_KNOWS, || (relying_party.status() == "good").then_some(()));
    eventually("the CRL lists it no more", CRL_KNOWS, || relying_party.crl_reason().is_none().then_some(()));
    relying_party.openssl_verify_with_crl().well();
    assert_eq!(application.view()["certificate"]["status"], "good");
}

fn a_holder_revokes_a_lost_key_with_their_own_token(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let somebody_else = Applicant::with_confirmed_phone(&stack).client;
    let reason = json!({"reason": "keyCompromise"});
    let refused = change_status(&somebody_else, &application.serial(), "revocation", &reason);
    assert!([403, 404].contains(&refused.status), "{}", refused.text());
    change_status(&stack.anybody(), &application.serial(), "revocation", &reason)
        .problem(401, "unauthenticated");

    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    assert_eq!(relying_party.status(), "good");
    change_status(&application.client, &application.serial(), "revocation", &reason).json_or_empty();
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
}

fn a_revocation_is_final(database: Database) {
    let stack = database.shared();
    let officer = Officer::revocation(&stack);
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let serial = application.serial();
    officer.restore(&serial).problem(409, "status-change-refused");
    officer.revoke(&serial, "superseded").json_or_empty();
    officer.restore(&serial).problem(409, "status-change-refused");
    officer.suspend(&serial).problem(409, "status-change-refused");
    officer.revoke(&serial, "cessationOfOperation").problem(409, "status-change-refused");
    officer.revoke("00000000000000000000000000000001", "superseded").problem(404, "not-found");
    officer.revoke(&serial, "boredom").names("/reason");
}

fn a_holder_may_not_use_the_authoritys_reasons(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let reason = json!({"reason": "cACompromise"});
    let refused = change_status(&application.client, &application.serial(), "revocation", &reason);
    refused.problem(403, "forbidden");
    assert_eq!(application.view()["certificate"]["status"], "good");
}

fn openssl_reads_sha256_identifiers_and_answers_without_a_nonce(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    for arguments in [&["-sha256"][..], &["-no_nonce"], &["-no_nonce", "-sha256"]] {
        let said = relying_party.openssl_ocsp_with(arguments).well();
        assert!(said.err.contains("Response verify OK"), "{arguments:?}: {}", said.all());
        assert!(said.out.contains("leaf.pem: good"), "{arguments:?}: {}", said.all());
        assert!(!said.err.contains("no nonce in response"), "{arguments:?}: {}", said.all());
    }
}

fn a_certificate_never_issued_is_unknown(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let said = relying_party.openssl_ocsp_with(&["-serial", "0x4D5548520000000000000000000000FF"]).well();
    assert!(said.out.contains("0x4D5548520000000000000000000000FF: unknown"), "{}", said.all());
}

fn several_certificates_are_answered_in_one_response(database: Database) {
    let stack = database.shared();
    let (one, two) = (
        Application::issued(&stack, SubjectType::NaturalPerson),
        Application::issued(&stack, SubjectType::LegalEntity),
    );
    let relying_party = RelyingParty::receiving(&stack, &one.certificate());
    RelyingParty::receiving(&stack, &two.certificate());
    let second = format!("0x{}", two.serial().to_uppercase());
    let said = relying_party.openssl_ocsp_with(&["-serial", &second]).well();
    assert!(said.out.contains("leaf.pem: good"), "{}", said.all());
    assert!(said.out.contains(&format!("{second}: good")), "{}", said.all());
}

fn the_repository_lets_caches_ask_whether_anything_changed(database: Database) {
    let stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let first = stack.anybody().get(&relying_party.crl).is(200);
    for header in ["etag", "last-modified", "cache-control"] {
        assert!(!first.header(header).is_empty(), "no {header} in {:?}", first.headers);
    }
    let again = stack.anybody().request(reqwest::Method::GET, &relying_party.crl);
    crate::http::send(again.header("If-None-Match", first.header("etag"))).is(304);
}
