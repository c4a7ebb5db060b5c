//! CLICK's own API, which we call: bills that appear on the payer's phone, and reversals.

use std::time::Duration;

use aws_lc_rs::digest;
use ca_core::Timestamp;
use reqwest::{Client, Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::som;
use crate::sms::http::{self, call};
use crate::sms::{AccountError, SendError, password};

/// CLICK as we call it.
pub(crate) struct Merchant {
    client: Client,
    base: String,
    service_id: u64,
    user_id: u64,
    secret: SecretString,
    timeout: Duration,
}

/// Why a call had no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// CLICK says no: asking again would not help.
    #[error("click refuses: error {0}")]
    Refused(i64),
    /// Nothing is known; worth another try.
    #[error("{0}")]
    Unknown(String),
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        Self::Unknown(format!("click: {error}"))
    }
}

impl Merchant {
    /// CLICK's API, if the settings name a user of it.
    pub(in crate::payments) fn open(
        settings: &config::settings::Click,
    ) -> Result<Option<Self>, AccountError> {
        if settings.service_id == 0 || settings.merchant_user_id == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            client: http::client(settings.timeout, "payments.click.timeout_seconds")?,
            base: settings.api_url.as_str().to_owned(),
            service_id: settings.service_id,
            user_id: settings.merchant_user_id,
            secret: password(settings.secret_file.as_deref(), "payments.click.secret_file")?,
            timeout: settings.timeout,
        }))
    }

    /// The longest a call may take.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout
    }

    /// Asks for a bill on the payer's phone. Returns CLICK's number of it.
    pub(crate) async fn create_bill(
        &self,
        number: &str,
        amount_tiyin: i64,
        phone: &str,
        now: Timestamp,
    ) -> Result<String, CallError> {
        let amount: Value = serde_json::from_str(&som(amount_tiyin)).unwrap_or_default();
        let bill = json!({
            "service_id": self.service_id,
            "amount": amount,
            "phone_number": phone.trim_start_matches('+'),
            "merchant_trans_id": number,
        });
        let answer = self.ask(self.request(Method::POST, "invoice/create", now).json(&bill)).await?;
        match &answer["invoice_id"] {
            Value::Number(id) => Ok(id.to_string()),
            Value::String(id) => Ok(id.chars().take(64).collect()),
            _ => Err(CallError::Unknown("click: an answer without a number".to_owned())),
        }
    }

    /// Was a bill refused or deleted? That it was paid is told by the payment itself.
    pub(crate) async fn bill_is_cancelled(&self, id: &str, now: Timestamp) -> Result<bool, CallError> {
        let path = format!("invoice/status/{}/{id}", self.service_id);
        let answer = self.ask(self.request(Method::GET, &path, now)).await?;
        Ok(is_cancelled(&answer["invoice_status"]))
    }

    /// Was a payment returned? By its `click_paydoc_id`.
    pub(crate) async fn payment_is_cancelled(&self, id: &str, now: Timestamp) -> Result<bool, CallError> {
        let path = format!("payment/status/{}/{id}", self.service_id);
        let answer = self.ask(self.request(Method::GET, &path, now)).await?;
        Ok(is_cancelled(&answer["payment_status"]))
    }

    /// Has CLICK return a payment, by its `click_paydoc_id`.
    pub(crate) async fn reverse(&self, id: &str, now: Timestamp) -> Result<(), CallError> {
        let path = format!("payment/reversal/{}/{id}", self.service_id);
        self.ask(self.request(Method::DELETE, &path, now)).await.map(|_| ())
    }

    fn request(&self, method: Method, path: &str, now: Timestamp) -> RequestBuilder {
        let shown = auth(self.user_id, self.secret.expose_secret(), now.unix_seconds());
        self.client
            .request(method, format!("{}/{path}", self.base))
            .header("Auth", shown)
            .header("Accept", "application/json")
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, CallError> {
        let answer = call(request).await?.sound()?;
        let said = answer.json().ok_or_else(|| CallError::Unknown("click: no JSON".to_owned()))?;
        match said["error_code"].as_i64() {
            Some(0) => Ok(said),
            Some(error) => Err(CallError::Refused(error)),
            None => Err(CallError::Unknown(format!("click: HTTP {}", answer.status.as_u16()))),
        }
    }
}

/// Statuses of bills and payments count up to success; those below zero are the other end.
fn is_cancelled(status: &Value) -> bool {
    status.as_i64().is_some_and(|status| status < 0)
}

/// `merchant_user_id:sha1(timestamp + secret_key):timestamp`.
fn auth(user: u64, secret: &str, seconds: i64) -> String {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{seconds}{secret}").as_bytes());
    format!("{user}:{}:{seconds}", hex::encode(hash.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_show_who_we_are_as_click_wants_it() {
        // printf '1790000000SECRET' | sha1sum
        let expected = "77:e25d9361e77be2f2829245785adcdbcc9147e6fe:1790000000";
        assert_eq!(auth(77, "SECRET", 1_790_000_000), expected);
    }

    #[test]
    fn only_a_status_below_zero_is_the_other_end() {
        assert!(is_cancelled(&json!(-99)) && is_cancelled(&json!(-1)));
        for other in [json!(0), json!(1), json!(2), json!(null), json!("-1")] {
            assert!(!is_cancelled(&other), "{other}");
        }
    }
}
