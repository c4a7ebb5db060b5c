//! The builder takes any signature algorithm: here the national one, whose signature is made up.

use std::sync::Arc;

use ca_core::algorithm::SignatureAlgorithm;
use ca_core::issue::{Issuer, render};
use ca_core::signer::{SignError, Signer};
use openssl::x509::X509;
use spki::AlgorithmIdentifierOwned;

use crate::authority::{person, profile, request};

const SIGNATURE_OID: &str = "1.2.860.3.15.1.1.2.2.2.2";

/// The national key's SubjectPublicKeyInfo begins like this; 64 octets of x and y follow.
const KEY_PREFIX: &str = "3060301906092a865c030f01010201300c060a2a865c030f01010201010343000440";

struct NationalKey {
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

impl NationalKey {
    fn new(fill: u8) -> Self {
        let oid = SIGNATURE_OID.parse().unwrap();
        let identifier = AlgorithmIdentifierOwned { oid, parameters: None };
        let algorithm = SignatureAlgorithm { name: "OZDST-1106-2009-2-AwithOZDST-1092-2009-2", identifier };
        Self { algorithm, public_key: [hex::decode(KEY_PREFIX).unwrap(), vec![fill; 64]].concat() }
    }
}

impl Signer for NationalKey {
    fn algorithm(&self) -> &SignatureAlgorithm {
        &self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(vec![0xa5; 64])
    }
}

#[test]
fn a_national_chain_takes_the_same_path() {
    let root = Arc::new(NationalKey::new(1));
    let root_request = request(person(), root.public_key.clone(), 1);
    let (issuer, certificate) = Issuer::self_signed(&profile("root"), root_request, root).unwrap();
    assert!(render(&certificate.der).unwrap().contains(SIGNATURE_OID));

    let ca = Arc::new(NationalKey::new(2));
    let ca_request = request(person(), ca.public_key.clone(), 2);
    let certificate = issuer.issue(issuer.prepare(&profile("issuing_ca"), ca_request).unwrap()).unwrap();
    let issuing = Issuer::new(&certificate.der, ca).unwrap();

    let leaf = request(person(), NationalKey::new(3).public_key, 3);
    let leaf = issuing.issue(issuing.prepare(&profile("legal_entity"), leaf).unwrap()).unwrap();
    let read = X509::from_der(&leaf.der).unwrap();
    assert_eq!(read.signature().as_slice(), [0xa5; 64]);
    assert_eq!(read.signature_algorithm().object().to_string(), SIGNATURE_OID);
    assert!(
        render(&leaf.der)
            .unwrap()
            .contains("keyUsage (critical): digitalSignature, nonRepudiation, keyAgreement")
    );
}
