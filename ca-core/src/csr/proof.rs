//! Which signatures are accepted, and how they are verified.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaPssSaltLength, VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Sequence;
use der::asn1::AnyRef;
use spki::AlgorithmIdentifierRef;

use super::{KeyKind, Refusal, SubjectPublicKey};

/// The digests that are strong enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// RFC 5754 section 2: the parameters are absent, or NULL.
    pub(crate) fn read(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Self, Refusal> {
        check_null_or_absent(algorithm.parameters)?;
        match algorithm.oid {
            rfc5912::ID_SHA_256 => Ok(Self::Sha256),
            rfc5912::ID_SHA_384 => Ok(Self::Sha384),
            rfc5912::ID_SHA_512 => Ok(Self::Sha512),
            rfc5912::ID_SHA_1 | rfc5912::ID_MD_5 | rfc5912::ID_MD_2 => Err(Refusal::WeakDigest),
            _ => Err(Refusal::UnsupportedSignature),
        }
    }
}

/// An accepted way to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    Pkcs1(Digest),
    /// RSASSA-PSS (RFC 8017 section 8.1) with MGF1 over the same digest and this many octets of salt.
    Pss(Digest, u16),
    /// ECDSA (RFC 5758 section 3.2); any curve goes with any digest.
    Ecdsa(Digest),
    /// Ed25519 (RFC 8410).
    Ed25519,
}

