//! OCSPRequest (RFC 6960 section 4.1.1), decoded without copying.

use const_oid::db::rfc6960::{
    ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NONCE, ID_PKIX_OCSP_PREF_SIG_ALGS, ID_PKIX_OCSP_RESPONSE,
};

use super::{CertId, ErrorStatus};
use crate::tlv::{BIT_STRING, BOOLEAN, NotDer, OCTET_STRING, Reader, constructed};

/// The most certificates one request may ask about.
pub const MAX_CERT_IDS: usize = 20;

/// The longest nonce, in octets (RFC 9654 section 2.1).
pub const MAX_NONCE_OCTETS: usize = 128;

/// The most extensions in one place: RFC 6960 defines four, and looking for repeated ones costs the square.
const MAX_EXTENSIONS: usize = 16;

/// A request that may be answered.
///
/// A signature is checked for its shape only and a requestor's name is ignored: everybody gets the same answers here
/// (RFC 9919 section 3.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked about: 1 to [`MAX_CERT_IDS`], in the order of the request.
    pub cert_ids: Vec<CertId<'a>>,
    /// The nonce to repeat in the answer: 1 to [`MAX_NONCE_OCTETS`] octets (RFC 9654).
    pub nonce: Option<&'a [u8]>,
}

/// Why octets are not a request that may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not the structure of RFC 6960, not DER, or octets after its end.
    #[error("a request is the DER of an OCSPRequest and nothing else (RFC 6960 section 4.1.1)")]
    NotDer,
    /// Version 1 is the DEFAULT, which DER does not write.
    #[error("the only version is 1, and DER leaves it out")]
    Version,
    /// None, or more than [`MAX_CERT_IDS`].
    #[error("a request asks about 1 to 20 certificates")]
    CertIdCount,
    /// A hash that its algorithm cannot have made.
    #[error("a hash in a CertID has the length of its algorithm")]
    HashLength,
    /// Parameters that the algorithm does not have.
    #[error("the hash algorithm of a CertID has no parameters, or NULL")]
    HashParameters,
    /// Not an OCTET STRING, empty, or too long.
    #[error("a nonce is an OCTET STRING of 1 to 128 octets (RFC 9654 section 2.1)")]
    Nonce,
    /// The same extension twice.
    #[error("an extension stands at most once (RFC 5280 section 4.2)")]
    RepeatedExtension,
    /// More extensions in one place than any client has a use for.
    #[error("a request has at most 16 extensions in one place")]
    ExtensionCount,
    /// An extension that must be understood and is not.
    #[error("a critical extension that is not known is not ignored (RFC 6960 section 4.4)")]
    CriticalExtension,
}

impl RequestError {
    /// What the client is told.
    pub fn status(self) -> ErrorStatus {
        ErrorStatus::MalformedRequest
    }
}

impl From<NotDer> for RequestError {
    fn from(NotDer: NotDer) -> Self {
        Self::NotDer
    }
}

impl<'a> Request<'a> {
    /// Decodes the DER of an OCSPRequest.
    ///
    /// # Errors
    /// The rule that the octets break.
    pub fn decode(octets: &'a [u8]) -> Result<Self, RequestError> {
        let mut outer = Reader::new(octets);
        let mut request = outer.sequence()?;
        outer.finish()?;
        let mut tbs = request.sequence()?;
        if let Some(signature) = request.optional(constructed(0))? {
            check_signature(signature.content)?;
        }
        request.finish()?;

        if tbs.optional(constructed(0))?.is_some() {
            return Err(RequestError::Version);
        }
        if let Some(name) = tbs.optional(constructed(1))? {
            check_general_name(name.content)?;
        }
        let cert_ids = decode_request_list(tbs.sequence()?)?;
        let nonce = match tbs.optional(constructed(2))? {
            Some(extensions) => decode_extensions(extensions.content)?,
            None => None,
        };
        tbs.finish()?;
        Ok(Self { cert_ids, nonce })
    }
}

fn decode_request_list<'a>(mut list: Reader<'a>) -> Result<Vec<CertId<'a>>, RequestError> {
    let mut cert_ids = Vec::with_capacity(1);
    while !list.is_empty() {
        if cert_ids.len() == MAX_CERT_IDS {
            return Err(RequestError::CertIdCount);
        }
        let mut request = list.sequence()?;
        cert_ids.push(CertId::decode(&mut request)?);
        if let Some(extensions) = request.optional(constructed(0))? {
            // None is known here that changes an answer; serviceLocator asks for forwarding, which nobody here does.
            each_extension(extensions.content, |_, _, critical| {
                if critical { Err(RequestError::CriticalExtension) } else { Ok(()) }
            })?;
        }
        request.finish()?;
    }
    if cert_ids.is_empty() { Err(RequestError::CertIdCount) } else { Ok(cert_ids) }
}

