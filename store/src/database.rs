//! One connection enum over both databases, its pool and its transactions.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, Pool, PooledConnection};
use diesel::{PgConnection, SqliteConnection};

pub use crate::connection::AnyConnection as Connection;
use crate::error::StoreError;

/// Where the database is. Not `Debug`: a URL may carry a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A file.
    Sqlite(PathBuf),
    /// A `postgres://` URL for libpq.
    Postgres(String),
}

/// How a [`Database`] holds its connections.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections at most.
    pub connections: u32,
    /// How long a caller waits for a connection, and SQLite for its write lock, before [`StoreError::Unavailable`].
    pub patience: Duration,
    /// The longest one statement may take on PostgreSQL; a server that does not answer is not waited for for ever.
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 8, patience: Duration::from_secs(3), statement_timeout: Duration::from_secs(30) }
    }
}

/// The database cannot be opened at all.
#[derive(Debug, thiserror::Error)]
#[error("the database cannot be opened: {0}")]
pub struct OpenError(String);

/// A pool of connections to one database. Cloning shares the pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Manager>,
    target: Target,
    /// SQLite's own wait for its write lock sleeps and tries again, so that a busy writer starves the others of its
    /// process; here they stand in a queue. Never held by PostgreSQL's writers.
    sqlite_writer: Arc<Mutex<()>>,
}

impl Database {
    /// Opens a pool. No connection is made yet, so that a service starts while its database is still down.
    ///
    /// # Errors
    /// The options make no pool.
    pub fn open(target: Target, options: &Options) -> Result<Self, OpenError> {
        if options.connections == 0 {
            return Err(OpenError("a pool needs at least one connection".to_owned()));
        }
        let manager = Manager {
            target: target.clone(),
            patience: options.patience,
            statement_timeout: options.statement_timeout,
        };
        let pool = Pool::builder()
            .max_size(options.connections)
            .min_idle(Some(0))
            // BEGIN finds out as well whether the server is still there, without a question of its own.
            .test_on_check_out(false)
            .connection_timeout(options.patience)
            .error_handler(Box::new(LogErrors))
            .build_unchecked(manager);
        Ok(Self { pool, target, sqlite_writer: Arc::default() })
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Runs `f` in a transaction that may write. On SQLite the write lock is taken at the start (BEGIN IMMEDIATE), so
    /// that what was read is still true when it is written.
    ///
    /// # Errors
    /// Whatever `f` says, after a rollback; [`StoreError::Unavailable`] if there is no connection in time.
    pub fn write<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        // A writer that panicked has rolled back: what it leaves of the lock is as good as new.
        let _turn = match self.target {
            Target::Sqlite(_) => Some(self.sqlite_writer.lock().unwrap_or_else(PoisonError::into_inner)),
            Target::Postgres(_) => None,
        };
        self.transaction(&WRITE, f)
    }

