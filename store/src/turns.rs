//! Taking turns: what two transactions must not do at the same time for the same thing.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::database::Connection;
use crate::error::StoreError;

/// Waits until no other writing transaction holds this name, and holds it until the end of this one: what is counted now
/// is still true when it is acted on. SQLite lets one writer in at a time anyway.
///
/// # Errors
/// [`StoreError::Unavailable`] if the other one takes too long.
pub fn take(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    if let Connection::Postgres(c) = connection {
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind::<Text, _>(name)
            .execute(c)?;
    }
    Ok(())
}

/// As [`take`], beside others who share the name: only who takes it waits for them, and they for him.
///
/// # Errors
/// [`StoreError::Unavailable`] if who has taken it takes too long.
pub(crate) fn share(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    if let Connection::Postgres(c) = connection {
        diesel::sql_query("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))")
            .bind::<Text, _>(name)
            .execute(c)?;
    }
    Ok(())
}
