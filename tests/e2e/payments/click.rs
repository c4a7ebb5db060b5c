//! CLICK, SHOP-API: Prepare announces a payment, Complete makes it; each is a form signed with MD5.
//! <https://docs.click.uz/en/click-api-request/>

use openssl::hash::MessageDigest;
use reqwest::Method;

use super::{Exchange, Provider, Verdict, answered, digest, local_time, now, persistently};
use crate::http::Client;
use crate::person::next_number;
use crate::stack::Stack;

pub(super) const SERVICE: u64 = 47_121;
pub(super) const SECRET: &str = "RmDbsxsQ7rKZ";

/// The code of what is paid already, or was completed before.
pub(crate) const ALREADY_PAID: i64 = -4;

const PREPARE: &str = "/payments/click/prepare";
const COMPLETE: &str = "/payments/click/complete";

pub(crate) struct Click {
    client: Client,
}

/// One payment as CLICK knows it.
#[derive(Clone, Debug)]
pub(crate) struct Trans {
    /// `click_trans_id`
    pub(crate) id: u64,
    /// `click_paydoc_id`: what the payer's receipt says.
    pub(crate) paydoc: u64,
    pub(crate) merchant_trans_id: String,
    /// So'm, as CLICK writes it.
    pub(crate) amount: String,
}

