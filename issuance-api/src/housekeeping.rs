//! What the passing of time does: drafts and invoices expire, short-lived rows and quiet counters are forgotten.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use ca_core::Timestamp;
use store::{
    Connection, StoreError, applications, captchas, idempotency, invoices, phone_verifications, sessions,
};
use tokio::sync::watch;

use crate::context::Context;

const INTERVAL: Duration = Duration::from_secs(60);
/// Drafts ended in one transaction.
const BATCH: i64 = 200;
/// Verifications are counted per phone for a day; older ones are of no use.
const VERIFICATIONS_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);

/// Works until `stop` turns true.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let shared = Arc::clone(&context);
        let done = web::block(move || sweep(&shared)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "housekeeping waits");
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// One round.
fn sweep(context: &Context) -> Result<(), StoreError> {
    let now = context.now();
    context.limits.sweep(now);
    while context.database.write(|connection| expire_drafts(context, connection, now))? == BATCH as usize {}
    context.database.write(|connection| {
        invoices::expire(connection, now)?;
        captchas::sweep(connection, now)?;
        sessions::sweep(connection, now)?;
        phone_verifications::sweep(connection, now.minus(VERIFICATIONS_KEPT))?;
        idempotency::sweep(connection, now.minus(context.settings.http.idempotency))?;
        Ok(())
    })
}

fn expire_drafts(
    context: &Context,
    connection: &mut Connection,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let lifetime = context.settings.applications.draft_lifetime;
    let stale = applications::stale_drafts(connection, now.minus(lifetime), BATCH)?;
    let mut expired = 0;
    for stored in &stale {
        if let Ok(transition) = stored.application.expire(lifetime, now) {
            applications::apply(connection, &transition)?;
            expired += 1;
        }
    }
    Ok(expired)
}
