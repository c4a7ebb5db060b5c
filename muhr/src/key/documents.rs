//! `sign` and `verify`: CMS as `openssl cms` writes and reads it.

use std::path::PathBuf;

use ca_core::Timestamp;
use clap::ValueEnum;
use key_tool::inventory::shown;
use key_tool::status::Means;
use key_tool::verify::{Trust, Verified, authorities, certificate, verify};
use key_tool::{Speech, Trouble, cms, disk};

use super::files::open;
use super::{Form, Output, PasswordFile};
use crate::failure::say;

/// Octets of the largest document: it is held in memory.
const MAX_DOCUMENT: u64 = 1 << 30;
const MAX_CERTIFICATE: u64 = 1 << 20;

/// A signature to be made.
#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The key file.
    key: PathBuf,
    /// The document.
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Put the document inside; else the signature is detached.
    #[arg(long)]
    attached: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    password: PasswordFile,
}

/// A signature to be checked.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The signed document, or the detached signature; DER or PEM.
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The document that a detached signature is about.
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,
    /// The root to believe; DER or PEM.
    #[arg(long, value_name = "FILE", required_unless_present = "server")]
    root: Option<PathBuf>,
    /// Believe the root that this server publishes, and take the issuing CA's certificate from there.
    #[arg(long, value_name = "URL", conflicts_with = "root")]
    server: Option<String>,
    /// Ask for the status, too, where the certificate says.
    #[arg(long, value_enum)]
    status: Option<StatusBy>,
    /// When certificates must be valid, RFC 3339: the time at which the document is known to have been signed. Else now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Write the signed content into this new file.
    #[arg(long, value_name = "FILE")]
    content_out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusBy {
    /// A question to the responder.
    Ocsp,
    /// The list of revoked certificates.
    Crl,
}

impl Sign {
    pub(super) fn run(self, speech: Speech, now: Timestamp) -> Result<(), Trouble> {
        let document = disk::read(&self.input, MAX_DOCUMENT)?;
        let key = open(&self.key, &self.password, speech)?;
        let der = cms::sign(&key.signer, &key.content.certificates, &document, !self.attached, now)?;
        match self.output.form {
            Form::Pem => self.output.write(cms::pem(&der)?.as_bytes()),
            Form::Der => self.output.write(&der),
        }
    }
}

impl Verify {
    pub(super) fn run(self, speech: Speech, now: Timestamp) -> Result<(), Trouble> {
        let signed = disk::read(&self.input, MAX_DOCUMENT)?;
        let content = self.content.as_deref().map(|path| disk::read(path, MAX_DOCUMENT)).transpose()?;
        let (root, others) = match (&self.root, &self.server) {
            (Some(path), _) => (certificate(&disk::read(path, MAX_CERTIFICATE)?)?, Vec::new()),
            (None, server) => authorities(server.as_deref().unwrap_or_default())?,
        };
        let status = self.status.map(|means| match means {
            StatusBy::Ocsp => (Means::Ocsp, now),
            StatusBy::Crl => (Means::Crl, now),
        });
        let trust = Trust { root, others, at: self.at.unwrap_or(now), status };
        let verified = verify(&signed, content.as_deref(), &trust)?;
        if let Some(path) = &self.content_out {
            disk::write_new(path, &verified.content)?;
        }
        self.tell(&verified, speech);
        Ok(())
    }

    fn tell(&self, verified: &Verified, speech: Speech) {
        let time = verified.signing_time;
        if self.json {
            let status = verified.standing.map(|_| "good");
            let time = time.map(|time| time.to_string());
            say(
                serde_json::json!({ "valid": true, "signer": verified.signer, "signing_time": time, "status": status }),
            );
            return;
        }
        let owner = &verified.signer;
        let time = time.map_or_else(|| "–".to_owned(), shown);
        let number = owner.stir.as_deref().or(owner.pinfl.as_deref()).unwrap_or("–");
        let name = owner.name.as_deref().unwrap_or("–");
        say(speech.text("verified", &[("name", name), ("number", number), ("time", &time)]));
        if verified.standing.is_some() {
            say(speech.text("status-good", &[]));
        }
    }
}
