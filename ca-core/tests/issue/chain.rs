//! openssl and GnuTLS build and verify the chain.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ca_core::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::X509;

use crate::authority::{Authority, SUBJECT_KEYS, SUBSCRIBERS, ec_key, now};

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(authority: &Authority) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        files.write("root.pem", authority.root.certificate());
        files.write("issuing.pem", authority.issuing.certificate());
        files
    }

    fn write(&self, name: &str, der: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, X509::from_der(der).unwrap().to_pem().unwrap()).unwrap();
        path
    }

    fn verify(&self, certificate: &Path, options: &[&str]) -> Output {
        let (root, issuing) =
            (self.directory.path().join("root.pem"), self.directory.path().join("issuing.pem"));
        let moment = (now().unix_seconds() + 60).to_string();
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-policy_check", "-attime", &moment]).args(options);
        openssl.arg("-CAfile").arg(root).arg("-untrusted").arg(issuing).arg(certificate).output().unwrap()
    }
}

fn assert_accepted(output: &Output, what: &str) {
    let text = [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{what}: {text}");
}

#[test]
fn openssl_verifies_every_profile_and_every_kind_of_subject_key() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    for profile in SUBSCRIBERS {
        for key in SUBJECT_KEYS {
            let leaf = files.write("leaf.pem", &authority.subscriber(profile, key).der);
            for purpose in ["sslclient", "smimesign", "any"] {
                assert_accepted(
                    &files.verify(&leaf, &["-purpose", purpose]),
                    &format!("{profile} {key} {purpose}"),
                );
            }
        }
    }
    let ocsp = files.write("ocsp.pem", &authority.ocsp.der);
    assert_accepted(&files.verify(&ocsp, &["-purpose", "ocsphelper"]), "ocsp signer");
}

#[test]
fn openssl_verifies_chains_of_rsa_p_384_and_ed25519_issuers() {
    let rsa = || PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let pairs = [
        (rsa(), rsa()),
        (ec_key(Nid::SECP384R1, "r"), ec_key(Nid::SECP384R1, "i")),
        (PKey::generate_ed25519().unwrap(), PKey::generate_ed25519().unwrap()),
    ];
    for (root, issuing) in pairs {
        let authority = Authority::with(&root, &issuing);
        let files = Files::new(&authority);
        let leaf = files.write("leaf.pem", &authority.subscriber("legal_entity", "P-256").der);
        assert_accepted(&files.verify(&leaf, &[]), &format!("{:?}", root.id()));
    }
}

#[test]
fn openssl_refuses_the_certificate_of_another_issuer() {
    let files = Files::new(&Authority::new());
    let (root, issuing) = (ec_key(Nid::SECP384R1, "other root"), ec_key(Nid::X9_62_PRIME256V1, "other"));
    let foreign = Authority::with(&root, &issuing).subscriber("natural_person", "P-256");
    assert!(!files.verify(&files.write("leaf.pem", &foreign.der), &[]).status.success());
}

#[test]
fn openssl_reads_the_subject_in_the_order_of_the_deployed_hierarchy() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let leaf = files.write("leaf.pem", &authority.subscriber("legal_entity", "P-256").der);
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-subject", "-nameopt", "oid,sep_comma_plus,utf8", "-in"])
        .arg(leaf)
        .output()
        .unwrap();
    let subject = String::from_utf8(output.stdout).unwrap();
    let order: Vec<_> =
        subject.trim_start_matches("subject=").split(',').filter_map(|part| part.split('=').next()).collect();
    let expected = "2.5.4.3,2.5.4.41,2.5.4.4,2.5.4.10,2.5.4.7,2.5.4.8,2.5.4.6,0.9.2342.19200300.100.1.1,\
                    1.2.860.3.16.1.2,2.5.4.12,1.2.860.3.16.1.1,1.2.840.113549.1.9.1,2.5.4.15";
    assert_eq!(order.join(","), expected);
}

#[test]
fn gnutls_verifies_every_profile() {
    // Debian 12's certtool judges by its own clock.
    let since_1970 = Asn1Time::from_unix(0).unwrap().diff(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    let seconds = i64::from(since_1970.days) * 86_400 + i64::from(since_1970.secs);
    let authority = Authority::at(Timestamp::from_unix_seconds(seconds));
    let files = Files::new(&authority);
    for profile in SUBSCRIBERS {
        let chain = [authority.subscriber(profile, "P-256").der.as_slice(), authority.issuing.certificate()]
            .map(|der| X509::from_der(der).unwrap().to_pem().unwrap())
            .concat();
        let path = files.directory.path().join("chain.pem");
        std::fs::write(&path, chain).unwrap();
        let output = Command::new("certtool")
            .args(["--verify", "--load-ca-certificate"])
            .arg(files.directory.path().join("root.pem"))
            .arg("--infile")
            .arg(path)
            .output()
            .expect("certtool of gnutls-bin");
        assert_accepted(&output, profile);
    }
}
