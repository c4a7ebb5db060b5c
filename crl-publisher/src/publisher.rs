//! Asks for CRLs when they are due and publishes those that are right.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ca_core::crl::{Fault, Judge, Judgement, delta_place, place};
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use config::clock::SystemClock;
use prometheus_client::registry::Registry;
use store::crls::{CrlKind, CrlSummary, Head};
use store::issuers::Issuer;
use store::jobs::NewJob;
use store::{Connection, Database, StoreError, certificates, crls, issuers, jobs};

use crate::heads::{DayFiles, HeadsError};
use crate::metrics::Metrics;
use crate::mirror::{Mirror, MirrorError};
use crate::repository::{Repository, Staged, place_octets};

/// How long a CRL that was refused is left alone; only a wrong clock would make the next judgement another one.
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// Publishes the CRLs and certificates of every issuer in the database.
pub struct Publisher {
    repository: Arc<Repository>,
    database: Database,
    clock: SystemClock,
    overlap: Duration,
    interval: Duration,
    alarm: Duration,
    most_octets: u64,
    publishes_heads: bool,
    metrics: Metrics,
    mirror: Option<Mirror>,
    /// By what the database had in the last round.
    expected: RwLock<Expected>,
}

/// Why there is no publisher.
#[derive(Debug, thiserror::Error)]
pub enum PublisherError {
    /// The repository's folder cannot be made or read.
    #[error("crl.repository_directory: {0}")]
    Repository(#[from] io::Error),
    /// There is no second place.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
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
    /// A [`PublisherError`].
    pub fn new(settings: &Settings, database: Database) -> Result<Self, PublisherError> {
        let crl = &settings.crl;
        let repository = Arc::new(Repository::open(&crl.repository_directory, crl.kept)?);
        let metrics = Metrics::default();
        for name in repository.names() {
            if let Some(summary) = repository.find(&name).and_then(|published| published.summary) {
                metrics.published(&name, &summary);
            }
        }
        let mirror = match crl.store_url.as_str() {
            "" => None,
            url => Some(Mirror::start(url, Arc::clone(&repository), metrics.unmirrored.clone())?),
        };
        Ok(Self {
            repository,
            database,
            clock: settings.clock(),
            overlap: crl.overlap,
            interval: crl.due_check,
            alarm: crl.alarm,
            most_octets: crl.max_bytes,
            publishes_heads: settings.audit.publish_heads,
            metrics,
            mirror,
            expected: RwLock::default(),
        })
    }

    /// What is published.
    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }

    /// Whether every CRL is published, and none is about to outlive its nextUpdate, for `/health/ready`.
    pub fn is_ready(&self) -> bool {
        let expected = self.expected.read().unwrap_or_else(PoisonError::into_inner);
        expected.names.iter().all(|name| self.repository.find(name).is_some())
            && self.repository.is_ready(self.clock.now(), self.alarm, &expected.last)
    }

    /// Adds its counts to those of the process.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// What was placed is told to whom it concerns; what takes its time comes last.
    fn placed(&self, name: &str) -> io::Result<()> {
        if let Some(summary) = self.repository.find(name).and_then(|published| published.summary) {
            self.metrics.published(name, &summary);
        }
        if let Some(mirror) = &self.mirror {
            mirror.copy(name);
        }
        self.repository.complete(name)
    }
}

