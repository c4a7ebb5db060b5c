//! `muhr backup` and `muhr restore`: everything comes back, no number is given twice, and half a backup is none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::command::run;
use crate::key::text;
use crate::officer::Officer;
use crate::picture;
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, Role, Stack, eventually, fresh_folder};

on_both_databases!(
    a_restore_brings_everything_back_and_no_number_twice,
    a_backup_that_was_cut_off_changed_or_is_for_another_key_restores_nothing,
    keys_are_in_a_backup_only_when_asked_for,
);

/// An age key, made by age itself: the file, and what a backup is made to.
fn age_key(folder: &Path) -> (String, String) {
    let file = text(&folder.join("age.key"));
    run("age-keygen", ["-o", &file]).well();
    let recipient = run("age-keygen", ["-y", &file]).well().out.trim().to_owned();
    (file, recipient)
}

/// Members of a backup, read by age and tar.
fn members(backup: &str, key: &str, folder: &Path) -> Vec<String> {
    let archive = text(&folder.join("backup.tar.gz"));
    run("age", ["--decrypt", "-i", key, "-o", &archive, backup]).well();
    run("tar", ["--list", "--gzip", "--file", &archive]).well().out.lines().map(str::to_owned).collect()
}

/// An empty place at the same address, with what an operator keeps apart from backups.
fn empty_place(database: Database, lost: &Stack) -> Stack {
    let mut stack = Stack::prepare(fresh_folder(), database.address(), &[]);
    stack.set("HTTP__LISTEN", lost.base.trim_start_matches("http://"));
    stack.base.clone_from(&lost.base);
    for kept in ["keys", "documents.key", "master.key", "payments-sandbox.secret"] {
        run("cp", ["-a", &text(&lost.folder.join(kept)), &text(&stack.folder)]).well();
    }
    stack
}

/// The published CRL's number, as OpenSSL reads it.
fn crl_number(relying_party: &RelyingParty) -> u64 {
    let said = run("openssl", ["crl", "-in", &relying_party.fetch_crl(), "-noout", "-crlnumber"]).well();
    let number = said.out.trim().trim_start_matches("crlNumber=0x").to_owned();
    u64::from_str_radix(&number, 16).unwrap_or_else(|_| panic!("{}", said.all()))
}

fn invoice_number(application: &Application) -> u64 {
    let invoice = application.invoice();
    let number = invoice["number"].as_str().expect("a number");
    number.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{invoice}"))
}

