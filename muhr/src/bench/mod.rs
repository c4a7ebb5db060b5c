//! `muhr bench`: measurements, one JSON line a figure, each beside a baseline of the same run.

mod issuance;
mod meter;

use crate::failure::Failure;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// From approved applications to stored certificates.
    Issuance(issuance::Arguments),
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Issuance(arguments) => issuance::run(&arguments),
    }
}
