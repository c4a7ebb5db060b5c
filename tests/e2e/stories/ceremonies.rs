//! Keys come and go: a successor for the issuing CA, a root on a machine without a network, the end of a key.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::applicant::{Application, SubjectType};
use crate::auditor;
use crate::command::{Said, run};
use crate::key::text;
use crate::officer::{Officer, key_of, sign_with};
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, Role, Stack, eventually, fresh_folder};

on_both_databases!(
    a_successor_issues_and_the_one_before_goes_on_to_revoke,
    the_root_is_on_a_machine_without_a_network,
    a_key_is_destroyed_when_its_last_certificate_has_ended,
    certificates_of_a_lost_key_are_answered_for,
    any_two_of_three_open_the_keys_and_one_does_not,
    another_officer_ca_takes_the_place_of_the_first,
);

const DAY: i64 = 86_400;

/// Who is at a ceremony.
const PEOPLE: [&str; 4] = ["--present", "Aziza Karimova, operator", "--present", "Bekzod Rahimov, auditor"];

fn hold(stack: &Stack, arguments: &[&str]) -> Said {
    stack.muhr(&[arguments, &PEOPLE].concat())
}

/// The transcript that a ceremony says it wrote, after OpenSSL has verified it and the log has been found to tell of it.
fn transcript(stack: &Stack, said: &Said) -> String {
    let place = said.out.lines().find_map(|line| line.strip_prefix("transcript")).expect("its place");
    let place = place.trim_start_matches(" of what was done").trim_start_matches(": ");
    let place = PathBuf::from(place.split(", signed").next().expect("the path"));
    let (signature, key) = (text(&place.with_extension("sig")), text(&stack.folder.join("keys/audit.pem")));
    let arguments = ["dgst", "-sha256", "-verify", &key, "-signature", &signature, &text(&place)];
    assert!(run("openssl", arguments).well().out.contains("Verified OK"));
    let hash = run("openssl", ["dgst", "-sha256", "-r", &text(&place)]).well().out;
    let hash = hash.split_whitespace().next().expect("a hash");
    let told = format!(
        "SELECT count(*) FROM audit_entries WHERE action = 'ceremony.transcript' AND details LIKE '%{hash}%'"
    );
    assert_eq!(stack.rows(&told), ["1"]);
    let content = fs::read_to_string(&place).expect("written");
    assert!(
        content.contains("present: Aziza Karimova, operator\npresent: Bekzod Rahimov, auditor\n"),
        "{content}"
    );
    content
}

/// The issuer's common name in a certificate, by OpenSSL.
fn issuer(relying_party: &RelyingParty) -> String {
    let leaf = relying_party.file("leaf.pem");
    let said = run("openssl", ["x509", "-in", &leaf, "-noout", "-issuer", "-nameopt", "multiline"]).well();
    let line = said.out.lines().find_map(|line| line.trim().strip_prefix("commonName")).expect("a name");
    line.trim_start_matches([' ', '=']).to_owned()
}

