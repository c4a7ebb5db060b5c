//! Statements are signed by the openssl command.

use std::fs;
use std::process::Command;

use base64::Engine;
use tempfile::TempDir;

use super::*;

/// An applicant with a key, a throwaway certificate for it and openssl.
struct Applicant {
    folder: TempDir,
    key: SubjectPublicKey,
}

impl Applicant {
    fn new(key: &str) -> Self {
        let folder = TempDir::new().unwrap();
        run(&folder, &format!("genpkey -quiet -out key.pem {key}"));
        run(&folder, "req -x509 -new -key key.pem -subj /CN=throwaway -out certificate.pem");
        let spki = run(&folder, "pkey -in key.pem -pubout -outform DER");
        Self { key: SubjectPublicKey::from_spki_der(&spki).unwrap(), folder }
    }

    fn p256() -> Self {
        Self::new("-algorithm EC -pkeyopt ec_paramgen_curve:P-256")
    }

    fn sign(&self, text: &[u8], options: &str) -> Vec<u8> {
        fs::write(self.folder.path().join("statement.txt"), text).unwrap();
        let command =
            "cms -sign -binary -signer certificate.pem -inkey key.pem -in statement.txt -outform DER";
        run(&self.folder, &format!("{command} {options}"))
    }
}

fn run(folder: &TempDir, arguments: &str) -> Vec<u8> {
    let output =
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(key: &SubjectPublicKey) -> Vec<u8> {
    statement_text(&statement(key.sha256()))
}

fn statement(key_sha256: [u8; 32]) -> Statement<'static> {
    Statement {
        application: "0192f0c8-1f5e-7000-8000-000000000001",
        subject_type: "legal_entity",
        pinfl: "30101900000011",
        stir: Some("301234564"),
        key_sha256,
        purpose: "signature",
        created_at: Timestamp::from_unix_millis(1_795_132_800_000),
    }
}

