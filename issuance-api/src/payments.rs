//! (in work)
#![allow(missing_docs)]
pub struct Webhooks;
