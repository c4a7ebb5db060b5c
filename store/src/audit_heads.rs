//! The sealed audit log: the places of entries and the signed heads over them. Rows are only ever added.

use ca_core::Timestamp;
use ca_core::audit::{Entry, Hash, Head, LATENESS, Leaf, MAX_BATCH, SignedHead};
use diesel::dsl::{exists, max, not};
use diesel::prelude::*;

use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{audit_entries, audit_heads, audit_leaves};

/// The sealer looks back over so many numbers at most, so that a look costs no more than a fraction of a second.
const MOST_LATE: i64 = 1_000_000;

/// Rows that are read at a time.
pub const PAGE: i64 = 10_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_entries)]
struct EntryRow {
    id: i64,
    at: i64,
    actor: String,
    action: String,
    object: String,
    details: String,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = audit_leaves, treat_none_as_default_value = false)]
struct LeafRow {
    sequence: i64,
    entry_id: i64,
    hash: Vec<u8>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = audit_heads, treat_none_as_default_value = false)]
struct HeadRow {
    number: i64,
    first_sequence: i64,
    sealed_at: i64,
    text: String,
    signature: Vec<u8>,
}

/// A head as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The columns beside its text.
    pub number: i64,
    /// As in [`Head::first`].
    pub first: i64,
    /// As in [`Head::sealed_at`].
    pub sealed_at: i64,
    /// What was signed, and the signature.
    pub signed: SignedHead,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let EntryRow { id, at, actor, action, object, details } = row;
        Self { id, at, actor, action, object, details }
    }
}

impl From<LeafRow> for Leaf {
    fn from(row: LeafRow) -> Self {
        // A hash of another length is none that an entry has: zeros are as good as it.
        let hash = Hash::try_from(row.hash).unwrap_or_default();
        Self { sequence: row.sequence, entry: row.entry_id, hash }
    }
}

impl From<HeadRow> for Stored {
    fn from(row: HeadRow) -> Self {
        let signed = SignedHead { text: row.text, signature: row.signature };
        Self { number: row.number, first: row.first_sequence, sealed_at: row.sealed_at, signed }
    }
}

/// The newest head.
///
/// # Errors
/// The database's.
pub fn newest(connection: &mut Connection) -> Result<Option<Stored>, StoreError> {
    let row: Option<HeadRow> =
        audit_heads::table.order(audit_heads::number.desc()).first(connection).optional()?;
    Ok(row.map(Stored::from))
}

/// The head with this number.
///
/// # Errors
/// The database's.
pub fn find(connection: &mut Connection, number: i64) -> Result<Option<Stored>, StoreError> {
    let row: Option<HeadRow> = audit_heads::table.find(number).first(connection).optional()?;
    Ok(row.map(Stored::from))
}

/// At most so many heads after this number, in order.
///
/// # Errors
/// The database's.
pub fn after(connection: &mut Connection, number: i64, most: i64) -> Result<Vec<Stored>, StoreError> {
    let rows: Vec<HeadRow> = audit_heads::table
        .filter(audit_heads::number.gt(number))
        .order(audit_heads::number)
        .limit(most)
        .load(connection)?;
    Ok(rows.into_iter().map(Stored::from).collect())
}

