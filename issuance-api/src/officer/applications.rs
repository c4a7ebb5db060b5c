//! The work queue, and one application with everything an officer decides on.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{ApplicationId, Role, State};
use serde::{Deserialize, Serialize};
use store::applications::{self, Event, Filter, StoredApplication};
use store::documents::{self, Document};
use store::duplicates::{self, Duplicate};
use store::{Connection, StoreError, issuers};

use super::preview::{self, Preview};
use super::statements::{self, ApprovalsView};
use crate::applications::{ApplicationView, Reader, in_list, named, whole};
use crate::auth::SignedIn;
use crate::context::Context;
use crate::list::{self, List};
use crate::problem::{Document as ProblemDocument, Kind, Problem, only};

/// Who reads applications. A registrar sees those they registered.
const READERS: [Role; 3] = [Role::Registrar, Role::Reviewer, Role::Auditor];

/// An application as officers see it in the queue.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = QueuedApplication)]
pub(crate) struct Queued {
    #[serde(flatten)]
    application: ApplicationView,
    /// The confirmed phone, E.164.
    phone: String,
    /// The registrar of a walk-in applicant: somebody else decides.
    registered_by: Option<String>,
    /// The partner that identified the applicant.
    registered_partner: Option<String>,
    /// Who has approved it and how many have to; absent before its first submission.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<ApprovalsView>,
}

/// An application with everything an officer decides on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReviewedApplication)]
pub(crate) struct Reviewed {
    #[serde(flatten)]
    queued: Queued,
    /// The documents, with where their bytes are.
    evidence: Vec<EvidenceView>,
    /// What happened, with the officers' logins and the findings of the CA's lint.
    record: Vec<RecordView>,
    /// Other applications that an officer compares with this one.
    duplicates: Vec<DuplicateView>,
    /// The certificate as it would be signed at this moment, or as it was signed; null without a certification request.
    to_be_signed: Option<String>,
    /// What the CA's lint would refuse now.
    findings: Vec<String>,
}

/// A document an officer looks at.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Evidence)]
pub(crate) struct EvidenceView {
    /// `photo`, `selfie` or `power-of-attorney`.
    kind: &'static str,
    media_type: String,
    size_bytes: i64,
    /// Of the bytes, hex.
    sha256: String,
    #[schema(value_type = String, format = DateTime)]
    uploaded_at: Timestamp,
    /// Where the bytes are.
    url: String,
}

/// Something that happened, as the auditor reads it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `applicant`, `officer:<login>`, `ca` or `clock`.
    actor: String,
    command: String,
    from: String,
    to: String,
    reason: Option<String>,
    note: Option<String>,
}

/// Another application that has something in common with this one.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Duplicate)]
pub(crate) struct DuplicateView {
    id: String,
    state: String,
    /// `pinfl`, `key` or `photo`.
    same: &'static str,
}

/// What the queue is narrowed to.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    /// `under_review` for what waits for a decision; every state if absent.
    state: Option<String>,
    /// A PINFL, a STIR, an application's id or the beginning of a name.
    q: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/applications")
            .route(web::get().to(queue))
            .route(web::post().to(super::registrations::register_walk_in))
            .default_service(only("GET, POST")),
    )
    .service(
        web::resource("/v1/officer/applications/{id}").route(web::get().to(get)).default_service(only("GET")),
    );
}

/// The work queue, oldest first
#[utoipa::path(get, path = "/api/v1/officer/applications", tag = "officers", operation_id = "queue",
    security(("officer" = [])), params(QueueQuery),
    responses(
        (status = 200, description = "a page", body = List<Queued>),
        (status = 403, description = "forbidden", body = ProblemDocument),
    ))]
