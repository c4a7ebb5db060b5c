//! The shape of the memory, made and unmade.

use diesel::backend::Backend;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::database::{Connection, Database, Target};
use crate::error::StoreError;
use crate::rights::{self, Rights};
use crate::schema::__diesel_schema_migrations;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// PostgreSQL's advisory lock under which one process at a time migrates.
const LOCK: i64 = 0x6d75_6872_0001;

/// What [`up`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The versions that had not run yet.
    pub versions: Vec<String>,
    /// The processes' roles and their rights; `None` on SQLite, which has no roles.
    pub rights: Option<Rights>,
}

/// Runs what has not run yet, and gives the processes' roles their rights.
///
/// # Errors
/// The database refused, or cannot be reached.
pub fn up(database: &Database) -> Result<Migrated, StoreError> {
    with_lock(database, |connection| {
        let versions = match connection {
            Connection::Postgres(c) => c.run_pending_migrations(POSTGRES),
            Connection::Sqlite(c) => c.run_pending_migrations(SQLITE),
        };
        let versions = versions.map_err(failed)?.iter().map(ToString::to_string).collect();
        let rights = match connection {
            Connection::Postgres(c) => Some(rights::grant(c)?),
            Connection::Sqlite(_) => None,
        };
        Ok(Migrated { versions, rights })
    })
}

/// Undoes everything.
///
/// # Errors
/// The database refused, or cannot be reached.
pub fn down(database: &Database) -> Result<(), StoreError> {
    with_lock(database, |connection| {
        match connection {
            Connection::Postgres(c) => c.revert_all_migrations(POSTGRES),
            Connection::Sqlite(c) => c.revert_all_migrations(SQLITE),
        }
        .map_err(failed)?;
        Ok(())
    })
}

/// Are there migrations that have not run? Only reads, so that a replica and a role without the right to make tables can
/// be asked; diesel's own question makes its table first.
///
/// # Errors
/// The database cannot be reached, or does not let its versions be read.
pub fn pending(database: &Database) -> Result<bool, StoreError> {
    let mut connection = database.connection()?;
    let known = known(database.target())?;
    let applied: QueryResult<Vec<String>> =
        __diesel_schema_migrations::table.select(__diesel_schema_migrations::version).load(&mut *connection);
    match applied {
        Ok(applied) => Ok(known.iter().any(|version| !applied.contains(version))),
        // Nothing has ever run.
        Err(error) if ["does not exist", "no such table"].iter().any(|w| error.to_string().contains(w)) => {
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// Every version this program knows, in their order.
///
/// # Errors
/// They cannot be read out of the program.
pub fn known(target: &Target) -> Result<Vec<String>, StoreError> {
    match target {
        Target::Postgres(_) => versions::<Pg>(&POSTGRES),
        Target::Sqlite(_) => versions::<Sqlite>(&SQLITE),
    }
}

fn versions<DB: Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, StoreError> {
    let migrations = MigrationSource::<DB>::migrations(source).map_err(failed)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn with_lock<T>(
    database: &Database,
    f: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    use diesel::connection::SimpleConnection;
    if matches!(database.target(), Target::Sqlite(_)) {
        return database.write(f);
    }
    let mut connection = database.connection()?;
    connection.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let result = f(&mut connection);
    let unlocked = connection.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"));
    let done = result?;
    unlocked?;
    Ok(done)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::of_words(error.to_string())
}
