//! Every certificate ever signed. One row is the truth about its status.

use std::collections::BTreeMap;

use ca_core::application::ApplicationId;
use ca_core::crl::Entry;
use ca_core::csr::KeyUse;
use ca_core::revocation::{Change, Reason, Requester, Status, decide};
use ca_core::{SerialNumber, Timestamp};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::Page;
use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::NewJob;
use crate::schema::{applications, certificates};
use crate::{audit, crls, feed, jobs};

/// A certificate as it was signed, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// Who signed it.
    pub issuer: String,
    /// Its serial.
    pub serial: SerialNumber,
    /// The application it answers; none for CA and OCSP certificates.
    pub application: Option<ApplicationId>,
    /// The profile's name.
    pub profile: String,
    /// The subject in readable form.
    pub subject: String,
    /// The subject's common name.
    pub common_name: String,
    /// The holder's PINFL.
    pub pinfl: Option<String>,
    /// The STIR in the subject.
    pub stir: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// The partition whose CRL its distribution point names; empty for the issuer's undivided one.
    pub crl_partition: String,
}

/// A certificate and what is true of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCertificate {
    /// The key of its page.
    pub id: i64,
    /// The certificate.
    pub certificate: NewCertificate,
    /// Its status.
    pub status: Status,
    /// When it was signed.
    pub issued_at: Timestamp,
}

#[derive(Insertable)]
#[diesel(table_name = certificates, treat_none_as_default_value = false)]
pub(crate) struct NewRow<'a> {
    issuer_id: &'a str,
    serial: &'a [u8],
    application_id: Option<String>,
    profile: &'a str,
    subject: &'a str,
    common_name: &'a str,
    common_name_folded: String,
    pinfl: Option<&'a str>,
    stir: Option<&'a str>,
    spki_sha256: &'a [u8],
    certificate: &'a [u8],
    not_before: i64,
    not_after: i64,
    issued_at: i64,
    status: &'a str,
    crl_partition: &'a str,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = certificates)]
struct Row {
    id: i64,
    issuer_id: String,
    serial: Vec<u8>,
    application_id: Option<String>,
    profile: String,
    subject: String,
    common_name: String,
    pinfl: Option<String>,
    stir: Option<String>,
    spki_sha256: Vec<u8>,
    certificate: Vec<u8>,
    not_before: i64,
    not_after: i64,
    issued_at: i64,
    status: String,
    status_since: Option<i64>,
    reason: Option<i16>,
    invalidity_date: Option<i64>,
    crl_partition: String,
}

/// What is selected of a certificate for its [`StatusColumns`].
pub(crate) const STATUS: (
    certificates::status,
    certificates::status_since,
    certificates::reason,
    certificates::invalidity_date,
) = (certificates::status, certificates::status_since, certificates::reason, certificates::invalidity_date);

/// The four columns that hold a [`Status`], in `certificates` and in `status_changes`.
#[derive(Debug, Clone, PartialEq, Eq, AsChangeset, Queryable)]
#[diesel(table_name = certificates, treat_none_as_null = true)]
pub(crate) struct StatusColumns {
    pub(crate) status: String,
    pub(crate) status_since: Option<i64>,
    pub(crate) reason: Option<i16>,
    pub(crate) invalidity_date: Option<i64>,
}

impl From<Status> for StatusColumns {
    fn from(status: Status) -> Self {
        let (since, reason, invalidity) = match status {
            Status::Good => (None, None, None),
            Status::Suspended { since } => (Some(since), None, None),
            Status::Revoked { since, reason, invalidity_date } => {
                (Some(since), Some(reason), invalidity_date)
            }
        };
        Self {
            status: status.as_str().to_owned(),
            status_since: since.map(Timestamp::unix_millis),
            reason: reason.map(|reason| i16::from(reason.code())),
            invalidity_date: invalidity.map(Timestamp::unix_millis),
        }
    }
}

