//! An applicant's key, made and kept by the `openssl` command.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::command;

pub(crate) struct Key {
    folder: TempDir,
}

impl Key {
    pub(crate) fn p256() -> Self {
        Self::generate(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    pub(crate) fn rsa(bits: u32) -> Self {
        Self::generate(&["-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")])
    }

    pub(crate) fn generate(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("key.pem");
        let key = Self { folder };
        command::run("openssl", ["genpkey", "-quiet", "-out", &text(&file)].iter().chain(arguments).copied())
            .well();
        key
    }

    /// A PKCS#10 request in DER. Its subject is of no importance: the CA takes the key only.
    pub(crate) fn csr(&self) -> Vec<u8> {
        self.csr_with(&["-sha256", "-outform", "DER"])
    }

    pub(crate) fn csr_pem(&self) -> Vec<u8> {
        self.csr_with(&["-sha256"])
    }

    pub(crate) fn csr_with(&self, arguments: &[&str]) -> Vec<u8> {
        let file = self.folder.path().join("request");
        let (key, request) = (text(&self.file()), text(&file));
        let fixed = ["req", "-new", "-key", &key, "-out", &request, "-subj", "/C=UZ/CN=Anybody at all"];
        command::run("openssl", fixed.iter().chain(arguments).copied()).well();
        fs::read(file).expect("openssl wrote it")
    }

    /// The public key as PEM, to compare with a certificate's.
    pub(crate) fn public(&self) -> String {
        command::run("openssl", ["pkey", "-in", &text(&self.file()), "-pubout"]).well().out
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}