/// The OIDs of signatures over MD2, MD4, MD5 and SHA-1, so that they are refused by that name.
const WEAK: [ObjectIdentifier; 8] = [
    rfc5912::MD_2_WITH_RSA_ENCRYPTION,
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.3"),
    rfc5912::MD_5_WITH_RSA_ENCRYPTION,
    rfc5912::SHA_1_WITH_RSA_ENCRYPTION,
    ObjectIdentifier::new_unwrap("1.3.14.3.2.3"),
    ObjectIdentifier::new_unwrap("1.3.14.3.2.29"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
    ObjectIdentifier::new_unwrap("1.2.840.10040.4.3"),
];

impl SignatureScheme {
    /// From the AlgorithmIdentifier beside a signature.
    pub(crate) fn read(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Self, Refusal> {
        let pkcs1 = |digest| Self::pkcs1(algorithm, digest);
        let bare = |scheme| match algorithm.parameters {
            None => Ok(scheme),
            Some(_) => Err(Refusal::UnsupportedSignature),
        };
        match algorithm.oid {
            rfc5912::SHA_256_WITH_RSA_ENCRYPTION => pkcs1(Digest::Sha256),
            rfc5912::SHA_384_WITH_RSA_ENCRYPTION => pkcs1(Digest::Sha384),
            rfc5912::SHA_512_WITH_RSA_ENCRYPTION => pkcs1(Digest::Sha512),
            rfc5912::ECDSA_WITH_SHA_256 => bare(Self::Ecdsa(Digest::Sha256)),
            rfc5912::ECDSA_WITH_SHA_384 => bare(Self::Ecdsa(Digest::Sha384)),
            rfc5912::ECDSA_WITH_SHA_512 => bare(Self::Ecdsa(Digest::Sha512)),
            rfc8410::ID_ED_25519 => bare(Self::Ed25519),
            rfc5912::ID_RSASSA_PSS => pss(algorithm.parameters),
            oid if WEAK.contains(&oid) => Err(Refusal::WeakDigest),
            _ => Err(Refusal::UnsupportedSignature),
        }
    }

    /// For CMS, where the AlgorithmIdentifier can be rsaEncryption and the digest be named elsewhere.
    pub(crate) fn pkcs1(algorithm: &AlgorithmIdentifierRef<'_>, digest: Digest) -> Result<Self, Refusal> {
        check_null_or_absent(algorithm.parameters)?;
        Ok(Self::Pkcs1(digest))
    }

    /// The digest that the message passes through; inside Ed25519 it is SHA-512 (RFC 8032 section 5.1).
    pub(crate) fn digest(self) -> Digest {
        match self {
            Self::Pkcs1(digest) | Self::Pss(digest, _) | Self::Ecdsa(digest) => digest,
            Self::Ed25519 => Digest::Sha512,
        }
    }

    /// Whether `signature` over `message` was made with the private half of `key`.
    ///
    /// # Errors
    /// [`Refusal::KeySignatureMismatch`]: a key of this kind cannot have signed so.
    /// [`Refusal::WrongProofOfPossession`]: the signature does not verify.
    pub(crate) fn verify(
        self,
        key: &SubjectPublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let by = |algorithm: &dyn VerificationAlgorithm| {
            algorithm
                .verify_sig(key.key_bytes(), message, signature)
                .map_err(|_| Refusal::WrongProofOfPossession)
        };
        match (key.kind(), self) {
            (KeyKind::Rsa { .. }, Self::Pkcs1(digest)) => match digest {
                Digest::Sha256 => by(&RSA_PKCS1_2048_8192_SHA256),
                Digest::Sha384 => by(&RSA_PKCS1_2048_8192_SHA384),
                Digest::Sha512 => by(&RSA_PKCS1_2048_8192_SHA512),
            },
            (KeyKind::Rsa { .. }, Self::Pss(digest, salt)) => {
                let scheme = match digest {
                    Digest::Sha256 => RSA_PSS_2048_8192_SHA256,
                    Digest::Sha384 => RSA_PSS_2048_8192_SHA384,
                    Digest::Sha512 => RSA_PSS_2048_8192_SHA512,
                };
                by(&scheme.with_pss_salt_length(RsaPssSaltLength::Custom(salt)))
            }
            (KeyKind::P256, Self::Ecdsa(digest)) => match digest {
                Digest::Sha256 => by(&ECDSA_P256_SHA256_ASN1),
                Digest::Sha384 => by(&ECDSA_P256_SHA384_ASN1),
                Digest::Sha512 => by(&ECDSA_P256_SHA512_ASN1),
            },
            (KeyKind::P384, Self::Ecdsa(digest)) => match digest {
                Digest::Sha256 => by(&ECDSA_P384_SHA256_ASN1),
                Digest::Sha384 => by(&ECDSA_P384_SHA384_ASN1),
                Digest::Sha512 => by(&ECDSA_P384_SHA512_ASN1),
            },
            (KeyKind::P521, Self::Ecdsa(digest)) => match digest {
                Digest::Sha256 => by(&ECDSA_P521_SHA256_ASN1),
                Digest::Sha384 => by(&ECDSA_P521_SHA384_ASN1),
                Digest::Sha512 => by(&ECDSA_P521_SHA512_ASN1),
            },
            (KeyKind::Ed25519, Self::Ed25519) => by(&ED25519),
            _ => Err(Refusal::KeySignatureMismatch),
        }
    }
}

/// RFC 4055 section 5: written as NULL, and read as well when left out.
fn check_null_or_absent(parameters: Option<AnyRef<'_>>) -> Result<(), Refusal> {
    match parameters {
        None => Ok(()),
        Some(parameters) if parameters.is_null() => Ok(()),
        Some(_) => Err(Refusal::UnsupportedSignature),
    }
}

/// RSASSA-PSS-params (RFC 4055 section 3.1). Left out, digest and mask mean SHA-1.
fn pss(parameters: Option<AnyRef<'_>>) -> Result<SignatureScheme, Refusal> {
    let unsupported = |_| Refusal::UnsupportedSignature;
    let parameters = parameters.ok_or(Refusal::UnsupportedSignature)?;
    let parameters: PssParameters<'_> = parameters.decode_as().map_err(unsupported)?;
    let digest = Digest::read(&parameters.hash.ok_or(Refusal::WeakDigest)?)?;
    let mask = parameters.mask.ok_or(Refusal::WeakDigest)?;
    if mask.oid != rfc5912::ID_MGF_1 {
        return Err(Refusal::UnsupportedSignature);
    }
    let mask_digest = mask.parameters.ok_or(Refusal::UnsupportedSignature)?;
    let mask_digest: AlgorithmIdentifierRef<'_> = mask_digest.decode_as().map_err(unsupported)?;
    if Digest::read(&mask_digest)? != digest {
        return Err(Refusal::UnsupportedSignature);
    }
    Ok(SignatureScheme::Pss(digest, parameters.salt.unwrap_or(20)))
}

/// A trailerField has one legal value, its default, which DER leaves out: a fourth element is refused.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u16>,
}
