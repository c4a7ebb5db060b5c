//! Certificate profiles: what each kind of certificate says, as data that is checked once (`config/profiles/*.toml`).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ANY_POLICY, ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_OCSP_SIGNING,
    ID_KP_TIME_STAMPING,
};
use serde::{Deserialize, Serialize};
use x509_cert::der::flagset::FlagSet;
use x509_cert::ext::pkix::KeyUsages;

mod attribute;

pub use attribute::{AttributeType, InvalidValue, SubjectField, SubjectFields};

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
            Self::OcspSigner => 12,
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
    ocsp: bool,
    ca_issuers: bool,
}

/// A profile as `config/profiles/*.toml` writes it; the comments there explain each key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ProfileDocument {
    pub name: String,
    pub kind: Kind,
    pub default_months: u32,
    pub max_months: u32,
    pub subject: Vec<SubjectAttributeDocument>,
    pub key_usage: Vec<String>,
    #[serde(default)]
    pub extended_key_usage: Vec<String>,
    #[serde(default)]
    pub policy: Option<String>,
    #[serde(default)]
    pub path_len: Option<u8>,
    #[serde(default)]
    pub crl_distribution_point: bool,
    #[serde(default)]
    pub ocsp: bool,
    #[serde(default)]
    pub ca_issuers: bool,
}

/// One attribute of the subject in a [`ProfileDocument`]: either `field`, or `text`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct SubjectAttributeDocument {
    pub attribute: String,
    pub field: Option<SubjectField>,
    pub text: Option<String>,
    #[serde(default)]
    pub optional: bool,
}

/// The rule that a profile breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The name stands in databases, URLs and command lines.
    #[error("a profile's name is lower-case letters, digits and underscores")]
    Name,
    /// See [`Kind::longest_months`].
    #[error("validity: 1 <= default_months <= max_months <= {0} for this kind")]
    Months(u32),
    /// RFC 5280 section 4.1.2.6 and 4.1.2.4: a CA's name is never empty; nor are ours.
    #[error("a subject has at least one attribute that is always present")]
    EmptySubject,
    /// Neither in the table of attributes nor a dotted OID.
    #[error("{0} is not an attribute type")]
    UnknownAttribute(String),
    /// One value per type, so that "the" common name exists.
    #[error("attribute {0} stands twice in the subject")]
    RepeatedAttribute(String),
    /// `field` or `text`, and only a field can be optional.
    #[error("attribute {0} comes from a field or from a fixed text, and only a field can be optional")]
    Source(String),
    /// The fixed text breaks the attribute's own rule.
    #[error("the text of attribute {0} is {1}")]
    Text(String, InvalidValue),
    /// RFC 5280 section 4.2.1.3.
    #[error("{0} is not a key usage")]
    UnknownKeyUsage(String),
    /// RFC 5280 section 4.2.1.3: a CA signs certificates and CRLs, nobody else does; an OCSP signer signs only.
    #[error("the key usages do not fit the kind of certificate")]
    KeyUsage,
    /// Neither a name this module knows nor a dotted OID, or it stands twice.
    #[error("{0} is not a key purpose, or stands twice")]
    UnknownKeyPurpose(String),
    /// RFC 6960 section 4.2.2.2: OCSPSigning is for OCSP signers, alone; a CA is not restricted; a subscriber has no
    /// anyExtendedKeyUsage, OCSPSigning or timeStamping.
    #[error("the key purposes do not fit the kind of certificate")]
    KeyPurposes,
    /// openssl, NSS and Poppler refuse a certificate whose only purpose is documentSigning.
    #[error("documentSigning does not stand without emailProtection")]
    DocumentSigningAlone,
    /// Not a dotted OID.
    #[error("{0} is not a policy OID")]
    UnknownPolicy(String),
    /// ETSI EN 319 412-2 GEN-4.3.3: a subscriber's certificate names its policy, and it is not anyPolicy.
    #[error("a subscriber's certificate names one policy that is not anyPolicy")]
    Policy,
    /// RFC 5280 section 4.2.1.9: only with `cA TRUE`; ours limits every issuing CA.
    #[error("path_len stands in every issuing CA's profile, may stand in a root's, and in no other")]
    PathLen,
    /// A root has no issuer that could say anything about it; a nocheck OCSP signer is not checked (RFC 6960
    /// section 4.2.2.2.1); anybody else must be checkable.
    #[error(
        "the status pointers (crl_distribution_point, ocsp, ca_issuers) do not fit the kind of certificate"
    )]
    StatusPointers,
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

    /// Whether the certificate says where its issuer's OCSP responder is.
    pub fn ocsp(&self) -> bool {
        self.ocsp
    }

    /// Whether the certificate says where its issuer's certificate is.
    pub fn ca_issuers(&self) -> bool {
        self.ca_issuers
    }
}

impl TryFrom<ProfileDocument> for Profile {
    type Error = ProfileError;

