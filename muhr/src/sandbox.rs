//! What `muhr up` makes for itself where nothing is configured: secrets, officers, a payment provider, a partner.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca_core::application::Role;
use ca_core::fee::Channel;
use ca_signer::keys;
use config::Settings;
use config::settings::Sources;
use store::{Database, officers};

use crate::failure::Failure;
use crate::officer;

const OFFICERS: &str = "sandbox-officers.json";
const PARTNERS: &str = "sandbox-partners.json";
const PAYMENT_SECRET: &str = "payments-sandbox.secret";

/// The secrets of a data directory that has none yet, and the settings that name them. What exists stays.
pub(crate) fn secrets(data: &Path, public_url: &str, sources: Sources) -> Result<Sources, Failure> {
    write_once(&data.join("keys/passphrase"), || random(24))?;
    write_once(&data.join(PAYMENT_SECRET), || random(32))?;
    let partners = data.join(PARTNERS);
    write_once(&partners, || {
        let token: BTreeMap<&str, String> = BTreeMap::from([(Channel::MyGov.as_str(), random(32)?)]);
        Ok(serde_json::to_string_pretty(&token)?)
    })?;
    let tokens: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&partners)?)?;
    let mut sources = sources
        .with("payments.webhook.sandbox.secret_file", PAYMENT_SECRET)
        .with("payments.webhook.sandbox.pay_url", format!("{public_url}/sandbox/payments/{{number}}"));
    for (channel, token) in tokens {
        let sha256 = hex::encode(digest::digest(&digest::SHA256, token.as_bytes()));
        let name: String = channel.chars().map(|c| if c == '.' { '-' } else { c }).collect();
        sources = sources
            .with(&format!("partners.{name}.channel"), channel)
            .with(&format!("partners.{name}.token_sha256"), sha256);
    }
    // Everybody comes from one address here; what is counted per phone stays as in production.
    for limit in [
        "limits.requests_per_address_per_minute",
        "limits.captchas_per_address_per_minute",
        "limits.sign_ins_per_address_per_minute",
        "limits.applications_per_address_per_hour",
        "sms.per_address_per_hour",
    ] {
        sources = sources.with(limit, "1000000");
    }
    Ok(sources)
}

/// One officer of each role, with one-time passwords in a file that only its owner reads.
pub(crate) fn officers(database: &Database, settings: &Settings) -> Result<(), Failure> {
    if !database.read(officers::all)?.is_empty() {
        return Ok(());
    }
    let now = settings.clock().now();
    let mut passwords = BTreeMap::new();
    for role in Role::ALL {
        let password = officer::add(database, settings, role.as_str(), role, now)?;
        passwords.insert(role.as_str(), password);
    }
    let path = settings.data.directory.join(OFFICERS);
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    keys::write_new(&path, serde_json::to_string_pretty(&passwords)?.as_bytes())?;
    Ok(())
}

/// Logins and one-time passwords, for the terminal of the one who started the sandbox.
pub(crate) fn logins(data: &Path) -> Result<BTreeMap<String, String>, Failure> {
    Ok(serde_json::from_slice(&std::fs::read(data.join(OFFICERS))?)?)
}

fn write_once(path: &Path, content: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
    if !path.exists() {
        keys::write_new(path, content()?.as_bytes())?;
    }
    Ok(())
}

fn random(octets: usize) -> Result<String, Failure> {
    let mut random = vec![0_u8; octets];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Failure::new("no random octets"))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
