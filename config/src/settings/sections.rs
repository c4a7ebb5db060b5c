//! The sections of the settings. `default.toml` says what each key is for; the units are in its name there.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ca_core::fee::Channel;
use ca_core::issue::Urls;
use serde::Deserialize;

use super::token::{CaToken, MasterToken, OcspToken};
use super::values::{
    DatabaseUrl, HttpUrl, days, hours, milliseconds, minutes, optional_address, optional_path, seconds, years,
};

/// What this installation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Codes and messages can be read at `/sandbox/`, payments are played.
    Sandbox,
    /// Real people, real money.
    Production,
}

/// What a process does; the rules it needs follow from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Applicants, officers, payments over HTTP.
    Api,
    /// Signs with the CA's key.
    Signer,
    /// Answers certificate status.
    Ocsp,
    /// Publishes revocation lists.
    Crl,
}

impl Role {
    /// Every role: what `muhr up` runs and `muhr check-config` checks.
    pub const ALL: [Self; 4] = [Self::Api, Self::Signer, Self::Ocsp, Self::Crl];
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// Threads that answer requests; 0 is one per core.
    pub workers: usize,
    /// Connections open at a time.
    pub max_connections: usize,
    /// How long an idle connection stays open.
    #[serde(rename = "keep_alive_seconds", deserialize_with = "seconds")]
    pub keep_alive: Duration,
    /// How long a client may take to send the head of a request.
    #[serde(rename = "request_timeout_seconds", deserialize_with = "seconds")]
    pub request_timeout: Duration,
    /// How long a client may take to close a connection.
    #[serde(rename = "disconnect_timeout_seconds", deserialize_with = "seconds")]
    pub disconnect_timeout: Duration,
    /// How long it serves on after the signal to stop, while it says that it is not ready any more.
    #[serde(rename = "drain_seconds", deserialize_with = "seconds")]
    pub drain: Duration,
    /// How long requests under way may take after that.
    #[serde(rename = "shutdown_seconds", deserialize_with = "seconds")]
    pub shutdown: Duration,
    /// Largest JSON body.
    pub max_json_bytes: usize,
    /// Largest CSR.
    pub max_csr_bytes: usize,
    /// Largest picture or PDF.
    pub max_document_bytes: usize,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How long the answer to an `Idempotency-Key` is remembered.
    #[serde(rename = "idempotency_hours", deserialize_with = "hours")]
    pub idempotency: Duration,
    /// TLS in this process.
    pub tls: Tls,
}

/// `[http.tls]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Address and port; `None`: no TLS here.
    #[serde(deserialize_with = "optional_address")]
    pub listen: Option<SocketAddr>,
    /// The certificate and those above it, PEM.
    #[serde(deserialize_with = "optional_path")]
    pub certificate_file: Option<PathBuf>,
    /// Its key, PKCS #8, PEM.
    #[serde(deserialize_with = "optional_path")]
    pub key_file: Option<PathBuf>,
    /// Who issues certificates to partners' clients, PEM.
    #[serde(deserialize_with = "optional_path")]
    pub client_ca_file: Option<PathBuf>,
}

/// `[operations]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// Address and port of `/health/live`, `/health/ready` and `/metrics`.
    pub listen: SocketAddr,
    /// Where the signer, which listens nowhere, writes what it counts.
    #[serde(deserialize_with = "optional_path")]
    pub textfile: Option<PathBuf>,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Connections.
    pub pool_size: u32,
    /// How long to wait for a free connection.
    #[serde(rename = "pool_timeout_milliseconds", deserialize_with = "milliseconds")]
    pub pool_timeout: Duration,
    /// SQLite: how long a writer waits for another; PostgreSQL: the longest a statement may take.
    #[serde(rename = "statement_timeout_milliseconds", deserialize_with = "milliseconds")]
    pub statement_timeout: Duration,
}

/// `[data]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// What relative paths are relative to.
    pub directory: PathBuf,
    /// Instead of the built-in fee table.
    #[serde(deserialize_with = "optional_path")]
    pub fees_file: Option<PathBuf>,
    /// Instead of the built-in regions.
    #[serde(deserialize_with = "optional_path")]
    pub regions_file: Option<PathBuf>,
    /// Where people are served in person; without it none are listed, in a sandbox invented ones.
    #[serde(deserialize_with = "optional_path")]
    pub service_centres_file: Option<PathBuf>,
    /// Certificate profiles in the place of built-in ones of the same name.
    #[serde(deserialize_with = "optional_path")]
    pub profiles_directory: Option<PathBuf>,
    /// Instead of the built-in policy of how many officers sign what.
    #[serde(deserialize_with = "optional_path")]
    pub approval_file: Option<PathBuf>,
}

