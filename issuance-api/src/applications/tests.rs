//! The applicant's side as its clients see it, on a database of its own.

use actix_web::web::Bytes;
use ca_core::application::{Actor, ApplicationId, Officer, Refusal, Role, State};
use ca_core::{SerialNumber, Timestamp};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs7::Pkcs7;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Builder, X509Name, X509Req};
use serde_json::{Value, json};
use store::applications;
use store::certificates::NewCertificate;
use store::issuance::{self, Intent, Signed};
use store::issuers::{self, Issuer};

use super::form::tests::natural_person;
use crate::harness::{Ask, Harness};

const PHONE: &str = "+998901234567";

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn request(key: &PKey<Private>) -> X509Req {
    let mut builder = X509Req::builder().unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A certificate that is good enough to be downloaded.
fn certificate(key: &PKey<Private>, name: &str) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(0x5eed).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(365).unwrap()).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
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

fn path(view: &Value, rest: &str) -> String {
    format!("/api/v1/applications/{}{rest}", view["id"].as_str().unwrap())
}

fn pay(harness: &Harness, invoice: &Value) -> Ask {
    let now = harness.context.now();
    let report = json!({
        "transaction": "T-1", "invoice": invoice["id"], "amount_tiyin": invoice["amount_tiyin"], "at": now,
    });
    let signature = harness.context.providers.played().unwrap().sign(report.to_string().as_bytes(), now);
    Ask::post("/payments/webhook/bank", &report).header("muhr-signature", &signature)
}

/// What officers and the signer do between submission and download.
fn approve_and_issue(harness: &Harness, view: &Value, key: &PKey<Private>) -> Vec<Vec<u8>> {
    let id: ApplicationId = view["id"].as_str().unwrap().parse().unwrap();
    let now = harness.context.now();
    let chain = ["leaf", "ca", "root"].map(|name| certificate(key, name).to_der().unwrap());
    let issuer = |id: &str, kind: &str, parent: Option<&str>, der: &Vec<u8>| Issuer {
        id: id.to_owned(),
        kind: kind.to_owned(),
        parent: parent.map(str::to_owned),
        certificate: der.clone(),
        subject: id.to_owned(),
        not_before: now,
        not_after: Timestamp::MAX,
        retired_at: None,
        key_destroyed_at: None,
    };
    harness.write(|connection| {
        let officer = Officer { login: "reviewer".to_owned(), role: Role::Reviewer };
        let stored = applications::find(connection, id)?;
        applications::apply(connection, &stored.application.approve(&officer, now).unwrap())?;
        issuers::insert(connection, &issuer("root", "root", None, &chain[2]), now)?;
        issuers::insert(connection, &issuer("ca", "issuing", Some("root"), &chain[1]), now)?;
        let approved = applications::find(connection, id)?.application;
        let certificate = NewCertificate {
            issuer: "ca".to_owned(),
            serial: SerialNumber::try_from([0x5e, 0xed].as_slice()).unwrap(),
            application: Some(id),
            profile: "natural_person".to_owned(),
            subject: "CN=leaf".to_owned(),
            common_name: "leaf".to_owned(),
            pinfl: Some("31506801234560".to_owned()),
            stir: None,
            spki_sha256: crate::auth::sha256(&key.public_key_to_der().unwrap()),
            der: chain[0].clone(),
            not_before: now,
            not_after: now.plus_months(12),
            crl_partition: String::new(),
        };
        let intent = Intent {
            issuer: certificate.issuer.clone(),
            serial: certificate.serial,
            application: Some(id),
            profile: certificate.profile.clone(),
            tbs: Vec::new(),
        };
        issuance::record_intents(connection, &[intent], now)?;
        issuance::settle(
            connection,
            &[Signed { certificate, transition: approved.issue(now).unwrap(), job: 0 }],
            now,
        )
    });
    chain.to_vec()
}

