//! The application statement: what an applicant signs with the key they want certified.
//!
//! The proof of possession in the request says that somebody holds the private key. The statement says what for: it
//! names the application, the person and the key, so neither can be swapped afterwards. It is signed as CMS
//! (RFC 5652), the form that every key tool can make.

use std::fmt::Write;

use aws_lc_rs::digest;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use const_oid::db::rfc5912::{ID_CE_SUBJECT_KEY_IDENTIFIER, RSA_ENCRYPTION};
use der::asn1::{OctetString, OctetStringRef};
use der::referenced::OwnedToRef;
use der::{Any, Decode, Encode};
use x509_cert::Certificate;

use crate::csr::proof::{Digest, SignatureScheme};
use crate::csr::strict_der::{CONTEXT_0, Elements, SET};
use crate::csr::{Refusal, SubjectPublicKey};
use crate::{SerialNumber, Timestamp};

/// The size of the largest signed statement that is looked at, in octets.
pub const MAX_SIZE: usize = 64 * 1024;

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The application's identifier.
    pub application: &'a str,
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    pub subject_type: &'a str,
    /// The applicant's personal number, 14 digits.
    pub pinfl: &'a str,
    /// The tax number of the organization or sole proprietor, 9 digits.
    pub stir: Option<&'a str>,
    /// [`SubjectPublicKey::sha256`] of the key in the request.
    pub key_sha256: [u8; 32],
    /// What the certificate is wanted for.
    pub purpose: &'a str,
    /// When the application was made.
    pub created_at: Timestamp,
}

/// The bytes to sign: UTF-8, the version and then one `name: value` line for each field, every line ended by LF.
///
/// Backslashes and control characters in a value are written as `\u{hex}`, so no value can pretend to be a line.
/// Signing tools must not change line ends (`openssl cms -sign -binary`).
pub fn statement_text(statement: &Statement<'_>) -> Vec<u8> {
    let mut text = String::from("muhr-application-statement/1\n");
    let mut line = |name: &str, value: &str| push_line(&mut text, name, value);
    let mut key_sha256 = String::with_capacity(64);
    for octet in statement.key_sha256 {
        // Writing to a String cannot fail.
        let _ = write!(key_sha256, "{octet:02x}");
    }
    line("application", statement.application);
    line("subject-type", statement.subject_type);
    line("pinfl", statement.pinfl);
    if let Some(stir) = statement.stir {
        line("stir", stir);
    }
    line("key-sha256", &key_sha256);
    line("purpose", statement.purpose);
    line("created-at", &statement.created_at.to_string());
    text.into_bytes()
}

/// A line of a text to sign, in which no value can pretend to be another line.
pub(crate) fn push_line(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(": ");
    for c in value.chars() {
        if c.is_control() || c == '\\' { text.extend(c.escape_unicode()) } else { text.push(c) }
    }
    text.push('\n');
}

/// What a holder signs with the certified key once they have saved it, so that key and certificate are known to belong
/// together: the version and then `name: value` lines, each ended by LF. Signed and verified as a statement is.
pub fn receipt_text(application: &str, serial: &SerialNumber, certificate: &[u8]) -> Vec<u8> {
    let mut certificate_sha256 = String::with_capacity(64);
    for octet in digest::digest(&digest::SHA256, certificate).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(certificate_sha256, "{octet:02x}");
    }
    format!("muhr-receipt/1\napplication: {application}\nserial: {serial}\ncertificate-sha256: {certificate_sha256}\n")
        .into_bytes()
}

