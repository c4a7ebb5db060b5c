//! What the feed may not have told is found by comparing rows with the indexes, a page a poll.
//!
//! Two walks. The first comes around within the reconciliation's time: everything that is revoked or on hold, which is
//! where an untold change does harm, and what was issued last. The second goes over every certificate, slowly where
//! there are many: to compare ten million rows twice a minute would keep a database busy with nothing else.

use std::time::{Duration, Instant};

use store::feed::{self, Change};
use store::status::{self, NotGoodCursor};
use store::{Connection, StoreError};

use crate::Service;

/// Rows of the first walk read at a time: a million in ten seconds, at the usual five polls a second.
const NOT_GOOD_PAGE: i64 = 20_000;

/// Rows of the second walk read at a time.
const ALL_PAGE: i64 = 2_000;

/// How many rows before the newest one known are looked at again: numbers are not given in the order of commits.
const TAIL: i64 = 1_000;

/// Where both walks are.
pub(crate) struct Comparison {
    every: Duration,
    next: Instant,
    not_good: Option<NotGood>,
    /// The last row of the second walk; `None` while it rests.
    all: Option<i64>,
    /// The newest row that was compared when it was the newest; `None` before the first time.
    newest_row: Option<i64>,
}

/// The first walk, under way.
#[derive(Clone, Copy)]
struct NotGood {
    cursor: NotGoodCursor,
    seen: usize,
}

/// What to read in this poll.
pub(crate) struct Step {
    not_good: Option<NotGood>,
    /// Whether to look at what was issued last, since this row.
    tail: Option<Option<i64>>,
    all: Option<i64>,
}

/// What was read.
pub(crate) struct Page {
    /// As the database has them now.
    pub(crate) rows: Vec<Change>,
    not_good: Option<NotGood>,
    is_not_good_done: bool,
    newest_row: Option<i64>,
    /// Where the second walk goes on; `None` at its end, or if it rested.
    all: Option<i64>,
}

impl Comparison {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, next: Instant::now(), not_good: None, all: None, newest_row: None }
    }

    /// Begins both walks with the next step.
    pub(crate) fn begin(&mut self) {
        (self.next, self.not_good, self.all) = (Instant::now(), None, Some(0));
    }

    pub(crate) fn next_step(&mut self) -> Step {
        let mut tail = None;
        if self.not_good.is_none() && Instant::now() >= self.next {
            self.next = Instant::now() + self.every;
            self.not_good = Some(NotGood { cursor: (0, 0), seen: 0 });
            tail = Some(self.newest_row);
            self.all = self.all.or(Some(0));
        }
        Step { not_good: self.not_good, tail, all: self.all }
    }

    /// Goes on from what was read, after the indexes were repaired with it.
    pub(crate) fn finish_step(&mut self, page: Page, service: &Service) {
        self.newest_row = page.newest_row.max(self.newest_row);
        self.all = page.all;
        let known: usize = service.authorities.iter().map(|authority| authority.index.not_good()).sum();
        match page.not_good {
            Some(walk) if page.is_not_good_done => {
                // Less is not good than is known here: something was restored and not told. The second walk finds it.
                if walk.seen < known {
                    tracing::info!(
                        known,
                        found = walk.seen,
                        "fewer are revoked than is known: comparing all"
                    );
                    self.all = self.all.or(Some(0));
                }
                self.not_good = None;
            }
            walk => self.not_good = walk,
        }
    }
}

impl Step {
    /// In the transaction that reads the feed.
    pub(crate) fn read(&self, connection: &mut Connection) -> Result<Page, StoreError> {
        let mut page = Page {
            rows: Vec::new(),
            not_good: self.not_good,
            is_not_good_done: false,
            newest_row: None,
            all: None,
        };
        if let Some(walk) = &mut page.not_good {
            let (rows, cursor) = status::not_good_after(connection, walk.cursor, NOT_GOOD_PAGE)?;
            (walk.cursor, walk.seen) = (cursor, walk.seen + rows.len());
            page.is_not_good_done = (rows.len() as i64) < NOT_GOOD_PAGE;
            page.rows.extend(rows);
        }
        if let Some(since) = self.tail {
            let mut after = since.map_or_else(|| status::newest_row(connection), Ok)?;
            page.newest_row = Some(after);
            after = (after - TAIL).max(0);
            loop {
                let rows = feed::snapshot(connection, after, ALL_PAGE)?;
                let is_last = (rows.len() as i64) < ALL_PAGE;
                after = rows.last().map_or(after, |(row, _)| *row);
                page.rows.extend(rows.into_iter().map(|(_, change)| change));
                if is_last {
                    page.newest_row = page.newest_row.max(Some(after));
                    break;
                }
            }
        }
        if let Some(after) = self.all {
            let rows = feed::snapshot(connection, after, ALL_PAGE)?;
            page.all = rows.last().map(|(row, _)| *row).filter(|_| rows.len() as i64 == ALL_PAGE);
            page.rows.extend(rows.into_iter().map(|(_, change)| change));
        }
        Ok(page)
    }
}