/// The fields of a call.
#[derive(Clone, Debug)]
pub(crate) struct Form(Vec<(&'static str, String)>);

impl Trans {
    /// A new one, beyond 32 bits as CLICK's are.
    pub(crate) fn over(number: &str, amount_tiyin: i64) -> Self {
        let id = 9_000_000_000 + u64::from(next_number());
        Self {
            id,
            paydoc: id + 500_000_000,
            merchant_trans_id: number.to_owned(),
            amount: soum(amount_tiyin),
        }
    }

    pub(crate) fn with_amount(&self, amount: &str) -> Self {
        Self { amount: amount.to_owned(), ..self.clone() }
    }
}

/// Whole so'm stay whole.
fn soum(tiyin: i64) -> String {
    match tiyin % 100 {
        0 => (tiyin / 100).to_string(),
        rest => format!("{}.{rest:02}", tiyin / 100),
    }
}

impl Click {
    pub(crate) fn new(stack: &Stack) -> Self {
        Self::at(stack, next_number())
    }

    /// From the loopback address with that number.
    pub(crate) fn at(stack: &Stack, number: u32) -> Self {
        Self { client: Client::new(&stack.base, number) }
    }

    /// A signed Prepare.
    pub(crate) fn prepare_form(trans: &Trans) -> Form {
        Form::new(trans, "0", None, 0).signed()
    }

    /// A signed Complete; `error` below zero says that the payer's money did not come.
    pub(crate) fn complete_form(trans: &Trans, prepare_id: i64, error: i64) -> Form {
        Form::new(trans, "1", Some(prepare_id), error).signed()
    }

    #[track_caller]
    pub(crate) fn prepare(&self, trans: &Trans) -> Exchange {
        self.send_prepare(&Self::prepare_form(trans))
    }

    /// Prepare, which must succeed: our `merchant_prepare_id`.
    #[track_caller]
    pub(crate) fn prepared(&self, trans: &Trans) -> i64 {
        prepare_id(&self.prepare(trans), trans)
    }

    #[track_caller]
    pub(crate) fn complete(&self, trans: &Trans, prepare_id: i64) -> Exchange {
        self.send_complete(&Self::complete_form(trans, prepare_id, 0))
    }

    /// Complete that says the money did not come (-5017: not enough of it).
    #[track_caller]
    pub(crate) fn cancel(&self, trans: &Trans, prepare_id: i64) -> Exchange {
        self.send_complete(&Self::complete_form(trans, prepare_id, -5017))
    }

    #[track_caller]
    pub(crate) fn send_prepare(&self, form: &Form) -> Exchange {
        answered(self.send(PREPARE, form))
    }

    #[track_caller]
    pub(crate) fn send_complete(&self, form: &Form) -> Exchange {
        answered(self.send(COMPLETE, form))
    }

    /// Any body at all.
    #[track_caller]
    pub(crate) fn send_raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> Exchange {
        let said = format!("POST {path} {content_type} {}", shown(&body));
        let request = self.client.request(Method::POST, path).header("Content-Type", content_type).body(body);
        answered(Exchange::of(&said, request))
    }

    /// Pays, where all must go well.
    #[track_caller]
    pub(crate) fn pays(&self, number: &str, amount_tiyin: i64) -> Trans {
        let trans = Trans::over(number, amount_tiyin);
        let prepare_id = self.prepared(&trans);
        confirmed(&self.complete(&trans, prepare_id), &trans);
        trans
    }

    fn send(&self, path: &str, form: &Form) -> Result<Exchange, reqwest::Error> {
        let said = format!("POST {path} {:?}", form.0);
        Exchange::of(&said, self.client.request(Method::POST, path).form(&form.0))
    }
}

/// The beginning of a body, for whoever reads a failure.
pub(super) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

#[track_caller]
fn prepare_id(exchange: &Exchange, trans: &Trans) -> i64 {
    echoes(exchange, trans);
    let answer = exchange.well();
    answer["merchant_prepare_id"].as_i64().unwrap_or_else(|| panic!("no merchant_prepare_id: {exchange}"))
}

/// The answer to a Complete that went well: our `merchant_confirm_id`.
#[track_caller]
pub(crate) fn confirmed(exchange: &Exchange, trans: &Trans) -> i64 {
    echoes(exchange, trans);
    let answer = exchange.well();
    answer["merchant_confirm_id"].as_i64().unwrap_or_else(|| panic!("no merchant_confirm_id: {exchange}"))
}

/// CLICK looks for its own numbers in the answer.
#[track_caller]
fn echoes(exchange: &Exchange, trans: &Trans) {
    let answer = exchange.well();
    assert_eq!(answer["click_trans_id"].as_u64(), Some(trans.id), "{exchange}");
    assert_eq!(answer["merchant_trans_id"], trans.merchant_trans_id.as_str(), "{exchange}");
    assert!(answer["error_note"].is_string(), "{exchange}");
}

impl Provider for Click {
    fn name(&self) -> &'static str {
        "click"
    }

    fn pay(&self, number: &str, amount_tiyin: i64) -> Verdict {
        let trans = Trans::over(number, amount_tiyin);
        let (exchange, _) = persistently(|| self.send(PREPARE, &Self::prepare_form(&trans)));
        if exchange.code() != 0 {
            return Verdict::Refused(exchange.to_string());
        }
        let form = Self::complete_form(&trans, prepare_id(&exchange, &trans), 0);
        let (exchange, repeated) = persistently(|| self.send(COMPLETE, &form));
        match exchange.code() {
            0 => Verdict::Paid,
            // The call before, whose answer was lost, has done it.
            ALREADY_PAID if repeated => Verdict::Paid,
            _ => Verdict::Refused(exchange.to_string()),
        }
    }
}

impl Form {
    /// In the order of the papers, not signed yet.
    fn new(trans: &Trans, action: &str, prepare_id: Option<i64>, error: i64) -> Self {
        let mut fields = vec![
            ("click_trans_id", trans.id.to_string()),
            ("service_id", SERVICE.to_string()),
            ("click_paydoc_id", trans.paydoc.to_string()),
            ("merchant_trans_id", trans.merchant_trans_id.clone()),
        ];
        fields.extend(prepare_id.map(|id| ("merchant_prepare_id", id.to_string())));
        fields.extend([
            ("amount", trans.amount.clone()),
            ("action", action.to_owned()),
            ("error", error.to_string()),
            ("error_note", if error < 0 { "Недостаточно средств" } else { "Success" }.to_owned()),
            ("sign_time", local_time(now())),
        ]);
        Self(fields)
    }

    /// `md5(click_trans_id + service_id + SECRET_KEY + merchant_trans_id + [merchant_prepare_id] + amount + action +
    /// sign_time)`, of the fields as they are now.
    pub(crate) fn signed(self) -> Self {
        self.signed_with(SECRET)
    }

    pub(crate) fn signed_with(self, secret: &str) -> Self {
        let [trans, service, merchant_trans, prepare, amount, action, time] = [
            "click_trans_id",
            "service_id",
            "merchant_trans_id",
            "merchant_prepare_id",
            "amount",
            "action",
            "sign_time",
        ]
        .map(|name| self.get(name).to_owned());
        let text = [&trans, &service, secret, &merchant_trans, &prepare, &amount, &action, &time].concat();
        self.with("sign_string", &digest(MessageDigest::md5(), &text))
    }

    /// With another value for a field; what was signed stays signed.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name, value.to_owned())),
        }
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self
    }

    /// A field, or nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// What other people's checkers read.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        self.0
            .iter()
            .map(|(name, value)| ((*name).to_owned(), serde_json::Value::String(value.clone())))
            .collect()
    }

    pub(crate) fn secret() -> &'static str {
        SECRET
    }

    pub(crate) fn service() -> String {
        SERVICE.to_string()
    }
}
