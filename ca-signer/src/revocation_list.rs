//! Signing CRLs: the store says who is not good, `ca-core` writes the list, the key signs. Nothing holds a whole list:
//! rows are read page by page, octets go through temporary files that have no name.

use std::io::Seek;
use std::sync::Arc;
use std::time::Duration;

use ca_core::crl::{
    CertificateList, CrlError, DistributionPoint, Entry, Issuer, Kind, Revocation, Scope, delta_place, place,
};
use ca_core::revocation::Status;
use ca_core::signer::Signer;
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use store::crls::{self, CrlKind, Issue, Signed};
use store::{Connection, Database, StoreError, certificates, feed, issuers};
use tempfile::SpooledTempFile;

/// Rows read at a time.
const PAGE: i64 = 5_000;
/// What is kept in memory of a list before it goes to a file.
const IN_MEMORY: usize = 1 << 20;
/// The changes a delta has at most. Beyond, the full CRL is the better way to learn of them, and the delta says none: its
/// base is the full CRL that was signed with it.
const MOST_CHANGES: usize = 50_000;

/// Signs the CRLs of one issuer.
pub struct CrlSigner {
    issuer_id: String,
    issuer: Issuer,
    scope: Scope,
    uri: String,
    pause: Duration,
    signer: Arc<dyn Signer>,
}

