//! Who looks at a page: their language, their sign-in, and the forms they were given.
//!
//! The portal keeps nothing about anybody. What it has to know again is in cookies that no script can read: the API's
//! token, a random name of the browser, the language, and what was typed before there is an application to keep it.

use std::future::{Ready, ready};

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::Language;

use crate::Portal;

/// The pages below this are the officers', with a sign-in of their own.
pub(crate) const OFFICER: &str = "/officer";

const NONCE: usize = 16;

/// What a request says about who makes it.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) language: Language,
    /// `X-Forwarded-For` with the peer's address at its end.
    pub(crate) forwarded_for: String,
    /// Path and query, to come back to.
    pub(crate) place: String,
    /// What the browser says it is, for the officer who looks at their sessions.
    pub(crate) user_agent: Option<HeaderValue>,
    token: Option<String>,
    browser: Vec<u8>,
    browser_is_new: bool,
    draft: Option<String>,
    secure: bool,
    /// Single keys do something on the officers' pages, unless this browser has switched them off.
    pub(crate) keys: bool,
}

impl Visitor {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let portal = request.app_data::<web::Data<Portal>>();
        let officer = request.path().starts_with(OFFICER);
        let cookie = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
        let known = cookie("muhr-browser").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let known = known.filter(|octets| octets.len() == 32);
        let browser_is_new = known.is_none();
        Self {
            language: language(
                request,
                portal.map_or_else(Language::default, |portal| portal.default_language),
            ),
            forwarded_for: forwarded_for(request),
            place: request.uri().path_and_query().map_or("/", |place| place.as_str()).to_owned(),
            user_agent: request.headers().get(header::USER_AGENT).cloned(),
            token: cookie(if officer { "muhr-officer" } else { "muhr-applicant" }),
            browser: known.unwrap_or_else(random),
            browser_is_new,
            draft: cookie("muhr-draft"),
            secure: portal.is_some_and(|portal| portal.secure),
            keys: cookie("muhr-keys").is_none_or(|choice| choice != "off"),
        }
    }

    /// The API's token of this visitor, if they have signed in.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The browser's name for the API, on officers' pages: a session is this browser's alone, and strangers who guess at an
    /// account do not lock it out of here.
    pub(crate) fn client(&self) -> Option<String> {
        self.in_office().then(|| URL_SAFE_NO_PAD.encode(&self.browser))
    }

    /// The same browser without its sign-in: a token that has ended must not be shown where none is needed.
    pub(crate) fn stranger(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// A proof that a form was given to this browser; another one each time, so that compression tells nothing about it.
    pub(crate) fn csrf(&self) -> String {
        let nonce = &random()[..NONCE];
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.browser), nonce);
        URL_SAFE_NO_PAD.encode([nonce, tag.as_ref()].concat())
    }

    /// Whether a form that comes back was given to this browser.
    pub(crate) fn gave(&self, csrf: &str) -> bool {
        let Ok(octets) = URL_SAFE_NO_PAD.decode(csrf) else { return false };
        let Some((nonce, tag)) = octets.split_at_checked(NONCE) else { return false };
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &self.browser), nonce, tag).is_ok()
    }

    /// What was typed before there was an application: fields by name.
    pub(crate) fn draft(&self) -> Vec<(String, String)> {
        let octets = self.draft.as_deref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        octets.and_then(|octets| serde_json::from_slice(&octets).ok()).unwrap_or_default()
    }

    /// Writes down what this visitor is to be known by. To be called on every page with a form.
    pub(crate) fn remember(&self, response: &mut HttpResponse) {
        if self.browser_is_new {
            let browser = URL_SAFE_NO_PAD.encode(&self.browser);
            self.set(response, self.cookie("muhr-browser", browser));
        }
    }

    /// Signs in: the token is in a cookie that no script reads and no other site sends.
    pub(crate) fn sign_in(&self, response: &mut HttpResponse, token: &str) {
        let cookie = if self.in_office() {
            let mut cookie = self.cookie("muhr-officer", token.to_owned());
            cookie.set_path(OFFICER);
            cookie.set_same_site(SameSite::Strict);
            cookie
        } else {
            // Lax: whoever comes back from the page of a payment provider is still signed in.
            self.cookie("muhr-applicant", token.to_owned())
        };
        self.set(response, cookie);
    }

    /// Forgets the sign-in.
    pub(crate) fn sign_out(&self, response: &mut HttpResponse) {
        let mut cookie = if self.in_office() {
            let mut cookie = self.cookie("muhr-officer", String::new());
            cookie.set_path(OFFICER);
            cookie
        } else {
            self.cookie("muhr-applicant", String::new())
        };
        cookie.make_removal();
        self.set(response, cookie);
    }

    /// Keeps what was typed until there is an application; nothing typed ends it.
    pub(crate) fn keep_draft(&self, response: &mut HttpResponse, fields: &[(String, String)]) {
        // A vector of texts is always JSON.
        let text = serde_json::to_vec(fields).unwrap_or_default();
        let mut cookie = self.cookie("muhr-draft", URL_SAFE_NO_PAD.encode(text));
        if fields.is_empty() {
            cookie.make_removal();
        }
        self.set(response, cookie);
    }

    /// Remembers the language for a year.
    pub(crate) fn speak(&self, response: &mut HttpResponse, language: Language) {
        let mut cookie = self.cookie("muhr-language", language.tag().to_owned());
        cookie.set_max_age(Duration::days(365));
        self.set(response, cookie);
    }

    /// Switches single keys on or off, for a year.
    pub(crate) fn use_keys(&self, response: &mut HttpResponse, on: bool) {
        let mut cookie = self.cookie("muhr-keys", if on { "on" } else { "off" }.to_owned());
        cookie.set_path(OFFICER);
        cookie.set_max_age(Duration::days(365));
        self.set(response, cookie);
    }

    fn in_office(&self) -> bool {
        self.place.starts_with(OFFICER)
    }

    fn cookie(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .finish()
    }

    #[allow(clippy::unused_self, reason = "reads as what a visitor does")]
    fn set(&self, response: &mut HttpResponse, cookie: Cookie<'_>) {
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

impl FromRequest for Visitor {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// The language this browser has chosen, else the one it asks for.
fn language(request: &HttpRequest, default: Language) -> Language {
    let chosen = request.cookie("muhr-language").and_then(|cookie| cookie.value().parse().ok());
    let asked = || {
        let header = request.headers().get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        Language::accepted(header, default)
    };
    chosen.or_else(asked).unwrap_or(default)
}

fn forwarded_for(request: &HttpRequest) -> String {
    let before = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let peer = request.peer_addr().map(|peer| peer.ip().to_string());
    before.map(str::to_owned).chain(peer).collect::<Vec<_>>().join(", ")
}

/// # Panics
/// If the system has no random octets, which getrandom(2) promises once a process runs.
fn random() -> Vec<u8> {
    let mut octets = vec![0; 32];
    SystemRandom::new().fill(&mut octets).expect("the system gives random octets");
    octets
}
