//! The sealed log as a file: a JSON object a line, first the format, then the entries of each head before it; what officers signed,
//! and certificates, before the entries that tell of them.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::audit::{
    Attachment, AuditKeys, Chronicle, Entry, Examined, Examiner, Hash, Head, History, Leaf, Log, Report,
    SignedHead, Trust,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use store::audit_heads::{self, PAGE};
use store::{Connection, audit_attachments};

use crate::failure::Failure;

const FORMAT: &str = "muhr-audit-export/2";
/// Without what officers signed.
const FORMAT_BEFORE: &str = "muhr-audit-export/1";
/// Lines that are read at a time, and octets of them.
const BATCH: (usize, usize) = (10_000, 32 << 20);
/// The longest line; the largest statement with its signature is a tenth of it.
const LONGEST_LINE: u64 = 1 << 20;

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

impl Line {
    fn beside(attachment: Attachment) -> Option<Self> {
        Some(match attachment {
            Attachment::Statement { text, signature } => {
                let signature = STANDARD.encode(signature);
                Self::Statement(StatementLine { text: String::from_utf8(text).ok()?, signature })
            }
            Attachment::Certificate(der) => Self::Certificate(STANDARD.encode(der)),
        })
    }
}

impl StatementLine {
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
            let mut beside = audit_attachments::beside(connection, &found, with_certificates)?;
            for leaf in &leaves {
                let place = found.binary_search_by_key(&leaf.entry, |entry| entry.id);
                let place = place.map_err(|_| damaged())?;
                let entry = std::mem::replace(&mut found[place], empty(leaf.entry));
                if let Some(attachment) = beside[place].take() {
                    put(&mut out, &Line::beside(attachment).ok_or_else(damaged)?)?;
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
    let (mut chronicle, examiner) = (Chronicle::new(trust), Examiner::new(trust));
    let mut export = Export::open(path)?;
    while let Some(steps) = export.next()? {
        let examine = |step: &Step| match step {
            Step::Entry(_, _, Some(beside)) => Some(examiner.examine(beside)),
            _ => None,
        };
        let examined: Vec<Option<Examined>> = steps.par_iter().map(examine).collect();
        for (step, examined) in steps.into_iter().zip(examined) {
            match step {
                Step::Entry(leaf, entry, _) => {
                    log.leaf(leaf, Some(&entry));
                    chronicle.entry(leaf.sequence, &entry, examined.as_ref());
                }
                Step::Head(signed) => {
                    let opened = log.open(&signed);
                    if let Ok(head) = &opened {
                        chronicle.head(head.sealed_at);
                    }
                    // Nothing but the text tells its number here.
                    let number = signed.number().unwrap_or_else(|| log.next_head());
                    log.head(number, &signed, opened);
                }
            }
        }
    }
    let report = log.finish();
    if report.newest.is_none() && report.faults.is_empty() {
        return Err(Failure::new(format!(
            "{}: there is no signed head in it: it proves nothing",
            path.display()
        )));
    }
    Ok((report, export.has_statements.then(|| chronicle.finish())))
}

/// What an export tells, one after the other.
enum Step {
    Entry(Leaf, Entry, Option<Attachment>),
    Head(SignedHead),
}

/// An export that is read, so many lines at a time.
struct Export<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    /// How many lines were read.
    read: usize,
    /// Whether its format has what officers signed.
    has_statements: bool,
    /// What stands before the next entry.
    attachment: Option<Attachment>,
}

impl<'a> Export<'a> {
    fn open(path: &'a Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let reader = BufReader::with_capacity(1 << 20, file);
        let mut export = Self { path, reader, read: 0, has_statements: false, attachment: None };
        let first = export.line()?.ok_or_else(|| Failure::new(format!("{}: it is empty", path.display())))?;
        export.read = 1;
        match serde_json::from_str(&first) {
            Ok(Line::Format(format)) if format == FORMAT => export.has_statements = true,
            Ok(Line::Format(format)) if format == FORMAT_BEFORE => {}
            _ => return Err(export.refused()),
        }
        Ok(export)
    }

    /// The next steps; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<Step>>, Failure> {
        let (mut text, mut octets) = (Vec::new(), 0);
        while text.len() < BATCH.0 && octets < BATCH.1 {
            let Some(line) = self.line()? else { break };
            octets += line.len();
            text.push(line);
        }
        if text.is_empty() {
            // An attachment without its entry: something is missing.
            return if self.attachment.is_some() { Err(self.refused()) } else { Ok(None) };
        }
        let pieces: Vec<Option<Piece>> = text.par_iter().map(|line| Piece::read(line)).collect();
        let mut steps = Vec::with_capacity(pieces.len());
        for piece in pieces {
            self.read += 1;
            match piece {
                Some(Piece::Attachment(attachment)) if self.has_statements && self.attachment.is_none() => {
                    self.attachment = Some(attachment);
                }
                Some(Piece::Entry(leaf, entry)) => {
                    steps.push(Step::Entry(leaf, entry, self.attachment.take()));
                }
                Some(Piece::Head(signed)) => steps.push(Step::Head(signed)),
                _ => return Err(self.refused()),
            }
        }
        Ok(Some(steps))
    }

    /// The next line as it is; `None` at the end.
    fn line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let mut short = self.reader.by_ref().take(LONGEST_LINE);
        if short.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if short.limit() == 0 {
            return Err(Failure::new(format!("{}: a line is too long for an export", self.path.display())));
        }
        Ok(Some(line))
    }

    /// For what the last line is not.
    fn refused(&self) -> Failure {
        Failure::new(format!("{}: line {} is none of an export", self.path.display(), self.read))
    }
}

/// What one line has.
enum Piece {
    Entry(Leaf, Entry),
    Head(SignedHead),
    /// Of the entry after it.
    Attachment(Attachment),
}

impl Piece {
    fn read(line: &str) -> Option<Self> {
        match serde_json::from_str(line).ok()? {
            Line::Entry(line) => line.read().map(|(leaf, entry)| Self::Entry(leaf, entry)),
            Line::Head(line) => line.read().map(Self::Head),
            Line::Statement(line) => line.read().map(Self::Attachment),
            Line::Certificate(der) => {
                Some(Self::Attachment(Attachment::Certificate(STANDARD.decode(der).ok()?)))
            }
            Line::Format(_) => None,
        }
    }
}
