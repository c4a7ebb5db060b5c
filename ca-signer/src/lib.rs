//! The only process that can reach the CA key: it claims signing jobs and never listens.

mod approvals;
pub mod audit_log;
mod authority;
pub mod ceremony;
mod certification_request;
mod issuance;
mod keyring;
pub mod keys;
pub mod master_keys;
mod metrics;
pub mod officer_ca;
mod responder_certificate;
mod revocation_list;
mod service;
mod shares;

pub use audit_log::{HeadSigner, SealError};
pub use certification_request::certification_request;
pub use keyring::{Keyring, NewKey};
pub use revocation_list::{CrlSigner, SignCrlError};
pub use service::{ServiceError, SigningService};
pub use shares::{ShareError, Shares};