    /// Runs `f` in a transaction that sees one state of the database and does not write: PostgreSQL refuses to.
    ///
    /// # Errors
    /// Whatever `f` says; [`StoreError::Unavailable`] if there is no connection in time.
    pub fn read<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction(&READ, f)
    }

    /// A connection outside any transaction, for migrations and long listings.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no connection in time.
    pub(crate) fn connection(&self) -> Result<PooledConnection<Manager>, StoreError> {
        self.started(|connection| match connection {
            Connection::Postgres(c) => c.batch_execute("SELECT 1"),
            Connection::Sqlite(_) => Ok(()),
        })
    }

    /// A connection on which `start` worked. One that has gone stale in the pool fails at once, before anything was done on
    /// it, and the next is tried; the last of as many as the pool may hold was made for this.
    fn started(
        &self,
        mut start: impl FnMut(&mut Connection) -> QueryResult<()>,
    ) -> Result<PooledConnection<Manager>, StoreError> {
        let mut stale = self.pool.max_size();
        loop {
            let mut pooled = self.pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            match start(&mut pooled).map_err(StoreError::from) {
                Ok(()) => return Ok(pooled),
                Err(StoreError::Unavailable(error)) => match &mut *pooled {
                    Connection::Postgres(c) if stale > 0 => {
                        stale -= 1;
                        throw_away(c);
                    }
                    _ => return Err(StoreError::Unavailable(error)),
                },
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings the planner's statistics up to date (ANALYZE), as autovacuum does in time on its own.
    ///
    /// # Errors
    /// The database's.
    pub fn analyze(&self) -> Result<(), StoreError> {
        match &mut *self.connection()? {
            Connection::Postgres(c) => c.batch_execute("ANALYZE")?,
            Connection::Sqlite(c) => c.batch_execute("ANALYZE")?,
        }
        Ok(())
    }

    fn transaction<T, E: From<StoreError>>(
        &self,
        begins: &Begin,
        f: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pooled = self.started(|connection| begin(connection, begins))?;
        let connection: &mut Connection = &mut pooled;
        match f(connection) {
            Ok(value) => {
                // A failed COMMIT has rolled back on both databases; the manager only needs to be told.
                commit(connection).map_err(StoreError::from)?;
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = rollback(connection) {
                    tracing::warn!(error = %rollback, "rollback failed");
                }
                Err(error)
            }
        }
    }
}

type PgManager = AnsiTransactionManager;

/// How a transaction begins on each database.
struct Begin {
    postgres: &'static str,
    sqlite: &'static str,
}

/// READ COMMITTED: whoever waited for another's row sees what became of it, and knows that the other was first.
const WRITE: Begin = Begin { postgres: "BEGIN", sqlite: "BEGIN IMMEDIATE" };
/// SQLite's WAL gives every transaction one snapshot; PostgreSQL gives each statement its own unless it is told so.
const READ: Begin = Begin { postgres: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", sqlite: "BEGIN" };

fn begin(connection: &mut Connection, begin: &Begin) -> QueryResult<()> {
    match connection {
        Connection::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, begin.postgres),
        Connection::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, begin.sqlite),
    }
}

fn commit(connection: &mut Connection) -> QueryResult<()> {
    match connection {
        Connection::Postgres(c) => <PgManager as TransactionManager<PgConnection>>::commit_transaction(c),
        Connection::Sqlite(c) => <PgManager as TransactionManager<SqliteConnection>>::commit_transaction(c),
    }
}

fn rollback(connection: &mut Connection) -> QueryResult<()> {
    match connection {
        Connection::Postgres(c) => <PgManager as TransactionManager<PgConnection>>::rollback_transaction(c),
        Connection::Sqlite(c) => <PgManager as TransactionManager<SqliteConnection>>::rollback_transaction(c),
    }
}

/// Makes connections. Our own instead of diesel's, whose `MultiConnection` would try a PostgreSQL URL as the name of an
/// SQLite file when the server is down.
pub(crate) struct Manager {
    target: Target,
    patience: Duration,
    statement_timeout: Duration,
}

/// Errors are told apart by their words (see `error.rs`); a role that may not choose their language keeps the server's.
const ENGLISH: &str = "DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); \
                       EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// The URL with libpq's time limits: a server that vanished without a word is given up after half a minute, not after
/// the system's two hours. What the URL says itself comes later, and libpq believes the last.
fn with_patience(url: &str, patience: Duration) -> String {
    let (server, own) = url.split_once('?').unwrap_or((url, ""));
    let seconds = patience.as_secs().max(2); // libpq's least
    let own = if own.is_empty() { String::new() } else { format!("&{own}") };
    format!(
        "{server}?connect_timeout={seconds}&tcp_user_timeout=30000\
         &keepalives_idle=15&keepalives_interval=5&keepalives_count=3{own}"
    )
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = ConnectError;

    fn connect(&self) -> Result<Connection, ConnectError> {
        match &self.target {
            Target::Postgres(url) => {
                let url = with_patience(url, self.patience);
                let mut connection: PgConnection =
                    diesel::Connection::establish(&url).map_err(|e| ConnectError(e.to_string()))?;
                let millis = self.patience.as_millis();
                let statement = self.statement_timeout.as_millis();
                connection
                    .batch_execute(&format!(
                        "SET lock_timeout = {millis}; SET statement_timeout = {statement}; SET TIME ZONE 'UTC'; SET client_min_messages = warning; {ENGLISH}"
                    ))
                    .map_err(|e| ConnectError(e.to_string()))?;
                Ok(Connection::Postgres(connection))
            }
            Target::Sqlite(path) => {
                let path = path.to_string_lossy();
                let mut connection: SqliteConnection =
                    diesel::Connection::establish(&path).map_err(|e| ConnectError(e.to_string()))?;
                let millis = self.patience.as_millis();
                // synchronous=FULL: a commit that was answered survives the loss of power.
                connection
                    .batch_execute(&format!(
                        "PRAGMA busy_timeout = {millis}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                         PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000"
                    ))
                    .map_err(|e| ConnectError(e.to_string()))?;
                Ok(Connection::Sqlite(connection))
            }
        }
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), ConnectError> {
        match connection {
            Connection::Postgres(c) => c.batch_execute("SELECT 1"),
            Connection::Sqlite(_) => Ok(()),
        }
        .map_err(|e| ConnectError(e.to_string()))
    }

    /// A connection that comes back inside a transaction (its user panicked) is thrown away.
    fn has_broken(&self, connection: &mut Connection) -> bool {
        match connection {
            Connection::Postgres(c) => open_transaction::<PgConnection>(c),
            Connection::Sqlite(c) => open_transaction::<SqliteConnection>(c),
        }
    }
}

/// The pool drops a connection that comes back like this.
fn throw_away(connection: &mut PgConnection) {
    <PgManager as TransactionManager<PgConnection>>::transaction_manager_status_mut(connection)
        .set_in_error();
}

fn open_transaction<C>(connection: &mut C) -> bool
where
    C: diesel::Connection<TransactionManager = AnsiTransactionManager>,
{
    !matches!(
        <AnsiTransactionManager as TransactionManager<C>>::transaction_manager_status_mut(connection)
            .transaction_depth(),
        Ok(None)
    )
}

/// A connection could not be made or has died.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(String);

/// r2d2 tells of failed background attempts here; callers get their own error.
#[derive(Debug)]
struct LogErrors;

impl diesel::r2d2::HandleError<ConnectError> for LogErrors {
    fn handle_error(&self, error: ConnectError) {
        tracing::warn!(error = %error, "no database connection");
    }
}
