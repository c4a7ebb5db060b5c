//! Payme (Paycom), Merchant API: JSON-RPC over HTTP with Basic authorization, amounts in tiyin, times in milliseconds.
//! <https://developer.help.paycom.uz/metody-merchant-api/>

use openssl::base64::encode_block;
use reqwest::Method;
use serde_json::{Value, json};

use super::click::shown;
use super::{Exchange, Provider, Verdict, answered, now, persistently};
use crate::http::Client;
use crate::person::next_number;
use crate::stack::Stack;

pub(super) const KEY: &str = "%KXvJ2Z9@m3bQ#hEr7pWsNdY1t&LcA0fGuO";

const PATH: &str = "/payments/payme";

pub(crate) struct Payme {
    client: Client,
}

/// One transaction as Payme knows it.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// 24 hex digits.
    pub(crate) id: String,
    /// When it was made, in milliseconds.
    pub(crate) time: i64,
    pub(crate) amount: i64,
    pub(crate) account: Value,
}

impl Receipt {
    pub(crate) fn over(number: &str, amount_tiyin: i64) -> Self {
        Self::at(number, amount_tiyin, now())
    }

    /// Made at another time than now.
    pub(crate) fn at(number: &str, amount_tiyin: i64, seconds: i64) -> Self {
        let id = format!("65a1b2c3{:016x}", next_number());
        Self { id, time: seconds * 1000, amount: amount_tiyin, account: json!({"invoice": number}) }
    }
}

impl Payme {
    pub(crate) fn new(stack: &Stack) -> Self {
        Self::at(stack, next_number())
    }

    /// From the loopback address with that number.
    pub(crate) fn at(stack: &Stack, number: u32) -> Self {
        Self { client: Client::new(&stack.base, number) }
    }

    #[track_caller]
    pub(crate) fn check_perform(&self, receipt: &Receipt) -> Exchange {
        self.call("CheckPerformTransaction", &json!({"amount": receipt.amount, "account": receipt.account}))
    }

    #[track_caller]
    pub(crate) fn create(&self, receipt: &Receipt) -> Exchange {
        self.call("CreateTransaction", &created(receipt))
    }

    #[track_caller]
    pub(crate) fn perform(&self, receipt: &Receipt) -> Exchange {
        self.call("PerformTransaction", &json!({"id": receipt.id}))
    }

    /// 3: the transaction could not be carried out; 5: the money goes back.
    #[track_caller]
    pub(crate) fn cancel(&self, receipt: &Receipt, reason: i64) -> Exchange {
        self.call("CancelTransaction", &json!({"id": receipt.id, "reason": reason}))
    }

    #[track_caller]
    pub(crate) fn check(&self, receipt: &Receipt) -> Exchange {
        self.call("CheckTransaction", &json!({"id": receipt.id}))
    }

    /// Milliseconds, both ends included.
    #[track_caller]
    pub(crate) fn statement(&self, from: i64, to: i64) -> Exchange {
        self.call("GetStatement", &json!({"from": from, "to": to}))
    }

    /// Pays, where all must go well.
    #[track_caller]
    pub(crate) fn pays(&self, number: &str, amount_tiyin: i64) -> Receipt {
        let receipt = Receipt::over(number, amount_tiyin);
        assert_eq!(self.check_perform(&receipt).well()["allow"], true);
        assert_eq!(self.create(&receipt).well()["state"], 1);
        assert_eq!(self.perform(&receipt).well()["state"], 2);
        receipt
    }

    #[track_caller]
    pub(crate) fn call(&self, method: &str, params: &Value) -> Exchange {
        answered(self.try_call(method, params))
    }

    fn try_call(&self, method: &str, params: &Value) -> Result<Exchange, reqwest::Error> {
        let id = next_number();
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let exchange = self.send(Method::POST, Some(&authorization(KEY)), body.to_string().into_bytes())?;
        if exchange.answer.status == 200 {
            assert_eq!(exchange.body()["id"], id, "the answer is to another request: {exchange}");
        }
        Ok(exchange)
    }

    /// Any body at all, by whoever knows the key.
    #[track_caller]
    pub(crate) fn raw(&self, body: impl Into<Vec<u8>>) -> Exchange {
        answered(self.send(Method::POST, Some(&authorization(KEY)), body.into()))
    }

    /// Any method and authorization.
    #[track_caller]
    pub(crate) fn stranger(&self, method: Method, authorization: Option<&str>, body: &Value) -> Exchange {
        answered(self.send(method, authorization, body.to_string().into_bytes()))
    }

    fn send(
        &self,
        method: Method,
        authorization: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Exchange, reqwest::Error> {
        let said = format!("{method} {PATH} {}", shown(&body));
        let request = self.client.request(method, PATH).header("Content-Type", "application/json").body(body);
        let request = match authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        };
        Exchange::of(&said, request)
    }
}

/// `Basic base64("Paycom:" + key)`
pub(crate) fn authorization(key: &str) -> String {
    basic("Paycom", key)
}

pub(super) fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", encode_block(format!("{login}:{password}").as_bytes()))
}

fn created(receipt: &Receipt) -> Value {
    json!({"id": receipt.id, "time": receipt.time, "amount": receipt.amount, "account": receipt.account})
}

impl Provider for Payme {
    fn name(&self) -> &'static str {
        "payme"
    }

    fn pay(&self, number: &str, amount_tiyin: i64) -> Verdict {
        let receipt = Receipt::over(number, amount_tiyin);
        let steps = [
            ("CheckPerformTransaction", json!({"amount": receipt.amount, "account": receipt.account})),
            ("CreateTransaction", created(&receipt)),
            ("PerformTransaction", json!({"id": receipt.id})),
        ];
        for (method, params) in steps {
            let (exchange, _) = persistently(|| self.try_call(method, &params));
            if exchange.code() != 0 {
                return Verdict::Refused(exchange.to_string());
            }
        }
        Verdict::Paid
    }
}
