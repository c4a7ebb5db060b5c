//! A reviewer decides: approve, return, reject. Two at once: one wins, the other hears whose move it is now.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{ApplicationId, Officer, Reason, Transition};
use ca_core::officer_statement::FIRST;
use config::Language;
use config::texts::text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Connection;
use store::applications::{self as stored_applications, StoredApplication};

use super::applications::{Queued, queued};
use super::statements;
use crate::applications::{Reader, named, to_sign};
use crate::auth::{SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::List;
use crate::problem::{Document, FieldError, Problem, only};
use crate::request::language;

/// Longest note, in characters: the applicant reads it on a phone.
const NOTE_MAX: usize = 1000;

/// An approval is a signature.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// Detached CMS (RFC 5652) over the approval statement, DER in Base64, with the officer's certificate in it.
    #[schema(value_type = String, required = true)]
    signature: Option<String>,
}

/// Why it is not approved.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalForm {
    /// From `/api/v1/officer/reasons`.
    #[schema(value_type = String, required = true)]
    reason: Option<String>,
    /// What the officer adds for the applicant; needed with the reason `other`.
    note: Option<String>,
    /// Of a rejection: detached CMS (RFC 5652) over the rejection statement, DER in Base64, with the officer's certificate in it.
    signature: Option<String>,
}

/// What a rejection would say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RejectionQuery {
    /// From `/api/v1/officer/reasons`.
    reason: Option<String>,
    /// What the officer adds for the applicant.
    note: Option<String>,
}

/// A reason an officer may give.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ReasonView {
    /// Its name.
    reason: &'static str,
    /// In the reader's language.
    text: String,
    /// In every language, by tag: what the applicant will read.
    texts: BTreeMap<&'static str, String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    let resource = |verb: &str| web::resource(format!("/v1/officer/applications/{{id}}/{verb}"));
    cfg.service(
        resource("approval-statement").route(web::get().to(approval_statement)).default_service(only("GET")),
    )
    .service(
        resource("rejection-statement")
            .route(web::get().to(rejection_statement))
            .default_service(only("GET")),
    )
    .service(resource("approval").route(web::post().to(approve)).default_service(only("POST")))
    .service(resource("rejection").route(web::post().to(reject)).default_service(only("POST")))
    .service(resource("return").route(web::post().to(send_back)).default_service(only("POST")))
    .service(web::resource("/v1/officer/reasons").route(web::get().to(reasons)).default_service(only("GET")));
}

/// What to sign to approve
///
/// The exact bytes. They hold for 15 minutes, or until another officer signs something about the application.
#[utoipa::path(get, path = "/api/v1/officer/applications/{id}/approval-statement", tag = "officers",
    operation_id = "approval_statement", security(("officer" = [])),
    params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden, own-application", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "wrong-state, already-approved, not-issuable", body = Document),
    ))]
pub(crate) async fn approval_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, now, inner) = (named(&id)?, context.now(), context.clone());
    let text = context
        .read(move |connection| {
            let stored = stored_applications::find(connection, id)?;
            stored.application.approve(&officer.officer, now)?;
            let (approvable, _) = statements::to_approve(connection, &inner, &stored, &officer.officer, now)?;
            statements::offer(connection, &approvable.approval(&officer.officer.login, now, FIRST), now)
        })
        .await?;
    Ok(to_sign(text))
}

/// Approve by a signature: the CA signs what was approved
///
/// Where the policy asks for several officers, the application stays under review until the last of them has signed.
#[utoipa::path(post, path = "/api/v1/officer/applications/{id}/approval", tag = "officers", operation_id = "approve",
    security(("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body = Approval,
    responses(
        (status = 200, description = "approved, or waiting for another officer", body = Queued),
        (status = 403, description = "forbidden, own-application, officer-not-certified", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "wrong-state, already-approved, statement-outdated, not-issuable", body = Document),
        (status = 422, description = "invalid-fields, statement-refused", body = Document),
    ))]
