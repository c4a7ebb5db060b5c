//! What is held about a person leaves in one file, which says nothing of anybody else.

use std::fs;

use openssl::sha::sha256;
use serde_json::Value;

use crate::applicant::{Application, SubjectType};
use crate::command;
use crate::stack::Database;

on_both_databases!(everything_about_a_person_is_in_one_archive_and_nothing_about_another);

fn everything_about_a_person_is_in_one_archive_and_nothing_about_another(database: Database) {
    let stack = database.start_with(&[]);
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let other = Application::under_review(&stack, SubjectType::NaturalPerson);
    let (number, out) = (stack.folder.join("number"), stack.folder.join("person.tar"));
    fs::write(&number, format!("{}\n", application.person.pinfl)).expect("our folder");
    let (number, out) = (number.display().to_string(), out.display().to_string());
    let export = ["person", "export", "--pinfl-file", &number, "--reason", "owner", "--out", &out];
    let said = stack.muhr(&export).well();
    assert!(said.out.contains("1 applications, 1 certificates, 2 documents"), "{}", said.out);
    assert!(!stack.muhr(&export).success, "an archive is not written over");

    // Read by tar itself.
    let extract = |name: &str| {
        let extracted = stack.folder.join("extracted");
        fs::create_dir_all(&extracted).expect("our folder");
        command::run("tar", ["-xf", out.as_str(), "-C", &extracted.display().to_string(), name]).well();
        fs::read(extracted.join(name)).expect("it was extracted")
    };
    let text = String::from_utf8(extract("person.json")).expect("UTF-8");
    for foreign in [&other.id, &other.person.pinfl, &other.person.passport] {
        assert!(!text.contains(foreign.as_str()), "{foreign} is somebody else's");
    }
    let person: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(person["pinfl"], application.person.pinfl.as_str());
    let held = &person["applications"][0];
    assert_eq!(held["application"]["id"], application.id.as_str());
    assert_eq!(held["application"]["subject"]["passport"], application.person.passport.as_str());
    assert_eq!(held["beside"]["signed"]["phone"], application.person.phone.as_str());
    assert_eq!(held["beside"]["invoices"][0]["state"], "paid");
    assert_eq!(held["beside"]["payments"][0]["state"], "performed");
    assert!(held["audit"].as_array().is_some_and(|entries| entries.len() > 4), "{held}");
    assert_eq!(person["certificates"][0]["serial"], application.serial().as_str());
    for document in held["documents"].as_array().expect("a list") {
        let bytes = extract(document["file"].as_str().expect("a name"));
        assert!(bytes.starts_with(b"\xff\xd8"), "{document}");
        let hash: String = sha256(&bytes).iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(document["sha256"], hash.as_str());
    }

    let entries = stack.rows(&format!(
        "SELECT actor, details FROM audit_entries WHERE action = 'person.export' AND object = 'application:{}'",
        application.id
    ));
    assert_eq!(entries.len(), 1);
    assert!(entries[0].starts_with("operator|") && entries[0].contains("owner"), "{entries:?}");
    assert!(!entries[0].contains(&application.person.pinfl));
}
