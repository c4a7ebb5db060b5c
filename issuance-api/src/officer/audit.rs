//! Who did what to what, and when: for the auditor.

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::Role;
use serde::{Deserialize, Serialize};
use store::audit::{self, Entry, Filter};

use crate::auth::SignedIn;
use crate::context::Context;
use crate::list::{self, List};
use crate::problem::{Document, Problem, only};

/// An audit entry. It names people by login or application, never by personal number.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryView {
    /// Grows.
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `applicant`, `officer:<login>`, `ca`, `clock`, `partner:<name>`, `provider:<name>`, `operator` or `anonymous`.
    actor: String,
    /// For example `application.approve`.
    action: String,
    /// For example `application:<id>`.
    object: String,
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

impl From<(i64, Entry)> for EntryView {
    fn from((id, entry): (i64, Entry)) -> Self {
        let Entry { at, actor, action, object, details } = entry;
        Self { id, at, actor, action, object, details }
    }
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// `next` of the page before, or the number of the last entry read.
    after: Option<String>,
    /// `oldest` first if absent, or `newest`.
    order: Option<String>,
    /// Whose entries, newest first: for example `officer:reviewer`.
    actor: Option<String>,
    /// About what, newest first: for example `application:<id>`.
    object: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/officer/audit").route(web::get().to(list)).default_service(only("GET")));
}

/// The audit entries
///
/// Oldest first, for programs that follow the log; newest first for people, who may narrow them.
#[utoipa::path(get, path = "/api/v1/officer/audit", tag = "officers", operation_id = "audit",
    security(("officer" = [])), params(AuditQuery),
    responses(
        (status = 200, description = "a page", body = List<EntryView>),
        (status = 403, description = "forbidden", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Auditor, Role::Admin])?;
    let limit = list::limit(query.limit.as_deref())?;
    let after: Option<i64> = list::after(query.after.as_deref())?;
    let AuditQuery { order, actor, object, .. } = query.into_inner();
    let filter = Filter {
        actor: actor.filter(|actor| !actor.is_empty()),
        object: object.filter(|object| !object.is_empty()),
    };
    for (pointer, said) in [("/actor", &filter.actor), ("/object", &filter.object)] {
        if said.as_ref().is_some_and(|said| said.contains(char::is_control)) {
            return Err(Problem::field(pointer, "control-characters"));
        }
    }
    let newest = match order.as_deref() {
        Some("newest") => true,
        Some("oldest") | None if filter == Filter::default() => false,
        None => true,
        Some(_) => return Err(Problem::field("/order", "not-a-choice")),
    };
    let page = context
        .read(move |connection| match newest {
            true => Ok(audit::newest(connection, &filter, after, limit)?),
            false => Ok(audit::page(connection, after.unwrap_or(0), limit)?),
        })
        .await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(EntryView::from))))
}
