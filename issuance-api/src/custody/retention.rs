//! What has been kept long enough is erased.

use ca_core::Timestamp;
use config::settings;
use store::retention::{self, Periods};
use store::{StoreError, documents};

use super::{CustodyError, ask, delete, tell};
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
        let from = after.clone();
        let page = ask(context, move |connection| retention::due(connection, periods, &from, BATCH));
        let (due, next) = page.await?;
        for id in due {
            for document in &ask(context, move |connection| documents::of(connection, id)).await? {
                delete(context, &document.object_key).await?;
            }
            match tell(context, move |connection| retention::erase(connection, id, now)).await {
                // Another process was first.
                Err(CustodyError::Store(StoreError::Conflict(_))) => {}
                done => erased += done.map(|_| 1)?,
            }
        }
        match next {
            Some(next) => after = next,
            None => return Ok(erased),
        }
    }
}
