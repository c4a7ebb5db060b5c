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

/// Inserts many rows by each database's shortest way: COPY on PostgreSQL, a prepared statement per row on SQLite. Both
/// spare the parsing of one long statement, which costs more than the rows themselves. So does one row by itself: of
/// statements with a row only, the parsed form is kept.
macro_rules! insert_all {
    ($connection:expr, $table:expr, $rows:expr) => {
        match $connection {
            $crate::database::Connection::Postgres(connection) if $rows.len() > 4 => {
                diesel::copy_from($table).from_insertable($rows).execute(connection).map(|_| ())
            }
            $crate::database::Connection::Postgres(connection) if $rows.len() > 1 => {
                diesel::insert_into($table).values($rows).execute(connection).map(|_| ())
            }
            $crate::database::Connection::Postgres(connection) => $rows
                .iter()
                .try_for_each(|row| diesel::insert_into($table).values(row).execute(connection).map(|_| ())),
            $crate::database::Connection::Sqlite(connection) => $rows
                .iter()
                .try_for_each(|row| diesel::insert_into($table).values(row).execute(connection).map(|_| ())),
        }
    };
}

/// Loads rows and keeps them from other writers until the end of the transaction. SQLite lets one writer in at a time anyway.
macro_rules! load_locked {
    ($connection:expr, $query:expr) => {
        match $connection {
            $crate::database::Connection::Postgres(connection) => $query.for_update().load(connection)?,
            $crate::database::Connection::Sqlite(connection) => $query.load(connection)?,
        }
    };
}

pub(crate) use {insert_all, load_locked, on_both};
