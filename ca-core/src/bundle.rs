//! A certificate together with those that lead from it to the root, as one file.

use cms::content_info::ContentInfo;
use der::{Decode, Encode};
use x509_cert::Certificate;

/// What was to be bundled is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bundle holds DER certificates: {0}")]
pub struct NotACertificate(der::Error);

/// Certificates (DER) as a certs-only CMS message (RFC 8551 section 3.8): SignedData without content and signatures, in
/// DER, the `.p7c` that browsers and key programs import.
///
/// # Errors
/// One of them is no certificate.
pub fn certs_only<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, NotACertificate> {
    let certificates: Vec<Certificate> = certificates
        .into_iter()
        .map(Certificate::from_der)
        .collect::<Result<_, _>>()
        .map_err(NotACertificate)?;
    ContentInfo::try_from(certificates).and_then(|message| message.to_der()).map_err(NotACertificate)
}

/// Certificates (DER) one after the other in PEM (RFC 7468 section 5), in the order given.
pub fn pem<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    use der::pem::{LineEnding, encode_string};
    certificates
        .into_iter()
        // It can only fail for more octets than there is memory.
        .filter_map(|certificate| encode_string("CERTIFICATE", LineEnding::LF, certificate).ok())
        .collect()
}
