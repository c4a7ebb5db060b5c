//! `generate`, `csr`, `install`, `list`, `show`, `passwd`, `export`: files, and no server.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ca_core::Timestamp;
use clap::ValueEnum;
use key_tool::export::{self, Protection};
use key_tool::inventory::{self, Entry};
use key_tool::password::Source;
use key_tool::{Exit, Key, Password, Speech, Trouble, disk, request};

use super::{Form, Kind, Output, PasswordFile, Place};
use crate::failure::say;

/// What leaves a key file.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The key file.
    key: PathBuf,
    #[arg(long, value_enum, default_value_t = Part::Certificate)]
    part: Part,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    password: PasswordFile,
    /// The new password of an exported private key is the first line of this file; else it is asked for.
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// Write the private key without a password: whoever reads the file can sign in your name.
    #[arg(long)]
    plain_private_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The key's own certificate.
    Certificate,
    /// All certificates; in DER as a certs-only CMS.
    Chain,
    /// The private key, PKCS #8 under a new password.
    PrivateKey,
}

impl Place {
    /// The folder for a new key file: as asked for, else `DSKEYS` on the only drive that has it, else on the only drive.
    pub(super) fn folder(&self) -> Result<PathBuf, Trouble> {
        if let Some(folder) = &self.out {
            return if folder.is_dir() {
                Ok(folder.clone())
            } else {
                Err(Trouble::new("no-such-drive", Exit::Disk).about(folder))
            };
        }
        if let Some(drive) = &self.drive {
            return disk::key_folder(drive);
        }
        let drives = disk::drives();
        let used = drives.iter().filter(|drive| drive.join(ca_core::key_file::FOLDER).is_dir());
        match (used.collect::<Vec<_>>().as_slice(), drives.as_slice()) {
            ([only], _) => disk::key_folder(only),
            ([], [only]) => disk::key_folder(only),
            ([], []) => Err(Trouble::new("no-drive", Exit::Disk)),
            _ => {
                let names: Vec<String> = drives.iter().map(|drive| drive.display().to_string()).collect();
                Err(Trouble::new("several-drives", Exit::Disk).with("drives", names.join(", ")))
            }
        }
    }
}

impl Output {
    /// Writes a new file, or to standard output.
    pub(super) fn write(&self, octets: &[u8]) -> Result<(), Trouble> {
        match &self.out {
            Some(path) => disk::write_new(path, octets),
            None => std::io::stdout()
                .write_all(octets)
                .map_err(|error| Trouble::writing(Path::new("stdout"), &error)),
        }
    }
}

pub(super) fn open(path: &Path, password: &PasswordFile, speech: Speech) -> Result<Key, Trouble> {
    // A missing file is said before a password is asked for.
    disk::read(path, key_tool::pfx::MAX_SIZE as u64)?;
    Key::open(path, &Password::existing(password.source(), speech, path)?)
}

pub(super) fn generate(
    place: &Place,
    kind: &Kind,
    password: &PasswordFile,
    speech: Speech,
    now: Timestamp,
) -> Result<(), Trouble> {
    let folder = place.folder()?;
    let password = Password::new(password.source(), speech)?;
    let key = Key::generate(&folder, kind.algorithm, &kind.name, &password, now)?;
    speech.say("key-made", &[]);
    say(key.path.display());
    Ok(())
}

pub(super) fn csr(
    key: &Path,
    output: &Output,
    name: &str,
    password: &PasswordFile,
    speech: Speech,
) -> Result<(), Trouble> {
    let key = open(key, password, speech)?;
    match output.form {
        Form::Pem => output.write(request::certification_request_pem(&key.signer, name)?.as_bytes()),
        Form::Der => output.write(&request::certification_request(&key.signer, name)?),
    }
}

