//! Rows straight from a database, past the product.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{self, Said};
use crate::postgres::psql;

/// The file that starts as SQLite's do.
pub(crate) fn sqlite_file(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).expect("the stack's folder").flatten().map(|entry| entry.path());
    let is_database =
        |file: &PathBuf| fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"));
    files.filter(|file| file.is_file()).find(is_database).expect("a SQLite database in the data folder")
}

/// Rows of a query, columns parted by `|`, from a `postgres://` address or a SQLite file.
pub(crate) fn rows(database: &str, query: &str) -> Vec<String> {
    lines(try_rows(database, query))
}

pub(crate) fn try_rows(database: &str, query: &str) -> Said {
    match database.starts_with("postgres://") {
        true => psql(database, query),
        false => command::run("sqlite3", ["-bail", "-cmd", ".timeout 10000", database, query]),
    }
}

/// Past the guards of the database too: references, and that a log is only ever added to.
pub(crate) fn tamper(database: &str, statement: &str) {
    let unguarded = match database.starts_with("postgres://") {
        true => format!("SET session_replication_role = replica; {statement}"),
        false => {
            let guards = ["entries", "leaves", "heads"].map(|table| {
                format!(
                    "DROP TRIGGER IF EXISTS audit_{table}_no_update; DROP TRIGGER IF EXISTS audit_{table}_no_delete;"
                )
            });
            format!("{} {statement}", guards.concat())
        }
    };
    rows(database, &unguarded);
}

pub(crate) fn lines(said: Said) -> Vec<String> {
    said.well().out.lines().map(str::to_owned).collect()
}
