//! Whoever can sign: a key in an encrypted file here, a key in an HSM elsewhere.

use crate::algorithm::SignatureAlgorithm;

mod absent;
mod file;

pub use absent::{AbsentKey, NoSuchKey};
pub use file::{FileKey, KeyAlgorithm, KeyFileError, UnknownKeyAlgorithm};

/// A private key that signs and never leaves. Two real things stand behind it: [`FileKey`] and PKCS#11 tokens.
pub trait Signer: Send + Sync {
    /// The algorithm of every signature this key makes.
    fn algorithm(&self) -> &SignatureAlgorithm;

    /// The DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) of the public key.
    fn public_key(&self) -> &[u8];

    /// The content octets of the signature BIT STRING over `message` (hashing included).
    ///
    /// # Errors
    /// The key is unreachable or refused to sign.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// The key is unreachable or refused to sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signing key failed: {0}")]
pub struct SignError(pub String);
