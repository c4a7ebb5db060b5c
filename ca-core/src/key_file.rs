//! The names of a key on its owner's disk: the alias inside a `.pfx` file, and the file's own name.
//!
//! Deployed clients show, split and filter keys by these two names, so they are kept to the letter.

use x509_parser::asn1_rs::{FromDer, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;
use x509_parser::x509::AttributeTypeAndValue;

use crate::Timestamp;
use crate::calendar::tashkent_time;
use crate::issue::NotACertificate;
use crate::profile::AttributeType;

/// Where a key file lies: in this folder in the root of a disk.
pub const FOLDER: &str = "DSKEYS";
/// What a key file's name ends with, behind a dot.
pub const EXTENSION: &str = "pfx";

const ORGANIZATION_STIR: &str = "1.2.860.3.16.1.1";
const PINFL: &str = "1.2.860.3.16.1.2";
const UID: &str = "UID";

/// The friendlyName (RFC 2985 section 5.5.1) of a certificate's key: the subject's attributes in the certificate's order
/// as `name=value`, then `serialnumber` in hex, `validfrom` and `validto` as `yyyy.MM.dd HH:mm:ss` in Tashkent, joined by
/// commas, and all of it in small letters (Unicode's, so Cyrillic too).
///
/// A backslash stands before each `=` and `\` of a value (RFC 4514 section 2.4), and control characters are written as
/// `\0a`. Clients make the alias upper-case, exchange `1.2.860.3.16.1.1=` and `.2=` for `INN=` and `PINFL=`, and split it at
/// `/,[A-Z]+=/`: none of that can match inside a value, because in values no letter or digit stands before an `=`. Commas
/// stay as they are, as in the deployed files; [`attributes`] still knows where a value ends.
///
/// # Errors
/// [`NotACertificate`].
pub fn alias(certificate: &[u8]) -> Result<String, NotACertificate> {
    let certificate = read(certificate)?;
    let mut parts: Vec<String> = certificate
        .subject()
        .iter_attributes()
        .map(|attribute| format!("{}={}", name(attribute), escaped(&value(attribute))))
        .collect();
    let validity = certificate.validity();
    parts.push(format!("serialnumber={}", serial(&certificate)));
    parts.push(format!("validfrom={}", dotted(&validity.not_before)));
    parts.push(format!("validto={}", dotted(&validity.not_after)));
    Ok(parts.join(",").to_lowercase())
}

/// The names and values of an alias in their order, escapes taken away. What stands before the first name is left out.
pub fn attributes(alias: &str) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for (text, ends_at_equals_sign) in between_equals_signs(alias) {
        let (value, name) = match text.rsplit_once(',') {
            Some((value, name)) if ends_at_equals_sign => (value, Some(name)),
            None if ends_at_equals_sign => ("", Some(text)),
            _ => (text, None),
        };
        if let Some((_, last)) = attributes.last_mut() {
            *last = unescaped(value);
        }
        attributes.extend(name.map(|name| (name.trim().to_owned(), String::new())));
    }
    attributes
}

/// The number that a key file is named after.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerNumber(String);

/// The certificate names nobody: it has neither a STIR nor a PINFL in its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoOwnerNumber {
    /// The octets are no certificate.
    #[error("not a DER certificate")]
    NotACertificate,
    /// Such a key would be invisible to deployed clients, too.
    #[error("the certificate has neither a STIR nor a PINFL in its subject")]
    Absent,
}

