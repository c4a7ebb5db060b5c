//! Keys on PKCS #11 tokens.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::check::Problems;
use super::values::optional_path;

/// `[keys.token]`: the token with the CA's keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaToken {
    /// The library of the token's maker; `None`: every key of the CA is a file.
    #[serde(deserialize_with = "optional_path")]
    pub module: Option<PathBuf>,
    /// The token's label.
    #[serde(deserialize_with = "optional_text")]
    pub label: Option<String>,
    /// The token's serial number.
    #[serde(deserialize_with = "optional_text")]
    pub serial: Option<String>,
    /// The PIN of its user; `None` asks on the terminal.
    #[serde(deserialize_with = "optional_path")]
    pub pin_file: Option<PathBuf>,
    /// Sessions of a key at a time.
    pub sessions: usize,
    /// The label of the issuing CA's key.
    #[serde(deserialize_with = "optional_text")]
    pub ca_label: Option<String>,
    /// Its id, in hexadecimal.
    #[serde(deserialize_with = "optional_text")]
    pub ca_id: Option<String>,
    /// The label of the audit key.
    #[serde(deserialize_with = "optional_text")]
    pub audit_label: Option<String>,
    /// Its id, in hexadecimal.
    #[serde(deserialize_with = "optional_text")]
    pub audit_id: Option<String>,
    /// The label of the officer CA's key.
    #[serde(deserialize_with = "optional_text")]
    pub officers_label: Option<String>,
    /// Its id, in hexadecimal.
    #[serde(deserialize_with = "optional_text")]
    pub officers_id: Option<String>,
    /// The label of the root's key.
    #[serde(deserialize_with = "optional_text")]
    pub root_label: Option<String>,
    /// Its id, in hexadecimal.
    #[serde(deserialize_with = "optional_text")]
    pub root_id: Option<String>,
}

/// `[ocsp.token]`: the token with the responder's key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OcspToken {
    /// The library of the token's maker; `None`: the key is a file.
    #[serde(deserialize_with = "optional_path")]
    pub module: Option<PathBuf>,
    /// The token's label.
    #[serde(deserialize_with = "optional_text")]
    pub label: Option<String>,
    /// The token's serial number.
    #[serde(deserialize_with = "optional_text")]
    pub serial: Option<String>,
    /// The PIN of its user; `None` asks on the terminal.
    #[serde(deserialize_with = "optional_path")]
    pub pin_file: Option<PathBuf>,
    /// Sessions at a time.
    pub sessions: usize,
    /// The key's label.
    #[serde(deserialize_with = "optional_text")]
    pub key_label: Option<String>,
    /// Its id, in hexadecimal.
    #[serde(deserialize_with = "optional_text")]
    pub key_id: Option<String>,
}

/// `[documents.token]`: the token with master keys.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterToken {
    /// The library of the token's maker; `None`: every master key is a file.
    #[serde(deserialize_with = "optional_path")]
    pub module: Option<PathBuf>,
    /// The token's label.
    #[serde(deserialize_with = "optional_text")]
    pub label: Option<String>,
    /// The token's serial number.
    #[serde(deserialize_with = "optional_text")]
    pub serial: Option<String>,
    /// The PIN of its user. A process is started for the token whenever one is needed, so nobody is asked for it.
    #[serde(deserialize_with = "optional_path")]
    pub pin_file: Option<PathBuf>,
}

/// A key on a token: all that is needed to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnToken<'a> {
    /// The library.
    pub module: &'a PathBuf,
    /// The token's label.
    pub token_label: Option<&'a str>,
    /// The token's serial number, if it has no label here.
    pub token_serial: Option<&'a str>,
    /// Where the PIN is.
    pub pin_file: Option<&'a PathBuf>,
    /// Sessions at a time.
    pub sessions: usize,
    /// The key's label.
    pub key_label: Option<Cow<'a, str>>,
    /// The key's id, in hexadecimal.
    pub key_id: Option<&'a str>,
}

