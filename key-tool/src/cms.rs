//! Signed documents: CMS (RFC 5652), as `openssl cms` writes and reads them.

use ca_core::signed_document::SignatureRefusal;
use der::pem::{LineEnding, encode_string};

mod sign;

pub use ca_core::signed_document::Signed;
pub(crate) use ca_core::signed_document::bundle;
pub use sign::sign;

use crate::trouble::{Exit, Trouble};

/// The label of RFC 7468 section 9.
const LABEL: &str = "CMS";

impl From<SignatureRefusal> for Trouble {
    fn from(refusal: SignatureRefusal) -> Self {
        Self::of_rule(refusal.name(), Exit::NotTrusted)
    }
}

/// In PEM.
///
/// # Errors
/// More octets than there is memory.
pub fn pem(der: &[u8]) -> Result<String, Trouble> {
    encode_string(LABEL, LineEnding::LF, der).map_err(|_| Trouble::cryptography())
}

#[cfg(test)]
mod tests;
