use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};
use store::{audit, seen_signatures};
use tempfile::TempDir;

use crate::applications::form::tests::natural_person;
use crate::auth::sha256;
use crate::harness::{Ask, Harness};

const PHONE: &str = "+998901234567";
const PUBLIC_URL: &str = "https://muhr.example/eri";
const PLACE: &str = "/api/v1/partner/applications";

/// Partners and their private halves.
struct Keys {
    folder: TempDir,
}

impl Keys {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A new key whose public half is in a file.
    fn make(&self, key_id: &str) -> (PKey<Private>, String) {
        let key = PKey::generate_ed25519().unwrap();
        let file = self.folder.path().join(format!("{key_id}.pem"));
        std::fs::write(&file, key.public_key_to_pem().unwrap()).unwrap();
        (key, file.to_str().unwrap().to_owned())
    }
}

/// One partner `portal` with a key `k1`, and more settings.
fn start(more: &[(&str, &str)]) -> (Harness, PKey<Private>) {
    let keys = Keys::new();
    let (key, file) = keys.make("k1");
    let settings = [
        ("public_url", PUBLIC_URL),
        ("issuance.ocsp_url", "http://muhr.example/ocsp"),
        ("issuance.repository_url", "http://muhr.example/repository"),
        ("partners.portal.channel", "my.gov.uz"),
        ("partners.portal.keys.k1", file.as_str()),
    ];
    (Harness::start_with(&[&settings, more].concat()), key)
}

/// A request that is signed as the RFC says, by a library that the product does not use.
struct Request<'a> {
    key: &'a PKey<Private>,
    key_id: &'a str,
    nonce: &'a str,
    created: i64,
}

impl<'a> Request<'a> {
    fn now(harness: &Harness, key: &'a PKey<Private>, nonce: &'a str) -> Self {
        Self { key, key_id: "k1", nonce, created: harness.context.now().unix_seconds() }
    }

    fn signed(&self, method: &str, path: &str, body: Option<&Value>) -> Ask {
        let mut base = format!("\"@method\": {method}\n\"@target-uri\": {PUBLIC_URL}{path}\n");
        let mut covered = "\"@method\" \"@target-uri\"".to_owned();
        let mut ask = Ask::get(path);
        if let Some(body) = body {
            let digest = format!("sha-256=:{}:", STANDARD.encode(sha256(body.to_string().as_bytes())));
            base += &format!("\"content-type\": application/json\n\"content-digest\": {digest}\n");
            covered += " \"content-type\" \"content-digest\"";
            ask = Ask::post(path, body).header("content-digest", &digest);
        }
        let parameters = format!(
            "({covered});created={};keyid=\"{}\";nonce=\"{}\"",
            self.created, self.key_id, self.nonce
        );
        base += &format!("\"@signature-params\": {parameters}");
        let mut signer = Signer::new_without_digest(self.key).unwrap();
        let signature = STANDARD.encode(signer.sign_oneshot_to_vec(base.as_bytes()).unwrap());
        ask.header("signature-input", &format!("sig={parameters}"))
            .header("signature", &format!("sig=:{signature}:"))
    }

    fn get(&self, path: &str) -> Ask {
        self.signed("GET", path, None)
    }

    fn post(&self, body: &Value) -> Ask {
        self.signed("POST", PLACE, Some(body))
    }
}

fn form() -> Value {
    let mut form = natural_person();
    form["phone"] = json!(PHONE);
    form
}

fn rule(problem: &Value) -> &str {
    problem["errors"][0]["rule"].as_str().unwrap()
}

