//! (in work)
#![allow(missing_docs)]
pub struct KeyUse { pub holder: String, pub revoked_for_compromise: bool }
