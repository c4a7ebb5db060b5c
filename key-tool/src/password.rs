//! The password of a key file.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use crate::speech::Speech;
use crate::trouble::{Exit, Trouble};

/// Fewest characters of a new password.
const MIN: usize = 10;
/// Octets of the largest password file.
const MAX_FILE: u64 = 4096;

/// A password, wiped when dropped and shown in no log.
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Where a password comes from. Never from the command line: other people on the machine see that.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The first line of this file.
    File(&'a Path),
    /// The terminal, without echo.
    Terminal,
}

impl Password {
    /// One that opens an existing file: whatever it was made of.
    ///
    /// # Errors
    /// The file cannot be read, or there is no terminal.
    pub fn existing(source: Source<'_>, speech: Speech, path: &Path) -> Result<Self, Trouble> {
        match source {
            Source::File(file) => from_file(file),
            Source::Terminal => {
                let path = path.display().to_string();
                asked(&speech.text("ask-password", &[("path", &path)]))
            }
        }
    }

    /// One for a new file, typed twice, that keeps the rules of [`Password::is_strong`].
    ///
    /// # Errors
    /// As [`Password::existing`]; it breaks a rule, or was typed differently.
    pub fn new(source: Source<'_>, speech: Speech) -> Result<Self, Trouble> {
        let password = match source {
            Source::File(file) => from_file(file)?,
            Source::Terminal => {
                speech.say("password-rules", &[]);
                let first = asked(&speech.text("ask-new-password", &[]))?;
                if first.is_strong() && *asked(&speech.text("ask-password-again", &[]))?.0 != *first.0 {
                    return Err(Trouble::new("passwords-differ", Exit::Password));
                }
                first
            }
        };
        if password.is_strong() { Ok(password) } else { Err(Trouble::new("weak-password", Exit::Password)) }
    }

    /// At least 10 characters with a digit, a capital and a small letter, as deployed clients ask; printable ASCII only,
    /// because Java opens no file under any other password.
    pub fn is_strong(&self) -> bool {
        let has = |kind: fn(&u8) -> bool| self.0.as_bytes().iter().any(kind);
        self.0.len() >= MIN
            && self.0.bytes().all(|octet| (b' '..=b'~').contains(&octet))
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    }

    /// For the key derivation.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn from_file(path: &Path) -> Result<Password, Trouble> {
    let reading = |error: std::io::Error| Trouble::reading(path, &error);
    if fs::metadata(path).map_err(reading)?.len() > MAX_FILE {
        return Err(Trouble::new("weak-password", Exit::Password));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(reading)?);
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    Ok(Password(Zeroizing::new(line.to_owned())))
}

fn asked(question: &str) -> Result<Password, Trouble> {
    let typed = rpassword::prompt_password(format!("{question}: "));
    let typed = typed.map_err(|_| Trouble::new("no-terminal", Exit::Password))?;
    Ok(Password(Zeroizing::new(typed.as_str().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_keeps_the_rules() {
        let strong = |text: &str| Password(Zeroizing::new(text.to_owned())).is_strong();
        assert!(strong("Uzun parol 2026"));
        for weak in [
            "",
            "Short1aA",
            "alllowercase1",
            "ALLUPPERCASE1",
            "NoDigitsHere",
            "Парол12345Aa",
            "Tab\tTab\t123",
        ] {
            assert!(!strong(weak), "{weak}");
        }
    }

    #[test]
    fn a_password_file_is_its_first_line() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "Uzun-Parol-2026\r\nnot this\n").unwrap();
        let source = Source::File(&file);
        let password = Password::new(source, Speech(config::Language::En)).unwrap();
        assert_eq!(password.as_str(), "Uzun-Parol-2026");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
