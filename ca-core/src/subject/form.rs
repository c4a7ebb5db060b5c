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
            document: Some(document?),
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

pub(super) fn warnings(subject: &Subject) -> Vec<Warning> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::pinfl::tests::with_check_digit;
    use proptest::prelude::*;

    fn today() -> Timestamp {
        "2026-11-20T07:00:00Z".parse().unwrap()
    }

    fn stated(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn natural() -> SubjectForm {
        SubjectForm {
            pinfl: Some(with_check_digit("3150680123456")),
            passport: stated("AA1234567"),
            surname: stated("Misolov"),
            given_name: stated("O'tkir"),
            patronymic: stated("Namuna o'g'li"),
            birth_date: stated("1980-06-15"),
            ..SubjectForm::default()
        }
    }

    fn legal() -> SubjectForm {
        SubjectForm {
            stir: stated("300000005"),
            organization: stated("\"MISOL\" MChJ"),
            title: stated("Direktor"),
            head_pinfl: natural().pinfl,
            ..natural()
        }
    }

    fn objections(form: &SubjectForm, subject_type: SubjectType) -> Vec<(&'static str, &'static str)> {
        let errors = form.check(subject_type, today()).unwrap_err();
        errors.into_iter().map(|error| (error.pointer, error.rule.name())).collect()
    }

    #[test]
    fn a_complete_form_becomes_a_subject_of_each_type() {
        let (person, warnings) = natural().check(SubjectType::NaturalPerson, today()).unwrap();
        assert_eq!(person.common_name(), "Misolov Oʻtkir Namuna oʻgʻli");
        assert_eq!(
            (person.subject_type(), person.stir(), warnings),
            (SubjectType::NaturalPerson, None, vec![])
        );

        let form = SubjectForm { stir: stated("400000001"), patronymic: None, ..natural() };
        let (trader, _) = form.check(SubjectType::SoleProprietor, today()).unwrap();
        assert_eq!((trader.common_name().as_str(), trader.representative()), ("Misolov Oʻtkir", false));

        let (head, _) = legal().check(SubjectType::LegalEntity, today()).unwrap();
        assert_eq!(head.organization().map(OrganizationName::as_str), Some("\"MISOL\" MChJ"));
        assert!(!head.representative());
        let form = SubjectForm { head_pinfl: Some(with_check_digit("4010170123456")), ..legal() };
        assert!(form.check(SubjectType::LegalEntity, today()).unwrap().0.representative());
    }

    #[test]
    fn a_subject_survives_its_stored_json_and_nothing_else_does() {
        let (subject, _) = legal().check(SubjectType::LegalEntity, today()).unwrap();
        let json = serde_json::to_string(&subject).unwrap();
        assert!(
            json.contains("\"subject_type\":\"legal_entity\"")
                && json.contains("\"birth_date\":\"1980-06-15\"")
        );
        assert_eq!(serde_json::from_str::<Subject>(&json).unwrap(), subject);
        let broken = json.replace("\"stir\":\"300000005\"", "\"stir\":\"30000000\"");
        assert_eq!(
            serde_json::from_str::<Subject>(&broken).unwrap_err().to_string(),
            "a STIR has exactly 9 digits"
        );
    }

    #[test]
    fn every_objection_is_reported_at_once() {
        let empty = SubjectForm { patronymic: stated("  "), surname: stated(""), ..SubjectForm::default() };
        let required: Vec<_> = ["/pinfl", "/passport", "/surname", "/given_name", "/birth_date"]
            .into_iter()
            .chain(["/stir", "/organization", "/title", "/head_pinfl"])
            .map(|pointer| (pointer, "required"))
            .collect();
        assert_eq!(objections(&empty, SubjectType::LegalEntity), required);
        let wrong = SubjectForm {
            pinfl: stated("12345678901234"),
            passport: stated("A1234567"),
            surname: stated("Misоlov"),
            given_name: stated("O'tkir1"),
            patronymic: stated(&"a".repeat(41)),
            birth_date: stated("15.06.1980"),
            stir: stated("30000"),
            ..legal()
        };
        assert_eq!(
            objections(&wrong, SubjectType::SoleProprietor),
            [
                ("/pinfl", "pinfl-check-digit"),
                ("/passport", "document-form"),
                ("/surname", "mixed-scripts"),
                ("/given_name", "name-characters"),
                ("/patronymic", "too-long"),
                ("/birth_date", "date-form"),
                ("/stir", "stir-form"),
                ("/organization", "not-expected"),
                ("/title", "not-expected"),
                ("/head_pinfl", "not-expected"),
            ]
        );
        let foreign = SubjectForm { stir: stated("300000005"), ..natural() };
        assert_eq!(objections(&foreign, SubjectType::NaturalPerson), [("/stir", "not-expected")]);
    }

    #[test]
    fn the_birth_date_is_the_one_in_the_pinfl() {
        let form = SubjectForm { birth_date: stated("1980-06-16"), ..natural() };
        assert_eq!(objections(&form, SubjectType::NaturalPerson), [("/birth_date", "birth-date-differs")]);
        // The same digits in another century.
        let form = SubjectForm { pinfl: Some(with_check_digit("1150680123456")), ..natural() };
        assert_eq!(objections(&form, SubjectType::NaturalPerson), [("/birth_date", "birth-date-differs")]);
    }

    #[test]
    fn a_holder_is_eighteen_from_their_birthday_in_tashkent() {
        let born = |thirteen: &str, date: &str| SubjectForm {
            pinfl: Some(with_check_digit(thirteen)),
            birth_date: stated(date),
            ..natural()
        };
        let adult = |form: &SubjectForm, at: &str| {
            form.check(SubjectType::NaturalPerson, at.parse().unwrap()).is_ok()
        };
        let form = born("5211108123456", "2008-11-21");
        assert!(!adult(&form, "2026-11-20T18:59:59Z"));
        assert!(adult(&form, "2026-11-20T19:00:00Z"));
        assert_eq!(objections(&form, SubjectType::NaturalPerson), [("/birth_date", "under-age")]);
        let leap = born("6290208123456", "2008-02-29");
        assert!(!adult(&leap, "2026-02-28T12:00:00Z"));
        assert!(adult(&leap, "2026-03-01T12:00:00Z"));
        let unborn = born("5010170123456", "2070-01-01");
        assert!(!adult(&unborn, "2026-11-20T12:00:00Z"));
    }

    #[test]
    fn the_parts_of_a_name_fit_one_common_name_in_one_script() {
        let form = SubjectForm { surname: stated(&"a".repeat(40)), patronymic: None, ..natural() };
        let fitting = SubjectForm { given_name: stated(&"b".repeat(23)), ..form.clone() };
        let (subject, _) = fitting.check(SubjectType::NaturalPerson, today()).unwrap();
        assert_eq!(subject.common_name().len(), Subject::COMMON_NAME_MAX);
        let longer = SubjectForm { given_name: stated(&"b".repeat(24)), ..form };
        assert_eq!(objections(&longer, SubjectType::NaturalPerson), [("/surname", "common-name-too-long")]);
        let mixed = SubjectForm { given_name: stated("Ўткир"), ..natural() };
        assert_eq!(objections(&mixed, SubjectType::NaturalPerson), [("/given_name", "mixed-scripts")]);
    }

    #[test]
    fn a_doubtful_stir_is_a_warning_and_not_a_refusal() {
        let warned = |stir: &str, subject_type| {
            let organization = if subject_type == SubjectType::LegalEntity { legal() } else { natural() };
            let form = SubjectForm { stir: stated(stir), ..organization };
            form.check(subject_type, today()).unwrap().1.into_iter().map(Warning::name).collect::<Vec<_>>()
        };
        // 3 x 37 = 111 = 1 modulo 11, so the check digit is 8.
        assert_eq!(warned("300000008", SubjectType::LegalEntity), [""; 0]);
        assert_eq!(warned("300000005", SubjectType::LegalEntity), ["stir-check-digit"]);
        assert_eq!(warned("300000008", SubjectType::SoleProprietor), ["stir-kind"]);
        assert_eq!(warned("900000000", SubjectType::LegalEntity), ["stir-check-digit", "stir-kind"]);
    }

    #[test]
    fn a_form_is_read_strictly_and_never_printed() {
        let unknown =
            serde_json::from_str::<SubjectForm>(r#"{"pinfl":"1","inn":"2"}"#).unwrap_err().to_string();
        assert!(unknown.contains("unknown field `inn`"), "{unknown}");
        assert!(serde_json::from_str::<SubjectForm>(r#"{"pinfl":30101900000000}"#).is_err());
        assert_eq!(format!("{:?}", natural()), "SubjectForm { .. }");
        let (subject, _) = legal().check(SubjectType::LegalEntity, today()).unwrap();
        let printed = format!("{subject:?}");
        for number in [natural().pinfl.unwrap(), "1234567".to_owned(), "300000005".to_owned()] {
            assert!(!printed.contains(&number), "{printed}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_fits_a_certificate(
            surname in "[A-Zʻ' -]{1,20}|\\PC{0,45}", given_name in "[A-Zʻ' -]{1,45}",
            organization in "[A-Zʻ'«» -]{1,70}|\\PC{0,70}", title in "[а-я ]{1,70}|.{0,70}",
        ) {
            let form = SubjectForm {
                surname: Some(surname), given_name: Some(given_name), organization: Some(organization),
                title: Some(title), ..legal()
            };
            if let Ok((subject, _)) = form.check(SubjectType::LegalEntity, today()) {
                let texts = [
                    subject.common_name(),
                    subject.organization().map_or("", OrganizationName::as_str).to_owned(),
                    subject.title().map_or("", JobTitle::as_str).to_owned(),
                ];
                for text in texts {
                    prop_assert!((1..=64).contains(&text.chars().count()));
                    prop_assert!(!text.chars().any(char::is_control));
                }
            }
        }
    }
}
