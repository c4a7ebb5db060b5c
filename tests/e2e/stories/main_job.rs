//! The whole main job: from an application to a certificate that a stranger's software accepts.

use serde_json::json;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::auditor;
use crate::command;
use crate::key::Key;
use crate::officer::{Officer, pages};
use crate::relying_party::RelyingParty;
use crate::stack::Database;

on_both_databases_and_a_token!(
    a_natural_person_gets_a_certificate_that_openssl_verifies,
    a_sole_proprietor_gets_a_certificate_that_openssl_verifies,
    the_head_of_a_legal_entity_gets_a_certificate_that_openssl_verifies,
    a_representative_gets_a_certificate_with_a_power_of_attorney,
    every_kind_of_key_on_the_list_gets_a_certificate,
    the_three_downloads_carry_the_same_certificate_and_its_chain,
    a_returned_application_can_be_mended_and_submitted_again,
    a_rejected_applicant_reads_the_reason,
    an_applicant_sees_only_their_own_applications,
    an_officer_registers_a_walk_in_applicant_and_another_approves,
    the_public_register_masks_personal_numbers,
    the_officer_sees_the_evidence_and_the_certificate_to_be_signed,
    what_happened_is_in_the_audit_and_the_chain_of_entries_holds,
    every_role_answers_on_the_one_port,
);
fn a_natural_person_gets_a_certificate_that_openssl_verifies(database: Database) {
    apply_pay_review_issue_verify(database, SubjectType::NaturalPerson);
}

fn a_sole_proprietor_gets_a_certificate_that_openssl_verifies(database: Database) {
    apply_pay_review_issue_verify(database, SubjectType::SoleProprietor);
}

fn the_head_of_a_legal_entity_gets_a_certificate_that_openssl_verifies(database: Database) {
    apply_pay_review_issue_verify(database, SubjectType::LegalEntity);
}

fn apply_pay_review_issue_verify(database: Database, subject_type: SubjectType) {
    let stack = database.shared();
    let application = Applicant::with_confirmed_phone(&stack).apply(subject_type);
    let missing = application.view()["missing"].as_array().expect("a list of facts").len();
    assert!(missing >= 4, "CSR, photo, selfie and payment are missing, and {missing} facts are named");
    application.complete();
    assert_eq!(application.view()["missing"], json!([]));
    assert_eq!(application.submit().json()["state"], "under_review");

    let reviewer = Officer::reviewer(&stack);
    assert!(reviewer.queue().iter().any(|waiting| waiting["id"] == application.id.as_str()));
    reviewer.approve(&application.id).json();
    let issued = application.wait_until("issued");
    assert_eq!(issued["next_actor"], "nobody", "{issued}");
    assert_eq!(issued["certificate"]["status"], "good", "{issued}");

    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    relying_party.openssl_verify().well();
    relying_party.openssl_verify_with_crl().well();
    assert_eq!(relying_party.status(), "good");
    holds_the_applicants_key_and_names(&application, &relying_party);
}

/// The key of the request and the names of the application, by the OIDs of the deployed system.
fn holds_the_applicants_key_and_names(application: &Application, relying_party: &RelyingParty) {
    let leaf = relying_party.file("leaf.pem");
    let key = command::run("openssl", ["x509", "-in", &leaf, "-noout", "-pubkey"]).well().out;
    assert_eq!(key, application.key.public());
    let options = ["-nameopt", "utf8,sep_multiline,oid,-esc_msb"];
    let arguments = ["x509", "-in", &leaf, "-noout", "-subject"].into_iter().chain(options);
    let subject = command::run("openssl", arguments).well().out;
    let holds = |oid: &str, value: &str| {
        let wanted = format!("{oid}={value}");
        assert!(subject.lines().any(|line| line.trim() == wanted), "{wanted} is not in\n{subject}");
    };
    let person = &application.person;
    holds("2.5.4.6", "UZ");
    holds("1.2.860.3.16.1.2", &person.pinfl);
    assert!(!subject.contains("Anybody at all"), "the subject comes from the application, not from the CSR");
    match application.subject_type {
        SubjectType::NaturalPerson => assert!(!subject.contains("1.2.860.3.16.1.1="), "{subject}"),
        SubjectType::SoleProprietor => assert!(subject.contains(&person.stir), "{subject}"),
        SubjectType::LegalEntity => {
            holds("1.2.860.3.16.1.1", &person.organization_stir);
            holds("2.5.4.12", "Direktor");
        }
    }
}

