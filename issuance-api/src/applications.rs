//! Applications, on the side of those who apply.

pub(crate) mod certificate;
pub(crate) mod csr;
pub(crate) mod documents;
pub(crate) mod form;
pub(crate) mod invoice;
pub(crate) mod key_password;
pub(crate) mod receipt;
pub(crate) mod renewal;
pub(crate) mod submission;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{Actor, ApplicationId, Transition};
use ca_core::fee::{Channel, Claim, ClaimError, FeeError};
use serde::Deserialize;
use store::applications::{self, Filter, NewApplication, StoredApplication};
use store::data_keys::{self, SealedData};
use store::{Connection, invoices, turns};

pub(crate) use form::ApplicationForm;
pub(crate) use submission::{decode, to_sign};
pub(crate) use view::{ApplicationView, Reader, in_list, status_at, whole};

use crate::auth::{Acting, Applicant, Then};
use crate::context::Context;
use crate::json::Json;
use crate::limits::Counted;
use crate::list::{self, List};
use crate::problem::{Kind, Problem, only};
use crate::request::{address, language};

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications")
            .route(web::get().to(list))
            .route(web::post().to(create))
            .default_service(only("GET, POST")),
    )
    .service(web::resource("/v1/applications/{id}").route(web::get().to(get)).default_service(only("GET")))
    .service(
        web::resource("/v1/applications/{id}/withdrawal")
            .route(web::post().to(withdraw))
            .default_service(only("POST")),
    )
    .configure(csr::configure)
    .configure(documents::configure)
    .configure(invoice::configure)
    .configure(submission::configure)
    .configure(receipt::configure)
    .configure(renewal::configure)
    .configure(key_password::configure)
    .configure(certificate::configure);
}

/// Which page of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    pub(crate) limit: Option<String>,
}

/// Apply for a certificate
///
/// Every objection is named at once. The invoice is written with the application. Channels other than `online` are for those
/// who have seen the applicant: a partner or an officer.
#[utoipa::path(post, path = "/api/v1/applications", tag = "applications", operation_id = "apply",
    security(("applicant" = [])), request_body = ApplicationForm,
    responses(
        (status = 201, description = "a draft", body = ApplicationView),
        (status = 403, description = "channel-not-authenticated", body = crate::problem::Document),
        (status = 409, description = "too-many-open-applications", body = crate::problem::Document),
        (status = 422, description = "invalid-fields", body = crate::problem::Document),
    ))]
pub(crate) async fn create(
    context: web::Data<Context>,
    request: HttpRequest,
    Then(applicant, Json(form)): Then<Applicant, Json<ApplicationForm>>,
) -> Result<HttpResponse, Problem> {
    let from = address(&request, &context.settings.http.trusted_proxies);
    context.limits.count(Counted::Application, from)?;
    let stated = form.check(&context.regions, context.now()).map_err(Problem::fields)?;
    if stated.phone.is_some() {
        // The phone is the one whose token is shown.
        return Err(Problem::field("/phone", "not-expected"));
    }
    if stated.benefit.is_some() {
        // Whoever checks the right to it claims it.
        return Err(Problem::field("/benefit", "not-expected"));
    }
    if stated.channel.is_some_and(|channel| channel != Channel::Online) {
        return Err(Problem::new(Kind::ChannelNotAuthenticated));
    }
    let reader = Reader::of(&context, &request);
    let new = stated.application(applicant.phone, Channel::Online, &reader);
    let view = register(&context, new, Actor::Applicant, &reader).await?;
    Ok(created(view))
}

/// My applications, oldest first
#[utoipa::path(get, path = "/api/v1/applications", tag = "applications", operation_id = "applications",
    security(("applicant" = [])), params(PageQuery),
    responses((status = 200, description = "a page", body = List<ApplicationView>)))]
