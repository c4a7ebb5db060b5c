//! Problem documents (RFC 9457): the only place that knows HTTP words for what a rule refused.
//!
//! A handler returns a [`Problem`] without a language; [`crate::request`]'s middleware writes it in the reader's.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError, Route, web};
use ca_core::application::{self, State};
use ca_core::revocation;
use config::Language;
use serde::Serialize;
use store::StoreError;

/// The stable name of a kind of problem, and its HTTP status. `type` in the document is `urn:muhr:problem:<slug>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the slug is the documentation; docs/API.md lists them all")]
pub enum Kind {
    MalformedRequest,
    InvalidFields,
    UnsupportedMediaType,
    NotAcceptable,
    PayloadTooLarge,
    NotFound,
    MethodNotAllowed,
    Unauthenticated,
    Forbidden,
    WrongState,
    Conflict,
    IdempotencyKeyReused,
    RequestInProgress,
    TooManyRequests,
    CaptchaWrong,
    CaptchaExpired,
    CodeWrong,
    CodeExpired,
    CodeUsed,
    CodeExhausted,
    ResendTooSoon,
    SubmissionIncomplete,
    CsrRefused,
    KeyAlreadyUsed,
    DocumentRefused,
    StatementRefused,
    StatementOutdated,
    OfficerNotCertified,
    OwnApplication,
    AlreadyApproved,
    NotIssuable,
    StatusChangeRefused,
    ChannelNotAuthenticated,
    TooManyOpenApplications,
    InvoiceNotPayable,
    OwnPayment,
    PaymentNotOpen,
    ReceiptAlreadyRecorded,
    RefundNotDue,
    NotRenewable,
    OwnAct,
    ActNotOpen,
    ActDoesNotFit,
    PartnerSuspended,
    SignInFailed,
    AccountLocked,
    TotpRequired,
    ServiceUnavailable,
    StorageFull,
    InternalError,
}

impl Kind {
    /// Every kind with its slug and status.
    pub const ALL: [(Self, &'static str, u16); 50] = [
        (Self::MalformedRequest, "malformed-request", 400),
        (Self::InvalidFields, "invalid-fields", 422),
        (Self::UnsupportedMediaType, "unsupported-media-type", 415),
        (Self::NotAcceptable, "not-acceptable", 406),
        (Self::PayloadTooLarge, "payload-too-large", 413),
        (Self::NotFound, "not-found", 404),
        (Self::MethodNotAllowed, "method-not-allowed", 405),
        (Self::Unauthenticated, "unauthenticated", 401),
        (Self::Forbidden, "forbidden", 403),
        (Self::WrongState, "wrong-state", 409),
        (Self::Conflict, "conflict", 409),
        (Self::IdempotencyKeyReused, "idempotency-key-reused", 422),
        (Self::RequestInProgress, "request-in-progress", 409),
        (Self::TooManyRequests, "too-many-requests", 429),
        (Self::CaptchaWrong, "captcha-wrong", 422),
        (Self::CaptchaExpired, "captcha-expired", 422),
        (Self::CodeWrong, "code-wrong", 422),
        (Self::CodeExpired, "code-expired", 410),
        (Self::CodeUsed, "code-used", 409),
        (Self::CodeExhausted, "code-exhausted", 429),
        (Self::ResendTooSoon, "resend-too-soon", 429),
        (Self::SubmissionIncomplete, "submission-incomplete", 409),
        (Self::CsrRefused, "csr-refused", 422),
        (Self::KeyAlreadyUsed, "key-already-used", 409),
        (Self::DocumentRefused, "document-refused", 422),
        (Self::StatementRefused, "statement-refused", 422),
        (Self::StatementOutdated, "statement-outdated", 409),
        (Self::OfficerNotCertified, "officer-not-certified", 403),
        (Self::OwnApplication, "own-application", 403),
        (Self::AlreadyApproved, "already-approved", 409),
        (Self::NotIssuable, "not-issuable", 409),
        (Self::StatusChangeRefused, "status-change-refused", 409),
        (Self::ChannelNotAuthenticated, "channel-not-authenticated", 403),
        (Self::TooManyOpenApplications, "too-many-open-applications", 409),
        (Self::InvoiceNotPayable, "invoice-not-payable", 409),
        (Self::OwnPayment, "own-payment", 403),
        (Self::PaymentNotOpen, "payment-not-open", 409),
        (Self::ReceiptAlreadyRecorded, "receipt-already-recorded", 409),
        (Self::RefundNotDue, "refund-not-due", 409),
        (Self::NotRenewable, "not-renewable", 409),
        (Self::OwnAct, "own-act", 403),
        (Self::ActNotOpen, "act-not-open", 409),
        (Self::ActDoesNotFit, "act-does-not-fit", 409),
        (Self::PartnerSuspended, "partner-suspended", 403),
        (Self::SignInFailed, "sign-in-failed", 401),
        (Self::AccountLocked, "account-locked", 429),
        (Self::TotpRequired, "totp-required", 401),
        (Self::ServiceUnavailable, "service-unavailable", 503),
        (Self::StorageFull, "storage-full", 507),
        (Self::InternalError, "internal-error", 500),
    ];

    fn entry(self) -> (&'static str, StatusCode) {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(
            ("internal-error", StatusCode::INTERNAL_SERVER_ERROR),
            |(_, slug, status)| {
                (*slug, StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            },
        )
    }

    /// The last part of `type`, and of the names of the texts.
    pub fn slug(self) -> &'static str {
        self.entry().0
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        self.entry().1
    }

