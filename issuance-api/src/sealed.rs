//! Sealing of bytes before they leave the process: AES-256-GCM under a key that only the service has.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Seals and opens. Nonces are random: one key may seal 2^32 messages (NIST SP 800-38D section 8.3).
pub struct Sealer {
    key: LessSafeKey,
}

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key has not 32 octets.
    #[error("a sealing key has 32 octets")]
    Key,
    /// The system's random generator failed.
    #[error("the system's random generator failed")]
    Random,
    /// Another key, another context, or changed bytes.
    #[error("the sealed bytes are not what was sealed here")]
    Broken,
}

impl Sealer {
    /// With a key of 32 octets.
    ///
    /// # Errors
    /// [`SealError::Key`].
    pub fn new(key: &[u8]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::Key)?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    /// Nonce, ciphertext and tag. `context` says what it is and must be the same to open it.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut body = plaintext.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut body)
            .map_err(|_| SealError::Random)?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// What was sealed.
    ///
    /// # Errors
    /// [`SealError::Broken`].
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(context), &mut body)
            .map_err(|_| SealError::Broken)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_in_its_context_and_unchanged() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let sealed = sealer.seal(b"photo/1", b"a face").unwrap();
        assert_eq!(sealer.open(b"photo/1", &sealed).unwrap().as_slice(), b"a face");
        assert_eq!(sealer.open(b"photo/2", &sealed), Err(SealError::Broken));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(sealer.open(b"photo/1", &changed), Err(SealError::Broken));
        }
        assert_eq!(Sealer::new(&[7; 32]).unwrap().open(b"photo/1", &[]), Err(SealError::Broken));
        assert!(Sealer::new(&[7; 31]).is_err());
    }
}
