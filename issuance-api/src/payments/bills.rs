//! Bills: an invoice that a provider shows the payer in its own application or SMS.

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use serde::{Deserialize, Serialize};
use store::bills::{self, Bill};
use store::{invoices, payments};

use super::click;
use crate::applications::named;
use crate::auth::{Acting, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::List;
use crate::problem::{Document, Kind, Problem, only};

/// Who shall show it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BillRequest {
    /// `click`.
    provider: String,
}

/// A bill.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Bill)]
pub(crate) struct BillView {
    id: String,
    /// Who shows it.
    provider: String,
    /// `queued`, `sent`, `paid`, `cancelled` or `failed`. Whether the invoice is paid is told by the invoice.
    state: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Bill> for BillView {
    fn from(bill: Bill) -> Self {
        Self {
            id: bill.id,
            provider: bill.provider,
            state: bill.state,
            created_at: Timestamp::from_unix_millis(bill.created_at),
            updated_at: Timestamp::from_unix_millis(bill.updated_at),
        }
    }
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/invoice/bills")
            .route(web::get().to(list))
            .route(web::post().to(request))
            .default_service(only("GET, POST")),
    );
}

/// Have a provider send the invoice to the applicant's phone
///
/// To the phone that the application belongs to.
#[utoipa::path(post, path = "/api/v1/applications/{id}/invoice/bills", tag = "applications", operation_id = "request_bill",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    request_body = BillRequest,
    responses(
        (status = 202, description = "on its way", body = BillView),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "conflict: one is under way; invoice-not-payable", body = Document),
        (status = 422, description = "invalid-fields: no such provider", body = Document),
    ))]
pub(crate) async fn request(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(acting, Json(asked)): Then<Acting, Json<BillRequest>>,
) -> Result<HttpResponse, Problem> {
    let (id, now) = (named(&id)?, context.now());
    if asked.provider != click::NAME || context.providers.merchant.is_none() {
        return Err(Problem::field("/provider", "not-a-choice"));
    }
    let bill = context
        .write(move |connection| {
            acting.find(connection, id)?;
            let invoice = invoices::newest(connection, id)?.ok_or_else(|| Problem::new(Kind::NotFound))?;
            payments::acceptable(connection, &invoice, invoice.amount_tiyin, now)??;
            Ok(BillView::from(bills::request(connection, &invoice.id, click::NAME, now)?))
        })
        .await?;
    Ok(HttpResponse::Accepted().json(bill))
}

/// Bills of the newest invoice, oldest first
#[utoipa::path(get, path = "/api/v1/applications/{id}/invoice/bills", tag = "applications", operation_id = "bills",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "all of them", body = List<BillView>),
        (status = 404, description = "not-found", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let items = context
        .read(move |connection| {
            acting.find(connection, id)?;
            let invoice = invoices::newest(connection, id)?.ok_or_else(|| Problem::new(Kind::NotFound))?;
            Ok(bills::of_invoice(connection, &invoice.id)?)
        })
        .await?;
    let items: Vec<BillView> = items.into_iter().map(BillView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next: None }))
}
