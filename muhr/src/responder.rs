//! `muhr ocsp key`: the key of a responder on a machine of its own, and the request to certify it.

use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use ca_signer::keys;
use rcgen::{CertificateParams, PublicKeyData, SigningKey};
use spki::SubjectPublicKeyInfoRef;

use crate::commands::{Place, passphrase};
use crate::failure::{Failure, say};

/// Makes the key file if there is none and prints the certification request (PEM).
pub(crate) fn key(place: &Place) -> Result<(), Failure> {
    let settings = place.settings(&[])?;
    let secret = match &settings.ocsp.passphrase_file {
        Some(path) => keys::passphrase(path)?,
        None => passphrase(&settings)?,
    };
    let path = &settings.ocsp.key_file;
    if !path.exists() {
        keys::store(path, &FileKey::generate(KeyAlgorithm::P256)?, &secret)?;
    }
    let key = RequestKey::new(keys::load(path, &secret)?)?;
    say(CertificateParams::default().serialize_request(&key)?.pem()?);
    Ok(())
}

/// A key file as rcgen signs with it.
struct RequestKey {
    key: FileKey,
    /// The content of the public key's BIT STRING.
    bits: Vec<u8>,
}

impl RequestKey {
    fn new(key: FileKey) -> Result<Self, Failure> {
        let read = SubjectPublicKeyInfoRef::try_from(key.public_key())?;
        if key.algorithm().identifier.oid != const_oid::db::rfc5912::ECDSA_WITH_SHA_256 {
            return Err(Failure::new("a responder's key is one on P-256 here"));
        }
        let bits = read.subject_public_key.raw_bytes().to_vec();
        Ok(Self { key, bits })
    }
}

impl PublicKeyData for RequestKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for RequestKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
