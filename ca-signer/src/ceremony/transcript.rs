//! What happened at a ceremony, for those who were there and for auditors: who, what, and the hash of everything that came of
//! it. The audit key signs it at the end. ETSI EN 319 411-1 section 6.5.1 asks for such a report.

use std::fmt::{Display, Write};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use ca_core::Timestamp;
use ca_core::csr::SubjectPublicKey;
use ca_core::digest::sha256;
use ca_core::issue::Certificate;
use ca_core::signer::Signer;
use config::Settings;
use store::{Database, audit};

use super::CeremonyError;
use crate::keyring::{Keyring, NewKey};
use crate::keys;

const TITLE: &str = "muhr-ceremony/1\n";

/// How many people a ceremony of a real CA takes: dual control (ETSI EN 319 411-1 section 6.5.1).
const PEOPLE: usize = 2;

/// Lines `name: value`, in the order in which things happened.
#[derive(Debug, Clone)]
pub struct Transcript {
    ceremony: &'static str,
    began: Timestamp,
    text: String,
}

impl Transcript {
    /// Of a ceremony with this name (that of the audit entry), before these people.
    ///
    /// # Errors
    /// [`CeremonyError::TooFew`] of a CA that is no sandbox.
    pub fn begin(
        ceremony: &'static str,
        present: &[String],
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, CeremonyError> {
        let people = present.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let people: std::collections::BTreeSet<&str> = people.collect();
        if people.len() < PEOPLE && !settings.is_sandbox() {
            return Err(CeremonyError::TooFew);
        }
        let mut transcript = Self::unattended(ceremony, now);
        for person in people {
            transcript.line("present", person);
        }
        Ok(transcript)
    }

    /// Of a ceremony that a program holds for itself, as a sandbox does. It need not be finished.
    pub fn unattended(ceremony: &'static str, now: Timestamp) -> Self {
        let mut transcript = Self { ceremony, began: now, text: TITLE.to_owned() };
        transcript.line("ceremony", ceremony);
        transcript.line("began", now);
        transcript
    }

    /// A key came into being.
    pub(crate) fn key(&mut self, name: &str, new: &NewKey) {
        let place = if new.is_on_token() { "on a token" } else { "in a file" };
        self.line("key-generated", format_args!("{name}, {}, {place}", described(new.signer().as_ref())));
    }

    /// A key was used, or asked for.
    pub(crate) fn known_key(&mut self, what: &'static str, name: &str, key: &dyn Signer) {
        self.line(what, format_args!("{name}, {}", described(key)));
    }

    /// A certificate was signed, or came from elsewhere.
    pub(crate) fn certificate(&mut self, what: &'static str, certificate: &Certificate) {
        self.line(
            what,
            format_args!(
                "{}, serial {}, {} to {}, sha256 {}",
                certificate.subject_text(),
                certificate.serial,
                certificate.not_before,
                certificate.not_after,
                hex::encode(sha256(&certificate.der)),
            ),
        );
    }

    /// A file was written or read, with this content.
    pub fn file(&mut self, what: &'static str, path: &Path, content: &[u8]) {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        self.line(
            what,
            format_args!("{name}, {} octets, sha256 {}", content.len(), hex::encode(sha256(content))),
        );
    }

    /// Something else that happened. Line ends in it, which would begin a line of their own, become spaces.
    pub(crate) fn line(&mut self, name: &str, value: impl Display) {
        let value = value.to_string().replace(['\n', '\r'], " ");
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{name}: {value}");
    }

    /// Signs it with the audit key, keeps it and the signature under `transcripts` in keys.directory, and has the audit log tell
    /// its hash. `openssl dgst -sha256 -verify audit.pem -signature X.sig X.txt` verifies it. Returns its place.
    ///
    /// # Errors
    /// [`CeremonyError`]: no audit key, or no place to write to. What the ceremony did stays done.
    pub fn finish(
        mut self,
        database: &Database,
        settings: &Settings,
        keyring: &Keyring<'_>,
    ) -> Result<PathBuf, CeremonyError> {
        let now = settings.clock().now();
        let key = keyring.audit()?;
        self.line(
            "software",
            format_args!("muhr {}, program sha256 {}", env!("CARGO_PKG_VERSION"), own_sha256()?),
        );
        self.line("ended", now);
        self.line("signed-by", format_args!("audit, {}", described(key.as_ref())));
        let signature = key.sign(self.text.as_bytes())?;
        let time: String = self.began.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let name = format!("{time}-{}.txt", self.ceremony);
        let path = settings.keys.directory.join("transcripts").join(name);
        keys::write_new(&path, self.text.as_bytes())?;
        keys::write_new(&path.with_extension("sig"), &signature)?;
        let entry = audit::Entry {
            at: now,
            actor: "operator".to_owned(),
            action: "ceremony.transcript".to_owned(),
            object: format!("ceremony:{}", self.ceremony),
            details: serde_json::json!({ "sha256": hex::encode(sha256(self.text.as_bytes())) }),
        };
        database.write(|connection| audit::record(connection, &[entry]))?;
        Ok(path)
    }
}

/// The kind of a key, and the SHA-256 of its SubjectPublicKeyInfo.
fn described(key: &dyn Signer) -> String {
    let spki = key.public_key();
    let kind = SubjectPublicKey::from_spki_der(spki)
        .map_or_else(|_| "another kind".to_owned(), |key| key.kind().to_string());
    format!("{kind}, spki-sha256 {}", hex::encode(sha256(spki)))
}

/// Of the very program that ran, so that others can build it again and compare.
fn own_sha256() -> Result<String, CeremonyError> {
    let path = std::env::current_exe().map_err(|error| CeremonyError::File(PathBuf::from("muhr"), error))?;
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; 1 << 20];
    let mut read = || -> std::io::Result<()> {
        let mut program = File::open(&path)?;
        loop {
            match program.read(&mut piece)? {
                0 => return Ok(()),
                octets => context.update(&piece[..octets]),
            }
        }
    };
    read().map_err(|error| CeremonyError::File(path.clone(), error))?;
    Ok(hex::encode(context.finish()))
}
