//! Payme's Merchant API: JSON-RPC calls of Payme (Paycom) to the merchant, always answered with HTTP 200.

use std::collections::BTreeMap;

use actix_web::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::Timestamp;
use ca_core::payment::{HOLD, Objection, PaymentState};
use config::Language;
use config::settings::Networks;
use serde_json::{Map, Value, json};
use store::invoices::{self, Invoice};
use store::payments::{self, Announced, Payment, Stated};
use store::{Connection, StoreError};

use super::basic::Credentials;
use super::json_rpc::{self, NO_METHOD, Request};
use super::{Call, Desk, PaymentProvider, Reply, failed};
use crate::problem::Problem;
use crate::sms::{AccountError, password};

/// The provider's name.
pub(crate) const NAME: &str = "payme";
/// The user of Payme's calls.
const USER: &str = "Paycom";
/// The longest statement. Payme asks for days, not for years.
const STATEMENT_MAX: i64 = 100_000;

/// Only POST.
const NOT_POST: i64 = -32_300;
/// The parameters are not those of the method.
const WRONG_PARAMS: i64 = -32_602;
/// The caller is not Payme.
const NOT_PAYME: i64 = -32_504;
/// Ours: the database was not there. Payme asks again.
const SYSTEM: i64 = -32_400;

/// Payme, with what it shows to be Payme.
pub(crate) struct Payme {
    merchant_id: String,
    credentials: Credentials,
    account_field: String,
    checkout_url: String,
    networks: Networks,
}

/// An error as Payme understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal {
    code: i64,
    /// The name of the text that the payer reads.
    text: &'static str,
    /// It is about the account: the invoice's number.
    account: bool,
}

impl Refusal {
    const fn new(code: i64, text: &'static str) -> Self {
        Self { code, text, account: false }
    }
}

impl From<Objection> for Refusal {
    fn from(objection: Objection) -> Self {
        let account = |code, text| Self { code, text, account: true };
        match objection {
            Objection::WrongAmount => Self::new(-31_001, "payment-wrong-amount"),
            Objection::UnknownTransaction => Self::new(-31_003, "payment-unknown-transaction"),
            Objection::NotCancellable => Self::new(-31_007, "payment-not-cancellable"),
            Objection::OtherTransaction => Self::new(-31_008, "payment-other-transaction"),
            Objection::TransactionCancelled => Self::new(-31_008, "payment-transaction-cancelled"),
            Objection::TimedOut => Self::new(-31_008, "payment-timed-out"),
            Objection::UnknownInvoice => account(-31_050, "payment-unknown-invoice"),
            Objection::Paid => account(-31_051, "payment-already-paid"),
            Objection::Expired => account(-31_052, "payment-expired"),
            Objection::Cancelled => account(-31_053, "payment-cancelled"),
            Objection::BeingPaid => account(-31_054, "payment-being-paid"),
        }
    }
}

/// What a method did, or why it did not.
type Answer = Result<Value, Refusal>;

impl Payme {
    /// Payme, if the settings switch it on.
    pub(super) fn open(settings: &config::settings::Payme) -> Result<Option<Self>, AccountError> {
        if settings.merchant_id.is_empty() {
            return Ok(None);
        }
        let key = password(settings.key_file.as_deref(), "payments.payme.key_file")?;
        Ok(Some(Self {
            merchant_id: settings.merchant_id.clone(),
            credentials: Credentials::new(USER, key),
            account_field: settings.account_field.clone(),
            checkout_url: settings.checkout_url.as_str().to_owned(),
            networks: settings.callback_addresses.clone(),
        }))
    }

