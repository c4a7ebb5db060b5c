//! Another issuing CA, or another certificate for the present one, while the root's key is here.

use ca_core::Timestamp;
use ca_core::issue::{Certificate, Issuer};
use ca_core::revocation::Status;
use ca_core::signer::KeyAlgorithm;
use config::Settings;
use config::tables::Tables;
use store::{Database, StoreError, audit, issuers, responders};

use super::{
    Ceremony, CeremonyError, CrlSigner, Made, Names, Transcript, attribute_of, certify_responder, generated,
    issuer_row, names_of, open_issuer, replace, store_made,
};
use crate::keyring::{Keyring, SUCCESSOR};
use crate::responder_certificate::certified_key;

/// What follows the issuing CA's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Succession {
    /// Another one, for the same name and key.
    Renewal,
    /// One for another key, under this name or else the first one's and a number. The present CA issues no more, and goes on to
    /// answer for what it has issued.
    Rekey {
        /// Its common name.
        common_name: Option<String>,
    },
}

/// Has the root certify what follows the issuing CA's certificate. A signer and responders that run take it into use when they
/// are started again: the responders first, so that no certificate is without an answer.
///
/// # Errors
/// [`CeremonyError`].
pub fn succeed(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    succession: &Succession,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<Certificate, CeremonyError> {
    let present = present(database)?;
    let root = open_issuer(database, keyring, issuers::ROOT)?;
    let names = names_of(&present.certificate);
    let profiles = Tables::load(&settings.data)?.profiles;
    let ceremony = Ceremony { settings, profiles, names: &names, now };
    transcript.known_key("key-used", issuers::ROOT, root.signer().as_ref());
    let certify = |common_name: &str, public_key: &[u8]| {
        ceremony.below(&root, issuers::ROOT, "issuing_ca", common_name, public_key)
    };
    let (id, made) = match succession {
        Succession::Renewal => {
            let key = keyring.issuer(&present.id)?;
            transcript.known_key("key-kept", &present.id, key.as_ref());
            (present.id.clone(), certify(&common_name_of(&present.certificate), key.public_key())?)
        }
        Succession::Rekey { common_name } => {
            let id = next_id(database)?;
            let default = || successors_name(database, &id);
            let common_name = common_name.clone().map_or_else(default, Ok)?;
            let existing = keyring.files_in_the_way(&[&id]);
            if !existing.is_empty() {
                return Err(CeremonyError::KeyExists(existing));
            }
            let mut new = keyring.make_issuer(&id, KeyAlgorithm::P256)?;
            let entries = generated(transcript, &[(&id, &new)], now);
            let made = certify(&common_name, new.signer().public_key())?;
            new.keep()?;
            database.write(|connection| audit::record(connection, &entries))?;
            (id, made)
        }
    };
    transcript.certificate("certificate-signed", &made.certificate);
    ceremony.establish(database, keyring, &id, &made, transcript)?;
    Ok(made.certificate)
}

/// The issuing CA that certifies now.
pub(super) fn present(database: &Database) -> Result<issuers::Issuer, CeremonyError> {
    match database.read(issuers::current) {
        Err(StoreError::NotFound) => Err(CeremonyError::NoCa),
        other => Ok(other?),
    }
}

/// The short name of the next issuing CA.
pub(super) fn next_id(database: &Database) -> Result<String, CeremonyError> {
    let issuing = database.read(issuers::all)?.into_iter().filter(issuers::Issuer::is_issuing).count();
    Ok(if issuing == 0 { issuers::ISSUING.to_owned() } else { format!("{SUCCESSOR}{}", issuing + 1) })
}

/// The first issuing CA's name with the number of this one.
fn successors_name(database: &Database, id: &str) -> Result<String, CeremonyError> {
    let first = database.read(|c| issuers::find(c, issuers::ISSUING))?;
    let number = id.strip_prefix(SUCCESSOR).unwrap_or_default();
    Ok(format!("{} {number}", common_name_of(&first.certificate)))
}

/// The common name in the subject of a CA certificate.
pub(super) fn common_name_of(certificate: &[u8]) -> String {
    attribute_of(certificate, const_oid::db::rfc4519::COMMON_NAME).unwrap_or_else(|| Names::default().issuing)
}

impl Ceremony<'_> {
    /// An issuing CA begins, or goes on under another certificate: whoever answers for the present one answers for it as well,
    /// and its first CRL is there.
    pub(super) fn establish(
        &self,
        database: &Database,
        keyring: &Keyring<'_>,
        id: &str,
        made: &Made,
        transcript: &mut Transcript,
    ) -> Result<(), CeremonyError> {
        let key = keyring.issuer(id)?;
        let issuer = Issuer::new(&made.certificate.der, key.clone())?;
        let is_known = database.read(issuers::all)?.iter().any(|issuer| issuer.id == id);
        let mut signed = Vec::new();
        if !is_known {
            for public_key in self.responders_keys(database, keyring)? {
                let profiles = self.profiles.clone();
                let made = certify_responder(&issuer, id, self.settings, profiles, &public_key, self.now)?;
                transcript.certificate("certificate-signed", &made.certificate);
                signed.push(made);
            }
        }
        let path = self.settings.keys.directory.join(format!("{id}.cer"));
        replace(&path, &made.certificate.der)?;
        transcript.file("file-written", &path, &made.certificate.der);
        if let Some(first) = signed.first().filter(|_| !self.settings.ocsp.certificate_file.exists()) {
            replace(&self.settings.ocsp.certificate_file, &first.certificate.der)?;
        }
        let entry = audit::Entry {
            at: self.now,
            actor: "operator".to_owned(),
            action: if is_known { "ca.renew" } else { "ca.begin" }.to_owned(),
            object: format!("issuer:{id}"),
            details: serde_json::json!({ "serial": made.certificate.serial.to_string() }),
        };
        database.write(|connection| -> Result<(), CeremonyError> {
            let row = issuer_row(id, made);
            if is_known {
                issuers::renew(connection, &row)?;
            } else {
                issuers::insert(connection, &row, self.now)?;
                issuers::succeed(connection, id, self.now)?;
            }
            for made in std::iter::once(made).chain(&signed) {
                store_made(connection, made, self.now)?;
            }
            Ok(audit::record(connection, &[entry])?)
        })?;
        if !is_known {
            let crls = CrlSigner::new(id, issuer.certificate(), key, self.settings)?;
            crls.sign(database, "", self.settings.crl.validity, self.now)?;
        }
        Ok(())
    }

    /// The keys of those who answer for the present issuing CA; before there is one, of this machine's responder.
    fn responders_keys(
        &self,
        database: &Database,
        keyring: &Keyring<'_>,
    ) -> Result<Vec<Vec<u8>>, CeremonyError> {
        let present = match database.read(issuers::current) {
            Err(StoreError::NotFound) => return Ok(vec![keyring.responder()?.public_key().to_vec()]),
            other => other?,
        };
        let certified = database.read(responders::newest)?.into_iter();
        certified
            .filter(|certified| certified.issuer == present.id && certified.status == Status::Good)
            .filter(|certified| certified.not_after > self.now)
            .map(|certified| certified_key(&certified, &present.certificate))
            .collect()
    }
}
