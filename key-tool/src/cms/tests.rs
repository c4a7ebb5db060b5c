use std::fs;
use std::process::Command;

use ca_core::signer::{FileKey, KeyAlgorithm, Signer as _};
use tempfile::TempDir;

use super::*;
use crate::request::self_signed;

const TEXT: &[u8] = "Shartnoma № 1\r\nмуҳр\n".as_bytes();

fn now() -> ca_core::Timestamp {
    "2026-11-26T05:00:00Z".parse().unwrap()
}

fn openssl(folder: &TempDir, arguments: &str) -> String {
    let said = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    let all = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success(), "openssl {arguments}\n{all}");
    all
}

/// A key with its self-signed certificate, as files for openssl.
fn signer(algorithm: KeyAlgorithm) -> (TempDir, FileKey, Vec<Vec<u8>>) {
    let folder = TempDir::new().unwrap();
    let key = FileKey::generate(algorithm).unwrap();
    let certificate = self_signed(&key, "Imzolovchi", now()).unwrap();
    fs::write(folder.path().join("cert.der"), &certificate).unwrap();
    fs::write(folder.path().join("key.der"), key.to_pkcs8_der().unwrap()).unwrap();
    fs::write(folder.path().join("text"), TEXT).unwrap();
    openssl(&folder, "x509 -inform DER -in cert.der -out cert.pem");
    openssl(&folder, "pkey -inform DER -in key.der -out key.pem");
    (folder, key, vec![certificate])
}

#[test]
fn openssl_verifies_what_every_kind_of_key_signed() {
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
        let (folder, key, certificates) = signer(algorithm);
        for detached in [true, false] {
            let der = sign(&key, &certificates, TEXT, detached, now()).unwrap();
            fs::write(folder.path().join("signed.p7s"), pem(&der).unwrap()).unwrap();
            let content = if detached { " -content text" } else { "" };
            let verify =
                "cms -verify -cades -inform PEM -in signed.p7s -no_check_time -purpose any -binary -out back";
            openssl(&folder, &format!("{verify}{content} -CAfile cert.pem"));
            assert_eq!(fs::read(folder.path().join("back")).unwrap(), TEXT, "{algorithm} {detached}");
            let read = Signed::read(&der).unwrap();
            read.verify(TEXT).unwrap();
            assert_eq!(read.content.is_none(), detached);
            assert_eq!(read.signing_time(), Some(now()));
        }
    }
}

#[test]
fn ed25519_signs_whole_attributes() {
    let (_, key, certificates) = signer(KeyAlgorithm::Ed25519);
    let der = sign(&key, &certificates, TEXT, false, now()).unwrap();
    Signed::read(&der).unwrap().verify(TEXT).unwrap();
}

#[test]
fn what_openssl_signed_is_verified() {
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
        let (folder, ..) = signer(algorithm);
        let signing = "cms -sign -in text -signer cert.pem -inkey key.pem -binary -out theirs";
        for options in [
            "-outform DER",
            "-outform PEM -nodetach",
            "-outform DER -cades -nodetach",
            "-outform DER -nodetach -stream",
        ] {
            openssl(&folder, &format!("{signing} {options} -md sha384"));
            let read = Signed::read(&fs::read(folder.path().join("theirs")).unwrap()).unwrap();
            read.verify(TEXT).unwrap_or_else(|trouble| panic!("{algorithm} {options}: {trouble:?}"));
            assert!(read.verify(b"another text").is_err());
        }
    }
}

#[test]
fn another_text_another_key_and_another_certificate_are_refused() {
    let (_, key, certificates) = signer(KeyAlgorithm::P256);
    let der = sign(&key, &certificates, TEXT, true, now()).unwrap();
    let refused = |der: &[u8], content: &[u8]| match Signed::read(der).and_then(|read| read.verify(content)) {
        Ok(()) => String::new(),
        Err(trouble) => trouble.name().to_owned(),
    };
    assert_eq!(refused(&der, b"another"), "statement-other-digest");
    assert_eq!(refused(b"nothing", TEXT), "statement-not-signed-data");
    let again = self_signed(&key, "Imzolovchi", now()).unwrap();
    // The same key under another certificate: RFC 5035 section 1 is about just that.
    let mut swapped = Signed::read(&der).unwrap();
    swapped.certificate = again;
    assert_eq!(swapped.verify(TEXT).unwrap_err().name(), "other-certificate-meant");
    let mut changed = der.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&changed, TEXT), "statement-wrong-signature");
    assert!(!key.public_key().is_empty());
}
