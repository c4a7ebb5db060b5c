//! Another issuing CA, or another certificate for the present one, while the root's key is here.

use ca_core::Timestamp;
use ca_core::issue::{Certificate, Issuer};
use ca_core::revocation::Status;
use ca_core::signer::KeyAlgorithm;
use store::{Connection, Database, StoreError, audit, certificates, issuers, responders};

use super::air_gap::{is_clean, is_free};
use super::{
    Ceremony, CeremonyError, CrlSigner, ISSUING_PROFILE, Made, Names, attribute_of, entry, issuer_row,
    names_of, open_issuer, spki_sha256, store_made,
};
use crate::keyring::SUCCESSOR;
use crate::responder_certificate::responders_key;

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

impl Ceremony<'_> {
    /// Has the root certify what follows the issuing CA's certificate. A signer and responders that run take it into use when they
    /// are started again: the responders first, so that no certificate is without an answer. A successor's key that an earlier
    /// ceremony made, and that nobody has certified, is the one that is certified.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn succeed(&mut self, succession: &Succession) -> Result<Certificate, CeremonyError> {
        let Self { database, keyring, now, .. } = *self;
        let present = present(database)?;
        let root = open_issuer(database, keyring, issuers::ROOT)?;
        self.is_trusted(root.certificate())?;
        let names = names_of(&present.certificate);
        self.transcript.known_key("key-used", issuers::ROOT, root.signer().as_ref());
        let (id, common_name) = match succession {
            Succession::Renewal => (present.id, common_name_of(&present.certificate)),
            Succession::Rekey { common_name } => {
                let id = next_id(database)?;
                let default = || successors_name(database, &id);
                let common_name = common_name.clone().map_or_else(default, Ok)?;
                if !keyring.has_issuer(&id)? {
                    let mut new = keyring.make_issuer(&id, KeyAlgorithm::P256)?;
                    let entries = self.generated(&[(&id, &new)]);
                    new.keep()?;
                    database.write(|connection| audit::record(connection, &entries))?;
                }
                (id, common_name)
            }
        };
        let key = keyring.issuer(&id)?;
        self.transcript.known_key("certificate-asked-for", &id, key.as_ref());
        let certified = database.read(|c| certificates::signed_by(c, issuers::ROOT))?;
        let public_key = spki_sha256(key.public_key())?;
        is_clean(&certified, ISSUING_PROFILE, &public_key).map_err(CeremonyError::Uncertifiable)?;
        is_free(&certified, &common_name, &public_key).map_err(CeremonyError::Uncertifiable)?;
        let certifier = self.certifier(&names)?;
        let made = certifier.below(&root, issuers::ROOT, ISSUING_PROFILE, &common_name, key.public_key())?;
        self.transcript.certificate("certificate-signed", &made.certificate);
        let beginning = self.beginning(&id, made)?;
        database.write(|connection| beginning.commit(connection, now))?;
        self.begun(&beginning)?;
        self.place_certificates()?;
        Ok(beginning.made.certificate)
    }
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

/// An issuing CA that begins, or goes on under another certificate.
pub(super) struct Beginning {
    id: String,
    made: Made,
    issuer: Issuer,
    /// The certificates it has signed for those who are to answer for it; none where they answer already.
    responders: Vec<Made>,
    is_known: bool,
}

impl Beginning {
    /// Whoever sees the CA sees its responders' certificates.
    pub(super) fn commit(&self, connection: &mut Connection, now: Timestamp) -> Result<(), CeremonyError> {
        let row = issuer_row(&self.id, &self.made);
        if self.is_known {
            issuers::renew(connection, &row)?;
        } else {
            issuers::insert(connection, &row, now)?;
            issuers::succeed(connection, &self.id, now)?;
        }
        for made in std::iter::once(&self.made).chain(&self.responders) {
            store_made(connection, made, now)?;
        }
        let action = if self.is_known { "ca.renew" } else { "ca.begin" };
        let details = serde_json::json!({ "serial": self.made.certificate.serial.to_string() });
        let entry = entry(now, action, format!("issuer:{}", self.id), details);
        Ok(audit::record(connection, &[entry])?)
    }
}

impl Ceremony<'_> {
    /// A certificate of the root for a key that is here: whoever answers for the present CA is to answer for this one as well.
    pub(super) fn beginning(&self, id: &str, made: Made) -> Result<Beginning, CeremonyError> {
        let Self { database, keyring, .. } = *self;
        let issuer = Issuer::new(&made.certificate.der, keyring.issuer(id)?)?;
        let is_known = database.read(issuers::all)?.iter().any(|issuer| issuer.id == id);
        let mut responders = Vec::new();
        if !is_known {
            let names = names_of(issuer.certificate());
            let certifier = self.certifier(&names)?;
            for public_key in self.responders_keys()? {
                responders.push(certifier.responder(&issuer, id, &public_key, None)?);
            }
        }
        Ok(Beginning { id: id.to_owned(), made, issuer, responders, is_known })
    }

    /// What follows when the database has it. A first CRL that is missing afterwards is asked for by the publisher.
    pub(super) fn begun(&mut self, beginning: &Beginning) -> Result<(), CeremonyError> {
        let Beginning { id, made, issuer, responders, is_known } = beginning;
        for made in std::iter::once(made).chain(responders) {
            self.transcript.certificate("certificate-in-use", &made.certificate);
        }
        if !is_known {
            let crls = CrlSigner::new(id, issuer.certificate(), issuer.signer().clone(), self.settings)?;
            let number = crls.sign(self.database, "", self.settings.crl.validity, self.now)?;
            self.transcript.line("crl-signed", format_args!("{id} {number}"));
        }
        Ok(())
    }

    /// The keys of those who answer for the present issuing CA; before there is one, of this machine's responder.
    fn responders_keys(&self) -> Result<Vec<Vec<u8>>, CeremonyError> {
        let present = match self.database.read(issuers::current) {
            Err(StoreError::NotFound) => return Ok(vec![self.keyring.responder()?.public_key().to_vec()]),
            other => other?,
        };
        let certified = self.database.read(responders::newest)?.into_iter();
        certified
            .filter(|certified| certified.issuer == present.id && certified.status == Status::Good)
            .filter(|certified| certified.not_after > self.now)
            .map(|certified| responders_key(&certified.certificate, &present.certificate))
            .collect()
    }
}
