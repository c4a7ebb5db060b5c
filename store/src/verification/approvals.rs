//! Did the officers sign what the certificate says? Asked of the signatures, with the officer CA's certificate as the trust anchor.

use std::collections::HashMap;

use ca_core::Timestamp;
use ca_core::application::{Application, ApplicationId};
use ca_core::approval::{Approvable, Policy, content_sha256_of_certificate, judge, of_this_round};
use ca_core::officer_statement::{OfficerStatement, verify};

use super::{CertificateRow, Report};
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
    let texts = stored.iter().map(|stored| stored.statement.as_slice());
    let Ok(approvals) = of_this_round(texts, under_review_since) else { return false };
    let verify = |(place, statement): (usize, OfficerStatement)| {
        verify(statement, &stored[place].signature, &witnesses.anchor)
    };
    let registration = application.into();
    let verified: Result<Vec<_>, _> = approvals.into_iter().map(verify).collect();
    let (Ok(verified), Ok(content_sha256)) =
        (verified, content_sha256_of_certificate(&row.der, &registration))
    else {
        return false;
    };
    let evidence = verified.first().and_then(|signed| signed.statement.term("evidence-sha256"));
    let evidence = evidence.and_then(|text| hex::decode(text).ok()?.try_into().ok());
    evidence.is_some_and(|evidence_sha256| {
        let approvable =
            Approvable { application: application.id, content_sha256, evidence_sha256, under_review_since };
        judge(&verified, &registration, &approvable, &witnesses.policy).is_ok()
    })
}
