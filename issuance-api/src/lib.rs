//! The registration authority over HTTP: applicants, officers, payment providers.
//!
//! A handler is four short sentences: load, decide, apply, answer. `ca-core` decides, `store` makes it durable.

pub mod auth;
pub mod captcha_picture;
pub mod context;
pub mod evidence;
mod idempotency;
pub mod invoice_pdf;
mod json;
pub mod limits;
pub mod passwords;
pub mod payments;
pub mod portal;
pub mod problem;
pub mod request;
pub mod sealed;
