//! Key files that this program, OpenSSL 3, Java and others have written.

use ca_core::signer::{FileKey, Signer};
use cms::content_info::ContentInfo;
use const_oid::db::rfc5911::{ID_DATA, ID_ENCRYPTED_DATA};
use der::asn1::{ContextSpecific, OctetString};
use der::{Any, Decode, Encode, Tag, Tagged};
use pkcs8::pkcs5;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs12::cert_type::CertBag;
use pkcs12::pfx::Pfx;
use pkcs12::safe_bag::SafeBag;
use pkcs12::{PKCS_12_CERT_BAG_OID, PKCS_12_PKCS8_KEY_BAG_OID};
use spki::AlgorithmIdentifierRef;
use x509_cert::Certificate;
use zeroize::Zeroizing;

use super::scheme::{self, EncryptedKey};
use super::write::{FRIENDLY_NAME, LOCAL_KEY_ID, X509_CERTIFICATE};
use super::{Fault, KeyFile, Listing, MAX_ITERATIONS, MAX_SIZE, in_order, mac};
use crate::ber::{joined, to_der};

/// The aliases and certificates that can be read without a password.
///
/// # Errors
/// [`Fault::NotPfx`], [`Fault::TooLarge`].
pub fn list(file: &[u8]) -> Result<Listing, Fault> {
    let (_, safes) = parse(file)?;
    let mut listing = Listing::default();
    for safe in safes.iter().filter(|safe| safe.content_type == ID_DATA) {
        for bag in bags(octets(&safe.content)?.as_bytes())? {
            match bag.bag_id {
                PKCS_12_PKCS8_KEY_BAG_OID => listing.aliases.extend(alias(&bag)),
                PKCS_12_CERT_BAG_OID => {
                    listing.certificates.extend(certificate(&bag)?.and_then(|found| found.to_der().ok()));
                }
                _ => {}
            }
        }
    }
    Ok(listing)
}

/// Opens the file. A password that is wrong and octets that were changed are told apart by whether anything in the file
/// opens under the password.
///
/// # Errors
/// Every [`Fault`].
pub fn open(file: &[u8], password: &str) -> Result<KeyFile, Fault> {
    let (pfx, safes) = parse(file)?;
    let authenticated_safe = octets(&pfx.auth_safe.content)?;
    let mac = pfx.mac_data.as_ref().ok_or(Fault::Unsupported)?;
    let mut work = Work(MAX_ITERATIONS);
    work.spend(u32::try_from(mac.iterations).map_err(|_| Fault::NotPfx)?)?;
    let genuine = mac::fits(mac, authenticated_safe.as_bytes(), password)?;
    match (collect(&safes, password, &mut work), genuine) {
        (Ok(found), true) => found.sorted(),
        (Ok(_) | Err(Fault::Damaged), false) => Err(Fault::Damaged),
        (Err(Fault::WrongPassword), true) => Err(Fault::Damaged),
        (Err(fault), _) => Err(fault),
    }
}

/// How much password hashing is still granted.
struct Work(u32);

impl Work {
    fn spend(&mut self, iterations: u32) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(iterations).ok_or(Fault::TooMuchWork)?;
        Ok(())
    }
}

/// localKeyId (RFC 2985 section 5.5.2).
type KeyId = Option<Vec<u8>>;

#[derive(Default)]
struct Found {
    key: Option<FoundKey>,
    certificates: Vec<(Certificate, KeyId)>,
}

struct FoundKey {
    pkcs8: Zeroizing<Vec<u8>>,
    alias: Option<String>,
    id: KeyId,
}

impl Found {
    /// The certificate of the key is the one with its localKeyId, else the one with its public half.
    fn sorted(self) -> Result<KeyFile, Fault> {
        let FoundKey { pkcs8, alias, id: key_id } = self.key.ok_or(Fault::NoKey)?;
        let public_key = FileKey::from_pkcs8_der(&pkcs8).map(|key| key.public_key().to_vec()).ok();
        let mut certificates = self.certificates;
        let same_key = |certificate: &Certificate| {
            certificate.tbs_certificate.subject_public_key_info.to_der().ok() == public_key
        };
        let own = certificates
            .iter()
            .position(|(_, id)| id.is_some() && *id == key_id)
            .or_else(|| certificates.iter().position(|(certificate, _)| same_key(certificate)))
            .map(|index| certificates.swap_remove(index).0);
        let others = certificates.into_iter().map(|(certificate, _)| certificate).collect();
        Ok(KeyFile { alias, pkcs8, certificates: in_order(own, others) })
    }
}

/// RFC 7292 section 4: the file and the safes in it.
fn parse(file: &[u8]) -> Result<(Pfx, Vec<ContentInfo>), Fault> {
    if file.len() > MAX_SIZE {
        return Err(Fault::TooLarge);
    }
    let pfx = Pfx::from_der(&to_der(file)).map_err(|_| Fault::NotPfx)?;
    if pfx.auth_safe.content_type != ID_DATA {
        return Err(Fault::Unsupported);
    }
    let safes = to_der(octets(&pfx.auth_safe.content)?.as_bytes());
    let safes = Vec::from_der(&safes).map_err(|_| Fault::NotPfx)?;
    Ok((pfx, safes))
}

