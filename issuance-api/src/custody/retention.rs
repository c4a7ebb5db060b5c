//! What has been kept long enough is erased.

use ca_core::Timestamp;
use config::settings;
use store::retention::{self, Periods};
use store::{StoreError, documents};

use super::{CustodyError, blocking, delete};
use crate::context::Context;

const BATCH: i64 = 200;

/// The periods of the settings, as of a moment.
pub fn periods(settings: &settings::Retention, now: Timestamp) -> Periods {
    Periods { refused_before: now.minus(settings.refused), ended_before: now.minus(settings.after_end) }
}

/// Erases everything that is due; how many applications it was. The files go first: when the rows and the key are gone,
/// nothing would name them any more, and erasing that was interrupted is done again.
///
/// # Errors
/// The database's; a file that cannot be deleted.
pub async fn erase(context: &Context) -> Result<u64, CustodyError> {
    let now = context.now();
    let periods = periods(&context.settings.retention, now);
    let (mut erased, mut after) = (0, String::new());
    loop {
        let (database, from) = (context.database.clone(), after.clone());
        let page =
            blocking(move || database.read(|connection| retention::due(connection, periods, &from, BATCH)));
        let (due, next) = page.await?;
        for id in due {
            let database = context.database.clone();
            let named = blocking(move || database.read(|connection| documents::of(connection, id))).await?;
            for document in &named {
                delete(context, &document.object_key).await?;
            }
            let database = context.database.clone();
            let done = blocking(move || {
                match database.write(|connection| retention::erase(connection, id, now)) {
                    // Another process was first.
                    Err(StoreError::Conflict(_)) => Ok(0),
                    done => done.map(|_| 1),
                }
            });
            erased += done.await?;
        }
        match next {
            Some(next) => after = next,
            None => return Ok(erased),
        }
    }
}