#[actix_web::test]
async fn an_application_goes_from_its_form_to_a_certificate_in_three_forms() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let key = key();

    let answer = Ask::post("/api/v1/applications", &natural_person()).with(token).of(app).await;
    let view = answer.is(201);
    assert_eq!(answer.headers.get("location").unwrap().to_str().unwrap(), path(&view, ""));
    assert_eq!(view["missing"], json!(["csr", "payment", "photo", "selfie"]));
    assert_eq!((view["state"].as_str(), view["next_actor"].as_str()), (Some("draft"), Some("applicant")));
    refused!(app, token, 409, "submission-incomplete", Ask::get(&path(&view, "/statement")));
    let incomplete = Ask::post(&path(&view, "/submission"), &json!({}));
    let problem = refused!(app, token, 409, "submission-incomplete", incomplete);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 4, "{problem}");

    let der = request(&key).to_der().unwrap();
    let after_csr = ask!(app, token, 200, Ask::put(&path(&view, "/csr"), "application/pkcs10", der));
    assert_eq!(after_csr["key"]["kind"], "P-256");
    for kind in ["photo", "selfie"] {
        let ask = Ask::put(&path(&view, &format!("/documents/{kind}")), "image/jpeg", photo());
        ask!(app, token, 200, ask);
    }
    let invoice = ask!(app, token, 200, Ask::get(&path(&view, "/invoice")));
    assert_eq!(invoice["state"], "open", "{invoice}");
    assert_eq!(invoice["amount_tiyin"], 2_884_000, "{invoice}");
    assert_eq!((&invoice["rate_percent"], &invoice["discount_percent"]), (&json!(7), &json!(0)));
    let link = format!("https://pay.example/{}", invoice["number"].as_str().unwrap());
    assert_eq!(invoice["pay_links"], json!([{"provider": "bank", "url": link}]));
    let page = Ask::get(&path(&view, "/invoice.pdf")).with(token).of(app).await;
    assert!(page.status == 200 && page.body.starts_with(b"%PDF-"), "{}", page.status);
    pay(&harness, &invoice).of(app).await.is(200);
    assert_eq!(ask!(app, token, 200, Ask::get(&path(&view, "/invoice")))["state"], "paid");

    let statement = Ask::get(&path(&view, "/statement")).with(token).of(app).await;
    assert_eq!(statement.headers.get("content-type").unwrap(), "text/plain; charset=utf-8");
    let signed = |text: &[u8]| {
        let options = CMSOptions::BINARY;
        let signer = certificate(&key, "signer");
        let cms = CmsContentInfo::sign(Some(&signer), Some(&key), None, Some(text), options).unwrap();
        json!({"statement_cms": openssl::base64::encode_block(&cms.to_der().unwrap())})
    };
    let other = Ask::post(&path(&view, "/submission"), &signed(b"something else"));
    let problem = refused!(app, token, 422, "statement-refused", other);
    assert_eq!(problem["errors"][0]["pointer"], "/statement_cms");
    let submitted = ask!(app, token, 200, Ask::post(&path(&view, "/submission"), &signed(&statement.body)));
    assert_eq!(submitted["state"], "under_review");
    assert_eq!(submitted["history"][0]["command"], "submit");

    for accept in ["", "text/html"] {
        let early = Ask::get(&path(&view, "/certificate")).header("accept", accept);
        assert_eq!(refused!(app, token, 404, "not-found", early)["next_actor"], "registration_officer");
    }
    let chain = approve_and_issue(&harness, &view, &key);
    let issued = ask!(app, token, 200, Ask::get(&path(&view, "")));
    assert_eq!(issued["state"], "issued");
    assert_eq!(
        (&issued["certificate"]["serial"], &issued["certificate"]["status"]),
        (&json!("5eed"), &json!("good"))
    );
    assert_eq!(issued["history"][1]["actor"], "officer", "not which officer: {issued}");
    assert_eq!(issued["history"].as_array().unwrap().len(), 3);

    let download = async |accept: &str| {
        let ask = Ask::get(&path(&view, "/certificate")).header("accept", accept);
        ask.with(token).of(app).await
    };
    assert_eq!(download("*/*").await.body, chain[0]);
    let pem = X509::stack_from_pem(&download("application/x-pem-file").await.body).unwrap();
    let pem: Vec<_> = pem.iter().map(|one| one.to_der().unwrap()).collect();
    assert_eq!(pem, chain[..2]);
    let bundle = Pkcs7::from_der(&download("application/pkcs7-mime").await.body).unwrap();
    let bundled = bundle.signed().unwrap().certificates().unwrap().iter();
    let mut bundled: Vec<_> = bundled.map(|one| one.to_der().unwrap()).collect();
    let mut expected = chain.clone();
    bundled.sort();
    expected.sort();
    assert_eq!(bundled, expected);
    download("text/html").await.is_problem(406, "not-acceptable");
    refused!(app, token, 409, "wrong-state", Ask::post(&path(&view, "/withdrawal"), &json!({})));
}

