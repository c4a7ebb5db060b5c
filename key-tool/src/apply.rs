//! An application from the terminal: the phone, the form, the request, the payment, the pictures, the signed statement.
//!
//! What is missing is asked of the server each time ([`facts`]), and what was typed is kept beside the key ([`State`]), so the
//! same command goes on where it stopped.

use std::time::Duration;

use config::clock::SystemClock;
use serde_json::Value;

use crate::key::Key;
use crate::server::Server;
use crate::speech::Speech;
use crate::trouble::{Exit, Trouble};

mod answers;
mod checks;
mod facts;
mod form;
mod phone;
mod state;

pub use answers::Answers;
pub use state::State;

/// An application under way.
pub struct Application<'a> {
    /// The key that it is for.
    pub key: &'a Key,
    /// What is remembered.
    pub state: State,
    /// Whom to ask for what nobody has answered yet; without a terminal that is a failure.
    pub interactive: bool,
    /// How long to wait for the payment.
    pub patience: Duration,
    /// In what language.
    pub speech: Speech,
    /// When.
    pub clock: SystemClock,
}

impl Application<'_> {
    /// Does everything that is the applicant's move, and says whose move it is then. The answer is the application as the
    /// server shows it.
    ///
    /// # Errors
    /// The server refuses, an answer is missing, or (with [`Exit::Waiting`]) the invoice is not paid yet. What was done stays
    /// done.
    pub fn proceed(&mut self) -> Result<Value, Trouble> {
        let mut server = Server::at(&self.state.server, self.speech)?;
        self.identify(&mut server)?;
        if self.state.application.is_none() {
            self.create(&server)?;
        }
        let view = self.complete(&server)?;
        self.tell(&view);
        Ok(view)
    }

    /// The application as it is now, for whoever only wants to know.
    ///
    /// # Errors
    /// The server refuses, or there is no application yet.
    pub fn look(&mut self) -> Result<(Server, Value), Trouble> {
        let mut server = Server::at(&self.state.server, self.speech)?;
        if self.state.application.is_none() {
            return Err(Trouble::new("no-application", Exit::File).about(&self.key.path));
        }
        self.identify(&mut server)?;
        let view = server.get(&self.path("")?)?;
        Ok((server, view))
    }

    /// The address of this application.
    pub(crate) fn path(&self, rest: &str) -> Result<String, Trouble> {
        let id = self.state.application.as_deref();
        let id = id.ok_or_else(|| Trouble::new("no-application", Exit::File).about(&self.key.path))?;
        Ok(format!("/api/v1/applications/{id}{rest}"))
    }

    /// Where it stands, whose move it is, and why it was returned or rejected.
    pub fn tell(&self, view: &Value) {
        let word = |name: &str| view[name].as_str().unwrap_or_default();
        let named = |key: String| config::texts::text(self.speech.0, &key, &[]);
        let (state, next) =
            (named(format!("state-{}", word("state"))), named(format!("next-{}", word("next_actor"))));
        self.speech.say("application", &[("id", word("id")), ("state", &state), ("next", &next)]);
        self.tell_refusal(view);
    }

    fn tell_refusal(&self, view: &Value) {
        for part in ["text", "note"] {
            if let Some(words) = view["refusal"][part].as_str() {
                self.speech.say_line(&format!("  {words}"));
            }
        }
    }

    fn save(&self) -> Result<(), Trouble> {
        self.state.save(&self.key.path)
    }
}
