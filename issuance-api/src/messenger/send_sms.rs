//! One text message, from the words to a gateway's answer.
//!
//! Before a gateway is given the message, that is committed; afterwards, what it said. Whoever finds the job after a crash
//! knows who may have the message, and a notice goes again to a gateway that notices.

use std::ops::ControlFlow;
use std::sync::Arc;

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use ca_core::calendar::end_of_hours;
use config::Language;
use config::sms::segments;
use store::deliveries::{self, Channel, Delivery, NewDelivery, State};
use store::jobs::{self, Job};
use store::messages::{self, Delivered};
use store::{Connection, StoreError};
use zeroize::Zeroizing;

use super::compose::{self, Text};
use super::{finish, give_up, in_database, looked_up, put_off};
use crate::context::Context;
use crate::sms::{Accepted, Carrier, Gateway, Guarded, Outgoing, SendError};

/// Sends a one-time code, unless it is too late for it.
pub(super) async fn code(
    context: &Arc<Context>,
    job: &Job,
    verification: String,
    sealed_code: String,
) -> Result<(), StoreError> {
    let shared = Arc::clone(context);
    let composed = move |connection: &mut Connection, now| {
        compose::code(&shared, connection, &verification, &sealed_code, now)
    };
    secret(context, job, ("code", None), composed).await
}

/// Sends the first password of a key, unless the application has gone on.
pub(super) async fn key_password(
    context: &Arc<Context>,
    job: &Job,
    application: ApplicationId,
    sealed_password: String,
) -> Result<(), StoreError> {
    let shared = Arc::clone(context);
    let composed = move |connection: &mut Connection, _| {
        compose::key_password(&shared, connection, application, &sealed_password)
    };
    secret(context, job, ("key-password", Some(application)), composed).await
}

