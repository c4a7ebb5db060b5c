//! `muhr bench`: measurements, one JSON line a figure, each beside a baseline of the same run.

mod audit;
mod crl;
mod issuance;
mod load;
mod meter;
mod ocsp;
mod payments;

use ca_signer::Keyring;
use ca_signer::ceremony::{Ceremony, Names};
use store::{Database, issuers};

use crate::commands::{Place, open_database};
use crate::failure::Failure;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// From approved applications to stored certificates.
    Issuance(issuance::Arguments),
    /// OCSP answers with and without a nonce, without HTTP around them.
    Ocsp(ocsp::Arguments),
    /// Full CRLs of several sizes, written and judged.
    Crl(crl::Arguments),
    /// The audit log: entries recorded, sealed and verified.
    Audit(audit::Arguments),
    /// Paid invoices as providers tell of them, over HTTP.
    Payments(payments::Arguments),
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Issuance(arguments) => issuance::run(&arguments),
        Command::Ocsp(arguments) => ocsp::run(&arguments),
        Command::Crl(arguments) => crl::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Payments(arguments) => payments::run(&arguments),
    }
}

/// What keys of a measurement are locked with: they live as long as it.
const PASSPHRASE: &[u8] = b"measurement only";

/// Runs a measurement in a folder of its own that goes with it.
fn temporary(measure: impl FnOnce(&Place) -> Result<(), Failure>) -> Result<(), Failure> {
    in_temporary(None, measure)
}

/// The same on a database that was named.
fn in_temporary(
    database: Option<String>,
    measure: impl FnOnce(&Place) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("muhr-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&Place::of(folder.clone(), database));
    std::fs::remove_dir_all(&folder)?;
    measured
}

/// An empty database with a CA of its own, and the issuing CA's certificate.
fn ca(place: &Place) -> Result<(Database, Vec<u8>), Failure> {
    let settings = place.settings(&[])?;
    let database = open_database(&settings)?;
    store::migrations::up(&database)?;
    if !database.read(issuers::all)?.is_empty() {
        return Err(Failure::new("the database is in use; a measurement wants an empty one"));
    }
    let keyring = Keyring::with_passphrase(&settings, PASSPHRASE);
    Ceremony::unattended("ca.init", &database, &settings, &keyring).init(&Names::default())?;
    let issuing = database.read(|connection| issuers::find(connection, issuers::ISSUING))?;
    Ok((database, issuing.certificate))
}