#[actix_web::test]
async fn somebody_elses_application_does_not_exist_and_without_a_token_nothing_does() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let view =
        ask!(app, &harness.applicant(PHONE), 201, Ask::post("/api/v1/applications", &natural_person()));
    let stranger = &harness.applicant("+998907654321");
    let officer = &harness.officer("reviewer", Role::Reviewer);
    let asks = || {
        let get = |rest: &str| Ask::get(&path(&view, rest));
        let post = |rest: &str| Ask::post(&path(&view, rest), &json!({}));
        vec![
            get(""),
            get("/invoice"),
            get("/invoice.pdf"),
            get("/statement"),
            get("/certificate"),
            post("/submission"),
            post("/withdrawal"),
            Ask::put(&path(&view, "/csr"), "application/pkcs10", "x"),
            Ask::put(&path(&view, "/documents/photo"), "image/jpeg", photo()),
        ]
    };
    for token in [stranger, officer] {
        for ask in asks() {
            refused!(app, token, 404, "not-found", ask);
        }
    }
    for ask in asks() {
        ask.of(app).await.is_problem(401, "unauthenticated");
    }
    // A stranger's body is not even looked at.
    Ask::post("/api/v1/applications", &json!({})).of(app).await.is_problem(401, "unauthenticated");
    let mine = ask!(app, stranger, 200, Ask::get("/api/v1/applications"));
    assert_eq!(mine, json!({"items": [], "next": null}));
}

#[actix_web::test]
async fn a_registrar_acts_for_the_applicant_they_registered() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let registrar = &harness.officer("registrar", Role::Registrar);
    let other = &harness.officer("other", Role::Registrar);
    let id = ApplicationId::new(harness.context.now());
    let form: super::ApplicationForm = serde_json::from_value(natural_person()).unwrap();
    let reader = super::Reader {
        language: config::Language::Uz,
        now: harness.context.now(),
        vault: harness.context.vault.clone(),
    };
    let stated = form.check(&harness.context.regions, reader.now).unwrap_or_else(|_| panic!());
    let channel = ca_core::fee::Channel::ServiceCenter;
    let mut new = stated.application(PHONE.to_owned(), channel, &reader);
    (new.id, new.registered_by) = (id, Some("registrar".to_owned()));
    let actor = Actor::Officer("registrar".to_owned());
    let view = super::register(&harness.context, new, actor, &reader).await.unwrap();
    let view = serde_json::to_value(view).unwrap();
    assert_eq!(view["missing"], json!(["csr", "payment", "photo"]), "the officer sees the applicant's face");
    ask!(app, registrar, 200, Ask::put(&path(&view, "/documents/photo"), "image/jpeg", photo()));
    refused!(app, other, 404, "not-found", Ask::get(&path(&view, "")));
    let own = ask!(app, &harness.applicant(PHONE), 200, Ask::get("/api/v1/applications"));
    assert_eq!(own["items"][0]["id"], view["id"], "the applicant sees what was done in their name");
}

