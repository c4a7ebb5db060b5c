//! Signing a document.

use aws_lc_rs::digest::{self, digest};
use ca_core::Timestamp;
use ca_core::signer::{FileKey, Signer};
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{
    ID_AA_SIGNING_CERTIFICATE_V_2, ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA,
    ID_SIGNING_TIME,
};
use const_oid::db::rfc5912::{ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::asn1::{OctetString, SetOfVec};
use der::{Any, Decode, Encode, Tag};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Certificate;
use x509_cert::attr::{Attribute, Attributes};

use crate::request;
use crate::trouble::{Exit, Trouble};

/// SignedData (DER) over `content`, with the signer's certificate first among `certificates`; the content stands inside unless
/// the signature is `detached`. Signed with it: content type, digest, time, and which certificate was meant (RFC 5035, so
/// that nobody can put another of the same key in its place).
///
/// # Errors
/// There is no certificate, or the key fails.
pub fn sign(
    key: &FileKey,
    certificates: &[Vec<u8>],
    content: &[u8],
    detached: bool,
    now: Timestamp,
) -> Result<Vec<u8>, Trouble> {
    let own = certificates.first().ok_or_else(|| Trouble::new("no-certificate", Exit::File))?;
    let own_read = Certificate::from_der(own).map_err(|_| Trouble::new("no-certificate", Exit::File))?;
    let encoded = || -> Option<Vec<u8>> {
        let (hash, hash_algorithm) = hash_of(key);
        let attributes = attributes(own, digest(hash, content).as_ref(), now)?;
        let signature = key.sign(&attributes.to_der().ok()?).ok()?;
        let digest_alg = AlgorithmIdentifierOwned { oid: hash_algorithm, parameters: None };
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: own_read.tbs_certificate.issuer.clone(),
                serial_number: own_read.tbs_certificate.serial_number.clone(),
            }),
            digest_alg: digest_alg.clone(),
            signed_attrs: Some(attributes),
            signature_algorithm: key.algorithm().identifier.clone(),
            signature: OctetString::new(signature).ok()?,
            unsigned_attrs: None,
        };
        let inside = if detached { None } else { Some(Any::new(Tag::OctetString, content).ok()?) };
        let read = |der: &Vec<u8>| Certificate::from_der(der).map(CertificateChoices::Certificate);
        let certificates = certificates.iter().map(read).collect::<der::Result<Vec<_>>>().ok()?;
        let signed = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![digest_alg]).ok()?,
            encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: inside },
            certificates: Some(CertificateSet(SetOfVec::try_from(certificates).ok()?)),
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![signer]).ok()?),
        };
        let content = Any::from_der(&signed.to_der().ok()?).ok()?;
        ContentInfo { content_type: ID_SIGNED_DATA, content }.to_der().ok()
    };
    encoded().ok_or_else(Trouble::cryptography)
}

/// The digest that goes with the key's signatures (RFC 5754; for Ed25519 RFC 8419 section 3.1).
fn hash_of(key: &FileKey) -> (&'static digest::Algorithm, ObjectIdentifier) {
    match key.hash() {
        None => (&digest::SHA512, ID_SHA_512),
        Some(hash) if *hash == digest::SHA384 => (&digest::SHA384, ID_SHA_384),
        Some(_) => (&digest::SHA256, ID_SHA_256),
    }
}

/// RFC 5652 section 11, RFC 5035 section 3.
fn attributes(certificate: &[u8], digest_of_content: &[u8], now: Timestamp) -> Option<Attributes> {
    let octets = |octets: &[u8]| OctetString::new(octets).ok();
    // SigningCertificateV2 { certs { ESSCertIDv2 { certHash } } }: SHA-256 is the default and left out.
    let meant = vec![vec![vec![octets(digest(&digest::SHA256, certificate).as_ref())?]]];
    let values = [
        (ID_CONTENT_TYPE, ID_DATA.to_der().ok()?),
        (ID_MESSAGE_DIGEST, octets(digest_of_content)?.to_der().ok()?),
        (ID_SIGNING_TIME, request::time(now)?.to_der().ok()?),
        (ID_AA_SIGNING_CERTIFICATE_V_2, meant.to_der().ok()?),
    ];
    let attributes = values.into_iter().map(|(oid, value)| {
        let values = SetOfVec::try_from(vec![Any::from_der(&value)?])?;
        Ok(Attribute { oid, values })
    });
    SetOfVec::try_from(attributes.collect::<der::Result<Vec<_>>>().ok()?).ok()
}
