//! `muhr key`: the key tool. It needs no server, no settings and no database.

use std::path::PathBuf;

use ca_core::Timestamp;
use ca_core::signer::KeyAlgorithm;
use clap::{Args, Subcommand, ValueEnum};
use config::Language;
use config::clock::SystemClock;
use key_tool::password::Source;
use key_tool::{Speech, Trouble};

use crate::failure::Failure;

mod documents;
mod files;
mod issuance;

/// Keys on this machine: made, applied for, listed, used. The private key and its password stay here.
///
/// Exit codes: 0 done; 1 failed; 2 wrong command line; 3 password; 4 file unreadable or damaged; 5 disk (full, read-only,
/// file exists); 6 server; 7 not to be trusted; 8 somebody else's move, run the command again later.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The language of questions and answers: uz, uz-Cyrl, kaa, ru or en. Else that of LC_ALL or LANG.
    #[arg(long, global = true, value_name = "LANGUAGE")]
    language: Option<Language>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key pair in a new file, with a stand-in for the certificate.
    Generate {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        kind: Kind,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Print the certification request (PKCS #10) of a key.
    Csr {
        /// The key file.
        key: PathBuf,
        #[command(flatten)]
        output: Output,
        /// The common name in it. The CA takes the name from the application.
        #[arg(long, default_value = "Muhr")]
        name: String,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Apply for a certificate: form, SMS code, key, invoice, pictures, signed statement. Run again, it goes on.
    Apply(issuance::Apply),
    /// Save the issued certificate with its key as DS<number><NNNN>.pfx, and remove the temporary file.
    Fetch(issuance::Fetch),
    /// Save a key with a certificate that came by other hands, as an officer's does, in a new file.
    Install {
        /// The key file.
        key: PathBuf,
        /// The certificate, DER or PEM.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// The new key file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// List the keys on all drives, without a password.
    List {
        /// Look on this drive (its root and DSKEYS in it) instead of all; may be repeated.
        #[arg(long = "drive", value_name = "FOLDER")]
        drives: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a key file says, without a password.
    Show {
        /// The key file.
        key: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a key file under another password.
    Passwd {
        /// The key file.
        key: PathBuf,
        #[command(flatten)]
        password: PasswordFile,
        /// The new password is the first line of this file; else it is asked for.
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
    /// Sign a document (CMS).
    Sign(documents::Sign),
    /// Verify a signed document (CMS).
    Verify(documents::Verify),
    /// Take a certificate, the chain or the private key out of a key file.
    Export(files::Export),
}

/// Where a new file goes.
#[derive(Debug, Args)]
struct Place {
    /// Into DSKEYS in the root of this drive.
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    drive: Option<PathBuf>,
    /// Into this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Which key to make.
#[derive(Debug, Args)]
struct Kind {
    /// P-256, P-384, RSA-2048, RSA-3072, RSA-4096 or Ed25519.
    #[arg(long, default_value = "P-256")]
    algorithm: KeyAlgorithm,
    /// The name in the stand-in certificate, by which lists show the key until it has its certificate.
    #[arg(long = "label", value_name = "NAME", default_value = "Muhr")]
    name: String,
}

#[derive(Debug, Args)]
struct PasswordFile {
    /// The password is the first line of this file; else it is asked for. It is never a command's argument.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Where an answer goes, and in what form.
#[derive(Debug, Args)]
struct Output {
    /// Into this new file; else to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Form::Pem)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Text.
    Pem,
    /// Octets.
    Der,
}

impl PasswordFile {
    fn source(&self) -> Source<'_> {
        self.password_file.as_deref().map_or(Source::Terminal, Source::File)
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let speech = Speech::chosen(arguments.language, |name| std::env::var(name).ok());
    let now = SystemClock::default().now();
    act(arguments.command, speech, now)
        .map_err(|trouble| Failure::with_exit(trouble.words(speech.0), trouble.exit() as u8))
}

fn act(command: Command, speech: Speech, now: Timestamp) -> Result<(), Trouble> {
    match command {
        Command::Generate { place, kind, password } => files::generate(&place, &kind, &password, speech, now),
        Command::Csr { key, output, name, password } => files::csr(&key, &output, &name, &password, speech),
        Command::Apply(apply) => apply.run(speech, now),
        Command::Fetch(fetch) => fetch.run(speech),
        Command::Install { key, certificate, out, password } => {
            files::install(&key, &certificate, &out, &password, speech)
        }
        Command::List { drives, json } => {
            files::list(&drives, json, speech, now);
            Ok(())
        }
        Command::Show { key, json } => files::show(&key, json, speech, now),
        Command::Passwd { key, password, new_password_file } => {
            files::change_password(&key, &password, new_password_file.as_deref(), speech)
        }
        Command::Sign(sign) => sign.run(speech, now),
        Command::Verify(verify) => verify.run(speech, now),
        Command::Export(export) => export.run(speech),
    }
}
