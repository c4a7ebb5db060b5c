//! The key that mail is signed with (RFC 6376; Ed25519: RFC 8463).

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::settings::Dkim;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::HeaderName;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, pem};
use pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use zeroize::Zeroizing;

use crate::sms::AccountError;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// A private RSA key of 2048 bits (RFC 8301 section 3.2 wants as many) is longer than this in PKCS#1, one of 1024 shorter.
const RSA_MIN_OCTETS: usize = 1000;

/// What is under the signature, if the mail has it. RFC 8058 section 4 wants the last two among them. Content-Type is not:
/// lettre keeps a multipart's with the body, and its signer does not find it there.
const SIGNED: [&str; 8] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// The key of the settings; `None` if mail is not signed.
///
/// # Errors
/// The file cannot be read, or holds no key that can sign mail.
pub(super) fn load(settings: &Dkim, sender_domain: &str) -> Result<Option<DkimConfig>, AccountError> {
    if settings.selector.is_empty() {
        return Ok(None);
    }
    let failed = |reason: &str| AccountError { key: "mail.dkim.key_file", reason: reason.to_owned() };
    let file = settings.key_file.as_deref().ok_or_else(|| failed("a file is expected"))?;
    let key =
        key(&read(file)?).ok_or_else(|| failed("PKCS#8 with RSA (2048 bits) or Ed25519 is expected"))?;
    let domain = if settings.domain.is_empty() { sender_domain } else { &settings.domain };
    let relaxed = DkimCanonicalization {
        header: DkimCanonicalizationType::Relaxed,
        body: DkimCanonicalizationType::Relaxed,
    };
    let headers = SIGNED.into_iter().map(HeaderName::new_from_ascii_str).collect();
    Ok(Some(DkimConfig::new(settings.selector.clone(), domain.to_owned(), key, headers, relaxed)))
}

fn read(file: &Path) -> Result<Zeroizing<String>, AccountError> {
    let failed =
        |error| AccountError { key: "mail.dkim.key_file", reason: format!("{}: {error}", file.display()) };
    std::fs::read_to_string(file).map(Zeroizing::new).map_err(failed)
}

/// lettre wants the bare keys: PKCS#1 in PEM, and the 32 octets of Ed25519 in Base64.
fn key(text: &str) -> Option<DkimSigningKey> {
    let (label, der) = pem::decode_vec(text.as_bytes()).ok()?;
    let der = Zeroizing::new(der);
    if label != "PRIVATE KEY" {
        return None;
    }
    let info = PrivateKeyInfo::try_from(der.as_slice()).ok()?;
    match info.algorithm.oid {
        RSA if info.private_key.len() > RSA_MIN_OCTETS => {
            let bare = pem::encode_string("RSA PRIVATE KEY", pem::LineEnding::LF, info.private_key).ok()?;
            DkimSigningKey::new(&Zeroizing::new(bare), DkimSigningAlgorithm::Rsa).ok()
        }
        ED25519 => {
            let seed = OctetStringRef::from_der(info.private_key).ok()?;
            let bare = Zeroizing::new(STANDARD.encode(seed.as_bytes()));
            DkimSigningKey::new(&bare, DkimSigningAlgorithm::Ed25519).ok()
        }
        _ => None,
    }
}
