//! The settings of a process: `default.toml` < the `--config` file < `MUHR__SECTION__KEY` < the command line.
//!
//! They are read once at the start into types; a mistake anywhere is named by its key, and all mistakes at once.

mod check;
mod check_messages;
mod check_payments;
mod merge;
mod messages;
mod payments;
mod sections;
mod token;
mod values;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use messages::*;
pub use payments::*;
pub use sections::*;
pub use token::{CaToken, MasterToken, OcspToken, OnToken};
pub use values::{DatabaseUrl, HttpUrl};

use crate::Language;
use crate::clock::SystemClock;

/// The complete, commented defaults: also the documentation of every key.
pub const DEFAULT: &str = include_str!("../default.toml");

/// Everything a process is told at its start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Sandbox or production.
    pub environment: Environment,
    /// Sandbox only: seconds this process's clock is ahead of the system's.
    pub clock_offset_seconds: i64,
    /// The language of people who ask for none of ours.
    pub default_language: Language,
    /// Where people reach the portal and the API.
    pub public_url: HttpUrl,
    /// The public port.
    pub http: Http,
    /// The port for health and metrics.
    pub operations: Operations,
    /// The database.
    pub database: Database,
    /// Files this process writes, and tables to use instead of the built-in ones.
    pub data: Data,
    /// Sealed pictures and papers of applicants.
    pub documents: Documents,
    /// The CA's keys.
    pub keys: Keys,
    /// Certificates.
    pub issuance: Issuance,
    /// Certificate status.
    pub ocsp: Ocsp,
    /// Revocation lists.
    pub crl: Crl,
    /// The audit log.
    pub audit: Audit,
    /// Text messages and the codes in them.
    pub sms: Sms,
    /// Mail.
    pub mail: Mail,
    /// Picture puzzles.
    pub captcha: Captcha,
    /// Applications.
    pub applications: Applications,
    /// How long evidence is kept.
    pub retention: Retention,
    /// Invoices.
    pub invoices: Invoices,
    /// How long a token is good for.
    pub sessions: Sessions,
    /// Officers' passwords.
    pub officers: Officers,
    /// Requests of one address.
    pub limits: Limits,
    /// Payment providers.
    pub payments: Payments,
    /// Channel partners by name.
    pub partners: HashMap<String, Partner>,
    /// Every setting as it was given, `section.key = value` in JSON, one a line by key; the database's password is left out.
    #[serde(skip)]
    pub effective: String,
}

/// Where settings come from besides the defaults, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The `--config` file.
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not start with `MUHR__` are passed over.
    pub environment: HashMap<String, String>,
    /// `section.key` and its value, from the command line.
    pub overrides: Vec<(String, String)>,
}

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// `section.key`.
    pub key: String,
    /// The rule it breaks.
    pub rule: String,
}

/// The process cannot start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is absent or may not be read.
    #[error("the settings file {file} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file is not TOML, or a variable is not text.
    #[error("the settings cannot be read: {0}")]
    Syntax(String),
    /// Keys that are unknown, of the wrong type, or against a rule.
    #[error("{} in the settings:{}", count(.0), list(.0))]
    Problems(Vec<Problem>),
}

fn count(problems: &[Problem]) -> String {
    if problems.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.len()) }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {}: {}", problem.key, problem.rule)).collect()
}

impl Problem {
    fn new(key: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { key: key.into(), rule: rule.into() }
    }
}

impl Sources {
    /// The process's environment and, if given, the `--config` file.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        // A variable that is not Unicode cannot be one of ours: names and values of settings are text.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment, overrides: Vec::new() }
    }

    /// Adds a setting from the command line, which wins over every other source.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.overrides.push((key.to_owned(), value.into()));
        self
    }
}

