//! CLICK's SHOP-API: Prepare and Complete, each a form that CLICK signs with MD5 (docs.click.uz, `click-api-request`).
//!
//! MD5 is theirs; the secret is hashed between other fields, and whoever cannot make collisions of our choosing under an
//! unknown secret gains nothing by MD5's weakness. The settings can limit the calls to CLICK's addresses as well.

pub(crate) mod merchant;

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use ca_core::Timestamp;
use ca_core::calendar::parse_tashkent_time;
use ca_core::payment::{Effect, HOLD, Objection, PaymentState};
use config::settings::Networks;
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use store::payments::{self, Announced, Payment};
use store::{Connection, StoreError, invoices};

use super::{Call, Desk, PaymentProvider, Reply, failed, som, tiyin};
use crate::problem::Problem;
use crate::sms::{AccountError, password};

/// The provider's name.
pub(crate) const NAME: &str = "click";
/// Payme's reason for "cancelled before it was performed", which we use for CLICK's as well.
const CANCELLED_BY_CLICK: i32 = 3;

/// CLICK, with the secret it signs its calls with.
pub(crate) struct Click {
    service_id: u64,
    merchant_id: u64,
    secret: SecretString,
    pay_url: String,
    networks: Networks,
}

/// What CLICK is answered (docs.click.uz, `click-api-error`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done.
    Success,
    /// The signature, or the service, is not ours.
    SignCheckFailed,
    /// Not the invoice's amount.
    IncorrectAmount,
    /// Neither Prepare nor Complete.
    ActionNotFound,
    /// By this or by another transaction.
    AlreadyPaid,
    /// There is no such invoice.
    UserDoesNotExist,
    /// It was never prepared.
    TransactionDoesNotExist,
    /// Ours: the database was not there. CLICK asks again.
    FailedToUpdate,
    /// A field is missing or cannot be read.
    ErrorInRequest,
    /// By CLICK, by time, or with the invoice.
    TransactionCancelled,
}

impl Code {
    /// Every code, with its number and CLICK's own words.
    pub(crate) const ALL: [(Self, i64, &'static str); 10] = [
        (Self::Success, 0, "Success"),
        (Self::SignCheckFailed, -1, "SIGN CHECK FAILED!"),
        (Self::IncorrectAmount, -2, "Incorrect parameter amount"),
        (Self::ActionNotFound, -3, "Action not found"),
        (Self::AlreadyPaid, -4, "Already paid"),
        (Self::UserDoesNotExist, -5, "User does not exist"),
        (Self::TransactionDoesNotExist, -6, "Transaction does not exist"),
        (Self::FailedToUpdate, -7, "Failed to update user"),
        (Self::ErrorInRequest, -8, "Error in request from click"),
        (Self::TransactionCancelled, -9, "Transaction cancelled"),
    ];

    fn said(self) -> (i64, &'static str) {
        Self::ALL
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or((-8, "Error in request from click"), |(_, number, note)| (*number, *note))
    }
}

impl From<Objection> for Code {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::WrongAmount => Self::IncorrectAmount,
            Objection::Paid => Self::AlreadyPaid,
            Objection::UnknownInvoice => Self::UserDoesNotExist,
            Objection::UnknownTransaction | Objection::OtherTransaction => Self::TransactionDoesNotExist,
            Objection::Expired
            | Objection::Cancelled
            | Objection::BeingPaid
            | Objection::TransactionCancelled
            | Objection::TimedOut
            | Objection::NotCancellable => Self::TransactionCancelled,
        }
    }
}

/// The form, as it was received: what is signed is the text, not what it means.
struct Form(HashMap<String, String>);

/// A form whose fields can be read.
struct Order {
    click_trans_id: u64,
    click_paydoc_id: String,
    merchant_trans_id: String,
    merchant_prepare_id: Option<i64>,
    amount_tiyin: i64,
    at: Timestamp,
    /// Below zero in a Complete: the payer had no money, or gave up.
    error: i64,
}

impl Form {
    fn read(body: &[u8]) -> Option<Self> {
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            // Which of two would be signed?
            if fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty() && text.len() <= 255)
    }

    fn order(&self, completes: bool) -> Option<Order> {
        let number = |name| self.text(name)?.parse::<u64>().ok();
        let merchant_prepare_id = match completes {
            true => Some(self.text("merchant_prepare_id")?.parse().ok()?),
            false => None,
        };
        number("service_id")?;
        number("click_paydoc_id")?;
        Some(Order {
            click_trans_id: number("click_trans_id")?,
            click_paydoc_id: self.text("click_paydoc_id")?.to_owned(),
            merchant_trans_id: self.text("merchant_trans_id")?.to_owned(),
            merchant_prepare_id,
            amount_tiyin: tiyin(self.text("amount")?)?,
            at: parse_tashkent_time(self.text("sign_time")?).ok()?,
            error: self.text("error")?.parse().ok()?,
        })
    }
}

