//! The indexes on disk: a restart reads this file and then only what the feed has told since.
//!
//! Written beside its place and renamed into it; believed only with the right checksum, and only if the database still
//! has the very change at the number up to which it was written.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256, digest};
use ca_core::SerialNumber;

use crate::Service;
use crate::index::{Record, SHARDS, Slot, WORDS};

/// Names the format; another one is read as damage.
const MAGIC: &[u8; 16] = b"muhr ocsp index1";
const SLOT_OCTETS: usize = WORDS * 4;
const CHECKSUM_OCTETS: usize = 32;
const BUFFER: usize = 1 << 20;

/// Up to where the feed is in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the newest change that is in.
    pub(crate) number: i64,
    /// Serial and moment of that change, to know the feed again.
    pub(crate) fingerprint: Option<(Vec<u8>, i64)>,
}

/// Why a snapshot is not used. The database is read instead, which takes longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is damaged")]
    Damaged,
    #[error("it is about other CAs")]
    OtherIssuers,
}

/// Writes what the service knows; `position` is from before that, so that what comes in meanwhile is only read twice.
pub(crate) fn write(service: &Service, position: &Position, path: &Path) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let mut out = Checked { inner: BufWriter::with_capacity(BUFFER, file), sum: Context::new(&SHA256) };
    out.write_all(MAGIC)?;
    out.write_all(&position.number.to_be_bytes())?;
    let (serial, at) = position.fingerprint.clone().unwrap_or_default();
    out.write_all(&[serial.len() as u8])?;
    out.write_all(&serial)?;
    out.write_all(&at.to_be_bytes())?;
    out.write_all(&[service.authorities.len() as u8])?;
    for authority in &service.authorities {
        out.write_all(digest(&SHA256, &authority.certificate).as_ref())?;
        let mut octets = Vec::new();
        for shard in 0..SHARDS {
            octets.clear();
            authority.index.visit_shard(shard, |slot| {
                slot.iter().for_each(|word| octets.extend_from_slice(&word.to_be_bytes()));
            });
            out.write_all(&((octets.len() / SLOT_OCTETS) as u32).to_be_bytes())?;
            out.write_all(&octets)?;
        }
        let wide = authority.index.wide();
        out.write_all(&(wide.len() as u32).to_be_bytes())?;
        for (serial, record) in wide {
            out.write_all(&[serial.as_bytes().len() as u8])?;
            out.write_all(serial.as_bytes())?;
            record.words().iter().try_for_each(|word| out.write_all(&word.to_be_bytes()))?;
        }
    }
    let Checked { mut inner, sum } = out;
    inner.write_all(sum.finish().as_ref())?;
    inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&beside, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Fills the service's indexes, which are empty. After an error they hold part of it and are to be cleared.
pub(crate) fn read(service: &Service, path: &Path) -> Result<Position, Unusable> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let content = length.checked_sub(CHECKSUM_OCTETS as u64).ok_or(Unusable::Damaged)?;
    let inner = BufReader::with_capacity(BUFFER, file).take(content);
    let mut input = Checked { inner, sum: Context::new(&SHA256) };
    let position = read_content(service, &mut input, content).map_err(|error| match error {
        // Lengths that are not true make it end early.
        Unusable::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Unusable::Damaged,
        other => other,
    })?;
    let Checked { inner, sum } = input;
    let mut checksum = [0; CHECKSUM_OCTETS];
    let is_at_end = inner.limit() == 0;
    inner.into_inner().read_exact(&mut checksum)?;
    if !is_at_end || sum.finish().as_ref() != checksum {
        return Err(Unusable::Damaged);
    }
    Ok(position)
}

fn read_content(service: &Service, input: &mut impl Read, length: u64) -> Result<Position, Unusable> {
    if &octets::<16>(input)? != MAGIC {
        return Err(Unusable::Damaged);
    }
    let number = i64::from_be_bytes(octets(input)?);
    let mut serial = vec![0; usize::from(octets::<1>(input)?[0])];
    input.read_exact(&mut serial)?;
    let at = i64::from_be_bytes(octets(input)?);
    if usize::from(octets::<1>(input)?[0]) != service.authorities.len() {
        return Err(Unusable::OtherIssuers);
    }
    for authority in &service.authorities {
        if octets::<32>(input)? != digest(&SHA256, &authority.certificate).as_ref() {
            return Err(Unusable::OtherIssuers);
        }
        for shard in 0..SHARDS {
            let count = u32::from_be_bytes(octets(input)?) as usize;
            // Not believed further than the file is long, before the checksum is right.
            if (count * SLOT_OCTETS) as u64 > length {
                return Err(Unusable::Damaged);
            }
            authority.index.reserve_shard(shard, count);
            each_slot(input, count, |slot| authority.index.restore(slot))?;
        }
        for _ in 0..u32::from_be_bytes(octets(input)?) {
            let mut serial = vec![0; usize::from(octets::<1>(input)?[0])];
            input.read_exact(&mut serial)?;
            let serial = SerialNumber::try_from(serial.as_slice()).map_err(|_| Unusable::Damaged)?;
            authority.index.set(&serial, Record::of_words(words(&octets::<12>(input)?)));
        }
    }
    let fingerprint = (number > 0).then_some((serial, at));
    Ok(Position { number, fingerprint })
}

fn octets<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    input.read_exact(&mut octets)?;
    Ok(octets)
}

/// Reads so many slots, a bounded number at a time.
fn each_slot(
    input: &mut impl Read,
    mut count: usize,
    mut take: impl FnMut(&Slot) -> bool,
) -> Result<(), Unusable> {
    let mut buffer = vec![0; SLOT_OCTETS * count.min(4096)];
    while count > 0 {
        let octets = &mut buffer[..SLOT_OCTETS * count.min(4096)];
        input.read_exact(octets)?;
        count -= octets.len() / SLOT_OCTETS;
        if !octets.chunks_exact(SLOT_OCTETS).all(|slot| take(&words(slot))) {
            return Err(Unusable::Damaged);
        }
    }
    Ok(())
}

fn words<const N: usize>(octets: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, octets) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = octets.iter().fold(0, |word, &octet| word << 8 | u32::from(octet));
    }
    words
}

/// Reads or writes, and sums up what passes.
struct Checked<T> {
    inner: T,
    sum: Context,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(octets)?;
        self.sum.update(&octets[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(octets)?;
        self.sum.update(&octets[..read]);
        Ok(read)
    }
}