fn a_restore_brings_everything_back_and_no_number_twice(database: Database) {
    let stack = database.start();
    let folder = TempDir::new().expect("a temporary folder");
    let (key, recipient) = age_key(folder.path());
    let kept = Application::issued(&stack, SubjectType::LegalEntity);
    let revoked = Application::issued(&stack, SubjectType::NaturalPerson);
    let revoked_later = Application::issued(&stack, SubjectType::NaturalPerson);
    let [kept_certificate, revoked_certificate] = [&kept, &revoked].map(Application::certificate);
    let [good, bad] =
        [&kept_certificate, &revoked_certificate].map(|der| RelyingParty::receiving(&stack, der));
    let revocation = Officer::revocation(&stack);
    revocation.revoke(&revoked.serial(), "superseded").json_or_empty();
    eventually("the CRL lists it", CRL_KNOWS, || bad.crl_reason());
    let waiting = Application::under_review(&stack, SubjectType::SoleProprietor);
    let reviewer = Officer::reviewer(&stack);

    let backup = text(&folder.path().join("muhr.backup"));
    let said = stack.muhr(&["backup", "--out", &backup, "--to", &recipient]).well();
    assert!(said.out.contains(" documents, ") && said.out.contains(" 0 key files"), "{}", said.out);
    assert_eq!(fs::metadata(&backup).expect("it was made").permissions().mode() & 0o777, 0o600);
    stack.muhr(&["backup", "--out", &backup, "--to", &recipient]).refused_with("is there already");
    let members = members(&backup, &key, folder.path());
    assert_eq!(members.first().map(String::as_str), Some("manifest.json"));
    assert!(members.last().is_some_and(|last| last.starts_with("database.")), "{members:?}");
    assert!(members.iter().filter(|name| name.starts_with("documents/")).count() >= 6, "{members:?}");
    assert!(members.iter().any(|name| name == "repository/ca.crl"), "{members:?}");
    assert!(!members.iter().any(|name| name.contains("key")), "{members:?}");

    // What happens now is lost.
    let lost = Application::issued(&stack, SubjectType::NaturalPerson);
    let (lost_serial, lost_certificate) = (lost.serial(), lost.certificate());
    let last_invoice = invoice_number(&lost);
    revocation.revoke(&lost_serial, "keyCompromise").json_or_empty();
    let lost_party = RelyingParty::receiving(&stack, &lost_certificate);
    eventually("the CRL lists it", CRL_KNOWS, || lost_party.crl_reason());
    let later = RelyingParty::receiving(&stack, &revoked_later.certificate());
    revocation.revoke(&revoked_later.serial(), "affiliationChanged").json_or_empty();
    eventually("the CRL lists it", CRL_KNOWS, || later.crl_reason());
    let last_crl = crl_number(&bad);
    assert!(stack.terminate(Role::All).success());

    let restored = empty_place(database, &stack);
    let said = restored.muhr(&["restore", &backup, "--identity", &key]).well();
    for words in ["restored as of", "CRL numbers of ca go on after", "invoice numbers of", "keys of payments"]
    {
        assert!(said.out.contains(words), "{}", said.out);
    }
    assert!(!said.out.contains("missing"), "{}", said.out);
    restored.muhr(&["restore", &backup, "--identity", &key]).refused_with("not empty");
    // The signer's memory is newer than the database: an operator says that it is so because of a restore.
    restored.muhr(&["audit", "verify"]).refused_with("the audit has findings");
    restored.muhr(&["audit", "seal", "--accept-loss"]).well();
    restored.muhr(&["audit", "verify"]).well();
    restored.muhr(&["ledger", "verify"]).well();
    // What was revoked after the backup stands in the CRL that the publisher has kept.
    let published = text(&stack.folder.join("repository/ca.crl"));
    let listed = ["certificate", "revoke-listed", "--crl", &published];
    let said = restored.muhr(&listed).well();
    assert!(said.out.contains(&format!("{lost_serial}: listed, and not in the register")), "{}", said.out);
    assert!(said.out.contains("3 entries, 1 taken over, 1 not in the register"), "{}", said.out);
    let said = restored.muhr(&listed).well();
    assert!(said.out.contains("3 entries, 0 taken over"), "{}", said.out);
    let delta = text(&stack.folder.join("repository/ca-delta.crl"));
    restored.muhr(&["certificate", "revoke-listed", "--crl", &delta]).refused_with("a delta CRL");
    let mut forged = fs::read(&published).expect("it was published");
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    let file = text(&folder.path().join("forged.crl"));
    fs::write(&file, forged).expect("our folder");
    assert!(!restored.muhr(&["certificate", "revoke-listed", "--crl", &file]).success);
    let mode = |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o077;
    assert_eq!(mode(restored.folder.join("documents")), 0);

    restored.run(Role::All);
    assert_eq!(kept.certificate(), kept_certificate);
    good.openssl_verify().well();
    assert_eq!(good.status(), "good");
    assert_eq!(bad.status(), "revoked");
    assert_eq!(later.status(), "revoked");
    // The register has forgotten the lost one, and says nothing good of it.
    assert_eq!(lost_party.status(), "unknown");
    let number = eventually("a CRL of a higher number", Duration::from_secs(20), || {
        let number = crl_number(&bad);
        (number > last_crl).then_some(number)
    });
    assert!(bad.crl_reason().is_some(), "CRL {number} has forgotten a revocation");
    assert_eq!(later.crl_reason().as_deref(), Some("Affiliation Changed"));
    good.openssl_verify_with_crl().well();

    // Work goes on: what waited is decided, with the pictures that were sent before.
    let photo = format!("/api/v1/officer/applications/{}/documents/photo", waiting.id);
    let photo = reviewer.client.get(&photo).is(200);
    assert!(photo.header("content-type").starts_with("image/"), "{:?}", photo.headers);
    reviewer.approve(&waiting.id).json();
    waiting.wait_until("issued");
    let fresh = Application::under_review(&restored, SubjectType::NaturalPerson);
    assert!(invoice_number(&fresh) > last_invoice, "{} after {last_invoice}", invoice_number(&fresh));
    reviewer.approve(&fresh.id).json();
    fresh.wait_until("issued");
    let mut serials = [kept.serial(), revoked.serial(), waiting.serial(), fresh.serial(), lost_serial];
    serials.sort_unstable();
    assert!(serials.windows(2).all(|pair| pair[0] != pair[1]), "{serials:?}");
    let relying_party = RelyingParty::receiving(&restored, &fresh.certificate());
    eventually("OCSP knows it", OCSP_KNOWS, || (relying_party.status() == "good").then_some(()));
    relying_party.openssl_verify_with_crl().well();
    assert!(restored.terminate(Role::All).success());
    restored.muhr(&["audit", "verify"]).well();
    restored.muhr(&["ledger", "verify"]).well();
    let told = restored.rows("SELECT count(*) FROM audit_entries WHERE action = 'database.step-forward'");
    assert_eq!(told, ["1"]);

    // The same for a database that came back by PostgreSQL's or the file system's means.
    let number = "SELECT number FROM crl_partitions WHERE issuer_id = 'ca'";
    let before: i64 = restored.rows(number)[0].parse().expect("a number");
    restored.muhr(&["step-forward", "--since", "2026-01-01T00:00:00Z"]).well();
    let after: i64 = restored.rows(number)[0].parse().expect("a number");
    assert!(after > before + 1_000_000, "{before} {after}");
    restored.muhr(&["step-forward", "--since", "2999-01-01T00:00:00Z"]).refused_with("has not come yet");
}

