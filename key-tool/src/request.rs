//! What a key signs about itself: the certification request (RFC 2986), and the certificate that stands in until the
//! CA's is there.

use std::time::Duration;

use ca_core::signer::{FileKey, Signer};
use ca_core::{SerialNumber, Timestamp};
use const_oid::db::rfc4519;
use der::asn1::{BitString, SetOfVec, UtcTime};
use der::pem::{LineEnding, encode_string};
use der::{Any, Decode, Encode, Tag};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::attr::{AttributeTypeAndValue, Attributes};
use x509_cert::certificate::{CertificateInner, TbsCertificateInner, Version};
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::request::{CertReq, CertReqInfo};
use x509_cert::time::{Time, Validity};

use crate::trouble::Trouble;

/// How long the stand-in is valid, as in deployed clients.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A certification request in DER. The CA takes only the key from it; the name is for people.
///
/// # Errors
/// The cryptographic library failed.
pub fn certification_request(key: &FileKey, name: &str) -> Result<Vec<u8>, Trouble> {
    let encoded = || -> Option<Vec<u8>> {
        let info = CertReqInfo {
            version: x509_cert::request::Version::V1,
            subject: subject(name).ok()?,
            public_key: spki(key).ok()?,
            attributes: Attributes::new(),
        };
        let signature = key.sign(&info.to_der().ok()?).ok()?;
        let algorithm = key.algorithm().identifier.clone();
        CertReq { info, algorithm, signature: BitString::from_bytes(&signature).ok()? }.to_der().ok()
    };
    encoded().ok_or_else(Trouble::cryptography)
}

/// The same in PEM (RFC 7468 section 7).
///
/// # Errors
/// The cryptographic library failed.
pub fn certification_request_pem(key: &FileKey, name: &str) -> Result<String, Trouble> {
    let der = certification_request(key, name)?;
    encode_string("CERTIFICATE REQUEST", LineEnding::LF, &der).map_err(|_| Trouble::cryptography())
}

/// A certificate of one week that the key signs for itself, so that there is something to put beside it.
pub(crate) fn self_signed(key: &FileKey, name: &str, now: Timestamp) -> Result<Vec<u8>, Trouble> {
    let encoded = || -> Option<Vec<u8>> {
        let serial = SerialNumber::random().ok()?;
        let signature = key.algorithm().identifier.clone();
        let tbs_certificate: TbsCertificateInner = TbsCertificateInner {
            version: Version::V1,
            serial_number: x509_cert::serial_number::SerialNumber::new(serial.as_bytes()).ok()?,
            signature: signature.clone(),
            issuer: subject(name).ok()?,
            validity: Validity { not_before: time(now)?, not_after: time(now.plus(WEEK))? },
            subject: subject(name).ok()?,
            subject_public_key_info: spki(key).ok()?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: None,
        };
        let signed = key.sign(&tbs_certificate.to_der().ok()?).ok()?;
        let signature_value = BitString::from_bytes(&signed).ok()?;
        CertificateInner::<x509_cert::certificate::Rfc5280> {
            tbs_certificate,
            signature_algorithm: signature,
            signature: signature_value,
        }
        .to_der()
        .ok()
    };
    encoded().ok_or_else(Trouble::cryptography)
}

/// RFC 5280 section 4.1.2.5: UTCTime through 2049.
pub(crate) fn time(at: Timestamp) -> Option<Time> {
    let seconds = Duration::from_secs(u64::try_from(at.unix_seconds()).ok()?);
    match UtcTime::from_unix_duration(seconds) {
        Ok(time) => Some(Time::UtcTime(time)),
        Err(_) => Some(Time::GeneralTime(der::asn1::GeneralizedTime::from_unix_duration(seconds).ok()?)),
    }
}

fn spki(key: &FileKey) -> der::Result<SubjectPublicKeyInfoOwned> {
    SubjectPublicKeyInfoOwned::from_der(key.public_key())
}

/// `CN=<name>,C=UZ`.
fn subject(name: &str) -> der::Result<RdnSequence> {
    let shortened: String = name.chars().take(64).collect();
    let parts =
        [(rfc4519::CN, Tag::Utf8String, shortened.as_str()), (rfc4519::C, Tag::PrintableString, "UZ")];
    let rdns = parts.into_iter().map(|(oid, tag, value)| {
        let attribute = AttributeTypeAndValue { oid, value: Any::new(tag, value.as_bytes())? };
        Ok(RelativeDistinguishedName(SetOfVec::try_from(vec![attribute])?))
    });
    rdns.collect::<der::Result<Vec<_>>>().map(RdnSequence)
}

#[cfg(test)]
mod tests {
    use ca_core::csr::CertificationRequest;
    use ca_core::signer::KeyAlgorithm;

    use super::*;

    #[test]
    fn the_ca_accepts_the_request_of_every_kind_of_key() {
        for algorithm in
            [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519]
        {
            let key = FileKey::generate(algorithm).unwrap();
            let der = certification_request(&key, "Ўткир =,+\"").unwrap();
            let read = CertificationRequest::parse(&der).unwrap();
            assert_eq!(read.public_key().spki_der(), key.public_key());
            let pem = certification_request_pem(&key, &"x".repeat(100)).unwrap();
            CertificationRequest::parse(pem.as_bytes()).unwrap();
        }
    }

    #[test]
    fn the_stand_in_is_valid_for_a_week_and_has_an_alias() {
        let key = FileKey::generate(KeyAlgorithm::P256).unwrap();
        let certificate = self_signed(&key, "Kalit", "2026-11-26T05:00:00Z".parse().unwrap()).unwrap();
        let alias = ca_core::key_file::alias(&certificate).unwrap();
        assert!(alias.starts_with("cn=kalit,c=uz,serialnumber="), "{alias}");
        assert!(alias.ends_with("validfrom=2026.11.26 10:00:00,validto=2026.12.03 10:00:00"), "{alias}");
    }
}
