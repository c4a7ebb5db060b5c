//! Payment providers that report payments in calls signed with a shared secret.
//!
//! `Muhr-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`: the time is under the signature, so that a
//! call that was overheard is worth nothing a few minutes later.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::hmac;
use ca_core::Timestamp;
use serde::{Deserialize, Serialize};
use store::invoices::{self, Invoice, Payment, PaymentRefusal};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::json::{collect, declared_length, parse};
use crate::problem::{Kind, Problem, only};

/// The header that carries time and signature of a call.
pub const SIGNATURE: &str = "muhr-signature";
/// How far the time of a call may lie from ours, either way.
const WINDOW: Duration = Duration::from_secs(300);
/// HMAC-SHA256 needs a key as long as its output to be as strong as it (RFC 2104 section 3).
const SECRET_MIN: usize = 32;

/// Why the providers' secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The file is absent or may not be read.
    #[error("the secret of payment provider {provider} in {file} cannot be read: {reason}")]
    Unreadable {
        /// The provider's name.
        provider: String,
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A shorter secret can be guessed.
    #[error("the secret of payment provider {0} is shorter than 32 octets")]
    TooShort(String),
}

/// The providers by name, with the keys they sign their calls with.
pub struct Webhooks {
    keys: HashMap<String, hmac::Key>,
}

impl Webhooks {
    /// Reads the secrets; line ends at the end of a file do not belong to its secret.
    ///
    /// # Errors
    /// A file cannot be read or holds too little.
    pub fn load(settings: &config::settings::Payments) -> Result<Self, WebhookError> {
        let mut keys = HashMap::new();
        for (provider, webhook) in &settings.webhook {
            let secret = std::fs::read(&webhook.secret_file).map(Zeroizing::new).map_err(|reason| {
                WebhookError::Unreadable {
                    provider: provider.clone(),
                    file: webhook.secret_file.clone(),
                    reason,
                }
            })?;
            let key = key(&secret).ok_or_else(|| WebhookError::TooShort(provider.clone()))?;
            keys.insert(provider.clone(), key);
        }
        Ok(Self { keys })
    }

    /// Is there such a provider?
    pub fn knows(&self, provider: &str) -> bool {
        self.keys.contains_key(provider)
    }

    /// The provider that the sandbox plays: the one called `sandbox`, or else the first.
    pub fn any(&self) -> Option<&str> {
        let named = self.keys.keys().find(|name| *name == "sandbox");
        named.or_else(|| self.keys.keys().min()).map(String::as_str)
    }

    /// The signature header a provider sends with this body; the sandbox plays one.
    pub fn sign(&self, provider: &str, body: &[u8], now: Timestamp) -> Option<String> {
        let seconds = now.unix_seconds();
        let tag = hmac::sign(self.keys.get(provider)?, &signed(seconds, body));
        Some(format!("t={seconds},v1={}", hex::encode(tag.as_ref())))
    }

