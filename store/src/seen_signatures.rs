//! What partners have signed: the same signature is not accepted twice.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::connection::on_both;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::seen_signatures;

/// Notes what was signed, by the SHA-256 of its octets; false if it had been noted before. The primary key decides between
/// two at the same moment.
///
/// # Errors
/// The database's.
pub fn note(
    connection: &mut Connection,
    base_sha256: &[u8; 32],
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    let noted = on_both!(connection, c => {
        diesel::insert_into(seen_signatures::table)
            .values((
                seen_signatures::base_sha256.eq(base_sha256.as_slice()),
                seen_signatures::expires_at.eq(expires_at.unix_millis()),
            ))
            .on_conflict_do_nothing()
            .execute(c)
    })?;
    Ok(noted == 1)
}

/// Forgets what is too old to be accepted again.
///
/// # Errors
/// The database's.
pub fn sweep(connection: &mut Connection, now: Timestamp) -> Result<usize, StoreError> {
    let old = seen_signatures::table.filter(seen_signatures::expires_at.lt(now.unix_millis()));
    Ok(diesel::delete(old).execute(connection)?)
}
