//! An auditor on another machine, with an export and public files.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::command::{Said, finish};
use crate::program::program;
use crate::stack::Stack;

/// What an auditor carries away.
pub(crate) struct Carried {
    pub(crate) folder: TempDir,
    pub(crate) export: String,
    pub(crate) key: String,
}

impl Carried {
    pub(crate) fn from(stack: &Stack) -> Self {
        Self::exported(stack, &["--certificates"])
    }

    pub(crate) fn exported(stack: &Stack, how: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let [export, key] =
            ["export", "audit.pem"].map(|name| folder.path().join(name).display().to_string());
        stack.muhr(&[&["audit", "export", "--out", &export], how].concat()).well();
        let keys = stack.folder.join("keys");
        for entry in fs::read_dir(&keys).expect("the keys' folder").flatten() {
            let name = entry.file_name();
            if [".cer", ".pem"].iter().any(|end| name.to_string_lossy().ends_with(end)) {
                fs::copy(entry.path(), folder.path().join(name)).expect("a public file");
            }
        }
        Self { folder, export, key }
    }

    /// On another machine: without settings, folder and database.
    pub(crate) fn verify(&self, more: &[&str]) -> Said {
        let arguments = ["audit", "verify", "--file", &self.export, "--key", &self.key];
        let mut command = Command::new(program());
        finish(command.env_clear().current_dir(self.folder.path()).args(arguments).args(more), b"")
    }

    /// With everything that is public.
    pub(crate) fn verify_history(&self, more: &[&str]) -> Said {
        let mut trust = vec!["--officer-ca".to_owned(), "officer-ca.cer".to_owned()];
        for entry in fs::read_dir(self.folder.path()).expect("our folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "root.cer" || name.starts_with("ca") && name.ends_with(".cer") {
                trust.extend(["--issuer".to_owned(), name]);
            }
        }
        let trust: Vec<&str> = trust.iter().map(String::as_str).collect();
        self.verify(&[&trust, more].concat())
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("ours");
        path.display().to_string()
    }
}

/// The audit finds nothing: neither here, nor elsewhere once everything is under a head.
pub(crate) fn finds_nothing(stack: &Stack) -> Said {
    let said = stack.muhr(&["audit", "verify"]).well();
    stack.muhr(&["audit", "seal"]).well();
    Carried::from(stack).verify_history(&[]).well();
    said
}
