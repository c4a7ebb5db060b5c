//! The key tool: `muhr key …`, and what other people's software says of its files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::applicant::{Application, SubjectType};
use crate::auditor;
use crate::command::{Said, find, finish, run};
use crate::disk::SmallDisk;
use crate::key_owner::{KeyOwner, PASSWORD};
use crate::officer::Officer;
use crate::postgres::is_root;
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS};
use crate::stack::{Database, eventually};

on_both_databases!(
    a_person_applies_from_the_terminal_and_saves_the_key,
    an_organization_applies_from_the_terminal_and_saves_the_key,
    an_application_goes_on_where_it_stopped,
    a_returned_application_is_mended_and_its_key_overwrites_no_other,
    signatures_are_verified_both_ways_with_openssl_until_the_certificate_is_revoked,
    an_officer_decides_with_a_key_of_the_key_tool,
);

fn a_person_applies_from_the_terminal_and_saves_the_key(database: Database) {
    let stack = database.shared();
    let (owner, file) = KeyOwner::issued(&stack, SubjectType::NaturalPerson);
    let name = format!("DS{}0001.pfx", owner.person.pinfl);
    assert_eq!(Path::new(&file), owner.drive.join("DSKEYS").join(name));
    let left: Vec<_> = fs::read_dir(owner.drive.join("DSKEYS")).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 1, "nothing temporary is left: {left:?}");
    everybody_opens(&owner, &file);
}

fn an_organization_applies_from_the_terminal_and_saves_the_key(database: Database) {
    let stack = database.shared();
    let (owner, file) = KeyOwner::issued(&stack, SubjectType::LegalEntity);
    assert!(file.ends_with(&format!("DS{}0001.pfx", owner.person.organization_stir)), "{file}");
    everybody_opens(&owner, &file);

    let drive = owner.drive.display().to_string();
    let listed: Value =
        serde_json::from_str(&owner.key(&["list", "--drive", &drive, "--json"]).well().out).expect("JSON");
    let entry = &listed["items"][0];
    assert_eq!(entry["stir"], owner.person.organization_stir.as_str(), "{listed}");
    assert_eq!(entry["pinfl"], owner.person.pinfl.as_str(), "{listed}");
    assert_eq!((&entry["expired"], &entry["temporary"]), (&Value::Bool(false), &Value::Bool(false)));
}

/// OpenSSL, Java, GnuTLS and NSS open the file; Java lists the alias without any password, and it is spelled as deployed
/// clients want it.
fn everybody_opens(owner: &KeyOwner, file: &str) {
    let password = format!("pass:{PASSWORD}");
    let opened = run("openssl", ["pkcs12", "-in", file, "-passin", &password, "-nodes", "-info"]).well();
    let openssl = "Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256";
    assert!(opened.all().contains(openssl), "{}", opened.all());
    assert_eq!(opened.out.matches("BEGIN CERTIFICATE").count(), 3, "leaf, CA and root");

    let java =
        run("keytool", ["-list", "-v", "-keystore", file, "-storetype", "PKCS12", "-storepass", PASSWORD]);
    assert!(java.well().out.contains("Certificate chain length: 3"));
    let gnutls = run("certtool", ["--p12-info", "--inder", "--infile", file, "--password", PASSWORD]).well();
    assert!(gnutls.all().contains("Schema: PBES2-AES256-CBC"), "{}", gnutls.all());
    let nss = run("pk12util", ["-l", file, "-w", &owner.file("password")]).well();
    assert!(nss.out.contains("Certificate(has private key)"), "{}", nss.all());

    let alias = alias_without_password(file);
    let pinfl = format!(",1.2.860.3.16.1.2={},", owner.person.pinfl);
    assert!(alias.starts_with("cn=") && alias.contains(&pinfl), "{alias}");
    assert!(alias.contains(",c=uz,") && alias.contains(",serialnumber="), "{alias}");
    assert_eq!(alias, alias.to_lowercase());
    let (_, validity) = alias.split_once(",validfrom=").expect("validfrom");
    let (from, until) = validity.split_once(",validto=").expect("validto");
    let digits = |time: &str| time.replace(|c: char| c.is_ascii_digit(), "9");
    assert_eq!([digits(from), digits(until)], ["9999.99.99 99:99:99"; 2].map(str::to_owned));
}

/// Java's own reader, which gets no password and therefore checks no MAC.
fn alias_without_password(file: &str) -> String {
    let mut keytool = std::process::Command::new(find("keytool"));
    let said = finish(
        keytool.args(["-J-Dfile.encoding=UTF-8", "-J-Dsun.stdout.encoding=UTF-8"]).args([
            "-list",
            "-v",
            "-keystore",
            file,
            "-storetype",
            "PKCS12",
        ]),
        b"\n",
    );
    let line = said.out.lines().find_map(|line| line.strip_prefix("Alias name: "));
    line.unwrap_or_else(|| panic!("no alias in {}", said.all())).to_owned()
}

