//! Gateways that report payments in calls signed with a shared secret: the treasury's billing, UPAY, a bank's own.
//!
//! `Muhr-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`: the time is under the signature, so that a
//! call that was overheard is worth nothing a few minutes later.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::hmac;
use ca_core::Timestamp;
use ca_core::payment::{HOLD, Objection};
use config::settings::Networks;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::payments::{self, Announced};
use store::{StoreError, invoices};

use super::counter::text;
use super::{Call, Desk, PaymentProvider, Reply, called};
use crate::context::Context;
use crate::json::parse;
use crate::problem::{Kind, Problem};
use crate::sms::{AccountError, password};

/// The header that carries time and signature of a call.
pub(crate) const SIGNATURE: &str = "muhr-signature";
/// How far the time of a call may lie from ours, either way.
const WINDOW: Duration = Duration::from_secs(300);
/// HMAC-SHA256 needs a key as long as its output to be as strong as it (RFC 2104 section 3).
const SECRET_MIN: usize = 32;

/// A gateway, with the key it signs its calls with.
pub(crate) struct Webhook {
    name: String,
    key: hmac::Key,
    pay_url: String,
    networks: Networks,
}

impl Webhook {
    /// Reads the secret; line ends at the end of a file do not belong to it.
    ///
    /// # Errors
    /// The file cannot be read or holds too little.
    pub(super) fn open(name: &str, settings: &config::settings::Webhook) -> Result<Self, AccountError> {
        let of_provider =
            |reason: &str| AccountError { key: "payments.webhook", reason: format!("{name}: {reason}") };
        let secret = password(Some(&settings.secret_file), "payments.webhook")?;
        let key = key(secret.expose_secret().as_bytes())
            .ok_or_else(|| of_provider("the secret is shorter than 32 octets"))?;
        Ok(Self {
            name: name.to_owned(),
            key,
            pay_url: settings.pay_url.clone(),
            networks: settings.callback_addresses.clone(),
        })
    }

    /// The signature header it sends with this body; the sandbox plays one.
    pub(crate) fn sign(&self, body: &[u8], now: Timestamp) -> String {
        let seconds = now.unix_seconds();
        let tag = hmac::sign(&self.key, &signed(seconds, body));
        format!("t={seconds},v1={}", hex::encode(tag.as_ref()))
    }

    /// Was this body signed just now? A header may hold several `v1`, while a secret is being replaced.
    fn is_genuine(&self, header: &str, body: &[u8], now: Timestamp) -> bool {
        let mut parts = header.split(',').filter_map(|part| part.trim().split_once('='));
        let Some(("t", seconds)) = parts.next() else { return false };
        let Ok(seconds) = seconds.parse::<i64>() else { return false };
        let at = Timestamp::from_unix_seconds(seconds);
        if now.since(at).max(at.since(now)) > WINDOW {
            return false;
        }
        parts.filter(|(name, _)| *name == "v1").any(|(_, tag)| {
            hex::decode(tag).is_ok_and(|tag| hmac::verify(&self.key, &signed(seconds, body), &tag).is_ok())
        })
    }
}

impl PaymentProvider for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn networks(&self) -> &Networks {
        &self.networks
    }

    fn answer(&self, call: &Call, desk: &Desk) -> Result<Reply, Problem> {
        if !self.is_genuine(call.signature.as_deref().unwrap_or_default(), &call.body, call.now) {
            return Err(Problem::new(Kind::Unauthenticated));
        }
        let report: PaymentReport = parse(&call.body)?;
        text(report.transaction.clone(), "/transaction", 128)?;
        let announced = Announced {
            provider: self.name.clone(),
            transaction: report.transaction.clone(),
            amount_tiyin: report.amount_tiyin,
            at: report.at,
            hold: HOLD,
            recorded_by: None,
            details: json!({}),
        };
        let paid = desk.write(|connection| -> Result<Result<PaymentAnswer, Objection>, StoreError> {
            let invoice = invoices::lock(connection, &report.invoice)?;
            Ok(payments::pay(connection, &invoice, &announced, call.now)?.map(|(payment, _)| PaymentAnswer {
                transaction: payment.provider_transaction,
                invoice: invoice.id,
                number: invoice.number,
                state: "paid",
                amount_tiyin: payment.amount_tiyin,
            }))
        })??;
        Ok(Reply::ok(serde_json::to_value(paid).map_err(Problem::internal)?))
    }

    fn pay_link(&self, number: &str, _: i64) -> Option<String> {
        (!self.pay_url.is_empty()).then(|| self.pay_url.replace("{number}", number))
    }
}

