//! The store's rules, each on both databases: what is a fact of the database itself, who wins when two want the same,
//! what is never missed, and what is found out afterwards.

mod stage;

mod access;
mod audit_log;
mod change_feed;
mod constraints;
mod decisions;
mod intents;
mod messages;
mod migrations;
mod money;
mod outage;
mod paging;
mod queue;
mod signer;
mod statistics;
mod status;
mod transactions;
mod verification;
