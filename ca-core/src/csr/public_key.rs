//! The one thing taken from a request: its public key (RFC 5280 section 4.1.2.7).

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, EcdsaVerificationAlgorithm,
    ParsedPublicKey,
};
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use der::asn1::ObjectIdentifier;
use num_bigint::BigUint;
use spki::AlgorithmIdentifierRef;

use super::strict_der::{self, BIT_STRING, INTEGER, SEQUENCE};
use super::{Refusal, edwards, weak_key};
use crate::digest::sha256;

const MAX_EXPONENT_BITS: u64 = 32;

/// What a key is, as far as policies and people care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// rsaEncryption (RFC 8017).
    Rsa {
        /// The size of the modulus: 2048 to 4096.
        bits: u16,
    },
    /// secp256r1 (RFC 5480).
    P256,
    /// secp384r1 (RFC 5480).
    P384,
    /// secp521r1 (RFC 5480).
    P521,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// A public key fit for a certificate: of an allowed kind, well-formed and not known to be weak.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubjectPublicKey {
    kind: KeyKind,
    spki_der: Vec<u8>,
    /// The size of the key itself, which ends the SubjectPublicKeyInfo.
    key_length: usize,
}

impl SubjectPublicKey {
    /// From a DER SubjectPublicKeyInfo, with every check that a key in a request undergoes. That the private key
    /// exists is for the caller to prove.
    ///
    /// # Errors
    /// The key, or its encoding, breaks the rule that the refusal names.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, Refusal> {
        let key = Self::read_der(spki)?;
        key.check_strength()?;
        Ok(key)
    }

    /// The same without the search for weakness: enough to compare with a key that has passed it.
    pub(crate) fn read_der(spki: &[u8]) -> Result<Self, Refusal> {
        let (_, rest) = strict_der::check(spki).map_err(Refusal::NotDer)?;
        if !rest.is_empty() {
            return Err(Refusal::TrailingBytes);
        }
        Self::read(spki)
    }

    /// The SubjectPublicKeyInfo to embed: the received bytes, except that a compressed point is written uncompressed.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// What the key is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// SHA-256 of [`SubjectPublicKey::spki_der`]: the name under which keys are remembered.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.spki_der)
    }

    /// RFC 5280 section 4.2.1.2, method 1: SHA-1 of the content of the BIT STRING without its unused-bits octet.
    pub fn subject_key_identifier(&self) -> [u8; 20] {
        let mut identifier = [0; 20];
        identifier.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, self.key_bytes()).as_ref());
        identifier
    }

    /// The content of the BIT STRING: an RSAPublicKey, a point, or the 32 octets of an Ed25519 key.
    pub(crate) fn key_bytes(&self) -> &[u8] {
        &self.spki_der[self.spki_der.len() - self.key_length..]
    }

    /// Reads what is known to be strict DER and checks all that costs little; [`SubjectPublicKey::check_strength`] does the rest.
    pub(super) fn read(spki: &[u8]) -> Result<Self, Refusal> {
        const FORM: Refusal =
            Refusal::MalformedKey("an AlgorithmIdentifier and a BIT STRING of whole octets");
        let mut outside = strict_der::Elements::of(spki);
        let mut parts = outside.optional(SEQUENCE).ok_or(FORM)?.elements();
        let algorithm = parts.optional(SEQUENCE).ok_or(FORM)?;
        let Some((0, key)) = parts.optional(BIT_STRING).and_then(|bits| bits.content.split_first()) else {
            return Err(FORM);
        };
        if !parts.is_empty() {
            return Err(FORM);
        }
        let algorithm = AlgorithmIdentifierRef::from_der(algorithm.raw).map_err(|_| FORM)?;
        let as_received = |kind| Self { kind, spki_der: spki.to_vec(), key_length: key.len() };
        match algorithm.oid {
            rfc5912::RSA_ENCRYPTION => Ok(as_received(rsa(&algorithm, key)?)),
            rfc5912::ID_EC_PUBLIC_KEY => match elliptic_curve(&algorithm, key)? {
                (kind, None) => Ok(as_received(kind)),
                (kind, Some(uncompressed)) => {
                    let key_length = 2 * (key.len() - 1) + 1;
                    Ok(Self { kind, spki_der: uncompressed, key_length })
                }
            },
            rfc8410::ID_ED_25519 => Ok(as_received(ed25519(&algorithm, key)?)),
            rfc5912::ID_RSASSA_PSS => Err(Refusal::PssOnlyKey),
            _ => Err(Refusal::UnsupportedKey),
        }
    }

    /// The searches for weakness that cost as much as several signatures.
    pub(super) fn check_strength(&self) -> Result<(), Refusal> {
        match self.kind {
            KeyKind::Rsa { .. } => {
                let (modulus, _) = rsa_numbers(self.key_bytes())?;
                weak_key::check(&BigUint::from_bytes_be(modulus))
            }
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => Ok(()),
        }
    }
}

