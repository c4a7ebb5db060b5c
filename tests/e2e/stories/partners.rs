//! A partner applies for citizens it has identified; every request is signed (RFC 9421) by other people's software.

use std::fs;

use config::clock::SystemClock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::applicant::{Applicant, Application, SubjectType, form};
use crate::auditor;
use crate::http::Answer;
use crate::key::{Key, text};
use crate::officer::Officer;
use crate::partner::{APPLICATIONS, Partner, Signed};
use crate::person::Person;
use crate::stack::{Database, Role, Stack};

on_both_databases!(
    a_partners_citizen_gets_the_discount_and_goes_on_as_the_applicant,
    what_the_partner_did_not_sign_is_refused,
    a_signature_is_accepted_once,
    a_repeated_request_gets_the_same_answer,
    malformed_signatures_are_refused_and_nothing_breaks,
    an_applicant_cannot_claim_a_partners_channel,
    a_key_is_replaced_without_a_pause_and_the_quota_holds,
    a_checked_benefit_makes_the_certificate_free,
);

/// A person the partner has identified, and what it says of them.
fn citizen() -> (Person, Value) {
    let person = Person::new();
    let mut form = form(&person, SubjectType::NaturalPerson);
    form["phone"] = json!(person.phone);
    (person, form)
}

/// The citizen confirms the phone that the partner named, and acts on the application from there.
fn taken_over(stack: &Stack, person: Person, view: &Value) -> Application {
    let client = crate::http::Client::new(&stack.base, person.number);
    let mut applicant = Applicant { person, client };
    applicant.confirm_phone();
    Application {
        id: view["id"].as_str().expect("an id").to_owned(),
        client: applicant.client,
        key: Key::p256(),
        subject_type: SubjectType::NaturalPerson,
        person: applicant.person,
    }
}

#[track_caller]
fn refused(answer: &Answer, rule: &str) {
    let problem = answer.problem(401, "unauthenticated");
    assert_eq!(problem["errors"][0]["rule"], rule, "{problem}");
    assert!(answer.header("accept-signature").contains("@target-uri"), "{:?}", answer.headers);
}

fn seconds() -> i64 {
    SystemClock::default().now().unix_seconds()
}

fn a_partners_citizen_gets_the_discount_and_goes_on_as_the_applicant(database: Database) {
    let stack = database.shared();
    let partner = Partner::of_the_sandbox(&stack);
    let (person, form) = citizen();
    let view = partner.apply(&form).is(201).json();
    assert_eq!((&view["channel"], &view["next_actor"]), (&json!("my.gov.uz"), &json!("applicant")));
    let invoice = &view["invoice"];
    assert_eq!((&invoice["amount_tiyin"], &invoice["discount_percent"]), (&json!(2_595_600), &json!(10)));
    assert!(invoice["pay_links"].as_array().is_some_and(|links| !links.is_empty()), "{invoice}");
    for personal in [&person.pinfl, &person.passport, &person.phone] {
        assert!(!view.to_string().contains(personal.as_str()), "{view}");
    }

    let application = taken_over(&stack, person, &view);
    application.complete();
    application.submit().json();
    Officer::reviewer(&stack).approve(&application.id).json();
    application.wait_until("issued");
    let path = format!("{APPLICATIONS}/{}", application.id);
    assert_eq!(partner.get(&path).json()["state"], "issued");
    assert_eq!(partner.get(&format!("{path}/invoice")).json()["state"], "paid");
    let created = stack.rows(&format!(
        "SELECT actor FROM audit_entries WHERE action = 'application.create' AND object = 'application:{}'",
        application.id
    ));
    assert_eq!(created, ["partner:my-gov-uz"]);
    let page = partner.get(&format!("{APPLICATIONS}?limit=1")).json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
}

