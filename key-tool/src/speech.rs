//! What a command says while it works, and what it asks, in the user's language and on standard error.

use std::io::{BufRead, Write};

use config::Language;
use config::texts::{Values, text};

use crate::trouble::{Exit, Trouble};

/// The language of a command.
#[derive(Debug, Clone, Copy)]
pub struct Speech(pub Language);

impl Speech {
    /// The language that was asked for, else that of the environment (POSIX: LC_ALL, LC_MESSAGES, LANG, the first that is
    /// set), else English.
    pub fn chosen(asked: Option<Language>, environment: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(environment);
        let locale = set.into_iter().find(|value| !value.is_empty());
        Self(asked.or_else(|| of_locale(&locale?)).unwrap_or(Language::En))
    }

    /// The text `key-tool-<name>`.
    pub fn text(self, name: &str, values: &Values<'_>) -> String {
        text(self.0, &format!("key-tool-{name}"), values)
    }

    /// Says the text `key-tool-<name>`.
    pub fn say(self, name: &str, values: &Values<'_>) {
        self.say_line(&self.text(name, values));
    }

    /// Says a line as it is.
    #[allow(clippy::print_stderr, reason = "the one place where the key tool speaks")]
    pub fn say_line(self, line: &str) {
        eprintln!("{line}");
    }

    /// Asks on one line and reads the answer, without the spaces around it.
    ///
    /// # Errors
    /// Standard input has ended.
    #[allow(clippy::print_stderr, reason = "the one place where the key tool speaks")]
    pub fn ask(self, question: &str) -> Result<String, Trouble> {
        eprint!("{question}: ");
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(read) if read > 0 => Ok(line.trim().to_owned()),
            _ => Err(Trouble::new("no-answer", Exit::Failed).with("question", question)),
        }
    }
}

/// `uz_UZ@cyrillic`, `ru_RU.UTF-8`; none for `C` and others.
fn of_locale(locale: &str) -> Option<Language> {
    let language = locale.split(['_', '.', '@', '-']).next()?.to_ascii_lowercase();
    let cyrillic = locale.to_ascii_lowercase().contains("cyr");
    match language.as_str() {
        "uz" if cyrillic => Some(Language::UzCyrl),
        "uz" => Some(Language::Uz),
        "kaa" => Some(Language::Kaa),
        "ru" => Some(Language::Ru),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_wins_over_the_environment() {
        let environment = |name: &str| (name == "LANG").then(|| "uz_UZ@cyrillic".to_owned());
        assert_eq!(Speech::chosen(None, environment).0, Language::UzCyrl);
        assert_eq!(Speech::chosen(Some(Language::Kaa), environment).0, Language::Kaa);
        let both = |name: &str| match name {
            "LC_ALL" => Some("ru_RU.UTF-8".to_owned()),
            "LANG" => Some("uz_UZ.UTF-8".to_owned()),
            _ => None,
        };
        assert_eq!(Speech::chosen(None, both).0, Language::Ru);
        for nothing in [None, Some(String::new()), Some("C.UTF-8".to_owned()), Some("de_DE".to_owned())] {
            assert_eq!(Speech::chosen(None, |_| nothing.clone()).0, Language::En);
        }
    }
}