pub(crate) async fn list(
    context: web::Data<Context>,
    request: HttpRequest,
    applicant: Applicant,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let limit = list::limit(query.limit.as_deref())?;
    let after: Option<ApplicationId> = list::after(query.after.as_deref())?;
    let reader = Reader::of(&context, &request);
    let filter = Filter { phone: Some(applicant.phone), ..Filter::default() };
    let page = context
        .read(move |connection| {
            let page = applications::page(connection, &filter, after, limit)?;
            let items = in_list(connection, page.items, &reader)?;
            Ok(List { items, next: page.next })
        })
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

/// One application with its history
#[utoipa::path(get, path = "/api/v1/applications/{id}", tag = "applications", operation_id = "application",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the application", body = ApplicationView),
        (status = 404, description = "not-found: there is none, or it is somebody else's", body = crate::problem::Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    request: HttpRequest,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let view = context
        .read(move |connection| {
            let stored = acting.find(connection, id)?;
            whole(connection, stored, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Give up
#[utoipa::path(post, path = "/api/v1/applications/{id}/withdrawal", tag = "applications", operation_id = "withdraw",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the application, withdrawn", body = ApplicationView),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 409, description = "wrong-state", body = crate::problem::Document),
    ))]
pub(crate) async fn withdraw(
    context: web::Data<Context>,
    request: HttpRequest,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let view = context
        .decide(move |connection| {
            let stored = acting.find(connection, id)?;
            let transition = stored.application.withdraw(acting.actor(), reader.now)?;
            moved(connection, &transition, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// The application a path names. What was never a name is not there.
///
/// # Errors
/// 404.
pub(crate) fn named(id: &str) -> Result<ApplicationId, Problem> {
    id.parse().map_err(|_| Problem::new(Kind::NotFound))
}

/// Creates a draft with its invoice at today's price.
///
/// # Errors
/// 409 if the phone has as many open applications as one may have; 422 if the claimed benefit does not hold.
pub(crate) async fn register(
    context: &Context,
    new: NewApplication,
    actor: Actor,
    reader: &Reader,
) -> Result<ApplicationView, Problem> {
    let registration = Registration::prepare(context, new, actor, reader).await?;
    let reader = reader.clone();
    context
        .decide(move |connection| {
            registration.make(connection)?;
            view::of(connection, registration.id(), &reader)
        })
        .await
}

/// A draft that is about to be created, at today's price.
#[derive(Clone)]
pub(crate) struct Registration {
    context: Context,
    new: Arc<NewApplication>,
    /// Its key, made before the transaction: a master key may be on a token that takes its time.
    sealed: Arc<SealedData>,
    actor: Actor,
    now: Timestamp,
}

impl Registration {
    /// Of somebody who has stated this.
    ///
    /// # Errors
    /// 503 while the token with the master key is away.
    pub(crate) fn of(
        context: &Context,
        new: NewApplication,
        actor: Actor,
        reader: &Reader,
    ) -> Result<Self, Problem> {
        let sealed = context.vault.new_key(new.id, new.subject.person().document.as_ref())?;
        let (new, sealed) = (Arc::new(new), Arc::new(sealed));
        Ok(Self { context: context.clone(), new, sealed, actor, now: reader.now })
    }

    /// The same, off the event loop.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub(crate) async fn prepare(
        context: &Context,
        new: NewApplication,
        actor: Actor,
        reader: &Reader,
    ) -> Result<Self, Problem> {
        let (context, reader) = (context.clone(), reader.clone());
        web::block(move || Self::of(&context, new, actor, &reader)).await?
    }

    /// The name it will have.
    pub(crate) fn id(&self) -> ApplicationId {
        self.new.id
    }

    /// Creates it, in the caller's transaction.
    ///
    /// # Errors
    /// 409 if the phone has as many open applications as one may have; 422 if the claimed benefit does not hold.
    pub(crate) fn make(&self, connection: &mut Connection) -> Result<(), Problem> {
        let (new, settings) = (&self.new, &self.context.settings);
        let claim = claim(new.benefit.as_deref(), new.district);
        let prices = self.context.prices(connection)?;
        let quote =
            prices.quote(new.subject.subject_type(), new.channel, claim, self.now).map_err(no_price)?;
        turns::take(connection, &format!("applications/{}", new.phone))?;
        if applications::open_of(connection, &new.phone)? >= i64::from(settings.applications.open_per_phone) {
            return Err(Problem::new(Kind::TooManyOpenApplications));
        }
        applications::create(connection, new, &self.actor.to_string(), self.now)?;
        data_keys::create(connection, new.id, &self.sealed)?;
        let payable_until = self.now.plus(settings.invoices.validity);
        invoices::write(connection, new.id, &quote, payable_until, self.now)?;
        Ok(())
    }
}

/// The benefit that was claimed for somebody of this district.
pub(crate) fn claim(benefit: Option<&str>, district: i32) -> Option<Claim<'_>> {
    benefit.map(|benefit| Claim { benefit, district: u32::try_from(district).unwrap_or_default() })
}

fn no_price(error: FeeError) -> Problem {
    match error {
        FeeError::Claim(ClaimError::Unknown) => Problem::field("/benefit", "benefit-unknown"),
        FeeError::Claim(ClaimError::NotCovered) => Problem::field("/benefit", "benefit-not-covered"),
        FeeError::BeforeTable => Problem::internal(error),
    }
}

/// 201, and where it is.
pub(crate) fn created(view: ApplicationView) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/v1/applications/{}", view.id)))
        .json(view)
}

/// Makes a decision durable and shows what became of it.
pub(crate) fn moved(
    connection: &mut Connection,
    transition: &Transition,
    reader: &Reader,
) -> Result<ApplicationView, Problem> {
    applications::apply(connection, transition)?;
    view::of(connection, transition.application, reader)
}

impl Reader {
    /// The one who asks.
    pub(crate) fn of(context: &Context, request: &HttpRequest) -> Self {
        Self { language: language(request), now: context.now(), vault: Arc::clone(&context.vault) }
    }
}

/// The application, if it is theirs and may still be changed.
fn editable(
    connection: &mut Connection,
    acting: &Acting,
    id: ApplicationId,
) -> Result<StoredApplication, Problem> {
    let stored = acting.find(connection, id)?;
    stored.application.edit()?;
    Ok(stored)
}
