//! The key of the pre-issuance lint.

use spki::AlgorithmIdentifierOwned;

use crate::signer::{FileKey, KeyAlgorithm, SignError, Signer};

/// Signs the certificates that only the lint sees. Nobody trusts it, so a mistake found by the lint was never signed
/// by a key that anybody trusts.
pub(super) enum Throwaway {
    Key(Box<FileKey>),
    /// For an algorithm that lives only in a token: the lint reads the structure, and the structure is the same
    /// whatever the signature's bits are.
    Blank,
}

impl Throwaway {
    pub(super) fn like(algorithm: &AlgorithmIdentifierOwned) -> Option<Self> {
        match KeyAlgorithm::ALL.into_iter().find(|known| known.signature().identifier == *algorithm) {
            Some(known) => FileKey::generate(known).ok().map(|key| Self::Key(Box::new(key))),
            None => Some(Self::Blank),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Key(key) => key.sign(message),
            Self::Blank => Ok(vec![0; 64]),
        }
    }
}
