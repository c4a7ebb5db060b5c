//! The answer a POST with an `Idempotency-Key` got, to give it again.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::connection::on_both;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::idempotency_keys;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: i32,
    /// The media type of the body.
    pub content_type: String,
    /// The body, sealed by the caller: answers may hold tokens.
    pub body: Vec<u8>,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is now reserved for this request.
    Fresh,
    /// The same request is being worked on.
    InProgress,
    /// Another request used it.
    OtherRequest,
    /// The answer.
    Answered(Answer),
}

type Row = (Vec<u8>, Option<i32>, Option<String>, Option<Vec<u8>>, i64);

/// Reserves a key for a request, or tells what is known of it. A reservation without an answer is given up after
/// `patience_millis`: its process must have died.
///
/// # Errors
/// The database's.
pub fn reserve(
    connection: &mut Connection,
    owner: &str,
    key: &str,
    request_sha256: &[u8; 32],
    patience_millis: i64,
    now: Timestamp,
) -> Result<Known, StoreError> {
    let found: Option<Row> = idempotency_keys::table
        .find((owner, key))
        .select((
            idempotency_keys::request_sha256,
            idempotency_keys::status,
            idempotency_keys::content_type,
            idempotency_keys::body,
            idempotency_keys::created_at,
        ))
        .first(connection)
        .optional()?;
    match found {
        Some((sha256, ..)) if sha256 != request_sha256 => return Ok(Known::OtherRequest),
        Some((_, Some(status), Some(content_type), Some(body), _)) => {
            return Ok(Known::Answered(Answer { status, content_type, body }));
        }
        Some((.., created_at)) if created_at + patience_millis > now.unix_millis() => {
            return Ok(Known::InProgress);
        }
        Some(_) => release(connection, owner, key)?,
        None => {}
    }
    // Not by the error of a second insert: PostgreSQL would have given the caller's whole transaction up.
    let inserted = on_both!(connection, c => {
        diesel::insert_into(idempotency_keys::table)
            .values((
                idempotency_keys::owner.eq(owner),
                idempotency_keys::idempotency_key.eq(key),
                idempotency_keys::request_sha256.eq(request_sha256.as_slice()),
                idempotency_keys::created_at.eq(now.unix_millis()),
            ))
            .on_conflict_do_nothing()
            .execute(c)
    })?;
    Ok(if inserted == 0 { Known::InProgress } else { Known::Fresh })
}

/// Keeps the answer.
///
/// # Errors
/// The database's.
pub fn answer(
    connection: &mut Connection,
    owner: &str,
    key: &str,
    answer: &Answer,
) -> Result<(), StoreError> {
    diesel::update(idempotency_keys::table.find((owner, key)))
        .set((
            idempotency_keys::status.eq(answer.status),
            idempotency_keys::content_type.eq(&answer.content_type),
            idempotency_keys::body.eq(&answer.body),
        ))
        .execute(connection)?;
    Ok(())
}

/// Gives a reservation up: the request failed in a way that another try may mend.
///
/// # Errors
/// The database's.
pub fn release(connection: &mut Connection, owner: &str, key: &str) -> Result<(), StoreError> {
    diesel::delete(idempotency_keys::table.find((owner, key))).execute(connection)?;
    Ok(())
}

/// Forgets keys from before `before`.
///
/// # Errors
/// The database's.
pub fn sweep(connection: &mut Connection, before: Timestamp) -> Result<usize, StoreError> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.lt(before.unix_millis()));
    Ok(diesel::delete(old).execute(connection)?)
}