fn a_successor_issues_and_the_one_before_goes_on_to_revoke(database: Database) {
    let stack = database.start_roles();
    let before = Application::issued(&stack, SubjectType::NaturalPerson);
    let first = RelyingParty::receiving(&stack, &before.certificate());
    // Approved under the first CA, signed by its successor: the approval is of the holder, not of the CA.
    stack.terminate(Role::Signer);
    let between = Application::under_review(&stack, SubjectType::NaturalPerson);
    Officer::reviewer(&stack).approve(&between.id).is(200);

    // What is no key is not taken for one, and stays as it is.
    let stray = stack.folder.join("keys/ca-2.key");
    fs::write(&stray, "half a key").expect("our folder");
    hold(&stack, &["ca", "rekey"]).refused_with("ca-2.key");
    assert_eq!(fs::read_to_string(&stray).expect("untouched"), "half a key");
    fs::remove_file(&stray).expect("our folder");
    // One that breaks off tells how far it came, and the next goes on with the key that it has made.
    let said = hold(&stack, &["ca", "rekey", "--issuing-name", "Muhr Issuing CA"]);
    let said = said.refused_with("is the name of another key");
    let broken = transcript(&stack, &said);
    assert!(broken.contains("\nkey-generated: ca-2, P-256, spki-sha256 "), "{broken}");
    assert!(broken.contains("\nfailed: `Muhr Issuing CA` is the name of another key"), "{broken}");
    let made = fs::read(&stray).expect("a key");
    let said = hold(&stack, &["ca", "rekey"]).well();
    let told = transcript(&stack, &said);
    assert_eq!(fs::read(&stray).expect("a key"), made);
    assert!(!told.contains("key-generated") && !told.contains("failed"), "{told}");
    assert!(told.contains("\ncertificate-asked-for: ca-2, P-256, spki-sha256 "), "{told}");
    assert!(told.contains("CN=Muhr Issuing CA 2"), "{told}");
    assert!(said.out.contains("issues no more since"), "{}", said.out);
    for role in [Role::Ocsp, Role::Signer] {
        if role == Role::Ocsp {
            stack.terminate(role);
        }
        stack.run(role);
    }
    between.wait_until("issued");
    let second = RelyingParty::receiving(&stack, &between.certificate());
    assert_eq!(
        [issuer(&first), issuer(&second)],
        ["Muhr Issuing CA".to_owned(), "Muhr Issuing CA 2".to_owned()]
    );
    second.openssl_verify().well();

    let officer = Officer::revocation(&stack);
    for (application, relying_party) in [(&before, &first), (&between, &second)] {
        assert_eq!(relying_party.status(), "good");
        officer.revoke(&application.serial(), "superseded").is(200);
        eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
        let reason = eventually("its CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
        assert_eq!(reason, "Superseded");
    }
    assert_ne!(first.crl, second.crl);

    // Anybody is told of all of them, by the fingerprints that OpenSSL has, and where their files are.
    let told = stack.anybody().get("/api/v1/authorities").is(200).json();
    let told = told["items"].as_array().expect("a list");
    let ids: Vec<&str> = told.iter().filter_map(|authority| authority["id"].as_str()).collect();
    assert_eq!(ids, ["root", "ca", "ca-2"]);
    for authority in told {
        let id = authority["id"].as_str().expect("a name");
        let file = stack.folder.join(format!("keys/{id}.cer"));
        let fingerprint = openssl_sha256(&file).replace(':', "").to_lowercase();
        assert_eq!(authority["sha256"], fingerprint, "{authority}");
        assert_eq!(authority["retired_at"].is_string(), id == "ca", "{authority}");
        let url = authority["certificate_url"].as_str().expect("an address");
        assert!(url.ends_with(&format!("/repository/{id}.cer")), "{url}");
    }

    // The same key and name for another term: whoever fetches the issuer anew gets that one.
    let said = hold(&stack, &["ca", "renew"]).well();
    assert!(transcript(&stack, &said).contains("\ncertificate-asked-for: ca-2, P-256, "), "{}", said.out);
    let rows =
        stack.rows("SELECT count(*) FROM certificates WHERE profile = 'issuing_ca' AND issuer_id = 'root'");
    assert_eq!(rows, ["3"]);
    let after = Application::issued(&stack, SubjectType::SoleProprietor);
    let third = RelyingParty::receiving(&stack, &after.certificate());
    third.openssl_verify_with_crl().well();
    auditor::finds_nothing(&stack);
}

/// Of a certificate, by OpenSSL.
fn serial_of(certificate: &[&str]) -> String {
    let said = run("openssl", [&["x509", "-noout", "-serial"], certificate].concat()).well().out;
    said.trim().trim_start_matches("serial=").to_lowercase()
}

/// Of the key in a certification request, by OpenSSL.
fn spki_sha256(request: &Path) -> String {
    let [pem, der] = ["pub.pem", "pub.der"].map(|extension| text(&request.with_extension(extension)));
    run("openssl", ["req", "-in", &text(request), "-noout", "-pubkey", "-out", &pem]).well();
    run("openssl", ["pkey", "-pubin", "-in", &pem, "-outform", "DER", "-out", &der]).well();
    let said = run("openssl", ["dgst", "-sha256", "-r", &der]).well().out;
    said.split_whitespace().next().expect("a hash").to_owned()
}

/// An installation of which nothing runs yet.
fn prepared(database: Database, settings: &[(&str, &str)]) -> Stack {
    let stack = Stack::prepare(fresh_folder(), database.address(), settings);
    fs::create_dir_all(stack.folder.join("keys")).expect("our folder");
    fs::write(stack.folder.join("keys/passphrase"), "only a test\n").expect("our folder");
    stack.muhr(&["migrate"]).well();
    stack
}

/// Who signed under the one before is heard no more; what they signed stays true for those who have its certificate.
fn another_officer_ca_takes_the_place_of_the_first(database: Database) {
    let stack = database.start();
    Application::issued(&stack, SubjectType::NaturalPerson);
    let before = stack.folder.join("reviewer-before.pem");
    fs::copy(key_of(&stack, "reviewer"), &before).expect("the sandbox's");
    assert!(stack.terminate(Role::All).success());
    for name in ["officer-ca.key", "officer-ca.cer"] {
        fs::rename(stack.folder.join("keys").join(name), stack.folder.join(name)).expect("our folder");
    }
    stack.muhr(&["officer", "init-ca"]).well();
    stack.run(Role::All);

    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let reviewer = Officer::reviewer(&stack);
    let path = format!("/api/v1/officer/applications/{}/approval", application.id);
    let statement = reviewer.client.get(&format!("{path}-statement")).is(200);
    let signature = sign_with(&before, &statement.body);
    reviewer.client.post(&path, &json!({ "signature": signature })).problem(403, "officer-not-certified");
    reviewer.approve(&application.id).json();
    application.wait_until("issued");
    stack.muhr(&["audit", "seal"]).well();
    let first = text(&stack.folder.join("officer-ca.cer"));
    stack.muhr(&["audit", "verify"]).refused_with("is signed by that officer's certificate");
    stack.muhr(&["audit", "verify", "--officer-ca", &first]).well();
}

fn openssl_sha256(certificate: &Path) -> String {
    let arguments =
        ["x509", "-inform", "DER", "-in", &text(certificate), "-noout", "-fingerprint", "-sha256"];
    let said = run("openssl", arguments).well().out;
    said.trim().split('=').nth(1).expect("a fingerprint").to_owned()
}

fn the_root_is_on_a_machine_without_a_network(database: Database) {
    let stick = fresh_folder();
    let at = |name: &str| text(&stick.join(name));
    let online = prepared(database, &[]);
    // The addresses in what the root certifies are those of the other machine.
    let repository = format!("{}/repository", online.base);
    let ocsp = format!("{}/ocsp", online.base);
    let mut offline = prepared(
        Database::Sqlite,
        &[("ISSUANCE__REPOSITORY_URL", &repository), ("ISSUANCE__OCSP_URL", &ocsp)],
    );
    let init_root = ["ca", "init-root", "--organization", "Muhr", "--out", &at("root")];
    offline.set("ENVIRONMENT", "production");
    offline.muhr(&["ca", "list"]).refused_with("keys.scrypt_passes");
    offline.set("KEYS__SCRYPT_PASSES", "5");
    let aziza_twice = ["--present", "Aziza Karimova, operator", "--present", "aziza karimova , auditor"];
    for too_few in [&init_root[..], &[&init_root[..], &aziza_twice].concat()] {
        offline.muhr(too_few).refused_with("a ceremony takes two people at least");
    }
    let said = hold(&offline, &init_root).well();
    let fingerprint = openssl_sha256(&stick.join("root/root.cer"));
    let told = transcript(&offline, &said);
    assert!(told.contains(&fingerprint.replace(':', "").to_lowercase()), "{told}");

    let asked = at("asked");
    let request = ["ca", "request", "--out", &asked];
    hold(&online, &request).well();
    // Of each request, what the people at the root have on paper.
    let vouched = |name: &str| {
        let path = stick.join(name);
        format!("{}={}", path.file_stem().expect("a name").display(), spki_sha256(&path))
    };
    let certify = |from: &str, issuing_name: &str, vouched: &[String], out: &str| {
        let mut arguments =
            vec!["ca", "certify", "--from", from, "--issuing-name", issuing_name, "--out", out];
        arguments.extend(vouched.iter().flat_map(|hash| ["--spki-sha256", hash.as_str()]));
        hold(&offline, &arguments)
    };
    let signed = || offline.rows("SELECT count(*) FROM certificates");
    let before = signed();
    let both = [vouched("asked/ca.csr"), vouched("asked/ocsp.csr")];
    let [answered, elsewhere] = [at("answered"), at("elsewhere")];
    certify(&asked, "Muhr Issuing CA", &both[..1], &answered).refused_with("nobody has vouched for its key");
    let stranger = [&both[..], &[format!("ca-2={}", "00".repeat(32))]].concat();
    certify(&asked, "Muhr Issuing CA", &stranger, &answered).refused_with("there is no request ca-2.csr");
    certify(&asked, "Muhr Root CA", &both, &answered).refused_with("is the name of another key");
    // On the way somebody exchanges the names: the responder would be a CA.
    fs::create_dir(stick.join("exchanged")).expect("our folder");
    for (from, to) in [("ca.csr", "ocsp.csr"), ("ocsp.csr", "ca.csr")] {
        fs::copy(stick.join("asked").join(from), stick.join("exchanged").join(to)).expect("our folder");
    }
    certify(&at("exchanged"), "Muhr Issuing CA", &both, &elsewhere)
        .refused_with("nobody has vouched for its key");
    certify(&asked, "Muhr Issuing CA", &both, &asked).refused_with("choose an empty folder");
    fs::create_dir(stick.join("twice")).expect("our folder");
    for name in ["ca.csr", "ca-2.csr"] {
        fs::copy(stick.join("asked/ca.csr"), stick.join("twice").join(name)).expect("our folder");
    }
    let again = both[0].replacen("ca=", "ca-2=", 1);
    let twice = [both[0].clone(), again.clone()];
    certify(&at("twice"), "Muhr Issuing CA", &twice, &elsewhere).refused_with("two requests are for one key");
    fs::copy(stick.join("asked/ocsp.csr"), stick.join("twice/ca-2.csr")).expect("our folder");
    let two = [both[0].clone(), both[1].replacen("ocsp=", "ca-2=", 1)];
    certify(&at("twice"), "Muhr Issuing CA", &two, &elsewhere).refused_with("one issuing CA at a time");
    fs::remove_file(stick.join("twice/ca-2.csr")).expect("our folder");
    fs::rename(stick.join("twice/ca.csr"), stick.join("twice/root.csr")).expect("our folder");
    let root = [both[0].replacen("ca=", "root=", 1)];
    certify(&at("twice"), "Muhr Issuing CA", &root, &elsewhere).refused_with("no name of an issuing CA");
    assert_eq!(signed(), before);
    transcript(&offline, &certify(&asked, "Muhr Issuing CA", &both, &answered).well());
    // A key that is one thing does not become another.
    fs::remove_file(stick.join("twice/root.csr")).expect("our folder");
    fs::copy(stick.join("asked/ocsp.csr"), stick.join("twice/ca-2.csr")).expect("our folder");
    certify(&at("twice"), "Muhr Issuing CA 2", &two[1..], &elsewhere).refused_with("which is something else");
    let alone = ["ca", "renew-ocsp", "--issuer", "root", "--csr", &at("asked/ocsp.csr")];
    offline.muhr(&alone).refused_with("in a ceremony");
    // What the root has signed for somebody else is no responder of ours.
    let responder = stick.join("answered/ocsp-root.cer");
    let kept = fs::read(&responder).expect("the root's answer");
    fs::copy(stick.join("answered/ca.cer"), &responder).expect("our folder");
    let install = ["ca", "install", "--from", &at("answered")];
    let said = hold(&online, &install).refused_with("nobody has vouched for this root");
    assert!(said.all().contains(&fingerprint.replace(':', "").to_lowercase()), "{}", said.all());
    let wrong = "00".repeat(32);
    hold(&online, &[&install[..], &["--root-sha256", &wrong]].concat()).refused_with("is not the one");
    let trusted = [&install[..], &["--root-sha256", &fingerprint]].concat();
    let nothing =
        ["SELECT count(*) FROM issuers", "SELECT count(*) FROM certificates", "SELECT count(*) FROM crls"];
    hold(&online, &trusted).refused_with("ocsp-root.cer");
    assert_eq!(nothing.map(|rows| online.rows(rows)), [["0"]; 3]);
    fs::write(&responder, kept).expect("our folder");
    // Somebody trusts another root here already: that is for people to find out about.
    let present = online.folder.join("keys/root.cer");
    fs::write(&present, b"the root of another installation").expect("our folder");
    hold(&online, &trusted).refused_with("no ceremony writes over it");
    assert_eq!(nothing.map(|rows| online.rows(rows)), [["0"]; 3]);
    assert_eq!(fs::read(&present).expect("our folder"), b"the root of another installation");
    fs::remove_file(&present).expect("our folder");
    let said = hold(&online, &trusted).well();
    assert!(transcript(&online, &said).contains("\nroot-trusted: CN=Muhr Root CA"), "{}", said.out);
    assert!(hold(&online, &install).well().out.contains("everything of it was here already"));
    assert!(!online.folder.join("keys/root.key").exists());

    online.run(Role::All);
    let application = Application::issued(&online, SubjectType::NaturalPerson);
    let first = RelyingParty::receiving(&online, &application.certificate());
    first.openssl_verify().well();
    assert_eq!(openssl_sha256(&PathBuf::from(first.file("root.der"))), fingerprint);

    // The successor comes the same way, and the root ends the first CA.
    let [asked, answered] = [at("asked again"), at("answered again")];
    hold(&online, &["ca", "request", "--out", &asked]).well();
    let both = [vouched("asked again/ca-2.csr"), vouched("asked again/ocsp.csr")];
    certify(&asked, "Muhr Issuing CA", &both, &answered).refused_with("another key has another name");
    certify(&asked, "Muhr Issuing CA (second)", &both, &answered).well();
    // The responder's next certificate came with it, for as long as the root's CRL holds.
    let ends = |name: &str| {
        let file = at(name);
        let arguments = ["x509", "-in", &file, "-inform", "DER", "-noout", "-checkend", "28000000"];
        run("openssl", arguments).success
    };
    assert!(ends("answered again/ocsp-root.cer"));
    hold(&online, &["ca", "install", "--from", &answered]).well();
    online.terminate(Role::All);
    online.run(Role::All);
    let application = Application::issued(&online, SubjectType::NaturalPerson);
    let second = RelyingParty::receiving(&online, &application.certificate());
    assert_eq!(issuer(&second), "Muhr Issuing CA (second)");
    second.openssl_verify().well();

    let serial = serial_of(&["-in", &first.file("issuing.pem")]);
    offline.muhr(&["certificate", "revoke", &serial, "--reason", "cACompromise"]).well();
    let compromised = [vouched("asked/ca.csr"), vouched("asked/ocsp.csr")];
    let asked_first = at("asked");
    let refused = certify(&asked_first, "Muhr Issuing CA", &compromised, &elsewhere);
    refused.refused_with("somebody else may know it");
    // Certified once more for another year, and revoked before that is carried over.
    let [asked, late] = [at("asked late"), at("late")];
    hold(&online, &["ca", "request", "--renew", "--out", &asked]).well();
    let both = [vouched("asked late/ca-2.csr"), vouched("asked late/ocsp.csr")];
    certify(&asked, "Muhr Issuing CA", &both, &late).refused_with("another key has another name");
    certify(&asked, "Muhr Issuing CA (third)", &both, &late).refused_with("keeps that name");
    certify(&asked, "Muhr Issuing CA (second)", &both, &late).well();
    let serial = serial_of(&["-inform", "DER", "-in", &at("late/ca-2.cer")]);
    offline.muhr(&["certificate", "revoke", &serial, "--reason", "superseded"]).well();
    let out = at("revoked");
    hold(&offline, &["ca", "certify", "--out", &out]).well();
    let carried = stick.join("revoked/ca-2.cer");
    fs::copy(stick.join("late/ca-2.cer"), &carried).expect("our folder");
    hold(&online, &["ca", "install", "--from", &out]).refused_with("the root has revoked it");
    fs::remove_file(&carried).expect("our folder");
    hold(&online, &["ca", "install", "--from", &out]).well();
    assert_eq!(
        online.rows("SELECT count(*) FROM jobs WHERE kind = 'sign-crl' AND dedup_key = 'root'"),
        ["0"]
    );
    let status = "SELECT status FROM certificates WHERE profile = 'issuing_ca' ORDER BY id";
    assert_eq!(online.rows(status), ["revoked", "good"]);
    let crl = at("root.pem");
    eventually("the root's CRL lists it", CRL_KNOWS, || {
        let body = online.anybody().get("/repository/root.crl").is(200).body;
        fs::write(stick.join("published.crl"), body).expect("our folder");
        run("openssl", ["crl", "-inform", "DER", "-in", &at("published.crl"), "-out", &crl]).well();
        let listed = run("openssl", ["crl", "-in", &crl, "-noout", "-text"]).well().out;
        listed.contains("CA Compromise").then_some(())
    });
    let files = [first.file("root.pem"), first.file("issuing.pem"), second.file("issuing.pem")];
    let check = |issuing: &str| {
        run(
            "openssl",
            ["verify", "-x509_strict", "-crl_check", "-CRLfile", &crl, "-CAfile", &files[0], issuing],
        )
    };
    assert!(check(&files[1]).all().contains("certificate revoked"));
    check(&files[2]).well();
    offline.muhr(&["audit", "seal"]).well();
    offline.muhr(&["audit", "verify"]).well();
    auditor::finds_nothing(&online);
}

fn a_key_is_destroyed_when_its_last_certificate_has_ended(database: Database) {
    let mut stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let first = RelyingParty::receiving(&stack, &application.certificate());
    let destroy = ["ca", "destroy-key", "ca"];
    hold(&stack, &destroy).refused_with("`ca` has no successor");
    hold(&stack, &["ca", "rekey", "--issuing-name", "Muhr Issuing CA of 2027"]).well();
    hold(&stack, &destroy).refused_with("certificates that hold until");
    // Half a day before the CRL of the root, which nobody signs here, has to be renewed.
    stack.travel(365 * DAY + DAY / 2);
    let said = hold(&stack, &destroy).well();
    assert!(transcript(&stack, &said).contains("\nkey-destroyed: ca, P-256, "), "{}", said.out);
    assert!(!stack.folder.join("keys/ca.key").exists());
    hold(&stack, &destroy).refused_with("there is no CA `ca` with a key");
    let last = eventually("the last CRL is published", Duration::from_secs(20), || {
        let said = run("openssl", ["crl", "-in", &first.fetch_crl(), "-noout", "-nextupdate"]).well().out;
        said.contains("9999").then_some(said)
    });
    assert!(last.contains("Dec 31 23:59:59 9999 GMT"), "{last}");
    // Everything starts without it, and its successor issues.
    stack.terminate(Role::All);
    stack.run(Role::All);
    assert!(stack.muhr(&["ca", "list"]).well().out.contains("key destroyed"));
    stack.muhr(&["crl", "now"]).well();
    let said = stack.muhr(&["crl", "now", "--issuer", "ca"]);
    assert!(!said.success, "{}", said.all());
    stack.muhr(&["audit", "verify"]).well();
}

fn certificates_of_a_lost_key_are_answered_for(database: Database) {
    let mut stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let first = RelyingParty::receiving(&stack, &application.certificate());
    let serial = application.serial();
    let lost = ["ca", "destroy-key", "ca", "--lost"];
    hold(&stack, &lost).refused_with("`ca` has no successor");
    hold(&stack, &["ca", "rekey"]).well();
    hold(&stack, &lost).refused_with("the key of `ca` is here");
    hold(&stack, &["ca", "destroy-key", "root", "--lost"]).refused_with("`root` has no successor");
    fs::remove_file(stack.folder.join("keys/ca.key")).expect("our folder");
    let said = hold(&stack, &lost).well();
    let told = transcript(&stack, &said);
    assert!(told.contains("\nkey-given-up: ca, P-256, ") && !told.contains("failed"), "{told}");
    hold(&stack, &lost).refused_with("there is no CA `ca` with a key");

    stack.terminate(Role::All);
    stack.run(Role::All);
    let after = Application::issued(&stack, SubjectType::NaturalPerson);
    let second = RelyingParty::receiving(&stack, &after.certificate());
    assert_eq!((issuer(&second).as_str(), second.status().as_str()), ("Muhr Issuing CA 2", "good"));

    // Two days later its CRL has ended. Nothing else suffers, and OCSP tells what happens to what it has issued.
    stack.travel(2 * DAY);
    let status = |holder: &RelyingParty| {
        // OpenSSL's clock is two days behind.
        let said = holder.openssl_ocsp_with(&["-validity_period", "259200"]).well();
        assert!(said.err.contains("Response verify OK"), "{}", said.all());
        let told = said.out.lines().find_map(|line| line.split_once("leaf.pem: "));
        told.map(|(_, status)| status.trim().to_owned()).unwrap_or_default()
    };
    assert_eq!(status(&first), "good");
    stack.muhr(&["certificate", "revoke", &serial, "--reason", "superseded"]).well();
    eventually("OCSP tells the revocation", Duration::from_secs(20), || {
        (status(&first) == "revoked").then_some(())
    });
    let metrics = stack.metrics(Role::All);
    assert!(metrics.contains("crl_next_update_seconds{crl=\"ca-2.crl\"}"), "{metrics}");
    assert!(!metrics.contains("crl_next_update_seconds{crl=\"ca.crl\"}"), "nobody is alarmed about it");
    eventually("nobody waits for its CRL", Duration::from_secs(20), || {
        let waiting = stack.rows("SELECT dedup_key FROM jobs WHERE kind = 'sign-crl' AND dedup_key = 'ca'");
        waiting.is_empty().then_some(())
    });
    assert_eq!(status(&second), "good");
    stack.muhr(&["audit", "verify"]).well();
}

fn any_two_of_three_open_the_keys_and_one_does_not(database: Database) {
    let mut stack = database.start();
    stack.terminate(Role::All);
    let key = text(&stack.folder.join("keys/ca.key"));
    let opens = |passphrase: &str| {
        run("openssl", ["pkey", "-in", &key, "-passin", &format!("pass:{passphrase}"), "-noout"]).success
    };
    let before = fs::read_to_string(stack.folder.join("keys/passphrase")).expect("`muhr up` made it");
    assert!(opens(before.trim()));
    let shares = text(&fresh_folder());
    let split = |needed: &str, count: &str| {
        hold(&stack, &["ca", "split", "--needed", needed, "--shares", count, "--out", &shares])
    };
    split("1", "3").refused_with("two shares at least");
    split("4", "3").refused_with("no more than are made");
    let said = split("2", "3").well();
    let told = transcript(&stack, &said);
    assert!(
        told.contains("\npassphrase-split: 2 of 3, for root.key officer-ca.key audit.key ocsp.key ca.key\n"),
        "{told}"
    );
    assert!(!opens(before.trim()));
    fs::remove_file(stack.folder.join("keys/passphrase")).expect("it is worth nothing now");
    let share = |number: u32| format!("{shares}/share-{number}.txt");
    for number in 1..=3 {
        let text = fs::read_to_string(share(number)).expect("written");
        assert!(!told.contains(text.trim()) && !said.all().contains(text.trim()));
    }

    stack.set("KEYS__IN_SHARES", "true");
    stack.set("KEYS__SHARE_FILES", &share(2));
    // Nobody sits at a terminal, so that the second is missing.
    let said = stack.muhr(&["crl", "now"]);
    assert!(!said.success && said.err.contains("asked for on the terminal"), "{}", said.all());
    stack.set("KEYS__SHARE_FILES", &[share(2), share(2)].join(","));
    stack.muhr(&["crl", "now"]).refused_with("has been given already");
    for pair in [[2, 1], [3, 2], [1, 3]] {
        stack.set("KEYS__SHARE_FILES", &pair.map(share).join(","));
        stack.muhr(&["crl", "now"]).well();
    }
    stack.run(Role::All);
    Application::issued(&stack, SubjectType::NaturalPerson);
    stack.muhr(&["audit", "seal"]).well();
    stack.muhr(&["audit", "verify"]).well();
}
