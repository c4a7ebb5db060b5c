//! `muhr ca`: the key ceremonies; and `muhr crl now`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ca_signer::Keyring;
use ca_signer::ceremony::{self, Answer, Ask, Names, ResponderKey, Succession, Transcript};
use config::Settings;
use store::{Database, issuers};
use zeroize::Zeroizing;

use crate::certificate::take_over_revocations;
use crate::commands::{Place, keyring};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make root, issuing CA, OCSP signer, officer CA and audit key, all on this machine. Refuses to overwrite anything.
    Init {
        /// The organization that runs the CA.
        #[arg(long)]
        organization: Option<String>,
        /// Common name of the root.
        #[arg(long)]
        root_name: Option<String>,
        /// Common name of the issuing CA.
        #[arg(long)]
        issuing_name: Option<String>,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// On a machine without a network: make the root and an audit key, and write what the others need into a folder.
    InitRoot {
        /// The organization that runs the CA.
        #[arg(long)]
        organization: Option<String>,
        /// Common name of the root.
        #[arg(long)]
        root_name: Option<String>,
        /// The folder for root.cer and root.crl.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// Make the keys of an installation whose root is elsewhere, and write requests for the root into a folder. Where there is an
    /// issuing CA, the key of its successor is made.
    Request {
        /// The organization that runs the CA, for the officer CA's certificate.
        #[arg(long)]
        organization: Option<String>,
        /// Ask for another certificate for the issuing CA's present key.
        #[arg(long)]
        renew: bool,
        /// The folder for the requests, NAME.csr.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// On the root's machine: certify what another machine asks for, and sign a new CRL.
    Certify {
        /// The folder with the requests, NAME.csr; an empty one renews the CRL alone.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Common name of the issuing CA. A renewal keeps it, another key has another.
        #[arg(long)]
        issuing_name: String,
        /// The folder for the answers.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// Take over what came back from the root: certificates, its CRL and the revocations in it.
    Install {
        /// The folder with the answers.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The first time: SHA-256 of the root's certificate, from the transcript of its ceremony (hexadecimal, colons allowed).
        #[arg(long, value_name = "HEX")]
        root_sha256: Option<String>,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// Another certificate for the issuing CA's name and key, by the root, whose key is here.
    Renew {
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// A successor with another key for the issuing CA, by the root, whose key is here. The present one issues no more, and goes
    /// on to answer for what it has issued.
    Rekey {
        /// Its common name; the first issuing CA's and a number if there is none.
        #[arg(long)]
        issuing_name: Option<String>,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// Sign the last CRL of a CA whose last certificate has ended, and destroy its key.
    DestroyKey {
        /// Its short name, as `muhr ca list` has it.
        issuer: String,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// Put the CA's key files under a new passphrase that nobody knows, and write its shares, one file for each person who keeps one.
    /// From then on the settings say `keys.in_shares = true`.
    Split {
        /// How many shares are needed to open the keys.
        #[arg(long)]
        needed: u8,
        /// How many are made.
        #[arg(long)]
        shares: u8,
        /// The folder for share-1.txt and so on: move each onto its keeper's medium.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        place: Place,
    },
    /// List the CA certificates.
    List(Place),
    /// Certify an OCSP responder's key for its next months. The issuing CA's signer does so by itself for keys that it
    /// has certified before; a new responder and the root need this.
    RenewOcsp {
        /// In whose name: the short name of a CA.
        #[arg(long, value_name = "NAME")]
        issuer: Option<String>,
        /// Another responder's certification request (`muhr ocsp key` prints it), instead of the key that is here.
        #[arg(long, value_name = "FILE")]
        csr: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

/// Who is there.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct People {
    /// Somebody who is present, with their part in it: once for each. A CA that is no sandbox wants two at least.
    #[arg(long, value_name = "NAME, ROLE")]
    present: Vec<String>,
}

/// What every ceremony needs.
struct Stage {
    settings: std::sync::Arc<Settings>,
    database: Database,
}

impl Stage {
    fn open(place: &Place) -> Result<Self, Failure> {
        let (settings, database) = place.open(&[])?;
        Ok(Self { settings, database })
    }

    /// Holds a ceremony and signs its transcript.
    fn hold<T>(
        &self,
        name: &'static str,
        people: &People,
        ceremony: impl FnOnce(&Keyring<'_>, &mut Transcript) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let keyring = keyring(&self.settings);
        let now = self.settings.clock().now();
        let mut transcript = Transcript::begin(name, &people.present, &self.settings, now)?;
        let outcome = ceremony(&keyring, &mut transcript)?;
        let path = transcript.finish(&self.database, &self.settings, &keyring)?;
        say(format!("transcript: {}, signed by the audit key (.sig)", path.display()));
        Ok(outcome)
    }

    fn now(&self) -> ca_core::Timestamp {
        self.settings.clock().now()
    }
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init { organization, root_name, issuing_name, people, place } => {
            let stage = Stage::open(&place)?;
            let names = names(organization, root_name, issuing_name);
            stage.hold("ca.init", &people, |keyring, transcript| {
                let (database, settings) = (&stage.database, &stage.settings);
                Ok(ceremony::init(database, settings, keyring, &names, transcript, stage.now())?)
            })?;
            let directory = stage.settings.keys.directory.display();
            say(format!(
                "the certificates of root and issuing CA, and keys that are on no token, are in {directory}"
            ));
            list(&place)
        }
        Command::InitRoot { organization, root_name, out, people, place } => {
            let stage = Stage::open(&place)?;
            let names = names(organization, root_name, None);
            stage.hold("ca.init-root", &people, |keyring, transcript| {
                let (database, settings) = (&stage.database, &stage.settings);
                let answer =
                    ceremony::init_root(database, settings, keyring, &names, transcript, stage.now())?;
                give(&out, &answer, transcript)
            })
        }
        Command::Request { organization, renew, out, people, place } => {
            let stage = Stage::open(&place)?;
            let organization = organization.unwrap_or(Names::default().organization);
            stage.hold("ca.request", &people, |keyring, transcript| {
                let (database, settings) = (&stage.database, &stage.settings);
                let asks = ceremony::request_certificates(
                    database,
                    settings,
                    keyring,
                    &organization,
                    renew,
                    transcript,
                    stage.now(),
                )?;
                for Ask { name, request } in asks {
                    write(&out.join(format!("{name}.csr")), &request, transcript)?;
                }
                Ok(())
            })
        }
        Command::Certify { from, issuing_name, out, people, place } => {
            let stage = Stage::open(&place)?;
            stage.hold("ca.certify", &people, |keyring, transcript| {
                let asks = read_all(&from, "csr", transcript)?.into_iter();
                let asks: Vec<Ask> = asks.map(|(name, request)| Ask { name, request }).collect();
                let (database, settings) = (&stage.database, &stage.settings);
                let answer = ceremony::certify(
                    database,
                    settings,
                    keyring,
                    &issuing_name,
                    &asks,
                    transcript,
                    stage.now(),
                )?;
                give(&out, &answer, transcript)
            })
        }
        Command::Install { from, root_sha256, people, place } => {
            install(&place, &from, root_sha256.as_deref(), &people)
        }
        Command::Renew { people, place } => succeed(&place, "ca.renew", &Succession::Renewal, &people),
        Command::Rekey { issuing_name, people, place } => {
            succeed(&place, "ca.rekey", &Succession::Rekey { common_name: issuing_name }, &people)
        }
        Command::DestroyKey { issuer, people, place } => {
            let stage = Stage::open(&place)?;
            stage.hold("ca.destroy-key", &people, |keyring, transcript| {
                let (database, settings) = (&stage.database, &stage.settings);
                Ok(ceremony::destroy_key(database, settings, keyring, &issuer, transcript, stage.now())?)
            })?;
            say(format!(
                "the key of `{issuer}` is destroyed here; destroy its copies, and start signer and responders again"
            ));
            Ok(())
        }
        Command::Split { needed, shares, out, people, place } => {
            let stage = Stage::open(&place)?;
            let files = stage.hold("ca.split", &people, |keyring, transcript| {
                let hand_out = |shares: &[Zeroizing<String>]| -> Result<(), Failure> {
                    for (place, share) in shares.iter().enumerate() {
                        let file = out.join(format!("share-{}.txt", place + 1));
                        let line = Zeroizing::new(format!("{}\n", share.as_str()));
                        ca_signer::keys::write_new(&file, line.as_bytes())?;
                        say(file.display().to_string());
                    }
                    Ok(())
                };
                let (database, now) = (&stage.database, stage.now());
                ceremony::split_passphrase(database, keyring, (needed, shares), hand_out, transcript, now)
            })?;
            for file in files {
                say(format!("{} is under the new passphrase", file.display()));
            }
            say("set keys.in_shares = true, and destroy the old passphrase and every copy of the keys under it".to_owned());
            Ok(())
        }
        Command::List(place) => list(&place),
        Command::RenewOcsp { issuer, csr, place } => renew_ocsp(&place, issuer, csr.as_deref()),
    }
}

/// What was given, and the defaults for the rest.
fn names(organization: Option<String>, root: Option<String>, issuing: Option<String>) -> Names {
    let default = Names::default();
    Names {
        organization: organization.unwrap_or(default.organization),
        root: root.unwrap_or(default.root),
        issuing: issuing.unwrap_or(default.issuing),
        ocsp: default.ocsp,
    }
}

fn succeed(
    place: &Place,
    name: &'static str,
    succession: &Succession,
    people: &People,
) -> Result<(), Failure> {
    let stage = Stage::open(place)?;
    let certificate = stage.hold(name, people, |keyring, transcript| {
        let (database, settings) = (&stage.database, &stage.settings);
        Ok(ceremony::succeed(database, settings, keyring, succession, transcript, stage.now())?)
    })?;
    say(format!("{} is certified until {}", certificate.subject_text(), certificate.not_after));
    say("start the responders again, and then the signer".to_owned());
    list(place)
}

fn install(place: &Place, from: &Path, root_sha256: Option<&str>, people: &People) -> Result<(), Failure> {
    let stage = Stage::open(place)?;
    let fingerprint = root_sha256.map(fingerprint).transpose()?;
    let taken = stage.hold("ca.install", people, |keyring, transcript| {
        let mut certificates = read_all(from, "cer", transcript)?;
        let root = certificates.iter().position(|(name, _)| name == issuers::ROOT);
        let root = root.map(|place| certificates.remove(place).1);
        let crl = read_all(from, "crl", transcript)?.into_iter().find(|(name, _)| name == issuers::ROOT);
        let (Some(root), Some((_, crl))) = (root, crl) else {
            return Err(Failure::new(format!(
                "{}: root.cer and root.crl belong to an answer",
                from.display()
            )));
        };
        let answer = Answer { root, crl, certificates };
        let (database, settings) = (&stage.database, &stage.settings);
        Ok(ceremony::install(database, settings, keyring, &answer, fingerprint, transcript, stage.now())?)
    })?;
    match taken.as_slice() {
        [] => say("everything of it was here already".to_owned()),
        taken => say(format!("taken over: {}", taken.join(", "))),
    }
    take_over_revocations(&stage.settings, &stage.database, &from.join("root.crl"), issuers::ROOT)?;
    say("start the responders again, and then the signer".to_owned());
    list(place)
}

/// As OpenSSL prints it, or without colons.
fn fingerprint(text: &str) -> Result<[u8; 32], Failure> {
    hex::decode(text.replace(':', ""))
        .ok()
        .and_then(|octets| octets.try_into().ok())
        .ok_or_else(|| Failure::new("--root-sha256: 64 hexadecimal digits are expected"))
}

/// Writes what comes from the root.
fn give(out: &Path, answer: &Answer, transcript: &mut Transcript) -> Result<(), Failure> {
    write(&out.join("root.cer"), &answer.root, transcript)?;
    write(&out.join("root.crl"), &answer.crl, transcript)?;
    for (name, der) in &answer.certificates {
        write(&out.join(format!("{name}.cer")), der, transcript)?;
    }
    Ok(())
}

/// A file that is carried; one that exists stays as it is.
fn write(path: &Path, content: &[u8], transcript: &mut Transcript) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    transcript.file("file-written", path, content);
    say(path.display().to_string());
    Ok(())
}

/// The files of a folder with this extension, by their names without it.
fn read_all(
    from: &Path,
    extension: &str,
    transcript: &mut Transcript,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(from).map_err(|error| failed(from, error))? {
        let path = entry.map_err(|error| failed(from, error))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let content = fs::read(&path).map_err(|error| failed(&path, error))?;
        transcript.file("file-read", &path, &content);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, content));
    }
    Ok(files)
}

fn renew_ocsp(place: &Place, issuer: Option<String>, csr: Option<&Path>) -> Result<(), Failure> {
    let Stage { settings, database } = Stage::open(place)?;
    let issuer = match issuer {
        Some(issuer) => issuer,
        None => database.read(issuers::current)?.id,
    };
    let request = csr.map(fs::read).transpose()?;
    let key = request.as_deref().map_or(ResponderKey::Own, ResponderKey::Request);
    let (keyring, now) = (keyring(&settings), settings.clock().now());
    let certificate = ceremony::renew_ocsp(&database, &settings, &issuer, &key, &keyring, now)?;
    say(format!("OCSP signer {} is certified until {}", certificate.serial, certificate.not_after));
    Ok(())
}

fn list(place: &Place) -> Result<(), Failure> {
    let Stage { database, .. } = Stage::open(place)?;
    for issuer in database.read(issuers::all)? {
        let life = match (issuer.retired_at, issuer.key_destroyed_at) {
            (_, Some(at)) => format!("  key destroyed {at}"),
            (Some(at), None) => format!("  issues no more since {at}"),
            (None, None) => String::new(),
        };
        say(format!(
            "{:<8} {:<8} {} to {}  {}{life}",
            issuer.id, issuer.kind, issuer.not_before, issuer.not_after, issuer.subject
        ));
    }
    Ok(())
}

/// `muhr crl now`.
pub(crate) fn crl_now(place: &Place, issuer: Option<String>) -> Result<(), Failure> {
    let Stage { settings, database } = Stage::open(place)?;
    let issuer = match issuer {
        Some(issuer) => issuer,
        None => database.read(issuers::current)?.id,
    };
    let now = settings.clock().now();
    for (partition, number) in ceremony::sign_crl(&database, &settings, &issuer, &keyring(&settings), now)? {
        let of = if partition.is_empty() { issuer.clone() } else { format!("{issuer}, {partition}") };
        say(format!("CRL {number} of {of} is signed; the publisher places it"));
    }
    Ok(())
}
