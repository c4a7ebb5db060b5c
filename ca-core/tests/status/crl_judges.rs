//! What OpenSSL, Java, GnuTLS and pkilint say of our CRLs; `cargo xtask test` brings them and names pkilint's folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use ca_core::crl::{CertificateList, CrlError, DistributionPoint, Entry, Issuer, Kind, Revocation, Scope};
use ca_core::revocation::{Reason, Status};
use ca_core::signer::FileKey;

use crate::authority::{Algorithm, Authority, CRL_URI, now, serial};

const DAY: Duration = Duration::from_secs(86_400);

/// Writes a full CRL of so many entries, or a delta of them.
fn written(authority: &Authority, kind: Kind<'_>, entries: u32) -> PathBuf {
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    let key = FileKey::from_pkcs8_der(authority.key.pair().serialized_der()).unwrap();
    let status = Status::Revoked {
        since: now().minus(DAY),
        reason: Reason::KeyCompromise,
        invalidity_date: Some(now().minus(2 * DAY)),
    };
    let revocation = Revocation::of(status).unwrap();
    let list = CertificateList {
        issuer: &issuer,
        kind,
        number: 9,
        this_update: now(),
        next_update: now().plus(DAY),
        distribution_point: DistributionPoint { uri: CRL_URI, scope: Scope::UserCertificates },
    };
    let entries = (0..entries).map(|n| Ok::<_, CrlError>(Entry { serial: serial(n), revocation }));
    let path = authority
        .path()
        .join(format!("{}.crl", if matches!(kind, Kind::Full { .. }) { "full" } else { "delta" }));
    let mut spool = tempfile::tempfile().unwrap();
    list.write(entries, &key, &mut spool, &mut std::fs::File::create(&path).unwrap()).unwrap();
    path
}

/// What a program says. An absent judge fails the test; it never passes in silence.
fn ask(program: impl AsRef<Path>, arguments: &[&str]) -> Output {
    let program = program.as_ref();
    let said = Command::new(program).args(arguments).output();
    said.unwrap_or_else(|error| panic!("{}: {error} (`cargo xtask test` installs it)", program.display()))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

const FULL: Kind<'_> = Kind::Full { delta_uri: Some("http://muhr.example/repository/issuing-delta.crl") };

#[test]
fn java_and_openssl_read_and_verify_a_million_entries_and_a_delta() {
    let authority = Authority::new(Algorithm::P256);
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/status/ReadCrl.java");
    let ca = authority.path().join("ca.pem");
    for (kind, entries, critical) in
        [(FULL, 1_000_000, "[2.5.29.28]"), (Kind::Delta { base: 3 }, 2, "2.5.29.27")]
    {
        let crl = written(&authority, kind, entries);
        let (verified, said) =
            authority.openssl(&format!("crl -inform DER -in {} -CAfile ca.pem -noout", crl.display()));
        assert!(verified && said.contains("verify OK"), "{said}");
        let arguments = [program, crl.to_str().unwrap(), ca.to_str().unwrap()];
        let said = text(&ask("java", &arguments));
        assert!(said.starts_with(&format!("{entries} entries")) && said.contains(critical), "{said}");
    }
}

#[test]
fn gnutls_reads_and_verifies_both_kinds() {
    let authority = Authority::new(Algorithm::P256);
    // With --inder it reads everything in DER.
    let ca = authority.write("ca.der", &authority.certificate);
    for kind in [FULL, Kind::Delta { base: 3 }] {
        let crl = written(&authority, kind, 3);
        let (crl, ca) = (crl.to_str().unwrap(), ca.to_str().unwrap());
        let said = ask("certtool", &["--crl-info", "--inder", "--infile", crl]);
        assert!(said.status.success() && text(&said).contains("Revoked certificates (3)"), "{}", text(&said));
        let verify = ["--verify-crl", "--inder", "--infile", crl, "--load-ca-certificate", ca];
        let said = text(&ask("certtool", &verify));
        assert!(said.contains("Verified"), "{said}");
    }
}

#[test]
fn pkilint_finds_nothing_above_a_notice_in_either_kind() {
    let Some(folder) = std::env::var_os("MUHR_ORACLES") else { return };
    let program = PathBuf::from(folder).join("bin/lint_crl");
    let authority = Authority::new(Algorithm::P256);
    for kind in [FULL, Kind::Delta { base: 3 }] {
        let crl = written(&authority, kind, 3);
        let fixed = ["lint", "-s", "WARNING", "-f", "TEXT", "-t", "CRL", "-p", "PKIX", crl.to_str().unwrap()];
        let said = ask(&program, &fixed);
        assert!(said.status.success() && said.stdout.trim_ascii().is_empty(), "{}", text(&said));
    }
}
