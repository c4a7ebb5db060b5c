//! A profile as it is written, and the rules it has to keep to become a [`Profile`].

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ANY_POLICY, ID_KP_EMAIL_PROTECTION, ID_KP_OCSP_SIGNING, ID_KP_TIME_STAMPING,
};
use serde::{Deserialize, Serialize};
use x509_cert::der::flagset::FlagSet;
use x509_cert::ext::pkix::KeyUsages;

use crate::crl::Partition;

use super::{
    AttributeType, ID_KP_DOCUMENT_SIGNING, InvalidValue, KEY_PURPOSES, KEY_USAGES, Kind, Profile, Source,
    SubjectAttribute, SubjectField,
};

/// A profile as `config/profiles/*.toml` writes it; the comments there explain each key.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    #[serde(default = "undivided")]
    pub crl_shards: u16,
    #[serde(default)]
    pub ocsp: bool,
    #[serde(default)]
    pub ca_issuers: bool,
}

fn undivided() -> u16 {
    1
}

/// One attribute of the subject in a [`ProfileDocument`]: either `field`, or `text`.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// section 4.2.2.2.1); of an officer's certificate nobody else needs to know; anybody else must be checkable.
    #[error(
        "the status pointers (crl_distribution_point, ocsp, ca_issuers) do not fit the kind of certificate"
    )]
    StatusPointers,
    /// Only subscribers are so many, and only who has a distribution point can find a shard.
    #[error("crl_shards: 1 to {max}, and more than 1 only for subscribers with a CRL distribution point", max = Partition::MOST)]
    CrlShards,
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
            crl_shards: document.crl_shards,
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
    /// The profile as it would be written: what it was read from, with every default said.
    pub fn document(&self) -> ProfileDocument {
        let usages = KEY_USAGES.iter().filter(|(_, usage)| self.key_usage.contains(*usage));
        let purpose = |oid: &ObjectIdentifier| {
            let known = KEY_PURPOSES.iter().find(|(_, known)| known == oid);
            known.map_or_else(|| oid.to_string(), |(name, _)| (*name).to_owned())
        };
        let attribute = |of: &SubjectAttribute| {
            let (field, text, optional) = match &of.source {
                Source::Field { field, optional } => (Some(*field), None, *optional),
                Source::Text(text) => (None, Some(text.clone()), false),
            };
            SubjectAttributeDocument { attribute: of.attribute.name().to_owned(), field, text, optional }
        };
        ProfileDocument {
            name: self.name.clone(),
            kind: self.kind,
            default_months: self.default_months,
            max_months: self.max_months,
            subject: self.subject.iter().map(attribute).collect(),
            key_usage: usages.map(|(name, _)| (*name).to_owned()).collect(),
            extended_key_usage: self.extended_key_usage.iter().map(purpose).collect(),
            policy: self.policy.map(|policy| policy.to_string()),
            path_len: self.path_len,
            crl_distribution_point: self.crl_distribution_point,
            crl_shards: self.crl_shards,
            ocsp: self.ocsp,
            ca_issuers: self.ca_issuers,
        }
    }

    fn check_usages(&self) -> Result<(), ProfileError> {
        let ca = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
        let usage_fits = match self.kind {
            Kind::Root | Kind::IssuingCa => {
                self.key_usage.contains(ca) && (self.key_usage - ca - KeyUsages::DigitalSignature).is_empty()
            }
            Kind::OcspSigner => self.key_usage == FlagSet::from(KeyUsages::DigitalSignature),
            Kind::EndEntity | Kind::Officer => self.key_usage.is_disjoint(ca) && !self.key_usage.is_empty(),
        };
        if !usage_fits {
            return Err(ProfileError::KeyUsage);
        }
        let purposes = &self.extended_key_usage;
        let reserved = [ANY_EXTENDED_KEY_USAGE, ID_KP_OCSP_SIGNING, ID_KP_TIME_STAMPING];
        let purposes_fit = match self.kind {
            Kind::Root | Kind::IssuingCa => purposes.is_empty(),
            Kind::OcspSigner => purposes == &[ID_KP_OCSP_SIGNING],
            Kind::EndEntity | Kind::Officer => !purposes.iter().any(|purpose| reserved.contains(purpose)),
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
            Kind::OcspSigner | Kind::EndEntity | Kind::Officer => self.path_len.is_none(),
        };
        if !path_len_fits {
            return Err(ProfileError::PathLen);
        }
        let (crl, ocsp, issuers) = (self.crl_distribution_point, self.ocsp, self.ca_issuers);
        let pointers_fit = match self.kind {
            Kind::Root | Kind::OcspSigner | Kind::Officer => !crl && !ocsp && !issuers,
            Kind::IssuingCa | Kind::EndEntity => (crl || ocsp) && issuers,
        };
        if !pointers_fit {
            return Err(ProfileError::StatusPointers);
        }
        let may_be_divided = self.kind == Kind::EndEntity && crl;
        match self.crl_shards {
            1 => Ok(()),
            2..=Partition::MOST if may_be_divided => Ok(()),
            _ => Err(ProfileError::CrlShards),
        }
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
