//! What holds between the settings of payment providers.

use std::path::Path;

use super::Settings;
use super::check::{Problems, is_slug, on_this_machine};

/// Providers that are not gateways, and what is no provider at all: officers' records.
const TAKEN: [&str; 5] = ["click", "payme", "paynet", "cash", "bank-transfer"];

impl Settings {
    pub(super) fn check_payments(&self, problems: &mut Problems) {
        let payments = &self.payments;
        problems.within(payments.reconciliation.hour, 0, 23, "payments.reconciliation.hour");
        problems.within(payments.click.timeout.as_secs(), 1, 120, "payments.click.timeout_seconds");
        for (on, file, key) in self.provider_secrets() {
            problems.unless(!on || file.is_some(), key, "a file is expected");
        }
        if payments.click.merchant_user_id > 0 {
            let url = !payments.click.api_url.is_empty();
            problems.unless(url, "payments.click.api_url", "bills and reversals need it");
        }
        if !payments.payme.merchant_id.is_empty() {
            let url = !payments.payme.checkout_url.is_empty();
            problems.unless(url, "payments.payme.checkout_url", "a URL is expected");
        }
        for (field, key) in [
            (&payments.payme.account_field, "payments.payme.account_field"),
            (&payments.paynet.account_field, "payments.paynet.account_field"),
        ] {
            problems.unless(is_slug(field), key, "the name is made of a-z, 0-9, - and _");
        }
        if payments.paynet.service_id > 0 {
            let login = !payments.paynet.login.is_empty() && !payments.paynet.login.contains(':');
            problems.unless(login, "payments.paynet.login", "a user name without a colon is expected");
        }
        for (url, key) in [
            (&payments.click.pay_url, "payments.click.pay_url"),
            (&payments.paynet.pay_url, "payments.paynet.pay_url"),
        ] {
            problems.unless(url.is_empty() || url.contains("{number}"), key, "{number} is expected in it");
        }
        for (name, webhook) in &payments.webhook {
            let key = format!("payments.webhook.{name}");
            problems.unless(is_slug(name), &key, "the name is made of a-z, 0-9, - and _");
            problems.unless(!TAKEN.contains(&name.as_str()), &key, "another provider has this name");
            let named = !webhook.secret_file.as_os_str().is_empty();
            problems.unless(named, &format!("{key}.secret_file"), "a file is expected");
            let link = webhook.pay_url.is_empty() || webhook.pay_url.contains("{number}");
            problems.unless(link, &format!("{key}.pay_url"), "{number} is expected in it");
        }
    }

    pub(super) fn check_payments_in_production(&self, problems: &mut Problems) {
        for (on, file, key) in self.provider_secrets() {
            if on {
                problems.secret(file, key, 8);
            }
        }
        if self.payments.click.merchant_user_id > 0 {
            let url = self.payments.click.api_url.as_str();
            let safe = self.payments.click.api_url.is_https() || on_this_machine(url);
            problems.unless(safe, "payments.click.api_url", "production needs https");
        }
        for (name, webhook) in &self.payments.webhook {
            let key = format!("payments.webhook.{name}");
            problems.unless(name != "sandbox", &key, "production does not use the sandbox");
            problems.secret(Some(&webhook.secret_file), &format!("{key}.secret_file"), 32);
        }
    }

    /// Whether a provider is switched on, its secret, and the key that names it.
    fn provider_secrets(&self) -> [(bool, Option<&Path>, &'static str); 3] {
        let payments = &self.payments;
        [
            (
                payments.click.service_id > 0,
                payments.click.secret_file.as_deref(),
                "payments.click.secret_file",
            ),
            (
                !payments.payme.merchant_id.is_empty(),
                payments.payme.key_file.as_deref(),
                "payments.payme.key_file",
            ),
            (
                payments.paynet.service_id > 0,
                payments.paynet.password_file.as_deref(),
                "payments.paynet.password_file",
            ),
        ]
    }
}