impl TryFrom<StatusColumns> for Status {
    type Error = StoreError;

    fn try_from(columns: StatusColumns) -> Result<Self, StoreError> {
        let since = columns.status_since.map(Timestamp::from_unix_millis);
        let reason = columns.reason.and_then(|code| u8::try_from(code).ok()).and_then(Reason::from_code);
        match (columns.status.as_str(), since, reason) {
            ("good", None, None) => Ok(Self::Good),
            ("suspended", Some(since), None) => Ok(Self::Suspended { since }),
            ("revoked", Some(since), Some(reason)) => Ok(Self::Revoked {
                since,
                reason,
                invalidity_date: columns.invalidity_date.map(Timestamp::from_unix_millis),
            }),
            _ => Err(StoreError::corrupt("a certificate status")),
        }
    }
}

impl TryFrom<Row> for StoredCertificate {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let status = StatusColumns {
            status: row.status,
            status_since: row.status_since,
            reason: row.reason,
            invalidity_date: row.invalidity_date,
        };
        Ok(Self {
            id: row.id,
            status: status.try_into()?,
            issued_at: Timestamp::from_unix_millis(row.issued_at),
            certificate: NewCertificate {
                issuer: row.issuer_id,
                serial: SerialNumber::try_from(row.serial.as_slice()).map_err(StoreError::corrupt)?,
                application: row
                    .application_id
                    .map(|id| id.parse())
                    .transpose()
                    .map_err(StoreError::corrupt)?,
                profile: row.profile,
                subject: row.subject,
                common_name: row.common_name,
                pinfl: row.pinfl,
                stir: row.stir,
                spki_sha256: row.spki_sha256.try_into().map_err(|_| StoreError::corrupt("a SHA-256"))?,
                der: row.certificate,
                not_before: Timestamp::from_unix_millis(row.not_before),
                not_after: Timestamp::from_unix_millis(row.not_after),
                crl_partition: row.crl_partition,
            },
        })
    }
}

/// Stores certificates and tells the responders. The caller writes the audit entries, which know more.
pub(crate) fn insert(
    connection: &mut Connection,
    new: &[NewCertificate],
    now: Timestamp,
) -> Result<(), StoreError> {
    for chunk in new.chunks(500) {
        let rows: Vec<NewRow<'_>> = chunk
            .iter()
            .map(|certificate| NewRow {
                issuer_id: &certificate.issuer,
                serial: certificate.serial.as_bytes(),
                application_id: certificate.application.map(|id| id.to_string()),
                profile: &certificate.profile,
                subject: &certificate.subject,
                common_name: &certificate.common_name,
                common_name_folded: fold(&certificate.common_name),
                pinfl: certificate.pinfl.as_deref(),
                stir: certificate.stir.as_deref(),
                spki_sha256: &certificate.spki_sha256,
                certificate: &certificate.der,
                not_before: certificate.not_before.unix_millis(),
                not_after: certificate.not_after.unix_millis(),
                issued_at: now.unix_millis(),
                status: "good",
                crl_partition: &certificate.crl_partition,
            })
            .collect();
        insert_all!(connection, certificates::table, &rows)?;
    }
    let used = new.iter().map(|c| (c.issuer.as_str(), c.crl_partition.as_str())).collect();
    crls::open_partitions(connection, &used, now)?;
    let changes: Vec<_> = new.iter().map(|certificate| told(certificate, Status::Good)).collect();
    feed::record(connection, feed::Kind::Issued, &changes, now)
}

/// What the feed tells of a certificate.
fn told(certificate: &NewCertificate, status: Status) -> (feed::Change, &str) {
    let change = feed::Change {
        issuer: certificate.issuer.clone(),
        serial: certificate.serial,
        not_after: certificate.not_after,
        status,
    };
    (change, &certificate.crl_partition)
}

