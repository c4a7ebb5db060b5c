//! Eskiz (notify.eskiz.uz): a bearer token from login and password, forms, JSON answers.
//!
//! What Eskiz publishes is little: calls and answers are as its two packages on PyPI (eskiz-sms 1.0.1, eskiz-pkg) make
//! and read them. Where an answer's form is not published, everything that looks like it is taken.

use std::sync::Arc;
use std::time::Duration;

use config::settings::HttpUrl;
use futures_util::future::BoxFuture;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;

use super::http::{Answer, call, client, named};
use super::{Accepted, AccountError, Gateway, Outgoing, SendError, callback, password};
use crate::service_key::Hasher;

const NAME: &str = "eskiz";
/// How long a report of what became of a message is waited for before it is asked for.
const ASK_AFTER: Duration = Duration::from_secs(300);
/// A message may need a refused call, a refused refresh, a login and another call, and wait for somebody else's refresh and
/// login before that.
const CALLS: u32 = 6;

/// An account at Eskiz.
pub struct Eskiz {
    http: Client,
    base_url: HttpUrl,
    login: String,
    password: SecretString,
    sender: String,
    timeout: Duration,
    public_url: HttpUrl,
    hasher: Arc<Hasher>,
    /// The bearer token that works as far as we know. Locked while it is renewed: everybody then uses the new one.
    token: Mutex<Option<SecretString>>,
}

impl Eskiz {
    /// Reads the account's password.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn open(
        settings: &config::settings::Eskiz,
        public_url: &HttpUrl,
        hasher: Arc<Hasher>,
    ) -> Result<Self, AccountError> {
        Ok(Self {
            http: client(settings.timeout, "sms.eskiz")?,
            base_url: settings.base_url.clone(),
            login: settings.login.clone(),
            password: password(settings.password_file.as_deref(), "sms.eskiz.password_file")?,
            sender: settings.sender.clone(),
            timeout: settings.timeout,
            public_url: public_url.clone(),
            hasher,
            token: Mutex::new(None),
        })
    }

    /// What became of a message, in Eskiz's words; `None` if it does not say.
    ///
    /// # Errors
    /// As for sending.
    pub async fn status(&self, message_id: &str) -> Result<Option<String>, SendError> {
        // It goes into a path: what Eskiz calls messages (UUIDs, numbers) needs no escaping, and nothing else is asked for.
        if !message_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Ok(None);
        }
        let path = format!("message/sms/status_by_id/{message_id}");
        let answer = self.authorized(|| self.request(Method::GET, &path)).await?;
        let said = answer.json().unwrap_or_default();
        let status = said["data"]["status"].as_str().or(said["status"].as_str());
        Ok(status.map(str::to_owned))
    }

    /// The money or messages left in the account.
    ///
    /// # Errors
    /// As for sending.
    pub async fn balance(&self) -> Result<Option<f64>, SendError> {
        let answer = self.authorized(|| self.request(Method::GET, "user/get-limit")).await?;
        let said = answer.json().unwrap_or_default();
        let given = [&said["data"]["balance"], &said["balance"], &said["data"]["limit"]];
        Ok(given.into_iter().find_map(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok())))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.base_url.join(path).as_str())
    }

    /// Calls with the token; if that is refused, once more with a new one.
    async fn authorized(&self, request: impl Fn() -> RequestBuilder) -> Result<Answer, SendError> {
        let token = self.token(None).await?;
        let answer = call(request().bearer_auth(token.expose_secret())).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return answer.sound();
        }
        let token = self.token(Some(&token)).await?;
        let answer = call(request().bearer_auth(token.expose_secret())).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(SendError::not_taken("HTTP 401 to a new token"));
        }
        answer.sound()
    }

    /// The token, or a new one in the place of a refused one, unless somebody else has renewed it meanwhile.
    async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, SendError> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref()
            && refused.is_none_or(|refused| refused.expose_secret() != token.expose_secret())
        {
            return Ok(token.clone());
        }
        let refreshed = match refused {
            Some(token) => self.refresh(token).await,
            None => None,
        };
        let token = match refreshed {
            Some(token) => token,
            None => self.log_in().await?,
        };
        *held = Some(token.clone());
        Ok(token)
    }

    /// A new token for an old one, if Eskiz still gives one.
    async fn refresh(&self, token: &SecretString) -> Option<SecretString> {
        let request = self.request(Method::PATCH, "auth/refresh").bearer_auth(token.expose_secret());
        let answer = call(request).await.ok()?;
        if answer.status.is_success() { token_in(&answer) } else { None }
    }

    async fn log_in(&self) -> Result<SecretString, SendError> {
        let form = [("email", self.login.as_str()), ("password", self.password.expose_secret())];
        // However this call ends, no message has been handed over by it.
        let answer = call(self.request(Method::POST, "auth/login").form(&form)).await.and_then(Answer::sound);
        let answer = answer.map_err(|error| match error {
            SendError::NotTaken { reason, rest } => {
                SendError::NotTaken { reason: format!("login: {reason}"), rest }
            }
            other => SendError::not_taken(format!("login: {other}")),
        })?;
        if !answer.status.is_success() {
            return Err(SendError::not_taken(format!("login: HTTP {}", answer.status.as_u16())));
        }
        token_in(&answer).ok_or_else(|| SendError::not_taken("login: no token"))
    }

    async fn hand_over(&self, message: &Outgoing) -> Result<Accepted, SendError> {
        let token = callback::token(&self.hasher, message.delivery, message.resends);
        let callback_url = self.public_url.join("callbacks/sms/eskiz").join(&token);
        let form = [
            ("mobile_phone", message.digits()),
            ("message", message.text.as_str()),
            ("from", self.sender.as_str()),
            ("callback_url", callback_url.as_str()),
        ];
        let send = || self.request(Method::POST, "message/sms/send").form(&form);
        judge(&self.authorized(send).await?)
    }
}

