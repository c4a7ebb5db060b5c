//! What is refused before anything is built, and where a validity ends.

use ca_core::Timestamp;
use ca_core::issue::{Finding, Issuer, IssuerError, Request};
use ca_core::profile::{InvalidValue, Kind, SubjectField};
use openssl::nid::Nid;
use openssl::x509::X509;

use crate::authority::{Authority, ec_key, now, person, profile, request, serial, signer, subject_key};

fn refused(change: impl FnOnce(&mut Request)) -> Vec<Finding> {
    let mut request = request(person(), subject_key("P-256"), 9);
    change(&mut request);
    let findings =
        |issuer: &Issuer| issuer.prepare(&profile("legal_entity"), request).map(|_| ()).unwrap_err().findings;
    findings(&Authority::new().issuing)
}

#[test]
fn every_broken_rule_is_named_at_once() {
    let findings = refused(|request| {
        request.subject.title = None;
        request.subject.organization = Some("x".repeat(65));
        request.months = Some(25);
        request.urls.ocsp = "https://ca.muhr.example/ocsp".to_owned();
        request.public_key.push(0);
    });
    let long = Finding::Value { attribute: "O".to_owned(), rule: InvalidValue::TooLong(64) };
    let expected = [
        Finding::Months { asked: 25, max: 24 },
        Finding::Url("ocsp"),
        long,
        Finding::FieldMissing(SubjectField::Title),
        Finding::PublicKey,
    ];
    assert_eq!(findings, expected);
}

#[test]
fn keys_without_a_rule_and_the_issuer_s_own_key_get_no_certificate() {
    let x25519 = openssl::pkey::PKey::generate_x25519().unwrap().public_key_to_der().unwrap();
    let unknown = Finding::KeyAlgorithm("1.3.101.110".parse().unwrap());
    assert_eq!(refused(|request| request.public_key = x25519), [unknown]);
    let own = ec_key(Nid::X9_62_PRIME256V1, "issuing").public_key_to_der().unwrap();
    assert_eq!(refused(|request| request.public_key = own), [Finding::SelfIssued(Kind::EndEntity)]);
}

#[test]
fn a_certificate_begins_now_and_ends_a_second_before_the_same_moment_later() {
    let authority = Authority::new();
    for (months, end) in [
        (None, "2027-11-20T08:30:14Z"),
        (Some(1), "2026-12-20T08:30:14Z"),
        (Some(24), "2028-11-20T08:30:14Z"),
    ] {
        let request = Request { months, ..request(person(), subject_key("P-256"), 9) };
        let prepared = authority.issuing.prepare(&profile("natural_person"), request).unwrap();
        assert_eq!(prepared.not_before().to_string(), "2026-11-20T08:30:15Z");
        assert_eq!(prepared.not_after().to_string(), end);
        assert_eq!(prepared.serial(), serial(9));
    }
    assert_eq!(refused(|request| request.months = Some(0)), [Finding::Months { asked: 0, max: 24 }]);
}

#[test]
fn no_certificate_outlives_its_issuer_or_precedes_it() {
    let authority = Authority::new();
    let end = authority.issuing.not_after();
    let near = Timestamp::from_unix_seconds(end.unix_seconds() - 3600);
    let request = Request { now: near, ..request(person(), subject_key("P-256"), 9) };
    assert_eq!(authority.issuing.prepare(&profile("natural_person"), request).unwrap().not_after(), end);
    let before = Timestamp::from_unix_seconds(now().unix_seconds() - 1);
    assert_eq!(refused(|request| request.now = end), [Finding::IssuerNotValid(end)]);
    assert_eq!(refused(|request| request.now = before), [Finding::IssuerNotValid(before)]);
}

#[test]
fn from_2050_on_times_are_generalized() {
    let key = ec_key(Nid::SECP384R1, "late root");
    let mut late = request(person(), key.public_key_to_der().unwrap(), 1);
    late.now = "2035-01-01T00:00:00Z".parse().unwrap();
    let (_, root) = Issuer::self_signed(&profile("root"), late, signer(&key)).unwrap();
    let window = |needle: &[u8]| root.der.windows(needle.len()).any(|w| w == needle);
    assert!(window(b"\x17\x0d350101000000Z") && window(b"\x18\x0f20541231235959Z"));
    assert_eq!(X509::from_der(&root.der).unwrap().not_after().to_string(), "Dec 31 23:59:59 2054 GMT");
}

#[test]
fn an_issuing_ca_issues_no_ca_and_no_root() {
    let authority = Authority::new();
    let under = |name: &str| {
        let request = request(person(), subject_key("P-256"), 9);
        authority.issuing.prepare(&profile(name), request).map(|_| ()).unwrap_err().findings
    };
    assert_eq!(under("issuing_ca"), [Finding::PathLen]);
    assert_eq!(under("root"), [Finding::SelfIssued(Kind::Root)]);
}

#[test]
fn a_certificate_and_a_key_that_do_not_fit_make_no_issuer() {
    let authority = Authority::new();
    let other = signer(&ec_key(Nid::X9_62_PRIME256V1, "other"));
    let issuer = |certificate: &[u8], key| Issuer::new(certificate, key).map(|_| ()).unwrap_err();
    assert_eq!(issuer(authority.issuing.certificate(), other.clone()), IssuerError::KeyMismatch);
    assert_eq!(issuer(b"certificate", other.clone()), IssuerError::Unreadable);
    let trailing = [authority.issuing.certificate(), &[0]].concat();
    assert_eq!(issuer(&trailing, authority.issuing.signer().clone()), IssuerError::Unreadable);
    let ocsp = signer(&ec_key(Nid::X9_62_PRIME256V1, "ocsp"));
    assert_eq!(issuer(&authority.ocsp.der, ocsp), IssuerError::NotCa);
    let request = request(person(), other.public_key().to_vec(), 1);
    let leaf = Issuer::self_signed(&profile("natural_person"), request, other).map(|_| ());
    assert_eq!(leaf, Err(IssuerError::NotRoot));
}

#[test]
fn only_the_issuer_that_prepared_a_certificate_signs_it() {
    let (one, two) = (Authority::new(), Authority::new());
    let prepared =
        one.issuing.prepare(&profile("natural_person"), request(person(), subject_key("P-256"), 9)).unwrap();
    assert!(two.issuing.issue(prepared).is_err());
}
