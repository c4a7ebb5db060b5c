//! An organization's name and a position in it.

use serde::{Deserialize, Serialize};

use super::text::{self, TextError};

/// Longest value in characters (RFC 5280 appendix A.1, ub-organization-name and ub-title are both 64).
const MAX: usize = 64;

/// Punctuation seen in registered names, quotation marks in all their forms included.
const PUNCTUATION: &str = " -–—.,:;!?&+/()\"'«»“”„‘’‹›№#%@*_";

/// The name of a legal entity as it will stand in the certificate, at most 64 characters.
///
/// Latin and Cyrillic may both appear (`"MUHR" МЧЖ`), but not inside one word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationName(String);

/// A position in an organization (X.520 title), at most 64 characters, written by the same rules as its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobTitle(String);

impl OrganizationName {
    /// Reads a name and brings it to one canonical form (NFC, single spaces, oʻ and gʻ with U+02BB).
    ///
    /// # Errors
    /// [`TextError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        line(text).map(Self)
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JobTitle {
    /// Reads a title and brings it to one canonical form (NFC, single spaces, oʻ and gʻ with U+02BB).
    ///
    /// # Errors
    /// [`TextError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        line(text).map(Self)
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_type!(OrganizationName, TextError);
text_type!(JobTitle, TextError);

fn line(text: &str) -> Result<String, TextError> {
    let line = text::canonical(text, MAX)?;
    let in_word = |c: char| text::letter_script(c).is_some() || text::is_apostrophe(c) || c.is_ascii_digit();
    if !line.chars().all(|c| in_word(c) || PUNCTUATION.contains(c))
        || !line.chars().any(|c| text::letter_script(c).is_some())
    {
        return Err(TextError::Characters);
    }
    for word in line.split(|c| !in_word(c)) {
        text::one_script(word)?;
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_names_are_accepted() {
        for (text, read) in [
            ("\"MUHR\" MChJ", "\"MUHR\" MChJ"),
            ("ООО  «Мисол-Инвест»", "ООО «Мисол-Инвест»"),
            ("“Oq yo'l” MCHJ XK", "“Oq yoʻl” MCHJ XK"),
            ("\"MISOL\" МЧЖ", "\"MISOL\" МЧЖ"),
            ("7-sonli DMTT (bog'cha) №12, A&B", "7-sonli DMTT (bogʻcha) №12, A&B"),
        ] {
            assert_eq!(OrganizationName::parse(text).map(String::from).as_deref(), Ok(read));
        }
        assert_eq!(
            JobTitle::parse("Bosh direktor o'rinbosari").unwrap().as_str(),
            "Bosh direktor oʻrinbosari"
        );
    }

    #[test]
    fn a_word_is_written_in_one_script_and_without_hidden_characters() {
        // The Latin word has a Cyrillic о inside.
        assert_eq!(OrganizationName::parse("\"MISОL\" MChJ"), Err(TextError::MixedScripts));
        for text in [
            "MUHR\u{200d}",
            "MUHR\n",
            "\u{202d}MUHR",
            "<script>",
            "№ 12",
            "Muhr \u{f8ff}",
            "Muhr 🏢",
            "Muhr\\",
            "Muhr|Muhr",
        ] {
            assert_eq!(OrganizationName::parse(text), Err(TextError::Characters), "{text:?}");
        }
        assert_eq!(OrganizationName::parse(&"Ў".repeat(65)), Err(TextError::TooLong));
        assert!(OrganizationName::parse(&"Ў".repeat(64)).is_ok());
        assert_eq!(JobTitle::parse(" "), Err(TextError::Empty));
    }
}
