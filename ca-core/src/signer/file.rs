//! A private key that lives in an encrypted PKCS#8 file and is used in this process's memory.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use const_oid::db::{rfc5912, rfc8410};
use der::pem::{LineEnding, PemLabel};
use der::{Decode, SecretDocument};
use pkcs8::pkcs5::pbes2::{EncryptionScheme, Kdf, Parameters, ScryptParams};
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo};
use zeroize::Zeroizing;

use super::{SignError, Signer};
use crate::algorithm::SignatureAlgorithm;

/// scrypt (RFC 7914): 16 MiB, and with 5 passes OWASP's equal of N = 2^17 with p = 1. N may not be larger, because OpenSSL
/// gives scrypt in PKCS#8 at most 32 MiB and refuses to read the file.
const SCRYPT_N: u64 = 1 << 14;
const SCRYPT_R: u16 = 8;
/// The passes that make it as much work.
pub const SCRYPT_PASSES: u16 = 5;

/// The keys a [`FileKey`] can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256, signatures with SHA-256.
    P256,
    /// ECDSA on P-384, signatures with SHA-384.
    P384,
    /// RSA with a modulus of 2048 bits, PKCS#1 v1.5 signatures with SHA-256.
    Rsa2048,
    /// RSA with a modulus of 3072 bits, PKCS#1 v1.5 signatures with SHA-256.
    Rsa3072,
    /// RSA with a modulus of 4096 bits, PKCS#1 v1.5 signatures with SHA-256.
    Rsa4096,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

/// The text names no key algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key algorithm is one of P-256, P-384, RSA-2048, RSA-3072, RSA-4096, Ed25519")]
pub struct UnknownKeyAlgorithm;

impl KeyAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 6] =
        [Self::P256, Self::P384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::Ed25519];

    /// For configuration files and lists, for example `P-256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm of the signatures such a key makes.
    pub fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::P256 => SignatureAlgorithm::ecdsa_with_sha256(),
            Self::P384 => SignatureAlgorithm::ecdsa_with_sha384(),
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureAlgorithm::sha256_with_rsa(),
            Self::Ed25519 => SignatureAlgorithm::ed25519(),
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownKeyAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownKeyAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(UnknownKeyAlgorithm)
    }
}

/// Why a key cannot be made, read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// The text is not one PEM block `ENCRYPTED PRIVATE KEY` (RFC 7468 section 11).
    #[error("a key file is one PEM block ENCRYPTED PRIVATE KEY")]
    NotEncryptedPem,
    /// PBES2 with scrypt or PBKDF2 and AES-CBC is read, nothing else.
    #[error("the key file's encryption is not PBES2 with scrypt or PBKDF2 and AES-CBC")]
    UnsupportedEncryption,
    /// The passphrase does not open the file.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
    /// An empty passphrase protects nothing.
    #[error("the passphrase of a key file is not empty")]
    EmptyPassphrase,
    /// Not ECDSA on P-256 or P-384, RSA of at least 2048 bits, or Ed25519; or the numbers are not such a key's.
    #[error("the private key is not a sound P-256, P-384, RSA (2048 bits or more) or Ed25519 key")]
    UnsupportedKey,
    /// The cryptographic library failed to make, export or encrypt the key.
    #[error("the cryptographic library failed on the key")]
    Cryptography,
}

impl From<Unspecified> for KeyFileError {
    fn from(_: Unspecified) -> Self {
        Self::Cryptography
    }
}

