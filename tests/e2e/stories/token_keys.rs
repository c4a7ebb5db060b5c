//! The keys of the issuing CA, of the OCSP responder and of the audit log on a PKCS #11 token (SoftHSM2).

use std::time::Duration;

use crate::applicant::{Application, SubjectType};
use crate::officer::Officer;
use crate::postgres::free_port;
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, Role, Stack, eventually};
use crate::token::{PIN, Token};

on_both_databases!(
    the_main_job_is_done_with_keys_that_are_in_no_file,
    while_the_token_is_away_approvals_wait_and_afterwards_go_on_without_a_restart,
    the_ceremony_makes_keys_on_a_token_and_overwrites_none,
    a_wrong_pin_ends_the_start_with_a_sentence,
);

fn the_main_job_is_done_with_keys_that_are_in_no_file(database: Database) {
    let token = Token::new();
    // Certificates name the places of a process per role.
    let [ocsp, crl] = [(); 2].map(|()| format!("http://127.0.0.1:{}", free_port()));
    let (ocsp, crl) = (format!("{ocsp}/ocsp"), format!("{crl}/repository"));
    let places = [("ISSUANCE__OCSP_URL", ocsp.as_str()), ("ISSUANCE__REPOSITORY_URL", crl.as_str())];
    let stack = token.stack(database, &places);
    stack.run(Role::All);
    assert!(stack.terminate(Role::All).success());
    assert!(stack.folder.join("keys/root.key").exists(), "the root's key is a file, to be carried away");
    for name in ["keys/ca.key", "keys/ocsp.key", "keys/audit.key"] {
        assert!(!stack.folder.join(name).exists(), "{name}");
    }
    let looked = stack.muhr(&["check-config"]).well().out;
    for found in [
        "issuing CA's key: label \"issuing\" is on",
        "audit key: label \"audit log\" is on",
        "OCSP responder's key: id 0c59 is on",
    ] {
        assert!(looked.contains(&format!("{found} token \"muhr\", and signs")), "{looked}");
    }

    let roles = [Role::Api, Role::Signer, Role::Ocsp, Role::Crl];
    roles.iter().for_each(|role| stack.run(*role));
    let relying_party = issue_verify(&stack);
    Officer::revocation(&stack).revoke(&serial(&relying_party), "superseded").json_or_empty();
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
    eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    // By hand, beside the processes that use the token.
    stack.muhr(&["crl", "now"]).well();
    stack.muhr(&["ca", "renew-ocsp"]).well();
    let sealed = stack.muhr(&["audit", "seal"]).well().out;
    assert!(sealed.starts_with("head "), "{sealed}");
    stack.muhr(&["audit", "verify"]).well();
    for role in roles {
        assert!(stack.terminate(role).success(), "{role:?}");
    }
    assert!(!looked.contains(PIN) && !stack.log().contains(PIN));
}

/// An application becomes a certificate that OpenSSL accepts, with its CRL and its OCSP answer.
fn issue_verify(stack: &Stack) -> RelyingParty {
    let application = Application::issued(stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(stack, &application.certificate());
    relying_party.openssl_verify().well();
    relying_party.openssl_verify_with_crl().well();
    assert_eq!(relying_party.status(), "good");
    relying_party
}

fn serial(relying_party: &RelyingParty) -> String {
    let leaf = relying_party.file("leaf.pem");
    let said = crate::command::run("openssl", ["x509", "-in", &leaf, "-noout", "-serial"]).well().out;
    said.trim().trim_start_matches("serial=").to_lowercase()
}

fn while_the_token_is_away_approvals_wait_and_afterwards_go_on_without_a_restart(database: Database) {
    let token = Token::new();
    let stack = token.stack(database, &[("CRL__MIN_INTERVAL_SECONDS", "0")]);
    stack.run(Role::All);
    let first = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &first.certificate());
    let waiting = Application::under_review(&stack, SubjectType::NaturalPerson);

    token.pull_out();
    Officer::reviewer(&stack).approve(&waiting.id).json();
    Officer::revocation(&stack).revoke(&first.serial(), "superseded").json_or_empty();
    eventually("it says that it is not ready", Duration::from_secs(5), || {
        (!stack.is_ready(Role::All)).then_some(())
    });
    let said = relying_party.openssl_ocsp().all();
    assert!(said.contains("trylater"), "{said}");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(waiting.view()["state"], "approved");
    let dead = "SELECT count(*) FROM jobs WHERE state = 'dead'";
    assert_eq!(stack.rows(dead), ["0"]);

    token.plug_in();
    let patience = Duration::from_secs(10);
    eventually("it is ready again", patience, || stack.is_ready(Role::All).then_some(()));
    waiting.wait_long_until("issued", Duration::from_secs(40));
    let issued = RelyingParty::receiving(&stack, &waiting.certificate());
    issued.openssl_verify().well();
    assert_eq!((issued.status(), relying_party.status()), ("good".to_owned(), "revoked".to_owned()));
    eventually("the CRL lists it", CRL_KNOWS * 2, || relying_party.crl_reason());
    assert_eq!(stack.rows(dead), ["0"]);
    stack.muhr(&["audit", "verify"]).well();
}

