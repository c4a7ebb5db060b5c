//! The responder over real HTTP and a real database, asked by OpenSSL and read by x509-ocsp.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod answers;
mod feed;
mod http;
mod snapshot;
mod stage;
