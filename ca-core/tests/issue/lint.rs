//! The lint reads what is about to be signed and finds what should not be there.

use ca_core::Timestamp;
use ca_core::issue::{Finding, Request};
use der::asn1::{Any, BitString, OctetString, Uint};
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::{TbsCertificate, Version};

use crate::authority::{Authority, now, person, profile, request, serial, subject_key};

const KEY_USAGE: &str = "2.5.29.15";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const EXT_KEY_USAGE: &str = "2.5.29.37";

fn good() -> Request {
    request(person(), subject_key("P-256"), 9)
}

/// What the lint finds in recorded bytes that somebody has changed.
fn found(tamper: impl FnOnce(&mut TbsCertificate)) -> Vec<String> {
    let authority = Authority::new();
    let prepared = authority.issuing.prepare(&profile("legal_entity"), good()).unwrap();
    let mut tbs = TbsCertificate::from_der(prepared.tbs()).unwrap();
    tamper(&mut tbs);
    resumed(&authority, &tbs.to_der().unwrap())
}

fn resumed(authority: &Authority, tbs: &[u8]) -> Vec<String> {
    match authority.issuing.resume(&profile("legal_entity"), good(), tbs) {
        Ok(_) => Vec::new(),
        Err(violation) => violation.findings.iter().map(ToString::to_string).collect(),
    }
}

fn extensions(tbs: &mut TbsCertificate) -> &mut Vec<Extension> {
    tbs.extensions.as_mut().unwrap()
}

fn extension<'a>(tbs: &'a mut TbsCertificate, oid: &str) -> &'a mut Extension {
    extensions(tbs).iter_mut().find(|extension| extension.extn_id.to_string() == oid).unwrap()
}

fn new_extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    Extension { extn_id: oid.parse().unwrap(), critical, extn_value: OctetString::new(value).unwrap() }
}

#[test]
fn recorded_bytes_are_taken_up_again_and_give_the_same_certificate() {
    let authority = Authority::new();
    let recorded = authority.issuing.prepare(&profile("legal_entity"), good()).unwrap().tbs().to_vec();
    let later = Request { now: now().plus_months(1), ..good() };
    let resumed = authority.issuing.resume(&profile("legal_entity"), later, &recorded).unwrap();
    assert_eq!(resumed.tbs(), recorded);
    assert_eq!(resumed.not_before(), now().whole_seconds());
    assert_eq!(resumed.serial(), serial(9));
    assert_eq!(authority.issuing.issue(resumed).unwrap().serial, serial(9));
}

#[test]
fn recorded_bytes_of_the_future_or_of_another_serial_are_refused() {
    let authority = Authority::new();
    let recorded = authority.issuing.prepare(&profile("legal_entity"), good()).unwrap().tbs().to_vec();
    let refused = |request: Request| {
        authority
            .issuing
            .resume(&profile("legal_entity"), request, &recorded)
            .map(|_| ())
            .unwrap_err()
            .findings
    };
    let earlier = Timestamp::from_unix_seconds(now().unix_seconds() - 60);
    assert_eq!(
        refused(Request { now: earlier, ..good() }),
        [Finding::RecordedInFuture(now().whole_seconds())]
    );
    let other = refused(Request { serial: serial(10), ..good() });
    let field = Finding::Field {
        field: "serialNumber",
        expected: serial(10).to_string(),
        found: serial(9).to_string(),
    };
    assert_eq!(other, [field]);
}

#[test]
fn other_usages_are_found() {
    // digitalSignature alone, in its trimmed form.
    let changed = |tbs: &mut TbsCertificate| {
        extension(tbs, KEY_USAGE).extn_value = OctetString::new([3, 2, 7, 0x80]).unwrap();
    };
    assert_eq!(
        found(changed),
        ["keyUsage is digitalSignature, not digitalSignature, nonRepudiation, keyAgreement"]
    );
    assert_eq!(
        found(|tbs| extension(tbs, KEY_USAGE).critical = false),
        ["extension keyUsage must be critical"]
    );
    let swapped = |tbs: &mut TbsCertificate| {
        let value = extension(tbs, EXT_KEY_USAGE).extn_value.as_bytes().to_vec();
        let shorter = [&[0x30, value[1] - 10], &value[2..value.len() - 10]].concat();
        extension(tbs, EXT_KEY_USAGE).extn_value = OctetString::new(shorter).unwrap();
    };
    let purposes =
        "extKeyUsage is clientAuth, emailProtection, not clientAuth, emailProtection, documentSigning";
    assert_eq!(found(swapped), [purposes]);
}