fn an_application_goes_on_where_it_stopped(database: Database) {
    let stack = database.shared();
    let owner = KeyOwner::new();
    let drive = owner.drive.display().to_string();
    let answers = owner.answers(SubjectType::NaturalPerson, &["selfie"]);
    let begun = owner.key_with_password(&[
        "apply",
        "--server",
        &stack.base,
        "--drive",
        &drive,
        "--answers",
        &answers,
    ]);
    assert_eq!(begun.code, Some(1), "{}", begun.all());
    assert!(begun.err.contains("selfie") && begun.err.contains("muhr key apply --key"), "{}", begun.all());
    let key = begun.out.trim().to_owned();
    let id = owner.application(&key);

    let early = owner.key_with_password(&["fetch", &key]);
    assert_eq!(early.code, Some(8), "{}", early.all());

    owner.put("selfie.jpg", "not a picture at all");
    let answers = owner.answers(SubjectType::NaturalPerson, &[]);
    let arguments = ["apply", "--key", &key, "--answers", &answers];
    let wrong = owner.key_with_password(&arguments);
    assert_eq!(wrong.code, Some(4), "{}", wrong.all());
    owner.put("selfie.jpg", crate::picture::selfie());
    owner.key_with_password(&arguments).well();
    assert_eq!(owner.application(&key), id, "it is the same application");
    let case = Officer::reviewer(&stack).client.get(&format!("/api/v1/officer/applications/{id}")).json();
    assert_eq!(case["state"], "under_review", "{case}");
    // Once more: nothing is left to do, and nothing goes wrong.
    owner.key_with_password(&arguments).well();
}

fn a_returned_application_is_mended_and_its_key_overwrites_no_other(database: Database) {
    let stack = database.shared();
    let owner = KeyOwner::new();
    let key = owner.apply(&stack, SubjectType::SoleProprietor);
    let id = owner.application(&key);
    let reviewer = Officer::reviewer(&stack);
    reviewer.hand_back(&id, "photo-unclear", "Yuz koʻrinmayapti").json();
    owner.put("photo.png", crate::picture::png());
    let answers = owner.answers(SubjectType::SoleProprietor, &[]);
    let said = owner.key_with_password(&["apply", "--key", &key, "--answers", &answers]).well();
    assert!(said.err.contains("Yuz koʻrinmayapti"), "the applicant reads why: {}", said.all());
    reviewer.approve(&id).json();
    let taken = Path::new(&key).with_file_name(format!("DS{}0001.pfx", owner.person.stir));
    fs::write(&taken, "somebody's key").expect("our folder");
    let fetched = eventually("the key is fetched", std::time::Duration::from_secs(20), || {
        let said = owner.key_with_password(&["fetch", &key]);
        said.success.then_some(said)
    });
    assert!(fetched.out.contains(&format!("DS{}0002.pfx", owner.person.stir)), "{}", fetched.all());
    assert_eq!(fs::read(&taken).expect("it is there"), b"somebody's key", "nothing is ever overwritten");
}

