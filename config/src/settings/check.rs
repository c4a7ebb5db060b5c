//! The rules between settings, and what production refuses.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ca_core::signer::SCRYPT_PASSES;

use super::{Environment, Problem, Role, Settings};

/// Collects broken rules.
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn unless(&mut self, kept: bool, key: &str, rule: &str) {
        if !kept {
            self.0.push(Problem::new(key, rule));
        }
    }

    pub(super) fn within<N: PartialOrd + std::fmt::Display>(
        &mut self,
        value: N,
        least: N,
        most: N,
        key: &str,
    ) {
        if value < least || value > most {
            self.0.push(Problem::new(key, format!("{least} to {most} is expected, not {value}")));
        }
    }
}

impl Settings {
    /// Every rule these settings break for a process with the given roles, sorted by key.
    pub fn check(&self, roles: &[Role]) -> Vec<Problem> {
        let mut problems = Problems(Vec::new());
        self.check_network(&mut problems);
        self.check_issuance(&mut problems);
        problems.within(self.keys.scrypt_passes, 1, 100, "keys.scrypt_passes");
        self.keys.token.check(&mut problems);
        self.ocsp.token.check(&mut problems);
        self.check_people(&mut problems);
        self.check_named(&mut problems);
        if self.environment == Environment::Production {
            self.check_production(roles, &mut problems);
        }
        problems.0.sort();
        problems.0
    }

    fn check_network(&self, problems: &mut Problems) {
        let http = &self.http;
        problems.within(http.workers, 0, 1024, "http.workers");
        problems.within(http.max_connections, 1, 1_000_000, "http.max_connections");
        problems.within(http.request_timeout.as_secs(), 1, 300, "http.request_timeout_seconds");
        problems.within(http.disconnect_timeout.as_secs(), 1, 300, "http.disconnect_timeout_seconds");
        problems.within(http.drain.as_secs(), 0, 600, "http.drain_seconds");
        problems.within(http.shutdown.as_secs(), 1, 600, "http.shutdown_seconds");
        problems.within(http.max_json_bytes, 1024, 1 << 20, "http.max_json_bytes");
        problems.within(http.max_csr_bytes, 2048, 1 << 20, "http.max_csr_bytes");
        problems.within(http.max_document_bytes, 1 << 16, 5 << 20, "http.max_document_bytes");
        problems.within(http.idempotency.as_secs() / 3600, 1, 24 * 30, "http.idempotency_hours");
        let same = self.operations.listen == http.listen && http.listen.port() != 0;
        problems.unless(!same, "operations.listen", "it must be another port than http.listen");
        let tls = &http.tls;
        if let Some(listen) = tls.listen {
            let same = [http.listen, self.operations.listen].contains(&listen) && listen.port() != 0;
            problems.unless(!same, "http.tls.listen", "it must be a port of its own");
            for (file, key) in
                [(&tls.certificate_file, "http.tls.certificate_file"), (&tls.key_file, "http.tls.key_file")]
            {
                problems.unless(file.is_some(), key, "TLS needs this file");
            }
        }
        problems.within(self.database.pool_size, 1, 1000, "database.pool_size");
        problems.within(
            self.database.pool_timeout.as_millis(),
            10,
            60_000,
            "database.pool_timeout_milliseconds",
        );
        let statement = self.database.statement_timeout.as_millis();
        problems.within(statement, 100, 600_000, "database.statement_timeout_milliseconds");
        problems.unless(
            !self.data.directory.as_os_str().is_empty(),
            "data.directory",
            "a directory is expected",
        );
        for (path, key) in [
            (&self.documents.directory, "documents.directory"),
            (&self.documents.key_file, "documents.key_file"),
            (&self.keys.directory, "keys.directory"),
            (&self.ocsp.key_file, "ocsp.key_file"),
            (&self.ocsp.certificate_file, "ocsp.certificate_file"),
            (&self.crl.repository_directory, "crl.repository_directory"),
        ] {
            problems.unless(!path.as_os_str().is_empty(), key, "a path is expected");
        }
        problems.within(self.retention.refused.as_secs() / 86_400, 1, 36_600, "retention.refused_days");
        problems.within(
            self.retention.after_end.as_secs() / (366 * 86_400),
            1,
            100,
            "retention.after_end_years",
        );
        let masters = &self.documents.master_keys;
        problems.unless(!masters.is_empty(), "documents.master_keys", "at least one key is expected");
        let labels: Vec<_> = self.documents.master_key_labels().collect();
        self.documents.token.check(&labels, problems);
    }