fn a_representative_gets_a_certificate_with_a_power_of_attorney(database: Database) {
    let stack = database.shared();
    let (applicant, head) = (Applicant::with_confirmed_phone(&stack), Applicant::new(&stack));
    let mut form = applicant.form(SubjectType::LegalEntity);
    form["subject"]["head_pinfl"] = json!(head.person.pinfl);
    let id = applicant.client.post("/api/v1/applications", &form).is(201).json()["id"].clone();
    let application = Application {
        id: id.as_str().expect("an id").to_owned(),
        client: applicant.client.clone(),
        key: Key::p256(),
        subject_type: SubjectType::LegalEntity,
        person: applicant.person.clone(),
    };
    application.complete();
    application.submit().problem(409, "submission-incomplete");
    application.put_document("power-of-attorney", "application/pdf", &crate::picture::pdf()).json_or_empty();
    application.submit().json();
    Officer::reviewer(&stack).approve(&application.id).json();
    application.wait_until("issued");
}

fn every_kind_of_key_on_the_list_gets_a_certificate(database: Database) {
    let stack = database.shared();
    let curve =
        |name: &str| Key::generate(&["-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{name}")]);
    let pss = [
        "-sigopt",
        "rsa_padding_mode:pss",
        "-sigopt",
        "rsa_pss_saltlen:digest",
        "-sha256",
        "-outform",
        "DER",
    ];
    let rsa = Key::rsa(3072);
    let pss_request = rsa.csr_with(&pss);
    let kinds = [
        (Key::rsa(2048), None),
        (rsa, Some(pss_request)),
        (curve("P-384"), None),
        (curve("P-521"), None),
        (Key::generate(&["-algorithm", "ED25519"]), None),
    ];
    for (key, request) in kinds {
        let request = request.unwrap_or_else(|| key.csr());
        let application = Applicant::with_confirmed_phone(&stack).apply_with(SubjectType::NaturalPerson, key);
        application.complete();
        application.put_csr(&request).json_or_empty();
        application.submit().json();
        Officer::reviewer(&stack).approve(&application.id).json();
        application.wait_until("issued");
        let relying_party = RelyingParty::receiving(&stack, &application.certificate());
        relying_party.openssl_verify().well();
        let key =
            command::run("openssl", ["x509", "-in", &relying_party.file("leaf.pem"), "-noout", "-pubkey"]);
        assert_eq!(key.well().out, application.key.public());
    }
}

fn the_three_downloads_carry_the_same_certificate_and_its_chain(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let der = application.certificate();
    let pem = application.certificate_as("application/x-pem-file").text();
    let pkcs7 = application.certificate_as("application/pkcs7-mime").body;

    let relying_party = RelyingParty::receiving(&stack, &der);
    let own = std::fs::read_to_string(relying_party.file("leaf.pem")).expect("just written");
    let issuing = std::fs::read_to_string(relying_party.file("issuing.pem")).expect("just written");
    let blocks = |text: &str| -> Vec<String> {
        let parts = text.split("-----BEGIN CERTIFICATE-----").skip(1);
        parts
            .map(|part| part.split("-----END").next().unwrap_or_default().replace(['\n', '\r'], ""))
            .collect()
    };
    let (own, issuing) = (blocks(&own).remove(0), blocks(&issuing).remove(0));
    assert_eq!(blocks(&pem)[..2], [own.clone(), issuing.clone()], "the leaf first, then its issuer");

    let file = relying_party.file("bundle.p7b");
    std::fs::write(&file, pkcs7).expect("our folder");
    let printed =
        command::run("openssl", ["pkcs7", "-inform", "DER", "-in", &file, "-print_certs"]).well().out;
    let bundle = blocks(&printed);
    assert!(bundle.contains(&own) && bundle.contains(&issuing));
}

fn a_returned_application_can_be_mended_and_submitted_again(database: Database) {
    let stack = database.shared();
    let reviewer = Officer::reviewer(&stack);
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    reviewer.hand_back(&application.id, "photo-unclear", "Yuz koʻrinmayapti").json();
    let view = application.view();
    assert_eq!(view["state"], "draft", "{view}");
    assert_eq!(view["next_actor"], "applicant", "{view}");
    assert!(view.to_string().contains("Yuz koʻrinmayapti"), "the applicant reads why: {view}");
    application.put_document("photo", "image/png", &crate::picture::png()).json_or_empty();
    application.submit().json();
    reviewer.approve(&application.id).json();
    application.wait_until("issued");
}

