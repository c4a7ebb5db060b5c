//! What an applicant has answered: in a file, or in an earlier run.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::disk;
use crate::trouble::{Exit, Trouble};

/// Octets of the largest file of answers.
const MAX_SIZE: u64 = 64 << 10;

/// The questions, by the names of the API's fields.
pub(super) const QUESTIONS: [&str; 21] = [
    "subject_type",
    "region",
    "district",
    "pinfl",
    "phone",
    "passport",
    "surname",
    "given_name",
    "patronymic",
    "birth_date",
    "stir",
    "organization",
    "title",
    "head_pinfl",
    "email",
    "purpose",
    "offer_accepted",
    "photo",
    "selfie",
    "power_of_attorney",
    "sandbox",
];

/// Answers by question. They are personal data: kept beside the key, shown in no log.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answers(BTreeMap<String, Value>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Answers").field(&self.0.len()).finish()
    }
}

impl Answers {
    /// A file of answers: a TOML table or a JSON object without tables inside.
    ///
    /// # Errors
    /// It cannot be read, or answers a question that nobody asks.
    pub fn read(path: &Path) -> Result<Self, Trouble> {
        let wrong =
            |reason: String| Trouble::new("answers-file", Exit::File).about(path).with("reason", reason);
        let octets = disk::read(path, MAX_SIZE)?;
        let text = String::from_utf8(octets).map_err(|error| wrong(error.to_string()))?;
        let answers: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
        } else {
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?
        };
        match answers.0.keys().find(|name| !QUESTIONS.contains(&name.as_str())) {
            Some(unknown) => Err(wrong(format!("`{unknown}`?"))),
            None => Ok(answers),
        }
    }

    /// The answer as text; a number and a truth value, too.
    pub fn get(&self, question: &str) -> Option<String> {
        match self.0.get(question)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// Whether the answer is yes.
    pub fn is_true(&self, question: &str) -> bool {
        self.get(question).as_deref() == Some("true")
    }

    /// Keeps an answer.
    pub fn set(&mut self, question: &str, answer: &str) {
        self.0.insert(question.to_owned(), Value::String(answer.to_owned()));
    }

    /// Forgets an answer, so that the question is asked again.
    pub fn forget(&mut self, question: &str) -> bool {
        self.0.remove(question).is_some()
    }

    /// These answers, and where they are silent those of an earlier run.
    #[must_use]
    pub fn or(mut self, earlier: Self) -> Self {
        for (question, answer) in earlier.0 {
            self.0.entry(question).or_insert(answer);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_toml_or_json_and_only_what_is_asked() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("answers");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Answers::read(&file)
        };
        let toml = read("region = 1726\nsurname = \"Misolov\"\nsandbox = true\n").unwrap();
        let json = read(r#"{"region": "1726", "surname": "Misolov", "sandbox": true}"#).unwrap();
        for answers in [toml, json] {
            assert_eq!(answers.get("region").as_deref(), Some("1726"));
            assert_eq!(answers.get("surname").as_deref(), Some("Misolov"));
            assert!(answers.is_true("sandbox") && !answers.is_true("offer_accepted"));
        }
        for wrong in ["password = \"x\"", "{\"region\"", "region = ", "\u{0}"] {
            assert_eq!(read(wrong).unwrap_err().name(), "answers-file", "{wrong}");
        }
    }

    #[test]
    fn new_answers_win_over_earlier_ones() {
        let (mut now, mut earlier) = (Answers::default(), Answers::default());
        now.set("photo", "new.jpg");
        earlier.set("photo", "old.jpg");
        earlier.set("phone", "+998901234567");
        let both = now.or(earlier);
        assert_eq!(both.get("photo").as_deref(), Some("new.jpg"));
        assert_eq!(both.get("phone").as_deref(), Some("+998901234567"));
        assert_eq!(format!("{both:?}"), "Answers(2)");
    }
}
