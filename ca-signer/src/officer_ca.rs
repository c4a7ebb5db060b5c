//! The CA of the officers' certificates: made at the ceremony, trusted by the signer, and shown to nobody else.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ca_core::application::Officer;
use ca_core::csr::SubjectPublicKey;
use ca_core::issue::{Certificate, Issuer, Urls};
use ca_core::profile::Profile;
use ca_core::signer::KeyAlgorithm;
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use config::tables::Tables;

use store::officer_statements::{self, OfficerCertificate};
use store::{Database, audit};

use crate::ceremony::{CeremonyError, organization_of, replace, request, subject};
use crate::keyring::{Keyring, NewKey, OFFICER_CA};
use crate::keys::{self, KeyError};

/// The common name of the officer CA.
const NAME: &str = "Muhr Officer CA";

/// The officer CA's certificate, which the signer trusts.
pub fn certificate_file(settings: &Settings) -> PathBuf {
    settings.keys.directory.join("officer-ca.cer")
}

/// The serial numbers of officers' certificates that were seen as revoked, one on a line; only ever made longer.
pub fn revoked_file(settings: &Settings) -> PathBuf {
    settings.keys.directory.join("revoked-officers")
}

/// Adds a line, in one piece, and sees it on the disk.
pub(crate) fn append_revoked(file: &Path, serial: SerialNumber) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(file)?;
    file.write_all(format!("{serial}\n").as_bytes())?;
    file.sync_all()
}

/// Writes down on this machine that an officer's certificates are revoked, if the officer CA is here. Returns whether it is.
///
/// # Errors
/// [`KeyError::File`].
pub fn remember_revoked(settings: &Settings, serials: &[SerialNumber]) -> Result<bool, KeyError> {
    let path = revoked_file(settings);
    if !path.exists() {
        return Ok(false);
    }
    for serial in serials {
        append_revoked(&path, *serial).map_err(|reason| KeyError::File { path: path.clone(), reason })?;
    }
    Ok(true)
}

/// The trust anchor of all approvals.
///
/// # Errors
/// [`KeyError::File`]: there is no officer CA yet.
pub fn anchor(settings: &Settings) -> Result<Vec<u8>, KeyError> {
    let path = certificate_file(settings);
    fs::read(&path).map_err(|reason| KeyError::File { path, reason })
}

/// A key and its certificate that are not kept yet.
pub(crate) struct NewOfficerCa {
    key: NewKey,
    certificate: Certificate,
}

impl NewOfficerCa {
    /// Makes both in memory.
    pub(crate) fn make(
        settings: &Settings,
        keyring: &Keyring<'_>,
        organization: &str,
        now: Timestamp,
    ) -> Result<Self, CeremonyError> {
        let key = keyring.make_issuer(OFFICER_CA, KeyAlgorithm::P256)?;
        let (subject, urls) = (subject(NAME, None, organization), settings.issuance.urls(OFFICER_CA));
        // The certificates of its first minute begin with that minute.
        let request = request(subject, key.signer().public_key(), urls, now.whole_minutes())?;
        let profile = profile(settings, "officer_ca")?;
        let (_, certificate) = Issuer::self_signed(&profile, request, Arc::clone(key.signer()))?;
        Ok(Self { key, certificate })
    }

    /// The key.
    pub(crate) fn key(&self) -> &NewKey {
        &self.key
    }

    /// The certificate.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Writes both.
    pub(crate) fn keep(&mut self, settings: &Settings) -> Result<(), CeremonyError> {
        self.key.keep()?;
        let revoked = revoked_file(settings);
        if !revoked.exists() {
            keys::write_new(&revoked, b"")?;
        }
        replace(&certificate_file(settings), &self.certificate.der)
    }
}

/// The officer CA of an installation that has none, or has moved it away. Certificates by one before it are revoked.
///
/// # Errors
/// [`CeremonyError`]; what exists stays.
pub fn init(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    organization: &str,
    now: Timestamp,
) -> Result<(), CeremonyError> {
    let file = certificate_file(settings);
    if file.exists() || keyring.may_have_issuer(OFFICER_CA) {
        return Err(CeremonyError::FilesExist(vec![file]));
    }
    let mut new = NewOfficerCa::make(settings, keyring, organization, now)?;
    new.keep(settings)?;
    let entry = audit::Entry {
        at: now,
        actor: "operator".to_owned(),
        action: "officer-ca.init".to_owned(),
        object: "officer-ca".to_owned(),
        details: serde_json::json!({ "serial": new.certificate.serial.to_string() }),
    };
    // Nobody signs with a certificate of the one before any more.
    database.write(|connection| {
        for login in officer_statements::certified(connection)? {
            officer_statements::revoke_certificates(connection, &login, "operator", now)?;
        }
        audit::record(connection, &[entry])
    })?;
    Ok(())
}

/// The officer CA with its key.
pub struct OfficerCa {
    issuer: Issuer,
    profile: Profile,
    organization: String,
    urls: Urls,
}

impl OfficerCa {
    /// Opens its key, where the settings say it is.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn open(settings: &Settings, keyring: &Keyring<'_>) -> Result<Self, CeremonyError> {
        let issuer = Issuer::new(&anchor(settings)?, keyring.issuer(OFFICER_CA)?)?;
        Ok(Self {
            organization: organization_of(issuer.certificate()),
            profile: profile(settings, "officer")?,
            urls: settings.issuance.urls(OFFICER_CA),
            issuer,
        })
    }

    /// Signs an officer's next certificate and keeps it. Earlier ones stay as they are.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn certify(
        &self,
        database: &Database,
        officer: &Officer,
        public_key: &SubjectPublicKey,
        actor: &str,
        now: Timestamp,
    ) -> Result<OfficerCertificate, CeremonyError> {
        let others = database.read(|c| officer_statements::logins_of_key(c, &public_key.sha256()))?;
        if others.iter().any(|login| *login != officer.login) {
            return Err(CeremonyError::WeakKey("it is another officer's".to_owned()));
        }
        let subject = subject(&officer.login, Some(officer.role.as_str()), &self.organization);
        // Statements name the minute in which they were asked for, which may be that of the certificate.
        let request = request(subject, public_key.spki_der(), self.urls.clone(), now.whole_minutes())?;
        let signed = self.issuer.issue(self.issuer.prepare(&self.profile, request)?)?;
        let certificate = OfficerCertificate {
            serial: signed.serial,
            officer: officer.clone(),
            spki_sha256: public_key.sha256().to_vec(),
            der: signed.der,
            not_before: signed.not_before,
            not_after: signed.not_after,
            revoked_at: None,
        };
        database.write(|connection| officer_statements::certify(connection, &certificate, actor, now))?;
        Ok(certificate)
    }
}

fn profile(settings: &Settings, name: &'static str) -> Result<Profile, CeremonyError> {
    let profiles = Tables::load(&settings.data)?.profiles;
    profiles.get(name).cloned().ok_or(CeremonyError::NoProfile(name))
}
