//! The HTTP API, as the portal calls it: with the visitor's language, token and network address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use actix_web::http::StatusCode;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::visitor::Visitor;

/// How long the API may take to answer; a page that has not come by then is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the API is.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
}

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The API said no, and why.
    #[error("{}", .0.kind)]
    Problem(Box<Problem>),
    /// It could not be reached, or did not answer as it should.
    #[error("the API does not answer: {0}")]
    Unreachable(String),
    /// The form was not one that this visitor was given.
    #[error("the form is not the visitor's")]
    ForeignForm,
    /// An officer has a password to change or an authenticator to enrol before anything else.
    #[error("the officer has something to do first")]
    AccountFirst,
    /// The page cannot be drawn.
    #[error("the page cannot be drawn: {0}")]
    Template(#[from] askama::Error),
}

/// A problem document (RFC 9457) of the API.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub(crate) struct Problem {
    /// The end of its `type`, for example `invalid-fields`.
    #[serde(rename = "type", deserialize_with = "last_part")]
    pub(crate) kind: String,
    /// What happened, in the visitor's language.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What to do.
    #[serde(default)]
    pub(crate) detail: String,
    /// What is wrong with which field.
    #[serde(default)]
    pub(crate) errors: Vec<FieldError>,
    /// How long to wait before asking again, in seconds.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub(crate) struct FieldError {
    /// A JSON pointer (RFC 6901) into what was sent.
    pub(crate) pointer: String,
    /// In the visitor's language.
    pub(crate) detail: String,
}

impl Problem {
    /// The visitor can do something about it on the same page.
    pub(crate) fn is_answerable(&self) -> bool {
        matches!(self.status, 400..=499) && !matches!(self.status, 401 | 404) && self.kind != "forbidden"
    }
}

fn last_part<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name: String = serde::Deserialize::deserialize(deserializer)?;
    Ok(name.rsplit(':').next().unwrap_or_default().to_owned())
}

/// A request under way.
pub(crate) struct Call {
    request: RequestBuilder,
}

impl Api {
    /// The API that this machine serves on `listen`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn at(listen: SocketAddr) -> Result<Self, reqwest::Error> {
        let ip = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
        // The calls stay on this machine: no proxy, and no certificates to load.
        let client = Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build()?;
        Ok(Self { client, base: format!("http://{}", SocketAddr::new(ip, listen.port())) })
    }

    pub(crate) fn get(&self, visitor: &Visitor, path: &str) -> Call {
        self.call(visitor, Method::GET, path)
    }

    pub(crate) fn post(&self, visitor: &Visitor, path: &str) -> Call {
        self.call(visitor, Method::POST, path)
    }

    pub(crate) fn put(&self, visitor: &Visitor, path: &str) -> Call {
        self.call(visitor, Method::PUT, path)
    }

    pub(crate) fn delete(&self, visitor: &Visitor, path: &str) -> Call {
        self.call(visitor, Method::DELETE, path)
    }

    fn call(&self, visitor: &Visitor, method: Method, path: &str) -> Call {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("accept-language", visitor.language.tag())
            .header("x-forwarded-for", &visitor.forwarded_for);
        if let Some(client) = visitor.client() {
            request = request.header("muhr-client", client);
        }
        if let Some(user_agent) = &visitor.user_agent {
            request = request.header("user-agent", user_agent.as_bytes());
        }
        if let Some(token) = visitor.token() {
            request = request.bearer_auth(token);
        }
        Call { request }
    }
}

impl Call {
    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        Self { request: self.request.json(body) }
    }

    pub(crate) fn body(self, media_type: &str, body: Vec<u8>) -> Self {
        Self { request: self.request.header("content-type", media_type).body(body) }
    }

    /// The same wish under this name is granted once.
    pub(crate) fn idempotent(self, name: &str) -> Self {
        Self { request: self.request.header("idempotency-key", name) }
    }

    pub(crate) fn accept(self, media_type: &str) -> Self {
        Self { request: self.request.header("accept", media_type) }
    }

    /// Sends it and reads the answer.
    ///
    /// # Errors
    /// The API's problem; it is not there.
    pub(crate) async fn read<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let answer = self.answer().await?;
        answer.json().await.map_err(Failure::unreachable)
    }

    /// Sends it and takes note that it was done.
    ///
    /// # Errors
    /// The API's problem; it is not there.
    pub(crate) async fn done(self) -> Result<(), Failure> {
        self.answer().await.map(|_| ())
    }

    /// Sends it and takes the octets that come, with their media type.
    ///
    /// # Errors
    /// The API's problem; it is not there.
    pub(crate) async fn octets(self) -> Result<(String, Vec<u8>), Failure> {
        let answer = self.answer().await?;
        let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
        let octets = answer.bytes().await.map_err(Failure::unreachable)?;
        Ok((media_type, octets.to_vec()))
    }

    async fn answer(self) -> Result<Response, Failure> {
        let answer = self.request.send().await.map_err(Failure::unreachable)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| value.parse().ok());
        let mut problem: Problem = answer.json().await.map_err(Failure::unreachable)?;
        problem.retry_after = retry_after;
        Err(Failure::Problem(Box::new(problem)))
    }
}

impl Failure {
    #[allow(clippy::needless_pass_by_value, reason = "for map_err")]
    fn unreachable(error: reqwest::Error) -> Self {
        Self::Unreachable(error.without_url().to_string())
    }

    /// The API's problem, if that is what it is.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// The visitor has to sign in first.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.problem().is_some_and(|problem| problem.kind == "unauthenticated")
    }

    /// The HTTP status of the page that tells it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Problem(problem) => {
                StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ForeignForm | Self::AccountFirst => StatusCode::FORBIDDEN,
            Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl actix_web::ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status()
    }
}

/// A list's page: its items, and where the next begins.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}