pub(crate) async fn queue(
    context: web::Data<Context>,
    request: HttpRequest,
    officer: SignedIn,
    query: web::Query<QueueQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let query = query.into_inner();
    let limit = list::limit(query.limit.as_deref())?;
    let after: Option<ApplicationId> = list::after(query.after.as_deref())?;
    let state = query.state.as_deref().filter(|state| !state.is_empty()).map(str::parse::<State>);
    let filter = Filter {
        phone: None,
        state: state.transpose().map_err(|_| Problem::field("/state", "not-a-choice"))?,
        text: query.q.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        registered_by: (officer.officer.role == Role::Registrar).then_some(officer.officer.login),
        registered_partner: None,
    };
    let (reader, inner) = (Reader::of(&context, &request), context.clone());
    let page = context
        .read(move |connection| {
            let page = applications::page(connection, &filter, after, limit)?;
            let beside = Beside::of(connection, &inner, &page.items)?;
            let views = in_list(connection, page.items, &reader)?;
            let items =
                views.into_iter().zip(beside).map(|(application, beside)| beside.with(application)).collect();
            Ok(List { items, next: page.next })
        })
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

/// One application with evidence, record, duplicates and the certificate to be signed
///
/// The rendering is made as the CA makes it, without its key. Serial and start of validity are given when it is signed.
#[utoipa::path(get, path = "/api/v1/officer/applications/{id}", tag = "officers", operation_id = "review",
    security(("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the application", body = Reviewed),
        (status = 403, description = "forbidden", body = ProblemDocument),
        (status = 404, description = "not-found", body = ProblemDocument),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    request: HttpRequest,
    officer: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let shared = context.clone();
    let view = context
        .read(move |connection| {
            let stored = visible(connection, &officer, id)?;
            reviewed(connection, &shared, stored, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// The application, if this officer may see it.
///
/// # Errors
/// 403 for roles that read no applications; 404 for what a registrar did not register.
pub(super) fn visible(
    connection: &mut Connection,
    officer: &SignedIn,
    id: ApplicationId,
) -> Result<StoredApplication, Problem> {
    officer.require(&READERS)?;
    let stored = applications::find(connection, id)?;
    let own = stored.application.registered_by.as_deref() == Some(&officer.officer.login);
    if officer.officer.role == Role::Registrar && !own {
        return Err(Problem::new(Kind::NotFound));
    }
    Ok(stored)
}

/// The application with its history, as the queue shows it.
pub(super) fn queued(
    connection: &mut Connection,
    stored: StoredApplication,
    context: &Context,
    reader: &Reader,
) -> Result<Queued, Problem> {
    let beside = Beside::of(connection, context, std::slice::from_ref(&stored))?.pop();
    let view = whole(connection, stored, reader)?;
    beside.map(|beside| beside.with(view)).ok_or_else(|| Problem::internal("an application without its half"))
}

/// What officers see beside an applicant's view.
struct Beside {
    phone: String,
    registered_by: Option<String>,
    registered_partner: Option<String>,
    approvals: Option<ApprovalsView>,
}

impl Beside {
    /// Of each of these, in their order.
    fn of(
        connection: &mut Connection,
        context: &Context,
        stored: &[StoredApplication],
    ) -> Result<Vec<Self>, Problem> {
        let applications: Vec<_> = stored.iter().map(|stored| &stored.application).collect();
        let mut approvals = statements::approvals(connection, context, &applications)?;
        let of_one = |stored: &StoredApplication| Self {
            phone: stored.phone.clone(),
            registered_by: stored.application.registered_by.clone(),
            registered_partner: stored.registered_partner.clone(),
            approvals: approvals.remove(&stored.application.id),
        };
        Ok(stored.iter().map(of_one).collect())
    }

    fn with(self, application: ApplicationView) -> Queued {
        let Self { phone, registered_by, registered_partner, approvals } = self;
        Queued { application, phone, registered_by, registered_partner, approvals }
    }
}

fn reviewed(
    connection: &mut Connection,
    context: &Context,
    stored: StoredApplication,
    reader: &Reader,
) -> Result<Reviewed, Problem> {
    let id = stored.application.id;
    let documents = documents::of(connection, id)?;
    let photo = documents.iter().find(|document| document.kind.as_str() == "photo");
    let duplicates = duplicates::of(connection, &stored, photo.map(|photo| photo.sha256.as_slice()))?;
    let history = applications::history(connection, id)?;
    let Preview { text, findings } = match store::certificates::of_application(connection, id)? {
        Some(signed) => Preview::of_certificate(&signed.certificate.der)?,
        None => match issuers::current(connection) {
            Ok(issuer) => preview::of_application(context, &issuer, &stored, reader.now)?,
            Err(StoreError::NotFound) => {
                Preview { text: None, findings: vec!["there is no CA yet".to_owned()] }
            }
            Err(other) => return Err(other.into()),
        },
    };
    Ok(Reviewed {
        queued: queued(connection, stored, context, reader)?,
        evidence: documents.into_iter().map(EvidenceView::from).collect(),
        record: history.into_iter().map(RecordView::from).collect(),
        duplicates: duplicates.into_iter().map(DuplicateView::from).collect(),
        to_be_signed: text,
        findings,
    })
}

impl From<Document> for EvidenceView {
    fn from(document: Document) -> Self {
        let kind = document.kind.as_str();
        Self {
            kind,
            url: format!("/api/v1/officer/applications/{}/documents/{kind}", document.application),
            media_type: document.media_type,
            size_bytes: document.size_bytes,
            sha256: hex::encode(document.sha256),
            uploaded_at: document.uploaded_at,
        }
    }
}

impl From<Event> for RecordView {
    fn from(event: Event) -> Self {
        let Event { at, actor, command, from, to, reason, note } = event;
        Self { at, actor, command, from, to, reason, note }
    }
}

impl From<Duplicate> for DuplicateView {
    fn from(duplicate: Duplicate) -> Self {
        Self { id: duplicate.application.to_string(), state: duplicate.state, same: duplicate.same.as_str() }
    }
}
