//! The audit log: recording, sealing, and going through all of it again.

use ca_core::audit::AuditKeys;
use ca_signer::{HeadSigner, Keyring};
use serde_json::json;
use store::{audit, verification};

use super::meter::{Meter, figure};
use super::{PASSPHRASE, ca, in_temporary};
use crate::commands::Place;
use crate::failure::Failure;

/// Entries recorded in one transaction.
const CHUNK: usize = 1000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An EMPTY PostgreSQL database, or the path of an SQLite file to be made; without it, one in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How many entries.
    #[arg(long, default_value_t = 1_000_000)]
    count: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    in_temporary(arguments.database.clone(), |place| measure(arguments, place))
}

fn measure(arguments: &Arguments, place: &Place) -> Result<(), Failure> {
    let (database, _) = ca(place)?;
    let settings = place.settings(&[])?;
    let (now, count) = (settings.clock().now(), arguments.count as f64);
    let recorded = Meter::start();
    for first in (0..arguments.count).step_by(CHUNK) {
        let entries: Vec<audit::Entry> = (first..arguments.count.min(first + CHUNK))
            .map(|n| audit::Entry {
                at: now,
                actor: "officer:reviewer".to_owned(),
                action: "application.approve".to_owned(),
                object: format!("application:0192f0c1-7c3a-7000-8000-{n:012x}"),
                details: json!({ "from": "under_review", "to": "approved", "number": n }),
            })
            .collect();
        database.write(|connection| audit::record(connection, &entries))?;
    }
    database.analyze()?;
    figure("audit.record", count / recorded.read().0.as_secs_f64(), "entries/s");

    let keyring = Keyring::with_passphrase(&settings, PASSPHRASE);
    let signer = HeadSigner::open(database.clone(), &settings, &keyring)?
        .ok_or_else(|| Failure::new("the ceremony makes an audit key"))?;
    let sealed = Meter::start();
    let heads = signer.seal()?;
    let (wall, cpu) = sealed.read();
    figure("audit.seal", count / wall.as_secs_f64(), "entries/s");
    figure("audit.seal.cpu", cpu.as_secs_f64() * 1e6 / count, "us CPU/entry");

    let keys = AuditKeys::from_pem(&std::fs::read(settings.audit_key_file())?)?;
    let verified = Meter::start();
    let found =
        database.read(|c| verification::verify_log(c, &keys, Vec::new(), None, settings.clock().now()))?;
    let (wall, cpu) = verified.read();
    let entries = found.log.entries as f64;
    if !found.log.faults.is_empty() || entries < count || found.log.heads != heads.len() as u64 {
        return Err(Failure::new("the log is not what was sealed"));
    }
    figure("audit.verify", entries / wall.as_secs_f64(), "entries/s");
    figure("audit.verify.cpu", cpu.as_secs_f64() * 1e6 / entries, "us CPU/entry");
    Ok(())
}
