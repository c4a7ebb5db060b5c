//! Writing a CRL (RFC 5280 section 5.1) in a few passes over a spool of its entries.

use std::convert::Infallible;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_DELTA_CRL_INDICATOR,
    ID_CE_FRESHEST_CRL, ID_CE_INVALIDITY_DATE, ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::Encode;

use super::message::{Complete, Message, TooLong};
use super::{DistributionPoint, Entry, Issuer, REMOVE_FROM_CRL, Scope};
use crate::signer::{SignError, Signer};
use crate::tlv::{self, BIT_STRING, ENUMERATED, INTEGER, SEQUENCE, constructed, primitive};
use crate::{SerialNumber, Timestamp};

/// Octets read or written at a time.
const BLOCK: usize = 64 << 10;

/// Whether a CRL tells everything, or what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Every certificate of the scope that is not good.
    Full {
        /// Where the delta CRL of the scope is, for freshestCRL (RFC 5280 section 5.2.6); `None` if there is none.
        delta_uri: Option<&'a str>,
    },
    /// What changed since an earlier full CRL (RFC 5280 section 5.2.4). Together they are the full CRL that has the
    /// delta's own number.
    Delta {
        /// BaseCRLNumber: the earlier CRL's number.
        base: u64,
    },
}

/// A CRL but for its entries.
#[derive(Debug, Clone, Copy)]
pub struct CertificateList<'a> {
    /// Whose CRL it is.
    pub issuer: &'a Issuer,
    /// Full or delta.
    pub kind: Kind<'a>,
    /// The cRLNumber: grows with every CRL of the scope; a full and a delta signed together have the same
    /// (RFC 5280 section 5.2.3).
    pub number: u64,
    /// As of when it is true.
    pub this_update: Timestamp,
    /// By when the next one is published.
    pub next_update: Timestamp,
    /// Where it is published; a delta names the place of the full CRL (RFC 5280 section 5.2.4: the same scope).
    pub distribution_point: DistributionPoint<'a>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// How many entries.
    pub entries: u64,
    /// How many octets the CRL has.
    pub octets: u64,
}

/// Why a CRL was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Ascending order is what makes "no certificate twice" cost nothing at any size.
    #[error("the entries of a CRL ascend by serial number, each once: {0} does not")]
    NotAscending(SerialNumber),
    /// The CRL would be out of date when signed.
    #[error("the next update of a CRL comes after this one, by a second at least")]
    Dates,
    /// URIs are IA5Strings (RFC 5280 section 4.2.1.6), and what stands in certificates is written in printable ASCII.
    #[error("the URI of a distribution point is printable ASCII without spaces")]
    Uri,
    /// RFC 5280 section 5.2.4.
    #[error("the base of a delta CRL does not come after it")]
    Base,
    /// RFC 5280 section 5.3.1.
    #[error("removeFromCRL stands in delta CRLs only, not for {0} in a full one")]
    RemovedInFull(SerialNumber),
    /// The algorithm has no encoding.
    #[error("the signature algorithm cannot be encoded")]
    Algorithm,
    /// Ed25519 reads what it signs twice, so it would have to be held in memory.
    #[error("a key that signs whole messages only cannot sign a CRL of this size; it needs partitions")]
    NoPrehash,
    /// The spool or the output failed.
    #[error("the CRL cannot be spooled or written: {0}")]
    Write(io::ErrorKind),
    /// The key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl From<io::Error> for CrlError {
    fn from(error: io::Error) -> Self {
        Self::Write(error.kind())
    }
}

impl From<TooLong> for CrlError {
    fn from(TooLong: TooLong) -> Self {
        Self::NoPrehash
    }
}