enum KeyPair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key held in memory; at rest it is an encrypted PKCS#8 file (RFC 5958). The library wipes it when dropped.
pub struct FileKey {
    pair: KeyPair,
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

impl FileKey {
    /// A new key from the system's CSPRNG.
    ///
    /// # Errors
    /// [`KeyFileError::Cryptography`].
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyFileError> {
        let rsa = |size| RsaKeyPair::generate(size).map(KeyPair::Rsa);
        let pair = match algorithm {
            KeyAlgorithm::P256 => KeyPair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?),
            KeyAlgorithm::P384 => KeyPair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING)?),
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096)?,
            KeyAlgorithm::Ed25519 => KeyPair::Ed25519(Ed25519KeyPair::generate()?),
        };
        Self::holding(pair, algorithm.signature())
    }

    /// Opens a PEM `ENCRYPTED PRIVATE KEY` (RFC 5958 section 3) that this type or OpenSSL has written.
    ///
    /// # Errors
    /// [`KeyFileError::WrongPassphrase`] and the other faults of a key file.
    pub fn from_encrypted_pem(pem: &str, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyFileError::NotEncryptedPem)?;
        EncryptedPrivateKeyInfo::validate_pem_label(label).map_err(|_| KeyFileError::NotEncryptedPem)?;
        let encrypted = EncryptedPrivateKeyInfo::from_der(document.as_bytes())
            .map_err(|_| KeyFileError::UnsupportedEncryption)?;
        let opened = encrypted.decrypt(passphrase).map_err(|error| match error {
            // Wrong padding, or padding right by chance and then no DER.
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::EncryptFailed) | pkcs8::Error::Asn1(_) => {
                KeyFileError::WrongPassphrase
            }
            _ => KeyFileError::UnsupportedEncryption,
        })?;
        PrivateKeyInfo::from_der(opened.as_bytes()).map_err(|_| KeyFileError::WrongPassphrase)?;
        Self::from_pkcs8_der(opened.as_bytes())
    }

    /// From an unencrypted PrivateKeyInfo (RFC 5208 section 5), for keys that are unwrapped by other means.
    ///
    /// # Errors
    /// [`KeyFileError::UnsupportedKey`].
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, KeyFileError> {
        let info = PrivateKeyInfo::from_der(pkcs8).map_err(|_| KeyFileError::UnsupportedKey)?;
        let ecdsa = |signing: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(signing, pkcs8)
                .map(KeyPair::Ecdsa)
                .map_err(|_| KeyFileError::UnsupportedKey)
        };
        match (info.algorithm.oid, info.algorithm.parameters_oid().ok()) {
            (rfc5912::ID_EC_PUBLIC_KEY, Some(rfc5912::SECP_256_R_1)) => Self::holding(
                ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
                SignatureAlgorithm::ecdsa_with_sha256(),
            ),
            (rfc5912::ID_EC_PUBLIC_KEY, Some(rfc5912::SECP_384_R_1)) => Self::holding(
                ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)?,
                SignatureAlgorithm::ecdsa_with_sha384(),
            ),
            (rfc5912::RSA_ENCRYPTION, _) => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyFileError::UnsupportedKey)?;
                if pair.public_modulus_len() < 2048 / 8 {
                    return Err(KeyFileError::UnsupportedKey);
                }
                Self::holding(KeyPair::Rsa(pair), SignatureAlgorithm::sha256_with_rsa())
            }
            (rfc8410::ID_ED_25519, _) => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyFileError::UnsupportedKey)?;
                Self::holding(KeyPair::Ed25519(pair), SignatureAlgorithm::ed25519())
            }
            _ => Err(KeyFileError::UnsupportedKey),
        }
    }

    /// PKCS#8 EncryptedPrivateKeyInfo in PEM: PBES2 with scrypt and AES-256-CBC; `openssl pkey` reads it.
    ///
    /// # Errors
    /// [`KeyFileError::EmptyPassphrase`], [`KeyFileError::Cryptography`].
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<Zeroizing<String>, KeyFileError> {
        self.to_pem_encrypted_by(passphrase, SCRYPT_PASSES)
    }

    /// The same with another number of passes, each over 16 MiB: what a guess at the passphrase costs, and each opening.
    ///
    /// # Errors
    /// As for [`Self::to_encrypted_pem`].
    pub fn to_pem_encrypted_by(
        &self,
        passphrase: &[u8],
        passes: u16,
    ) -> Result<Zeroizing<String>, KeyFileError> {
        if passphrase.is_empty() {
            return Err(KeyFileError::EmptyPassphrase);
        }
        let (mut salt, mut iv) = ([0u8; 16], [0u8; 16]);
        let random = SystemRandom::new();
        random.fill(&mut salt)?;
        random.fill(&mut iv)?;
        let parameters = Parameters {
            kdf: Kdf::Scrypt(ScryptParams {
                salt: &salt,
                cost_parameter: SCRYPT_N,
                block_size: SCRYPT_R,
                parallelization: passes,
                key_length: None,
            }),
            encryption: EncryptionScheme::Aes256Cbc { iv: &iv },
        };
        let plain = self.to_pkcs8_der()?;
        let info = PrivateKeyInfo::from_der(plain.as_ref()).map_err(|_| KeyFileError::Cryptography)?;
        info.encrypt_with_params(parameters, passphrase)
            .map_err(|_| KeyFileError::Cryptography)?
            .to_pem(EncryptedPrivateKeyInfo::PEM_LABEL, LineEnding::LF)
            .map_err(|_| KeyFileError::Cryptography)
    }

    /// The unencrypted PrivateKeyInfo, for forms of key files other than this module's own. Version 1 (RFC 5208 section 5),
    /// the one every OpenSSL reads; wiped when dropped.
    ///
    /// # Errors
    /// [`KeyFileError::Cryptography`].
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let exported = |der: &[u8]| Zeroizing::new(der.to_vec());
        Ok(match &self.pair {
            KeyPair::Ecdsa(pair) => exported(pair.to_pkcs8v1()?.as_ref()),
            KeyPair::Rsa(pair) => exported(AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref()),
            KeyPair::Ed25519(pair) => exported(pair.to_pkcs8v1()?.as_ref()),
        })
    }

    fn holding(pair: KeyPair, algorithm: SignatureAlgorithm) -> Result<Self, KeyFileError> {
        let spki: PublicKeyX509Der<'_> = match &pair {
            KeyPair::Ecdsa(pair) => pair.public_key().as_der()?,
            KeyPair::Rsa(pair) => pair.public_key().as_der()?,
            KeyPair::Ed25519(pair) => pair.public_key().as_der()?,
        };
        let public_key = spki.as_ref().to_vec();
        Ok(Self { pair, algorithm, public_key })
    }
}

