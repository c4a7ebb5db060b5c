//! Paynet, JSON-RPC 2.0: one call performs a payment that the payer has made at a terminal; amounts in tiyin.

use reqwest::Method;
use serde_json::{Value, json};

use super::click::shown;
use super::payme::basic;
use super::{Exchange, Provider, Verdict, answered, local_time, now, persistently};
use crate::http::Client;
use crate::person::next_number;
use crate::stack::Stack;

pub(super) const SERVICE: u64 = 11_732;
pub(super) const LOGIN: &str = "paynet";
pub(super) const PASSWORD: &str = "Qn4zC8vT1kWy";

const PATH: &str = "/payments/paynet";

/// What is performed a second time exists already.
pub(crate) const EXISTS: i64 = 201;

pub(crate) struct Paynet {
    client: Client,
}

impl Paynet {
    pub(crate) fn new(stack: &Stack) -> Self {
        Self::at(stack, next_number())
    }

    /// From the loopback address with that number.
    pub(crate) fn at(stack: &Stack, number: u32) -> Self {
        Self { client: Client::new(&stack.base, number) }
    }

    /// A number for a new transaction.
    pub(crate) fn transaction() -> u64 {
        7_000_000_000 + u64::from(next_number())
    }

    #[track_caller]
    pub(crate) fn information(&self, number: &str) -> Exchange {
        self.call("GetInformation", &json!({"serviceId": SERVICE, "fields": {"invoice": number}}))
    }

    #[track_caller]
    pub(crate) fn perform(&self, transaction: u64, number: &str, amount_tiyin: i64) -> Exchange {
        self.call("PerformTransaction", &performed(transaction, number, amount_tiyin))
    }

    #[track_caller]
    pub(crate) fn check(&self, transaction: u64) -> Exchange {
        self.call("CheckTransaction", &about(transaction))
    }

    #[track_caller]
    pub(crate) fn cancel(&self, transaction: u64) -> Exchange {
        self.call("CancelTransaction", &about(transaction))
    }

    /// `YYYY-MM-DD HH:mm:ss` in Tashkent, both ends included.
    #[track_caller]
    pub(crate) fn statement(&self, from: &str, to: &str) -> Exchange {
        self.call("GetStatement", &json!({"serviceId": SERVICE, "dateFrom": from, "dateTo": to}))
    }

    /// Pays, where all must go well.
    #[track_caller]
    pub(crate) fn pays(&self, number: &str, amount_tiyin: i64) -> u64 {
        let transaction = Self::transaction();
        let result = self.perform(transaction, number, amount_tiyin).well();
        assert!(!result["providerTrnId"].is_null(), "{result}");
        transaction
    }

    /// The service's number, for calls that are written out.
    pub(crate) fn service() -> u64 {
        SERVICE
    }

    #[track_caller]
    pub(crate) fn call(&self, method: &str, params: &Value) -> Exchange {
        answered(self.try_call(method, params))
    }

    fn try_call(&self, method: &str, params: &Value) -> Result<Exchange, reqwest::Error> {
        let id = next_number();
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let exchange = self.send(Some(&basic(LOGIN, PASSWORD)), body.to_string().into_bytes())?;
        if exchange.answer.status == 200 {
            let answer = exchange.body();
            assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(id)), "{exchange}");
        }
        Ok(exchange)
    }

    /// Any body at all, by whoever knows the password.
    #[track_caller]
    pub(crate) fn raw(&self, body: impl Into<Vec<u8>>) -> Exchange {
        answered(self.send(Some(&basic(LOGIN, PASSWORD)), body.into()))
    }

    /// Any login and password, or none.
    #[track_caller]
    pub(crate) fn stranger(&self, who: Option<(&str, &str)>, body: &Value) -> Exchange {
        let authorization = who.map(|(login, password)| basic(login, password));
        answered(self.send(authorization.as_deref(), body.to_string().into_bytes()))
    }

    fn send(&self, authorization: Option<&str>, body: Vec<u8>) -> Result<Exchange, reqwest::Error> {
        let said = format!("POST {PATH} {}", shown(&body));
        let request = self.client.request(Method::POST, PATH).header("Content-Type", "application/json");
        let request = match authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        };
        Exchange::of(&said, request.body(body))
    }
}

fn about(transaction: u64) -> Value {
    json!({"serviceId": SERVICE, "transactionId": transaction})
}

fn performed(transaction: u64, number: &str, amount_tiyin: i64) -> Value {
    json!({
        "serviceId": SERVICE, "transactionId": transaction, "amount": amount_tiyin,
        "transactionTime": local_time(now()), "fields": {"invoice": number},
    })
}

impl Provider for Paynet {
    fn name(&self) -> &'static str {
        "paynet"
    }

    fn pay(&self, number: &str, amount_tiyin: i64) -> Verdict {
        let transaction = Self::transaction();
        let params = performed(transaction, number, amount_tiyin);
        let (exchange, repeated) = persistently(|| self.try_call("PerformTransaction", &params));
        match exchange.code() {
            0 => Verdict::Paid,
            // The call before, whose answer was lost, did something; Paynet asks what.
            EXISTS if repeated => {
                let (exchange, _) = persistently(|| self.try_call("CheckTransaction", &about(transaction)));
                match exchange.well()["transactionState"].as_i64() {
                    Some(1) => Verdict::Paid,
                    _ => Verdict::Refused(exchange.to_string()),
                }
            }
            _ => Verdict::Refused(exchange.to_string()),
        }
    }
}
