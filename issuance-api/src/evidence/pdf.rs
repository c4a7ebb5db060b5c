//! PDF (ISO 32000): whole, not encrypted, and without anything that acts.
//!
//! This reads names, not structure: it looks for what a paper never needs, also inside compressed object streams and behind
//! `#xx` spellings. It is a sieve; officers' browsers show the file without scripts all the same.

use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::memmem;

use super::Refusal;

/// How far from the end `%%EOF` may stand (ISO 32000-1 annex H.3.18).
const TAIL: usize = 1024;
/// What all object streams of one file may inflate to.
const MAX_INFLATED: u64 = 32 << 20;
/// How far before its data a stream's dictionary is looked for.
const MAX_DICTIONARY: usize = 4096;

/// Names of what starts programs, runs scripts or carries files. They are long: chance does not write them into a picture.
const ACTIVE: [&[u8]; 5] = [b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/EmbeddedFiles", b"/RichMedia"];

pub(super) fn inspect(bytes: &[u8]) -> Result<(), Refusal> {
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    if !contains(tail, b"%%EOF") || !contains(bytes, b"startxref") {
        return Err(Refusal::Damaged);
    }
    let plain = spelled_out(bytes);
    if has_name(&plain, b"/Encrypt") {
        return Err(Refusal::Encrypted);
    }
    inspect_names(&plain)?;
    let mut budget = MAX_INFLATED;
    for stream in object_streams(bytes) {
        let mut objects = Vec::new();
        let inflated = ZlibDecoder::new(stream).take(budget).read_to_end(&mut objects);
        budget -= objects.len() as u64;
        // What cannot be looked into, or is a bomb, is not let in.
        if inflated.is_err() || budget == 0 {
            return Err(Refusal::Damaged);
        }
        inspect_names(&spelled_out(&objects))?;
    }
    Ok(())
}

fn inspect_names(plain: &[u8]) -> Result<(), Refusal> {
    if ACTIVE.iter().any(|name| has_name(plain, name)) { Err(Refusal::ActiveContent) } else { Ok(()) }
}

/// The data of every stream whose dictionary says `/ObjStm`, up to the end of the file: zlib knows its own end.
fn object_streams(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    memmem::find_iter(bytes, b"stream").filter_map(move |at| {
        let before = &bytes[at.saturating_sub(MAX_DICTIONARY)..at];
        let dictionary = &before[memmem::rfind(before, b" obj").unwrap_or(0)..];
        if before.ends_with(b"end") || !has_name(&spelled_out(dictionary), b"/ObjStm") {
            return None;
        }
        let data = &bytes[at + b"stream".len()..];
        data.strip_prefix(b"\r\n").or_else(|| data.strip_prefix(b"\n")).or(Some(data))
    })
}

/// A name that is not merely the start of a longer one.
fn has_name(bytes: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(bytes, name)
        .any(|at| !bytes.get(at + name.len()).is_some_and(u8::is_ascii_alphanumeric))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memmem::find(bytes, part).is_some()
}

/// `#4a` in a name is `J` (ISO 32000-1 section 7.3.5).
fn spelled_out(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'#', [high, low, ..]) if digit(high).is_some() && digit(low).is_some() => {
                let value = digit(high).unwrap_or_default() * 16 + digit(low).unwrap_or_default();
                plain.push(value as u8);
                rest = &after[2..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}
