//! Revocation lists in shards and deltas, as relying parties find them by what stands in the certificate.

use std::fs;
use std::path::{Path, PathBuf};

use crate::applicant::{Application, SubjectType};
use crate::auditor;
use crate::command::{Said, run};
use crate::officer::Officer;
use crate::relying_party::{CRL_KNOWS, RelyingParty};
use crate::stack::{Database, Stack, eventually, fresh_folder};

on_both_databases!(
    a_shards_list_refuses_its_certificates_and_openssl_finds_it,
    a_delta_takes_back_a_hold_that_ended,
    a_profile_is_revoked_at_once_and_goes_on_where_it_was_cut_off,
);

/// The built-in profile of natural persons, over so many shards.
fn profiles(shards: u32) -> PathBuf {
    let folder = fresh_folder();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/profiles/natural_person.toml");
    let profile = fs::read_to_string(built_in).expect("the built-in profile");
    fs::write(
        folder.join("natural_person.toml"),
        profile.replace("crl_shards = 1", &format!("crl_shards = {shards}")),
    )
    .expect("ours");
    folder
}

fn sharded(database: Database) -> Stack {
    let folder = profiles(4);
    database.start_with(&[("DATA__PROFILES_DIRECTORY", &folder.display().to_string())])
}

/// What OpenSSL reads in a list of the repository, whose signature it has verified.
fn openssl_reads(stack: &Stack, relying_party: &RelyingParty, address: &str) -> Option<String> {
    let answer = crate::http::send(stack.anybody().request(reqwest::Method::GET, address));
    if answer.status != 200 {
        return None;
    }
    let der = relying_party.file("some.crl");
    fs::write(&der, &answer.body).expect("our folder");
    let authorities = relying_party.file("authorities.pem");
    let said =
        run("openssl", ["crl", "-inform", "DER", "-in", &der, "-CAfile", &authorities, "-noout", "-text"]);
    let said = said.well();
    assert!(said.all().contains("verify OK"), "{}", said.all());
    Some(said.out)
}

fn delta_of(address: &str) -> String {
    address.replace(".crl", "-delta.crl")
}

fn a_shards_list_refuses_its_certificates_and_openssl_finds_it(database: Database) {
    let stack = sharded(database);
    let lost = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &lost.certificate());
    let (base, name) = relying_party.crl.rsplit_once('/').expect("an address");
    let shard = name.strip_prefix("ca-").and_then(|rest| rest.strip_suffix("-of-4.crl")).expect(name);
    assert!(shard.parse::<u32>().expect("a number") < 4, "{name}");

    // Its list is there while nobody is revoked, and says which certificates it is about.
    let empty = eventually("the shard has a CRL", CRL_KNOWS, || {
        openssl_reads(&stack, &relying_party, &relying_party.crl)
    });
    assert!(empty.contains("No Revoked Certificates"), "{empty}");
    assert!(empty.contains("Issuing Distribution Point: critical"), "{empty}");
    assert!(empty.contains(&relying_party.crl) && empty.contains("Freshest CRL"), "{empty}");
    relying_party.openssl_verify_with_crl().well();

    Officer::revocation(&stack).revoke(&lost.serial(), "keyCompromise").json_or_empty();
    let listed = eventually("the shard lists it", CRL_KNOWS, || relying_party.crl_reason());
    assert_eq!(listed, "Key Compromise");
    relying_party.openssl_verify_with_crl().refused_with("certificate revoked");

    // The undivided list is about others: of whom it says nothing, OpenSSL does not take it for an answer.
    let other = Application::issued(&stack, SubjectType::LegalEntity);
    let other = RelyingParty::receiving(&stack, &other.certificate());
    assert_eq!(other.crl, format!("{base}/ca.crl"));
    other.openssl_verify_with_crl().well();
    let undivided = other.fetch_crl();
    let files = ["root.pem", "issuing.pem", "leaf.pem"].map(|name| relying_party.file(name));
    let with_wrong_list: Said = run(
        "openssl",
        [
            "verify",
            "-CAfile",
            &files[0],
            "-untrusted",
            &files[1],
            "-crl_check",
            "-CRLfile",
            &undivided,
            &files[2],
        ],
    );
    with_wrong_list.refused_with("CRL scope");
    let report = auditor::finds_nothing(&stack);
    assert!(report.success);
}

