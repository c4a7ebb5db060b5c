//! Why a command failed, told to the one who typed it.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

/// A failure in words. Commands end with it; nothing catches it.
#[derive(Debug)]
pub(crate) struct Failure {
    words: String,
    exit: u8,
}

impl Failure {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self::with_exit(words, 1)
    }

    /// With an exit code that scripts can tell from others.
    pub(crate) fn with_exit(words: impl Into<String>, exit: u8) -> Self {
        Self { words: words.into(), exit }
    }

    /// For the process.
    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }

    /// Says it on standard error.
    #[allow(clippy::print_stderr, reason = "the one place where a command speaks of its failure")]
    pub(crate) fn tell(&self) {
        eprintln!("muhr: {}", self.words);
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Prints a line of a command's answer. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