#[actix_web::test]
async fn nothing_is_kept_of_what_is_refused() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let view = ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    let put =
        |rest: &str, media_type: &str, body: &'static [u8]| Ask::put(&path(&view, rest), media_type, body);
    let csr = refused!(app, token, 422, "csr-refused", put("/csr", "application/pkcs10", b"nonsense"));
    assert_eq!(csr["errors"][0]["rule"], "not-pem-or-der");
    refused!(app, token, 415, "unsupported-media-type", put("/csr", "text/plain", b"x"));
    let document = put("/documents/photo", "image/jpeg", b"<html>");
    let problem = refused!(app, token, 422, "document-refused", document);
    assert_eq!(problem["errors"][0]["rule"], "not-a-picture");
    refused!(app, token, 415, "unsupported-media-type", put("/documents/photo", "application/pdf", b"%PDF-"));
    refused!(app, token, 404, "not-found", put("/documents/portrait", "image/jpeg", b"x"));
    let large = Ask::put(&path(&view, "/csr"), "application/pkcs10", vec![0x30; 20_000]);
    refused!(app, token, 413, "payload-too-large", large);
    let now = ask!(app, token, 200, Ask::get(&path(&view, "")));
    assert_eq!((&now["missing"], &now["documents"]), (&view["missing"], &json!([])));
    let folder = &harness.context.settings.documents.directory;
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[actix_web::test]
async fn what_is_no_application_is_refused_at_its_place() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    for (parent, name, value) in [
        ("", "nonsense", json!(1)),
        ("", "offer_accepted", json!("yes")),
        ("", "region", json!({})),
        ("", "region", json!(-1)),
        ("", "subject_type", json!("deity")),
        ("", "channel", json!("post")),
        ("", "phone", json!(PHONE)),
        ("/subject", "nonsense", json!(1)),
        ("/subject", "surname", json!(7)),
        ("/subject", "given_name", json!(["A"])),
        ("/subject", "surname", json!("KARIMOVA\u{202e}")),
        ("/subject", "stir", json!("300000005")),
    ] {
        let mut form = natural_person();
        form.pointer_mut(parent).unwrap()[name] = value;
        let problem = refused!(app, token, 422, "invalid-fields", Ask::post("/api/v1/applications", &form));
        assert_eq!(problem["errors"][0]["pointer"], format!("{parent}/{name}"), "{problem}");
    }
    for broken in ["", "{", "nonsense", "{\"a\":1}}", "[[[["] {
        let ask = Ask::post("/api/v1/applications", &json!({})).body(broken);
        refused!(app, token, 400, "malformed-request", ask);
    }
    let large = Ask::post("/api/v1/applications", &json!({ "purpose": "x".repeat(70_000) }));
    refused!(app, token, 413, "payload-too-large", large);
}

#[actix_web::test]
async fn a_replaced_document_leaves_nothing_behind() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let view = ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    for _ in 0..3 {
        ask!(app, token, 200, Ask::put(&path(&view, "/documents/photo"), "image/jpeg", photo()));
    }
    let folder = &harness.context.settings.documents.directory;
    let files = std::fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap());
    let files: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert!(!files[0].starts_with(b"\xff\xd8"), "it is sealed");
}

#[actix_web::test]
async fn a_key_is_one_persons() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let (one, two) = (&harness.applicant(PHONE), &harness.applicant("+998907654321"));
    let csr = request(&key()).to_pem().unwrap();
    let view = ask!(app, one, 201, Ask::post("/api/v1/applications", &natural_person()));
    let pem = "application/x-pem-file";
    ask!(app, one, 200, Ask::put(&path(&view, "/csr"), pem, csr.clone()));
    let mut form = natural_person();
    form["subject"]["pinfl"] = json!("31506801234577");
    let other = ask!(app, two, 201, Ask::post("/api/v1/applications", &form));
    let problem = refused!(app, two, 409, "key-already-used", Ask::put(&path(&other, "/csr"), pem, csr));
    assert_eq!(problem["errors"][0]["rule"], "key-of-another-person");
    assert!(!problem.to_string().contains("31506801234560"), "whose it is, is nobody's business");
}

#[actix_web::test]
async fn a_channel_is_its_partners() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let with_channel = |channel: &str| {
        let mut form = natural_person();
        form["channel"] = json!(channel);
        Ask::post("/api/v1/applications", &form)
    };
    let kind = "channel-not-authenticated";
    refused!(app, token, 403, kind, with_channel("my.gov.uz"));
    refused!(app, token, 403, kind, with_channel("service-center"));
    ask!(app, token, 201, with_channel("online"));
}

#[actix_web::test]
async fn an_expired_invoice_of_a_draft_is_written_anew() {
    let mut harness = Harness::start_with(&[("invoices.validity_days", "1")]);
    let (view, first) = {
        let app = &harness.app().await;
        let token = &harness.applicant(PHONE);
        let view = ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
        let first = ask!(app, token, 200, Ask::get(&path(&view, "/invoice")));
        assert_eq!(ask!(app, token, 200, Ask::get(&path(&view, "/invoice")))["id"], first["id"]);
        (view, first)
    };
    harness.travel(24 * 3600);
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let second = ask!(app, token, 200, Ask::get(&path(&view, "/invoice")));
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["state"], "open");
    ask!(app, token, 200, Ask::post(&path(&view, "/withdrawal"), &json!({})));
    let last = ask!(app, token, 200, Ask::get(&path(&view, "/invoice")));
    assert_eq!(
        (&last["id"], &last["state"], &last["pay_links"]),
        (&second["id"], &json!("cancelled"), &json!([]))
    );
}

