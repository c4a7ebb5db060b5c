//! Asks for CRLs when they are due and publishes those that are right.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use ca_core::crl::{Fault, Judgement, judge, summary};
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use config::clock::SystemClock;
use store::crls::CrlSummary;
use store::issuers::Issuer;
use store::jobs::{JobKind, NewJob};
use store::{Connection, Database, StoreError, certificates, crls, feed, issuers, jobs};

use crate::repository::{Kind, Repository};

/// How long a CRL that was refused is left alone; only a wrong clock would make the next judgement another one.
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// Publishes the CRLs and certificates of every issuer in the database.
pub struct Publisher {
    repository: Arc<Repository>,
    database: Database,
    clock: SystemClock,
    overlap: Duration,
    interval: Duration,
}

/// The thread that publishes; it stops when this is dropped.
#[derive(Debug)]
pub struct Worker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Opens the repository; nothing new is published before a [`Worker`] starts.
    ///
    /// # Errors
    /// The repository's folder cannot be made or read.
    pub fn new(settings: &Settings, database: Database) -> std::io::Result<Self> {
        Ok(Self {
            repository: Arc::new(Repository::open(&settings.crl.repository_directory)?),
            database,
            clock: settings.clock(),
            overlap: settings.crl.overlap,
            interval: settings.crl.due_check,
        })
    }

    /// What is published.
    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }

    /// Whether there is a CRL and none has outlived its nextUpdate, for `/health/ready`.
    pub fn is_ready(&self) -> bool {
        self.repository.is_ready(self.clock.now())
    }
}

impl Worker {
    /// Starts publishing.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(publisher: Arc<Publisher>) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("crl-publisher".to_owned()).spawn(move || {
            let mut rounds = Rounds { publisher: &publisher, known: HashMap::new(), refused: HashMap::new() };
            rounds.go();
            while stopped.recv_timeout(publisher.interval) == Err(RecvTimeoutError::Timeout) {
                rounds.go();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the publisher of CRLs had panicked");
        }
    }
}

/// Why something was not published this time.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the repository cannot be written: {0}")]
    Repository(#[from] std::io::Error),
    #[error("CRL {number} of {issuer} is not published: {fault}")]
    Refused { issuer: String, number: i64, fault: Fault },
}

struct Rounds<'a> {
    publisher: &'a Publisher,
    /// The number of the published CRL by issuer.
    known: HashMap<String, i64>,
    /// The number of the refused CRL by issuer, and when it was.
    refused: HashMap<String, (i64, Timestamp)>,
}

