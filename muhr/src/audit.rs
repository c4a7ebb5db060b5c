//! `muhr audit`: proof from the rows themselves.

use crate::commands::Place;
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Look at every certificate: application, payment, approval, intent, audit entry.
    Verify(Place),
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Verify(place) = command;
    let (_, database) = place.open(&[])?;
    let report = database.read(store::verification::verify)?;
    for finding in &report.findings {
        say(format!("{}: {}", finding.object, finding.rule));
    }
    say(format!(
        "{} certificates and {} issued applications looked at, {} findings",
        report.certificates,
        report.applications,
        report.findings.len()
    ));
    if report.findings.is_empty() { Ok(()) } else { Err(Failure::new("the audit has findings")) }
}
