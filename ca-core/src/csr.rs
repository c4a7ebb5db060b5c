//! Certification requests (PKCS #10, RFC 2986).
//!
//! A request is believed in two things: its public key, and the proof that the sender holds the private one. Who the
//! sender is comes from the application; the subject, the attributes and the extensions of the request are checked
//! for their encoding and then ignored.

mod armor;
mod edwards;
pub(crate) mod proof;
mod public_key;
mod refusal;
pub(crate) mod strict_der;
mod weak_key;

#[cfg(test)]
mod tests;

use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::Decode;
use spki::AlgorithmIdentifierRef;

pub use public_key::{KeyKind, SubjectPublicKey};
pub use refusal::Refusal;

use proof::SignatureScheme;
use strict_der::{
    BIT_STRING, BOOLEAN, CONTEXT_0, Element, Elements, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
    SET,
};

/// The size of the largest request that is looked at, in octets, in DER as in PEM.
pub const MAX_SIZE: usize = 64 * 1024;
const MAX_SUBJECT: usize = 4096;
const MAX_ATTRIBUTES: usize = 16 * 1024;

/// A request whose sender has proved to hold the private key, with a key fit for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificationRequest {
    der: Vec<u8>,
    public_key: SubjectPublicKey,
}

impl CertificationRequest {
    /// Reads DER, or PEM labelled `CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`, at most [`MAX_SIZE`] octets of
    /// it. The proof of possession is verified over the bytes as received.
    ///
    /// # Errors
    /// The request, its key or its signature breaks the rule that the refusal names.
    pub fn parse(input: &[u8]) -> Result<Self, Refusal> {
        if input.len() > MAX_SIZE {
            return Err(Refusal::TooLarge);
        }
        let der = match input.first() {
            Some(&SEQUENCE) => input.to_vec(),
            _ => armor::decode(input)?,
        };
        let (request, rest) = strict_der::check(&der).map_err(Refusal::NotDer)?;
        if !rest.is_empty() {
            return Err(Refusal::TrailingBytes);
        }
        let public_key = read(&request)?;
        Ok(Self { der, public_key })
    }

    /// The key to certify.
    pub fn public_key(&self) -> &SubjectPublicKey {
        &self.public_key
    }

