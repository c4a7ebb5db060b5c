//! When is a CRL due; is a new one right; where does it go.
//!
//! The key is elsewhere: `ca-signer` signs what a job asks for and stores it. A [`Worker`] asks when it is time, judges
//! what comes back and places it in the [`Repository`] of a [`Publisher`], which [`configure`] serves under `/repository`. A publisher that
//! dies at any moment leaves what was published as it was.

mod heads;
mod http;
mod metrics;
mod mirror;
mod publisher;
mod repository;
mod variant;

pub use http::configure;
pub use mirror::MirrorError;
pub use publisher::{Publisher, PublisherError, Worker};
pub use repository::{Kind, Octets, Published, Repository, Source, Staged};