/// Case is folded so that a search for "aliyev" finds "ALIYEV".
fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The certificate with this serial. Serials are random over 126 bits, so one serial names one certificate.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, serial: &SerialNumber) -> Result<StoredCertificate, StoreError> {
    let row: Row = certificates::table
        .filter(certificates::serial.eq(serial.as_bytes()))
        .select(Row::as_select())
        .first(connection)?;
    row.try_into()
}

/// The certificate with this key of its page.
///
/// # Errors
/// [`StoreError::NotFound`].
pub(crate) fn by_id(connection: &mut Connection, id: i64) -> Result<StoredCertificate, StoreError> {
    certificates::table.find(id).select(Row::as_select()).first::<Row>(connection)?.try_into()
}

/// All certificates that an issuer has signed, the oldest first. Of a root, which signs few.
///
/// # Errors
/// The database's.
pub fn signed_by(connection: &mut Connection, issuer: &str) -> Result<Vec<StoredCertificate>, StoreError> {
    let rows: Vec<Row> = certificates::table
        .filter(certificates::issuer_id.eq(issuer))
        .order(certificates::id)
        .select(Row::as_select())
        .load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The certificate that answers an application, if it has been signed.
///
/// # Errors
/// The database's.
pub fn of_application(
    connection: &mut Connection,
    id: ApplicationId,
) -> Result<Option<StoredCertificate>, StoreError> {
    Ok(of_applications(connection, &[id])?.pop())
}

/// The certificates that answer these applications.
///
/// # Errors
/// The database's.
pub fn of_applications(
    connection: &mut Connection,
    ids: &[ApplicationId],
) -> Result<Vec<StoredCertificate>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = certificates::table
        .filter(certificates::application_id.eq_any(ids))
        .select(Row::as_select())
        .load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Who holds a certificate: the phone that applied, and the person's PINFL. None for one of the CA's own.
///
/// # Errors
/// The database's.
pub fn holder(
    connection: &mut Connection,
    serial: &SerialNumber,
) -> Result<Option<(String, String)>, StoreError> {
    Ok(certificates::table
        .inner_join(applications::table)
        .filter(certificates::serial.eq(serial.as_bytes()))
        .select((applications::phone, applications::pinfl))
        .first(connection)
        .optional()?)
}

/// Who has been certified with this key, and whether it was revoked for compromise.
///
/// # Errors
/// The database's.
pub fn uses_of_key(connection: &mut Connection, spki_sha256: &[u8; 32]) -> Result<Vec<KeyUse>, StoreError> {
    Ok(uses_of_keys(connection, &[*spki_sha256])?.into_iter().map(|(_, used)| used).collect())
}

/// Who has been certified with each of these keys.
///
/// # Errors
/// The database's.
pub fn uses_of_keys(
    connection: &mut Connection,
    spki_sha256: &[[u8; 32]],
) -> Result<Vec<([u8; 32], KeyUse)>, StoreError> {
    let keys: Vec<Vec<u8>> = spki_sha256.iter().map(|key| key.to_vec()).collect();
    let rows: Vec<(Vec<u8>, Option<String>, Option<i16>)> = certificates::table
        .filter(certificates::spki_sha256.eq_any(keys))
        .select((certificates::spki_sha256, certificates::pinfl, certificates::reason))
        .load(connection)?;
    let compromise = i16::from(Reason::KeyCompromise.code());
    rows.into_iter()
        .map(|(key, pinfl, reason)| {
            let key = key.try_into().map_err(|_| StoreError::corrupt("a SHA-256"))?;
            let revoked_for_compromise = reason == Some(compromise);
            Ok((key, KeyUse { holder: pinfl.unwrap_or_default(), revoked_for_compromise }))
        })
        .collect()
}

/// What the register is searched by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Everything.
    All,
    /// The beginning of a common name, in any case.
    Name(String),
    /// A PINFL; for officers.
    Pinfl(String),
    /// A STIR.
    Stir(String),
}

