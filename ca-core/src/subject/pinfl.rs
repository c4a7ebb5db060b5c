//! PINFL (JSHSHIR, ПИНФЛ), the personal identification number of a natural person.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, Month};

/// Fourteen digits `G DDMMYY RRR SSS C`: century and sex, birth date, place, serial, check digit.
///
/// The check digit is the sum of the first thirteen digits weighted 7, 3, 1, 7, 3, 1, … modulo 10.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pinfl(String, Date);

/// Why a text is no PINFL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinflError {
    /// Fourteen ASCII digits, nothing else.
    #[error("a PINFL has exactly 14 digits")]
    Length,
    /// One digit or more is mistyped.
    #[error("the PINFL's check digit does not agree with its other digits")]
    CheckDigit,
    /// 1 and 2 are the 1800s, 3 and 4 the 1900s, 5 and 6 the 2000s.
    #[error("a PINFL starts with a digit from 1 to 6")]
    Century,
    /// Digits 2 to 7.
    #[error("the PINFL contains no real birth date")]
    Date,
}

/// Sex as the PINFL encodes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// Odd first digit.
    Male,
    /// Even first digit.
    Female,
}

impl Pinfl {
    /// Reads fourteen digits without separators.
    ///
    /// # Errors
    /// The first rule that the text breaks, in the order of [`PinflError`].
    pub fn parse(text: &str) -> Result<Self, PinflError> {
        let digits: [u8; 14] = text.as_bytes().try_into().map_err(|_| PinflError::Length)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinflError::Length);
        }
        let digits = digits.map(|digit| digit - b'0');
        if check_digit(&digits) != digits[13] {
            return Err(PinflError::CheckDigit);
        }
        if !(1..=6).contains(&digits[0]) {
            return Err(PinflError::Century);
        }
        let birth_date = encoded_date(&digits).ok_or(PinflError::Date)?;
        Ok(Self(text.to_owned(), birth_date))
    }

    /// The fourteen digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The birth date inside, with its century.
    pub fn birth_date(&self) -> Date {
        self.1
    }

    /// The sex inside.
    pub fn sex(&self) -> Sex {
        if (self.0.as_bytes()[0] - b'0').is_multiple_of(2) { Sex::Female } else { Sex::Male }
    }

    /// The first digit and the last three, as far as the public may see: `3**********012`.
    pub fn masked(&self) -> String {
        format!("{}**********{}", &self.0[..1], &self.0[11..])
    }
}

text_type!(Pinfl, PinflError);

impl fmt::Debug for Pinfl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinfl({})", self.masked())
    }
}

/// Over the first thirteen digits.
fn check_digit(digits: &[u8; 14]) -> u8 {
    let weighted = digits.iter().zip([7, 3, 1].into_iter().cycle()).take(13);
    (weighted.map(|(digit, weight)| u32::from(*digit) * weight).sum::<u32>() % 10) as u8
}

/// The date in digits 2 to 7 in the century of digit 1, which is at least 1.
fn encoded_date(digits: &[u8; 14]) -> Option<Date> {
    let [first, day10, day1, month10, month1, year10, year1, ..] = digits.map(i32::from);
    let year = 1800 + (first - 1) / 2 * 100 + year10 * 10 + year1;
    let month = Month::try_from(u8::try_from(month10 * 10 + month1).ok()?).ok()?;
    Date::from_calendar_date(year, month, u8::try_from(day10 * 10 + day1).ok()?).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    /// The first thirteen digits with the check digit they need, computed apart from the product's way: the weighted
    /// sum by hand over the text.
    pub(crate) fn with_check_digit(thirteen: &str) -> String {
        let weights = [7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1, 7];
        let sum: u32 =
            thirteen.chars().zip(weights).map(|(digit, weight)| digit.to_digit(10).unwrap() * weight).sum();
        format!("{thirteen}{}", sum % 10)
    }

    #[test]
    fn a_pinfl_carries_birth_date_and_sex() {
        let cases = [
            ("3010190123456", date!(1990 - 01 - 01), Sex::Male),
            ("4311285000001", date!(1985 - 12 - 31), Sex::Female),
            ("6290204777001", date!(2004 - 02 - 29), Sex::Female),
            ("1150399100100", date!(1899 - 03 - 15), Sex::Male),
        ];
        for (digits, born, sex) in cases {
            let pinfl = Pinfl::parse(&with_check_digit(digits)).unwrap();
            assert_eq!((pinfl.birth_date(), pinfl.sex()), (born, sex), "{digits}");
        }
    }

    #[test]
    fn each_broken_rule_has_its_own_error() {
        let valid = with_check_digit("3010190123456");
        for text in ["", "3010190123456", "301019012345678", "3010190123456a", "３0101901234"] {
            assert_eq!(Pinfl::parse(text), Err(PinflError::Length), "{text}");
        }
        assert_eq!(Pinfl::parse(&format!(" {}", &valid[1..])), Err(PinflError::Length));
        // Numbers that forms in the wild are filled with.
        assert_eq!(Pinfl::parse("30000000000000"), Err(PinflError::CheckDigit));
        assert_eq!(Pinfl::parse("12345678901234"), Err(PinflError::CheckDigit));
        for first in ["0", "7", "8", "9"] {
            let number = with_check_digit(&format!("{first}010190123456"));
            assert_eq!(Pinfl::parse(&number), Err(PinflError::Century));
        }
        for day in ["000190", "320190", "310490", "290203", "011390", "010090"] {
            assert_eq!(
                Pinfl::parse(&with_check_digit(&format!("5{day}123456"))),
                Err(PinflError::Date),
                "{day}"
            );
        }
    }

    #[test]
    fn a_pinfl_is_masked_when_printed() {
        let pinfl = Pinfl::parse(&with_check_digit("3010190123456")).unwrap();
        assert_eq!(pinfl.masked().len(), 14);
        assert!(!format!("{pinfl:?}").contains("010190"));
        assert!(format!("{pinfl:?}").contains("3**********56"));
    }

    proptest! {
        #[test]
        fn one_mistyped_digit_is_always_noticed(
            serial in 0u32..1_000_000, century in 1u8..=6, at in 0usize..14, other in 0u8..10,
        ) {
            let valid = with_check_digit(&format!("{century}150680{serial:06}"));
            prop_assert!(Pinfl::parse(&valid).is_ok());
            let mut mistyped = valid.clone().into_bytes();
            mistyped[at] = b'0' + other;
            let mistyped = String::from_utf8(mistyped).unwrap();
            if mistyped != valid {
                prop_assert_eq!(Pinfl::parse(&mistyped), Err(PinflError::CheckDigit));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = Pinfl::parse(&text);
        }
    }
}
