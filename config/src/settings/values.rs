//! Values of settings that are more than a number or a text.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

/// An absolute `http` or `https` URL without query, fragment and final slash; empty means "not set" until it is completed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(String);

/// Where the database is.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL connection URL; it may carry a password.
    Postgres(SecretString),
}

impl HttpUrl {
    /// `http://` and the address people on this machine reach a listening socket at.
    pub(super) fn of_address(address: SocketAddr) -> Self {
        let host = match address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self(format!("http://{host}:{}", address.port()))
    }

    /// The URL with one more segment at its end.
    pub fn join(&self, segment: &str) -> Self {
        Self(format!("{}/{segment}", self.0))
    }

    /// The URL as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        const RULE: &str = "an absolute http or https URL without query and final slash is expected";
        if text.is_empty() {
            return Ok(Self(text));
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(RULE)?;
        let host = rest.split('/').next().unwrap_or_default();
        let printable = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte));
        if host.is_empty() || host.starts_with(':') || rest.ends_with('/') || !printable {
            return Err(RULE);
        }
        Ok(Self(text))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DatabaseUrl {
    pub(super) fn place_under(&mut self, root: &Path) {
        if let Self::Sqlite(path) = self {
            super::place_under(root, path);
        }
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.into()));
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(&text);
        // The text is not repeated in the message: it may hold a password.
        if path.is_empty() || path.contains("://") {
            return Err(de::Error::custom("sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME is expected"));
        }
        Ok(Self::Sqlite(path.into()))
    }
}

/// An empty text means "not set".
pub(super) fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

/// An address and a port, or empty for `None`.
pub(super) fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| de::Error::custom("an address and a port are expected, or nothing"))
}

pub(super) fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|millis| Duration::from_millis(millis.into()))
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|seconds| Duration::from_secs(seconds.into()))
}

pub(super) fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|minutes| Duration::from_secs(u64::from(minutes) * 60))
}

pub(super) fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|hours| Duration::from_secs(u64::from(hours) * 3600))
}

/// Of 366 days: kept a little longer rather than too short.
pub(super) fn years<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|years| Duration::from_secs(u64::from(years) * 366 * 86_400))
}

pub(super) fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|days| Duration::from_secs(u64::from(days) * 86_400))
}