    /// Did this provider sign this body just now? A header may hold several `v1`, while a secret is being replaced.
    fn is_genuine(&self, provider: &str, header: &str, body: &[u8], now: Timestamp) -> bool {
        let Some(key) = self.keys.get(provider) else { return false };
        let mut parts = header.split(',').filter_map(|part| part.trim().split_once('='));
        let Some(("t", seconds)) = parts.next() else { return false };
        let Ok(seconds) = seconds.parse::<i64>() else { return false };
        let at = Timestamp::from_unix_seconds(seconds);
        if now.since(at).max(at.since(now)) > WINDOW {
            return false;
        }
        parts.filter(|(name, _)| *name == "v1").any(|(_, tag)| {
            hex::decode(tag).is_ok_and(|tag| hmac::verify(key, &signed(seconds, body), &tag).is_ok())
        })
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
pub struct PaymentReport {
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
    state: String,
    /// What was paid, in tiyin.
    amount_tiyin: i64,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/webhook/{provider}").route(web::post().to(report)).default_service(only("POST")),
    );
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
        (status = 404, description = "not-found: no such provider or invoice", body = crate::problem::Document),
        (status = 409, description = "invoice-not-payable", body = crate::problem::Document),
    )
)]
pub(crate) async fn report(
    context: web::Data<Context>,
    request: HttpRequest,
    provider: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let provider = provider.into_inner();
    if !context.webhooks.knows(&provider) {
        return Err(Problem::new(Kind::NotFound));
    }
    let limit = context.settings.http.max_json_bytes;
    let body = collect(payload.into_inner(), declared_length(&request), limit).await?;
    let header = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = context.now();
    if !context.webhooks.is_genuine(&provider, header, &body, now) {
        return Err(Problem::new(Kind::Unauthenticated));
    }
    let report: PaymentReport = parse(&body)?;
    if !(1..=128).contains(&report.transaction.chars().count()) {
        return Err(Problem::field("/transaction", "too-long"));
    }
    let payment = Payment {
        provider,
        transaction: report.transaction,
        amount_tiyin: report.amount_tiyin,
        paid_at: report.at,
    };
    let named = report.invoice;
    let answer = context
        .write(move |connection| {
            let invoice = invoices::named(connection, &named)?;
            let invoice = invoices::pay(connection, &invoice.id, &payment, now)??;
            Ok(answer(invoice, payment))
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

fn answer(invoice: Invoice, payment: Payment) -> PaymentAnswer {
    PaymentAnswer {
        transaction: payment.transaction,
        invoice: invoice.id,
        number: invoice.number,
        state: invoice.state,
        amount_tiyin: invoice.amount_tiyin,
    }
}

impl From<PaymentRefusal> for Problem {
    fn from(refusal: PaymentRefusal) -> Self {
        let (pointer, name) = match refusal {
            PaymentRefusal::WrongAmount => ("/amount_tiyin", "wrong-amount"),
            PaymentRefusal::AlreadyPaid => ("/invoice", "already-paid"),
            PaymentRefusal::NotPayable => ("/invoice", "not-payable"),
        };
        Self::new(Kind::InvoiceNotPayable).because(pointer, format!("payment-{name}"), &refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"transaction":"T-1"}"#;
    /// printf '1790000000.{"transaction":"T-1"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    const GENUINE: &str = "t=1790000000,v1=56a2ad747cbcfc649c067afcc75c81359e451e109db66bdd6dbd91b5b65eea23";

    fn webhooks() -> Webhooks {
        let key = key(b"0123456789abcdef0123456789abcdef\n").unwrap();
        Webhooks { keys: HashMap::from([("bank".to_owned(), key)]) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_signature_made_by_openssl_is_genuine() {
        assert!(webhooks().is_genuine("bank", GENUINE, BODY, at(1_790_000_000)));
        assert_eq!(webhooks().sign("bank", BODY, at(1_790_000_000)).as_deref(), Some(GENUINE));
    }

    #[test]
    fn a_call_is_refused_after_five_minutes_and_before_its_time() {
        for (now, genuine) in [(300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(webhooks().is_genuine("bank", GENUINE, BODY, at(1_790_000_000 + now)), genuine);
        }
    }

    #[test]
    fn nothing_but_the_signed_body_of_that_provider_at_that_time_is_genuine() {
        let (webhooks, now) = (webhooks(), at(1_790_000_000));
        assert!(!webhooks.is_genuine("bank", GENUINE, b"{}", now));
        assert!(!webhooks.is_genuine("other", GENUINE, BODY, now));
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
            assert!(!webhooks.is_genuine("bank", header, BODY, now), "{header}");
        }
        assert!(webhooks.is_genuine("bank", &GENUINE.replace(",v1", ",v1=00,v1"), BODY, now));
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(key(&[b'x'; 32]).is_some());
        assert!(key(b"0123456789abcdef0123456789abcde\n\n").is_none());
    }
}
