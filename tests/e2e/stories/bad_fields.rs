//! JSON that is broken, too much, too long or not true.

use serde_json::{Value, json};

use crate::applicant::{Applicant, SubjectType, form};
use crate::http::Answer;
use crate::person::{Person, pinfl};
use crate::stack::Database;

on_both_databases!(
    broken_json_is_a_malformed_request,
    unknown_fields_and_wrong_types_are_named,
    every_false_statement_about_a_person_is_named,
    every_false_statement_about_an_organisation_is_named,
    all_wrong_fields_are_named_at_once,
    a_body_of_megabytes_is_refused,
    a_body_that_does_not_say_it_is_json_is_refused,
    an_identifier_that_is_none_is_not_found,
    a_phone_number_of_another_country_is_named,
);

fn apply(database: Database, form: &Value) -> Answer {
    Applicant::with_confirmed_phone(&database.shared()).client.post("/api/v1/applications", form)
}

fn broken_json_is_a_malformed_request(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let deep = "[".repeat(20_000);
    for broken in ["", "{", "{\"subject_type\":", "nonsense", "{\"a\":1}}", "\u{0}", deep.as_str()] {
        let answer = applicant.client.post_raw("/api/v1/applications", "application/json", broken);
        answer.problem(400, "malformed-request");
    }
    let latin =
        applicant.client.post_raw("/api/v1/applications", "application/json", b"{\"\xff\xfe\":1}".to_vec());
    latin.problem(400, "malformed-request");
}

fn unknown_fields_and_wrong_types_are_named(database: Database) {
    let good = form(&Person::new(), SubjectType::NaturalPerson);
    for (pointer, value) in [
        ("/nonsense", json!(1)),
        ("/subject/nonsense", json!(1)),
        ("/subject/surname", json!(7)),
        ("/subject/given_name", json!(["A"])),
        ("/offer_accepted", json!("yes")),
        ("/region", json!({})),
        ("/subject_type", json!("deity")),
    ] {
        let mut bad = good.clone();
        put(&mut bad, pointer, value);
        apply(database, &bad).names(pointer);
    }
}

fn every_false_statement_about_a_person_is_named(database: Database) {
    let person = Person::new();
    let good = form(&person, SubjectType::NaturalPerson);
    let child = pinfl(6, (2015, 1, 1), person.number);
    for (pointer, value) in [
        ("/subject/pinfl", json!(person.mistyped_pinfl())),
        ("/subject/pinfl", json!("3")),
        ("/subject/pinfl", json!("３１２３４５６７８９０１２３")),
        ("/subject/birth_date", json!("1931-05-05")),
        ("/subject/birth_date", json!("1990-02-30")),
        ("/subject/passport", json!("1234567")),
        ("/subject/surname", json!("")),
        ("/subject/surname", json!("K".repeat(5_000))),
        ("/subject/surname", json!("KARIMOVA\u{202e}")),
        ("/subject/given_name", json!("<script>")),
        ("/region", json!("9999")),
        ("/district", json!("1726262")),
        ("/email", json!("not an address")),
        ("/offer_accepted", json!(false)),
        ("/purpose", json!("x".repeat(10_000))),
    ] {
        let mut bad = good.clone();
        put(&mut bad, pointer, value.clone());
        eprintln!("{pointer} = {value:.60}");
        apply(database, &bad).names(pointer);
    }
    let mut young = good;
    young["subject"]["pinfl"] = json!(child);
    young["subject"]["birth_date"] = json!("2015-01-01");
    apply(database, &young).names("/subject/birth_date");
}

fn every_false_statement_about_an_organisation_is_named(database: Database) {
    let good = form(&Person::new(), SubjectType::LegalEntity);
    for (pointer, value) in [
        ("/subject/stir", json!("12345")),
        ("/subject/stir", json!("4x0000000")),
        ("/subject/organization", json!("")),
        ("/subject/title", json!("T".repeat(5_000))),
        ("/subject/head_pinfl", json!("12345678901234")),
    ] {
        let mut bad = good.clone();
        put(&mut bad, pointer, value.clone());
        eprintln!("{pointer} = {value:.60}");
        apply(database, &bad).names(pointer);
    }
    for absent in ["stir", "organization"] {
        let mut bad = good.clone();
        bad["subject"].as_object_mut().expect("an object").remove(absent);
        apply(database, &bad).names(&format!("/subject/{absent}"));
    }
}

fn all_wrong_fields_are_named_at_once(database: Database) {
    let mut bad = form(&Person::new(), SubjectType::NaturalPerson);
    bad["subject"]["passport"] = json!("?");
    bad["subject"]["surname"] = json!("");
    bad["region"] = json!("9999");
    let answer = apply(database, &bad);
    for pointer in ["/subject/passport", "/subject/surname", "/region"] {
        answer.names(pointer);
    }
}

fn a_body_of_megabytes_is_refused(database: Database) {
    let mut bad = form(&Person::new(), SubjectType::NaturalPerson);
    bad["purpose"] = json!("x".repeat(300_000));
    apply(database, &bad).problem(413, "payload-too-large");
}

fn a_body_that_does_not_say_it_is_json_is_refused(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let body = applicant.form(SubjectType::NaturalPerson).to_string();
    let answer = applicant.client.post_raw("/api/v1/applications", "text/plain", body);
    answer.problem(415, "unsupported-media-type");
}

fn an_identifier_that_is_none_is_not_found(database: Database) {
    let stack = database.shared();
    let client = Applicant::with_confirmed_phone(&stack).client;
    for id in ["1", "nonsense", "00000000-0000-4000-8000-000000000000", "%00", "..%2f..%2fetc"] {
        let answer = client.get(&format!("/api/v1/applications/{id}"));
        answer.problem(404, "not-found");
    }
    client.get("/api/v1/certificates/zz").problem(404, "not-found");
    client.get("/api/v1/nothing-here").problem(404, "not-found");
}

fn a_phone_number_of_another_country_is_named(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::new(&stack);
    for phone in ["+12025550123", "998", "+998 (90)", "+99890123456789", ""] {
        let (captcha, answer) = applicant.solve_captcha();
        let request = json!({"phone": phone, "captcha_id": captcha, "captcha_text": answer});
        applicant.client.post("/api/v1/phone-verifications", &request).names("/phone");
    }
}

/// Sets the value at a pointer whose parent exists.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    document.pointer_mut(parent).expect("a parent")[name] = value;
}
