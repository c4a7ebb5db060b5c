//! Keeps the indexes in step with the database: a change is in within one poll, and one that was never told is found by
//! comparing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ca_core::Timestamp;
use ca_core::ocsp::Responder;
use config::settings::Ocsp;
use store::feed::{self, Change};
use store::{Connection, Database, StoreError, responders, status};

use crate::Service;
use crate::comparison::Comparison;
use crate::index::Record;
use crate::snapshot::{self, Position};

/// Changes read at a time.
const PAGE: i64 = 10_000;

/// How far the system clock may part from the one that cannot be set before it is said to have been.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// The thread that follows the change feed; it stops when this is dropped.
#[derive(Debug)]
pub struct Follower {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts following.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(service: Arc<Service>, database: Database, settings: &Ocsp) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let poll = settings.feed_poll;
        let mut feed = Feed::new(service, database, settings);
        let thread = std::thread::Builder::new().name("ocsp-follower".to_owned()).spawn(move || {
            feed.poll();
            while stopped.recv_timeout(poll) == Err(RecvTimeoutError::Timeout) {
                feed.poll();
            }
            feed.finish();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the follower of the change feed had panicked");
        }
    }
}

/// Where a follower is in the feed and in the comparisons.
struct Feed {
    service: Arc<Service>,
    database: Database,
    /// The number of the newest change that is in the indexes; `None` until everything has been read.
    position: Option<i64>,
    comparison: Comparison,
    snapshots: Option<Snapshots>,
    reconcile: Duration,
    next_renewal_check: Instant,
    clocks: Option<(Instant, Timestamp)>,
    is_lost: bool,
}

/// The file that the indexes are written to, by a thread of its own: the feed does not wait for a disk.
struct Snapshots {
    path: PathBuf,
    every: Duration,
    next: Instant,
    /// Up to where the file is.
    written: i64,
    writer: Option<JoinHandle<()>>,
}

impl Feed {
    fn new(service: Arc<Service>, database: Database, settings: &Ocsp) -> Self {
        let snapshots = settings.snapshot_file.clone().map(|path| Snapshots {
            path,
            every: settings.snapshot,
            next: Instant::now() + settings.snapshot,
            written: 0,
            writer: None,
        });
        Self {
            service,
            database,
            position: None,
            comparison: Comparison::new(settings.reconcile),
            snapshots,
            reconcile: settings.reconcile,
            next_renewal_check: Instant::now(),
            clocks: None,
            is_lost: false,
        }
    }

    /// One look. Without a database the indexes stay as they are, and age.
    fn poll(&mut self) {
        self.watch_clock();
        match self.try_poll() {
            Ok(()) if std::mem::take(&mut self.is_lost) => tracing::info!("the database is back"),
            Ok(()) => {}
            Err(error) if self.is_lost => tracing::debug!(%error, "the index ages"),
            Err(error) => {
                tracing::warn!(%error, "the index ages");
                self.is_lost = true;
            }
        }
    }

    fn try_poll(&mut self) -> Result<(), StoreError> {
        match self.position {
            None => self.load()?,
            Some(position) => self.follow(position)?,
        }
        self.renew_certificates()?;
        self.keep_snapshot()
    }

    /// The system clock may be set at any time. Answers carry its time, and no kept one is given that begins in its
    /// future; what is left to do is to say so.
    fn watch_clock(&mut self) {
        let (here, now) = (Instant::now(), self.service.clock.now());
        if let Some((before, then)) = self.clocks.replace((here, now)) {
            let expected = then.plus(here - before);
            let step = now.since(expected).max(expected.since(now));
            if step > CLOCK_STEP {
                tracing::warn!(seconds = step.as_secs(), back = now < expected, "the system clock was set");
                self.service.metrics.clock_steps.inc();
            }
        }
    }

    /// Reads everything: the snapshot and what came after it, or the database.
    fn load(&mut self) -> Result<(), StoreError> {
        let started = Instant::now();
        if let Some(snapshots) = &mut self.snapshots {
            // It writes what is thrown away now.
            snapshots.join();
            snapshots.written = 0;
        }
        self.service.forget();
        let (source, position) = match self.load_snapshot()? {
            Some(position) => ("snapshot", position),
            None => ("database", self.load_database()?),
        };
        self.comparison.begin();
        self.follow(position)?;
        tracing::info!(
            certificates = self.service.certificates(),
            source,
            position = self.position,
            milliseconds = started.elapsed().as_millis() as u64,
            "index loaded"
        );
        Ok(())
    }

    /// The snapshot's position, if there is one and it is of this database.
    fn load_snapshot(&mut self) -> Result<Option<i64>, StoreError> {
        let Some(snapshots) = &mut self.snapshots else { return Ok(None) };
        if !snapshots.path.exists() {
            return Ok(None);
        }
        let position = match snapshot::read(&self.service, &snapshots.path) {
            Ok(position) => position,
            Err(reason) => {
                tracing::warn!(%reason, "the snapshot of the index is not used");
                self.service.forget();
                return Ok(None);
            }
        };
        if self.database.read(|c| status::fingerprint(c, position.number))? != position.fingerprint {
            tracing::warn!(position = position.number, "the snapshot of the index is of another database");
            self.service.forget();
            return Ok(None);
        }
        snapshots.written = position.number;
        Ok(Some(position.number))
    }

