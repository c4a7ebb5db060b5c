//! A PKCS #11 token: SoftHSM2 in a folder of its own, which can be pulled out.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{self, Said};
use crate::stack::{Database, Stack, fresh_folder};

pub(crate) const PIN: &str = "271828";
const SETTINGS: &str = "SOFTHSM2_CONF";
/// Where Debian has the module.
pub(crate) const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

pub(crate) struct Token {
    folder: PathBuf,
}

impl Token {
    /// With the label `muhr`, and nothing on it.
    pub(crate) fn new() -> Self {
        let token = Self { folder: fresh_folder() };
        fs::create_dir(token.plugged_in()).expect("our folder");
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", token.plugged_in().display());
        fs::write(token.settings(), text).expect("our folder");
        token.set_pin(PIN);
        let officers = ["--so-pin", "31415926", "--pin", PIN];
        token.tool(&[&["--init-token", "--free", "--label", "muhr"], &officers[..]].concat()).well();
        token
    }

    /// A stack that keeps the keys of issuing CA and OCSP responder here, as far as `settings` do not say otherwise. Nothing
    /// of it runs yet.
    pub(crate) fn stack(&self, database: Database, settings: &[(&str, &str)]) -> Stack {
        let pin_file = self.pin_file().display().to_string();
        let keys = [
            ("KEYS__TOKEN__MODULE", MODULE),
            ("KEYS__TOKEN__LABEL", "muhr"),
            ("KEYS__TOKEN__PIN_FILE", &pin_file),
            ("KEYS__TOKEN__CA_LABEL", "issuing"),
            ("KEYS__TOKEN__AUDIT_LABEL", "audit log"),
            ("KEYS__TOKEN__OFFICERS_LABEL", "officers"),
            ("OCSP__TOKEN__MODULE", MODULE),
            ("OCSP__TOKEN__LABEL", "muhr"),
            ("OCSP__TOKEN__PIN_FILE", &pin_file),
            ("OCSP__TOKEN__KEY_ID", "0c59"),
        ];
        let mut stack = Stack::prepare(fresh_folder(), database.address(), &keys);
        settings.iter().for_each(|(key, value)| stack.set(key, value));
        stack.set_environment(SETTINGS, &self.settings().display().to_string());
        stack
    }

    /// What is written in the PIN file from now on.
    pub(crate) fn set_pin(&self, pin: &str) {
        fs::write(self.pin_file(), format!("{pin}\n")).expect("our folder");
    }

    pub(crate) fn pull_out(&self) {
        fs::rename(self.plugged_in(), self.pulled_out()).expect("our folder");
    }

    pub(crate) fn plug_in(&self) {
        fs::rename(self.pulled_out(), self.plugged_in()).expect("our folder");
    }

    fn tool(&self, arguments: &[&str]) -> Said {
        let mut tool = Command::new(command::find("softhsm2-util"));
        command::finish(tool.args(arguments).env(SETTINGS, self.settings()), b"")
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.folder.join("pin")
    }

    fn plugged_in(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    fn pulled_out(&self) -> PathBuf {
        self.folder.join("elsewhere")
    }
}
