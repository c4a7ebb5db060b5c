//! The extensions a certificate of ours can carry: written with one ASN.1 library, read back with another.

use std::borrow::Cow;
use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_AD_CA_ISSUERS, ID_AD_OCSP, ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS, ID_QT_CPS,
};
use const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use der::asn1::{Ia5String, Null, OctetString};
use der::flagset::FlagSet;
use der::{Any, Encode};
use x509_cert::ext::pkix::certpolicy::{PolicyInformation, PolicyQualifierInfo};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_parser::asn1_rs::{self, FromDer, Oid};
use x509_parser::extensions::{self as read, ParsedExtension, X509Extension};

use crate::profile::{KEY_PURPOSES, KEY_USAGES};

/// One extension, as far as our profiles use it. What cannot be said with it is not in our certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extension<'a> {
    /// The issuer's key identifier (RFC 5280 section 4.2.1.1).
    AuthorityKeyIdentifier(Cow<'a, [u8]>),
    /// One rfc822Name (section 4.2.1.6).
    SubjectAltName(&'a str),
    /// The bits, digitalSignature as the lowest (section 4.2.1.3).
    KeyUsage(u16),
    /// The purposes in order (section 4.2.1.12).
    ExtendedKeyUsage(Cow<'a, [ObjectIdentifier]>),
    /// One URI (section 4.2.1.13).
    CrlDistributionPoints(Cow<'a, str>),
    /// The subject's key identifier (section 4.2.1.2).
    SubjectKeyIdentifier(Cow<'a, [u8]>),
    /// Section 4.2.1.9.
    BasicConstraints { ca: bool, path_len: Option<u8> },
    /// One policy with a CPS URI (section 4.2.1.4).
    CertificatePolicies { policy: ObjectIdentifier, cps: &'a str },
    /// Section 4.2.2.1.
    AuthorityInfoAccess { ocsp: Option<&'a str>, ca_issuers: Option<&'a str> },
    /// RFC 6960 section 4.2.2.2.1.
    OcspNoCheck,
}

impl<'a> Extension<'a> {
    pub(super) fn oid(&self) -> ObjectIdentifier {
        match self {
            Self::AuthorityKeyIdentifier(_) => ID_CE_AUTHORITY_KEY_IDENTIFIER,
            Self::SubjectAltName(_) => ID_CE_SUBJECT_ALT_NAME,
            Self::KeyUsage(_) => ID_CE_KEY_USAGE,
            Self::ExtendedKeyUsage(_) => ID_CE_EXT_KEY_USAGE,
            Self::CrlDistributionPoints(_) => ID_CE_CRL_DISTRIBUTION_POINTS,
            Self::SubjectKeyIdentifier(_) => ID_CE_SUBJECT_KEY_IDENTIFIER,
            Self::BasicConstraints { .. } => ID_CE_BASIC_CONSTRAINTS,
            Self::CertificatePolicies { .. } => ID_CE_CERTIFICATE_POLICIES,
            Self::AuthorityInfoAccess { .. } => ID_PE_AUTHORITY_INFO_ACCESS,
            Self::OcspNoCheck => ID_PKIX_OCSP_NOCHECK,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::AuthorityKeyIdentifier(_) => "authorityKeyIdentifier",
            Self::SubjectAltName(_) => "subjectAltName",
            Self::KeyUsage(_) => "keyUsage",
            Self::ExtendedKeyUsage(_) => "extKeyUsage",
            Self::CrlDistributionPoints(_) => "cRLDistributionPoints",
            Self::SubjectKeyIdentifier(_) => "subjectKeyIdentifier",
            Self::BasicConstraints { .. } => "basicConstraints",
            Self::CertificatePolicies { .. } => "certificatePolicies",
            Self::AuthorityInfoAccess { .. } => "authorityInfoAccess",
            Self::OcspNoCheck => "id-pkix-ocsp-nocheck",
        }
    }

    /// keyUsage, and basicConstraints of CAs, are critical (RFC 5280 sections 4.2.1.3 and 4.2.1.9); the rest is not.
    pub(super) fn critical(&self) -> bool {
        matches!(self, Self::KeyUsage(_) | Self::BasicConstraints { .. })
    }

    /// The DER that goes into extnValue.
    pub(super) fn encode(&self) -> der::Result<Vec<u8>> {
        match self {
            Self::AuthorityKeyIdentifier(id) => AuthorityKeyIdentifier {
                key_identifier: Some(OctetString::new(id.as_ref())?),
                ..AuthorityKeyIdentifier::default()
            }
            .to_der(),
            Self::SubjectAltName(mailbox) => {
                SubjectAltName(vec![GeneralName::Rfc822Name(Ia5String::new(mailbox)?)]).to_der()
            }
            Self::KeyUsage(bits) => KeyUsage(FlagSet::<KeyUsages>::new_truncated(*bits)).to_der(),
            Self::ExtendedKeyUsage(purposes) => ExtendedKeyUsage(purposes.to_vec()).to_der(),
            Self::CrlDistributionPoints(url) => CrlDistributionPoints(vec![DistributionPoint {
                distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
                reasons: None,
                crl_issuer: None,
            }])
            .to_der(),
            Self::SubjectKeyIdentifier(id) => SubjectKeyIdentifier(OctetString::new(id.as_ref())?).to_der(),
            Self::BasicConstraints { ca, path_len } => {
                BasicConstraints { ca: *ca, path_len_constraint: *path_len }.to_der()
            }
            Self::CertificatePolicies { policy, cps } => CertificatePolicies(vec![PolicyInformation {
                policy_identifier: *policy,
                policy_qualifiers: Some(vec![PolicyQualifierInfo {
                    policy_qualifier_id: ID_QT_CPS,
                    qualifier: Some(Any::from(&Ia5String::new(cps)?)),
                }]),
            }])
            .to_der(),
            Self::AuthorityInfoAccess { ocsp, ca_issuers } => {
                let methods = [(ID_AD_OCSP, ocsp), (ID_AD_CA_ISSUERS, ca_issuers)];
                let described = methods.into_iter().filter_map(|(access_method, url)| {
                    url.map(|url| {
                        uri(url).map(|access_location| AccessDescription { access_method, access_location })
                    })
                });
                AuthorityInfoAccessSyntax(described.collect::<der::Result<_>>()?).to_der()
            }
            Self::OcspNoCheck => Null.to_der(),
        }
    }

    /// What the second reader saw; `None` if it is no extension of ours, or says more than one of ours can.
    pub(super) fn read(extension: &'a X509Extension<'_>) -> Option<Self> {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(read::AuthorityKeyIdentifier {
                key_identifier: Some(id),
                authority_cert_issuer: None,
                authority_cert_serial: None,
            }) => Some(Self::AuthorityKeyIdentifier(id.0.into())),
            ParsedExtension::SubjectAlternativeName(names) => match names.general_names.as_slice() {
                [read::GeneralName::RFC822Name(mailbox)] => Some(Self::SubjectAltName(mailbox)),
                _ => None,
            },
            ParsedExtension::KeyUsage(usage) => Some(Self::KeyUsage(usage.flags)),
            // Read again: the parsed form has forgotten the order.
            ParsedExtension::ExtendedKeyUsage(_) => {
                let (rest, purposes) = Vec::<Oid<'_>>::from_der(extension.value).ok()?;
                let purposes: Option<Vec<_>> = purposes.iter().map(to_oid).collect();
                purposes.filter(|_| rest.is_empty()).map(|purposes| Self::ExtendedKeyUsage(purposes.into()))
            }
            ParsedExtension::CRLDistributionPoints(points) => match points.points.as_slice() {
                [
                    read::CRLDistributionPoint {
                        distribution_point: Some(read::DistributionPointName::FullName(names)),
                        reasons: None,
                        crl_issuer: None,
                    },
                ] => only_uri(names).map(|uri| Self::CrlDistributionPoints(uri.into())),
                _ => None,
            },
            ParsedExtension::SubjectKeyIdentifier(id) => Some(Self::SubjectKeyIdentifier(id.0.into())),
            ParsedExtension::BasicConstraints(constraints) => {
                let path_len = constraints.path_len_constraint.map(u8::try_from).transpose().ok()?;
                Some(Self::BasicConstraints { ca: constraints.ca, path_len })
            }
            ParsedExtension::CertificatePolicies(policies) => read_policies(policies),
            ParsedExtension::AuthorityInfoAccess(access) => read_access(&access.accessdescs),
            _ if extension.oid.as_bytes() == ID_PKIX_OCSP_NOCHECK.as_bytes() && extension.value == [5, 0] => {
                Some(Self::OcspNoCheck)
            }
            _ => None,
        }
    }
}

fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}

fn to_oid(oid: &Oid<'_>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(oid.as_bytes()).ok()
}

fn only_uri<'a>(names: &'a [read::GeneralName<'_>]) -> Option<&'a str> {
    match names {
        [read::GeneralName::URI(url)] => Some(url),
        _ => None,
    }
}

fn read_policies<'a>(policies: &'a [read::PolicyInformation<'_>]) -> Option<Extension<'a>> {
    let [information] = policies else { return None };
    let [qualifier] = information.policy_qualifiers.as_deref()? else { return None };
    let (rest, cps) = asn1_rs::Any::from_der(qualifier.qualifier).ok()?;
    let is_cps = qualifier.policy_qualifier_id.as_bytes() == ID_QT_CPS.as_bytes();
    if !rest.is_empty() || !is_cps || cps.tag() != asn1_rs::Tag::Ia5String {
        return None;
    }
    let cps = std::str::from_utf8(cps.data).ok()?;
    Some(Extension::CertificatePolicies { policy: to_oid(&information.policy_id)?, cps })
}

fn read_access<'a>(descriptions: &'a [read::AccessDescription<'_>]) -> Option<Extension<'a>> {
    let (mut ocsp, mut ca_issuers) = (None, None);
    for description in descriptions {
        let url = only_uri(std::slice::from_ref(&description.access_location))?;
        let place = match to_oid(&description.access_method)? {
            // RFC 5280 does not order them; our certificates do: OCSP first.
            ID_AD_OCSP if ca_issuers.is_none() => &mut ocsp,
            ID_AD_CA_ISSUERS => &mut ca_issuers,
            _ => return None,
        };
        if place.replace(url).is_some() {
            return None;
        }
    }
    Some(Extension::AuthorityInfoAccess { ocsp, ca_issuers })
}

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorityKeyIdentifier(id) | Self::SubjectKeyIdentifier(id) => {
                f.write_str(&hex::encode(id))
            }
            Self::SubjectAltName(mailbox) => write!(f, "rfc822Name {mailbox}"),
            Self::KeyUsage(bits) => {
                let set = KEY_USAGES.iter().filter(|(_, usage)| bits & FlagSet::from(*usage).bits() != 0);
                f.write_str(&set.map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
            }
            Self::ExtendedKeyUsage(purposes) => {
                let name = |oid: &ObjectIdentifier| {
                    let known = KEY_PURPOSES.iter().find(|(_, known)| known == oid);
                    known.map_or_else(|| oid.to_string(), |(name, _)| (*name).to_owned())
                };
                f.write_str(&purposes.iter().map(name).collect::<Vec<_>>().join(", "))
            }
            Self::CrlDistributionPoints(url) => f.write_str(url),
            Self::BasicConstraints { ca, path_len: None } => write!(f, "cA {ca}"),
            Self::BasicConstraints { ca, path_len: Some(length) } => write!(f, "cA {ca}, pathLen {length}"),
            Self::CertificatePolicies { policy, cps } => write!(f, "{policy}, CPS {cps}"),
            Self::AuthorityInfoAccess { ocsp, ca_issuers } => {
                let ocsp = ocsp.map(|url| format!("OCSP {url}"));
                let ca_issuers = ca_issuers.map(|url| format!("caIssuers {url}"));
                f.write_str(&ocsp.into_iter().chain(ca_issuers).collect::<Vec<_>>().join(", "))
            }
            Self::OcspNoCheck => f.write_str("NULL"),
        }
    }
}