    fn load_database(&self) -> Result<i64, StoreError> {
        self.database.read(|connection| {
            let estimate = usize::try_from(feed::latest(connection)?).unwrap_or(0);
            // Nearly all certificates are of one CA, where there is one; other tables grow as they come.
            let mut issuing =
                self.service.authorities.iter().filter(|authority| authority.issuer != store::issuers::ROOT);
            if let (Some(only), None) = (issuing.next(), issuing.next()) {
                only.index.reserve(estimate);
            }
            status::replay(connection, |issuer, serial, not_after, status| {
                if let Some(authority) = self.service.authority_named(issuer) {
                    authority.index.set(&serial, Record::new(status, not_after));
                }
            })
        })
    }

    fn follow(&mut self, position: i64) -> Result<(), StoreError> {
        let as_of = self.service.clock.now();
        let step = self.comparison.next_step();
        let (changes, latest, page) = self
            .database
            .read(|c| Ok::<_, StoreError>((changes_since(c, position)?, feed::latest(c)?, step.read(c)?)))?;
        if latest < position {
            // Another database, or one that was set back: nothing that was learnt from it holds.
            tracing::error!(position, latest, "the change feed went back: reading everything again");
            self.position = None;
            return self.load();
        }
        self.look_for_gap(position, &changes);
        for (_, change) in &changes {
            self.put(change);
        }
        // The rows are as they were after the last of these changes: from here on any difference is one.
        self.repair(&page.rows);
        self.comparison.finish_step(page, &self.service);
        self.position = Some(changes.last().map_or(position, |(number, _)| *number));
        self.service.knows(as_of);
        Ok(())
    }

    /// Numbers are given in the order of commits. One that is missing was given up with its transaction, or its row is
    /// lost: only a comparison tells.
    fn look_for_gap(&mut self, position: i64, changes: &[(i64, Change)]) {
        let Some((newest, _)) = changes.last() else { return };
        let missing = newest - position - changes.len() as i64;
        if missing > 0 {
            tracing::warn!(missing, after = position, "numbers are missing in the change feed: comparing");
            self.service.metrics.gaps.inc_by(missing.unsigned_abs());
            self.comparison.begin();
        }
    }

    fn put(&self, change: &Change) {
        if let Some(authority) = self.service.authority_named(&change.issuer) {
            authority.index.set(&change.serial, Record::new(change.status, change.not_after));
        }
    }

    fn repair(&self, rows: &[Change]) {
        let mut drift = 0;
        for row in rows {
            let Some(authority) = self.service.authority_named(&row.issuer) else { continue };
            if authority.index.get(&row.serial) != Some(Record::new(row.status, row.not_after)) {
                self.put(row);
                drift += 1;
            }
        }
        if drift > 0 {
            tracing::error!(certificates = drift, "the change feed had not told of these");
            self.service.metrics.drift.inc_by(drift);
        }
    }

    /// Takes the certificates that the CAs have given this responder's key meanwhile; asked for as often as the database
    /// is compared.
    fn renew_certificates(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.next_renewal_check {
            return Ok(());
        }
        self.next_renewal_check = Instant::now() + self.reconcile;
        for certified in self.database.read(responders::newest)? {
            let Some(authority) = self.service.authority_named(&certified.issuer) else { continue };
            if certified.not_after <= authority.responder().not_after() {
                continue;
            }
            let signer = Arc::clone(&self.service.signer);
            // Another responder's is for another key.
            if let Ok(responder) = Responder::new(signer, &certified.certificate, &authority.certificate) {
                authority.renew(responder);
            }
        }
        Ok(())
    }

    /// Writes the snapshot when it is time to and something has happened since the last.
    fn keep_snapshot(&mut self) -> Result<(), StoreError> {
        let (Some(snapshots), Some(number)) = (&mut self.snapshots, self.position) else { return Ok(()) };
        let is_free = snapshots.writer.as_ref().is_none_or(JoinHandle::is_finished);
        if Instant::now() < snapshots.next || number == snapshots.written || !is_free {
            return Ok(());
        }
        let fingerprint = self.database.read(|c| status::fingerprint(c, number))?;
        snapshots.start(&self.service, Position { number, fingerprint });
        Ok(())
    }

    /// The last snapshot, so that the next start has little to read.
    fn finish(&mut self) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.join();
            snapshots.next = Instant::now();
        }
        if let Err(error) = self.keep_snapshot() {
            tracing::warn!(%error, "the index is not written");
        }
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.join();
        }
    }
}

impl Snapshots {
    fn start(&mut self, service: &Arc<Service>, position: Position) {
        self.join();
        (self.next, self.written) = (Instant::now() + self.every, position.number);
        let (service, path) = (Arc::clone(service), self.path.clone());
        let write = move || match snapshot::write(&service, &position, &path) {
            Ok(()) => tracing::info!(position = position.number, "index written"),
            Err(error) => tracing::warn!(%error, path = %path.display(), "the index is not written"),
        };
        match std::thread::Builder::new().name("ocsp-snapshot".to_owned()).spawn(write) {
            Ok(writer) => self.writer = Some(writer),
            Err(error) => tracing::warn!(%error, "the index is not written"),
        }
    }

    fn join(&mut self) {
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer of the index had panicked");
        }
    }
}

/// All of them, so that nothing is told as of now without them.
fn changes_since(connection: &mut Connection, position: i64) -> Result<Vec<(i64, Change)>, StoreError> {
    let mut changes = feed::since(connection, position, PAGE)?;
    let mut read = changes.len();
    while read as i64 == PAGE {
        let after = changes.last().map_or(position, |(number, _)| *number);
        let more = feed::since(connection, after, PAGE)?;
        read = more.len();
        changes.extend(more);
    }
    Ok(changes)
}
