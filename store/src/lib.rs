//! The memory: diesel over SQLite and PostgreSQL behind one connection enum.
//!
//! Each file keeps one noun: its rows are private to it, its functions take a [`Connection`] inside a transaction that
//! [`Database::write`] or [`Database::read`] opened. One verb is one transaction with one winner.

pub mod acts;
pub mod alarms;
pub mod applications;
pub mod audit;
pub mod audit_attachments;
pub mod audit_heads;
pub mod bills;
pub mod captchas;
pub mod certificates;
mod connection;
pub mod crls;
pub mod data_keys;
mod database;
pub mod deliveries;
pub mod documents;
pub mod duplicates;
mod error;
pub mod feed;
pub mod idempotency;
pub mod invoices;
pub mod issuance;
pub mod issuers;
pub mod jobs;
mod kept;
pub mod ledger;
pub mod mail_opt_outs;
pub mod messages;
pub mod migrations;
pub mod officer_statements;
pub mod officers;
pub mod payments;
pub mod person;
pub mod phone_verifications;
pub mod receipts;
pub mod reconciliations;
pub mod refunds;
pub mod reminders;
pub mod renewals;
pub mod responders;
pub mod restoration;
pub mod retention;
mod rights;
mod schema;
pub mod seen_signatures;
pub mod sessions;
pub mod statistics;
pub mod status;
pub mod turns;
pub mod verification;

pub use database::{Connection, Database, OpenError, Options, Target};
pub use error::StoreError;
pub use rights::Rights;

/// A page of a list: the items and the key to ask for the next page with, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of the key.
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// From up to `limit + 1` rows: the extra row only tells that there is more.
    fn from_rows(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }

    /// The same page of other things.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
