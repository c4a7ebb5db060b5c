//! What a responder knows of one CA: every serial it ever issued, with its status. Exact: a serial that is not here was
//! never issued.
//!
//! A relying party's question is one probe into one of [`SHARDS`] small tables, each behind its own lock: whoever adds a
//! certificate makes nobody else wait, and a table that grows is copied in a fraction of a millisecond. A certificate
//! takes 28 octets, 35 to 44 with the free places around it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ca_core::crl::Revocation;
use ca_core::ocsp::CertStatus;
use ca_core::revocation::Status;
use ca_core::{SerialNumber, Timestamp};

/// How many tables there are; a power of two.
pub(crate) const SHARDS: usize = 1024;

/// A table is at most four fifths full and grows by a quarter.
const FULL: (usize, usize) = (4, 5);
const GROWTH: (usize, usize) = (5, 4);

/// What is known of one certificate, in whole seconds as certificates and answers tell it; seconds of the years 1970 to
/// 2106, and the last of them for everything later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// 0 good; 1 + CRLReason otherwise, a hold being certificateHold.
    state: u32,
    /// Since when it is not good.
    since: u32,
    /// The end of the certificate's validity.
    not_after: u32,
}

impl Record {
    pub(crate) fn new(status: Status, not_after: Timestamp) -> Self {
        let seconds = |at: Timestamp| u32::try_from(at.unix_seconds()).unwrap_or(u32::MAX);
        let (state, since) = match Revocation::of(status) {
            None => (0, 0),
            Some(told) => (1 + u32::from(told.reason_code.unwrap_or(0)), seconds(told.since)),
        };
        Self { state, since, not_after: seconds(not_after) }
    }

    /// What relying parties are told.
    pub(crate) fn status(self) -> CertStatus {
        match u8::try_from(self.state).unwrap_or(u8::MAX) {
            0 => CertStatus::Good,
            state => CertStatus::Revoked(Revocation {
                since: Timestamp::from_unix_seconds(self.since.into()),
                reason_code: Some(state - 1).filter(|&code| code != 0),
                invalidity_date: None,
            }),
        }
    }

    pub(crate) fn is_expired(self, now: Timestamp) -> bool {
        i64::from(self.not_after) < now.unix_seconds()
    }

    /// For a file.
    pub(crate) fn words(self) -> [u32; 3] {
        [self.state, self.since, self.not_after]
    }

    /// What [`Record::words`] gave.
    pub(crate) fn of_words([state, since, not_after]: [u32; 3]) -> Self {
        Self { state, since, not_after }
    }

    fn is_good(self) -> bool {
        self.state == 0
    }
}

/// Words of a [`Slot`].
pub(crate) const WORDS: usize = 7;

/// A serial below 2^128, most significant word first, and its record. No serial is zero (RFC 5280 section 4.1.2.2), so
/// a slot of zeros is a free one.
pub(crate) type Slot = [u32; WORDS];

const FREE: Slot = [0; WORDS];

fn slot(serial: u128, record: Record) -> Slot {
    let [a, b, c, d] = [96, 64, 32, 0].map(|shift| (serial >> shift) as u32);
    [a, b, c, d, record.state, record.since, record.not_after]
}

fn serial_of(slot: &Slot) -> u128 {
    slot[..4].iter().fold(0, |serial, &word| serial << 32 | u128::from(word))
}

fn record_of(slot: &Slot) -> Record {
    Record { state: slot[4], since: slot[5], not_after: slot[6] }
}

/// The number that a serial is, if it has at most 128 bits: that of every CA that draws 16 octets.
fn number(serial: &SerialNumber) -> Option<u128> {
    let octets = serial.as_bytes();
    let octets = if octets[0] == 0 { &octets[1..] } else { octets };
    let mut number = [0; 16];
    number[16_usize.checked_sub(octets.len())?..].copy_from_slice(octets);
    Some(u128::from_be_bytes(number))
}

