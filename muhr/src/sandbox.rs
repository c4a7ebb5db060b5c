//! What `muhr up` makes for itself where nothing is configured: secrets, officers, a payment provider, a partner.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca_core::application::Role;
use ca_core::bundle;
use ca_core::csr::SubjectPublicKey;
use ca_core::fee::Channel;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use ca_signer::officer_ca::OfficerCa;
use ca_signer::{Keyring, keys};
use config::Settings;
use config::settings::Sources;
use der::pem::{self, LineEnding};
use store::{Database, StoreError, officer_statements, officers};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::officer;

const OFFICERS: &str = "sandbox-officers.json";
/// Where their keys are.
const OFFICER_KEYS: &str = "sandbox-officers";
/// An officer's certificate is renewed when it has less than this to live.
const RENEWAL: Duration = Duration::from_secs(14 * 24 * 3600);
/// The partner that plays my.gov.uz: its name in the settings, and its key's id.
const PARTNER: &str = "my-gov-uz";
const PARTNER_KEY: &str = "partner-my-gov-uz.key";
const PARTNER_PUBLIC_KEY: &str = "partner-my-gov-uz.pem";
const PAYMENT_SECRET: &str = "payments-sandbox.secret";

/// The secrets of a data directory that has none yet, and the settings that name them. What exists stays.
pub(crate) fn secrets(
    data: &Path,
    public_url: &str,
    in_shares: bool,
    sources: Sources,
) -> Result<Sources, Failure> {
    if !in_shares {
        write_once(&data.join("keys/passphrase"), || random(24))?;
    }
    write_once(&data.join(PAYMENT_SECRET), || random(32))?;
    partner_key(data)?;
    let mut sources = sources
        .with("payments.webhook.sandbox.secret_file", PAYMENT_SECRET)
        .with("payments.webhook.sandbox.pay_url", format!("{public_url}/sandbox/payments/{{number}}"))
        .with(&format!("partners.{PARTNER}.channel"), Channel::MyGov.as_str())
        .with(&format!("partners.{PARTNER}.keys.{PARTNER}"), PARTNER_PUBLIC_KEY);
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

/// The key that a partner would have made itself: the private half for whoever tries it out, the public half for us.
fn partner_key(data: &Path) -> Result<(), Failure> {
    let unusable = || Failure::new(format!("{PARTNER_KEY} cannot be used"));
    let private = data.join(PARTNER_KEY);
    write_once(&private, || {
        let pair = Ed25519KeyPair::generate().map_err(|_| Failure::new("no random octets"))?;
        // Version 1: OpenSSL 3.0 does not read a key that carries its public half.
        let der = pair.to_pkcs8v1().map_err(|_| Failure::new("a key that cannot be written"))?;
        pem::encode_string("PRIVATE KEY", LineEnding::LF, der.as_ref()).map_err(|_| unusable())
    })?;
    write_once(&data.join(PARTNER_PUBLIC_KEY), || {
        let (_, der) = pem::decode_vec(&std::fs::read(&private)?).map_err(|_| unusable())?;
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_| unusable())?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| unusable())?;
        pem::encode_string("PUBLIC KEY", LineEnding::LF, public.as_ref()).map_err(|_| unusable())
    })
}

/// One officer of each role, and the second ones that two pairs of eyes take.
fn accounts() -> impl Iterator<Item = (&'static str, Role)> {
    let first = Role::ALL.map(|role| (role.as_str(), role));
    first.into_iter().chain([("reviewer2", Role::Reviewer), ("admin2", Role::Admin)])
}

/// One officer of each role, and the second ones that two pairs of eyes take, with one-time passwords in a file that only
/// its owner reads.
pub(crate) fn officers(database: &Database, settings: &Settings) -> Result<(), Failure> {
    if !database.read(officers::all)?.is_empty() {
        return Ok(());
    }
    let now = settings.clock().now();
    let mut passwords = BTreeMap::new();
    for (login, role) in accounts() {
        let password = officer::add(database, settings, login, role, now)?;
        passwords.insert(login, password);
    }
    let path = settings.data.directory.join(OFFICERS);
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    keys::write_new(&path, serde_json::to_string_pretty(&passwords)?.as_bytes())?;
    Ok(())
}

/// A key and a certificate for each of the sandbox's officers, in a file that only its owner reads. What ends soon is made anew.
pub(crate) fn officer_keys(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
) -> Result<(), Failure> {
    let now = settings.clock().now();
    // Its key is opened once, and only if somebody needs it.
    let mut authority: Option<OfficerCa> = None;
    for (login, _) in accounts() {
        let path = settings.data.directory.join(OFFICER_KEYS).join(format!("{login}.pem"));
        let account = match database.read(|c| officers::find(c, login)) {
            Err(StoreError::NotFound) => continue,
            other => other?,
        };
        let known = database.read(|c| officer_statements::certificates_of(c, login))?;
        let good = known.iter().any(|known| {
            known.revoked_at.is_none()
                && known.officer == account.officer
                && known.not_after > now.plus(RENEWAL)
        });
        if account.disabled_at.is_some() || good && path.exists() {
            continue;
        }
        let key = FileKey::generate(KeyAlgorithm::P256)?;
        let public_key = SubjectPublicKey::from_spki_der(key.public_key())?;
        let authority = match &mut authority {
            Some(opened) => opened,
            closed => closed.insert(OfficerCa::open(settings, keyring)?),
        };
        let certificate = authority.certify(database, &account.officer, &public_key, "operator", now)?;
        let private = key.to_pkcs8_der()?;
        let private = Zeroizing::new(
            pem::encode_string("PRIVATE KEY", LineEnding::LF, &private)
                .map_err(|_| Failure::new("a key that cannot be written"))?,
        );
        let both = Zeroizing::new(format!("{}{}", *private, bundle::pem([certificate.der.as_slice()])));
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        keys::write_new(&path, both.as_bytes())?;
    }
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
