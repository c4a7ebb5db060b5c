//! What stands between a decision and a signature, and what comes after it.

use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;

use super::lint::timestamp;
use super::{Issuer, NotACertificate, render};
use crate::crl::Partition;
use crate::{SerialNumber, Timestamp};

/// Bytes that passed the lint and wait for their one signature.
#[must_use]
pub struct Prepared<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) tbs: Vec<u8>,
    pub(super) serial: SerialNumber,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) crl_partition: Option<Partition>,
}

impl Prepared<'_> {
    /// The DER TBSCertificate: what is recorded before it is signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Its serial number.
    pub fn serial(&self) -> SerialNumber {
        self.serial
    }

    /// Its first second.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Its last second.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its subject on one line, in the order of the certificate.
    pub fn subject_text(&self) -> String {
        render::subject(&self.tbs).unwrap_or_else(|error| error.to_string())
    }

    /// The certificate as people read it.
    pub fn render(&self) -> String {
        render(&self.tbs).unwrap_or_else(|error| error.to_string())
    }
}

/// A signed certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The DER Certificate.
    pub der: Vec<u8>,
    /// The DER TBSCertificate in it, as it was recorded before it was signed.
    pub tbs: Vec<u8>,
    /// Its serial number.
    pub serial: SerialNumber,
    /// Its first second.
    pub not_before: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
    /// Whose CRL its distribution point names; `None` for the issuer's undivided one.
    pub crl_partition: Option<Partition>,
}

impl Certificate {
    /// Its subject on one line, in the order of the certificate.
    pub fn subject_text(&self) -> String {
        render::subject(&self.tbs).unwrap_or_else(|error| error.to_string())
    }

    /// One that was signed elsewhere, as far as it says so itself; nothing is verified.
    ///
    /// # Errors
    /// [`NotACertificate`]: not one DER certificate with a serial number of ours.
    pub fn read(der: &[u8]) -> Result<Self, NotACertificate> {
        let Ok(([], read)) = X509Certificate::from_der(der) else { return Err(NotACertificate) };
        let serial = SerialNumber::try_from(read.raw_serial()).map_err(|_| NotACertificate)?;
        let validity = read.validity();
        Ok(Self {
            der: der.to_vec(),
            tbs: read.tbs_certificate.as_ref().to_vec(),
            serial,
            not_before: timestamp(&validity.not_before),
            not_after: timestamp(&validity.not_after),
            crl_partition: None,
        })
    }
}