fn signatures_are_verified_both_ways_with_openssl_until_the_certificate_is_revoked(database: Database) {
    let stack = database.shared();
    let (owner, key) = KeyOwner::issued(&stack, SubjectType::LegalEntity);
    let document = owner.put("document", "Shartnoma № 1\r\nмуҳр\n");
    let [root, ca, leaf] = ["root.pem", "ca.pem", "leaf.pem"].map(|name| owner.file(name));
    for (issuer, file) in [("root", &root), ("ca", &ca)] {
        let der = stack.anybody().get(&format!("/repository/{issuer}.cer")).is(200).body;
        owner.put("der", der);
        run("openssl", ["x509", "-inform", "DER", "-in", &owner.file("der"), "-out", file]).well();
    }
    owner.key_with_password(&["export", &key, "--part", "certificate", "--out", &leaf]).well();

    // Ours, judged by OpenSSL: path, signature and signingCertificateV2 (-cades).
    let signed = owner.file("detached.p7s");
    owner.key_with_password(&["sign", &key, "--in", &document, "--out", &signed]).well();
    let verify = ["cms", "-verify", "-cades", "-binary", "-purpose", "any", "-CAfile", &root];
    let detached = ["-inform", "PEM", "-in", &signed, "-content", &document];
    run("openssl", verify.iter().chain(&detached).copied()).well();
    let attached = owner.file("attached.p7m");
    let der = ["sign", &key, "--in", &document, "--attached", "--form", "der", "--out", &attached];
    owner.key_with_password(&der).well();
    let back = owner.file("back");
    run("openssl", verify.iter().chain(&["-inform", "DER", "-in", &attached, "-out", &back]).copied()).well();
    assert_eq!(fs::read(&back).expect("openssl wrote it"), fs::read(&document).expect("ours"));

    // OpenSSL's, judged by us, with the private key in the clear on express request only.
    let private = owner.file("private.pem");
    let export = ["export", &key, "--part", "private-key", "--plain-private-key", "--out", &private];
    owner.key_with_password(&export).well();
    let theirs = owner.file("theirs.p7m");
    let sign = ["cms", "-sign", "-binary", "-nodetach", "-cades", "-outform", "DER", "-in", &document];
    let with = ["-signer", &leaf, "-inkey", &private, "-certfile", &ca, "-out", &theirs];
    run("openssl", sign.iter().chain(&with).copied()).well();
    owner.key(&["verify", "--in", &theirs, "--root", &root]).well();

    let by = |status: &str| {
        owner.key(&["verify", "--in", &theirs, "--server", &stack.base, "--status", status, "--json"])
    };
    let good = eventually("OCSP says good", OCSP_KNOWS, || {
        let said = by("ocsp");
        said.success.then_some(said)
    });
    let good: Value = serde_json::from_str(&good.out).expect("JSON");
    assert_eq!((&good["valid"], good["status"].as_str()), (&Value::Bool(true), Some("good")), "{good}");
    assert_eq!(good["signer"]["stir"], owner.person.organization_stir.as_str());
    by("crl").well();
    owner.put("other", "another document");
    let other = owner.key(&["verify", "--in", &signed, "--content", &owner.file("other"), "--root", &root]);
    assert_eq!(other.code, Some(7), "{}", other.all());

    let serial = good["signer"]["serial"].as_str().expect("a serial").to_owned();
    Officer::revocation(&stack).revoke(&serial, "superseded").json_or_empty();
    for (status, patience) in [("ocsp", OCSP_KNOWS), ("crl", CRL_KNOWS)] {
        let said = eventually(&format!("{status} says revoked"), patience, || {
            let said = by(status);
            (!said.success).then_some(said)
        });
        assert_eq!(said.code, Some(7), "{}", said.all());
        said.refused_with("revoked or suspended since");
    }
}

#[test]
fn a_request_is_one_that_openssl_verifies() {
    let owner = KeyOwner::new();
    for algorithm in ["P-256", "P-384", "RSA-2048", "Ed25519"] {
        let drive = owner.drive.display().to_string();
        let arguments = ["generate", "--drive", &drive, "--algorithm", algorithm];
        let key = owner.key_with_password(&arguments).well().out.trim().to_owned();
        let request = owner.file(&format!("{algorithm}.pem"));
        owner.key_with_password(&["csr", &key, "--out", &request]).well();
        let said = run("openssl", ["req", "-in", &request, "-verify", "-noout"]).well();
        assert!(said.all().contains("verify OK"), "{}", said.all());
        let again = owner.key_with_password(&["csr", &key, "--out", &request]);
        assert_eq!(again.code, Some(5), "{}", again.all());
        let der = owner.file(&format!("{algorithm}.der"));
        owner.key_with_password(&["csr", &key, "--form", "der", "--out", &der]).well();
        run("openssl", ["req", "-inform", "DER", "-in", &der, "-verify", "-noout"]).well();
    }
}

/// An officer needs no browser: neither for the key nor for what is signed with it.
fn an_officer_decides_with_a_key_of_the_key_tool(database: Database) {
    let (stack, owner) = (database.start(), KeyOwner::new());
    let [key, other] = [(); 2].map(|()| owner.generate());
    let [request, installed] = ["reviewer.csr", "reviewer.pfx"].map(|name| owner.file(name));
    owner.key_with_password(&["csr", &key, "--name", "reviewer", "--out", &request]).well();
    let certify = ["officer", "certify", "reviewer", "--role", "reviewer", "--csr", &request];
    let certificate = owner.put("reviewer.pem", stack.muhr(&certify).well().out);
    let install = |key: &str| {
        owner.key_with_password(&["install", key, "--certificate", &certificate, "--out", &installed])
    };
    let said = install(&other).refused_with("for another key");
    assert!(said.code == Some(7) && !Path::new(&installed).exists(), "{}", said.all());
    install(&key).well();
    assert_eq!(install(&key).code, Some(5), "no file is ever overwritten");
    run("openssl", ["pkcs12", "-in", &installed, "-noout", "-passin", &format!("pass:{PASSWORD}")]).well();

    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let reviewer = Officer::reviewer(&stack);
    let path = format!("/api/v1/officer/applications/{}", application.id);
    let statement = reviewer.client.get(&format!("{path}/approval-statement")).is(200).body;
    let (statement, signature) = (owner.put("statement", statement), owner.file("signature"));
    let sign = |key: &str, signature: &str| {
        owner
            .key_with_password(&["sign", key, "--in", &statement, "--form", "der", "--out", signature])
            .well();
        openssl::base64::encode_block(&fs::read(signature).expect("just written"))
    };
    let approve = |signature: &str| {
        reviewer.client.post(&format!("{path}/approval"), &json!({ "signature": signature }))
    };
    // Without the officer CA's certificate it is anybody's.
    approve(&sign(&key, &owner.file("anybody's"))).problem(403, "officer-not-certified");
    approve(&sign(&installed, &signature)).json();
    application.wait_until("issued");
    auditor::finds_nothing(&stack);
}

