//! The rules of issuance and the exact bytes.
//!
//! Values and the present moment come in, decisions and DER go out: this crate knows no HTTP, no SQL, no clock, no
//! environment and no file path. The modules carry the RFC's nouns; `docs/GLOSSARY.md` defines them.

pub mod administration;
pub mod algorithm;
pub mod application;
pub mod approval;
pub mod audit;
pub mod ber;
pub mod bundle;
pub mod calendar;
pub mod crl;
pub mod csr;
pub mod digest;
pub mod fee;
pub mod issue;
pub mod key_file;
pub mod ocsp;
pub mod officer_statement;
pub mod path;
pub mod payment;
pub mod profile;
pub mod revocation;
pub mod serial;
pub mod signed_document;
pub mod signer;
pub mod statement;
pub mod subject;
pub mod timestamp;
mod tlv;
mod verification;
pub mod working_day;

pub use serial::SerialNumber;
pub use timestamp::Timestamp;