fn the_ceremony_makes_keys_on_a_token_and_overwrites_none(database: Database) {
    let token = Token::new();
    let root = [("KEYS__TOKEN__ROOT_LABEL", "root"), ("KEYS__PASSPHRASE_FILE", "nowhere")];
    let mut first = token.stack(database, &root);
    first.muhr(&["migrate"]).well();
    let looked = first.muhr(&["check-config"]).well().out;
    assert!(looked.contains("token \"muhr\" is there, with no key of label \"root\" yet"), "{looked}");
    first.muhr(&["ca", "init"]).well();
    first.muhr(&["crl", "now", "--issuer", "root"]).well();
    let names = std::fs::read_dir(first.folder.join("keys")).expect("the certificates are here");
    let keys: Vec<_> =
        names.flatten().filter(|file| file.path().extension() == Some("key".as_ref())).collect();
    assert!(keys.is_empty(), "{keys:?}");

    // Another CA on the same token: whatever key it gets as far as to make is gone again.
    let mut second = token.stack(database, &root);
    second.muhr(&["migrate"]).well();
    let taken = "already, and no key is ever overwritten";
    second.muhr(&["ca", "init"]).refused_with(taken);
    second.set("KEYS__TOKEN__ROOT_LABEL", "second root");
    second.muhr(&["ca", "init"]).refused_with(taken);
    second.set("KEYS__TOKEN__CA_LABEL", "second issuing");
    second.muhr(&["ca", "init"]).refused_with("id 0c59");
    second.set("OCSP__TOKEN__KEY_ID", "0c60");
    second.muhr(&["ca", "init"]).refused_with("label \"officers\"");
    second.set("KEYS__TOKEN__OFFICERS_LABEL", "second officers");
    second.muhr(&["ca", "init"]).refused_with("label \"audit log\"");
    second.set("KEYS__TOKEN__AUDIT_LABEL", "second audit log");
    second.muhr(&["ca", "init"]).well();

    // A key that is there and is not the certificate's is not signed with.
    first.set("KEYS__TOKEN__CA_LABEL", "second issuing");
    let said = first.muhr(&["crl", "now"]);
    assert!(!said.success && said.err.contains("key"), "{}", said.all());
}

fn a_wrong_pin_ends_the_start_with_a_sentence(database: Database) {
    let token = Token::new();
    let stack = token.stack(database, &[("KEYS__TOKEN__ROOT_LABEL", "root")]);
    stack.muhr(&["migrate"]).well();
    token.set_pin("99999999");
    for command in [&["ca", "init"][..], &["check-config"]] {
        let said = stack.muhr(command).refused_with("token \"muhr\" refused the PIN");
        assert!(said.err.contains("correct the PIN") && !said.all().contains("99999999"), "{}", said.all());
    }
    token.set_pin(PIN);
    token.pull_out();
    assert!(!stack.muhr(&["check-config"]).success);
    token.plug_in();
    stack.muhr(&["check-config"]).well();
}
