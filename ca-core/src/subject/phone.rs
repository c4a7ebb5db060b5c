//! A phone number of Uzbekistan.

use std::fmt;

use phonenumber::country;
use serde::{Deserialize, Serialize};

/// Longer than any number with separators; keeps the library's pattern matching off long input.
const MAX_LENGTH: usize = 32;

/// `+998` and nine digits, kept in E.164 form.
///
/// Which prefixes belong to which operator changes faster than any table, so nine digits are the only hard rule; whether
/// the number can receive a message is proved by the code that is sent to it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// Why a text is no phone number of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not readable as a number at all.
    #[error("not a phone number")]
    Form,
    /// Another country's number.
    #[error("a phone number of Uzbekistan starts with +998")]
    Country,
    /// Too short, too long, or with an extension.
    #[error("after +998 a phone number has nine digits")]
    Digits,
}

impl Phone {
    /// Reads a number in international or national form, with the usual separators.
    ///
    /// # Errors
    /// [`PhoneError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        if text.len() > MAX_LENGTH || text.chars().any(char::is_alphabetic) {
            return Err(PhoneError::Form);
        }
        let number = phonenumber::parse(Some(country::UZ), text).map_err(|_| PhoneError::Form)?;
        if number.code().value() != 998 {
            return Err(PhoneError::Country);
        }
        let national = number.national().to_string();
        if national.len() != 9 || national.starts_with('0') || number.extension().is_some() {
            return Err(PhoneError::Digits);
        }
        Ok(Self(format!("+998{national}")))
    }

    /// `+998901234567` (ITU-T E.164).
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// The operator's prefix and the last two digits: `+99890*****67`.
    pub fn masked(&self) -> String {
        format!("{}*****{}", &self.0[..6], &self.0[11..])
    }
}

text_type!(Phone, PhoneError);

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_read_in_every_usual_form() {
        for text in [
            "+998901234567",
            "998901234567",
            "+998 90 123-45-67",
            "+998 (90) 123 45 67",
            "901234567",
            "90 123 45 67",
        ] {
            assert_eq!(Phone::parse(text).map(String::from).as_deref(), Ok("+998901234567"), "{text}");
        }
        // Prefixes that came late to the tables, and a fixed line.
        for text in [
            "+998201234567",
            "+998331234567",
            "+998501234567",
            "+998551234567",
            "+998771234567",
            "+998712345678",
        ] {
            assert_eq!(Phone::parse(text).unwrap().as_e164(), text);
        }
    }

    #[test]
    fn a_number_of_another_country_or_length_is_refused() {
        for text in ["+79161234567", "+77011234567", "+992901234567", "+14155552671"] {
            assert_eq!(Phone::parse(text), Err(PhoneError::Country), "{text}");
        }
        for text in ["+99890123456", "+9989012345678", "+998000000000", "+998901234567;ext=12"] {
            assert!(Phone::parse(text).is_err(), "{text}");
        }
        for text in
            ["", "+", "abc", "+998 90 FLOWERS", "tel:+998901234567", &"9".repeat(400), "+998９01234567\0"]
        {
            assert_eq!(Phone::parse(text), Err(PhoneError::Form), "{text}");
        }
    }

    #[test]
    fn a_number_is_masked_when_printed() {
        assert_eq!(format!("{:?}", Phone::parse("+998901234567").unwrap()), "Phone(+99890*****67)");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_library_panic(text in "[+0-9() .;=#*x/-]{0,33}|\\PC{0,33}") {
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert_eq!(Phone::parse(phone.as_e164()), Ok(phone.clone()));
                prop_assert_eq!(phone.as_e164().len(), 13);
            }
        }
    }
}
