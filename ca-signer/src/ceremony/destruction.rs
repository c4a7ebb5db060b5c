//! The end of a CA's key.

use ca_core::Timestamp;
use ca_core::signer::{AbsentKey, Signer};
use config::Settings;
use store::{Database, StoreError, audit, crls, issuers};

use super::{CeremonyError, CrlSigner, Transcript, open_issuer};
use crate::keyring::Keyring;

/// Destroys the key of a CA whose last certificate has ended, after its last CRL is signed: one that holds for ever (RFC 5280
/// section 4.1.2.5; ETSI EN 319 411-1 section 6.3.9). A signer that has the key in its memory is to be started again.
///
/// # Errors
/// [`CeremonyError::NoSuccessor`], [`CeremonyError::StillNeeded`], [`CeremonyError::NoSuchCa`]; others.
pub fn destroy_key(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    id: &str,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<(), CeremonyError> {
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
        if let Some(end) = database.read(|c| issuers::last_end(c, id))?.filter(|end| *end >= now) {
            return Err(CeremonyError::StillNeeded(id.to_owned(), end));
        }
        sign_last_crls(database, settings, keyring, id, transcript, now)?;
        let entry = audit::Entry {
            at: now,
            actor: "operator".to_owned(),
            action: "key.destroy".to_owned(),
            object: format!("key:{id}"),
            details: serde_json::json!({ "spki_sha256": hex::encode(ca_core::digest::sha256(key.public_key())) }),
        };
        // Before the key goes: whoever starts meanwhile does not look for it any more.
        database.write(|connection| {
            issuers::key_destroyed(connection, id, now)?;
            audit::record(connection, &[entry])
        })?;
    }
    keyring.destroy_issuer(id)?;
    transcript.known_key("key-destroyed", id, &key);
    Ok(())
}

fn sign_last_crls(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    id: &str,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<(), CeremonyError> {
    let issuer = open_issuer(database, keyring, id)?;
    transcript.known_key("key-used", id, issuer.signer().as_ref());
    let signer = CrlSigner::new(id, issuer.certificate(), issuer.signer().clone(), settings)?;
    let heads = database.read(crls::heads)?.into_iter().filter(|head| head.issuer == id);
    for head in heads {
        let number =
            signer.sign(database, &head.partition, Timestamp::MAX.since(now.whole_seconds()), now)?;
        transcript.line("last-crl-signed", format_args!("{id} {} {number}", head.partition));
    }
    Ok(())
}
