//! Whose certificate is meant: hashes of the issuer's name and key, and a serial number (RFC 6960 section 4.1.1).

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_256, ID_SHA_384, ID_SHA_512};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::RequestError;
use crate::SerialNumber;
use crate::tlv::{NULL, OCTET_STRING, Reader, SEQUENCE};

/// A hash algorithm that a CertID may use here. SHA-1 identifies and does not protect (RFC 6960 section 5); clients
/// that know nothing else are the majority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// What clients use that were not told otherwise.
    Sha1,
    /// RFC 9919 section 3.1.1.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

impl HashAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The algorithm's object identifier.
    pub fn object_identifier(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => ID_SHA_1,
            Self::Sha256 => ID_SHA_256,
            Self::Sha384 => ID_SHA_384,
            Self::Sha512 => ID_SHA_512,
        }
    }

    /// The length of its hashes in octets.
    pub fn octets(self) -> usize {
        self.implementation().output_len()
    }

    fn from_object_identifier(content: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.object_identifier().as_bytes() == content)
    }

    fn implementation(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// One CertID of a request, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertId<'a> {
    encoded: &'a [u8],
    algorithm: Option<HashAlgorithm>,
    issuer_name_hash: &'a [u8],
    issuer_key_hash: &'a [u8],
    serial: Option<SerialNumber>,
}

impl<'a> CertId<'a> {
    /// The DER as it stood in the request. An answer repeats it to the octet, because some clients compare octets.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// The hash algorithm; `None` for one that names no issuer here.
    pub fn algorithm(&self) -> Option<HashAlgorithm> {
        self.algorithm
    }

    /// The serial; `None` for an INTEGER that cannot be one (zero, negative, more than 20 octets): no certificate has
    /// it, so its status is unknown.
    pub fn serial(&self) -> Option<SerialNumber> {
        self.serial
    }

    pub(super) fn decode(outer: &mut Reader<'a>) -> Result<Self, RequestError> {
        let element = outer.expect(SEQUENCE)?;
        let mut fields = Reader::new(element.content);
        let algorithm = hash_algorithm(fields.sequence()?)?;
        let issuer_name_hash = fields.expect(OCTET_STRING)?.content;
        let issuer_key_hash = fields.expect(OCTET_STRING)?.content;
        let serial = fields.integer()?;
        fields.finish()?;
        if let Some(octets) = algorithm.map(HashAlgorithm::octets)
            && (issuer_name_hash.len() != octets || issuer_key_hash.len() != octets)
        {
            return Err(RequestError::HashLength);
        }
        Ok(Self {
            encoded: element.encoded,
            algorithm,
            issuer_name_hash,
            issuer_key_hash,
            serial: SerialNumber::try_from(serial).ok(),
        })
    }
}

/// Both encodings of "no parameters" are common (RFC 5754 section 2); of an algorithm that is not known, neither are
/// the parameters.
fn hash_algorithm(mut identifier: Reader<'_>) -> Result<Option<HashAlgorithm>, RequestError> {
    let algorithm = HashAlgorithm::from_object_identifier(identifier.object_identifier()?);
    if !identifier.is_empty() {
        let parameters = identifier.element()?;
        if algorithm.is_some() && (parameters.tag != NULL || !parameters.content.is_empty()) {
            return Err(RequestError::HashParameters);
        }
    }
    identifier.finish()?;
    Ok(algorithm)
}

/// The hashes by which requests can name one issuer, computed once.
#[derive(Debug, Clone)]
pub struct IssuerKeyIds {
    hashes: [(digest::Digest, digest::Digest); 4],
}

impl IssuerKeyIds {
    /// From the issuer's subject Name and SubjectPublicKeyInfo, both in DER as they stand in its certificate.
    ///
    /// `None` if the second is not a SubjectPublicKeyInfo: the key hash covers the content of its BIT STRING without
    /// the octet that counts unused bits (RFC 6960 section 4.1.1).
    pub fn new(subject: &[u8], public_key: &[u8]) -> Option<Self> {
        let key = public_key_bits(public_key)?;
        let hashes = HashAlgorithm::ALL.map(|algorithm| {
            let hash = |octets| digest::digest(algorithm.implementation(), octets);
            (hash(subject), hash(key))
        });
        Some(Self { hashes })
    }

    /// From the issuer's certificate in DER; `None` if it is not one.
    pub fn of_certificate(certificate: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        Self::new(parsed.subject().as_raw(), parsed.public_key().raw)
    }

    /// Whether the CertID names this issuer: name and key, in the CertID's own hash algorithm.
    pub fn names(&self, cert_id: &CertId<'_>) -> bool {
        cert_id.algorithm.is_some_and(|algorithm| {
            let (name, key) = &self.hashes[algorithm as usize];
            name.as_ref() == cert_id.issuer_name_hash && key.as_ref() == cert_id.issuer_key_hash
        })
    }

    /// The SHA-1 key hash: what a byKey ResponderID holds (RFC 6960 section 4.2.1).
    pub(super) fn key_hash_of(public_key: &[u8]) -> Option<digest::Digest> {
        Some(digest::digest(HashAlgorithm::Sha1.implementation(), public_key_bits(public_key)?))
    }
}

fn public_key_bits(subject_public_key_info: &[u8]) -> Option<&[u8]> {
    let mut fields = Reader::new(subject_public_key_info).sequence().ok()?;
    fields.sequence().ok()?;
    match fields.expect(crate::tlv::BIT_STRING).ok()?.content {
        [0, bits @ ..] => Some(bits),
        _ => None,
    }
}