    fn follow(&self, request: &Request, now: Timestamp, desk: &Desk) -> Answer {
        let params = Params { given: &request.params, account_field: &self.account_field };
        let done = match request.method.as_str() {
            "CheckPerformTransaction" => {
                let (number, amount) = (params.account()?, params.amount()?);
                desk.read(|c| check_perform(c, number, amount, now))
            }
            "CreateTransaction" => {
                let (number, announced) = (params.account()?, params.announced()?);
                desk.write(|c| create(c, number, &announced, now))
            }
            "PerformTransaction" => {
                let id = params.id()?;
                desk.write(|c| perform(c, id, now))
            }
            "CancelTransaction" => {
                let (id, reason) = (params.id()?, params.reason()?);
                desk.write(|c| cancel(c, id, reason, now))
            }
            "CheckTransaction" => {
                let id = params.id()?;
                desk.read(|c| check(c, id))
            }
            "GetStatement" => {
                let (from, to) = (params.time("from")?, params.time("to")?);
                desk.read(|c| self.statement(c, from, to))
            }
            "SetFiscalData" => {
                let (id, data) = (params.id()?, params.fiscal_data()?);
                desk.write(|c| set_fiscal_data(c, id, &data))
            }
            _ => return Err(Refusal::new(NO_METHOD, "payment-call-not-understood")),
        };
        done.unwrap_or_else(|error| {
            failed(NAME, &error);
            Err(Refusal::new(SYSTEM, "payment-system-error"))
        })
    }

    fn statement(&self, c: &mut Connection, from: Timestamp, to: Timestamp) -> Result<Answer, StoreError> {
        let stated = payments::statement(c, NAME, from, to, STATEMENT_MAX)?;
        let transactions = stated.into_iter().map(|stated| self.stated(&stated));
        let transactions = transactions.collect::<Result<Vec<_>, _>>()?;
        Ok(Ok(json!({ "transactions": transactions })))
    }

    fn stated(&self, stated: &Stated) -> Result<Value, StoreError> {
        let payment = &stated.payment;
        let mut account = Map::new();
        account.insert(self.account_field.clone(), stated.number.as_str().into());
        let mut line = standing(payment)?;
        line["id"] = payment.provider_transaction.as_str().into();
        line["time"] = payment.provider_time.into();
        line["amount"] = payment.amount_tiyin.into();
        line["account"] = Value::Object(account);
        line["receivers"] = Value::Null;
        Ok(line)
    }

    fn refused(&self, id: &Value, refusal: Refusal) -> Value {
        // Texts are told in three languages, whatever they are about.
        let said = [("ru", Language::Ru), ("uz", Language::Uz), ("en", Language::En)]
            .map(|(name, language)| (name, config::texts::text(language, refusal.text, &[])));
        let message = json!(BTreeMap::from(said));
        let data = refusal.account.then_some(self.account_field.as_str());
        json_rpc::error(id, refusal.code, &message, data)
    }
}

/// The parameters of a call.
struct Params<'a> {
    given: &'a Map<String, Value>,
    account_field: &'a str,
}

impl<'a> Params<'a> {
    fn wrong() -> Refusal {
        Refusal::new(WRONG_PARAMS, "payment-call-not-understood")
    }

    fn id(&self) -> Result<&'a str, Refusal> {
        let id = self.given.get("id").and_then(Value::as_str);
        id.filter(|id| (1..=64).contains(&id.len()) && !id.contains(char::is_control)).ok_or_else(Self::wrong)
    }

    fn amount(&self) -> Result<i64, Refusal> {
        self.given.get("amount").and_then(Value::as_i64).ok_or_else(Self::wrong)
    }

    /// A time in milliseconds.
    fn time(&self, name: &str) -> Result<Timestamp, Refusal> {
        let millis = self.given.get(name).and_then(Value::as_i64);
        millis.filter(|millis| *millis >= 0).map(Timestamp::from_unix_millis).ok_or_else(Self::wrong)
    }

    /// The invoice's number. An account without the field is an account nobody has.
    fn account(&self) -> Result<&'a str, Refusal> {
        let account = self.given.get("account").and_then(Value::as_object).ok_or_else(Self::wrong)?;
        let number = account.get(self.account_field).and_then(Value::as_str);
        number.ok_or_else(|| Objection::UnknownInvoice.into())
    }

    fn reason(&self) -> Result<i32, Refusal> {
        let reason = self.given.get("reason").and_then(Value::as_i64);
        reason.and_then(|reason| i32::try_from(reason).ok()).ok_or_else(Self::wrong)
    }

    fn announced(&self) -> Result<Announced, Refusal> {
        Ok(Announced {
            provider: NAME.to_owned(),
            transaction: self.id()?.to_owned(),
            amount_tiyin: self.amount()?,
            at: self.time("time")?,
            hold: HOLD,
            recorded_by: None,
            details: json!({}),
        })
    }

    /// The cheque of the tax committee, as it is told.
    fn fiscal_data(&self) -> Result<Value, Refusal> {
        let data = self.given.get("fiscal_data").filter(|data| data.is_object()).ok_or_else(Self::wrong)?;
        let of = self.given.get("type").and_then(Value::as_str).ok_or_else(Self::wrong)?;
        Ok(json!({ "type": of, "data": data }))
    }
}

