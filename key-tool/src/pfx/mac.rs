//! The MAC over a file's content (RFC 7292 section 4 and appendix B).

use aws_lc_rs::{digest, hmac};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::Any;
use der::asn1::OctetString;
use pkcs12::digest_info::DigestInfo;
use pkcs12::mac_data::MacData;
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::{Fault, ITERATIONS};

/// The diversifier of keys for MACs (appendix B.3).
const FOR_MAC: u8 = 3;

/// The MAC of what is written.
pub(super) fn made(content: &[u8], password: &str, salt: &[u8]) -> Result<MacData, Fault> {
    let iterations = i32::try_from(ITERATIONS).map_err(|_| Fault::TooMuchWork)?;
    let tag = hmac::sign(&key(ID_SHA_256, password, salt, ITERATIONS)?, content);
    let octets = |octets: &[u8]| OctetString::new(octets).map_err(|_| Fault::Cryptography);
    let algorithm = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: Some(Any::null()) };
    let mac = DigestInfo { algorithm, digest: octets(tag.as_ref())? };
    Ok(MacData { mac, mac_salt: octets(salt)?, iterations })
}

/// Whether the MAC is the one of this content under this password.
pub(super) fn fits(mac: &MacData, content: &[u8], password: &str) -> Result<bool, Fault> {
    let iterations = u32::try_from(mac.iterations).map_err(|_| Fault::NotPfx)?;
    let key = key(mac.mac.algorithm.oid, password, mac.mac_salt.as_bytes(), iterations)?;
    Ok(hmac::verify(&key, content, mac.mac.digest.as_bytes()).is_ok())
}

/// Appendix B.2, where the key is exactly as long as the hash and so the first of its blocks: the hash of diversifier, salt
/// and password, hashed again and again.
fn key(hash: ObjectIdentifier, password: &str, salt: &[u8], iterations: u32) -> Result<hmac::Key, Fault> {
    let (mac, hash) = match hash {
        ID_SHA_1 => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest::SHA1_FOR_LEGACY_USE_ONLY),
        ID_SHA_256 => (hmac::HMAC_SHA256, &digest::SHA256),
        ID_SHA_384 => (hmac::HMAC_SHA384, &digest::SHA384),
        ID_SHA_512 => (hmac::HMAC_SHA512, &digest::SHA512),
        _ => return Err(Fault::Unsupported),
    };
    // Appendix B.1: UTF-16 with two zero octets behind it.
    let password =
        Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect::<Vec<_>>());
    let block = hash.block_len();
    let mut input = Zeroizing::new(vec![FOR_MAC; block]);
    for part in [salt, &password] {
        input.extend(part.iter().cycle().take(part.len().next_multiple_of(block)));
    }
    let mut result = digest::digest(hash, &input);
    for _ in 1..iterations {
        result = digest::digest(hash, result.as_ref());
    }
    Ok(hmac::Key::new(mac, result.as_ref()))
}
