//! The registration authority over HTTP: applicants, officers, payment providers.
//!
//! A handler is four short sentences: load, decide, apply, answer. `ca-core` decides, `store` makes it durable.

pub mod auth;
pub mod context;
mod idempotency;
mod json;
pub mod limits;
mod list;
mod officer;
pub mod passwords;
pub mod payments;
pub mod problem;
pub mod request;
pub mod sealed;
