//! The keys that answer: certified again before their certificates end, and several of them at once.

use std::fs;
use std::time::Duration;

use crate::applicant::{Application, SubjectType};
use crate::postgres::free_port;
use crate::relying_party::RelyingParty;
use crate::stack::{Database, Role, Stack, eventually};

on_both_databases!(
    a_responder_is_certified_again_well_before_its_certificate_ends,
    several_responders_answer_each_with_its_own_key,
    the_root_is_answered_for_by_the_same_responder,
);

const DAY: i64 = 86_400;

fn a_responder_is_certified_again_well_before_its_certificate_ends(database: Database) {
    let past = (-70 * DAY).to_string();
    let mut stack =
        database.start_with(&[("OCSP__RECONCILE_SECONDS", "1"), ("CLOCK_OFFSET_SECONDS", past.as_str())]);
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    stack.terminate(Role::All);
    // 70 days later 21 of the 91 are left; the signer is there, the ceremony's keys are not touched.
    stack.set("CLOCK_OFFSET_SECONDS", "0");
    let before = responder_files(&stack);
    stack.run(Role::Ocsp);
    stack.run(Role::Signer);
    let days = || days_left(&relying_party);
    eventually("a new certificate answers", Duration::from_secs(20), || (days() > 60).then_some(()));
    assert_eq!(relying_party.status(), "good");
    assert_eq!(responder_files(&stack), before);
    let made = "SELECT count(*) FROM certificates WHERE profile = 'ocsp_signer' AND issuer_id = 'ca'";
    assert_eq!(stack.rows(made), ["2"]);
    // Not again, by however many signers.
    stack.kill(Role::Signer);
    stack.run(Role::Signer);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(stack.rows(made), ["2"]);
    stack.muhr(&["audit", "verify"]).well();
}

fn responder_files(stack: &Stack) -> [Vec<u8>; 2] {
    ["keys/ocsp.key", "keys/ocsp.cer"]
        .map(|name| fs::read(stack.folder.join(name)).expect("the first start made it"))
}

/// How long the certificate that signed the answer is still valid, by OpenSSL.
fn days_left(relying_party: &RelyingParty) -> i64 {
    let file = relying_party.responder_certificate();
    for days in (1..=120).rev() {
        let seconds = (days * DAY).to_string();
        let check = ["x509", "-in", &file, "-noout", "-checkend", &seconds];
        if crate::command::run("openssl", check).success {
            return days;
        }
    }
    0
}

fn several_responders_answer_each_with_its_own_key(database: Database) {
    let mut stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let first = RelyingParty::receiving(&stack, &application.certificate());
    let first_key = first.responder_certificate();

    let second_address = format!("http://127.0.0.1:{}/ocsp", free_port());
    stack.set("OCSP__KEY_FILE", "second/ocsp.key");
    stack.set("OCSP__CERTIFICATE_FILE", "second/ocsp.cer");
    stack.set("OCSP__SNAPSHOT_FILE", "second/ocsp.index");
    let request = stack.folder.join("second.csr");
    fs::write(&request, stack.muhr(&["ocsp", "key"]).well().out).expect("our folder");
    let asked = stack.muhr(&["ocsp", "key"]).well().out;
    assert_eq!(public_key(&asked), public_key(&fs::read_to_string(&request).expect("just written")));
    stack.muhr(&["ca", "renew-ocsp", "--csr", &request.display().to_string()]).well();

    stack.set("ISSUANCE__OCSP_URL", &second_address);
    stack.run(Role::Ocsp);
    let mut second = RelyingParty::receiving(&stack, &application.certificate());
    second.ocsp = second_address;
    eventually("the second is ready", Duration::from_secs(5), || (second.status() == "good").then_some(()));
    let second_key = second.responder_certificate();
    let read = |file: &str| fs::read_to_string(file).expect("a certificate");
    assert_ne!(read(&first_key), read(&second_key));

    // Both learn of everything.
    crate::officer::Officer::revocation(&stack).revoke(&application.serial(), "superseded").json_or_empty();
    for relying_party in [&first, &second] {
        eventually("both say revoked", crate::relying_party::OCSP_KNOWS, || {
            (relying_party.status() == "revoked").then_some(())
        });
    }
}

fn public_key(request: &str) -> String {
    let arguments = ["req", "-noout", "-pubkey", "-verify"];
    let mut openssl = std::process::Command::new(crate::command::find("openssl"));
    crate::command::finish(openssl.args(arguments), request.as_bytes()).well().out
}

fn the_root_is_answered_for_by_the_same_responder(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let [root, issuing, leaf] = ["root.pem", "issuing.pem", "leaf.pem"].map(|name| relying_party.file(name));
    let ask = ["ocsp", "-url", &relying_party.ocsp, "-CAfile", &root, "-issuer", &root, "-cert", &issuing];
    let said = crate::command::run("openssl", ask).well();
    assert!(said.err.contains("Response verify OK"), "{}", said.all());
    assert!(said.out.contains("issuing.pem: good"), "{}", said.all());
    // Both at once: OpenSSL does not believe one signer for two issuers, but reads both statuses.
    let both = ["ocsp", "-url", &relying_party.ocsp, "-noverify", "-issuer", &root, "-cert", &issuing];
    let said =
        crate::command::run("openssl", both.iter().copied().chain(["-issuer", &issuing, "-cert", &leaf]))
            .well();
    assert!(said.out.contains("issuing.pem: good") && said.out.contains("leaf.pem: good"), "{}", said.all());
}
