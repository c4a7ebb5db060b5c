//! rcgen, asked for the same content, writes the same octets.

use ca_core::issue::{Certificate, Issuer, Request, Urls};
use ca_core::profile::{Kind, Profile, Source};
use ca_core::signer::Signer;
use openssl::sha::sha1;
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType,
    DnValue, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber, SigningKey, SubjectPublicKeyInfo,
};
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::SubjectPublicKeyInfo as ReadKey;

use crate::authority::{Authority, SUBJECT_KEYS, SUBSCRIBERS, person, profile, request, subject_key};

/// Our signer, as rcgen wants it.
struct Key<'a>(&'a dyn Signer, &'static rcgen::SignatureAlgorithm, Vec<u8>);

impl<'a> Key<'a> {
    fn of(issuer: &'a Issuer) -> Self {
        let signer = issuer.signer().as_ref();
        let key = ReadKey::from_der(signer.public_key()).unwrap().1.subject_public_key.data.to_vec();
        let algorithm = match signer.algorithm().name {
            "ecdsa-with-SHA256" => &rcgen::PKCS_ECDSA_P256_SHA256,
            "ecdsa-with-SHA384" => &rcgen::PKCS_ECDSA_P384_SHA384,
            other => panic!("{other}"),
        };
        Self(signer, algorithm, key)
    }
}

impl PublicKeyData for Key<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.2
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.1
    }
}

impl SigningKey for Key<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// DER by hand, so that nothing of ours is compared with itself.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let header = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [&header, content].concat()
}

fn access(method: u8, url: &str) -> Vec<u8> {
    let oid = [0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, method];
    tlv(0x30, &[&oid[..], &tlv(0x86, url.as_bytes())].concat())
}

fn components(oid: &str) -> Vec<u64> {
    oid.split('.').map(|component| component.parse().unwrap()).collect()
}

fn oid_der(oid: &str) -> Vec<u8> {
    tlv(6, der::asn1::ObjectIdentifier::new(oid).unwrap().as_bytes())
}

fn name(profile: &Profile, request: &Request) -> (DistinguishedName, Option<String>) {
    let (mut name, mut mailbox) = (DistinguishedName::new(), None);
    for part in profile.subject() {
        let value = match &part.source {
            Source::Text(text) => text.clone(),
            Source::Field { field, .. } => match request.subject.get(*field) {
                Some(value) => value.to_owned(),
                None => continue,
            },
        };
        let value = match part.attribute.name() {
            "C" => DnValue::PrintableString(value.as_str().try_into().unwrap()),
            "E" => {
                mailbox = Some(value.clone());
                DnValue::Ia5String(value.as_str().try_into().unwrap())
            }
            _ => DnValue::Utf8String(value),
        };
        name.push(DnType::from_oid(&components(&part.attribute.oid().to_string())), value);
    }
    (name, mailbox)
}

