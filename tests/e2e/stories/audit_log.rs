//! The audit log as evidence: sealed, published, exported, and checked by a program that shares nothing with ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::applicant::{Application, SubjectType};
use crate::auditor::Carried;
use crate::command;
use crate::officer::Officer;
use crate::stack::{Database, Role, eventually};

use super::oracle::checker;

on_both_databases!(
    an_export_and_a_proof_convince_a_stranger,
    an_export_that_was_changed_convinces_nobody,
    an_auditor_elsewhere_sees_what_officers_signed,
    what_nobody_has_approved_is_found_in_the_log_alone,
    an_act_that_too_few_administrators_signed_is_found_in_the_log_alone,
    published_heads_are_evidence_that_the_end_was_cut_off,
    a_head_is_signed_by_itself_and_at_the_end,
    an_installation_without_an_audit_key_gets_one,
    the_log_tells_of_processes_sign_ins_and_keys,
);

fn an_export_and_a_proof_convince_a_stranger(database: Database) {
    let stack = database.start();
    Application::issued(&stack, SubjectType::NaturalPerson);
    stack.muhr(&["audit", "seal"]).well();
    Officer::reviewer(&stack);
    let first = stack.muhr(&["audit", "seal"]).well().out;
    assert!(first.starts_with("head "), "{first}");

    let carried = Carried::from(&stack);
    let said = carried.verify(&[]).well().out;
    let told = checker("audit_log.py", &["export", &carried.export, &carried.key]).well().out;
    let (entries, heads) =
        told.lines().next().and_then(|line| line.split_once(" entries under ")).expect("both numbers");
    let heads = heads.trim_end_matches(" heads");
    assert!(entries.parse::<u32>().expect("a number") > 10, "{told}");
    let ours = format!(
        "{entries} sealed entries and {heads} heads looked at, 0 findings; the newest head is {heads} of "
    );
    assert!(said.contains(&ours), "{said}");
    // The database says the same.
    assert!(stack.muhr(&["audit", "verify"]).well().out.contains(" 0 findings; the newest head is "));
    stack.muhr(&["audit", "export", "--out", &carried.export]).refused_with("exists");

    let id = stack.rows("SELECT id FROM audit_entries WHERE action = 'certificate.issue' AND object LIKE 'certificate:ca/%' ORDER BY id DESC LIMIT 1").remove(0);
    let proof = stack.muhr(&["audit", "prove", &id]).well().out;
    let file = carried.file("proof.json", &proof);
    let told = checker("audit_log.py", &["proof", &file, &carried.key]).well().out;
    assert!(told.starts_with(&format!("entry {id} is under head ")), "{told}");
    // Another entry under this proof, and this one elsewhere, convince it of nothing.
    let mut other: Value = serde_json::from_str(&proof).expect("JSON");
    other["entry"]["actor"] = "officer:nobody".into();
    let file = carried.file("other.json", &other.to_string());
    checker("audit_log.py", &["proof", &file, &carried.key]).refused_with("the path leads to the root");
    stack.muhr(&["audit", "prove", "999999999"]).refused_with("there is no audit entry 999999999");
    assert!(stack.terminate(Role::All).success());
    // A start that nobody has sealed yet is no finding.
    stack.muhr(&["audit", "verify"]).well();
}

