//! Certificate revocation lists (RFC 5280 section 5): writing full and delta CRLs, and judging one before it is published.
//!
//! Both ways a list of millions of entries takes no more memory than one of ten: it is never held as a whole.

mod judge;
mod message;
mod partition;
mod reader;
mod writer;

use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

pub use judge::{Fault, Judge, Judgement};
pub use partition::{Partition, delta_place, partition_name, place};
pub use reader::{Summary, Unreadable, summary, visit};
pub use writer::{CertificateList, CrlError, Kind, Written};

use crate::revocation::{Reason, Status};
use crate::{SerialNumber, Timestamp};

/// CRLReason certificateHold.
const CERTIFICATE_HOLD: u8 = 6;
/// CRLReason removeFromCRL, in deltas only (RFC 5280 section 5.3.1).
const REMOVE_FROM_CRL: u8 = 8;

/// How a revocation or a hold is told to the world, in CRLs and in OCSP alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The revocationDate.
    pub since: Timestamp,
    /// The CRLReason; never 0, which is told by saying nothing (RFC 5280 section 5.3.1).
    pub reason_code: Option<u8>,
    /// Since when the key is suspected (RFC 5280 section 5.3.2).
    pub invalidity_date: Option<Timestamp>,
}

impl Revocation {
    /// What is told of this status; `None` for a good one, of which CRLs are silent.
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Good => None,
            Status::Suspended { since } => {
                Some(Self { since, reason_code: Some(CERTIFICATE_HOLD), invalidity_date: None })
            }
            Status::Revoked { since, reason, invalidity_date } => Some(Self {
                since,
                reason_code: Some(reason.code()).filter(|&code| code != 0),
                invalidity_date,
            }),
        }
    }

    /// The status that is told; `None` for removeFromCRL and for codes that no status has.
    pub fn status(self) -> Option<Status> {
        let Self { since, invalidity_date, .. } = self;
        match self.reason_code {
            Some(CERTIFICATE_HOLD) => Some(Status::Suspended { since }),
            code => Reason::from_code(code.unwrap_or_default()).map(|reason| Status::Revoked {
                since,
                reason,
                invalidity_date,
            }),
        }
    }

    /// In a delta: the hold ended at this moment.
    pub fn ended(at: Timestamp) -> Self {
        Self { since: at, reason_code: Some(REMOVE_FROM_CRL), invalidity_date: None }
    }
}

/// One entry of revokedCertificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The certificate.
    pub serial: SerialNumber,
    /// What became of it.
    pub revocation: Revocation,
}

/// The CA in whose name CRLs are signed: what they repeat of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    subject: Vec<u8>,
    key_identifier: Vec<u8>,
}

/// Why a certificate is not a CRL issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitIssuer {
    /// Not one certificate in DER.
    #[error("the CRL issuer's certificate cannot be read")]
    NotACertificate,
    /// RFC 5280 section 4.2.1.2 obliges every CA to have one.
    #[error("the CRL issuer's certificate has no subject key identifier")]
    NoKeyIdentifier,
    /// RFC 5280 section 4.2.1.3.
    #[error("the CRL issuer's certificate does not allow cRLSign")]
    NotForCrls,
}

impl Issuer {
    /// From the DER of the CA's certificate.
    ///
    /// # Errors
    /// An [`UnfitIssuer`]: nobody would accept a CRL of its key.
    pub fn from_certificate(certificate: &[u8]) -> Result<Self, UnfitIssuer> {
        match X509Certificate::from_der(certificate) {
            Ok((&[], parsed)) => Self::from_parsed(&parsed),
            _ => Err(UnfitIssuer::NotACertificate),
        }
    }

    fn from_parsed(certificate: &X509Certificate<'_>) -> Result<Self, UnfitIssuer> {
        match certificate.key_usage() {
            Ok(usage) if usage.as_ref().is_none_or(|usage| usage.value.crl_sign()) => {}
            _ => return Err(UnfitIssuer::NotForCrls),
        }
        let key_identifier =
            certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
                _ => None,
            });
        Ok(Self {
            subject: certificate.subject().as_raw().to_vec(),
            key_identifier: key_identifier.ok_or(UnfitIssuer::NoKeyIdentifier)?,
        })
    }
}

/// Which certificates a CRL is about (RFC 5280 section 5.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// onlyContainsUserCerts: the CRL of a CA that issues to people and to responders. Saying so keeps a CRL that is
    /// meant for them from ever vouching for a CA.
    UserCertificates,
    /// onlyContainsCACerts: the CRL of the root.
    CaCertificates,
}

/// The issuing distribution point of a CRL: one place, one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DistributionPoint<'a> {
    /// The URI that stands in the certificates' CRL distribution point: printable ASCII without spaces.
    pub uri: &'a str,
    /// What the CRL found there is about.
    pub scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_status_is_that_status_again() {
        let since = Timestamp::from_unix_seconds(1_790_000_000);
        let invalidity_date = Some(since);
        let revoked = Reason::ALL.map(|reason| Status::Revoked { since, reason, invalidity_date });
        for status in revoked.into_iter().chain([Status::Suspended { since }]) {
            assert_eq!(Revocation::of(status).and_then(Revocation::status), Some(status));
        }
        assert_eq!(Revocation::ended(since).status(), None);
    }
}
