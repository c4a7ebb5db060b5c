//! Text messages: the gateways that carry them, in the order in which they are tried.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::Settings;
use config::settings::SmsProvider;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use zeroize::Zeroizing;

pub mod breaker;
pub(crate) mod callback;
pub mod eskiz;
pub(crate) mod http;
pub mod playmobile;

use breaker::Breaker;
use eskiz::Eskiz;
use playmobile::PlayMobile;

use crate::service_key::Hasher;

/// A message for a gateway. Not `Debug`: it holds a phone and perhaps a code.
pub struct Outgoing {
    /// The delivery it is.
    pub delivery: i64,
    /// How often an officer had it sent again: each is a message of its own to a gateway.
    pub resends: i32,
    /// The phone, E.164.
    pub phone: String,
    /// The whole text.
    pub text: Zeroizing<String>,
}

impl Outgoing {
    /// The phone as Uzbek gateways want it: twelve digits, without the plus sign.
    fn digits(&self) -> &str {
        self.phone.trim_start_matches('+')
    }
}

/// A gateway has taken a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// What it calls the message.
    pub message_id: Option<String>,
    /// After how long it is asked what became of the message, if it has not told by then; `None`: it cannot be asked.
    pub ask_after: Option<Duration>,
}

/// A gateway has not, or may not have, taken a message. Reasons are our own words: nothing of what the gateway says is in
/// them, because that may repeat a phone or a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It surely has not: another gateway may be asked.
    #[error("{reason}")]
    NotTaken {
        /// What happened.
        reason: String,
        /// How long it wants to be left alone.
        rest: Option<Duration>,
    },
    /// The connection was lost, or time was up, after the message had been handed over.
    #[error("{0}")]
    PerhapsTaken(String),
    /// It works, and does not want this message.
    #[error("{reason}")]
    Refused {
        /// What it objects to.
        reason: String,
        /// Every other gateway would refuse it as well: there is no such phone.
        everywhere: bool,
    },
}

impl SendError {
    fn not_taken(reason: impl Into<String>) -> Self {
        Self::NotTaken { reason: reason.into(), rest: None }
    }
}

/// Somebody who brings text messages to the phone networks.
pub trait Gateway: Send + Sync {
    /// Whether the same message handed over twice reaches the phone once.
    fn deduplicates(&self) -> bool;

    /// The longest that [`Gateway::send`] may take.
    fn patience(&self) -> Duration;

    /// Hands a message over.
    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, SendError>>;
}

/// Where messages of a provider go.
pub enum Carrier {
    /// Into a table of ours.
    Sandbox,
    /// To a gateway.
    Gateway(Arc<dyn Gateway>),
}

/// A provider with the breaker that keeps us from waiting for it in vain.
pub struct Guarded {
    /// Its name.
    pub provider: SmsProvider,
    /// Where its messages go.
    pub carrier: Carrier,
    /// Whether it is worth trying.
    pub breaker: Breaker,
}

impl Guarded {
    /// Whether the same message handed over twice reaches the phone once.
    pub fn deduplicates(&self) -> bool {
        match &self.carrier {
            Carrier::Sandbox => true,
            Carrier::Gateway(gateway) => gateway.deduplicates(),
        }
    }
}

/// Every configured provider, in the order in which they are tried.
pub struct Gateways {
    guarded: Vec<Guarded>,
    eskiz: Option<Arc<Eskiz>>,
}