fn an_auditor_elsewhere_sees_what_officers_signed(database: Database) {
    let stack = database.start();
    Application::issued(&stack, SubjectType::NaturalPerson);
    let entity = Application::issued(&stack, SubjectType::LegalEntity);
    let officer = Officer::revocation(&stack);
    officer.revoke(&entity.serial(), "superseded").is(200);
    stack.muhr(&["audit", "seal"]).well();
    let carried = Carried::from(&stack);
    let said = carried.verify_history(&[]).well().out;
    // Three approvals and a revocation.
    let expected = "2 certificates for applications and 4 statements of officers looked at, 2 certificates compared with what \
                    was signed, 0 findings";
    assert!(said.contains(expected), "{said}");
    let officer_ca = carried.file("officer-ca.pem", "");
    let der = carried.folder.path().join("officer-ca.cer").display().to_string();
    command::run("openssl", ["x509", "-inform", "DER", "-in", &der, "-out", &officer_ca]).well();
    let told = checker("audit_log.py", &["export", &carried.export, &carried.key, &officer_ca]).well().out;
    assert!(told.contains("4 statements, 2 certificates for applications"), "{told}");

    // A stricter policy than the one that was followed finds all of them.
    let policy = "natural_person = 2\nsole_proprietor = 2\nlegal_entity = 3\nat_a_counter = 3\n";
    let policy = carried.file("approval.toml", policy);
    let said = carried.verify_history(&["--policy", &policy]).refused_with("1 of 2 approvals");
    assert!(said.out.contains("2 of 3 approvals"), "{}", said.out);
    // Another officer CA has certified none of them.
    let stranger = Carried::from(&database.start());
    let theirs = stranger.folder.path().join("officer-ca.cer").display().to_string();
    carried.verify(&["--officer-ca", &theirs]).refused_with("signed by that officer's certificate");
    let theirs = stranger.folder.path().join("ca.cer").display().to_string();
    let trust = ["--officer-ca", "officer-ca.cer", "--issuer", &theirs];
    carried.verify(&trust).refused_with("a certificate is signed by one of the CAs");
    // Whoever may not see the certificates sees the signatures.
    let without = Carried::exported(&stack, &[]);
    assert!(!fs::read_to_string(&without.export).expect("ours").contains("\"certificate\":"));
    let said = without.verify(&["--officer-ca", "officer-ca.cer"]).well().out;
    assert!(said.contains("4 statements of officers looked at, 0 certificates compared"), "{said}");
    // Whoever has the database sees as much, and not only what approves.
    let said = stack.muhr(&["audit", "verify"]).well().out;
    assert!(said.contains(expected), "{said}");
    stack.tamper(
        "UPDATE officer_statements SET signature = (SELECT signature FROM officer_statements WHERE act = 'approve' LIMIT 1) \
         WHERE act = 'revoke'",
    );
    stack.muhr(&["audit", "verify"]).refused_with("is signed by that officer's certificate");
}