#[test]
fn a_wrong_password_is_told_from_a_damaged_file_in_every_language() {
    let owner = KeyOwner::new();
    let key = owner.generate();
    let wrong = owner.put("wrong", "Boshqa-Parol-1");
    let opened = |language: &str, file: &str, password: &str| {
        owner.key_in(language, &["csr", file, "--password-file", password])
    };
    for (language, words) in [
        ("uz", "ochmadi"),
        ("uz-Cyrl", "очмади"),
        ("kaa", "ashpadı"),
        ("ru", "не открывает"),
        ("en", "does not open"),
    ] {
        let said = opened(language, &key, &wrong);
        assert_eq!(said.code, Some(3), "{}", said.all());
        said.refused_with(words);
    }
    let mut octets = fs::read(&key).expect("the key");
    let place = octets.windows(4).position(|part| part == [0, b'c', 0, b'n']).expect("the alias");
    octets[place + 1] = b'd';
    let damaged = owner.put("damaged.pfx", &octets);
    let said = opened("en", &damaged, &owner.file("password"));
    assert_eq!(said.code, Some(4), "{}", said.all());
    said.refused_with("damaged or changed");
    let cut = owner.put("cut.pfx", &octets[..octets.len() / 2]);
    opened("en", &cut, &owner.file("password")).refused_with("not a .pfx key file");
    let weak = owner.put("weak", "short");
    let drive = owner.drive.display().to_string();
    let said = owner.key(&["generate", "--drive", &drive, "--password-file", &weak]);
    assert_eq!(said.code, Some(3), "{}", said.all());
    assert!(!said.all().contains("short"), "no password is ever said");
}

#[test]
fn a_password_is_changed_and_the_old_one_opens_nothing() {
    let owner = KeyOwner::new();
    let key = owner.generate();
    let new = owner.put("new", "Yangi-Parol-2027");
    owner.key_with_password(&["passwd", &key, "--new-password-file", &new]).well();
    assert_eq!(owner.key_with_password(&["csr", &key]).code, Some(3));
    owner.key(&["csr", &key, "--password-file", &new]).well();
    let opens = |password: &str| run("openssl", ["pkcs12", "-in", &key, "-noout", "-passin", password]);
    opens("pass:Yangi-Parol-2027").well();
    assert!(!opens(&format!("pass:{PASSWORD}")).success);
}

#[test]
fn a_private_key_leaves_its_file_only_under_a_password_or_on_express_request() {
    let owner = KeyOwner::new();
    let key = owner.generate();
    let private = owner.file("private.pem");
    let export = ["export", &key, "--part", "private-key", "--new-password-file", &owner.file("password")];
    owner.key_with_password(&export).refused_with("into a file only");
    owner.key_with_password(&[&export[..], &["--out", &private]].concat()).well();
    assert!(
        fs::read_to_string(&private).expect("a file").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    );
    run("openssl", ["pkey", "-in", &private, "-noout", "-passin", &format!("pass:{PASSWORD}")]).well();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&private).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_full_and_a_read_only_drive_are_named_and_keep_what_they_have() {
    let disk = SmallDisk::mount(1);
    let owner = KeyOwner::at(&disk.folder);
    let key = owner.generate();
    let before = fs::read(&key).expect("the key");
    disk.fill();
    let new = owner.put("new", "Yangi-Parol-2027");
    let change = || owner.key_with_password(&["passwd", &key, "--new-password-file", &new]);
    let refused = |said: Said, words: &str| {
        assert_eq!(said.code, Some(5), "{}", said.all());
        said.refused_with(words);
        assert_eq!(fs::read(&key).expect("the key"), before);
        let folder = Path::new(&key).parent().expect("DSKEYS");
        assert_eq!(fs::read_dir(folder).expect("a folder").count(), 1, "nothing half-written is left");
    };
    refused(change(), "There is no room");
    remount_read_only(&disk);
    refused(change(), "may not be written");
}

fn remount_read_only(disk: &SmallDisk) {
    let folder = disk.folder.display().to_string();
    let mount = ["mount", "-o", "remount,ro", folder.as_str()];
    if is_root() {
        run(mount[0], &mount[1..]).well();
    } else {
        run("sudo", ["-n"].iter().chain(&mount).copied()).well();
    }
}
