//! Is every document there, whole and readable, and nothing else?

use std::collections::HashMap;
use std::time::Duration;

use futures_util::TryStreamExt;
use store::{data_keys, documents};

use super::{CustodyError, ask, open, retention};
use crate::context::Context;
use crate::vault::VaultError;

const BATCH: i64 = 200;
/// An upload puts its object first and names it afterwards: a younger one may still be named.
const UNNAMED_FOR_SECONDS: i64 = 3600;

/// Erasing has its turn every hour, and a process may stand still for a while.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Documents that rows name.
    pub documents: u64,
    /// Objects in the store.
    pub objects: u64,
    /// How many keys each master key wraps.
    pub masters: Vec<(String, i64)>,
    /// What must not be, each with the object it is about.
    pub findings: Vec<String>,
}

/// Opens every document and compares it with the hash of what was handed in; looks for objects that no row names.
///
/// # Errors
/// The database or the store of objects cannot be read at all.
pub async fn verify(context: &Context) -> Result<Report, CustodyError> {
    let mut report = Report::default();
    let mut objects = objects(context).await?;
    report.objects = objects.len() as u64;
    let mut after = String::new();
    loop {
        let from = after.clone();
        let page = ask(context, move |connection| documents::after(connection, &from, BATCH)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.object_key);
        for document in page {
            report.documents += 1;
            objects.remove(&document.object_key);
            match open(context, &document).await {
                Ok(_) => {}
                // Nothing is known of it while its master key's token is away.
                Err(error @ CustodyError::Vault(VaultError::Away(_))) => return Err(error),
                Err(error) => report.findings.push(format!(
                    "application:{}: {} does not open: {error}",
                    document.application,
                    document.kind.as_str()
                )),
            }
        }
    }
    let before = context.now().unix_seconds() - UNNAMED_FOR_SECONDS;
    for (name, changed_at) in objects {
        if changed_at < before {
            report.findings.push(format!("object:{name}: no document names it"));
        }
    }
    retained(context, &mut report).await?;
    report.masters = ask(context, data_keys::masters).await?;
    let unknown = report.masters.iter().filter(|(name, _)| !context.vault.names().any(|known| known == name));
    let unknown: Vec<String> = unknown
        .map(|(name, keys)| format!("master-key:{name}: it wraps {keys} keys and is not here"))
        .collect();
    report.findings.extend(unknown);
    Ok(report)
}

/// What should be gone is gone: nothing is left of what was erased, and nothing is kept a day beyond its period.
async fn retained(context: &Context, report: &mut Report) -> Result<(), CustodyError> {
    for id in ask(context, store::retention::leftovers).await? {
        report.findings.push(format!("application:{id}: it was erased, and something is still there"));
    }
    let periods = retention::periods(&context.settings.retention, context.now().minus(GRACE));
    let mut after = Some(String::new());
    while let Some(from) = after {
        let page = ask(context, move |connection| store::retention::due(connection, periods, &from, BATCH));
        let (overdue, next) = page.await?;
        let overdue = overdue.into_iter();
        report.findings.extend(overdue.map(|id| format!("application:{id}: it should have been erased")));
        after = next;
    }
    Ok(())
}

/// Every object with the second it was last written.
async fn objects(context: &Context) -> Result<HashMap<String, i64>, CustodyError> {
    let listed: Vec<_> = context.documents.list(None).try_collect().await?;
    Ok(listed
        .into_iter()
        .map(|object| (object.location.to_string(), object.last_modified.timestamp()))
        .collect())
}
