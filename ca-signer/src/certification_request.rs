//! Certification requests (PKCS #10) for our own keys, which another machine certifies. They prove the key and say nothing else:
//! whoever certifies it gives the name.

use std::sync::Arc;

use ca_core::signer::{SignError, Signer};
use rcgen::{CertificateParams, PublicKeyData, SigningKey};
use spki::SubjectPublicKeyInfoRef;

use crate::ceremony::CeremonyError;

/// The request for a key, PEM.
///
/// # Errors
/// [`CeremonyError::WeakKey`]: no key on P-256; [`CeremonyError::Sign`]: the key did not sign.
pub fn certification_request(key: Arc<dyn Signer>) -> Result<String, CeremonyError> {
    let key = RequestKey::new(key)?;
    let failed = |error: rcgen::Error| CeremonyError::Sign(SignError(error.to_string()));
    CertificateParams::default().serialize_request(&key).and_then(|request| request.pem()).map_err(failed)
}

/// A key as rcgen signs with it.
struct RequestKey {
    key: Arc<dyn Signer>,
    /// The content of the public key's BIT STRING.
    bits: Vec<u8>,
}

impl RequestKey {
    fn new(key: Arc<dyn Signer>) -> Result<Self, CeremonyError> {
        let unfit = || CeremonyError::WeakKey("requests are made for keys on P-256 here".to_owned());
        let read = SubjectPublicKeyInfoRef::try_from(key.public_key()).map_err(|_| unfit())?;
        if key.algorithm().identifier.oid != const_oid::db::rfc5912::ECDSA_WITH_SHA_256 {
            return Err(unfit());
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
