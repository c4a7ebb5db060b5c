//! Messages to applicants: what became of them, and sending again what did not arrive.

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{ApplicationId, Role};
use serde::{Deserialize, Serialize};
use store::applications::{self, StoredApplication};
use store::deliveries::{self, Channel, Delivery, State};
use store::{Connection, StoreError};

use crate::auth::SignedIn;
use crate::context::Context;
use crate::list::{self, List};
use crate::problem::{Document, Problem, only};

/// A message to an applicant, without what it says.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageView {
    /// Grows.
    id: i64,
    /// `sms` or `mail`.
    channel: &'static str,
    /// The text's name.
    template: String,
    /// The tag of its language.
    language: String,
    /// `queued`, `sent`, `delivered`, `undelivered` or `failed`.
    state: &'static str,
    /// The application it is about; absent for a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    application: Option<ApplicationId>,
    /// The phone or mail address, most of it hidden; absent for a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The gateway it was last handed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    /// How often it was handed to a gateway.
    attempts: i32,
    /// How often an officer had it sent again.
    resends: i32,
    /// Messages it is paid as; SMS only.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<i32>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

/// Which messages.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesQuery {
    /// `queued`, `sent`, `delivered`, `undelivered`, `failed`, or `dead` for the last; every state if absent.
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/messages").route(web::get().to(list)).default_service(only("GET")),
    )
    .service(
        web::resource("/v1/officer/messages/{id}/resend")
            .route(web::post().to(resend))
            .default_service(only("POST")),
    );
}

/// Messages to applicants, oldest first
#[utoipa::path(get, path = "/api/v1/officer/messages", tag = "officers", operation_id = "messages",
    security(("officer" = [])), params(MessagesQuery),
    responses(
        (status = 200, description = "a page", body = List<MessageView>),
        (status = 403, description = "forbidden", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<MessagesQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Reviewer, Role::Admin, Role::Auditor])?;
    let limit = list::limit(query.limit.as_deref())?;
    let after = list::after(query.after.as_deref())?.unwrap_or(0);
    let state = query.state.as_deref().map(state).transpose()?;
    let page = context
        .read(move |connection| {
            let page = deliveries::page(connection, state, after, limit)?;
            let theirs = addressees(connection, &page.items)?;
            Ok(page.map(|delivery| view(delivery, &theirs)))
        })
        .await?;
    Ok(HttpResponse::Ok().json(List::from(page)))
}

/// Send a message again
///
/// One that was given up or did not arrive. It is a new message to every gateway. Codes are asked for anew instead.
#[utoipa::path(post, path = "/api/v1/officer/messages/{id}/resend", tag = "officers", operation_id = "resend_message",
    security(("officer" = [])), params(("id" = i64, Path, description = "the message")),
    responses(
        (status = 200, description = "on its way again", body = MessageView),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "conflict: it is under way or has arrived, or it is a code", body = Document),
    ))]
pub(crate) async fn resend(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<i64>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Reviewer, Role::Admin])?;
    let (id, now) = (id.into_inner(), context.now());
    let sent_again = context
        .write(move |connection| {
            deliveries::resend(connection, id, &officer.actor(), now)?;
            let delivery = deliveries::find(connection, id)?;
            let theirs = addressees(connection, std::slice::from_ref(&delivery))?;
            Ok(view(delivery, &theirs))
        })
        .await?;
    Ok(HttpResponse::Ok().json(sent_again))
}

fn state(name: &str) -> Result<State, Problem> {
    let name = if name == "dead" { State::Failed.as_str() } else { name };
    let known = State::ALL.into_iter().find(|state| state.as_str() == name);
    known.ok_or_else(|| Problem::field("/state", "not-a-choice"))
}

fn addressees(connection: &mut Connection, of: &[Delivery]) -> Result<Vec<StoredApplication>, StoreError> {
    let ids: Vec<ApplicationId> = of.iter().filter_map(|delivery| delivery.application).collect();
    applications::find_many(connection, &ids)
}

fn view(delivery: Delivery, theirs: &[StoredApplication]) -> MessageView {
    let application = theirs.iter().find(|stored| Some(stored.application.id) == delivery.application);
    let to = application.and_then(|stored| match delivery.channel {
        Channel::Sms => Some(masked_phone(&stored.phone)),
        Channel::Mail => stored.email.as_deref().map(masked_address),
    });
    MessageView {
        id: delivery.id,
        channel: delivery.channel.as_str(),
        template: delivery.template,
        language: delivery.language,
        state: delivery.state.as_str(),
        application: delivery.application,
        to,
        gateway: delivery.gateway,
        attempts: delivery.attempts,
        resends: delivery.resends,
        segments: delivery.segments,
        last_error: delivery.last_error,
        created_at: delivery.created_at,
        updated_at: delivery.updated_at,
        sent_at: delivery.sent_at,
    }
}

/// Country, operator and the last two digits.
fn masked_phone(phone: &str) -> String {
    let hidden = |index| index >= 6 && index + 2 < phone.len();
    phone.chars().enumerate().map(|(index, digit)| if hidden(index) { '*' } else { digit }).collect()
}

/// The first letter and the domain.
fn masked_address(address: &str) -> String {
    match (address.chars().next(), address.rsplit_once('@')) {
        (Some(first), Some((_, domain))) => format!("{first}***@{domain}"),
        _ => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_an_address_is_hidden() {
        assert_eq!(masked_phone("+998901234567"), "+99890*****67");
        assert_eq!(masked_address("namuna@example.uz"), "n***@example.uz");
        assert_eq!(masked_address("ғ@example.uz"), "ғ***@example.uz");
        assert_eq!(masked_address(""), "***");
    }

    #[test]
    fn dead_is_another_word_for_failed() {
        assert_eq!(state("dead"), Ok(State::Failed));
        assert_eq!(state("sent"), Ok(State::Sent));
        assert!(state("lost").is_err());
    }
}