    /// The kind that stands for a status some library answered with.
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            406 => Self::NotAcceptable,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::TooManyRequests,
            503 => Self::ServiceUnavailable,
            400..=499 => Self::MalformedRequest,
            _ => Self::InternalError,
        }
    }
}

/// One objection to one part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request, or the name of a missing fact.
    pub pointer: String,
    /// The name of the text, for example `field-too-long`, `missing-photo` or `csr-weak-digest`.
    pub text: String,
    /// What is said if the catalogue has no such text.
    pub fallback: String,
}

impl FieldError {
    /// An objection with the rule's name as its text.
    pub fn new(pointer: impl Into<String>, rule: &str) -> Self {
        Self { pointer: pointer.into(), text: format!("field-{rule}"), fallback: rule.replace('-', " ") }
    }
}

/// A refusal on its way to the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    errors: Vec<FieldError>,
    state: Option<State>,
    retry_after: Option<u64>,
    allow: Option<&'static str>,
}

impl Problem {
    /// A problem of a kind and nothing more to say.
    pub fn new(kind: Kind) -> Self {
        Self { kind, errors: Vec::new(), state: None, retry_after: None, allow: None }
    }

    /// Objections to parts of the request.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Kind::InvalidFields) }
    }

    /// One objection to one field.
    pub fn field(pointer: &str, rule: &str) -> Self {
        Self::fields(vec![FieldError::new(pointer, rule)])
    }

    /// The same with an objection that names what is wrong.
    #[must_use]
    pub fn because(mut self, pointer: &str, text: String, fallback: &str) -> Self {
        self.errors.push(FieldError { pointer: pointer.to_owned(), text, fallback: fallback.to_owned() });
        self
    }

    /// The same with the number of seconds after which another try makes sense.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The same with the state the application is in, and so whose move it is.
    #[must_use]
    pub fn in_state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// The method is not among those the resource has.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(Kind::MethodNotAllowed) }
    }

    /// The problem that a document of ours tells of, to pass it on.
    pub(crate) fn relayed(document: &serde_json::Value) -> Self {
        let slug = document["type"].as_str().and_then(|name| name.strip_prefix("urn:muhr:problem:"));
        let kind = Kind::ALL.iter().find(|(_, known, _)| Some(*known) == slug).map(|(kind, ..)| *kind);
        let errors = document["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().fold(Self::new(kind.unwrap_or(Kind::InternalError)), |problem, error| {
            let said = |name: &str| error[name].as_str().unwrap_or_default();
            problem.because(said("pointer"), format!("relayed-{}", said("rule")), said("detail"))
        })
    }

    /// The same objections, when what is there has changed and not what was sent.
    #[must_use]
    pub fn as_unfit(self) -> Self {
        match self.kind {
            Kind::InvalidFields => Self { kind: Kind::ActDoesNotFit, ..self },
            _ => self,
        }
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What stands for an error answer that some library wrote.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        Self::new(Kind::of_status(status))
    }

    /// The document in a language.
    pub(crate) fn document(&self, language: Language, instance: &str) -> Document {
        let slug = self.kind.slug();
        let said = |text: &str, fallback: &str| config::texts::text_or(language, text, &[], fallback);
        Document {
            r#type: format!("urn:muhr:problem:{slug}"),
            title: said(&format!("problem-{slug}-title"), slug),
            status: self.kind.status().as_u16(),
            detail: said(&format!("problem-{slug}-detail"), slug),
            instance: instance.to_owned(),
            errors: self
                .errors
                .iter()
                .map(|error| Objection {
                    pointer: error.pointer.clone(),
                    rule: error.text.split_once('-').map_or("", |(_, rule)| rule).to_owned(),
                    detail: said(&error.text, &error.fallback),
                })
                .collect(),
            state: self.state.map(State::as_str),
            next_actor: self.state.map(|state| state.next_actor().as_str()),
        }
    }
}

/// The default route of a resource: its methods are these (RFC 9110 section 15.5.6).
pub(crate) fn only(allow: &'static str) -> Route {
    web::to(move || async move { Err::<HttpResponse, Problem>(Problem::method_not_allowed(allow)) })
}

