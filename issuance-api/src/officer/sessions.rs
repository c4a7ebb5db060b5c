//! Officers sign in and out: a password, and a one-time code where one is enrolled.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::Role;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use store::officers::{self, Account, SecondFactor};
use store::sessions::{self, Client, Open, SessionKind};
use store::{Connection, StoreError, audit};

use super::{recovery_codes, totp};
use crate::auth::{First, SignedIn, Token, Unready, client};
use crate::context::Context;
use crate::json::Json;
use crate::limits::Counted;
use crate::list::List;
use crate::problem::{Document, Kind, Problem, only};
use crate::request::address;

/// A password on its way in: it is never printed and is wiped after use.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// What an officer signs in with.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    login: String,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The six digits of the authenticator app, once one is enrolled; or a recovery code.
    totp: Option<String>,
}

/// A new session.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct NewSession {
    /// The bearer token.
    token: String,
    /// When it dies, used or not.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[serde(flatten)]
    account: AccountView,
}

/// An officer's account, as its officer sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OfficerAccount)]
pub(crate) struct AccountView {
    login: String,
    /// `registrar`, `reviewer`, `revocation`, `auditor` or `admin`.
    role: &'static str,
    /// Nothing else is possible before the password is changed.
    must_change_password: bool,
    /// Nothing else is possible before an authenticator is enrolled.
    must_enrol_totp: bool,
    /// Sign-in asks for a one-time code.
    totp_enrolled: bool,
    /// Recovery codes that have not been used.
    recovery_codes_left: i64,
}

impl AccountView {
    /// As it is now.
    ///
    /// # Errors
    /// 503 if the database cannot be reached.
    pub(super) fn read(context: &Context, connection: &mut Connection, login: &str) -> Result<Self, Problem> {
        let account = officers::find(connection, login)?;
        let first = First::of(&account, &context.settings);
        Ok(Self {
            login: account.officer.login,
            role: account.officer.role.as_str(),
            must_change_password: first == Some(First::ChangePassword),
            must_enrol_totp: first == Some(First::EnrolTotp),
            totp_enrolled: account.totp_secret.is_some(),
            recovery_codes_left: officers::recovery_codes_left(connection, login)?,
        })
    }
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/sessions")
            .route(web::get().to(list))
            .route(web::post().to(sign_in))
            .default_service(only("GET, POST")),
    );
    cfg.service(
        web::resource("/v1/officer/sessions/current")
            .route(web::get().to(current))
            .route(web::delete().to(sign_out))
            .default_service(only("GET, DELETE")),
    );
    cfg.service(
        web::resource("/v1/officer/sessions/{id}")
            .route(web::delete().to(end))
            .default_service(only("DELETE")),
    );
}

/// Sign in
///
/// An unknown login is answered like a wrong password, with the same effort and the same lock.
#[utoipa::path(
    post,
    path = "/api/v1/officer/sessions",
    tag = "officers",
    request_body = SignIn,
    responses(
        (status = 201, description = "signed in", body = NewSession),
        (status = 401, description = "sign-in-failed, totp-required", body = Document),
        (status = 429, description = "account-locked, too-many-requests", body = Document),
    )
)]
pub(crate) async fn sign_in(
    context: web::Data<Context>,
    request: HttpRequest,
    Json(body): Json<SignIn>,
) -> Result<HttpResponse, Problem> {
    context.limits.count(Counted::SignIn, address(&request, &context.settings.http.trusted_proxies))?;
    let SignIn { login, password, totp } = body;
    let (now, named) = (context.now(), login.clone());
    let client = Client { sha256: client(&request), user_agent: user_agent(&request) };
    let shown = client.sha256;
    let (account, locked_until) = context
        .read(move |connection| {
            let account = existing(connection, &named)?;
            let locked = account.as_ref().map(|a| officers::locked_until(connection, a, shown.as_ref()));
            Ok((account, locked.transpose()?))
        })
        .await?;
    let locked_until = locked_until.unwrap_or_else(|| context.limits.stranger_locked_until(&login, now));
    not_locked(locked_until, now)?;
    let compared = compare(&context, password, account).await?;
    let (token, context) = (Token::random()?, context.into_inner());
    let (inner, sha256) = (context.as_ref().clone(), token.sha256());
    let expires_at = now.plus(context.settings.sessions.officer_lifetime);
    let outcome = context
        .write(move |connection| {
            let Some(account) = existing(connection, &login)? else {
                let settings = &inner.settings.officers;
                inner.limits.stranger_failed(&login, settings.lockout_failures, settings.lockout, now);
                officers::stranger_failed(connection, now)?;
                return Ok(Err(Problem::new(Kind::SignInFailed)));
            };
            let judged = judge(&inner, connection, &account, shown, &compared, totp.as_deref(), now)?;
            if judged.is_ok() {
                let kind = SessionKind::Officer;
                sessions::open_for(connection, &sha256, kind, &login, &client, expires_at, now)?;
            }
            match judged {
                Ok(()) => Ok(Ok(AccountView::read(&inner, connection, &login)?)),
                Err(refused) => Ok(Err(refused)),
            }
        })
        .await?;
    let account = outcome?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, "/api/v1/officer/sessions/current"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(NewSession { token: token.reveal().to_owned(), expires_at, account }))
}