/// Spreads serials that are not random too. Nobody but the CA puts serials into the tables, so it needs no secret.
fn spread(serial: u128) -> u64 {
    let folded = (serial as u64) ^ ((serial >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = u128::from(folded) * 0xd6e8_feb8_6659_fd93_u128;
    (mixed as u64) ^ ((mixed >> 64) as u64)
}

/// One table: open addressing, the next place if one is taken.
#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    taken: usize,
}

impl Shard {
    fn first_place(&self, spread: u64) -> usize {
        // The low bits chose the shard; the high 32 are scaled to the number of places.
        (((spread >> 32) * self.slots.len() as u64) >> 32) as usize
    }

    /// The place of this serial, or the free one where it would be put.
    fn place(&self, serial: u128, spread: u64) -> usize {
        let mut place = self.first_place(spread);
        loop {
            let found = serial_of(&self.slots[place]);
            if found == serial || found == 0 {
                return place;
            }
            place = if place + 1 == self.slots.len() { 0 } else { place + 1 };
        }
    }

    fn get(&self, serial: u128, spread: u64) -> Option<Record> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = &self.slots[self.place(serial, spread)];
        (*slot != FREE).then(|| record_of(slot))
    }

    /// Puts a record in and returns the one before it.
    fn set(&mut self, serial: u128, spread: u64, record: Record) -> Option<Record> {
        if (self.taken + 1) * FULL.1 > self.slots.len() * FULL.0 {
            self.grow(self.taken + 1);
        }
        let place = self.place(serial, spread);
        let before = (self.slots[place] != FREE).then(|| record_of(&self.slots[place]));
        self.taken += usize::from(before.is_none());
        self.slots[place] = slot(serial, record);
        before
    }

    /// Makes room for so many, and for some more.
    fn grow(&mut self, wanted: usize) {
        let places = (wanted * FULL.1 / FULL.0 + 1).max(self.slots.len() * GROWTH.0 / GROWTH.1).max(8);
        let before = std::mem::replace(&mut self.slots, vec![FREE; places]);
        for slot in before.into_iter().filter(|slot| *slot != FREE) {
            let serial = serial_of(&slot);
            let place = self.place(serial, spread(serial));
            self.slots[place] = slot;
        }
    }
}

/// Every certificate of one CA.
pub(crate) struct Index {
    shards: Box<[RwLock<Shard>]>,
    /// Serials of more than 128 bits, which another CA software may have issued.
    wide: RwLock<HashMap<SerialNumber, Record>>,
    len: AtomicUsize,
    not_good: AtomicUsize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            wide: RwLock::default(),
            len: AtomicUsize::new(0),
            not_good: AtomicUsize::new(0),
        }
    }
}

impl Index {
    pub(crate) fn get(&self, serial: &SerialNumber) -> Option<Record> {
        match number(serial) {
            Some(number) => {
                let spread = spread(number);
                read(&self.shards[spread as usize % SHARDS]).get(number, spread)
            }
            None => read(&self.wide).get(serial).copied(),
        }
    }

    pub(crate) fn set(&self, serial: &SerialNumber, record: Record) {
        match number(serial) {
            Some(number) => self.put(number, record),
            None => {
                let mut wide = self.wide.write().unwrap_or_else(PoisonError::into_inner);
                self.count(wide.insert(*serial, record), record);
            }
        }
    }

    /// Takes a slot that [`Index::visit_shard`] showed; `false` if it is a free one.
    pub(crate) fn restore(&self, slot: &Slot) -> bool {
        let serial = serial_of(slot);
        if serial != 0 {
            self.put(serial, record_of(slot));
        }
        serial != 0
    }

    fn put(&self, serial: u128, record: Record) {
        let spread = spread(serial);
        let shard = &self.shards[spread as usize % SHARDS];
        let before = shard.write().unwrap_or_else(PoisonError::into_inner).set(serial, spread, record);
        self.count(before, record);
    }