impl Settings {
    /// Reads the settings and keeps every rule the given roles need.
    ///
    /// # Errors
    /// The file cannot be read, or every unknown key, wrong type and broken rule at once.
    pub fn load(sources: &Sources, roles: &[Role]) -> Result<Self, SettingsError> {
        let (settings, mut problems) = merge::read(sources)?;
        // What a rule says about a default that stands in for an unreadable value would only confuse.
        let unreadable: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
        problems
            .extend(settings.check(roles).into_iter().filter(|problem| !unreadable.contains(&problem.key)));
        problems.sort();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError::Problems(problems)) }
    }

    /// The clock of this process.
    pub fn clock(&self) -> SystemClock {
        SystemClock::with_offset(self.clock_offset_seconds)
    }

    /// The public audit keys (PEM), for whoever verifies the log.
    pub fn audit_key_file(&self) -> PathBuf {
        self.keys.directory.join("audit.pem")
    }

    /// Whether `/sandbox/` exists.
    pub fn is_sandbox(&self) -> bool {
        self.environment == Environment::Sandbox
    }

    /// Fills in what stands empty for "follows from another setting", and puts relative paths under the data directory.
    fn complete(&mut self) {
        if self.public_url.is_empty() {
            self.public_url = HttpUrl::of_address(self.http.listen);
        }
        let under_public = |url: &HttpUrl, path: &str, public: &HttpUrl| {
            if url.is_empty() { public.join(path) } else { url.clone() }
        };
        self.issuance.ocsp_url = under_public(&self.issuance.ocsp_url, "ocsp", &self.public_url);
        self.issuance.repository_url =
            under_public(&self.issuance.repository_url, "repository", &self.public_url);
        self.issuance.cps_url = under_public(&self.issuance.cps_url, "cps", &self.public_url);
        if self.keys.in_shares {
            let before = self.keys.passphrase_file.take();
            // What was the CA's opens nothing any more, under whatever setting it stands.
            if self.ocsp.passphrase_file == before {
                self.ocsp.passphrase_file = None;
            }
        }
        if self.ocsp.passphrase_file.is_none() {
            self.ocsp.passphrase_file = self.keys.passphrase_file.clone();
        }
        let root = self.data.directory.clone();
        self.database.url.place_under(&root);
        let webhooks = self.payments.webhook.values_mut().map(|webhook| &mut webhook.secret_file);
        let partners = self.partners.values_mut().flat_map(|partner| partner.keys.values_mut());
        let masters = self.documents.master_keys.iter_mut().filter_map(|key| match key {
            MasterKey::File(file) => Some(file),
            MasterKey::OnToken(_) => None,
        });
        let shares = self.keys.share_files.iter_mut();
        let given = [
            &mut self.documents.directory,
            &mut self.documents.key_file,
            &mut self.keys.directory,
            &mut self.ocsp.key_file,
            &mut self.ocsp.certificate_file,
            &mut self.crl.repository_directory,
        ];
        let optional = [
            &mut self.operations.textfile,
            &mut self.http.tls.certificate_file,
            &mut self.http.tls.key_file,
            &mut self.http.tls.client_ca_file,
            &mut self.keys.passphrase_file,
            &mut self.keys.token.pin_file,
            &mut self.ocsp.passphrase_file,
            &mut self.ocsp.token.pin_file,
            &mut self.documents.token.pin_file,
            &mut self.ocsp.snapshot_file,
            &mut self.data.fees_file,
            &mut self.data.regions_file,
            &mut self.data.service_centres_file,
            &mut self.data.profiles_directory,
            &mut self.data.approval_file,
            &mut self.sms.eskiz.password_file,
            &mut self.sms.playmobile.password_file,
            &mut self.mail.smtp.ca_file,
            &mut self.mail.smtp.password_file,
            &mut self.mail.dkim.key_file,
            &mut self.payments.click.secret_file,
            &mut self.payments.payme.key_file,
            &mut self.payments.paynet.password_file,
            &mut self.payments.reconciliation.directory,
        ];
        let named = webhooks.chain(partners).chain(masters).chain(shares);
        for path in given.into_iter().chain(named).chain(optional.into_iter().flatten()) {
            place_under(&root, path);
        }
    }
}

fn place_under(root: &Path, path: &mut PathBuf) {
    // An empty path stays empty, so that the check can name the key that lacks one.
    if path.is_relative() && !path.as_os_str().is_empty() {
        *path = root.join(&*path);
    }
}

#[cfg(test)]
mod tests;
