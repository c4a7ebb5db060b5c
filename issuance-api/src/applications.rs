//! Applications, on the side of those who apply.

pub(crate) mod certificate;
pub(crate) mod csr;
pub(crate) mod documents;
pub(crate) mod form;
pub(crate) mod invoice;
pub(crate) mod submission;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::application::{Actor, ApplicationId, Transition};
use ca_core::fee::Channel;
use serde::Deserialize;
use store::applications::{self, Filter, NewApplication, StoredApplication};
use store::{Connection, invoices, turns};

pub(crate) use form::ApplicationForm;
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
    .configure(certificate::configure);
}

/// Which page of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
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
    let channel = stated.channel.unwrap_or(Channel::Online);
    if channel != Channel::Online {
        return Err(Problem::new(Kind::ChannelNotAuthenticated));
    }
    let reader = Reader::of(&context, &request);
    let new = stated.application(applicant.phone, channel, reader);
    let view = register(&context, new, Actor::Applicant, reader).await?;
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
            let items = in_list(connection, page.items, reader)?;
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
            whole(connection, stored, reader)
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
            moved(connection, &transition, reader)
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
/// 409 if the phone has as many open applications as one may have.
pub(crate) async fn register(
    context: &Context,
    new: NewApplication,
    actor: Actor,
    reader: Reader,
) -> Result<ApplicationView, Problem> {
    let quote =
        context.fees.quote(new.subject.subject_type(), new.channel, None, reader.now).map_err(Problem::internal)?;
    let most = i64::from(context.settings.applications.open_per_phone);
    let payable_until = reader.now.plus(context.settings.invoices.validity);
    let new = Arc::new(new);
    context
        .decide(move |connection| {
            turns::take(connection, &format!("applications/{}", new.phone))?;
            if applications::open_of(connection, &new.phone)? >= most {
                return Err(Problem::new(Kind::TooManyOpenApplications));
            }
            applications::create(connection, &new, &actor.to_string(), reader.now)?;
            invoices::write(connection, new.id, &quote, payable_until, reader.now)?;
            view::of(connection, new.id, reader)
        })
        .await
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
    reader: Reader,
) -> Result<ApplicationView, Problem> {
    applications::apply(connection, transition)?;
    view::of(connection, transition.application, reader)
}

impl Reader {
    /// The one who asks.
    pub(crate) fn of(context: &Context, request: &HttpRequest) -> Self {
        Self { language: language(request), now: context.now() }
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
