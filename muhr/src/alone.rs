//! The command line where there is no server: the key tool alone, called as everywhere else.

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::key;

/// The key tool for Uzbekistan's electronic signature.
#[derive(Debug, Parser)]
#[command(name = "muhr", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keys on this machine: make, apply, list, sign, verify. Needs no server.
    Key(key::Arguments),
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Key(arguments) => key::run(arguments),
        }
    }
}
