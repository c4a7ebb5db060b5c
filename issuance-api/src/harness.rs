//! The API on a database of its own, without a network: for the tests in this crate.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, Error, test, web};
use ca_core::SerialNumber;
use ca_core::application::{Officer, Role};
use config::Settings;
use config::clock::SystemClock;
use config::settings::Sources;
use openssl::asn1::Asn1Time;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use serde_json::Value;
use store::officer_statements::{self, OfficerCertificate};
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

/// One request of a client. An officer's signs what has to be signed, as the portal does.
pub(crate) struct Ask {
    request: test::TestRequest,
    token: Option<String>,
    /// Where the statement is, and the body that the signature goes into.
    to_sign: Option<(String, Value)>,
}

/// The keys and certificates of officers, by their tokens.
static OFFICERS: Mutex<BTreeMap<String, (PKey<Private>, X509)>> = Mutex::new(BTreeMap::new());

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
        let token = self.session(SessionKind::Officer, login);
        self.certify(&token, login, role);
        token
    }

    /// Gives an officer a new key and a certificate over it, which the API finds where the officer CA would have put it.
    pub(crate) fn certify(&self, token: &str, login: &str, role: Role) {
        let (key, certificate) = self_signed(login);
        let now = self.context.now();
        let day = std::time::Duration::from_secs(24 * 3600);
        let row = OfficerCertificate {
            serial: SerialNumber::random().unwrap(),
            officer: Officer { login: login.to_owned(), role },
            spki_sha256: crate::auth::sha256(&key.public_key_to_der().unwrap()).to_vec(),
            der: certificate.to_der().unwrap(),
            not_before: now.minus(day),
            not_after: now.plus(90 * day),
            revoked_at: None,
        };
        self.write(|connection| officer_statements::certify(connection, &row, "test", now));
        OFFICERS.lock().unwrap().insert(token.to_owned(), (key, certificate));
    }

    /// So many seconds after the start, for apps made from now on.
    pub(crate) fn travel(&mut self, seconds: i64) {
        let clock = SystemClock::with_offset(seconds);
        self.context = web::Data::new(Context { clock, ..self.context.get_ref().clone() });
    }

    /// The same API so many seconds later, beside the present one, in whose folder it works.
    pub(crate) fn later(&self, seconds: i64) -> Self {
        let clock = SystemClock::with_offset(seconds);
        let context = web::Data::new(Context { clock, ..self.context.get_ref().clone() });
        Self { context, _folder: TempDir::new().unwrap() }
    }

    /// Does something in the database that no request does.
    pub(crate) fn write<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> T {
        self.context.database.write(f).unwrap()
    }

    fn session(&self, kind: SessionKind, principal: &str) -> String {
        let token = Token::random().unwrap();
        let now = self.context.now();
        let end = now.plus(std::time::Duration::from_secs(3600));
        self.write(|connection| sessions::open(connection, &token.sha256(), kind, principal, end, now));
        token.reveal().to_owned()
    }
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self::of_request(test::TestRequest::with_uri(path))
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        let request = test::TestRequest::with_uri(path)
            .method(Method::POST)
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .set_payload(body.to_string());
        let to_sign = statement_of(path, body).map(|statement| (statement, body.clone()));
        Self { to_sign, ..Self::of_request(request) }
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::of_request(test::TestRequest::with_uri(path).method(Method::DELETE))
    }

    pub(crate) fn put(path: &str, media_type: &str, body: impl Into<web::Bytes>) -> Self {
        let request = test::TestRequest::with_uri(path)
            .method(Method::PUT)
            .insert_header((header::CONTENT_TYPE, media_type))
            .set_payload(body);
        Self::of_request(request)
    }

    fn of_request(request: test::TestRequest) -> Self {
        Self { request, token: None, to_sign: None }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.append_header((name, value)), ..self }
    }

    /// With another body.
    pub(crate) fn body(self, body: impl Into<web::Bytes>) -> Self {
        Self { request: self.request.set_payload(body), to_sign: None, ..self }
    }

    /// As it is, without a signature.
    pub(crate) fn unsigned(self) -> Self {
        Self { to_sign: None, ..self }
    }

    /// With a token.
    pub(crate) fn with(self, token: &str) -> Self {
        let with = self.header("authorization", &format!("Bearer {token}"));
        Self { token: Some(token.to_owned()), ..with }
    }

    pub(crate) async fn of<S, B>(self, app: &S) -> Answer
    where
        S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody<Error: std::fmt::Debug>,
    {
        let mut request = self.request;
        let key = self.token.as_ref().and_then(|token| OFFICERS.lock().unwrap().get(token).cloned());
        if let (Some((path, mut body)), Some(token), Some(key)) = (self.to_sign, self.token, key) {
            let bearer = ("authorization", format!("Bearer {token}"));
            let statement = call(test::TestRequest::with_uri(&path).append_header(bearer), app).await;
            if statement.status == StatusCode::OK {
                body["signature"] = signed(&statement.body, &key.1, &key.0).into();
                request = request.set_payload(body.to_string());
            }
        }
        call(request, app).await
    }
}

async fn call<S, B>(request: test::TestRequest, app: &S) -> Answer
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody<Error: std::fmt::Debug>,
{
    let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 4711));
    let response = app.call(request.peer_addr(peer).to_request()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.unwrap();
    Answer { status, headers, body }
}

/// Where the statement is that has to be signed for this request.
fn statement_of(path: &str, body: &Value) -> Option<String> {
    let query = || {
        let fields = body.as_object().into_iter().flatten();
        let pairs = fields.filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name.clone(), text.clone())),
            other => Some((name.clone(), other.to_string())),
        });
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    };
    match path.rsplit('/').next()? {
        "acts" => Some(format!("{path}/statement?{}", query())),
        "approval" | "confirmation" | "suspension" | "restoration" => Some(format!("{path}-statement")),
        "rejection" | "revocation" => Some(format!("{path}-statement?{}", query())),
        _ => None,
    }
}

/// What `openssl cms -sign -binary` writes over a statement, in Base64.
pub(crate) fn signed(statement: &[u8], certificate: &X509, key: &PKey<Private>) -> String {
    let (signer, key) = (Some(certificate.as_ref()), Some(key.as_ref()));
    let options = CMSOptions::BINARY | CMSOptions::DETACHED;
    let cms = CmsContentInfo::sign(signer, key, None, Some(statement), options).unwrap();
    openssl::base64::encode_block(&cms.to_der().unwrap())
}

/// A key with a certificate over it, by OpenSSL.
pub(crate) fn self_signed(name: &str) -> (PKey<Private>, X509) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(90).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key, builder.build())
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
