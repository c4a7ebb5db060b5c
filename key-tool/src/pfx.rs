//! The key file: PKCS #12 (RFC 7292) with one key, its certificates, and an alias that is readable without the password.
//!
//! The key lies in a PKCS8ShroudedKeyBag inside an id-data ContentInfo, so that programs can list keys by their alias
//! before they ask for a password; deployed clients skip what is encrypted as a whole.

use der::Encode;
use x509_cert::Certificate;
use zeroize::Zeroizing;

mod mac;
mod read;
mod scheme;
mod write;

pub use read::{list, open};
pub use write::write;

/// Octets of the largest file that is looked at.
pub const MAX_SIZE: usize = 1 << 20;
/// Iterations of password hashing in files that are written: the key's and the MAC's, each.
pub const ITERATIONS: u32 = 100_000;
/// All iterations that a file may ask for before it is refused: some seconds of work.
const MAX_ITERATIONS: u32 = 5_000_000;

/// What everybody sees in a key file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The friendlyName of each key.
    pub aliases: Vec<String>,
    /// Certificates (DER) that are not encrypted.
    pub certificates: Vec<Vec<u8>>,
}

/// What whoever knows the password has.
pub struct KeyFile {
    /// friendlyName of the key (RFC 2985 section 5.5.1).
    pub alias: Option<String>,
    /// PrivateKeyInfo (RFC 5208 section 5), wiped when dropped.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// DER: the key's own certificate first, then its issuer's, and so on.
    pub certificates: Vec<Vec<u8>>,
}

/// Why a key file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not PFX in DER.
    #[error("not a PKCS #12 file in DER, or cut off")]
    NotPfx,
    /// More than [`MAX_SIZE`].
    #[error("a key file has at most 1 MiB")]
    TooLarge,
    /// A password-based scheme other than PBES2 with AES, or a MAC other than HMAC with SHA-1 or SHA-2.
    #[error(
        "the file's encryption is not PBES2 with PBKDF2 and AES, or its MAC not HMAC with SHA-1 or SHA-2"
    )]
    Unsupported,
    /// It asks for more hashing than any honest program would.
    #[error("the file asks for more than 5 million rounds of password hashing")]
    TooMuchWork,
    /// There is no key in it.
    #[error("there is no private key in the file")]
    NoKey,
    /// The MAC does not fit, and nothing opens.
    #[error("the password does not open the file")]
    WrongPassword,
    /// The password opens the key, and yet the MAC does not fit: octets were changed.
    #[error("the file was changed or damaged after it was written")]
    Damaged,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Cryptography,
}

/// The own certificate first, and behind each its issuer's, as far as they are there; others are left out.
fn in_order(own: Option<Certificate>, mut others: Vec<Certificate>) -> Vec<Vec<u8>> {
    let mut ordered: Vec<Certificate> = own.into_iter().collect();
    while let Some(last) = ordered.last() {
        let (subject, issuer) = (&last.tbs_certificate.subject, &last.tbs_certificate.issuer);
        let next =
            others.iter().position(|other| other.tbs_certificate.subject == *issuer && subject != issuer);
        match next {
            Some(index) => ordered.push(others.swap_remove(index)),
            None => break,
        }
    }
    ordered.iter().filter_map(|certificate| certificate.to_der().ok()).collect()
}

#[cfg(test)]
mod tests;
