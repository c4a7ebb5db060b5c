//! Certificates as other people's software sees them.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod authority;
mod bounds;
mod chain;
mod cost;
mod lint;
mod national;
mod rcgen;
mod render;
