//! A copy of the database at one moment, and what has to move on when an earlier moment is brought back.

use std::path::Path;
use std::time::Duration;

use ca_core::Timestamp;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::database::{Connection, Database, Target};
use crate::error::StoreError;
use crate::jobs::NewJob;
use crate::schema::{crl_partitions, documents, invoice_numbers};
use crate::{audit, issuers, jobs};

/// CRLs that people may have asked for by hand besides those that follow the settings' pause.
const CRLS_BY_HAND: i64 = 100;
/// Numbers left out however short the time was, and one more for each second of it.
const NUMBERS: i64 = 1000;
/// Tables whose keys others know: payment providers and gateways of messages would take a second one for the first.
const KNOWN_OUTSIDE: [&str; 2] = ["payments", "deliveries"];

/// A number that was moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is counted, for example `CRL numbers of ca`.
    pub what: String,
    /// The last number in the restored database.
    pub from: i64,
    /// The number after which it goes on.
    pub to: i64,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Copies an SQLite database as it is at this moment into a new file, while others read and write.
///
/// # Errors
/// The database's; [`StoreError::Database`] on PostgreSQL, which has its own tools.
pub fn copy_sqlite(database: &Database, to: &Path) -> Result<(), StoreError> {
    match &mut *database.connection()? {
        Connection::Sqlite(c) => {
            diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to.to_string_lossy()).execute(c)?;
            Ok(())
        }
        Connection::Postgres(_) => Err(StoreError::Database("this is no SQLite database".to_owned())),
    }
}

/// Holds one state of a PostgreSQL database while `f` has other sessions read it; they find it by the name that `f` is given.
///
/// # Errors
/// Whatever `f` says; [`StoreError::Database`] on SQLite.
pub fn with_snapshot<T, E: From<StoreError>>(
    database: &Database,
    f: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, E> {
    database.read(|connection| {
        let Connection::Postgres(c) = connection else {
            return Err(StoreError::Database("SQLite has no snapshots with names".to_owned()).into());
        };
        let exported = diesel::sql_query("SELECT pg_export_snapshot() AS name").get_result::<Name>(c);
        f(&exported.map_err(StoreError::from)?.name)
    })
}

/// Whether nobody has put anything into the database: no table is there.
///
/// # Errors
/// The database's.
pub fn is_empty(database: &Database) -> Result<bool, StoreError> {
    let tables = match database.target() {
        Target::Postgres(_) => {
            "SELECT count(*) AS number FROM pg_class \
             WHERE relkind IN ('r', 'p', 'v', 'S') AND relnamespace = 'public'::regnamespace"
        }
        Target::Sqlite(_) => "SELECT count(*) AS number FROM sqlite_master",
    };
    database.read(|c| Ok(diesel::sql_query(tables).get_result::<Number>(c)?.number == 0))
}

/// Where the sealed documents are that rows name.
///
/// # Errors
/// The database's.
pub fn document_objects(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(documents::table.select(documents::object_key).load(connection)?)
}

/// Makes a database that is older than what people hold go on behind every number that may have been given since: those of
/// CRLs (RFC 5280 section 5.2.3 wants them to grow), of invoices, and of what payment providers and gateways know. `lost` is how
/// much later the lost state may have been; `pause` the least time between two CRLs of a partition. A CRL of each partition is queued.
///
/// Serial numbers need nothing: they are random. The change feed needs nothing: its readers compare its last row.
///
/// # Errors
/// The database's.
pub fn step_forward(
    connection: &mut Connection,
    lost: Duration,
    pause: Duration,
    now: Timestamp,
) -> Result<Vec<Step>, StoreError> {
    let seconds = i64::try_from(lost.as_secs()).unwrap_or(i64::MAX / 4);
    let numbers = seconds.saturating_add(NUMBERS);
    let crls = seconds / i64::try_from(pause.as_secs().max(1)).unwrap_or(1) + CRLS_BY_HAND;
    let mut steps = Vec::new();
    let partitions: Vec<(String, String, i64)> = crl_partitions::table
        .filter(crl_partitions::number.gt(0))
        .order((crl_partitions::issuer_id, crl_partitions::crl_partition))
        .select((crl_partitions::issuer_id, crl_partitions::crl_partition, crl_partitions::number))
        .load(connection)?;
    for (issuer, partition, from) in partitions {
        let to = from + crls;
        diesel::update(crl_partitions::table.find((&issuer, &partition)))
            .set(crl_partitions::number.eq(to))
            .execute(connection)?;
        // The root's key is elsewhere; who brings it signs the next.
        if issuer != issuers::ROOT {
            jobs::enqueue(connection, &[NewJob::sign_crl(&issuer, &partition, now)], now)?;
        }
        let what = format!("CRL numbers of {}", [issuer, partition].join(" ").trim_end());
        steps.push(Step { what, from, to });
    }
    let years: Vec<(i32, i64)> = invoice_numbers::table
        .order(invoice_numbers::year)
        .select((invoice_numbers::year, invoice_numbers::last))
        .load(connection)?;
    for (year, from) in years {
        let to = from + numbers;
        diesel::update(invoice_numbers::table.find(year))
            .set(invoice_numbers::last.eq(to))
            .execute(connection)?;
        steps.push(Step { what: format!("invoice numbers of {year}"), from, to });
    }
    for table in KNOWN_OUTSIDE {
        let (from, to) = step_key(connection, table, numbers)?;
        steps.push(Step { what: format!("keys of {table}"), from, to });
    }
    let told: Vec<String> =
        steps.iter().map(|step| format!("{}: {} to {}", step.what, step.from, step.to)).collect();
    let entry = audit::Entry {
        at: now,
        actor: "operator".to_owned(),
        action: "database.step-forward".to_owned(),
        object: "database".to_owned(),
        details: serde_json::json!({ "lost_seconds": seconds, "numbers": told }),
    };
    audit::record(connection, &[entry])?;
    Ok(steps)
}

/// Moves a key that counts by itself. Each database keeps the last one in a place of its own.
fn step_key(connection: &mut Connection, table: &str, by: i64) -> Result<(i64, i64), StoreError> {
    match connection {
        Connection::Postgres(c) => {
            let next = format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id')) AS number");
            let from = diesel::sql_query(next).get_result::<Number>(c)?.number - 1;
            let set =
                format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), {}) AS number", from + by);
            Ok((from, diesel::sql_query(set).get_result::<Number>(c)?.number))
        }
        Connection::Sqlite(c) => {
            let last = "SELECT coalesce(max(seq), 0) AS number FROM sqlite_sequence WHERE name = ?";
            let from = diesel::sql_query(last).bind::<Text, _>(table).get_result::<Number>(c)?.number;
            let to = from + by;
            c.batch_execute(&format!(
                "DELETE FROM sqlite_sequence WHERE name = '{table}'; \
                 INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {to})"
            ))?;
            Ok((from, to))
        }
    }
}
