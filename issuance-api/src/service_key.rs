//! The one key that only the service has, and what is made from it.

use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::sealed::Sealer;

/// The service's key: 32 octets from a file. Nothing is done with it but to derive a key for each use (RFC 5869).
pub struct ServiceKey(Zeroizing<[u8; 32]>);

/// The key file does not hold a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service's key has exactly 32 octets")]
pub struct NotAServiceKey;

impl ServiceKey {
    /// From the octets of the key file.
    ///
    /// # Errors
    /// They are not 32.
    pub fn new(octets: &[u8]) -> Result<Self, NotAServiceKey> {
        octets.try_into().map(|octets| Self(Zeroizing::new(octets))).map_err(|_| NotAServiceKey)
    }

    /// Seals, with a key of its own.
    ///
    /// # Errors
    /// The library refuses to work.
    pub fn sealer(&self) -> Result<Sealer, NotAServiceKey> {
        Sealer::new(*self.derive("muhr/sealing/1")?).map_err(|_| NotAServiceKey)
    }

    /// Hashes, with a key of its own.
    ///
    /// # Errors
    /// The library refuses to work.
    pub fn hasher(&self) -> Result<Hasher, NotAServiceKey> {
        let key = self.derive("muhr/keyed-hash/1")?;
        Ok(Hasher { key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()) })
    }

    /// A key for one use.
    pub(crate) fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>, NotAServiceKey> {
        let mut key = Zeroizing::new([0_u8; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(self.0.as_slice())
            .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|octets| octets.fill(key.as_mut_slice()))
            .map_err(|_| NotAServiceKey)?;
        Ok(key)
    }
}

/// Hashes what could be guessed and tried if it were hashed without a key: codes of six digits, network addresses.
pub struct Hasher {
    key: hmac::Key,
}

impl Hasher {
    /// The hash to keep. `context` keeps equal values of different things apart; it holds no zero octet.
    pub fn hash(&self, context: &str, value: &[u8]) -> [u8; 32] {
        let mut out = [0_u8; 32];
        out.copy_from_slice(hmac::sign(&self.key, &message(context, value)).as_ref());
        out
    }

    /// Is it the hash of this value? Takes as long for a wrong value as for the right one.
    pub fn is_hash_of(&self, hash: &[u8], context: &str, value: &[u8]) -> bool {
        hmac::verify(&self.key, &message(context, value), hash).is_ok()
    }
}

fn message(context: &str, value: &[u8]) -> Vec<u8> {
    [context.as_bytes(), &[0], value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyed_hash_is_that_of_one_value_in_one_context_under_one_key() {
        let hasher = ServiceKey::new(&[7; 32]).unwrap().hasher().unwrap();
        let hash = hasher.hash("code/1", b"123456");
        assert!(hasher.is_hash_of(&hash, "code/1", b"123456"));
        assert!(!hasher.is_hash_of(&hash, "code/2", b"123456"));
        assert!(!hasher.is_hash_of(&hash, "code/1", b"123457"));
        assert!(!hasher.is_hash_of(&hash[..31], "code/1", b"123456"));
        let other = ServiceKey::new(&[8; 32]).unwrap().hasher().unwrap();
        assert!(!other.is_hash_of(&hash, "code/1", b"123456"));
        assert!(ServiceKey::new(&[7; 33]).is_err());
    }

    #[test]
    fn each_use_has_its_own_key() {
        let key = ServiceKey::new(&[7; 32]).unwrap();
        let sealed = key.sealer().unwrap().seal(b"x", b"y").unwrap();
        assert!(Sealer::new([7; 32]).unwrap().open(b"x", &sealed).is_err());
        assert_eq!(key.sealer().unwrap().open(b"x", &sealed).unwrap().as_slice(), b"y");
    }

    /// Two answers of `openssl kdf -keylen 32 -kdfopt digest:SHA2-256 -kdfopt hexkey:07.. -kdfopt info:.. HKDF`.
    #[test]
    fn openssl_derives_the_same_keys() {
        let key = ServiceKey::new(&[7; 32]).unwrap();
        for (purpose, expected) in [
            ("muhr/sealing/1", "97026fb26f216d002bfc3a4a9c9ca589dbc5d4d8e01d4f45ee6984f220eec587"),
            ("muhr/keyed-hash/1", "7c1ea2f9c5a687836b8e6223ca673f905568943f6e1419036cafe30beca9e201"),
        ] {
            assert_eq!(hex::encode(key.derive(purpose).unwrap().as_slice()), expected);
        }
    }
}
