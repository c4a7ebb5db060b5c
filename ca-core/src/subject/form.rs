//! From what a form says to a [`Subject`], with every objection at once.

use std::fmt;

use serde::Deserialize;
use time::Date;

use super::{
    DocumentNumber, DocumentNumberError, JobTitle, OrganizationName, Person, PersonName, Pinfl, PinflError,
    Stir, StirError, StirKind, Subject, SubjectType, TextError,
};
use crate::Timestamp;
use crate::calendar::{self, NotADate};

/// Full years a holder must have (the practice of the existing centres).
const AGE_MIN: i32 = 18;

/// What an applicant or an officer typed. Nothing in it is true yet; [`SubjectForm::check`] makes a [`Subject`] of it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubjectForm {
    /// Personal number of the holder.
    pub pinfl: Option<String>,
    /// Passport or ID card number of the holder.
    pub passport: Option<String>,
    /// Family name.
    pub surname: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Father's name, where the document shows one.
    pub patronymic: Option<String>,
    /// RFC 3339 full-date.
    pub birth_date: Option<String>,
    /// Taxpayer number of the business or organization.
    pub stir: Option<String>,
    /// Name of the organization.
    pub organization: Option<String>,
    /// The holder's position.
    pub title: Option<String>,
    /// Personal number of the organization's head.
    pub head_pinfl: Option<String>,
}

/// What is typed into a form is personal data: not for logs.
impl fmt::Debug for SubjectForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectForm").finish_non_exhaustive()
    }
}

/// One objection to one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) of the field relative to the subject, such as `/pinfl`.
    pub pointer: &'static str,
    /// The rule it breaks.
    pub rule: Rule,
}

/// The rules a form can break. The message is for developers; texts for applicants are chosen by [`Rule::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rule {
    /// Absent or blank.
    #[error("the field is required")]
    Required,
    /// A field of another subject type.
    #[error("the field does not belong to this subject type")]
    NotExpected,
    /// Over the upper bound of the certificate's attribute.
    #[error("the value has too many characters")]
    TooLong,
    /// See [`PinflError::Length`].
    #[error("a PINFL has exactly 14 digits")]
    PinflLength,
    /// See [`PinflError::CheckDigit`].
    #[error("the PINFL's check digit does not agree with its other digits")]
    PinflCheckDigit,
    /// See [`PinflError::Century`].
    #[error("a PINFL starts with a digit from 1 to 6")]
    PinflCentury,
    /// See [`PinflError::Date`].
    #[error("the PINFL contains no real birth date")]
    PinflDate,
    /// Not a day of the calendar in RFC 3339 form.
    #[error("not a date written as YYYY-MM-DD")]
    DateForm,
    /// The stated birth date is not the PINFL's.
    #[error("the birth date is not the one in the PINFL")]
    BirthDateDiffers,
    /// Younger than eighteen today in Tashkent.
    #[error("the holder must be at least 18 years old")]
    UnderAge,
    /// See [`StirError`].
    #[error("a STIR has exactly 9 digits")]
    StirForm,
    /// See [`DocumentNumberError`].
    #[error("a passport or ID card number is two Latin letters and seven digits")]
    DocumentForm,
    /// See [`TextError::Characters`].
    #[error("the value contains characters that cannot stand in a certificate")]
    NameCharacters,
    /// See [`TextError::MixedScripts`]; also for the parts of one name against each other.
    #[error("Latin and Cyrillic letters are mixed")]
    MixedScripts,
    /// Surname, given name and patronymic together (RFC 5280 ub-common-name).
    #[error("surname, given name and patronymic together have more than 64 characters")]
    CommonNameTooLong,
}

impl Rule {
    /// Stable name in kebab-case, the key of the texts in every language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::NotExpected => "not-expected",
            Self::TooLong => "too-long",
            Self::PinflLength => "pinfl-length",
            Self::PinflCheckDigit => "pinfl-check-digit",
            Self::PinflCentury => "pinfl-century",
            Self::PinflDate => "pinfl-date",
            Self::DateForm => "date-form",
            Self::BirthDateDiffers => "birth-date-differs",
            Self::UnderAge => "under-age",
            Self::StirForm => "stir-form",
            Self::DocumentForm => "document-form",
            Self::NameCharacters => "name-characters",
            Self::MixedScripts => "mixed-scripts",
            Self::CommonNameTooLong => "common-name-too-long",
        }
    }
}

impl From<PinflError> for Rule {
    fn from(error: PinflError) -> Self {
        match error {
            PinflError::Length => Self::PinflLength,
            PinflError::CheckDigit => Self::PinflCheckDigit,
            PinflError::Century => Self::PinflCentury,
            PinflError::Date => Self::PinflDate,
        }
    }
}

impl From<TextError> for Rule {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Empty => Self::Required,
            TextError::TooLong => Self::TooLong,
            TextError::Characters => Self::NameCharacters,
            TextError::MixedScripts => Self::MixedScripts,
        }
    }
}

impl From<StirError> for Rule {
    fn from(_: StirError) -> Self {
        Self::StirForm
    }
}

impl From<DocumentNumberError> for Rule {
    fn from(_: DocumentNumberError) -> Self {
        Self::DocumentForm
    }
}

impl From<NotADate> for Rule {
    fn from(_: NotADate) -> Self {
        Self::DateForm
    }
}

/// What a reviewer should look at, though nothing forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The STIR's derived check digit disagrees.
    StirCheckDigit,
    /// The STIR's first digit belongs to another kind of taxpayer.
    StirKind,
}

impl Warning {
    /// Stable name in kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            Self::StirCheckDigit => "stir-check-digit",
            Self::StirKind => "stir-kind",
        }
    }
}

