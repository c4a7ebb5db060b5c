//! Certificate profiles: what each kind of certificate says, as data that is checked once (`config/profiles/*.toml`).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_OCSP_SIGNING};
use serde::{Deserialize, Serialize};
use x509_cert::der::flagset::FlagSet;
use x509_cert::ext::pkix::KeyUsages;

mod attribute;
mod document;

pub use attribute::{AttributeType, InvalidValue, SubjectField, SubjectFields};
pub use document::{ProfileDocument, ProfileError, SubjectAttributeDocument};

/// id-kp-documentSigning (RFC 9336).
pub const ID_KP_DOCUMENT_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36");

/// The key purposes that a profile may call by name; any other is written as a dotted OID.
pub(crate) const KEY_PURPOSES: [(&str, ObjectIdentifier); 4] = [
    ("clientAuth", ID_KP_CLIENT_AUTH),
    ("emailProtection", ID_KP_EMAIL_PROTECTION),
    ("documentSigning", ID_KP_DOCUMENT_SIGNING),
    ("OCSPSigning", ID_KP_OCSP_SIGNING),
];

/// RFC 5280 section 4.2.1.3's names of the bits, in their order.
pub(crate) const KEY_USAGES: [(&str, KeyUsages); 9] = [
    ("digitalSignature", KeyUsages::DigitalSignature),
    ("nonRepudiation", KeyUsages::NonRepudiation),
    ("keyEncipherment", KeyUsages::KeyEncipherment),
    ("dataEncipherment", KeyUsages::DataEncipherment),
    ("keyAgreement", KeyUsages::KeyAgreement),
    ("keyCertSign", KeyUsages::KeyCertSign),
    ("cRLSign", KeyUsages::CRLSign),
    ("encipherOnly", KeyUsages::EncipherOnly),
    ("decipherOnly", KeyUsages::DecipherOnly),
];

/// Whom a certificate is for: it fixes what must and must not be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A self-signed CA: the trust anchor.
    Root,
    /// A CA under the root, which issues to subscribers.
    IssuingCa,
    /// A delegated OCSP responder (RFC 6960 section 4.2.2.2), with id-pkix-ocsp-nocheck.
    OcspSigner,
    /// A subscriber.
    EndEntity,
    /// An officer, under the officer CA: known to this service only, which knows itself what is revoked.
    Officer,
}

impl Kind {
    /// Whether basicConstraints says `cA TRUE`.
    pub fn is_ca(self) -> bool {
        matches!(self, Self::Root | Self::IssuingCa)
    }

    /// The longest validity a profile of this kind may allow, in calendar months. For subscribers it is the law's
    /// (24 months); a delegated OCSP signer cannot be revoked, so it lives for a year at most.
    pub fn longest_months(self) -> u32 {
        match self {
            Self::Root => 300,
            Self::IssuingCa => 180,
            Self::OcspSigner | Self::Officer => 12,
            Self::EndEntity => 24,
        }
    }
}

/// Where the value of a subject attribute comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A field of the request; an optional one that is absent leaves the attribute out.
    Field {
        /// Which one.
        field: SubjectField,
        /// Whether the attribute may be left out.
        optional: bool,
    },
    /// The same text in every certificate.
    Text(String),
}

/// One attribute of the subject name, alone in its RDN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectAttribute {
    /// Its type.
    pub attribute: AttributeType,
    /// Its value.
    pub source: Source,
}

/// A checked certificate profile. There is no other way to one than [`TryFrom<ProfileDocument>`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ProfileDocument")]
pub struct Profile {
    name: String,
    kind: Kind,
    default_months: u32,
    max_months: u32,
    subject: Vec<SubjectAttribute>,
    key_usage: FlagSet<KeyUsages>,
    extended_key_usage: Vec<ObjectIdentifier>,
    policy: Option<ObjectIdentifier>,
    path_len: Option<u8>,
    crl_distribution_point: bool,
    crl_shards: u16,
    ocsp: bool,
    ca_issuers: bool,
}

impl Profile {
    /// Its name, for example `natural_person`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whom it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The validity given when nobody asks for another, in calendar months.
    pub fn default_months(&self) -> u32 {
        self.default_months
    }

    /// The longest validity it gives, in calendar months.
    pub fn max_months(&self) -> u32 {
        self.max_months
    }

    /// The subject name, in the order of its RDNs.
    pub fn subject(&self) -> &[SubjectAttribute] {
        &self.subject
    }

    /// The usages the certificate may have; keyAgreement and keyEncipherment are written only where the key can.
    pub fn key_usage(&self) -> FlagSet<KeyUsages> {
        self.key_usage
    }

    /// The key purposes, in the order they are written.
    pub fn extended_key_usage(&self) -> &[ObjectIdentifier] {
        &self.extended_key_usage
    }

    /// The certificate policy.
    pub fn policy(&self) -> Option<ObjectIdentifier> {
        self.policy
    }

    /// pathLenConstraint.
    pub fn path_len(&self) -> Option<u8> {
        self.path_len
    }

    /// Whether the certificate says where its issuer's CRL is.
    pub fn crl_distribution_point(&self) -> bool {
        self.crl_distribution_point
    }

    /// Over how many CRLs its certificates are spread, 1 to [`Partition::MOST`]; 1 is the issuer's undivided one. It
    /// holds for certificates that are made from now on.
    ///
    /// [`Partition::MOST`]: crate::crl::Partition::MOST
    pub fn crl_shards(&self) -> u16 {
        self.crl_shards
    }

    /// Whether the certificate says where its issuer's OCSP responder is.
    pub fn ocsp(&self) -> bool {
        self.ocsp
    }

    /// Whether the certificate says where its issuer's certificate is.
    pub fn ca_issuers(&self) -> bool {
        self.ca_issuers
    }
}

#[cfg(test)]
mod tests;
