//! `muhr evidence`: the keys that applicants' evidence is sealed with, and a proof of what is kept.

use std::path::PathBuf;

use ca_signer::keys::KeyError;
use ca_signer::master_keys::MasterKeys;
use config::settings::{MasterKey, MasterToken};
use issuance_api::context::Context;
use issuance_api::custody::{rotation, verification};
use issuance_api::evidence::child::{self, UNCONFINED};
use issuance_api::sealed::Sealer;
use issuance_api::vault::custodian::{self, Answer, Question, Task};
use zeroize::Zeroizing;

use crate::commands::{Place, keyring, runtime};
use crate::confinement;
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a new master key: in a file that is not there yet, or on the token of documents.token.
    MasterKey {
        /// The file, or token:LABEL; to be named last in documents.master_keys.
        key: String,
        #[command(flatten)]
        place: Place,
    },
    /// Put every application's key under the newest master key; evidence stays readable meanwhile.
    Rotate(Place),
    /// Open every document and compare it with what was handed in; name what should not be there.
    Verify(Place),
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::MasterKey { key, place } => make_master_key(key, place),
        Command::Rotate(place) => rotate(place),
        Command::Verify(place) => verify(place),
    }
}

fn make_master_key(key: &str, place: &Place) -> Result<(), Failure> {
    match MasterKey::from(key.to_owned()) {
        MasterKey::File(file) => Sealer::create_key_file(&file)?,
        MasterKey::OnToken(label) => {
            let settings = place.settings(&[])?;
            keyring(&settings).make_master(&label)?;
        }
    }
    say(format!("{key} holds a new master key"));
    Ok(())
}

/// Which token `muhr hold-master-keys` uses.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArguments {
    /// The library of the token's maker.
    #[arg(long)]
    module: PathBuf,
    /// The token's label.
    #[arg(long)]
    label: Option<String>,
    /// Its serial number.
    #[arg(long)]
    serial: Option<String>,
    /// A file with the PIN.
    #[arg(long)]
    pin_file: PathBuf,
}

/// Answers for the master keys of a token: see `issuance_api::vault::custodian`.
pub(crate) fn hold_master_keys(arguments: TokenArguments) -> Result<(), Failure> {
    let TokenArguments { module, label, serial, pin_file } = arguments;
    let token = MasterToken { module: Some(module), label, serial, pin_file: Some(pin_file) };
    let mut keys = MasterKeys::new(token);
    let work = |question: Question| {
        answer(&mut keys, &question).unwrap_or_else(|error| Answer::Failed(error.to_string()))
    };
    let (input, output) = confinement::own_pipes()?;
    Ok(custodian::answer(input, output, work)?)
}

fn answer(keys: &mut MasterKeys, question: &Question) -> Result<Answer, KeyError> {
    let Question { task, label, context, octets } = question;
    Ok(match task {
        Task::Wrap => Answer::Done(Zeroizing::new(keys.wrap(label, context, octets)?)),
        Task::Unwrap => keys.unwrap(label, context, octets)?.map_or(Answer::Changed, Answer::Done),
        Task::Reach => {
            keys.reach(label)?;
            Answer::Done(Zeroizing::default())
        }
    })
}

/// The child's part of an upload: see `issuance_api::evidence::child`. It gives up everything first.
pub(crate) fn decode(purpose: &str, media_type: &str) -> Result<(), Failure> {
    confinement::decoder().map_err(|failure| Failure::with_exit(failure.to_string(), UNCONFINED))?;
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    Ok(child::answer(purpose, media_type, input, output)?)
}

fn context(place: &Place) -> Result<Context, Failure> {
    let (settings, database) = place.open(&[])?;
    Ok(Context::start((*settings).clone(), database)?)
}

fn rotate(place: &Place) -> Result<(), Failure> {
    let context = context(place)?;
    let done = runtime()?.block_on(rotation::rotate(&context))?;
    say(format!(
        "{} applications given a key, {} documents sealed anew, {} keys now under master key {}",
        done.adopted,
        done.resealed,
        done.rewrapped,
        context.vault.newest()
    ));
    match done.unopened {
        0 => Ok(()),
        unopened => Err(Failure::new(format!(
            "{unopened} documents do not open and stay as they are: the log names their applications"
        ))),
    }
}

fn verify(place: &Place) -> Result<(), Failure> {
    let context = context(place)?;
    let report = runtime()?.block_on(verification::verify(&context))?;
    for finding in &report.findings {
        say(finding);
    }
    for (name, keys) in &report.masters {
        say(format!("master key {name}: {keys} keys"));
    }
    say(format!(
        "{} documents opened, {} objects looked at, {} findings",
        report.documents,
        report.objects,
        report.findings.len()
    ));
    if report.findings.is_empty() { Ok(()) } else { Err(Failure::new("the evidence has findings")) }
}
