//! What officers sign, and their signatures under it. The text is made here and signed where the officer's key is; a statement
//! holds for some minutes, so that the same text can be made again when the signature comes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use ca_core::application::{Application, ApplicationId, Officer};
use ca_core::approval::{Approvable, content_sha256, of_this_round};
use ca_core::issue::Certificate;
use ca_core::officer_statement::{OfficerStatement, signature};
use ca_core::signed_document::{SignatureRefusal, Signed};
use ca_core::statement::StatementRefusal;
use ca_core::{SerialNumber, Timestamp};
use serde::Serialize;
use store::applications::StoredApplication;
use store::{Connection, documents, issuers, officer_statements};

use super::preview;
use crate::applications::decode;
use crate::auth::sha256;
use crate::context::Context;
use crate::problem::{Kind, Problem};

/// How long a statement can be signed after it was asked for, in minutes.
const MINUTES: u64 = 15;

/// What an officer approves of an application that can be issued as it is.
///
/// # Errors
/// 409 `not-issuable` if the CA's lint would refuse it.
fn approvable(
    connection: &mut Connection,
    context: &Context,
    stored: &StoredApplication,
    now: Timestamp,
) -> Result<Approvable, Problem> {
    let issuer = issuers::current(connection)?;
    let tbs = preview::to_be_signed(context, &issuer, stored, now)?.map_err(|findings| {
        findings.iter().fold(Problem::new(Kind::NotIssuable), |problem, finding| {
            problem.because("", "finding".to_owned(), finding)
        })
    })?;
    Ok(Approvable {
        application: stored.application.id,
        content_sha256: content_sha256(&tbs, &(&stored.application).into()).map_err(Problem::internal)?,
        evidence_sha256: evidence(connection, stored)?,
        under_review_since: since(connection, stored)?,
    })
}

/// As [`approvable`], for an officer who has not approved it yet; and how many others have.
///
/// # Errors
/// 409 `already-approved` as well.
pub(super) fn to_approve(
    connection: &mut Connection,
    context: &Context,
    stored: &StoredApplication,
    officer: &Officer,
    now: Timestamp,
) -> Result<(Approvable, usize), Problem> {
    let approvable = approvable(connection, context, stored, now)?;
    let mut approvals = approvals(connection, context, &[&stored.application])?;
    let given = approvals.remove(&stored.application.id).map(|approvals| approvals.given).unwrap_or_default();
    if given.contains(&officer.login) {
        return Err(Problem::new(Kind::AlreadyApproved));
    }
    Ok((approvable, given.len()))
}

/// What an officer rejects of an application, whether or not a certificate could be made from it: the request for
/// certification and the evidence.
///
/// # Errors
/// The database's.
pub(super) fn rejectable(
    connection: &mut Connection,
    stored: &StoredApplication,
) -> Result<Approvable, Problem> {
    Ok(Approvable {
        application: stored.application.id,
        content_sha256: sha256(stored.csr.as_deref().unwrap_or_default()),
        evidence_sha256: evidence(connection, stored)?,
        under_review_since: since(connection, stored)?,
    })
}

fn evidence(connection: &mut Connection, stored: &StoredApplication) -> Result<[u8; 32], Problem> {
    let id = stored.application.id;
    Ok(documents::evidence_of(connection, &[id])?.get(&id).copied().unwrap_or_default())
}

/// Since when it waits for reviewers.
fn since(connection: &mut Connection, stored: &StoredApplication) -> Result<Timestamp, Problem> {
    let id = stored.application.id;
    let since = officer_statements::under_review_since(connection, &[id])?;
    since.get(&id).copied().ok_or_else(|| Problem::internal("nothing brought the application to review"))
}