/// Why a signed statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StatementRefusal {
    /// More than 64 KiB.
    #[error("a signed statement has at most 65536 octets")]
    TooLarge,
    /// Not one DER ContentInfo with SignedData in it, and nothing after it.
    #[error("a signed statement is CMS SignedData in DER, without trailing bytes")]
    NotSignedData,
    /// RFC 5652 section 5.2: the content is of type id-data.
    #[error("the content of a signed statement is id-data")]
    ContentType,
    /// The content carried inside is another text.
    #[error("the content is the statement of this application")]
    OtherContent,
    /// No signer, or several.
    #[error("a statement has exactly one signer")]
    SignerCount,
    /// Without signed attributes, signed attributes taken from elsewhere could pass for content.
    #[error("a statement is signed through signed attributes")]
    NoSignedAttributes,
    /// RFC 5652 section 11: contentType and messageDigest once each, with one value.
    #[error("contentType and messageDigest are signed once each, with one value")]
    SignedAttributes,
    /// The messageDigest attribute is the digest of another text.
    #[error("the signed digest is that of the statement of this application")]
    OtherDigest,
    /// MD5 or SHA-1.
    #[error("a statement is not signed with MD5 or SHA-1")]
    WeakDigest,
    /// The algorithm is not accepted, not one of the key's kind, or does not go with the digest.
    #[error("a statement is signed by an algorithm accepted in requests, consistent with its digest")]
    UnsupportedSignature,
    /// The signer's certificate carries a key that is not the one in the request.
    #[error("a statement is signed by the key in the request")]
    OtherKey,
    /// The signature does not verify under the key in the request.
    #[error("the signature verifies under the key in the request")]
    WrongSignature,
}

impl StatementRefusal {
    /// The stable name, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "statement-too-large",
            Self::NotSignedData => "statement-not-signed-data",
            Self::ContentType => "statement-content-type",
            Self::OtherContent => "statement-other-content",
            Self::SignerCount => "statement-signer-count",
            Self::NoSignedAttributes => "statement-no-signed-attributes",
            Self::SignedAttributes => "statement-signed-attributes",
            Self::OtherDigest => "statement-other-digest",
            Self::WeakDigest => "statement-weak-digest",
            Self::UnsupportedSignature => "statement-unsupported-signature",
            Self::OtherKey => "statement-other-key",
            Self::WrongSignature => "statement-wrong-signature",
        }
    }
}

/// How a refusal of the signature algorithm or of the signature reads for a statement.
impl From<Refusal> for StatementRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WeakDigest => Self::WeakDigest,
            Refusal::WrongProofOfPossession => Self::WrongSignature,
            _ => Self::UnsupportedSignature,
        }
    }
}

/// Whether `cms` (DER, detached or with its content) is `statement` signed with the private half of `key`.
///
/// Certificates inside need no chain, usually it is a throwaway one; they only tell which key the signer means.
///
/// # Errors
/// The rule that is broken.
pub fn verify(cms: &[u8], statement: &[u8], key: &SubjectPublicKey) -> Result<(), StatementRefusal> {
    if cms.len() > MAX_SIZE {
        return Err(StatementRefusal::TooLarge);
    }
    verify_content(cms, statement, key)
}

/// As [`verify`], for content of any kind and size: the rules of one signer, signed attributes and strong digests hold
/// for every document that a certified key signs.
///
/// # Errors
/// The rule that is broken, [`StatementRefusal::TooLarge`] excepted.
pub fn verify_content(cms: &[u8], statement: &[u8], key: &SubjectPublicKey) -> Result<(), StatementRefusal> {
    let signed = signed_data(cms)?;
    if signed.encap_content_info.econtent_type != ID_DATA {
        return Err(StatementRefusal::ContentType);
    }
    if let Some(content) = &signed.encap_content_info.econtent {
        let content: OctetStringRef<'_> = content.decode_as().map_err(|_| StatementRefusal::NotSignedData)?;
        if content.as_bytes() != statement {
            return Err(StatementRefusal::OtherContent);
        }
    }
    let [signer] = signed.signer_infos.0.as_slice() else {
        return Err(StatementRefusal::SignerCount);
    };
    check_certificates(&signed, &signer.sid, key)?;
    let (digest, scheme) = algorithms(signer)?;
    let attributes = signer.signed_attrs.as_ref().ok_or(StatementRefusal::NoSignedAttributes)?;
    check_attributes(attributes, digest, statement)?;
    let message = signed_message(cms).ok_or(StatementRefusal::NotSignedData)?;
    Ok(scheme.verify(key, &message, signer.signature.as_bytes())?)
}

fn signed_data(cms: &[u8]) -> Result<SignedData, StatementRefusal> {
    let outer = ContentInfo::from_der(cms).map_err(|_| StatementRefusal::NotSignedData)?;
    if outer.content_type != ID_SIGNED_DATA {
        return Err(StatementRefusal::NotSignedData);
    }
    outer.content.decode_as().map_err(|_| StatementRefusal::NotSignedData)
}

