//! TLS in our own process, as other people's clients see it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::command::{Said, finish, run};
use crate::key::text;
use crate::partner::{APPLICATIONS, Partner, Signed};
use crate::person::Person;
use crate::postgres::free_port;
use crate::stack::{Database, eventually};

on_both_databases!(certificates_are_exchanged_without_a_restart_and_partners_show_theirs);

/// A CA of the operator's and what it issues, made by OpenSSL.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Self(TempDir::new().expect("a temporary folder"));
        let (key, ca) = (authority.file("ca.key"), authority.file("ca.pem"));
        let subject = ["-subj", "/CN=A test's TLS authority", "-days", "30"];
        let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        run("openssl", [&new[..], &subject, &["-keyout", &key, "-out", &ca]].concat()).well();
        authority
    }

    fn file(&self, name: &str) -> String {
        text(&self.0.path().join(name))
    }

    /// NAME.pem and NAME.key.
    fn issue(&self, name: &str) {
        let (key, request) = (self.file(&format!("{name}.key")), self.file(&format!("{name}.csr")));
        let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"];
        let subject = format!("/CN={name}");
        run("openssl", [&new[..], &[&subject, "-keyout", &key, "-out", &request]].concat()).well();
        let extensions = self.file("extensions");
        fs::write(&extensions, "subjectAltName=IP:127.0.0.1\n").expect("our folder");
        let (ca, ca_key) = (self.file("ca.pem"), self.file("ca.key"));
        let out = self.file(&format!("{name}.pem"));
        let by = ["x509", "-req", "-CA", &ca, "-CAkey", &ca_key, "-days", "30", "-extfile", &extensions];
        run("openssl", [&by[..], &["-in", &request, "-out", &out]].concat()).well();
    }

    fn sha256(&self, name: &str) -> String {
        let said = run("openssl", ["x509", "-in", &self.file(name), "-noout", "-fingerprint", "-sha256"]);
        said.well().out.trim().rsplit('=').next().expect("a fingerprint").replace(':', "")
    }
}

/// Puts a certificate and its key into the files that the server reads.
fn show(authority: &Authority, folder: &Path, name: &str) {
    for extension in ["pem", "key"] {
        let beside = folder.join(format!("tls.{extension}.new"));
        fs::copy(authority.file(&format!("{name}.{extension}")), &beside).expect("our folder");
        fs::rename(&beside, folder.join(format!("tls.{extension}"))).expect("our folder");
    }
}

/// curl with the partner's signed request, by this connection.
fn curl(address: &str, ca: &str, signed: &Signed, certificate: &[&str]) -> Said {
    let mut command = Command::new("curl");
    command.args(["--silent", "--include", "--tlsv1.3", "--cacert", ca, "--request", signed.method.as_str()]);
    for (name, value) in &signed.fields {
        command.args(["--header", &format!("{name}: {}", value.as_str().expect("a text"))]);
    }
    command.args(["--data-binary", "@-", &format!("https://{address}{}", signed.path)]).args(certificate);
    finish(&mut command, &signed.body)
}

fn certificates_are_exchanged_without_a_restart_and_partners_show_theirs(database: Database) {
    let authority = Authority::new();
    for name in ["first", "second", "partner", "stranger"] {
        authority.issue(name);
    }
    let ca = authority.file("ca.pem");
    let folder = TempDir::new().expect("a temporary folder");
    show(&authority, folder.path(), "first");
    let address = format!("127.0.0.1:{}", free_port());
    let files = ["tls.pem", "tls.key"].map(|name| text(&folder.path().join(name)));
    let stack = database.start_with(&[
        ("HTTP__TLS__LISTEN", &address),
        ("HTTP__TLS__CERTIFICATE_FILE", &files[0]),
        ("HTTP__TLS__KEY_FILE", &files[1]),
        ("HTTP__TLS__CLIENT_CA_FILE", &ca),
        // The partner as `muhr up` makes it, and its certificate.
        ("PARTNERS__MY-GOV-UZ__CHANNEL", "my.gov.uz"),
        ("PARTNERS__MY-GOV-UZ__KEYS__MY-GOV-UZ", "partner-my-gov-uz.pem"),
        ("PARTNERS__MY-GOV-UZ__CERTIFICATES_SHA256", &authority.sha256("partner.pem")),
    ]);

    let connect = |version: &str| {
        finish(
            Command::new("openssl")
                .args(["s_client", "-connect", &address, "-CAfile", &ca, version, "-brief"]),
            b"",
        )
    };
    let said = connect("-tls1_3").well().all();
    assert!(said.contains("Protocol version: TLSv1.3") && said.contains("Verification: OK"), "{said}");
    assert!(said.contains("CN = first"), "{said}");
    assert!(!connect("-tls1_2").success);
    let page =
        run("curl", ["--silent", "--include", "--cacert", &ca, &format!("https://{address}/")]).well().out;
    assert!(page.to_lowercase().contains("strict-transport-security: max-age=63072000"), "{page}");

    // Who has agreed on a certificate shows it, and their signature besides.
    let partner = Partner::of_the_sandbox(&stack);
    let person = Person::new();
    let mut form = crate::applicant::form(&person, crate::applicant::SubjectType::NaturalPerson);
    form["phone"] = person.phone.clone().into();
    let refused = |said: Said| {
        let said = said.well().out;
        assert!(said.contains(" 401") && said.contains("\"certificate\""), "{said}");
    };
    let by = |name: &str| [authority.file(&format!("{name}.pem")), authority.file(&format!("{name}.key"))];
    let problem = partner.send(&partner.application(&form)).problem(401, "unauthenticated");
    assert_eq!(problem["errors"][0]["rule"], "certificate", "{problem}");
    refused(curl(&address, &ca, &partner.application(&form), &[]));
    let [certificate, key] = by("stranger");
    refused(curl(&address, &ca, &partner.application(&form), &["--cert", &certificate, "--key", &key]));
    let [certificate, key] = by("partner");
    let said = curl(&address, &ca, &partner.application(&form), &["--cert", &certificate, "--key", &key]);
    assert!(said.well().out.contains(" 201"), "{APPLICATIONS}");
    // One that nobody known has issued does not even get through the handshake.
    let other = Authority::new();
    other.issue("partner");
    let (certificate, key) = (other.file("partner.pem"), other.file("partner.key"));
    let said = curl(&address, &ca, &partner.application(&form), &["--cert", &certificate, "--key", &key]);
    assert!(!said.success || said.out.is_empty(), "{}", said.all());

    show(&authority, folder.path(), "second");
    eventually("the other certificate is shown", Duration::from_secs(25), || {
        connect("-tls1_3").well().all().contains("CN = second").then_some(())
    });
    fs::write(&files[0], "no certificate").expect("our folder");
    eventually("the log says so", Duration::from_secs(25), || {
        stack.log().contains("the new TLS certificate is not used").then_some(())
    });
    assert!(connect("-tls1_3").well().all().contains("CN = second"));
}
