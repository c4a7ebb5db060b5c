//! A key file as every reader accepts it.

use aws_lc_rs::rand;
use ca_core::signer::{FileKey, Signer};
use cms::content_info::ContentInfo;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::ID_DATA;
use der::asn1::{OctetString, SetOfVec};
use der::{Any, Decode, Encode, Tag};
use pkcs8::PrivateKeyInfo;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs12::cert_type::CertBag;
use pkcs12::pfx::{Pfx, Version};
use pkcs12::safe_bag::SafeBag;
use pkcs12::{PKCS_12_CERT_BAG_OID, PKCS_12_PKCS8_KEY_BAG_OID};
use x509_cert::attr::{Attribute, Attributes};

use super::{Fault, ITERATIONS, KeyFile, mac};

pub(super) const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
pub(super) const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
/// RFC 2985 section 5.2.3: x509Certificate.
pub(super) const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");

/// The file of this key: PBES2 (RFC 8018 section 6.2) with PBKDF2, HMAC-SHA-256, 100 000 iterations and AES-256-CBC for the
/// key; certificates in the clear; HMAC-SHA-256 over both.
///
/// # Errors
/// [`Fault::NoKey`] if the key is none, [`Fault::Cryptography`].
pub fn write(content: &KeyFile, password: &str) -> Result<Vec<u8>, Fault> {
    let key = FileKey::from_pkcs8_der(&content.pkcs8).map_err(|_| Fault::NoKey)?;
    let key_id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key());
    let key_id = &key_id.as_ref()[..20];
    let key_bag = key_bag(content, password, key_id)?;
    let certificate_bags = content
        .certificates
        .iter()
        .enumerate()
        .map(|(index, certificate)| certificate_bag(certificate, (index == 0).then_some(key_id)))
        .collect::<Result<Vec<_>, _>>();
    let encoded = || -> der::Result<Vec<u8>> {
        let mut safes = vec![data(&vec![key_bag].to_der()?)?];
        if !content.certificates.is_empty() {
            safes.push(data(&certificate_bags?.to_der()?)?);
        }
        safes.to_der()
    };
    let authenticated_safe = encoded().map_err(|_| Fault::Cryptography)?;
    let mac_data = Some(mac::made(&authenticated_safe, password, &random::<20>()?)?);
    let auth_safe = data(&authenticated_safe).map_err(|_| Fault::Cryptography)?;
    Pfx { version: Version::V3, auth_safe, mac_data }.to_der().map_err(|_| Fault::Cryptography)
}

/// RFC 7292 section 4.2.2.
fn key_bag(content: &KeyFile, password: &str, key_id: &[u8]) -> Result<SafeBag, Fault> {
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let parameters =
        Parameters::pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, &iv).map_err(|_| Fault::Cryptography)?;
    let info = PrivateKeyInfo::from_der(&content.pkcs8).map_err(|_| Fault::NoKey)?;
    let encrypted = info.encrypt_with_params(parameters, password).map_err(|_| Fault::Cryptography)?;
    let attributes = attributes(content.alias.as_deref(), Some(key_id)).map_err(|_| Fault::Cryptography)?;
    Ok(SafeBag {
        bag_id: PKCS_12_PKCS8_KEY_BAG_OID,
        bag_value: encrypted.as_bytes().to_vec(),
        bag_attributes: attributes,
    })
}

/// RFC 7292 section 4.2.3.
fn certificate_bag(certificate: &[u8], key_id: Option<&[u8]>) -> der::Result<SafeBag> {
    let bag = CertBag { cert_id: X509_CERTIFICATE, cert_value: OctetString::new(certificate)? };
    Ok(SafeBag {
        bag_id: PKCS_12_CERT_BAG_OID,
        bag_value: bag.to_der()?,
        bag_attributes: attributes(None, key_id)?,
    })
}

fn attributes(alias: Option<&str>, key_id: Option<&[u8]>) -> der::Result<Option<Attributes>> {
    let mut attributes = Attributes::new();
    if let Some(alias) = alias {
        let utf_16: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
        attributes.insert(attribute(FRIENDLY_NAME, Any::new(Tag::BmpString, utf_16)?)?)?;
    }
    if let Some(key_id) = key_id {
        attributes.insert(attribute(LOCAL_KEY_ID, Any::new(Tag::OctetString, key_id)?)?)?;
    }
    Ok((!attributes.is_empty()).then_some(attributes))
}

fn attribute(oid: ObjectIdentifier, value: Any) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

/// RFC 5652 section 4: octets as they are.
fn data(octets: &[u8]) -> der::Result<ContentInfo> {
    Ok(ContentInfo { content_type: ID_DATA, content: Any::new(Tag::OctetString, octets)? })
}

fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut octets = [0; N];
    rand::fill(&mut octets).map_err(|_| Fault::Cryptography)?;
    Ok(octets)
}
