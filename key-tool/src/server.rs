//! A Muhr as its clients see it (docs/API.md): JSON, tokens, problem documents.

use std::io::Read as _;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use crate::speech::Speech;
use crate::trouble::{Exit, Trouble};

/// Octets of the largest answer that is read: CRLs are the largest.
const MAX_ANSWER: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and who asks it.
pub struct Server {
    base: Url,
    http: Client,
    speech: Speech,
    token: Option<String>,
}

impl Server {
    /// The server at this address. Plain HTTP is spoken only to this machine: tokens and personal data travel there.
    ///
    /// # Errors
    /// The address is none, or not safe.
    pub fn at(address: &str, speech: Speech) -> Result<Self, Trouble> {
        let wrong = || Trouble::new("server-address", Exit::Server).with("server", address);
        let base = Url::parse(address.trim_end_matches('/')).map_err(|_| wrong())?;
        let here = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if base.scheme() != "https" && !(base.scheme() == "http" && here) {
            return Err(wrong());
        }
        let http = client()?;
        Ok(Self { base, http, speech, token: None })
    }

    /// Shows this token from now on.
    pub fn show(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// GET of JSON.
    ///
    /// # Errors
    /// The server is not there, or refuses.
    pub fn get(&self, path: &str) -> Result<Value, Trouble> {
        json(self.send(self.request(Method::GET, path)?)?)
    }

    /// GET of octets in this form.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn download(&self, path: &str, media_type: &str) -> Result<Vec<u8>, Trouble> {
        octets(self.send(self.request(Method::GET, path)?.header(ACCEPT, media_type))?)
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        json(self.send(self.request(Method::POST, path)?.json(body))?)
    }

    /// POST that is done once, however often it is sent under this key.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Value, Trouble> {
        json(self.send(self.request(Method::POST, path)?.header("Idempotency-Key", key).json(body))?)
    }

    /// PUT of octets of this type.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn put(&self, path: &str, media_type: &str, body: Vec<u8>) -> Result<Value, Trouble> {
        json(self.send(self.request(Method::PUT, path)?.header(CONTENT_TYPE, media_type).body(body))?)
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Trouble> {
        let address = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let request = self.http.request(method, address).header(ACCEPT_LANGUAGE, self.speech.0.tag());
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let answer = request.send().map_err(|error| unreachable(self.base.as_str(), &error))?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refusal(answer)) }
    }

    /// A problem document (RFC 9457) in the user's language, with every field it objects to.
    fn refusal(&self, answer: Response) -> Trouble {
        let status = answer.status().as_u16();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let problem: Value =
            octets(answer).ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let kind = text(&problem, "type");
        let Some(slug) = kind.strip_prefix("urn:muhr:problem:") else {
            return Trouble::new("server-answer", Exit::Server)
                .with("server", &self.base)
                .with("status", status);
        };
        let mut words = format!("{}. {}", text(&problem, "title"), text(&problem, "detail"));
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        for error in &errors {
            words.push_str(&format!("\n  {}: {}", text(error, "pointer"), text(error, "detail")));
        }
        if let Some(seconds) = wait {
            words.push('\n');
            words.push_str(&self.speech.text("wait", &[("seconds", &seconds)]));
        }
        Trouble::said_by_server(slug, words, errors.iter().map(|error| text(error, "pointer")).collect())
    }
}

/// What lies at an address that a certificate names: plain HTTP is usual there (RFC 5280 section 8), and what comes is
/// signed.
///
/// # Errors
/// Nothing is there.
pub fn fetch(address: &str) -> Result<Vec<u8>, Trouble> {
    let answer = client()?.get(address).send().map_err(|error| unreachable(address, &error))?;
    received(answer, address)
}

/// As [`fetch`]; none where the server says that there is nothing (404).
///
/// # Errors
/// As [`fetch`].
pub fn fetch_if_there(address: &str) -> Result<Option<Vec<u8>>, Trouble> {
    let answer = client()?.get(address).send().map_err(|error| unreachable(address, &error))?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        _ => received(answer, address).map(Some),
    }
}

/// POST of octets to an address that a certificate names.
///
/// # Errors
/// Nothing is there.
pub fn ask(address: &str, media_type: &str, body: Vec<u8>) -> Result<Vec<u8>, Trouble> {
    let request = client()?.post(address).header(CONTENT_TYPE, media_type).body(body);
    received(request.send().map_err(|error| unreachable(address, &error))?, address)
}

fn received(answer: Response, address: &str) -> Result<Vec<u8>, Trouble> {
    let status = answer.status();
    if !status.is_success() {
        let trouble = Trouble::new("server-answer", Exit::Server);
        return Err(trouble.with("server", address).with("status", status.as_u16()));
    }
    octets(answer)
}

fn client() -> Result<Client, Trouble> {
    let builder = Client::builder().timeout(PATIENCE).user_agent(concat!("muhr/", env!("CARGO_PKG_VERSION")));
    builder.build().map_err(|_| Trouble::cryptography())
}

fn unreachable(server: &str, error: &reqwest::Error) -> Trouble {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Trouble::new("server-unreachable", Exit::Server).with("server", server).with("reason", cause)
}

fn octets(answer: Response) -> Result<Vec<u8>, Trouble> {
    let address = answer.url().to_string();
    let mut body = Vec::new();
    match answer.take(MAX_ANSWER + 1).read_to_end(&mut body) {
        Ok(length) if length as u64 <= MAX_ANSWER => Ok(body),
        Ok(_) => Err(Trouble::new("server-answer", Exit::Server).with("server", address).with("status", 200)),
        Err(error) => Err(Trouble::new("server-unreachable", Exit::Server)
            .with("server", address)
            .with("reason", error)),
    }
}

fn json(answer: Response) -> Result<Value, Trouble> {
    let (address, status) = (answer.url().to_string(), answer.status().as_u16());
    let body = octets(answer)?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|_| {
        Trouble::new("server-answer", Exit::Server).with("server", address).with("status", status)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_travels_encrypted_or_not_at_all() {
        let speech = Speech(config::Language::En);
        for address in
            ["https://muhr.example", "http://127.0.0.1:8080/", "http://localhost", "http://[::1]:1"]
        {
            assert!(Server::at(address, speech).is_ok(), "{address}");
        }
        for address in ["http://muhr.example", "ftp://127.0.0.1", "muhr.example", ""] {
            assert_eq!(Server::at(address, speech).err().unwrap().name(), "server-address", "{address}");
        }
    }
}
