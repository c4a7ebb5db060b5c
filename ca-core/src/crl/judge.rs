//! The last look at a CRL before it is published: read back by a parser that did not write it, entry by entry beside
//! the one before it.

use std::collections::HashMap;
use std::io::Read;

use x509_parser::prelude::{
    CertificateRevocationList, DistributionPointName, FromDer, GeneralName, ParsedExtension, X509Certificate,
};

use super::message::Complete;
use super::reader::{Frame, Reader, Summary, Unreadable};
use super::{Entry, Issuer, UnfitIssuer};
use crate::verification::{Signed, Unverified, verify};
use crate::{SerialNumber, Timestamp};

/// Who knows when certificates end.
type Ends<'a> = dyn FnMut(&[SerialNumber]) -> Vec<(SerialNumber, Timestamp)> + 'a;

/// Certificates whose ends are asked for at a time.
const BATCH: usize = 1000;

/// A CRL that may be published, and what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What it says of itself.
    pub summary: Summary,
    /// How many entries the previous CRL does not have.
    pub added: u64,
    /// How many entries of the previous CRL it has no more: holds that ended, and certificates that expired.
    pub removed: u64,
}

/// Why a CRL may not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The CRL now published cannot be read, so nobody can tell what would vanish.
    #[error("the previous CRL: {0}")]
    Previous(Unreadable),
    /// The certificate is not a CRL issuer's.
    #[error(transparent)]
    Unfit(#[from] UnfitIssuer),
    /// RFC 5280 section 5.1.2.3.
    #[error("the CRL names another issuer")]
    Issuer,
    /// RFC 5280 section 5.2.1.
    #[error("the CRL names another key of the issuer")]
    KeyIdentifier,
    /// RFC 5280 section 5.2.5: whoever followed a certificate's distribution point would refuse it.
    #[error("the CRL is for another distribution point")]
    DistributionPoint,
    /// Nobody relying on it would know it either.
    #[error("a critical extension of the CRL is not known")]
    CriticalExtension,
    /// The two statements of the algorithm differ, or the issuer's key has no such algorithm.
    #[error("the signature algorithm does not fit the issuer's key")]
    Algorithm,
    /// Somebody else signed it, or it was changed afterwards.
    #[error("the signature does not verify under the issuer's key")]
    Signature,
    /// RFC 5280 section 5.2.3.
    #[error("the CRL's number did not grow")]
    Number,
    /// Not yet true, no longer fresh, or older than what it would replace.
    #[error("the CRL is not current: this update {this_update}, next update {next_update}")]
    Dates {
        /// Its thisUpdate.
        this_update: Timestamp,
        /// Its nextUpdate.
        next_update: Timestamp,
    },
    /// RFC 5280 section 3.3: an entry stays until a CRL issued after the certificate's end has shown it.
    #[error("the entry of {0} vanished before its time")]
    Vanished(SerialNumber),
    /// RFC 5280 section 5.3.1: only a hold ends.
    #[error("the revocation of {0} became a hold")]
    Softened(SerialNumber),
    /// RFC 5280 section 5.3.1.
    #[error("removeFromCRL stands for {0} in a full CRL")]
    RemovedInFull(SerialNumber),
    /// RFC 5280 section 5.2.4: a full CRL in the place of a delta, or the other way round.
    #[error("a delta CRL was expected in this place, or a full one")]
    Kind,
    /// RFC 5280 section 5.2.4: number, dates and scope of a delta are those of the full CRL signed with it, and its
    /// base does not come later.
    #[error("the delta CRL does not fit the full one that was signed with it")]
    NotTogether,
    /// RFC 5280 section 5.2.4: the base and the delta are together what the full CRL says.
    #[error("the delta CRL does not say of {0} what the full one says")]
    Contradiction(SerialNumber),
}

/// Judges CRLs of one issuer before they are published.
pub struct Judge<'a, F> {
    /// The issuer's certificate, DER.
    pub issuer_certificate: &'a [u8],
    /// The present moment.
    pub now: Timestamp,
    /// How many octets a CRL may have.
    pub most_octets: u64,
    /// The file name that the CRL's distribution point ends with; `None` where that is not asked.
    pub file_name: Option<&'a str>,
    /// When certificates of the issuer end, those of them that it knows.
    pub ends: F,
}

