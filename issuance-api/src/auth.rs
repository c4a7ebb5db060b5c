//! Who asks: an applicant by a confirmed phone, an officer by a signed-in session; a channel partner by a signature,
//! see [`crate::partners`].

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca_core::Timestamp;
use ca_core::application::{Actor, ApplicationId, Officer, Role};
pub use ca_core::digest::sha256;
use config::Settings;
use futures_util::future::LocalBoxFuture;
use store::applications::{self, StoredApplication};
use store::officers::Account;
use store::sessions::{self, Session, SessionKind};
use store::{Connection, StoreError, audit, officers};

use crate::context::Context;
use crate::partners::Partner;
use crate::problem::{Kind, Problem};

/// A token a client must show again: 256 random bits. Only its SHA-256 is kept.
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The system's random generator failed.
    pub fn random() -> Result<Self, Problem> {
        let mut bytes = [0_u8; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| Problem::internal("no random bytes"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What the client is told, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }
}

/// An applicant, known by a confirmed phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// E.164.
    pub phone: String,
}

/// A signed-in officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Login and role.
    pub officer: Officer,
    /// SHA-256 of the session's token, to close it.
    pub token_sha256: [u8; 32],
    /// SHA-256 of the client's name, if it has one.
    pub client_sha256: Option<[u8; 32]>,
    /// What the officer has to do before anything else.
    pub first: Option<First>,
}

/// What an officer has to do before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The password was made by somebody else. Not asked for in the sandbox, where its passwords lie in a file.
    ChangePassword,
    /// The settings ask for a second factor, and this officer has none.
    EnrolTotp,
}

impl First {
    /// What this account's officer has to do before anything else.
    pub(crate) fn of(account: &Account, settings: &Settings) -> Option<Self> {
        if account.must_change_password && !settings.is_sandbox() {
            Some(Self::ChangePassword)
        } else if account.totp_secret.is_none() && settings.officers.totp_required {
            Some(Self::EnrolTotp)
        } else {
            None
        }
    }
}

impl SignedIn {
    /// Lets the officer go on if their role is one of these.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.contains(&self.officer.role) { Ok(()) } else { Err(Problem::new(Kind::Forbidden)) }
    }

    /// Lets the officer go on if nothing has to be done first.
    ///
    /// # Errors
    /// 403 naming it.
    fn ready(self) -> Result<Self, Problem> {
        let (text, fallback) = match self.first {
            None => return Ok(self),
            Some(First::ChangePassword) => ("officer-password-change-required", "change the password first"),
            Some(First::EnrolTotp) => ("officer-totp-enrolment-required", "enrol an authenticator first"),
        };
        Err(Problem::new(Kind::Forbidden).because("", text.to_owned(), fallback))
    }

    /// The name in events and audit entries.
    pub fn actor(&self) -> String {
        format!("officer:{}", self.officer.login)
    }
}

/// A signed-in officer, even one who has something to do first: for doing that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready(pub SignedIn);

/// Either of them, where both may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anybody {
    /// An applicant.
    Applicant(Applicant),
    /// An officer.
    Officer(SignedIn),
    /// Nobody who showed a token.
    Public,
}

/// The SHA-256 of the bearer token (RFC 6750 section 2.1).
fn bearer(request: &HttpRequest) -> Option<[u8; 32]> {
    let mut shown = request
        .headers()
        .get_all(header::AUTHORIZATION)
        .filter_map(|value| value.to_str().ok()?.split_once(' '));
    let (_, token) = shown.find(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
    (token.len() <= 128).then(|| sha256(token.trim().as_bytes()))
}

/// The header with the name that a client gives itself: random, kept by the client, told to nobody else.
const CLIENT: &str = "muhr-client";

/// SHA-256 of the client's name, if it states one that could be random: at least 128 bits in hexadecimal or Base64.
pub(crate) fn client(request: &HttpRequest) -> Option<[u8; 32]> {
    let stated = request.headers().get(CLIENT)?.to_str().ok()?.trim();
    (22..=128).contains(&stated.len()).then(|| sha256(stated.as_bytes()))
}

async fn identify(
    context: &Context,
    token: Option<[u8; 32]>,
    client: Option<[u8; 32]>,
) -> Result<Anybody, Problem> {
    let Some(token_sha256) = token else { return Ok(Anybody::Public) };
    let now = context.now();
    let (database, settings) = (context.database.clone(), Arc::clone(&context.settings));
    // Not by `Context::write`: asking who it is must not ring the doorbell.
    let found = web::block(move || -> Result<Anybody, StoreError> {
        let idle = |kind| match kind {
            SessionKind::Applicant => settings.sessions.applicant_lifetime,
            SessionKind::Officer => settings.sessions.officer_idle,
        };
        let (session, who) = database.read(|connection| -> Result<_, StoreError> {
            let session = sessions::find(connection, &token_sha256, idle, now)?;
            let who = match &session {
                None => Anybody::Public,
                Some(Session { kind: SessionKind::Applicant, principal, .. }) => {
                    Anybody::Applicant(Applicant { phone: principal.clone() })
                }
                Some(Session { kind: SessionKind::Officer, principal, .. }) => {
                    signed_in(officers::find(connection, principal)?, token_sha256, client, &settings)
                }
            };
            Ok((session, who))
        })?;
        if let Some(session) = session.as_ref().filter(|session| is_anothers(session, client)) {
            database.write(|connection| end_stolen(connection, &token_sha256, &session.principal, now))?;
            return Ok(Anybody::Public);
        }
        if session.is_some_and(|session| session.note_is_old) {
            database.write(|connection| sessions::note_use(connection, &token_sha256, now))?;
        }
        Ok(who)
    })
    .await?;
    Ok(found?)
}

/// The session was opened by a client with a name, and this is another one.
fn is_anothers(session: &Session, client: Option<[u8; 32]>) -> bool {
    session.client_sha256.as_deref().is_some_and(|bound| client.is_none_or(|client| client != bound))
}

/// Whoever has the token without the client's name has taken it from somewhere: nobody uses it any more.
fn end_stolen(
    connection: &mut Connection,
    token_sha256: &[u8; 32],
    login: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sessions::close(connection, token_sha256)?;
    let entry = audit::Entry {
        at: now,
        actor: "anonymous".to_owned(),
        action: "officer.session-stolen".to_owned(),
        object: format!("officer:{login}"),
        details: serde_json::json!({}),
    };
    audit::record(connection, &[entry])
}

/// The officer of a session, unless the account was closed meanwhile.
fn signed_in(
    account: Account,
    token_sha256: [u8; 32],
    client_sha256: Option<[u8; 32]>,
    settings: &Settings,
) -> Anybody {
    match account.disabled_at {
        Some(_) => Anybody::Public,
        None => Anybody::Officer(SignedIn {
            first: First::of(&account, settings),
            officer: account.officer,
            token_sha256,
            client_sha256,
        }),
    }
}

fn from_request(request: &HttpRequest) -> LocalBoxFuture<'static, Result<Anybody, Problem>> {
    let context = request.app_data::<web::Data<Context>>().cloned();
    let (token, client) = (bearer(request), client(request));
    Box::pin(async move {
        let context = context.ok_or_else(|| Problem::internal("no context"))?;
        let found = identify(&context, token, client).await?;
        // A token that is shown and not known is a mistake, not an anonymous request.
        if token.is_some() && found == Anybody::Public {
            return Err(Problem::new(Kind::Unauthenticated));
        }
        Ok(found)
    })
}

