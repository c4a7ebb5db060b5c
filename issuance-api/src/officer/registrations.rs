//! A registrar, or in a small centre a reviewer, registers somebody who stands at the counter.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::application::{Actor, Role};
use ca_core::fee::Channel;

use crate::applications::{ApplicationForm, ApplicationView, Reader, created, register};
use crate::auth::{SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::problem::{Document, Problem};

/// Register a walk-in applicant
///
/// The body is an applicant's, with the applicant's phone and, if the right to it was checked, a benefit. The registrar then hands in request and documents and submits
/// under `/api/v1/applications/{id}`; another officer decides.
#[utoipa::path(post, path = "/api/v1/officer/applications", tag = "officers", operation_id = "register_walk_in",
    security(("officer" = [])), request_body = ApplicationForm,
    responses(
        (status = 201, description = "a draft", body = ApplicationView),
        (status = 403, description = "forbidden", body = Document),
        (status = 409, description = "too-many-open-applications", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn register_walk_in(
    context: web::Data<Context>,
    request: HttpRequest,
    Then(officer, Json(form)): Then<SignedIn, Json<ApplicationForm>>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Reviewer])?;
    let reader = Reader::of(&context, &request);
    let mut stated = form.check(&context.regions, reader.now).map_err(Problem::fields)?;
    if stated.channel.is_some_and(|channel| channel != Channel::ServiceCenter) {
        return Err(Problem::field("/channel", "not-a-choice"));
    }
    let phone = stated.phone.take().ok_or_else(|| Problem::field("/phone", "required"))?;
    let mut new = stated.application(phone.as_e164().to_owned(), Channel::ServiceCenter, &reader);
    new.registered_by = Some(officer.officer.login.clone());
    let view = register(&context, new, Actor::Officer(officer.officer.login), &reader).await?;
    Ok(created(view))
}
