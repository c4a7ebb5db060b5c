//! Did the officers sign what the certificate says? Asked of the signatures, with the officer CA's certificate as the trust anchor.

use std::collections::HashMap;

use ca_core::Timestamp;
use ca_core::application::{Application, ApplicationId};
use ca_core::approval::{Policy, content_sha256, judge, of_this_round};
use ca_core::officer_statement::{OfficerStatement, verify};

use super::{CertificateRow, Report, tbs_of};
use crate::applications;
use crate::database::Connection;
use crate::error::StoreError;
use crate::officer_statements::{self, StoredStatement};

/// Whom the signatures are believed from.
#[derive(Debug, Clone)]
pub struct Witnesses {
    /// The officer CA's certificate, DER.
    pub anchor: Vec<u8>,
    /// How many have to sign what.
    pub policy: Policy,
    /// Since when officers sign: earlier certificates have no signatures.
    pub since: Timestamp,
}

/// Looks at the certificates of a page that answer an application.
pub(super) fn check(
    connection: &mut Connection,
    page: &[CertificateRow],
    witnesses: &Witnesses,
    report: &mut Report,
) -> Result<(), StoreError> {
    let since = witnesses.since.unix_millis();
    let signed = page.iter().filter(|row| row.not_before >= since);
    let named = |row: &CertificateRow| row.application.as_ref().and_then(|id| id.parse().ok());
    let rows: Vec<(&CertificateRow, ApplicationId)> =
        signed.filter_map(|row| Some((row, named(row)?))).collect();
    let ids: Vec<ApplicationId> = rows.iter().map(|(_, id)| *id).collect();
    let objects: Vec<String> = ids.iter().map(|id| format!("application:{id}")).collect();
    let statements = officer_statements::about(connection, &objects)?;
    let under_review = officer_statements::under_review_since(connection, &ids)?;
    let found: HashMap<ApplicationId, Application> = applications::find_many(connection, &ids)?
        .into_iter()
        .map(|stored| (stored.application.id, stored.application))
        .collect();
    for ((row, id), object) in rows.into_iter().zip(&objects) {
        let Some(application) = found.get(&id) else { continue };
        let stored = statements.get(object).map_or(&[][..], Vec::as_slice);
        let since = under_review.get(&id).copied();
        let holds = since.is_some_and(|since| approved(row, application, stored, since, witnesses));
        if !holds {
            row.breaks("a certificate says what officers signed that it shall say", report);
        }
    }
    Ok(())
}

/// What they saw may have been erased since, so the evidence is believed as it was signed; the content is not.
fn approved(
    row: &CertificateRow,
    application: &Application,
    stored: &[StoredStatement],
    under_review_since: Timestamp,
    witnesses: &Witnesses,
) -> bool {
    let read: Option<Vec<_>> =
        stored.iter().map(|stored| OfficerStatement::read(&stored.statement)).collect();
    let Some(read) = read else { return false };
    let Ok(places) = of_this_round(&read, under_review_since) else { return false };
    let verified: Result<Vec<_>, _> = places
        .iter()
        .map(|place| &stored[*place])
        .map(|stored| verify(&stored.statement, &stored.signature, &witnesses.anchor))
        .collect();
    let (Ok(verified), Some(tbs)) = (verified, tbs_alone(&row.der)) else { return false };
    let Ok(content_sha256) = content_sha256(tbs, application) else { return false };
    let evidence = verified.first().and_then(|signed| signed.statement.term("evidence-sha256"));
    let evidence = evidence.and_then(|text| hex::decode(text).ok()?.try_into().ok());
    evidence.is_some_and(|evidence_sha256| {
        let approvable = ca_core::approval::Approvable {
            application: application.id,
            content_sha256,
            evidence_sha256,
            under_review_since,
        };
        judge(&verified, application, &approvable, &witnesses.policy).is_ok()
    })
}

/// The TBSCertificate alone.
fn tbs_alone(der: &[u8]) -> Option<&[u8]> {
    let rest = tbs_of(der)?;
    let (head, length) = match *rest.get(1)? {
        short if short < 0x80 => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            let length = rest.get(2..2 + octets)?.iter().try_fold(0_usize, |length, octet| {
                length.checked_mul(256)?.checked_add(usize::from(*octet))
            })?;
            (2 + octets, length)
        }
    };
    rest.get(..head.checked_add(length)?)
}
