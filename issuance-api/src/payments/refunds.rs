//! What is owed back, and how officers see to it; comparisons with providers' statements.

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::Role;
use serde::{Deserialize, Serialize};
use store::reconciliations::{self, Reconciliation};
use store::refunds::{self, Execution, Owed, Way};

use super::counter::{Explanation, InvoiceName, text};
use crate::auth::{SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::{self, List};
use crate::problem::{Document, Kind, Problem, only};

/// How it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RefundWay {
    /// By the provider that took it: CLICK is called; at Payme and the others somebody cancels the payment there, and the
    /// provider calls us.
    Provider,
    /// From the cash desk.
    Cash,
    /// From the account.
    BankTransfer,
}

impl From<RefundWay> for Way {
    fn from(way: RefundWay) -> Self {
        match way {
            RefundWay::Provider => Self::Provider,
            RefundWay::Cash => Self::Cash,
            RefundWay::BankTransfer => Self::BankTransfer,
        }
    }
}

/// What an officer does about a refund.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundExecution {
    way: RefundWay,
    /// For the audit log.
    reason: String,
    /// Of cash or a transfer.
    receipt_number: Option<String>,
}

/// A refund, as officers see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Refund)]
pub(crate) struct RefundView {
    id: String,
    /// The application's id.
    application: String,
    invoice: InvoiceName,
    /// Who took the money: a provider's name, `cash` or `bank-transfer`.
    provider: String,
    /// The provider's name of the payment.
    transaction: String,
    /// In tiyin.
    amount_tiyin: i64,
    /// `due`, `executing` while it is in a provider's hands, or `done`.
    state: String,
    /// What became of the application, `rejected`, `withdrawn` or `expired`; or `cancelled` by the provider.
    cause: String,
    /// `provider`, `cash` or `bank-transfer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executed_by: Option<String>,
    /// Why the provider has not returned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    done_at: Option<Timestamp>,
}

impl From<Owed> for RefundView {
    fn from(owed: Owed) -> Self {
        let Owed { refund, payment, number } = owed;
        Self {
            id: refund.id,
            application: refund.application_id,
            invoice: InvoiceName { id: refund.invoice_id, number },
            provider: payment.provider,
            transaction: payment.provider_transaction,
            amount_tiyin: refund.amount_tiyin,
            state: refund.state,
            cause: refund.cause,
            way: refund.way,
            reason: refund.reason,
            receipt_number: refund.receipt_number,
            executed_by: refund.executed_by,
            last_error: refund.last_error,
            due_at: Timestamp::from_unix_millis(refund.due_at),
            done_at: refund.done_at.map(Timestamp::from_unix_millis),
        }
    }
}

/// Which refunds.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RefundsQuery {
    /// `due`, `executing` or `done`; every state if absent.
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

/// A comparison with a provider's statement.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Reconciliation)]
pub(crate) struct ReconciliationView {
    id: i64,
    provider: String,
    /// The first day in Tashkent.
    #[schema(format = Date)]
    from: String,
    /// The last day, included.
    #[schema(format = Date)]
    to: String,
    /// Transactions of ours.
    ours: i64,
    /// Transactions of the statement.
    theirs: i64,
    /// Each with `transaction`, `kind` (`missing-here`, `missing-there`, `amount`, `state`), `ours` and `theirs`.
    #[schema(value_type = Vec<Object>)]
    differences: serde_json::Value,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<(i64, Reconciliation)> for ReconciliationView {
    fn from((id, found): (i64, Reconciliation)) -> Self {
        let Reconciliation { provider, first_day, last_day, ours, theirs, differences, at } = found;
        Self { id, provider, from: first_day, to: last_day, ours, theirs, differences, at }
    }
}

/// Which comparisons.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReconciliationsQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

const READERS: [Role; 3] = [Role::Registrar, Role::Admin, Role::Auditor];

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/officer/refunds").route(web::get().to(list)).default_service(only("GET")))
        .service(
            web::resource("/v1/officer/refunds/{id}/execution")
                .route(web::post().to(execute))
                .default_service(only("POST")),
        )
        .service(
            web::resource("/v1/officer/refunds/{id}/abandonment")
                .route(web::post().to(abandon))
                .default_service(only("POST")),
        )
        .service(
            web::resource("/v1/officer/reconciliations")
                .route(web::get().to(reconciled))
                .default_service(only("GET")),
        );
}

