//! One connection enum over both databases.

use diesel::{PgConnection, SqliteConnection};

/// A connection to either database; queries that both speak are written once against it.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// PostgreSQL 15 or later.
    Postgres(PgConnection),
    /// The bundled SQLite.
    Sqlite(SqliteConnection),
}

/// Runs the same expression on whichever connection it is: for what each database has and the enum has not (batch
/// inserts with generated keys, upserts).
macro_rules! on_both {
    ($connection:expr, $inner:ident => $run:expr) => {
        match $connection {
            $crate::database::Connection::Postgres($inner) => $run,
            $crate::database::Connection::Sqlite($inner) => $run,
        }
    };
}

pub(crate) use on_both;