impl From<Infallible> for CrlError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// TBSCertList without its entries: what stands before them, headers included, and what stands after.
struct Frame {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl CertificateList<'_> {
    /// Signs the DER of a CRL that is small enough to be held.
    ///
    /// # Errors
    /// A [`CrlError`]; nothing was signed.
    pub fn sign(
        &self,
        entries: impl IntoIterator<Item = Entry>,
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, CrlError> {
        let mut out = Vec::new();
        let entries = entries.into_iter().map(Ok::<_, CrlError>);
        self.write(entries, signer, &mut Cursor::new(Vec::new()), &mut out)?;
        Ok(out)
    }

    /// Signs the DER of a CRL of any size into `out`. The entries come in ascending order of serials
    /// ([`SerialNumber`]'s `Ord`: by number) and go into `spool`, an empty place that is read twice: once for the
    /// signature, once for the output. Nothing is held in memory but a block.
    ///
    /// # Errors
    /// What the entries fail with, or a [`CrlError`]; what has been written then is no CRL.
    pub fn write<E: From<CrlError>>(
        &self,
        entries: impl IntoIterator<Item = Result<Entry, E>>,
        signer: &dyn Signer,
        spool: &mut (impl Read + Write + Seek),
        out: &mut impl Write,
    ) -> Result<Written, E> {
        self.check()?;
        let (count, length) = self.spool(entries, spool)?;
        Ok(self.assemble(count, length, signer, spool, out)?)
    }

    fn check(&self) -> Result<(), CrlError> {
        if self.next_update.unix_seconds() <= self.this_update.unix_seconds() {
            return Err(CrlError::Dates);
        }
        let delta_uri = match self.kind {
            Kind::Full { delta_uri } => delta_uri,
            Kind::Delta { base } if base > self.number => return Err(CrlError::Base),
            Kind::Delta { .. } => None,
        };
        let plain = |uri: &str| !uri.is_empty() && uri.bytes().all(|b| b.is_ascii_graphic());
        if !plain(self.distribution_point.uri) || !delta_uri.is_none_or(plain) {
            return Err(CrlError::Uri);
        }
        Ok(())
    }

    /// Writes the content of revokedCertificates into the spool. Returns how many entries and octets it has.
    fn spool<E: From<CrlError>>(
        &self,
        entries: impl IntoIterator<Item = Result<Entry, E>>,
        spool: &mut (impl Write + Seek),
    ) -> Result<(u64, usize), E> {
        let failed = |error| E::from(CrlError::from(error));
        let (mut count, mut length) = (0, 0);
        let mut block = Vec::with_capacity(BLOCK + 256);
        let mut last = None;
        spool.rewind().map_err(failed)?;
        for entry in entries {
            let entry = entry?;
            if last.is_some_and(|last| last >= entry.serial) {
                return Err(CrlError::NotAscending(entry.serial).into());
            }
            let is_removed = entry.revocation.reason_code == Some(REMOVE_FROM_CRL);
            if is_removed && matches!(self.kind, Kind::Full { .. }) {
                return Err(CrlError::RemovedInFull(entry.serial).into());
            }
            last = Some(entry.serial);
            write_entry(&mut block, &entry);
            count += 1;
            if block.len() >= BLOCK {
                spool.write_all(&block).map_err(failed)?;
                length += block.len();
                block.clear();
            }
        }
        spool.write_all(&block).map_err(failed)?;
        Ok((count, length + block.len()))
    }

    fn assemble(
        &self,
        entries: u64,
        length: usize,
        signer: &dyn Signer,
        spool: &mut (impl Read + Seek),
        out: &mut impl Write,
    ) -> Result<Written, CrlError> {
        let algorithm = signer.algorithm().identifier.to_der().map_err(|_| CrlError::Algorithm)?;
        let frame = self.frame(&algorithm, length);
        let mut message = Message::new(signer.hash());
        message.update(&frame.before)?;
        read_spool(spool, length, |block| Ok(message.update(block)?))?;
        message.update(&frame.after)?;
        let signature = match message.finish() {
            Complete::Digest(digest) => signer.sign_digest(&digest)?,
            Complete::Whole(message) => signer.sign(&message)?,
        };

        let mut end = algorithm;
        tlv::header(&mut end, BIT_STRING, signature.len() + 1);
        end.push(0);
        end.extend_from_slice(&signature);
        let tbs = frame.before.len() + length + frame.after.len();
        let mut start = Vec::with_capacity(16);
        tlv::header(&mut start, SEQUENCE, tbs + end.len());
        out.write_all(&start)?;
        out.write_all(&frame.before)?;
        read_spool(spool, length, |block| Ok(out.write_all(block)?))?;
        out.write_all(&frame.after)?;
        out.write_all(&end)?;
        Ok(Written { entries, octets: (start.len() + tbs + end.len()) as u64 })
    }

    /// TBSCertList around entries of so many octets: a start and an end of a few hundred octets.
    fn frame(&self, algorithm: &[u8], entries: usize) -> Frame {
        let mut start = Vec::with_capacity(512);
        tlv::unsigned(&mut start, 1); // v2
        start.extend_from_slice(algorithm);
        start.extend_from_slice(&self.issuer.subject);
        tlv::time(&mut start, self.this_update);
        tlv::time(&mut start, self.next_update);
        // RFC 5280 section 5.1.2.6: without entries there is no list, not an empty one.
        if entries > 0 {
            tlv::header(&mut start, SEQUENCE, entries);
        }
        let mut after = Vec::with_capacity(512);
        tlv::nested(&mut after, constructed(0), |out| tlv::nested(out, SEQUENCE, |out| self.extensions(out)));
        let mut before = Vec::with_capacity(start.len() + 6);
        tlv::header(&mut before, SEQUENCE, start.len() + entries + after.len());
        before.extend_from_slice(&start);
        Frame { before, after }
    }

    fn extensions(&self, out: &mut Vec<u8>) {
        tlv::extension(out, ID_CE_AUTHORITY_KEY_IDENTIFIER, false, |out| {
            tlv::nested(out, SEQUENCE, |out| tlv::element(out, primitive(0), &self.issuer.key_identifier));
        });
        tlv::extension(out, ID_CE_CRL_NUMBER, false, |out| tlv::unsigned(out, self.number));
        if let Kind::Delta { base } = self.kind {
            tlv::extension(out, ID_CE_DELTA_CRL_INDICATOR, true, |out| tlv::unsigned(out, base));
        }
        tlv::extension(out, ID_CE_ISSUING_DISTRIBUTION_POINT, true, |out| {
            tlv::nested(out, SEQUENCE, |out| {
                full_name(out, self.distribution_point.uri);
                let scope = match self.distribution_point.scope {
                    Scope::UserCertificates => 1,
                    Scope::CaCertificates => 2,
                };
                tlv::element(out, primitive(scope), &[0xff]);
            });
        });
        if let Kind::Full { delta_uri: Some(uri) } = self.kind {
            tlv::extension(out, ID_CE_FRESHEST_CRL, false, |out| {
                tlv::nested(out, SEQUENCE, |out| tlv::nested(out, SEQUENCE, |out| full_name(out, uri)));
            });
        }
    }
}

/// distributionPoint \[0\], fullName \[0\], uniformResourceIdentifier \[6\] (RFC 5280 section 4.2.1.13).
fn full_name(out: &mut Vec<u8>, uri: &str) {
    tlv::nested(out, constructed(0), |out| {
        tlv::nested(out, constructed(0), |out| tlv::element(out, primitive(6), uri.as_bytes()));
    });
}

/// Reads the spool from its start, block by block.
fn read_spool(
    spool: &mut (impl Read + Seek),
    length: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), CrlError>,
) -> Result<(), CrlError> {
    let mut block = vec![0; BLOCK.min(length)];
    let mut left = length;
    spool.seek(SeekFrom::Start(0))?;
    while left > 0 {
        let block = &mut block[..BLOCK.min(left)];
        spool.read_exact(block)?;
        take(block)?;
        left -= block.len();
    }
    Ok(())
}

fn write_entry(out: &mut Vec<u8>, Entry { serial, revocation }: &Entry) {
    tlv::nested(out, SEQUENCE, |out| {
        tlv::element(out, INTEGER, serial.as_bytes());
        tlv::time(out, revocation.since);
        if revocation.reason_code.is_none() && revocation.invalidity_date.is_none() {
            return;
        }
        tlv::nested(out, SEQUENCE, |out| {
            if let Some(code) = revocation.reason_code {
                tlv::extension(out, ID_CE_CRL_REASONS, false, |out| tlv::element(out, ENUMERATED, &[code]));
            }
            if let Some(at) = revocation.invalidity_date {
                tlv::extension(out, ID_CE_INVALIDITY_DATE, false, |out| tlv::generalized_time(out, at));
            }
        });
    });
}
