//! `muhr audit`: proof from the rows themselves, and for those who have only a file.

pub(crate) mod export;
mod proof;

use std::fs;
use std::path::{Path, PathBuf};

use ca_core::audit::{AuditKeys, History, Report, SignedHead, Trust};
use ca_core::issue::Certificate;
use ca_core::path::path;
use ca_signer::{HeadSigner, audit_log, ceremony, officer_ca};
use config::Settings;
use config::tables::{Tables, approval_policy};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use store::{Database, issuers};

use crate::commands::{Place, keyring};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Go through the sealed log and every certificate: leaves, roots, heads and their signatures; what officers signed and when (where
    /// keys/officer-ca.cer is); application, payment, approvals, intent, audit entry. With --file, through an export alone.
    Verify(Verify),
    /// Sign a head over everything that has none yet.
    Seal {
        /// Go on although heads that were signed here are not in the database, as after the restore of an older backup.
        /// The log tells of it.
        #[arg(long)]
        accept_loss: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Write the sealed log, and what officers signed, to a file that `muhr audit verify --file` reads anywhere.
    Export {
        /// The file, which does not exist yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// With the certificates, for auditors who may see whom they name: then what they say is compared with what officers signed.
        #[arg(long)]
        certificates: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Print, as JSON, that one entry is under a signed head: leaf, Merkle audit path, head.
    Prove {
        /// The number of the entry.
        entry: i64,
        #[command(flatten)]
        place: Place,
    },
    /// Make the audit key of an installation that has none. `muhr ca init` makes it with the others.
    Init(Place),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// An export, instead of the database.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["config", "data", "database"])]
    file: Option<PathBuf>,
    /// The public audit keys (PEM), instead of audit.pem in keys.directory.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Published heads that must be in the log: a file, or a folder of files *.heads.
    #[arg(long, value_name = "FILE|DIR")]
    heads: Vec<PathBuf>,
    /// Certificates of officer CAs, once for each: with --file the present one (officer-ca.cer in keys.directory) and those before it,
    /// so that officers' signatures are looked at; without it, those before the present one.
    #[arg(long, value_name = "FILE")]
    officer_ca: Vec<PathBuf>,
    /// With --file: the certificate of a CA, DER or PEM, once for each. Then every certificate that the log tells of must be in the
    /// export, and signed by one of them.
    #[arg(long, value_name = "FILE", requires_all = ["file", "officer_ca"])]
    issuer: Vec<PathBuf>,
    /// With --file: how many officers sign what, instead of the approval.toml that this program was built with.
    #[arg(long, value_name = "FILE", requires_all = ["file", "officer_ca"])]
    policy: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Verify(arguments) => match &arguments.file {
            Some(file) => verify_file(file, arguments),
            None => verify(arguments),
        },
        Command::Seal { accept_loss, place } => seal(place, *accept_loss),
        Command::Export { out, certificates, place } => {
            let (_, database) = place.open(&[])?;
            let (entries, heads) =
                database.read(|connection| export::write(connection, out, *certificates))?;
            say(format!("{entries} entries and {heads} heads are in {}", out.display()));
            Ok(())
        }
        Command::Prove { entry, place } => {
            let (_, database) = place.open(&[])?;
            say(database.read(|connection| proof::of(connection, *entry))?);
            Ok(())
        }
        Command::Init(place) => {
            let (settings, database) = place.open(&[])?;
            ceremony::init_audit(&database, &settings, &keyring(&settings), settings.clock().now())?;
            say(format!("the audit key is made; {} is for auditors", settings.audit_key_file().display()));
            Ok(())
        }
    }
}

fn seal(place: &Place, accept_loss: bool) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let signer = HeadSigner::open(database, &settings, &keyring(&settings))?
        .ok_or_else(|| Failure::new("there is no audit key: run `muhr audit init`"))?;
    for head in if accept_loss { signer.accept_loss()? } else { signer.seal()? } {
        say(format!("head {} of {}, entries: {}", head.number, head.sealed_at, head.count));
    }
    Ok(())
}

fn verify(arguments: &Verify) -> Result<(), Failure> {
    let (settings, database) = arguments.place.open(&[])?;
    let keys = read_keys(&arguments.key.clone().unwrap_or_else(|| settings.audit_key_file()))?;
    let mut evidence = evidence(&arguments.heads)?;
    let memory = keyring(&settings).audit_memory();
    evidence.extend(audit_log::remembered(&memory)?.map(|head| (memory.display().to_string(), head)));
    let now = settings.clock().now();
    let trust = trust_here(&settings, &database, &arguments.officer_ca)?;
    if trust.is_none() {
        say(format!(
            "officers' signatures are not looked at: there is no {}",
            officer_ca::certificate_file(&settings).display()
        ));
    }
    let (found, report) = database.read(|connection| -> Result<_, Failure> {
        let found = store::verification::verify_log(connection, &keys, evidence, trust.as_ref(), now)?;
        Ok((found, store::verification::verify(connection, trust.as_ref())?))
    })?;
    let of_log = tell(&found.log) + tell_history(&found.history, trust.is_some());
    for finding in &report.findings {
        say(format!("{}: {}", finding.object, finding.rule));
    }
    say(format!("{} entries wait for their head", found.waiting));
    say(format!(
        "{} certificates and {} issued applications looked at, {} findings",
        report.certificates,
        report.applications,
        report.findings.len()
    ));
    if of_log == 0 && report.findings.is_empty() {
        Ok(())
    } else {
        Err(Failure::new("the audit has findings"))
    }
}

