//! Nobody gets a certificate who was not approved by signatures: not with every right on the database, not by a web server that
//! does what somebody else wants, not through a single officer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssl::sha::sha256;
use serde_json::json;

use crate::applicant::{Application, SubjectType};
use crate::auditor;
use crate::command;
use crate::officer::{Officer, certify, key_of, sign_with};
use crate::stack::{Database, Role, Stack, eventually};

use super::main_job::walk_in;

on_both_databases!(
    no_certificate_without_valid_approvals,
    a_revoked_officers_key_approves_nothing_even_if_the_database_forgets,
    two_reviewers_approve_a_legal_entity_and_a_walk_in,
    strangers_tools_verify_what_officers_signed,
    the_audit_names_a_certificate_that_nobody_signed_for,
);

/// With every right on the database and in the place of the API; the signer is started for each verdict.
struct Attacker<'a> {
    stack: &'a Stack,
    database: Database,
}

impl Attacker<'_> {
    fn sql(&self, statement: &str) {
        let said = self.stack.try_rows(statement);
        assert!(said.success, "{statement}: {}", said.all());
    }

    fn blob(&self, octets: &[u8]) -> String {
        self.database.blob(octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>())
    }

    /// An application that nobody has applied with, under the name that is returned: the row of another one.
    fn conjures(&self, model: &Application) -> String {
        const COLUMNS: &str = "subject_type, channel, phone, pinfl, stir, common_name, subject, region, district, email, \
            purpose, language, offer_accepted_at, registered_by, csr, spki_sha256, submitted_at, created_at, updated_at";
        let (beginning, last) = model.id.split_at(model.id.len() - 1);
        let id = format!("{beginning}{}", if last == "7" { "8" } else { "7" });
        self.sql(&format!(
            "INSERT INTO applications (id, state, {COLUMNS}) SELECT '{id}', 'approved', {COLUMNS} FROM applications WHERE id = '{}'",
            model.id
        ));
        id
    }

    /// What the API writes when the last reviewer has signed.
    fn calls_approved(&self, id: &str) {
        self.sql(&format!("UPDATE applications SET state = 'approved' WHERE id = '{id}'"));
        self.sql(&format!("DELETE FROM jobs WHERE dedup_key = '{id}' AND kind = 'issue-certificate'"));
        self.sql(&format!(
            "INSERT INTO jobs (kind, dedup_key, payload, state, run_at, attempts, max_attempts, leased_until, created_at)
             VALUES ('issue-certificate', '{id}', '{{}}', 'ready', 0, 0, 1000, 0, 0)"
        ));
    }

    /// Puts a statement and a signature among those about the application.
    fn inserts(&self, login: &str, application: &Application, statement: &[u8], signature: &str) {
        let text = String::from_utf8(statement.to_vec()).expect("a statement is text");
        let previous = text.lines().find_map(|line| line.strip_prefix("previous: ")).expect("it follows one");
        let previous: Vec<u8> = (0..previous.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&previous[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        let signature = openssl::base64::decode_block(signature).expect("Base64");
        self.sql(&format!(
            "INSERT INTO officer_statements (act, object, login, at, statement, signature, sha256, previous)
             VALUES ('approve', 'application:{}', '{login}', 0, {}, {}, {}, {})",
            application.id,
            self.blob(statement),
            self.blob(&signature),
            self.blob(&sha256(statement)),
            self.blob(&previous),
        ));
    }

    /// The signer has refused, said why, and raised an alarm; there is no certificate.
    #[track_caller]
    fn is_refused(&self, id: &str, why: &str) {
        let stack = self.stack;
        let alarms = || stack.rows(&format!("SELECT details FROM alarms WHERE object = 'application:{id}'"));
        let before = alarms().len();
        stack.run(Role::Signer);
        let raised = eventually("an alarm", Duration::from_secs(20), || {
            let raised = alarms();
            (raised.len() > before).then_some(raised)
        });
        stack.terminate(Role::Signer);
        let last = raised.last().expect("one more");
        assert!(last.contains(why), "refused for another reason than `{why}`: {last}");
        let [state] = &stack.rows(&format!("SELECT state FROM applications WHERE id = '{id}'"))[..] else {
            panic!("the application is gone");
        };
        assert_eq!(state, "under_review");
        let certificates = format!("SELECT COUNT(*) FROM certificates WHERE application_id = '{id}'");
        assert_eq!(stack.rows(&certificates), ["0"]);
        let logged = |line: &str| line.contains(id) && line.contains("ALARM");
        assert!(stack.log().lines().any(logged), "nothing was logged");
        let recorded = format!(
            "SELECT COUNT(*) FROM audit_entries WHERE object = 'application:{id}' AND action = 'alarm.unapproved'"
        );
        assert_eq!(stack.rows(&recorded), [raised.len().to_string()]);
    }
}

/// The statement that this officer would sign now.
fn statement(officer: &Officer<'_>, application: &Application) -> Vec<u8> {
    let path = format!("/api/v1/officer/applications/{}/approval-statement", application.id);
    officer.client.get(&path).is(200).body.clone()
}

fn no_certificate_without_valid_approvals(database: Database) {
    let stack = database.start_roles();
    stack.terminate(Role::Signer);
    let attacker = Attacker { stack: &stack, database };
    let reviewer = Officer::reviewer(&stack);
    let waiting = |kind| Application::under_review(&stack, kind);
    let approved = || {
        let application = waiting(SubjectType::NaturalPerson);
        assert_eq!(reviewer.approve(&application.id).json()["state"], "approved");
        application
    };

    let nobody = waiting(SubjectType::NaturalPerson);
    attacker.calls_approved(&nobody.id);
    attacker.is_refused(&nobody.id, "0 of 1 approvals");

    let conjured = attacker.conjures(&nobody);
    attacker.calls_approved(&conjured);
    attacker.is_refused(&conjured, "never waited for a reviewer");

    // Signed by somebody who calls themselves the reviewer.
    let forged = waiting(SubjectType::NaturalPerson);
    let text = statement(&reviewer, &forged);
    attacker.inserts("reviewer", &forged, &text, &sign_with(&self_made_reviewer(&stack.folder), &text));
    attacker.calls_approved(&forged.id);
    attacker.is_refused(&forged.id, "not one of the officer CA's");

    // Signed by an officer, who is another kind of officer.
    let by_registrar = waiting(SubjectType::NaturalPerson);
    let text = String::from_utf8(statement(&reviewer, &by_registrar)).expect("text");
    let text = text.replace("\nofficer: reviewer\n", "\nofficer: registrar\n").into_bytes();
    attacker.inserts("registrar", &by_registrar, &text, &sign_with(&key_of(&stack, "registrar"), &text));
    attacker.calls_approved(&by_registrar.id);
    attacker.is_refused(&by_registrar.id, "no reviewer");

    let renamed = approved();
    let name = &renamed.person.surname;
    attacker.sql(&format!(
        "UPDATE applications SET subject = replace(subject, '{name}', 'BOSHQA') WHERE id = '{}'",
        renamed.id
    ));
    attacker.is_refused(&renamed.id, "something else than what is to be signed");

    let (swapped, other) = (approved(), waiting(SubjectType::NaturalPerson));
    attacker.sql(&format!(
        "UPDATE applications SET csr = (SELECT csr FROM applications WHERE id = '{}') WHERE id = '{}'",
        other.id, swapped.id
    ));
    // The key is the other person's now: whichever rule sees it first, nothing is signed.
    attacker.is_refused(&swapped.id, "something else than what is to be signed");

    let other_photo = approved();
    attacker.sql(&format!(
        "UPDATE documents SET sha256 = {} WHERE application_id = '{}' AND kind = 'photo'",
        attacker.blob(&[7; 32]),
        other_photo.id
    ));
    attacker.is_refused(&other_photo.id, "something else than what is to be signed");

    // The approval of one application is put among those of another.
    let (from, to) = (waiting(SubjectType::NaturalPerson), waiting(SubjectType::NaturalPerson));
    let text = statement(&reviewer, &from);
    attacker.inserts("reviewer", &to, &text, &reviewer.sign(&text));
    attacker.calls_approved(&to.id);
    attacker.is_refused(&to.id, "0 of 1 approvals");

    // One dishonest officer, twice.
    let organization = waiting(SubjectType::LegalEntity);
    let first = statement(&reviewer, &organization);
    assert_eq!(reviewer.approve_alone(&organization.id).json()["state"], "under_review");
    let once_more = String::from_utf8(first.clone()).expect("text");
    let previous = sha256(&first).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let once_more = once_more.replace(&"0".repeat(64), &previous).into_bytes();
    attacker.inserts("reviewer", &organization, &once_more, &reviewer.sign(&once_more));
    attacker.calls_approved(&organization.id);
    attacker.is_refused(&organization.id, "1 of 2 approvals");

    // A walk-in becomes an online application, for which one signature is enough.
    let registrar = Officer::named(&stack, "registrar");
    let at_the_counter = walk_in(&stack, &registrar);
    at_the_counter.complete();
    at_the_counter.submit().json();
    assert_eq!(reviewer.approve_alone(&at_the_counter.id).json()["state"], "under_review");
    attacker.sql(&format!(
        "UPDATE applications SET channel = 'online', registered_by = NULL WHERE id = '{}'",
        at_the_counter.id
    ));
    attacker.calls_approved(&at_the_counter.id);
    attacker.is_refused(&at_the_counter.id, "something else than what is to be signed");

    // And what was refused can be approved as it should be.
    stack.run(Role::Signer);
    assert_eq!(reviewer.approve(&nobody.id).json()["state"], "approved");
    nobody.wait_until("issued");
}

fn a_revoked_officers_key_approves_nothing_even_if_the_database_forgets(database: Database) {
    let stack = database.start_roles();
    stack.terminate(Role::Signer);
    let attacker = Attacker { stack: &stack, database };
    let reviewer = Officer::reviewer(&stack);
    let waiting = || Application::under_review(&stack, SubjectType::NaturalPerson);
    let [before, after] = [waiting(), waiting()];
    assert_eq!(reviewer.approve(&before.id).json()["state"], "approved");
    stack.muhr(&["officer", "revoke-certificates", "reviewer"]).well();
    attacker.is_refused(&before.id, "revoked certificate");
    reviewer.approve(&after.id).problem(403, "officer-not-certified");

    attacker.sql("UPDATE officer_certificates SET revoked_at = NULL");
    assert_eq!(reviewer.approve(&after.id).json()["state"], "approved", "the API believes the database");
    attacker.is_refused(&after.id, "revoked certificate");

    // With a new key the officer is heard again.
    let file = key_of(&stack, "reviewer");
    fs::remove_file(&file).expect("the folder is ours");
    certify(&stack, "reviewer", "reviewer", &file);
    stack.run(Role::Signer);
    for application in [&before, &after] {
        assert_eq!(reviewer.approve(&application.id).json()["state"], "approved");
        application.wait_until("issued");
    }
}

fn two_reviewers_approve_a_legal_entity_and_a_walk_in(database: Database) {
    let stack = database.shared();
    let [one, two] = ["reviewer", "reviewer2"].map(|login| Officer::named(&stack, login));
    let registrar = Officer::named(&stack, "registrar");
    let walk_in = walk_in(&stack, &registrar);
    walk_in.complete();
    walk_in.submit().json();
    for application in [Application::under_review(&stack, SubjectType::LegalEntity), walk_in] {
        let first = one.approve_alone(&application.id).json();
        assert_eq!(first["state"], "under_review");
        assert_eq!(first["approvals"], json!({"given": ["reviewer"], "needed": 2}));
        one.approve_alone(&application.id).problem(409, "already-approved");
        // Two who look at the same moment sign after one another: the later one looks again.
        let second = two.approve_alone(&application.id).json();
        assert_eq!(second["state"], "approved");
        application.wait_until("issued");
    }
    // A return takes the approvals of its round away.
    let again = Application::under_review(&stack, SubjectType::LegalEntity);
    one.approve_alone(&again.id).json();
    two.hand_back(&again.id, "photo-unclear", "").json();
    again.submit().json();
    assert_eq!(two.approve_alone(&again.id).json()["approvals"]["given"], json!(["reviewer2"]));
    assert_eq!(one.approve_alone(&again.id).json()["state"], "approved");
    again.wait_until("issued");
}

/// OpenSSL verifies the stored signatures up to the officer CA, over the stored text.
fn strangers_tools_verify_what_officers_signed(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    Officer::revocation(&stack).revoke(&application.serial(), "superseded").json();
    let rejected = Application::under_review(&stack, SubjectType::SoleProprietor);
    Officer::reviewer(&stack).reject(&rejected.id, "other", "Rasm xira\nyana bir qator").json();
    let hex = match database {
        Database::Sqlite => ["hex(statement)", "hex(signature)"],
        Database::Postgres | Database::PostgresAndToken => {
            ["encode(statement, 'hex')", "encode(signature, 'hex')"]
        }
    };
    let objects = [
        format!("application:{}", application.id),
        format!("certificate:ca/{}", application.serial()),
        format!("application:{}", rejected.id),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (object, act) in objects.iter().zip(["approve", "revoke", "reject"]) {
        let query = format!(
            "SELECT {}, {} FROM officer_statements WHERE object = '{object}' ORDER BY id",
            hex[0], hex[1]
        );
        let rows = stack.rows(&query);
        let [row] = &rows[..] else { panic!("{object}: {} statements", rows.len()) };
        let (statement, signature) = row.split_once('|').expect("two columns");
        let [text, cms] = ["statement", "signature"].map(|name| folder.path().join(name));
        for (file, hex) in [(&text, statement), (&cms, signature)] {
            let octets: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
                .collect();
            fs::write(file, octets).expect("the folder is ours");
        }
        let anchor = stack.folder.join("keys/officer-ca.cer");
        let pem = folder.path().join("officer-ca.pem");
        command::run("openssl", ["x509", "-inform", "DER", "-in", shown(&anchor), "-out", shown(&pem)])
            .well();
        command::run(
            "openssl",
            [
                "cms",
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-in",
                shown(&cms),
                "-content",
                shown(&text),
                "-CAfile",
                shown(&pem),
                "-purpose",
                "any",
                "-out",
                "/dev/null",
            ],
        )
        .well();
        let text = fs::read_to_string(text).expect("a statement is text");
        assert!(
            text.contains(&format!("\nact: {act}\n")) && text.contains(&format!("\nobject: {object}\n")),
            "{text}"
        );
        if act == "reject" {
            let note: String = sha256("Rasm xira\nyana bir qator".as_bytes())
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            assert!(text.contains(&format!("\nreason: other\nnote-sha256: {note}\n")), "{text}");
        }
    }
}

/// Whatever the rows say, and whoever had the CA key: a certificate needs the officers' signatures over what it says.
fn the_audit_names_a_certificate_that_nobody_signed_for(database: Database) {
    let stack = database.start();
    let attacker = Attacker { stack: &stack, database };
    let [gone, changed, other] = [(); 3].map(|()| Application::issued(&stack, SubjectType::NaturalPerson));
    let organization = Application::issued(&stack, SubjectType::LegalEntity);
    let serials = [&gone, &changed, &organization, &other].map(Application::serial);
    stack.terminate(Role::All);
    let said = auditor::finds_nothing(&stack);
    assert!(said.out.contains(" 0 findings"), "{}", said.all());
    attacker.sql(&format!("DELETE FROM officer_statements WHERE object = 'application:{}'", gone.id));
    attacker.sql(&format!(
        "UPDATE officer_statements SET signature = {} WHERE object = 'application:{}'",
        attacker.blob(b"no signature"),
        changed.id
    ));
    // The second approval of two.
    attacker.sql(&format!(
        "DELETE FROM officer_statements WHERE object = 'application:{}' AND login = 'reviewer2'",
        organization.id
    ));
    let said = stack.muhr(&["audit", "verify"]).refused_with("3 findings");
    let named = |serial: &String| {
        said.all().lines().any(|line| line.contains(serial.as_str()) && line.contains("what officers signed"))
    };
    assert_eq!(serials.each_ref().map(named), [true, true, true, false], "{}", said.all());
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path of ours is text")
}

/// A key and a certificate that says what a reviewer's says, signed by nobody.
fn self_made_reviewer(folder: &Path) -> PathBuf {
    let file = folder.join("self-made.pem");
    let key = folder.join("self-made.key");
    command::run(
        "openssl",
        [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=reviewer/title=reviewer/O=Muhr/C=UZ",
            "-days",
            "30",
            "-keyout",
            shown(&key),
            "-out",
            shown(&file),
        ],
    )
    .well();
    let both = [fs::read(&key), fs::read(&file)].map(|read| read.expect("OpenSSL wrote it")).concat();
    fs::write(&file, both).expect("the folder is ours");
    file
}
