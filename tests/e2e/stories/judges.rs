//! Other people's validators over everything that we sign.

use crate::applicant::{Application, SubjectType};
use crate::officer::Officer;
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty, pkilint};
use crate::stack::{Database, eventually};

on_both_databases!(
    pkilint_finds_nothing_above_a_notice,
    gnutls_accepts_the_chain_and_the_status,
    java_accepts_the_chain_until_it_is_revoked,
    every_judge_refuses_a_suspended_and_a_revoked_certificate,
);

fn pkilint_finds_nothing_above_a_notice(database: Database) {
    let stack = database.shared();
    for subject_type in SubjectType::ALL {
        let application = Application::issued(&stack, subject_type);
        let relying_party = RelyingParty::receiving(&stack, &application.certificate());
        pkilint("lint_pkix_cert", &[], &relying_party.file("leaf.pem"));
        if subject_type == SubjectType::LegalEntity {
            pkilint("lint_pkix_cert", &[], &relying_party.file("issuing.pem"));
            pkilint("lint_pkix_cert", &[], &relying_party.file("root.pem"));
            pkilint("lint_ocsp_response", &[], &relying_party.ocsp_response());
            pkilint("lint_pkix_cert", &[], &relying_party.responder_certificate());
            Officer::revocation(&stack).revoke(&application.serial(), "affiliationChanged").json_or_empty();
            eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
            pkilint("lint_crl", &["-t", "CRL", "-p", "PKIX"], &relying_party.fetch_crl());
            pkilint("lint_ocsp_response", &[], &relying_party.ocsp_response());
        }
    }
}

fn gnutls_accepts_the_chain_and_the_status(database: Database) {
    let stack = database.shared();
    for subject_type in SubjectType::ALL {
        let application = Application::issued(&stack, subject_type);
        let relying_party = RelyingParty::receiving(&stack, &application.certificate());
        let said = relying_party.certtool_verify().well();
        assert!(
            said.all().contains("Chain verification output: Verified. The certificate is trusted."),
            "{}",
            said.all()
        );
        let said = relying_party.ocsptool().well();
        assert!(said.all().contains("Certificate Status: good"), "{}", said.all());
        assert!(said.all().contains("Verifying OCSP Response: Success."), "{}", said.all());
    }
}

fn java_accepts_the_chain_until_it_is_revoked(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::LegalEntity);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    for revocation in ["ocsp", "crl"] {
        let said = relying_party.java_validate(revocation).well();
        assert!(said.out.contains(&format!("accepted by {revocation}")), "{}", said.all());
    }
    Officer::revocation(&stack).revoke(&application.serial(), "superseded").json_or_empty();
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
    eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    for revocation in ["ocsp", "crl"] {
        relying_party.java_validate(revocation).refused_with("revoked");
    }
}

fn every_judge_refuses_a_suspended_and_a_revoked_certificate(database: Database) {
    let stack = database.shared();
    let (officer, application) =
        (Officer::revocation(&stack), Application::issued(&stack, SubjectType::NaturalPerson));
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    all_accept(&relying_party);
    officer.suspend(&application.serial()).json_or_empty();
    all_refuse(&relying_party, "certificateHold");
    officer.restore(&application.serial()).json_or_empty();
    eventually("OCSP says good again", OCSP_KNOWS, || (relying_party.status() == "good").then_some(()));
    all_accept(&relying_party);
    officer.revoke(&application.serial(), "keyCompromise").json_or_empty();
    all_refuse(&relying_party, "keyCompromise");
}

fn all_accept(relying_party: &RelyingParty) {
    assert_eq!(relying_party.status(), "good");
    let said = relying_party.ocsptool().well();
    assert!(said.all().contains("Certificate Status: good"), "{}", said.all());
    assert!(relying_party.java_validate("ocsp").well().out.contains("accepted by ocsp"));
}

fn all_refuse(relying_party: &RelyingParty, reason: &str) {
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
    let said = relying_party.openssl_ocsp().well();
    assert!(said.out.contains(&format!("Reason: {reason}")), "{}", said.all());
    let said = relying_party.ocsptool();
    assert!(said.all().contains("Certificate Status: revoked"), "{}", said.all());
    relying_party.java_validate("ocsp").refused_with("revoked");
}
