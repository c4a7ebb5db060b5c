//! Whether a certificate still counts: asked where the certificate itself says.

use ca_core::Timestamp;
use ca_core::crl::Judge;
use ca_core::ocsp::{Standing, Unbelievable, question, verdict};
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::server;
use crate::trouble::{Exit, Trouble};

/// id-ad-ocsp (RFC 5280 section 4.2.2.1).
const OCSP: &str = "1.3.6.1.5.5.7.48.1";
/// Octets of the largest CRL that is read.
const MAX_CRL: u64 = 64 << 20;

/// By what a status is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A question about this certificate (RFC 6960).
    Ocsp,
    /// The issuer's list (RFC 5280 section 5).
    Crl,
}

/// The status of a certificate `now`.
///
/// # Errors
/// It names no place, the place does not answer, or what it says is not to be believed.
pub fn status(certificate: &[u8], issuer: &[u8], means: Means, now: Timestamp) -> Result<Standing, Trouble> {
    let wrong = |_| Trouble::new("no-certificate", Exit::NotTrusted);
    let (_, read) = X509Certificate::from_der(certificate).map_err(wrong)?;
    let place = match means {
        Means::Ocsp => responder(&read),
        Means::Crl => distribution_point(&read),
    };
    let place = place.ok_or_else(|| Trouble::new("no-status-place", Exit::NotTrusted))?;
    match means {
        Means::Ocsp => by_ocsp(certificate, issuer, &place, now),
        Means::Crl => by_crl(&read, issuer, &place, now),
    }
}

fn by_ocsp(certificate: &[u8], issuer: &[u8], place: &str, now: Timestamp) -> Result<Standing, Trouble> {
    let mut nonce = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Trouble::cryptography())?;
    let question = question(certificate, issuer, &nonce)
        .map_err(|_| Trouble::new("no-certificate", Exit::NotTrusted))?;
    let answer = server::ask(place, "application/ocsp-request", question)?;
    let verdict = verdict(&answer, certificate, issuer, &nonce, now);
    verdict.map(|verdict| verdict.status).map_err(|fault| match fault {
        Unbelievable::Refused => Trouble::new("status-refused", Exit::Server).with("server", place),
        _ => {
            Trouble::new("status-not-believed", Exit::NotTrusted).with("server", place).with("reason", fault)
        }
    })
}

fn by_crl(
    certificate: &X509Certificate<'_>,
    issuer: &[u8],
    place: &str,
    now: Timestamp,
) -> Result<Standing, Trouble> {
    let crl = server::fetch(place)?;
    let wrong = |reason: String| {
        Trouble::new("status-not-believed", Exit::NotTrusted).with("server", place).with("reason", reason)
    };
    let judge = Judge {
        issuer_certificate: issuer,
        now,
        most_octets: MAX_CRL,
        file_name: None,
        ends: |_: &[_]| Vec::new(),
    };
    judge.genuine(crl.as_slice()).map_err(|fault| wrong(fault.to_string()))?;
    let (_, list) = CertificateRevocationList::from_der(&crl).map_err(|fault| wrong(fault.to_string()))?;
    let entry = list.iter_revoked_certificates().find(|entry| entry.raw_serial() == certificate.raw_serial());
    Ok(match entry {
        Some(entry) => Standing::Revoked(Timestamp::from_unix_seconds(entry.revocation_date.timestamp())),
        None => Standing::Good,
    })
}

fn responder(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .accessdescs
            .iter()
            .filter(|description| description.access_method.to_id_string() == OCSP)
            .find_map(|description| uri(&description.access_location)),
        _ => None,
    })
}

fn distribution_point(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => {
            points.iter().find_map(|point| match point.distribution_point.as_ref()? {
                DistributionPointName::FullName(names) => names.iter().find_map(uri),
                DistributionPointName::NameRelativeToCRLIssuer(_) => None,
            })
        }
        _ => None,
    })
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) if uri.starts_with("http://") || uri.starts_with("https://") => {
            Some((*uri).to_owned())
        }
        _ => None,
    }
}
