//! Which keys there are, whose they are and until when they count: all of it without a password.

use std::path::{Path, PathBuf};

use ca_core::Timestamp;
use ca_core::calendar::{parse_tashkent_time, tashkent_time};
use ca_core::key_file::{alias, attributes};
use ca_core::profile::AttributeType;
use serde::Serialize;
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;

use crate::disk;
use crate::pfx::{self, Listing, MAX_SIZE};
use crate::trouble::Trouble;

/// Whose a key is, as its certificate or alias says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Common name.
    pub name: Option<String>,
    /// The organization.
    pub organization: Option<String>,
    /// The organization's taxpayer number, else the person's.
    pub stir: Option<String>,
    /// The personal number.
    pub pinfl: Option<String>,
    /// The certificate's serial number in hex.
    pub serial: Option<String>,
    /// In Tashkent.
    pub valid_from: Option<String>,
    /// In Tashkent.
    pub valid_to: Option<String>,
}

/// One key file.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Where it lies.
    pub path: PathBuf,
    /// Whose it is.
    #[serde(flatten)]
    pub owner: Owner,
    /// Its time is over.
    pub expired: bool,
    /// It waits for its certificate: neither a STIR nor a PINFL is in it.
    pub temporary: bool,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

impl Owner {
    /// From an alias, whose letters are small.
    pub fn of_alias(alias: &str) -> Self {
        let attributes = attributes(alias);
        let get = |name: &str| {
            let found = attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let time = |name: &str| get(name).map(|time| time.replace('.', "-"));
        Self {
            name: get("cn"),
            organization: get("o"),
            stir: get("1.2.860.3.16.1.1").or_else(|| get("uid")),
            pinfl: get("1.2.860.3.16.1.2"),
            serial: get("serialnumber"),
            valid_from: time("validfrom"),
            valid_to: time("validto"),
        }
    }

    /// From a certificate, with names as they are written there.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let mut owner = Self::of_alias(&alias(der).ok()?);
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let get = |name: &str| {
            let kind = AttributeType::named(name)?;
            let mut all = certificate.subject().iter_attributes();
            let found = all.find(|attribute| attribute.attr_type().as_bytes() == kind.oid().as_bytes())?;
            std::str::from_utf8(found.attr_value().data).ok().map(str::to_owned)
        };
        owner.name = get("CN").or(owner.name);
        owner.organization = get("O").or(owner.organization);
        Some(owner)
    }

    fn ended(&self, now: Timestamp) -> bool {
        let end = self.valid_to.as_deref().and_then(|end| parse_tashkent_time(end).ok());
        end.is_some_and(|end| end < now)
    }
}

/// The key files of these disks, those in `DSKEYS` first.
pub fn list(drives: &[PathBuf], now: Timestamp) -> Vec<Entry> {
    let mut files: Vec<PathBuf> = Vec::new();
    for file in drives.iter().flat_map(|drive| disk::key_files(drive)) {
        // A disk may be seen in two places.
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files.iter().map(|file| entry(file, now)).collect()
}

/// What one file shows.
pub fn entry(path: &Path, now: Timestamp) -> Entry {
    let (owner, fault) = match listing(path) {
        Ok(listing) => (owner(&listing), None),
        Err(trouble) => (Owner::default(), Some(trouble)),
    };
    let temporary = fault.is_none() && owner.stir.is_none() && owner.pinfl.is_none();
    let fault =
        fault.map(|trouble| if trouble.name() == "not-a-key-file" { "not-a-key-file" } else { "unreadable" });
    Entry { path: path.to_owned(), expired: owner.ended(now), temporary, owner, fault }
}

/// What a file shows without a password.
///
/// # Errors
/// It cannot be read.
pub fn listing(path: &Path) -> Result<Listing, Trouble> {
    let octets = disk::read(path, MAX_SIZE as u64)?;
    pfx::list(&octets).map_err(|fault| Trouble::opening(path, fault))
}

/// The certificate that the alias is about, else the alias, else the first certificate.
fn owner(listing: &Listing) -> Owner {
    let named = |der: &&Vec<u8>| alias(der).is_ok_and(|name| listing.aliases.contains(&name));
    let certificate = listing.certificates.iter().find(named);
    if let Some(owner) = certificate.and_then(|der| Owner::of_certificate(der)) {
        return owner;
    }
    match (listing.aliases.first(), listing.certificates.first()) {
        (Some(alias), _) => Owner::of_alias(alias),
        (None, Some(der)) => Owner::of_certificate(der).unwrap_or_default(),
        (None, None) => Owner::default(),
    }
}

/// For output: a moment as people in Tashkent read it.
pub fn shown(at: Timestamp) -> String {
    tashkent_time(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIAS: &str = "cn=misolov namuna,name=namuna,surname=misolov,o=«namuna, va boshqalar» mchj,uid=412345678,\
                         1.2.860.3.16.1.2=30101901112227,1.2.860.3.16.1.1=301234567,serialnumber=77c6,\
                         validfrom=2024.01.15 10:00:00,validto=2026.01.15 23:59:59";

    #[test]
    fn an_alias_tells_whose_key_it_is_and_until_when() {
        let owner = Owner::of_alias(ALIAS);
        assert_eq!(owner.name.as_deref(), Some("misolov namuna"));
        assert_eq!(owner.organization.as_deref(), Some("«namuna, va boshqalar» mchj"));
        assert_eq!(owner.stir.as_deref(), Some("301234567"));
        assert_eq!(owner.valid_to.as_deref(), Some("2026-01-15 23:59:59"));
        assert!(owner.ended("2026-01-15T19:00:00Z".parse().unwrap()));
        assert!(!owner.ended("2026-01-15T18:59:59Z".parse().unwrap()));
    }

    #[test]
    fn a_file_that_is_no_key_is_listed_as_such() {
        let drive = tempfile::TempDir::new().unwrap();
        std::fs::write(drive.path().join("x.pfx"), b"not a key").unwrap();
        let drives = [drive.path().to_owned(), drive.path().to_owned()];
        let entries = list(&drives, Timestamp::EPOCH);
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].fault, entries[0].temporary), (Some("not-a-key-file"), false));
    }
}