impl FromRequest for Anybody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let found = from_request(request);
        Box::pin(async move {
            Ok(match found.await? {
                Anybody::Officer(officer) => Self::Officer(officer.ready()?),
                other => other,
            })
        })
    }
}

impl FromRequest for Applicant {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let found = from_request(request);
        Box::pin(async move {
            match found.await? {
                Anybody::Applicant(applicant) => Ok(applicant),
                Anybody::Officer(_) => Err(Problem::new(Kind::Forbidden)),
                Anybody::Public => Err(Problem::new(Kind::Unauthenticated)),
            }
        })
    }
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let found = Unready::from_request(request, payload);
        Box::pin(async move { found.await?.0.ready() })
    }
}

impl FromRequest for Unready {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let found = from_request(request);
        Box::pin(async move {
            match found.await? {
                Anybody::Officer(officer) => Ok(Self(officer)),
                Anybody::Applicant(_) => Err(Problem::new(Kind::Forbidden)),
                Anybody::Public => Err(Problem::new(Kind::Unauthenticated)),
            }
        })
    }
}

/// Who acts on the applicant's side: the applicant, the officer who registered them at a counter, or the partner that
/// identified them.
#[derive(Debug, Clone)]
pub enum Acting {
    /// For themselves.
    Applicant(Applicant),
    /// For somebody who stands in front of them.
    Officer(SignedIn),
    /// For somebody it has identified. Only at the partners' own addresses.
    Partner(Arc<Partner>),
}

impl Acting {
    /// The name in decisions, events and audit entries.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Applicant(_) => Actor::Applicant,
            Self::Officer(officer) => Actor::Officer(officer.officer.login.clone()),
            Self::Partner(partner) => Actor::Partner(partner.name.clone()),
        }
    }

    /// The officer, if it is one.
    pub fn officer(&self) -> Option<&Officer> {
        match self {
            Self::Officer(officer) => Some(&officer.officer),
            Self::Applicant(_) | Self::Partner(_) => None,
        }
    }

    /// The application, if it is theirs. Somebody else's does not exist for them.
    ///
    /// # Errors
    /// 404.
    pub fn find(&self, connection: &mut Connection, id: ApplicationId) -> Result<StoredApplication, Problem> {
        let stored = applications::find(connection, id)?;
        let theirs = match self {
            Self::Applicant(applicant) => stored.phone == applicant.phone,
            Self::Officer(officer) => {
                stored.application.registered_by.as_deref() == Some(&officer.officer.login)
            }
            Self::Partner(partner) => stored.registered_partner.as_deref() == Some(&partner.name),
        };
        if theirs { Ok(stored) } else { Err(Problem::new(Kind::NotFound)) }
    }
}

impl FromRequest for Acting {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let found = Anybody::from_request(request, payload);
        Box::pin(async move {
            match found.await? {
                Anybody::Applicant(applicant) => Ok(Self::Applicant(applicant)),
                Anybody::Officer(officer) => Ok(Self::Officer(officer)),
                Anybody::Public => Err(Problem::new(Kind::Unauthenticated)),
            }
        })
    }
}

/// First who asks, then what they say: a stranger's body is not even read, and hears nothing but 401.
pub struct Then<A, B>(pub A, pub B);

impl<A, B> FromRequest for Then<A, B>
where
    A: FromRequest<Error = Problem> + 'static,
    B: FromRequest<Error = Problem> + 'static,
{
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        Box::pin(async move {
            let first = A::from_request(&request, &mut dev::Payload::None).await?;
            let then = B::from_request(&request, &mut payload).await?;
            Ok(Self(first, then))
        })
    }
}
