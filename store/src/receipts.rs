//! What holders sign with a certified key once they have saved it.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use diesel::prelude::*;
use serde_json::json;

use crate::audit;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::receipts;

/// An island: the enum has no upsert, each database has.
macro_rules! insert_unless_there {
    ($row:expr, $connection:expr) => {
        diesel::insert_into(receipts::table)
            .values($row)
            .on_conflict(receipts::application_id)
            .do_nothing()
            .execute($connection)
    };
}

/// Keeps the first receipt (CMS in DER) of an application and says since when there is one.
///
/// # Errors
/// The database's.
pub fn keep(
    connection: &mut Connection,
    id: ApplicationId,
    cms: &[u8],
    actor: &str,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let row = (
        receipts::application_id.eq(id.to_string()),
        receipts::cms.eq(cms),
        receipts::received_at.eq(now.unix_millis()),
    );
    let kept = match connection {
        Connection::Postgres(c) => insert_unless_there!(row, c)?,
        Connection::Sqlite(c) => insert_unless_there!(row, c)?,
    };
    if kept == 0 {
        return Ok(received_at(connection, id)?.unwrap_or(now));
    }
    audit::of_application(connection, id, "certificate.received", json!({}), actor, now)?;
    Ok(now)
}

/// Since when there is a receipt.
///
/// # Errors
/// The database's.
pub fn received_at(connection: &mut Connection, id: ApplicationId) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> =
        receipts::table.find(id.to_string()).select(receipts::received_at).first(connection).optional()?;
    Ok(at.map(Timestamp::from_unix_millis))
}