/// RFC 3279 section 2.3.1, with the sizes of the CA/B Baseline Requirements sections 6.1.5 and 6.1.6.
fn rsa(algorithm: &AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<KeyKind, Refusal> {
    if !algorithm.parameters.is_some_and(|parameters| parameters.is_null()) {
        return Err(Refusal::MalformedKey("the parameters of rsaEncryption are NULL"));
    }
    let (modulus, exponent) = rsa_numbers(key)?;
    let bits = match bit_length(modulus) {
        0..2048 => return Err(Refusal::ModulusTooSmall),
        4097.. => return Err(Refusal::ModulusTooLarge),
        bits if !bits.is_multiple_of(8) => return Err(Refusal::ModulusSize),
        bits => bits as u16,
    };
    let exponent_bits = bit_length(exponent);
    if modulus.last().is_some_and(|last| last & 1 == 0) {
        Err(Refusal::EvenModulus)
    } else if exponent.last().is_some_and(|last| last & 1 == 0) {
        Err(Refusal::EvenExponent)
    } else if exponent_bits < 17 {
        Err(Refusal::ExponentTooSmall)
    } else if exponent_bits > MAX_EXPONENT_BITS {
        Err(Refusal::ExponentTooLarge)
    } else {
        Ok(KeyKind::Rsa { bits })
    }
}

/// RSAPublicKey (RFC 8017 appendix A.1.1): modulus and exponent, big-endian; neither is negative.
fn rsa_numbers(key: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    const FORM: Refusal = Refusal::MalformedKey("an RSAPublicKey is a modulus and an exponent");
    let (sequence, rest) = strict_der::check(key).map_err(|_| FORM)?;
    let mut numbers = sequence.elements();
    let (Some(modulus), Some(exponent)) = (numbers.optional(INTEGER), numbers.optional(INTEGER)) else {
        return Err(FORM);
    };
    if sequence.tag != SEQUENCE || !numbers.is_empty() || !rest.is_empty() {
        return Err(FORM);
    }
    if [modulus, exponent].iter().any(|number| number.content[0] & 0x80 != 0) {
        return Err(Refusal::MalformedKey("an RSA modulus and exponent are positive"));
    }
    Ok((modulus.content, exponent.content))
}

/// Of a big-endian number in minimal octets, with or without a sign octet.
fn bit_length(number: &[u8]) -> u64 {
    let digits = number.strip_prefix(&[0]).unwrap_or(number);
    digits.first().map_or(0, |first| digits.len() as u64 * 8 - u64::from(first.leading_zeros()))
}

/// RFC 5480: a named curve and a point on it. The second value is the SubjectPublicKeyInfo with the uncompressed
/// point, where the received one is compressed.
fn elliptic_curve(
    algorithm: &AlgorithmIdentifierRef<'_>,
    key: &[u8],
) -> Result<(KeyKind, Option<Vec<u8>>), Refusal> {
    let curve: ObjectIdentifier = algorithm
        .parameters
        .and_then(|parameters| parameters.decode_as().ok())
        .ok_or(Refusal::CurveNotNamed)?;
    let (kind, field, scheme): (_, _, &'static EcdsaVerificationAlgorithm) = match curve {
        rfc5912::SECP_256_R_1 => (KeyKind::P256, 32, &ECDSA_P256_SHA256_ASN1),
        rfc5912::SECP_384_R_1 => (KeyKind::P384, 48, &ECDSA_P384_SHA384_ASN1),
        rfc5912::SECP_521_R_1 => (KeyKind::P521, 66, &ECDSA_P521_SHA512_ASN1),
        _ => return Err(Refusal::UnsupportedCurve),
    };
    let compressed = match key {
        [0x00] => return Err(Refusal::PointAtInfinity),
        [0x04, coordinates @ ..] if coordinates.len() == 2 * field => false,
        [0x02 | 0x03, x @ ..] if x.len() == field => true,
        _ => return Err(Refusal::MalformedKey("a point is 04 and two coordinates, or 02 or 03 and one")),
    };
    let point = ParsedPublicKey::new(scheme, key).map_err(|_| Refusal::PointNotOnCurve)?;
    if !compressed {
        return Ok((kind, None));
    }
    let uncompressed = point.as_der().map_err(|_| Refusal::PointNotOnCurve)?;
    Ok((kind, Some(uncompressed.as_ref().to_vec())))
}

/// RFC 8410 sections 3 and 4: no parameters, 32 octets.
fn ed25519(algorithm: &AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<KeyKind, Refusal> {
    if algorithm.parameters.is_some() {
        return Err(Refusal::MalformedKey("Ed25519 has no parameters"));
    }
    let key = key.try_into().map_err(|_| Refusal::MalformedKey("an Ed25519 key has 32 octets"))?;
    edwards::check(key)?;
    Ok(KeyKind::Ed25519)
}