/// `[documents]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// Where sealed documents are kept.
    pub directory: PathBuf,
    /// The service's key, 32 octets: seals secrets of officers and of waiting messages, and hashes codes.
    pub key_file: PathBuf,
    /// The master keys, oldest first: the last one wraps the keys of applications' data, the others unwrap.
    pub master_keys: Vec<MasterKey>,
    /// The token that some of them are on.
    pub token: MasterToken,
}

impl Documents {
    /// The master keys that are files.
    pub fn master_key_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.master_keys.iter().filter_map(MasterKey::file)
    }

    /// The labels of the master keys that are on the token.
    pub fn master_key_labels(&self) -> impl Iterator<Item = &str> {
        self.master_keys.iter().filter_map(|key| match key {
            MasterKey::File(_) => None,
            MasterKey::OnToken(label) => Some(label.as_str()),
        })
    }
}

/// Where a master key is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum MasterKey {
    /// A file of 32 octets.
    File(PathBuf),
    /// On the token of `[documents.token]`, under this label.
    OnToken(String),
}

impl MasterKey {
    /// What a key's label on the token is written behind.
    const ON_TOKEN: &str = "token:";

    /// The file, if it is one.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(file) => Some(file),
            Self::OnToken(_) => None,
        }
    }
}

impl From<String> for MasterKey {
    fn from(text: String) -> Self {
        match text.strip_prefix(Self::ON_TOKEN) {
            Some(label) => Self::OnToken(label.to_owned()),
            None => Self::File(text.into()),
        }
    }
}

/// `[keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The CA's encrypted keys and certificates.
    pub directory: PathBuf,
    /// Their passphrase; `None` asks on the terminal.
    #[serde(deserialize_with = "optional_path")]
    pub passphrase_file: Option<PathBuf>,
    /// What opening a new key file costs: passes of scrypt, each over 16 MiB.
    pub scrypt_passes: u16,
    /// Whether the passphrase is in shares, of which several custodians bring one each.
    pub in_shares: bool,
    /// Shares that are in files, on the media of those who bring them; the others are asked for on the terminal.
    pub share_files: Vec<PathBuf>,
    /// Keys that are on a token instead.
    pub token: CaToken,
}

/// `[issuance]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuance {
    /// Validity of a person's certificate, 1 to 24 months.
    pub validity_months: u32,
    /// Applications claimed at a time.
    pub batch_size: u32,
    /// How often the signer looks for work.
    #[serde(rename = "poll_interval_milliseconds", deserialize_with = "milliseconds")]
    pub poll_interval: Duration,
    /// How long a claim keeps others away.
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    /// Authority information access: OCSP.
    pub ocsp_url: HttpUrl,
    /// Base of the CRL distribution point and of caIssuers.
    pub repository_url: HttpUrl,
    /// The certification practice statement.
    pub cps_url: HttpUrl,
}

impl Issuance {
    /// The addresses that certificates of an issuer carry.
    pub fn urls(&self, issuer: &str) -> Urls {
        let repository = self.repository_url.as_str();
        Urls {
            ocsp: self.ocsp_url.as_str().to_owned(),
            ca_issuers: format!("{repository}/{issuer}.cer"),
            crl: format!("{repository}/{issuer}.crl"),
            cps: self.cps_url.as_str().to_owned(),
        }
    }
}

/// How a serial that was never issued is answered (RFC 6960 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unissued {
    /// `unknown`.
    Unknown,
    /// `revoked`, on hold since 1970, with id-pkix-ocsp-extended-revoke.
    Revoked,
}

/// `[ocsp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ocsp {
    /// nextUpdate - thisUpdate.
    #[serde(rename = "validity_seconds", deserialize_with = "seconds")]
    pub validity: Duration,
    /// The delegated signer's encrypted key.
    pub key_file: PathBuf,
    /// Its certificate.
    pub certificate_file: PathBuf,
    /// Its passphrase; the CA keys' if not set.
    #[serde(deserialize_with = "optional_path")]
    pub passphrase_file: Option<PathBuf>,
    /// The token the key is on instead.
    pub token: OcspToken,
    /// Largest request.
    pub max_request_bytes: usize,
    /// How soon a change is seen.
    #[serde(rename = "feed_poll_milliseconds", deserialize_with = "milliseconds")]
    pub feed_poll: Duration,
    /// How often the index is compared with the database.
    #[serde(rename = "reconcile_seconds", deserialize_with = "seconds")]
    pub reconcile: Duration,
    /// Where the index is kept for the next start; `None` reads the database every time.
    #[serde(deserialize_with = "optional_path")]
    pub snapshot_file: Option<PathBuf>,
    /// How often it is written.
    #[serde(rename = "snapshot_seconds", deserialize_with = "seconds")]
    pub snapshot: Duration,
    /// How a serial that was never issued is answered.
    pub unissued: Unissued,
    /// How long statuses are kept beyond a certificate's expiry, in days, as archiveCutoff tells it; 0 tells nothing.
    pub archive_cutoff_days: u32,
    /// The most memory that signed answers are kept in, in octets.
    pub kept_answers_bytes: u64,
    /// How far behind its clients a worker may be before it refuses what would have to be signed.
    #[serde(rename = "overload_milliseconds", deserialize_with = "milliseconds")]
    pub overload: Duration,
}

