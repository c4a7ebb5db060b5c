//! Who a certificate is about: parsed once from what a form says, never wrong afterwards.
//!
//! Numbers of persons are masked in every `Debug` output, so that a log line cannot leak one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::Date;

/// Gives a text type its three doors (`FromStr`, `TryFrom<String>` for serde, `From` back) beside `parse` and `as_str`.
macro_rules! text_type {
    ($type:ty, $error:ty) => {
        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}

mod document;
mod email;
mod fields;
mod form;
mod name;
mod organization;
mod phone;
mod pinfl;
mod region;
mod stir;
mod text;

pub use document::{DocumentNumber, DocumentNumberError};
pub use email::{Email, EmailError};
pub use form::{FieldError, Rule, SubjectForm, Warning};
pub use name::PersonName;
pub use organization::{JobTitle, OrganizationName};
pub use phone::{Phone, PhoneError};
pub use pinfl::{Pinfl, PinflError, Sex};
pub use region::{District, Names, Region, RegionError, Regions, RegionsError};
pub use stir::{Stir, StirError, StirKind};
pub use text::{Script, TextError};

/// Which of the three profiles of subscriber a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// A person, for themselves.
    NaturalPerson,
    /// A person who does business under their own name (YaTT).
    SoleProprietor,
    /// A person who acts for an organization: its head or a representative.
    LegalEntity,
}

impl SubjectType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::NaturalPerson, Self::SoleProprietor, Self::LegalEntity];

    /// The name in JSON, in the database and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NaturalPerson => "natural_person",
            Self::SoleProprietor => "sole_proprietor",
            Self::LegalEntity => "legal_entity",
        }
    }
}

impl fmt::Display for SubjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no subject type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a subject type: natural_person, sole_proprietor or legal_entity")]
pub struct UnknownSubjectType;

impl FromStr for SubjectType {
    type Err = UnknownSubjectType;

    fn from_str(text: &str) -> Result<Self, UnknownSubjectType> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownSubjectType)
    }
}

/// The person who will hold the key. [`SubjectForm::check`] and the stored JSON are its only sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Person {
    /// Personal number.
    pub pinfl: Pinfl,
    /// Passport or ID card. Every form states it; what is stored is without it, because it is sealed apart and may be erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentNumber>,
    /// Family name.
    pub surname: PersonName,
    /// First name.
    pub given_name: PersonName,
    /// Father's name, where the document shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patronymic: Option<PersonName>,
    /// The same as in the PINFL.
    #[serde(with = "crate::calendar")]
    pub birth_date: Date,
}

/// The subject of a certificate. Stored as JSON with the type in `subject_type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "subject_type", rename_all = "snake_case")]
pub enum Subject {
    /// A person, for themselves.
    NaturalPerson {
        /// The holder.
        person: Person,
    },
    /// A person who does business under their own name.
    SoleProprietor {
        /// The holder.
        person: Person,
        /// Their taxpayer number.
        stir: Stir,
    },
    /// A person who acts for an organization.
    LegalEntity {
        /// The holder of the key, not necessarily the head.
        person: Person,
        /// The organization's taxpayer number.
        stir: Stir,
        /// The organization.
        organization: OrganizationName,
        /// The holder's position in it.
        title: JobTitle,
        /// The head's personal number.
        head_pinfl: Pinfl,
    },
}

impl Subject {
    /// Longest common name in characters (RFC 5280 appendix A.1, ub-common-name).
    pub const COMMON_NAME_MAX: usize = 64;

    /// Which profile applies.
    pub fn subject_type(&self) -> SubjectType {
        match self {
            Self::NaturalPerson { .. } => SubjectType::NaturalPerson,
            Self::SoleProprietor { .. } => SubjectType::SoleProprietor,
            Self::LegalEntity { .. } => SubjectType::LegalEntity,
        }
    }

    /// The person who will hold the key.
    pub fn person(&self) -> &Person {
        match self {
            Self::NaturalPerson { person }
            | Self::SoleProprietor { person, .. }
            | Self::LegalEntity { person, .. } => person,
        }
    }

    /// Takes the number of the identity document out, to be kept apart from the rest.
    pub fn take_document(&mut self) -> Option<DocumentNumber> {
        self.person_mut().document.take()
    }

    /// Puts the number of the identity document back.
    pub fn put_document(&mut self, number: Option<DocumentNumber>) {
        self.person_mut().document = number;
    }

    fn person_mut(&mut self) -> &mut Person {
        match self {
            Self::NaturalPerson { person }
            | Self::SoleProprietor { person, .. }
            | Self::LegalEntity { person, .. } => person,
        }
    }

    /// The taxpayer number of the business or organization; none for a natural person.
    pub fn stir(&self) -> Option<&Stir> {
        match self {
            Self::NaturalPerson { .. } => None,
            Self::SoleProprietor { stir, .. } | Self::LegalEntity { stir, .. } => Some(stir),
        }
    }

    /// The organization, for a legal entity.
    pub fn organization(&self) -> Option<&OrganizationName> {
        match self {
            Self::LegalEntity { organization, .. } => Some(organization),
            _ => None,
        }
    }

    /// The holder's position, for a legal entity.
    pub fn title(&self) -> Option<&JobTitle> {
        match self {
            Self::LegalEntity { title, .. } => Some(title),
            _ => None,
        }
    }

    /// Surname, given name and patronymic as stated, at most [`Subject::COMMON_NAME_MAX`] characters.
    pub fn common_name(&self) -> String {
        let person = self.person();
        let mut name = format!("{} {}", person.surname.as_str(), person.given_name.as_str());
        if let Some(patronymic) = &person.patronymic {
            name.push(' ');
            name.push_str(patronymic.as_str());
        }
        name
    }

    /// What a reviewer should look at, though nothing forbids it.
    pub fn warnings(&self) -> Vec<Warning> {
        form::warnings(self)
    }

    /// True if the holder acts for an organization without being its head: a power of attorney is needed (law
    /// O'RQ-793).
    pub fn representative(&self) -> bool {
        match self {
            Self::LegalEntity { person, head_pinfl, .. } => person.pinfl != *head_pinfl,
            _ => false,
        }
    }
}