impl Signer for FileKey {
    fn algorithm(&self) -> &SignatureAlgorithm {
        &self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        let failed = |_| SignError("the cryptographic library refused".to_owned());
        match &self.pair {
            KeyPair::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            KeyPair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
        }
    }

    fn hash(&self) -> Option<&'static digest::Algorithm> {
        self.algorithm.hash()
    }

    fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError("the cryptographic library refused the digest".to_owned());
        match &self.pair {
            KeyPair::Ecdsa(pair) => Ok(pair.sign_digest(digest).map_err(failed)?.as_ref().to_vec()),
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            KeyPair::Ed25519(_) => Err(SignError("Ed25519 signs whole messages only".to_owned())),
        }
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKey").field("algorithm", &self.algorithm.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::sign::Verifier;

    use super::*;

    const PASSPHRASE: &[u8] = b"a sentence nobody says";

    #[test]
    fn every_key_survives_its_encrypted_file_and_openssl_verifies_what_it_signs() {
        for algorithm in
            [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519]
        {
            let key = FileKey::generate(algorithm).unwrap();
            let pem = key.to_encrypted_pem(PASSPHRASE).unwrap();
            let opened = FileKey::from_encrypted_pem(&pem, PASSPHRASE).unwrap();
            assert_eq!(opened.public_key(), key.public_key(), "{algorithm}");
            assert_eq!(opened.algorithm(), &algorithm.signature());

            let public = PKey::public_key_from_der(key.public_key()).unwrap();
            let signature = opened.sign(b"message").unwrap();
            let verifies = |signature: &[u8]| {
                let mut verifier = match algorithm {
                    KeyAlgorithm::Ed25519 => Verifier::new_without_digest(&public).unwrap(),
                    KeyAlgorithm::P384 => Verifier::new(MessageDigest::sha384(), &public).unwrap(),
                    _ => Verifier::new(MessageDigest::sha256(), &public).unwrap(),
                };
                verifier.verify_oneshot(signature, b"message").unwrap()
            };
            assert!(verifies(&signature), "{algorithm}");
            if let Some(hash) = opened.hash() {
                let signature = opened.sign_digest(&digest::digest(hash, b"message")).unwrap();
                assert!(verifies(&signature), "{algorithm} by digest");
            } else {
                assert!(opened.sign_digest(&digest::digest(&digest::SHA512, b"message")).is_err());
            }
        }
    }

    #[test]
    fn the_openssl_command_opens_the_key_file() {
        for algorithm in
            [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519]
        {
            let key = FileKey::generate(algorithm).unwrap();
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("key.pem");
            std::fs::write(&file, key.to_encrypted_pem(PASSPHRASE).unwrap().as_bytes()).unwrap();
            let passphrase = format!("pass:{}", std::str::from_utf8(PASSPHRASE).unwrap());
            let output = Command::new("openssl")
                .args(["pkey", "-pubout", "-outform", "DER", "-passin", &passphrase, "-in"])
                .arg(&file)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.stdout, key.public_key(), "{algorithm}");
        }
    }

    #[test]
    fn key_files_written_by_openssl_are_opened() {
        for options in
            [&["-scrypt"][..], &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "10000"]]
        {
            let key = PKey::generate_ed25519().unwrap();
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("plain.pem");
            std::fs::write(&file, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
            let passphrase = format!("pass:{}", std::str::from_utf8(PASSPHRASE).unwrap());
            let output = Command::new("openssl")
                .args(["pkcs8", "-topk8", "-passout", &passphrase])
                .args(options)
                .arg("-in")
                .arg(&file)
                .stderr(Stdio::inherit())
                .output()
                .unwrap();
            let opened =
                FileKey::from_encrypted_pem(std::str::from_utf8(&output.stdout).unwrap(), PASSPHRASE)
                    .unwrap();
            assert_eq!(opened.public_key(), key.public_key_to_der().unwrap());
        }
    }

    #[test]
    fn a_wrong_passphrase_and_foreign_files_are_refused_by_name() {
        let pem = FileKey::generate(KeyAlgorithm::P256).unwrap().to_encrypted_pem(PASSPHRASE).unwrap();
        let opened = |pem: &str, passphrase: &[u8]| FileKey::from_encrypted_pem(pem, passphrase).map(|_| ());
        for wrong in [&b""[..], b"another sentence", b"a sentence nobody say"] {
            assert_eq!(opened(&pem, wrong), Err(KeyFileError::WrongPassphrase));
        }
        let certificate = pem.replace("ENCRYPTED PRIVATE KEY", "CERTIFICATE");
        assert_eq!(opened(&certificate, PASSPHRASE), Err(KeyFileError::NotEncryptedPem));
        assert_eq!(opened("", PASSPHRASE), Err(KeyFileError::NotEncryptedPem));
        let key = FileKey::generate(KeyAlgorithm::Ed25519).unwrap();
        assert_eq!(key.to_encrypted_pem(b"").map(|_| ()), Err(KeyFileError::EmptyPassphrase));
    }

    #[test]
    fn weak_and_foreign_keys_are_refused() {
        let weak = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::SECP256K1).unwrap();
        let foreign = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
        for key in [weak, foreign] {
            let opened = FileKey::from_pkcs8_der(&key.private_key_to_pkcs8().unwrap());
            assert_eq!(opened.map(|_| ()), Err(KeyFileError::UnsupportedKey));
        }
    }

    #[test]
    fn a_key_algorithm_is_named_the_same_in_and_out() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert_eq!("DSA".parse::<KeyAlgorithm>(), Err(UnknownKeyAlgorithm));
    }
}
