//! What gateways do not tell by themselves: what became of messages whose report has not come, and how much money is left.

use std::sync::Arc;
use std::time::Duration;

use ca_core::Timestamp;
use store::StoreError;
use store::deliveries::{self, Delivery};
use tokio::sync::watch;

use super::{in_database, looked_up};
use crate::context::Context;
use crate::sms::callback::arrived;
use crate::sms::eskiz::Eskiz;

/// How often it is looked whom to ask.
const INTERVAL: Duration = Duration::from_secs(60);
/// The balance is asked for in each of so many rounds.
const BALANCE_ROUNDS: u32 = 10;
/// Messages asked about in one round.
const BATCH: i64 = 50;
/// After so long nothing more is to be learnt: networks keep a message for at most two days.
const GIVE_UP: Duration = Duration::from_secs(48 * 3600);

/// Works until `stop` turns true.
pub(super) async fn follow(context: &Arc<Context>, mut stop: watch::Receiver<bool>) {
    let Some(eskiz) = context.gateways.eskiz() else { return };
    let mut round = 0_u32;
    while !*stop.borrow() {
        if round.is_multiple_of(BALANCE_ROUNDS) {
            balance(context, eskiz).await;
        }
        round = round.wrapping_add(1);
        if let Err(error) = ask(context, eskiz).await {
            tracing::warn!(%error, "reports of messages wait");
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

async fn balance(context: &Context, eskiz: &Eskiz) {
    match eskiz.balance().await {
        Ok(Some(balance)) => context.metrics.balance("eskiz", balance),
        Ok(None) => tracing::warn!("eskiz does not tell the balance"),
        Err(error) => tracing::warn!(%error, "the balance is not known"),
    }
}

/// Asks about messages one after the other: there is no hurry, and the gateway has better things to do.
async fn ask(context: &Arc<Context>, eskiz: &Eskiz) -> Result<(), StoreError> {
    let due = looked_up(context, |c, now| deliveries::to_ask_about(c, "eskiz", now, BATCH)).await?;
    for delivery in due {
        let status = match &delivery.gateway_message_id {
            Some(id) => eskiz.status(id).await,
            None => Ok(None),
        };
        let Ok(status) = status else { return Ok(()) };
        let arrived = status.as_deref().and_then(arrived);
        in_database(context, move |connection, now| match arrived {
            Some(arrived) => deliveries::report(connection, delivery.id, arrived, now).map(drop),
            None => deliveries::ask_again(connection, delivery.id, next(&delivery, now)),
        })
        .await?;
    }
    Ok(())
}

/// After twice as long each time.
fn next(delivery: &Delivery, now: Timestamp) -> Option<Timestamp> {
    let waited = now.since(delivery.sent_at?);
    (waited < GIVE_UP).then(|| now.plus(waited.max(INTERVAL)))
}
