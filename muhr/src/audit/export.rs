//! The sealed log as a file: a JSON object a line, first the format, then the entries of each head before it; what officers signed,
//! and certificates, before the entries that tell of them.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::SerialNumber;
use ca_core::audit::{
    Attachment, AuditKeys, Chronicle, Entry, Hash, Head, History, Leaf, Log, Report, SignedHead, Trust,
};
use ca_core::digest::sha256;
use serde::{Deserialize, Serialize};
use store::Connection;
use store::audit_heads::{self, PAGE};
use store::officer_statements::{self, StoredStatement};

use crate::failure::Failure;

const FORMAT: &str = "muhr-audit-export/2";
/// Without what officers signed.
const FORMAT_BEFORE: &str = "muhr-audit-export/1";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Format(String),
    Entry(EntryLine),
    Head(HeadLine),
    Statement(StatementLine),
    /// DER in base64.
    Certificate(String),
}

/// What an officer signed, and the detached CMS over it (DER) in base64.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementLine {
    text: String,
    signature: String,
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

impl StatementLine {
    fn new(stored: &StoredStatement) -> Option<Self> {
        let text = String::from_utf8(stored.statement.clone()).ok()?;
        Some(Self { text, signature: STANDARD.encode(&stored.signature) })
    }

    fn read(self) -> Option<Attachment> {
        let signature = STANDARD.decode(self.signature).ok()?;
        Some(Attachment::Statement { text: self.text.into_bytes(), signature })
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
pub(crate) fn write(
    connection: &mut Connection,
    path: &Path,
    with_certificates: bool,
) -> Result<(u64, u64), Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let written = write_to(connection, file, with_certificates);
    if written.is_err() {
        // Half an export would be taken for a log that was cut off.
        fs::remove_file(path)?;
    }
    written
}

fn write_to(connection: &mut Connection, file: File, with_certificates: bool) -> Result<(u64, u64), Failure> {
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
            let statements = statements(connection, &found)?;
            let certificates =
                if with_certificates { certificates(connection, &found)? } else { HashMap::new() };
            for leaf in &leaves {
                let place = found.binary_search_by_key(&leaf.entry, |entry| entry.id);
                let entry = std::mem::replace(&mut found[place.map_err(|_| damaged())?], empty(leaf.entry));
                if let Some(stored) = signed_in(&entry).and_then(|sha256| statements.get(&sha256)) {
                    put(&mut out, &Line::Statement(StatementLine::new(stored).ok_or_else(damaged)?))?;
                }
                if let Some(der) = issued_in(&entry).and_then(|serial| certificates.get(&serial)) {
                    put(&mut out, &Line::Certificate(STANDARD.encode(der)))?;
                }
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

/// The statement that an entry tells of: its SHA-256.
fn signed_in(entry: &Entry) -> Option<Hash> {
    if entry.action != "statement.sign" {
        return None;
    }
    let details: serde_json::Value = serde_json::from_str(&entry.details).ok()?;
    hex::decode(details["sha256"].as_str()?).ok()?.try_into().ok()
}

/// The certificate that an entry tells of.
fn issued_in(entry: &Entry) -> Option<SerialNumber> {
    let (_, serial) = entry.object.strip_prefix("certificate:")?.split_once('/')?;
    serial.parse().ok().filter(|_| entry.action == "certificate.issue")
}

fn statements(
    connection: &mut Connection,
    entries: &[Entry],
) -> Result<HashMap<Hash, StoredStatement>, Failure> {
    let told = entries.iter().filter(|entry| signed_in(entry).is_some());
    let objects: BTreeSet<String> = told.map(|entry| entry.object.clone()).collect();
    let objects: Vec<String> = objects.into_iter().collect();
    let mut found = HashMap::new();
    for some in objects.chunks(1000) {
        let about = officer_statements::about(connection, some)?;
        found.extend(about.into_values().flatten().map(|stored| (sha256(&stored.statement), stored)));
    }
    Ok(found)
}

fn certificates(
    connection: &mut Connection,
    entries: &[Entry],
) -> Result<HashMap<SerialNumber, Vec<u8>>, Failure> {
    let serials: Vec<SerialNumber> = entries.iter().filter_map(issued_in).collect();
    let found = store::certificates::find_many(connection, &serials)?.into_iter();
    Ok(found.map(|stored| (stored.certificate.serial, stored.certificate.der)).collect())
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

/// Goes through an export with nothing but public keys, and what else is known of the log; what it tells, if it tells enough.
pub(crate) fn verify(
    path: &Path,
    keys: &AuditKeys,
    trust: Option<&Trust>,
    evidence: Vec<(String, SignedHead)>,
) -> Result<(Report, Option<History>), Failure> {
    let mut log = Log::new(keys);
    for (source, head) in evidence {
        log.expect(head, &source);
    }
    let mut chronicle = None;
    let mut attachment = None;
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
            (1, Line::Format(format)) if format == FORMAT => chronicle = Some(Chronicle::new(trust)),
            (1, Line::Format(format)) if format == FORMAT_BEFORE => {}
            (2.., Line::Statement(line)) if attachment.is_none() => {
                attachment = Some(line.read().ok_or_else(refused)?);
            }
            (2.., Line::Certificate(der)) if attachment.is_none() => {
                attachment = Some(Attachment::Certificate(STANDARD.decode(der).map_err(|_| refused())?));
            }
            (2.., Line::Entry(line)) => {
                let (leaf, entry) = line.read().ok_or_else(refused)?;
                log.leaf(leaf, Some(&entry));
                if let Some(chronicle) = &mut chronicle {
                    chronicle.entry(leaf.sequence, &entry, attachment.take().as_ref());
                }
            }
            (2.., Line::Head(line)) => {
                let signed = line.read().ok_or_else(refused)?;
                let opened = log.open(&signed);
                if let (Some(chronicle), Ok(head)) = (&mut chronicle, &opened) {
                    chronicle.head(head.sealed_at);
                }
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
    let report = log.finish();
    if report.newest.is_none() && report.faults.is_empty() {
        return Err(Failure::new(format!(
            "{}: there is no signed head in it: it proves nothing",
            path.display()
        )));
    }
    Ok((report, chronicle.map(Chronicle::finish)))
}