/// `[crl]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crl {
    /// nextUpdate - thisUpdate.
    #[serde(rename = "validity_hours", deserialize_with = "hours")]
    pub validity: Duration,
    /// How long before nextUpdate a new CRL is due.
    #[serde(rename = "overlap_hours", deserialize_with = "hours")]
    pub overlap: Duration,
    /// How often the publisher looks whether one is due.
    #[serde(rename = "due_check_milliseconds", deserialize_with = "milliseconds")]
    pub due_check: Duration,
    /// The least time between two CRLs of a partition.
    #[serde(rename = "min_interval_seconds", deserialize_with = "seconds")]
    pub min_interval: Duration,
    /// How long before its nextUpdate a published CRL alarms.
    #[serde(rename = "alarm_minutes", deserialize_with = "minutes")]
    pub alarm: Duration,
    /// The largest CRL that is published, in octets.
    pub max_bytes: u64,
    /// How many earlier CRLs of each partition are kept beside the published one.
    pub kept: usize,
    /// Where CRLs and CA certificates are placed.
    pub repository_directory: PathBuf,
    /// Where else they are placed, `s3://BUCKET/PREFIX` or `file:///PATH`; empty for nowhere.
    pub store_url: String,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// How often a head is signed.
    #[serde(rename = "head_seconds", deserialize_with = "seconds")]
    pub head: Duration,
    /// Whether heads are published, a file a day.
    pub publish_heads: bool,
}

/// `[captcha]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captcha {
    /// Characters in the picture, 4 to 6.
    pub characters: u32,
    /// How long it may be answered.
    #[serde(rename = "lifetime_seconds", deserialize_with = "seconds")]
    pub lifetime: Duration,
}

/// `[applications]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applications {
    /// How long a draft may wait for its submission.
    #[serde(rename = "draft_lifetime_days", deserialize_with = "days")]
    pub draft_lifetime: Duration,
    /// Open applications of one phone.
    pub open_per_phone: u32,
}

/// `[retention]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// How long an application that came to nothing is kept: rejected, withdrawn, expired.
    #[serde(rename = "refused_days", deserialize_with = "days")]
    pub refused: Duration,
    /// How long the evidence of an issued one is kept after the certificate's end.
    #[serde(rename = "after_end_years", deserialize_with = "years")]
    pub after_end: Duration,
}

/// `[invoices]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoices {
    /// Who is paid, as printed.
    pub recipient: String,
    /// How long it may be paid.
    #[serde(rename = "validity_days", deserialize_with = "days")]
    pub validity: Duration,
}

/// `[sessions]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// An applicant's token.
    #[serde(rename = "applicant_lifetime_seconds", deserialize_with = "seconds")]
    pub applicant_lifetime: Duration,
    /// An officer's token, whatever they do.
    #[serde(rename = "officer_lifetime_seconds", deserialize_with = "seconds")]
    pub officer_lifetime: Duration,
    /// An officer's token since they last did something.
    #[serde(rename = "officer_idle_seconds", deserialize_with = "seconds")]
    pub officer_idle: Duration,
}

/// `[officers]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officers {
    /// Shortest password.
    pub password_min_characters: usize,
    /// Wrong sign-ins in a row before the account is locked.
    pub lockout_failures: u32,
    /// How long it stays locked.
    #[serde(rename = "lockout_seconds", deserialize_with = "seconds")]
    pub lockout: Duration,
    /// Every officer signs in with a second factor.
    pub totp_required: bool,
    /// At a counter the key's first password is made by the page and sent to the applicant's phone.
    pub generated_key_passwords: bool,
    /// Argon2id memory.
    pub password_memory_kibibytes: u32,
    /// Argon2id passes.
    pub password_iterations: u32,
    /// Hashes computed at a time.
    pub password_parallel_hashes: usize,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// All requests.
    pub requests_per_address_per_minute: u32,
    /// New captchas.
    pub captchas_per_address_per_minute: u32,
    /// Officers' sign-ins.
    pub sign_ins_per_address_per_minute: u32,
    /// New applications.
    pub applications_per_address_per_hour: u32,
}

/// `[partners.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// The channel it applies through, one that needs a partner.
    pub channel: Channel,
    /// The keys it signs requests with: a PEM file with the Ed25519 public key by key id. Two while one is replaced.
    pub keys: BTreeMap<String, PathBuf>,
    /// Besides: its clients show one of these certificates in TLS, each by the SHA-256 of its DER form in hexadecimal. None: a
    /// signature is enough.
    #[serde(default)]
    pub certificates_sha256: Vec<String>,
    /// Applications a day in Tashkent; 0 is any number.
    pub daily_quota: u32,
    /// Requests a minute.
    pub per_minute: u32,
}