/// The nonce, if there is one. acceptableResponses and preferredSignatureAlgorithms are understood: there is one kind
/// of response and one key, so the first is refused only if it excludes that kind and insists, and the second is a wish.
fn decode_extensions(explicit: &[u8]) -> Result<Option<&[u8]>, RequestError> {
    let mut nonce = None;
    each_extension(explicit, |id, value, critical| {
        if id == ID_PKIX_OCSP_NONCE.as_bytes() {
            nonce = Some(decode_nonce(value)?);
            return Ok(());
        }
        let understood = id == ID_PKIX_OCSP_PREF_SIG_ALGS.as_bytes()
            || (id == ID_PKIX_OCSP_RESPONSE.as_bytes() && accepts_basic(value));
        if critical && !understood { Err(RequestError::CriticalExtension) } else { Ok(()) }
    })?;
    Ok(nonce)
}

fn decode_nonce(value: &[u8]) -> Result<&[u8], RequestError> {
    let mut outer = Reader::new(value);
    let nonce = outer.expect(OCTET_STRING).map_err(|_| RequestError::Nonce)?.content;
    if !outer.is_empty() || nonce.is_empty() || nonce.len() > MAX_NONCE_OCTETS {
        return Err(RequestError::Nonce);
    }
    Ok(nonce)
}

/// AcceptableResponses (RFC 6960 section 4.4.3) with id-pkix-ocsp-basic in it.
fn accepts_basic(value: &[u8]) -> bool {
    let Ok(mut types) = Reader::new(value).sequence() else { return false };
    while let Ok(id) = types.object_identifier() {
        if id == ID_PKIX_OCSP_BASIC.as_bytes() {
            return true;
        }
    }
    false
}

/// Visits id, value and criticality of each of the Extensions inside an EXPLICIT tag.
fn each_extension<'a>(
    explicit: &'a [u8],
    mut visit: impl FnMut(&'a [u8], &'a [u8], bool) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut outer = Reader::new(explicit);
    let mut extensions = outer.sequence()?;
    outer.finish()?;
    if extensions.is_empty() {
        return Err(RequestError::NotDer);
    }
    let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
    let mut count = 0;
    while !extensions.is_empty() {
        let mut extension = extensions.sequence()?;
        let id = extension.object_identifier()?;
        let critical = match extension.optional(BOOLEAN)? {
            None => false,
            // FALSE is the DEFAULT, which DER does not write; TRUE is FF.
            Some(boolean) if boolean.content == [0xff] => true,
            Some(_) => return Err(RequestError::NotDer),
        };
        let value = extension.expect(OCTET_STRING)?.content;
        extension.finish()?;
        if seen[..count].contains(&id) {
            return Err(RequestError::RepeatedExtension);
        }
        *seen.get_mut(count).ok_or(RequestError::ExtensionCount)? = id;
        count += 1;
        visit(id, value, critical)?;
    }
    Ok(())
}

/// One GeneralName: `[0]` to `[8]` (RFC 5280 section 4.2.1.6).
fn check_general_name(explicit: &[u8]) -> Result<(), RequestError> {
    let mut outer = Reader::new(explicit);
    let name = outer.element()?;
    outer.finish()?;
    if name.tag & 0xc0 == 0x80 && name.tag & 0x1f <= 8 { Ok(()) } else { Err(RequestError::NotDer) }
}

/// Signature ::= SEQUENCE { signatureAlgorithm, signature BIT STRING, certs `[0]` OPTIONAL }.
fn check_signature(explicit: &[u8]) -> Result<(), RequestError> {
    let mut outer = Reader::new(explicit);
    let mut signature = outer.sequence()?;
    outer.finish()?;
    signature.sequence()?.object_identifier()?;
    match signature.expect(BIT_STRING)?.content {
        [0] | [0..=7, _, ..] => {}
        _ => return Err(RequestError::NotDer),
    }
    if let Some(certificates) = signature.optional(constructed(0))? {
        let mut list = Reader::new(certificates.content);
        let mut certificates = list.sequence()?;
        list.finish()?;
        while !certificates.is_empty() {
            certificates.sequence()?;
        }
    }
    Ok(signature.finish()?)
}
