//! Signature algorithms as values: the international and the national ones take the same path.

use aws_lc_rs::digest;
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, SHA_256_WITH_RSA_ENCRYPTION};
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};

/// A signature algorithm: its name for people and its AlgorithmIdentifier for certificates, CRLs and OCSP answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// For logs and lists, for example `ecdsa-with-SHA256`.
    pub name: &'static str,
    /// What is written in `signature` and `signatureAlgorithm` (RFC 5280 section 4.1.1.2).
    pub identifier: AlgorithmIdentifierOwned,
}

impl SignatureAlgorithm {
    /// RFC 5758 section 3.2: parameters are absent.
    pub fn ecdsa_with_sha256() -> Self {
        Self::without_parameters("ecdsa-with-SHA256", ECDSA_WITH_SHA_256)
    }

    /// RFC 5758 section 3.2: parameters are absent.
    pub fn ecdsa_with_sha384() -> Self {
        Self::without_parameters("ecdsa-with-SHA384", ECDSA_WITH_SHA_384)
    }

    /// RFC 8410 section 3: parameters are absent.
    pub fn ed25519() -> Self {
        Self::without_parameters("Ed25519", const_oid::db::rfc8410::ID_ED_25519)
    }

    /// RFC 4055 section 5: parameters are NULL.
    pub fn sha256_with_rsa() -> Self {
        Self {
            name: "sha256WithRSAEncryption",
            identifier: AlgorithmIdentifierOwned {
                oid: SHA_256_WITH_RSA_ENCRYPTION,
                parameters: Some(der::asn1::Null.into()),
            },
        }
    }

    /// The hash of the message that is signed; `None` for an algorithm that takes the message whole.
    pub fn hash(&self) -> Option<&'static digest::Algorithm> {
        match self.identifier.oid {
            ECDSA_WITH_SHA_256 | SHA_256_WITH_RSA_ENCRYPTION => Some(&digest::SHA256),
            ECDSA_WITH_SHA_384 => Some(&digest::SHA384),
            _ => None,
        }
    }

    fn without_parameters(name: &'static str, oid: ObjectIdentifier) -> Self {
        Self { name, identifier: AlgorithmIdentifierOwned { oid, parameters: None } }
    }
}
