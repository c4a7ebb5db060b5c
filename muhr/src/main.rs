//! `muhr`: every role in one process, or one role each, and the operator's commands.

mod audit;
mod bench;
mod ca;
mod certificate;
mod commands;
mod failure;
mod key;
mod ledger;
mod officer;
mod responder;
mod roles;
mod sandbox;
mod sms;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.start_logging();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit()
        }
    }
}