impl SubjectForm {
    /// Makes a subject of the form at the moment `today`, whose day in Tashkent decides the age. Spaces around a value
    /// do not count, and a blank field is an absent one.
    ///
    /// # Errors
    /// Every objection, in the order of the fields.
    pub fn check(
        &self,
        subject_type: SubjectType,
        today: Timestamp,
    ) -> Result<(Subject, Vec<Warning>), Vec<FieldError>> {
        let mut checked = Checked::default();
        let person = self.person(calendar::tashkent_date(today), &mut checked);
        let subject = match subject_type {
            SubjectType::NaturalPerson => {
                checked.unexpected("/stir", &self.stir);
                self.unexpected_organization(&mut checked);
                person.map(|person| Subject::NaturalPerson { person })
            }
            SubjectType::SoleProprietor => {
                let stir = checked.required("/stir", &self.stir, Stir::parse);
                self.unexpected_organization(&mut checked);
                person.zip(stir).map(|(person, stir)| Subject::SoleProprietor { person, stir })
            }
            SubjectType::LegalEntity => self.legal_entity(person, &mut checked),
        };
        match subject {
            Some(subject) if checked.errors.is_empty() => {
                let warnings = warnings(&subject);
                Ok((subject, warnings))
            }
            _ => Err(checked.errors),
        }
    }

    fn person(&self, today: Date, checked: &mut Checked) -> Option<Person> {
        let pinfl = checked.required("/pinfl", &self.pinfl, Pinfl::parse);
        let document = checked.required("/passport", &self.passport, DocumentNumber::parse);
        let surname = checked.required("/surname", &self.surname, PersonName::parse);
        let given_name = checked.required("/given_name", &self.given_name, PersonName::parse);
        let patronymic = checked.optional("/patronymic", &self.patronymic, PersonName::parse);
        let birth_date = checked.required("/birth_date", &self.birth_date, calendar::parse_full_date);
        if let Some(born) = birth_date {
            if pinfl.as_ref().is_some_and(|pinfl| pinfl.birth_date() != born) {
                checked.object("/birth_date", Rule::BirthDateDiffers);
            }
            if full_years(born, today) < AGE_MIN {
                checked.object("/birth_date", Rule::UnderAge);
            }
        }
        let parts = [("/surname", &surname), ("/given_name", &given_name), ("/patronymic", &patronymic)];
        check_together(&parts, checked);
        Some(Person {
            pinfl: pinfl?,
            document: document?,
            surname: surname?,
            given_name: given_name?,
            patronymic,
            birth_date: birth_date?,
        })
    }

    fn legal_entity(&self, person: Option<Person>, checked: &mut Checked) -> Option<Subject> {
        let stir = checked.required("/stir", &self.stir, Stir::parse);
        let organization = checked.required("/organization", &self.organization, OrganizationName::parse);
        let title = checked.required("/title", &self.title, JobTitle::parse);
        let head_pinfl = checked.required("/head_pinfl", &self.head_pinfl, Pinfl::parse);
        Some(Subject::LegalEntity {
            person: person?,
            stir: stir?,
            organization: organization?,
            title: title?,
            head_pinfl: head_pinfl?,
        })
    }

    fn unexpected_organization(&self, checked: &mut Checked) {
        checked.unexpected("/organization", &self.organization);
        checked.unexpected("/title", &self.title);
        checked.unexpected("/head_pinfl", &self.head_pinfl);
    }
}

/// The parts make one common name: written in one script, and short enough for the attribute.
fn check_together(parts: &[(&'static str, &Option<PersonName>)], checked: &mut Checked) {
    let mut stated = parts.iter().filter_map(|(pointer, part)| Some((*pointer, part.as_ref()?)));
    let Some((_, first)) = stated.next() else { return };
    let mut length = first.as_str().chars().count();
    for (pointer, part) in stated {
        length += 1 + part.as_str().chars().count();
        if part.script() != first.script() {
            checked.object(pointer, Rule::MixedScripts);
        }
    }
    if length > Subject::COMMON_NAME_MAX {
        checked.object("/surname", Rule::CommonNameTooLong);
    }
}

/// Completed years; who was born on 29 February completes a common year on 1 March.
fn full_years(born: Date, today: Date) -> i32 {
    let birthday_to_come = (today.month() as u8, today.day()) < (born.month() as u8, born.day());
    today.year() - born.year() - i32::from(birthday_to_come)
}

fn warnings(subject: &Subject) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let expected = match subject {
        Subject::NaturalPerson { .. } => return warnings,
        Subject::SoleProprietor { .. } => StirKind::NaturalPerson,
        Subject::LegalEntity { .. } => StirKind::LegalEntity,
    };
    if let Some(stir) = subject.stir() {
        if !stir.check_digit_agrees() {
            warnings.push(Warning::StirCheckDigit);
        }
        if stir.kind() != Some(expected) {
            warnings.push(Warning::StirKind);
        }
    }
    warnings
}

/// The objections so far.
#[derive(Default)]
struct Checked {
    errors: Vec<FieldError>,
}

impl Checked {
    fn object(&mut self, pointer: &'static str, rule: Rule) {
        self.errors.push(FieldError { pointer, rule });
    }

    fn optional<T, E: Into<Rule>>(
        &mut self,
        pointer: &'static str,
        field: &Option<String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(stated(field)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.object(pointer, error.into());
                None
            }
        }
    }

    fn required<T, E: Into<Rule>>(
        &mut self,
        pointer: &'static str,
        field: &Option<String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if stated(field).is_none() {
            self.object(pointer, Rule::Required);
        }
        self.optional(pointer, field, parse)
    }

    fn unexpected(&mut self, pointer: &'static str, field: &Option<String>) {
        if stated(field).is_some() {
            self.object(pointer, Rule::NotExpected);
        }
    }
}

fn stated(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}
