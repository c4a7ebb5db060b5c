//! The sealed log as a file: a JSON object a line, first the format, then the entries of each head before it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::audit::{AuditKeys, Entry, Hash, Head, Leaf, Log, Report, SignedHead};
use serde::{Deserialize, Serialize};
use store::Connection;
use store::audit_heads::{self, PAGE};

use crate::failure::Failure;

const FORMAT: &str = "muhr-audit-export/1";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Format(String),
    Entry(EntryLine),
    Head(HeadLine),
}

/// An entry, its place and its leaf hash.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    sequence: i64,
    id: i64,
    /// Unix milliseconds.
    at: i64,
    actor: String,
    action: String,
    object: String,
    /// The JSON text as it is hashed.
    details: String,
    /// Hexadecimal.
    leaf_sha256: String,
}

/// What was signed, and the signature in base64.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine {
    text: String,
    signature: String,
}

impl EntryLine {
    pub(super) fn new(leaf: &Leaf, entry: Entry) -> Self {
        let Entry { id, at, actor, action, object, details } = entry;
        let leaf_sha256 = hex::encode(leaf.hash);
        Self { sequence: leaf.sequence, id, at, actor, action, object, details, leaf_sha256 }
    }

    fn read(self) -> Option<(Leaf, Entry)> {
        let Self { sequence, id, at, actor, action, object, details, leaf_sha256 } = self;
        let hash: Hash = hex::decode(leaf_sha256).ok()?.try_into().ok()?;
        Some((Leaf { sequence, entry: id, hash }, Entry { id, at, actor, action, object, details }))
    }
}

impl HeadLine {
    pub(super) fn new(signed: &SignedHead) -> Self {
        Self { text: signed.text.clone(), signature: STANDARD.encode(&signed.signature) }
    }

    fn read(self) -> Option<SignedHead> {
        Some(SignedHead { text: self.text, signature: STANDARD.decode(self.signature).ok()? })
    }
}

/// Writes a new file, for its owner's eyes only; how many entries and heads.
pub(super) fn write(connection: &mut Connection, path: &Path) -> Result<(u64, u64), Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let written = write_to(connection, file);
    if written.is_err() {
        // Half an export would be taken for a log that was cut off.
        fs::remove_file(path)?;
    }
    written
}

fn write_to(connection: &mut Connection, file: File) -> Result<(u64, u64), Failure> {
    let mut out = BufWriter::new(file);
    let (mut entries, mut heads, mut number) = (0, 0, 0);
    put(&mut out, &Line::Format(FORMAT.to_owned()))?;
    loop {
        let page = audit_heads::after(connection, number, PAGE)?;
        let Some(last) = page.last() else { break };
        number = last.number;
        for stored in &page {
            let head = Head::parse(&stored.signed.text).ok_or_else(damaged)?;
            let leaves = audit_heads::leaves_of(connection, &head)?;
            let mut found = audit_heads::entries_of(connection, &leaves)?;
            for leaf in &leaves {
                let place = found.binary_search_by_key(&leaf.entry, |entry| entry.id);
                let entry = std::mem::replace(&mut found[place.map_err(|_| damaged())?], empty(leaf.entry));
                put(&mut out, &Line::Entry(EntryLine::new(leaf, entry)))?;
                entries += 1;
            }
            put(&mut out, &Line::Head(HeadLine::new(&stored.signed)))?;
            heads += 1;
        }
    }
    let file = out.into_inner().map_err(|error| Failure::new(error.to_string()))?;
    file.sync_all()?;
    Ok((entries, heads))
}

/// Stands where an entry was taken out; its number keeps the others findable.
fn empty(id: i64) -> Entry {
    let [actor, action, object, details] = [const { String::new() }; 4];
    Entry { id, at: 0, actor, action, object, details }
}

fn damaged() -> Failure {
    Failure::new("the log cannot be exported as it is: `muhr audit verify` says why")
}

fn put(out: &mut impl Write, line: &Line) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, line)?;
    Ok(out.write_all(b"\n")?)
}

/// Goes through an export with nothing but the public keys, and what else is known of the log.
pub(super) fn verify(
    path: &Path,
    keys: &AuditKeys,
    evidence: Vec<(String, SignedHead)>,
) -> Result<Report, Failure> {
    let mut log = Log::new(keys);
    for (source, head) in evidence {
        log.expect(head, &source);
    }
    let file = File::open(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let (mut reader, mut text) = (BufReader::with_capacity(1 << 20, file), String::new());
    let mut number = 0_u64;
    loop {
        text.clear();
        number += 1;
        if reader.read_line(&mut text)? == 0 {
            break;
        }
        let refused = || Failure::new(format!("{}: line {number} is none of an export", path.display()));
        match (number, serde_json::from_str(&text).map_err(|_| refused())?) {
            (1, Line::Format(format)) if format == FORMAT => {}
            (2.., Line::Entry(line)) => {
                let (leaf, entry) = line.read().ok_or_else(refused)?;
                log.leaf(leaf, Some(&entry));
            }
            (2.., Line::Head(line)) => {
                let signed = line.read().ok_or_else(refused)?;
                let opened = log.open(&signed);
                // Nothing but the text tells its number here.
                let number = signed.number().unwrap_or_else(|| log.next_head());
                log.head(number, &signed, opened);
            }
            _ => return Err(refused()),
        }
    }
    if number == 1 {
        return Err(Failure::new(format!("{}: it is empty", path.display())));
    }
    Ok(log.finish())
}