/// A page of the register of subscribers' certificates, newest first.
///
/// # Errors
/// The database's.
pub fn search(
    connection: &mut Connection,
    search: &Search,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<StoredCertificate>, StoreError> {
    let mut query = certificates::table.filter(certificates::application_id.is_not_null()).into_boxed();
    match search {
        Search::All => {}
        Search::Name(name) => {
            let folded = fold(name);
            // A range instead of LIKE: the index serves it, and nothing in it is a pattern.
            let end = format!("{folded}\u{10ffff}");
            query = query
                .filter(certificates::common_name_folded.ge(folded))
                .filter(certificates::common_name_folded.lt(end));
        }
        Search::Pinfl(pinfl) => query = query.filter(certificates::pinfl.eq(pinfl.clone())),
        Search::Stir(stir) => query = query.filter(certificates::stir.eq(stir.clone())),
    }
    if let Some(before) = before {
        query = query.filter(certificates::id.lt(before));
    }
    let rows: Vec<Row> = query
        .order(certificates::id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select(Row::as_select())
        .load(connection)?;
    let found = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredCertificate>, _>>()?;
    Ok(Page::from_rows(found, limit, |certificate| certificate.id.to_string()))
}

/// Makes a change of status durable: the row if it still has the status it was decided on, the feed, a CRL job, the
/// notice to the holder and the audit entry, in the caller's transaction.
///
/// # Errors
/// [`StoreError::Conflict`] if somebody else changed the status first.
pub fn change_status(
    connection: &mut Connection,
    stored: &StoredCertificate,
    to: Status,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let from = StatusColumns::from(stored.status);
    let columns = StatusColumns::from(to);
    // With its date: a hold that was ended and put again meanwhile is another hold.
    let changed = diesel::update(certificates::table.find(stored.id))
        .filter(certificates::status.eq(from.status))
        // A hold that was ended and put again meanwhile is another hold.
        .filter(
            certificates::status
                .eq("good")
                .or(certificates::status_since.eq(from.status_since))
                .assume_not_null(),
        )
        .set(columns)
        .execute(connection)?;
    if changed == 0 {
        return Err(StoreError::Conflict("certificate status".to_owned()));
    }
    follow(connection, &[(stored, to)], actor, now)
}

/// What follows from changes of status: audit entries, a CRL job for each partition, notices to the holders, the feed.
fn follow(
    connection: &mut Connection,
    changed: &[(&StoredCertificate, Status)],
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut entries = Vec::with_capacity(changed.len());
    let mut follow_ups = Vec::with_capacity(changed.len() + 1);
    for (stored, to) in changed {
        let certificate = &stored.certificate;
        let (verb, reason) = match to {
            Status::Good => ("restored", None),
            Status::Suspended { .. } => ("suspended", None),
            Status::Revoked { reason, .. } => ("revoked", Some(reason)),
        };
        let object = format!("certificate:{}/{}", certificate.issuer, certificate.serial);
        follow_ups.push(NewJob::sign_crl(&certificate.issuer, &certificate.crl_partition, now));
        if let Some(application) = certificate.application {
            follow_ups.push(crate::messages::notice(application, verb, &object, now));
        }
        entries.push(audit::Entry {
            at: now,
            actor: actor.to_owned(),
            action: format!("certificate.{verb}"),
            object,
            details: serde_json::json!({ "reason": reason.map(|reason| reason.as_str()) }),
        });
    }
    audit::record(connection, &entries)?;
    jobs::enqueue(connection, &follow_ups, now)?;
    let changes: Vec<_> = changed.iter().map(|(stored, to)| told(&stored.certificate, *to)).collect();
    feed::record(connection, feed::Kind::Changed, &changes, now)
}

/// How far a mass revocation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MassRevocation {
    /// The row to go on after.
    pub after: i64,
    /// How many certificates this step revoked.
    pub revoked: usize,
}

/// What the entries of a CRL said that was news here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// How many certificates have another status now.
    pub changed: usize,
    /// Those that are not in the register.
    pub unknown: Vec<SerialNumber>,
}