/// What the only signer has signed (RFC 5652 section 5.4): the attributes as a SET OF instead of the [0] they are sent
/// as, otherwise as received. Encoded anew they would be sorted, and pkijs sends and signs them unsorted.
fn signed_message(cms: &[u8]) -> Option<Vec<u8>> {
    let content = Elements::of(cms).next()?.elements().nth(1)?;
    let signed_data = content.elements().next()?;
    let signer_infos = signed_data.elements().last()?;
    let attributes = signer_infos.elements().next()?.elements().nth(3)?;
    let mut message = attributes.raw.to_vec();
    *message.first_mut()? = SET;
    (attributes.tag == CONTEXT_0).then_some(message)
}

/// Every certificate that the signer names carries `key`.
fn check_certificates(
    signed: &SignedData,
    signer: &SignerIdentifier,
    key: &SubjectPublicKey,
) -> Result<(), StatementRefusal> {
    for choice in signed.certificates.iter().flat_map(|set| set.0.iter()) {
        let CertificateChoices::Certificate(certificate) = choice else { continue };
        if !is_named(certificate, signer) {
            continue;
        }
        let spki = certificate.tbs_certificate.subject_public_key_info.to_der();
        let theirs = spki.ok().and_then(|spki| SubjectPublicKey::read_der(&spki).ok());
        if theirs.as_ref() != Some(key) {
            return Err(StatementRefusal::OtherKey);
        }
    }
    Ok(())
}

/// RFC 5652 section 5.3, sid.
pub(crate) fn is_named(certificate: &Certificate, signer: &SignerIdentifier) -> bool {
    let certificate = &certificate.tbs_certificate;
    match signer {
        SignerIdentifier::IssuerAndSerialNumber(name) => {
            name.issuer == certificate.issuer && name.serial_number == certificate.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(identifier) => {
            certificate.extensions.iter().flatten().any(|extension| {
                extension.extn_id == ID_CE_SUBJECT_KEY_IDENTIFIER
                    && OctetString::from_der(extension.extn_value.as_bytes())
                        .is_ok_and(|value| value == identifier.0)
            })
        }
    }
}

/// The digest of the content and the scheme of the signature. They agree (RFC 5652 section 5.4); for rsaEncryption the
/// digest is said only once (RFC 3370 section 3.2), and Ed25519 goes with SHA-512 (RFC 8419 section 3).
fn algorithms(signer: &SignerInfo) -> Result<(Digest, SignatureScheme), StatementRefusal> {
    let digest = Digest::read(&signer.digest_alg.owned_to_ref())?;
    let algorithm = signer.signature_algorithm.owned_to_ref();
    let scheme = if algorithm.oid == RSA_ENCRYPTION {
        SignatureScheme::pkcs1(&algorithm, digest)?
    } else {
        SignatureScheme::read(&algorithm)?
    };
    if scheme.digest() == digest { Ok((digest, scheme)) } else { Err(StatementRefusal::UnsupportedSignature) }
}

/// RFC 5652 sections 5.3, 11.1 and 11.2.
fn check_attributes(
    attributes: &SignedAttributes,
    digest: Digest,
    statement: &[u8],
) -> Result<(), StatementRefusal> {
    let content_type: ObjectIdentifier = the_value(attributes, ID_CONTENT_TYPE)?
        .decode_as()
        .map_err(|_| StatementRefusal::SignedAttributes)?;
    if content_type != ID_DATA {
        return Err(StatementRefusal::ContentType);
    }
    let message_digest: OctetStringRef<'_> = the_value(attributes, ID_MESSAGE_DIGEST)?
        .decode_as()
        .map_err(|_| StatementRefusal::SignedAttributes)?;
    let algorithm = match digest {
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha384 => &digest::SHA384,
        Digest::Sha512 => &digest::SHA512,
    };
    if message_digest.as_bytes() != digest::digest(algorithm, statement).as_ref() {
        return Err(StatementRefusal::OtherDigest);
    }
    Ok(())
}

/// The one value of the one attribute of this type.
fn the_value(attributes: &SignedAttributes, kind: ObjectIdentifier) -> Result<&Any, StatementRefusal> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == kind);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(StatementRefusal::SignedAttributes);
    };
    match attribute.values.as_slice() {
        [value] => Ok(value),
        _ => Err(StatementRefusal::SignedAttributes),
    }
}

#[cfg(test)]
mod tests;
