//! Reading a CRL as a stream: strict about the frame (X.690), and one part after the other handed to x509-parser, which
//! did not write it.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use x509_parser::prelude::{
    AlgorithmIdentifier, CertificateRevocationList, FromDer, ParsedExtension, RevokedCertificate,
};

use super::message::{Complete, Message};
use super::{CERTIFICATE_HOLD, Entry, REMOVE_FROM_CRL, Revocation};
use crate::tlv::{self, BIT_STRING, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, constructed};
use crate::verification::hash;
use crate::{SerialNumber, Timestamp};

/// The longest part but for the list itself: names, extensions, one entry.
const LONGEST_PART: u64 = 64 << 10;

/// What a CRL says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Its cRLNumber.
    pub number: u64,
    /// BaseCRLNumber, of a delta CRL.
    pub base: Option<u64>,
    /// As of when it is true.
    pub this_update: Timestamp,
    /// By when the next one must stand in its place.
    pub next_update: Timestamp,
    /// How many entries it has.
    pub entries: u64,
}

/// Why a CRL cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not one CRL in DER, or none of version 2 with number, next update and key identifier (RFC 5280 section 5.2).
    #[error("not a version 2 CRL with a number, a next update and a key identifier")]
    NotACrl,
    /// RFC 5280 section 5.1.2.6; ours ascend, so that two lists of any size can be compared.
    #[error("an entry has no valid serial number, stands twice or does not ascend")]
    Entry,
    /// More than is allowed, or than can be verified.
    #[error("the CRL is too large: {0} octets")]
    TooLarge(u64),
    /// The octets could not be had.
    #[error("the CRL cannot be read: {0}")]
    Read(ErrorKind),
}

/// What a CRL (DER) says of itself; nothing is verified.
///
/// # Errors
/// An [`Unreadable`].
pub fn summary(crl: impl Read) -> Result<Summary, Unreadable> {
    visit(crl, |_| {})
}

/// Shows every entry of a CRL (DER), and says what it says of itself; nothing is verified.
///
/// # Errors
/// An [`Unreadable`].
pub fn visit(crl: impl Read, mut show: impl FnMut(Entry)) -> Result<Summary, Unreadable> {
    let mut reader = Reader::open(crl, u64::MAX)?;
    while let Some(entry) = reader.entry()? {
        show(entry);
    }
    reader.finish()?.summary()
}

/// A CRL of which the start has been read and entries may follow.
pub(super) struct Reader<R> {
    source: BufReader<R>,
    /// Octets read so far.
    position: u64,
    /// Where TBSCertList and the CRL end.
    tbs_end: u64,
    end: u64,
    message: Message,
    /// The fields of TBSCertList before the entries.
    fields: Vec<u8>,
    /// Octets of entries that are still to be read.
    entries_left: u64,
    entries: u64,
    last: Option<SerialNumber>,
    /// The octets of one part, read again and again into the same place.
    part: Vec<u8>,
}

/// What is known of a CRL when its last octet has been read.
pub(super) struct Frame {
    /// The CRL without its entries, in DER.
    der: Vec<u8>,
    /// What its issuer signed.
    pub(super) signed: Complete,
    entries: u64,
}

impl<R: Read> Reader<R> {
    /// Reads up to the entries of a CRL that has at most `most` octets.
    pub(super) fn open(source: R, most: u64) -> Result<Self, Unreadable> {
        let mut reader = Self {
            source: BufReader::with_capacity(LONGEST_PART as usize, source),
            position: 0,
            tbs_end: u64::MAX,
            end: u64::MAX,
            message: Message::new(None),
            fields: Vec::with_capacity(512),
            entries_left: 0,
            entries: 0,
            last: None,
            part: Vec::with_capacity(512),
        };
        reader.end = reader.header(SEQUENCE)?;
        if reader.end > most {
            return Err(Unreadable::TooLarge(reader.end));
        }
        reader.tbs_end = reader.header(SEQUENCE)?;
        let mut signed = reader.part.clone();
        for (tags, is_optional) in [
            (&[INTEGER][..], false),
            (&[SEQUENCE], false),
            (&[SEQUENCE], false),
            (&[UTC_TIME, GENERALIZED_TIME], false),
            (&[UTC_TIME, GENERALIZED_TIME], true),
        ] {
            if is_optional && !reader.peek()?.is_some_and(|tag| tags.contains(&tag)) {
                continue;
            }
            reader.element(tags)?;
            reader.fields.extend_from_slice(&reader.part);
        }
        reader.message = Message::new(reader.hash()?);
        signed.extend_from_slice(&reader.fields);
        reader.sign_over(&signed)?;
        if reader.position < reader.tbs_end && reader.peek()? == Some(SEQUENCE) {
            let end = reader.header(SEQUENCE)?;
            reader.entries_left = end - reader.position;
            // RFC 5280 section 5.1.2.6: without entries there is no list.
            if reader.entries_left == 0 || end > reader.tbs_end {
                return Err(Unreadable::NotACrl);
            }
            reader.sign_over_part()?;
        }
        Ok(reader)
    }