fn a_delta_takes_back_a_hold_that_ended(database: Database) {
    let stack = sharded(database);
    let officer = Officer::revocation(&stack);
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let delta = delta_of(&relying_party.crl);
    let serial = application.serial().to_uppercase();
    let entry = || {
        let said = openssl_reads(&stack, &relying_party, &delta)?;
        assert!(said.contains("Delta CRL Indicator: critical"), "{said}");
        let entry = said.split("Serial Number: ").find(|entry| entry.starts_with(&serial))?.to_owned();
        let reason = entry.lines().skip_while(|line| !line.contains("CRL Reason Code")).nth(1)?;
        Some(reason.trim().to_owned())
    };
    eventually("the shard has a delta", CRL_KNOWS, || openssl_reads(&stack, &relying_party, &delta));
    officer.suspend(&application.serial()).json_or_empty();
    eventually("the full CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    assert_eq!(eventually("the delta lists it", CRL_KNOWS, entry), "Certificate Hold");
    // What a relying party took home while it was on hold.
    let (kept, held) = (relying_party.file("kept.pem"), relying_party.fetch_crl());
    fs::copy(held, &kept).expect("our folder");

    officer.restore(&application.serial()).json_or_empty();
    eventually("the delta takes it back", CRL_KNOWS, || (entry()? == "Remove From CRL").then_some(()));
    let pem = relying_party.file("delta.pem");
    run("openssl", ["crl", "-inform", "DER", "-in", &relying_party.file("some.crl"), "-out", &pem]).well();
    let files = ["root.pem", "issuing.pem", "leaf.pem"].map(|name| relying_party.file(name));
    let fixed = ["verify", "-CAfile", &files[0], "-untrusted", &files[1], "-crl_check", "-CRLfile", &kept];
    let with = |more: &[&str]| run("openssl", fixed.iter().chain(more).copied().chain([files[2].as_str()]));
    with(&[]).refused_with("certificate revoked");
    with(&["-extended_crl", "-use_deltas", "-CRLfile", &pem]).well();
    eventually("the full CRL has it no more", CRL_KNOWS, || {
        relying_party.crl_reason().is_none().then_some(())
    });
}

fn a_profile_is_revoked_at_once_and_goes_on_where_it_was_cut_off(database: Database) {
    let stack = sharded(database);
    let [one, two] = [(), ()].map(|()| Application::issued(&stack, SubjectType::NaturalPerson));
    let other = Application::issued(&stack, SubjectType::SoleProprietor);
    let arguments = ["certificate", "mass-revoke", "--profile", "natural_person", "--reason", "superseded"];
    let said = stack.muhr(&arguments).well();
    assert!(said.out.contains("2 certificates of profile natural_person are revoked"), "{}", said.all());
    for application in [&one, &two] {
        assert_eq!(application.view()["certificate"]["status"], "revoked");
        let relying_party = RelyingParty::receiving(&stack, &application.certificate());
        eventually("its shard has a list", CRL_KNOWS, || {
            openssl_reads(&stack, &relying_party, &relying_party.crl)
        });
        let listed = eventually("its list has it", CRL_KNOWS, || relying_party.crl_reason());
        assert_eq!(listed, "Superseded");
    }
    assert_eq!(other.view()["certificate"]["status"], "good");
    let audited = stack.rows("SELECT count(*) FROM audit_entries WHERE action = 'certificate.revoke'");
    let audited_as = stack.rows("SELECT count(*) FROM audit_entries WHERE action = 'certificate.revoked'");
    assert_eq!((audited[0].as_str(), audited_as[0].as_str()), ("0", "2"), "one entry for each");
    let again = stack.muhr(&arguments).well();
    assert!(again.out.contains("0 certificates"), "what is revoked is left alone: {}", again.all());
    auditor::finds_nothing(&stack);
}