    fn check_issuance(&self, problems: &mut Problems) {
        // O'RQ-793: a certificate is valid for at most 24 months.
        problems.within(self.issuance.validity_months, 1, 24, "issuance.validity_months");
        problems.within(self.issuance.batch_size, 1, 10_000, "issuance.batch_size");
        problems.within(
            self.issuance.poll_interval.as_millis(),
            10,
            60_000,
            "issuance.poll_interval_milliseconds",
        );
        problems.within(self.issuance.lease.as_secs(), 5, 3600, "issuance.lease_seconds");
        for (url, key) in [
            (&self.issuance.ocsp_url, "issuance.ocsp_url"),
            (&self.issuance.repository_url, "issuance.repository_url"),
        ] {
            problems.unless(!url.is_https(), key, "certificates carry plain http here (RFC 5280 section 8)");
        }
        problems.within(self.ocsp.validity.as_secs(), 60, 7 * 86_400, "ocsp.validity_seconds");
        problems.within(self.ocsp.max_request_bytes, 512, 1 << 20, "ocsp.max_request_bytes");
        problems.within(self.ocsp.feed_poll.as_millis(), 10, 10_000, "ocsp.feed_poll_milliseconds");
        problems.within(self.ocsp.reconcile.as_secs(), 1, 86_400, "ocsp.reconcile_seconds");
        problems.within(self.ocsp.snapshot.as_secs(), 1, 86_400, "ocsp.snapshot_seconds");
        problems.within(self.ocsp.archive_cutoff_days, 0, 36_500, "ocsp.archive_cutoff_days");
        problems.within(self.ocsp.kept_answers_bytes, 1 << 20, 1 << 40, "ocsp.kept_answers_bytes");
        problems.within(self.ocsp.overload.as_millis(), 10, 60_000, "ocsp.overload_milliseconds");
        problems.within(self.crl.validity.as_secs() / 3600, 1, 24 * 90, "crl.validity_hours");
        problems.unless(
            self.crl.overlap < self.crl.validity,
            "crl.overlap_hours",
            "it must be below crl.validity_hours",
        );
        problems.within(self.crl.due_check.as_millis(), 100, 600_000, "crl.due_check_milliseconds");
        problems.within(self.crl.min_interval.as_secs(), 0, 60, "crl.min_interval_seconds");
        problems.unless(
            self.crl.alarm < self.crl.overlap,
            "crl.alarm_minutes",
            "it must be below crl.overlap_hours, when the next CRL is due",
        );
        problems.within(self.crl.max_bytes, 4096, 16 << 30, "crl.max_bytes");
        problems.within(self.crl.kept, 1, 1000, "crl.kept");
        problems.within(self.audit.head.as_secs(), 10, 3600, "audit.head_seconds");
        let place = self.crl.store_url.as_str();
        let is_known = place.is_empty()
            || ["s3://", "file:///"]
                .iter()
                .any(|scheme| place.len() > scheme.len() && place.starts_with(scheme));
        problems.unless(is_known, "crl.store_url", "s3://BUCKET/PREFIX or file:///PATH is expected");
    }