/// Sends what is of use to its reader at once or not at all, whatever the hour.
async fn secret(
    context: &Arc<Context>,
    job: &Job,
    (template, application): (&'static str, Option<ApplicationId>),
    compose: impl FnOnce(&mut Connection, Timestamp) -> Result<Option<(Language, Text)>, StoreError>
    + Send
    + 'static,
) -> Result<(), StoreError> {
    let fact = job.key.clone();
    let planned = in_database(context, move |connection, now| {
        let Some((language, text)) = compose(connection, now)? else {
            deliveries::expire(connection, &fact, now)?;
            return Ok(None);
        };
        let new = NewDelivery {
            fact: &fact,
            channel: Channel::Sms,
            template,
            language: language.tag(),
            application,
        };
        Ok(Some((deliveries::plan(connection, &new, now)?, text)))
    })
    .await?;
    match planned {
        Some((delivery, text)) if delivery.state == State::Queued => {
            send(context, job, &delivery, text).await
        }
        _ => finish(context, job).await,
    }
}

/// Sends a notice, but not at night.
pub(super) async fn notice(context: &Arc<Context>, job: &Job, delivery: Delivery) -> Result<(), StoreError> {
    let settings = &context.settings.sms;
    let morning = end_of_hours(context.now(), settings.quiet_from_hour, settings.quiet_until_hour);
    if let Some(morning) = morning {
        let owned = job.clone();
        return in_database(context, move |c, _| jobs::postpone(c, &owned, morning)).await;
    }
    let found = delivery.clone();
    let text = looked_up(context, move |c, _| compose::text(c, &found)).await?;
    send(context, job, &delivery, text).await
}

/// How the attempts at the gateways have gone so far.
#[derive(Default)]
struct Attempts {
    /// What the last one failed with.
    failed: Option<String>,
    /// What the last one that did not want the message objects to.
    refused: Option<String>,
    /// Some gateway was not tried because it rests.
    rests: bool,
}

impl Attempts {
    /// What a failure means for the next gateway. A message that this one has perhaps taken `stays` with it, or does not.
    fn note(&mut self, error: SendError, stays: bool) -> ControlFlow<()> {
        match error {
            SendError::NotTaken { reason, .. } => self.failed = Some(reason),
            SendError::PerhapsTaken(reason) => {
                self.failed = Some(reason);
                if stays {
                    return ControlFlow::Break(());
                }
            }
            SendError::Refused { reason, everywhere } => {
                self.refused = Some(reason);
                if everywhere {
                    (self.failed, self.rests) = (None, false);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Tries one gateway after the other.
async fn send(context: &Arc<Context>, job: &Job, delivery: &Delivery, text: Text) -> Result<(), StoreError> {
    let is_code = text.code.is_some();
    let held_by = delivery.handed_at.and(delivery.gateway.as_deref());
    let mut attempts = Attempts::default();
    let candidates = context.gateways.for_message(held_by, is_code);
    for guarded in &candidates {
        if !guarded.breaker.admits(context.now()) {
            attempts.rests = true;
            continue;
        }
        let gateway = match &guarded.carrier {
            Carrier::Sandbox => return keep(context, guarded, job, delivery, text).await,
            Carrier::Gateway(gateway) => Arc::clone(gateway),
        };
        let outgoing = Outgoing {
            delivery: delivery.id,
            resends: delivery.resends,
            phone: text.phone.clone(),
            text: text.text.clone(),
        };
        match hand_over(context, guarded, gateway.as_ref(), delivery, &outgoing).await? {
            Ok(accepted) => return sent(context, job, delivery, accepted).await,
            Err(error) => {
                // The same gateway will notice that it has the message; another one would not.
                let stays = !is_code && gateway.deduplicates();
                if attempts.note(error, stays).is_break() {
                    break;
                }
            }
        }
    }
    let now = context.now();
    let next = candidates.iter().map(|guarded| guarded.breaker.next_try(now)).min().unwrap_or(now);
    settle(context, job, delivery, attempts, next).await
}

/// No gateway has taken it; the first of those that may will be there again at `next`.
async fn settle(
    context: &Arc<Context>,
    job: &Job,
    delivery: &Delivery,
    attempts: Attempts,
    next: Timestamp,
) -> Result<(), StoreError> {
    match attempts {
        Attempts { failed: Some(error), .. } | Attempts { refused: Some(error), rests: true, .. } => {
            put_off(context, job, delivery, error, next).await
        }
        Attempts { refused: Some(error), .. } => give_up(context, job, delivery, error).await,
        // Every gateway rests: that is no attempt.
        Attempts { .. } => {
            let owned = job.clone();
            in_database(context, move |c, _| jobs::postpone(c, &owned, next)).await
        }
    }
}

/// Commits that the gateway may have the message, gives it to the gateway, and commits what is known if it has not.
async fn hand_over(
    context: &Arc<Context>,
    guarded: &Guarded,
    gateway: &dyn Gateway,
    delivery: &Delivery,
    outgoing: &Outgoing,
) -> Result<Result<Accepted, SendError>, StoreError> {
    let (id, provider) = (delivery.id, guarded.provider.as_str());
    let parts = parts_of(&outgoing.text);
    in_database(context, move |c, now| deliveries::hand(c, id, provider, parts, now)).await?;
    let answer = gateway.send(outgoing).await;
    note(context, guarded, &answer, context.now());
    if let Err(error) = &answer {
        // What an earlier attempt has left open, a later failure does not settle.
        let was_open = delivery.handed_at.is_some() && delivery.gateway.as_deref() == Some(provider);
        let (words, perhaps) = (error.to_string(), was_open || matches!(error, SendError::PerhapsTaken(_)));
        in_database(context, move |c, now| deliveries::put_back(c, id, &words, perhaps, now)).await?;
    }
    Ok(answer)
}

/// What an answer tells of the gateway itself.
fn note(context: &Context, guarded: &Guarded, answer: &Result<Accepted, SendError>, now: Timestamp) {
    let outcome = match answer {
        Ok(_) => {
            guarded.breaker.succeeded();
            "taken"
        }
        // It works: it is this message that it does not want.
        Err(SendError::Refused { .. }) => {
            guarded.breaker.succeeded();
            "refused"
        }
        Err(SendError::NotTaken { rest, .. }) => {
            guarded.breaker.failed(*rest, now);
            "failed"
        }
        Err(SendError::PerhapsTaken(_)) => {
            guarded.breaker.failed(None, now);
            "unknown"
        }
    };
    context.metrics.message("sms", guarded.provider.as_str(), outcome);
    context.metrics.gateway(guarded.provider.as_str(), guarded.breaker.state());
}

async fn sent(
    context: &Arc<Context>,
    job: &Job,
    delivery: &Delivery,
    accepted: Accepted,
) -> Result<(), StoreError> {
    let (job, delivery) = (job.id, delivery.id);
    in_database(context, move |connection, now| {
        let ask_at = accepted.ask_after.map(|wait| now.plus(wait));
        deliveries::sent(connection, delivery, accepted.message_id.as_deref(), ask_at, now)?;
        jobs::complete(connection, &[job])
    })
    .await
}

/// The sandbox's gateway is a table of ours: kept, sent and off the queue in one transaction.
async fn keep(
    context: &Arc<Context>,
    guarded: &Guarded,
    job: &Job,
    delivery: &Delivery,
    text: Text,
) -> Result<(), StoreError> {
    let (job, delivery, provider) = (job.id, delivery.clone(), guarded.provider.as_str());
    in_database(context, move |connection, now| {
        deliveries::hand(connection, delivery.id, provider, parts_of(&text.text), now)?;
        put_into_sandbox(connection, &delivery, text, now)?;
        deliveries::sent(connection, delivery.id, None, None, now)?;
        jobs::complete(connection, &[job])
    })
    .await?;
    context.metrics.message("sms", provider, "taken");
    Ok(())
}

fn put_into_sandbox(
    connection: &mut Connection,
    delivery: &Delivery,
    text: Text,
    now: Timestamp,
) -> Result<(), StoreError> {
    let message = Delivered {
        id: 0,
        channel: delivery.channel.as_str().to_owned(),
        to: text.phone,
        template: delivery.template.clone(),
        language: delivery.language.clone(),
        text: text.text.as_str().to_owned(),
        code: text.code.map(|code: Zeroizing<String>| code.as_str().to_owned()),
        at: now,
    };
    messages::deliver(connection, &message)
}

fn parts_of(text: &str) -> Option<i32> {
    i32::try_from(segments(text).count).ok()
}
