//! A batch of approved applications: prepare and lint, record the intent, sign, store.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use ca_core::application::{Application, ApplicationId, Transition};
use ca_core::crl::partition_name;
use ca_core::csr::{CertificationRequest, KeyUse, check_history};
use ca_core::issue::{Prepared, Request};
use ca_core::{SerialNumber, Timestamp};
use store::alarms::AlarmKind;
use store::applications::StoredApplication;
use store::certificates::NewCertificate;
use store::issuance::{Intent, Signed};
use store::jobs::{self, Job, JobKind};
use store::{Connection, StoreError, alarms, applications, certificates, issuance};

use crate::SigningService;
use crate::approvals::Claims;
use crate::authority::Authority;
use crate::service::KEY_PAUSE;

/// Everything a batch needs to be decided, read at once.
struct Batch<'a> {
    jobs: &'a [Job],
    applications: HashMap<ApplicationId, StoredApplication>,
    intents: HashMap<ApplicationId, Intent>,
    claims: Claims,
}

/// An application that may be signed.
struct Ready<'a> {
    job: i64,
    stored: &'a StoredApplication,
    authority: &'a Authority,
    transition: Transition,
    spki_sha256: [u8; 32],
    request: Request,
}

/// An application that may not.
struct Refused {
    job: i64,
    transition: Transition,
    /// It was called approved, and is not.
    unapproved: bool,
}

/// What becomes of a job.
enum Verdict<'a> {
    /// It may be signed.
    Ready(Box<Ready<'a>>),
    /// What was approved must not be signed.
    Refused(Refused),
    /// Nothing is left to do: somebody settled it, or the application moved on.
    Settled(i64),
    /// Another signer has the key of the CA that meant to sign it.
    Elsewhere(&'a Job, &'a str),
}

