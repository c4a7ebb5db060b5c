//! What is to be said to people, and what the sandbox's gateways were asked to deliver.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::database::Connection;
use crate::deliveries::Channel;
use crate::error::StoreError;
use crate::jobs::{JobKind, NewJob};
use crate::schema::{audit_entries, sandbox_messages};

/// The payload of a [`JobKind::SendMessage`] or [`JobKind::SendMail`] job. Who, in which language and what exactly is looked up when it is sent,
/// so that the queue holds no phone numbers and no codes in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum Message {
    /// Tell the applicant what became of their application or certificate: one delivery on each channel they have.
    Notice {
        /// Whose.
        application: ApplicationId,
        /// The event: `received`, `invoice`, `paid`, `returned`, `rejected`, `issued`, `suspended`, `restored`,
        /// `revoked`, `refund`, or `expiring-` and a number of days.
        event: String,
    },
    /// Send the one-time code of a phone verification; the code is sealed with the service's document key.
    Code {
        /// The phone verification.
        verification: String,
        /// AES-256-GCM sealed text, hex.
        sealed_code: String,
    },
    /// Send the first password of a key that was made at a counter, sealed with the service's document key.
    KeyPassword {
        /// The application the key was made for.
        application: ApplicationId,
        /// AES-256-GCM sealed text, hex.
        sealed_password: String,
    },
    /// Send what a row of [`crate::deliveries`] tells.
    Delivery {
        /// Its number.
        delivery: i64,
    },
}

/// A notice as a job: one per fact, named so that the deliveries of the fact can be told from those of the next one.
pub(crate) fn notice(application: ApplicationId, event: &str, fact: &str, now: Timestamp) -> NewJob {
    let message = Message::Notice { application, event: event.to_owned() };
    job(&message, format!("{event}:{fact}:{}", now.unix_millis()), now)
}

/// The one-time code of a phone verification as a job.
pub fn code(verification: &str, sealed_code: &[u8], now: Timestamp) -> NewJob {
    let message =
        Message::Code { verification: verification.to_owned(), sealed_code: hex::encode(sealed_code) };
    job(&message, format!("code:{verification}"), now)
}

/// The audit entry that tells of a key's first password on its way.
pub const KEY_PASSWORD_SENT: &str = "application.key-password";

/// How many passwords an application has had sent.
///
/// # Errors
/// The database's.
pub fn key_passwords_of(connection: &mut Connection, application: ApplicationId) -> Result<i64, StoreError> {
    Ok(audit_entries::table
        .filter(audit_entries::object.eq(format!("application:{application}")))
        .filter(audit_entries::action.eq(KEY_PASSWORD_SENT))
        .count()
        .get_result(connection)?)
}

/// The first password of a key as a job.
pub fn key_password(application: ApplicationId, sealed_password: &[u8], now: Timestamp) -> NewJob {
    let message = Message::KeyPassword { application, sealed_password: hex::encode(sealed_password) };
    job(&message, format!("key-password:{application}:{}", now.unix_millis()), now)
}

/// A message as a job: two with the same key are one.
pub(crate) fn job(message: &Message, key: String, now: Timestamp) -> NewJob {
    NewJob {
        kind: JobKind::SendMessage,
        key,
        payload: serde_json::to_string(message).unwrap_or_default(),
        run_at: now,
    }
}

/// One delivery as a job for the worker of its channel. A dead one comes back to life.
pub(crate) fn delivery(id: i64, channel: Channel, now: Timestamp) -> NewJob {
    NewJob {
        kind: match channel {
            Channel::Sms => JobKind::SendMessage,
            Channel::Mail => JobKind::SendMail,
        },
        key: format!("delivery:{id}"),
        payload: serde_json::to_string(&Message::Delivery { delivery: id }).unwrap_or_default(),
        run_at: now,
    }
}

/// A message as a sandbox gateway received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Grows.
    pub id: i64,
    /// `sms` or `mail`.
    pub channel: String,
    /// Phone (E.164) or mail address.
    pub to: String,
    /// The template's name.
    pub template: String,
    /// The language's tag.
    pub language: String,
    /// As sent.
    pub text: String,
    /// The one-time code in it, if any.
    pub code: Option<String>,
    /// When.
    pub at: Timestamp,
}

#[derive(Insertable)]
#[diesel(table_name = sandbox_messages, treat_none_as_default_value = false)]
struct NewRow<'a> {
    channel: &'a str,
    recipient: &'a str,
    template: &'a str,
    language: &'a str,
    text: &'a str,
    code: Option<&'a str>,
    at: i64,
}

type Row = (i64, String, String, String, String, String, Option<String>, i64);

/// The sandbox's gateway accepts a message. The number of `delivered` is ignored.
///
/// # Errors
/// The database's.
pub fn deliver(connection: &mut Connection, delivered: &Delivered) -> Result<(), StoreError> {
    let row = NewRow {
        channel: &delivered.channel,
        recipient: &delivered.to,
        template: &delivered.template,
        language: &delivered.language,
        text: &delivered.text,
        code: delivered.code.as_deref(),
        at: delivered.at.unix_millis(),
    };
    diesel::insert_into(sandbox_messages::table).values(&row).execute(connection)?;
    Ok(())
}

/// The messages to a recipient, or to everybody, newest first.
///
/// # Errors
/// The database's.
pub fn delivered(
    connection: &mut Connection,
    to: Option<&str>,
    limit: i64,
) -> Result<Vec<Delivered>, StoreError> {
    let mut query = sandbox_messages::table.into_boxed();
    if let Some(to) = to {
        query = query.filter(sandbox_messages::recipient.eq(to.to_owned()));
    }
    let rows: Vec<Row> = query.order(sandbox_messages::id.desc()).limit(limit).load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(id, channel, to, template, language, text, code, at)| Delivered {
            id,
            channel,
            to,
            template,
            language,
            text,
            code,
            at: Timestamp::from_unix_millis(at),
        })
        .collect())
}
