//! `muhr ledger`: does every tiyin have its two sides, and do the providers say the same?

use std::path::PathBuf;

use ca_core::calendar::{full_date, parse_full_date};
use issuance_api::payments::Providers;
use issuance_api::payments::reconciliation::{self, Line};
use serde_json::json;
use time::Date;

use crate::commands::Place;
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Compare every invoice with its postings, payments and refund. Prints one JSON line.
    Verify(Place),
    /// Compare days with a provider's statement. Prints a JSON line for each difference, and one with their number.
    Reconcile {
        #[command(flatten)]
        place: Place,
        /// The provider's name.
        #[arg(long)]
        provider: String,
        /// The first day in Tashkent.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        from: Date,
        /// The last day, included.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        to: Date,
        /// The statement of all these days: Payme's GetStatement (.json), or a table with the columns transaction,
        /// amount_tiyin and state (.csv). Without it, the files of each day in payments.reconciliation.directory.
        #[arg(long, value_name = "FILE")]
        statement: Option<PathBuf>,
    },
}

fn day(text: &str) -> Result<Date, String> {
    parse_full_date(text).map_err(|error| error.to_string())
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Verify(place) => verify(&place),
        Command::Reconcile { place, provider, from, to, statement } => {
            reconcile(&place, &provider, (from, to), statement)
        }
    }
}

fn verify(place: &Place) -> Result<(), Failure> {
    let (_, database) = place.open(&[])?;
    let report = database.read(store::ledger::verify)?;
    let findings: Vec<_> =
        report.findings.iter().map(|found| json!({"object": found.object, "rule": found.rule})).collect();
    say(json!({
        "invoices": report.invoices,
        "postings": report.postings,
        "accounts": report.accounts,
        "findings": findings,
    }));
    if report.findings.is_empty() { Ok(()) } else { Err(Failure::new("the ledger has findings")) }
}

fn reconcile(
    place: &Place,
    provider: &str,
    (from, to): (Date, Date),
    statement: Option<PathBuf>,
) -> Result<(), Failure> {
    if to < from {
        return Err(Failure::new("--to is a day before --from"));
    }
    let (settings, database) = place.open(&[])?;
    let known = Providers::open(&settings)?;
    if !known.names().any(|name| name == provider) {
        let names: Vec<&str> = known.names().collect();
        return Err(Failure::new(format!("no provider {provider}; there are: {}", names.join(", "))));
    }
    let theirs = match statement {
        Some(file) => reconciliation::read(&file)?,
        None => of_days(settings.payments.reconciliation.directory.as_deref(), provider, from, to)?,
    };
    let found = reconciliation::reconcile(&database, provider, (from, to), &theirs, settings.clock().now())?;
    for difference in &found.differences {
        say(serde_json::to_string(difference)?);
    }
    let differences = found.differences.len();
    say(json!({"ours": found.ours, "theirs": found.theirs, "differences": differences}));
    if differences == 0 { Ok(()) } else { Err(Failure::new("the ledger and the statement differ")) }
}

/// The statements of some days, one after the other.
fn of_days(
    folder: Option<&std::path::Path>,
    provider: &str,
    from: Date,
    to: Date,
) -> Result<Vec<Line>, Failure> {
    let folder = folder.ok_or_else(|| {
        Failure::new("name a --statement, or set payments.reconciliation.directory for the files of each day")
    })?;
    let mut lines = Vec::new();
    let mut day = from;
    while day <= to {
        let file = reconciliation::file_of(folder, provider, day)
            .ok_or_else(|| Failure::new(format!("there is no statement of {}", full_date(day))))?;
        lines.extend(reconciliation::read(&file)?);
        day = day.next_day().ok_or_else(|| Failure::new("the days end"))?;
    }
    Ok(lines)
}