fn a_rejected_applicant_reads_the_reason(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let reviewer = Officer::reviewer(&stack);
    reviewer.reject(&application.id, "identity-mismatch", "Pasport boshqa shaxsniki").json();
    let view = application.view();
    assert_eq!(view["state"], "rejected", "{view}");
    assert_eq!(view["refusal"]["reason"], "identity-mismatch", "{view}");
    assert_eq!(view["refusal"]["note"], "Pasport boshqa shaxsniki", "{view}");
}

fn an_applicant_sees_only_their_own_applications(database: Database) {
    let stack = database.shared();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let (first, second) =
        (applicant.apply(SubjectType::NaturalPerson), applicant.apply(SubjectType::SoleProprietor));
    let _others = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    let mine = pages(&applicant.client, "/api/v1/applications");
    let mut ids: Vec<&str> = mine.iter().filter_map(|application| application["id"].as_str()).collect();
    let mut expected = [first.id.as_str(), second.id.as_str()];
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

fn an_officer_registers_a_walk_in_applicant_and_another_approves(database: Database) {
    let stack = database.shared();
    let (registrar, reviewer) = (Officer::named(&stack, "registrar"), Officer::reviewer(&stack));
    let application = walk_in(&stack, &registrar);
    assert_eq!(application.view()["channel"], "service-center");
    application.complete();
    application.submit().json();
    reviewer.approve(&application.id).json();
    application.wait_until("issued");
}

/// Someone in front of the counter, registered by this officer, who acts for them.
pub(super) fn walk_in(stack: &crate::stack::Stack, officer: &Officer) -> Application {
    let applicant = Applicant::new(stack);
    let mut form = applicant.form(SubjectType::NaturalPerson);
    form["phone"] = json!(applicant.person.phone);
    let answer = officer.client.post("/api/v1/officer/applications", &form).is(201).json();
    Application {
        id: answer["id"].as_str().expect("an id").to_owned(),
        client: officer.client.clone(),
        key: Key::p256(),
        subject_type: SubjectType::NaturalPerson,
        person: applicant.person,
    }
}

fn the_public_register_masks_personal_numbers(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let entry = stack.anybody().get(&format!("/api/v1/certificates/{}", application.serial())).json();
    assert_eq!(entry["status"], "good", "{entry}");
    assert_eq!(entry["serial"], application.serial().as_str());
    for number in [&application.person.pinfl, &application.person.passport, &application.person.phone] {
        assert!(!entry["subject"].to_string().contains(number.as_str()), "{entry}");
    }
    let found = pages(&stack.anybody(), "/api/v1/certificates?subject=KARIMOVA");
    assert!(found.iter().all(|entry| !entry["subject"].to_string().contains(&application.person.pinfl)));
}

fn the_officer_sees_the_evidence_and_the_certificate_to_be_signed(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::LegalEntity);
    let client = &Officer::reviewer(&stack).client;
    let case = client.get(&format!("/api/v1/officer/applications/{}", application.id)).json();
    let text = case.to_string();
    for shown in ["photo", "selfie", &application.person.pinfl, &application.person.organization_stir] {
        assert!(text.contains(shown), "{shown} is not in {case}");
    }
    assert!(
        text.contains("1.2.860.3.16.1.2") || text.contains("tbs"),
        "no certificate to be signed in {case}"
    );
}

fn what_happened_is_in_the_audit_and_the_chain_of_entries_holds(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let entries = pages(&Officer::named(&stack, "auditor").client, "/api/v1/officer/audit");
    let about = entries.iter().filter(|entry| entry.to_string().contains(&application.id)).count();
    assert!(about >= 3, "creation, submission, approval and issuance are recorded; {about} are");
    auditor::finds_nothing(&stack);
}

fn every_role_answers_on_the_one_port(database: Database) {
    let stack = database.shared();
    let anybody = stack.anybody();
    for path in ["/", "/api/openapi.json", "/api/v1/regions"] {
        anybody.get(path).is(200);
    }
    let description = anybody.get("/api/openapi.json").json();
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    for path in ["/api/v1/applications", "/api/v1/phone-verifications", "/api/v1/certificates/{serial}"] {
        assert!(description["paths"][path].is_object(), "{path} is not described");
    }
}
