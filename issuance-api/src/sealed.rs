//! Documents of applicants are sealed before they leave the process: whoever reads the disk or the bucket reads nothing.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::{Zeroize, Zeroizing};

/// The first octet of everything sealed: the format below, so that another can follow it.
const FORMAT: u8 = 1;
const KEY_LEN: usize = 32;

/// Seals and opens with one AES-256-GCM key.
///
/// A sealed text is `1 || nonce (12) || ciphertext || tag (16)`. Nonces are random, which is safe for 2^32 texts under one
/// key (NIST SP 800-38D section 8.3).
pub struct Sealer {
    key: RandomizedNonceKey,
}

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read or written.
    #[error("the document key cannot be read or written: {0}")]
    KeyFile(#[from] io::Error),
    /// The key has another length.
    #[error("the document key has exactly 32 octets")]
    KeyLength,
    /// The library refused to work.
    #[error("sealing failed")]
    Sealing,
    /// Sealed by another key, for another context, or changed since.
    #[error("the sealed document was changed, belongs elsewhere or was sealed with another key")]
    Changed,
}

impl Sealer {
    /// A sealer of this key.
    ///
    /// # Errors
    /// [`SealError::Sealing`] if the library cannot take a key at all.
    pub fn new(mut key: [u8; KEY_LEN]) -> Result<Self, SealError> {
        let made = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| SealError::Sealing);
        key.zeroize();
        Ok(Self { key: made? })
    }

    /// A sealer of the key in a file of exactly 32 octets.
    ///
    /// # Errors
    /// The file cannot be read or has another length.
    pub fn from_key_file(path: &Path) -> Result<Self, SealError> {
        let octets = Zeroizing::new(std::fs::read(path)?);
        Self::new(octets.as_slice().try_into().map_err(|_| SealError::KeyLength)?)
    }

    /// Writes a new random key, readable by its owner only.
    ///
    /// # Errors
    /// The file exists (a key is never overwritten: what it sealed would be lost) or cannot be written.
    pub fn create_key_file(path: &Path) -> Result<(), SealError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| SealError::Sealing)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(key.as_slice())?;
        file.sync_all()?;
        Ok(())
    }

    /// Seals a text for one context, such as its application and kind: it opens for no other.
    ///
    /// # Errors
    /// [`SealError::Sealing`] if the library fails.
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut body = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plaintext);
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(context), &mut body)
            .map_err(|_| SealError::Sealing)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + body.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what was sealed for this context.
    ///
    /// # Errors
    /// [`SealError::Changed`]; nothing is told about what was changed.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (format, rest) = sealed.split_first().ok_or(SealError::Changed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Changed)?;
        if *format != FORMAT {
            return Err(SealError::Changed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Changed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(context), body.as_mut_slice())
            .map_err(|_| SealError::Changed)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new([7; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_context_only() {
        let sealed = sealer().seal(b"application/1/photo", b"a face").unwrap();
        assert_eq!(sealer().open(b"application/1/photo", &sealed).unwrap().as_slice(), b"a face");
        assert!(matches!(sealer().open(b"application/2/photo", &sealed), Err(SealError::Changed)));
        assert!(Sealer::new([8; 32]).unwrap().open(b"application/1/photo", &sealed).is_err());
        assert_eq!(sealer().open(b"", &sealer().seal(b"", b"").unwrap()).unwrap().as_slice(), b"");
    }

    #[test]
    fn no_octet_of_what_is_sealed_can_be_changed_or_cut_off() {
        let sealed = sealer().seal(b"c", b"a face").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(sealer().open(b"c", &changed).is_err(), "octet {index}");
            assert!(sealer().open(b"c", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        assert_ne!(sealer().seal(b"c", b"a face").unwrap(), sealer().seal(b"c", b"a face").unwrap());
    }

    #[test]
    fn openssl_opens_what_is_sealed() {
        use openssl::symm::{Cipher, decrypt_aead};
        let sealed = sealer().seal(b"context", b"a face").unwrap();
        let (nonce, body) = sealed[1..].split_at(12);
        let (ciphertext, tag) = body.split_at(body.len() - 16);
        let opened =
            decrypt_aead(Cipher::aes_256_gcm(), &[7; 32], Some(nonce), b"context", ciphertext, tag).unwrap();
        assert_eq!(opened, b"a face");
    }

    #[test]
    fn a_key_file_is_its_owners_alone_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("documents.key");
        Sealer::create_key_file(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = Sealer::from_key_file(&path).unwrap().seal(b"c", b"a face").unwrap();
        assert!(matches!(Sealer::create_key_file(&path), Err(SealError::KeyFile(_))));
        assert!(Sealer::from_key_file(&path).unwrap().open(b"c", &sealed).is_ok());
        std::fs::write(&path, [0; 33]).unwrap();
        assert!(matches!(Sealer::from_key_file(&path), Err(SealError::KeyLength)));
    }
}