fn what_the_partner_did_not_sign_is_refused(database: Database) {
    let stack = database.shared();
    let partner = Partner::of_the_sandbox(&stack);
    let (_, form) = citizen();
    let body = form.to_string();
    let sign = |more: &[&str]| partner.sign(Method::POST, APPLICATIONS, body.as_bytes(), more);

    refused(&stack.anybody().post(APPLICATIONS, &form), "absent");
    let stranger = Key::generate(&["-algorithm", "ed25519"]);
    refused(&Partner::with_key(&stack, &stranger.file(), "my-gov-uz").apply(&form), "wrong");
    refused(&Partner::with_key(&stack, &stranger.file(), "nobody").apply(&form), "key-unknown");
    for created in [seconds() - 400, seconds() + 400] {
        refused(&partner.send(&sign(&["--created", &created.to_string()])), "not-now");
    }
    let mut altered = sign(&[]);
    altered.body.push(b' ');
    refused(&partner.send(&altered), "digest");
    for (cover, rule) in [
        ("@target-uri,content-type,content-digest", "not-covered"),
        ("@method,content-type,content-digest", "not-covered"),
        ("@method,@target-uri,content-digest", "not-covered"),
        ("@method,@target-uri,content-type", "not-covered"),
        ("", "not-covered"),
    ] {
        refused(&partner.send(&sign(&["--cover", cover])), rule);
    }
    let mut elsewhere = sign(&[]);
    elsewhere.path = format!("{APPLICATIONS}?limit=1");
    refused(&partner.send(&elsewhere), "wrong");
    refused(&partner.send(&sign(&[]).with("Content-Type", "application/problem+json")), "wrong");
    refused(&partner.send(&sign(&[]).without("Content-Digest")), "not-covered");
    // More than is asked for may be covered.
    let more = "@method,@target-uri,@authority,@scheme,@path,@query,content-type,content-digest";
    partner.send(&sign(&["--cover", more])).is(201);
}

fn a_signature_is_accepted_once(database: Database) {
    let stack = database.shared();
    let partner = Partner::of_the_sandbox(&stack);
    let signed = partner.application(&citizen().1);
    let id = partner.send(&signed).is(201).json()["id"].as_str().expect("an id").to_owned();
    refused(&partner.send(&signed), "used");
    // Another label does not make another signature of it.
    let relabelled = ["Signature-Input", "Signature"].into_iter().fold(signed.clone(), |all, name| {
        all.with(name, &signed.field(name).replacen("partner=", "other=", 1))
    });
    refused(&partner.send(&relabelled), "used");
    let once = stack.rows(&format!("SELECT count(*) FROM invoices WHERE application_id = '{id}'"));
    assert_eq!(once, ["1"]);

    let reading = partner.sign(Method::GET, &format!("{APPLICATIONS}/{id}"), b"", &[]);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| partner.send(&reading).status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5, "{answers:?}");
}

fn a_repeated_request_gets_the_same_answer(database: Database) {
    let stack = database.shared();
    let partner = Partner::of_the_sandbox(&stack);
    let (person, form) = citizen();
    let once = || partner.application(&form).with("Idempotency-Key", &format!("order {}", person.number));
    let first = partner.send(&once()).is(201).json();
    let again = partner.send(&once()).is(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["id"], first["id"]);
    // Nobody else gets the answer for the key, whatever they call themselves.
    let key = format!("order {}", person.number);
    refused(&stack.anybody().post_once(APPLICATIONS, &key, &form), "absent");
}