fn collect(safes: &[ContentInfo], password: &str, work: &mut Work) -> Result<Found, Fault> {
    let mut found = Found::default();
    for safe in safes {
        let contents = match safe.content_type {
            ID_DATA => Zeroizing::new(octets(&safe.content)?.into_bytes()),
            ID_ENCRYPTED_DATA => decrypt_safe(&safe.content, password, work)?,
            _ => continue,
        };
        for bag in bags(&contents)? {
            match bag.bag_id {
                PKCS_12_PKCS8_KEY_BAG_OID if found.key.is_none() => {
                    let pkcs8 = decrypt_key(&bag, password, work)?;
                    found.key = Some(FoundKey { pkcs8, alias: alias(&bag), id: key_id(&bag) });
                }
                PKCS_12_CERT_BAG_OID => {
                    found.certificates.extend(certificate(&bag)?.map(|it| (it, key_id(&bag))));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// RFC 7292 section 4.1, "password-based encryption"; RFC 5652 section 8.
fn decrypt_safe(content: &Any, password: &str, work: &mut Work) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let parts: Vec<Any> = content.decode_as().map_err(|_| Fault::NotPfx)?;
    let info: Vec<Any> = parts.get(1).ok_or(Fault::NotPfx)?.decode_as().map_err(|_| Fault::NotPfx)?;
    let [_, algorithm, encrypted] = info.as_slice() else { return Err(Fault::NotPfx) };
    let algorithm = algorithm.to_der().map_err(|_| Fault::NotPfx)?;
    let algorithm = AlgorithmIdentifierRef::from_der(&algorithm).map_err(|_| Fault::NotPfx)?;
    // [0] IMPLICIT OCTET STRING: whole, or in pieces.
    let encrypted = match encrypted.tag() {
        Tag::ContextSpecific { constructed: false, .. } => encrypted.value().to_vec(),
        _ => joined(encrypted.value()).ok_or(Fault::NotPfx)?,
    };
    decrypt(&algorithm, &encrypted, password, work)
}

fn decrypt_key(bag: &SafeBag, password: &str, work: &mut Work) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let value = value(bag)?.to_der().map_err(|_| Fault::NotPfx)?;
    let encrypted = EncryptedKey::from_der(&value).map_err(|_| Fault::NotPfx)?;
    decrypt(&encrypted.algorithm, encrypted.octets.as_bytes(), password, work)
}

/// What comes out is a SEQUENCE, or else it was not this password: right padding alone comes by chance once in 256.
fn decrypt(
    algorithm: &AlgorithmIdentifierRef<'_>,
    octets: &[u8],
    password: &str,
    work: &mut Work,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let parameters = scheme::read(algorithm)?;
    let Kdf::Pbkdf2(kdf) = &parameters.kdf else { return Err(Fault::Unsupported) };
    work.spend(kdf.iteration_count)?;
    let plain = parameters.decrypt(password, octets).map(Zeroizing::new).map_err(|error| match error {
        pkcs5::Error::EncryptFailed | pkcs5::Error::DecryptFailed => Fault::WrongPassword,
        _ => Fault::Unsupported,
    })?;
    match plain.first() {
        Some(0x30) => Ok(plain),
        _ => Err(Fault::WrongPassword),
    }
}

fn bags(contents: &[u8]) -> Result<Vec<SafeBag>, Fault> {
    Vec::from_der(&Zeroizing::new(to_der(contents))).map_err(|_| Fault::Damaged)
}

/// What stands in the bag's `[0]`, which the crate leaves around it.
fn value(bag: &SafeBag) -> Result<Any, Fault> {
    ContextSpecific::<Any>::from_der(&bag.bag_value).map(|tagged| tagged.value).map_err(|_| Fault::NotPfx)
}

fn certificate(bag: &SafeBag) -> Result<Option<Certificate>, Fault> {
    let bag: CertBag = value(bag)?.decode_as().map_err(|_| Fault::NotPfx)?;
    if bag.cert_id != X509_CERTIFICATE {
        return Ok(None);
    }
    Certificate::from_der(bag.cert_value.as_bytes()).map(Some).map_err(|_| Fault::Damaged)
}

fn alias(bag: &SafeBag) -> Option<String> {
    let value = attribute(bag, FRIENDLY_NAME)?;
    let units = value.value().chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
    (value.tag() == Tag::BmpString)
        .then(|| char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect())
}

fn key_id(bag: &SafeBag) -> Option<Vec<u8>> {
    attribute(bag, LOCAL_KEY_ID).map(|value| value.value().to_vec())
}

fn attribute(bag: &SafeBag, kind: const_oid::ObjectIdentifier) -> Option<&Any> {
    let attributes = bag.bag_attributes.as_ref()?;
    attributes.iter().find(|attribute| attribute.oid == kind)?.values.iter().next()
}

fn octets(content: &Any) -> Result<OctetString, Fault> {
    content.decode_as().map_err(|_| Fault::NotPfx)
}
