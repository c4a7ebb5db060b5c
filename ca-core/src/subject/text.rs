//! What text may stand in a certificate: which characters, in which form, in which script.

use unicode_normalization::UnicodeNormalization;

/// U+02BB, the turned comma of the letters oʻ and gʻ.
const TURNED_COMMA: char = '\u{2BB}';
/// U+02BC, the apostrophe (tutuq belgisi).
const APOSTROPHE: char = '\u{2BC}';

/// Why a text cannot stand in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but spaces.
    #[error("the value is empty")]
    Empty,
    /// Over the upper bound of its attribute.
    #[error("the value has too many characters")]
    TooLong,
    /// A control, format, private-use or otherwise foreign character, or a mark in the wrong place.
    #[error("the value contains characters that cannot stand here")]
    Characters,
    /// Latin and Cyrillic letters side by side: half of the alphabet looks alike, the names differ.
    #[error("Latin and Cyrillic letters are mixed")]
    MixedScripts,
}

/// The script of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Script {
    /// Latin, with the letters of Uzbek, Karakalpak and the European and Turkic languages.
    Latin,
    /// Cyrillic, with the letters of Uzbek, Karakalpak and the other living languages.
    Cyrillic,
}

/// The script of a letter that may stand in a certificate; none for every other character.
pub(super) fn letter_script(c: char) -> Option<Script> {
    match c {
        '×' | '÷' | 'ĸ' | 'ŉ' => None,
        'A'..='Z' | 'a'..='z' | 'À'..='ž' => Some(Script::Latin),
        'Ə' | 'ə' | 'Ơ' | 'ơ' | 'Ư' | 'ư' | 'Ǎ'..='ǜ' | 'Ǧ' | 'ǧ' | 'Ǵ' | 'ǵ' | 'Ș'..='ț' | 'Ạ'..='ỹ' => {
            Some(Script::Latin)
        }
        'Ѐ'..='џ' | 'Ґ'..='ӿ' => Some(Script::Cyrillic),
        _ => None,
    }
}

/// True for the marks that written Uzbek uses after a letter.
pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, TURNED_COMMA | APOSTROPHE)
}

/// One canonical line: NFC, every white space a single space, none at the ends, and one way of writing the marks of
/// Uzbek: U+02BB in oʻ and gʻ, U+02BC after any other letter. Keyboards give ' ` ‘ ’ for both; a mark that follows no
/// letter is left for the caller to judge.
///
/// # Errors
/// [`TextError::Empty`], [`TextError::TooLong`] (more than `max` characters), [`TextError::Characters`] for control
/// characters.
pub(super) fn canonical(text: &str, max: usize) -> Result<String, TextError> {
    // Before any work that grows with the input; no canonical composition is longer than four times its result.
    if text.chars().count() > 4 * max {
        return Err(TextError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::Characters);
    }
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.nfc());
    }
    let mut previous = ' ';
    let line: String = line
        .chars()
        .map(|c| {
            let mark = matches!(c, '\'' | '`' | '‘' | '’' | 'ʹ' | 'ʽ' | '´' | TURNED_COMMA | APOSTROPHE);
            let written = match previous {
                'o' | 'O' | 'g' | 'G' if mark => TURNED_COMMA,
                letter if mark && letter_script(letter).is_some() => APOSTROPHE,
                _ => c,
            };
            previous = c;
            written
        })
        .collect();
    match line.chars().count() {
        0 => Err(TextError::Empty),
        length if length > max => Err(TextError::TooLong),
        _ => Ok(line),
    }
}

/// The one script of all letters in `word`; none if it has no letters.
///
/// # Errors
/// [`TextError::MixedScripts`].
pub(super) fn one_script(word: &str) -> Result<Option<Script>, TextError> {
    let mut scripts = word.chars().filter_map(letter_script);
    let first = scripts.next();
    if scripts.all(|script| Some(script) == first) { Ok(first) } else { Err(TextError::MixedScripts) }
}
