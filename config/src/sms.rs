//! Text messages: the catalogue's texts as a phone network carries them.

use crate::Language;
use crate::texts::{Values, text};

/// How a network carries a text (3GPP TS 23.038 and 23.040).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// The 7-bit alphabet suffices: 160 characters in one message instead of 70.
    pub gsm7: bool,
    /// Messages the text is cut into and paid as.
    pub count: usize,
}

/// 3GPP TS 23.038 section 6.2.1: one septet each. The escape character is left out.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                     ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Section 6.2.1.1: two septets each.
const EXTENSION: &str = "^{}\\[~]|€";

/// The text of an `sms-` key, in plain apostrophes, quotes and spaces where these make the message fit the 7-bit alphabet:
/// Uzbek's oʻ and gʻ would more than halve what a message holds.
pub fn message(language: Language, key: &str, values: &Values<'_>) -> String {
    let written = text(language, key, values);
    let plain: String = written.chars().map(plain).collect();
    if septets(&plain).is_some() { plain } else { written }
}

/// How many messages a text is.
pub fn segments(text: &str) -> Segments {
    let parts =
        |length: usize, one: usize, each: usize| if length <= one { 1 } else { length.div_ceil(each) };
    match septets(text) {
        Some(septets) => Segments { gsm7: true, count: parts(septets, 160, 153) },
        None => Segments { gsm7: false, count: parts(text.encode_utf16().count(), 70, 67) },
    }
}

fn septets(text: &str) -> Option<usize> {
    text.chars()
        .map(|character| match character {
            _ if BASIC.contains(character) => Some(1),
            _ if EXTENSION.contains(character) => Some(2),
            _ => None,
        })
        .sum()
}

fn plain(character: char) -> char {
    match character {
        'ʻ' | 'ʼ' | '‘' | '’' => '\'',
        '«' | '»' | '“' | '”' => '"',
        '–' | '—' | '−' => '-',
        '\u{a0}' | '\u{202f}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const MESSAGES: [(&str, &Values<'static>); 10] = [
        ("sms-code", &[("code", "482913")]),
        ("sms-application-received", &[]),
        ("sms-invoice", &[("number", "260000123"), ("amount", "26\u{a0}250"), ("until", "23.11.2026")]),
        ("sms-paid", &[("number", "260000123")]),
        ("sms-returned", &[]),
        ("sms-rejected", &[]),
        ("sms-issued", &[("until", "20.11.2027")]),
        ("sms-suspended", &[("serial", "7f3a90c2")]),
        ("sms-restored", &[("serial", "7f3a90c2")]),
        ("sms-revoked", &[("serial", "7f3a90c2")]),
    ];

    /// The message of a key with the longest reason where it has one.
    fn example(language: Language, key: &str, values: &Values<'_>) -> String {
        let reason = text(language, "reason-power-of-attorney-invalid", &[]);
        let values: Vec<_> = values.iter().copied().chain([("reason", reason.as_str())]).collect();
        message(language, key, &values)
    }

    #[test]
    fn sms_texts_per_language() {
        let mut table = String::new();
        for (key, values) in MESSAGES {
            writeln!(table, "{key}").unwrap();
            for language in Language::ALL {
                let text = example(language, key, values);
                let segments = segments(&text);
                let alphabet = if segments.gsm7 { "GSM-7" } else { "UCS-2" };
                writeln!(
                    table,
                    "  {language:<7} {} x {alphabet} {:>3}: {text}",
                    segments.count,
                    text.chars().count()
                )
                .unwrap();
            }
        }
        insta::assert_snapshot!("SMS texts per language", table);
    }

    #[test]
    fn a_code_is_one_message_and_nothing_is_more_than_two() {
        for (key, values) in MESSAGES {
            for language in Language::ALL {
                let most = if key == "sms-code" { 1 } else { 2 };
                let text = example(language, key, values);
                assert!(segments(&text).count <= most, "{language} {key}: {text}");
            }
        }
    }

    #[test]
    fn uzbek_in_latin_letters_fits_the_7_bit_alphabet() {
        for (key, values) in MESSAGES {
            assert!(segments(&example(Language::Uz, key, values)).gsm7, "{key}");
        }
    }

    #[test]
    fn segments_are_counted_as_the_standard_says() {
        assert_eq!(segments(&"a".repeat(160)), Segments { gsm7: true, count: 1 });
        assert_eq!(segments(&"a".repeat(161)), Segments { gsm7: true, count: 2 });
        assert_eq!(segments(&"€".repeat(80)), Segments { gsm7: true, count: 1 });
        assert_eq!(segments(&"ш".repeat(70)), Segments { gsm7: false, count: 1 });
        assert_eq!(segments(&"ш".repeat(135)), Segments { gsm7: false, count: 3 });
    }
}