#[actix_web::test]
async fn a_phone_has_only_so_many_open_applications() {
    let harness = Harness::start_with(&[("applications.open_per_phone", "2")]);
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let apply = || Ask::post("/api/v1/applications", &natural_person());
    let first = ask!(app, token, 201, apply());
    ask!(app, token, 201, apply());
    refused!(app, token, 409, "too-many-open-applications", apply());
    ask!(app, token, 200, Ask::post(&path(&first, "/withdrawal"), &json!({})));
    ask!(app, token, 201, apply());
    let page = ask!(app, token, 200, Ask::get("/api/v1/applications?limit=2"));
    assert_eq!(page["items"][0]["id"], first["id"], "the oldest first");
    let next = format!("/api/v1/applications?limit=2&after={}", page["next"].as_str().unwrap());
    let rest = ask!(app, token, 200, Ask::get(&next));
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let wrong = Ask::get("/api/v1/applications?after=yesterday");
    assert_eq!(refused!(app, token, 422, "invalid-fields", wrong)["errors"][0]["pointer"], "/after");
}

#[actix_web::test]
async fn whoever_comes_second_is_told_whose_move_it_is() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let view = ask!(app, token, 201, Ask::post("/api/v1/applications", &natural_person()));
    let id: ApplicationId = view["id"].as_str().unwrap().parse().unwrap();
    let now = harness.context.now();
    let draft = harness.write(|connection| applications::find(connection, id)).application;
    ask!(app, token, 200, Ask::post(&path(&view, "/withdrawal"), &json!({})));
    // The first time decides on what was loaded before the withdrawal, as a transaction that ran beside it would.
    let stale = std::sync::Arc::new(std::sync::Mutex::new(Some(draft)));
    let decided = harness.context.decide(move |connection| {
        let stale = stale.lock().unwrap().take();
        let application = match stale {
            Some(stale) => stale,
            None => applications::find(connection, id)?.application,
        };
        Ok(applications::apply(connection, &application.withdraw(Actor::Applicant, now)?)?)
    });
    assert_eq!(decided.await.unwrap_err(), Refusal::WrongState(State::Withdrawn).into());
}

#[actix_web::test]
async fn everything_is_described_and_nothing_else_is_there() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let document = Ask::get("/api/openapi.json").of(app).await.is(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for path in
        ["/api/v1/regions", "/api/v1/applications/{id}/documents/{kind}", "/api/v1/phone-verifications"]
    {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let docs = Ask::get("/api/docs/").of(app).await;
    assert!(docs.status == 200 && docs.body.starts_with(b"<"), "{}", docs.status);
    Ask::get("/api/v1/nothing-here").of(app).await.is_problem(404, "not-found");
    for id in ["1", "nonsense", "00000000-0000-4000-8000-000000000000", "%00", "..%2f..%2fetc"] {
        let token = &harness.applicant(PHONE);
        refused!(app, token, 404, "not-found", Ask::get(&format!("/api/v1/applications/{id}")));
    }
    let wrong = Ask::post("/api/v1/regions", &json!({})).of(app).await;
    wrong.is_problem(405, "method-not-allowed");
    assert_eq!(wrong.headers.get("allow").unwrap(), "GET");
    let regions = Ask::get("/api/v1/regions").of(app).await.is(200);
    assert_eq!(regions["items"][0]["districts"][0]["code"], 1_703_202);
    let fee = Ask::get("/api/v1/fees?subject_type=legal_entity&channel=my.gov.uz").of(app).await.is(200);
    assert_eq!(fee["amount_tiyin"], 3_708_000);
    let fee = Ask::get("/api/v1/fees?channel=post").of(app).await.is_problem(422, "invalid-fields");
    assert_eq!(fee["errors"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn the_same_post_again_gets_the_same_answer() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let token = &harness.applicant(PHONE);
    let once =
        || Ask::post("/api/v1/applications", &natural_person()).header("idempotency-key", "once").with(token);
    let first = once().of(app).await;
    let second = once().of(app).await;
    assert_eq!((first.is(201), &first.body), (second.is(201), &second.body));
    assert_eq!(first.headers.get("location"), second.headers.get("location"));
    assert_eq!(second.headers.get("idempotency-replayed").unwrap(), "true");
    let mut other = natural_person();
    other["purpose"] = json!("another");
    let other = Ask::post("/api/v1/applications", &other).header("idempotency-key", "once");
    refused!(app, token, 422, "idempotency-key-reused", other);
    let mine = ask!(app, token, 200, Ask::get("/api/v1/applications"));
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
}