impl Worker {
    /// Starts publishing.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(publisher: Arc<Publisher>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("crl-publisher".to_owned()).spawn(move || {
            let mut rounds = Rounds {
                publisher: &publisher,
                known: HashMap::new(),
                refused: HashMap::new(),
                heads: DayFiles::default(),
            };
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
    Repository(#[from] io::Error),
    #[error("CRL {number} is not published: {fault}")]
    Refused { number: i64, fault: Fault },
    #[error(transparent)]
    Heads(#[from] HeadsError),
}

/// A partition's place in the repository.
fn full_name(head: &Head) -> String {
    place(&format!("{}.crl", head.issuer), &head.partition)
}

/// What should be published.
#[derive(Debug, Default)]
struct Expected {
    /// Full CRLs.
    names: Vec<String>,
    /// CRLs, full and delta, after which there can be no other: they may outlive their nextUpdate.
    last: Vec<String>,
}

struct Rounds<'a> {
    publisher: &'a Publisher,
    /// The number of the published CRLs by the name of the full one.
    known: HashMap<String, i64>,
    /// The number of the refused CRL by its name, and when it was.
    refused: HashMap<String, (i64, Timestamp)>,
    /// The audit log's heads.
    heads: DayFiles,
}

impl Rounds<'_> {
    /// One round. An obstacle at one CRL does not keep the others waiting; the next round tries again.
    fn go(&mut self) {
        let look = |c: &mut Connection| Ok::<_, StoreError>((issuers::all(c)?, crls::heads(c)?));
        let (issuers, heads) = match self.publisher.database.read(look) {
            Ok(found) => found,
            Err(error) => return tracing::warn!(%error, "no CRL can be published now"),
        };
        if let Err(error) = self.ask_for_due(&heads) {
            tracing::warn!(%error, "no CRL can be asked for now");
        }
        for issuer in &issuers {
            let placed = self.place_certificate(issuer).map_err(Obstacle::from);
            self.note(&issuer.id, placed);
            for head in heads.iter().filter(|head| head.issuer == issuer.id) {
                let published = self.publish(issuer, head);
                self.note(&full_name(head), published);
            }
        }
        if self.publisher.publishes_heads {
            let Publisher { repository, database, .. } = self.publisher;
            let placed = self.heads.place(database, repository, |name| self.publisher.placed(name));
            self.note("the heads of the audit log", placed.map_err(Obstacle::from));
        }
        let signed = || heads.iter().filter(|head| head.newest.is_some());
        let last = signed().filter(|head| !head.has_key).map(full_name);
        let mut expected = self.publisher.expected.write().unwrap_or_else(PoisonError::into_inner);
        *expected = Expected {
            names: signed().map(full_name).collect(),
            last: last.flat_map(|name| [delta_place(&name), name]).collect(),
        };
        expected.last.iter().for_each(|name| self.publisher.metrics.is_last(name));
    }

    fn note(&self, what: &str, outcome: Result<(), Obstacle>) {
        if let Err(obstacle) = outcome {
            self.publisher.metrics.failures.inc();
            tracing::error!(what, error = %obstacle, "publication failed");
        }
    }

    fn ask_for_due(&self, heads: &[Head]) -> Result<(), StoreError> {
        let now = self.publisher.clock.now();
        let is_due = |head: &Head| is_due(head, self.publisher.overlap, now);
        if !heads.iter().any(is_due) {
            return Ok(());
        }
        // Looked at again where no signer can finish in between. There is a job already where a revocation queued it,
        // unless the signer was at the one before.
        self.publisher.database.write(|c| {
            let heads = crls::heads(c)?;
            let due = heads.iter().filter(|head| is_due(head));
            let wanted: Vec<NewJob> =
                due.map(|head| NewJob::sign_crl(&head.issuer, &head.partition, now)).collect();
            jobs::enqueue(c, &wanted, now)
        })
    }

