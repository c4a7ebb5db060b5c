//! A certificate as people read it: for officers, the command line and snapshots. It shows what the second reader read.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use const_oid::ObjectIdentifier;
use const_oid::db::DB;
use x509_parser::asn1_rs::{FromDer, Oid, Tag};
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::extensions::X509Extension;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use super::extension::Extension;
use super::lint::timestamp;
use crate::SerialNumber;
use crate::profile::AttributeType;

/// The octets are neither a DER Certificate nor a DER TBSCertificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a DER certificate")]
pub struct NotACertificate;

/// The readable form of a DER Certificate, or of a TBSCertificate that waits for its signature.
///
/// # Errors
/// [`NotACertificate`].
pub fn render(der: &[u8]) -> Result<String, NotACertificate> {
    if let Ok(([], certificate)) = X509Certificate::from_der(der) {
        return Ok(text(&certificate.tbs_certificate));
    }
    match TbsCertificate::from_der(der) {
        Ok(([], tbs)) => Ok(text(&tbs)),
        _ => Err(NotACertificate),
    }
}

/// The subject of the same octets on one line, for example `CN=Ali Valiyev,C=UZ`.
pub(super) fn subject(tbs: &[u8]) -> Result<String, NotACertificate> {
    TbsCertificate::from_der(tbs).map(|(_, tbs)| name(tbs.subject())).map_err(|_| NotACertificate)
}

fn text(tbs: &TbsCertificate<'_>) -> String {
    let mut lines = vec![
        format!("version: {}", tbs.version().0 + 1),
        format!("serial: {}", serial(tbs.raw_serial())),
        format!("signature: {}", algorithm(&tbs.signature.algorithm)),
        format!("issuer: {}", name(tbs.issuer())),
        format!("not before: {}", timestamp(&tbs.validity().not_before)),
        format!("not after: {}", timestamp(&tbs.validity().not_after)),
        "subject:".to_owned(),
    ];
    for attribute in tbs.subject().iter_attributes() {
        let value = attribute.attr_value();
        let attribute_name = AttributeType::name_of(attribute.attr_type().as_bytes());
        lines.push(format!("  {attribute_name}: {} ({})", printable(value.data), string_type(value.tag())));
    }
    lines.push(format!("public key: {}", public_key(tbs.public_key())));
    lines.push(format!("  SHA-256 {}", hex::encode(digest(&SHA256, tbs.public_key().raw))));
    lines.push("extensions:".to_owned());
    for extension in tbs.extensions() {
        let value =
            Extension::read(extension).map_or_else(|| hex::encode(extension.value), |read| read.to_string());
        let critical = if extension.critical { " (critical)" } else { "" };
        lines.push(format!("  {}{critical}: {value}", extension_name(extension)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// As URLs and lists write it; the octets as they are if no serial may be like that.
pub(super) fn serial(octets: &[u8]) -> String {
    SerialNumber::try_from(octets).map_or_else(|_| hex::encode(octets), |serial| serial.to_string())
}

/// The attributes in the order of the RDNs, `+` inside an RDN.
pub(super) fn name(name: &X509Name<'_>) -> String {
    let attribute = |(oid, data): (&Oid<'_>, &[u8])| {
        format!("{}={}", AttributeType::name_of(oid.as_bytes()), printable(data))
    };
    let rdns = name.iter_rdn().map(|rdn| {
        let attributes = rdn.iter().map(|a| attribute((a.attr_type(), a.attr_value().data)));
        attributes.collect::<Vec<_>>().join("+")
    });
    rdns.collect::<Vec<_>>().join(",")
}

/// The extension's name, or its dotted OID.
pub(super) fn extension_name(extension: &X509Extension<'_>) -> String {
    Extension::read(extension).map_or_else(|| algorithm(&extension.oid), |read| read.name().to_owned())
}

/// The registered name of an OID, or the dotted OID.
fn algorithm(oid: &Oid<'_>) -> String {
    let known = ObjectIdentifier::from_bytes(oid.as_bytes()).ok().and_then(|oid| DB.by_oid(&oid));
    known.map_or_else(|| oid.to_id_string(), str::to_owned)
}

fn public_key(key: &SubjectPublicKeyInfo<'_>) -> String {
    let mut text = algorithm(&key.algorithm.algorithm);
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match (key.parsed(), curve) {
        (Ok(PublicKey::RSA(rsa)), _) => {
            let _ = write!(text, " {} bits", rsa.key_size());
        }
        (_, Some(curve)) => {
            let _ = write!(text, " {}", algorithm(&curve));
        }
        _ => {}
    }
    text
}

fn string_type(tag: Tag) -> String {
    match tag {
        Tag::Utf8String => "UTF8String".to_owned(),
        Tag::PrintableString => "PrintableString".to_owned(),
        Tag::Ia5String => "IA5String".to_owned(),
        other => other.to_string(),
    }
}

/// UTF-8 with control characters escaped, so that a foreign certificate cannot forge a line.
fn printable(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
