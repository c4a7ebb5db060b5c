//! Calls to gateways: one time limit, no redirects, small answers, and errors that say whether the call can have had an
//! effect.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

use super::{AccountError, SendError};

/// No honest answer is longer.
const ANSWER_MAX: usize = 64 * 1024;
/// The longest rest a gateway may ask for.
const REST_MAX: Duration = Duration::from_secs(900);

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A client for one gateway.
pub(crate) fn client(timeout: Duration, key: &'static str) -> Result<Client, AccountError> {
    Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("muhr/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| AccountError { key, reason: error.without_url().to_string() })
}

/// Sends a request and reads the whole answer.
pub(crate) async fn call(request: RequestBuilder) -> Result<Answer, SendError> {
    let lost = |error: reqwest::Error| match () {
        // The request had not left yet.
        () if error.is_connect() || error.is_builder() => SendError::not_taken("no connection"),
        () if error.is_timeout() => SendError::PerhapsTaken("no answer in time".to_owned()),
        () => SendError::PerhapsTaken("the connection was lost".to_owned()),
    };
    let mut response = request.send().await.map_err(lost)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(SendError::not_taken("an answer that does not end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

impl Answer {
    /// The failures that say nothing about the message: the gateway is busy, broken, or not the gateway at all.
    pub(crate) fn sound(self) -> Result<Self, SendError> {
        let status = self.status;
        if status == StatusCode::TOO_MANY_REQUESTS {
            let rest = self.retry_after();
            return Err(SendError::NotTaken { reason: "HTTP 429".to_owned(), rest });
        }
        if status == StatusCode::GATEWAY_TIMEOUT {
            // What stands before the gateway has handed the message on and heard nothing.
            return Err(SendError::PerhapsTaken("HTTP 504".to_owned()));
        }
        if status.is_server_error() || status.is_redirection() || status.is_informational() {
            return Err(SendError::not_taken(format!("HTTP {}", status.as_u16())));
        }
        if self.is_page() {
            return Err(SendError::not_taken(format!("HTTP {} with a page", status.as_u16())));
        }
        Ok(self)
    }

    /// The body, if it is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// RFC 9110 section 10.2.3, in seconds; a date is taken for the longest rest.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        Some(text.parse().map_or(REST_MAX, Duration::from_secs).min(REST_MAX))
    }

    fn is_page(&self) -> bool {
        let declared = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        declared.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"))
            || self.body.trim_ascii_start().starts_with(b"<")
    }
}

/// The same with the gateway's name before the reason.
pub(super) fn named(gateway: &str, error: SendError) -> SendError {
    match error {
        SendError::NotTaken { reason, rest } => {
            SendError::NotTaken { reason: format!("{gateway}: {reason}"), rest }
        }
        SendError::PerhapsTaken(reason) => SendError::PerhapsTaken(format!("{gateway}: {reason}")),
        SendError::Refused { reason, everywhere } => {
            SendError::Refused { reason: format!("{gateway}: {reason}"), everywhere }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An answer as it might come.
    pub(in crate::sms) fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_busy_gateway_is_left_alone_as_long_as_it_says_but_not_for_ever() {
        let rest = |value| match answer(429, &[("retry-after", value)], "").sound() {
            Err(SendError::NotTaken { rest, .. }) => rest.map(|rest| rest.as_secs()),
            _ => panic!("429 is no success"),
        };
        assert_eq!(rest("30"), Some(30));
        assert_eq!(rest("86400"), Some(900));
        assert_eq!(rest("Fri, 27 Nov 2026 10:00:00 GMT"), Some(900));
        assert!(matches!(answer(429, &[], "").sound(), Err(SendError::NotTaken { rest: None, .. })));
    }

    #[test]
    fn a_page_is_no_answer_and_silence_behind_a_proxy_is_perhaps_a_success() {
        let page = answer(200, &[("content-type", "text/HTML; charset=utf-8")], "welcome").sound();
        assert!(matches!(page, Err(SendError::NotTaken { .. })));
        assert!(answer(200, &[("content-type", "text/plain")], "\n <html>").sound().is_err());
        assert!(matches!(answer(504, &[], "").sound(), Err(SendError::PerhapsTaken(_))));
        for status in [302, 500, 502, 503] {
            assert!(matches!(answer(status, &[], "").sound(), Err(SendError::NotTaken { .. })), "{status}");
        }
        assert!(answer(200, &[("content-type", "text/plain")], "Request is received").sound().is_ok());
        assert!(answer(422, &[], "{}").sound().is_ok(), "what it objects to is read");
    }
}
