//! The end of a CA's key.

use ca_core::Timestamp;
use ca_core::signer::{AbsentKey, Signer};
use store::jobs::{self, JobKind};
use store::{Connection, StoreError, audit, crls, issuance, issuers};

use super::{Ceremony, CeremonyError, CrlSigner, open_issuer};

impl Ceremony<'_> {
    /// Destroys the key of a CA whose last certificate has ended, after its last CRL is signed: one that holds for ever (RFC 5280
    /// section 4.1.2.5; ETSI EN 319 411-1 section 6.3.9). A signer that has the key in its memory keeps nothing that it signs
    /// with it from then on.
    ///
    /// # Errors
    /// [`CeremonyError::NoSuccessor`], [`CeremonyError::StillNeeded`], [`CeremonyError::NoSuchCa`]; a conflict if a signer that runs
    /// has signed another CRL meanwhile; others.
    pub fn destroy_key(&mut self, id: &str) -> Result<(), CeremonyError> {
        let Self { database, keyring, now, .. } = *self;
        let row = match database.read(|connection| issuers::find(connection, id)) {
            // One that was cut off after the database knew is carried on.
            Ok(row) if row.has_key() || keyring.has_issuer(id)? => row,
            Ok(_) | Err(StoreError::NotFound) => return Err(CeremonyError::NoSuchCa(id.to_owned())),
            Err(other) => return Err(other.into()),
        };
        if row.is_issuing() && row.retired_at.is_none() {
            return Err(CeremonyError::NoSuccessor(id.to_owned()));
        }
        let key = AbsentKey::of_certificate(&row.certificate)
            .map_err(|error| CeremonyError::WeakKey(error.to_string()))?;
        if row.has_key() {
            database.read(|connection| is_dispensable(connection, id, now))?;
            self.sign_last_crls(id)?;
            let spki_sha256 = hex::encode(ca_core::digest::sha256(key.public_key()));
            let details = serde_json::json!({ "spki_sha256": spki_sha256 });
            let entry = self.entry("key.destroy", format!("key:{id}"), details);
            // Before the key goes: whoever starts meanwhile does not look for it any more.
            database.write(|connection| -> Result<(), CeremonyError> {
                // Jobs and CRLs first, as whoever keeps a CRL has them.
                crls::end(connection, id, Timestamp::MAX)?;
                issuers::key_destroyed(connection, id, now)?;
                // A signer may have begun something while the CRLs were signed.
                is_dispensable(connection, id, now)?;
                Ok(audit::record(connection, &[entry])?)
            })?;
        }
        keyring.destroy_issuer(id)?;
        self.transcript.line("key-destroyed", format_args!("{id}, {}", super::transcript::described(&key)));
        Ok(())
    }

    /// Gives up a key that nobody has any more, destroyed with its token or its files: what the CA has begun is begun anew by its
    /// successor, and nobody waits for its CRLs. Certificates that still hold can be revoked no more; that the root revokes the CA
    /// is for people to decide.
    ///
    /// # Errors
    /// [`CeremonyError::NotLost`], [`CeremonyError::NoSuccessor`], [`CeremonyError::NoSuchCa`]; the token cannot be asked; others.
    pub fn give_up_key(&mut self, id: &str) -> Result<(), CeremonyError> {
        let Self { database, keyring, now, .. } = *self;
        let row = match database.read(|connection| issuers::find(connection, id)) {
            Ok(row) if row.has_key() => row,
            Ok(_) | Err(StoreError::NotFound) => return Err(CeremonyError::NoSuchCa(id.to_owned())),
            Err(other) => return Err(other.into()),
        };
        // A root has none, and is away most of the time.
        if row.retired_at.is_none() {
            return Err(CeremonyError::NoSuccessor(id.to_owned()));
        }
        if keyring.has_issuer(id)? {
            return Err(CeremonyError::NotLost(id.to_owned()));
        }
        let key = AbsentKey::of_certificate(&row.certificate)
            .map_err(|error| CeremonyError::WeakKey(error.to_string()))?;
        let spki_sha256 = hex::encode(ca_core::digest::sha256(key.public_key()));
        let begun = database.write(|connection| -> Result<usize, StoreError> {
            // Jobs and CRLs first, as whoever keeps a CRL has them.
            crls::give_up(connection, id)?;
            jobs::complete_beginning(connection, JobKind::CertifyResponder, &format!("{id}/"))?;
            issuers::key_destroyed(connection, id, now)?;
            let begun = issuance::give_up(connection, id, now)?;
            let details = serde_json::json!({ "spki_sha256": spki_sha256, "begun": begun });
            audit::record(connection, &[self.entry("key.give-up", format!("key:{id}"), details)])?;
            Ok(begun)
        })?;
        let what = super::transcript::described(&key);
        self.transcript.line("key-given-up", format_args!("{id}, {what}, begun and not signed: {begun}"));
        Ok(())
    }

    fn sign_last_crls(&mut self, id: &str) -> Result<(), CeremonyError> {
        let issuer = open_issuer(self.database, self.keyring, id)?;
        self.transcript.known_key("key-used", id, issuer.signer().as_ref());
        let signer = CrlSigner::new(id, issuer.certificate(), issuer.signer().clone(), self.settings)?;
        let heads = self.database.read(crls::heads)?.into_iter().filter(|head| head.issuer == id);
        let for_ever = Timestamp::MAX.since(self.now.whole_seconds());
        for head in heads {
            let number = signer.sign(self.database, &head.partition, for_ever, self.now)?;
            self.transcript.line("last-crl-signed", format_args!("{id} {} {number}", head.partition));
        }
        Ok(())
    }
}

/// Nothing that the CA has issued holds any more, and nothing is begun.
fn is_dispensable(connection: &mut Connection, id: &str, now: Timestamp) -> Result<(), CeremonyError> {
    // In this order: what is begun at the first look may have become a certificate at the second.
    if issuance::is_awaited_of(connection, id)? {
        return Err(CeremonyError::StillIntended(id.to_owned()));
    }
    if let Some(end) = issuers::last_end(connection, id)?.filter(|end| *end >= now) {
        return Err(CeremonyError::StillNeeded(id.to_owned(), end));
    }
    Ok(())
}