    /// The next entry, `None` after the last.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, Unreadable> {
        if self.entries_left == 0 {
            return Ok(None);
        }
        self.element(&[SEQUENCE])?;
        let length = self.part.len() as u64;
        self.entries_left = self.entries_left.checked_sub(length).ok_or(Unreadable::NotACrl)?;
        self.sign_over_part()?;
        let entry = entry(&self.part).ok_or(Unreadable::Entry)?;
        if self.last.is_some_and(|last| last >= entry.serial) {
            return Err(Unreadable::Entry);
        }
        self.last = Some(entry.serial);
        self.entries += 1;
        Ok(Some(entry))
    }

    /// Reads what follows the entries, all of which must have been read.
    pub(super) fn finish(mut self) -> Result<Frame, Unreadable> {
        let mut tbs = std::mem::take(&mut self.fields);
        if self.position < self.tbs_end {
            self.element(&[constructed(0)])?;
            tbs.extend_from_slice(&self.part);
            self.sign_over_part()?;
        }
        if self.position != self.tbs_end {
            return Err(Unreadable::NotACrl);
        }
        let mut content = Vec::with_capacity(tbs.len() + 256);
        tlv::element(&mut content, SEQUENCE, &tbs);
        for tag in [SEQUENCE, BIT_STRING] {
            self.element(&[tag])?;
            content.extend_from_slice(&self.part);
        }
        if self.position != self.end || self.peek()?.is_some() {
            return Err(Unreadable::NotACrl);
        }
        let mut der = Vec::with_capacity(content.len() + 6);
        tlv::element(&mut der, SEQUENCE, &content);
        Ok(Frame { der, signed: self.message.finish(), entries: self.entries })
    }

    /// The hash that the stated algorithm signs.
    fn hash(&self) -> Result<Option<&'static aws_lc_rs::digest::Algorithm>, Unreadable> {
        let mut fields = tlv::Reader::new(&self.fields);
        let stated =
            fields.integer().and_then(|_| fields.expect(SEQUENCE)).map_err(|_| Unreadable::NotACrl)?;
        let (_, stated) = AlgorithmIdentifier::from_der(stated.encoded).map_err(|_| Unreadable::NotACrl)?;
        Ok(hash(&stated))
    }

    fn peek(&mut self) -> Result<Option<u8>, Unreadable> {
        let buffer = self.source.fill_buf().map_err(|error| Unreadable::Read(error.kind()))?;
        Ok(buffer.first().copied())
    }

    /// A tag and a length in its shortest form (X.690 section 10.1), into `part`. Returns where the element ends.
    fn header(&mut self, tag: u8) -> Result<u64, Unreadable> {
        self.part.clear();
        self.read(2)?;
        if self.part[0] != tag {
            return Err(Unreadable::NotACrl);
        }
        let length = match self.part[1] {
            short @ 0..=0x7f => u64::from(short),
            long @ 0x81..=0x85 => {
                let octets = usize::from(long & 0x7f);
                self.read(octets)?;
                let length = self.part[2..].iter().fold(0, |length, &octet| length << 8 | u64::from(octet));
                let shortest = if octets == 1 { 0x80 } else { 1 << (8 * (octets - 1)) };
                if length < shortest {
                    return Err(Unreadable::NotACrl);
                }
                length
            }
            _ => return Err(Unreadable::NotACrl),
        };
        let end = self.position + length;
        if end > self.end { Err(Unreadable::NotACrl) } else { Ok(end) }
    }

    /// A whole element with one of these tags, into `part`.
    fn element(&mut self, tags: &[u8]) -> Result<(), Unreadable> {
        let tag = self.peek()?.filter(|tag| tags.contains(tag)).ok_or(Unreadable::NotACrl)?;
        let length = self.header(tag)? - self.position;
        if length > LONGEST_PART {
            return Err(Unreadable::NotACrl);
        }
        self.read(length as usize)
    }

    fn read(&mut self, count: usize) -> Result<(), Unreadable> {
        let start = self.part.len();
        self.part.resize(start + count, 0);
        self.source.read_exact(&mut self.part[start..]).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Unreadable::NotACrl,
            other => Unreadable::Read(other),
        })?;
        self.position += count as u64;
        Ok(())
    }

    fn sign_over(&mut self, octets: &[u8]) -> Result<(), Unreadable> {
        self.message.update(octets).map_err(|_| Unreadable::TooLarge(self.end))
    }

    fn sign_over_part(&mut self) -> Result<(), Unreadable> {
        self.message.update(&self.part).map_err(|_| Unreadable::TooLarge(self.end))
    }
}

