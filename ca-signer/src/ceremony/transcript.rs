//! What happened at a ceremony, for those who were there and for auditors: who, what, and the hash of everything that came of
//! it. The audit key signs it at the end. ETSI EN 319 411-1 section 6.5.1 asks for such a report.

use std::collections::BTreeSet;
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

use super::{CeremonyError, entry};
use crate::keyring::{Keyring, NewKey};
use crate::keys;

const TITLE: &str = "muhr-ceremony/1\n";

/// How many people a ceremony of a real CA takes: dual control (ETSI EN 319 411-1 section 6.5.1).
const PEOPLE: usize = 2;

/// Lines `name: value`, in the order in which things happened.
#[derive(Debug)]
pub(super) struct Transcript {
    ceremony: &'static str,
    began: Timestamp,
    text: String,
    tells_of_acts: bool,
}

impl Transcript {
    /// Of a ceremony with this name, that of its audit entry.
    pub(super) fn begin(ceremony: &'static str, now: Timestamp) -> Self {
        let mut transcript = Self { ceremony, began: now, text: TITLE.to_owned(), tells_of_acts: false };
        transcript.note("ceremony", ceremony);
        transcript.note("began", now);
        transcript
    }

    /// Who is there: "NAME, ROLE" each. Nobody counts twice, in whatever roles.
    ///
    /// # Errors
    /// [`CeremonyError::TooFew`] of a CA that is no sandbox.
    pub(super) fn people(&mut self, present: &[String], settings: &Settings) -> Result<(), CeremonyError> {
        let people: BTreeSet<&str> =
            present.iter().map(|person| person.trim()).filter(|person| !person.is_empty()).collect();
        let name = |person: &&str| person.split(',').next().unwrap_or_default().trim().to_lowercase();
        let names: BTreeSet<String> = people.iter().map(name).filter(|name| !name.is_empty()).collect();
        if names.len() < PEOPLE && !settings.is_sandbox() {
            return Err(CeremonyError::TooFew);
        }
        for person in people {
            self.note("present", person);
        }
        Ok(())
    }

    /// Whether it tells of anything that was done, and not only of what was looked at.
    pub(super) fn tells_of_acts(&self) -> bool {
        self.tells_of_acts
    }

    /// A key came into being.
    pub(super) fn key(&mut self, name: &str, new: &NewKey) {
        let place = if new.is_on_token() { "on a token" } else { "in a file" };
        self.line("key-generated", format_args!("{name}, {}, {place}", described(new.signer().as_ref())));
    }

    /// A key was used, or asked for.
    pub(super) fn known_key(&mut self, what: &'static str, name: &str, key: &dyn Signer) {
        self.note(what, format_args!("{name}, {}", described(key)));
    }

    /// A certificate was signed, or taken over.
    pub(super) fn certificate(&mut self, what: &'static str, certificate: &Certificate) {
        self.tells_of_acts = true;
        self.note_certificate(what, certificate);
    }

    /// A certificate was seen.
    pub(super) fn note_certificate(&mut self, what: &'static str, certificate: &Certificate) {
        self.note(
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

    /// A file was written, with this content.
    pub(super) fn wrote(&mut self, path: &Path, content: &[u8]) {
        self.line("file-written", described_file(path, content));
    }

    /// A file was read, with this content.
    pub(super) fn has_read(&mut self, path: &Path, content: &[u8]) {
        self.note("file-read", described_file(path, content));
    }

    /// It was broken off.
    pub(super) fn failed(&mut self, reason: &str) {
        self.line("failed", reason);
    }

    /// Something else that was done.
    pub(super) fn line(&mut self, name: &str, value: impl Display) {
        self.tells_of_acts = true;
        self.note(name, value);
    }

    /// Something else to know. Line ends in it, which would begin a line of their own, become spaces.
    pub(super) fn note(&mut self, name: &str, value: impl Display) {
        let value = value.to_string().replace(['\n', '\r'], " ");
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{name}: {value}");
    }

    /// Signs it with the audit key, keeps it and the signature under `transcripts` in keys.directory, and has the audit log tell
    /// its hash. `openssl dgst -sha256 -verify audit.pem -signature X.sig X.txt` verifies it. One that broke off before there
    /// was an audit key stays without a signature. Returns its place.
    ///
    /// # Errors
    /// [`CeremonyError`]: the audit key cannot be had, or no place to write to. What the ceremony did stays done.
    pub(super) fn finish(
        mut self,
        database: &Database,
        settings: &Settings,
        keyring: &Keyring<'_>,
    ) -> Result<PathBuf, CeremonyError> {
        let now = settings.clock().now();
        let key = if keyring.has_audit()? { Some(keyring.audit()?) } else { None };
        self.note(
            "software",
            format_args!("muhr {}, program sha256 {}", env!("CARGO_PKG_VERSION"), own_sha256()?),
        );
        self.note("ended", now);
        match &key {
            Some(key) => self.note("signed-by", format_args!("audit, {}", described(key.as_ref()))),
            None => self.note("signed-by", "nobody: there is no audit key yet"),
        }
        let signature = key.map(|key| key.sign(self.text.as_bytes())).transpose()?;
        let path = self.free_place(settings);
        keys::write_new(&path, self.text.as_bytes())?;
        if let Some(signature) = signature {
            keys::write_new(&path.with_extension("sig"), &signature)?;
        }
        let details = serde_json::json!({ "sha256": hex::encode(sha256(self.text.as_bytes())) });
        let entry = entry(now, "ceremony.transcript", format!("ceremony:{}", self.ceremony), details);
        database.write(|connection| audit::record(connection, &[entry]))?;
        Ok(path)
    }

    /// After the moment at which it began; with a number, where another one began with it.
    fn free_place(&self, settings: &Settings) -> PathBuf {
        let time: String = self.began.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let directory = settings.keys.directory.join("transcripts");
        let mut path = directory.join(format!("{time}-{}.txt", self.ceremony));
        let mut number = 1;
        while path.exists() {
            number += 1;
            path = directory.join(format!("{time}-{}-{number}.txt", self.ceremony));
        }
        path
    }
}

/// The kind of a key, and the SHA-256 of its SubjectPublicKeyInfo.
pub(super) fn described(key: &dyn Signer) -> String {
    let spki = key.public_key();
    let kind = SubjectPublicKey::from_spki_der(spki)
        .map_or_else(|_| "another kind".to_owned(), |key| key.kind().to_string());
    format!("{kind}, spki-sha256 {}", hex::encode(sha256(spki)))
}

fn described_file(path: &Path, content: &[u8]) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    format!("{name}, {} octets, sha256 {}", content.len(), hex::encode(sha256(content)))
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