fn key(secret: &[u8]) -> Option<hmac::Key> {
    let secret = secret.trim_ascii_end();
    (secret.len() >= SECRET_MIN).then(|| hmac::Key::new(hmac::HMAC_SHA256, secret))
}

fn signed(seconds: i64, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

/// What a provider reports.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentReport {
    /// The provider's name of the transaction: the same one pays once.
    pub transaction: String,
    /// The invoice's `id` or `number`.
    pub invoice: String,
    /// What was paid, in tiyin.
    pub amount_tiyin: i64,
    /// When it was paid.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What the provider is answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PaymentAnswer {
    /// The provider's name of the transaction.
    transaction: String,
    /// The invoice's `id`.
    invoice: String,
    /// The invoice's number.
    number: String,
    /// The invoice's state: `paid`.
    state: &'static str,
    /// What was paid, in tiyin.
    amount_tiyin: i64,
}

/// A provider reports a payment
///
/// The same transaction again is answered as the first time.
#[utoipa::path(
    post,
    path = "/payments/webhook/{provider}",
    tag = "payments",
    params(
        ("provider" = String, Path, description = "the provider's name in the settings"),
        ("Muhr-Signature" = String, Header, description = "`t=<unix seconds>,v1=<hex HMAC-SHA256 of \"<t>.<body>\">`"),
    ),
    request_body = PaymentReport,
    responses(
        (status = 200, description = "the invoice is paid", body = PaymentAnswer),
        (status = 401, description = "unauthenticated: no, a wrong or an old signature", body = crate::problem::Document),
        (status = 403, description = "forbidden: not from an address of the provider", body = crate::problem::Document),
        (status = 404, description = "not-found: no such provider or invoice", body = crate::problem::Document),
        (status = 409, description = "invoice-not-payable", body = crate::problem::Document),
        (status = 413, description = "payload-too-large: above 64 KiB", body = crate::problem::Document),
    )
)]
pub(crate) async fn report(
    context: web::Data<Context>,
    request: HttpRequest,
    provider: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    if !context.providers.is_webhook(&provider) {
        return Err(Problem::new(Kind::NotFound));
    }
    called(context, &provider, request, payload).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"transaction":"T-1"}"#;
    /// printf '1790000000.{"transaction":"T-1"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    const GENUINE: &str = "t=1790000000,v1=56a2ad747cbcfc649c067afcc75c81359e451e109db66bdd6dbd91b5b65eea23";

    fn bank() -> Webhook {
        let key = key(b"0123456789abcdef0123456789abcdef\n").unwrap();
        Webhook { name: "bank".to_owned(), key, pay_url: String::new(), networks: Networks::default() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_signature_made_by_openssl_is_genuine() {
        assert!(bank().is_genuine(GENUINE, BODY, at(1_790_000_000)));
        assert_eq!(bank().sign(BODY, at(1_790_000_000)), GENUINE);
    }

    #[test]
    fn a_call_is_refused_after_five_minutes_and_before_its_time() {
        for (now, genuine) in [(300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(bank().is_genuine(GENUINE, BODY, at(1_790_000_000 + now)), genuine);
        }
    }

    #[test]
    fn nothing_but_the_signed_body_of_that_provider_at_that_time_is_genuine() {
        let (bank, now) = (bank(), at(1_790_000_000));
        assert!(!bank.is_genuine(GENUINE, b"{}", now));
        for header in [
            "",
            "t=1790000000",
            "v1=00",
            "t=x,v1=00",
            "t=1790000000,v1=",
            "t=1790000000,v1=zz",
            &GENUINE.replace("t=1790000000", "t=1790000001"),
            &GENUINE.replace("v1", "v0"),
        ] {
            assert!(!bank.is_genuine(header, BODY, now), "{header}");
        }
        assert!(bank.is_genuine(&GENUINE.replace(",v1", ",v1=00,v1"), BODY, now));
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(key(&[b'x'; 32]).is_some());
        assert!(key(b"0123456789abcdef0123456789abcde\n\n").is_none());
    }
}
