//! HTTP as a client sees it: requests with a token and an address of their own, answers that can be asserted on.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::{Client as Http, RequestBuilder};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

/// One caller: their source address (limits count per address) and their token.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    request: String,
}

impl Client {
    /// A caller from the loopback address with that number; all of 127.0.0.0/8 is this machine.
    pub(crate) fn new(base: &str, number: u32) -> Self {
        let [_, a, b, c] = number.to_be_bytes();
        let http = Http::builder()
            .local_address(IpAddr::V4(Ipv4Addr::new(127, a.wrapping_add(1), b, c)))
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client needs nothing from outside");
        Self { http, base: base.to_owned(), token: None }
    }

    /// What it is known by.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same caller, now known by this token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same caller, talking to another process.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// A request to a path, or to a whole address as found in a certificate.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = self.http.request(method, address);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path))
    }

    #[track_caller]
    pub(crate) fn get_as(&self, path: &str, accept: &str) -> Answer {
        send(self.request(Method::GET, path).header("Accept", accept))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body))
    }

    /// With an `Idempotency-Key`.
    #[track_caller]
    pub(crate) fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).header("Idempotency-Key", key).json(body))
    }

    #[track_caller]
    pub(crate) fn post_raw(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        send(self.request(Method::POST, path).header(CONTENT_TYPE, content_type).body(body.into()))
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        send(self.request(Method::PUT, path).header(CONTENT_TYPE, content_type).body(body.into()))
    }
}

/// Sends it; the connection failing fails the test.
#[track_caller]
pub(crate) fn send(request: RequestBuilder) -> Answer {
    try_send(request).unwrap_or_else(|error| panic!("no answer: {error:?}"))
}

/// Sends it, where the other side may be down.
pub(crate) fn try_send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let (http, request) = request.build_split();
    let request = request?;
    let what = format!("{} {}", request.method(), request.url());
    let response = http.execute(request)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.bytes()?.to_vec(), request: what })
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// It has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}", self.request, self.text());
        self
    }

    /// It is a success, with JSON in it.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} answered {} {}",
            self.request,
            self.status,
            self.text()
        );
        self.any_json()
    }

    #[track_caller]
    pub(crate) fn any_json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text()))
    }

    /// It is that problem document (RFC 9457), complete in the members our contract promises.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{} should be {slug}: {}", self.request, self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.request);
        let problem = self.any_json();
        assert_eq!(problem["type"], format!("urn:muhr:problem:{slug}"), "{}: {problem}", self.request);
        assert_eq!(problem["status"], status, "{}: {problem}", self.request);
        for member in ["title", "detail", "instance"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {member} in {problem}", self.request);
        }
        problem
    }

    /// It refuses fields, and this JSON pointer is among those it names.
    #[track_caller]
    pub(crate) fn names(&self, pointer: &str) {
        let problem = self.problem(422, "invalid-fields");
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        assert!(
            errors.iter().any(|error| error["pointer"] == pointer),
            "{pointer} is not named in {problem}"
        );
        assert!(
            errors.iter().all(|error| error["detail"].as_str().is_some_and(|detail| !detail.is_empty())),
            "{problem}"
        );
    }
}
