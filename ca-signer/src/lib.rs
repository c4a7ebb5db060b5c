//! The only process that can reach the CA key: it claims signing jobs and never listens.

pub mod ceremony;
mod issuance;
pub mod keys;
mod responder_certificate;
mod revocation_list;
mod service;

pub use revocation_list::{CrlSigner, SignCrlError};
pub use service::{ServiceError, SigningService};