impl<F: FnMut(&[SerialNumber]) -> Vec<(SerialNumber, Timestamp)>> Judge<'_, F> {
    /// Judges a `new` full CRL that is to take the place of the `previous` one.
    ///
    /// # Errors
    /// The [`Fault`] for which the new CRL must not be published.
    pub fn full(&mut self, previous: Option<impl Read>, new: impl Read) -> Result<Judgement, Fault> {
        let mut new = Reader::open(new, self.most_octets)?;
        let mut old = previous.map(Previous::open).transpose()?;
        let mut gone = Gone::default();
        let (mut removed, mut added) = (0, 0);
        while let Some(entry) = new.entry()? {
            if entry.is_removed() {
                return Err(Fault::RemovedInFull(entry.serial));
            }
            let mut is_new = true;
            while let Some(before) = old.as_mut().map_or(Ok(None), |old| old.up_to(entry.serial))? {
                if before.serial != entry.serial {
                    removed += 1;
                    gone.note(&before, &mut self.ends)?;
                } else if entry.is_hold() && !before.is_hold() {
                    return Err(Fault::Softened(entry.serial));
                } else {
                    is_new = false;
                }
            }
            added += u64::from(is_new);
        }
        while let Some(before) = old.as_mut().map_or(Ok(None), Previous::next)? {
            removed += 1;
            gone.note(&before, &mut self.ends)?;
        }
        let frame = new.finish()?;
        let summary = self.authentic(&frame)?;
        if summary.base.is_some() {
            return Err(Fault::Kind);
        }
        if let Some(old) = old {
            let old = old.finish()?;
            follows(&old, &summary)?;
            gone.judge(expiry_bound(&old, &summary), &mut self.ends)?;
        }
        Ok(Judgement { summary, added, removed })
    }

    /// Judges a delta CRL beside the `full` one that was signed with it and was judged right, and the full one that
    /// was published before, if there was one. Every change from that to this is in the delta, so whoever holds any
    /// full CRL since the delta's base knows the present from both.
    ///
    /// # Errors
    /// The [`Fault`] for which the delta must not be published.
    pub fn delta(
        &mut self,
        previous_full: Option<impl Read>,
        full: impl Read,
        delta: impl Read,
    ) -> Result<Judgement, Fault> {
        let mut old = previous_full.map(Previous::open).transpose()?;
        let mut full = Previous::open(full)?;
        let mut delta = Reader::open(delta, self.most_octets)?;
        let mut differences = Differences::default();
        while let Some(change) = delta.entry()? {
            while let Some(now) = full.before(change.serial)? {
                differences.unchanged(&now, old.as_mut(), &mut self.ends)?;
            }
            let now = full.up_to(change.serial)?;
            if now != Some(change).filter(|change| !change.is_removed()) {
                return Err(Fault::Contradiction(change.serial));
            }
            differences.changed(&change, old.as_mut(), &mut self.ends)?;
        }
        while let Some(now) = full.next()? {
            differences.unchanged(&now, old.as_mut(), &mut self.ends)?;
        }
        differences.rest(old.as_mut(), &mut self.ends)?;
        let frame = delta.finish()?;
        let summary = self.authentic(&frame)?;
        let base = summary.base.ok_or(Fault::Kind)?;
        let (whole, distribution_point) = full.finish_with_place()?;
        let together = Summary { base: summary.base, entries: summary.entries, ..whole } == summary;
        if !together || base > summary.number || place(&frame.parsed()?) != distribution_point {
            return Err(Fault::NotTogether);
        }
        if let Some(old) = old {
            let old = old.finish()?;
            // What changed between an older CRL than the base and the base is not the delta's to tell.
            if old.number >= base {
                differences.judge(expiry_bound(&old, &summary), &mut self.ends)?;
            }
        }
        Ok(Judgement { summary, added: summary.entries, removed: 0 })
    }

    /// Whether it is a CRL of this issuer that is current, whatever it tells.
    ///
    /// # Errors
    /// The [`Fault`] for which nobody should believe it.
    pub fn genuine(&self, crl: impl Read) -> Result<Summary, Fault> {
        let mut reader = Reader::open(crl, self.most_octets)?;
        while reader.entry()?.is_some() {}
        self.authentic(&reader.finish()?)
    }

    /// Whose it is, whether they signed it, and whether it is current.
    fn authentic(&self, frame: &Frame) -> Result<Summary, Fault> {
        let Ok((&[], certificate)) = X509Certificate::from_der(self.issuer_certificate) else {
            return Err(UnfitIssuer::NotACertificate.into());
        };
        let parsed = frame.parsed()?;
        let summary = frame.summary()?;
        check_issuer(&parsed, &Issuer::from_parsed(&certificate)?)?;
        if let Some(name) = self.file_name
            && place(&parsed).is_none_or(|uri| uri.rsplit('/').next() != Some(name))
        {
            return Err(Fault::DistributionPoint);
        }
        if !frame.states_one_algorithm() {
            return Err(Fault::Algorithm);
        }
        let signed = match &frame.signed {
            Complete::Digest(digest) => Signed::Digest(digest),
            Complete::Whole(message) => Signed::Message(message),
        };
        verify(certificate.public_key(), &parsed.signature_algorithm, signed, &parsed.signature_value)
            .map_err(|reason| match reason {
                Unverified::Algorithm => Fault::Algorithm,
                Unverified::Signature => Fault::Signature,
            })?;
        if summary.this_update > self.now || summary.next_update <= self.now {
            return Err(dates(&summary));
        }
        Ok(summary)
    }
}