/// What was found, or the refusal that stands for nothing.
fn known(found: Result<Invoice, StoreError>) -> Result<Result<Invoice, Refusal>, StoreError> {
    match found {
        Err(StoreError::NotFound) => Ok(Err(Objection::UnknownInvoice.into())),
        found => found.map(Ok),
    }
}

fn transaction(connection: &mut Connection, id: &str) -> Result<Result<Payment, Refusal>, StoreError> {
    Ok(payments::find(connection, NAME, id)?.ok_or_else(|| Objection::UnknownTransaction.into()))
}

fn check_perform(
    connection: &mut Connection,
    number: &str,
    amount: i64,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let invoice = match known(invoices::named(connection, number))? {
        Ok(invoice) => invoice,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let acceptable = payments::acceptable(connection, &invoice, amount, now)?;
    Ok(acceptable.map(|()| json!({ "allow": true })).map_err(Refusal::from))
}

fn create(
    connection: &mut Connection,
    number: &str,
    announced: &Announced,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let invoice = match known(invoices::lock(connection, number))? {
        Ok(invoice) => invoice,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let payment = match payments::create(connection, &invoice, announced, now)? {
        Ok(payment) => payment,
        Err(objection) => return Ok(Err(objection.into())),
    };
    // The same one again: as the first time while it waits, and not at all any more afterwards.
    if payment.state()? == PaymentState::Performed {
        return Ok(Err(Refusal::new(-31_008, "payment-already-paid")));
    }
    if payment.state()? == PaymentState::Cancelled {
        return Ok(Err(Objection::TransactionCancelled.into()));
    }
    if payment.held_until <= now.unix_millis() {
        let late = payments::perform(connection, &payment, None, now)?;
        return Ok(Err(late.err().unwrap_or(Objection::TimedOut).into()));
    }
    Ok(Ok(json!({
        "create_time": payment.created_at,
        "transaction": payment.id.to_string(),
        "state": 1,
        "receivers": null,
    })))
}

fn perform(connection: &mut Connection, id: &str, now: Timestamp) -> Result<Answer, StoreError> {
    let payment = match transaction(connection, id)? {
        Ok(payment) => payment,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(match payments::perform(connection, &payment, None, now)? {
        Ok((payment, _)) => Ok(json!({
            "transaction": payment.id.to_string(),
            "perform_time": payment.performed_at.unwrap_or_default(),
            "state": 2,
        })),
        // It was created: whatever became of its invoice, the transaction cannot be performed.
        Err(objection) => Err(Refusal { code: -31_008, account: false, ..objection.into() }),
    })
}

fn cancel(connection: &mut Connection, id: &str, reason: i32, now: Timestamp) -> Result<Answer, StoreError> {
    let payment = match transaction(connection, id)? {
        Ok(payment) => payment,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(match payments::cancel(connection, &payment, reason, now)? {
        Ok(payment) => Ok(json!({
            "transaction": payment.id.to_string(),
            "cancel_time": payment.cancelled_at.unwrap_or_default(),
            "state": state(&payment)?,
        })),
        Err(objection) => Err(objection.into()),
    })
}

fn check(connection: &mut Connection, id: &str) -> Result<Answer, StoreError> {
    Ok(match transaction(connection, id)? {
        Ok(payment) => Ok(standing(&payment)?),
        Err(refusal) => Err(refusal),
    })
}

fn set_fiscal_data(connection: &mut Connection, id: &str, data: &Value) -> Result<Answer, StoreError> {
    let payment = match transaction(connection, id)? {
        Ok(payment) => payment,
        Err(refusal) => return Ok(Err(refusal)),
    };
    payments::note(connection, &payment, "fiscal", data.clone())?;
    Ok(Ok(json!({ "success": true })))
}

/// 1 created, 2 done, -1 cancelled before, -2 after it was done.
fn state(payment: &Payment) -> Result<i64, StoreError> {
    Ok(match payment.state()? {
        PaymentState::Created => 1,
        PaymentState::Performed => 2,
        PaymentState::Cancelled if payment.performed_at.is_none() => -1,
        PaymentState::Cancelled => -2,
    })
}

fn standing(payment: &Payment) -> Result<Value, StoreError> {
    Ok(json!({
        "create_time": payment.created_at,
        "perform_time": payment.performed_at.unwrap_or_default(),
        "cancel_time": payment.cancelled_at.unwrap_or_default(),
        "transaction": payment.id.to_string(),
        "state": state(payment)?,
        "reason": payment.cancel_reason,
    }))
}

impl PaymentProvider for Payme {
    fn name(&self) -> &str {
        NAME
    }

    fn networks(&self) -> &Networks {
        &self.networks
    }

    fn answer(&self, call: &Call, desk: &Desk) -> Result<Reply, Problem> {
        let refused = |id: &Value, code, text| Ok(Reply::ok(self.refused(id, Refusal::new(code, text))));
        if call.method != Method::POST {
            return refused(&Value::Null, NOT_POST, "payment-call-not-understood");
        }
        let request = json_rpc::read(&call.body);
        // Who it is comes before what they want; strangers hear nothing else.
        if !self.credentials.shown_in(call.authorization.as_deref()) {
            let id = match &request {
                Ok(request) => &request.id,
                Err((id, _)) => id,
            };
            return refused(id, NOT_PAYME, "payment-call-unauthenticated");
        }
        let request = match request {
            Ok(request) => request,
            Err((id, code)) => return refused(&id, code, "payment-call-not-understood"),
        };
        Ok(Reply::ok(match self.follow(&request, call.now, desk) {
            Ok(result) => json_rpc::result(&request.id, &result),
            Err(refusal) => self.refused(&request.id, refusal),
        }))
    }

    /// `m=…;ac.FIELD=…;a=…` in base64, after the checkout's address.
    fn pay_link(&self, number: &str, amount_tiyin: i64) -> Option<String> {
        let field = &self.account_field;
        let order = format!("m={};ac.{field}={number};a={amount_tiyin}", self.merchant_id);
        Some(format!("{}/{}", self.checkout_url, STANDARD.encode(order)))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_pay_link_holds_the_order_in_base64() {
        let payme = Payme {
            merchant_id: "5e730e8e0b852a417aa49ceb".to_owned(),
            credentials: Credentials::new(USER, SecretString::from("x")),
            account_field: "invoice".to_owned(),
            checkout_url: "https://checkout.paycom.uz".to_owned(),
            networks: Networks::default(),
        };
        let link = payme.pay_link("M-2026-0000001", 2_884_000).unwrap();
        let order = STANDARD.decode(link.strip_prefix("https://checkout.paycom.uz/").unwrap()).unwrap();
        assert_eq!(order, b"m=5e730e8e0b852a417aa49ceb;ac.invoice=M-2026-0000001;a=2884000");
    }

    #[test]
    fn every_objection_is_said_in_three_languages() {
        let texts = Objection::ALL.map(|objection| Refusal::from(objection).text);
        let own = ["payment-call-not-understood", "payment-call-unauthenticated", "payment-system-error"];
        for text in texts.into_iter().chain(own) {
            for language in [Language::Ru, Language::Uz, Language::En] {
                assert_ne!(config::texts::text_or(language, text, &[], "absent"), "absent", "{text}");
            }
        }
    }
}