#[test]
fn an_added_a_repeated_and_a_missing_extension_are_found() {
    let ca = new_extension(BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]);
    assert_eq!(found(|tbs| extensions(tbs).push(ca)), ["extension basicConstraints does not belong here"]);
    let unknown = new_extension("1.2.3.4", false, &[5, 0]);
    assert_eq!(found(|tbs| extensions(tbs).push(unknown)), ["extension 1.2.3.4 does not belong here"]);
    let twice = |tbs: &mut TbsCertificate| {
        let usage = extension(tbs, KEY_USAGE).clone();
        extensions(tbs).push(usage);
    };
    assert_eq!(found(twice), ["extension keyUsage stands twice"]);
    let without =
        |tbs: &mut TbsCertificate| extensions(tbs).retain(|e| e.extn_id.to_string() != EXT_KEY_USAGE);
    assert_eq!(found(without), ["extension extKeyUsage is missing"]);
    assert_eq!(found(|tbs| tbs.extensions = None).len(), 8);
}

#[test]
fn a_changed_pointer_is_found_by_its_extension() {
    for (oid, name) in [
        ("2.5.29.31", "cRLDistributionPoints"),
        ("1.3.6.1.5.5.7.1.1", "authorityInfoAccess"),
        ("2.5.29.32", "certificatePolicies"),
        ("2.5.29.35", "authorityKeyIdentifier"),
        ("2.5.29.14", "subjectKeyIdentifier"),
        ("2.5.29.17", "subjectAltName"),
    ] {
        let findings = found(|tbs| {
            let extension = extension(tbs, oid);
            let mut value = extension.extn_value.as_bytes().to_vec();
            *value.last_mut().unwrap() ^= 1;
            extension.extn_value = OctetString::new(value).unwrap();
        });
        assert!(findings.len() == 1 && findings[0].starts_with(&format!("{name} is ")), "{findings:?}");
    }
}

#[test]
fn another_name_is_found() {
    let renamed = |tbs: &mut TbsCertificate| {
        let mut rdn = tbs.subject.0[0].0.clone().into_vec().remove(0);
        rdn.value = Any::new(der::Tag::Utf8String, b"KARIMOV VALI".as_slice()).unwrap();
        tbs.subject.0[0].0 = [rdn].try_into().unwrap();
    };
    let findings = found(renamed);
    assert!(findings[0].starts_with("subject is CN=KARIMOV VALI,Name=ALI"), "{findings:?}");
    let retyped = |tbs: &mut TbsCertificate| {
        let mut rdn = tbs.subject.0[1].0.clone().into_vec().remove(0);
        rdn.value = Any::new(der::Tag::PrintableString, b"ALI".as_slice()).unwrap();
        tbs.subject.0[1].0 = [rdn].try_into().unwrap();
    };
    assert_eq!(found(retyped).len(), 1);
    assert_eq!(found(|tbs| tbs.subject.0.swap(0, 1)).len(), 1);
    assert_eq!(found(|tbs| tbs.subject.0.truncate(3)).len(), 1);
    let merged = |tbs: &mut TbsCertificate| {
        let second = tbs.subject.0.remove(1).0.into_vec().remove(0);
        tbs.subject.0[0].0.insert(second).unwrap();
    };
    assert!(found(merged)[0].ends_with("not one attribute in each RDN"));
    let reissued = |tbs: &mut TbsCertificate| tbs.issuer.0.truncate(2);
    assert_eq!(
        found(reissued),
        ["issuer is CN=Muhr sinov CA,O=Muhr sinov markazi, not CN=Muhr sinov CA,O=Muhr sinov markazi,C=UZ"]
    );
}