    fn check_people(&self, problems: &mut Problems) {
        let sms = &self.sms;
        problems.within(sms.code_digits, 4, 9, "sms.code_digits");
        problems.within(sms.code_lifetime.as_secs(), 30, 3600, "sms.code_lifetime_seconds");
        problems.within(sms.code_tries, 1, 10, "sms.code_tries");
        problems.within(sms.resend.as_secs(), 1, 3600, "sms.resend_seconds");
        problems.within(sms.per_phone_per_hour, 1, 1000, "sms.per_phone_per_hour");
        problems.within(sms.per_phone_per_day, sms.per_phone_per_hour, 10_000, "sms.per_phone_per_day");
        problems.within(sms.per_address_per_hour, 1, 1_000_000, "sms.per_address_per_hour");
        self.check_messages(problems);
        problems.within(self.captcha.characters, 4, 6, "captcha.characters");
        problems.within(self.captcha.lifetime.as_secs(), 30, 3600, "captcha.lifetime_seconds");
        problems.within(
            self.applications.draft_lifetime.as_secs() / 86_400,
            1,
            366,
            "applications.draft_lifetime_days",
        );
        problems.within(self.applications.open_per_phone, 1, 1000, "applications.open_per_phone");
        problems.within(self.invoices.validity.as_secs() / 86_400, 1, 90, "invoices.validity_days");
        problems.within(
            self.sessions.applicant_lifetime.as_secs(),
            60,
            30 * 86_400,
            "sessions.applicant_lifetime_seconds",
        );
        problems.within(
            self.sessions.officer_lifetime.as_secs(),
            60,
            86_400,
            "sessions.officer_lifetime_seconds",
        );
        let idle = self.sessions.officer_idle;
        let ordered = idle >= Duration::from_secs(30) && idle <= self.sessions.officer_lifetime;
        problems.unless(
            ordered,
            "sessions.officer_idle_seconds",
            "30 to sessions.officer_lifetime_seconds is expected",
        );
        self.check_passwords(problems);
        for (limit, key) in [
            (self.limits.requests_per_address_per_minute, "limits.requests_per_address_per_minute"),
            (self.limits.captchas_per_address_per_minute, "limits.captchas_per_address_per_minute"),
            (self.limits.sign_ins_per_address_per_minute, "limits.sign_ins_per_address_per_minute"),
            (self.limits.applications_per_address_per_hour, "limits.applications_per_address_per_hour"),
        ] {
            problems.within(limit, 1, 10_000_000, key);
        }
    }

    fn check_passwords(&self, problems: &mut Problems) {
        let officers = &self.officers;
        problems.within(officers.password_min_characters, 10, 128, "officers.password_min_characters");
        problems.within(officers.lockout_failures, 1, 100, "officers.lockout_failures");
        problems.within(officers.lockout.as_secs(), 1, 86_400, "officers.lockout_seconds");
        // The least that OWASP's password storage sheet accepts for one pass is 46 MiB, for two 19 MiB, for five 7 MiB.
        problems.within(
            officers.password_memory_kibibytes,
            7168,
            1 << 20,
            "officers.password_memory_kibibytes",
        );
        problems.within(officers.password_iterations, 1, 20, "officers.password_iterations");
        problems.within(officers.password_parallel_hashes, 1, 64, "officers.password_parallel_hashes");
    }

