//! Somebody with a terminal, a flash drive and the key tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::applicant::{SubjectType, form};
use crate::command::{Said, finish};
use crate::person::Person;
use crate::picture;
use crate::program::program;
use crate::stack::Stack;

pub(crate) const PASSWORD: &str = "Uzun-Parol-2026";

pub(crate) struct KeyOwner {
    pub(crate) person: Person,
    /// Answers, pictures, the password, and whatever is exported.
    desk: TempDir,
    /// The flash drive.
    pub(crate) drive: PathBuf,
}

impl KeyOwner {
    pub(crate) fn new() -> Self {
        let desk = TempDir::new().expect("a temporary folder");
        let drive = desk.path().join("drive");
        fs::create_dir(&drive).expect("our folder");
        Self::with_drive(desk, drive)
    }

    /// With a drive that somebody else has mounted.
    pub(crate) fn at(drive: &Path) -> Self {
        Self::with_drive(TempDir::new().expect("a temporary folder"), drive.to_owned())
    }

    fn with_drive(desk: TempDir, drive: PathBuf) -> Self {
        let owner = Self { person: Person::new(), desk, drive };
        owner.put("password", PASSWORD);
        owner.put("photo.jpg", picture::photo());
        owner.put("selfie.jpg", picture::selfie());
        owner
    }

    /// A file on the desk.
    pub(crate) fn file(&self, name: &str) -> String {
        self.desk.path().join(name).display().to_string()
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.file(name);
        fs::write(&file, content).expect("our folder");
        file
    }

    /// `muhr key …` in English, with no terminal and no settings.
    pub(crate) fn key_in(&self, language: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(program());
        command.env_clear().current_dir(self.desk.path()).arg("key").args(["--language", language]);
        finish(command.args(arguments), b"")
    }

    pub(crate) fn key(&self, arguments: &[&str]) -> Said {
        self.key_in("en", arguments)
    }

    /// As [`KeyOwner::key`], with the password of the key file.
    pub(crate) fn key_with_password(&self, arguments: &[&str]) -> Said {
        let file = self.file("password");
        self.key(&[arguments, &["--password-file", &file]].concat())
    }

    /// A new key on the drive: its file.
    pub(crate) fn generate(&self) -> String {
        let said = self.key_with_password(&["generate", "--drive", &self.drive.display().to_string()]).well();
        said.out.trim().to_owned()
    }

    /// What this person answers, without those.
    pub(crate) fn answers(&self, subject_type: SubjectType, without: &[&str]) -> String {
        let form = form(&self.person, subject_type);
        let mut answers = form["subject"].clone();
        for name in ["subject_type", "region", "district", "email", "purpose", "offer_accepted"] {
            answers[name] = form[name].clone();
        }
        answers["phone"] = json!(self.person.phone);
        answers["photo"] = json!(self.file("photo.jpg"));
        answers["selfie"] = json!(self.file("selfie.jpg"));
        answers["sandbox"] = json!(true);
        if let Value::Object(answers) = &mut answers {
            answers.retain(|name, _| !without.contains(&name.as_str()));
        }
        self.put("answers.json", answers.to_string())
    }

    /// The whole application; the temporary key file.
    pub(crate) fn apply(&self, stack: &Stack, subject_type: SubjectType) -> String {
        let answers = self.answers(subject_type, &[]);
        let drive = self.drive.display().to_string();
        let arguments = ["apply", "--server", &stack.base, "--drive", &drive, "--answers", &answers];
        self.key_with_password(&arguments).well().out.trim().to_owned()
    }

    /// The application that is remembered beside a key.
    pub(crate) fn application(&self, key: &str) -> String {
        let state = fs::read(Path::new(key).with_extension("application.json")).expect("a state file");
        let state: Value = serde_json::from_slice(&state).expect("JSON");
        state["application"].as_str().expect("an application").to_owned()
    }

    /// Applies, is approved, and fetches: the key file for daily use.
    pub(crate) fn issued(stack: &Stack, subject_type: SubjectType) -> (Self, String) {
        let owner = Self::new();
        let key = owner.apply(stack, subject_type);
        let id = owner.application(&key);
        let reviewer = crate::officer::Officer::reviewer(stack);
        reviewer.approve(&id).json();
        let path = format!("/api/v1/officer/applications/{id}");
        crate::stack::eventually("the certificate is issued", std::time::Duration::from_secs(20), || {
            (reviewer.client.get(&path).json()["state"] == "issued").then_some(())
        });
        let file = owner.key_with_password(&["fetch", &key]).well().out.trim().to_owned();
        assert!(!Path::new(&key).exists(), "the temporary file is gone");
        (owner, file)
    }
}
