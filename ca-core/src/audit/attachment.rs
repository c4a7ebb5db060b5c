//! What stands beside an entry, and what can be said of it without the entries before it: above all whether signatures hold, which
//! takes time, and which several threads can find out at once.

use super::Hash;
use super::chronicle::Trust;
use crate::digest::sha256;
use crate::issue::Certificate;
use crate::officer_statement::{OfficerCertificates, OfficerStatement, SignedStatement};
use crate::path::issued_by;

/// What stands beside an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// What an officer signed, and the detached CMS over it.
    Statement {
        /// The octets that were signed.
        text: Vec<u8>,
        /// DER.
        signature: Vec<u8>,
    },
    /// The certificate that was issued, DER.
    Certificate(Vec<u8>),
}

/// An attachment that an [`Examiner`] has looked at.
#[derive(Debug)]
pub struct Examined(pub(super) Findings);

#[derive(Debug)]
pub(super) enum Findings {
    Statement(Box<ExaminedStatement>),
    Certificate(ExaminedCertificate),
}

#[derive(Debug)]
pub(super) struct ExaminedStatement {
    /// Of its octets.
    pub(super) sha256: Hash,
    /// If it is one.
    pub(super) statement: Option<OfficerStatement>,
    /// If one of the officer CAs knew who signed it, and the signature holds.
    pub(super) signed: Option<SignedStatement>,
}

#[derive(Debug)]
pub(super) struct ExaminedCertificate {
    /// Of its octets.
    pub(super) sha256: Hash,
    /// If it is one.
    pub(super) read: Option<Certificate>,
    /// Whether one of the CAs signed it.
    pub(super) is_issued: bool,
}

/// Looks at attachments, in any order and from any number of threads.
pub struct Examiner<'t> {
    officers: OfficerCertificates<'t>,
    issuers: &'t [Vec<u8>],
}

impl<'t> Examiner<'t> {
    /// Without trust, nobody has signed anything.
    pub fn new(trust: Option<&'t Trust>) -> Self {
        let (officer_cas, issuers) =
            trust.map_or((&[][..], &[][..]), |trust| (&trust.officer_cas[..], &trust.issuers[..]));
        Self { officers: OfficerCertificates::of(officer_cas), issuers }
    }

    /// Looks at one.
    pub fn examine(&self, attachment: &Attachment) -> Examined {
        Examined(match attachment {
            Attachment::Statement { text, signature } => {
                let statement = OfficerStatement::read(text);
                let signed = statement.clone().and_then(|read| self.officers.verify(read, signature).ok());
                Findings::Statement(Box::new(ExaminedStatement { sha256: sha256(text), statement, signed }))
            }
            Attachment::Certificate(der) => Findings::Certificate(ExaminedCertificate {
                sha256: sha256(der),
                read: Certificate::read(der).ok(),
                is_issued: self.issuers.iter().any(|issuer| issued_by(der, issuer).is_ok()),
            }),
        })
    }
}
