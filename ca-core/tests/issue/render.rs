//! Every profile's certificate as people read it.

use ca_core::issue::{NotACertificate, render};
use openssl::x509::X509;

use crate::authority::{Authority, person, profile, request, subject_key};

#[test]
fn each_profile_renders_as_its_snapshot() {
    let authority = Authority::new();
    insta::assert_snapshot!("root", render(authority.root.certificate()).unwrap());
    insta::assert_snapshot!("issuing_ca", render(authority.issuing.certificate()).unwrap());
    insta::assert_snapshot!("ocsp_signer", render(&authority.ocsp.der).unwrap());
    for (name, key) in
        [("natural_person", "P-256"), ("sole_proprietor", "Ed25519"), ("legal_entity", "RSA-2048")]
    {
        insta::assert_snapshot!(name, render(&authority.subscriber(name, key).der).unwrap());
    }
}

#[test]
fn what_an_officer_sees_before_the_signature_is_what_is_signed() {
    let authority = Authority::new();
    let prepared = authority
        .issuing
        .prepare(&profile("natural_person"), request(person(), subject_key("P-256"), 9))
        .unwrap();
    let (before, subject) = (prepared.render(), prepared.subject_text());
    assert!(
        subject.starts_with("CN=VALIYEV ALI") && subject.ends_with("1.2.860.3.16.1.2=31503901234562"),
        "{subject}"
    );
    assert_eq!(render(&authority.issuing.issue(prepared).unwrap().der).unwrap(), before);
}

#[test]
fn foreign_certificates_are_rendered_and_other_octets_are_not() {
    let mut foreign = X509::builder().unwrap();
    let key = openssl::pkey::PKey::generate_ed25519().unwrap();
    let mut name = openssl::x509::X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "line\nserial: 00").unwrap();
    foreign.set_subject_name(&name.build()).unwrap();
    foreign.set_pubkey(&key).unwrap();
    foreign.set_not_before(&openssl::asn1::Asn1Time::from_unix(0).unwrap()).unwrap();
    foreign.set_not_after(&openssl::asn1::Asn1Time::from_unix(1).unwrap()).unwrap();
    foreign.sign(&key, openssl::hash::MessageDigest::null()).unwrap();
    let der = foreign.build().to_der().unwrap();
    assert!(
        render(&der).unwrap().contains("CN: line\\nserial: 00 (UTF8String)"),
        "{}",
        render(&der).unwrap()
    );
    assert_eq!(render(&[der, vec![0]].concat()), Err(NotACertificate));
    assert_eq!(render(b"hello"), Err(NotACertificate));
}