/// Whoever has the database and the audit key can have everything sealed, and no officer's signature.
fn what_nobody_has_approved_is_found_in_the_log_alone(database: Database) {
    let stack = database.start();
    let application = Application::issued(&stack, SubjectType::LegalEntity);
    let invented = "01920000-0000-7000-8000-000000000000";
    let entry = |action: &str, object: &str, details: &Value| {
        format!(
            "INSERT INTO audit_entries (at, actor, action, object, details) VALUES (1790000000000, 'applicant', '{action}', \
             '{object}', '{details}')"
        )
    };
    let object = format!("application:{invented}");
    let of_kind = json!({ "channel": "online", "subject_type": "natural_person", "benefit": null });
    let invoice = json!({ "number": "M-2026-9999999", "amount_tiyin": 100, "rule": "none" });
    let issue = json!({ "application": invented, "profile": "natural_person" });
    let certificate = "certificate:ca/00112233445566778899aabbccddeeff";
    let moved = json!({ "from": "draft", "reason": null, "to": "under_review" });
    let story = [
        ("application.create", object.as_str(), &of_kind),
        ("invoice.write", &object, &invoice),
        ("invoice.pay", &object, &invoice),
        ("application.submit", &object, &moved),
        ("certificate.issue", certificate, &issue),
    ];
    let cases: [(&[usize], &str); 4] = [
        (&[4], "is told of from its beginning"),
        (&[0, 1, 3, 4], "issued for a paid application"),
        (&[0, 1, 2, 4], "submitted for review"),
        (&[0, 1, 2, 3, 4], "0 of 1 approvals"),
    ];
    for (told, rule) in cases {
        for place in told {
            let (action, object, details) = story[*place];
            stack.tamper(&entry(action, object, details));
        }
        stack.muhr(&["audit", "seal"]).well();
        Carried::from(&stack).verify(&["--officer-ca", "officer-ca.cer"]).refused_with(rule);
    }
    // A key that ended signs nothing today in the name of its own time: the head over it has another.
    stack.tamper(&format!(
        "UPDATE audit_entries SET at = at - 7200000 WHERE action = 'statement.sign' AND object = 'application:{}'",
        application.id
    ));
    let told = Carried::from(&stack).verify(&["--officer-ca", "officer-ca.cer"]);
    let told = told.refused_with("a statement of an officer is recorded when it is signed");
    assert!(told.out.contains("a sealed entry is what it was when it was sealed"), "{}", told.out);
    stack.tamper(&format!(
        "UPDATE audit_entries SET at = at + 7200000 WHERE action = 'statement.sign' AND object = 'application:{}'",
        application.id
    ));
    // What an operator ordered answers no application.
    let ordered = json!({ "application": null, "profile": "natural_person" });
    stack.tamper(&entry("certificate.issue", "certificate:ca/00112233445566778899aabbccddeefe", &ordered));
    stack.muhr(&["audit", "seal"]).well();
    let carried = Carried::from(&stack);
    carried
        .verify(&["--officer-ca", "officer-ca.cer"])
        .refused_with("a subscriber's certificate answers an application");
    // One that is kept back is missed, and an export that is called older is none.
    let honest = fs::read_to_string(&carried.export).expect("ours");
    let without: Vec<&str> = honest.lines().filter(|line| !line.starts_with("{\"certificate\"")).collect();
    let kept_back =
        Carried { export: carried.file("kept back", &(without.join("\n") + "\n")), ..Carried::from(&stack) };
    kept_back.verify_history(&[]).refused_with("a certificate that the log tells of is there");
    let older = honest
        .lines()
        .filter(|line| !line.starts_with("{\"certificate\"") && !line.starts_with("{\"statement\""))
        .collect::<Vec<_>>()
        .join("\n")
        .replacen("muhr-audit-export/2", "muhr-audit-export/1", 1);
    let older = Carried { export: carried.file("older", &(older + "\n")), ..Carried::from(&stack) };
    older.verify(&[]).well();
    older.verify_history(&[]).refused_with("it has not what officers signed");
    // The register does not have what the log tells of.
    stack.muhr(&["audit", "verify"]).refused_with("is in the register");

    let object = format!("application:{}", application.id);
    let both =
        stack.rows(&format!("SELECT id FROM officer_statements WHERE object = '{object}' ORDER BY id"));
    stack.tamper(&format!(
        "UPDATE officer_statements SET signature = (SELECT signature FROM officer_statements WHERE id = {}) WHERE id = {}",
        both[0], both[1]
    ));
    let said =
        Carried::from(&stack).verify_history(&[]).refused_with("is signed by that officer's certificate");
    assert!(said.out.contains("1 of 2 approvals"), "{}", said.out);
    stack.tamper(&format!("DELETE FROM officer_statements WHERE id = {}", both[1]));
    Carried::from(&stack).verify_history(&[]).refused_with("what an officer signed is there");
    // A status that somebody wrote, and another certificate under the same number.
    let row = format!("application_id = '{}'", application.id);
    stack.tamper(&format!(
        "UPDATE certificates SET status = 'revoked', status_since = 1, reason = 4 WHERE {row}"
    ));
    stack.muhr(&["audit", "verify"]).refused_with("the status of a certificate is what the audit log tells");
    stack.tamper(&format!(
        "UPDATE certificates SET certificate = (SELECT certificate FROM certificates WHERE profile = 'root') WHERE {row}"
    ));
    stack.muhr(&["audit", "verify"]).refused_with("a certificate is the one that the audit log tells of");
    Carried::from(&stack).verify_history(&[]).refused_with("a certificate is the one that the log tells of");
}