    fn count(&self, before: Option<Record>, record: Record) {
        if before.is_none() {
            self.len.fetch_add(1, Ordering::Relaxed);
        }
        match (before.is_none_or(Record::is_good), record.is_good()) {
            (true, false) => self.not_good.fetch_add(1, Ordering::Relaxed),
            (false, true) => self.not_good.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// Room for so many certificates, so that loading them copies nothing twice.
    pub(crate) fn reserve(&self, certificates: usize) {
        // Serials spread like coins thrown: four deviations above the mean leave hardly a shard to grow once more.
        let mean = certificates / SHARDS;
        let wanted = mean + 4 * mean.isqrt();
        (0..SHARDS).for_each(|shard| self.reserve_shard(shard, wanted));
    }

    /// Room for so many certificates in one shard. What [`Index::visit_shard`] showed comes back in the order of its
    /// places: in a table that is yet to grow, all of it would crowd at the beginning.
    pub(crate) fn reserve_shard(&self, shard: usize, certificates: usize) {
        let mut shard = self.shards[shard].write().unwrap_or_else(PoisonError::into_inner);
        if certificates > 8 && certificates * FULL.1 > shard.slots.len() * FULL.0 {
            shard.grow(certificates);
        }
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            *shard.write().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
        self.wide.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.len.store(0, Ordering::Relaxed);
        self.not_good.store(0, Ordering::Relaxed);
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// How many are revoked or on hold.
    pub(crate) fn not_good(&self) -> usize {
        self.not_good.load(Ordering::Relaxed)
    }

    /// Visits the slots of one shard as they are at this moment.
    pub(crate) fn visit_shard(&self, shard: usize, mut visit: impl FnMut(&Slot)) {
        read(&self.shards[shard]).slots.iter().filter(|slot| **slot != FREE).for_each(&mut visit);
    }

    /// The serials of more than 128 bits.
    pub(crate) fn wide(&self) -> Vec<(SerialNumber, Record)> {
        read(&self.wide).iter().map(|(serial, record)| (*serial, *record)).collect()
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    // Whoever panicked while writing has left whole slots: each is written in one assignment.
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use ca_core::revocation::Reason;
    use std::collections::BTreeMap;

    use super::*;

    fn serial(octets: &[u8]) -> SerialNumber {
        SerialNumber::try_from(octets).unwrap()
    }

    fn not_after() -> Timestamp {
        Timestamp::from_unix_seconds(1_900_000_000)
    }

    #[test]
    fn it_says_what_a_map_says_whatever_the_serials_look_like() {
        let (index, mut truth) = (Index::default(), BTreeMap::new());
        let statuses = [
            Status::Good,
            Status::Suspended { since: Timestamp::from_unix_seconds(1_790_000_000) },
            Status::Revoked {
                since: Timestamp::from_unix_seconds(1_790_000_001),
                reason: Reason::Unspecified,
                invalidity_date: None,
            },
        ];
        let mut put = |serial: SerialNumber, n: usize| {
            let record = Record::new(statuses[n % 3], not_after());
            index.set(&serial, record);
            truth.insert(serial, record);
        };
        for n in 0_u32..40_000 {
            // In a row, random, short, with a sign octet, and longer than 128 bits; some of them twice.
            put(serial(&[&[1][..], &n.to_be_bytes()].concat()), n as usize);
            put(SerialNumber::random().unwrap(), n as usize / 2);
            put(serial(&[0, 0x80 | (n % 127) as u8, 1]), n as usize);
            put(serial(&[&[7; 16][..], &n.to_be_bytes()].concat()), n as usize);
        }
        assert_eq!(index.len(), truth.len());
        assert_eq!(index.not_good(), truth.values().filter(|record| !record.is_good()).count());
        for (serial, record) in &truth {
            assert_eq!(index.get(serial), Some(*record), "{serial}");
        }
        for _ in 0..1000 {
            assert_eq!(index.get(&SerialNumber::random().unwrap()), None);
        }
        assert_eq!(index.get(&serial(&[1, 0, 1])), None);
        index.clear();
        assert_eq!((index.len(), index.not_good()), (0, 0));
    }

    #[test]
    fn a_record_tells_what_was_put_in() {
        let since = Timestamp::from_unix_millis(1_790_000_000_999);
        for reason in Reason::ALL {
            let told =
                Record::new(Status::Revoked { since, reason, invalidity_date: None }, not_after()).status();
            let expected = Revocation {
                since: since.whole_seconds(),
                reason_code: Some(reason.code()).filter(|&code| code != 0),
                invalidity_date: None,
            };
            assert_eq!(told, CertStatus::Revoked(expected));
        }
        let held = Record::new(Status::Suspended { since }, not_after());
        assert!(matches!(held.status(), CertStatus::Revoked(Revocation { reason_code: Some(6), .. })));
        let good = Record::new(Status::Good, not_after());
        assert_eq!(good.status(), CertStatus::Good);
        assert!(!good.is_expired(not_after()) && good.is_expired(not_after().plus_months(1)));
        assert!(!Record::new(Status::Good, Timestamp::MAX).is_expired(not_after().plus_months(600)));
    }

    #[test]
    fn a_certificate_takes_at_most_48_octets_at_every_size() {
        for reserved in [false, true] {
            let index = Index::default();
            let count = 200_000;
            if reserved {
                index.reserve(count);
            }
            for n in 1..=count {
                index.set(&SerialNumber::random().unwrap(), Record::new(Status::Good, not_after()));
                if n >= 100_000 && n % 10_000 == 0 && !reserved || n == count {
                    let octets: usize =
                        index.shards.iter().map(|shard| read(shard).slots.capacity() * 28).sum();
                    assert!(octets <= 48 * n, "{octets} octets for {n}");
                }
            }
        }
    }
}