    fn try_from(document: ProfileDocument) -> Result<Self, ProfileError> {
        let kind = document.kind;
        let profile = Self {
            subject: subject(&document.subject)?,
            key_usage: key_usage(&document.key_usage)?,
            extended_key_usage: extended_key_usage(&document.extended_key_usage)?,
            policy: document
                .policy
                .map(|p| ObjectIdentifier::new(&p).map_err(|_| ProfileError::UnknownPolicy(p)))
                .transpose()?,
            name: document.name,
            kind,
            default_months: document.default_months,
            max_months: document.max_months,
            path_len: document.path_len,
            crl_distribution_point: document.crl_distribution_point,
            ocsp: document.ocsp,
            ca_issuers: document.ca_issuers,
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if profile.name.is_empty() || profile.name.len() > 64 || !profile.name.bytes().all(plain) {
            return Err(ProfileError::Name);
        }
        let months = 1..=profile.max_months;
        if !months.contains(&profile.default_months) || profile.max_months > kind.longest_months() {
            return Err(ProfileError::Months(kind.longest_months()));
        }
        profile.check_usages()?;
        profile.check_pointers()?;
        Ok(profile)
    }
}

impl Profile {
    fn check_usages(&self) -> Result<(), ProfileError> {
        let ca = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
        let usage_fits = match self.kind {
            Kind::Root | Kind::IssuingCa => {
                self.key_usage.contains(ca) && (self.key_usage - ca - KeyUsages::DigitalSignature).is_empty()
            }
            Kind::OcspSigner => self.key_usage == FlagSet::from(KeyUsages::DigitalSignature),
            Kind::EndEntity => self.key_usage.is_disjoint(ca) && !self.key_usage.is_empty(),
        };
        if !usage_fits {
            return Err(ProfileError::KeyUsage);
        }
        let purposes = &self.extended_key_usage;
        let reserved = [ANY_EXTENDED_KEY_USAGE, ID_KP_OCSP_SIGNING, ID_KP_TIME_STAMPING];
        let purposes_fit = match self.kind {
            Kind::Root | Kind::IssuingCa => purposes.is_empty(),
            Kind::OcspSigner => purposes == &[ID_KP_OCSP_SIGNING],
            Kind::EndEntity => !purposes.iter().any(|purpose| reserved.contains(purpose)),
        };
        if !purposes_fit {
            return Err(ProfileError::KeyPurposes);
        }
        if purposes.contains(&ID_KP_DOCUMENT_SIGNING) && !purposes.contains(&ID_KP_EMAIL_PROTECTION) {
            return Err(ProfileError::DocumentSigningAlone);
        }
        Ok(())
    }

    fn check_pointers(&self) -> Result<(), ProfileError> {
        if self.kind == Kind::EndEntity && self.policy.is_none_or(|policy| policy == ANY_POLICY) {
            return Err(ProfileError::Policy);
        }
        let path_len_fits = match self.kind {
            Kind::Root => true,
            Kind::IssuingCa => self.path_len.is_some(),
            Kind::OcspSigner | Kind::EndEntity => self.path_len.is_none(),
        };
        if !path_len_fits {
            return Err(ProfileError::PathLen);
        }
        let (crl, ocsp, issuers) = (self.crl_distribution_point, self.ocsp, self.ca_issuers);
        let pointers_fit = match self.kind {
            Kind::Root | Kind::OcspSigner => !crl && !ocsp && !issuers,
            Kind::IssuingCa | Kind::EndEntity => (crl || ocsp) && issuers,
        };
        if pointers_fit { Ok(()) } else { Err(ProfileError::StatusPointers) }
    }
}

fn subject(documents: &[SubjectAttributeDocument]) -> Result<Vec<SubjectAttribute>, ProfileError> {
    let mut subject: Vec<SubjectAttribute> = Vec::with_capacity(documents.len());
    for document in documents {
        let name = || document.attribute.clone();
        let attribute = AttributeType::named(&document.attribute)
            .ok_or_else(|| ProfileError::UnknownAttribute(name()))?;
        if subject.iter().any(|earlier| earlier.attribute == attribute) {
            return Err(ProfileError::RepeatedAttribute(name()));
        }
        let source = match (document.field, &document.text) {
            (Some(field), None) => Source::Field { field, optional: document.optional },
            (None, Some(text)) if !document.optional => {
                attribute.check(text).map_err(|rule| ProfileError::Text(name(), rule))?;
                Source::Text(text.clone())
            }
            _ => return Err(ProfileError::Source(name())),
        };
        subject.push(SubjectAttribute { attribute, source });
    }
    let always = |a: &SubjectAttribute| !matches!(a.source, Source::Field { optional: true, .. });
    if subject.iter().any(always) { Ok(subject) } else { Err(ProfileError::EmptySubject) }
}

fn key_usage(names: &[String]) -> Result<FlagSet<KeyUsages>, ProfileError> {
    names.iter().try_fold(FlagSet::from(None), |usages, name| {
        let known = KEY_USAGES.iter().find(|(known, _)| known == name);
        known.map(|(_, usage)| usages | *usage).ok_or_else(|| ProfileError::UnknownKeyUsage(name.clone()))
    })
}

fn extended_key_usage(names: &[String]) -> Result<Vec<ObjectIdentifier>, ProfileError> {
    let mut purposes = Vec::with_capacity(names.len());
    for name in names {
        let known = KEY_PURPOSES.iter().find(|(known, _)| known == name).map(|(_, oid)| *oid);
        match known.or_else(|| ObjectIdentifier::new(name).ok()) {
            Some(purpose) if !purposes.contains(&purpose) => purposes.push(purpose),
            _ => return Err(ProfileError::UnknownKeyPurpose(name.clone())),
        }
    }
    Ok(purposes)
}

#[cfg(test)]
mod tests;