/// Takes over what a CRL of an issuer lists as revoked or held, and the register does not know.
///
/// # Errors
/// The database's.
pub fn take_over(
    connection: &mut Connection,
    issuer: &str,
    listed: &[Entry],
    actor: &str,
    now: Timestamp,
) -> Result<TakenOver, StoreError> {
    let mut taken = TakenOver::default();
    for entry in listed {
        let stored = match find(connection, &entry.serial) {
            Err(StoreError::NotFound) => {
                taken.unknown.push(entry.serial);
                continue;
            }
            stored => stored?,
        };
        let to = entry.revocation.status().filter(|to| is_news(stored.status, *to));
        if let Some(to) = to.filter(|_| stored.certificate.issuer == issuer) {
            change_status(connection, &stored, to, actor, now)?;
            taken.changed += 1;
        }
    }
    Ok(taken)
}

/// What is revoked stays so, whatever an earlier list tells, and a hold keeps its date.
fn is_news(known: Status, told: Status) -> bool {
    match (known, told) {
        (Status::Revoked { .. }, _)
        | (_, Status::Good)
        | (Status::Suspended { .. }, Status::Suspended { .. }) => false,
        (Status::Good | Status::Suspended { .. }, _) => true,
    }
}

/// A step of the revocation of every certificate of a profile that is neither revoked nor expired: up to `limit` of them,
/// in the order of their rows after row `after`, each by the same rules and with the same consequences as a single one.
/// `None` when there are no more. Whoever is cut off begins again at row 0 and finds those that are left.
///
/// # Errors
/// The database's; this step did nothing then.
pub fn revoke_some(
    connection: &mut Connection,
    (profile, reason): (&str, Reason),
    after: i64,
    limit: i64,
    actor: &str,
    now: Timestamp,
) -> Result<Option<MassRevocation>, StoreError> {
    let query = certificates::table
        .filter(certificates::profile.eq(profile))
        // In the very words of the partial index: with a parameter, SQLite plans the statement anew for each value.
        .filter(sql::<Bool>("status <> 'revoked'"))
        .filter(certificates::id.gt(after))
        .filter(certificates::not_after.ge(now.unix_millis()))
        .order(certificates::id)
        .limit(limit)
        .select(certificates::id);
    // An island: PostgreSQL locks the rows, SQLite's BEGIN IMMEDIATE has locked everything.
    let ids: Vec<i64> = match connection {
        Connection::Postgres(c) => query.for_update().load(c)?,
        Connection::Sqlite(c) => query.load(c)?,
    };
    let Some(&last) = ids.last() else { return Ok(None) };
    let rows: Vec<Row> =
        certificates::table.filter(certificates::id.eq_any(ids)).select(Row::as_select()).load(connection)?;
    let stored = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredCertificate>, _>>()?;
    let change = Change::Revoke { reason, invalidity_date: None };
    let decided: Vec<(&StoredCertificate, Status)> = stored
        .iter()
        .filter_map(|stored| {
            let end = stored.certificate.not_after;
            Some((stored, decide(stored.status, end, change, Requester::Ca, now).ok()?))
        })
        .collect();
    // A hold keeps its date, so nearly all get one status and few get others (RFC 5280 section 5.3.1).
    let mut alike: BTreeMap<Option<i64>, (StatusColumns, Vec<i64>)> = BTreeMap::new();
    for (stored, to) in &decided {
        let columns = StatusColumns::from(*to);
        alike.entry(columns.status_since).or_insert_with(|| (columns, Vec::new())).1.push(stored.id);
    }
    for (columns, ids) in alike.into_values() {
        diesel::update(certificates::table.filter(certificates::id.eq_any(ids)))
            .set(columns)
            .execute(connection)?;
    }
    follow(connection, &decided, actor, now)?;
    Ok(Some(MassRevocation { after: last, revoked: decided.len() }))
}

