//! What people read, in their language: the Fluent catalogue in `locales/`, built into the program.
//!
//! The same catalogue serves problem documents, pages, text messages, mail and paper. Keys are `<group>-<name>`, where the
//! name is the one a rule, state or reason carries in code.

use std::collections::HashMap;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, langid};

use crate::Language;

fluent_templates::static_loader! {
    static CATALOGUE = {
        locales: "./locales",
        fallback_language: "en",
        // Marks of text direction around values: no language here needs them, and an SMS or a PDF would show them.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The value of every `{ $name }` in a text.
pub type Values<'a> = [(&'a str, &'a str)];

/// The text of a key in a language; in English if the language lacks it, and the key itself if English does too.
///
/// A `_` or `.` in the key counts as `-`, so that names of the API (`under_review`, `my.gov.uz`) are keys as they are.
pub fn text(language: Language, key: &str, values: &Values<'_>) -> String {
    text_or(language, key, values, key)
}

/// As [`text`], with words for a key that the catalogue does not have, or whose values are not all given.
pub fn text_or(language: Language, key: &str, values: &Values<'_>, fallback: &str) -> String {
    find(language, key, values)
        .or_else(|| find(Language::En, key, values))
        .unwrap_or_else(|| fallback.to_owned())
}

/// The text of a key in this language and no other.
pub fn find(language: Language, key: &str, values: &Values<'_>) -> Option<String> {
    let values: HashMap<&str, FluentValue<'_>> =
        values.iter().map(|(name, value)| (*name, FluentValue::from(*value))).collect();
    let key = key.replace(['_', '.'], "-");
    CATALOGUE.lookup_single_language(&identifier(language), &key, Some(&values)).ok()
}

/// An amount of money in so'm, its thousands set apart by no-break spaces: 2 625 000 tiyin are `26 250`.
pub fn amount(tiyin: i64) -> String {
    let digits = (tiyin.unsigned_abs() / 100).to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    let sign = if tiyin < 0 { "−" } else { "" };
    match tiyin.unsigned_abs() % 100 {
        0 => format!("{sign}{grouped}"),
        rest => format!("{sign}{grouped},{rest:02}"),
    }
}

/// 750 basis points are `7,5 %`.
pub fn percent(basis_points: i32) -> String {
    let (whole, rest) = (basis_points / 100, (basis_points % 100).abs());
    match rest {
        0 => format!("{whole}\u{a0}%"),
        rest => format!("{whole},{}\u{a0}%", format!("{rest:02}").trim_end_matches('0')),
    }
}

fn identifier(language: Language) -> LanguageIdentifier {
    match language {
        Language::Uz => langid!("uz"),
        Language::UzCyrl => langid!("uz-Cyrl"),
        Language::Kaa => langid!("kaa"),
        Language::Ru => langid!("ru"),
        Language::En => langid!("en"),
    }
}

#[cfg(test)]
mod tests;
