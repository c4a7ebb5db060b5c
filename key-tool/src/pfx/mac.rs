//! The MAC over a file's content (RFC 7292 section 4 and appendix B).

use aws_lc_rs::hmac;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::Any;
use der::asn1::OctetString;
use pkcs12::digest_info::DigestInfo;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::mac_data::MacData;
use sha2::{Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::{Fault, ITERATIONS};

/// The MAC of what is written.
pub(super) fn made(content: &[u8], password: &str, salt: &[u8]) -> Result<MacData, Fault> {
    let iterations = i32::try_from(ITERATIONS).map_err(|_| Fault::TooMuchWork)?;
    let tag = hmac::sign(&key(ID_SHA_256, password, salt, iterations)?, content);
    let octets = |octets: &[u8]| OctetString::new(octets).map_err(|_| Fault::Cryptography);
    let algorithm = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: Some(Any::null()) };
    let mac = DigestInfo { algorithm, digest: octets(tag.as_ref())? };
    Ok(MacData { mac, mac_salt: octets(salt)?, iterations })
}

/// Whether the MAC is the one of this content under this password.
pub(super) fn fits(mac: &MacData, content: &[u8], password: &str) -> Result<bool, Fault> {
    let key = key(mac.mac.algorithm.oid, password, mac.mac_salt.as_bytes(), mac.iterations)?;
    Ok(hmac::verify(&key, content, mac.mac.digest.as_bytes()).is_ok())
}

fn key(hash: ObjectIdentifier, password: &str, salt: &[u8], rounds: i32) -> Result<hmac::Key, Fault> {
    let mac = Pkcs12KeyType::Mac;
    let (algorithm, key) = match hash {
        ID_SHA_256 => (hmac::HMAC_SHA256, derive_key_utf8::<Sha256>(password, salt, mac, rounds, 32)),
        ID_SHA_384 => (hmac::HMAC_SHA384, derive_key_utf8::<Sha384>(password, salt, mac, rounds, 48)),
        ID_SHA_512 => (hmac::HMAC_SHA512, derive_key_utf8::<Sha512>(password, salt, mac, rounds, 64)),
        _ => return Err(Fault::Unsupported),
    };
    // A password outside the Basic Multilingual Plane has no BMPString, so no file is opened by it.
    let key = Zeroizing::new(key.map_err(|_| Fault::WrongPassword)?);
    Ok(hmac::Key::new(algorithm, &key))
}