fn malformed_signatures_are_refused_and_nothing_breaks(database: Database) {
    let stack = database.shared();
    let partner = Partner::of_the_sandbox(&stack);
    let signed = partner.application(&citizen().1);
    let long = format!("partner=({})", "\"date\" ".repeat(400));
    for value in [
        "",
        "=",
        "partner",
        "partner=",
        "partner=()",
        "partner=(",
        "partner=1",
        "a=1, a=2",
        "partner=(a)",
        "\"",
        ":",
        "partner=(\"@method\");created=99999999999999999999",
        "partner=(\"@method\");keyid=\"my-gov-uz\"",
        "partner=(\"@method\" \"@method\");keyid=\"my-gov-uz\"",
        "partner=(\"@status\");keyid=\"my-gov-uz\"",
        "partner=(\"signature\";key=\"partner\");keyid=\"my-gov-uz\"",
        "partner=?1;keyid=\"my-gov-uz\"",
        "partner=(\"\");keyid=\"my-gov-uz\"",
        "partner=(\"a b\");keyid=\"my-gov-uz\"",
        "partner=(\"@method\");created=-1;keyid=\"my-gov-uz\"",
        "partner=:AA:",
        "partner=:!:",
        "@1",
        "%\"\"",
        &long,
    ] {
        for name in ["Signature-Input", "Signature", "Content-Digest"] {
            let answer = partner.send(&signed.clone().with(name, value));
            assert_eq!(answer.status, 401, "{name}: {value}: {}", answer.text());
        }
    }
    partner.send(&signed).is(201);
    partner.get(&format!("{APPLICATIONS}/not-an-id")).problem(404, "not-found");
    partner.get("/api/v1/partner/nothing").problem(404, "not-found");
    partner.get(&format!("{APPLICATIONS}?after=x")).names("/after");
    partner.send(&partner.sign(Method::DELETE, APPLICATIONS, b"", &[])).problem(405, "method-not-allowed");
    let not_json = partner.sign(Method::POST, APPLICATIONS, b"{", &[]);
    partner.send(&not_json).problem(400, "malformed-request");
}

fn an_applicant_cannot_claim_a_partners_channel(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let mut form = applicant.form(SubjectType::NaturalPerson);
    form["channel"] = json!("my.gov.uz");
    applicant.client.post("/api/v1/applications", &form).problem(403, "channel-not-authenticated");
    refused(&applicant.client.post(APPLICATIONS, &form), "absent");
    let registrar = Officer::named(&stack, "registrar");
    form["phone"] = json!(applicant.person.phone);
    registrar.client.post("/api/v1/officer/applications", &form).names("/channel");
    // A partner's signature beside the token does not help: it is for the partner's own address.
    let partner = Partner::of_the_sandbox(&stack);
    let mut signed = partner.sign(Method::POST, "/api/v1/applications", form.to_string().as_bytes(), &[]);
    signed = signed.with("Authorization", "Bearer nobody");
    partner.send(&signed).problem(401, "unauthenticated");
    assert_eq!(crate::officer::pages(&applicant.client, "/api/v1/applications"), Vec::<Value>::new());
}

fn a_key_is_replaced_without_a_pause_and_the_quota_holds(database: Database) {
    let (old, new) = (Key::generate(&["-algorithm", "ed25519"]), Key::generate(&["-algorithm", "ed25519"]));
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let public = |key: &Key, name: &str| {
        let file = folder.path().join(name);
        fs::write(&file, key.public()).expect("our folder");
        text(&file)
    };
    let mut stack = database.start_with(&[
        ("PARTNERS__OTHER__CHANNEL", "my.gov.uz"),
        ("PARTNERS__OTHER__KEYS__OLD", &public(&old, "old.pem")),
        ("PARTNERS__OTHER__KEYS__NEW", &public(&new, "new.pem")),
        ("PARTNERS__OTHER__DAILY_QUOTA", "3"),
    ]);
    let with_old = Partner::with_key(&stack, &old.file(), "old");
    let with_new = Partner::with_key(&stack, &new.file(), "new");
    let view = with_old.apply(&citizen().1).is(201).json();
    with_new.apply(&citizen().1).is(201);

    // It is the other partner's application, and the other partner's key.
    let foreign = Partner::of_the_sandbox(&stack);
    let path = format!("{APPLICATIONS}/{}", view["id"].as_str().expect("an id"));
    foreign.get(&path).problem(404, "not-found");
    foreign.get(&format!("{path}/invoice")).problem(404, "not-found");
    assert_eq!(foreign.get(APPLICATIONS).json()["items"], json!([]));
    refused(
        &Partner::with_key(&stack, &stack.folder.join("partner-my-gov-uz.key"), "old").get(&path),
        "wrong",
    );

    assert!(stack.terminate(Role::All).success());
    stack.unset("PARTNERS__OTHER__KEYS__OLD");
    stack.run(Role::All);
    refused(&with_old.get(&path), "key-unknown");
    assert_eq!(with_new.get(&path).json()["id"], view["id"]);

    // One is left of the quota, and four ask for it at the same moment.
    let signed: Vec<Signed> = (0..4).map(|_| with_new.application(&citizen().1)).collect();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = signed.iter().map(|signed| scope.spawn(|| with_new.send(signed))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let (made, over): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), over.len()), (1, 3), "{answers:?}");
    for answer in over {
        assert_eq!(answer.problem(429, "too-many-requests")["errors"][0]["rule"], "daily-quota");
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=86_401).contains(&wait), "{wait}");
    }
    let told = stack.rows("SELECT actor FROM audit_entries WHERE action = 'partner.quota-used'");
    assert_eq!(told, ["partner:other"; 3]);
    foreign.apply(&citizen().1).is(201);
}