/// Heads sealed from one moment until before another, in order.
///
/// # Errors
/// The database's.
pub fn between(
    connection: &mut Connection,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<SignedHead>, StoreError> {
    let rows: Vec<HeadRow> = audit_heads::table
        .filter(audit_heads::sealed_at.ge(from.unix_millis()))
        .filter(audit_heads::sealed_at.lt(until.unix_millis()))
        .order(audit_heads::number)
        .load(connection)?;
    Ok(rows.into_iter().map(|row| Stored::from(row).signed).collect())
}

/// Leaves after this sequence number, in order, a page of them.
///
/// # Errors
/// The database's.
pub fn leaves_after(connection: &mut Connection, sequence: i64) -> Result<Vec<Leaf>, StoreError> {
    let rows: Vec<LeafRow> = audit_leaves::table
        .filter(audit_leaves::sequence.gt(sequence))
        .order(audit_leaves::sequence)
        .limit(PAGE)
        .load(connection)?;
    Ok(rows.into_iter().map(Leaf::from).collect())
}

/// The leaf of an entry.
///
/// # Errors
/// The database's.
pub fn leaf_of(connection: &mut Connection, entry: i64) -> Result<Option<Leaf>, StoreError> {
    let row: Option<LeafRow> =
        audit_leaves::table.filter(audit_leaves::entry_id.eq(entry)).first(connection).optional()?;
    Ok(row.map(Leaf::from))
}

/// The head that covers a sequence number: the first one that ends behind it.
///
/// # Errors
/// The database's.
pub fn head_of(connection: &mut Connection, sequence: i64) -> Result<Option<Stored>, StoreError> {
    // Of heads that begin at one place, all but the last are empty.
    let row: Option<HeadRow> = audit_heads::table
        .filter(audit_heads::first_sequence.le(sequence))
        .order((audit_heads::first_sequence.desc(), audit_heads::number.desc()))
        .first(connection)
        .optional()?;
    let stored = row.map(Stored::from);
    Ok(stored.filter(|stored| Head::parse(&stored.signed.text).is_some_and(|head| sequence < head.end())))
}

/// The leaves of a head.
///
/// # Errors
/// The database's.
pub fn leaves_of(connection: &mut Connection, head: &Head) -> Result<Vec<Leaf>, StoreError> {
    let rows: Vec<LeafRow> = audit_leaves::table
        .filter(audit_leaves::sequence.ge(head.first))
        .filter(audit_leaves::sequence.lt(head.end()))
        .order(audit_leaves::sequence)
        .limit(MAX_BATCH as i64)
        .load(connection)?;
    Ok(rows.into_iter().map(Leaf::from).collect())
}

/// The entries of leaves, by id.
///
/// # Errors
/// The database's.
pub fn entries_of(connection: &mut Connection, leaves: &[Leaf]) -> Result<Vec<Entry>, StoreError> {
    let mut ids: Vec<i64> = leaves.iter().map(|leaf| leaf.entry).collect();
    ids.sort_unstable();
    let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
    let table = audit_entries::table.select(EntryRow::as_select()).order(audit_entries::id);
    // Entries that were sealed together stand together, unless somebody has been at the rows.
    let rows = if last.saturating_sub(first) < 4 * PAGE {
        table.filter(audit_entries::id.ge(first)).filter(audit_entries::id.le(last)).load(connection)?
    } else {
        let mut rows: Vec<EntryRow> = Vec::with_capacity(ids.len());
        for some in ids.chunks(1000) {
            rows.extend(table.filter(audit_entries::id.eq_any(some)).load(connection)?);
        }
        rows
    };
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The entry with this number.
///
/// # Errors
/// The database's.
pub fn entry(connection: &mut Connection, id: i64) -> Result<Option<Entry>, StoreError> {
    let row: Option<EntryRow> =
        audit_entries::table.find(id).select(EntryRow::as_select()).first(connection).optional()?;
    Ok(row.map(Entry::from))
}

/// The largest number that no sealer looks at any more: an entry up to it that has no leaf then never gets one.
///
/// # Errors
/// The database's.
pub fn settled(connection: &mut Connection, now: Timestamp) -> Result<i64, StoreError> {
    let before: Option<i64> = audit_heads::table
        .filter(audit_heads::sealed_at.le(now.minus(LATENESS).unix_millis()))
        .order(audit_heads::sealed_at.desc())
        .select(audit_heads::first_sequence)
        .first(connection)
        .optional()?;
    // What that head covers itself is looked at once more; the leaves before it are settled.
    let Some(until) = before else { return Ok(0) };
    let highest: Option<i64> = audit_leaves::table
        .filter(audit_leaves::sequence.lt(until))
        .filter(audit_leaves::sequence.ge(until - MAX_BATCH as i64))
        .select(max(audit_leaves::entry_id))
        .first(connection)?;
    // Back from what is sealed, not from what is there: a backlog of any length is sealed.
    let sealed: Option<i64> = audit_leaves::table.select(max(audit_leaves::entry_id)).first(connection)?;
    Ok(highest.unwrap_or(0).max(sealed.unwrap_or(0) - MOST_LATE))
}

/// Entries after this number that have no leaf, by number, at most [`MAX_BATCH`].
///
/// # Errors
/// The database's.
pub fn unsealed(connection: &mut Connection, after: i64) -> Result<Vec<Entry>, StoreError> {
    let rows: Vec<EntryRow> = audit_entries::table
        .filter(audit_entries::id.gt(after))
        .filter(not(exists(
            audit_leaves::table
                .filter(audit_leaves::entry_id.eq(audit_entries::id))
                // Said twice so that a range of both indexes is compared, never a whole table.
                .filter(audit_leaves::entry_id.gt(after)),
        )))
        .order(audit_entries::id)
        .limit(MAX_BATCH as i64)
        .select(EntryRow::as_select())
        .load(connection)?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// How many entries have come since the last one that was sealed.
///
/// # Errors
/// The database's.
pub fn waiting(connection: &mut Connection) -> Result<i64, StoreError> {
    let sealed: Option<i64> = audit_leaves::table.select(max(audit_leaves::entry_id)).first(connection)?;
    Ok(audit_entries::table
        .filter(audit_entries::id.gt(sealed.unwrap_or(0)))
        .count()
        .get_result(connection)?)
}

/// Number and time of the entries between two numbers, the second included, that have no leaf.
///
/// # Errors
/// The database's.
pub(crate) fn unsealed_between(
    connection: &mut Connection,
    after: i64,
    until: i64,
) -> Result<Vec<(i64, i64)>, StoreError> {
    Ok(audit_entries::table
        .filter(audit_entries::id.gt(after))
        .filter(audit_entries::id.le(until))
        .filter(not(exists(
            audit_leaves::table
                .filter(audit_leaves::entry_id.eq(audit_entries::id))
                .filter(audit_leaves::entry_id.gt(after))
                .filter(audit_leaves::entry_id.le(until)),
        )))
        .order(audit_entries::id)
        .select((audit_entries::id, audit_entries::at))
        .load(connection)?)
}

/// The smallest and the largest number of an entry.
///
/// # Errors
/// The database's.
pub(crate) fn bounds(connection: &mut Connection) -> Result<Option<(i64, i64)>, StoreError> {
    let (first, last): (Option<i64>, Option<i64>) = audit_entries::table
        .select((diesel::dsl::min(audit_entries::id), max(audit_entries::id)))
        .first(connection)?;
    Ok(first.zip(last))
}

/// Adds a head and its leaves.
///
/// # Errors
/// [`StoreError::Conflict`]: another sealer made this head.
pub fn add(
    connection: &mut Connection,
    head: &Head,
    signed: &SignedHead,
    leaves: &[Leaf],
) -> Result<(), StoreError> {
    let rows = [HeadRow {
        number: head.number,
        first_sequence: head.first,
        sealed_at: head.sealed_at.unix_millis(),
        text: signed.text.clone(),
        signature: signed.signature.clone(),
    }];
    insert_all!(connection, audit_heads::table, &rows)?;
    let rows: Vec<LeafRow> = leaves
        .iter()
        .map(|leaf| LeafRow { sequence: leaf.sequence, entry_id: leaf.entry, hash: leaf.hash.to_vec() })
        .collect();
    insert_all!(connection, audit_leaves::table, &rows)?;
    Ok(())
}
