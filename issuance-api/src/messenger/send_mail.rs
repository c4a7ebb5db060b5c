//! One mail, from the words to the server's answer.

use std::sync::Arc;

use store::StoreError;
use store::deliveries::{self, Delivery};
use store::jobs::{self, Job};
use store::messages::{self, Delivered};

use super::compose;
use super::{give_up, in_database, looked_up, put_off};
use crate::context::Context;
use crate::mail::letter::Letter;
use crate::mail::{MailError, Mailer, Server};

/// The server's name in records and metrics.
const SMTP: &str = "smtp";

/// Sends a notice by mail.
pub(super) async fn notice(context: &Arc<Context>, job: &Job, delivery: Delivery) -> Result<(), StoreError> {
    let (shared, found) = (Arc::clone(context), delivery.clone());
    let letter = looked_up(context, move |c, _| compose::letter(&shared, c, &found)).await?;
    let Some(letter) = letter else {
        return give_up(context, job, &delivery, "the application has no address".to_owned()).await;
    };
    match context.mailer.as_ref() {
        Mailer::Sandbox => keep(context, job, delivery, letter).await,
        Mailer::Smtp(server) => send(context, server, job, delivery, letter).await,
    }
}

/// Sends over SMTP. A mail whose fate is unknown is sent again: its Message-ID tells that it is the same.
async fn send(
    context: &Arc<Context>,
    server: &Server,
    job: &Job,
    delivery: Delivery,
    letter: Letter,
) -> Result<(), StoreError> {
    let id = delivery.id;
    in_database(context, move |c, now| deliveries::hand(c, id, SMTP, None, now)).await?;
    let answer = match server.message(&letter) {
        Ok(message) => server.send(message).await,
        Err(error) => Err(error),
    };
    let outcome = match &answer {
        Ok(()) => "taken",
        Err(MailError::Later(_)) => "failed",
        Err(MailError::Never(_)) => "refused",
    };
    context.metrics.message("mail", SMTP, outcome);
    match answer {
        Ok(()) => {
            let job = job.id;
            in_database(context, move |connection, now| {
                deliveries::sent(connection, id, Some(&letter.message_id), None, now)?;
                jobs::complete(connection, &[job])
            })
            .await
        }
        Err(error) => {
            let words = error.to_string();
            in_database(context, move |c, now| deliveries::put_back(c, id, &words, false, now)).await?;
            match error {
                MailError::Later(_) => {
                    put_off(context, job, &delivery, error.to_string(), context.now()).await
                }
                MailError::Never(_) => give_up(context, job, &delivery, error.to_string()).await,
            }
        }
    }
}

/// The sandbox's mail is a table of ours: kept, sent and off the queue in one transaction.
async fn keep(
    context: &Arc<Context>,
    job: &Job,
    delivery: Delivery,
    letter: Letter,
) -> Result<(), StoreError> {
    let job = job.id;
    in_database(context, move |connection, now| {
        deliveries::hand(connection, delivery.id, "sandbox", None, now)?;
        let message = Delivered {
            id: 0,
            channel: delivery.channel.as_str().to_owned(),
            text: format!("{}\n\n{}", letter.subject, letter.text()),
            to: letter.to,
            template: delivery.template,
            language: delivery.language,
            code: None,
            at: now,
        };
        messages::deliver(connection, &message)?;
        deliveries::sent(connection, delivery.id, Some(&letter.message_id), None, now)?;
        jobs::complete(connection, &[job])
    })
    .await?;
    context.metrics.message("mail", "sandbox", "taken");
    Ok(())
}
