//! Mail addresses that want no reminders, as keyed hashes: the list tells nobody whose they are.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::mail_opt_outs;

/// An island: the enum has no upsert, each database has.
macro_rules! insert_unless_there {
    ($row:expr, $connection:expr) => {
        diesel::insert_into(mail_opt_outs::table)
            .values($row)
            .on_conflict(mail_opt_outs::address_hash)
            .do_nothing()
            .execute($connection)
    };
}

/// No more reminders to this address.
///
/// # Errors
/// The database's.
pub fn add(connection: &mut Connection, address_hash: &[u8], now: Timestamp) -> Result<(), StoreError> {
    let row = (mail_opt_outs::address_hash.eq(address_hash), mail_opt_outs::at.eq(now.unix_millis()));
    match connection {
        Connection::Postgres(c) => insert_unless_there!(row, c)?,
        Connection::Sqlite(c) => insert_unless_there!(row, c)?,
    };
    Ok(())
}

/// Does this address want no reminders?
///
/// # Errors
/// The database's.
pub fn contains(connection: &mut Connection, address_hash: &[u8]) -> Result<bool, StoreError> {
    let found: Option<i64> =
        mail_opt_outs::table.find(address_hash).select(mail_opt_outs::at).first(connection).optional()?;
    Ok(found.is_some())
}
