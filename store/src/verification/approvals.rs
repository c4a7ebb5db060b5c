//! Did the officers sign what the certificate says? Asked of the signatures, with the officer CA's certificate as the trust anchor.

use std::collections::HashMap;

use ca_core::Timestamp;
use ca_core::application::{Application, ApplicationId};
use ca_core::approval::{Approvable, content_sha256_of_certificate, judge, of_this_round};
use ca_core::audit::Trust;
use ca_core::officer_statement::{OfficerCertificates, OfficerStatement};
use rayon::prelude::*;

use super::{CertificateRow, Report};
use crate::applications;
use crate::database::Connection;
use crate::error::StoreError;
use crate::officer_statements::{self, StoredStatement};

/// Whom the signatures are believed from.
pub(super) struct Witnesses<'t> {
    trust: &'t Trust,
    officers: OfficerCertificates<'t>,
}

impl<'t> From<&'t Trust> for Witnesses<'t> {
    fn from(trust: &'t Trust) -> Self {
        Self { trust, officers: OfficerCertificates::of(&trust.officer_cas) }
    }
}

/// Looks at the certificates of a page that answer an application.
pub(super) fn check(
    connection: &mut Connection,
    page: &[CertificateRow],
    witnesses: &Witnesses<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    // Nobody could sign before there was an officer CA.
    let could =
        |row: &&CertificateRow| !witnesses.trust.precedes(Timestamp::from_unix_millis(row.not_before));
    let signed = page.iter().filter(could);
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
    let holds = |((row, id), object): (&(&CertificateRow, ApplicationId), &String)| {
        let Some(application) = found.get(id) else { return true };
        let stored = statements.get(object).map_or(&[][..], Vec::as_slice);
        let since = under_review.get(id).copied();
        since.is_some_and(|since| approved(row, application, stored, since, witnesses))
    };
    let held: Vec<bool> = rows.par_iter().zip(&objects).map(holds).collect();
    for ((row, _), _) in rows.iter().zip(held).filter(|(_, held)| !held) {
        row.breaks("a certificate says what officers signed that it shall say", report);
    }
    Ok(())
}

/// What they saw may have been erased since, so the evidence is believed as it was signed; the content is not.
fn approved(
    row: &CertificateRow,
    application: &Application,
    stored: &[StoredStatement],
    under_review_since: Timestamp,
    witnesses: &Witnesses<'_>,
) -> bool {
    let texts = stored.iter().map(|stored| stored.statement.as_slice());
    let Ok(approvals) = of_this_round(texts, under_review_since) else { return false };
    let verify = |(place, statement): (usize, OfficerStatement)| {
        witnesses.officers.verify(statement, &stored[place].signature)
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
        judge(&verified, &registration, &approvable, &witnesses.trust.policy).is_ok()
    })
}