/// What is known after a step: our number of the transaction.
type Step = Result<i64, Code>;

impl Click {
    /// CLICK, if the settings switch it on.
    pub(super) fn open(settings: &config::settings::Click) -> Result<Option<Self>, AccountError> {
        if settings.service_id == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            service_id: settings.service_id,
            merchant_id: settings.merchant_id,
            secret: password(settings.secret_file.as_deref(), "payments.click.secret_file")?,
            pay_url: settings.pay_url.clone(),
            networks: settings.callback_addresses.clone(),
        }))
    }

    /// `md5(click_trans_id + service_id + SECRET_KEY + merchant_trans_id + [merchant_prepare_id] + amount + action +
    /// sign_time)` over the texts as received.
    fn is_genuine(&self, form: &Form, completes: bool) -> bool {
        let field = |name| form.text(name).unwrap_or_default();
        let mut hash = Md5::new();
        hash.update(field("click_trans_id"));
        hash.update(field("service_id"));
        hash.update(self.secret.expose_secret());
        hash.update(field("merchant_trans_id"));
        if completes {
            hash.update(field("merchant_prepare_id"));
        }
        hash.update(field("amount"));
        hash.update(field("action"));
        hash.update(field("sign_time"));
        let expected = hex::encode(hash.finalize());
        let shown = field("sign_string").to_ascii_lowercase();
        verify_slices_are_equal(expected.as_bytes(), shown.as_bytes()).is_ok()
            && field("service_id") == self.service_id.to_string()
    }

    /// Reads a call and follows it.
    fn follow(&self, form: &Form, step: &str, now: Timestamp, desk: &Desk) -> Step {
        let completes = step == "complete";
        let order = form.order(completes).ok_or(Code::ErrorInRequest)?;
        if form.text("sign_string").is_none() || form.text("action").is_none() {
            return Err(Code::ErrorInRequest);
        }
        if !self.is_genuine(form, completes) {
            return Err(Code::SignCheckFailed);
        }
        if !matches!((step, form.text("action")), ("prepare", Some("0")) | ("complete", Some("1"))) {
            return Err(Code::ActionNotFound);
        }
        let done = if completes {
            desk.write(|connection| complete(connection, &order, now))
        } else {
            desk.write(|connection| prepare(connection, &order, now))
        };
        done.unwrap_or_else(|error| {
            failed(NAME, &error);
            Err(Code::FailedToUpdate)
        })
    }
}

fn known(connection: &mut Connection, order: &Order) -> Result<Option<Payment>, StoreError> {
    payments::find(connection, NAME, &order.click_trans_id.to_string())
}

/// Prepare: the transaction begins. The same one again is answered as the first time, while it lives.
fn prepare(connection: &mut Connection, order: &Order, now: Timestamp) -> Result<Step, StoreError> {
    let invoice = match invoices::lock(connection, &order.merchant_trans_id) {
        Err(StoreError::NotFound) => return Ok(Err(Code::UserDoesNotExist)),
        found => found?,
    };
    let announced = Announced {
        provider: NAME.to_owned(),
        transaction: order.click_trans_id.to_string(),
        amount_tiyin: order.amount_tiyin,
        at: order.at,
        hold: HOLD,
        recorded_by: None,
        details: json!({ "click_paydoc_id": order.click_paydoc_id }),
    };
    let payment = match payments::create(connection, &invoice, &announced, now)? {
        Ok(payment) => payment,
        // The transaction is there, over another amount or for another invoice.
        Err(Objection::OtherTransaction) if order.amount_tiyin != invoice.amount_tiyin => {
            return Ok(Err(Code::IncorrectAmount));
        }
        Err(objection) => return Ok(Err(objection.into())),
    };
    Ok(match payment.state()? {
        PaymentState::Created => Ok(payment.id),
        PaymentState::Performed => Err(Code::AlreadyPaid),
        PaymentState::Cancelled => Err(Code::TransactionCancelled),
    })
}

/// Complete: the money has moved, or CLICK says why it has not.
fn complete(connection: &mut Connection, order: &Order, now: Timestamp) -> Result<Step, StoreError> {
    let Some(payment) = known(connection, order)? else {
        return Ok(Err(match invoices::named(connection, &order.merchant_trans_id) {
            Err(StoreError::NotFound) => Code::UserDoesNotExist,
            found => found.map(|_| Code::TransactionDoesNotExist)?,
        }));
    };
    let invoice = invoices::find(connection, &payment.invoice_id)?;
    let named = [&invoice.id, &invoice.number].contains(&&order.merchant_trans_id);
    if !named || order.merchant_prepare_id != Some(payment.id) {
        return Ok(Err(Code::TransactionDoesNotExist));
    }
    if order.amount_tiyin != payment.amount_tiyin {
        return Ok(Err(Code::IncorrectAmount));
    }
    if payment.state()? == PaymentState::Performed {
        return Ok(Err(Code::AlreadyPaid));
    }
    if order.error < 0 {
        return Ok(match payments::cancel(connection, &payment, CANCELLED_BY_CLICK, now)? {
            // Another call has performed it meanwhile.
            Err(_) => Err(Code::AlreadyPaid),
            Ok(_) => Err(Code::TransactionCancelled),
        });
    }
    Ok(match payments::perform(connection, &payment, None, now)? {
        Ok((payment, Effect::Now)) => Ok(payment.id),
        // The same call at the same moment was first.
        Ok((_, Effect::Already)) => Err(Code::AlreadyPaid),
        Err(objection) => Err(objection.into()),
    })
}

