//! The number of a passport or ID card.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Two Latin capital letters and seven digits, as on passports and ID cards of Uzbekistan (`AA1234567`).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentNumber(String);

/// The text is no document number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a passport or ID card number is two Latin letters and seven digits")]
pub struct DocumentNumberError;

impl DocumentNumber {
    /// Reads the number; small letters become capitals and spaces are dropped (`aa 1234567`).
    ///
    /// # Errors
    /// [`DocumentNumberError`] for anything else, Cyrillic look-alikes included.
    pub fn parse(text: &str) -> Result<Self, DocumentNumberError> {
        let number: String =
            text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).take(10).collect();
        match number.as_bytes() {
            [series @ .., _, _, _, _, _, _, _]
                if series.len() == 2 && series.iter().all(u8::is_ascii_uppercase) => {}
            _ => return Err(DocumentNumberError),
        }
        if !number.bytes().skip(2).all(|byte| byte.is_ascii_digit()) {
            return Err(DocumentNumberError);
        }
        Ok(Self(number))
    }

    /// Letters and digits without a space.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The letters and the last two digits: `AA*****67`.
    pub fn masked(&self) -> String {
        format!("{}*****{}", &self.0[..2], &self.0[7..])
    }
}

text_type!(DocumentNumber, DocumentNumberError);

impl fmt::Debug for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentNumber({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_number_is_two_latin_letters_and_seven_digits() {
        let read = DocumentNumber::parse("ab 1234567").unwrap();
        assert_eq!(read.as_str(), "AB1234567");
        assert_eq!(format!("{read:?}"), "DocumentNumber(AB*****67)");
        // The fourth is Cyrillic.
        for text in
            ["", "AB123456", "AB12345678", "АВ1234567", "A11234567", "ABC123456", "AB-123456", "AB１234567"]
        {
            assert_eq!(DocumentNumber::parse(text), Err(DocumentNumberError), "{text}");
        }
    }
}
