//! The rules for gateways of text messages and mail.

use std::net::IpAddr;
use std::path::Path;

use super::check::{Problems, on_this_machine};
use super::{HttpUrl, MailProvider, MailTls, Settings, SmsProvider};

/// The longest name a text message comes from: 11 letters and digits (3GPP TS 23.040 section 9.1.2.5), or a number.
const SENDER: &str = "1 to 15 Latin letters and digits are expected";

impl Settings {
    pub(super) fn check_messages(&self, problems: &mut Problems) {
        self.check_sms(problems);
        for provider in [SmsProvider::Eskiz, SmsProvider::PlayMobile] {
            if self.sms.providers.contains(&provider) {
                self.check_gateway(provider, problems);
            }
        }
        self.check_mail(problems);
    }

    fn check_sms(&self, problems: &mut Problems) {
        let sms = &self.sms;
        problems.unless(!sms.providers.is_empty(), "sms.providers", "at least one is expected");
        let twice =
            sms.providers.iter().enumerate().any(|(n, provider)| sms.providers[..n].contains(provider));
        problems.unless(!twice, "sms.providers", "each is named once");
        problems.within(sms.quiet_from_hour, 0, 23, "sms.quiet_from_hour");
        problems.within(sms.quiet_until_hour, 0, 23, "sms.quiet_until_hour");
        problems.within(sms.breaker_failures, 1, 1000, "sms.breaker_failures");
        problems.within(sms.breaker_rest.as_secs(), 1, 3600, "sms.breaker_rest_seconds");
        for (timeout, key) in [
            (sms.eskiz.timeout, "sms.eskiz.timeout_seconds"),
            (sms.playmobile.timeout, "sms.playmobile.timeout_seconds"),
        ] {
            problems.within(timeout.as_secs(), 1, 60, key);
        }
        let prefix = &sms.playmobile.message_id_prefix;
        let short =
            (1..=6).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        problems.unless(
            short,
            "sms.playmobile.message_id_prefix",
            "1 to 6 Latin letters and digits are expected",
        );
    }

    fn check_gateway(&self, provider: SmsProvider, problems: &mut Problems) {
        let key = |name: &str| format!("sms.{}.{name}", provider.as_str());
        let (base_url, login, password_file, sender) = self.account(provider);
        problems.unless(!base_url.is_empty(), &key("base_url"), "a URL is expected");
        problems.unless(!login.is_empty(), &key("login"), "a login is expected");
        problems.unless(password_file.is_some(), &key("password_file"), "a file is expected");
        let sends =
            (1..=15).contains(&sender.len()) && sender.bytes().all(|byte| byte.is_ascii_alphanumeric());
        problems.unless(sends, &key("sender"), SENDER);
    }

    fn account(&self, provider: SmsProvider) -> (&HttpUrl, &str, Option<&Path>, &str) {
        let (eskiz, playmobile) = (&self.sms.eskiz, &self.sms.playmobile);
        match provider {
            SmsProvider::PlayMobile => (
                &playmobile.base_url,
                &playmobile.login,
                playmobile.password_file.as_deref(),
                &playmobile.sender,
            ),
            SmsProvider::Eskiz | SmsProvider::Sandbox => {
                (&eskiz.base_url, &eskiz.login, eskiz.password_file.as_deref(), &eskiz.sender)
            }
        }
    }

    fn check_mail(&self, problems: &mut Problems) {
        let (sender, smtp, dkim) = (&self.mail.sender, &self.mail.smtp, &self.mail.dkim);
        let address =
            sender.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
        problems.unless(address, "mail.sender", "a mail address is expected");
        problems.within(smtp.timeout.as_secs(), 1, 120, "mail.smtp.timeout_seconds");
        problems.within(smtp.connections, 1, 100, "mail.smtp.connections");
        if self.mail.provider == MailProvider::Smtp {
            problems.unless(!smtp.host.is_empty(), "mail.smtp.host", "a host is expected");
            let password = smtp.login.is_empty() || smtp.password_file.is_some();
            problems.unless(password, "mail.smtp.password_file", "a file is expected");
            let protected = smtp.tls != MailTls::None || is_loopback(&smtp.host);
            problems.unless(protected, "mail.smtp.tls", "without TLS only to a server on this machine");
        }
        let key = dkim.selector.is_empty() || dkim.key_file.is_some();
        problems.unless(key, "mail.dkim.key_file", "a file is expected");
    }

    pub(super) fn check_messages_in_production(&self, problems: &mut Problems) {
        let sandbox = self.sms.providers.contains(&SmsProvider::Sandbox);
        problems.unless(!sandbox, "sms.providers", "production does not use the sandbox");
        for provider in self.sms.providers.iter().filter(|provider| **provider != SmsProvider::Sandbox) {
            let key = |name: &str| format!("sms.{}.{name}", provider.as_str());
            let (base_url, _, password_file, _) = self.account(*provider);
            let private = base_url.is_https() || on_this_machine(base_url.as_str());
            problems.unless(private, &key("base_url"), "production needs https");
            problems.secret(password_file, &key("password_file"), 1);
        }
        let smtp = self.mail.provider == MailProvider::Smtp;
        problems.unless(smtp, "mail.provider", "production does not use the sandbox");
        if smtp && !self.mail.smtp.login.is_empty() {
            problems.secret(self.mail.smtp.password_file.as_deref(), "mail.smtp.password_file", 1);
        }
        if !self.mail.dkim.selector.is_empty() {
            problems.secret(self.mail.dkim.key_file.as_deref(), "mail.dkim.key_file", 1);
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
