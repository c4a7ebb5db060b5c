//! The last look at a CRL before it is published: read back by a parser that did not write it.

use std::collections::HashMap;

use x509_parser::prelude::{
    CertificateRevocationList, FromDer, ParsedExtension, ReasonCode, SubjectPublicKeyInfo, X509Certificate,
};

use super::{Issuer, UnfitIssuer};
use crate::tlv::{NotDer, Reader, SEQUENCE};
use crate::verification::{Unverified, verify};
use crate::{SerialNumber, Timestamp};

/// A CRL that may be published, and what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// Its cRLNumber.
    pub number: u64,
    /// As of when it is true.
    pub this_update: Timestamp,
    /// By when the next one must stand in its place.
    pub next_update: Timestamp,
    /// How many entries it has.
    pub entries: usize,
    /// How many of them the previous CRL does not have.
    pub added: usize,
    /// How many entries of the previous CRL it has no more: holds that ended, and certificates that expired.
    pub removed: usize,
}

/// What a CRL says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Its cRLNumber.
    pub number: u64,
    /// As of when it is true.
    pub this_update: Timestamp,
    /// By when the next one must stand in its place.
    pub next_update: Timestamp,
}

/// Why a CRL may not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not one CRL in DER, or none of version 2 with number, next update and key identifier (RFC 5280 section 5.2).
    #[error("not a version 2 CRL with a number, a next update and a key identifier")]
    NotACrl,
    /// The CRL now published cannot be read, so nobody can tell what would vanish.
    #[error("the previous CRL cannot be read")]
    Previous,
    /// The certificate is not a CRL issuer's.
    #[error(transparent)]
    Unfit(#[from] UnfitIssuer),
    /// RFC 5280 section 5.1.2.3.
    #[error("the CRL names another issuer")]
    Issuer,
    /// RFC 5280 section 5.2.1.
    #[error("the CRL names another key of the issuer")]
    KeyIdentifier,
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
    /// RFC 5280 section 5.1.2.6.
    #[error("an entry has no valid serial number, or stands twice")]
    Entry,
    /// RFC 5280 section 3.3: an entry stays until a CRL issued after the certificate's end has shown it.
    #[error("the entry of {0} vanished before its time")]
    Vanished(SerialNumber),
    /// RFC 5280 section 5.3.1: only a hold ends.
    #[error("the revocation of {0} became a hold")]
    Softened(SerialNumber),
}

/// What is compared between two CRLs.
struct Contents<'a> {
    parsed: CertificateRevocationList<'a>,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    /// Whether each entry is a hold.
    holds: HashMap<SerialNumber, bool>,
}

/// What a CRL (DER) says of itself; nothing is verified.
///
/// # Errors
/// [`Fault::NotACrl`] or [`Fault::Entry`].
pub fn summary(crl: &[u8]) -> Result<Summary, Fault> {
    read(crl).map(|Contents { number, this_update, next_update, .. }| Summary {
        number,
        this_update,
        next_update,
    })
}

/// Judges a `new` CRL (DER) that is to take the place of the `previous` one, both issued by the holder of
/// `issuer_certificate` (DER). `not_after` knows when a certificate of the issuer ends, `None` if it knows of none.
///
/// # Errors
/// The [`Fault`] for which the new CRL must not be published.
pub fn judge(
    previous: Option<&[u8]>,
    new: &[u8],
    issuer_certificate: &[u8],
    now: Timestamp,
    not_after: impl Fn(&SerialNumber) -> Option<Timestamp>,
) -> Result<Judgement, Fault> {
    let (rest, certificate) =
        X509Certificate::from_der(issuer_certificate).map_err(|_| UnfitIssuer::NotACertificate)?;
    if !rest.is_empty() {
        return Err(UnfitIssuer::NotACertificate.into());
    }
    let new = read(new)?;
    check_issuer(&new.parsed, &Issuer::from_parsed(&certificate)?)?;
    check_signature(&new.parsed, certificate.public_key())?;
    let dates = Fault::Dates { this_update: new.this_update, next_update: new.next_update };
    if new.this_update > now || new.next_update <= now {
        return Err(dates);
    }
    let mut judgement = Judgement {
        number: new.number,
        this_update: new.this_update,
        next_update: new.next_update,
        entries: new.holds.len(),
        added: new.holds.len(),
        removed: 0,
    };
    if let Some(previous) = previous {
        let previous = read(previous).map_err(|_| Fault::Previous)?;
        if new.number <= previous.number {
            return Err(Fault::Number);
        }
        if new.this_update < previous.this_update {
            return Err(dates);
        }
        judgement.removed = count_removed(&previous, &new, not_after)?;
        judgement.added = new.holds.len() - (previous.holds.len() - judgement.removed);
    }
    Ok(judgement)
}

