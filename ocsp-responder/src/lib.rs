//! Certificate status over HTTP (RFC 6960, RFC 9919).
//!
//! A [`Service`] answers from memory: a [`Follower`] keeps its index of every issued serial in step with the database, and
//! no request ever waits for one. [`configure`] mounts it under `/ocsp` of any actix-web application.

mod answers;
mod authority;
mod comparison;
mod follower;
mod http;
mod index;
mod metrics;
mod overload;
mod service;
mod snapshot;

pub use answers::{Caching, SignedAnswer};
pub use follower::Follower;
pub use http::configure;
pub use service::{Reply, Service};