/// What a client reads (RFC 9457 section 3).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// `urn:muhr:problem:<slug>`, stable.
    pub r#type: String,
    /// The problem's name, in the reader's language.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to do, in the reader's language.
    pub detail: String,
    /// The request's name: `urn:muhr:request:<X-Request-Id>`.
    pub instance: String,
    /// What exactly is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Objection>,
    /// The state the application is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Whose move it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_actor: Option<&'static str>,
}

/// An objection to one part of a request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Objection {
    /// JSON pointer (RFC 6901) into the request, or the name of a missing fact.
    pub pointer: String,
    /// The rule's name, stable.
    pub rule: String,
    /// What is wrong, in the reader's language.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.slug())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    /// The body is written by the middleware, which knows the reader's language.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.kind.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::new(Kind::NotFound),
            StoreError::Conflict(_) => Self::new(Kind::Conflict),
            StoreError::Unavailable(why) => {
                tracing::warn!(why, "database unavailable");
                Self::new(Kind::ServiceUnavailable).after(2)
            }
            StoreError::StorageFull(why) => {
                tracing::error!(why, "no space left under the database");
                Self::new(Kind::StorageFull).after(60)
            }
            StoreError::Corrupt(why) | StoreError::Database(why) => Self::internal(why),
        }
    }
}

impl From<application::Refusal> for Problem {
    fn from(refusal: application::Refusal) -> Self {
        match refusal {
            application::Refusal::WrongState(state) => {
                Self { state: Some(state), ..Self::new(Kind::WrongState) }
            }
            application::Refusal::OwnApplication => Self::new(Kind::OwnApplication),
            application::Refusal::RoleNotAllowed => Self::new(Kind::Forbidden),
            application::Refusal::Incomplete(facts) => {
                let problem = Self { state: Some(State::Draft), ..Self::new(Kind::SubmissionIncomplete) };
                facts.into_iter().fold(problem, |problem, fact| {
                    problem.because(fact.as_str(), format!("missing-{}", fact.as_str()), fact.as_str())
                })
            }
        }
    }
}

impl From<revocation::Refusal> for Problem {
    fn from(refusal: revocation::Refusal) -> Self {
        let name = match refusal {
            revocation::Refusal::ReasonNotAllowed => "reason-not-allowed",
            revocation::Refusal::RestorationNotAllowed => "restoration-not-allowed",
            revocation::Refusal::AlreadyRevoked => "already-revoked",
            revocation::Refusal::AlreadySuspended => "already-suspended",
            revocation::Refusal::NotSuspended => "not-suspended",
            revocation::Refusal::Expired => "expired",
            revocation::Refusal::InvalidityInFuture => "invalidity-in-future",
        };
        let kind = match refusal {
            revocation::Refusal::ReasonNotAllowed | revocation::Refusal::RestorationNotAllowed => {
                Kind::Forbidden
            }
            revocation::Refusal::InvalidityInFuture => Kind::InvalidFields,
            _ => Kind::StatusChangeRefused,
        };
        let pointer = match refusal {
            revocation::Refusal::ReasonNotAllowed => "/reason",
            revocation::Refusal::InvalidityInFuture => "/invalidity_date",
            _ => "",
        };
        Self::new(kind).because(pointer, format!("status-change-{name}"), &refusal.to_string())
    }
}

impl From<actix_web::error::BlockingError> for Problem {
    fn from(_: actix_web::error::BlockingError) -> Self {
        Self::new(Kind::ServiceUnavailable).after(2)
    }
}

impl Problem {
    /// Something that must not happen did. The reason goes to the log, never to the client.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        tracing::error!(%why, "internal error");
        Self::new(Kind::InternalError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_a_document_in_every_language() {
        let mut documents = serde_json::Map::new();
        for (kind, slug, status) in Kind::ALL {
            let mut said = serde_json::Map::new();
            for language in Language::ALL {
                let document = Problem::new(kind).document(language, "urn:muhr:request:1");
                assert_eq!(document.r#type, format!("urn:muhr:problem:{slug}"));
                assert_eq!(document.status, status);
                let words = serde_json::json!([document.title, document.detail]);
                assert!(
                    !words.to_string().contains(&format!("\"{slug}\"")),
                    "no text for {slug} in {}",
                    language.tag()
                );
                said.insert(language.tag().to_owned(), words);
            }
            documents.insert(format!("{status} {slug}"), said.into());
        }
        insta::assert_json_snapshot!("problem documents", documents);
    }

    #[test]
    fn a_refused_command_names_the_state_and_whose_move_it_is() {
        let refused: Vec<_> = State::ALL
            .into_iter()
            .map(|state| {
                let problem = Problem::from(application::Refusal::WrongState(state));
                serde_json::to_value(problem.document(Language::En, "urn:muhr:request:1")).unwrap()
            })
            .collect();
        insta::assert_json_snapshot!("wrong state", refused);
    }
}
