//! Whether a signed document is what it seems: signature, path, validity, status.

use ca_core::Timestamp;
use ca_core::ocsp::Standing;
use ca_core::path::path;
use der::pem::decode_vec;

use crate::cms::Signed;
use crate::inventory::Owner;
use crate::server;
use crate::status::{self, Means};
use crate::trouble::{Exit, Trouble};

/// Whom to believe, and when.
pub struct Trust {
    /// The root's certificate, DER.
    pub root: Vec<u8>,
    /// Certificates that may lead to it, beside those in the document.
    pub others: Vec<Vec<u8>>,
    /// The moment at which certificates must be valid: now, or when the document is known to have existed.
    pub at: Timestamp,
    /// Where to ask about revocation, and the present moment.
    pub status: Option<(Means, Timestamp)>,
}

/// What has been shown.
#[derive(Debug)]
pub struct Verified {
    /// Whose certificate it is.
    pub signer: Owner,
    /// When it was signed, as the signer's clock said.
    pub signing_time: Option<Timestamp>,
    /// The status, where it was asked for; it is good.
    pub standing: Option<Standing>,
    /// The signed content.
    pub content: Vec<u8>,
}

/// More issuing CAs than a root of twenty years certifies.
const MOST_AUTHORITIES: usize = 64;

/// The root and the issuing CAs that a server publishes, for whoever trusts its address.
///
/// # Errors
/// They are not there.
pub fn authorities(server: &str) -> Result<(Vec<u8>, Vec<Vec<u8>>), Trouble> {
    let base = server.trim_end_matches('/');
    let root = server::fetch(&format!("{base}/repository/root.cer"))?;
    let mut issuing = vec![server::fetch(&format!("{base}/repository/ca.cer"))?];
    // Its successors follow without a gap.
    for number in 2..=MOST_AUTHORITIES {
        match server::fetch_if_there(&format!("{base}/repository/ca-{number}.cer"))? {
            Some(successor) => issuing.push(successor),
            None => break,
        }
    }
    Ok((root, issuing))
}

/// A certificate in DER or PEM.
///
/// # Errors
/// It is something else.
pub fn certificate(octets: &[u8]) -> Result<Vec<u8>, Trouble> {
    let der = match decode_vec(octets) {
        Ok(("CERTIFICATE", der)) => der,
        _ => octets.to_vec(),
    };
    crate::key::public_key(&der).map(|_| der)
}

/// Verifies a document with its content inside, or with the `content` that it is detached from.
///
/// # Errors
/// The first thing that is not right.
pub fn verify(document: &[u8], content: Option<&[u8]>, trust: &Trust) -> Result<Verified, Trouble> {
    let signed = Signed::read(document)?;
    let inside = signed.content.clone();
    let content = match (content, inside) {
        (Some(given), _) => given.to_vec(),
        (None, Some(inside)) => inside,
        (None, None) => return Err(Trouble::new("content-needed", Exit::File)),
    };
    signed.verify(&content)?;
    let others: Vec<&[u8]> = signed.others.iter().chain(&trust.others).map(Vec::as_slice).collect();
    let found = path(&signed.certificate, &others, &trust.root, trust.at).map_err(Trouble::on_path)?;
    let standing = match (trust.status, found.get(1)) {
        (Some((means, now)), Some(issuer)) => Some(status::status(&signed.certificate, issuer, means, now)?),
        _ => None,
    };
    match standing {
        Some(Standing::Revoked(since)) => {
            let since = ca_core::calendar::tashkent_time(since);
            return Err(Trouble::new("revoked", Exit::NotTrusted).with("since", since));
        }
        Some(Standing::Unknown) => return Err(Trouble::new("status-unknown", Exit::NotTrusted)),
        Some(Standing::Good) | None => {}
    }
    let signer = Owner::of_certificate(&signed.certificate)
        .ok_or_else(|| Trouble::new("no-certificate", Exit::NotTrusted))?;
    Ok(Verified { signer, signing_time: signed.signing_time(), standing, content })
}
