//! `muhr ca`: the key ceremonies; and `muhr crl now`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ca_signer::ceremony::{self, Answer, Ask, Ceremony, Names, ResponderKey, Succession, Wanted};
use config::Settings;
use store::{Database, issuers};
use zeroize::Zeroizing;

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
        #[arg(long, conflicts_with = "ocsp")]
        renew: bool,
        /// Ask for the responder's certificate by the root alone.
        #[arg(long)]
        ocsp: bool,
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
        /// The folder with the requests, NAME.csr; without it the CRL alone is renewed.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// The name of a request and its key, SHA-256 of the SubjectPublicKeyInfo, from the paper of the ceremony that made the request:
        /// once for each (hexadecimal, colons allowed).
        #[arg(long, value_name = "NAME=HEX")]
        spki_sha256: Vec<String>,
        /// Common name of the issuing CA that asks. A renewal keeps it, another key has another.
        #[arg(long)]
        issuing_name: Option<String>,
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
        /// Nobody has the key any more: nothing is signed, and the CA's successor begins anew what it had begun.
        #[arg(long)]
        lost: bool,
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

    /// Holds a ceremony and signs its transcript, also of one that breaks off.
    fn hold<T>(
        &self,
        name: &'static str,
        people: &People,
        acts: impl FnOnce(&mut Ceremony<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let keyring = keyring(&self.settings);
        let (database, settings) = (&self.database, &self.settings);
        let mut ceremony = Ceremony::attended(name, &people.present, database, settings, &keyring)?;
        let outcome = acts(&mut ceremony);
        let failure = outcome.as_ref().err().map(ToString::to_string);
        match (ceremony.end(failure.as_deref()), failure) {
            (Ok(Some(path)), None) => {
                say(format!("transcript: {}, signed by the audit key (.sig)", path.display()));
            }
            (Ok(Some(path)), Some(_)) => say(format!("transcript of what was done: {}", path.display())),
            (Ok(None), _) => {}
            (Err(error), None) => return Err(error.into()),
            // The first failure is the one to mend.
            (Err(error), Some(_)) => Failure::new(format!("no transcript: {error}")).tell(),
        }
        outcome
    }
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init { organization, root_name, issuing_name, people, place } => {
            let stage = Stage::open(&place)?;
            let names = names(organization, root_name, issuing_name);
            stage.hold("ca.init", &people, |ceremony| Ok(ceremony.init(&names)?))?;
            let directory = stage.settings.keys.directory.display();
            say(format!(
                "the certificates of root and issuing CA, and keys that are on no token, are in {directory}"
            ));
            list(&place)
        }
        Command::InitRoot { organization, root_name, out, people, place } => {
            let stage = Stage::open(&place)?;
            let names = names(organization, root_name, None);
            stage.hold("ca.init-root", &people, |ceremony| {
                empty(&out)?;
                let answer = ceremony.init_root(&names)?;
                give(&out, &answer, ceremony)
            })
        }
        Command::Request { organization, renew, ocsp, out, people, place } => {
            let stage = Stage::open(&place)?;
            let organization = organization.unwrap_or(Names::default().organization);
            let wanted = match (renew, ocsp) {
                (true, _) => Wanted::Renewal,
                (_, true) => Wanted::Responder,
                _ => Wanted::Key,
            };
            stage.hold("ca.request", &people, |ceremony| {
                empty(&out)?;
                for Ask { name, request, spki_sha256 } in
                    ceremony.request_certificates(&organization, wanted)?
                {
                    write(&out.join(format!("{name}.csr")), &request, ceremony)?;
                    say(format!("  --spki-sha256 {name}={}", hex::encode(spki_sha256)));
                }
                Ok(())
            })
        }
        Command::Certify { from, spki_sha256, issuing_name, out, people, place } => {
            let stage = Stage::open(&place)?;
            let vouched = spki_sha256.iter().map(|text| named_sha256("--spki-sha256", text));
            let vouched = vouched.collect::<Result<Vec<_>, _>>()?;
            stage.hold("ca.certify", &people, |ceremony| {
                empty(&out)?;
                let requests = from.map(|from| read_all(&from, "csr", ceremony)).transpose()?;
                let asks = requests.unwrap_or_default().into_iter();
                let asks =
                    asks.map(|(name, request)| Ask::read(name, request)).collect::<Result<Vec<_>, _>>()?;
                let answer = ceremony.certify(issuing_name.as_deref(), &vouched, &asks)?;
                give(&out, &answer, ceremony)
            })
        }
        Command::Install { from, root_sha256, people, place } => {
            install(&place, &from, root_sha256.as_deref(), &people)
        }
        Command::Renew { people, place } => succeed(&place, "ca.renew", &Succession::Renewal, &people),
        Command::Rekey { issuing_name, people, place } => {
            succeed(&place, "ca.rekey", &Succession::Rekey { common_name: issuing_name }, &people)
        }
        Command::DestroyKey { issuer, lost: true, people, place } => {
            let stage = Stage::open(&place)?;
            stage.hold("ca.give-up-key", &people, |ceremony| Ok(ceremony.give_up_key(&issuer)?))?;
            say(format!(
                "the key of `{issuer}` is given up: its certificates can be revoked no more, so think of revoking the CA itself"
            ));
            Ok(())
        }
        Command::DestroyKey { issuer, lost: false, people, place } => {
            let stage = Stage::open(&place)?;
            stage.hold("ca.destroy-key", &people, |ceremony| Ok(ceremony.destroy_key(&issuer)?))?;
            say(format!(
                "the key of `{issuer}` is destroyed here; destroy its copies, and start signer and responders again"
            ));
            Ok(())
        }
        Command::Split { needed, shares, out, people, place } => {
            let stage = Stage::open(&place)?;
            let files = stage.hold("ca.split", &people, |ceremony| {
                let hand_out = |shares: &[Zeroizing<String>]| -> Result<(), Failure> {
                    empty(&out)?;
                    for (place, share) in shares.iter().enumerate() {
                        let file = out.join(format!("share-{}.txt", place + 1));
                        let line = Zeroizing::new(format!("{}\n", share.as_str()));
                        ca_signer::keys::write_new(&file, line.as_bytes())?;
                        say(file.display().to_string());
                    }
                    Ok(())
                };
                ceremony.split_passphrase((needed, shares), hand_out)
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
    let certificate = stage.hold(name, people, |ceremony| Ok(ceremony.succeed(succession)?))?;
    say(format!("{} is certified until {}", certificate.subject_text(), certificate.not_after));
    say("start the responders again, and then the signer".to_owned());
    list(place)
}

fn install(place: &Place, from: &Path, root_sha256: Option<&str>, people: &People) -> Result<(), Failure> {
    let stage = Stage::open(place)?;
    let fingerprint = root_sha256.map(|text| sha256("--root-sha256", text)).transpose()?;
    let installed = stage.hold("ca.install", people, |ceremony| {
        let mut certificates = read_all(from, "cer", ceremony)?;
        let root = certificates.iter().position(|(name, _)| name == issuers::ROOT);
        let root = root.map(|place| certificates.remove(place).1);
        let crl = read_all(from, "crl", ceremony)?.into_iter().find(|(name, _)| name == issuers::ROOT);
        let (Some(root), Some((_, crl))) = (root, crl) else {
            return Err(Failure::new(format!(
                "{}: root.cer and root.crl belong to an answer",
                from.display()
            )));
        };
        Ok(ceremony.install(&Answer { root, crl, certificates }, fingerprint)?)
    })?;
    match installed.taken.as_slice() {
        [] => say("everything of it was here already".to_owned()),
        taken => say(format!("taken over: {}", taken.join(", "))),
    }
    if installed.revoked > 0 {
        say(format!("revoked by the root: {}", installed.revoked));
    }
    say("start the responders again, and then the signer".to_owned());
    list(place)
}

/// As OpenSSL prints it, or without colons.
fn sha256(option: &str, text: &str) -> Result<[u8; 32], Failure> {
    hex::decode(text.replace(':', ""))
        .ok()
        .and_then(|octets| octets.try_into().ok())
        .ok_or_else(|| Failure::new(format!("{option}: 64 hexadecimal digits are expected")))
}

/// `NAME=HEX`.
fn named_sha256(option: &str, text: &str) -> Result<(String, [u8; 32]), Failure> {
    let (name, hash) = text
        .split_once('=')
        .ok_or_else(|| Failure::new(format!("{option}: NAME=HEX is expected, for example ca=0123…")))?;
    Ok((name.trim().to_owned(), sha256(option, hash)?))
}

/// A folder for what a ceremony writes: nothing of another one is in it, and it can be written to before anything is signed.
fn empty(out: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", out.display()));
    fs::create_dir_all(out).map_err(failed)?;
    if fs::read_dir(out).map_err(failed)?.next().is_some() {
        return Err(Failure::new(format!("{}: choose an empty folder", out.display())));
    }
    tempfile::tempfile_in(out).map(drop).map_err(failed)
}

/// Writes what comes from the root.
fn give(out: &Path, answer: &Answer, ceremony: &mut Ceremony<'_>) -> Result<(), Failure> {
    write(&out.join("root.cer"), &answer.root, ceremony)?;
    write(&out.join("root.crl"), &answer.crl, ceremony)?;
    for (name, der) in &answer.certificates {
        write(&out.join(format!("{name}.cer")), der, ceremony)?;
    }
    Ok(())
}

/// A file that is carried; one that exists stays as it is.
fn write(path: &Path, content: &[u8], ceremony: &mut Ceremony<'_>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    ceremony.wrote(path, content);
    say(path.display().to_string());
    Ok(())
}

/// The files of a folder with this extension, by their names without it.
fn read_all(
    from: &Path,
    extension: &str,
    ceremony: &mut Ceremony<'_>,
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
        ceremony.has_read(&path, &content);
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
