//! What can go wrong between a decision and its durability.

use diesel::result::{DatabaseErrorKind, Error};

/// Why the store did not do it. Nothing was written; only a connection that is lost during a COMMIT leaves open whether
/// it was, and whoever tries again finds out by [`StoreError::Conflict`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("there is no such record")]
    NotFound,
    /// Somebody else moved first, or a unique constraint says it is there already.
    #[error("somebody else was first: {0}")]
    Conflict(String),
    /// The database cannot be reached, is restarting or is busy beyond the time limit; worth another try.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The disk under the database is full.
    #[error("the database has no space left: {0}")]
    StorageFull(String),
    /// A stored value breaks a rule that every writer keeps.
    #[error("the database holds a value that cannot be: {0}")]
    Corrupt(String),
    /// Anything else the database says.
    #[error("the database failed: {0}")]
    Database(String),
}

impl StoreError {
    /// A stored value breaks a rule that every writer keeps.
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match &error {
            Error::NotFound => return Self::NotFound,
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                return Self::Conflict(info.constraint_name().unwrap_or(info.message()).to_owned());
            }
            Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::SerializationFailure,
                _,
            )
            | Error::BrokenTransactionManager => return Self::Unavailable(text),
            // Either libpq has no server to send to, or we asked for more than its protocol can carry.
            Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand, _)
                if !text.contains("number of parameters") =>
            {
                return Self::Unavailable(text);
            }
            _ => {}
        }
        Self::of_words(text)
    }
}

/// libpq and SQLite tell these apart by words only; diesel hands the words through.
const FULL: [&str; 3] = ["disk is full", "No space left on device", "disk I/O error"];
const UNAVAILABLE: [&str; 17] = [
    "database is locked",
    "server closed the connection",
    "no connection to the server",
    "terminating connection",
    "the database system is",
    "could not connect",
    "could not receive data",
    "could not send data",
    "connection to server",
    "connection not open",
    "Connection refused",
    "Connection reset",
    "Broken pipe",
    "SSL connection has been closed",
    "SSL SYSCALL error",
    "deadlock detected",
    "canceling statement due to",
];

impl StoreError {
    /// What these words of a database mean.
    pub(crate) fn of_words(text: String) -> Self {
        if FULL.iter().any(|words| text.contains(words)) {
            Self::StorageFull(text)
        } else if UNAVAILABLE.iter().any(|words| text.contains(words)) {
            Self::Unavailable(text)
        } else {
            Self::Database(text)
        }
    }
}
