//! The languages people are spoken to in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A language of the catalogue, named by its BCP 47 tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    /// Uzbek in Latin script: the language of people who ask for none of these.
    #[default]
    Uz,
    /// Uzbek in Cyrillic script.
    UzCyrl,
    /// Karakalpak in Latin script.
    Kaa,
    /// Russian.
    Ru,
    /// English.
    En,
}

/// The tag names no language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the languages are uz, uz-Cyrl, kaa, ru and en")]
pub struct UnknownLanguage;

impl Language {
    /// Every language.
    pub const ALL: [Self; 5] = [Self::Uz, Self::UzCyrl, Self::Kaa, Self::Ru, Self::En];

    /// The BCP 47 tag: `uz`, `uz-Cyrl`, `kaa`, `ru` or `en`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Uz => "uz",
            Self::UzCyrl => "uz-Cyrl",
            Self::Kaa => "kaa",
            Self::Ru => "ru",
            Self::En => "en",
        }
    }

    /// The language an `Accept-Language` header (RFC 9110 section 12.5.4) prefers, or `None` if it names none of ours.
    ///
    /// Of equal qualities the first wins; `*` stands for `default`; what cannot be read is passed over.
    pub fn accepted(header: &str, default: Self) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        for range in header.split(',') {
            let Some((language, quality)) = read_range(range, default) else { continue };
            if quality > 0 && best.is_none_or(|(_, highest)| quality > highest) {
                best = Some((language, quality));
            }
        }
        best.map(|(language, _)| language)
    }

    /// Matches `uz-UZ` to `uz` and `uz-Cyrl-UZ` to `uz-Cyrl` (RFC 4647 section 3.4, lookup).
    fn matching(range: &str) -> Option<Self> {
        let mut subtags = range.split('-');
        let primary = subtags.next()?.to_ascii_lowercase();
        match primary.as_str() {
            "uz" if subtags.any(|subtag| subtag.eq_ignore_ascii_case("cyrl")) => Some(Self::UzCyrl),
            "uz" => Some(Self::Uz),
            "kaa" => Some(Self::Kaa),
            "ru" => Some(Self::Ru),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

/// One `range;q=0.8` with its quality in thousandths.
fn read_range(range: &str, default: Language) -> Option<(Language, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next()?;
    let language = if tag == "*" { default } else { Language::matching(tag)? };
    let quality = match parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
        None => 1000,
        Some(text) => {
            let quality = text.trim().parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
            (quality * 1000.0).round() as u16
        }
    };
    Some((language, quality))
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.tag())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(tag)).ok_or(UnknownLanguage)
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(header: &str) -> Option<Language> {
        Language::accepted(header, Language::Uz)
    }

    #[test]
    fn the_language_of_the_highest_quality_is_chosen() {
        assert_eq!(accepted("ru-RU,ru;q=0.9,en;q=0.8"), Some(Language::Ru));
        assert_eq!(accepted("fr, en;q=0.3, kaa;q=0.7"), Some(Language::Kaa));
        assert_eq!(accepted("uz-Cyrl-UZ, uz;q=0.9"), Some(Language::UzCyrl));
        assert_eq!(accepted("uz-UZ;q=0.5, UZ-CYRL;q=0.5"), Some(Language::Uz));
        assert_eq!(accepted("de, *;q=0.1"), Some(Language::Uz));
    }

    #[test]
    fn a_language_of_quality_zero_is_not_acceptable() {
        assert_eq!(accepted("ru;q=0, en;q=0.001"), Some(Language::En));
        assert_eq!(accepted("ru;q=0"), None);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        assert_eq!(accepted("ru;q=high, ;;, en;q=0.2"), Some(Language::En));
        assert_eq!(accepted(""), None);
        assert_eq!(accepted("fr"), None);
    }

    #[test]
    fn a_tag_reads_back_as_its_language() {
        for language in Language::ALL {
            assert_eq!(language.tag().parse(), Ok(language));
        }
        assert_eq!("de".parse::<Language>(), Err(UnknownLanguage));
    }
}