/// How many entries went, each of them rightly. Of an expired certificate RFC 5280 section 3.3 wants one CRL more: the
/// previous one, unless there were others between the two, which nobody here has seen.
fn count_removed(
    previous: &Contents<'_>,
    new: &Contents<'_>,
    not_after: impl Fn(&SerialNumber) -> Option<Timestamp>,
) -> Result<usize, Fault> {
    let follows = new.number == previous.number + 1;
    let expired_before = if follows { previous.this_update } else { new.this_update };
    let mut removed = 0;
    for (&serial, &was_hold) in &previous.holds {
        match new.holds.get(&serial) {
            Some(true) if !was_hold => return Err(Fault::Softened(serial)),
            Some(_) => {}
            None if was_hold || not_after(&serial).is_some_and(|end| end < expired_before) => removed += 1,
            None => return Err(Fault::Vanished(serial)),
        }
    }
    Ok(removed)
}

fn read(octets: &[u8]) -> Result<Contents<'_>, Fault> {
    let Ok((&[], parsed)) = CertificateRevocationList::from_der(octets) else { return Err(Fault::NotACrl) };
    if parsed.version().is_none_or(|version| version.0 != 1) {
        return Err(Fault::NotACrl);
    }
    let number = parsed.crl_number().and_then(|number| u64::try_from(number).ok()).ok_or(Fault::NotACrl)?;
    let next_update = parsed.next_update().ok_or(Fault::NotACrl)?;
    let mut holds = HashMap::with_capacity(parsed.tbs_cert_list.revoked_certificates.len());
    for entry in parsed.iter_revoked_certificates() {
        let serial = SerialNumber::try_from(entry.raw_serial()).map_err(|_| Fault::Entry)?;
        let is_hold = matches!(entry.reason_code(), Some((_, ReasonCode::CertificateHold)));
        if entry.extensions().iter().any(|extension| extension.critical)
            || holds.insert(serial, is_hold).is_some()
        {
            return Err(Fault::Entry);
        }
    }
    Ok(Contents {
        number,
        this_update: Timestamp::from_unix_seconds(parsed.last_update().timestamp()),
        next_update: Timestamp::from_unix_seconds(next_update.timestamp()),
        holds,
        parsed,
    })
}

/// Name and key identifier are the issuer's to the octet, and nothing critical is unknown.
fn check_issuer(crl: &CertificateRevocationList<'_>, issuer: &Issuer) -> Result<(), Fault> {
    if crl.issuer().as_raw() != issuer.subject {
        return Err(Fault::Issuer);
    }
    let mut key_identifier = None;
    for extension in crl.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(authority) => {
                key_identifier = authority.key_identifier.as_ref().map(|identifier| identifier.0);
            }
            ParsedExtension::IssuingDistributionPoint(_) => {}
            _ if extension.critical => return Err(Fault::CriticalExtension),
            _ => {}
        }
    }
    match key_identifier {
        None => Err(Fault::NotACrl),
        Some(identifier) if identifier != issuer.key_identifier => Err(Fault::KeyIdentifier),
        Some(_) => Ok(()),
    }
}

fn check_signature(crl: &CertificateRevocationList<'_>, key: &SubjectPublicKeyInfo<'_>) -> Result<(), Fault> {
    if !states_one_algorithm(crl.as_raw()).unwrap_or(false) {
        return Err(Fault::Algorithm);
    }
    verify(key, &crl.signature_algorithm, crl.tbs_cert_list.as_ref(), &crl.signature_value).map_err(
        |reason| match reason {
            Unverified::Algorithm => Fault::Algorithm,
            Unverified::Signature => Fault::Signature,
        },
    )
}

/// RFC 5280 section 5.1.1.2: the same algorithm inside and outside of what is signed. Compared octet by octet, because
/// the outside is not signed and x509-parser overlooks a changed tag there.
fn states_one_algorithm(crl: &[u8]) -> Result<bool, NotDer> {
    let mut outer = Reader::new(crl).sequence()?;
    let mut tbs = outer.sequence()?;
    tbs.integer()?;
    Ok(tbs.expect(SEQUENCE)?.encoded == outer.expect(SEQUENCE)?.encoded)
}
