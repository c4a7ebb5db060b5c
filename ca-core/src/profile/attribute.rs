//! The attributes of a subject name: which field fills one, how it is encoded, and how long it may be.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3280, rfc4519};
use der::Tag;
use serde::{Deserialize, Serialize};

/// What a subject name is made from. Which of it a certificate shows, and in what order, its profile says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field is documented at the SubjectField of its name
pub struct SubjectFields {
    pub common_name: Option<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub organization: Option<String>,
    pub organizational_unit: Option<String>,
    pub district: Option<String>,
    pub region: Option<String>,
    pub country: Option<String>,
    pub uid: Option<String>,
    pub pinfl: Option<String>,
    pub organization_stir: Option<String>,
    pub title: Option<String>,
    pub email: Option<String>,
    pub business_category: Option<String>,
}

/// The name of a field of [`SubjectFields`], as profiles write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectField {
    /// A person's full name, or the name of a CA or OCSP signer.
    CommonName,
    /// The given name.
    GivenName,
    /// The family name.
    Surname,
    /// The legal entity's name.
    Organization,
    /// A department of it.
    OrganizationalUnit,
    /// District or city.
    District,
    /// Region.
    Region,
    /// ISO 3166 code of two letters.
    Country,
    /// The person's own STIR.
    Uid,
    /// The person's PINFL, 14 digits.
    Pinfl,
    /// The organization's STIR, 9 digits.
    OrganizationStir,
    /// The position held in the organization.
    Title,
    /// The mailbox; it is repeated as an rfc822Name in subjectAltName.
    Email,
    /// The kind of activity.
    BusinessCategory,
}

impl SubjectFields {
    /// The value of a field, if it was given.
    pub fn get(&self, field: SubjectField) -> Option<&str> {
        match field {
            SubjectField::CommonName => &self.common_name,
            SubjectField::GivenName => &self.given_name,
            SubjectField::Surname => &self.surname,
            SubjectField::Organization => &self.organization,
            SubjectField::OrganizationalUnit => &self.organizational_unit,
            SubjectField::District => &self.district,
            SubjectField::Region => &self.region,
            SubjectField::Country => &self.country,
            SubjectField::Uid => &self.uid,
            SubjectField::Pinfl => &self.pinfl,
            SubjectField::OrganizationStir => &self.organization_stir,
            SubjectField::Title => &self.title,
            SubjectField::Email => &self.email,
            SubjectField::BusinessCategory => &self.business_category,
        }
        .as_deref()
    }
}

/// What the characters of an attribute's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// UTF8String without control characters.
    Text,
    /// UTF8String of decimal digits.
    Digits,
    /// PrintableString of upper-case letters.
    Country,
    /// PrintableString.
    Printable,
    /// IA5String that is one mailbox.
    Mailbox,
}

/// A type of attribute: its name for people, its OID, its string type, and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeType {
    name: String,
    oid: ObjectIdentifier,
    form: Form,
    min: usize,
    max: usize,
}

/// The upper bounds are RFC 5280 appendix A.1's (`ub-…`); UID's is RFC 4524's. The two national numbers have a fixed length.
const KNOWN: [(&str, ObjectIdentifier, Form, usize, usize); 17] = [
    ("CN", rfc4519::CN, Form::Text, 1, 64),
    ("Name", rfc4519::NAME, Form::Text, 1, 32_768),
    ("SURNAME", rfc4519::SN, Form::Text, 1, 32_768),
    ("GIVENNAME", rfc4519::GIVEN_NAME, Form::Text, 1, 32_768),
    ("O", rfc4519::O, Form::Text, 1, 64),
    ("OU", rfc4519::OU, Form::Text, 1, 64),
    ("L", rfc4519::L, Form::Text, 1, 128),
    ("ST", rfc4519::ST, Form::Text, 1, 128),
    ("C", rfc4519::C, Form::Country, 2, 2),
    ("SERIALNUMBER", rfc4519::SERIAL_NUMBER, Form::Printable, 1, 64),
    ("T", rfc4519::TITLE, Form::Text, 1, 64),
    ("BusinessCategory", rfc4519::BUSINESS_CATEGORY, Form::Text, 1, 128),
    ("UID", rfc4519::UID, Form::Text, 1, 256),
    ("E", rfc3280::EMAIL_ADDRESS, Form::Mailbox, 3, 255),
    ("organizationIdentifier", ObjectIdentifier::new_unwrap("2.5.4.97"), Form::Text, 1, 128),
    ("1.2.860.3.16.1.1", ObjectIdentifier::new_unwrap("1.2.860.3.16.1.1"), Form::Digits, 9, 9),
    ("1.2.860.3.16.1.2", ObjectIdentifier::new_unwrap("1.2.860.3.16.1.2"), Form::Digits, 14, 14),
];

/// The rule that a value breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// Shorter than the attribute allows; usually empty.
    #[error("shorter than {0} characters")]
    TooShort(usize),
    /// Over the upper bound of RFC 5280 appendix A.1.
    #[error("longer than {0} characters")]
    TooLong(usize),
    /// Space at an end, or a control character.
    #[error("has control characters, or spaces at its ends")]
    Unprintable,
    /// Not made of decimal digits.
    #[error("not decimal digits")]
    NotDigits,
    /// Not an ISO 3166 code in upper case.
    #[error("not two capital letters")]
    NotCountry,
    /// Outside the character set of PrintableString.
    #[error("not a PrintableString")]
    NotPrintable,
    /// Not `local@domain` in ASCII (RFC 5280 section 4.1.2.6 allows IA5String only).
    #[error("not a mailbox in ASCII")]
    NotMailbox,
}

