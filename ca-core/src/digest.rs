//! The digest that statements, keys and the audit log are named by.

/// SHA-256 (FIPS 180-4).
pub fn sha256(octets: &[u8]) -> [u8; 32] {
    use aws_lc_rs::digest::{SHA256, digest};
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, octets).as_ref());
    sha256
}
