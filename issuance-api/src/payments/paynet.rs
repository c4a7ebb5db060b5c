//! Paynet's JSON-RPC: the payer is at a terminal or in Paynet's application, and Paynet tells us when the money is there.

use ca_core::Timestamp;
use ca_core::calendar::{TASHKENT, parse_tashkent_time, tashkent_time};
use ca_core::payment::{Effect, HOLD, Objection, PaymentState};
use config::Language;
use config::settings::Networks;
use serde_json::{Map, Value, json};
use store::payments::{self, Announced, Payment};
use store::refunds::RETURNED;
use store::{Connection, StoreError, invoices};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::basic::Credentials;
use super::json_rpc::{self, NO_METHOD, Request};
use super::{Call, Desk, PaymentProvider, Reply, failed, som};
use crate::problem::Problem;
use crate::sms::{AccountError, password};

/// The provider's name.
pub(crate) const NAME: &str = "paynet";
/// The longest statement.
const STATEMENT_MAX: i64 = 100_000;

/// Paynet's codes that we use.
const NO_FUNDS: i64 = 77;
const UNAVAILABLE: i64 = 100;
const SYSTEM: i64 = 102;
const EXISTS: i64 = 201;
const CANCELLED: i64 = 202;
const NOT_FOUND: i64 = 203;
const NO_CLIENT: i64 = 302;
const NO_SERVICE: i64 = 305;
const MISSING: i64 = 411;
const LOGIN: i64 = 412;
const AMOUNT: i64 = 413;
const DATE: i64 = 414;

/// As Java prints a date: `Fri Jan 30 10:21:18 UZT 2026`.
const JAVA: StaticFormatDescription =
    format_description!("[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] UZT [year]");

/// Paynet, with what it shows to be Paynet.
pub(crate) struct Paynet {
    service_id: u64,
    credentials: Credentials,
    account_field: String,
    pay_url: String,
    networks: Networks,
}

/// An error as Paynet understands it: its code, and the name of the text that the payer reads.
type Refusal = (i64, &'static str);
/// What a method did, or why it did not.
type Answer = Result<Value, Refusal>;

const METHODS: [&str; 5] =
    ["GetInformation", "PerformTransaction", "CheckTransaction", "CancelTransaction", "GetStatement"];

const WRONG: Refusal = (MISSING, "payment-call-not-understood");

fn refusal(objection: Objection) -> Refusal {
    match objection {
        Objection::WrongAmount => (AMOUNT, "payment-wrong-amount"),
        Objection::UnknownInvoice => (NO_CLIENT, "payment-unknown-invoice"),
        Objection::UnknownTransaction => (NOT_FOUND, "payment-unknown-transaction"),
        Objection::OtherTransaction => (EXISTS, "payment-other-transaction"),
        Objection::TransactionCancelled => (CANCELLED, "payment-transaction-cancelled"),
        Objection::NotCancellable => (NO_FUNDS, "payment-not-cancellable"),
        Objection::Paid => (UNAVAILABLE, "payment-already-paid"),
        Objection::Expired => (UNAVAILABLE, "payment-expired"),
        Objection::Cancelled => (UNAVAILABLE, "payment-cancelled"),
        Objection::BeingPaid => (UNAVAILABLE, "payment-being-paid"),
        Objection::TimedOut => (UNAVAILABLE, "payment-timed-out"),
    }
}

impl Paynet {
    /// Paynet, if the settings switch it on.
    pub(super) fn open(settings: &config::settings::Paynet) -> Result<Option<Self>, AccountError> {
        if settings.service_id == 0 {
            return Ok(None);
        }
        let password = password(settings.password_file.as_deref(), "payments.paynet.password_file")?;
        Ok(Some(Self {
            service_id: settings.service_id,
            credentials: Credentials::new(&settings.login, password),
            account_field: settings.account_field.clone(),
            pay_url: settings.pay_url.clone(),
            networks: settings.callback_addresses.clone(),
        }))
    }

    fn follow(&self, request: &Request, now: Timestamp, desk: &Desk) -> Answer {
        let params = &request.params;
        if !METHODS.contains(&request.method.as_str()) {
            return Err((NO_METHOD, "payment-call-not-understood"));
        }
        if number(params, "serviceId").ok_or(WRONG)? != self.service_id.to_string() {
            return Err((NO_SERVICE, "payment-call-not-understood"));
        }
        let transaction = || number(params, "transactionId").ok_or(WRONG);
        let done = match request.method.as_str() {
            "GetInformation" => {
                let invoice = self.invoice(params)?;
                desk.read(|c| information(c, &self.account_field, invoice, now))
            }
            "PerformTransaction" => {
                let announced = Announced {
                    provider: NAME.to_owned(),
                    transaction: transaction()?,
                    amount_tiyin: params.get("amount").and_then(Value::as_i64).ok_or(WRONG)?,
                    at: time(params, "transactionTime")?.unwrap_or(now),
                    hold: HOLD,
                    recorded_by: None,
                    details: json!({}),
                };
                let invoice = self.invoice(params)?;
                desk.write(|c| perform(c, &self.account_field, invoice, &announced, now))
            }
            "CheckTransaction" => {
                let transaction = transaction()?;
                desk.read(|c| check(c, &transaction, now))
            }
            "CancelTransaction" => {
                let transaction = transaction()?;
                desk.write(|c| cancel(c, &transaction, now))
            }
            _ => {
                let from = time(params, "dateFrom")?.ok_or(WRONG)?;
                let to = time(params, "dateTo")?.ok_or(WRONG)?;
                desk.read(|c| statement(c, from, to))
            }
        };
        done.unwrap_or_else(|error| {
            failed(NAME, &error);
            Err((SYSTEM, "payment-system-error"))
        })
    }

    fn invoice<'a>(&self, params: &'a Map<String, Value>) -> Result<&'a str, Refusal> {
        let fields = params.get("fields").and_then(Value::as_object).ok_or(WRONG)?;
        let named = fields.get(&self.account_field).and_then(Value::as_str);
        named.filter(|text| (1..=64).contains(&text.len())).ok_or(WRONG)
    }

    fn refused(&self, id: &Value, (code, text): Refusal) -> Value {
        // A terminal shows one text, whoever stands before it.
        let message = config::texts::text(Language::Uz, text, &[]);
        json_rpc::error(id, code, &message.into(), None)
    }
}

