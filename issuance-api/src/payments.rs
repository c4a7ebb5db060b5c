//! Payment providers: their calls to us, each in its own protocol, and what they are told.
//!
//! A provider reads a call, proves that it is genuine, and answers in its own words; what the money does is decided in
//! `ca-core` and made durable by `store::payments`, the same for all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::payment::Objection;
use config::Settings;
use config::settings::Networks;
use serde_json::Value;
use store::{Connection, Database, StoreError};

pub(crate) mod basic;
pub(crate) mod bills;
pub(crate) mod click;
pub(crate) mod counter;
mod json_rpc;
pub(crate) mod payme;
pub(crate) mod paynet;
pub mod reconciliation;
pub(crate) mod refunds;
pub(crate) mod webhook;
pub mod worker;

use click::Click;
use click::merchant::Merchant;
use payme::Payme;
use paynet::Paynet;
use webhook::Webhook;

use crate::context::Context;
use crate::json::{collect, declared_length};
use crate::problem::{Kind, Problem, only};
use crate::request::{Spoken, address};
use crate::sms::AccountError;

/// The longest call that is read.
const CALL_MAX: usize = 64 * 1024;

/// A provider's call, as much of it as any of them looks at.
pub struct Call {
    /// Which of the provider's addresses was called: `prepare` or `complete` for CLICK, empty for the others.
    pub step: String,
    /// The HTTP method.
    pub method: Method,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Muhr-Signature`.
    pub signature: Option<String>,
    /// At most 64 KiB.
    pub body: Vec<u8>,
    /// When it came.
    pub now: Timestamp,
}

/// What a provider is answered: an HTTP status and JSON.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }
}

/// Where what a call says is made durable.
pub struct Desk {
    database: Database,
}

impl Desk {
    /// One writing transaction, once more if somebody else moved first.
    fn write<T>(&self, f: impl Fn(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.database.write(&f) {
            Err(StoreError::Conflict(_)) => self.database.write(&f),
            done => done,
        }
    }

    /// One reading transaction.
    fn read<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.database.read(f)
    }
}

/// Somebody who takes money for us and tells us so in calls.
pub trait PaymentProvider: Send + Sync {
    /// Its name in the database, the ledger and the API.
    fn name(&self) -> &str;

    /// Who may call in its name.
    fn networks(&self) -> &Networks;

    /// What a call is answered, after it was followed. Runs off the event loop.
    ///
    /// # Errors
    /// A problem document, for providers whose protocol is ours.
    fn answer(&self, call: &Call, desk: &Desk) -> Result<Reply, Problem>;

    /// Where an invoice over so many tiyin is paid, if there is such a page.
    fn pay_link(&self, number: &str, amount_tiyin: i64) -> Option<String>;
}

/// The providers that are switched on.
#[derive(Default)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn PaymentProvider>>,
    webhooks: BTreeMap<String, Arc<Webhook>>,
    /// CLICK's own API, for bills and reversals.
    pub(crate) merchant: Option<Merchant>,
}

impl Providers {
    /// Reads the providers' secrets.
    ///
    /// # Errors
    /// A file cannot be read or holds too little.
    pub fn open(settings: &Settings) -> Result<Self, AccountError> {
        let payments = &settings.payments;
        let mut providers = Self { merchant: Merchant::open(&payments.click)?, ..Self::default() };
        if let Some(click) = Click::open(&payments.click)? {
            providers.add(Arc::new(click));
        }
        if let Some(payme) = Payme::open(&payments.payme)? {
            providers.add(Arc::new(payme));
        }
        if let Some(paynet) = Paynet::open(&payments.paynet)? {
            providers.add(Arc::new(paynet));
        }
        for (name, webhook) in &payments.webhook {
            let webhook = Arc::new(Webhook::open(name, webhook)?);
            providers.webhooks.insert(name.clone(), Arc::clone(&webhook));
            providers.add(webhook);
        }
        Ok(providers)
    }

    fn add(&mut self, provider: Arc<dyn PaymentProvider>) {
        self.by_name.insert(provider.name().to_owned(), provider);
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Where an invoice is paid, in the order of the providers' names.
    pub(crate) fn pay_links(&self, number: &str, amount_tiyin: i64) -> Vec<(String, String)> {
        let link = |provider: &Arc<dyn PaymentProvider>| {
            Some((provider.name().to_owned(), provider.pay_link(number, amount_tiyin)?))
        };
        self.by_name.values().filter_map(link).collect()
    }

    /// The gateway that the sandbox plays: the one called `sandbox`, or else the first.
    pub(crate) fn played(&self) -> Option<&Webhook> {
        let named = self.webhooks.get("sandbox");
        named.or_else(|| self.webhooks.values().next()).map(Arc::as_ref)
    }

    /// Is it a gateway with signed calls? The others are not called at a gateway's address.
    pub(crate) fn is_webhook(&self, name: &str) -> bool {
        self.webhooks.contains_key(name)
    }

    /// Does the provider return money when we call it?
    pub(crate) fn returns_by_call(&self, provider: &str) -> bool {
        provider == click::NAME && self.merchant.is_some()
    }
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/click/{step}")
            .route(web::post().to(|context, request, payload| called(context, click::NAME, request, payload)))
            .default_service(only("POST")),
    )
    // JSON-RPC has an error of its own for other methods.
    .service(
        web::resource("/payme")
            .to(|context, request, payload| called(context, payme::NAME, request, payload)),
    )
    .service(
        web::resource("/paynet")
            .route(
                web::post().to(|context, request, payload| called(context, paynet::NAME, request, payload)),
            )
            .default_service(only("POST")),
    )
    .service(
        web::resource("/webhook/{provider}")
            .route(web::post().to(webhook::report))
            .default_service(only("POST")),
    );
}

/// A provider calls.
///
/// # Errors
/// 404 if it is not switched on, 403 from a foreign address, 413 for a body of more than 64 KiB, and what the provider's
/// own protocol leaves to us.
pub(crate) async fn called(
    context: web::Data<Context>,
    name: &str,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let provider =
        context.providers.by_name.get(name).cloned().ok_or_else(|| Problem::new(Kind::NotFound))?;
    if !provider.networks().allow(address(&request, &context.settings.http.trusted_proxies)) {
        return Err(Problem::new(Kind::Forbidden));
    }
    let text = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    let call = Call {
        step: request.match_info().get("step").unwrap_or_default().to_owned(),
        method: request.method().clone(),
        authorization: text(header::AUTHORIZATION.as_str()),
        signature: text(webhook::SIGNATURE),
        body: collect(payload.into_inner(), declared_length(&request), CALL_MAX).await?,
        now: context.now(),
    };
    let desk = Desk { database: context.database.clone() };
    let reply = web::block(move || provider.answer(&call, &desk)).await?;
    let outcome = match &reply {
        // CLICK says 0 where there is no error, JSON-RPC says nothing.
        Ok(reply) if reply.body["error"].is_null() || reply.body["error"] == 0 => "followed",
        Ok(_) => "objected",
        Err(_) => "refused",
    };
    context.metrics.called(name, outcome);
    let reply = reply?;
    context.doorbell.notify_one();
    let status = actix_web::http::StatusCode::from_u16(reply.status).map_err(Problem::internal)?;
    let mut response =
        HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(reply.body);
    response.extensions_mut().insert(Spoken);
    Ok(response)
}

impl From<Objection> for Problem {
    fn from(objection: Objection) -> Self {
        let pointer = match objection {
            Objection::WrongAmount => "/amount_tiyin",
            Objection::UnknownTransaction
            | Objection::OtherTransaction
            | Objection::TransactionCancelled
            | Objection::TimedOut
            | Objection::NotCancellable => "/transaction",
            Objection::UnknownInvoice
            | Objection::Paid
            | Objection::Expired
            | Objection::Cancelled
            | Objection::BeingPaid => "/invoice",
        };
        let text = format!("payment-{}", objection.as_str());
        Self::new(Kind::InvoiceNotPayable).because(pointer, text, &objection.to_string())
    }
}

/// What the database says about a call of a provider whose protocol has one word for it. The reason is for our log.
fn failed(provider: &str, error: &StoreError) {
    tracing::warn!(provider, error = %error, "a payment provider's call was not followed");
}

/// Our amounts as the providers' so'm: `28840` or `28840.5`, exactly.
pub(crate) fn som(tiyin: i64) -> String {
    match (tiyin / 100, tiyin % 100) {
        (whole, 0) => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest:02}"),
    }
}

/// Reads so'm as providers write them: `28840`, `28840.0`, `28840.00`; no sign, no exponent, nothing below a tiyin.
pub(crate) fn tiyin(som: &str) -> Option<i64> {
    let (whole, fraction) = som.split_once('.').unwrap_or((som, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let (hundredths, rest) = fraction.split_at_checked(2).unwrap_or((fraction, ""));
    let hundredths: i64 = format!("{hundredths:0<2}").parse().ok()?;
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(hundredths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn so_m_are_read_to_the_tiyin_or_not_at_all() {
        for (text, expected) in [
            ("28840", Some(2_884_000)),
            ("28840.0", Some(2_884_000)),
            ("28840.00", Some(2_884_000)),
            ("28840.0000", Some(2_884_000)),
            ("28840.5", Some(2_884_050)),
            ("28840.05", Some(2_884_005)),
            ("0028840", Some(2_884_000)),
            ("28840.001", None),
            ("28840.", None),
            (".5", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1,5", None),
            (" 1", None),
            ("٣", None),
            ("92233720368547759", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(tiyin(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(amount in 0_i64..=i64::MAX) {
            prop_assert_eq!(tiyin(&som(amount)), Some(amount));
        }

        #[test]
        fn no_text_is_too_strange_to_be_read(text in ".{0,40}") {
            let _ = tiyin(&text);
        }
    }
}
