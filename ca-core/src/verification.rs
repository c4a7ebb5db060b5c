//! Whether the holder of a key signed what x509-parser has read.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1,
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use x509_parser::asn1_rs::BitString;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// Why a signature proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unverified {
    /// The key has no such algorithm, or it is none that is accepted here.
    Algorithm,
    /// Somebody else signed it, or it was changed afterwards.
    Signature,
}

/// What was signed: the message, or only its digest where it is too large to be held.
pub(crate) enum Signed<'a> {
    Message(&'a [u8]),
    Digest(&'a Digest),
}

impl<'a> From<&'a [u8]> for Signed<'a> {
    fn from(message: &'a [u8]) -> Self {
        Self::Message(message)
    }
}

/// Verifies a signature over `signed`, made with the algorithm that is stated beside it.
pub(crate) fn verify<'a>(
    key: &SubjectPublicKeyInfo<'_>,
    stated: &AlgorithmIdentifier<'_>,
    signed: impl Into<Signed<'a>>,
    signature: &BitString<'_>,
) -> Result<(), Unverified> {
    let algorithm = algorithm(stated, key).ok_or(Unverified::Algorithm)?;
    if signature.unused_bits != 0 {
        return Err(Unverified::Signature);
    }
    let key = UnparsedPublicKey::new(algorithm, &key.subject_public_key.data);
    match signed.into() {
        Signed::Message(message) => key.verify(message, &signature.data),
        Signed::Digest(digest) => key.verify_digest(digest, &signature.data),
    }
    .map_err(|_| Unverified::Signature)
}

/// The hash of the message under this signature algorithm; `None` if the message is signed whole, or the algorithm is
/// none that is accepted here.
pub(crate) fn hash(stated: &AlgorithmIdentifier<'_>) -> Option<&'static digest::Algorithm> {
    match object_identifier(&stated.algorithm)? {
        ECDSA_WITH_SHA_256 | SHA_256_WITH_RSA_ENCRYPTION => Some(&digest::SHA256),
        ECDSA_WITH_SHA_384 | SHA_384_WITH_RSA_ENCRYPTION => Some(&digest::SHA384),
        ECDSA_WITH_SHA_512 | SHA_512_WITH_RSA_ENCRYPTION => Some(&digest::SHA512),
        _ => None,
    }
}

fn algorithm(
    stated: &AlgorithmIdentifier<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let curve = curve.and_then(|oid| object_identifier(&oid));
    Some(match (object_identifier(&stated.algorithm)?, curve) {
        (ECDSA_WITH_SHA_256, Some(SECP_256_R_1)) => &signature::ECDSA_P256_SHA256_ASN1,
        (ECDSA_WITH_SHA_384, Some(SECP_256_R_1)) => &signature::ECDSA_P256_SHA384_ASN1,
        (ECDSA_WITH_SHA_256, Some(SECP_384_R_1)) => &signature::ECDSA_P384_SHA256_ASN1,
        (ECDSA_WITH_SHA_384, Some(SECP_384_R_1)) => &signature::ECDSA_P384_SHA384_ASN1,
        (ECDSA_WITH_SHA_512, Some(SECP_521_R_1)) => &signature::ECDSA_P521_SHA512_ASN1,
        (ID_ED_25519, None) => &signature::ED25519,
        (SHA_256_WITH_RSA_ENCRYPTION, None) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (SHA_384_WITH_RSA_ENCRYPTION, None) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (SHA_512_WITH_RSA_ENCRYPTION, None) => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}

fn object_identifier(oid: &Oid<'_>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(oid.as_bytes()).ok()
}