/// A number that may be written as a text.
fn number(params: &Map<String, Value>, name: &str) -> Option<String> {
    match params.get(name)? {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => {
            ((1..=64).contains(&text.len()) && !text.contains(char::is_control)).then(|| text.clone())
        }
        _ => None,
    }
}

/// `YYYY-MM-DD HH:MM:SS` in Tashkent, if it is there.
fn time(params: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let wrong = (DATE, "payment-call-not-understood");
    match params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => parse_tashkent_time(text).map(Some).map_err(|_| wrong),
        Some(_) => Err(wrong),
    }
}

fn information(
    connection: &mut Connection,
    field: &str,
    named: &str,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let invoice = match invoices::named(connection, named) {
        Err(StoreError::NotFound) => return Ok(Err(refusal(Objection::UnknownInvoice))),
        found => found?,
    };
    let acceptable = payments::acceptable(connection, &invoice, invoice.amount_tiyin, now)?;
    Ok(acceptable.map_err(refusal).map(|()| {
        json!({
            "status": "0",
            "timestamp": tashkent_time(now),
            "fields": { field: invoice.number, "amount": som(invoice.amount_tiyin), "amount_tiyin": invoice.amount_tiyin },
        })
    }))
}

fn perform(
    connection: &mut Connection,
    field: &str,
    named: &str,
    announced: &Announced,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    // The same transaction is not followed twice, and Paynet wants to be told so.
    if let Some(known) = payments::find(connection, NAME, &announced.transaction)? {
        return Ok(Err(match known.state()? {
            PaymentState::Cancelled => refusal(Objection::TransactionCancelled),
            _ => (EXISTS, "payment-other-transaction"),
        }));
    }
    let invoice = match invoices::lock(connection, named) {
        Err(StoreError::NotFound) => return Ok(Err(refusal(Objection::UnknownInvoice))),
        found => found?,
    };
    let paid = payments::pay(connection, &invoice, announced, now)?;
    Ok(match paid {
        // The same call at the same moment was first.
        Ok((_, Effect::Already)) => Err((EXISTS, "payment-other-transaction")),
        Ok((payment, Effect::Now)) => Ok(json!({
            "timestamp": tashkent_time(now),
            "providerTrnId": payment.id,
            "fields": { field: invoice.number },
        })),
        Err(objection) => Err(refusal(objection)),
    })
}

