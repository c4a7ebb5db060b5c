//! Why a command failed, told to the one who typed it.

use std::fmt;

/// A failure in words. Commands end with it; nothing catches it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Says it on standard error.
    #[allow(clippy::print_stderr, reason = "the one place where a command speaks of its failure")]
    pub(crate) fn tell(&self) {
        eprintln!("muhr: {}", self.0);
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Prints a line of a command's answer.
#[allow(clippy::print_stdout, reason = "what a command answers goes to standard output")]
pub(crate) fn say(line: impl fmt::Display) {
    println!("{line}");
}
