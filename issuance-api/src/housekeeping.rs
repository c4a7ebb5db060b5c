//! What the passing of time does: drafts and invoices expire, short-lived rows and quiet counters are forgotten.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use ca_core::Timestamp;
use store::{
    StoreError, applications, captchas, deliveries, idempotency, invoices, officers, payments,
    phone_verifications, reminders, seen_signatures, sessions,
};
use tokio::sync::watch;

use crate::context::Context;
use crate::custody::retention;
use crate::payments::worker;

const INTERVAL: Duration = Duration::from_secs(60);
/// Periods are days and years: once an hour is soon enough.
const ROUNDS_BETWEEN_ERASING: u32 = 60;
/// Drafts looked at in one go.
const BATCH: i64 = 200;
/// Verifications are counted per phone for a day; older ones are of no use.
const VERIFICATIONS_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);

/// A browser that an officer has not signed in with for so long is a stranger again.
const CLIENTS_KEPT: Duration = Duration::from_secs(180 * 24 * 3600);

/// Works until `stop` turns true.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut rounds = 0_u32;
    while !*stop.borrow() {
        let shared = Arc::clone(&context);
        let done = web::block(move || sweep(&shared)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "housekeeping waits");
        }
        if rounds.is_multiple_of(ROUNDS_BETWEEN_ERASING) {
            erase(&context).await;
        }
        rounds = rounds.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// What has been kept long enough goes.
async fn erase(context: &Context) {
    match retention::erase(context).await {
        Ok(0) => {}
        Ok(applications) => tracing::info!(applications, "evidence erased"),
        Err(error) => tracing::warn!(%error, "erasing waits"),
    }
}

/// One round.
fn sweep(context: &Context) -> Result<(), StoreError> {
    let now = context.now();
    context.limits.sweep(now);
    expire_drafts(context, now)?;
    remind(context, now)?;
    expire_invoices(context, now)?;
    worker::plan(context, now)?;
    context.database.write(|connection| {
        captchas::sweep(connection, now)?;
        sessions::sweep(connection, now)?;
        officers::sweep_clients(connection, now.minus(CLIENTS_KEPT))?;
        seen_signatures::sweep(connection, now)?;
        phone_verifications::sweep(connection, now.minus(VERIFICATIONS_KEPT))?;
        deliveries::sweep_codes(connection, now.minus(VERIFICATIONS_KEPT))?;
        idempotency::sweep(connection, now.minus(context.settings.http.idempotency))?;
        Ok(())
    })
}

/// Each draft in a transaction of its own: one that somebody touches at this moment stays.
fn expire_drafts(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    let lifetime = context.settings.applications.draft_lifetime;
    loop {
        let stale = context.database.read(|c| applications::stale_drafts(c, now.minus(lifetime), BATCH))?;
        let mut expired = 0;
        for stored in &stale {
            let Ok(transition) = stored.application.expire(lifetime, now) else { continue };
            match context.database.write(|c| applications::apply(c, &transition)) {
                Ok(()) => expired += 1,
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if expired < BATCH {
            return Ok(());
        }
    }
}

/// What nobody performed in time makes room, and what nobody paid in time is owed no more; some at a time, as below.
fn expire_invoices(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    while context.database.write(|c| payments::time_out(c, now, BATCH))? == BATCH as usize {}
    while context.database.write(|c| invoices::expire(c, now, BATCH))? == BATCH as usize {}
    Ok(())
}

/// Holders of certificates that end soon are told; some at a time, so that nobody waits for the transaction.
fn remind(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    for days in reminders::DAYS {
        while context.database.write(|c| reminders::sweep(c, days, BATCH, now))? == BATCH as usize {}
    }
    Ok(())
}
