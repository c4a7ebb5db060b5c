//! Whoever can sign: a key in an encrypted file here, a key in an HSM elsewhere.

use aws_lc_rs::digest::{self, Digest};

use crate::algorithm::SignatureAlgorithm;

mod absent;
mod file;

pub use absent::{AbsentKey, NoSuchKey};
pub use file::{FileKey, KeyAlgorithm, KeyFileError, SCRYPT_PASSES, UnknownKeyAlgorithm};

/// A private key that signs and never leaves. Two real things stand behind it: [`FileKey`] and PKCS #11 tokens
/// (the crate `token-key`).
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

    /// The hash whose digests [`Signer::sign_digest`] takes; `None` if only whole messages can be signed, as with
    /// Ed25519 (RFC 8032 section 5.1: the message is hashed twice).
    fn hash(&self) -> Option<&'static digest::Algorithm> {
        None
    }

    /// The content octets of the signature BIT STRING over the message that has this digest, so that a message may be
    /// larger than memory. The digest is of [`Signer::hash`].
    ///
    /// # Errors
    /// As [`Signer::sign`]; always, where there is no hash.
    fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, SignError> {
        let _ = digest;
        Err(SignError("this key signs whole messages only".to_owned()))
    }

    /// Whether the key could sign now. One that is in this process's memory always can.
    fn is_reachable(&self) -> bool {
        true
    }
}

/// The key is unreachable or refused to sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signing key failed: {0}")]
pub struct SignError(pub String);
