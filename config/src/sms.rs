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

/// A text message that may be sent: gateways carry only texts their moderators have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its name, in records of deliveries and in the sandbox.
    pub name: &'static str,
    /// Its values as they may look, for moderators and for counting segments; a `reason` is the longest of all.
    examples: &'static Values<'static>,
}

/// Every text message there is. Secrets are only in the first two: a code that works once, and a password that is replaced
/// at its first use.
pub const TEMPLATES: [Template; 13] = [
    Template { name: "code", examples: &[("code", "482913")] },
    Template { name: "key-password", examples: &[("password", "w7Kd-Rm4x-Qp9T")] },
    Template { name: "application-received", examples: &[] },
    Template {
        name: "invoice",
        examples: &[("number", "260000123"), ("amount", "26\u{a0}250"), ("until", "23.11.2026")],
    },
    Template { name: "paid", examples: &[("number", "260000123")] },
    Template { name: "returned", examples: &[] },
    Template { name: "rejected", examples: &[] },
    Template { name: "issued", examples: &[("until", "20.11.2027")] },
    Template { name: "suspended", examples: &[("serial", "7f3a90c2")] },
    Template { name: "restored", examples: &[("serial", "7f3a90c2")] },
    Template { name: "revoked", examples: &[("serial", "7f3a90c2")] },
    Template { name: "expiring", examples: &[("serial", "7f3a90c2"), ("until", "20.11.2027")] },
    Template { name: "refund", examples: &[("number", "260000123"), ("amount", "26\u{a0}250")] },
];

impl Template {
    /// The template with this name.
    pub fn named(name: &str) -> Option<Self> {
        TEMPLATES.into_iter().find(|template| template.name == name)
    }

    /// Its key in the catalogue.
    pub fn key(self) -> String {
        format!("sms-{}", self.name)
    }

    /// The text as it may look, at its longest.
    pub fn example(self, language: Language) -> String {
        let reasons = ca_core::application::Reason::ALL
            .map(|reason| text(language, &format!("reason-{}", reason.as_str()), &[]));
        let longest = reasons.iter().max_by_key(|reason| reason.chars().count()).map_or("", String::as_str);
        let values: Vec<_> = self.examples.iter().copied().chain([("reason", longest)]).collect();
        message(language, &self.key(), &values)
    }
}

impl Segments {
    /// The alphabet's name.
    pub fn alphabet(self) -> &'static str {
        if self.gsm7 { "GSM-7" } else { "UCS-2" }
    }
}

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

    #[test]
    fn sms_texts_per_language() {
        let mut table = String::new();
        for template in TEMPLATES {
            writeln!(table, "{}", template.key()).unwrap();
            for language in Language::ALL {
                let text = template.example(language);
                let segments = segments(&text);
                writeln!(
                    table,
                    "  {language:<7} {} x {} {:>3}: {text}",
                    segments.count,
                    segments.alphabet(),
                    text.chars().count()
                )
                .unwrap();
            }
        }
        insta::assert_snapshot!("SMS texts per language", table);
    }

    #[test]
    fn a_code_is_one_message_and_nothing_is_more_than_two() {
        for template in TEMPLATES {
            for language in Language::ALL {
                let most = if template.name == "code" { 1 } else { 2 };
                let text = template.example(language);
                assert!(segments(&text).count <= most, "{language} {}: {text}", template.name);
            }
        }
    }

    #[test]
    fn uzbek_in_latin_letters_fits_the_7_bit_alphabet() {
        for template in TEMPLATES {
            assert!(segments(&template.example(Language::Uz)).gsm7, "{}", template.name);
        }
    }

    #[test]
    fn every_sms_text_of_the_catalogue_is_a_template() {
        let source = include_str!("../locales/en/sms.ftl");
        let keys: Vec<&str> =
            source.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
        assert_eq!(keys.len(), TEMPLATES.len());
        assert!(TEMPLATES.iter().all(|template| keys.contains(&template.key().as_str())));
        assert!(Template::named("refund").is_some() && Template::named("sms-refund").is_none());
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
