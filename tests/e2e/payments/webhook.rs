//! A bank that reports payments in Muhr's own signed calls.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use reqwest::Method;
use serde_json::{Value, json};

use super::click::shown;
use super::{Exchange, Provider, Verdict, answered, hex, now, persistently, rfc3339};
use crate::http::Client;
use crate::person::next_number;
use crate::stack::Stack;

pub(super) const SECRET: &str = "b3a1f0c49d7e52684f0e1d2c3b4a59687f6e5d4c";

const PATH: &str = "/payments/webhook/bank";

pub(crate) struct Bank {
    client: Client,
}

/// What the bank says about one payment.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) transaction: String,
    pub(crate) invoice: String,
    pub(crate) amount: i64,
    pub(crate) at: i64,
}

impl Report {
    pub(crate) fn of(number: &str, amount_tiyin: i64) -> Self {
        let transaction = format!("MT103-{:08}", next_number());
        Self { transaction, invoice: number.to_owned(), amount: amount_tiyin, at: now() }
    }

    pub(crate) fn body(&self) -> Value {
        json!({
            "transaction": self.transaction, "invoice": self.invoice,
            "amount_tiyin": self.amount, "at": rfc3339(self.at),
        })
    }
}

impl Bank {
    pub(crate) fn new(stack: &Stack) -> Self {
        Self::at(stack, next_number())
    }

    /// From the loopback address with that number.
    pub(crate) fn at(stack: &Stack, number: u32) -> Self {
        Self { client: Client::new(&stack.base, number) }
    }

    #[track_caller]
    pub(crate) fn report(&self, report: &Report) -> Exchange {
        self.signed_at(now(), &report.body())
    }

    /// Signed as if it were that time.
    #[track_caller]
    pub(crate) fn signed_at(&self, seconds: i64, body: &Value) -> Exchange {
        let body = body.to_string();
        self.with_header(PATH, Some(&signature(SECRET, seconds, body.as_bytes())), body.as_bytes())
    }

    /// Any body at all, well signed.
    #[track_caller]
    pub(crate) fn raw(&self, body: &[u8]) -> Exchange {
        self.with_header(PATH, Some(&signature(SECRET, now(), body)), body)
    }

    #[track_caller]
    pub(crate) fn with_header(&self, path: &str, signature: Option<&str>, body: &[u8]) -> Exchange {
        answered(self.send(path, signature, body))
    }

    /// Pays, where all must go well.
    #[track_caller]
    pub(crate) fn pays(&self, number: &str, amount_tiyin: i64) -> Report {
        let report = Report::of(number, amount_tiyin);
        let exchange = self.report(&report);
        assert_eq!(exchange.answer.status, 200, "{exchange}");
        report
    }

    fn send(&self, path: &str, signature: Option<&str>, body: &[u8]) -> Result<Exchange, reqwest::Error> {
        let said = format!("POST {path} {signature:?} {}", shown(body));
        let request = self.client.request(Method::POST, path).header("Content-Type", "application/json");
        let request = match signature {
            Some(value) => request.header("Muhr-Signature", value),
            None => request,
        };
        Exchange::of(&said, request.body(body.to_vec()))
    }
}

/// `t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<body>")>`
pub(crate) fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    let key = PKey::hmac(secret.as_bytes()).expect("any octets are a key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("OpenSSL knows it");
    let tag = signer.sign_oneshot_to_vec(&[format!("{seconds}.").as_bytes(), body].concat());
    format!("t={seconds},v1={}", hex(&tag.expect("OpenSSL can sign")))
}

pub(crate) fn secret() -> &'static str {
    SECRET
}

impl Provider for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn pay(&self, number: &str, amount_tiyin: i64) -> Verdict {
        let body = Report::of(number, amount_tiyin).body().to_string();
        let call = || self.send(PATH, Some(&signature(SECRET, now(), body.as_bytes())), body.as_bytes());
        let (exchange, _) = persistently(call);
        match exchange.answer.status {
            200 => Verdict::Paid,
            409 => Verdict::Refused(exchange.to_string()),
            _ => panic!("neither taken nor refused: {exchange}"),
        }
    }
}

#[test]
fn a_report_is_signed_as_openssl_signs_on_the_command_line() {
    // printf '1790000000.{"transaction":"T-1"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    let genuine = "t=1790000000,v1=56a2ad747cbcfc649c067afcc75c81359e451e109db66bdd6dbd91b5b65eea23";
    let body = br#"{"transaction":"T-1"}"#;
    assert_eq!(signature("0123456789abcdef0123456789abcdef", 1_790_000_000, body), genuine);
}