impl SigningService {
    /// Claims a batch and settles it. Returns how many jobs it had.
    pub(crate) fn issue_batch(&self, owner: &str) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let issuance = &self.settings.issuance;
        let limit = usize::try_from(issuance.batch_size).unwrap_or(1);
        let claimed = self.database.write(|connection| {
            jobs::claim(connection, JobKind::IssueCertificate, owner, now, issuance.lease, limit)
        })?;
        match self.settle(&claimed, now) {
            Err(error) if is_of_the_jobs(&error) => self.settle_each(&claimed, now)?,
            other => other?,
        }
        Ok(claimed.len())
    }

    /// One job at a time, so that the one that cannot be settled does not hold up the others: it waits, longer each
    /// time, with the error for people to read.
    fn settle_each(&self, claimed: &[Job], now: Timestamp) -> Result<(), StoreError> {
        for job in claimed {
            match self.settle(std::slice::from_ref(job), now) {
                Err(error) if is_of_the_jobs(&error) => {
                    tracing::error!(application = job.key, %error, "issuance failed");
                    self.database.write(|c| jobs::retry(c, job, &error.to_string(), now))?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn settle(&self, claimed: &[Job], now: Timestamp) -> Result<(), StoreError> {
        if claimed.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let batch = self.database.read(|connection| load(connection, claimed))?;
        let mut prepared = Vec::with_capacity(claimed.len());
        let mut refused = Vec::new();
        let mut settled = Vec::new();
        for verdict in self.judge(&batch, now)? {
            let verdict = match verdict {
                Verdict::Ready(ready) => {
                    let application = &ready.stored.application;
                    match self.prepare(&ready, batch.intents.get(&application.id)) {
                        Ok(certificate) => {
                            // What the database says of an approval is no approval.
                            match self.witness.approved(
                                &batch.claims,
                                application,
                                (certificate.tbs(), certificate.not_before()),
                                now,
                            ) {
                                Ok(()) => {
                                    prepared.push((ready, certificate));
                                    continue;
                                }
                                Err(why) => unapproved(refusal(ready.job, application, why.to_string(), now)),
                            }
                        }
                        Err(finding) => refusal(ready.job, application, finding, now),
                    }
                }
                other => other,
            };
            match verdict {
                Verdict::Refused(refusal) => refused.push(refusal),
                Verdict::Settled(job) => settled.push(job),
                Verdict::Elsewhere(job, issuer) => {
                    let why = format!("the key of `{issuer}` is not here: start its signer");
                    self.database.write(|c| jobs::wait(c, job, &why, now.plus(KEY_PAUSE)))?;
                }
                Verdict::Ready(_) => {}
            }
        }
        let prepared = self.intend(&batch, prepared, now)?;
        let signed = self.sign(prepared)?;
        if !signed.is_empty() || !settled.is_empty() {
            let stored = self.database.write(|connection| {
                jobs::complete(connection, &settled)?;
                issuance::settle(connection, &signed, now)
            })?;
            self.metrics.issued(signed.len());
            self.metrics.settled(began);
            tracing::info!(stored, "certificates issued");
        }
        for refusal in refused {
            self.refuse(&refusal)?;
        }
        Ok(())
    }

    /// Looks at every claimed application: state, certification request, history of its key.
    fn judge<'a>(&'a self, batch: &'a Batch<'_>, now: Timestamp) -> Result<Vec<Verdict<'a>>, StoreError> {
        let mut verdicts = Vec::with_capacity(batch.jobs.len());
        let mut candidates = Vec::with_capacity(batch.jobs.len());
        for job in batch.jobs {
            let stored = job.key.parse().ok().and_then(|id: ApplicationId| batch.applications.get(&id));
            let Some((stored, transition)) =
                stored.and_then(|stored| Some((stored, stored.application.issue(now).ok()?)))
            else {
                verdicts.push(Verdict::Settled(job.id));
                continue;
            };
            // The request is believed no more than its sender: it is parsed and proven again here.
            match stored.csr.as_deref().map(CertificationRequest::parse) {
                Some(Ok(csr)) => candidates.push((job, stored, transition, csr)),
                Some(Err(error)) => {
                    verdicts.push(refusal(job.id, &stored.application, error.to_string(), now));
                }
                None => {
                    let finding = "there is no certification request".to_owned();
                    verdicts.push(refusal(job.id, &stored.application, finding, now));
                }
            }
        }
        let keys: Vec<[u8; 32]> = candidates.iter().map(|(.., csr)| csr.public_key().sha256()).collect();
        let mut uses: HashMap<[u8; 32], Vec<KeyUse>> = HashMap::new();
        for (key, used) in self.database.read(|c| certificates::uses_of_keys(c, &keys))? {
            uses.entry(key).or_default().push(used);
        }
        for (job, stored, transition, csr) in candidates {
            let key = csr.public_key().sha256();
            let holder = stored.application.subject.person().pinfl.as_str();
            // The CA that certifies; of an intent that was not carried out, the one that had it.
            let intended = batch.intents.get(&stored.application.id).map(|intent| intent.issuer.as_str());
            let Some(authority) = self.authority(intended) else {
                verdicts.push(Verdict::Elsewhere(job, intended.unwrap_or_default()));
                continue;
            };
            let history = uses.entry(key).or_default();
            match check_history(history, holder)
                .map_err(|error| error.to_string())
                .and_then(|()| self.request(stored, authority, csr.public_key().spki_der(), now))
            {
                Ok(request) => {
                    // What this batch is about to certify counts for the rest of it.
                    history.push(KeyUse { holder: holder.to_owned(), revoked_for_compromise: false });
                    verdicts.push(Verdict::Ready(Box::new(Ready {
                        job: job.id,
                        stored,
                        authority,
                        transition,
                        spki_sha256: key,
                        request,
                    })));
                }
                Err(finding) => {
                    verdicts.push(refusal(job.id, &stored.application, finding, now));
                }
            }
        }
        Ok(verdicts)
    }

    /// The certificate to be: its subject comes from the application, only its key from the certification request.
    fn request(
        &self,
        stored: &StoredApplication,
        authority: &Authority,
        spki: &[u8],
        now: Timestamp,
    ) -> Result<Request, String> {
        let place = || {
            let region = self.regions.get(u16::try_from(stored.region).ok()?)?;
            let code = u32::try_from(stored.district).ok()?;
            Some((region, self.regions.district(region.code, code).ok()?))
        };
        let (region, district) = place().ok_or("the region or the district is unknown")?;
        let subject =
            stored.application.subject.certificate_fields(region, district, stored.email.as_deref());
        Ok(Request {
            subject,
            public_key: spki.to_vec(),
            serial: SerialNumber::random().map_err(|error| error.to_string())?,
            now,
            urls: authority.urls.clone(),
            months: Some(self.settings.issuance.validity_months),
        })
    }

    /// Prepares a new certificate, or the one a signer that died has recorded.
    fn prepare<'a>(&self, ready: &Ready<'a>, intent: Option<&Intent>) -> Result<Prepared<'a>, String> {
        let subject_type = ready.stored.application.subject_type();
        let profile =
            self.profiles.get(&subject_type).ok_or("there is no profile for this kind of subject")?;
        match intent {
            Some(intent) => {
                let request = Request { serial: intent.serial, ..ready.request.clone() };
                ready.authority.issuer.resume(profile, request, &intent.tbs)
            }
            None => ready.authority.issuer.prepare(profile, ready.request.clone()),
        }
        .map_err(|violation| violation.to_string())
    }

    /// Records what is about to be signed, and commits. Where another signer's intent holds, that signer signs.
    fn intend<'a>(
        &self,
        batch: &Batch<'_>,
        prepared: Vec<(Box<Ready<'a>>, Prepared<'a>)>,
        now: Timestamp,
    ) -> Result<Vec<(Box<Ready<'a>>, Prepared<'a>)>, StoreError> {
        let is_new = |ready: &Ready<'_>| !batch.intents.contains_key(&ready.stored.application.id);
        let new: Vec<Intent> = prepared
            .iter()
            .filter(|(ready, _)| is_new(ready))
            .map(|(ready, prepared)| Intent {
                issuer: ready.authority.id.clone(),
                serial: prepared.serial(),
                application: Some(ready.stored.application.id),
                profile: ready.stored.application.subject_type().as_str().to_owned(),
                tbs: prepared.tbs().to_vec(),
            })
            .collect();
        if new.is_empty() {
            return Ok(prepared);
        }
        let holding = self.database.write(|connection| -> Result<_, StoreError> {
            let recorded = issuance::record_intents(connection, &new, now)?;
            if recorded == new.len() {
                return Ok(None);
            }
            let ids: Vec<ApplicationId> = new.iter().filter_map(|intent| intent.application).collect();
            issuance::pending_intents(connection, &ids).map(Some)
        })?;
        let Some(holding) = holding else { return Ok(prepared) };
        let ours: HashSet<SerialNumber> = holding.values().map(|intent| intent.serial).collect();
        Ok(prepared.into_iter().filter(|(ready, p)| !is_new(ready) || ours.contains(&p.serial())).collect())
    }

    /// Signs what is recorded.
    fn sign(&self, prepared: Vec<(Box<Ready<'_>>, Prepared<'_>)>) -> Result<Vec<Signed>, StoreError> {
        prepared
            .into_iter()
            .map(|(ready, prepared)| {
                let subject_text = prepared.subject_text();
                let began = Instant::now();
                let certificate = ready
                    .authority
                    .issuer
                    .issue(prepared)
                    .map_err(|error| StoreError::Unavailable(format!("the CA key: {error}")))?;
                self.metrics.signed(began);
                let subject = &ready.stored.application.subject;
                Ok(Signed {
                    certificate: NewCertificate {
                        issuer: ready.authority.id.clone(),
                        serial: certificate.serial,
                        application: Some(ready.stored.application.id),
                        profile: subject.subject_type().as_str().to_owned(),
                        subject: subject_text,
                        common_name: subject.common_name(),
                        pinfl: Some(subject.person().pinfl.as_str().to_owned()),
                        stir: subject.stir().map(|stir| stir.as_str().to_owned()),
                        spki_sha256: ready.spki_sha256,
                        der: certificate.der,
                        not_before: certificate.not_before,
                        not_after: certificate.not_after,
                        crl_partition: partition_name(certificate.crl_partition),
                    },
                    transition: ready.transition,
                    job: ready.job,
                })
            })
            .collect()
    }

    fn refuse(&self, refused: &Refused) -> Result<(), StoreError> {
        let finding = refused.transition.note.as_deref().unwrap_or_default();
        let application = refused.transition.application;
        if refused.unapproved {
            tracing::error!(%application, finding, "ALARM: called approved, and not approved");
        } else {
            tracing::warn!(%application, finding, "issuance refused");
        }
        let refuse = self.database.write(|connection| {
            if refused.unapproved {
                let object = format!("application:{application}");
                let at = refused.transition.at;
                alarms::raise(connection, AlarmKind::Unapproved, &object, finding, "ca", at)?;
            }
            issuance::refuse(connection, &refused.transition, refused.job)
        });
        if refuse.is_ok() {
            self.metrics.refused();
        }
        match refuse {
            // Somebody moved the application meanwhile: there is nothing to refuse any more.
            Err(StoreError::Conflict(_)) => self.database.write(|c| jobs::complete(c, &[refused.job])),
            other => other,
        }
    }
}

