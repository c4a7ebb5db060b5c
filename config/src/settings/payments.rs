//! The sections about payment providers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::values::{HttpUrl, optional_path, seconds};

/// Addresses and networks; empty stands for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network(IpNet);

impl Networks {
    /// Does a caller from this address belong to them?
    pub fn allow(&self, address: IpAddr) -> bool {
        let address = address.to_canonical(); // ::ffff:10.0.0.1 is 10.0.0.1
        self.0.is_empty() || self.0.iter().any(|network| network.0.contains(&address))
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| de::Error::custom("an address or a network like 10.0.0.0/8 is expected"))
    }
}

/// `[payments]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// CLICK.
    pub click: Click,
    /// Payme.
    pub payme: Payme,
    /// Paynet.
    pub paynet: Paynet,
    /// `[payments.webhook.NAME]`: gateways that report payments in signed calls.
    pub webhook: HashMap<String, Webhook>,
    /// Comparing the ledger with statements.
    pub reconciliation: Reconciliation,
}

/// `[payments.click]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Click {
    /// The service's number; 0 switches CLICK off.
    pub service_id: u64,
    /// The SECRET_KEY, with which CLICK signs its calls and we sign ours.
    #[serde(deserialize_with = "optional_path")]
    pub secret_file: Option<PathBuf>,
    /// The merchant's number, for the pay link.
    pub merchant_id: u64,
    /// The user of the merchant API; 0: CLICK is never called, for bills and reversals neither.
    pub merchant_user_id: u64,
    /// The merchant API.
    pub api_url: HttpUrl,
    /// Where the applicant pays; `{service_id}`, `{merchant_id}`, `{amount}` and `{number}` are filled in.
    pub pay_url: String,
    /// Who may call us.
    pub callback_addresses: Networks,
    /// How long a call of ours may take.
    #[serde(rename = "timeout_seconds", deserialize_with = "seconds")]
    pub timeout: Duration,
}

/// `[payments.payme]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payme {
    /// The cash desk's name at Payme; empty switches Payme off.
    pub merchant_id: String,
    /// The cash desk's key, the password of Payme's calls.
    #[serde(deserialize_with = "optional_path")]
    pub key_file: Option<PathBuf>,
    /// What the cash desk calls the field with the invoice's number.
    pub account_field: String,
    /// Where the applicant pays.
    pub checkout_url: HttpUrl,
    /// Who may call us.
    pub callback_addresses: Networks,
}

/// `[payments.paynet]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paynet {
    /// The service's number; 0 switches Paynet off.
    pub service_id: u64,
    /// The user name of Paynet's calls.
    pub login: String,
    /// Their password.
    #[serde(deserialize_with = "optional_path")]
    pub password_file: Option<PathBuf>,
    /// What the service calls the field with the invoice's number.
    pub account_field: String,
    /// Where the applicant pays; `{number}` and `{amount}` are filled in. Empty: at a terminal only.
    pub pay_url: String,
    /// Who may call us.
    pub callback_addresses: Networks,
}

/// `[payments.webhook.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The HMAC-SHA256 key, at least 32 octets.
    pub secret_file: PathBuf,
    /// Where the applicant pays; `{number}` stands for the invoice's.
    pub pay_url: String,
    /// Who may call us.
    pub callback_addresses: Networks,
}

/// `[payments.reconciliation]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconciliation {
    /// Where statements are put, `PROVIDER-YYYY-MM-DD.csv` or `.json`; `None`: no day is compared by itself.
    #[serde(deserialize_with = "optional_path")]
    pub directory: Option<PathBuf>,
    /// From which hour in Tashkent the day before is compared.
    pub hour: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_one_of_the_networks_or_there_are_none() {
        let networks = |list: &str| serde_json::from_str::<Networks>(list).unwrap();
        let some = networks(r#"["185.234.113.0/28", "10.1.2.3", "fd00::/8"]"#);
        for (address, allowed) in [
            ("185.234.113.15", true),
            ("185.234.113.16", false),
            ("10.1.2.3", true),
            ("10.1.2.4", false),
            ("::ffff:10.1.2.3", true),
            ("fd00::1", true),
            ("::1", false),
        ] {
            assert_eq!(some.allow(address.parse().unwrap()), allowed, "{address}");
        }
        assert!(networks("[]").allow("192.0.2.1".parse().unwrap()));
        assert!(serde_json::from_str::<Networks>(r#"["10.0.0.0/33"]"#).is_err());
    }
}
