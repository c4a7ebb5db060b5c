//! `apply` and `fetch`: from a form to a key file with its certificate.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ca_core::Timestamp;
use config::clock::SystemClock;
use key_tool::apply::{Answers, Application, State};
use key_tool::{Exit, Key, Password, Speech, Trouble, disk, fetch};

use super::files::open;
use super::{Kind, PasswordFile, Place};
use crate::failure::say;

/// An application, begun or gone on with.
#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// The address of the certification authority, https://…
    #[arg(long, value_name = "URL", env = "MUHR_SERVER")]
    server: Option<String>,
    /// Go on with this key's application, or apply for this key; else a key is made.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    kind: Kind,
    #[command(flatten)]
    password: PasswordFile,
    /// Answers as TOML or JSON (docs/KEYS.md); what it does not answer is asked, if there is a terminal.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// How many seconds to wait for the payment before leaving; the same command goes on later.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait: u64,
}

/// The certificate of an application.
#[derive(Debug, clap::Args)]
pub(super) struct Fetch {
    /// The temporary key file that `apply` has named.
    key: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    password: PasswordFile,
}

impl Apply {
    pub(super) fn run(self, speech: Speech, now: Timestamp) -> Result<(), Trouble> {
        let answers = self.answers.as_deref().map(Answers::read).transpose()?.unwrap_or_default();
        let remembered = self.key.as_deref().map(State::of).transpose()?.flatten();
        let state = match (remembered, &self.server) {
            (Some(mut state), _) => {
                state.answers = answers.or(state.answers);
                state
            }
            (None, Some(server)) => State::new(server, answers)?,
            (None, None) => return Err(Trouble::new("server-needed", Exit::Failed)),
        };
        let key = self.key(speech, now)?;
        state.save(&key.path)?;
        let interactive = std::io::stdin().is_terminal();
        let patience = Duration::from_secs(self.wait);
        let clock = SystemClock::default();
        let mut application = Application { key: &key, state, interactive, patience, speech, clock };
        application.proceed().inspect_err(|_| go_on(speech, &key.path))?;
        speech.say("then-fetch", &[("path", &key.path.display().to_string())]);
        Ok(())
    }

    fn key(&self, speech: Speech, now: Timestamp) -> Result<Key, Trouble> {
        if let Some(path) = &self.key {
            return open(path, &self.password, speech);
        }
        let folder = self.place.folder()?;
        let password = Password::new(self.password.source(), speech)?;
        let key = Key::generate(&folder, self.kind.algorithm, &self.kind.name, &password, now)?;
        speech.say("key-made", &[]);
        say(key.path.display());
        Ok(key)
    }
}

fn go_on(speech: Speech, path: &Path) {
    speech.say("go-on", &[("path", &path.display().to_string())]);
}

impl Fetch {
    pub(super) fn run(self, speech: Speech) -> Result<(), Trouble> {
        let state = State::of(&self.key)?
            .ok_or_else(|| Trouble::new("no-application", Exit::File).about(&self.key))?;
        // A missing file is said before a password is asked for.
        disk::read(&self.key, key_tool::pfx::MAX_SIZE as u64)?;
        let password = Password::existing(self.password.source(), speech, &self.key)?;
        let key = Key::open(&self.key, &password)?;
        let folder = match (&self.place.drive, &self.place.out, self.key.parent()) {
            (None, None, Some(folder)) => folder.to_owned(),
            _ => self.place.folder()?,
        };
        let interactive = std::io::stdin().is_terminal();
        let (patience, clock) = (Duration::ZERO, SystemClock::default());
        let mut application = Application { key: &key, state, interactive, patience, speech, clock };
        let path = fetch::fetch(&mut application, &folder, &password)?;
        speech.say("fetched", &[]);
        say(path.display());
        Ok(())
    }
}
