//! A stranger who received a certificate and knows nothing of Muhr but the root: other people's software,
//! which follows the addresses inside the certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::command::{self, Said, run};
use crate::http::Client;
use crate::key::text;
use crate::stack::{Stack, eventually};

pub(crate) struct RelyingParty {
    folder: TempDir,
    client: Client,
    /// Where the leaf says its status is to be asked.
    pub(crate) ocsp: String,
    /// Where the leaf says the CRL lies.
    pub(crate) crl: String,
}

/// Access methods of authorityInfoAccess, RFC 5280 section 4.2.2.1.
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
const OCSP: &str = "1.3.6.1.5.5.7.48.1";

impl RelyingParty {
    /// Fetches issuer and root as the certificates themselves say; the root is the one thing trusted.
    pub(crate) fn receiving(stack: &Stack, certificate: &[u8]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let client = stack.anybody();
        let issuing = client.get(&address(certificate, CA_ISSUERS)).is(200).body;
        let root = client.get(&address(&issuing, CA_ISSUERS)).is(200).body;
        for (name, der) in [("leaf", certificate), ("issuing", &issuing), ("root", &root)] {
            fs::write(folder.path().join(format!("{name}.der")), der).expect("our folder");
            let pem = run(
                "openssl",
                ["x509", "-inform", "DER", "-in", &text(&folder.path().join(format!("{name}.der")))],
            );
            fs::write(folder.path().join(format!("{name}.pem")), pem.well().out).expect("our folder");
        }
        let both = ["issuing.pem", "root.pem"]
            .map(|name| fs::read_to_string(folder.path().join(name)).expect("just written"));
        fs::write(folder.path().join("authorities.pem"), both.concat()).expect("our folder");
        let (ocsp, crl) = (address(certificate, OCSP), distribution_point(certificate));
        let relying_party = Self { folder, client, ocsp, crl };
        // Whoever shows a certificate has taken a moment to do so.
        eventually("OCSP knows the certificate", OCSP_KNOWS, || {
            (relying_party.status() != "unknown").then_some(())
        });
        relying_party
    }

    /// Who asks.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn file(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    pub(crate) fn openssl_verify(&self) -> Said {
        self.openssl_verify_with(&[])
    }

    /// With the CRL as it is now.
    pub(crate) fn openssl_verify_with_crl(&self) -> Said {
        self.openssl_verify_with(&["-crl_check", "-CRLfile", &self.fetch_crl()])
    }

    fn openssl_verify_with(&self, arguments: &[&str]) -> Said {
        let files = [self.file("root.pem"), self.file("issuing.pem"), self.file("leaf.pem")];
        let fixed = ["verify", "-x509_strict", "-CAfile", &files[0], "-untrusted", &files[1]];
        run("openssl", fixed.iter().chain(arguments).copied().chain([files[2].as_str()]))
    }

    /// `openssl ocsp` with a nonce; the response's signature and its signer are checked.
    pub(crate) fn openssl_ocsp(&self) -> Said {
        self.openssl_ocsp_with(&[])
    }

    pub(crate) fn openssl_ocsp_with(&self, arguments: &[&str]) -> Said {
        let files = [self.file("issuing.pem"), self.file("leaf.pem"), self.file("authorities.pem")];
        let fixed = ["ocsp", "-issuer", &files[0], "-url", &self.ocsp, "-CAfile", &files[2]];
        run("openssl", fixed.iter().chain(arguments).copied().chain(["-cert", &files[1]]))
    }

    /// What OpenSSL says the status is, after it has verified the response: `good`, `revoked`, `unknown`.
    #[track_caller]
    pub(crate) fn status(&self) -> String {
        let said = self.openssl_ocsp().well();
        assert!(said.err.contains("Response verify OK"), "{}", said.all());
        let line = said
            .out
            .lines()
            .find_map(|line| line.split_once("leaf.pem: "))
            .unwrap_or_else(|| panic!("{}", said.all()));
        line.1.trim().to_owned()
    }

    /// The CRL's file in PEM, after OpenSSL has verified its signature.
    pub(crate) fn fetch_crl(&self) -> String {
        let answer = self.client.get(&self.crl).is(200);
        assert!(answer.header("content-type").starts_with("application/pkix-crl"), "{:?}", answer.headers);
        let (der, pem) = (self.folder.path().join("crl.der"), self.file("crl.pem"));
        fs::write(&der, &answer.body).expect("our folder");
        let (der, authorities) = (text(&der), self.file("authorities.pem"));
        let arguments = ["crl", "-inform", "DER", "-in", &der, "-out", &pem, "-CAfile", &authorities];
        let said = run("openssl", arguments).well();
        assert!(said.all().contains("verify OK"), "{}", said.all());
        pem
    }

    /// Whether the CRL lists this certificate, and as what: the reason as OpenSSL spells it, or nothing.
    pub(crate) fn crl_reason(&self) -> Option<String> {
        let serial = run("openssl", ["x509", "-in", &self.file("leaf.pem"), "-noout", "-serial"]).well().out;
        let serial = serial.trim().trim_start_matches("serial=").to_owned();
        let listed = run("openssl", ["crl", "-in", &self.fetch_crl(), "-noout", "-text"]).well().out;
        let entry = listed.split("Serial Number: ").skip(1).find(|entry| entry.starts_with(&serial))?;
        let reason = entry.lines().skip_while(|line| !line.contains("CRL Reason Code")).nth(1);
        Some(reason.unwrap_or_default().trim().to_owned())
    }

    pub(crate) fn certtool_verify(&self) -> Said {
        let chain = self.file("chain.pem");
        let parts =
            ["leaf.pem", "issuing.pem"].map(|name| fs::read_to_string(self.file(name)).expect("our folder"));
        fs::write(&chain, parts.concat()).expect("our folder");
        run("certtool", ["--verify", "--load-ca-certificate", &self.file("root.pem"), "--infile", &chain])
    }

    /// GnuTLS's OCSP client.
    pub(crate) fn ocsptool(&self) -> Said {
        let (leaf, issuing) = (self.file("leaf.pem"), self.file("issuing.pem"));
        let authorities = self.file("authorities.pem");
        let address = format!("--ask={}", self.ocsp);
        run(
            "ocsptool",
            [&address, "--load-cert", &leaf, "--load-issuer", &issuing, "--load-trust", &authorities],
        )
    }

    /// Java's own path validation, with revocation by `ocsp` or by `crl`.
    pub(crate) fn java_validate(&self, revocation: &str) -> Said {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/judges/Validate.java");
        let [root, issuing, leaf] = ["root.der", "issuing.der", "leaf.der"].map(|name| self.file(name));
        let options = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dcom.sun.security.enableCRLDP=true"];
        let file = text(&program);
        run("java", options.into_iter().chain([file.as_str(), revocation, &root, &issuing, &leaf]))
    }

    /// The delegated signer's certificate out of a fresh response, as a file in PEM.
    pub(crate) fn responder_certificate(&self) -> String {
        let text = self.openssl_ocsp_with(&["-resp_text"]).well().out;
        let start =
            text.find("-----BEGIN CERTIFICATE-----").expect("a delegated signer sends its certificate");
        let end = text[start..].find("-----END CERTIFICATE-----").expect("the end of it") + start + 26;
        let file = self.file("responder.pem");
        fs::write(&file, &text[start..end.min(text.len())]).expect("our folder");
        file
    }

    /// A request about one serial of the issuing CA, as OpenSSL writes it with `-nonce` or `-no_nonce`.
    pub(crate) fn question(&self, nonce: &str, serial: &str) -> Vec<u8> {
        let (issuer, file) = (self.file("issuing.pem"), self.file("question.der"));
        let serial = format!("0x{serial}");
        let ask = ["ocsp", nonce, "-issuer", &issuer, "-serial", &serial, "-reqout", &file];
        // Without somebody to ask it ends with an error, after the file is written.
        let said = run("openssl", ask);
        fs::read(&file).unwrap_or_else(|error| panic!("{error}: {}", said.all()))
    }

    /// A fresh OCSP response, as a file in DER.
    pub(crate) fn ocsp_response(&self) -> String {
        let file = self.file("response.der");
        self.openssl_ocsp_with(&["-respout", &file]).well();
        file
    }
}