#[test]
fn the_text_is_one_line_for_each_field() {
    let written = String::from_utf8(statement_text(&statement([0xab; 32]))).unwrap();
    insta::assert_snapshot!(written, @r"
    muhr-application-statement/1
    application: 0192f0c8-1f5e-7000-8000-000000000001
    subject-type: legal_entity
    pinfl: 30101900000011
    stir: 301234564
    key-sha256: abababababababababababababababababababababababababababababababab
    purpose: signature
    created-at: 2026-11-20T00:00:00Z
    ");
    let without = statement_text(&Statement { stir: None, ..statement([0xab; 32]) });
    assert_eq!(written.replace("stir: 301234564\n", "").into_bytes(), without);
}

#[test]
fn no_value_can_pretend_to_be_a_line() {
    let forged = Statement { stir: None, purpose: "x\ncreated-at: now\u{85}\\", ..statement([0; 32]) };
    let written = String::from_utf8(statement_text(&forged)).unwrap();
    assert_eq!(written.lines().count(), 7);
    assert!(written.contains("\npurpose: x\\u{a}created-at: now\\u{85}\\u{5c}\n"));
}

#[test]
fn what_openssl_signs_is_accepted() {
    for key in [
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
        "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    ] {
        let applicant = Applicant::new(key);
        let text = text(&applicant.key);
        let pss = "-keyopt rsa_padding_mode:pss";
        for options in ["", "-nodetach", "-md sha384", "-md sha512", "-nocerts", "-keyid", "-cades", pss] {
            if options == pss && !key.contains("RSA") {
                continue;
            }
            let cms = applicant.sign(&text, options);
            assert_eq!(verify(&cms, &text, &applicant.key), Ok(()), "{key} {options}");
        }
    }
}

#[test]
fn what_pkijs_signs_is_accepted_though_it_does_not_sort_attributes() {
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let key = SubjectPublicKey::from_spki_der(&decode(PKIJS_KEY)).unwrap();
    for cms in [PKIJS_USUAL, PKIJS_REVERSED] {
        assert_eq!(verify(&decode(cms), b"hello statement", &key), Ok(()));
        assert_eq!(verify(&decode(cms), b"other statement", &key), Err(StatementRefusal::OtherDigest));
    }
}

// Made by pkijs 3 with WebCrypto: contentType, messageDigest, signingTime, and the same reversed.
const PKIJS_KEY: &str = "\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEUTYQgbL9dMY2CjgtBhVroar79Dj3nmrS6U5ivBJoKdHMdVvCt/4aNGpw7MBaf/3\
    GFZ+n7zcRZvBhJBYjddVjw==";
const PKIJS_USUAL: &str = "\
    MIICRwYJKoZIhvcNAQcCoIICODCCAjQCAQExDzANBglghkgBZQMEAgEFADALBgkqhkiG9w0BBwGgggEbMIIBFzCBv6ADAgECAgEB\
    MAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCXRocm93YXdheTAeFw0yNjAyMDEwMDAwMDBaFw0yNzAyMDEwMDAwMDBaMBQxEjAQBgNV\
    BAMMCXRocm93YXdheTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBFE2EIGy/XTGNgo4LQYVa6Gq+/Q4955q0ulOYrwSaCnRzHV\
    bwrf+GjRqcOzAWn/9xhWfp+83EWbwYSQWI3XVY+jAjAAMAoGCCqGSM49BAMCA0cAMEQCIBoXPu0BVVcKUpxrZj5T3iqfNi+eTfSL\
    kH+Q6vkM3gtwAiAaKFqFiAZ8SeoZBf4P4frHOHKaTtNu+XPsNBBcz/M9lzGB8TCB7gIBATAZMBQxEjAQBgNVBAMMCXRocm93YXdh\
    eQIBATANBglghkgBZQMEAgEFAKBpMBgGCSqGSIb3DQEJAzELBgkqhkiG9w0BBwEwLwYJKoZIhvcNAQkEMSIEIGBqhgiMOCe5bCv+\
    ZW6j3IbsN9WtTdyELsDYOZDt1sLzMBwGCSqGSIb3DQEJBTEPFw0yNjExMjEwMDQ0MjRaMAoGCCqGSM49BAMCBEgwRgIhAMi4Qhpz\
    9kQ+apWbgckW3nk2EtWjv5Uk6DydrssuvUNsAiEAynT2EJv/b7IyD/rz6CjPKfiBUS7AizXBmwHubjUxvTQ=";
const PKIJS_REVERSED: &str = "\
    MIICRQYJKoZIhvcNAQcCoIICNjCCAjICAQExDzANBglghkgBZQMEAgEFADALBgkqhkiG9w0BBwGgggEbMIIBFzCBv6ADAgECAgEB\
    MAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCXRocm93YXdheTAeFw0yNjAyMDEwMDAwMDBaFw0yNzAyMDEwMDAwMDBaMBQxEjAQBgNV\
    BAMMCXRocm93YXdheTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBFE2EIGy/XTGNgo4LQYVa6Gq+/Q4955q0ulOYrwSaCnRzHV\
    bwrf+GjRqcOzAWn/9xhWfp+83EWbwYSQWI3XVY+jAjAAMAoGCCqGSM49BAMCA0cAMEQCIBoXPu0BVVcKUpxrZj5T3iqfNi+eTfSL\
    kH+Q6vkM3gtwAiAaKFqFiAZ8SeoZBf4P4frHOHKaTtNu+XPsNBBcz/M9lzGB7zCB7AIBATAZMBQxEjAQBgNVBAMMCXRocm93YXdh\
    eQIBATANBglghkgBZQMEAgEFAKBpMBwGCSqGSIb3DQEJBTEPFw0yNjExMjEwMDQ0MjRaMC8GCSqGSIb3DQEJBDEiBCBgaoYIjDgn\
    uWwr/mVuo9yG7DfVrU3chC7A2DmQ7dbC8zAYBgkqhkiG9w0BCQMxCwYJKoZIhvcNAQcBMAoGCCqGSM49BAMCBEYwRAIgFJ9WGd90\
    I4HGiuc9NTzSY+d/+aRdaAIJ6kydmVHOqJkCIDeabMKsdeajWuPWYuib2dMDabfvKdL+8SmzRpFXZJj8";

#[test]
fn another_text_or_another_key_is_refused() {
    let (applicant, other) = (Applicant::p256(), Applicant::p256());
    let (mine, theirs) = (text(&applicant.key), text(&other.key));
    let detached = applicant.sign(&mine, "");
    assert_eq!(verify(&detached, &theirs, &applicant.key), Err(StatementRefusal::OtherDigest));
    assert_eq!(verify(&detached, &mine, &other.key), Err(StatementRefusal::OtherKey));
    let attached = applicant.sign(&mine, "-nodetach");
    assert_eq!(verify(&attached, &theirs, &applicant.key), Err(StatementRefusal::OtherContent));
    let anonymous = applicant.sign(&mine, "-nocerts");
    assert_eq!(verify(&anonymous, &mine, &other.key), Err(StatementRefusal::WrongSignature));
    let rsa = Applicant::new("-algorithm RSA");
    assert_eq!(verify(&anonymous, &mine, &rsa.key), Err(StatementRefusal::UnsupportedSignature));
}

#[test]
fn every_statement_has_one_signer_with_signed_attributes_and_a_strong_digest() {
    let applicant = Applicant::p256();
    let text = text(&applicant.key);
    let refused = |cms: &[u8]| verify(cms, &text, &applicant.key).unwrap_err();
    assert_eq!(refused(&applicant.sign(&text, "-noattr")), StatementRefusal::NoSignedAttributes);
    assert_eq!(refused(&applicant.sign(&text, "-md sha1")), StatementRefusal::WeakDigest);
    assert_eq!(refused(&applicant.sign(&text, "-md sha224")), StatementRefusal::UnsupportedSignature);
    let typed = applicant.sign(&text, "-econtent_type 1.2.3.4");
    assert_eq!(refused(&typed), StatementRefusal::ContentType);
    let second = applicant.sign(&text, "-nodetach");
    fs::write(applicant.folder.path().join("first.der"), second).unwrap();
    let resign =
        "cms -resign -nocerts -inform DER -in first.der -signer certificate.pem -inkey key.pem -outform DER";
    assert_eq!(refused(&run(&applicant.folder, resign)), StatementRefusal::SignerCount);
}

#[test]
fn only_signed_data_in_der_is_read() {
    let applicant = Applicant::p256();
    let text = text(&applicant.key);
    let refused = |cms: &[u8]| verify(cms, &text, &applicant.key).unwrap_err();
    let good = applicant.sign(&text, "");
    assert_eq!(refused(&[&good[..], &[0]].concat()), StatementRefusal::NotSignedData);
    assert_eq!(refused(&good[..good.len() - 1]), StatementRefusal::NotSignedData);
    assert_eq!(refused(b""), StatementRefusal::NotSignedData);
    assert_eq!(refused(&vec![0x30; MAX_SIZE + 1]), StatementRefusal::TooLarge);
    assert_eq!(
        refused(&run(&applicant.folder, "x509 -in certificate.pem -outform DER")),
        StatementRefusal::NotSignedData
    );
    assert_eq!(refused(&applicant.sign(&text, "-outform PEM")), StatementRefusal::NotSignedData);
}

#[test]
fn no_changed_bit_of_what_is_signed_passes() {
    let applicant = Applicant::p256();
    let text = text(&applicant.key);
    let signed = |cms: &[u8]| {
        let signer = signed_data(cms).unwrap().signer_infos.0.as_slice()[0].clone();
        (signer.digest_alg, signer.signed_attrs, signer.signature_algorithm, signer.signature)
    };
    let good = applicant.sign(&text, "-nocerts");
    let mut refused = 0;
    for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut changed = good.clone();
        changed[at] ^= 1 << bit;
        match verify(&changed, &text, &applicant.key) {
            Ok(()) => assert_eq!(signed(&changed), signed(&good), "octet {at}, bit {bit}"),
            Err(_) => refused += 1,
        }
    }
    // What may change is what nobody signs: versions, the signer's name, the list of digests.
    assert!(refused > good.len() * 6, "{refused} of {}", good.len() * 8);
}