pub(super) fn install(
    key: &Path,
    certificate: &Path,
    out: &Path,
    password: &PasswordFile,
    speech: Speech,
) -> Result<(), Trouble> {
    let certificate =
        key_tool::verify::certificate(&disk::read(certificate, key_tool::pfx::MAX_SIZE as u64)?)?;
    disk::read(key, key_tool::pfx::MAX_SIZE as u64)?;
    let password = Password::existing(password.source(), speech, key)?;
    let installed = Key::open(key, &password)?.write_with(vec![certificate], out, &password)?;
    speech.say("installed", &[]);
    say(installed.path.display());
    Ok(())
}

pub(super) fn list(drives: &[PathBuf], json: bool, speech: Speech, now: Timestamp) {
    let found = if drives.is_empty() { disk::drives() } else { drives.to_vec() };
    let entries = inventory::list(&found, now);
    if json {
        say(serde_json::json!({ "items": entries }));
        return;
    }
    if entries.is_empty() {
        speech.say("no-keys", &[]);
    }
    for entry in &entries {
        say(line(entry, speech));
    }
}

/// Path, owner, number and end of a key, set apart by tabs; the end says if it is over.
fn line(entry: &Entry, speech: Speech) -> String {
    let owner = &entry.owner;
    let number = owner.stir.as_deref().or(owner.pinfl.as_deref());
    let state = match (entry.fault, entry.temporary, entry.expired) {
        (Some(_), ..) => speech.text("list-unreadable", &[]),
        (_, true, _) => speech.text("list-temporary", &[]),
        (_, _, true) => speech.text("list-expired", &[]),
        _ => String::new(),
    };
    let parts = [
        owner.name.as_deref().unwrap_or("–"),
        number.unwrap_or("–"),
        owner.valid_to.as_deref().unwrap_or("–"),
        state.as_str(),
    ];
    format!("{}\t{}", entry.path.display(), parts.join("\t"))
}

pub(super) fn show(path: &Path, json: bool, speech: Speech, now: Timestamp) -> Result<(), Trouble> {
    let listing = inventory::listing(path)?;
    let entry = inventory::entry(path, now);
    if json {
        let pem = |der: &Vec<u8>| ca_core::bundle::pem([der.as_slice()]);
        let certificates: Vec<String> = listing.certificates.iter().map(pem).collect();
        say(serde_json::json!({ "key": entry, "aliases": listing.aliases, "certificates": certificates }));
        return Ok(());
    }
    say(line(&entry, speech));
    for alias in &listing.aliases {
        say(alias);
    }
    for certificate in &listing.certificates {
        if let Ok(text) = ca_core::issue::render(certificate) {
            say(format!("\n{text}"));
        }
    }
    Ok(())
}

pub(super) fn change_password(
    path: &Path,
    old: &PasswordFile,
    new: Option<&Path>,
    speech: Speech,
) -> Result<(), Trouble> {
    let key = open(path, old, speech)?;
    let new = Password::new(new.map_or(Source::Terminal, Source::File), speech)?;
    key.change_password(&new)?;
    speech.say("password-changed", &[("path", &path.display().to_string())]);
    Ok(())
}

impl Export {
    pub(super) fn run(self, speech: Speech) -> Result<(), Trouble> {
        let form = match self.output.form {
            Form::Pem => export::Form::Pem,
            Form::Der => export::Form::Der,
        };
        let key = open(&self.key, &self.password, speech)?;
        let part = match self.part {
            Part::Certificate => export::Part::Certificate,
            Part::Chain => export::Part::Chain,
            Part::PrivateKey => {
                if self.output.out.is_none() {
                    return Err(Trouble::new("private-key-needs-file", Exit::Failed));
                }
                let octets = if self.plain_private_key {
                    speech.say("plain-private-key", &[]);
                    export::private_key(&key, form, &Protection::None)?
                } else {
                    let file = self.new_password_file.as_deref();
                    let password = Password::new(file.map_or(Source::Terminal, Source::File), speech)?;
                    export::private_key(&key, form, &Protection::Password(&password))?
                };
                return self.output.write(&octets);
            }
        };
        self.output.write(&export::certificates(&key, part, form)?)
    }
}
