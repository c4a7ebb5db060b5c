//! Tells people what became of things: the workers of `send-message` and `send-mail` jobs.
//!
//! A job that names a fact becomes one delivery on each channel, each with a job of its own: what fails on one channel
//! repeats nothing on the other. Whom to tell, in which language and in which words is looked up when it is sent.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use ca_core::Timestamp;
use futures_util::future::{join_all, join3};
use store::deliveries::{self, Channel, Delivery, NewDelivery};
use store::jobs::{self, Job, JobKind};
use store::messages::Message;
use store::{Connection, StoreError, applications, mail_opt_outs};
use tokio::sync::watch;

pub(crate) mod compose;
mod reports;
mod send_mail;
mod send_sms;

use crate::auth::Token;
use crate::context::Context;
use crate::unsubscribe;

/// What is done here: SMS and what becomes SMS and mail, and mail.
const KINDS: [JobKind; 2] = [JobKind::SendMessage, JobKind::SendMail];
/// Workers of each channel: while one waits for a slow gateway the other goes on.
const WORKERS: usize = 2;
/// Jobs claimed at a time; their messages are sent side by side.
const BATCH: usize = 8;
/// A claim is free for another worker this long after any gateway could still be busy with it.
const MARGIN: Duration = Duration::from_secs(10);
/// The queue is looked at this often even if nobody rings: another process may have filled it.
const IDLE: Duration = Duration::from_millis(500);

/// Works until `stop` turns true.
pub async fn run(context: Arc<Context>, stop: watch::Receiver<bool>) {
    let bells = KINDS.map(|kind| (kind, watch::Sender::new(())));
    let workers = bells
        .iter()
        .flat_map(|(kind, bell)| (0..WORKERS).map(|_| work(&context, *kind, bell.subscribe(), stop.clone())));
    let asks = reports::follow(&context, stop.clone());
    join3(join_all(workers), ring(&context, &bells, stop.clone()), asks).await;
    context.mailer.close().await;
}