/// Lints a file with one of pkilint's commands; nothing above a notice may be found.
#[track_caller]
pub(crate) fn pkilint(tool: &str, arguments: &[&str], file: &str) {
    let program = oracles().join("bin").join(tool);
    assert!(program.is_file(), "{} is missing; `cargo xtask test` installs pkilint", program.display());
    let fixed = ["lint", "-s", "WARNING", "-f", "TEXT"];
    let said = command::finish(Command::new(program).args(fixed).args(arguments).arg(file), b"");
    assert!(said.success && said.out.trim().is_empty(), "{tool} on {file}:\n{}", said.all());
}

/// The virtual environment that `cargo xtask test` makes.
pub(crate) fn oracles() -> PathBuf {
    let here = || {
        let test = std::env::current_exe().expect("we are a file");
        test.ancestors().nth(3).expect("TARGET/PROFILE/deps/e2e-HASH").join("oracles")
    };
    std::env::var_os("MUHR_ORACLES").map_or_else(here, PathBuf::from)
}

/// The address that authorityInfoAccess names for this method.
#[track_caller]
fn address(certificate: &[u8], method: &str) -> String {
    let (_, certificate) = X509Certificate::from_der(certificate).expect("a certificate");
    let found = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .accessdescs
            .iter()
            .filter(|description| description.access_method.to_id_string() == method)
            .find_map(|description| uri(&description.access_location)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{} names no {method}", certificate.subject()))
}

#[track_caller]
fn distribution_point(certificate: &[u8]) -> String {
    let (_, certificate) = X509Certificate::from_der(certificate).expect("a certificate");
    let found = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => {
            points.points.iter().find_map(|point| match &point.distribution_point {
                Some(DistributionPointName::FullName(names)) => names.iter().find_map(uri),
                _ => None,
            })
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{} names no CRL", certificate.subject()))
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(address) => Some((*address).to_owned()),
        _ => None,
    }
}

/// How soon the whole world must know (design section 9).
pub(crate) const OCSP_KNOWS: Duration = Duration::from_secs(1);
pub(crate) const CRL_KNOWS: Duration = Duration::from_secs(10);