/// The account, unless it is closed.
fn existing(connection: &mut Connection, login: &str) -> Result<Option<Account>, Problem> {
    match officers::find(connection, login) {
        Ok(account) => Ok(Some(account).filter(|account| account.disabled_at.is_none())),
        Err(StoreError::NotFound) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

pub(super) fn not_locked(locked_until: Option<Timestamp>, now: Timestamp) -> Result<(), Problem> {
    match locked_until {
        Some(until) if until > now => {
            Err(Problem::new(Kind::AccountLocked).after(until.since(now).as_secs() + 1))
        }
        _ => Ok(()),
    }
}

/// The account of a signed-in officer, unless this client or the account rests.
///
/// # Errors
/// 429; 503 if the database cannot be reached.
pub(super) async fn unlocked(
    context: &Context,
    login: String,
    client: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<Account, Problem> {
    let read = move |connection: &mut Connection| {
        let account = officers::find(connection, &login)?;
        let locked_until = officers::locked_until(connection, &account, client.as_ref())?;
        Ok((account, locked_until))
    };
    let (account, locked_until) = context.read(read).await?;
    not_locked(locked_until, now)?;
    Ok(account)
}

/// A password that has been compared with a hash. Comparing takes long: by the time it is judged, the hash may be another.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    /// It is the one.
    pub(super) right: bool,
    /// The hash it was compared with; none for a login nobody has.
    pub(super) hash: Option<String>,
}

impl Compared {
    /// It is the account's present password.
    pub(super) fn is_of(&self, account: &Account) -> bool {
        self.right && self.hash.as_ref() == Some(&account.password_hash)
    }
}

/// Compares a password with an account's, or with nobody's.
///
/// # Errors
/// 503 if the server is shutting down.
pub(super) async fn compare(
    context: &Context,
    password: SecretString,
    account: Option<Account>,
) -> Result<Compared, Problem> {
    let hash = account.map(|account| account.password_hash);
    Ok(Compared { right: context.passwords.verify(password, hash.clone()).await?, hash })
}

/// Judges a password that has been compared, and the one-time code. The account was read again, so that of many guesses
/// at one moment only the first few are judged. A refusal is inside the answer: its count must be committed.
pub(super) fn judge(
    context: &Context,
    connection: &mut Connection,
    account: &Account,
    client: Option<[u8; 32]>,
    compared: &Compared,
    code: Option<&str>,
    now: Timestamp,
) -> Result<Result<(), Problem>, Problem> {
    let client = client.as_ref();
    if let Err(locked) = not_locked(officers::locked_until(connection, account, client)?, now) {
        return Ok(Err(locked));
    }
    let (login, password_right) = (&account.officer.login, compared.is_of(account));
    let second = match (&account.totp_secret, code) {
        (None, _) => Some(SecondFactor::None),
        (Some(_), None) if password_right => return Ok(Err(Problem::new(Kind::TotpRequired))),
        (Some(_), None) => None,
        (Some(sealed), Some(code)) => match recovery_codes::typed(code) {
            Some(sha256) => Some(SecondFactor::RecoveryCode(sha256)),
            None => totp::step(&context.sealer, login, sealed, code, now)?.map(SecondFactor::Totp),
        },
    };
    // A code works once (RFC 6238 section 5.2); one that was used is as good as a wrong one.
    if let Some(second) = second.filter(|_| password_right) {
        match officers::signed_in(connection, login, client, second, now) {
            Ok(()) => return Ok(Ok(())),
            Err(StoreError::Conflict(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    let settings = &context.settings.officers;
    let (failures, lockout) = (settings.lockout_failures, settings.lockout);
    officers::sign_in_failed(connection, login, client, failures, lockout, now)?;
    Ok(Err(Problem::new(Kind::SignInFailed)))
}

/// Who am I?
#[utoipa::path(
    get,
    path = "/api/v1/officer/sessions/current",
    tag = "officers",
    security(("officer" = [])),
    responses((status = 200, description = "the officer's account", body = AccountView))
)]
pub(crate) async fn current(
    context: web::Data<Context>,
    Unready(officer): Unready,
) -> Result<HttpResponse, Problem> {
    let login = officer.officer.login;
    let inner = context.as_ref().clone();
    let account = context.read(move |connection| AccountView::read(&inner, connection, &login)).await?;
    Ok(HttpResponse::Ok().json(account))
}

/// What the client says it is, for the officer who looks at their sessions.
fn user_agent(request: &HttpRequest) -> Option<String> {
    let stated = request.headers().get(header::USER_AGENT)?.to_str().ok()?;
    Some(stated.chars().filter(|character| !character.is_control()).take(200).collect())
}

/// A session that lives.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OfficerSession)]
pub(crate) struct SessionView {
    /// Its name, with which it is ended.
    id: String,
    /// What its client says it is.
    user_agent: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// To the minute.
    #[schema(value_type = String, format = DateTime)]
    used_at: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The one that asks.
    current: bool,
}

/// Whose sessions: an administrator may name another officer.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// The officer who asks, if absent.
    login: Option<String>,
}

impl Whose {
    /// # Errors
    /// 403 for an officer who is no administrator and asks about another.
    fn login(&self, officer: &SignedIn) -> Result<String, Problem> {
        match &self.login {
            Some(login) if *login != officer.officer.login => {
                officer.require(&[Role::Admin])?;
                Ok(login.clone())
            }
            _ => Ok(officer.officer.login.clone()),
        }
    }
}

/// The name of a session: the beginning of its token's SHA-256, which opens nothing.
fn id_of(token_sha256: &[u8]) -> String {
    hex::encode(token_sha256.get(..8).unwrap_or_default())
}

/// Sessions that live
#[utoipa::path(get, path = "/api/v1/officer/sessions", tag = "officers", operation_id = "officer_sessions",
    security(("officer" = [])), params(Whose),
    responses(
        (status = 200, description = "oldest first", body = List<SessionView>),
        (status = 403, description = "forbidden: another officer's, and you are no administrator", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    officer: SignedIn,
    whose: web::Query<Whose>,
) -> Result<HttpResponse, Problem> {
    let login = whose.login(&officer)?;
    let (now, idle) = (context.now(), context.settings.sessions.officer_idle);
    let sessions =
        context.read(move |connection| Ok(sessions::of_officer(connection, &login, idle, now)?)).await?;
    let view = |Open { token_sha256, user_agent, created_at, used_at, expires_at }| SessionView {
        id: id_of(&token_sha256),
        user_agent,
        created_at,
        used_at,
        expires_at,
        current: token_sha256 == officer.token_sha256,
    };
    let items = sessions.into_iter().map(view).collect();
    Ok(HttpResponse::Ok().json(List { items, next: None }))
}

/// End a session
#[utoipa::path(delete, path = "/api/v1/officer/sessions/{id}", tag = "officers", operation_id = "end_session",
    security(("officer" = [])), params(("id" = String, Path, description = "the session"), Whose),
    responses(
        (status = 204, description = "its token is dead"),
        (status = 403, description = "forbidden: another officer's, and you are no administrator", body = Document),
        (status = 404, description = "not-found", body = Document),
    ))]
pub(crate) async fn end(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<String>,
    whose: web::Query<Whose>,
) -> Result<HttpResponse, Problem> {
    let login = whose.login(&officer)?;
    let (now, idle) = (context.now(), context.settings.sessions.officer_idle);
    context
        .write(move |connection| {
            let live = sessions::of_officer(connection, &login, idle, now)?;
            let named = live.iter().find(|session| id_of(&session.token_sha256) == *id);
            let session = named.ok_or_else(|| Problem::new(Kind::NotFound))?;
            let token = session.token_sha256.as_slice().try_into().map_err(Problem::internal)?;
            sessions::close(connection, token)?;
            let entry = audit::Entry {
                at: now,
                actor: officer.actor(),
                action: "officer.session-end".to_owned(),
                object: format!("officer:{login}"),
                details: serde_json::json!({ "session": *id }),
            };
            Ok(audit::record(connection, &[entry])?)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out
#[utoipa::path(
    delete,
    path = "/api/v1/officer/sessions/current",
    tag = "officers",
    security(("officer" = [])),
    responses((status = 204, description = "the token is dead"))
)]
pub(crate) async fn sign_out(
    context: web::Data<Context>,
    Unready(officer): Unready,
) -> Result<HttpResponse, Problem> {
    let now = context.now();
    context
        .write(move |connection| {
            sessions::close(connection, &officer.token_sha256)?;
            let SignedIn { officer: who, .. } = &officer;
            let entry = audit::Entry {
                at: now,
                actor: officer.actor(),
                action: "officer.sign-out".to_owned(),
                object: format!("officer:{}", who.login),
                details: serde_json::json!({}),
            };
            Ok(audit::record(connection, &[entry])?)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