fn verify_file(file: &Path, arguments: &Verify) -> Result<(), Failure> {
    // clap asks for it.
    let key = arguments.key.as_deref().ok_or_else(|| Failure::new("--file needs --key"))?;
    let trust = trust(arguments)?;
    let (report, history) =
        export::verify(file, &read_keys(key)?, trust.as_ref(), evidence(&arguments.heads)?)?;
    let mut findings = tell(&report);
    match history {
        Some(history) => findings += tell_history(&history, trust.is_some()),
        None if trust.is_some() => {
            return Err(Failure::new(format!(
                "{}: it has not what officers signed: have another export made",
                file.display()
            )));
        }
        None => say("it has not what officers signed: an export of before they did"),
    }
    if findings == 0 { Ok(()) } else { Err(Failure::new("the audit has findings")) }
}

fn trust(arguments: &Verify) -> Result<Option<Trust>, Failure> {
    if arguments.officer_ca.is_empty() {
        return Ok(None);
    }
    let officer_cas = read_certificates(&arguments.officer_ca)?;
    let issuers = read_certificates(&arguments.issuer)?;
    Ok(Some(Trust::new(officer_cas, approval_policy(arguments.policy.as_deref())?, issuers)))
}

/// Whom this machine believes: its officer CA, `earlier` ones, its policy, and the CAs that its own root leads to. None without an
/// officer CA.
pub(crate) fn trust_here(
    settings: &Settings,
    database: &Database,
    earlier: &[PathBuf],
) -> Result<Option<Trust>, Failure> {
    let mut officer_cas = read_certificates(earlier)?;
    let present = officer_ca::certificate_file(settings);
    if present.exists() {
        officer_cas.push(read_certificate(&present)?);
    }
    if officer_cas.is_empty() {
        return Ok(None);
    }
    let mut issuers: Vec<Vec<u8>> =
        database.read(issuers::all)?.into_iter().map(|issuer| issuer.certificate).collect();
    // The database does not vouch for itself.
    let root = settings.keys.directory.join("root.cer");
    if root.exists() {
        let root = read_certificate(&root)?;
        let known = issuers.clone();
        issuers.retain(|ca| leads_to(&root, ca, &known));
        // It is never none of them: then nobody would look.
        issuers.push(root);
    } else {
        say(format!("the database is believed who the CAs are: there is no {}", root.display()));
    }
    Ok(Some(Trust::new(officer_cas, Tables::load(&settings.data)?.approval, issuers)))
}

/// Whether a CA was certified by this root, over others or by itself, when it began.
fn leads_to(root: &[u8], ca: &[u8], others: &[Vec<u8>]) -> bool {
    let others: Vec<&[u8]> = others.iter().map(Vec::as_slice).collect();
    Certificate::read(ca).is_ok_and(|read| path(ca, &others, root, read.not_before).is_ok())
}

fn read_certificates(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    files.iter().map(|file| read_certificate(file)).collect()
}

/// A certificate in DER or PEM.
fn read_certificate(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: String| Failure::new(format!("{}: {why}", path.display()));
    let octets = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let der = CertificateDer::from_pem_slice(&octets).map_or(octets, |der| der.to_vec());
    Certificate::read(&der).map_err(|error| failed(error.to_string()))?;
    Ok(der)
}

/// Prints what the entries of an export tell; how much of it must not be.
fn tell_history(history: &History, signatures: bool) -> u64 {
    for finding in &history.findings {
        say(finding);
    }
    let findings = history.findings.len() as u64 + history.untold;
    let History { certificates, compared, statements, unsigned, .. } = history;
    if *unsigned > 0 {
        say(format!("{unsigned} certificates are older than the officer CA: nobody could sign for them"));
    }
    if signatures {
        say(format!(
            "{certificates} certificates for applications and {statements} statements of officers looked at, {compared} certificates \
             compared with what was signed, {findings} findings"
        ));
    } else {
        say(format!(
            "{certificates} certificates for applications looked at, {findings} findings; officers' signatures are looked at with \
             --officer-ca"
        ));
    }
    findings
}

/// Prints what was found about the log; how much.
fn tell(report: &Report) -> u64 {
    for fault in &report.faults {
        say(fault);
    }
    let findings = report.faults.len() as u64 + report.untold;
    let newest = match &report.newest {
        Some(head) => format!("the newest head is {} of {}", head.number, head.sealed_at),
        None => "there is no head".to_owned(),
    };
    say(format!(
        "{} sealed entries and {} heads looked at, {findings} findings; {newest}",
        report.entries, report.heads
    ));
    findings
}

fn read_keys(path: &Path) -> Result<AuditKeys, Failure> {
    let failed = |why: String| Failure::new(format!("{}: {why}", path.display()));
    let text = fs::read(path).map_err(|error| failed(error.to_string()))?;
    AuditKeys::from_pem(&text).map_err(|refusal| failed(refusal.to_string()))
}

/// Heads of files and folders, each with where it was.
fn evidence(places: &[PathBuf]) -> Result<Vec<(String, SignedHead)>, Failure> {
    let mut files = Vec::new();
    for place in places {
        if !place.is_dir() {
            files.push(place.clone());
            continue;
        }
        let mut found = fs::read_dir(place)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        found.retain(|file| file.extension().is_some_and(|extension| extension == "heads"));
        if found.is_empty() {
            return Err(Failure::new(format!("{}: no file *.heads is there", place.display())));
        }
        found.sort();
        files.extend(found);
    }
    let mut heads = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = fs::read_to_string(&file).map_err(|error| Failure::new(format!("{name}: {error}")))?;
        let read = SignedHead::read_blocks(&text)
            .ok_or_else(|| Failure::new(format!("{name}: it is cut off, or no file of heads")))?;
        heads.extend(read.into_iter().map(|head| (name.clone(), head)));
    }
    Ok(heads)
}