/// The number as CLICK sent it, to be repeated; 0 for what is no number.
fn repeated(form: &Form, name: &str) -> u64 {
    form.text(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl PaymentProvider for Click {
    fn name(&self) -> &str {
        NAME
    }

    fn networks(&self) -> &Networks {
        &self.networks
    }

    fn answer(&self, call: &Call, desk: &Desk) -> Result<Reply, Problem> {
        let form = Form::read(&call.body);
        let done = form
            .as_ref()
            .ok_or(Code::ErrorInRequest)
            .and_then(|form| self.follow(form, &call.step, call.now, desk));
        let (error, note) = done.err().unwrap_or(Code::Success).said();
        let form = form.unwrap_or(Form(HashMap::new()));
        let mut body = json!({
            "click_trans_id": repeated(&form, "click_trans_id"),
            "merchant_trans_id": form.text("merchant_trans_id").unwrap_or_default(),
            "error": error,
            "error_note": note,
        });
        let ours = if call.step == "complete" { "merchant_confirm_id" } else { "merchant_prepare_id" };
        body[ours] = done.map_or(Value::Null, Value::from);
        Ok(Reply::ok(body))
    }

    fn pay_link(&self, number: &str, amount_tiyin: i64) -> Option<String> {
        let filled = self
            .pay_url
            .replace("{service_id}", &self.service_id.to_string())
            .replace("{merchant_id}", &self.merchant_id.to_string())
            .replace("{amount}", &som(amount_tiyin))
            .replace("{number}", number);
        (!filled.is_empty()).then_some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn click() -> Click {
        Click {
            service_id: 12345,
            merchant_id: 6789,
            secret: SecretString::from("SECRET"),
            pay_url: "https://my.click.uz/?s={service_id}&m={merchant_id}&a={amount}&t={number}".to_owned(),
            networks: Networks::default(),
        }
    }

    const PREPARE: &str = "click_trans_id=1&service_id=12345&click_paydoc_id=2&merchant_trans_id=M-2026-0000001&\
        amount=28840.0&action=0&error=0&error_note=Success&sign_time=2026-11-26+10%3A00%3A00&sign_string=";
    /// printf '112345SECRETM-2026-000000128840.002026-11-26 10:00:00' | md5sum
    const SIGNED: &str = "87191fafdddb68d75f3e6bc13b71f183";

    #[test]
    fn the_text_that_was_received_is_what_is_signed() {
        let genuine = |body: &str| click().is_genuine(&Form::read(body.as_bytes()).unwrap(), false);
        assert!(genuine(&format!("{PREPARE}{SIGNED}")));
        assert!(genuine(&format!("{PREPARE}{}", SIGNED.to_uppercase())));
        for wrong in ["", "0", &SIGNED[1..]] {
            assert!(!genuine(&format!("{PREPARE}{wrong}")), "{wrong}");
        }
        // The same amount in other digits is another text.
        assert!(!genuine(&format!("{}{SIGNED}", PREPARE.replace("28840.0", "28840"))));
    }

    #[test]
    fn a_form_that_cannot_be_read_is_no_order() {
        let order = |body: &str| Form::read(body.as_bytes()).and_then(|form| form.order(false));
        assert!(order(PREPARE).is_some());
        for (from, to) in [
            ("click_trans_id=1", "click_trans_id=x"),
            ("click_trans_id=1", "click_trans_id=-1"),
            ("click_trans_id=1", "click_trans_id=1&click_trans_id=1"),
            ("click_paydoc_id=2", "click_paydoc_id="),
            ("amount=28840.0", "amount=1e9"),
            ("2026-11-26", "2026-11-31"),
            ("error=0", "error=none"),
            ("merchant_trans_id=M-2026-0000001", "merchant_trans_id="),
        ] {
            assert!(order(&PREPARE.replace(from, to)).is_none(), "{to}");
        }
        assert!(order("").is_none());
        assert!(order("\u{0}\u{1}%ff%fe&&&===").is_none());
    }

    #[test]
    fn a_pay_link_names_service_amount_and_invoice() {
        let link = click().pay_link("M-2026-0000001", 2_884_050);
        assert_eq!(link.as_deref(), Some("https://my.click.uz/?s=12345&m=6789&a=28840.50&t=M-2026-0000001"));
    }
}
