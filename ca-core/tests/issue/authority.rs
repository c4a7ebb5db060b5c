//! A root, an issuing CA and what one asks of them: the same octets in every run, but for ECDSA's signatures.

use std::sync::Arc;

use ca_core::issue::{Certificate, Issuer, Request, Urls};
use ca_core::profile::{Profile, SubjectFields};
use ca_core::signer::{FileKey, Signer};
use ca_core::{SerialNumber, Timestamp};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::{sha256, sha512};

const NOW: &str = "2026-11-20T08:30:15.250Z";
pub(crate) const SUBSCRIBERS: [&str; 3] = ["natural_person", "sole_proprietor", "legal_entity"];

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn profile_toml(name: &str) -> &'static str {
    match name {
        "root" => include_str!("../../../config/profiles/root.toml"),
        "issuing_ca" => include_str!("../../../config/profiles/issuing_ca.toml"),
        "ocsp_signer" => include_str!("../../../config/profiles/ocsp_signer.toml"),
        "natural_person" => include_str!("../../../config/profiles/natural_person.toml"),
        "sole_proprietor" => include_str!("../../../config/profiles/sole_proprietor.toml"),
        "legal_entity" => include_str!("../../../config/profiles/legal_entity.toml"),
        other => panic!("no profile {other}"),
    }
}

pub(crate) fn profile(name: &str) -> Profile {
    toml::from_str(profile_toml(name)).unwrap()
}

/// A private key that depends on its label alone.
pub(crate) fn ec_key(curve: Nid, label: &str) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    let scalar = BigNum::from_slice(&sha256(label.as_bytes())).unwrap();
    let mut point = EcPoint::new(&group).unwrap();
    point.mul_generator2(&group, &scalar, &mut BigNumContext::new().unwrap()).unwrap();
    PKey::from_ec_key(EcKey::from_private_components(&group, &scalar, &point).unwrap()).unwrap()
}

pub(crate) fn signer(key: &PKey<Private>) -> Arc<dyn Signer> {
    Arc::new(FileKey::from_pkcs8_der(&key.private_key_to_pkcs8().unwrap()).unwrap())
}

/// A subject's public key that depends on its algorithm alone.
pub(crate) fn subject_key(algorithm: &str) -> Vec<u8> {
    let curve = match algorithm {
        "P-256" => Nid::X9_62_PRIME256V1,
        "P-384" => Nid::SECP384R1,
        "P-521" => Nid::SECP521R1,
        "Ed25519" => {
            let key = PKey::private_key_from_raw_bytes(&sha256(b"subject"), Id::ED25519).unwrap();
            return key.public_key_to_der().unwrap();
        }
        "RSA-2048" => {
            let mut modulus: Vec<u8> = (0u8..4).flat_map(|part| sha512(&[part])).collect();
            (modulus[0], modulus[255]) = (modulus[0] | 0x80, modulus[255] | 1);
            let (n, e) = (BigNum::from_slice(&modulus).unwrap(), BigNum::from_u32(65537).unwrap());
            return Rsa::from_public_components(n, e).unwrap().public_key_to_der().unwrap();
        }
        other => panic!("no key {other}"),
    };
    ec_key(curve, "subject").public_key_to_der().unwrap()
}

pub(crate) const SUBJECT_KEYS: [&str; 5] = ["P-256", "P-384", "P-521", "Ed25519", "RSA-2048"];

/// A subject with every field; each profile takes what it shows.
pub(crate) fn person() -> SubjectFields {
    let some = |text: &str| Some(text.to_owned());
    SubjectFields {
        common_name: some("VALIYEV ALI G\u{2bb}ANI O\u{2bb}G\u{2bb}LI"),
        given_name: some("ALI"),
        surname: some("VALIYEV"),
        organization: some("\"NAMUNA SAVDO\" MCHJ"),
        organizational_unit: None,
        district: some("Мирзо Улуғбек тумани"),
        region: some("Toshkent shahri"),
        country: some("UZ"),
        uid: some("412345676"),
        pinfl: some("31503901234562"),
        organization_stir: some("301234561"),
        title: some("Директор"),
        email: some("ali.valiyev@namuna.example"),
        business_category: some("46900"),
    }
}

fn ca_name(common_name: &str) -> SubjectFields {
    SubjectFields {
        common_name: Some(common_name.to_owned()),
        organization: Some("Muhr sinov markazi".to_owned()),
        country: Some("UZ".to_owned()),
        ..SubjectFields::default()
    }
}

pub(crate) fn serial(last: u8) -> SerialNumber {
    let mut octets = [0x42; 16];
    octets[15] = last;
    SerialNumber::try_from(octets.as_slice()).unwrap()
}

pub(crate) fn request(subject: SubjectFields, public_key: Vec<u8>, serial_octet: u8) -> Request {
    Request {
        subject,
        public_key,
        serial: serial(serial_octet),
        now: now(),
        urls: Urls::below("http://ca.muhr.example", "issuing"),
        months: None,
    }
}

/// The CAs of these tests.
pub(crate) struct Authority {
    now: Timestamp,
    pub(crate) root: Issuer,
    pub(crate) issuing: Issuer,
    pub(crate) ocsp: Certificate,
}

impl Authority {
    /// Root P-384, issuing CA P-256, OCSP signer P-256.
    pub(crate) fn new() -> Self {
        Self::at(now())
    }

    /// The same at another moment.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self::made_at(now, &ec_key(Nid::SECP384R1, "root"), &ec_key(Nid::X9_62_PRIME256V1, "issuing"))
    }

    /// The same with other keys.
    pub(crate) fn with(root_key: &PKey<Private>, issuing_key: &PKey<Private>) -> Self {
        Self::made_at(now(), root_key, issuing_key)
    }

    fn made_at(now: Timestamp, root_key: &PKey<Private>, issuing_key: &PKey<Private>) -> Self {
        let request = |subject, key, serial| Request { now, ..request(subject, key, serial) };
        let root_request = request(ca_name("Muhr sinov ildizi"), root_key.public_key_to_der().unwrap(), 1);
        let (root, _) = Issuer::self_signed(&profile("root"), root_request, signer(root_key)).unwrap();
        let mut ca_request = request(ca_name("Muhr sinov CA"), issuing_key.public_key_to_der().unwrap(), 2);
        ca_request.urls = Urls::below("http://ca.muhr.example", "root");
        let ca = root.issue(root.prepare(&profile("issuing_ca"), ca_request).unwrap()).unwrap();
        let issuing = Issuer::new(&ca.der, signer(issuing_key)).unwrap();
        let ocsp_key = ec_key(Nid::X9_62_PRIME256V1, "ocsp").public_key_to_der().unwrap();
        let ocsp = request(ca_name("Muhr sinov OCSP"), ocsp_key, 3);
        let ocsp = issuing.issue(issuing.prepare(&profile("ocsp_signer"), ocsp).unwrap()).unwrap();
        Self { now, root, issuing, ocsp }
    }

    pub(crate) fn subscriber(&self, profile_name: &str, key: &str) -> Certificate {
        let request = Request { now: self.now, ..request(person(), subject_key(key), 9) };
        self.issuing.issue(self.issuing.prepare(&profile(profile_name), request).unwrap()).unwrap()
    }
}
