//! Certificate revocation lists (RFC 5280 section 5): writing a full CRL, and judging one before it is published.

mod judge;

use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_INVALIDITY_DATE,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::Encode;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

pub use judge::{Fault, Judgement, Summary, judge, summary};

use crate::revocation::Status;
use crate::signer::{SignError, Signer};
use crate::tlv::{self, BIT_STRING, ENUMERATED, INTEGER, SEQUENCE, constructed, primitive};
use crate::{SerialNumber, Timestamp};

/// CRLReason certificateHold.
const CERTIFICATE_HOLD: u8 = 6;

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

/// A full CRL but for its entries.
#[derive(Debug, Clone, Copy)]
pub struct CertificateList<'a> {
    /// Whose CRL it is.
    pub issuer: &'a Issuer,
    /// The cRLNumber: grows with every CRL of the issuer (RFC 5280 section 5.2.3).
    pub number: u64,
    /// As of when it is true.
    pub this_update: Timestamp,
    /// By when the next one is published.
    pub next_update: Timestamp,
    /// Where it is published.
    pub distribution_point: DistributionPoint<'a>,
}

/// Why a CRL was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Ascending order is what makes "no certificate twice" cost nothing at any size.
    #[error("the entries of a CRL ascend by serial number, each once: {0} does not")]
    NotAscending(SerialNumber),
    /// The CRL would be out of date when signed.
    #[error("the next update of a CRL comes after this one, by a second at least")]
    Dates,
    /// URIs are IA5Strings (RFC 5280 section 4.2.1.6), and what stands in certificates is written in printable ASCII.
    #[error("the URI of a distribution point is printable ASCII without spaces")]
    Uri,
    /// The algorithm has no encoding.
    #[error("the signature algorithm cannot be encoded")]
    Algorithm,
    /// The key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl CertificateList<'_> {
    /// Signs the DER of the CRL. The entries come in ascending order of serials ([`SerialNumber`]'s `Ord`: by number)
    /// and are written as they come.
    ///
    /// # Errors
    /// A [`CrlError`]; nothing was signed.
    pub fn sign(
        &self,
        entries: impl IntoIterator<Item = Entry>,
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, CrlError> {
        if self.next_update.unix_seconds() <= self.this_update.unix_seconds() {
            return Err(CrlError::Dates);
        }
        if self.distribution_point.uri.is_empty()
            || !self.distribution_point.uri.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(CrlError::Uri);
        }
        let algorithm = signer.algorithm().identifier.to_der().map_err(|_| CrlError::Algorithm)?;
        let tbs = self.tbs_cert_list(&algorithm, &write_entries(entries)?);
        let signature = signer.sign(&tbs)?;

        let mut end = algorithm;
        tlv::header(&mut end, BIT_STRING, signature.len() + 1);
        end.push(0);
        end.extend_from_slice(&signature);
        let mut out = Vec::with_capacity(tbs.len() + end.len() + 6);
        tlv::header(&mut out, SEQUENCE, tbs.len() + end.len());
        out.extend_from_slice(&tbs);
        out.extend_from_slice(&end);
        Ok(out)
    }

    /// TBSCertList around entries already written: a start and an end of a few hundred octets.
    fn tbs_cert_list(&self, algorithm: &[u8], entries: &[u8]) -> Vec<u8> {
        let mut start = Vec::with_capacity(512);
        tlv::unsigned(&mut start, 1); // v2
        start.extend_from_slice(algorithm);
        start.extend_from_slice(&self.issuer.subject);
        tlv::time(&mut start, self.this_update);
        tlv::time(&mut start, self.next_update);
        // RFC 5280 section 5.1.2.6: without entries there is no list, not an empty one.
        if !entries.is_empty() {
            tlv::header(&mut start, SEQUENCE, entries.len());
        }
        let mut end = Vec::with_capacity(256);
        tlv::nested(&mut end, constructed(0), |out| tlv::nested(out, SEQUENCE, |out| self.extensions(out)));

        let length = start.len() + entries.len() + end.len();
        let mut tbs = Vec::with_capacity(length + 6);
        tlv::header(&mut tbs, SEQUENCE, length);
        tbs.extend_from_slice(&start);
        tbs.extend_from_slice(entries);
        tbs.extend_from_slice(&end);
        tbs
    }

    fn extensions(&self, out: &mut Vec<u8>) {
        tlv::extension(out, ID_CE_AUTHORITY_KEY_IDENTIFIER, false, |out| {
            tlv::nested(out, SEQUENCE, |out| tlv::element(out, primitive(0), &self.issuer.key_identifier));
        });
        tlv::extension(out, ID_CE_CRL_NUMBER, false, |out| tlv::unsigned(out, self.number));
        tlv::extension(out, ID_CE_ISSUING_DISTRIBUTION_POINT, true, |out| {
            tlv::nested(out, SEQUENCE, |out| {
                // distributionPoint [0], fullName [0], uniformResourceIdentifier [6]
                tlv::nested(out, constructed(0), |out| {
                    tlv::nested(out, constructed(0), |out| {
                        tlv::element(out, primitive(6), self.distribution_point.uri.as_bytes());
                    });
                });
                let scope = match self.distribution_point.scope {
                    Scope::UserCertificates => 1,
                    Scope::CaCertificates => 2,
                };
                tlv::element(out, primitive(scope), &[0xff]);
            });
        });
    }
}

/// The content of revokedCertificates.
fn write_entries(entries: impl IntoIterator<Item = Entry>) -> Result<Vec<u8>, CrlError> {
    let mut out = Vec::new();
    let mut last = None;
    for entry in entries {
        if last.is_some_and(|last| last >= entry.serial) {
            return Err(CrlError::NotAscending(entry.serial));
        }
        last = Some(entry.serial);
        write_entry(&mut out, &entry);
    }
    Ok(out)
}

fn write_entry(out: &mut Vec<u8>, Entry { serial, revocation }: &Entry) {
    tlv::nested(out, SEQUENCE, |out| {
        tlv::element(out, INTEGER, serial.as_bytes());
        tlv::time(out, revocation.since);
        if revocation.reason_code.is_none() && revocation.invalidity_date.is_none() {
            return;
        }
        tlv::nested(out, SEQUENCE, |out| {
            if let Some(code) = revocation.reason_code {
                tlv::extension(out, ID_CE_CRL_REASONS, false, |out| tlv::element(out, ENUMERATED, &[code]));
            }
            if let Some(at) = revocation.invalidity_date {
                tlv::extension(out, ID_CE_INVALIDITY_DATE, false, |out| tlv::generalized_time(out, at));
            }
        });
    });
}