impl AttributeType {
    /// By its short name in this module's table, or by a dotted OID; an OID outside the table is UTF8String of at most
    /// 64 characters.
    pub fn named(name: &str) -> Option<Self> {
        let known = KNOWN.iter().find(|known| known.0 == name);
        let oid = match known {
            Some(known) => known.1,
            None => ObjectIdentifier::new(name).ok()?,
        };
        Some(Self::of(oid))
    }

    fn of(oid: ObjectIdentifier) -> Self {
        match KNOWN.iter().find(|known| known.1 == oid) {
            Some(&(name, oid, form, min, max)) => Self { name: name.to_owned(), oid, form, min, max },
            None => Self { name: oid.to_string(), oid, form: Form::Text, min: 1, max: 64 },
        }
    }

    /// The name that people read for the attribute with these OID content octets; dotted when it has none.
    pub(crate) fn name_of(oid: &[u8]) -> String {
        match ObjectIdentifier::from_bytes(oid) {
            Ok(oid) => Self::of(oid).name,
            Err(_) => hex::encode(oid),
        }
    }

    /// The short name, or the dotted OID of an attribute without one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The OID.
    pub fn oid(&self) -> ObjectIdentifier {
        self.oid
    }

    /// The universal tag of the value: RFC 5280 section 4.1.2.4 and the attribute's own definition.
    pub fn tag(&self) -> Tag {
        match self.form {
            Form::Text | Form::Digits => Tag::Utf8String,
            Form::Country | Form::Printable => Tag::PrintableString,
            Form::Mailbox => Tag::Ia5String,
        }
    }

    /// Whether the value is a mailbox, which subjectAltName repeats.
    pub(crate) fn is_mailbox(&self) -> bool {
        self.form == Form::Mailbox
    }

    /// Bounds count characters, not octets (RFC 5280 appendix A.1).
    ///
    /// # Errors
    /// The first rule the value breaks.
    pub fn check(&self, value: &str) -> Result<(), InvalidValue> {
        let length = value.chars().count();
        let digits = value.bytes().all(|b| b.is_ascii_digit());
        match self.form {
            _ if length < self.min => Err(InvalidValue::TooShort(self.min)),
            _ if length > self.max => Err(InvalidValue::TooLong(self.max)),
            _ if value.trim() != value || value.chars().any(char::is_control) => {
                Err(InvalidValue::Unprintable)
            }
            Form::Digits if !digits => Err(InvalidValue::NotDigits),
            Form::Country if !value.bytes().all(|b| b.is_ascii_uppercase()) => Err(InvalidValue::NotCountry),
            Form::Printable if !value.bytes().all(is_printable_string) => Err(InvalidValue::NotPrintable),
            Form::Mailbox if !is_mailbox(value) => Err(InvalidValue::NotMailbox),
            _ => Ok(()),
        }
    }
}

/// X.680 section 41.4.
fn is_printable_string(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

fn is_mailbox(value: &str) -> bool {
    let parts = value.split_once('@');
    value.bytes().all(|b| b.is_ascii_graphic())
        && parts
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_counted_in_characters_and_kept() {
        let check = |name: &str, value: &str| AttributeType::named(name).unwrap().check(value);
        assert_eq!(check("CN", &"ў".repeat(64)), Ok(()));
        assert_eq!(check("CN", &"ў".repeat(65)), Err(InvalidValue::TooLong(64)));
        assert_eq!(check("L", &"a".repeat(128)), Ok(()));
        assert_eq!(check("ST", &"a".repeat(129)), Err(InvalidValue::TooLong(128)));
        assert_eq!(check("O", ""), Err(InvalidValue::TooShort(1)));
        assert_eq!(check("O", " x"), Err(InvalidValue::Unprintable));
        assert_eq!(check("O", "x\u{7}y"), Err(InvalidValue::Unprintable));
        assert_eq!(check("2.5.4.100", &"a".repeat(65)), Err(InvalidValue::TooLong(64)));
    }

    #[test]
    fn each_attribute_keeps_its_character_set() {
        let check = |name: &str, value: &str| AttributeType::named(name).unwrap().check(value);
        assert_eq!(check("C", "uz"), Err(InvalidValue::NotCountry));
        assert_eq!(check("1.2.860.3.16.1.2", "3010190000001x"), Err(InvalidValue::NotDigits));
        assert_eq!(check("1.2.860.3.16.1.1", "30101900"), Err(InvalidValue::TooShort(9)));
        assert_eq!(check("SERIALNUMBER", "PNO_1"), Err(InvalidValue::NotPrintable));
        for mailbox in ["a", "@uz", "a@", "a@b@c", "a b@uz", "почта@uz", "ali"] {
            assert!(check("E", mailbox).is_err(), "{mailbox}");
        }
        assert_eq!(check("E", "ali@example.uz"), Ok(()));
    }
}