/// Refunds, those that are due longest first
#[utoipa::path(get, path = "/api/v1/officer/refunds", tag = "officers", operation_id = "refunds",
    security(("officer" = [])), params(RefundsQuery),
    responses(
        (status = 200, description = "a page", body = List<RefundView>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<RefundsQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let limit = list::limit(query.limit.as_deref())?;
    let after = list::after_moment(query.after.as_deref())?;
    let state = query.into_inner().state;
    if state.as_deref().is_some_and(|state| !["due", "executing", "done"].contains(&state)) {
        return Err(Problem::field("/state", "not-a-choice"));
    }
    let page = context.read(move |c| Ok(refunds::page(c, state.as_deref(), after.clone(), limit)?)).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(RefundView::from))))
}

/// See to a refund
///
/// Cash and transfers are done with that. A provider is called, or calls us when it has returned the money. Whoever recorded
/// a payment at the counter does not return it.
#[utoipa::path(post, path = "/api/v1/officer/refunds/{id}/execution", tag = "officers", operation_id = "execute_refund",
    security(("officer" = [])), params(("id" = String, Path, description = "the refund")), request_body = RefundExecution,
    responses(
        (status = 200, description = "executing or done", body = RefundView),
        (status = 403, description = "forbidden, own-payment", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "refund-not-due, receipt-already-recorded", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn execute(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(officer, Json(asked)): Then<SignedIn, Json<RefundExecution>>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Admin])?;
    let (id, now, way) = (id.into_inner(), context.now(), Way::from(asked.way));
    let reason = text(asked.reason, "/reason", 500)?;
    let receipt_number = match (way, asked.receipt_number) {
        (Way::Provider, None) => None,
        (Way::Provider, Some(_)) => return Err(Problem::field("/receipt_number", "not-expected")),
        (_, None) => return Err(Problem::field("/receipt_number", "required")),
        (_, Some(number)) => Some(text(number, "/receipt_number", 64)?),
    };
    let shared = context.clone();
    let executed = context
        .write(move |connection| {
            let owed = refunds::owed(connection, &id)?;
            let login = officer.officer.login;
            if owed.payment.recorded_by.as_deref() == Some(&login) {
                return Err(Problem::new(Kind::OwnPayment));
            }
            // A cash desk takes nothing back by itself.
            if way == Way::Provider && owed.payment.recorded_by.is_some() {
                return Err(Problem::field("/way", "not-a-choice"));
            }
            let by_call = shared.providers.returns_by_call(&owed.payment.provider);
            let execution = Execution { login, way, reason, receipt_number, by_call };
            match refunds::execute(connection, &id, &execution, now) {
                Ok(Some(_)) => Ok(RefundView::from(refunds::owed(connection, &id)?)),
                Ok(None) => Err(Problem::new(Kind::RefundNotDue)),
                Err(store::StoreError::Conflict(_)) => Err(Problem::new(Kind::ReceiptAlreadyRecorded)),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
    Ok(HttpResponse::Ok().json(executed))
}

/// Take a refund back out of a provider's hands
///
/// The provider could not return the money: the refund is due again, and may be executed in another way. Make sure that the
/// provider has not returned it after all.
#[utoipa::path(post, path = "/api/v1/officer/refunds/{id}/abandonment", tag = "officers", operation_id = "abandon_refund",
    security(("officer" = [])), params(("id" = String, Path, description = "the refund")), request_body = Explanation,
    responses(
        (status = 200, description = "due again", body = RefundView),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "refund-not-due: it is in nobody's hands", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn abandon(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(officer, Json(why)): Then<SignedIn, Json<Explanation>>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Admin])?;
    let (id, now, reason) = (id.into_inner(), context.now(), why.stated()?);
    let due = context
        .decide(move |connection| {
            let given_back = refunds::give_back(connection, &id, &officer.actor(), &reason, now)?;
            given_back.ok_or_else(|| Problem::new(Kind::RefundNotDue))?;
            Ok(RefundView::from(refunds::owed(connection, &id)?))
        })
        .await?;
    Ok(HttpResponse::Ok().json(due))
}

/// Comparisons with providers' statements, newest first
#[utoipa::path(get, path = "/api/v1/officer/reconciliations", tag = "officers", operation_id = "reconciliations",
    security(("officer" = [])), params(ReconciliationsQuery),
    responses(
        (status = 200, description = "a page", body = List<ReconciliationView>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn reconciled(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<ReconciliationsQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let limit = list::limit(query.limit.as_deref())?;
    let before = list::after(query.after.as_deref())?.unwrap_or(i64::MAX);
    let page = context.read(move |c| Ok(reconciliations::page(c, before, limit)?)).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(ReconciliationView::from))))
}