/// Why a CRL was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignCrlError {
    /// The issuer's certificate makes no CRL issuer.
    #[error(transparent)]
    Issuer(#[from] ca_core::crl::UnfitIssuer),
    /// The list could not be written or signed.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// The memory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was written into the temporary files.
struct Pair {
    issue: Issue,
    entries: u64,
    delta: Option<Delta>,
}

/// What a delta tells, and since when.
struct Delta {
    base: i64,
    entries: Vec<Entry>,
}

impl CrlSigner {
    /// For an issuer with its key.
    ///
    /// # Errors
    /// [`SignCrlError::Issuer`].
    pub fn new(
        issuer_id: &str,
        certificate: &[u8],
        signer: Arc<dyn Signer>,
        settings: &Settings,
    ) -> Result<Self, SignCrlError> {
        let scope = if issuer_id == issuers::ROOT { Scope::CaCertificates } else { Scope::UserCertificates };
        Ok(Self {
            issuer_id: issuer_id.to_owned(),
            issuer: Issuer::from_certificate(certificate)?,
            scope,
            uri: settings.issuance.urls(issuer_id).crl,
            pause: settings.crl.min_interval,
            signer,
        })
    }

    /// Signs the next CRLs of a partition (empty for the undivided one), a full and a delta with the same number, and
    /// stores them. Of a root, whose CRL has a line in a decade, there is no delta. Returns the number.
    ///
    /// # Errors
    /// [`SignCrlError`]; a conflict if another signer made the same number.
    pub fn sign(
        &self,
        database: &Database,
        partition: &str,
        validity: Duration,
        now: Timestamp,
    ) -> Result<i64, SignCrlError> {
        let mut full = SpooledTempFile::new(IN_MEMORY);
        let mut delta = SpooledTempFile::new(IN_MEMORY);
        let pair = database
            .read(|connection| self.write(connection, partition, (validity, now), (&mut full, &mut delta)))?;
        full.rewind().map_err(CrlError::from)?;
        delta.rewind().map_err(CrlError::from)?;
        let count = |entries: u64| i64::try_from(entries).unwrap_or(i64::MAX);
        let Pair { issue, entries, delta: told } = pair;
        let mut signed =
            vec![Signed { kind: CrlKind::Full, base: None, entries: count(entries), octets: &mut full }];
        if let Some(told) = &told {
            signed.push(Signed {
                kind: CrlKind::Delta,
                base: Some(told.base),
                entries: count(told.entries.len() as u64),
                octets: &mut delta,
            });
        }
        database.write(|connection| crls::insert(connection, &issue, &mut signed, self.pause, now))?;
        tracing::info!(issuer = self.issuer_id, partition, number = issue.number, entries, "CRL signed");
        Ok(issue.number)
    }

    /// Reads one state of the database and writes what is to be told of it. The number of the newest change is of the
    /// same state as the entries.
    fn write(
        &self,
        connection: &mut Connection,
        partition: &str,
        (validity, now): (Duration, Timestamp),
        (full, delta): (&mut SpooledTempFile, &mut SpooledTempFile),
    ) -> Result<Pair, SignCrlError> {
        let previous = crls::newest(connection, &self.issuer_id, partition)?;
        let told = previous.as_ref().map_or(0, |previous| previous.last_change);
        let last_change = feed::latest_for_crl(connection, &self.issuer_id, partition, told)?.unwrap_or(told);
        // RFC 5280 section 3.3: an entry stays until one CRL after the certificate's end has told it.
        let expired_before =
            previous.as_ref().map_or(Timestamp::EPOCH, |previous| previous.this_update).min(now);
        let number = previous.map_or(1, |previous| previous.number + 1);
        let changes = match self.scope {
            Scope::UserCertificates => {
                Some(self.changes(connection, partition, number, expired_before, now)?)
            }
            Scope::CaCertificates => None,
        };
        let uri = place(&self.uri, partition);
        let delta_uri = delta_place(&uri);
        let this_update = now.whole_seconds();
        let list = CertificateList {
            issuer: &self.issuer,
            kind: Kind::Full { delta_uri: changes.is_some().then_some(&delta_uri) },
            number: u64::try_from(number).unwrap_or(1),
            this_update,
            next_update: this_update.plus(validity),
            distribution_point: DistributionPoint { uri: &uri, scope: self.scope },
        };
        if let Some(Delta { base, entries }) = &changes {
            let kind = Kind::Delta { base: u64::try_from(*base).unwrap_or(1) };
            let entries = entries.iter().map(|entry| Ok::<_, SignCrlError>(*entry));
            let mut spool = SpooledTempFile::new(IN_MEMORY);
            CertificateList { kind, ..list }.write(entries, self.signer.as_ref(), &mut spool, delta)?;
        }
        let listed = Listed::new(connection, (&self.issuer_id, partition), expired_before);
        let mut spool = SpooledTempFile::new(IN_MEMORY);
        let written = list.write(listed, self.signer.as_ref(), &mut spool, full)?;
        let issue = Issue {
            issuer: self.issuer_id.clone(),
            partition: partition.to_owned(),
            number,
            this_update,
            next_update: list.next_update,
            last_change,
        };
        Ok(Pair { issue, entries: written.entries, delta: changes })
    }

    /// What changed since the oldest full CRL that somebody may still rely upon, as it is now.
    fn changes(
        &self,
        connection: &mut Connection,
        partition: &str,
        number: i64,
        expired_before: Timestamp,
        now: Timestamp,
    ) -> Result<Delta, StoreError> {
        let nothing = Delta { base: number, entries: Vec::new() };
        let key = (self.issuer_id.as_str(), partition);
        let Some((base, told)) = crls::oldest_relied_upon(connection, key.0, key.1, now)? else {
            return Ok(nothing);
        };
        let Some(changed) = feed::changed_since(connection, key, told, MOST_CHANGES)? else {
            return Ok(nothing);
        };
        let serials: Vec<SerialNumber> = changed.keys().copied().collect();
        let mut entries = Vec::with_capacity(serials.len());
        for (serial, end, status) in certificates::ends(connection, key.0, &serials)? {
            if end < expired_before {
                continue;
            }
            let revocation = match (Revocation::of(status), changed.get(&serial)) {
                (Some(revocation), _) => revocation,
                (None, at) => Revocation::ended(at.copied().unwrap_or(now)),
            };
            entries.push(Entry { serial, revocation });
        }
        entries.sort_by_key(|entry| entry.serial);
        Ok(Delta { base, entries })
    }
}

/// The entries of a full CRL, read page by page.
struct Listed<'a> {
    connection: &'a mut Connection,
    key: (&'a str, &'a str),
    expired_before: Timestamp,
    after: Option<SerialNumber>,
    page: std::vec::IntoIter<(SerialNumber, Status)>,
    is_complete: bool,
}

impl<'a> Listed<'a> {
    fn new(connection: &'a mut Connection, key: (&'a str, &'a str), expired_before: Timestamp) -> Self {
        let page = Vec::new().into_iter();
        Self { connection, key, expired_before, after: None, page, is_complete: false }
    }

    fn turn_page(&mut self) -> Result<(), StoreError> {
        let page = certificates::not_good(
            self.connection,
            self.key,
            self.expired_before,
            self.after.as_ref(),
            PAGE,
        )?;
        self.after = page.last().map(|(serial, _)| *serial);
        self.is_complete = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        self.page = page.into_iter();
        Ok(())
    }
}

impl Iterator for Listed<'_> {
    type Item = Result<Entry, SignCrlError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.page.next() {
                Some((serial, status)) => {
                    if let Some(revocation) = Revocation::of(status) {
                        return Some(Ok(Entry { serial, revocation }));
                    }
                }
                None if self.is_complete => return None,
                None => {
                    if let Err(error) = self.turn_page() {
                        self.is_complete = true;
                        return Some(Err(error.into()));
                    }
                }
            }
        }
    }
}
