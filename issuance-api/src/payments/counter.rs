//! Cash and bank transfers: one officer records them with the receipt's number, another confirms them.

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::Role;
use ca_core::payment::{COUNTER_HOLD, PaymentState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::payments::{self, Announced, Payment, Stated};
use store::{Connection, StoreError, invoices};

use crate::applications::named;
use crate::auth::{SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::{self, List};
use crate::problem::{Document, Kind, Problem, only};

/// How somebody pays without a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CounterWay {
    /// At the cash desk.
    Cash,
    /// To the account.
    BankTransfer,
}

impl CounterWay {
    /// The provider's name in the ledger.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::BankTransfer => "bank-transfer",
        }
    }
}

/// What an officer has taken.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CounterPayment {
    way: CounterWay,
    /// Of the cash receipt or the payment order; each is good for one payment.
    receipt_number: String,
}

/// Why an officer takes a record back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Explanation {
    /// For the audit log.
    reason: String,
}

impl Explanation {
    /// The reason, if there is one.
    ///
    /// # Errors
    /// 422.
    pub(crate) fn stated(self) -> Result<String, Problem> {
        text(self.reason, "/reason", 500)
    }
}

/// A text that says something and does not go on for ever.
pub(crate) fn text(text: String, pointer: &str, most: usize) -> Result<String, Problem> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Problem::field(pointer, "required"));
    }
    if trimmed.chars().count() > most || trimmed.chars().any(char::is_control) {
        return Err(Problem::field(pointer, "too-long"));
    }
    Ok(trimmed.to_owned())
}

/// The invoice of something.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct InvoiceName {
    pub(crate) id: String,
    pub(crate) number: String,
}

/// Cash or a transfer, as officers see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CounterPaymentView)]
pub(crate) struct PaymentView {
    id: i64,
    /// `cash` or `bank-transfer`.
    way: String,
    receipt_number: String,
    /// `created` until another officer confirms it, then `performed`; or `cancelled`.
    state: String,
    /// In tiyin.
    amount_tiyin: i64,
    /// The application's id.
    application: String,
    invoice: InvoiceName,
    recorded_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<Timestamp>,
}

impl From<Stated> for PaymentView {
    fn from(stated: Stated) -> Self {
        let payment = stated.payment;
        Self {
            id: payment.id,
            way: payment.provider,
            receipt_number: payment.provider_transaction,
            state: payment.state,
            amount_tiyin: payment.amount_tiyin,
            application: stated.application,
            invoice: InvoiceName { id: payment.invoice_id, number: stated.number },
            recorded_by: payment.recorded_by,
            recorded_at: Timestamp::from_unix_millis(payment.created_at),
            confirmed_by: payment.confirmed_by,
            confirmed_at: payment.performed_at.map(Timestamp::from_unix_millis),
        }
    }
}

fn view(connection: &mut Connection, payment: Payment) -> Result<PaymentView, StoreError> {
    let invoice = invoices::find(connection, &payment.invoice_id)?;
    Ok(Stated { payment, number: invoice.number, application: invoice.application_id }.into())
}

/// Which payments.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PaymentsQuery {
    /// `created`, `performed` or `cancelled`; every state if absent.
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/applications/{id}/payment")
            .route(web::post().to(record))
            .default_service(only("POST")),
    )
    .service(web::resource("/v1/officer/payments").route(web::get().to(list)).default_service(only("GET")))
    .service(
        web::resource("/v1/officer/payments/{id}/confirmation")
            .route(web::post().to(confirm))
            .default_service(only("POST")),
    )
    .service(
        web::resource("/v1/officer/payments/{id}/cancellation")
            .route(web::post().to(cancel))
            .default_service(only("POST")),
    );
}

