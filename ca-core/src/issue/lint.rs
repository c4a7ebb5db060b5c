//! The pre-issuance lint: the certificate, signed with a throwaway key, is read back by a parser that did not write it,
//! and every rule is asserted on what was read.

use std::borrow::Cow;
use std::collections::HashSet;

use spki::AlgorithmIdentifierOwned;
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AlgorithmIdentifier, X509Name, X509Version};

use super::content::{Content, end};
use super::extension::Extension;
use super::{Finding, Issuer, render};
use crate::profile::{AttributeType, Profile};
use crate::{SerialNumber, Timestamp};

/// Everything in `certificate` (whose TBS is meant to be `tbs`) that is not as decided.
pub(super) fn check(
    issuer: &Issuer,
    profile: &Profile,
    content: &Content<'_>,
    certificate: &[u8],
    tbs: &[u8],
) -> Vec<Finding> {
    let read = match X509Certificate::from_der(certificate) {
        Ok(([], read)) => read,
        Ok(_) => return vec![Finding::Unreadable("octets follow the certificate".to_owned())],
        Err(error) => return vec![Finding::Unreadable(error.to_string())],
    };
    let mut findings = Vec::new();
    if read.tbs_certificate.as_ref() != tbs {
        findings.push(Finding::Unreadable("the signed part has octets that belong to no field".to_owned()));
    }
    check_algorithms(issuer, &read, &mut findings);
    check_identity(issuer, content, &read, &mut findings);
    check_validity(issuer, profile, content, &read, &mut findings);
    check_subject(&content.subject, read.subject(), &mut findings);
    check_extensions(&content.extensions, &read, &mut findings);
    findings
}

fn differ(field: &'static str, expected: impl ToString, found: impl ToString) -> Finding {
    Finding::Field { field, expected: expected.to_string(), found: found.to_string() }
}

/// RFC 5280 section 4.1.1.2: the two AlgorithmIdentifiers are the same, and the issuer's.
fn check_algorithms(issuer: &Issuer, read: &X509Certificate<'_>, findings: &mut Vec<Finding>) {
    let expected = &issuer.signer.algorithm().identifier;
    for (field, found) in [("signature", &read.signature), ("signatureAlgorithm", &read.signature_algorithm)]
    {
        if !same_algorithm(expected, found) {
            findings.push(differ(field, expected.oid, found.algorithm.to_id_string()));
        }
    }
}

fn same_algorithm(expected: &AlgorithmIdentifierOwned, found: &AlgorithmIdentifier<'_>) -> bool {
    let same_parameters = match (&expected.parameters, &found.parameters) {
        (None, None) => true,
        (Some(expected), Some(found)) => {
            u32::from(u8::from(der::Tagged::tag(expected)) & 0x1f) == found.tag().0
                && expected.value() == found.data
        }
        _ => false,
    };
    expected.oid.as_bytes() == found.algorithm.as_bytes() && same_parameters
}

/// Version, serial, issuer, key; and none of the unique identifiers (RFC 5280 section 4.1.2.8).
fn check_identity(
    issuer: &Issuer,
    content: &Content<'_>,
    read: &TbsCertificate<'_>,
    findings: &mut Vec<Finding>,
) {
    if read.version() != X509Version::V3 {
        findings.push(differ("version", "v3", read.version()));
    }
    if SerialNumber::try_from(read.raw_serial()) != Ok(content.serial) {
        findings.push(differ("serialNumber", content.serial, render::serial(read.raw_serial())));
    }
    if read.issuer().as_raw() != issuer.subject {
        let expected = X509Name::from_der(&issuer.subject)
            .map_or_else(|_| hex::encode(&issuer.subject), |(_, name)| render::name(&name));
        findings.push(differ("issuer", expected, render::name(read.issuer())));
    }
    if read.public_key().raw != content.public_key {
        let (expected, found) = (hex::encode(content.public_key), hex::encode(read.public_key().raw));
        findings.push(differ("subjectPublicKeyInfo", expected, found));
    }
    for (field, present) in
        [("issuerUniqueID", read.issuer_uid.is_some()), ("subjectUniqueID", read.subject_uid.is_some())]
    {
        if present {
            findings.push(differ(field, "absent", "present"));
        }
    }
}

