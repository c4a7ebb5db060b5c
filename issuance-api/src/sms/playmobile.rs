//! PlayMobile, also known as smsxabar (send.smsxabar.uz): HTTP Basic and JSON. We name the messages, and a name that is
//! used twice is one message.

use std::time::Duration;

use config::settings::HttpUrl;
use futures_util::future::BoxFuture;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::http::{Answer, call, client, named};
use super::{Accepted, AccountError, Gateway, Outgoing, SendError, password};

const NAME: &str = "playmobile";
/// Its error codes as integrators pass them on (not published): the account is locked.
const LOCKED: i64 = 102;
/// There is no recipient.
const NO_RECIPIENT: i64 = 202;

/// An account at PlayMobile.
pub struct PlayMobile {
    http: Client,
    base_url: HttpUrl,
    login: String,
    password: SecretString,
    sender: String,
    prefix: String,
    timeout: Duration,
}

impl PlayMobile {
    /// Reads the account's password.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn open(settings: &config::settings::PlayMobile) -> Result<Self, AccountError> {
        Ok(Self {
            http: client(settings.timeout, "sms.playmobile")?,
            base_url: settings.base_url.clone(),
            login: settings.login.clone(),
            password: password(settings.password_file.as_deref(), "sms.playmobile.password_file")?,
            sender: settings.sender.clone(),
            prefix: settings.message_id_prefix.clone(),
            timeout: settings.timeout,
        })
    }

    /// At most 20 characters: the prefix (6), the delivery (11), how often it was sent again (3). The same delivery has the
    /// same name in every attempt.
    fn message_id(&self, message: &Outgoing) -> String {
        let again = if message.resends == 0 { String::new() } else { format!("r{}", message.resends) };
        format!("{}{:09}{again}", self.prefix, message.delivery)
    }

    async fn hand_over(&self, message: &Outgoing) -> Result<Accepted, SendError> {
        let message_id = self.message_id(message);
        let body = json!({ "messages": [{
            "recipient": message.digits(),
            "message-id": message_id,
            "sms": { "originator": self.sender, "content": { "text": message.text.as_str() } },
        }]});
        let request = self.http.post(self.base_url.join("send").as_str());
        let request = request.basic_auth(&self.login, Some(self.password.expose_secret())).json(&body);
        judge(&call(request).await?.sound()?)?;
        Ok(Accepted { message_id: Some(message_id), ask_after: None })
    }
}

/// What an answer to a message means. A success is 200 with a few words.
fn judge(answer: &Answer) -> Result<(), SendError> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let said = answer.json().unwrap_or_default();
    let code = match &said["error-code"] {
        Value::Number(code) => code.as_i64(),
        Value::String(code) => code.parse().ok(),
        _ => None,
    };
    // Without a code it is not about the message; 401 and 403 are about the account.
    let accounts = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    match code {
        Some(code) if !accounts && code != LOCKED => Err(SendError::Refused {
            reason: format!("HTTP {}, error {code}", status.as_u16()),
            everywhere: code == NO_RECIPIENT,
        }),
        Some(code) => Err(SendError::not_taken(format!("HTTP {}, error {code}", status.as_u16()))),
        None => Err(SendError::not_taken(format!("HTTP {}", status.as_u16()))),
    }
}

impl Gateway for PlayMobile {
    fn deduplicates(&self) -> bool {
        true
    }

    fn patience(&self) -> Duration {
        self.timeout
    }

    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async { self.hand_over(message).await.map_err(|error| named(NAME, error)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::http::tests::answer;

    #[test]
    fn what_is_wrong_with_the_account_is_not_wrong_with_the_message() {
        let said = |status, body: &str| judge(&answer(status, &[], body));
        let coded = |code| format!("{{\"error-code\": {code}, \"error-description\": \"+998901234567\"}}");
        assert_eq!(said(200, "Request is received"), Ok(()));
        for (status, body) in [
            (401, coded("103")),
            (403, "{}".to_owned()),
            (400, coded("102")),
            (400, coded("\"102\"")),
            (404, String::new()),
        ] {
            assert!(matches!(said(status, &body), Err(SendError::NotTaken { .. })), "{status} {body}");
        }
        let refused = |code| match said(400, &coded(code)) {
            Err(SendError::Refused { reason, everywhere }) => {
                assert!(!reason.contains("998"), "the gateway's own words are not passed on: {reason}");
                everywhere
            }
            other => panic!("{other:?}"),
        };
        assert!(refused("202"));
        assert!(!refused("404") && !refused("\"101\""));
    }
}
