//! The end-to-end judges: the product as one black box behind its HTTP and command contract, real databases,
//! and software that others wrote as the judge of every byte that leaves it.
//!
//! A story is an ordinary function named as the rule it keeps; `on_both_databases!` makes it a test on
//! SQLite and one on PostgreSQL, `on_both_databases_and_a_token!` also one with the CAs' keys on a PKCS #11 token. Stories share one running stack per database unless they break it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what it expected by failing")]

/// Runs each story, a `fn(Database)`, on SQLite and on PostgreSQL.
macro_rules! on_both_databases {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $story() { super::$story(crate::stack::Database::Sqlite) })+
        }
        mod on_postgresql {
            $(#[test] fn $story() { super::$story(crate::stack::Database::Postgres) })+
        }
    };
}

/// Runs each story once more, on PostgreSQL with keys that are in no file.
macro_rules! on_both_databases_and_a_token {
    ($($story:ident),+ $(,)?) => {
        on_both_databases!($($story),+);
        mod on_a_token {
            $(#[test] fn $story() { super::$story(crate::stack::Database::PostgresAndToken) })+
        }
    };
}

// The stage.
mod command;
mod disk;
mod http;
mod janitor;
mod postgres;
mod program;
mod server;
mod sql;
mod stack;
mod token;

// Who is on it.
mod applicant;
mod auditor;
mod key;
mod key_owner;
mod mail_server;
mod officer;
mod partner;
mod payments;
mod person;
mod picture;
mod relying_party;
mod simulator;

// What happens.
mod store_rules;
mod stories;
