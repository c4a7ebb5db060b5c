//! `muhr`: every role in one process, or one role each, and the operator's commands.

#[cfg(not(feature = "server"))]
mod alone;
#[cfg(feature = "server")]
mod audit;
#[cfg(feature = "server")]
mod backup;
#[cfg(feature = "server")]
mod bench;
#[cfg(feature = "server")]
mod ca;
#[cfg(feature = "server")]
mod certificate;
#[cfg(feature = "server")]
mod commands;
#[cfg(target_os = "linux")]
mod confinement;
#[cfg(feature = "server")]
mod evidence;
mod failure;
mod key;
#[cfg(feature = "server")]
mod ledger;
#[cfg(feature = "server")]
mod officer;
#[cfg(feature = "server")]
mod person;
#[cfg(feature = "server")]
mod responder;
#[cfg(feature = "server")]
mod roles;
#[cfg(feature = "server")]
mod sandbox;
#[cfg(feature = "server")]
mod sms;
#[cfg(feature = "server")]
mod tls;
#[cfg(feature = "server")]
mod up;

use std::process::ExitCode;

use clap::Parser;

#[cfg(not(feature = "server"))]
use crate::alone::Arguments;
#[cfg(feature = "server")]
use crate::commands::Arguments;

fn main() -> ExitCode {
    // Keys, codes and pictures are in memory from now on; none of it is for a core file.
    #[cfg(target_os = "linux")]
    if let Err(failure) = confinement::no_core_files() {
        failure.tell();
        return failure.exit();
    }
    let arguments = Arguments::parse();
    #[cfg(feature = "server")]
    arguments.start_logging();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit()
        }
    }
}