fn token_in(answer: &Answer) -> Option<SecretString> {
    let said = answer.json()?;
    said["data"]["token"].as_str().filter(|token| !token.is_empty()).map(|token| token.to_owned().into())
}

/// What an answer to a message means.
fn judge(answer: &Answer) -> Result<Accepted, SendError> {
    let status = answer.status;
    // The account's trouble, not the message's: no money, not allowed, no such call.
    if [StatusCode::PAYMENT_REQUIRED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status) {
        return Err(SendError::not_taken(format!("HTTP {}", status.as_u16())));
    }
    let Some(said) = answer.json() else {
        return Err(SendError::not_taken(format!("HTTP {} without JSON", status.as_u16())));
    };
    let message_id = match &said["id"] {
        Value::String(id) if !id.is_empty() && id.len() <= 100 => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    };
    if status.is_success() && message_id.is_some() && said["status"] != "error" {
        return Ok(Accepted { message_id, ask_after: Some(ASK_AFTER) });
    }
    // Laravel names the fields it objects to. Whatever else it objects to is our text: another gateway may know it.
    let objects_to = |place: &Value| place.get("mobile_phone").is_some();
    let everywhere = [&said["data"], &said["errors"], &said["message"], &said].into_iter().any(objects_to);
    let what = if everywhere { "phone" } else { "text" };
    Err(SendError::Refused { reason: format!("HTTP {}, the {what} is refused", status.as_u16()), everywhere })
}

impl Gateway for Eskiz {
    /// It gives every message a name of its own.
    fn deduplicates(&self) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        self.timeout * CALLS
    }

    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async { self.hand_over(message).await.map_err(|error| named(NAME, error)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::http::tests::answer;

    fn said(status: u16, body: &str) -> Result<Accepted, SendError> {
        judge(&answer(status, &[], body))
    }

    #[test]
    fn a_message_is_taken_when_it_has_got_a_name() {
        let taken = |body| said(200, body).unwrap().message_id;
        let name = "c7ce5fe3-3d21-4c5f-9e0c-9d6a0f1f5c53";
        let body = format!(
            "{{\"id\": \"{name}\", \"message\": \"Waiting for SMS provider\", \"status\": \"waiting\"}}"
        );
        assert_eq!(taken(&body).as_deref(), Some(name));
        assert_eq!(taken("{\"id\": 4385062}").as_deref(), Some("4385062"));
        assert!(matches!(
            said(200, "{\"status\": \"error\", \"message\": \"x\"}"),
            Err(SendError::Refused { .. })
        ));
        assert!(matches!(said(200, "ok"), Err(SendError::NotTaken { .. })));
    }

    #[test]
    fn only_the_phone_is_refused_everywhere() {
        let everywhere = |status, body| match said(status, body) {
            Err(SendError::Refused { everywhere, .. }) => everywhere,
            other => panic!("{other:?}"),
        };
        for phone in [
            r#"{"status": "error", "message": {"mobile_phone": ["invalid"]}}"#,
            r#"{"message": "The given data was invalid.", "errors": {"mobile_phone": ["invalid"]}}"#,
            r#"{"data": {"mobile_phone": ["invalid"]}, "status": "error"}"#,
        ] {
            assert!(everywhere(422, phone), "{phone}");
        }
        assert!(!everywhere(400, r#"{"status": "error", "message": "the text is not moderated"}"#));
        for status in [402, 403, 404] {
            assert!(matches!(said(status, "{}"), Err(SendError::NotTaken { .. })), "the account's trouble");
        }
    }
}