/// How far these applications are from their approval: of each that came to the reviewers, who has approved it since.
///
/// # Errors
/// The database's.
pub(super) fn approvals(
    connection: &mut Connection,
    context: &Context,
    applications: &[&Application],
) -> Result<HashMap<ApplicationId, ApprovalsView>, Problem> {
    let ids: Vec<ApplicationId> = applications.iter().map(|application| application.id).collect();
    let objects: Vec<String> = ids.iter().map(|id| format!("application:{id}")).collect();
    let stored = officer_statements::about(connection, &objects)?;
    let since = officer_statements::under_review_since(connection, &ids)?;
    let revoked: HashSet<SerialNumber> = officer_statements::revoked(connection)?.into_iter().collect();
    let mut approvals = HashMap::with_capacity(ids.len());
    for (application, object) in applications.iter().zip(&objects) {
        let Some(since) = since.get(&application.id) else { continue };
        let statements = stored.get(object).map_or(&[][..], Vec::as_slice);
        let texts = statements.iter().map(|stored| stored.statement.as_slice());
        // Rows that somebody else has written hold up this application, not the queue; the signer says no.
        let approvals_given = of_this_round(texts, *since).unwrap_or_default();
        // The signer does not hear those whose certificates are revoked: they do not stand in for others here.
        let counts = |place: usize| {
            let signed = Signed::read(&statements[place].signature).ok();
            let certificate = signed.and_then(|signed| Certificate::read(&signed.certificate).ok());
            !certificate.is_some_and(|certificate| revoked.contains(&certificate.serial))
        };
        let given = approvals_given
            .into_iter()
            .filter(|(place, _)| counts(*place))
            .map(|(_, statement)| statement.officer)
            .collect();
        let needed = context.approval.approvals(application.subject_type(), application.channel);
        approvals.insert(application.id, ApprovalsView { given, needed });
    }
    Ok(approvals)
}

/// The bytes to sign, to say this now: after what was said about the same object before.
///
/// # Errors
/// The database's.
pub(crate) fn offer(
    connection: &mut Connection,
    said: &OfficerStatement,
    now: Timestamp,
) -> Result<Vec<u8>, Problem> {
    let previous = officer_statements::last(connection, &said.object)?;
    Ok(said.following(previous, now.whole_minutes()).text())
}

/// Finds in which minute this was said, looks whose key signed it, and keeps statement and signature.
///
/// # Errors
/// 422 for a signature that is none, 409 `statement-outdated` for one under another text, 403 `officer-not-certified` for
/// one by another key.
pub(crate) fn accept(
    connection: &mut Connection,
    officer: &Officer,
    signature: Option<&str>,
    said: &OfficerStatement,
    now: Timestamp,
) -> Result<(), Problem> {
    let text = signature.map(str::trim).filter(|text| !text.is_empty());
    let cms = decode("/signature", text.ok_or_else(|| Problem::field("/signature", "required"))?)?;
    let previous = officer_statements::last(connection, &said.object)?;
    let (statement, signed) = signed_text(&cms, now, |at| said.following(previous, at))?;
    let of_officer = officer_statements::certificates_of(connection, &officer.login)?;
    let known = of_officer.iter().find(|known| known.der == signed.certificate);
    let counts = known.is_some_and(|known| {
        known.revoked_at.is_none()
            && known.officer == *officer
            && (known.not_before..=known.not_after).contains(&now)
            // The signer asks whether it was valid at the minute that the statement names.
            && known.not_before <= statement.at
    });
    if !counts {
        return Err(Problem::new(Kind::OfficerNotCertified));
    }
    Ok(officer_statements::record(connection, &statement, &cms, now)?)
}

fn signed_text(
    cms: &[u8],
    now: Timestamp,
    statement: impl Fn(Timestamp) -> OfficerStatement,
) -> Result<(OfficerStatement, Signed), Problem> {
    // Another instance's clock may be in the next minute already.
    let mut at = now.whole_minutes().plus(Duration::from_secs(60));
    for _ in 0..=MINUTES + 1 {
        let candidate = statement(at);
        match signature(&candidate.text(), cms) {
            Ok(signed) => return Ok((candidate, signed)),
            Err(SignatureRefusal::Statement(
                StatementRefusal::OtherDigest | StatementRefusal::OtherContent,
            )) => {}
            Err(refusal) => {
                let text = refusal.name().to_owned();
                return Err(Problem::new(Kind::StatementRefused).because(
                    "/signature",
                    text,
                    &refusal.to_string(),
                ));
            }
        }
        at = at.minus(Duration::from_secs(60));
    }
    Err(Problem::new(Kind::StatementOutdated))
}

/// How far an application is from its approval, or a proposal from being in force.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Approvals)]
pub(crate) struct ApprovalsView {
    /// The logins of those who have signed since it was submitted, or proposed.
    pub(super) given: BTreeSet<String>,
    /// How many officers have to.
    pub(super) needed: usize,
}
