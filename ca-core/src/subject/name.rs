//! The parts of a person's name.

use serde::{Deserialize, Serialize};

use super::text::{self, Script, TextError};

/// A surname, given name or patronymic: one to forty letters of one script, Latin or Cyrillic, with apostrophes after
/// letters and single hyphens or spaces between them (`Oʻgʻiloy`, `Абдулла угли`, `Nur-Muxammed`). Upper and lower case
/// stay as given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonName(String);

impl PersonName {
    /// Longest part in characters. Three of them must also fit [`super::Subject::COMMON_NAME_MAX`]; RFC 5280 gives the
    /// single attributes far more room.
    pub const MAX: usize = 40;

    /// Reads a name and brings it to one canonical form: NFC, single spaces, oʻ and gʻ with U+02BB, other apostrophes
    /// U+02BC.
    ///
    /// # Errors
    /// [`TextError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let name = text::canonical(text, Self::MAX)?;
        let mut previous = ' ';
        for c in name.chars() {
            let letter_before = text::letter_script(previous).is_some();
            let fits = match c {
                '-' | ' ' => letter_before || text::is_apostrophe(previous),
                mark if text::is_apostrophe(mark) => letter_before,
                other => text::letter_script(other).is_some(),
            };
            if !fits {
                return Err(TextError::Characters);
            }
            previous = c;
        }
        if previous == '-' {
            return Err(TextError::Characters);
        }
        text::one_script(&name)?;
        Ok(Self(name))
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The script it is written in.
    pub fn script(&self) -> Script {
        // A name starts with a letter, so there is always one.
        self.0.chars().find_map(text::letter_script).unwrap_or(Script::Latin)
    }
}

text_type!(PersonName, TextError);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_country_are_accepted_in_one_form() {
        for (text, read) in [
            ("Aliyev", "Aliyev"),
            ("ЎҒЛОНОВ", "ЎҒЛОНОВ"),
            ("Ulug'bek o‘g`li", "Ulugʻbek oʻgʻli"),
            ("G’ofur", "Gʻofur"),
            ("Mas'ud", "Masʼud"),
            ("Is‘hoq", "Isʼhoq"),
            ("ÁBDIǴANIEVA", "ÁBDIǴANIEVA"),
            ("A\u{301}bdig\u{301}aniyeva", "Ábdiǵaniyeva"),
            ("Әбдиғаниева", "Әбдиғаниева"),
            ("  Nur-Muxammed\u{a0} \u{2003}Ali ", "Nur-Muxammed Ali"),
            ("Мар'яна", "Марʼяна"),
            ("Togʻ-ogʻa", "Togʻ-ogʻa"),
            ("Öztürk", "Öztürk"),
        ] {
            assert_eq!(PersonName::parse(text).map(String::from).as_deref(), Ok(read), "{text}");
        }
    }

    #[test]
    fn nothing_but_letters_and_their_marks_stands_in_a_name() {
        for text in [
            "R2D2",
            "Ali\nVali",
            "Ali\tVali",
            "Ali\u{200b}",
            "\u{202e}ilA",
            "Ali\u{e000}",
            "Ali\u{ad}yev",
            "A.B.",
            "-Ali",
            "Ali-",
            "'Ali",
            "Ali--Vali",
            "Ali -Vali",
            "Ali''",
            "O''tkir",
            "oʻʼg",
            "Ali ʼVali",
            "Ali, Vali",
            "Ali=Vali",
            "Αλη",
            "علي",
            "李",
            "Ali\u{fffd}",
            "<b>",
            "Ali\u{301}\u{301}",
            "Ａｌｉ",
            "𝐀li",
        ] {
            assert_eq!(PersonName::parse(text), Err(TextError::Characters), "{text:?}");
        }
        for text in ["", "  ", "\u{a0}"] {
            assert_eq!(PersonName::parse(text), Err(TextError::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_only_looks_latin_is_refused() {
        // The first letter, then the middle one, is Cyrillic.
        assert_eq!(PersonName::parse("Аliyev"), Err(TextError::MixedScripts));
        assert_eq!(PersonName::parse("Karimоv"), Err(TextError::MixedScripts));
        assert_eq!(PersonName::parse("Anvar угли"), Err(TextError::MixedScripts));
    }

    #[test]
    fn a_name_has_at_most_forty_characters() {
        assert!(PersonName::parse(&"ў".repeat(40)).is_ok());
        assert_eq!(PersonName::parse(&"a".repeat(41)), Err(TextError::TooLong));
        assert_eq!(PersonName::parse(&"a".repeat(1_000_000)), Err(TextError::TooLong));
        // Counted after composition.
        assert!(PersonName::parse(&"g\u{301}".repeat(40)).is_ok());
    }

    proptest! {
        #[test]
        fn reading_a_name_twice_changes_nothing(text in "[A-Za-zʻʼ'‘’` -]{1,30}|[А-Яа-яЎўҚқҒғҲҳ' -]{1,30}|\\PC{0,50}") {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert!(name.as_str().chars().count() <= PersonName::MAX);
                prop_assert_eq!(PersonName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
