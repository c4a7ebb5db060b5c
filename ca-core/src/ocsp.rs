//! Online certificate status (RFC 6960, with the nonce of RFC 9654 and the lightweight profile of RFC 9919): what a
//! request asks, whose certificates it asks about, and the exact bytes of the answer.
//!
//! Nothing here looks anything up. A responder decodes a [`Request`], finds the issuer each [`CertId`] names with its
//! [`IssuerKeyIds`], looks the serial up in its own index and has a [`Responder`] sign the [`Answer`]s.

mod cert_id;
mod request;
mod response;
mod verdict;

pub use cert_id::{CertId, HashAlgorithm, IssuerKeyIds};
pub use request::{MAX_CERT_IDS, MAX_NONCE_OCTETS, Request, RequestError};
pub use response::{Answer, CertStatus, ErrorStatus, Responder, UnfitResponder, Validity};
pub use verdict::{Standing, Unbelievable, Verdict, question, verdict};