/// Record cash or a bank transfer
///
/// The application's open invoice is kept from other payments for a week. Another officer confirms that the money is there.
#[utoipa::path(post, path = "/api/v1/officer/applications/{id}/payment", tag = "officers", operation_id = "record_payment",
    security(("officer" = [])), params(("id" = String, Path, description = "the application")), request_body = CounterPayment,
    responses(
        (status = 201, description = "recorded", body = PaymentView),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "invoice-not-payable, receipt-already-recorded", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn record(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(officer, Json(taken)): Then<SignedIn, Json<CounterPayment>>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Admin])?;
    let (application, now) = (named(&id)?, context.now());
    let receipt = text(taken.receipt_number, "/receipt_number", 64)?;
    let recorded = context
        .decide(move |connection| {
            let invoice = invoices::newest(connection, application)?;
            let invoice = invoice.ok_or_else(|| Problem::new(Kind::NotFound))?;
            let way = taken.way.as_str();
            if payments::find(connection, way, &receipt)?.is_some() {
                return Err(Problem::new(Kind::ReceiptAlreadyRecorded));
            }
            let announced = Announced {
                provider: way.to_owned(),
                transaction: receipt.clone(),
                amount_tiyin: invoice.amount_tiyin,
                at: now,
                hold: COUNTER_HOLD,
                recorded_by: Some(officer.officer.login.clone()),
                details: json!({}),
            };
            let invoice = invoices::lock(connection, &invoice.id)?;
            let payment = payments::create(connection, &invoice, &announced, now)??;
            Ok(view(connection, payment)?)
        })
        .await?;
    Ok(HttpResponse::Created().json(recorded))
}

/// Cash and bank transfers, oldest first
#[utoipa::path(get, path = "/api/v1/officer/payments", tag = "officers", operation_id = "counter_payments",
    security(("officer" = [])), params(PaymentsQuery),
    responses(
        (status = 200, description = "a page", body = List<PaymentView>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<PaymentsQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Reviewer, Role::Admin, Role::Auditor])?;
    let limit = list::limit(query.limit.as_deref())?;
    let after = list::after(query.after.as_deref())?.unwrap_or(0);
    let state = query.state.as_deref().map(str::parse::<PaymentState>).transpose();
    let state = state.map_err(|_| Problem::field("/state", "not-a-choice"))?;
    let page = context.read(move |c| Ok(payments::recorded(c, state, after, limit)?)).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(PaymentView::from))))
}

/// Confirm cash or a bank transfer
///
/// By another officer than the one who recorded it. The invoice is paid with that.
#[utoipa::path(post, path = "/api/v1/officer/payments/{id}/confirmation", tag = "officers", operation_id = "confirm_payment",
    security(("officer" = [])), params(("id" = i64, Path, description = "the payment")),
    responses(
        (status = 200, description = "confirmed, now or before", body = PaymentView),
        (status = 403, description = "forbidden, own-payment", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "payment-not-open, invoice-not-payable", body = Document),
    ))]
pub(crate) async fn confirm(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<i64>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Reviewer, Role::Admin])?;
    let (id, now, login) = (id.into_inner(), context.now(), officer.officer.login);
    let confirmed = context
        .decide(move |connection| {
            let payment = of_officers(connection, id)?;
            if payment.recorded_by.as_deref() == Some(&login) {
                return Err(Problem::new(Kind::OwnPayment));
            }
            if payment.state == PaymentState::Cancelled.as_str() {
                return Err(Problem::new(Kind::PaymentNotOpen));
            }
            // What ran out of time stays cancelled, so an objection must not undo this transaction.
            match payments::perform(connection, &payment, Some(&login), now)? {
                Ok((payment, _)) => Ok(Ok(view(connection, payment)?)),
                Err(objection) => Ok(Err(objection)),
            }
        })
        .await??;
    Ok(HttpResponse::Ok().json(confirmed))
}

/// Take back a record that nobody has confirmed
#[utoipa::path(post, path = "/api/v1/officer/payments/{id}/cancellation", tag = "officers", operation_id = "cancel_payment",
    security(("officer" = [])), params(("id" = i64, Path, description = "the payment")), request_body = Explanation,
    responses(
        (status = 200, description = "cancelled", body = PaymentView),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "payment-not-open", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn cancel(
    context: web::Data<Context>,
    id: web::Path<i64>,
    Then(officer, Json(why)): Then<SignedIn, Json<Explanation>>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Registrar, Role::Reviewer, Role::Admin])?;
    let (id, now, reason) = (id.into_inner(), context.now(), why.stated()?);
    let cancelled = context
        .decide(move |connection| {
            let payment = of_officers(connection, id)?;
            let ended =
                payments::withdraw_record(connection, &payment, &officer.officer.login, &reason, now)?;
            let ended = ended.ok_or_else(|| Problem::new(Kind::PaymentNotOpen))?;
            Ok(view(connection, ended)?)
        })
        .await?;
    Ok(HttpResponse::Ok().json(cancelled))
}

/// A payment that an officer recorded; a provider's is none of their business here.
fn of_officers(connection: &mut Connection, id: i64) -> Result<Payment, Problem> {
    let payment = payments::by_id(connection, id)?;
    if payment.recorded_by.is_none() {
        return Err(Problem::new(Kind::NotFound));
    }
    Ok(payment)
}