#[actix_web::test]
async fn a_partner_applies_for_a_citizen_who_goes_on_as_the_applicant() {
    let (harness, key) = start(&[]);
    let app = &harness.app().await;
    let made = Request::now(&harness, &key, "1").post(&form()).header("accept-language", "en").of(app).await;
    let view = made.is(201);
    assert_eq!(made.headers.get("location").unwrap(), &format!("{PLACE}/{}", view["id"].as_str().unwrap()));
    assert_eq!((&view["channel"], &view["state"]), (&json!("my.gov.uz"), &json!("draft")));
    assert_eq!(view["invoice"]["amount_tiyin"], 2_595_600);
    let text = view["invoice"]["rule_text"].as_str().unwrap();
    assert!(text.contains("less 10\u{a0}% of that for applying through my.gov.uz"), "{text}");
    assert!(view["invoice"]["pay_links"][0]["url"].as_str().unwrap().starts_with("https://pay.example/"));
    for personal in ["31506801234560", "AA1234567", "Misolov", PHONE] {
        assert!(!view.to_string().contains(personal), "{view}");
    }

    let own = format!("/api/v1/applications/{}", view["id"].as_str().unwrap());
    let applicant = &harness.applicant(PHONE);
    assert_eq!(Ask::get(&own).with(applicant).of(app).await.is(200)["channel"], "my.gov.uz");
    Ask::get(&own).with(&harness.applicant("+998907654321")).of(app).await.is_problem(404, "not-found");

    let one = format!("{PLACE}/{}", view["id"].as_str().unwrap());
    let again = Request::now(&harness, &key, "2").get(&one).of(app).await.is(200);
    assert_eq!(again["id"], view["id"]);
    let invoice = Request::now(&harness, &key, "3").get(&format!("{one}/invoice")).of(app).await.is(200);
    assert_eq!(invoice["id"], view["invoice"]["id"]);
    let list = Request::now(&harness, &key, "4").get(&format!("{PLACE}?limit=1")).of(app).await.is(200);
    assert_eq!(list["items"][0]["invoice"]["id"], invoice["id"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    let entries = harness.write(|connection| audit::page(connection, 0, 50)).items;
    let entry = entries.iter().find(|(_, entry)| entry.action == "application.create").unwrap();
    assert_eq!(entry.1.actor, "partner:portal");
}

#[actix_web::test]
async fn what_no_partner_signed_is_not_let_in() {
    let (harness, key) = start(&[]);
    let app = &harness.app().await;
    let refused = Ask::post(PLACE, &form()).of(app).await;
    assert_eq!(rule(&refused.is_problem(401, "unauthenticated")), "absent");
    let asked = refused.headers.get("accept-signature").unwrap().to_str().unwrap();
    assert!(asked.contains("\"@target-uri\""), "{asked}");

    let now = Request::now(&harness, &key, "1");
    let other = PKey::generate_ed25519().unwrap();
    for (expected, ask) in [
        ("wrong", Request { key: &other, ..now }.post(&form())),
        ("key-unknown", Request { key_id: "k2", ..now }.post(&form())),
        ("not-now", Request { created: now.created - 301, ..now }.post(&form())),
        ("not-now", Request { created: now.created + 301, ..now }.post(&form())),
        ("digest", now.post(&form()).body("{}")),
        ("wrong", now.post(&form()).header("content-type", "text/plain")),
        ("not-covered", now.get(PLACE).body("{}")),
    ] {
        let problem = ask.of(app).await.is_problem(401, "unauthenticated");
        assert_eq!(rule(&problem), expected, "{problem}");
    }
    // None of them has used the signature up.
    Request { nonce: "2", ..now }.post(&form()).of(app).await.is(201);
    let applicant = &harness.applicant(PHONE);
    Ask::get(PLACE).with(applicant).of(app).await.is_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn a_signature_is_accepted_once_and_a_repeated_key_gets_the_same_answer() {
    let (harness, key) = start(&[]);
    let app = &harness.app().await;
    let request = Request::now(&harness, &key, "1");
    let first = request.post(&form()).header("idempotency-key", "a").of(app).await.is(201);
    let problem = request.post(&form()).header("idempotency-key", "a").of(app).await;
    assert_eq!(rule(&problem.is_problem(401, "unauthenticated")), "used");
    let anew = Request { nonce: "2", ..request }.post(&form()).header("idempotency-key", "a").of(app).await;
    assert_eq!(anew.headers.get("idempotency-replayed").unwrap(), "true");
    assert_eq!(anew.is(201)["id"], first["id"]);
    // The name of a partner is no token.
    let forged =
        Ask::post(PLACE, &form()).header("idempotency-key", "a").header("authorization", "partner:portal");
    forged.of(app).await.is_problem(401, "unauthenticated");

    let later = harness.context.now().plus(std::time::Duration::from_secs(601));
    assert_eq!(harness.write(|connection| seen_signatures::sweep(connection, harness.context.now())), 0);
    assert_eq!(harness.write(|connection| seen_signatures::sweep(connection, later)), 2);
}

#[actix_web::test]
async fn a_partner_sees_only_its_own_applications() {
    let keys = Keys::new();
    let (other_key, file) = keys.make("o1");
    let other = [("partners.other.channel", "my.gov.uz"), ("partners.other.keys.o1", file.as_str())];
    let (harness, key) = start(&other);
    let app = &harness.app().await;
    let view = Request::now(&harness, &key, "1").post(&form()).of(app).await.is(201);
    let theirs = Request { key_id: "o1", ..Request::now(&harness, &other_key, "1") };
    let one = format!("{PLACE}/{}", view["id"].as_str().unwrap());
    theirs.get(&one).of(app).await.is_problem(404, "not-found");
    theirs.get(&format!("{one}/invoice")).of(app).await.is_problem(404, "not-found");
    assert_eq!(theirs.get(PLACE).of(app).await.is(200)["items"], json!([]));
}

#[actix_web::test]
async fn the_quota_of_a_day_ends_at_midnight_in_tashkent() {
    let (mut harness, key) = start(&[("partners.portal.daily_quota", "1")]);
    let wait = {
        let app = &harness.app().await;
        Request::now(&harness, &key, "1").post(&form()).of(app).await.is(201);
        let refused = Request::now(&harness, &key, "2").post(&form()).of(app).await;
        assert_eq!(rule(&refused.is_problem(429, "too-many-requests")), "daily-quota");
        let wait: i64 = refused.headers.get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
        assert!((1..=24 * 3600 + 1).contains(&wait), "{wait}");
        let entries = harness.write(|connection| audit::page(connection, 0, 50)).items;
        let used = entries.iter().filter(|(_, entry)| entry.action == "partner.quota-used").count();
        assert_eq!(used, 1);
        wait
    };
    harness.travel(wait);
    let app = &harness.app().await;
    Request::now(&harness, &key, "3").post(&form()).of(app).await.is(201);
}

#[actix_web::test]
async fn a_partner_that_asks_too_often_waits() {
    let (harness, key) = start(&[("partners.portal.per_minute", "1")]);
    let app = &harness.app().await;
    Request::now(&harness, &key, "1").get(PLACE).of(app).await.is(200);
    let refused = Request::now(&harness, &key, "2").get(PLACE).of(app).await;
    assert_eq!(rule(&refused.is_problem(429, "too-many-requests")), "per-minute");
    assert!(refused.headers.contains_key("retry-after"));
}

#[actix_web::test]
async fn a_partner_states_a_phone_and_no_channel_but_its_own() {
    let (harness, key) = start(&[]);
    let app = &harness.app().await;
    let with = |field: &str, value: Value| {
        let mut form = form();
        form[field] = value;
        form
    };
    let problem = Request::now(&harness, &key, "1").post(&natural_person()).of(app).await;
    assert_eq!(problem.is_problem(422, "invalid-fields")["errors"][0]["pointer"], "/phone");
    let online = Request::now(&harness, &key, "2").post(&with("channel", json!("online")));
    online.of(app).await.is_problem(403, "channel-not-authenticated");
    Request::now(&harness, &key, "3").post(&with("channel", json!("my.gov.uz"))).of(app).await.is(201);
    let benefit = Request::now(&harness, &key, "4").post(&with("benefit", json!("pupils"))).of(app).await;
    assert_eq!(rule(&benefit.is_problem(422, "invalid-fields")), "benefit-unknown");
}

#[actix_web::test]
async fn a_checked_benefit_makes_the_invoice_free() {
    let keys = Keys::new();
    let fees = keys.folder.path().join("fees.toml");
    let benefit = "[[benefits]]\nname = \"pupils\"\ntitles = { en = \"pupils of lyceums\" }\n\
                   districts = [1703202]\nfrom = \"2025-08-01\"\nbasis_points = 10000\nsource = \"a test\"\n";
    std::fs::write(&fees, [include_str!("../../../config/fees.toml"), benefit].concat()).unwrap();
    let (harness, key) = start(&[("data.fees_file", fees.to_str().unwrap())]);
    let app = &harness.app().await;
    let mut form = form();
    form["benefit"] = json!("pupils");
    let view =
        Request::now(&harness, &key, "1").post(&form).header("accept-language", "en").of(app).await.is(201);
    let invoice = &view["invoice"];
    assert_eq!((&invoice["state"], &invoice["amount_tiyin"]), (&json!("paid"), &json!(0)));
    assert_eq!((&invoice["benefit"], &invoice["discount_percent"]), (&json!("pupils"), &json!(100)));
    assert!(
        invoice["rule_text"].as_str().unwrap().starts_with("Free of charge by a benefit: pupils of lyceums.")
    );
    assert_eq!(invoice["pay_links"], json!([]));
    assert!(!view["missing"].as_array().unwrap().contains(&json!("payment")), "{view}");

    let applicant = &harness.applicant(PHONE);
    let mut own = natural_person();
    own["benefit"] = json!("pupils");
    let refused = Ask::post("/api/v1/applications", &own).with(applicant).of(app).await;
    assert_eq!(refused.is_problem(422, "invalid-fields")["errors"][0]["pointer"], "/benefit");

    let registrar = &harness.officer("registrar", ca_core::application::Role::Registrar);
    form["district"] = json!("1703203");
    let elsewhere = Ask::post("/api/v1/officer/applications", &form).with(registrar).of(app).await;
    assert_eq!(rule(&elsewhere.is_problem(422, "invalid-fields")), "benefit-not-covered");
    form["district"] = json!("1703202");
    let at_the_counter =
        Ask::post("/api/v1/officer/applications", &form).with(registrar).of(app).await.is(201);
    assert_eq!(
        (&at_the_counter["benefit"], &at_the_counter["invoice"]["state"]),
        (&json!("pupils"), &json!("paid"))
    );
}

#[test]
fn a_key_that_cannot_be_used_is_named_at_the_start() {
    let keys = Keys::new();
    let load = |name: &str, content: &[u8]| {
        let file = keys.folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        super::public_key(&file)
    };
    let ed25519 = PKey::generate_ed25519().unwrap();
    let raw = load("good", &ed25519.public_key_to_pem().unwrap()).unwrap();
    assert_eq!(raw.as_slice(), ed25519.raw_public_key().unwrap());
    let x25519 = PKey::generate_x25519().unwrap();
    for unusable in [
        ed25519.private_key_to_pem_pkcs8().unwrap(),
        x25519.public_key_to_pem().unwrap(),
        b"key".to_vec(),
        vec![],
    ] {
        assert!(load("bad", &unusable).unwrap_err().contains("an Ed25519 PUBLIC KEY is expected"));
    }
    assert!(super::public_key(Path::new("/nowhere/key.pem")).is_err());
}