fn an_act_that_too_few_administrators_signed_is_found_in_the_log_alone(database: Database) {
    let stack = database.start();
    let (first, second) = (Officer::named(&stack, "admin"), Officer::named(&stack, "second-admin"));
    let wanted =
        json!({"kind": "officer-add", "login": "zarina", "role": "registrar", "reason": "a colleague"});
    let act = first.propose(&wanted).is(201).json()["id"].as_str().expect("an id").to_owned();
    first.confirm(&act).is(403);
    second.confirm(&act).is(200);
    // What is taken away is taken away by one.
    let urgent = json!({"kind": "officer-disable", "login": "zarina", "reason": "a mistake"});
    first.propose(&urgent).is(201);
    first
        .propose(&json!({"kind": "officer-role", "login": "auditor", "role": "reviewer", "reason": "x"}))
        .is(201);
    stack.muhr(&["audit", "seal"]).well();
    Carried::from(&stack).verify_history(&[]).well();
    let policy =
        "natural_person = 1\nsole_proprietor = 1\nlegal_entity = 2\nat_a_counter = 2\nadministration = 3\n";
    let rule = "an act is in force when as many administrators have signed it as the policy asks for";
    let carried = Carried::from(&stack);
    let policy = carried.file("approval.toml", policy);
    let said = carried.verify_history(&["--policy", &policy]).refused_with(rule);
    assert_eq!(said.out.matches(rule).count(), 1, "{}", said.out);

    // Whoever has the database and the audit key has an act in force: once more, or one that only its proposer signed.
    let forged = |action: &str, from: &str| {
        stack.tamper(&format!(
            "INSERT INTO audit_entries (at, actor, action, object, details) SELECT 1790000000000, actor, '{action}', object, details \
             FROM audit_entries WHERE id = (SELECT max(id) FROM audit_entries WHERE action = '{from}')"
        ));
        stack.muhr(&["audit", "seal"]).well();
        let said = Carried::from(&stack).verify_history(&[]).refused_with(rule);
        said.out.matches(rule).count()
    };
    assert_eq!(forged("act.enact", "act.enact"), 1);
    assert_eq!(forged("act.enact", "act.propose"), 2);
}

fn an_export_that_was_changed_convinces_nobody(database: Database) {
    let stack = database.start();
    for login in ["reviewer", "registrar", "auditor"] {
        stack.signed_in(login);
        stack.muhr(&["audit", "seal"]).well();
    }
    let carried = Carried::exported(&stack, &[]);
    let honest = fs::read_to_string(&carried.export).expect("ours");
    let lines: Vec<&str> = honest.lines().collect();
    let heads: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].starts_with("{\"head\"")).collect();
    let (second, third) = (heads[1], heads[2]);
    let without = |line: usize| {
        let rest: Vec<&str> =
            lines.iter().enumerate().filter(|(n, _)| *n != line).map(|(_, text)| *text).collect();
        rest.join("\n") + "\n"
    };
    let swapped = {
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        swapped.join("\n") + "\n"
    };
    let cases = [
        (
            "changed",
            honest.replacen("\"actor\":\"operator\"", "\"actor\":\"nobody\"", 1),
            "a sealed entry is what it was",
        ),
        ("deleted", without(2), "audit sequence 2: sequence numbers have no gap"),
        ("reordered", swapped, "audit entry 1, sequence 1: sequence numbers follow each other"),
        ("headless", without(second), "audit head 2: heads have no gap"),
        ("cut", lines[..third].join("\n") + "\n", ": every sequence number has its head"),
        (
            "forged",
            honest.replacen("count: ", "count: 1", 1),
            "audit head 1: a head is signed by the audit key",
        ),
    ];
    for (name, text, rule) in cases {
        assert_ne!(text, honest, "{name}");
        let other = Carried {
            export: carried.file(name, &text),
            key: carried.key.clone(),
            folder: TempDir::new().expect("a folder"),
        };
        other.verify(&[]).refused_with(rule);
        checker("audit_log.py", &["export", &other.export, &other.key]).refused_with("does not hold");
    }
    let stranger = Carried::from(&database.start());
    let other = Carried {
        export: carried.export.clone(),
        key: stranger.key.clone(),
        folder: TempDir::new().expect("a folder"),
    };
    other.verify(&[]).refused_with("a head names an audit key");
    // Half a line is no export.
    let half = carried.file("half", &honest[..honest.len() - 20]);
    let other = Carried { export: half, key: carried.key.clone(), folder: TempDir::new().expect("a folder") };
    other.verify(&[]).refused_with("is none of an export");
}

