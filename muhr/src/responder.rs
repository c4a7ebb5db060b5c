//! `muhr ocsp key`: the key of a responder on a machine of its own, and the request to certify it.

use std::sync::Arc;

use ca_core::signer::Signer;
use rcgen::{CertificateParams, PublicKeyData, SigningKey};
use spki::SubjectPublicKeyInfoRef;

use crate::commands::{Place, keyring};
use crate::failure::{Failure, say};

/// Makes the key if there is none, in its file or on its token, and prints the certification request (PEM).
pub(crate) fn key(place: &Place) -> Result<(), Failure> {
    let settings = place.settings(&[])?;
    let keyring = keyring(&settings);
    if !keyring.has_responder()? {
        keyring.make_responder()?.keep()?;
    }
    let key = RequestKey::new(keyring.responder()?)?;
    say(CertificateParams::default().serialize_request(&key)?.pem()?);
    Ok(())
}

/// A key as rcgen signs with it.
struct RequestKey {
    key: Arc<dyn Signer>,
    /// The content of the public key's BIT STRING.
    bits: Vec<u8>,
}

impl RequestKey {
    fn new(key: Arc<dyn Signer>) -> Result<Self, Failure> {
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
