//! The loop: claim, do, settle; and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use ca_core::crl::CrlError;
use ca_core::issue::IssuerError;
use ca_core::profile::Profile;
use ca_core::signer::Signer;
use ca_core::subject::{Regions, SubjectType};
use config::Settings;
use config::clock::SystemClock;
use config::tables::{Profiles, Tables};
use prometheus_client::registry::Registry;
use store::jobs::{self, Job, JobKind};
use store::{Database, StoreError, crls, issuers};

use crate::approvals::Witness;
use crate::authority::Authority;
use crate::keyring::Keyring;
use crate::keys::KeyError;
use crate::metrics::Metrics;
use crate::revocation_list::SignCrlError;

/// A key that cannot sign now is a token that is away: the job is not at fault, waits so long, and never dies of it.
pub(crate) const KEY_PAUSE: Duration = Duration::from_secs(5);

/// Signs what has been approved, and CRLs. Several workers and several processes may run at once.
pub struct SigningService {
    pub(crate) database: Database,
    pub(crate) clock: SystemClock,
    pub(crate) settings: Arc<Settings>,
    pub(crate) regions: Arc<Regions>,
    /// The issuing CA that certifies, and after it those that only revoke any more.
    authorities: Vec<Authority>,
    pub(crate) profiles: HashMap<SubjectType, Profile>,
    pub(crate) witness: Witness,
    pub(crate) responder_profiles: Profiles,
    /// Unix milliseconds at which the responders' certificates were looked at last.
    pub(crate) responders_seen: AtomicI64,
    pub(crate) metrics: Metrics,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no CA yet.
    #[error("there is no CA in this database yet: run `muhr ca init`")]
    NoCa,
    /// The key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key and the certificate do not fit.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The certificate makes no CRL issuer.
    #[error(transparent)]
    Crl(#[from] SignCrlError),
    /// A table of the configuration is broken.
    #[error(transparent)]
    Tables(#[from] config::tables::TablesError),
    /// What is approved for such a subject could only be refused.
    #[error("there is no profile `{0}`")]
    NoProfile(&'static str),
    /// The memory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SigningService {
    /// With the keys of the issuing CAs from where the settings say they are: of the one that certifies, and of those that
    /// still have to revoke. A successor that comes later is heard of at the next start.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn open(
        database: Database,
        settings: Arc<Settings>,
        keyring: &Keyring<'_>,
    ) -> Result<Self, ServiceError> {
        let current = match database.read(issuers::current) {
            Err(StoreError::NotFound) => return Err(ServiceError::NoCa),
            other => other?,
        };
        let mut rows = database.read(issuers::all)?;
        rows.retain(|row| row.is_issuing() && row.has_key() && row.id != current.id);
        let open = |row: &issuers::Issuer| -> Result<Authority, ServiceError> {
            Authority::new(&row.id, &row.certificate, keyring.issuer(&row.id)?, &settings)
        };
        let mut authorities = vec![open(&current)?];
        for row in rows {
            match open(&row) {
                Ok(authority) => authorities.push(authority),
                // The one that issues is not held up by one that only revokes any more.
                Err(error) => {
                    tracing::error!(%error, issuer = row.id, "ALARM: its CRLs cannot be signed here");
                }
            }
        }
        Self::of(authorities, database, settings)
    }

    /// For the first issuing CA, with a key from wherever it is.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn with_key(
        database: Database,
        settings: Arc<Settings>,
        certificate: &[u8],
        key: Arc<dyn Signer>,
    ) -> Result<Self, ServiceError> {
        let authority = Authority::new(issuers::ISSUING, certificate, key, &settings)?;
        Self::of(vec![authority], database, settings)
    }

    /// The first of the authorities certifies.
    fn of(
        authorities: Vec<Authority>,
        database: Database,
        settings: Arc<Settings>,
    ) -> Result<Self, ServiceError> {
        let tables = Tables::load(&settings.data)?;
        let of = |kind: SubjectType| {
            let profile = tables.profiles.get(kind.as_str()).cloned();
            profile.map(|profile| (kind, profile)).ok_or(ServiceError::NoProfile(kind.as_str()))
        };
        let kinds = [SubjectType::NaturalPerson, SubjectType::SoleProprietor, SubjectType::LegalEntity];
        Ok(Self {
            clock: settings.clock(),
            regions: Arc::new(tables.regions.clone()),
            authorities,
            profiles: kinds.into_iter().map(of).collect::<Result<_, _>>()?,
            witness: Witness::open(&settings, tables.approval)?,
            responder_profiles: tables.profiles.clone(),
            responders_seen: AtomicI64::new(0),
            database,
            settings,
            metrics: Metrics::default(),
        })
    }

    /// Whether its keys could sign now, for `/health/ready`.
    pub fn is_ready(&self) -> bool {
        self.authorities.iter().all(|authority| authority.issuer.signer().is_reachable())
    }

    /// The issuing CA of this name, if its key is here; without a name the one that certifies.
    pub(crate) fn authority(&self, id: Option<&str>) -> Option<&Authority> {
        self.authorities.iter().find(|authority| id.is_none_or(|id| authority.id == id))
    }

    /// Adds its counts to those of the process.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Works until `stop` is set, on this thread. A failure of the database is waited out.
    pub fn run(&self, stop: &AtomicBool) {
        let owner = owner();
        while !stop.load(Ordering::Relaxed) {
            match self.work(&owner) {
                Ok(0) => std::thread::sleep(self.settings.issuance.poll_interval),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "signing failed; trying again");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }

    /// One claim of each kind. Returns how many jobs were settled.
    ///
    /// # Errors
    /// The memory or the key failed; what was claimed is claimed again.
    pub fn work(&self, owner: &str) -> Result<usize, StoreError> {
        // Also while nothing is to be signed: what is revoked now may be hidden later. Nothing is issued on what was not learnt.
        let learnt = self.witness.learn(&self.database);
        // Each its own: revocations are told even while nothing can be issued.
        let (issued, listed) = (learnt.and_then(|()| self.issue_batch(owner)), self.sign_crls(owner));
        let renewed = self.renew_responders(owner);
        Ok(issued? + listed? + renewed?)
    }

    fn sign_crls(&self, owner: &str) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let lease = self.settings.issuance.lease;
        let claimed = self.database.write(|c| jobs::claim(c, JobKind::SignCrl, owner, now, lease, 4))?;
        for job in &claimed {
            self.sign_crl(job)?;
        }
        Ok(claimed.len())
    }

    fn sign_crl(&self, job: &Job) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (issuer, partition) = job.crl_partition();
        if !self.database.read(|c| issuers::find(c, issuer))?.has_key() {
            return self.database.write(|c| jobs::complete(c, &[job.id]));
        }
        let Some(authority) = self.authority(Some(issuer)) else {
            // Another signer may have it, or people with `muhr crl now`.
            let why = format!("the key of `{issuer}` is not here: run `muhr crl now` where it is");
            return self.database.write(|c| jobs::wait(c, job, &why, now.plus(KEY_PAUSE)));
        };
        // Revocations that come together are told together: one CRL of a partition in so many seconds.
        let newest = self.database.read(|c| crls::newest(c, issuer, partition))?;
        let pause = self.settings.crl.min_interval;
        if let Some(until) = newest.map(|crl| crl.this_update.plus(pause)).filter(|&until| until > now) {
            return self.database.write(|c| jobs::postpone(c, job, until));
        }
        // The job leaves the queue with the CRL: a signer that dies here leaves it to the next.
        let began = Instant::now();
        match authority.crls.sign(&self.database, partition, self.settings.crl.validity, now) {
            Ok(_) => {
                self.metrics.listed(began);
                Ok(())
            }
            // Another signer made this number at this moment, maybe from older rows: the next look makes the next.
            Err(SignCrlError::Store(StoreError::Conflict(_))) => Ok(()),
            Err(SignCrlError::Store(error)) => Err(error),
            Err(SignCrlError::Crl(CrlError::Sign(error))) => {
                tracing::error!(%error, "CRL not signed; trying again");
                let (why, again) = (error.to_string(), now.plus(KEY_PAUSE));
                self.database.write(|c| jobs::wait(c, job, &why, again))
            }
            Err(error) => {
                tracing::error!(%error, "CRL not signed");
                self.database.write(|c| jobs::retry(c, job, &error.to_string(), now)).map(|_| ())
            }
        }
    }
}

/// A name no other worker has.
pub(crate) fn owner() -> String {
    let mut random = [0_u8; 8];
    // Without random octets the process number and the thread still tell workers of one machine apart.
    if SystemRandom::new().fill(&mut random).is_err() {
        tracing::warn!("no random octets for the name of a worker");
    }
    format!("{}-{:?}-{}", std::process::id(), std::thread::current().id(), hex::encode(random))
}
