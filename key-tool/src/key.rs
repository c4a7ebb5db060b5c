//! A key: made, opened, given another password.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use ca_core::Timestamp;
use ca_core::key_file::{EXTENSION, alias};
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use zeroize::Zeroizing;

use crate::password::Password;
use crate::pfx::{self, KeyFile, MAX_SIZE};
use crate::trouble::{Exit, Trouble};
use crate::{disk, request};

/// An opened key file.
pub struct Key {
    /// Where it lies.
    pub path: PathBuf,
    /// For signing.
    pub signer: FileKey,
    /// Alias, octets of the key, certificates.
    pub content: KeyFile,
}

impl Key {
    /// Makes a key pair and writes it into `folder` as `muhr-<hex>.pfx`, with a self-signed certificate of one week: it is
    /// temporary until the CA's certificate takes its place ([`crate::fetch`]).
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn generate(
        folder: &Path,
        algorithm: KeyAlgorithm,
        name: &str,
        password: &Password,
        now: Timestamp,
    ) -> Result<Self, Trouble> {
        let signer = FileKey::generate(algorithm).map_err(|_| Trouble::cryptography())?;
        let pkcs8 = signer.to_pkcs8_der().map_err(|_| Trouble::cryptography())?;
        let certificate = request::self_signed(&signer, name, now)?;
        let alias = alias(&certificate).map_err(|_| Trouble::cryptography())?;
        let content = KeyFile { alias: Some(alias), pkcs8, certificates: vec![certificate] };
        let fingerprint = hex::encode(digest(&SHA256, signer.public_key()));
        let path = folder.join(format!("muhr-{}.{EXTENSION}", &fingerprint[..16]));
        disk::write_new(&path, &written(&content, password, &path)?)?;
        let key = Self { path, signer, content };
        // What counts is what can be opened again.
        Self::open(&key.path, password)?;
        Ok(key)
    }

    /// Opens a key file.
    ///
    /// # Errors
    /// It cannot be read, or the password is wrong, or it holds no key that can be used here.
    pub fn open(path: &Path, password: &Password) -> Result<Self, Trouble> {
        let octets = disk::read(path, MAX_SIZE as u64)?;
        let content = pfx::open(&octets, password.as_str()).map_err(|fault| Trouble::opening(path, fault))?;
        let signer = FileKey::from_pkcs8_der(&content.pkcs8)
            .map_err(|_| Trouble::new("unsupported-key", Exit::File).about(path))?;
        Ok(Self { path: path.to_owned(), signer, content })
    }

    /// Puts the file under another password. Until the new file is whole on the disk, the old one stays.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn change_password(&self, password: &Password) -> Result<(), Trouble> {
        disk::replace(&self.path, &written(&self.content, password, &self.path)?)?;
        Self::open(&self.path, password).map(|_| ())
    }

    /// Writes the key with these certificates, its own first, as a new file, and opens it again.
    ///
    /// # Errors
    /// [`Trouble`] `other-key` if the first certificate is for another key; the file exists; the disk fails.
    pub fn write_with(
        &self,
        certificates: Vec<Vec<u8>>,
        path: &Path,
        password: &Password,
    ) -> Result<Self, Trouble> {
        let own = certificates.first().map(Vec::as_slice).unwrap_or_default();
        if public_key(own)? != self.signer.public_key() {
            return Err(Trouble::new("other-key", Exit::NotTrusted));
        }
        let alias = alias(own).map_err(|_| Trouble::new("no-certificate", Exit::NotTrusted))?;
        let pkcs8 = Zeroizing::new(self.content.pkcs8.to_vec());
        let content = KeyFile { alias: Some(alias), pkcs8, certificates };
        disk::write_new(path, &written(&content, password, path)?)?;
        Self::open(path, password)
    }

    /// The key's own certificate.
    ///
    /// # Errors
    /// The file has none.
    pub fn certificate(&self) -> Result<&[u8], Trouble> {
        let own = self.content.certificates.first().map(Vec::as_slice);
        own.ok_or_else(|| Trouble::new("no-certificate-in-file", Exit::File).about(&self.path))
    }
}

/// The SubjectPublicKeyInfo of a certificate.
pub(crate) fn public_key(certificate: &[u8]) -> Result<Vec<u8>, Trouble> {
    use x509_parser::asn1_rs::FromDer;
    use x509_parser::certificate::X509Certificate;
    match X509Certificate::from_der(certificate) {
        Ok(([], certificate)) => Ok(certificate.public_key().raw.to_vec()),
        _ => Err(Trouble::new("no-certificate", Exit::NotTrusted)),
    }
}

fn written(content: &KeyFile, password: &Password, path: &Path) -> Result<Vec<u8>, Trouble> {
    pfx::write(content, password.as_str()).map_err(|fault| Trouble::opening(path, fault))
}
