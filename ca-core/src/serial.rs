//! Certificate serial numbers (RFC 5280 section 4.1.2.2).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// RFC 5280 section 4.1.2.2: positive, at most 20 octets. No other serial can exist.
///
/// Held as the minimal big-endian content octets of the DER INTEGER, so that equality is byte equality. In URLs and
/// JSON it is lower-case hex with an even number of digits and without the sign octet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber {
    length: u8,
    octets: [u8; 20],
}

/// Why some octets are not a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSerial {
    /// No octet at all, or the number zero.
    #[error("a serial number is a positive integer")]
    NotPositive,
    /// More than 20 octets.
    #[error("a serial number has at most 20 octets")]
    TooLong,
    /// A leading zero octet that DER forbids, or text that is not hex.
    #[error("a serial number is minimal DER, or lower-case hex in text")]
    NotMinimal,
}

impl SerialNumber {
    /// 16 octets from the system's CSPRNG, positive: the first bit is cleared and the second set, so every serial has
    /// the same length and 126 random bits (CA/B Baseline Requirements ask for 64).
    ///
    /// # Errors
    /// The system's random generator failed.
    pub fn random() -> Result<Self, RandomUnavailable> {
        let mut random = [0u8; 16];
        SystemRandom::new().fill(&mut random).map_err(|_| RandomUnavailable)?;
        random[0] = random[0] & 0x7f | 0x40;
        let mut octets = [0u8; 20];
        octets[..16].copy_from_slice(&random);
        Ok(Self { length: 16, octets })
    }

    /// The content octets of the DER INTEGER.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

/// The system's random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct RandomUnavailable;

/// The only door in: the content octets of a DER INTEGER.
impl TryFrom<&[u8]> for SerialNumber {
    type Error = InvalidSerial;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidSerial> {
        match bytes {
            [] | [0] => return Err(InvalidSerial::NotPositive),
            [first, ..] if first & 0x80 != 0 => return Err(InvalidSerial::NotPositive),
            [0, second, ..] if second & 0x80 == 0 => return Err(InvalidSerial::NotMinimal),
            _ if bytes.len() > 20 => return Err(InvalidSerial::TooLong),
            _ => {}
        }
        let mut octets = [0u8; 20];
        octets[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { length: bytes.len() as u8, octets })
    }
}

impl FromStr for SerialNumber {
    type Err = InvalidSerial;

    fn from_str(text: &str) -> Result<Self, InvalidSerial> {
        if text.is_empty() || text.len() > 40 {
            return Err(if text.is_empty() { InvalidSerial::NotPositive } else { InvalidSerial::TooLong });
        }
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidSerial::NotMinimal);
        }
        let mut bytes = hex::decode(text).map_err(|_| InvalidSerial::NotMinimal)?;
        if bytes[0] & 0x80 != 0 {
            bytes.insert(0, 0);
        }
        Self::try_from(bytes.as_slice())
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.as_bytes();
        let unsigned = if bytes[0] == 0 { &bytes[1..] } else { bytes };
        f.write_str(&hex::encode(unsigned))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SerialNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SerialNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_minimal_integers_of_at_most_20_octets_are_serials() {
        for (bytes, expected) in [
            (&[][..], Err(InvalidSerial::NotPositive)),
            (&[0], Err(InvalidSerial::NotPositive)),
            (&[0x80], Err(InvalidSerial::NotPositive)),
            (&[0, 1], Err(InvalidSerial::NotMinimal)),
            (&[1; 21], Err(InvalidSerial::TooLong)),
        ] {
            assert_eq!(SerialNumber::try_from(bytes).map(|_| ()), expected, "{bytes:?}");
        }
        assert_eq!(SerialNumber::try_from(&[0, 0x80][..]).unwrap().to_string(), "80");
        assert_eq!("80".parse::<SerialNumber>().unwrap().as_bytes(), &[0, 0x80]);
        assert!("8G".parse::<SerialNumber>().is_err());
        assert!("ABCD".parse::<SerialNumber>().is_err());
    }

    #[test]
    fn a_random_serial_has_16_octets_and_does_not_repeat() {
        let serials: std::collections::HashSet<_> =
            (0..1000).map(|_| SerialNumber::random().unwrap()).collect();
        assert_eq!(serials.len(), 1000);
        assert!(serials.iter().all(|s| s.as_bytes().len() == 16 && s.as_bytes()[0] & 0xc0 == 0x40));
    }
}