    fn check_named(&self, problems: &mut Problems) {
        self.check_payments(problems);
        let mut key_ids = HashSet::new();
        for (name, partner) in &self.partners {
            let key = format!("partners.{name}");
            problems.unless(is_slug(name), &key, "the name is made of a-z, 0-9, - and _");
            let partners_own = partner.channel.requires_partner();
            problems.unless(partners_own, &format!("{key}.channel"), "anybody may use this channel");
            problems.within(partner.per_minute, 1, 10_000_000, &format!("{key}.per_minute"));
            problems.unless(!partner.keys.is_empty(), &format!("{key}.keys"), "a key is expected");
            for (id, file) in &partner.keys {
                let key = format!("{key}.keys.{id}");
                problems.unless(is_slug(id), &key, "the key id is made of a-z, 0-9, - and _");
                problems.unless(!file.as_os_str().is_empty(), &key, "a file is expected");
                problems.unless(key_ids.insert(id), &key, "two partners must not share a key id");
            }
            let key = format!("{key}.certificates_sha256");
            let shown = &partner.certificates_sha256;
            let read =
                shown.iter().all(|hash| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit()));
            problems.unless(read, &key, "each is a SHA-256 in 64 hexadecimal digits");
            let asked = self.http.tls.listen.is_some() && self.http.tls.client_ca_file.is_some();
            problems.unless(
                shown.is_empty() || asked,
                &key,
                "nobody is asked for a certificate: http.tls.listen and http.tls.client_ca_file are needed",
            );
        }
    }

    fn check_production(&self, roles: &[Role], problems: &mut Problems) {
        problems.unless(
            self.clock_offset_seconds == 0,
            "clock_offset_seconds",
            "production keeps the system's time",
        );
        if roles.contains(&Role::Api) {
            problems.unless(self.public_url.is_https(), "public_url", "production needs https");
            self.check_messages_in_production(problems);
            problems.unless(
                self.officers.totp_required,
                "officers.totp_required",
                "production needs the second factor",
            );
            problems.secret(Some(&self.documents.key_file), "documents.key_file", 32);
            for file in self.documents.master_key_files() {
                problems.secret(Some(file), "documents.master_keys", 32);
            }
            if self.documents.master_key_labels().next().is_some() {
                problems.secret(self.documents.token.pin_file.as_deref(), "documents.token.pin_file", 4);
            }
            self.check_payments_in_production(problems);
        }
        // Whoever makes keys has this setting, whatever their role.
        problems.unless(
            self.keys.scrypt_passes >= SCRYPT_PASSES,
            "keys.scrypt_passes",
            &format!("production needs {SCRYPT_PASSES} at least"),
        );
        if roles.contains(&Role::Signer) {
            problems.unless(
                !on_this_machine(self.issuance.ocsp_url.as_str()),
                "issuance.ocsp_url",
                REACHABLE,
            );
            problems.unless(
                !on_this_machine(self.issuance.repository_url.as_str()),
                "issuance.repository_url",
                REACHABLE,
            );
            match self.keys.token.issuing() {
                // A token counts wrong PINs; a file does not.
                Some(key) => problems.secret(key.pin_file.map(PathBuf::as_path), "keys.token.pin_file", 4),
                None => problems.secret(self.keys.passphrase_file.as_deref(), "keys.passphrase_file", 12),
            }
        }
        if roles.contains(&Role::Ocsp) {
            match self.ocsp.token.key() {
                Some(key) => problems.secret(key.pin_file.map(PathBuf::as_path), "ocsp.token.pin_file", 4),
                None => problems.secret(self.ocsp.passphrase_file.as_deref(), "ocsp.passphrase_file", 12),
            }
        }
    }
}

const REACHABLE: &str = "certificates carry it: it must be reachable from other machines";

impl Problems {
    /// A file with a secret exists, is long enough and is not open to other users.
    pub(super) fn secret(&mut self, file: Option<&Path>, key: &str, least_bytes: u64) {
        let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else {
            return self.unless(false, key, "production needs this file");
        };
        let Ok(metadata) = std::fs::metadata(file) else {
            return self.unless(false, key, &format!("there is no file {}", file.display()));
        };
        let long = metadata.is_file() && metadata.len() >= least_bytes;
        self.unless(long, key, &format!("a file of at least {least_bytes} octets is expected"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = metadata.permissions().mode() & 0o077 == 0;
            self.unless(private, key, "only its owner may read or write the file (mode 0600)");
        }
    }
}

pub(super) fn on_this_machine(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    ["127.", "localhost", "[::1]", "0.0.0.0"].iter().any(|local| host.starts_with(local))
}

pub(super) fn is_slug(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}
