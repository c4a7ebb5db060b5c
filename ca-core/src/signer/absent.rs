//! A key that is elsewhere: with it one prepares what will be signed, and signs nothing.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::{KeyAlgorithm, SignError, Signer};
use crate::algorithm::SignatureAlgorithm;
use crate::csr::{KeyKind, SubjectPublicKey};

/// The public half of a CA's key, where the private half must not be.
#[derive(Debug, Clone)]
pub struct AbsentKey {
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

/// The certificate has no key that a CA of ours signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one DER certificate of a P-256, P-384, RSA or Ed25519 key")]
pub struct NoSuchKey;

impl AbsentKey {
    /// The key of a DER certificate; it would sign like a [`super::FileKey`] of its kind.
    ///
    /// # Errors
    /// [`NoSuchKey`].
    pub fn of_certificate(certificate: &[u8]) -> Result<Self, NoSuchKey> {
        let Ok(([], read)) = X509Certificate::from_der(certificate) else { return Err(NoSuchKey) };
        let key = SubjectPublicKey::from_spki_der(read.public_key().raw).map_err(|_| NoSuchKey)?;
        let algorithm = match key.kind() {
            KeyKind::P256 => KeyAlgorithm::P256.signature(),
            KeyKind::P384 => KeyAlgorithm::P384.signature(),
            KeyKind::Rsa { .. } => KeyAlgorithm::Rsa3072.signature(),
            KeyKind::Ed25519 => KeyAlgorithm::Ed25519.signature(),
            KeyKind::P521 => return Err(NoSuchKey),
        };
        Ok(Self { algorithm, public_key: key.spki_der().to_vec() })
    }
}

impl Signer for AbsentKey {
    fn algorithm(&self) -> &SignatureAlgorithm {
        &self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError("the key is not here".to_owned()))
    }
}
