//! The sections about text messages and mail.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::values::{HttpUrl, optional_path, seconds};

/// Who carries text messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmsProvider {
    /// Nobody: messages are kept to be read at `/sandbox/messages`.
    Sandbox,
    /// Eskiz, `[sms.eskiz]`.
    Eskiz,
    /// PlayMobile, also known as smsxabar, `[sms.playmobile]`.
    PlayMobile,
}

impl SmsProvider {
    /// The name in the settings, the database and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Eskiz => "eskiz",
            Self::PlayMobile => "playmobile",
        }
    }
}

/// Who carries mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailProvider {
    /// Nobody: mail is kept to be read at `/sandbox/messages`.
    Sandbox,
    /// A mail server, `[mail.smtp]`.
    Smtp,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first octet (RFC 8314 section 3.3).
    Implicit,
    /// STARTTLS (RFC 3207), and no mail without it.
    StartTls,
    /// Not at all: a server on this machine.
    None,
}

/// `[sms]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Who carries them: the first, and when it fails the next.
    pub providers: Vec<SmsProvider>,
    /// Digits of a code.
    pub code_digits: u32,
    /// How long a code is good for.
    #[serde(rename = "code_lifetime_seconds", deserialize_with = "seconds")]
    pub code_lifetime: Duration,
    /// Wrong codes before it is good no more.
    pub code_tries: u32,
    /// How long before another code may be asked for.
    #[serde(rename = "resend_seconds", deserialize_with = "seconds")]
    pub resend: Duration,
    /// Codes to one phone in an hour.
    pub per_phone_per_hour: u32,
    /// Codes to one phone in a day.
    pub per_phone_per_day: u32,
    /// Codes asked for by one address in an hour.
    pub per_address_per_hour: u32,
    /// The hour in Tashkent from which nobody is disturbed but for codes; the same as the next one: at no time.
    pub quiet_from_hour: u8,
    /// The hour until which.
    pub quiet_until_hour: u8,
    /// Failures in a row after which a gateway is left alone.
    pub breaker_failures: u32,
    /// How long, before one message tries it again.
    #[serde(rename = "breaker_rest_seconds", deserialize_with = "seconds")]
    pub breaker_rest: Duration,
    /// The first gateway.
    pub eskiz: Eskiz,
    /// The second.
    pub playmobile: PlayMobile,
}

/// `[sms.eskiz]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eskiz {
    /// Where its API begins.
    pub base_url: HttpUrl,
    /// The account's mail address.
    pub login: String,
    /// The account's password.
    #[serde(deserialize_with = "optional_path")]
    pub password_file: Option<PathBuf>,
    /// The name or number messages come from.
    pub sender: String,
    /// How long one call may take.
    #[serde(rename = "timeout_seconds", deserialize_with = "seconds")]
    pub timeout: Duration,
    /// Addresses that may report what became of messages; empty is any that knows the callback's token.
    pub callback_addresses: Vec<IpAddr>,
}

/// `[sms.playmobile]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayMobile {
    /// Where its API begins.
    pub base_url: HttpUrl,
    /// The account's login.
    pub login: String,
    /// The account's password.
    #[serde(deserialize_with = "optional_path")]
    pub password_file: Option<PathBuf>,
    /// The number or name messages come from.
    pub sender: String,
    /// What the names of our messages there begin with.
    pub message_id_prefix: String,
    /// How long one call may take.
    #[serde(rename = "timeout_seconds", deserialize_with = "seconds")]
    pub timeout: Duration,
}

/// `[mail]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Who carries it.
    pub provider: MailProvider,
    /// The address it comes from.
    pub sender: String,
    /// The mail server.
    pub smtp: Smtp,
    /// The signature that proves whose mail it is.
    pub dkim: Dkim,
}

/// `[mail.smtp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port: 587 for STARTTLS, 465 for implicit TLS.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// A CA certificate, PEM, to trust instead of those of the system.
    #[serde(deserialize_with = "optional_path")]
    pub ca_file: Option<PathBuf>,
    /// The account; empty: the server asks for none.
    pub login: String,
    /// Its password.
    #[serde(deserialize_with = "optional_path")]
    pub password_file: Option<PathBuf>,
    /// How long one command may take.
    #[serde(rename = "timeout_seconds", deserialize_with = "seconds")]
    pub timeout: Duration,
    /// Connections open at a time.
    pub connections: u32,
}

/// `[mail.dkim]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// The key's name in the DNS; empty: mail is not signed.
    pub selector: String,
    /// The domain that answers for the mail; empty: that of `mail.sender`.
    pub domain: String,
    /// The private key, PKCS#8 PEM: RSA of 2048 bits or more, or Ed25519.
    #[serde(deserialize_with = "optional_path")]
    pub key_file: Option<PathBuf>,
}