fn dates(&Summary { this_update, next_update, .. }: &Summary) -> Fault {
    Fault::Dates { this_update, next_update }
}

fn follows(old: &Summary, new: &Summary) -> Result<(), Fault> {
    if new.number <= old.number {
        return Err(Fault::Number);
    }
    if new.this_update < old.this_update {
        return Err(dates(new));
    }
    Ok(())
}

/// Which certificates may be gone: those that ended before. RFC 5280 section 3.3 wants one CRL more: the previous one,
/// unless there were others between the two, which nobody here has seen.
fn expiry_bound(old: &Summary, new: &Summary) -> Timestamp {
    if new.number == old.number + 1 { old.this_update } else { new.this_update }
}

/// A CRL that was judged before; its entries are looked at one ahead.
struct Previous<R> {
    reader: Reader<R>,
    ahead: Option<Entry>,
}

impl<R: Read> Previous<R> {
    fn open(source: R) -> Result<Self, Fault> {
        let mut reader = Reader::open(source, u64::MAX).map_err(Fault::Previous)?;
        let ahead = reader.entry().map_err(Fault::Previous)?;
        Ok(Self { reader, ahead })
    }

    fn next(&mut self) -> Result<Option<Entry>, Fault> {
        let next = self.ahead.take();
        if next.is_some() {
            self.ahead = self.reader.entry().map_err(Fault::Previous)?;
        }
        Ok(next)
    }

    /// The next entry if its serial is at most this.
    fn up_to(&mut self, serial: SerialNumber) -> Result<Option<Entry>, Fault> {
        if self.ahead.is_some_and(|ahead| ahead.serial <= serial) { self.next() } else { Ok(None) }
    }

    /// The next entry if its serial is below this.
    fn before(&mut self, serial: SerialNumber) -> Result<Option<Entry>, Fault> {
        if self.ahead.is_some_and(|ahead| ahead.serial < serial) { self.next() } else { Ok(None) }
    }

    fn finish(self) -> Result<Summary, Fault> {
        self.reader.finish().and_then(|frame| frame.summary()).map_err(Fault::Previous)
    }

    fn finish_with_place(self) -> Result<(Summary, Option<String>), Fault> {
        let frame = self.reader.finish().map_err(Fault::Previous)?;
        let parsed = frame.parsed().map_err(Fault::Previous)?;
        Ok((frame.summary().map_err(Fault::Previous)?, place(&parsed)))
    }
}

/// Revocations that are gone, of certificates that must therefore have ended. Only the latest end is kept: whether it
/// was early enough is known when both lists have been read.
#[derive(Default)]
struct Gone {
    batch: Vec<SerialNumber>,
    latest: Option<(Timestamp, SerialNumber)>,
}

impl Gone {
    /// Notes an entry that is gone; a hold may have ended.
    fn note(&mut self, entry: &Entry, ends: &mut Ends<'_>) -> Result<(), Fault> {
        if entry.is_hold() { Ok(()) } else { self.note_expired(entry.serial, ends) }
    }

    /// Notes a certificate that must have ended.
    fn note_expired(&mut self, serial: SerialNumber, ends: &mut Ends<'_>) -> Result<(), Fault> {
        self.batch.push(serial);
        if self.batch.len() < BATCH { Ok(()) } else { self.ask(ends) }
    }

