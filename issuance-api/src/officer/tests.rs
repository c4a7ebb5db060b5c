//! The back office as its officers see it, with a CA of its own.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use ca_core::SerialNumber;
use ca_core::application::{Actor, ApplicationId, Role};
use ca_core::csr::public_key_of;
use ca_core::fee::Channel;
use ca_core::issue::{Issuer, Request, Urls};
use ca_core::profile::SubjectFields;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Req};
use secrecy::SecretString;
use serde_json::{Value, json};
use store::certificates::NewCertificate;
use store::issuance::{self, Intent, Signed};
use store::{applications, issuers, officers};
use totp_rs::{Builder, Secret};

use crate::applications::form::tests::natural_person;
use crate::applications::{ApplicationForm, Reader, register};
use crate::harness::{Ask, Harness, self_signed, signed};

const PHONE: &str = "+998901234567";
const PASSWORD: &str = "correct horse battery staple";

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn csr() -> Vec<u8> {
    csr_of(&key())
}

fn csr_of(key: &PKey<Private>) -> Vec<u8> {
    let mut builder = X509Req::builder().unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

fn photo() -> Bytes {
    let picture = image::RgbImage::from_fn(320, 320, |x, y| image::Rgb([x as u8, y as u8, 128]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner().into()
}

/// Asks and expects a success: `ask!(app, token, 200, Ask::get(path))`.
macro_rules! ask {
    ($app:expr, $token:expr, $status:expr, $ask:expr) => {
        $ask.with($token).of($app).await.is($status)
    };
}

/// As [`ask`], and expects a problem of a kind.
macro_rules! refused {
    ($app:expr, $token:expr, $status:expr, $kind:expr, $ask:expr) => {
        $ask.with($token).of($app).await.is_problem($status, $kind)
    };
}

fn mine(view: &Value, rest: &str) -> String {
    format!("/api/v1/applications/{}{rest}", view["id"].as_str().unwrap())
}

fn theirs(view: &Value, rest: &str) -> String {
    format!("/api/v1/officer{}", mine(view, rest).trim_start_matches("/api/v1"))
}

fn report(harness: &Harness, invoice: &Value, transaction: &str, amount: &Value) -> Ask {
    let now = harness.context.now();
    let report =
        json!({"transaction": transaction, "invoice": invoice["number"], "amount_tiyin": amount, "at": now});
    let signature = harness.context.providers.played().unwrap().sign(report.to_string().as_bytes(), now);
    Ask::post("/payments/webhook/bank", &report).header("muhr-signature", &signature)
}

/// Everything a submission asks for, and the submission.
macro_rules! complete_and_submit {
    ($harness:expr, $app:expr, $token:expr, $view:expr) => {
        complete_and_submit!($harness, $app, $token, $view, csr())
    };
    ($harness:expr, $app:expr, $token:expr, $view:expr, $csr:expr) => {{
        ask!($app, $token, 200, Ask::put(&mine($view, "/csr"), "application/pkcs10", $csr));
        for kind in ["photo", "selfie"] {
            let put = Ask::put(&mine($view, &format!("/documents/{kind}")), "image/jpeg", photo());
            ask!($app, $token, 200, put);
        }
        let invoice = ask!($app, $token, 200, Ask::get(&mine($view, "/invoice")));
        let transaction = format!("T-{}", $view["id"]);
        report($harness, &invoice, &transaction, &invoice["amount_tiyin"]).of($app).await.is(200);
        ask!($app, $token, 200, Ask::post(&mine($view, "/submission"), &json!({})))
    }};
}

/// An officer who can sign in.
fn hire(harness: &Harness, login: &str, role: Role) {
    let hash = harness.context.passwords.hash_now(&SecretString::from(PASSWORD)).unwrap();
    let now = harness.context.now();
    harness.write(|connection| officers::add(connection, login, role, &hash, "test", now));
}

/// A CA that signs for itself, as the signer would.
struct Authority {
    issuer: Issuer,
}

fn urls() -> Urls {
    Urls::below("http://muhr.example", issuers::ISSUING)
}

impl Authority {
    fn of(harness: &Harness) -> Self {
        let now = harness.context.now();
        let key: Arc<dyn Signer> = Arc::new(FileKey::generate(KeyAlgorithm::P256).unwrap());
        let request = Request {
            subject: SubjectFields {
                common_name: Some("Test CA".to_owned()),
                organization: Some("Test".to_owned()),
                country: Some("UZ".to_owned()),
                ..SubjectFields::default()
            },
            public_key: key.public_key().to_vec(),
            serial: SerialNumber::random().unwrap(),
            now: now.minus(Duration::from_secs(60)),
            urls: urls(),
            months: None,
        };
        let profile = harness.context.profiles.get("root").unwrap();
        let (issuer, certificate) = Issuer::self_signed(profile, request, key).unwrap();
        let row = issuers::Issuer {
            id: issuers::ISSUING.to_owned(),
            kind: "issuing".to_owned(),
            parent: None,
            subject: "CN=Test CA".to_owned(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            certificate: certificate.der,
            retired_at: None,
            key_destroyed_at: None,
        };
        harness.write(|connection| issuers::insert(connection, &row, now));
        Self { issuer }
    }

    /// Signs what an officer approved.
    fn issue(&self, harness: &Harness, view: &Value) -> String {
        let id: ApplicationId = view["id"].as_str().unwrap().parse().unwrap();
        let context = &harness.context;
        let now = context.now();
        harness.write(|connection| {
            let stored = applications::find(connection, id)?;
            let subject = &stored.application.subject;
            let region = context.regions.get(u16::try_from(stored.region).unwrap()).unwrap();
            let district = u32::try_from(stored.district).unwrap();
            let district = context.regions.district(region.code, district).unwrap();
            let key = public_key_of(stored.csr.as_deref().unwrap()).unwrap();
            let request = Request {
                subject: subject.certificate_fields(region, district, stored.email.as_deref()),
                public_key: key.spki_der().to_vec(),
                serial: SerialNumber::random().unwrap(),
                now,
                urls: urls(),
                months: Some(12),
            };
            let profile = context.profiles.get(subject.subject_type().as_str()).unwrap();
            let prepared = self.issuer.prepare(profile, request).unwrap();
            let subject_text = prepared.subject_text();
            let intent = Intent {
                issuer: issuers::ISSUING.to_owned(),
                serial: prepared.serial(),
                application: Some(id),
                profile: profile.name().to_owned(),
                tbs: prepared.tbs().to_vec(),
            };
            issuance::record_intents(connection, &[intent], now)?;
            let signed = self.issuer.issue(prepared).unwrap();
            let certificate = NewCertificate {
                issuer: issuers::ISSUING.to_owned(),
                serial: signed.serial,
                application: Some(id),
                profile: profile.name().to_owned(),
                subject: subject_text,
                common_name: subject.common_name(),
                pinfl: Some(subject.person().pinfl.as_str().to_owned()),
                stir: None,
                spki_sha256: key.sha256(),
                der: signed.der,
                not_before: signed.not_before,
                not_after: signed.not_after,
                crl_partition: String::new(),
            };
            let transition = stored.application.issue(now).unwrap();
            issuance::settle(connection, &[Signed { certificate, transition, job: 0 }], now)?;
            Ok(signed.serial.to_string())
        })
    }
}

#[actix_web::test]
async fn an_officer_reviews_what_an_applicant_sent() {
    let harness = Harness::start();
    let app = &harness.app().await;
    Authority::of(&harness);
    let token = &harness.applicant(PHONE);
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let auditor = &harness.officer("auditor", Role::Auditor);
    let view = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    let before = ask!(app, reviewer, 200, Ask::get(&theirs(view, "")));
    assert_eq!((&before["to_be_signed"], &before["findings"]), (&Value::Null, &json!([])));
    complete_and_submit!(&harness, app, token, view);

    let queue = ask!(app, reviewer, 200, Ask::get("/api/v1/officer/applications?state=under_review"));
    assert_eq!((&queue["items"][0]["id"], &queue["next"]), (&view["id"], &Value::Null));
    assert_eq!(queue["items"][0]["phone"], PHONE);
    for (q, found) in [("31506801234560", 1), ("MISOLOV", 0), ("Miso", 1), ("31506801234561", 0)] {
        let path = format!("/api/v1/officer/applications?q={q}");
        let page = ask!(app, reviewer, 200, Ask::get(&path));
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{q}");
    }
    let wrong = Ask::get("/api/v1/officer/applications?state=asleep");
    assert_eq!(refused!(app, reviewer, 422, "invalid-fields", wrong)["errors"][0]["pointer"], "/state");

    let whole = ask!(app, reviewer, 200, Ask::get(&theirs(view, "")));
    let text = whole["to_be_signed"].as_str().unwrap();
    for line in
        ["  CN: Misolov Namuna (UTF8String)", "  C: UZ (PrintableString)", "issuer: CN=Test CA,O=Test,C=UZ"]
    {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("serial:"), "{text}");
    assert_eq!(whole["findings"], json!([]));
    assert_eq!(whole["record"][0]["command"], "submit");
    let evidence = whole["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 2);
    let url = evidence[0]["url"].as_str().unwrap();
    let bytes = Ask::get(url).with(reviewer).of(app).await;
    assert_eq!(hex::encode(crate::auth::sha256(&bytes.body)), evidence[0]["sha256"]);
    for (name, value) in
        [("content-type", "image/jpeg"), ("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
    {
        assert_eq!(bytes.headers.get(name).unwrap(), value);
    }
    assert!(bytes.headers.get("content-disposition").unwrap().to_str().unwrap().starts_with("attachment"));
    refused!(app, reviewer, 404, "not-found", Ask::get(&theirs(view, "/documents/power-of-attorney")));
    refused!(app, reviewer, 404, "not-found", Ask::get(&theirs(view, "/documents/diary")));

    let no_reason = Ask::post(&theirs(view, "/return"), &json!({"note": "?"}));
    refused!(app, reviewer, 422, "invalid-fields", no_reason);
    let back = Ask::post(&theirs(view, "/return"), &json!({"reason": "photo-unclear", "note": "too dark"}));
    assert_eq!(ask!(app, reviewer, 200, back)["state"], "draft");
    let told = ask!(app, token, 200, Ask::get(&mine(view, "")));
    assert_eq!(
        (&told["refusal"]["reason"], &told["refusal"]["note"]),
        (&json!("photo-unclear"), &json!("too dark"))
    );
    ask!(app, token, 200, Ask::post(&mine(view, "/submission"), &json!({})));
    let approval = || Ask::post(&theirs(view, "/approval"), &json!({}));
    refused!(app, auditor, 403, "forbidden", approval());
    refused!(app, token, 403, "forbidden", approval());
    approval().of(app).await.is_problem(401, "unauthenticated");
    assert_eq!(ask!(app, reviewer, 200, approval())["state"], "approved");
    assert_eq!(refused!(app, reviewer, 409, "wrong-state", approval())["next_actor"], "ca");

    let entries = ask!(app, auditor, 200, Ask::get("/api/v1/officer/audit?limit=200"));
    let entries = entries["items"].as_array().unwrap();
    let seen =
        |action: &str| entries.iter().any(|e| e["action"] == action && e["actor"] == "officer:reviewer");
    assert!(seen("evidence.view") && seen("application.return") && seen("application.approve"));
    assert!(!entries.iter().any(|entry| entry.to_string().contains("31506801234560")));
    let first = ask!(app, auditor, 200, Ask::get("/api/v1/officer/audit?limit=1"));
    let newest = ask!(app, auditor, 200, Ask::get("/api/v1/officer/audit?order=newest&limit=200"));
    let newest = newest["items"].as_array().unwrap();
    let ids = |items: &[Value]| items.iter().map(|item| item["id"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids(newest), ids(entries).into_iter().rev().collect::<Vec<_>>());
    let by_applicant = ask!(app, auditor, 200, Ask::get("/api/v1/officer/audit?actor=applicant&limit=1"));
    assert_eq!(by_applicant["items"][0]["actor"], "applicant");
    let object = entries[0]["object"].as_str().unwrap();
    let about = ask!(app, auditor, 200, Ask::get(&format!("/api/v1/officer/audit?object={object}")));
    assert!(about["items"].as_array().unwrap().iter().all(|item| item["object"] == object));
    for wrong in ["order=loudest", "order=oldest&actor=applicant", "after=x"] {
        let path = format!("/api/v1/officer/audit?{wrong}");
        refused!(app, auditor, 422, "invalid-fields", Ask::get(&path));
    }
    let next = format!("/api/v1/officer/audit?limit=1&after={}", first["next"].as_str().unwrap());
    assert_eq!(ask!(app, auditor, 200, Ask::get(&next))["items"][0], entries[1]);
    let counts = ask!(app, auditor, 200, Ask::get("/api/v1/officer/statistics"));
    assert_eq!(counts["applications"]["approved"], 1);
    assert!(counts["jobs"].as_array().unwrap().iter().any(|job| job["kind"] == "issue-certificate"));
    let days = counts["days"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    // It was handed in, returned, handed in again and approved.
    let today = &days[29];
    assert_eq!(today["day"], counts["to"]);
    assert_eq!(
        (&today["submitted"], &today["approved"], &today["revoked"]),
        (&json!(2), &json!(1), &json!(0))
    );
    let of = |list: &str, name: &str, value: Value| {
        let found = counts[list].as_array().unwrap().iter().find(|item| item[name] == value);
        found.unwrap()["submitted"].clone()
    };
    assert_eq!(
        (of("regions", "region", json!(1703)), of("regions", "region", json!(1726))),
        (json!(2), json!(0))
    );
    assert_eq!(
        (of("channels", "channel", json!("online")), of("channels", "channel", json!("my.gov.uz"))),
        (json!(2), json!(0))
    );
    assert_eq!(
        (&counts["decisions"]["count"], &counts["decisions"]["within_working_day"]),
        (&json!(2), &json!(2))
    );
    assert!(counts["decisions"]["median_seconds"].as_i64().unwrap() >= 0);
    let wrong = Ask::get("/api/v1/officer/statistics?from=1990-05-21&to=yesterday");
    assert_eq!(refused!(app, auditor, 422, "invalid-fields", wrong)["errors"][0]["pointer"], "/to");
    let registrar = &harness.officer("registrar", Role::Registrar);
    refused!(app, registrar, 403, "forbidden", Ask::get("/api/v1/officer/statistics"));
}

#[actix_web::test]
async fn a_registrar_registers_a_walk_in_and_somebody_else_decides() {
    let harness = Harness::start();
    let app = &harness.app().await;
    Authority::of(&harness);
    let registrar = &harness.officer("registrar", Role::Registrar);
    let other = &harness.officer("other", Role::Registrar);
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let second = &harness.officer("second", Role::Reviewer);
    let path = "/api/v1/officer/applications";
    let mut form = natural_person();
    let without_phone = refused!(app, registrar, 422, "invalid-fields", Ask::post(path, &form));
    assert_eq!(without_phone["errors"][0]["pointer"], "/phone");
    form["phone"] = json!(PHONE);
    let auditor = &harness.officer("auditor", Role::Auditor);
    refused!(app, auditor, 403, "forbidden", Ask::post(path, &form));
    form["channel"] = json!("my.gov.uz");
    refused!(app, registrar, 422, "invalid-fields", Ask::post(path, &form));
    form["channel"] = json!("service-center");
    let view = &ask!(app, registrar, 201, Ask::post(path, &form));
    assert_eq!(view["channel"], "service-center");
    complete_and_submit!(&harness, app, registrar, view);

    refused!(app, registrar, 403, "forbidden", Ask::post(&theirs(view, "/approval"), &json!({})));
    assert_eq!(ask!(app, registrar, 200, Ask::get(path))["items"][0]["registered_by"], "registrar");
    assert_eq!(ask!(app, other, 200, Ask::get(path))["items"], json!([]));
    refused!(app, other, 404, "not-found", Ask::get(&theirs(view, "")));
    refused!(app, other, 404, "not-found", Ask::get(&theirs(view, "/documents/photo")));
    let approval = || Ask::post(&theirs(view, "/approval"), &json!({}));
    let first = ask!(app, reviewer, 200, approval());
    assert_eq!(first["state"], "under_review", "at a counter one signature is not enough");
    assert_eq!(first["approvals"], json!({"given": ["reviewer"], "needed": 2}));
    refused!(app, reviewer, 409, "already-approved", approval());
    let both = ask!(app, second, 200, approval());
    assert_eq!(
        (&both["state"], &both["approvals"]["given"]),
        (&json!("approved"), &json!(["reviewer", "second"]))
    );
}

#[actix_web::test]
async fn a_reviewer_does_not_decide_on_whom_they_registered_as_a_registrar() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.officer("promoted", Role::Reviewer);
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let context = &harness.context;
    let reader = Reader { language: config::Language::En, now: context.now(), vault: context.vault.clone() };
    let form: ApplicationForm = serde_json::from_value(natural_person()).unwrap();
    let stated = form.check(&context.regions, reader.now).unwrap();
    let mut new = stated.application(PHONE.to_owned(), Channel::ServiceCenter, &reader);
    new.registered_by = Some("promoted".to_owned());
    let view = register(context, new, Actor::Officer("promoted".to_owned()), &reader).await.unwrap();
    let view = &serde_json::to_value(view).unwrap();
    complete_and_submit!(&harness, app, token, view);
    let reason = json!({"reason": "photo-unclear"});
    for (verb, body) in [("approval", &json!({})), ("return", &reason), ("rejection", &reason)] {
        refused!(app, token, 403, "own-application", Ask::post(&theirs(view, &format!("/{verb}")), body));
    }
    assert_eq!(
        ask!(app, reviewer, 200, Ask::post(&theirs(view, "/rejection"), &reason))["state"],
        "rejected"
    );
}

#[actix_web::test]
async fn a_decision_is_signed_with_the_officers_own_valid_key() {
    let harness = Harness::start();
    Authority::of(&harness);
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let other = &harness.officer("other", Role::Reviewer);
    let token = &harness.applicant(PHONE);
    let app = &harness.app().await;
    let view = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    refused!(app, reviewer, 409, "wrong-state", Ask::get(&theirs(view, "/approval-statement")));
    complete_and_submit!(&harness, app, token, view);

    let answer = Ask::get(&theirs(view, "/approval-statement")).with(reviewer).of(app).await;
    assert_eq!(answer.headers.get("content-type").unwrap(), "text/plain; charset=utf-8");
    let statement = answer.body.to_vec();
    let text = String::from_utf8(statement.clone()).unwrap();
    let names: Vec<&str> = text.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "muhr-officer-statement/1",
            "act",
            "object",
            "content-sha256",
            "evidence-sha256",
            "under-review-since",
            "officer",
            "at",
            "previous"
        ]
    );
    assert!(text.contains(&format!("\nobject: application:{}\n", view["id"].as_str().unwrap())), "{text}");
    assert!(
        text.contains("\nofficer: reviewer\n") && text.ends_with(&format!("{}\n", "0".repeat(64))),
        "{text}"
    );

    let with =
        |signature: &str| Ask::post(&theirs(view, "/approval"), &json!({"signature": signature})).unsigned();
    let nothing = refused!(app, reviewer, 422, "invalid-fields", with(""));
    assert_eq!(
        (&nothing["errors"][0]["pointer"], &nothing["errors"][0]["rule"]),
        (&json!("/signature"), &json!("required"))
    );
    refused!(app, reviewer, 422, "invalid-fields", with("%"));
    refused!(app, reviewer, 422, "statement-refused", with("AAAA"));
    let (key, certificate) = self_signed("reviewer");
    let signature = |text: &[u8]| signed(text, &certificate, &key);
    refused!(app, reviewer, 403, "officer-not-certified", with(&signature(&statement)));
    refused!(app, reviewer, 409, "statement-outdated", with(&signature(b"another text")));
    // Another officer's signature is theirs, whoever sends it.
    let theirs_signed = Ask::get(&theirs(view, "/approval-statement")).with(other).of(app).await.body;
    refused!(app, reviewer, 409, "statement-outdated", with(&signature(&theirs_signed)));

    let late = Ask::get(&theirs(view, "/approval-statement")).with(reviewer).of(app).await.body;
    let harness = &harness.later(17 * 60);
    let later = &harness.app().await;
    refused!(later, reviewer, 409, "statement-outdated", with(&signature(&late)));
    let now = harness.context.now();
    harness.write(|c| store::officer_statements::revoke_certificates(c, "reviewer", "test", now));
    let approval = || Ask::post(&theirs(view, "/approval"), &json!({}));
    refused!(later, reviewer, 403, "officer-not-certified", approval());
    harness.certify(reviewer, "reviewer", Role::Registrar);
    refused!(later, reviewer, 403, "officer-not-certified", approval());
    harness.certify(reviewer, "reviewer", Role::Reviewer);
    assert_eq!(ask!(later, reviewer, 200, approval())["state"], "approved");
}

#[actix_web::test]
async fn duplicates_are_shown_to_the_officer() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let token = &harness.applicant(PHONE);
    let first = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    let second = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    let key = csr();
    for view in [first, second] {
        ask!(app, token, 200, Ask::put(&mine(view, "/csr"), "application/pkcs10", key.clone()));
        ask!(app, token, 200, Ask::put(&mine(view, "/documents/photo"), "image/jpeg", photo()));
    }
    let seen = ask!(app, reviewer, 200, Ask::get(&theirs(first, "")));
    let same: Vec<_> =
        seen["duplicates"].as_array().unwrap().iter().map(|d| (&d["id"], &d["same"])).collect();
    let id = &second["id"];
    assert_eq!(same, [(id, &json!("pinfl")), (id, &json!("key")), (id, &json!("photo"))]);
    assert_eq!(seen["findings"], json!(["there is no CA yet"]));
}

#[actix_web::test]
async fn the_status_of_a_certificate_is_its_holders_and_the_revocation_officers() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let authority = Authority::of(&harness);
    let token = &harness.applicant(PHONE);
    let stranger = &harness.applicant("+998907654321");
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let revocation = &harness.officer("revocation", Role::Revocation);
    let view = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    complete_and_submit!(&harness, app, token, view);
    ask!(app, reviewer, 200, Ask::post(&theirs(view, "/approval"), &json!({})));
    let serial = authority.issue(&harness, view);
    let path = &format!("/api/v1/certificates/{serial}");

    let public = Ask::get(path).of(app).await.is(200);
    assert_eq!(
        (&public["serial"], &public["status"], &public["issuer"]),
        (&json!(serial), &json!("good"), &json!("ca"))
    );
    assert!(public["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!public["subject"].as_str().unwrap().contains("31506801234560"), "{public}");
    for known in [token, revocation] {
        let seen = ask!(app, known, 200, Ask::get(path));
        assert!(seen["subject"].as_str().unwrap().contains("31506801234560"), "{seen}");
    }
    let found = Ask::get("/api/v1/certificates?subject=miSOlov").of(app).await.is(200);
    assert_eq!((&found["items"][0]["serial"], &found["items"][0]["pem"]), (&json!(serial), &Value::Null));
    assert!(!found.to_string().contains("31506801234560"));
    Ask::get("/api/v1/certificates").of(app).await.is_problem(422, "invalid-fields");
    let by_pinfl = || Ask::get("/api/v1/certificates?subject=31506801234560");
    by_pinfl().of(app).await.is_problem(403, "forbidden");
    assert_eq!(ask!(app, revocation, 200, by_pinfl())["items"].as_array().unwrap().len(), 1);
    for nowhere in ["/api/v1/certificates/00", "/api/v1/certificates/7f3a", "/api/v1/certificates/x"] {
        Ask::get(nowhere).of(app).await.is_problem(404, "not-found");
    }

    let change = |verb: &str, body: &Value| Ask::post(&format!("{path}/{verb}"), body);
    let none = &json!({});
    change("suspension", none).of(app).await.is_problem(401, "unauthenticated");
    refused!(app, stranger, 404, "not-found", change("suspension", none));
    refused!(app, reviewer, 403, "forbidden", change("suspension", none));
    let suspended = ask!(app, token, 200, change("suspension", none));
    assert_eq!(suspended["status"], "suspended");
    assert!(suspended["suspended_at"].is_string(), "{suspended}");
    let again = refused!(app, token, 409, "status-change-refused", change("suspension", none));
    assert_eq!(again["errors"][0]["rule"], "change-already-suspended");
    refused!(app, token, 403, "forbidden", change("restoration", none));
    assert_eq!(ask!(app, revocation, 200, change("restoration", none))["status"], "good");

    refused!(app, token, 422, "invalid-fields", change("revocation", none));
    refused!(app, token, 422, "invalid-fields", change("revocation", &json!({"reason": "certificateHold"})));
    refused!(app, token, 403, "forbidden", change("revocation", &json!({"reason": "privilegeWithdrawn"})));
    let future = json!({"reason": "keyCompromise", "invalidity_date": "2099-01-01T00:00:00Z"});
    let refused = refused!(app, token, 422, "invalid-fields", change("revocation", &future));
    assert_eq!(refused["errors"][0]["pointer"], "/invalidity_date");
    let of_another = json!({"reason": "keyCompromise", "pinfl": "31506801234561"});
    let refused = refused!(app, token, 422, "invalid-fields", change("revocation", &of_another));
    assert_eq!(refused["errors"][0]["rule"], "pinfl-not-holders");
    let of_holder = json!({"reason": "keyCompromise", "pinfl": "31506801234560"});
    let revoked = ask!(app, token, 200, change("revocation", &of_holder));
    assert_eq!((&revoked["status"], &revoked["reason"]), (&json!("revoked"), &json!("keyCompromise")));
    assert_eq!(Ask::get(path).of(app).await.is(200)["revoked_at"], revoked["revoked_at"]);
    for verb in ["suspension", "restoration"] {
        refused!(app, revocation, 409, "status-change-refused", change(verb, none));
    }
    let whole = ask!(app, reviewer, 200, Ask::get(&theirs(view, "")));
    assert!(whole["to_be_signed"].as_str().unwrap().contains(&format!("serial: {serial}")));
}

#[actix_web::test]
async fn a_payment_is_taken_once_and_only_as_the_invoice_says() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let view = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    let invoice = &ask!(app, token, 200, Ask::get(&mine(view, "/invoice")));
    let amount = &invoice["amount_tiyin"];
    let wrong = report(&harness, invoice, "T-0", &json!(1)).of(app).await;
    assert_eq!(wrong.is_problem(409, "invoice-not-payable")["errors"][0]["rule"], "wrong-amount");
    let first = report(&harness, invoice, "T-1", amount).of(app).await.is(200);
    assert_eq!(first["state"], "paid");
    assert_eq!(report(&harness, invoice, "T-1", amount).of(app).await.is(200), first);
    let second = report(&harness, invoice, "T-2", amount).of(app).await;
    assert_eq!(second.is_problem(409, "invoice-not-payable")["errors"][0]["rule"], "already-paid");
    let nobody = report(&harness, &json!({"number": "M-1999-0000001"}), "T-3", amount).of(app).await;
    nobody.is_problem(404, "not-found");
    Ask::post("/payments/webhook/bank", &json!({})).of(app).await.is_problem(401, "unauthenticated");
    Ask::post("/payments/webhook/nobody", &json!({})).of(app).await.is_problem(404, "not-found");
    Ask::get("/payments/webhook/bank").of(app).await.is_problem(405, "method-not-allowed");
}

#[actix_web::test]
async fn an_officer_signs_in_and_out_and_is_locked_out_like_a_login_nobody_has() {
    let harness = Harness::start();
    let app = &harness.app().await;
    hire(&harness, "reviewer", Role::Reviewer);
    let sign_in = |login: &str, password: &str| {
        Ask::post("/api/v1/officer/sessions", &json!({"login": login, "password": password}))
    };
    let answer = sign_in("reviewer", PASSWORD).of(app).await;
    let session = answer.is(201);
    assert_eq!(answer.headers.get("location").unwrap(), "/api/v1/officer/sessions/current");
    assert_eq!((&session["role"], &session["must_change_password"]), (&json!("reviewer"), &json!(false)));
    let token = session["token"].as_str().unwrap();
    let current = "/api/v1/officer/sessions/current";
    assert_eq!(ask!(app, token, 200, Ask::get(current))["login"], "reviewer");
    let signed_out = Ask::delete(current).with(token).of(app).await;
    assert_eq!(signed_out.status, 204);
    refused!(app, token, 401, "unauthenticated", Ask::get(current));

    for login in ["reviewer", "nobody"] {
        for _ in 0..5 {
            sign_in(login, "wrong").of(app).await.is_problem(401, "sign-in-failed");
        }
        let locked = sign_in(login, PASSWORD).of(app).await;
        locked.is_problem(429, "account-locked");
        let seconds: u64 = locked.headers.get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
        assert!((890..=901).contains(&seconds), "{login}: {seconds}");
    }
}

#[actix_web::test]
async fn a_new_password_ends_every_other_session() {
    let harness = Harness::start();
    let app = &harness.app().await;
    hire(&harness, "auditor", Role::Auditor);
    let sign_in = |password: &str| {
        Ask::post("/api/v1/officer/sessions", &json!({"login": "auditor", "password": password}))
    };
    let [one, two] = [sign_in(PASSWORD).of(app).await.is(201), sign_in(PASSWORD).of(app).await.is(201)];
    let [one, two] = [&one, &two].map(|session| session["token"].as_str().unwrap());
    let change =
        |old: &str, new: &str| Ask::post("/api/v1/officer/password", &json!({"old": old, "new": new}));
    let short = refused!(app, one, 422, "invalid-fields", change(PASSWORD, "short"));
    assert_eq!(short["errors"][0]["pointer"], "/new");
    refused!(app, one, 401, "sign-in-failed", change("wrong", "another good password"));
    ask!(app, one, 200, change(PASSWORD, "another good password"));
    ask!(app, one, 200, Ask::get("/api/v1/officer/audit"));
    refused!(app, two, 401, "unauthenticated", Ask::get("/api/v1/officer/audit"));
    sign_in(PASSWORD).of(app).await.is_problem(401, "sign-in-failed");
    sign_in("another good password").of(app).await.is(201);
}

#[actix_web::test]
async fn an_enrolled_authenticator_is_asked_for_and_each_code_works_once() {
    let harness = Harness::start_with(&[("officers.totp_required", "true")]);
    let app = &harness.app().await;
    hire(&harness, "admin", Role::Admin);
    let sign_in = |code: Option<&str>| {
        Ask::post("/api/v1/officer/sessions", &json!({"login": "admin", "password": PASSWORD, "totp": code}))
    };
    let session = sign_in(None).of(app).await.is(201);
    assert_eq!(session["must_enrol_totp"], true);
    let token = session["token"].as_str().unwrap();
    let first = refused!(app, token, 403, "forbidden", Ask::get("/api/v1/officer/audit"));
    assert_eq!(first["errors"][0]["rule"], "totp-enrolment-required");

    let enrol = |password: &str| Ask::post("/api/v1/officer/totp", &json!({"password": password}));
    refused!(app, token, 401, "sign-in-failed", enrol("wrong"));
    let enrolment = ask!(app, token, 200, enrol(PASSWORD));
    let secret = Secret::try_from_base32(enrolment["secret"].as_str().unwrap()).unwrap();
    assert!(enrolment["otpauth_uri"].as_str().unwrap().starts_with("otpauth://totp/Muhr:admin?secret="));
    let phone = Builder::new().with_secret(secret).with_account_name("admin").build().unwrap();
    let seconds = u64::try_from(harness.context.now().unix_seconds()).unwrap();
    let code_at = |seconds: u64| phone.generate(seconds).to_string();
    let confirm = |code: &str| {
        let proof = json!({"enrolment": enrolment["enrolment"], "code": code});
        Ask::post("/api/v1/officer/totp/confirmation", &proof)
    };
    let wrong = refused!(app, token, 422, "invalid-fields", confirm("1"));
    assert_eq!(wrong["errors"][0]["pointer"], "/code");
    let code = code_at(seconds);
    let enrolled = ask!(app, token, 200, confirm(&code));
    assert_eq!((&enrolled["totp_enrolled"], &enrolled["recovery_codes_left"]), (&json!(true), &json!(10)));
    let codes: Vec<&str> =
        enrolled["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    ask!(app, token, 200, Ask::get("/api/v1/officer/audit"));

    sign_in(None).of(app).await.is_problem(401, "totp-required");
    sign_in(Some(&code)).of(app).await.is_problem(401, "sign-in-failed");
    let next = code_at(seconds + 30);
    sign_in(Some(&next)).of(app).await.is(201);
    sign_in(Some(&next)).of(app).await.is_problem(401, "sign-in-failed");
    refused!(app, token, 401, "totp-required", enrol(PASSWORD));

    let recovered = sign_in(Some(&codes[3].to_uppercase().replace('-', " "))).of(app).await.is(201);
    assert_eq!(recovered["recovery_codes_left"], 9);
    sign_in(Some(codes[3])).of(app).await.is_problem(401, "sign-in-failed");
    let renew = |password: &str, code: &str| {
        let asked = json!({"password": password, "totp": code});
        Ask::post("/api/v1/officer/totp/recovery-codes", &asked)
    };
    refused!(app, token, 401, "sign-in-failed", renew("wrong", codes[4]));
    let renewed = ask!(app, token, 200, renew(PASSWORD, codes[4]));
    assert_eq!(renewed["recovery_codes_left"], 10);
    sign_in(Some(codes[5])).of(app).await.is_problem(401, "sign-in-failed");
    sign_in(Some(renewed["recovery_codes"][0].as_str().unwrap())).of(app).await.is(201);
}

#[actix_web::test]
async fn in_production_an_officer_first_replaces_a_password_somebody_else_made() {
    let harness = Harness::start_with(&[("environment", "production")]);
    let app = &harness.app().await;
    hire(&harness, "auditor", Role::Auditor);
    let signed_in = Ask::post("/api/v1/officer/sessions", &json!({"login": "auditor", "password": PASSWORD}))
        .of(app)
        .await;
    let session = signed_in.is(201);
    assert_eq!(session["must_change_password"], true);
    let token = session["token"].as_str().unwrap();
    let first = refused!(app, token, 403, "forbidden", Ask::get("/api/v1/officer/audit"));
    assert_eq!(first["errors"][0]["rule"], "password-change-required");
    refused!(app, token, 403, "forbidden", Ask::get("/api/v1/certificates"));
    let change = json!({"old": PASSWORD, "new": "a password of my own"});
    ask!(app, token, 200, Ask::post("/api/v1/officer/password", &change));
    ask!(app, token, 200, Ask::get("/api/v1/officer/audit"));
    for path in ["/sandbox/messages", "/sandbox/captchas/x"] {
        let hidden = Ask::get(path).of(app).await;
        assert_eq!(hidden.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn a_certificate_is_renewed_with_its_key_and_without_pictures() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let authority = Authority::of(&harness);
    let token = &harness.applicant(PHONE);
    let stranger = &harness.applicant("+998907654321");
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let revocation = &harness.officer("revocation", Role::Revocation);
    let (present, new) = (key(), key());
    let first = &ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    complete_and_submit!(&harness, app, token, first, csr_of(&present));
    ask!(app, reviewer, 200, Ask::post(&theirs(first, "/approval"), &json!({})));
    let serial = authority.issue(&harness, first);
    let certificate = ask!(app, token, 200, Ask::get(&format!("/api/v1/certificates/{serial}")));
    let certificate = X509::from_pem(certificate["pem"].as_str().unwrap().as_bytes()).unwrap();

    let renew = |body: &Value| Ask::post(&format!("/api/v1/certificates/{serial}/renewal"), body);
    let agreed = &json!({"offer_accepted": true});
    refused!(app, token, 422, "invalid-fields", renew(&json!({})));
    refused!(app, stranger, 404, "not-found", renew(agreed));
    let view = &ask!(app, token, 201, renew(agreed));
    assert_eq!(view["subject"], first["subject"]);
    assert_eq!((&view["renewal"]["serial"], &view["renewal"]["application"]), (&json!(serial), &first["id"]));
    assert_eq!(view["missing"], json!(["csr", "payment", "photo", "selfie"]));

    let sign = |cms: &str| {
        let body = json!({"statement_cms": cms}).to_string();
        Ask::put(&mine(view, "/renewal"), "application/json", body)
    };
    refused!(app, token, 409, "submission-incomplete", sign(""));
    ask!(app, token, 200, Ask::put(&mine(view, "/csr"), "application/pkcs10", csr_of(&new)));
    let statement = Ask::get(&mine(view, "/statement")).with(token).of(app).await.body;
    let cut = refused!(
        app,
        token,
        422,
        "statement-refused",
        sign(&signed(&statement, &certificate, &present)[4..])
    );
    assert_eq!(cut["errors"][0]["pointer"], "/statement_cms");
    let other_text = signed(b"another text", &certificate, &present);
    refused!(app, token, 422, "statement-refused", sign(&other_text));
    let right = signed(&statement, &certificate, &present);
    refused!(app, stranger, 404, "not-found", sign(&right));
    let of_first =
        Ask::put(&mine(first, "/renewal"), "application/json", json!({"statement_cms": right}).to_string());
    refused!(app, token, 409, "wrong-state", of_first);
    let signed_view = ask!(app, token, 200, sign(&right));
    assert_eq!(signed_view["missing"], json!(["payment"]));
    assert!(signed_view["renewal"]["signed_at"].is_string());

    // Another key makes another statement.
    ask!(app, token, 200, Ask::put(&mine(view, "/csr"), "application/pkcs10", csr()));
    refused!(app, token, 422, "statement-refused", sign(&right));
    ask!(app, token, 200, Ask::put(&mine(view, "/csr"), "application/pkcs10", csr_of(&new)));
    ask!(app, token, 200, sign(&right));
    let invoice = ask!(app, token, 200, Ask::get(&mine(view, "/invoice")));
    report(&harness, &invoice, "T-R", &invoice["amount_tiyin"]).of(app).await.is(200);

    // A certificate that is not valid any more speaks for nobody; then the pictures are asked for after all.
    let status = |verb: &str| Ask::post(&format!("/api/v1/certificates/{serial}/{verb}"), &json!({}));
    ask!(app, token, 200, status("suspension"));
    refused!(app, token, 409, "not-renewable", renew(agreed));
    let submit = || Ask::post(&mine(view, "/submission"), &json!({}));
    let incomplete = refused!(app, token, 409, "submission-incomplete", submit());
    let missing: Vec<_> =
        incomplete["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(missing, ["photo", "selfie"]);
    refused!(app, token, 409, "not-renewable", sign(&right));
    ask!(app, revocation, 200, status("restoration"));
    assert_eq!(ask!(app, token, 200, Ask::get(&mine(view, "")))["missing"], json!(["photo", "selfie"]));
    ask!(app, token, 200, sign(&right));
    assert_eq!(ask!(app, token, 200, submit())["state"], "under_review");

    let seen = ask!(app, reviewer, 200, Ask::get(&theirs(view, "")));
    assert_eq!(seen["renewal"]["status"], "good");
    ask!(app, reviewer, 200, Ask::post(&theirs(view, "/approval"), &json!({})));
    assert_ne!(authority.issue(&harness, view), serial);

    // What was handed in stays what it was, whatever becomes of the certificate before.
    ask!(
        app,
        token,
        200,
        Ask::post(&format!("/api/v1/certificates/{serial}/revocation"), &json!({"reason": "superseded"}))
    );
    refused!(app, token, 409, "wrong-state", submit());
    assert!(ask!(app, token, 200, Ask::get(&mine(view, "")))["renewal"]["signed_at"].is_string());
}

#[actix_web::test]
async fn the_first_password_of_a_key_goes_to_the_phone_where_a_centres_rules_say_so() {
    let walk_in = || {
        let mut form = natural_person();
        form["phone"] = json!(PHONE);
        Ask::post("/api/v1/officer/applications", &form)
    };
    let send = |view: &Value, password: &str| {
        Ask::post(&mine(view, "/key-password"), &json!({ "password": password }))
    };
    let elsewhere = Harness::start();
    let app = &elsewhere.app().await;
    let registrar = &elsewhere.officer("registrar", Role::Registrar);
    let view = &ask!(app, registrar, 201, walk_in());
    refused!(app, registrar, 403, "forbidden", send(view, "w7Kd-Rm4x-Qp9T"));

    let harness = Harness::start_with(&[("officers.generated_key_passwords", "true")]);
    let app = &harness.app().await;
    let registrar = &harness.officer("registrar", Role::Registrar);
    let other = &harness.officer("another", Role::Registrar);
    let applicant = &harness.applicant(PHONE);
    let view = &ask!(app, registrar, 201, walk_in());
    for wrong in
        ["short-1A", "has a space 1A", "ўн-икки-ҳарф-1A", "https://evil.uz/pay", "w7Kd-Rm4x-Qp9T-more"]
    {
        let said = refused!(app, registrar, 422, "invalid-fields", send(view, wrong));
        assert_eq!(said["errors"][0]["rule"], "key-password", "{wrong}");
    }
    refused!(app, other, 404, "not-found", send(view, "w7Kd-Rm4x-Qp9T"));
    refused!(app, applicant, 403, "forbidden", send(view, "w7Kd-Rm4x-Qp9T"));
    assert_eq!(send(view, "w7Kd-Rm4x-Qp9T").with(registrar).of(app).await.status, 204);
    let queued = harness.write(|connection| {
        let (kind, lease) = (store::jobs::JobKind::SendMessage, Duration::from_secs(60));
        store::jobs::claim(connection, kind, "test", harness.context.now(), lease, 8)
    });
    let payload = &queued.iter().find(|job| job.key.starts_with("key-password:")).unwrap().payload;
    assert!(payload.contains("sealed_password") && !payload.contains("w7Kd"), "it waits sealed");
    for _ in 1..5 {
        assert_eq!(send(view, "w7Kd-Rm4x-Qp9T").with(registrar).of(app).await.status, 204);
    }
    refused!(app, registrar, 429, "too-many-requests", send(view, "w7Kd-Rm4x-Qp9T"));
}