#[test]
fn a_longer_validity_is_found() {
    let longer = |months: u32| {
        found(|tbs| {
            let end = now().whole_seconds().plus_months(months).to_offset_date_time();
            let end = der::DateTime::from_unix_duration(std::time::Duration::from_secs(
                end.unix_timestamp() as u64
            ));
            tbs.validity.not_after =
                x509_cert::time::Time::UtcTime(der::asn1::UtcTime::from_date_time(end.unwrap()).unwrap());
        })
    };
    assert_eq!(longer(12), ["notAfter is 2027-11-20T08:30:15Z, not 2027-11-20T08:30:14Z"]);
    let beyond = longer(24);
    assert_eq!(beyond[1], "notAfter is 2028-11-20T08:30:15Z, not at most 2028-11-20T08:30:14Z");
}

#[test]
fn a_time_of_the_wrong_type_is_found() {
    let findings = found(|tbs| {
        let end = tbs.validity.not_after.to_date_time();
        tbs.validity.not_after = der::asn1::GeneralizedTime::from_date_time(end).into();
    });
    assert_eq!(findings, ["notAfter is the other type, not UTCTime through 2049, GeneralizedTime after"]);
}

#[test]
fn another_key_another_version_and_another_algorithm_are_found() {
    let key = spki::SubjectPublicKeyInfoOwned::from_der(&subject_key("P-384")).unwrap();
    let findings = found(|tbs| tbs.subject_public_key_info = key);
    assert!(findings.len() == 1 && findings[0].starts_with("subjectPublicKeyInfo is "), "{findings:?}");
    assert_eq!(found(|tbs| tbs.version = Version::V2), ["version is V2, not v3"]);
    let algorithm = ca_core::algorithm::SignatureAlgorithm::ecdsa_with_sha384().identifier;
    let other = found(|tbs| tbs.signature = algorithm);
    assert_eq!(other, ["signature is 1.2.840.10045.4.3.3, not 1.2.840.10045.4.3.2"]);
    let parameters = Some(der::asn1::Null.into());
    assert_eq!(found(|tbs| tbs.signature.parameters = parameters).len(), 1);
    let unique = found(|tbs| tbs.subject_unique_id = Some(BitString::from_bytes(&[1]).unwrap()));
    assert_eq!(unique, ["subjectUniqueID is present, not absent"]);
    let number = Uint::new(&[7; 16]).unwrap();
    let serial = x509_cert::serial_number::SerialNumber::new(number.as_bytes()).unwrap();
    assert_eq!(found(|tbs| tbs.serial_number = serial).len(), 1);
}

#[test]
fn octets_that_no_field_owns_are_found() {
    let authority = Authority::new();
    let tbs = authority.issuing.prepare(&profile("legal_entity"), good()).unwrap().tbs().to_vec();
    assert_eq!(resumed(&authority, &tbs), [""; 0]);
    assert_eq!(resumed(&authority, &[tbs.clone(), vec![0]].concat()).len(), 1);
    assert_eq!(resumed(&authority, &tbs[..tbs.len() - 1]).len(), 1);
    assert_eq!(resumed(&authority, b"").len(), 1);
    // A NULL behind the extensions, inside the TBSCertificate: 30 82 LL LL.
    let mut longer = [tbs.clone(), vec![5, 0]].concat();
    let length = u16::from_be_bytes([tbs[2], tbs[3]]) + 2;
    longer[2..4].copy_from_slice(&length.to_be_bytes());
    assert!(!resumed(&authority, &longer).is_empty());
    // The BOOLEAN TRUE of a critical flag as 01 instead of FF: BER, not DER.
    let at = tbs.windows(3).position(|octets| octets == [1, 1, 0xff]).unwrap();
    let mut ber = tbs;
    ber[at + 2] = 1;
    assert!(!resumed(&authority, &ber).is_empty());
}