/// Says again, in rcgen's words, what the profile and the request ask for.
fn params(profile: &Profile, request: &Request, ours: &Certificate, months: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mailbox;
    (params.distinguished_name, mailbox) = name(profile, request);
    params.subject_alt_names =
        mailbox.iter().map(|m| SanType::Rfc822Name(m.as_str().try_into().unwrap())).collect();
    params.serial_number = Some(SerialNumber::from_slice(request.serial.as_bytes()));
    params.not_before = request.now.whole_seconds().to_offset_date_time();
    params.not_after =
        request.now.whole_seconds().plus_months(months).to_offset_date_time() - time::Duration::SECOND;
    params.use_authority_key_identifier_extension = true;
    let (_, key) = ReadKey::from_der(&request.public_key).unwrap();
    let identifier = sha1(&key.subject_public_key.data).to_vec();
    params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.clone());
    let dotted = key.algorithm.algorithm.to_id_string();
    params.key_usages = match (profile.kind(), dotted.as_str()) {
        (Kind::Root | Kind::IssuingCa, _) => vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
        (Kind::OcspSigner, _) => vec![KeyUsagePurpose::DigitalSignature],
        (Kind::Officer, _) => vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment],
        (Kind::EndEntity, oid) => {
            let mut usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
            match oid {
                "1.2.840.113549.1.1.1" => usages.push(KeyUsagePurpose::KeyEncipherment),
                "1.2.840.10045.2.1" => usages.push(KeyUsagePurpose::KeyAgreement),
                _ => {}
            }
            usages
        }
    };
    let ski = CustomExtension::from_oid_content(&[2, 5, 29, 14], tlv(4, &identifier));
    let (crl, Urls { ocsp, ca_issuers, cps, .. }) = (vec![request.urls.crl.clone()], &request.urls);
    let policies = |oid: &str| {
        let cps = [oid_der("1.3.6.1.5.5.7.2.1"), tlv(0x16, cps.as_bytes())].concat();
        let information = [oid_der(oid), tlv(0x30, &tlv(0x30, &cps))].concat();
        CustomExtension::from_oid_content(&[2, 5, 29, 32], tlv(0x30, &tlv(0x30, &information)))
    };
    let aia = |content: Vec<u8>| {
        CustomExtension::from_oid_content(&components("1.3.6.1.5.5.7.1.1"), tlv(0x30, &content))
    };
    match profile.kind() {
        Kind::Root => params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)),
        Kind::IssuingCa => {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.crl_distribution_points = vec![CrlDistributionPoint { uris: crl }];
            params.custom_extensions = vec![policies("2.5.29.32.0"), aia(access(2, ca_issuers))];
        }
        // Its status is nobody else's business: no pointers.
        Kind::Officer => {}
        Kind::OcspSigner => {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
            let nocheck = CustomExtension::from_oid_content(&components("1.3.6.1.5.5.7.48.1.5"), vec![5, 0]);
            params.custom_extensions = vec![ski, nocheck];
        }
        Kind::EndEntity => {
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::EmailProtection,
                ExtendedKeyUsagePurpose::Other(components("1.3.6.1.5.5.7.3.36")),
            ];
            params.crl_distribution_points = vec![CrlDistributionPoint { uris: crl }];
            let both = [access(1, ocsp), access(2, ca_issuers)].concat();
            params.custom_extensions = vec![ski, policies(&profile.policy().unwrap().to_string()), aia(both)];
        }
    }
    assert_eq!(params.not_before.unix_timestamp(), ours.not_before.unix_seconds());
    params
}

fn tbs(certificate: &[u8]) -> String {
    hex::encode(X509Certificate::from_der(certificate).unwrap().1.tbs_certificate.as_ref())
}

fn assert_same(issuer: &Issuer, profile: &Profile, request: Request, months: u32) {
    let ours = issuer.issue(issuer.prepare(profile, request.clone()).unwrap()).unwrap();
    let params = params(profile, &request, &ours, months);
    let key = SubjectPublicKeyInfo::from_der(&request.public_key).unwrap();
    let issuing = rcgen::Issuer::from_ca_cert_der(&issuer.certificate().into(), Key::of(issuer)).unwrap();
    let theirs = params.signed_by(&key, &issuing).unwrap();
    assert_eq!(tbs(&ours.der), tbs(theirs.der()), "{}", profile.name());
}

#[test]
fn subscribers_certificates_are_the_octets_rcgen_writes() {
    let authority = Authority::new();
    for name in SUBSCRIBERS {
        for key in SUBJECT_KEYS {
            assert_same(&authority.issuing, &profile(name), request(person(), subject_key(key), 9), 12);
        }
    }
}

#[test]
fn ca_and_ocsp_certificates_are_the_octets_rcgen_writes() {
    let authority = Authority::new();
    assert_same(&authority.issuing, &profile("ocsp_signer"), request(person(), subject_key("P-256"), 3), 3);
    assert_same(&authority.root, &profile("issuing_ca"), request(person(), subject_key("P-384"), 2), 120);
}

#[test]
fn the_root_is_the_octets_rcgen_writes() {
    let authority = Authority::new();
    let issuer = &authority.root;
    let mut request = request(person(), issuer.signer().public_key().to_vec(), 1);
    let (root, ours) =
        Issuer::self_signed(&profile("root"), request.clone(), issuer.signer().clone()).unwrap();
    request.subject = person();
    let theirs = params(&profile("root"), &request, &ours, 240).self_signed(&Key::of(&root)).unwrap();
    assert_eq!(tbs(&ours.der), tbs(theirs.der()));
}
