//! Is the audit log what was sealed? Every entry, leaf and head of the database, in their order.

use ca_core::Timestamp;
use ca_core::audit::{
    AuditKeys, Chronicle, Entry, Examined, Examiner, Fault, History, LATENESS, Leaf, Log, Report, SignedHead,
    Trust,
};
use rayon::prelude::*;

use crate::audit_attachments::beside;
use crate::audit_heads::{self, PAGE};
use crate::database::Connection;
use crate::error::StoreError;

/// Numbers of entries that are looked through at a time.
const SPAN: i64 = 100_000;

/// What was found in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    /// About the sealed entries and heads, and about entries that should be sealed.
    pub log: Report,
    /// About what the sealed entries tell.
    pub history: History,
    /// Entries whose head is still to come.
    pub waiting: u64,
}

/// Goes through the whole log, and what officers signed with it if `trust` says from whom that is believed. Heads of `evidence`, each
/// with where it is known from, must be in it.
///
/// # Errors
/// The database's.
pub fn verify_log(
    connection: &mut Connection,
    keys: &AuditKeys,
    evidence: Vec<(String, SignedHead)>,
    trust: Option<&Trust>,
    now: Timestamp,
) -> Result<LogReport, StoreError> {
    let mut log = Log::new(keys);
    for (source, head) in evidence {
        log.expect(head, &source);
    }
    let (mut leaves, mut chronicle) = (Leaves::of(trust), Chronicle::new(trust));
    let mut number = 0;
    loop {
        let heads = audit_heads::after(connection, number, PAGE)?;
        let Some(last) = heads.last() else { break };
        number = last.number;
        for stored in &heads {
            let opened = log.open(&stored.signed);
            if let Ok(head) = &opened {
                if (head.first, head.sealed_at.unix_millis()) != (stored.first, stored.sealed_at) {
                    log.found(Fault::HeadRow(stored.number));
                }
                leaves.until(connection, head.end(), &mut log, &mut chronicle)?;
                chronicle.head(head.sealed_at);
            }
            log.head(stored.number, &stored.signed, opened);
        }
    }
    leaves.until(connection, i64::MAX, &mut log, &mut chronicle)?;
    let waiting = look_for_unsealed(connection, &mut log, now)?;
    Ok(LogReport { log: log.finish(), history: chronicle.finish(), waiting })
}

/// Leaves in their order, a page in memory.
struct Leaves<'t> {
    examiner: Examiner<'t>,
    /// The largest sequence number read.
    read: i64,
    page: Vec<Leaf>,
    /// Theirs, by id, each with what stands beside it.
    entries: Vec<(Entry, Option<Examined>)>,
    /// The next of the page.
    at: usize,
}

impl<'t> Leaves<'t> {
    fn of(trust: Option<&'t Trust>) -> Self {
        Self { examiner: Examiner::new(trust), read: 0, page: Vec::new(), entries: Vec::new(), at: 0 }
    }

    /// Tells of every leaf before this sequence number.
    fn until(
        &mut self,
        connection: &mut Connection,
        end: i64,
        log: &mut Log<'_>,
        chronicle: &mut Chronicle<'_>,
    ) -> Result<(), StoreError> {
        loop {
            if self.at == self.page.len() && !self.turn(connection)? {
                return Ok(());
            }
            let leaf = self.page[self.at];
            if leaf.sequence >= end {
                return Ok(());
            }
            let found = self.entries.binary_search_by_key(&leaf.entry, |(entry, _)| entry.id);
            let found = found.ok().map(|place| &self.entries[place]);
            log.leaf(leaf, found.map(|(entry, _)| entry));
            if let Some((entry, examined)) = found {
                chronicle.entry(leaf.sequence, entry, examined.as_ref());
            }
            self.at += 1;
        }
    }

    /// Reads the next page, if there is one.
    fn turn(&mut self, connection: &mut Connection) -> Result<bool, StoreError> {
        self.page = audit_heads::leaves_after(connection, self.read)?;
        self.at = 0;
        let Some(last) = self.page.last() else { return Ok(false) };
        self.read = last.sequence;
        let entries = audit_heads::entries_of(connection, &self.page)?;
        let beside = beside(connection, &entries, true)?;
        let examiner = &self.examiner;
        let examined: Vec<_> =
            beside.into_par_iter().map(|found| found.map(|found| examiner.examine(&found))).collect();
        self.entries = entries.into_iter().zip(examined).collect();
        Ok(true)
    }
}

/// Entries without a leaf: those that will get one are counted, the others are faults.
fn look_for_unsealed(
    connection: &mut Connection,
    log: &mut Log<'_>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let settled = audit_heads::settled(connection, now)?;
    let late = now.minus(LATENESS).unix_millis();
    let Some((first, last)) = audit_heads::bounds(connection)? else { return Ok(0) };
    let (mut after, mut waiting) = (first.saturating_sub(1), 0);
    while after < last {
        let until = after.saturating_add(SPAN).min(last);
        for (id, at) in audit_heads::unsealed_between(connection, after, until)? {
            match (id <= settled, at < late) {
                (true, _) => log.found(Fault::EntryInserted(id)),
                (false, true) => log.found(Fault::EntryWaits(id)),
                (false, false) => waiting += 1,
            }
        }
        after = until;
    }
    Ok(waiting)
}