    fn place_certificate(&self, issuer: &Issuer) -> io::Result<()> {
        let name = format!("{}.cer", issuer.id);
        let repository = &self.publisher.repository;
        let hash = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issuer.certificate));
        let placed = repository.find(&name);
        if placed.is_some_and(|placed| placed.plain.entity_tag.trim_matches('"') == hash) {
            return Ok(());
        }
        place_octets(repository, &name, &issuer.certificate)?;
        tracing::info!(issuer = issuer.id, "CA certificate published");
        self.publisher.placed(&name)
    }

    fn publish(&mut self, issuer: &Issuer, head: &Head) -> Result<(), Obstacle> {
        let Some(newest) = &head.newest else { return Ok(()) };
        let (name, number, now) = (full_name(head), newest.number, self.publisher.clock.now());
        if self.known.get(&name).is_some_and(|&known| known >= number) || self.was_refused(&name, number, now)
        {
            return Ok(());
        }
        let published = self.published(issuer, &name);
        if let Some(known) = published
            && known > number
        {
            tracing::error!(crl = name, known, number, "the published CRL is newer than the database");
            self.known.insert(name, known);
            return Ok(());
        }
        self.replace(issuer, head, number, published).inspect_err(|obstacle| {
            if let Obstacle::Refused { fault, .. } = obstacle {
                self.refused.insert(name.clone(), (number, now));
                // Somebody has damaged the published file: it is to be looked at again.
                if let Fault::Previous(_) = fault {
                    self.known.remove(&name);
                }
            }
        })?;
        self.known.insert(name, number);
        Ok(())
    }

    /// Judges the newest CRLs of a partition beside those that are published, and puts them in their place.
    fn replace(
        &self,
        issuer: &Issuer,
        head: &Head,
        number: i64,
        published: Option<i64>,
    ) -> Result<(), Obstacle> {
        let (repository, name) = (&self.publisher.repository, full_name(head));
        let delta_name = delta_place(&name);
        let is_placed = published == Some(number);
        let delta_is_placed = self.published(issuer, &delta_name).is_some_and(|known| known >= number);
        if is_placed && delta_is_placed {
            return Ok(());
        }
        let previous = || match published {
            Some(known) if known < number => Ok(Some(File::open(repository.path(&name))?)),
            _ => self.stored(head, number - 1),
        };
        let refused = |fault| Obstacle::Refused { number, fault };
        let full = self.stage(head, (number, CrlKind::Full), &name)?;
        // After a restore the number is moved on, and nothing was ever signed under it: the next one is published.
        let Some(full) = full else {
            tracing::warn!(crl = name, number, "nothing is kept under the newest CRL's number");
            return Ok(());
        };
        let judgement = self.judge(issuer, &name).full(previous()?, full.open()?).map_err(refused)?;
        let delta = match delta_is_placed {
            true => None,
            false => self.stage(head, (number, CrlKind::Delta), &delta_name)?,
        };
        let told = match &delta {
            Some(delta) => Some(self.judge(issuer, &name).delta(previous()?, full.open()?, delta.open()?)),
            None => None,
        };
        if !is_placed {
            repository.place(&full, Some(judgement.summary))?;
            self.publisher.placed(&name)?;
            let Judgement { summary, added, removed } = judgement;
            let (entries, next_update) = (summary.entries, summary.next_update);
            tracing::info!(crl = name, number, entries, added, removed, %next_update, "CRL published");
        }
        // A delta that is wrong takes nothing away from the full CRL that is right.
        if let (Some(delta), Some(told)) = (&delta, told) {
            let told = told.map_err(refused)?;
            repository.place(delta, Some(told.summary))?;
            self.publisher.placed(&delta_name)?;
            tracing::info!(crl = delta_name, number, entries = told.summary.entries, "CRL published");
        }
        Ok(())
    }

    fn was_refused(&self, name: &str, number: i64, now: Timestamp) -> bool {
        let refused = self.refused.get(name);
        refused.is_some_and(|&(refused, at)| refused == number && now.since(at) < SECOND_LOOK && at <= now)
    }

    /// The number of the CRL in the repository, if it is one of this issuer's key: another one, of a former CA of the
    /// same name or a damaged one, says nothing about what may vanish.
    fn published(&self, issuer: &Issuer, name: &str) -> Option<i64> {
        let published = self.publisher.repository.find(name)?.summary?;
        let number = i64::try_from(published.number).unwrap_or(i64::MAX);
        // What this process has placed, or looked at once, is not read again.
        if self.known.get(name) == Some(&number) {
            return Some(number);
        }
        let file = File::open(self.publisher.repository.path(name)).ok()?;
        match judge_genuine(issuer, published.this_update, file) {
            Ok(()) => Some(number),
            Err(fault) => {
                tracing::warn!(crl = name, %fault, "the CRL in the repository is not this issuer's");
                None
            }
        }
    }

    /// A full CRL of the database, for a repository that has none to compare with.
    fn stored(&self, head: &Head, number: i64) -> Result<Option<File>, Obstacle> {
        let mut file = tempfile::tempfile()?;
        let is_there = self.copy(head, (number, CrlKind::Full), &mut file)?;
        file.rewind()?;
        Ok(is_there.then_some(file))
    }

    fn stage(&self, head: &Head, which: (i64, CrlKind), name: &str) -> Result<Option<Staged>, Obstacle> {
        let mut is_there = false;
        let staged = self.publisher.repository.stage(name, |file| {
            is_there = self.copy(head, which, file)?;
            Ok::<_, Obstacle>(())
        })?;
        Ok(is_there.then_some(staged))
    }

    /// Copies a CRL of the database, piece by piece. Whether there is one.
    fn copy(&self, head: &Head, which: (i64, CrlKind), to: &mut impl Write) -> Result<bool, Obstacle> {
        let of = (head.issuer.as_str(), head.partition.as_str());
        self.publisher.database.read(|c| {
            let (mut position, mut left) = (0, self.publisher.most_octets);
            while let Some(chunk) = crls::chunk(c, of, which, position)? {
                // Beyond what is allowed the judge refuses it anyway: the disk need not hold the rest.
                to.write_all(&chunk)?;
                left = left.saturating_sub(chunk.len() as u64);
                position += 1;
                if left == 0 {
                    break;
                }
            }
            Ok(position > 0)
        })
    }

    fn judge<'j>(
        &'j self,
        issuer: &'j Issuer,
        file_name: &'j str,
    ) -> Judge<'j, impl FnMut(&[SerialNumber]) -> Vec<(SerialNumber, Timestamp)>> {
        // Without an answer nothing may vanish.
        let ends = |serials: &[SerialNumber]| {
            let found = self.publisher.database.read(|c| certificates::ends(c, &issuer.id, serials));
            found.map_or_else(
                |error| {
                    tracing::warn!(%error, "nobody knows which certificates have ended");
                    Vec::new()
                },
                |found| found.into_iter().map(|(serial, end, _)| (serial, end)).collect(),
            )
        };
        Judge {
            issuer_certificate: &issuer.certificate,
            now: self.publisher.clock.now(),
            most_octets: self.publisher.most_octets,
            file_name: Some(file_name),
            ends,
        }
    }
}

