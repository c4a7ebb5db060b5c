//! The whole log, read from its beginning: leaves and heads in their order, every rule asked of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{AuditKeys, Entry, Hash, Head, HeadRefusal, Leaf, SignedHead, Tree};
use crate::Timestamp;

/// So many faults are told one by one: a log that is gone would fill the memory with them.
const TOLD: usize = 1000;

/// What is wrong in the log, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The row of a sealed entry is gone.
    EntryMissing(Leaf),
    /// The row of a sealed entry says something else, or has another place.
    EntryChanged(Leaf),
    /// An entry that nobody has sealed stands among those that were sealed long ago.
    EntryInserted(i64),
    /// An entry has waited for its head too long.
    EntryWaits(i64),
    /// There are no leaves of these sequence numbers, first and last.
    LeavesMissing(i64, i64),
    /// A sequence number comes after a larger one, or twice.
    LeafMoved(Leaf),
    /// There is no head for these sequence numbers, first and last.
    LeavesUncovered(i64, i64),
    /// The text or the signature of a head is not what the audit key made; the number is that of its row.
    HeadRefused(i64, HeadRefusal),
    /// There are no heads of these numbers, first and last.
    HeadsMissing(i64, i64),
    /// A head comes after one of a larger number, or twice.
    HeadMoved(i64),
    /// A head names another one before it than is there.
    HeadUnchained(i64),
    /// A head begins elsewhere than the one before it ended.
    HeadApart(i64),
    /// A head is older than the one before it.
    HeadTime(i64),
    /// A head counts other entries than are there, or they are others than were sealed.
    HeadRoot(Head),
    /// The columns beside a head's text say something else.
    HeadRow(i64),
    /// A head that is known from elsewhere is not in the log: its end was cut off.
    HeadLost(Evidence),
    /// A head that is known from elsewhere is another one in the log.
    HeadForked(Evidence),
    /// What is known from elsewhere was not signed by the audit key, and proves nothing.
    EvidenceRefused(Evidence, HeadRefusal),
}

/// A head that is known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// Its number.
    pub number: i64,
    /// Where it is known from, for people.
    pub source: String,
}

impl Fault {
    /// What it is about.
    pub fn object(&self) -> String {
        let numbers = |what: &str, first: &i64, last: &i64| match first == last {
            true => format!("{what} {first}"),
            false => format!("{what}s {first} to {last}"),
        };
        match self {
            Self::EntryMissing(leaf) | Self::EntryChanged(leaf) | Self::LeafMoved(leaf) => {
                format!("audit entry {}, sequence {}", leaf.entry, leaf.sequence)
            }
            Self::EntryInserted(id) | Self::EntryWaits(id) => format!("audit entry {id}"),
            Self::LeavesMissing(first, last) | Self::LeavesUncovered(first, last) => {
                numbers("audit sequence", first, last)
            }
            Self::HeadsMissing(first, last) => numbers("audit head", first, last),
            Self::HeadRefused(number, _)
            | Self::HeadMoved(number)
            | Self::HeadUnchained(number)
            | Self::HeadApart(number)
            | Self::HeadTime(number)
            | Self::HeadRow(number) => format!("audit head {number}"),
            Self::HeadRoot(head) if head.count == 0 => format!("audit head {}", head.number),
            Self::HeadRoot(head) => {
                format!("audit head {}, sequences {} to {}", head.number, head.first, head.end() - 1)
            }
            Self::HeadLost(known) | Self::HeadForked(known) | Self::EvidenceRefused(known, _) => {
                format!("audit head {} of {}", known.number, known.source)
            }
        }
    }

    /// The rule it breaks.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::EntryMissing(_) => "the row of a sealed entry is there",
            Self::EntryChanged(_) => "a sealed entry is what it was when it was sealed, in its place",
            Self::EntryInserted(_) => "no entry is added among those that were sealed long ago",
            Self::EntryWaits(_) => "an entry is sealed within minutes",
            Self::LeavesMissing(..) => "sequence numbers have no gap",
            Self::LeafMoved(_) => "sequence numbers follow each other",
            Self::LeavesUncovered(..) => "every sequence number has its head",
            Self::HeadRefused(_, refusal) | Self::EvidenceRefused(_, refusal) => match refusal {
                HeadRefusal::Unreadable => "a head is written as heads are",
                HeadRefusal::OtherKey => "a head names an audit key",
                HeadRefusal::Signature => "a head is signed by the audit key",
            },
            Self::HeadsMissing(..) => "heads have no gap",
            Self::HeadMoved(_) => "heads follow each other",
            Self::HeadUnchained(_) => "a head names the one before it",
            Self::HeadApart(_) => "a head begins where the one before it ended",
            Self::HeadTime(_) => "a head is no older than the one before it",
            Self::HeadRoot(_) => "a head is about the entries that are there",
            Self::HeadRow(_) => "the row of a head says what its text says",
            Self::HeadLost(_) => "a head that was seen is in the log",
            Self::HeadForked(_) => "a head that was seen is the one in the log",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object(), self.rule())
    }
}

/// What was read, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Sealed entries looked at.
    pub entries: u64,
    /// Heads looked at.
    pub heads: u64,
    /// The last head that the audit key has signed.
    pub newest: Option<Head>,
    /// What is wrong, in the order in which it was found.
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub untold: u64,
}