/// Certificates of a partition that are not good, ascending by serial, after serial `after`: what its CRL lists. Those
/// that expired before `expired_before` are left out (RFC 5280 section 3.3: one CRL after expiry still lists them).
///
/// # Errors
/// The database's.
pub fn not_good(
    connection: &mut Connection,
    (issuer, partition): (&str, &str),
    expired_before: Timestamp,
    after: Option<&SerialNumber>,
    limit: i64,
) -> Result<Vec<(SerialNumber, Status)>, StoreError> {
    let rows: Vec<(Vec<u8>, StatusColumns)> = certificates::table
        .filter(certificates::issuer_id.eq(issuer))
        .filter(certificates::crl_partition.eq(partition))
        // In the very words of the partial index: with a parameter, SQLite plans the statement anew for each value.
        .filter(sql::<Bool>("status <> 'good'"))
        .filter(certificates::not_after.ge(expired_before.unix_millis()))
        .filter(certificates::serial.gt(after.map_or(&[][..], SerialNumber::as_bytes)))
        .order(certificates::serial)
        .limit(limit)
        .select((certificates::serial, STATUS))
        .load(connection)?;
    rows.into_iter()
        .map(|(serial, status)| {
            let serial = SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?;
            Ok((serial, status.try_into()?))
        })
        .collect()
}

/// When the certificates with these serials of an issuer end, for those that exist.
///
/// # Errors
/// The database's.
pub fn ends(
    connection: &mut Connection,
    issuer: &str,
    serials: &[SerialNumber],
) -> Result<Vec<(SerialNumber, Timestamp, Status)>, StoreError> {
    let wanted: Vec<Vec<u8>> = serials.iter().map(|serial| serial.as_bytes().to_vec()).collect();
    let mut found = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(1000) {
        let rows: Vec<(Vec<u8>, i64, StatusColumns)> = certificates::table
            .filter(certificates::issuer_id.eq(issuer))
            .filter(certificates::serial.eq_any(chunk.to_vec()))
            .select((certificates::serial, certificates::not_after, STATUS))
            .load(connection)?;
        for (serial, end, status) in rows {
            let serial = SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?;
            found.push((serial, Timestamp::from_unix_millis(end), status.try_into()?));
        }
    }
    Ok(found)
}

/// How many subscribers' certificates have which status at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nobody has taken their validity away, and it lasts.
    pub good: i64,
    /// Suspended, and the validity lasts.
    pub suspended: i64,
    /// Revoked, whether or not the validity would last.
    pub revoked: i64,
    /// The validity has passed.
    pub expired: i64,
}

/// Counts subscribers' certificates by status.
///
/// # Errors
/// The database's.
pub fn counts(connection: &mut Connection, now: Timestamp) -> Result<Counts, StoreError> {
    let by_status = |connection: &mut Connection, expired: bool| -> Result<Vec<(String, i64)>, StoreError> {
        let subscribers = certificates::table.filter(certificates::application_id.is_not_null());
        let columns = (certificates::status, diesel::dsl::count_star());
        let now = now.unix_millis();
        Ok(if expired {
            subscribers
                .filter(certificates::not_after.lt(now))
                .group_by(certificates::status)
                .select(columns)
                .load(connection)?
        } else {
            subscribers
                .filter(certificates::not_after.ge(now))
                .group_by(certificates::status)
                .select(columns)
                .load(connection)?
        })
    };
    let mut counts = Counts::default();
    for (expired, rows) in [(false, by_status(connection, false)?), (true, by_status(connection, true)?)] {
        for (status, count) in rows {
            match (status.as_str(), expired) {
                ("revoked", _) => counts.revoked += count,
                (_, true) => counts.expired += count,
                ("suspended", false) => counts.suspended += count,
                _ => counts.good += count,
            }
        }
    }
    Ok(counts)
}
