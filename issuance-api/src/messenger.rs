//! Tells people what became of things: the worker of `send-message` jobs.
//!
//! A job names a fact; whom to tell, in which language and in which words is looked up when it is sent. One attempt of
//! one job may end in one message on each channel.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use ca_core::application::ApplicationId;
use ca_core::calendar::tashkent_date;
use ca_core::{SerialNumber, Timestamp};
use config::Language;
use config::{sms, texts};
use futures_util::future::join_all;
use store::jobs::{self, Job, JobKind};
use store::messages::{self, Delivered, Message};
use store::{Connection, StoreError, applications, certificates, invoices, phone_verifications};
use tokio::sync::watch;

use crate::auth::Token;
use crate::context::Context;
use crate::phone_verifications::sealing_context;

/// Jobs claimed at a time; their messages are sent side by side.
const BATCH: usize = 16;
/// A claim is free for another worker after this: longer than any gateway may take.
const LEASE: Duration = Duration::from_secs(120);
/// The queue is looked at this often even if nobody rings: another process may have filled it.
const IDLE: Duration = Duration::from_millis(500);

/// Works until `stop` turns true.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let owner = match Token::random() {
        Ok(token) => format!("messenger-{}", token.reveal()),
        Err(_) => format!("messenger-{}", std::process::id()),
    };
    while !*stop.borrow() {
        let sent = work(&context, &owner).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "messages wait");
            0
        });
        if sent == BATCH {
            continue;
        }
        tokio::select! {
            () = context.doorbell.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// One claim. Returns how many jobs it had.
async fn work(context: &Arc<Context>, owner: &str) -> Result<usize, StoreError> {
    let now = context.now();
    let (database, name) = (context.database.clone(), owner.to_owned());
    let claimed =
        blocking(move || database.write(|c| jobs::claim(c, JobKind::SendMessage, &name, now, LEASE, BATCH)))
            .await?;
    join_all(claimed.iter().map(|job| settle(context, job))).await;
    Ok(claimed.len())
}

/// Sends what a job asks for; a failure leaves it to a later attempt.
async fn settle(context: &Arc<Context>, job: &Job) {
    let (shared, owned) = (Arc::clone(context), job.clone());
    let settled = blocking(move || {
        let now = shared.now();
        let delivered = shared.database.write(|connection| -> Result<(), StoreError> {
            for message in compose(&shared, connection, &owned, now)? {
                messages::deliver(connection, &message)?;
            }
            // Sent and off the queue in one transaction: the sandbox's gateway is a table of ours.
            jobs::complete(connection, &[owned.id])
        });
        match delivered {
            Ok(()) => Ok(()),
            Err(error) => {
                let dead =
                    shared.database.write(|c| jobs::retry(c, &owned, &error.to_string(), shared.now()))?;
                tracing::warn!(%error, dead, "message not sent");
                Ok(())
            }
        }
    })
    .await;
    if let Err(error) = settled {
        tracing::warn!(%error, "message left for its next attempt");
    }
}

/// The messages a job asks for; none if what it tells of is gone.
fn compose(
    context: &Context,
    connection: &mut Connection,
    job: &Job,
    now: Timestamp,
) -> Result<Vec<Delivered>, StoreError> {
    let message: Message =
        serde_json::from_str(&job.payload).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    match message {
        Message::Code { verification, sealed_code } => {
            code(context, connection, &verification, &sealed_code, now)
        }
        Message::Notice { application, event } => notice(connection, application, &event, now),
        // Nothing queues these yet.
        Message::Delivery { .. } => Ok(Vec::new()),
    }
}

fn code(
    context: &Context,
    connection: &mut Connection,
    verification: &str,
    sealed_code: &str,
    now: Timestamp,
) -> Result<Vec<Delivered>, StoreError> {
    let row = match phone_verifications::find(connection, verification) {
        // Expired and swept, or sent too late to be of use.
        Err(StoreError::NotFound) => return Ok(Vec::new()),
        other => other?,
    };
    if row.expires_at <= now.unix_millis() {
        return Ok(Vec::new());
    }
    let corrupt = |what: &str| StoreError::Corrupt(what.to_owned());
    let sealed = hex::decode(sealed_code).map_err(|_| corrupt("a sealed code"))?;
    let opened = context
        .sealer
        .open(sealing_context(verification).as_bytes(), &sealed)
        .map_err(|_| corrupt("a sealed code"))?;
    let code = std::str::from_utf8(&opened).map_err(|_| corrupt("a sealed code"))?;
    let language = row.language.parse().unwrap_or_default();
    let text = sms::message(language, "sms-code", &[("code", code)]);
    Ok(vec![Delivered {
        id: 0,
        channel: "sms".to_owned(),
        to: row.phone,
        template: "code".to_owned(),
        language: language.tag().to_owned(),
        text,
        code: Some(code.to_owned()),
        at: now,
    }])
}

/// What the texts of a notice may speak of.
#[derive(Default)]
struct Values {
    number: String,
    amount: String,
    until: String,
    reason: String,
    serial: String,
}

fn notice(
    connection: &mut Connection,
    id: ApplicationId,
    event: &str,
    now: Timestamp,
) -> Result<Vec<Delivered>, StoreError> {
    let stored = applications::find(connection, id)?;
    let language: Language = stored.language.parse().unwrap_or_default();
    let mut values = Values::default();
    if let Some(invoice) = invoices::newest(connection, id)? {
        values.number = invoice.number;
        values.amount = texts::amount(invoice.amount_tiyin);
        values.until = tashkent_date(Timestamp::from_unix_millis(invoice.expires_at)).to_string();
    }
    if let Some(certificate) = certificates::of_application(connection, id)? {
        values.serial = shortened(&certificate.certificate.serial);
        values.until = tashkent_date(certificate.certificate.not_after).to_string();
    }
    if let Some((reason, _)) = &stored.refusal {
        values.reason = texts::text(language, &format!("reason-{}", reason.as_str()), &[]);
    }
    let template = if event == "received" { "application-received" } else { event };
    let key = format!("sms-{template}");
    let given = [
        ("number", values.number.as_str()),
        ("amount", &values.amount),
        ("until", &values.until),
        ("reason", &values.reason),
        ("serial", &values.serial),
    ];
    let message = |channel: &str, to: String, text: String| Delivered {
        id: 0,
        channel: channel.to_owned(),
        to,
        template: template.to_owned(),
        language: language.tag().to_owned(),
        text,
        code: None,
        at: now,
    };
    let mut composed = vec![message("sms", stored.phone, sms::message(language, &key, &given))];
    if let Some(email) = stored.email {
        composed.push(message("mail", email, texts::text(language, &key, &given)));
    }
    Ok(composed)
}

/// Enough digits to tell one's own certificates apart.
fn shortened(serial: &SerialNumber) -> String {
    serial.to_string().chars().take(8).collect()
}

/// Database work off the event loop; a pool that is shutting down is an unavailable database.
async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    web::block(f).await.map_err(|error| StoreError::Unavailable(error.to_string()))?
}