fn published_heads_are_evidence_that_the_end_was_cut_off(database: Database) {
    let stack = database.start_with(&[("AUDIT__PUBLISH_HEADS", "true")]);
    stack.muhr(&["audit", "seal"]).well();
    let newest = || stack.rows("SELECT number FROM audit_heads ORDER BY number DESC LIMIT 1").remove(0);
    let name = || {
        let folder = fs::read_dir(stack.folder.join("repository")).expect("published");
        let names = folder.flatten().map(|entry| entry.file_name().into_string().expect("a name"));
        names.filter(|name| name.starts_with("audit-") && name.ends_with(".heads")).max().unwrap_or_default()
    };
    let fetched = || {
        let text = stack.anybody().get(&format!("/repository/{}", name())).text();
        text.contains(&format!("number: {}\n", newest())).then_some(text)
    };
    let patience = Duration::from_secs(10);
    let first = eventually("the heads are published", patience, fetched);
    stack.signed_in("reviewer");
    stack.muhr(&["audit", "seal"]).well();
    let text = eventually("the next too", patience, fetched);
    assert!(text.starts_with(&first) && text.len() > first.len(), "what was published stays");
    let carried = Carried::from(&stack);
    let heads = carried.file("today.heads", &text);
    let told = checker("audit_log.py", &["heads", &heads, &carried.key]).well().out;
    assert_eq!(told.trim(), format!("{} heads", newest()));
    let folder = carried.folder.path().display().to_string();
    stack.muhr(&["audit", "verify", "--heads", &folder, "--heads", &heads]).well();
    carried.verify(&["--heads", &heads]).well();

    assert!(stack.terminate(Role::All).success());
    let end = newest();
    let last = fs::read_to_string(stack.folder.join("repository").join(name())).expect("published");
    let seen = last.rsplit_once("number: ").and_then(|(_, rest)| rest.split_once('\n')).expect("a head").0;
    // An insider takes out the last heads, their entries, and what the signer remembers.
    let first_of =
        stack.rows(&format!("SELECT first_sequence FROM audit_heads WHERE number = {seen}")).remove(0);
    for statement in [
        format!(
            "DELETE FROM audit_entries WHERE id IN (SELECT entry_id FROM audit_leaves WHERE sequence >= {first_of})"
        ),
        format!("DELETE FROM audit_leaves WHERE sequence >= {first_of}"),
        format!("DELETE FROM audit_heads WHERE number >= {seen}"),
    ] {
        stack.tamper(&statement);
    }
    let memory = stack.folder.join("keys/audit.head");
    let found = stack.muhr(&["audit", "verify"]);
    found.refused_with(&format!(
        "audit head {end} of {}: a head that was seen is in the log",
        memory.display()
    ));
    fs::remove_file(&memory).expect("there");
    stack.muhr(&["audit", "verify"]).well();
    let published = stack.folder.join("repository").display().to_string();
    stack.muhr(&["audit", "verify", "--heads", &published]).refused_with(&format!(
        "audit head {seen} of {published}/{}: a head that was seen is in the log",
        name()
    ));
    // The publisher keeps what it has published.
    stack.run(Role::All);
    stack.muhr(&["audit", "seal"]).well();
    eventually("it complains", patience, || {
        stack.log().contains("says what the database does not say any more").then_some(())
    });
    let kept = fs::read_to_string(Path::new(&published).join(name())).expect("published");
    assert_eq!(kept, last);
}

fn a_head_is_signed_by_itself_and_at_the_end(database: Database) {
    let stack = database.start_with(&[("AUDIT__HEAD_SECONDS", "10")]);
    let heads = || stack.rows("SELECT count(*) FROM audit_heads").remove(0).parse::<u32>().expect("a number");
    eventually("the first head", Duration::from_secs(5), || (heads() >= 1).then_some(()));
    eventually("the next", Duration::from_secs(15), || (heads() >= 2).then_some(()));
    let metrics = stack.metrics(Role::All);
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{metrics}"));
        line.rsplit(' ').next().expect("a value").parse::<u64>().expect("a number")
    };
    let newest =
        stack.rows("SELECT sealed_at / 1000 FROM audit_heads ORDER BY number DESC LIMIT 1").remove(0);
    let newest: u64 = newest.parse().expect("a number");
    assert!((newest - 10..=newest).contains(&value("muhr_audit_head_seconds")));
    assert!(value("muhr_audit_unsealed_entries") < 10);
    assert!(stack.terminate(Role::All).success());
    let said = stack.muhr(&["audit", "verify"]).well().out;
    assert!(said.contains("0 entries wait for their head"), "{said}");
    let last = stack.rows(
        "SELECT e.action FROM audit_leaves l JOIN audit_entries e ON e.id = l.entry_id ORDER BY l.sequence DESC LIMIT 1",
    );
    assert_eq!(last, ["process.stop"]);
}