fn check_validity(
    issuer: &Issuer,
    profile: &Profile,
    content: &Content<'_>,
    read: &TbsCertificate<'_>,
    findings: &mut Vec<Finding>,
) {
    let (not_before, not_after) = (&read.validity().not_before, &read.validity().not_after);
    for (field, expected, found) in
        [("notBefore", content.not_before, not_before), ("notAfter", content.not_after, not_after)]
    {
        if timestamp(found) != expected {
            findings.push(differ(field, expected, timestamp(found)));
        }
        if found.is_utctime() != (timestamp(found).to_offset_date_time().year() <= 2049) {
            findings.push(differ(field, "UTCTime through 2049, GeneralizedTime after", "the other type"));
        }
    }
    let latest = end(timestamp(not_before), profile.max_months()).min(issuer.not_after);
    if timestamp(not_after) > latest {
        findings.push(differ("notAfter", format!("at most {latest}"), timestamp(not_after)));
    }
}

pub(super) fn timestamp(time: &ASN1Time) -> Timestamp {
    Timestamp::from_unix_seconds(time.timestamp())
}

/// Names, order, string types and values; each value is held against its bounds again.
fn check_subject(expected: &[(&AttributeType, &str)], read: &X509Name<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::with_capacity(expected.len());
    for rdn in read.iter_rdn() {
        let mut attributes = rdn.iter();
        match (attributes.next(), attributes.next()) {
            (Some(attribute), None) => found.push(attribute),
            _ => return findings.push(differ("subject", "one attribute in each RDN", render::name(read))),
        }
    }
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, (attribute, value))| {
            found.attr_type().as_bytes() == attribute.oid().as_bytes()
                && found.attr_value().tag().0 == u32::from(u8::from(attribute.tag()) & 0x1f)
                && found.attr_value().data == value.as_bytes()
        });
    if !same {
        let meant: Vec<_> =
            expected.iter().map(|(attribute, value)| format!("{}={value}", attribute.name())).collect();
        findings.push(differ("subject", meant.join(","), render::name(read)));
    }
    for (found, (attribute, _)) in found.iter().zip(expected) {
        let value = String::from_utf8_lossy(found.attr_value().data);
        if let Err(rule) = attribute.check(&value) {
            findings.push(Finding::Value { attribute: attribute.name().to_owned(), rule });
        }
    }
}

/// Each expected extension once, with its criticality and value; no other.
fn check_extensions(expected: &[Extension<'_>], read: &TbsCertificate<'_>, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::with_capacity(expected.len());
    for extension in read.extensions() {
        let oid = extension.oid.as_bytes();
        let Some(meant) = expected.iter().find(|meant| meant.oid().as_bytes() == oid) else {
            findings.push(Finding::ExtensionUnexpected(render::extension_name(extension)));
            continue;
        };
        if !seen.insert(oid) {
            findings.push(Finding::ExtensionTwice(meant.name()));
        }
        if extension.critical != meant.critical() {
            findings.push(Finding::ExtensionCriticality { name: meant.name(), critical: meant.critical() });
        }
        let found = Extension::read(extension);
        if found.as_ref() != Some(meant) {
            let found = found
                .map_or_else(|| Cow::from(hex::encode(extension.value)), |found| found.to_string().into());
            findings.push(differ(meant.name(), meant, found));
        }
    }
    let missing = expected.iter().filter(|meant| !seen.contains(meant.oid().as_bytes()));
    findings.extend(missing.map(|meant| Finding::ExtensionMissing(meant.name())));
}
