//! The heads of the audit log, a file a day, so that outsiders hold evidence of what the log was.
//!
//! What was published stays: a file only ever gets longer. If the database has lost what a file says, or says something
//! else, the file stays and the publisher complains.

use std::fs;
use std::io;

use ca_core::Timestamp;
use ca_core::audit::SignedHead;
use ca_core::calendar::full_date;
use store::{Connection, Database, StoreError, audit_heads};

use crate::repository::{Repository, place_octets};

const DAY: i64 = 86_400_000;

/// Why heads were not published this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the repository cannot be written: {0}")]
    Repository(#[from] io::Error),
    #[error(
        "{0} says what the database does not say any more: the audit log was changed, or an older backup restored"
    )]
    Lost(String),
}

/// What was placed so far.
#[derive(Debug, Default)]
pub(crate) struct DayFiles {
    /// The number of the newest head that is placed, and the beginning of its day in UTC.
    known: Option<(i64, i64)>,
}

impl DayFiles {
    /// Places what is new; after a start, every day is compared with its file.
    pub(crate) fn place(
        &mut self,
        database: &Database,
        repository: &Repository,
        placed: impl Fn(&str) -> io::Result<()>,
    ) -> Result<(), HeadsError> {
        let look = |c: &mut Connection| {
            Ok::<_, StoreError>((audit_heads::after(c, 0, 1)?.pop(), audit_heads::newest(c)?))
        };
        let (oldest, newest) = database.read(look)?;
        let (number, last) = newest.map_or((0, 0), |head| (head.number, beginning(head.sealed_at)));
        let first = match self.known {
            Some((known, _)) if known == number => return Ok(()),
            Some((_, day)) => day.min(last),
            None => oldest.map_or(last, |head| beginning(head.sealed_at)),
        };
        let mut day = first;
        while day <= last.max(self.known.map_or(0, |(_, day)| day)) {
            self.place_day(database, repository, day, &placed)?;
            day += DAY;
        }
        self.known = Some((number, last));
        Ok(())
    }

    fn place_day(
        &self,
        database: &Database,
        repository: &Repository,
        day: i64,
        placed: impl Fn(&str) -> io::Result<()>,
    ) -> Result<(), HeadsError> {
        let [from, until] = [day, day + DAY].map(Timestamp::from_unix_millis);
        let heads = database.read(|c| audit_heads::between(c, from, until))?;
        let text: String = heads.iter().map(SignedHead::block).collect();
        let name = format!("audit-{}.heads", full_date(from.to_offset_date_time().date()));
        let before = match fs::read_to_string(repository.path(&name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        if before == text {
            return Ok(());
        }
        if !text.starts_with(&before) {
            return Err(HeadsError::Lost(name));
        }
        place_octets(repository, &name, text.as_bytes())?;
        Ok(placed(&name)?)
    }
}

/// The midnight before a moment, in UTC as heads tell their times.
fn beginning(at: i64) -> i64 {
    at - at.rem_euclid(DAY)
}