impl Frame {
    /// All but the entries, as x509-parser reads it.
    pub(super) fn parsed(&self) -> Result<CertificateRevocationList<'_>, Unreadable> {
        match CertificateRevocationList::from_der(&self.der) {
            Ok((&[], parsed)) if parsed.version().is_some_and(|version| version.0 == 1) => Ok(parsed),
            _ => Err(Unreadable::NotACrl),
        }
    }

    /// RFC 5280 section 5.1.1.2: the same algorithm inside and outside of what is signed. Compared octet by octet,
    /// because the outside is not signed and x509-parser overlooks a changed tag there.
    pub(super) fn states_one_algorithm(&self) -> bool {
        let compare = || {
            let mut outer = tlv::Reader::new(&self.der).sequence()?;
            let mut tbs = outer.sequence()?;
            tbs.integer()?;
            Ok::<_, tlv::NotDer>(tbs.expect(SEQUENCE)?.encoded == outer.expect(SEQUENCE)?.encoded)
        };
        compare().unwrap_or(false)
    }

    pub(super) fn summary(&self) -> Result<Summary, Unreadable> {
        let parsed = self.parsed()?;
        let number = parsed.crl_number().and_then(|number| u64::try_from(number).ok());
        let next_update = parsed.next_update().ok_or(Unreadable::NotACrl)?;
        Ok(Summary {
            number: number.ok_or(Unreadable::NotACrl)?,
            base: base(&parsed)?,
            this_update: Timestamp::from_unix_seconds(parsed.last_update().timestamp()),
            next_update: Timestamp::from_unix_seconds(next_update.timestamp()),
            entries: self.entries,
        })
    }
}

/// The BaseCRLNumber of a critical deltaCRLIndicator (RFC 5280 section 5.2.4). One that is not critical makes no delta
/// CRL, but a full one that would hide what it lacks: it is none at all.
fn base(crl: &CertificateRevocationList<'_>) -> Result<Option<u64>, Unreadable> {
    let id = const_oid::db::rfc5280::ID_CE_DELTA_CRL_INDICATOR;
    let Some(indicator) = crl.extensions().iter().find(|extension| extension.oid.as_bytes() == id.as_bytes())
    else {
        return Ok(None);
    };
    let mut value = tlv::Reader::new(indicator.value);
    let base = value.integer().ok().filter(|octets| octets.len() <= 9 && octets[0] < 0x80);
    match (base, value.finish()) {
        (Some(octets), Ok(())) if indicator.critical => {
            let number = octets.iter().fold(0_u128, |number, &octet| number << 8 | u128::from(octet));
            u64::try_from(number).map(Some).map_err(|_| Unreadable::NotACrl)
        }
        _ => Err(Unreadable::NotACrl),
    }
}

fn entry(octets: &[u8]) -> Option<Entry> {
    let Ok((&[], read)) = RevokedCertificate::from_der(octets) else { return None };
    if read.extensions().iter().any(|extension| extension.critical) {
        return None;
    }
    let seconds = |at: &x509_parser::time::ASN1Time| Timestamp::from_unix_seconds(at.timestamp());
    let mut revocation =
        Revocation { since: seconds(&read.revocation_date), reason_code: None, invalidity_date: None };
    for extension in read.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::ReasonCode(code) => revocation.reason_code = Some(code.0),
            ParsedExtension::InvalidityDate(at) => revocation.invalidity_date = Some(seconds(at)),
            _ => {}
        }
    }
    Some(Entry { serial: SerialNumber::try_from(read.raw_serial()).ok()?, revocation })
}

impl Entry {
    /// Whether it is a certificateHold, which may end.
    pub(super) fn is_hold(&self) -> bool {
        self.revocation.reason_code == Some(CERTIFICATE_HOLD)
    }

    /// Whether it says that a hold ended, as only deltas do.
    pub(super) fn is_removed(&self) -> bool {
        self.revocation.reason_code == Some(REMOVE_FROM_CRL)
    }
}
