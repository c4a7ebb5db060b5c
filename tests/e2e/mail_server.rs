//! A mail server of other people's making (tests/oracles/smtp_server.py), its certificates and DKIM keys.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::command::run;
use crate::janitor;
use crate::key::text;
use crate::postgres::free_port;
use crate::relying_party::oracles;
use crate::stack::{eventually, fresh_folder};

/// Long enough for a mail that is put off three times.
const PATIENCE: Duration = Duration::from_secs(45);

/// How a server protects its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Starttls,
    Implicit,
    None,
}

/// The algorithm of a DKIM key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dkim {
    Rsa,
    Ed25519,
}

pub(crate) struct MailServer {
    child: Child,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl MailServer {
    /// A server that wants AUTH wherever TLS protects it, follows the plan, and knows the key that mail is signed with.
    pub(crate) fn start(tls: Tls, dkim: Option<Dkim>, plan: &str) -> Self {
        let folder = fresh_folder();
        let port = free_port().to_string();
        let mut settings = vec![
            ("MAIL__PROVIDER", "smtp".to_owned()),
            ("MAIL__SENDER", "muhr@muhr.example".to_owned()),
            ("MAIL__SMTP__HOST", "localhost".to_owned()),
            ("MAIL__SMTP__PORT", port.clone()),
            ("MAIL__SMTP__TIMEOUT_SECONDS", "5".to_owned()),
        ];
        let mut command = Command::new(oracles().join("bin/python"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracles/smtp_server.py");
        command.arg(script).arg(&port).arg(&folder).args(["--plan", plan]);
        let mode = match tls {
            Tls::Starttls => "starttls",
            Tls::Implicit => "implicit",
            Tls::None => "none",
        };
        settings.push(("MAIL__SMTP__TLS", mode.to_owned()));
        if tls != Tls::None {
            let [ca, certificate, key] = certificates(&folder);
            let password = folder.join("password");
            fs::write(&password, "secret\n").expect("our folder");
            command.args([
                "--tls",
                mode,
                "--certificate",
                &certificate,
                "--key",
                &key,
                "--auth",
                "muhr:secret",
            ]);
            settings.push(("MAIL__SMTP__CA_FILE", ca));
            settings.push(("MAIL__SMTP__LOGIN", "muhr".to_owned()));
            settings.push(("MAIL__SMTP__PASSWORD_FILE", text(&password)));
        }
        if let Some(dkim) = dkim {
            let (key, record) = dkim_key(&folder, dkim);
            command.arg("--dkim").arg(format!("muhr1._domainkey.muhr.example={record}"));
            settings.push(("MAIL__DKIM__SELECTOR", "muhr1".to_owned()));
            settings.push(("MAIL__DKIM__KEY_FILE", key));
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("Python");
        janitor::will_end(child.id(), "KILL");
        let mut said = String::new();
        let out = child.stdout.take().expect("it was piped");
        BufReader::new(out).read_line(&mut said).expect("a line");
        assert_eq!(said.trim(), "ready");
        Self { child, folder, settings }
    }

    /// How a stack sends through it.
    pub(crate) fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(key, value)| (*key, value.as_str())).collect()
    }

    /// Everything it has taken, in order.
    pub(crate) fn taken(&self) -> Vec<Value> {
        (1..)
            .map(|number| self.folder.join(format!("{number}.json")))
            .map_while(|file| fs::read(file).ok())
            .map(|octets| serde_json::from_slice(&octets).expect("JSON"))
            .collect()
    }

    /// The first mail to somebody with such a subject.
    #[track_caller]
    pub(crate) fn mail(&self, to: &str, subject: &str) -> Value {
        eventually(&format!("{subject:?} to {to}"), PATIENCE, || self.all(to, subject).into_iter().next())
    }

    /// Every mail to somebody with such a subject.
    pub(crate) fn all(&self, to: &str, subject: &str) -> Vec<Value> {
        let about = |mail: &Value| mail["subject"].as_str().is_some_and(|text| text.contains(subject));
        self.taken().into_iter().filter(|mail| mail["to"][0] == to && about(mail)).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        janitor::has_ended(self.child.id());
    }
}

/// A CA, and the server's certificate and key.
fn certificates(folder: &Path) -> [String; 3] {
    let file = |name: &str| text(&folder.join(name));
    let [ca, ca_key, certificate, key, request, extensions] =
        ["ca.pem", "ca.key", "server.pem", "server.key", "server.csr", "server.ext"].map(file);
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let root = ["-x509", "-days", "2", "-subj", "/CN=Mail CA", "-keyout", &ca_key, "-out", &ca];
    run("openssl", ["req"].into_iter().chain(new).chain(root)).well();
    let leaf = ["-subj", "/CN=localhost", "-keyout", &key, "-out", &request];
    run("openssl", ["req"].into_iter().chain(new).chain(leaf)).well();
    fs::write(&extensions, "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").expect("our folder");
    let sign =
        ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days", "2"];
    run("openssl", sign.into_iter().chain(["-extfile", &extensions, "-out", &certificate])).well();
    [ca, certificate, key]
}

/// The private key, and the file with the TXT record of the public one.
fn dkim_key(folder: &Path, dkim: Dkim) -> (String, String) {
    let [key, public, record] = ["dkim.key", "dkim.der", "dkim.txt"].map(|name| folder.join(name));
    let algorithm: &[&str] = match dkim {
        Dkim::Rsa => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        Dkim::Ed25519 => &["-algorithm", "ED25519"],
    };
    let (key, public) = (text(&key), text(&public));
    run("openssl", [&["genpkey"], algorithm, &["-out", &key]].concat()).well();
    run("openssl", ["pkey", "-in", &key, "-pubout", "-outform", "DER", "-out", &public]).well();
    if dkim == Dkim::Ed25519 {
        // RFC 8463 section 4: the 32 octets alone.
        let der = fs::read(&public).expect("written");
        fs::write(&public, &der[der.len() - 32..]).expect("our folder");
    }
    let encoded = run("openssl", ["base64", "-A", "-in", &public]).well().out;
    let kind = if dkim == Dkim::Rsa { "rsa" } else { "ed25519" };
    fs::write(&record, format!("v=DKIM1; k={kind}; p={}", encoded.trim())).expect("our folder");
    (key, text(&record))
}
