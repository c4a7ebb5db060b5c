//! Keeps the index in step with the database: a change is in within one poll, and one that was never told is found by
//! comparing everything, a page at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use ca_core::{SerialNumber, Timestamp};
use config::settings::Ocsp;
use store::feed::{self, Change};
use store::{Connection, Database, StoreError};

use crate::Service;
use crate::index::Index;

/// Rows read at a time.
const PAGE: i64 = 10_000;

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
        let mut feed = Feed::new(service, database, settings.reconcile);
        let thread = std::thread::Builder::new().name("ocsp-follower".to_owned()).spawn(move || {
            feed.poll();
            while stopped.recv_timeout(poll) == Err(RecvTimeoutError::Timeout) {
                feed.poll();
            }
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

/// Where a follower is in the feed and in the comparison of everything.
struct Feed {
    service: Arc<Service>,
    database: Database,
    reconcile_every: Duration,
    next_comparison: Timestamp,
    /// The last row compared, while a comparison is under way.
    cursor: Option<i64>,
    is_lost: bool,
}

/// What one look at the database brings.
struct News {
    /// The number of the newest change.
    latest: i64,
    /// What happened since the index's position, oldest first.
    changes: Vec<(i64, Change)>,
    /// The rows to compare.
    page: Vec<(i64, Change)>,
}

impl Feed {
    fn new(service: Arc<Service>, database: Database, reconcile_every: Duration) -> Self {
        let next_comparison = service.clock.now().plus(reconcile_every);
        Self { service, database, reconcile_every, next_comparison, cursor: None, is_lost: false }
    }

    /// One look. Without a database the index stays as it is, and ages.
    fn poll(&mut self) {
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
        let position = self.service.index().as_ref().map(Index::position);
        match position {
            None => self.load(),
            Some(position) => self.follow(position),
        }
    }

    /// Reads everything. What changes meanwhile is read afterwards, before anybody is answered from it.
    fn load(&mut self) -> Result<(), StoreError> {
        let position = self.database.read(feed::latest)?;
        let mut index = Index::new(position, self.service.clock.now());
        let mut after = 0;
        loop {
            let page = self.database.read(|c| feed::snapshot(c, after, PAGE))?;
            self.put(&mut index, page.iter().map(|(_, change)| change));
            match page.last() {
                Some((row, _)) if page.len() as i64 == PAGE => after = *row,
                _ => break,
            }
        }
        let as_of = self.service.clock.now();
        let changes = self.database.read(|c| changes_since(c, position))?;
        self.put(&mut index, changes.iter().map(|(_, change)| change));
        index.advance(changes.last().map_or(position, |(number, _)| *number), as_of);
        tracing::info!(certificates = index.len(), position, "index loaded");
        self.service.change_index(|current| *current = Some(index));
        Ok(())
    }

    fn follow(&mut self, position: i64) -> Result<(), StoreError> {
        let as_of = self.service.clock.now();
        let cursor = self.cursor_at(as_of);
        let news = self.database.read(|c| look(c, position, cursor))?;
        if news.latest < position {
            // Another database, or one that was set back: nothing that was learnt from it holds.
            tracing::error!(
                position,
                latest = news.latest,
                "the change feed went back: reading everything again"
            );
            self.service.change_index(|current| *current = None);
            return self.load();
        }
        let drift = self.drift(&news);
        if !drift.is_empty() {
            tracing::error!(certificates = drift.len(), "the change feed had not told of these");
            self.service.metrics.drift.inc_by(drift.len() as u64);
        }
        self.service.change_index(|current| {
            if let Some(index) = current {
                self.put(index, news.changes.iter().map(|(_, change)| change));
                self.put(index, drift.into_iter());
                index.advance(news.changes.last().map_or(position, |(number, _)| *number), as_of);
            }
        });
        if cursor.is_some() {
            let is_last = (news.page.len() as i64) < PAGE;
            self.cursor = news.page.last().filter(|_| !is_last).map(|(row, _)| *row);
        }
        Ok(())
    }

    /// The row after which to compare now, if it is time to.
    fn cursor_at(&mut self, now: Timestamp) -> Option<i64> {
        if self.cursor.is_none() && now >= self.next_comparison {
            self.next_comparison = now.plus(self.reconcile_every);
            self.cursor = Some(0);
        }
        self.cursor
    }

    /// The compared rows that neither the index knows nor the changes that were read after them.
    fn drift<'a>(&self, news: &'a News) -> Vec<&'a Change> {
        let index = self.service.index();
        let Some(index) = index.as_ref() else { return Vec::new() };
        let told: HashSet<SerialNumber> = news.changes.iter().map(|(_, change)| change.serial).collect();
        news.page
            .iter()
            .map(|(_, row)| row)
            .filter(|row| row.issuer == self.service.issuer)
            .filter(|row| !index.agrees(&row.serial, row.status) && !told.contains(&row.serial))
            .collect()
    }

    fn put<'a>(&self, index: &mut Index, changes: impl Iterator<Item = &'a Change>) {
        for change in changes.filter(|change| change.issuer == self.service.issuer) {
            index.set(change.serial, change.status);
        }
    }
}

/// The rows first and the changes after them: a row that is newer than the index is among the changes.
fn look(connection: &mut Connection, position: i64, cursor: Option<i64>) -> Result<News, StoreError> {
    let page = match cursor {
        Some(row) => feed::snapshot(connection, row, PAGE)?,
        None => Vec::new(),
    };
    Ok(News { page, changes: changes_since(connection, position)?, latest: feed::latest(connection)? })
}

/// All of them, so that no answer is given from between two.
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
