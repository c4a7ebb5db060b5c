//! `muhr person`: what is held about one person.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use ca_core::subject::Pinfl;
use clap::ValueEnum;
use issuance_api::context::Context;
use issuance_api::custody::export::export;
use zeroize::Zeroizing;

use crate::commands::{Place, runtime};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write everything that is held about a person to a tar file: person.json and the documents.
    Export {
        /// The file with the PINFL, so that it is in no list of processes; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        pinfl_file: PathBuf,
        /// Why it is exported.
        #[arg(long, value_enum)]
        reason: Reason,
        /// The tar file, which must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

/// Why somebody's data leaves the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reason {
    /// The person asks.
    Owner,
    /// A court or another authority asks.
    Authority,
    /// A complaint or a dispute.
    Complaint,
    /// An inspection.
    Inspection,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Export { pinfl_file, reason, out, place } = command;
    let pinfl = pinfl(pinfl_file)?;
    let (settings, database) = place.open(&[])?;
    let context = Context::start((*settings).clone(), database)?;
    let archive = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
    let reason = match reason {
        Reason::Owner => "owner",
        Reason::Authority => "authority",
        Reason::Complaint => "complaint",
        Reason::Inspection => "inspection",
    };
    let exported = runtime()?.block_on(export(&context, &pinfl, reason, "operator", archive))?;
    say(format!(
        "{}: {} applications, {} certificates, {} documents",
        out.display(),
        exported.applications,
        exported.certificates,
        exported.documents
    ));
    Ok(())
}

fn pinfl(file: &PathBuf) -> Result<Pinfl, Failure> {
    let mut text = Zeroizing::new(String::new());
    if file.as_os_str() == "-" {
        std::io::stdin().take(1024).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(file)?.take(1024).read_to_string(&mut text)?;
    }
    Pinfl::parse(text.trim()).map_err(|error| Failure::new(format!("the PINFL: {error}")))
}
