//! Checkers that share nothing with the product (tests/oracles) against the whole of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::applicant::{Application, SubjectType};
use crate::command::{self, Said, run};
use crate::key::{Key, text};
use crate::officer::Officer;
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty, oracles};
use crate::stack::{Database, Role, Stack, eventually};

on_both_databases!(
    the_black_box_finds_nothing_not_even_against_a_recommendation,
    malformed_requests_are_refused_and_the_controls_answered,
);

/// Longer ago than a certificate of one month lasts, and within the life of the CA's own.
const PAST: &str = "-3456000";

fn the_black_box_finds_nothing_not_even_against_a_recommendation(database: Database) {
    let (stack, expired) = with_an_expired_certificate(database);
    let (other, never) = (Other::new(), Other::new());
    let [good, good2, revoked, held] =
        [(); 4].map(|()| Application::issued(&stack, SubjectType::NaturalPerson));
    let officer = Officer::revocation(&stack);
    officer.revoke(&revoked.serial(), "keyCompromise").json_or_empty();
    officer.suspend(&held.serial()).json_or_empty();
    let [good, good2, revoked, held] = [good, good2, revoked, held]
        .map(|application| RelyingParty::receiving(&stack, &application.certificate()));
    for not_good in [&revoked, &held] {
        eventually("OCSP knows", OCSP_KNOWS, || (not_good.status() == "revoked").then_some(()));
        eventually("the CRL lists it", CRL_KNOWS, || not_good.crl_reason());
    }
    let never = never.certified_outside_of_the_database(&stack, &good);
    let crl = good.fetch_crl();
    let files =
        [&good, &revoked, &held, &expired, &good2].map(|relying_party| relying_party.file("leaf.pem"));
    let [good_file, revoked_file, held_file, expired_file, good2_file] = &files;
    let issuer = good.file("issuing.pem");
    let said = checker(
        "ocsp_blackbox.py",
        &[
            &good.ocsp,
            &issuer,
            good_file,
            revoked_file,
            "--hold",
            held_file,
            "--expired",
            expired_file,
            "--never",
            &never,
            "--other",
            &other.certificate(),
            "--good2",
            good2_file,
            "--revoked-reason",
            "key_compromise",
            "--crl",
            &crl,
            "--slow",
            "--strict",
        ],
    );
    assert_passed(&said, 110);
    let skipped: Vec<&str> = said.out.lines().filter(|line| line.starts_with("SKIP")).collect();
    assert!(skipped.is_empty(), "{skipped:#?}");
}

/// A stack whose clock was behind when it issued one certificate for a month, and is right now.
fn with_an_expired_certificate(database: Database) -> (Stack, RelyingParty) {
    let mut stack =
        database.start_with(&[("ISSUANCE__VALIDITY_MONTHS", "1"), ("CLOCK_OFFSET_SECONDS", PAST)]);
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let expired = RelyingParty::receiving(&stack, &application.certificate());
    stack.terminate(Role::All);
    stack.set("CLOCK_OFFSET_SECONDS", "0");
    stack.set("ISSUANCE__VALIDITY_MONTHS", "12");
    stack.forget_sessions();
    stack.run(Role::All);
    (stack, expired)
}

fn malformed_requests_are_refused_and_the_controls_answered(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let folder = TempDir::new().expect("a temporary folder");
    let corpus = text(&folder.path().join("corpus"));
    let (issuer, leaf) = (relying_party.file("issuing.pem"), relying_party.file("leaf.pem"));
    checker("gen_malformed.py", &["ocsp", &corpus, "--issuer", &issuer, "--cert", &leaf]).well();
    for form in [&[][..], &["--get"]] {
        let said = checker("throw_malformed.py", &[&["ocsp", &relying_party.ocsp, &corpus], form].concat());
        assert_passed(&said, 250);
    }
}

/// Its last line counts what passed, at least so much, and nothing that failed.
#[track_caller]
fn assert_passed(said: &Said, at_least: u32) {
    let last = said.out.lines().last().unwrap_or_default();
    let passed =
        last.split_once(" passed, 0 failed").and_then(|(count, _)| count.rsplit(' ').next()?.parse().ok());
    let findings: Vec<&str> =
        said.out.lines().filter(|line| !line.starts_with("PASS") && !line.trim().is_empty()).collect();
    assert!(passed.is_some_and(|passed: u32| passed >= at_least), "{}\n{}", findings.join("\n"), said.err);
}

pub(super) fn checker(name: &str, arguments: &[&str]) -> Said {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracles").join(name);
    let python = oracles().join("bin/python");
    assert!(python.is_file(), "{} is missing; `cargo xtask test` makes it", python.display());
    command::finish(Command::new(python).arg(script).args(arguments), b"")
}

/// Somebody who is not our CA.
struct Other {
    folder: TempDir,
    key: Key,
}

impl Other {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), key: Key::p256() }
    }

    /// A CA of their own.
    fn certificate(&self) -> String {
        let (key, file) = (text(&self.key.file()), text(&self.folder.path().join("other.pem")));
        run(
            "openssl",
            ["req", "-x509", "-key", &key, "-subj", "/CN=Boshqa CA", "-days", "30", "-out", &file],
        )
        .well();
        file
    }

    /// A certificate that our CA's key signed and nobody recorded.
    fn certified_outside_of_the_database(&self, stack: &Stack, known: &RelyingParty) -> String {
        let [request, file] = ["request.pem", "never.pem"].map(|name| text(&self.folder.path().join(name)));
        fs::write(&request, self.key.csr_pem()).expect("our folder");
        let [key, passphrase] = ["keys/ca.key", "keys/passphrase"].map(|name| text(&stack.folder.join(name)));
        let (issuer, passphrase) = (known.file("issuing.pem"), format!("file:{passphrase}"));
        let fixed = ["x509", "-req", "-in", &request, "-CA", &issuer, "-CAkey", &key, "-passin", &passphrase];
        let more = ["-set_serial", "0x4D5548520000000000000000000001FE", "-days", "30", "-out", &file];
        run("openssl", fixed.into_iter().chain(more)).well();
        file
    }
}