    fn ask(&mut self, ends: &mut Ends<'_>) -> Result<(), Fault> {
        let known: HashMap<SerialNumber, Timestamp> = ends(&self.batch).into_iter().collect();
        for serial in self.batch.drain(..) {
            let end = *known.get(&serial).ok_or(Fault::Vanished(serial))?;
            self.latest = self.latest.max(Some((end, serial)));
        }
        Ok(())
    }

    fn judge(mut self, bound: Timestamp, ends: &mut Ends<'_>) -> Result<(), Fault> {
        if !self.batch.is_empty() {
            self.ask(ends)?;
        }
        match self.latest {
            Some((end, serial)) if end >= bound => Err(Fault::Vanished(serial)),
            _ => Ok(()),
        }
    }
}

/// Where two full CRLs differ and the delta is silent.
#[derive(Default)]
struct Differences {
    /// Something appeared or became something else without a word.
    untold: Option<SerialNumber>,
    /// Something is gone without a word: its certificate must have ended.
    gone: Gone,
}

impl Differences {
    /// The full CRL has this entry, and the delta has none: the CRL before has the same.
    fn unchanged<R: Read>(
        &mut self,
        now: &Entry,
        old: Option<&mut Previous<R>>,
        ends: &mut Ends<'_>,
    ) -> Result<(), Fault> {
        let Some(old) = old else { return Ok(()) };
        while let Some(before) = old.before(now.serial)? {
            self.gone.note_expired(before.serial, ends)?;
        }
        if old.up_to(now.serial)?.as_ref() != Some(now) {
            self.untold.get_or_insert(now.serial);
        }
        Ok(())
    }

    /// The delta has this entry: whatever the CRL before said.
    fn changed<R: Read>(
        &mut self,
        change: &Entry,
        old: Option<&mut Previous<R>>,
        ends: &mut Ends<'_>,
    ) -> Result<(), Fault> {
        let Some(old) = old else { return Ok(()) };
        while let Some(before) = old.before(change.serial)? {
            self.gone.note_expired(before.serial, ends)?;
        }
        old.up_to(change.serial).map(|_| ())
    }

    fn rest<R: Read>(&mut self, old: Option<&mut Previous<R>>, ends: &mut Ends<'_>) -> Result<(), Fault> {
        let Some(old) = old else { return Ok(()) };
        while let Some(before) = old.next()? {
            self.gone.note_expired(before.serial, ends)?;
        }
        Ok(())
    }

    fn judge(self, bound: Timestamp, ends: &mut Ends<'_>) -> Result<(), Fault> {
        match self.untold {
            Some(serial) => Err(Fault::Contradiction(serial)),
            None => self.gone.judge(bound, ends),
        }
    }
}

/// The URI of the issuing distribution point.
fn place(crl: &CertificateRevocationList<'_>) -> Option<String> {
    crl.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::IssuingDistributionPoint(point) => match point.distribution_point.as_ref()? {
            DistributionPointName::FullName(names) => names.iter().find_map(|name| match name {
                GeneralName::URI(uri) => Some((*uri).to_owned()),
                _ => None,
            }),
            DistributionPointName::NameRelativeToCRLIssuer(_) => None,
        },
        _ => None,
    })
}

/// Name and key identifier are the issuer's to the octet, and nothing critical is unknown.
fn check_issuer(crl: &CertificateRevocationList<'_>, issuer: &Issuer) -> Result<(), Fault> {
    if crl.issuer().as_raw() != issuer.subject {
        return Err(Fault::Issuer);
    }
    let indicator = const_oid::db::rfc5280::ID_CE_DELTA_CRL_INDICATOR;
    let mut key_identifier = None;
    for extension in crl.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(authority) => {
                key_identifier = authority.key_identifier.as_ref().map(|identifier| identifier.0);
            }
            ParsedExtension::IssuingDistributionPoint(_) => {}
            _ if extension.oid.as_bytes() == indicator.as_bytes() => {}
            _ if extension.critical => return Err(Fault::CriticalExtension),
            _ => {}
        }
    }
    match key_identifier {
        None => Err(Unreadable::NotACrl.into()),
        Some(identifier) if identifier != issuer.key_identifier => Err(Fault::KeyIdentifier),
        Some(_) => Ok(()),
    }
}
