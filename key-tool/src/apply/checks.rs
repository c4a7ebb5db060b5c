//! What is wrong with an answer, said while it is typed. The server judges again, and everything.

use ca_core::Timestamp;
use ca_core::subject::{Email, Phone, PhoneError, Rule, SubjectForm, SubjectType};
use serde_json::{Map, Value};

use super::Answers;

/// The fields of the form about the subject, in the order in which people know them.
pub(super) const SUBJECT: [&str; 10] = [
    "pinfl",
    "passport",
    "surname",
    "given_name",
    "patronymic",
    "birth_date",
    "stir",
    "organization",
    "title",
    "head_pinfl",
];

/// The rule, by the name of its text `field-…`, that the answer to this question breaks; what is not answered yet is no
/// objection.
pub(super) fn objection(question: &str, answers: &Answers, now: Timestamp) -> Option<&'static str> {
    let answer = answers.get(question)?;
    match question {
        "phone" => match Phone::parse(&answer).err()? {
            PhoneError::Country => Some("phone-country"),
            PhoneError::Form | PhoneError::Digits => Some("phone-form"),
        },
        "email" if !answer.is_empty() => Email::parse(&answer).err().map(|_| "email-form"),
        _ if SUBJECT.contains(&question) && !answer.is_empty() => {
            let answered =
                SUBJECT.iter().filter_map(|name| Some(((*name).to_owned(), answers.get(name)?.into())));
            let form: SubjectForm =
                serde_json::from_value(Value::Object(answered.collect::<Map<_, _>>())).ok()?;
            let kind = SubjectType::ALL
                .into_iter()
                .find(|kind| answers.get("subject_type").as_deref() == Some(kind.as_str()));
            let errors = form.check(kind.unwrap_or(SubjectType::LegalEntity), now).err()?;
            let about =
                |error: &&ca_core::subject::FieldError| error.pointer.trim_start_matches('/') == question;
            let relevant = |rule: &Rule| !matches!(rule, Rule::Required | Rule::NotExpected);
            errors.iter().filter(about).map(|error| error.rule).find(relevant).map(Rule::name)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objections(answers: &[(&str, &str)], question: &str) -> Option<&'static str> {
        let mut all = Answers::default();
        for (name, answer) in answers {
            all.set(name, answer);
        }
        objection(question, &all, "2026-11-26T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn an_answer_is_checked_as_soon_as_it_is_given() {
        assert_eq!(objections(&[("pinfl", "123")], "pinfl"), Some("pinfl-length"));
        assert_eq!(objections(&[("pinfl", "30101901112227")], "pinfl"), None);
        assert_eq!(objections(&[("stir", "12")], "stir"), Some("stir-form"));
        assert_eq!(objections(&[("passport", "АА1234567")], "passport"), Some("document-form"));
        let born = [("pinfl", "30101901112227"), ("birth_date", "1990-01-02")];
        assert_eq!(objections(&born, "birth_date"), Some("birth-date-differs"));
        assert_eq!(objections(&[("phone", "+79161234567")], "phone"), Some("phone-country"));
        assert_eq!(objections(&[("phone", "90 123 45 67")], "phone"), None);
        assert_eq!(objections(&[("email", "")], "email"), None);
        assert_eq!(objections(&[("email", "nobody")], "email"), Some("email-form"));
        assert_eq!(objections(&[("purpose", "x")], "purpose"), None);
    }
}
