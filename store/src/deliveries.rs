//! What became of each message: one row for each fact that a person is told, on each channel.
//!
//! A row names the application or, for a code, the phone verification; no phone, no address and no text is in it.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::deliveries;
use crate::{Page, audit, jobs, messages};

mod steps;

pub use steps::*;

/// The way a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A text message.
    Sms,
    /// Electronic mail.
    Mail,
}

impl Channel {
    /// The name in the database, the API and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Mail => "mail",
        }
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for its first or next attempt.
    Queued,
    /// A gateway has taken it.
    Sent,
    /// The gateway says that it has arrived.
    Delivered,
    /// The gateway says that it has not arrived and will not.
    Undelivered,
    /// It was given up; an officer may have it sent again.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Sent, Self::Delivered, Self::Undelivered, Self::Failed];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
        }
    }
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery<'a> {
    /// What is told, as the key of the fact's job; with the channel it names the delivery.
    pub fact: &'a str,
    /// The way it takes.
    pub channel: Channel,
    /// The text's name.
    pub template: &'a str,
    /// The tag of its language.
    pub language: &'a str,
    /// Whose application; none for a code.
    pub application: Option<ApplicationId>,
}

/// A message and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Grows.
    pub id: i64,
    /// What is told.
    pub fact: String,
    /// The way it takes.
    pub channel: Channel,
    /// The text's name.
    pub template: String,
    /// The tag of its language.
    pub language: String,
    /// Whose application; none for a code.
    pub application: Option<ApplicationId>,
    /// How far it has come.
    pub state: State,
    /// How often it was handed to a gateway.
    pub attempts: i32,
    /// How often an officer had it sent again.
    pub resends: i32,
    /// The gateway it was last handed to.
    pub gateway: Option<String>,
    /// Its name at that gateway.
    pub gateway_message_id: Option<String>,
    /// Since when the gateway may have it without having said so.
    pub handed_at: Option<Timestamp>,
    /// Messages it is paid as; SMS only.
    pub segments: Option<i32>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// When a gateway took it.
    pub sent_at: Option<Timestamp>,
}

#[derive(Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
struct NewRow<'a> {
    fact: &'a str,
    channel: &'a str,
    template: &'a str,
    language: &'a str,
    application_id: Option<String>,
    state: &'a str,
    attempts: i32,
    resends: i32,
    created_at: i64,
    updated_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct Row {
    id: i64,
    fact: String,
    channel: String,
    template: String,
    language: String,
    application_id: Option<String>,
    state: String,
    attempts: i32,
    resends: i32,
    gateway: Option<String>,
    gateway_message_id: Option<String>,
    handed_at: Option<i64>,
    segments: Option<i32>,
    last_error: Option<String>,
    created_at: i64,
    updated_at: i64,
    sent_at: Option<i64>,
}

impl TryFrom<Row> for Delivery {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let channel = [Channel::Sms, Channel::Mail].into_iter().find(|known| known.as_str() == row.channel);
        let state = State::ALL.into_iter().find(|known| known.as_str() == row.state);
        let application = row.application_id.map(|id| id.parse().map_err(StoreError::corrupt)).transpose()?;
        Ok(Self {
            id: row.id,
            fact: row.fact,
            channel: channel.ok_or_else(|| StoreError::corrupt("a channel"))?,
            template: row.template,
            language: row.language,
            application,
            state: state.ok_or_else(|| StoreError::corrupt("the state of a delivery"))?,
            attempts: row.attempts,
            resends: row.resends,
            gateway: row.gateway,
            gateway_message_id: row.gateway_message_id,
            handed_at: row.handed_at.map(Timestamp::from_unix_millis),
            segments: row.segments,
            last_error: row.last_error,
            created_at: Timestamp::from_unix_millis(row.created_at),
            updated_at: Timestamp::from_unix_millis(row.updated_at),
            sent_at: row.sent_at.map(Timestamp::from_unix_millis),
        })
    }
}

/// An island: the enum has no upsert, each database has.
macro_rules! insert_unless_there {
    ($row:expr, $connection:expr) => {
        diesel::insert_into(deliveries::table)
            .values($row)
            .on_conflict((deliveries::fact, deliveries::channel))
            .do_nothing()
            .execute($connection)
    };
}

