//! What is wrong with a certificate that was asked for, or about to be signed.

use std::fmt;

use const_oid::ObjectIdentifier;

use crate::Timestamp;
use crate::profile::{InvalidValue, Kind, SubjectField};

/// The certificate was not prepared; every rule it breaks, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// In the order they were found.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.findings.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for Violation {}

impl From<Finding> for Violation {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding] }
    }
}

/// One broken rule: of the request (before anything is built), or of the bytes as the second reader saw them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The profile needs a field that the request does not have.
    #[error("the profile needs the subject field {0:?}")]
    FieldMissing(SubjectField),
    /// A subject value breaks its attribute's rule.
    #[error("subject attribute {attribute} is {rule}")]
    Value {
        /// The attribute's short name or OID.
        attribute: String,
        /// The rule.
        rule: InvalidValue,
    },
    /// Outside the profile's validity.
    #[error("the validity is 1 to {max} months, not {asked}")]
    Months {
        /// What was asked.
        asked: u32,
        /// The profile's bound.
        max: u32,
    },
    /// Shell model: nothing is issued before or after the issuer's own validity.
    #[error("the issuer's certificate is not valid at {0}")]
    IssuerNotValid(Timestamp),
    /// RFC 5280 section 4.2.1.9.
    #[error("the issuer's pathLenConstraint leaves no room for this CA")]
    PathLen,
    /// A root's subject and key are its issuer's, and nobody else's are.
    #[error("a root certificate is self-issued, and no other is ({0:?})")]
    SelfIssued(Kind),
    /// RFC 5280 section 8 and 4.2.1.13: plain http, which needs no certificate to be checked first.
    #[error("{0} is not a plain http URL of printable ASCII")]
    Url(&'static str),
    /// Not a DER SubjectPublicKeyInfo.
    #[error("the public key is not a DER SubjectPublicKeyInfo")]
    PublicKey,
    /// No keyUsage rule is known for such a key.
    #[error("no certificate is issued for keys of algorithm {0}")]
    KeyAlgorithm(ObjectIdentifier),
    /// The ASN.1 writer refused.
    #[error("the certificate cannot be encoded: {0}")]
    Encoding(der::Error),
    /// The throwaway signature that the lint needs could not be made.
    #[error("the lint's throwaway key failed")]
    Throwaway,
    /// The second reader does not understand the bytes, or something stands behind them.
    #[error("the second reader cannot read the certificate: {0}")]
    Unreadable(String),
    /// A field is not what it must be.
    #[error("{field} is {found}, not {expected}")]
    Field {
        /// RFC 5280's name of the field.
        field: &'static str,
        /// What the profile, the request and the issuer ask for.
        expected: String,
        /// What was read.
        found: String,
    },
    /// An extension the profile asks for was not read.
    #[error("extension {0} is missing")]
    ExtensionMissing(&'static str),
    /// An extension was read that the profile does not ask for.
    #[error("extension {0} does not belong here")]
    ExtensionUnexpected(String),
    /// RFC 5280 section 4.2: at most one of each.
    #[error("extension {0} stands twice")]
    ExtensionTwice(&'static str),
    /// The critical flag is wrong.
    #[error("extension {name} must {}be critical", if *.critical { "" } else { "not " })]
    ExtensionCriticality {
        /// RFC 5280's name.
        name: &'static str,
        /// What it must be.
        critical: bool,
    },
    /// The recorded bytes say the right thing in another way than ours.
    #[error("the recorded bytes are not the DER that this certificate has")]
    NotOurEncoding,
    /// The recorded certificate begins after the present moment.
    #[error("the recorded certificate begins at {0}, which is to come")]
    RecordedInFuture(Timestamp),
}

impl From<der::Error> for Finding {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error)
    }
}