fn check(connection: &mut Connection, transaction: &str, now: Timestamp) -> Result<Answer, StoreError> {
    let Some(payment) = payments::find(connection, NAME, transaction)? else {
        return Ok(Ok(json!({ "transactionState": 3, "timestamp": java(now), "providerTrnId": null })));
    };
    let (state, at) = match payment.state()? {
        PaymentState::Cancelled => (2, payment.cancelled_at),
        _ => (1, payment.performed_at),
    };
    let at = Timestamp::from_unix_millis(at.unwrap_or(payment.created_at));
    Ok(Ok(json!({ "transactionState": state, "timestamp": java(at), "providerTrnId": payment.id })))
}

fn java(at: Timestamp) -> String {
    at.to_offset_date_time().to_offset(TASHKENT).format(JAVA).unwrap_or_default()
}

fn cancel(connection: &mut Connection, transaction: &str, now: Timestamp) -> Result<Answer, StoreError> {
    let Some(payment) = payments::find(connection, NAME, transaction)? else {
        return Ok(Err(refusal(Objection::UnknownTransaction)));
    };
    if payment.state()? == PaymentState::Cancelled {
        return Ok(Err(refusal(Objection::TransactionCancelled)));
    }
    Ok(match payments::cancel(connection, &payment, RETURNED, now)? {
        Ok(payment) => Ok(json!({
            "providerTrnId": payment.id,
            "timestamp": tashkent_time(now),
            "transactionState": 2,
        })),
        Err(objection) => Err(refusal(objection)),
    })
}

/// What was paid and not taken back.
fn statement(connection: &mut Connection, from: Timestamp, to: Timestamp) -> Result<Answer, StoreError> {
    let stated = payments::statement(connection, NAME, from, to, STATEMENT_MAX)?;
    let standing = |payment: &Payment| payment.state == PaymentState::Performed.as_str();
    let lines: Vec<Value> = stated
        .into_iter()
        .filter(|stated| standing(&stated.payment))
        .map(|stated| {
            let payment = stated.payment;
            let transaction = payment.provider_transaction;
            json!({
                "amount": payment.amount_tiyin,
                "providerTrnId": payment.id,
                "transactionId": transaction.parse::<u64>().map_or_else(|_| transaction.into(), Value::from),
                "timestamp": tashkent_time(Timestamp::from_unix_millis(payment.provider_time)),
            })
        })
        .collect();
    Ok(Ok(json!({ "statements": lines })))
}

impl PaymentProvider for Paynet {
    fn name(&self) -> &str {
        NAME
    }

    fn networks(&self) -> &Networks {
        &self.networks
    }

    fn answer(&self, call: &Call, desk: &Desk) -> Result<Reply, Problem> {
        let request = json_rpc::read(&call.body);
        if !self.credentials.shown_in(call.authorization.as_deref()) {
            let id = match &request {
                Ok(request) => &request.id,
                Err((id, _)) => id,
            };
            let body = self.refused(id, (LOGIN, "payment-call-unauthenticated"));
            return Ok(Reply { status: 401, body });
        }
        let request = match request {
            Ok(request) => request,
            Err((id, code)) => {
                return Ok(Reply::ok(self.refused(&id, (code, "payment-call-not-understood"))));
            }
        };
        Ok(Reply::ok(match self.follow(&request, call.now, desk) {
            Ok(result) => json_rpc::result(&request.id, &result),
            Err(refusal) => self.refused(&request.id, refusal),
        }))
    }

    fn pay_link(&self, number: &str, amount_tiyin: i64) -> Option<String> {
        let filled = self.pay_url.replace("{number}", number).replace("{amount}", &som(amount_tiyin));
        (!filled.is_empty()).then_some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_java_does() {
        assert_eq!(java("2026-01-30T05:21:18Z".parse().unwrap()), "Fri Jan 30 10:21:18 UZT 2026");
    }
}