/// The delivery of a fact on a channel: a new one, or the one that is there already.
///
/// # Errors
/// The database's.
pub fn plan(
    connection: &mut Connection,
    new: &NewDelivery<'_>,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    let row = NewRow {
        fact: new.fact,
        channel: new.channel.as_str(),
        template: new.template,
        language: new.language,
        application_id: new.application.map(|id| id.to_string()),
        state: State::Queued.as_str(),
        attempts: 0,
        resends: 0,
        created_at: now.unix_millis(),
        updated_at: now.unix_millis(),
    };
    match connection {
        Connection::Postgres(c) => insert_unless_there!(&row, c)?,
        Connection::Sqlite(c) => insert_unless_there!(&row, c)?,
    };
    let row: Row = deliveries::table
        .filter(deliveries::fact.eq(new.fact))
        .filter(deliveries::channel.eq(new.channel.as_str()))
        .select(Row::as_select())
        .first(connection)?;
    row.try_into()
}

/// Plans a delivery and queues the job that sends it, in the caller's transaction.
///
/// # Errors
/// The database's.
pub fn queue(connection: &mut Connection, new: &NewDelivery<'_>, now: Timestamp) -> Result<(), StoreError> {
    let planned = plan(connection, new, now)?;
    if planned.state != State::Queued {
        return Ok(());
    }
    jobs::enqueue(connection, &[messages::delivery(planned.id, planned.channel, now)], now)
}

/// One delivery.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: i64) -> Result<Delivery, StoreError> {
    let row: Row = deliveries::table.find(id).select(Row::as_select()).first(connection)?;
    row.try_into()
}

/// Why a notice was not sent that nobody needs any more. Nothing has failed.
pub const OUTDATED: &str = "it was no longer so";

/// A page of deliveries, oldest first. Outdated ones are not among those that failed.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &mut Connection,
    state: Option<State>,
    after: i64,
    limit: usize,
) -> Result<Page<Delivery>, StoreError> {
    let mut query = deliveries::table.filter(deliveries::id.gt(after)).into_boxed();
    if let Some(state) = state {
        query = query.filter(deliveries::state.eq(state.as_str()));
    }
    if state == Some(State::Failed) {
        query = query.filter(deliveries::last_error.is_null().or(deliveries::last_error.ne(OUTDATED)));
    }
    let rows: Vec<Row> = query
        .order(deliveries::id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select(Row::as_select())
        .load(connection)?;
    let found = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<Delivery>, _>>()?;
    Ok(Page::from_rows(found, limit, |delivery| delivery.id.to_string()))
}

/// An officer has a notice sent again that was given up or did not arrive: it is a new message to every gateway.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Conflict`] if it is under way, has arrived, or is a code: those are asked for
/// anew.
pub fn resend(connection: &mut Connection, id: i64, actor: &str, now: Timestamp) -> Result<(), StoreError> {
    let delivery = find(connection, id)?;
    let changed = diesel::update(deliveries::table.find(id))
        .filter(deliveries::state.eq_any([State::Failed.as_str(), State::Undelivered.as_str()]))
        .filter(deliveries::application_id.is_not_null())
        .set((
            deliveries::state.eq(State::Queued.as_str()),
            deliveries::resends.eq(deliveries::resends + 1),
            deliveries::handed_at.eq(None::<i64>),
            deliveries::gateway_message_id.eq(None::<String>),
            deliveries::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    if changed == 0 {
        return Err(StoreError::Conflict("state of a delivery".to_owned()));
    }
    let entry = audit::Entry {
        at: now,
        actor: actor.to_owned(),
        action: "message.resend".to_owned(),
        object: format!("message:{id}"),
        details: serde_json::json!({
            "application": delivery.application,
            "channel": delivery.channel.as_str(),
            "template": delivery.template,
        }),
    };
    audit::record(connection, &[entry])?;
    jobs::enqueue(connection, &[messages::delivery(id, delivery.channel, now)], now)
}