impl CaToken {
    /// The issuing CA's key, if it is on the token.
    pub fn issuing(&self) -> Option<OnToken<'_>> {
        self.key(self.ca_label.as_deref(), self.ca_id.as_deref())
    }

    /// The key of a successor of the issuing CA, if that CA's is on the token: its label and the number (`ca-2`).
    pub fn successor(&self, number: &str) -> Option<OnToken<'_>> {
        let first = self.issuing()?;
        let label = format!("{}-{number}", first.key_label.as_deref().unwrap_or("ca"));
        Some(OnToken { key_label: Some(Cow::Owned(label)), key_id: None, ..first })
    }

    /// The root's key, if it is on the token.
    pub fn root(&self) -> Option<OnToken<'_>> {
        self.key(self.root_label.as_deref(), self.root_id.as_deref())
    }

    /// The audit key, if it is on the token.
    pub fn audit(&self) -> Option<OnToken<'_>> {
        self.key(self.audit_label.as_deref(), self.audit_id.as_deref())
    }

    /// The officer CA's key, if it is on the token.
    pub fn officers(&self) -> Option<OnToken<'_>> {
        self.key(self.officers_label.as_deref(), self.officers_id.as_deref())
    }

    fn key<'a>(&'a self, key_label: Option<&'a str>, key_id: Option<&'a str>) -> Option<OnToken<'a>> {
        let module = self.module.as_ref().filter(|_| key_label.is_some() || key_id.is_some())?;
        Some(OnToken {
            module,
            token_label: self.label.as_deref(),
            token_serial: self.serial.as_deref(),
            pin_file: self.pin_file.as_ref(),
            sessions: self.sessions,
            key_label: key_label.map(Cow::Borrowed),
            key_id,
        })
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let keys = [
            ("ca_label", &self.ca_label),
            ("ca_id", &self.ca_id),
            ("root_label", &self.root_label),
            ("root_id", &self.root_id),
            ("audit_label", &self.audit_label),
            ("audit_id", &self.audit_id),
            ("officers_label", &self.officers_label),
            ("officers_id", &self.officers_id),
        ];
        Rules {
            section: "keys.token",
            module: self.module.as_ref(),
            label: self.label.as_ref(),
            serial: self.serial.as_ref(),
            pin_file: self.pin_file.as_ref(),
            sessions: self.sessions,
        }
        .check(&keys, problems);
        let (ca, root) = ((&self.ca_label, &self.ca_id), (&self.root_label, &self.root_id));
        let same = ca == root && self.root().is_some();
        problems.unless(!same, "keys.token.root_label", "it must be another key than the issuing CA's");
        let audit = (&self.audit_label, &self.audit_id);
        let same = self.audit().is_some() && (audit == ca || audit == root);
        problems.unless(!same, "keys.token.audit_label", "it must be another key than the CA's");
        let officers = (&self.officers_label, &self.officers_id);
        let same = self.officers().is_some() && [ca, root, audit].contains(&officers);
        problems.unless(!same, "keys.token.officers_label", "it must be a key of its own");
    }
}

impl OcspToken {
    /// The responder's key, if it is on a token.
    pub fn key(&self) -> Option<OnToken<'_>> {
        Some(OnToken {
            module: self.module.as_ref()?,
            token_label: self.label.as_deref(),
            token_serial: self.serial.as_deref(),
            pin_file: self.pin_file.as_ref(),
            sessions: self.sessions,
            key_label: self.key_label.as_deref().map(Cow::Borrowed),
            key_id: self.key_id.as_deref(),
        })
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        Rules {
            section: "ocsp.token",
            module: self.module.as_ref(),
            label: self.label.as_ref(),
            serial: self.serial.as_ref(),
            pin_file: self.pin_file.as_ref(),
            sessions: self.sessions,
        }
        .check(&[("key_label", &self.key_label), ("key_id", &self.key_id)], problems);
    }
}

