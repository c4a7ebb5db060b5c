//! A certification authority made by rcgen, with the files that OpenSSL wants beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ca_core::algorithm::SignatureAlgorithm;
use ca_core::signer::{SignError, Signer};
use ca_core::{SerialNumber, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CrlDistributionPoint, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SigningKey,
};
use tempfile::TempDir;

pub(crate) const CRL_URI: &str = "http://muhr.example/repository/issuing.crl";

/// The signature algorithms that rcgen, OpenSSL and ca-core all know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa];

    fn generate(self) -> KeyPair {
        KeyPair::generate_for(match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
            Self::Rsa => &rcgen::PKCS_RSA_SHA256,
        })
        .unwrap()
    }

    fn value(self) -> SignatureAlgorithm {
        match self {
            Self::P256 => SignatureAlgorithm::ecdsa_with_sha256(),
            Self::P384 => SignatureAlgorithm::ecdsa_with_sha384(),
            Self::Ed25519 => SignatureAlgorithm::ed25519(),
            Self::Rsa => SignatureAlgorithm::sha256_with_rsa(),
        }
    }
}

/// A key that rcgen made (over aws-lc-rs), as a `Signer`.
pub(crate) struct TestKey {
    key: KeyPair,
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

impl TestKey {
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        let key = algorithm.generate();
        let public_key = key.subject_public_key_info();
        Self { key, algorithm: algorithm.value(), public_key }
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.key
    }
}

impl Signer for TestKey {
    fn algorithm(&self) -> &SignatureAlgorithm {
        &self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(message).map_err(|error| SignError(error.to_string()))
    }
}

/// An issuing CA in a temporary folder: `ca.pem`, `NAME.pem` for each certificate, `NAME.key` for the asker.
pub(crate) struct Authority {
    folder: TempDir,
    pub(crate) key: TestKey,
    pub(crate) certificate: Vec<u8>,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let key = TestKey::generate(algorithm);
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CountryName, rcgen::DnValue::PrintableString("UZ".try_into().unwrap()));
        params.distinguished_name.push(DnType::CommonName, "Sinov oʻrta CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = validity();
        let own = KeyPair::from_pkcs8_der_and_sign_algo(&key.key.serialize_der().into(), key.key.algorithm())
            .unwrap();
        let issuer = CertifiedIssuer::self_signed(params, own).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, certificate: issuer.der().to_vec(), key, issuer }
    }

    pub(crate) fn issuer(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.issuer
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Issues `NAME.pem` with `NAME.key`, with the CRL's place in it.
    pub(crate) fn issue(&self, name: &str, serial: SerialNumber) {
        let key = Algorithm::P256.generate();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(serial.as_bytes().to_vec().into());
        params.use_authority_key_identifier_extension = true;
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![CRL_URI.to_owned()] }];
        (params.not_before, params.not_after) = validity();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// A delegated responder's key and its certificate in DER.
    pub(crate) fn responder(&self, algorithm: Algorithm) -> (Arc<TestKey>, Vec<u8>) {
        let key = Arc::new(TestKey::generate(algorithm));
        let certificate = self.responder_certificate(&key, true, true);
        (key, certificate)
    }

    pub(crate) fn responder_certificate(&self, key: &TestKey, ocsp_signing: bool, nocheck: bool) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Sinov OCSP");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        if ocsp_signing {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        }
        if nocheck {
            let id = [1, 3, 6, 1, 5, 5, 7, 48, 1, 5];
            params.custom_extensions = vec![CustomExtension::from_oid_content(&id, vec![5, 0])];
        }
        (params.not_before, params.not_after) = validity();
        params.signed_by(key.pair(), &self.issuer).unwrap().der().to_vec()
    }

    /// Writes a file for OpenSSL to read.
    pub(crate) fn write(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    /// Runs OpenSSL in the folder: whether it was content, and all that it said.
    pub(crate) fn openssl(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

pub(crate) fn serial(number: u32) -> SerialNumber {
    let mut octets = [0x41; 16];
    octets[12..].copy_from_slice(&number.to_be_bytes());
    SerialNumber::try_from(&octets[..]).unwrap()
}

/// OpenSSL compares with the machine's clock, so the tests start from it too.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Timestamp {
    Timestamp::from(time::OffsetDateTime::now_utc()).whole_seconds()
}

fn validity() -> (time::OffsetDateTime, time::OffsetDateTime) {
    let day = Duration::from_secs(86_400);
    (now().minus(day).to_offset_date_time(), now().plus(30 * day).to_offset_date_time())
}
