//! Certificates of OCSP responders, renewed well before they end.
//!
//! The signer acts on its own and asks nobody: it certifies again a key that it finds certified by its own CA. A new key
//! is certified by an operator (`muhr ca renew-ocsp`), so that whoever can write to the database gains no responder. A
//! responder that is given up has its certificate revoked, and is not certified again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::ocsp::Responder;
use ca_core::revocation::Status;
use ca_core::signer::{AbsentKey, Signer};
use store::jobs::{self, Job, JobKind, NewJob};
use store::responders::{self, Certified};
use store::{Connection, StoreError, issuers};

use crate::SigningService;
use crate::ceremony::{CeremonyError, certify_responder, store_made};
use crate::service::KEY_PAUSE;

/// How often the signer looks whether a certificate is to be renewed.
const LOOK: Duration = Duration::from_secs(60);

impl SigningService {
    /// Queues what is to be renewed, and renews what is queued. Returns how many jobs were settled.
    pub(crate) fn renew_responders(&self, owner: &str) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let last = self.responders_seen.load(Ordering::Relaxed);
        if now.unix_millis().abs_diff(last) < LOOK.as_millis() as u64 {
            return Ok(0);
        }
        let due = self.due_responders(now)?;
        let lease = self.settings.issuance.lease;
        let claimed = match due.is_empty() {
            true => Vec::new(),
            false => self.database.write(|c| {
                let queued: Vec<NewJob> = due.iter().map(|certified| job(certified, now)).collect();
                jobs::enqueue(c, &queued, now)?;
                jobs::claim(c, JobKind::CertifyResponder, owner, now, lease, due.len())
            })?,
        };
        for job in &claimed {
            self.renew_responder(job, now)?;
        }
        self.responders_seen.store(now.unix_millis(), Ordering::Relaxed);
        Ok(claimed.len())
    }

    /// The newest certificates of our CAs that have less than a third of their life left.
    fn due_responders(&self, now: Timestamp) -> Result<Vec<Certified>, StoreError> {
        let look = |c: &mut Connection| Ok::<_, StoreError>((issuers::all(c)?, responders::newest(c)?));
        let (issuers, mut newest) = self.database.read(look)?;
        // A key in memory that is destroyed or given up certifies nothing that counts.
        let can_sign = |id: &str| {
            self.authority(Some(id)).is_some() && issuers.iter().any(|row| row.id == id && row.has_key())
        };
        newest.retain(|certified| can_sign(&certified.issuer) && is_due(certified, now));
        Ok(newest)
    }

    fn renew_responder(&self, job: &Job, now: Timestamp) -> Result<(), StoreError> {
        let due = self.due_responders(now)?;
        let renewed = match due.iter().find(|certified| key(certified) == job.key) {
            // Another signer was faster.
            None => return self.database.write(|c| jobs::complete(c, &[job.id])),
            Some(certified) => self.certify_again(certified, now),
        };
        match renewed {
            Ok(made) => {
                self.database.write(|c| {
                    // The job before the key's turn, as whoever gives up a key does.
                    jobs::complete(c, &[job.id])?;
                    store_made(c, &made, now)
                })?;
                let certificate = &made.certificate;
                tracing::info!(serial = %certificate.serial, not_after = %certificate.not_after, "OCSP responder certified again");
                Ok(())
            }
            Err(CeremonyError::Store(error)) => Err(error),
            Err(CeremonyError::Sign(error)) => {
                tracing::error!(%error, "an OCSP responder is not certified again; trying again");
                let (why, again) = (error.to_string(), now.plus(KEY_PAUSE));
                self.database.write(|c| jobs::wait(c, job, &why, again))
            }
            Err(error) => {
                tracing::error!(%error, "an OCSP responder is not certified again");
                self.database.write(|c| jobs::retry(c, job, &error.to_string(), now)).map(|_| ())
            }
        }
    }

    fn certify_again(
        &self,
        certified: &Certified,
        now: Timestamp,
    ) -> Result<crate::ceremony::Made, CeremonyError> {
        let authority = self.authority(Some(&certified.issuer)).ok_or(CeremonyError::NoCa)?;
        let public_key = responders_key(&certified.certificate, authority.issuer.certificate())?;
        let profiles = self.responder_profiles.clone();
        certify_responder(&authority.issuer, &authority.id, &self.settings, profiles, &public_key, now)
    }
}

/// The public key (SubjectPublicKeyInfo) of a responder whose certificate clients would believe in this issuer's name. A row
/// of the database is believed only as far as the CA's own signature on the certificate goes.
pub(crate) fn responders_key(certificate: &[u8], issuer: &[u8]) -> Result<Vec<u8>, CeremonyError> {
    let key =
        AbsentKey::of_certificate(certificate).map_err(|error| CeremonyError::WeakKey(error.to_string()))?;
    let public_key = key.public_key().to_vec();
    Responder::new(Arc::new(key), certificate, issuer)
        .map_err(|unfit| CeremonyError::WeakKey(unfit.to_string()))?;
    Ok(public_key)
}

fn job(certified: &Certified, now: Timestamp) -> NewJob {
    NewJob { kind: JobKind::CertifyResponder, key: key(certified), payload: "{}".to_owned(), run_at: now }
}

/// Which key, and in whose name.
fn key(certified: &Certified) -> String {
    format!("{}/{}", certified.issuer, hex::encode(&certified.spki_sha256))
}

/// In the last third of its life, and neither revoked nor ended: what has ended needs an operator's hand again.
fn is_due(certified: &Certified, now: Timestamp) -> bool {
    let margin = certified.not_after.since(certified.not_before) / 3;
    certified.status == Status::Good && now >= certified.not_after.minus(margin) && now < certified.not_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_the_last_third_of_its_life_unless_it_is_revoked() {
        let days =
            |days: u64| Timestamp::from_unix_seconds(1_790_000_000).plus(Duration::from_secs(days * 86_400));
        let certified = |status| Certified {
            issuer: issuers::ISSUING.to_owned(),
            spki_sha256: vec![7; 32],
            certificate: Vec::new(),
            not_before: days(0),
            not_after: days(90),
            status,
        };
        let good = certified(Status::Good);
        assert_eq!([59, 60, 89, 90].map(|day| is_due(&good, days(day))), [false, true, true, false]);
        assert!(!is_due(&certified(Status::Suspended { since: days(1) }), days(70)));
    }
}