impl MasterToken {
    /// The master key of this label; none without a token.
    pub fn key<'a>(&'a self, label: &'a str) -> Option<OnToken<'a>> {
        Some(OnToken {
            module: self.module.as_ref()?,
            token_label: self.label.as_deref(),
            token_serial: self.serial.as_deref(),
            pin_file: self.pin_file.as_ref(),
            sessions: 1,
            key_label: Some(Cow::Borrowed(label)),
            key_id: None,
        })
    }

    /// `labels` are of the keys that are said to be on it.
    pub(super) fn check(&self, labels: &[&str], problems: &mut Problems) {
        Rules {
            section: "documents.token",
            module: self.module.as_ref(),
            label: self.label.as_ref(),
            serial: self.serial.as_ref(),
            pin_file: self.pin_file.as_ref(),
            sessions: 1,
        }
        .check(&[], problems);
        let is_opened = self.module.is_none() || self.pin_file.is_some();
        problems.unless(is_opened, "documents.token.pin_file", "a file with the token's PIN is expected");
        let key = "documents.master_keys";
        let has_token = labels.is_empty() || self.module.is_some();
        problems.unless(has_token, key, "documents.token.module names no library for what is on a token");
        let is_label = |label: &&str| !label.is_empty() && label.len() <= 64 && label.trim() == *label;
        problems.unless(
            labels.iter().all(is_label),
            key,
            "a label of 1 to 64 octets is expected behind token:",
        );
    }
}

/// What the sections have in common.
struct Rules<'a> {
    section: &'static str,
    module: Option<&'a PathBuf>,
    label: Option<&'a String>,
    serial: Option<&'a String>,
    pin_file: Option<&'a PathBuf>,
    sessions: usize,
}

impl Rules<'_> {
    /// `keys`: those of which at least one is expected, with their settings' names.
    fn check(&self, keys: &[(&str, &Option<String>)], problems: &mut Problems) {
        let key = |name: &str| format!("{}.{name}", self.section);
        problems.within(self.sessions, 1, 256, &key("sessions"));
        let Some(module) = self.module else {
            let given = [
                ("label", self.label.is_some()),
                ("serial", self.serial.is_some()),
                ("pin_file", self.pin_file.is_some()),
            ];
            let named = keys.iter().map(|(name, value)| (*name, value.is_some()));
            for (name, _) in given.into_iter().chain(named).filter(|(_, given)| *given) {
                problems.unless(false, &key(name), &format!("{} names no library for it", key("module")));
            }
            return;
        };
        // A bare name would be looked for wherever the loader looks.
        problems.unless(module.is_absolute(), &key("module"), "the whole path of the library is expected");
        match (self.label, self.serial) {
            (Some(_), Some(_)) => {
                problems.unless(
                    false,
                    &key("serial"),
                    "a token is named by its label or by its serial number, not by both",
                );
            }
            (None, None) => {
                problems.unless(false, &key("label"), "the token's label or serial number is expected")
            }
            // PKCS #11 v3.0 section 3.2, CK_TOKEN_INFO: 32 and 16 octets.
            (label, serial) => {
                let fits = |name: Option<&String>, most| name.is_none_or(|name| name.len() <= most);
                problems.unless(fits(label, 32), &key("label"), "a token's label has at most 32 octets");
                problems.unless(
                    fits(serial, 16),
                    &key("serial"),
                    "a token's serial number has at most 16 octets",
                );
            }
        }
        if let Some((first, _)) = keys.first() {
            let some = keys.iter().any(|(_, value)| value.is_some());
            problems.unless(some, &key(first), "the label or the id of a key is expected");
        }
        for (name, value) in keys.iter().filter(|(name, _)| name.ends_with("_id")) {
            let Some(id) = value else { continue };
            let hexadecimal =
                id.len() % 2 == 0 && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_hexdigit());
            problems.unless(
                hexadecimal,
                &key(name),
                "an id is written in pairs of hexadecimal digits, 64 at most",
            );
        }
    }
}

/// An empty text means "not set".
fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then_some(text))
}
