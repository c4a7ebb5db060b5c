//! Officers sign in and out: a password, and a one-time code where one is enrolled.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use store::officers::{self, Account, SecondFactor};
use store::sessions::{self, SessionKind};
use store::{Connection, StoreError, audit};

use super::{recovery_codes, totp};
use crate::auth::{First, SignedIn, Token, Unready};
use crate::context::Context;
use crate::json::Json;
use crate::limits::Counted;
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
        web::resource("/v1/officer/sessions").route(web::post().to(sign_in)).default_service(only("POST")),
    );
    cfg.service(
        web::resource("/v1/officer/sessions/current")
            .route(web::get().to(current))
            .route(web::delete().to(sign_out))
            .default_service(only("GET, DELETE")),
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
    let account = context.read(move |connection| existing(connection, &named)).await?;
    let locked_until = match &account {
        Some(account) => account.locked_until,
        None => context.limits.stranger_locked_until(&login, now),
    };
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
            let judged = judge(&inner, connection, &account, &compared, totp.as_deref(), now)?;
            if judged.is_ok() {
                let kind = SessionKind::Officer;
                sessions::open(connection, &sha256, kind, &login, expires_at, now)?;
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
    compared: &Compared,
    code: Option<&str>,
    now: Timestamp,
) -> Result<Result<(), Problem>, Problem> {
    if let Err(locked) = not_locked(account.locked_until, now) {
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
        match officers::signed_in(connection, login, second, now) {
            Ok(()) => return Ok(Ok(())),
            Err(StoreError::Conflict(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    let settings = &context.settings.officers;
    officers::sign_in_failed(connection, login, settings.lockout_failures, settings.lockout, now)?;
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