fn a_backup_that_was_cut_off_changed_or_is_for_another_key_restores_nothing(database: Database) {
    let stack = database.start();
    let folder = TempDir::new().expect("a temporary folder");
    let (key, recipient) = age_key(folder.path());
    let draft = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    draft.put_document("photo", "image/jpeg", picture::photo()).json_or_empty();
    assert!(stack.terminate(Role::All).success());
    let whole = text(&folder.path().join("whole"));
    stack.muhr(&["backup", "--out", &whole, "--to", &recipient]).well();
    stack.muhr(&["backup", "--out", "x", "--to", "age1nobody"]).refused_with("age-keygen");
    assert!(!stack.folder.join("x").exists());
    let octets = fs::read(&whole).expect("our folder");
    let place = empty_place(database, &stack);
    let nothing_is_there = || {
        for folder in ["documents", "repository"] {
            assert!(!place.folder.join(folder).exists(), "{folder}");
        }
        let left: Vec<_> =
            fs::read_dir(&place.folder).expect("our folder").flatten().map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("sqlite")), "{left:?}");
    };
    let broken = text(&folder.path().join("broken"));
    // Cut off at its last octets, in the middle, and behind the header; changed at the end and in the middle.
    let mut changed_late = octets.clone();
    changed_late[octets.len() - 5] ^= 1;
    let mut changed = octets.clone();
    changed[octets.len() / 2] ^= 1;
    let cuts = [octets.len() - 1, octets.len() / 2, 300];
    for bad in cuts.map(|length| octets[..length].to_vec()).into_iter().chain([changed_late, changed]) {
        fs::write(&broken, bad).expect("our folder");
        let said = place.muhr(&["restore", &broken, "--identity", &key]);
        assert!(!said.success, "{}", said.all());
        nothing_is_there();
    }
    let other = TempDir::new().expect("a temporary folder");
    let (stranger, _) = age_key(other.path());
    place.muhr(&["restore", &whole, "--identity", &stranger]).refused_with("No matching keys");
    nothing_is_there();
    // Whatever was tried before, the whole one comes back.
    place.muhr(&["restore", &whole, "--identity", &key]).well();
    assert_eq!(place.rows("SELECT count(*) FROM documents"), ["1"]);
}

fn keys_are_in_a_backup_only_when_asked_for(database: Database) {
    let stack = database.start();
    assert!(stack.terminate(Role::All).success());
    let folder = TempDir::new().expect("a temporary folder");
    let (backup, secret) = (text(&folder.path().join("all")), text(&folder.path().join("passphrase")));
    fs::write(&secret, "sakkiz tulki uch daryo\n").expect("our folder");
    let made = stack.muhr(&["backup", "--out", &backup, "--passphrase-file", &secret, "--with-keys"]).well();
    assert!(!made.out.contains(" 0 key files"), "{}", made.out);
    let place = empty_place(database, &stack);
    for kept in ["keys", "documents.key", "master.key"] {
        run("rm", ["-r", &text(&place.folder.join(kept))]).well();
    }
    place.muhr(&["restore", &backup, "--passphrase-file", &secret]).well();
    for name in [
        "keys/ca.key",
        "keys/root.key",
        "keys/ocsp.key",
        "keys/officer-ca.cer",
        "documents.key",
        "master.key",
    ] {
        let [ours, theirs] = [&place, &stack].map(|stack| fs::read(stack.folder.join(name)).expect(name));
        assert_eq!(ours, theirs, "{name}");
        let mode = fs::metadata(place.folder.join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // The passphrase of the keys is nowhere in it.
    assert!(!place.folder.join("keys/passphrase").exists());
}