/// Whether a CRL is the issuer's, whatever it says.
fn judge_genuine(issuer: &Issuer, at: Timestamp, crl: File) -> Result<(), Fault> {
    let issuer_certificate = &issuer.certificate;
    let ends = |_: &[SerialNumber]| Vec::new();
    let judge = Judge { issuer_certificate, now: at, most_octets: u64::MAX, file_name: None, ends };
    judge.genuine(crl).map(|_| ())
}

/// A CRL is due if there is none, if the newest ends within the overlap, or if it does not tell what happened since; and never
/// where nobody has the key any more.
fn is_due(head: &Head, overlap: Duration, now: Timestamp) -> bool {
    let ends = |crl: &CrlSummary| now >= crl.next_update.minus(overlap);
    head.has_key && head.newest.as_ref().is_none_or(|crl| head.is_changed || ends(crl))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crl_is_due_without_one_after_a_change_and_before_it_ends() {
        let (hour, now) = (Duration::from_secs(3600), Timestamp::from_unix_seconds(1_790_000_000));
        let ending = |next_update| CrlSummary { number: 1, this_update: now, next_update, last_change: 0 };
        let due = |newest, is_changed| {
            let (issuer, partition) = ("ca".to_owned(), String::new());
            let mut head = Head { issuer, partition, newest, is_changed, has_key: false };
            assert!(!is_due(&head, hour, now), "there is no key");
            head.has_key = true;
            is_due(&head, hour, now)
        };
        assert!(due(None, false));
        assert!(due(Some(ending(now.plus(2 * hour))), true));
        assert!(!due(Some(ending(now.plus(2 * hour))), false));
        assert!(due(Some(ending(now.plus(hour))), false));
        assert!(due(Some(ending(now.minus(hour))), false));
    }
}