    /// The request as received, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// The key in a request (DER) that [`CertificationRequest::parse`] has taken before; nothing is proved again.
///
/// # Errors
/// It is no request.
pub fn public_key_of(der: &[u8]) -> Result<SubjectPublicKey, Refusal> {
    let (request, _) = strict_der::check(der).map_err(Refusal::NotDer)?;
    read_info(&required(&mut request.elements(), SEQUENCE, "certificationRequestInfo is a SEQUENCE")?)
}

/// CertificationRequest (RFC 2986 section 4.2).
fn read(request: &Element<'_>) -> Result<SubjectPublicKey, Refusal> {
    // The signature covers what is inside; PEM hides the outside from the look that DER gets.
    if request.tag != SEQUENCE {
        return Err(Refusal::NotARequest("a request is a SEQUENCE"));
    }
    let mut parts = request.elements();
    let info = required(&mut parts, SEQUENCE, "certificationRequestInfo is a SEQUENCE")?;
    let algorithm = required(&mut parts, SEQUENCE, "signatureAlgorithm is an AlgorithmIdentifier")?;
    let signature = required(&mut parts, BIT_STRING, "signature is a BIT STRING")?;
    at_end(parts, "nothing follows the signature")?;

    let public_key = read_info(&info)?;
    let algorithm = AlgorithmIdentifierRef::from_der(algorithm.raw)
        .map_err(|_| Refusal::NotARequest("signatureAlgorithm is an AlgorithmIdentifier"))?;
    let scheme = SignatureScheme::read(&algorithm)?;
    let Some((0, signature)) = signature.content.split_first() else {
        return Err(Refusal::NotARequest("the signature has whole octets"));
    };
    scheme.verify(&public_key, info.raw, signature)?;
    public_key.check_strength()?;
    Ok(public_key)
}

/// CertificationRequestInfo (RFC 2986 section 4.1).
fn read_info(info: &Element<'_>) -> Result<SubjectPublicKey, Refusal> {
    let mut parts = info.elements();
    let version = required(&mut parts, INTEGER, "version is an INTEGER")?;
    if version.content != [0] {
        return Err(Refusal::Version);
    }
    let subject = required(&mut parts, SEQUENCE, "subject is a Name")?;
    let key = required(&mut parts, SEQUENCE, "subjectPKInfo is a SubjectPublicKeyInfo")?;
    let attributes = required(&mut parts, CONTEXT_0, "attributes are [0], even when there are none")?;
    at_end(parts, "nothing follows the attributes")?;
    if subject.content.len() > MAX_SUBJECT || attributes.content.len() > MAX_ATTRIBUTES {
        return Err(Refusal::OversizedPart);
    }
    check_name(subject.elements())?;
    check_attributes(attributes.elements())?;
    SubjectPublicKey::read(key.raw)
}

/// RFC 5280 section 4.1.2.4: a sequence of non-empty sets of types and values.
fn check_name(mut name: Elements<'_>) -> Result<(), Refusal> {
    const FORM: &str = "a subject is a SEQUENCE OF SET OF type and value";
    while !name.is_empty() {
        let mut values = required(&mut name, SET, FORM)?.elements();
        if values.is_empty() {
            return Err(Refusal::NotARequest(FORM));
        }
        while !values.is_empty() {
            let mut parts = required(&mut values, SEQUENCE, FORM)?.elements();
            required(&mut parts, OBJECT_IDENTIFIER, FORM)?;
            parts.next().ok_or(Refusal::NotARequest(FORM))?;
            at_end(parts, FORM)?;
        }
    }
    Ok(())
}

/// Each attribute occurs once and has a value (RFC 2986 section 4.1).
fn check_attributes(mut attributes: Elements<'_>) -> Result<(), Refusal> {
    const FORM: &str = "an attribute is a type and a SET OF values";
    let mut seen = Vec::new();
    while !attributes.is_empty() {
        let mut parts = required(&mut attributes, SEQUENCE, FORM)?.elements();
        let kind = required(&mut parts, OBJECT_IDENTIFIER, FORM)?.content;
        let mut values = required(&mut parts, SET, FORM)?.elements();
        at_end(parts, FORM)?;
        if values.is_empty() {
            return Err(Refusal::EmptyAttribute);
        }
        if seen.contains(&kind) {
            return Err(Refusal::DuplicateAttribute);
        }
        seen.push(kind);
        if kind == ID_EXTENSION_REQ.as_bytes() {
            let extensions =
                required(&mut values, SEQUENCE, "extensionRequest is one SEQUENCE OF Extension")?;
            at_end(values, "extensionRequest has one value")?;
            check_extensions(extensions.elements())?;
        }
    }
    Ok(())
}

/// Requested extensions (RFC 5280 section 4.1) are never copied, but they are DER inside and out.
fn check_extensions(mut extensions: Elements<'_>) -> Result<(), Refusal> {
    const FORM: &str = "an extension is an OID, TRUE if critical, and an OCTET STRING";
    let mut seen = Vec::new();
    while !extensions.is_empty() {
        let mut parts = required(&mut extensions, SEQUENCE, FORM)?.elements();
        let kind = required(&mut parts, OBJECT_IDENTIFIER, FORM)?.content;
        if parts.optional(BOOLEAN).is_some_and(|critical| critical.content != [0xff]) {
            return Err(Refusal::NotDer("a DEFAULT value is left out"));
        }
        let value = required(&mut parts, OCTET_STRING, FORM)?.content;
        at_end(parts, FORM)?;
        let (_, rest) = strict_der::check(value).map_err(Refusal::NotDer)?;
        if !rest.is_empty() {
            return Err(Refusal::NotDer("an extension is one element"));
        }
        if seen.contains(&kind) {
            return Err(Refusal::DuplicateAttribute);
        }
        seen.push(kind);
    }
    Ok(())
}

fn required<'a>(parts: &mut Elements<'a>, tag: u8, rule: &'static str) -> Result<Element<'a>, Refusal> {
    parts.optional(tag).ok_or(Refusal::NotARequest(rule))
}

fn at_end(parts: Elements<'_>, rule: &'static str) -> Result<(), Refusal> {
    if parts.is_empty() { Ok(()) } else { Err(Refusal::NotARequest(rule)) }
}

/// One certificate that this CA has issued, or is about to issue, for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The PINFL of the person who holds the key.
    pub holder: String,
    /// The certificate has been revoked with the reason keyCompromise.
    pub revoked_for_compromise: bool,
}

/// Whether a key with this history may be certified for `holder` (a PINFL): one key belongs to one person, and a
/// compromised key to nobody (CA/B Baseline Requirements section 6.1.1.3).
///
/// # Errors
/// [`Refusal::CompromisedKey`] before [`Refusal::KeyOfAnotherPerson`].
pub fn check_history(uses: &[KeyUse], holder: &str) -> Result<(), Refusal> {
    if uses.iter().any(|earlier| earlier.revoked_for_compromise) {
        Err(Refusal::CompromisedKey)
    } else if uses.iter().any(|earlier| earlier.holder != holder) {
        Err(Refusal::KeyOfAnotherPerson)
    } else {
        Ok(())
    }
}