pub(crate) async fn approve(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(officer, Json(form)): Then<SignedIn, Json<Approval>>,
) -> Result<HttpResponse, Problem> {
    let (id, reader, inner) = (named(&id)?, Reader::of(&context, &request), context.clone());
    let view = context
        .decide(move |connection| {
            let (now, officer) = (reader.now, &officer.officer);
            let stored = stored_applications::find(connection, id)?;
            let application = &stored.application;
            let transition = application.approve(officer, now)?;
            let (approvable, given) = statements::to_approve(connection, &inner, &stored, officer, now)?;
            let said = approvable.approval(&officer.login, now, FIRST);
            statements::accept(connection, officer, form.signature.as_deref(), &said, now)?;
            let needed = inner.approval.approvals(application.subject_type(), application.channel);
            if given + 1 >= needed {
                stored_applications::apply(connection, &transition)?;
            }
            let moved = stored_applications::find(connection, id)?;
            queued(connection, moved, &inner, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// What to sign to reject
///
/// The exact bytes, for this reason and note.
#[utoipa::path(get, path = "/api/v1/officer/applications/{id}/rejection-statement", tag = "officers",
    operation_id = "rejection_statement", security(("officer" = [])),
    params(("id" = String, Path, description = "the application"), RejectionQuery),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden, own-application", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "wrong-state", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn rejection_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<String>,
    query: web::Query<RejectionQuery>,
) -> Result<HttpResponse, Problem> {
    let RejectionQuery { reason, note } = query.into_inner();
    let (reason, note) = RefusalForm { reason, note, signature: None }.check().map_err(Problem::fields)?;
    let (id, now) = (named(&id)?, context.now());
    let text = context
        .read(move |connection| {
            let stored = stored_applications::find(connection, id)?;
            stored.application.reject(&officer.officer, reason, note.clone(), now)?;
            let rejectable = statements::rejectable(connection, &stored)?;
            let login = &officer.officer.login;
            let said = rejectable.rejection(reason, note.as_deref(), login, now, FIRST);
            statements::offer(connection, &said, now)
        })
        .await?;
    Ok(to_sign(text))
}

/// Reject by a signature: the application ends
#[utoipa::path(post, path = "/api/v1/officer/applications/{id}/rejection", tag = "officers", operation_id = "reject",
    security(("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body = RefusalForm,
    responses(
        (status = 200, description = "rejected", body = Queued),
        (status = 403, description = "forbidden, own-application, officer-not-certified", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "wrong-state, statement-outdated", body = Document),
        (status = 422, description = "invalid-fields, statement-refused", body = Document),
    ))]
pub(crate) async fn reject(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(officer, Json(form)): Then<SignedIn, Json<RefusalForm>>,
) -> Result<HttpResponse, Problem> {
    let signature = form.signature.clone();
    let (reason, note) = form.check().map_err(Problem::fields)?;
    decide(&context, &request, officer, named(&id)?, move |connection, stored, officer, now| {
        let transition = stored.application.reject(officer, reason, note.clone(), now)?;
        let rejectable = statements::rejectable(connection, stored)?;
        let said = rejectable.rejection(reason, note.as_deref(), &officer.login, now, FIRST);
        statements::accept(connection, officer, signature.as_deref(), &said, now)?;
        Ok(transition)
    })
    .await
}

/// Return: the applicant mends it and submits again
#[utoipa::path(post, path = "/api/v1/officer/applications/{id}/return", tag = "officers", operation_id = "send_back",
    security(("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body = RefusalForm,
    responses(
        (status = 200, description = "a draft again", body = Queued),
        (status = 403, description = "forbidden, own-application", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "wrong-state", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn send_back(
    context: web::Data<Context>,
    request: HttpRequest,
    id: web::Path<String>,
    Then(officer, Json(form)): Then<SignedIn, Json<RefusalForm>>,
) -> Result<HttpResponse, Problem> {
    let (reason, note) = form.check().map_err(Problem::fields)?;
    decide(&context, &request, officer, named(&id)?, move |_, stored, officer, now| {
        Ok(stored.application.send_back(officer, reason, note.clone(), now)?)
    })
    .await
}

/// The reasons an officer may give
#[utoipa::path(get, path = "/api/v1/officer/reasons", tag = "officers", operation_id = "reasons",
    security(("officer" = [])),
    responses((status = 200, description = "all of them", body = List<ReasonView>)))]
pub(crate) async fn reasons(request: HttpRequest, _: SignedIn) -> Result<HttpResponse, Problem> {
    let reader = language(&request);
    let said = |language, reason: Reason| text(language, &format!("reason-{}", reason.as_str()), &[]);
    let items = Reason::ALL.map(|reason| ReasonView {
        reason: reason.as_str(),
        text: said(reader, reason),
        texts: Language::ALL.map(|language| (language.tag(), said(language, reason))).into(),
    });
    Ok(HttpResponse::Ok().json(List { items: items.into(), next: None }))
}

async fn decide(
    context: &Context,
    request: &HttpRequest,
    officer: SignedIn,
    id: ApplicationId,
    command: impl Fn(&mut Connection, &StoredApplication, &Officer, Timestamp) -> Result<Transition, Problem>
    + Clone
    + Send
    + 'static,
) -> Result<HttpResponse, Problem> {
    let (reader, inner) = (Reader::of(context, request), context.clone());
    let view = context
        .decide(move |connection| {
            let stored = stored_applications::find(connection, id)?;
            let transition = command(connection, &stored, &officer.officer, reader.now)?;
            stored_applications::apply(connection, &transition)?;
            let moved = stored_applications::find(connection, id)?;
            queued(connection, moved, &inner, &reader)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

impl RefusalForm {
    /// # Errors
    /// Every objection.
    fn check(self) -> Result<(Reason, Option<String>), Vec<FieldError>> {
        let named = self.reason.as_deref().map(str::trim).unwrap_or_default();
        let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == named);
        let note = self.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
        let mut errors = Vec::new();
        if reason.is_none() {
            let rule = if named.is_empty() { "required" } else { "reason-unknown" };
            errors.push(FieldError::new("/reason", rule));
        }
        match &note {
            Some(note) if note.chars().count() > NOTE_MAX => {
                errors.push(FieldError::new("/note", "too-long"));
            }
            None if reason == Some(Reason::Other) => errors.push(FieldError::new("/note", "note-required")),
            _ => {}
        }
        match reason {
            Some(reason) if errors.is_empty() => Ok((reason, note)),
            _ => Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reason: &str, note: &str) -> Result<(Reason, Option<String>), Vec<String>> {
        let form =
            RefusalForm { reason: Some(reason.to_owned()), note: Some(note.to_owned()), signature: None };
        form.check()
            .map_err(|errors| errors.into_iter().map(|e| format!("{} {}", e.pointer, e.text)).collect())
    }

    #[test]
    fn a_refusal_names_a_reason_of_the_list_and_other_needs_words() {
        assert_eq!(check("photo-unclear", " "), Ok((Reason::PhotoUnclear, None)));
        assert_eq!(check("other", " too dark "), Ok((Reason::Other, Some("too dark".to_owned()))));
        assert_eq!(check("other", " "), Err(vec!["/note field-note-required".to_owned()]));
        assert_eq!(check("mood", ""), Err(vec!["/reason field-reason-unknown".to_owned()]));
        let long = "ў".repeat(NOTE_MAX + 1);
        assert_eq!(
            check("", &long),
            Err(vec!["/reason field-required".to_owned(), "/note field-too-long".to_owned()])
        );
        assert!(check("other", &long[..2 * NOTE_MAX]).is_ok());
    }
}
