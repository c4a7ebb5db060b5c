//! `muhr evidence`: the keys that applicants' evidence is sealed with, and a proof of what is kept.

use std::path::PathBuf;

use issuance_api::context::Context;
use issuance_api::custody::{rotation, verification};
use issuance_api::evidence::child::{self, UNCONFINED};
use issuance_api::sealed::Sealer;

use crate::commands::{Place, runtime};
use crate::confinement;
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write a new master key to a file that is not there yet.
    MasterKey {
        /// To be named last in documents.master_key_files.
        file: PathBuf,
    },
    /// Put every application's key under the newest master key; evidence stays readable meanwhile.
    Rotate(Place),
    /// Open every document and compare it with what was handed in; name what should not be there.
    Verify(Place),
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::MasterKey { file } => {
            Sealer::create_key_file(file)?;
            say(format!("{} holds a new master key", file.display()));
            Ok(())
        }
        Command::Rotate(place) => rotate(place),
        Command::Verify(place) => verify(place),
    }
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
