//! Why a command cannot do what it was asked: in the user's words, with an exit code that scripts can tell apart.

use std::io;
use std::path::Path;

use ca_core::path::PathFault;
use config::Language;
use config::texts::text;

use crate::pfx::Fault;

/// The exit code of a failed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Anything that has no code of its own. (2 is a wrong command line.)
    Failed = 1,
    /// The password is wrong, too weak, or cannot be asked for.
    Password = 3,
    /// A file cannot be read, is damaged, or is of another kind.
    File = 4,
    /// The disk: a file that exists, no room, no permission, no drive.
    Disk = 5,
    /// The server is not reachable or refuses.
    Server = 6,
    /// A signature, certificate or status is not to be trusted.
    NotTrusted = 7,
    /// It is somebody else's move; the same command goes on later.
    Waiting = 8,
}

/// A failure: the name of a text `key-tool-error-…` and the values in it.
#[derive(Debug)]
pub struct Trouble {
    name: String,
    /// The name is the key as it is.
    whole_key: bool,
    exit: Exit,
    values: Vec<(&'static str, String)>,
    /// What the server has already said.
    said: Option<Box<Said>>,
}

/// A problem document of the server, in the user's language.
#[derive(Debug)]
struct Said {
    slug: String,
    words: String,
    pointers: Vec<String>,
}

impl Trouble {
    /// The failure that has the text `key-tool-error-<name>`.
    pub fn new(name: &str, exit: Exit) -> Self {
        Self { name: name.to_owned(), whole_key: false, exit, values: Vec::new(), said: None }
    }

    /// A rule that has a text of its own in the catalogue, outside `key-tool-error-`.
    pub fn of_rule(rule: &str, exit: Exit) -> Self {
        Self { whole_key: true, ..Self::new(rule, exit) }
    }

    /// With a value of the text.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// With the file that it is about.
    #[must_use]
    pub fn about(self, path: &Path) -> Self {
        self.with("path", path.display())
    }

    /// A problem document (RFC 9457): its slug, what it says, and the fields (JSON pointers) it objects to.
    pub fn said_by_server(slug: &str, words: String, pointers: Vec<String>) -> Self {
        let mut trouble = Self::new("server-refuses", Exit::Server);
        trouble.said = Some(Box::new(Said { slug: slug.to_owned(), words, pointers }));
        trouble
    }

    /// The slug of the server's problem document.
    pub fn slug(&self) -> Option<&str> {
        self.said.as_ref().map(|said| said.slug.as_str())
    }

    /// The fields that the server objects to.
    pub fn pointers(&self) -> &[String] {
        self.said.as_ref().map_or(&[], |said| &said.pointers)
    }

    /// The name of its text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For the process.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What a person reads.
    pub fn words(&self, language: Language) -> String {
        if let Some(said) = &self.said {
            return said.words.clone();
        }
        let values: Vec<(&str, &str)> =
            self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let prefix = if self.whole_key { "" } else { "key-tool-error-" };
        text(language, &format!("{prefix}{}", self.name), &values)
    }

    /// A file that cannot be read.
    pub fn reading(path: &Path, error: &io::Error) -> Self {
        Self::new("cannot-read", Exit::File).about(path).with("reason", error)
    }

    /// A file that cannot be written; the two causes that people can do something about have texts of their own.
    pub fn writing(path: &Path, error: &io::Error) -> Self {
        let name = match error.kind() {
            io::ErrorKind::AlreadyExists => "exists",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk-full",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "read-only",
            _ => return Self::new("cannot-write", Exit::Disk).about(path).with("reason", error),
        };
        Self::new(name, Exit::Disk).about(path)
    }

    /// A key file that does not open.
    pub fn opening(path: &Path, fault: Fault) -> Self {
        let (name, exit) = match fault {
            Fault::WrongPassword => ("wrong-password", Exit::Password),
            Fault::Damaged => ("damaged", Exit::File),
            Fault::NotPfx | Fault::TooLarge => ("not-a-key-file", Exit::File),
            Fault::Unsupported | Fault::TooMuchWork => ("unsupported-file", Exit::File),
            Fault::NoKey => ("no-key", Exit::File),
            Fault::Cryptography => ("cryptography", Exit::Failed),
        };
        Self::new(name, exit).about(path)
    }

    /// A path that does not lead to the root.
    pub fn on_path(fault: PathFault) -> Self {
        let name = match fault {
            PathFault::NoIssuer => "path-no-issuer",
            PathFault::NotValidThen => "path-not-valid",
            PathFault::NotACertificate => "no-certificate",
            PathFault::NotAnAuthority | PathFault::Signature | PathFault::CriticalExtension => "path-wrong",
        };
        Self::new(name, Exit::NotTrusted)
    }

    /// The cryptographic library, or an encoding that cannot fail, failed.
    pub fn cryptography() -> Self {
        Self::new("cryptography", Exit::Failed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use config::texts::find;

    use super::*;

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    /// The first argument of every call like `call("name"`.
    fn names<'a>(source: &'a str, call: &'a str) -> impl Iterator<Item = &'a str> {
        source.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
    }

    #[test]
    fn everything_that_is_said_has_its_text() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let command = here.join("../muhr/src/key");
        let mut seen = 0;
        for file in sources(&here.join("src")).into_iter().chain(sources(&command)) {
            let source = fs::read_to_string(&file).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            let failures = names(code, "Trouble::new(").map(|name| format!("key-tool-error-{name}"));
            let said = ["peech.say(", "peech.text("].into_iter().flat_map(|call| names(code, call));
            for key in failures.chain(said.map(|name| format!("key-tool-{name}"))) {
                // A problem document brings its own words.
                let known = key == "key-tool-error-server-refuses" || has_text(&key);
                assert!(known, "{}: {key}", file.display());
                seen += 1;
            }
        }
        assert!(seen > 80, "{seen}");
    }

    /// Whatever its values are: without them Fluent finds the text and complains.
    fn has_text(key: &str) -> bool {
        let names = [
            "path", "reason", "name", "server", "status", "number", "drives", "question", "since", "seconds",
            "phone", "amount", "rule", "id", "state", "next", "time", "yes",
        ];
        let values = names.map(|name| (name, "x"));
        find(Language::En, key, &values).is_some()
    }

    #[test]
    fn every_fault_of_a_file_is_told_in_the_users_language() {
        let path = Path::new("/media/DSKEYS/DS1.pfx");
        for fault in [
            Fault::NotPfx,
            Fault::TooLarge,
            Fault::Unsupported,
            Fault::TooMuchWork,
            Fault::NoKey,
            Fault::WrongPassword,
            Fault::Damaged,
        ] {
            for language in Language::ALL {
                let words = Trouble::opening(path, fault).words(language);
                assert!(words.contains("DS1.pfx") && !words.contains("key-tool"), "{words}");
            }
        }
    }
}