/// The organization's STIR; else the person's own; else, for a person without one, the PINFL.
///
/// # Errors
/// [`NoOwnerNumber`].
pub fn owner_number(certificate: &[u8]) -> Result<OwnerNumber, NoOwnerNumber> {
    let certificate = read(certificate).map_err(|_| NoOwnerNumber::NotACertificate)?;
    let wanted = [(ORGANIZATION_STIR, 9), (UID, 9), (PINFL, 14)];
    let number = wanted.into_iter().find_map(|(name, digits)| {
        let mut found = certificate.subject().iter_attributes().filter(|attribute| {
            AttributeType::named(name)
                .is_some_and(|kind| kind.oid().as_bytes() == attribute.attr_type().as_bytes())
        });
        let number = value(found.next()?);
        (number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
    });
    number.map(OwnerNumber).ok_or(NoOwnerNumber::Absent)
}

impl OwnerNumber {
    /// 9 digits of a STIR, or 14 of a PINFL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file's name without its extension: `DS`, the number, and a running number of four digits that tells this
    /// owner's files apart. There is none for 0 and above 9999.
    pub fn file_stem(&self, running: u16) -> Option<String> {
        (1..=9999).contains(&running).then(|| format!("DS{}{running:04}", self.0))
    }
}

/// The number is personal: its last two digits.
impl std::fmt::Debug for OwnerNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnerNumber(…{})", &self.0[self.0.len() - 2..])
    }
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, NotACertificate> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(NotACertificate),
    }
}

fn name(attribute: &AttributeTypeAndValue<'_>) -> String {
    AttributeType::name_of(attribute.attr_type().as_bytes())
}

/// UTF-8 and its subsets as they are; BMPString is UTF-16 (RFC 5280 section 4.1.2.4).
fn value(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.attr_value();
    if value.tag() == Tag::BmpString {
        let units: Vec<u16> = value
            .data
            .chunks(2)
            .map(|unit| unit.iter().fold(0, |sum, &octet| sum << 8 | u16::from(octet)))
            .collect();
        return String::from_utf16_lossy(&units);
    }
    String::from_utf8_lossy(value.data).into_owned()
}

/// The content octets of the INTEGER in hex, without the octet that only keeps it positive.
fn serial(certificate: &X509Certificate<'_>) -> String {
    match certificate.raw_serial() {
        [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
        octets => hex::encode(octets),
    }
}

fn dotted(time: &ASN1Time) -> String {
    tashkent_time(Timestamp::from_unix_seconds(time.timestamp())).replace('-', ".")
}

fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '=' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => {
                for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                    escaped.push_str(&format!("\\{octet:02x}"));
                }
            }
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescaped(value: &str) -> String {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [c @ (b'=' | b'\\'), after @ ..]) => {
                octets.push(*c);
                rest = after;
            }
            (b'\\', [high, low, after @ ..]) => match hex::decode([*high, *low]) {
                Ok(octet) => {
                    octets.extend(octet);
                    rest = after;
                }
                Err(_) => octets.push(b'\\'),
            },
            _ => octets.push(*first),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The pieces between equals signs that have no backslash before them, and whether one ends the piece.