fn load<'a>(connection: &mut Connection, jobs: &'a [Job]) -> Result<Batch<'a>, StoreError> {
    let ids: Vec<ApplicationId> = jobs.iter().filter_map(|job| job.key.parse().ok()).collect();
    let applications = applications::find_many(connection, &ids)?;
    Ok(Batch {
        applications: applications.into_iter().map(|stored| (stored.application.id, stored)).collect(),
        intents: issuance::pending_intents(connection, &ids)?,
        claims: Claims::load(connection, &ids)?,
        jobs,
    })
}

/// Is it about what the jobs are about? Then the others are better tried without it. A database or a key that cannot be
/// had is waited for with all of them.
fn is_of_the_jobs(error: &StoreError) -> bool {
    !matches!(error, StoreError::Unavailable(_) | StoreError::StorageFull(_))
}

/// Back to review with the finding; nothing to do if the application is no longer the CA's to move.
fn refusal<'a>(job: i64, application: &Application, finding: String, now: Timestamp) -> Verdict<'a> {
    match application.refuse_issuance(finding, now) {
        Ok(transition) => Verdict::Refused(Refused { job, transition, unapproved: false }),
        Err(_) => Verdict::Settled(job),
    }
}

/// A refusal that somebody has to look into.
fn unapproved(verdict: Verdict<'_>) -> Verdict<'_> {
    match verdict {
        Verdict::Refused(refused) => Verdict::Refused(Refused { unapproved: true, ..refused }),
        other => other,
    }
}