impl Rounds<'_> {
    /// One round. An obstacle at one issuer does not keep the others waiting; the next round tries again.
    fn go(&mut self) {
        let issuers = match self.publisher.database.read(issuers::all) {
            Ok(issuers) => issuers,
            Err(error) => return tracing::warn!(%error, "no CRL can be published now"),
        };
        for issuer in issuers {
            if let Err(obstacle) = self.visit(&issuer) {
                tracing::error!(issuer = issuer.id, error = %obstacle, "publication failed");
            }
        }
    }

    fn visit(&mut self, issuer: &Issuer) -> Result<(), Obstacle> {
        self.place_certificate(issuer)?;
        let now = self.publisher.clock.now();
        let look = |c: &mut Connection| {
            let newest = crls::newest(c, &issuer.id)?;
            let told = newest.as_ref().map_or(0, |crl| crl.last_change);
            let is_changed = feed::latest_for_crl(c, &issuer.id, told)?.is_some();
            let is_due = is_due(newest.as_ref(), is_changed, self.publisher.overlap, now);
            Ok::<_, StoreError>((newest, is_due))
        };
        let (newest, due) = self.publisher.database.read(look)?;
        if due {
            // Looked at again where no signer can finish in between. There is a job already where a revocation queued
            // it, unless the signer was at the one before.
            self.publisher.database.write(|c| match look(c)? {
                (_, true) => jobs::enqueue(c, &[sign_crl(issuer, now)], now),
                (_, false) => Ok(()),
            })?;
        }
        match newest {
            Some(newest) => self.publish(issuer, newest.number, now),
            None => Ok(()),
        }
    }

    fn place_certificate(&self, issuer: &Issuer) -> std::io::Result<()> {
        let placed = self.publisher.repository.of_issuer(&issuer.id, Kind::Certificate);
        if placed.is_some_and(|placed| placed.octets == issuer.certificate) {
            return Ok(());
        }
        self.publisher.repository.place(&issuer.id, Kind::Certificate, &issuer.certificate)?;
        tracing::info!(issuer = issuer.id, "CA certificate published");
        Ok(())
    }

    fn publish(&mut self, issuer: &Issuer, number: i64, now: Timestamp) -> Result<(), Obstacle> {
        if self.known.get(&issuer.id).is_some_and(|&known| known >= number)
            || self.was_refused(issuer, number, now)
        {
            return Ok(());
        }
        let published = self.published(issuer);
        if let Some((known, _)) = &published
            && *known >= number
        {
            if *known > number {
                tracing::error!(
                    issuer = issuer.id,
                    known,
                    number,
                    "the published CRL is newer than the database"
                );
            }
            self.known.insert(issuer.id.clone(), *known);
            return Ok(());
        }
        let new = self.publisher.database.read(|c| crls::bytes(c, &issuer.id, number))?;
        let previous = match published {
            Some((_, octets)) => Some(octets),
            None => self.stored_before(issuer, number)?,
        };
        let judgement = self.judge(issuer, previous.as_deref(), &new, now).map_err(|fault| {
            self.refused.insert(issuer.id.clone(), (number, now));
            Obstacle::Refused { issuer: issuer.id.clone(), number, fault }
        })?;
        self.publisher.repository.place(&issuer.id, Kind::Crl, &new)?;
        self.known.insert(issuer.id.clone(), number);
        let Judgement { entries, added, removed, next_update, .. } = judgement;
        tracing::info!(issuer = issuer.id, number, entries, added, removed, %next_update, "CRL published");
        Ok(())
    }

    fn was_refused(&self, issuer: &Issuer, number: i64, now: Timestamp) -> bool {
        let refused = self.refused.get(&issuer.id);
        refused.is_some_and(|&(refused, at)| refused == number && now.since(at) < SECOND_LOOK && at <= now)
    }

    /// Number and octets of the CRL in the repository, if it is one of this issuer's key: another one, of a former CA
    /// of the same name or a damaged one, says nothing about what may vanish.
    fn published(&self, issuer: &Issuer) -> Option<(i64, Vec<u8>)> {
        let octets = self.publisher.repository.of_issuer(&issuer.id, Kind::Crl)?.octets.to_vec();
        let genuine = summary(&octets)
            .and_then(|summary| judge(None, &octets, &issuer.certificate, summary.this_update, |_| None));
        match genuine {
            Ok(judgement) => Some((i64::try_from(judgement.number).unwrap_or(i64::MAX), octets)),
            Err(fault) => {
                tracing::warn!(issuer = issuer.id, %fault, "the CRL in the repository is not this issuer's");
                None
            }
        }
    }

    /// The CRL before this one in the database, for a repository that has none.
    fn stored_before(&self, issuer: &Issuer, number: i64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.publisher.database.read(|c| crls::bytes(c, &issuer.id, number - 1)) {
            Ok(octets) => Ok(Some(octets)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn judge(
        &self,
        issuer: &Issuer,
        previous: Option<&[u8]>,
        new: &[u8],
        now: Timestamp,
    ) -> Result<Judgement, Fault> {
        judge(previous, new, &issuer.certificate, now, |serial: &SerialNumber| {
            // Without an answer nothing may vanish.
            let ends =
                self.publisher.database.read(|c| certificates::ends(c, &issuer.id, &[*serial])).ok()?;
            ends.first().map(|(_, end, _)| *end)
        })
    }
}

/// A CRL is due if there is none, if the newest ends within the overlap, or if it does not tell what happened since.
fn is_due(newest: Option<&CrlSummary>, is_changed: bool, overlap: Duration, now: Timestamp) -> bool {
    newest.is_none_or(|crl| is_changed || now >= crl.next_update.minus(overlap))
}

fn sign_crl(issuer: &Issuer, now: Timestamp) -> NewJob {
    NewJob { kind: JobKind::SignCrl, key: issuer.id.clone(), payload: "{}".to_owned(), run_at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crl_is_due_without_one_after_a_change_and_before_it_ends() {
        let (hour, now) = (Duration::from_secs(3600), Timestamp::from_unix_seconds(1_790_000_000));
        let ending = |next_update| CrlSummary { number: 1, this_update: now, next_update, last_change: 0 };
        assert!(is_due(None, false, hour, now));
        assert!(is_due(Some(&ending(now.plus(2 * hour))), true, hour, now));
        assert!(!is_due(Some(&ending(now.plus(2 * hour))), false, hour, now));
        assert!(is_due(Some(&ending(now.plus(hour))), false, hour, now));
        assert!(is_due(Some(&ending(now.minus(hour))), false, hour, now));
    }
}