fn a_checked_benefit_makes_the_certificate_free(database: Database) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let fees = folder.path().join("fees.toml");
    // Made up for this story: no benefit is known to be in force.
    let benefit = "[[benefits]]\nname = \"story-pupils\"\ntitles = { uz = \"oʻquvchilar\" }\n\
                   subject_types = [\"natural_person\"]\nfrom = \"2025-08-01\"\nbasis_points = 10000\n\
                   source = \"a story\"\n";
    fs::write(&fees, [include_str!("../../../config/fees.toml"), benefit].concat()).expect("our folder");
    let stack = database.start_with(&[("DATA__FEES_FILE", &text(&fees))]);
    let partner = Partner::of_the_sandbox(&stack);
    let (person, mut form) = citizen();
    form["benefit"] = json!("no-such");
    partner.apply(&form).names("/benefit");
    form["benefit"] = json!("story-pupils");
    let view = partner.apply(&form).is(201).json();
    let invoice = &view["invoice"];
    assert_eq!((&invoice["state"], &invoice["amount_tiyin"]), (&json!("paid"), &json!(0)), "{invoice}");
    assert!(invoice["rule_text"].as_str().is_some_and(|text| text.contains("oʻquvchilar")), "{invoice}");

    let application = taken_over(&stack, person, &view);
    application.put_csr(&application.key.csr()).json_or_empty();
    application.put_document("photo", "image/jpeg", crate::picture::photo()).json_or_empty();
    application.put_document("selfie", "image/jpeg", crate::picture::selfie()).json_or_empty();
    application.submit().json();
    Officer::reviewer(&stack).approve(&application.id).json();
    application.wait_until("issued");
    assert_eq!(stack.rows("SELECT count(*) FROM payments"), ["0"]);
    auditor::finds_nothing(&stack);

    // Nobody claims it for themselves, and what is not free by a benefit is not paid by nothing.
    let applicant = Applicant::with_confirmed_phone(&stack);
    let mut own = applicant.form(SubjectType::NaturalPerson);
    own["benefit"] = json!("story-pupils");
    applicant.client.post("/api/v1/applications", &own).names("/benefit");
    let id = &application.id;
    for (spoil, mend) in [
        (
            format!("UPDATE invoices SET rule = 'bhm/online' WHERE application_id = '{id}'"),
            format!(
                "UPDATE invoices SET rule = 'x/benefit:story-pupils-2025-08-01' WHERE application_id = '{id}'"
            ),
        ),
        (
            format!("UPDATE applications SET registered_partner = NULL WHERE id = '{id}'"),
            format!("UPDATE applications SET registered_partner = 'my-gov-uz' WHERE id = '{id}'"),
        ),
        (
            format!("UPDATE invoices SET amount_tiyin = 1 WHERE application_id = '{id}'"),
            format!("UPDATE invoices SET amount_tiyin = 0 WHERE application_id = '{id}'"),
        ),
    ] {
        stack.try_rows(&spoil).well();
        stack.muhr(&["audit", "verify"]).refused_with("the application of a certificate is paid");
        stack.try_rows(&mend).well();
        stack.muhr(&["audit", "verify"]).well();
    }
}