/// Looks whether something is due when somebody rings, or after a while, and wakes the workers it is for. To look costs
/// less than to claim.
async fn ring(
    context: &Arc<Context>,
    bells: &[(JobKind, watch::Sender<()>)],
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let (database, now) = (context.database.clone(), context.now());
        let look = move |c: &mut Connection| {
            KINDS.into_iter().map(|kind| jobs::any_due(c, kind, now)).collect::<Result<Vec<_>, _>>()
        };
        match blocking(move || database.read(look)).await {
            Ok(due) => {
                for ((_, bell), _) in bells.iter().zip(due).filter(|(_, due)| *due) {
                    bell.send_replace(());
                }
            }
            Err(error) => tracing::warn!(error = kind_of(&error), "messages wait"),
        }
        tokio::select! {
            () = context.doorbell.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// One worker of one channel.
async fn work(
    context: &Arc<Context>,
    kind: JobKind,
    mut bell: watch::Receiver<()>,
    mut stop: watch::Receiver<bool>,
) {
    // A name of its own for each worker: what an owner holds it may claim again.
    let owner = Token::random().map_or_else(
        |_| format!("{}-{}", kind.as_str(), std::process::id()),
        |token| format!("{}-{}", kind.as_str(), token.reveal()),
    );
    while !*stop.borrow() {
        let sent = claim_and_send(context, kind, &owner).await.unwrap_or_else(|error| {
            tracing::warn!(error = kind_of(&error), "messages wait");
            0
        });
        if sent == BATCH {
            continue;
        }
        tokio::select! {
            rung = bell.changed() => if rung.is_err() { return },
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// One claim. Returns how many jobs it had.
async fn claim_and_send(context: &Arc<Context>, kind: JobKind, owner: &str) -> Result<usize, StoreError> {
    let now = context.now();
    let patience =
        if kind == JobKind::SendMail { context.mailer.patience() } else { context.gateways.patience() };
    let lease = patience + MARGIN;
    let (database, name) = (context.database.clone(), owner.to_owned());
    let claimed =
        blocking(move || database.write(|c| jobs::claim(c, kind, &name, now, lease, BATCH))).await?;
    join_all(claimed.iter().map(|job| settle(context, job))).await;
    Ok(claimed.len())
}

/// Does what a job asks for; a failure of ours leaves it to a later attempt.
async fn settle(context: &Arc<Context>, job: &Job) {
    let message = serde_json::from_str(&job.payload);
    let delivery = match &message {
        Ok(Message::Delivery { delivery }) => Some(*delivery),
        _ => None,
    };
    let done = match message {
        Ok(Message::Notice { application, event }) => spread(context, job, application, event).await,
        Ok(Message::Code { verification, sealed_code }) => {
            send_sms::code(context, job, verification, sealed_code).await
        }
        Ok(Message::KeyPassword { application, sealed_password }) => {
            send_sms::key_password(context, job, application, sealed_password).await
        }
        Ok(Message::Delivery { delivery }) => deliver(context, job, delivery).await,
        Err(error) => Err(StoreError::Corrupt(error.to_string())),
    };
    let Err(error) = done else { return };
    // A database's words may repeat a value of a row: the log and the officers get the kind of failure only.
    let kind = kind_of(&error);
    let owned = job.clone();
    let dead = in_database(context, move |connection, now| {
        let dead = jobs::retry(connection, &owned, kind, now)?;
        if let Some(delivery) = delivery.filter(|_| dead) {
            deliveries::give_up(connection, delivery, kind, now)?;
        }
        Ok(dead)
    })
    .await;
    tracing::warn!(error = kind, dead = dead.unwrap_or(false), "message not sent");
}

fn kind_of(error: &StoreError) -> &'static str {
    match error {
        StoreError::NotFound => "what it tells of is gone",
        StoreError::Conflict(_) => "somebody else was first",
        StoreError::Unavailable(_) => "the database is unavailable",
        StoreError::StorageFull(_) => "the database has no space left",
        StoreError::Corrupt(_) => "the database holds a value that cannot be",
        StoreError::Database(_) => "the database failed",
    }
}

/// A fact becomes a delivery on each channel that its person has, and leaves the queue in the same transaction.
async fn spread(
    context: &Arc<Context>,
    job: &Job,
    application: ca_core::application::ApplicationId,
    event: String,
) -> Result<(), StoreError> {
    let (shared, job) = (Arc::clone(context), job.clone());
    in_database(context, move |connection, now| {
        let stored = applications::find(connection, application)?;
        let template = template_of(&event);
        let mail = match &stored.email {
            Some(address) if template == "expiring" => {
                !mail_opt_outs::contains(connection, &unsubscribe::address_hash(&shared.hasher, address))?
            }
            Some(_) => true,
            None => false,
        };
        for channel in [Some(Channel::Sms), mail.then_some(Channel::Mail)].into_iter().flatten() {
            let new = NewDelivery {
                fact: &job.key,
                channel,
                template,
                language: &stored.language,
                application: Some(application),
            };
            deliveries::queue(connection, &new, now)?;
        }
        jobs::complete(connection, &[job.id])
    })
    .await?;
    // Another worker may take what has just been queued.
    context.doorbell.notify_one();
    Ok(())
}

/// The name of an event's text.
fn template_of(event: &str) -> &str {
    match event {
        "received" => "application-received",
        _ if event.starts_with("expiring-") => "expiring",
        other => other,
    }
}

async fn deliver(context: &Arc<Context>, job: &Job, delivery: i64) -> Result<(), StoreError> {
    let (found, is_true) = looked_up(context, move |connection, _| {
        let found = deliveries::find(connection, delivery)?;
        let is_true = compose::is_true(connection, &found)?;
        Ok((found, is_true))
    })
    .await?;
    match found.channel {
        _ if found.state != deliveries::State::Queued => finish(context, job).await,
        _ if !is_true => drop_outdated(context, job, delivery).await,
        Channel::Sms => send_sms::notice(context, job, found).await,
        Channel::Mail => send_mail::notice(context, job, found).await,
    }
}

/// There is nothing to do for a job.
async fn finish(context: &Arc<Context>, job: &Job) -> Result<(), StoreError> {
    let id = job.id;
    in_database(context, move |c, _| jobs::complete(c, &[id])).await
}

/// The message would say what is not so any more.
async fn drop_outdated(context: &Arc<Context>, job: &Job, delivery: i64) -> Result<(), StoreError> {
    let job = job.id;
    in_database(context, move |connection, now| {
        deliveries::give_up(connection, delivery, deliveries::OUTDATED, now)?;
        jobs::complete(connection, &[job])
    })
    .await
}

/// Nobody will take the message: neither the job nor the delivery is tried again. A code's job is gone at once: nobody can
/// have a code sent again.
async fn give_up(
    context: &Arc<Context>,
    job: &Job,
    delivery: &Delivery,
    error: String,
) -> Result<(), StoreError> {
    let (owned, id, is_code) = (job.clone(), delivery.id, delivery.application.is_none());
    tracing::warn!(error, delivery = id, dead = true, "message not sent");
    in_database(context, move |connection, now| {
        deliveries::give_up(connection, id, &error, now)?;
        if is_code { jobs::complete(connection, &[owned.id]) } else { jobs::bury(connection, &owned, &error) }
    })
    .await
}

/// The message is tried again later, not before `at`; after its last attempt it is given up.
async fn put_off(
    context: &Arc<Context>,
    job: &Job,
    delivery: &Delivery,
    error: String,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (owned, id) = (job.clone(), delivery.id);
    let words = error.clone();
    let dead = in_database(context, move |connection, now| {
        let dead = jobs::retry_not_before(connection, &owned, &words, at, now)?;
        if dead {
            deliveries::give_up(connection, id, &words, now)?;
        }
        Ok(dead)
    })
    .await?;
    tracing::warn!(error, delivery = id, dead, "message not sent");
    Ok(())
}

/// A writing transaction off the event loop; a pool that is shutting down is an unavailable database.
async fn in_database<T: Send + 'static>(
    context: &Arc<Context>,
    f: impl FnOnce(&mut Connection, Timestamp) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let shared = Arc::clone(context);
    blocking(move || {
        let now = shared.now();
        shared.database.write(|connection| f(connection, now))
    })
    .await
}

/// A transaction that only reads, off the event loop: on SQLite nobody waits for it.
async fn looked_up<T: Send + 'static>(
    context: &Arc<Context>,
    f: impl FnOnce(&mut Connection, Timestamp) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let shared = Arc::clone(context);
    blocking(move || {
        let now = shared.now();
        shared.database.read(|connection| f(connection, now))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    web::block(f).await.map_err(|error| StoreError::Unavailable(error.to_string()))?
}

#[cfg(test)]
mod tests;