/// A gateway's account cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct AccountError {
    /// The setting.
    pub key: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Gateways {
    /// Reads the passwords of the configured gateways. Nobody is called yet.
    ///
    /// # Errors
    /// A password file cannot be read, or there are no trusted certificates for TLS.
    pub fn open(settings: &Settings, hasher: &Arc<Hasher>) -> Result<Self, AccountError> {
        let sms = &settings.sms;
        let (mut guarded, mut known_eskiz) = (Vec::with_capacity(sms.providers.len()), None);
        for provider in &sms.providers {
            let carrier = match provider {
                SmsProvider::Sandbox => Carrier::Sandbox,
                SmsProvider::Eskiz => {
                    let eskiz = Arc::new(Eskiz::open(&sms.eskiz, &settings.public_url, Arc::clone(hasher))?);
                    known_eskiz = Some(Arc::clone(&eskiz));
                    Carrier::Gateway(eskiz)
                }
                SmsProvider::PlayMobile => Carrier::Gateway(Arc::new(PlayMobile::open(&sms.playmobile)?)),
            };
            let breaker = Breaker::new(sms.breaker_failures, sms.breaker_rest);
            guarded.push(Guarded { provider: *provider, carrier, breaker });
        }
        Ok(Self { guarded, eskiz: known_eskiz })
    }

    /// The providers that may be given a message that `held_by` may have taken already. A notice stays with a gateway that
    /// would notice; any other message may go anywhere, because twice is better than never.
    pub fn for_message(&self, held_by: Option<&str>, is_code: bool) -> Vec<&Guarded> {
        let holder = self.guarded.iter().find(|guarded| Some(guarded.provider.as_str()) == held_by);
        match holder {
            Some(holder) if !is_code && holder.deduplicates() => vec![holder],
            _ => self.guarded.iter().collect(),
        }
    }

    /// The longest that all of them together may take for one message.
    pub fn patience(&self) -> Duration {
        let each = self.guarded.iter().map(|guarded| match &guarded.carrier {
            Carrier::Sandbox => Duration::ZERO,
            Carrier::Gateway(gateway) => gateway.patience(),
        });
        each.sum()
    }

    /// Eskiz, if it is one of them: it tells what became of messages, and how much money is left.
    pub fn eskiz(&self) -> Option<&Arc<Eskiz>> {
        self.eskiz.as_ref()
    }
}

/// The secret in a file; line ends at its end do not belong to it.
pub(crate) fn password(file: Option<&Path>, key: &'static str) -> Result<SecretString, AccountError> {
    let file = file.ok_or_else(|| AccountError { key, reason: "a file is expected".to_owned() })?;
    let read = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = read.map_err(|error| AccountError { key, reason: format!("{}: {error}", file.display()) })?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    fn names(gateways: &[&Guarded]) -> Vec<&'static str> {
        gateways.iter().map(|guarded| guarded.provider.as_str()).collect()
    }

    #[actix_web::test]
    async fn a_notice_stays_where_it_is_recognised_and_anything_else_may_go_anywhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret\n").unwrap();
        let file = file.path().to_str().unwrap();
        let harness = Harness::start_with(&[
            ("sms.providers", "eskiz,playmobile"),
            ("sms.eskiz.login", "a@example.uz"),
            ("sms.eskiz.password_file", file),
            ("sms.playmobile.login", "a"),
            ("sms.playmobile.password_file", file),
        ]);
        let gateways = &harness.context.gateways;
        let all = ["eskiz", "playmobile"];
        assert_eq!(names(&gateways.for_message(None, false)), all);
        assert_eq!(names(&gateways.for_message(Some("playmobile"), false)), ["playmobile"]);
        assert_eq!(names(&gateways.for_message(Some("playmobile"), true)), all, "a code does not wait");
        assert_eq!(names(&gateways.for_message(Some("eskiz"), false)), all, "it would not recognise it");
        assert_eq!(names(&gateways.for_message(Some("gone"), false)), all, "it is not configured any more");
        assert_eq!(gateways.patience(), Duration::from_secs(60 + 10));
        assert!(gateways.eskiz().is_some());
    }

    #[test]
    fn a_password_ends_before_its_line_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " se cret \r\n").unwrap();
        use secrecy::ExposeSecret;
        assert_eq!(password(Some(file.path()), "k").unwrap().expose_secret(), " se cret ");
        assert!(
            password(Some(Path::new("/absent")), "k").unwrap_err().to_string().starts_with("k: /absent: ")
        );
        assert!(password(None, "k").is_err());
    }
}
