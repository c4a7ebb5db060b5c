//! Signed documents: CMS (RFC 5652), as `openssl cms` writes and reads them.

use der::pem::{LineEnding, decode_vec, encode_string};

mod read;
mod sign;

pub use read::Signed;
pub(crate) use read::bundle;
pub use sign::sign;

use crate::ber::to_der;
use crate::trouble::Trouble;

/// Labels that programs give CMS in PEM (RFC 7468 sections 8 and 9).
const LABELS: [&str; 2] = ["CMS", "PKCS7"];

/// In PEM.
///
/// # Errors
/// More octets than there is memory.
pub fn pem(der: &[u8]) -> Result<String, Trouble> {
    encode_string(LABELS[0], LineEnding::LF, der).map_err(|_| Trouble::cryptography())
}

/// DER, whether it came as DER, BER or PEM.
pub(crate) fn der(octets: &[u8]) -> Vec<u8> {
    match decode_vec(octets) {
        Ok((label, der)) if LABELS.contains(&label) => to_der(&der),
        _ => to_der(octets),
    }
}

#[cfg(test)]
mod tests;