/// Reads a log: each head after its leaves.
pub struct Log<'k> {
    keys: &'k AuditKeys,
    /// What must be in the log, by number.
    known: BTreeMap<i64, Vec<(String, SignedHead)>>,
    report: Report,
    /// The largest number so far, and what the head of it is called by the next.
    last: (i64, Hash),
    /// The sequence number after the largest so far.
    next: i64,
    /// The sequence number after the last that a head covers.
    covered: i64,
    /// Leaves that no head covers yet.
    open: Vec<(i64, Hash)>,
    sealed_at: Timestamp,
}

impl<'k> Log<'k> {
    /// An empty log under these keys.
    pub fn new(keys: &'k AuditKeys) -> Self {
        Self {
            keys,
            known: BTreeMap::new(),
            report: Report::default(),
            last: (0, [0; 32]),
            next: 1,
            covered: 1,
            open: Vec::new(),
            sealed_at: Timestamp::EPOCH,
        }
    }

    /// A head that is known from elsewhere: the log must have it.
    pub fn expect(&mut self, signed: SignedHead, source: &str) {
        let number = signed.number().unwrap_or(0);
        match self.keys.open(&signed) {
            Ok(_) => self.known.entry(number).or_default().push((source.to_owned(), signed)),
            Err(refusal) => {
                self.found(Fault::EvidenceRefused(Evidence { number, source: source.to_owned() }, refusal));
            }
        }
    }

    /// The next leaf, and the entry that it is of.
    pub fn leaf(&mut self, leaf: Leaf, entry: Option<&Entry>) {
        self.report.entries += 1;
        if leaf.sequence < self.next {
            return self.found(Fault::LeafMoved(leaf));
        }
        if leaf.sequence > self.next {
            self.found(Fault::LeavesMissing(self.next, leaf.sequence - 1));
        }
        self.next = leaf.sequence.saturating_add(1);
        match entry {
            None => self.found(Fault::EntryMissing(leaf)),
            Some(entry) if entry.id != leaf.entry || entry.leaf(leaf.sequence) != leaf.hash => {
                self.found(Fault::EntryChanged(leaf));
            }
            Some(_) => {}
        }
        self.open.push((leaf.sequence, leaf.hash));
    }

    /// What the next head says; its leaves come before it is closed.
    ///
    /// # Errors
    /// It is not believed.
    pub fn open(&self, signed: &SignedHead) -> Result<Head, HeadRefusal> {
        self.keys.open(signed)
    }

    /// The number that the next head should have.
    pub fn next_head(&self) -> i64 {
        self.last.0 + 1
    }

    /// The next head, which is `number` in its row, after its leaves.
    pub fn head(&mut self, number: i64, signed: &SignedHead, opened: Result<Head, HeadRefusal>) {
        self.report.heads += 1;
        let (last, previous) = self.last;
        if number <= last {
            return self.found(Fault::HeadMoved(number));
        }
        if number > last + 1 {
            self.found(Fault::HeadsMissing(last + 1, number - 1));
        }
        self.last = (number, signed.hash());
        for (source, known) in self.known.remove(&number).unwrap_or_default() {
            if known.text != signed.text {
                self.found(Fault::HeadForked(Evidence { number, source }));
            }
        }
        let head = match opened {
            Ok(head) if head.number == number => head,
            Ok(_) => return self.found(Fault::HeadRow(number)),
            Err(refusal) => return self.found(Fault::HeadRefused(number, refusal)),
        };
        if number == last + 1 {
            if head.previous != previous {
                self.found(Fault::HeadUnchained(number));
            }
            // After a head that was not believed this cannot be asked.
            let follows = self.report.newest.map_or(number == 1, |newest| newest.number == last);
            if follows && head.first != self.covered {
                self.found(Fault::HeadApart(number));
            }
        }
        if head.sealed_at < self.sealed_at {
            self.found(Fault::HeadTime(number));
        }
        self.cover(&head);
        self.sealed_at = head.sealed_at;
        self.covered = head.end();
        self.report.newest = Some(head);
    }

    /// Compares a head with the leaves since the last one.
    fn cover(&mut self, head: &Head) {
        let leaves = std::mem::take(&mut self.open);
        let (own, others): (Vec<_>, Vec<_>) =
            leaves.into_iter().partition(|(sequence, _)| (head.first..head.end()).contains(sequence));
        self.uncovered(&others);
        if head.end() > self.next {
            self.found(Fault::LeavesMissing(self.next.max(head.first), head.end() - 1));
            self.next = head.end();
        }
        let is_whole = own.len() as i64 == head.count;
        let mut tree = Tree::default();
        tree.extend(own.into_iter().map(|(_, hash)| hash));
        if !is_whole || tree.root() != head.root {
            self.found(Fault::HeadRoot(*head));
        }
    }

    fn uncovered(&mut self, leaves: &[(i64, Hash)]) {
        let runs = leaves.chunk_by(|(one, _), (next, _)| one + 1 == *next);
        for run in runs {
            if let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) {
                self.found(Fault::LeavesUncovered(*first, *last));
            }
        }
    }

    /// Something that the reader has found out.
    pub fn found(&mut self, fault: Fault) {
        if self.report.faults.len() < TOLD {
            self.report.faults.push(fault);
        } else {
            self.report.untold += 1;
        }
    }

    /// The log ends here.
    pub fn finish(mut self) -> Report {
        let open = std::mem::take(&mut self.open);
        self.uncovered(&open);
        let known = std::mem::take(&mut self.known);
        let lost: BTreeSet<Evidence> = known
            .into_iter()
            .flat_map(|(number, heads)| heads.into_iter().map(move |(source, _)| Evidence { number, source }))
            .collect();
        lost.into_iter().for_each(|evidence| self.found(Fault::HeadLost(evidence)));
        self.report
    }
}
