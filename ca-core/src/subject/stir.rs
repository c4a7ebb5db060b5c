//! STIR (INN, ИНН), the taxpayer number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nine digits.
///
/// Its check digit is derived from published numbers, not from a published rule, so a disagreement is a warning for the
/// reviewer and never a refusal.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stir(String);

/// The text is no STIR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a STIR has exactly 9 digits")]
pub struct StirError;

/// Who a STIR belongs to, by its first digit (OECD, Uzbekistan: information on tax identification numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StirKind {
    /// 2 or 3.
    LegalEntity,
    /// 4 to 7.
    NaturalPerson,
}

impl Stir {
    /// Reads nine digits without separators.
    ///
    /// # Errors
    /// [`StirError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, StirError> {
        if text.len() == 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StirError)
        }
    }

    /// The nine digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the last digit agrees with the others: with r the first eight weighted 37, 29, 23, 19, 17, 13, 7 and 3
    /// modulo 11, it is 9 less nine tenths of r rounded half up.
    pub fn check_digit_agrees(&self) -> bool {
        let digits = self.0.bytes().map(|byte| u32::from(byte - b'0'));
        let remainder =
            digits.zip([37, 29, 23, 19, 17, 13, 7, 3]).map(|(digit, weight)| digit * weight).sum::<u32>()
                % 11;
        let expected = 9 - (9 * remainder + 5) / 10;
        self.0.as_bytes().last().is_some_and(|last| u32::from(last - b'0') == expected)
    }

    /// Whom the first digit points at; none for a first digit nobody has described.
    pub fn kind(&self) -> Option<StirKind> {
        match self.0.as_bytes().first() {
            Some(b'2' | b'3') => Some(StirKind::LegalEntity),
            Some(b'4'..=b'7') => Some(StirKind::NaturalPerson),
            _ => None,
        }
    }

    /// The first digit and the last three: `3*****123`.
    pub fn masked(&self) -> String {
        format!("{}*****{}", &self.0[..1], &self.0[6..])
    }
}

text_type!(Stir, StirError);

impl fmt::Debug for Stir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stir({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the derivation, r to check digit, apart from the formula.
    const CHECK_DIGITS: [u32; 11] = [9, 8, 7, 6, 5, 4, 4, 3, 2, 1, 0];

    #[test]
    fn the_check_digit_follows_the_derived_table() {
        for eight in (20_000_000u32..80_000_000).step_by(611_953) {
            let text = eight.to_string();
            let d = |at: usize| text[at..=at].parse::<u32>().unwrap();
            let sum =
                37 * d(0) + 29 * d(1) + 23 * d(2) + 19 * d(3) + 17 * d(4) + 13 * d(5) + 7 * d(6) + 3 * d(7);
            let expected = CHECK_DIGITS[(sum % 11) as usize];
            let agreeing: Vec<u32> = (0..10)
                .filter(|last| Stir::parse(&format!("{text}{last}")).unwrap().check_digit_agrees())
                .collect();
            assert_eq!(agreeing, [expected], "{text}");
        }
    }

    #[test]
    fn a_stir_is_nine_digits_and_its_first_says_whose() {
        for text in ["", "12345678", "1234567890", "12345678x", "١٢٣٤٥٦٧٨٩", " 12345678"] {
            assert_eq!(Stir::parse(text), Err(StirError), "{text}");
        }
        let kinds: Vec<_> =
            (0..10).map(|first| Stir::parse(&format!("{first}23456789")).unwrap().kind()).collect();
        use StirKind::{LegalEntity, NaturalPerson};
        assert_eq!(kinds[2..4], [Some(LegalEntity); 2]);
        assert_eq!(kinds[4..8], [Some(NaturalPerson); 4]);
        assert_eq!([kinds[0], kinds[1], kinds[8], kinds[9]], [None; 4]);
        assert_eq!(format!("{:?}", Stir::parse("312345678").unwrap()), "Stir(3*****678)");
    }
}