fn between_equals_signs(alias: &str) -> Vec<(&str, bool)> {
    let (mut pieces, mut start, mut escaping) = (Vec::new(), 0, false);
    for (index, c) in alias.char_indices() {
        match c {
            _ if escaping => escaping = false,
            '\\' => escaping = true,
            '=' => {
                pieces.push((&alias[start..index], true));
                start = index + 1;
            }
            _ => {}
        }
    }
    pieces.push((&alias[start..], false));
    pieces
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::{X509, X509NameBuilder};

    use super::*;

    /// A certificate by openssl with these attributes, valid from 2024-01-15T05:00:00Z to 2026-01-15T18:59:59Z.
    fn certificate(subject: &[(&str, &str)]) -> Vec<u8> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        for (kind, value) in subject {
            let _ = Nid::create(kind, kind, kind);
            name.append_entry_by_text(kind, value).unwrap();
        }
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name.build()).unwrap();
        let serial = BigNum::from_hex_str("F7C60A").unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(1_705_294_800).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(1_768_503_599).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        builder.build().to_der().unwrap()
    }

    const PERSON: &[(&str, &str)] = &[
        ("CN", "ALIYEV ALI Алиевич"),
        ("name", "ALI"),
        ("SN", "ALIYEV"),
        ("L", "Yunusobod tumani"),
        ("ST", "Toshkent shahri"),
        ("C", "UZ"),
        ("O", "не указано"),
        ("UID", "412345678"),
        ("1.2.860.3.16.1.2", "30101901112227"),
    ];
    const TIMES: &str = "serialnumber=f7c60a,validfrom=2024.01.15 10:00:00,validto=2026.01.15 23:59:59";

    #[test]
    fn an_alias_is_the_subject_in_its_order_with_serial_and_times_in_small_letters() {
        let expected = "cn=aliyev ali алиевич,name=ali,surname=aliyev,l=yunusobod tumani,st=toshkent shahri,c=uz,\
                        o=не указано,uid=412345678,1.2.860.3.16.1.2=30101901112227,";
        assert_eq!(alias(&certificate(PERSON)).unwrap(), format!("{expected}{TIMES}"));
        assert_eq!(alias(b"something else"), Err(NotACertificate));
    }

    /// What the vendor's script does: upper case, two replacements, a split at a comma, capital letters and `=`.
    fn names_that_the_deployed_script_sees(alias: &str) -> Vec<String> {
        let alias = alias.to_uppercase();
        let alias = alias.replace("1.2.860.3.16.1.1=", "INN=").replace("1.2.860.3.16.1.2=", "PINFL=");
        let pieces = alias.split('=').map(|piece| piece.rsplit(',').next().unwrap_or(piece).to_owned());
        let mut names: Vec<String> =
            pieces.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase())).collect();
        names.retain(|name| name != "UZ");
        names
    }

    #[test]
    fn no_value_can_pretend_to_be_an_attribute() {
        let nasty = "A, B\\,INN=999999999,1.2.860.3.16.1.1=1,C=";
        let made = alias(&certificate(&[("CN", nasty), ("C", "UZ"), ("1.2.860.3.16.1.2", "30101901112227")]));
        let made = made.unwrap();
        let names = names_that_the_deployed_script_sees(&made);
        assert_eq!(names, ["CN", "C", "PINFL", "SERIALNUMBER", "VALIDFROM", "VALIDTO"], "{made}");
        let read = attributes(&made);
        assert_eq!(read[0], ("cn".to_owned(), nasty.to_lowercase()));
        assert_eq!(read[1], ("c".to_owned(), "uz".to_owned()));
        assert_eq!(read[2], ("1.2.860.3.16.1.2".to_owned(), "30101901112227".to_owned()));
        assert_eq!(read[5], ("validto".to_owned(), "2026.01.15 23:59:59".to_owned()));
    }

    #[test]
    fn foreign_aliases_are_read_without_a_panic() {
        for odd in ["", "=", ",", "\\", "a\\", "plain words", "=x,=y", "a=\\zz,b=\\0"] {
            let _ = attributes(odd);
        }
        assert_eq!(
            attributes("a=1,2,b=3\\0a4"),
            [("a".to_owned(), "1,2".to_owned()), ("b".to_owned(), "3\n4".to_owned())]
        );
    }

    #[test]
    fn a_file_is_named_after_the_stir_or_else_the_pinfl() {
        let number = |subject: &[(&str, &str)]| owner_number(&certificate(subject));
        assert_eq!(number(PERSON).unwrap().file_stem(18).unwrap(), "DS4123456780018");
        let organization = [PERSON, &[("1.2.860.3.16.1.1", "301234567")]].concat();
        assert_eq!(number(&organization).unwrap().file_stem(2).unwrap(), "DS3012345670002");
        let without = [("CN", "X"), ("UID", "x/../y"), ("1.2.860.3.16.1.2", "30101901112227")];
        assert_eq!(number(&without).unwrap().file_stem(9999).unwrap(), "DS301019011122279999");
        assert_eq!(number(&[("CN", "X")]), Err(NoOwnerNumber::Absent));
        assert_eq!(number(PERSON).unwrap().file_stem(0), None);
        assert_eq!(number(PERSON).unwrap().file_stem(10_000), None);
        assert_eq!(format!("{:?}", number(PERSON).unwrap()), "OwnerNumber(…78)");
    }
}
