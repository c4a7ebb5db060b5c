//! The API on a database of its own, without a network: for the tests in this crate.

use std::collections::HashMap;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, Error, test, web};
use ca_core::application::Role;
use config::Settings;
use config::clock::SystemClock;
use config::settings::Sources;
use serde_json::Value;
use store::sessions::{self, SessionKind};
use store::{Connection, Database, Options, StoreError, Target, migrations, officers};
use tempfile::TempDir;

use crate::auth::Token;
use crate::context::Context;

/// A sandbox in a folder that vanishes with it.
pub(crate) struct Harness {
    pub(crate) context: web::Data<Context>,
    _folder: TempDir,
}

/// What a client gets.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: web::Bytes,
}

/// One request of a client.
pub(crate) struct Ask {
    request: test::TestRequest,
}

impl Harness {
    /// With the default settings.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With some settings changed: `("sms.code_tries", "3")`.
    pub(crate) fn start_with(overrides: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("documents.key"), [7; 32]).unwrap();
        std::fs::write(folder.path().join("master.key"), [8; 32]).unwrap();
        std::fs::write(folder.path().join("payments-bank.secret"), [b'x'; 32]).unwrap();
        let sources = Sources { file: None, environment: HashMap::new(), overrides: Vec::new() }
            .with("data.directory", folder.path().to_str().unwrap())
            .with("officers.password_memory_kibibytes", "7168")
            .with("payments.webhook.bank.secret_file", "payments-bank.secret")
            .with("payments.webhook.bank.pay_url", "https://pay.example/{number}");
        let sources = overrides.iter().fold(sources, |sources, (key, value)| sources.with(key, *value));
        let settings = Settings::load(&sources, &[]).unwrap();
        let target = Target::Sqlite(folder.path().join("muhr.sqlite"));
        let database = Database::open(target, &Options::default()).unwrap();
        migrations::up(&database).unwrap();
        let context = web::Data::new(Context::start(settings, database).unwrap());
        Self { context, _folder: folder }
    }

    /// The API as `muhr` serves it.
    pub(crate) async fn app(
        &self,
    ) -> impl Service<
        actix_http::Request,
        Response = ServiceResponse<impl MessageBody<Error: std::fmt::Debug>>,
        Error = Error,
    > {
        test::init_service(App::new().configure(|cfg| crate::configure(cfg, &self.context))).await
    }

    /// A token that proves this phone.
    pub(crate) fn applicant(&self, phone: &str) -> String {
        self.session(SessionKind::Applicant, phone)
    }

    /// A token of a new officer with this login and role.
    pub(crate) fn officer(&self, login: &str, role: Role) -> String {
        let now = self.context.now();
        self.write(|connection| officers::add(connection, login, role, "", "test", now));
        self.session(SessionKind::Officer, login)
    }

    /// So many seconds after the start, for apps made from now on.
    pub(crate) fn travel(&mut self, seconds: i64) {
        let clock = SystemClock::with_offset(seconds);
        self.context = web::Data::new(Context { clock, ..self.context.get_ref().clone() });
    }

    /// Does something in the database that no request does.
    pub(crate) fn write<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> T {
        self.context.database.write(f).unwrap()
    }

    fn session(&self, kind: SessionKind, principal: &str) -> String {
        let token = Token::random().unwrap();
        let now = self.context.now();
        let end = now.plus(std::time::Duration::from_secs(600));
        self.write(|connection| sessions::open(connection, &token.sha256(), kind, principal, end, now));
        token.reveal().to_owned()
    }
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self { request: test::TestRequest::with_uri(path) }
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        let request = test::TestRequest::with_uri(path)
            .method(Method::POST)
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .set_payload(body.to_string());
        Self { request }
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self { request: test::TestRequest::with_uri(path).method(Method::DELETE) }
    }

    pub(crate) fn put(path: &str, media_type: &str, body: impl Into<web::Bytes>) -> Self {
        let request = test::TestRequest::with_uri(path)
            .method(Method::PUT)
            .insert_header((header::CONTENT_TYPE, media_type))
            .set_payload(body);
        Self { request }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.append_header((name, value)) }
    }

    /// With another body.
    pub(crate) fn body(self, body: impl Into<web::Bytes>) -> Self {
        Self { request: self.request.set_payload(body) }
    }

    /// With a token.
    pub(crate) fn with(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) async fn of<S, B>(self, app: &S) -> Answer
    where
        S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody<Error: std::fmt::Debug>,
    {
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 4711));
        let response = app.call(self.request.peer_addr(peer).to_request()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.unwrap();
        Answer { status, headers, body }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// A success of this status, as JSON.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// A problem document of this status and kind.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, slug: &str) -> Value {
        let document = self.is(status);
        assert_eq!(self.headers.get("content-type").unwrap(), "application/problem+json");
        assert_eq!(document["type"], format!("urn:muhr:problem:{slug}"), "{document}");
        document
    }
}