/// As one is after the upgrade from a version that had no sealed log.
fn an_installation_without_an_audit_key_gets_one(database: Database) {
    let stack = database.start_roles();
    for role in [Role::Api, Role::Signer, Role::Ocsp, Role::Crl] {
        assert!(stack.terminate(role).success());
    }
    let keys = ["audit.key", "audit.pem", "audit.head"].map(|name| stack.folder.join("keys").join(name));
    keys.iter().for_each(|file: &PathBuf| fs::remove_file(file).expect("there"));
    for table in ["audit_heads", "audit_leaves"] {
        stack.tamper(&format!("DELETE FROM {table}"));
    }
    stack.muhr(&["audit", "seal"]).refused_with("muhr audit init");
    stack.run(Role::Signer);
    assert!(stack.log().contains("there is no audit key"));
    assert!(stack.terminate(Role::Signer).success());
    stack.muhr(&["audit", "init"]).well();
    stack.muhr(&["audit", "init"]).refused_with("there is an audit key already");
    stack.muhr(&["audit", "seal"]).well();
    let said = stack.muhr(&["audit", "verify"]).well().out;
    assert!(said.contains("1 heads looked at, 0 findings") && said.contains("0 entries wait"), "{said}");
}

fn the_log_tells_of_processes_sign_ins_and_keys(database: Database) {
    let stack = database.start_roles();
    Application::issued(&stack, SubjectType::NaturalPerson);
    let anybody = stack.anybody();
    for login in ["reviewer", "nobody"] {
        let guess = serde_json::json!({"login": login, "password": "not the password at all"});
        anybody.post("/api/v1/officer/sessions", &guess).is(401);
    }
    for role in [Role::Api, Role::Signer, Role::Ocsp, Role::Crl] {
        assert!(stack.terminate(role).success());
    }
    let told = stack.rows("SELECT DISTINCT action || ' ' || object FROM audit_entries");
    let expected = [
        "process.start process:up",
        "process.stop process:up",
        "process.start process:api",
        "process.stop process:api",
        "process.start process:signer",
        "process.stop process:signer",
        "process.start process:ocsp",
        "process.stop process:ocsp",
        "process.start process:crl",
        "process.stop process:crl",
        "key.generate key:root",
        "key.generate key:ca",
        "key.generate key:ocsp",
        "key.generate key:audit",
        "ca.init issuer:ca",
        "officer.sign-in officer:reviewer",
        "officer.sign-in-failed officer:reviewer",
        "officer.sign-in-failed officer",
    ];
    for entry in expected {
        assert!(told.iter().any(|told| told == entry), "{entry} is missing in {told:#?}");
    }
    for action in [
        "applicant.sign-in phone-verification:",
        "application.create application:",
        "application.document application:",
        "invoice.pay application:",
        "application.submit application:",
        "application.approve application:",
        "certificate.issue certificate:ca/",
        "crl.sign ",
    ] {
        assert!(told.iter().any(|told| told.starts_with(action)), "{action} is missing in {told:#?}");
    }
    // One installation's settings have one name, others have another.
    let settings = "SELECT DISTINCT details FROM audit_entries WHERE object = 'process:up'";
    let first = stack.rows(settings);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].contains("settings_sha256"), "{first:?}");
    assert!(!stack.rows("SELECT details FROM audit_entries").concat().contains("+998"), "no phone");
    stack.muhr(&["audit", "verify"]).well();
}
