//! When is an application approved? When enough officers have signed what the certificate will say, and on what evidence.
//!
//! `ca-signer` asks this before every certificate, about the very bytes it is about to sign. Nothing that a database or a
//! web server claims stands in for a signature.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use x509_parser::asn1_rs::{FromDer, Oid};
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::oid_registry::{
    OID_PKIX_AUTHORITY_INFO_ACCESS, OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
};

use crate::Timestamp;
use crate::application::{Application, ApplicationId, DocumentKind, Reason, Role};
use crate::digest::sha256;
use crate::fee::Channel;
use crate::officer_statement::{FIRST, OfficerStatement, SignedStatement};
use crate::subject::SubjectType;

/// Extensions that do not say whom or what a certificate is for: they follow from the serial number, drawn when it is
/// signed, and from the issuer.
const NOT_APPROVED: [Oid<'static>; 3] = [
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    OID_PKIX_AUTHORITY_INFO_ACCESS,
];

/// How many officers sign what: data that the signer reads in a copy of its own (`approval.toml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PolicyDocument")]
pub struct Policy(PolicyDocument);

/// The policy as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyDocument {
    natural_person: u8,
    sole_proprietor: u8,
    legal_entity: u8,
    at_a_counter: u8,
    /// Files of before it could be said have the number that held then.
    #[serde(default = "two")]
    administration: u8,
}

fn two() -> u8 {
    2
}

/// The rule that a policy breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "approval takes one signature at least and five at most; two at least for legal entities, at a counter, and of administrators"
)]
pub struct PolicyError;

impl TryFrom<PolicyDocument> for Policy {
    type Error = PolicyError;

    fn try_from(document: PolicyDocument) -> Result<Self, PolicyError> {
        let PolicyDocument { natural_person, sole_proprietor, legal_entity, at_a_counter, administration } =
            document;
        let one = [natural_person, sole_proprietor].iter().all(|n| (1..=5).contains(n));
        let two = [legal_entity, at_a_counter, administration].iter().all(|n| (2..=5).contains(n));
        if one && two { Ok(Self(document)) } else { Err(PolicyError) }
    }
}

impl Policy {
    /// How many reviewers approve an application.
    pub fn approvals(&self, subject_type: SubjectType, channel: Channel) -> usize {
        let of_kind = match subject_type {
            SubjectType::NaturalPerson => self.0.natural_person,
            SubjectType::SoleProprietor => self.0.sole_proprietor,
            SubjectType::LegalEntity => self.0.legal_entity,
        };
        let counter = if channel == Channel::ServiceCenter { self.0.at_a_counter } else { 0 };
        usize::from(of_kind.max(counter))
    }

    /// How many administrators sign an act, with the one who proposes it.
    pub fn administrators(&self) -> usize {
        usize::from(self.0.administration)
    }
}

/// How old an approval may be when the certificate is signed: whoever has the key of an officer who has left can sign nothing new.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far the clocks of API and signer may be apart.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// How an application came in. It is approved with what the certificate will say, and its audit entry tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Who is to be certified.
    pub subject_type: SubjectType,
    /// Where it came in.
    pub channel: Channel,
    /// The registrar who registered a walk-in applicant.
    pub registered_by: Option<String>,
}

impl From<&Application> for Registration {
    fn from(application: &Application) -> Self {
        Self {
            subject_type: application.subject_type(),
            channel: application.channel,
            registered_by: application.registered_by.clone(),
        }
    }
}

/// What is approved: the content of the certificate, what the officer saw, and since when it waited for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvable {
    /// Which application.
    pub application: ApplicationId,
    /// See [`content_sha256`].
    pub content_sha256: [u8; 32],
    /// See [`evidence_sha256`].
    pub evidence_sha256: [u8; 32],
    /// When it came to the reviewers: an approval before a return, or before a finding of the lint, is none.
    pub under_review_since: Timestamp,
}

/// The to-be-signed certificate cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate to be signed cannot be read")]
pub struct Unreadable;

/// SHA-256 over everything that `tbs` says of its subject: the profile, the channel and the registrar of the application,
/// the subject, the public key, and every extension but those that follow from serial number and issuer. Each part is
/// preceded by its length in octets, as four octets with the highest first.
///
/// # Errors
/// [`Unreadable`].
pub fn content_sha256(tbs: &[u8], registration: &Registration) -> Result<[u8; 32], Unreadable> {
    match TbsCertificate::from_der(tbs) {
        Ok(([], read)) => content(&read, registration),
        _ => Err(Unreadable),
    }
}

/// The same of a certificate (DER) that has been signed.
///
/// # Errors
/// [`Unreadable`].
pub fn content_sha256_of_certificate(
    certificate: &[u8],
    registration: &Registration,
) -> Result<[u8; 32], Unreadable> {
    match X509Certificate::from_der(certificate) {
        Ok(([], read)) => content(&read.tbs_certificate, registration),
        _ => Err(Unreadable),
    }
}

fn content(read: &TbsCertificate<'_>, registration: &Registration) -> Result<[u8; 32], Unreadable> {
    let mut content = Vec::new();
    let mut part = |octets: &[u8]| -> Result<(), Unreadable> {
        content.extend(u32::try_from(octets.len()).map_err(|_| Unreadable)?.to_be_bytes());
        content.extend(octets);
        Ok(())
    };
    part(registration.subject_type.as_str().as_bytes())?;
    part(registration.channel.as_str().as_bytes())?;
    part(registration.registered_by.as_deref().unwrap_or_default().as_bytes())?;
    part(read.subject().as_raw())?;
    part(read.public_key().raw)?;
    for extension in read.extensions() {
        if !NOT_APPROVED.contains(&extension.oid) {
            part(extension.oid.as_bytes())?;
            part(&[u8::from(extension.critical)])?;
            part(extension.value)?;
        }
    }
    Ok(sha256(&content))
}

/// SHA-256 over a line `kind sha256-in-hex` for each document, in the order of the kinds, every line ended by LF.
pub fn evidence_sha256<'a>(documents: impl IntoIterator<Item = (DocumentKind, &'a [u8])>) -> [u8; 32] {
    let lines: BTreeSet<String> = documents
        .into_iter()
        .map(|(kind, sha256)| format!("{} {}\n", kind.as_str(), hex::encode(sha256)))
        .collect();
    sha256(lines.into_iter().collect::<String>().as_bytes())
}

impl Approvable {
    /// What an officer signs to approve.
    pub fn approval(&self, officer: &str, at: Timestamp, previous: [u8; 32]) -> OfficerStatement {
        OfficerStatement {
            act: "approve".to_owned(),
            object: format!("application:{}", self.application),
            terms: vec![
                ("content-sha256", hex::encode(self.content_sha256)),
                ("evidence-sha256", hex::encode(self.evidence_sha256)),
                ("under-review-since", self.under_review_since.to_string()),
            ],
            officer: officer.to_owned(),
            at,
            previous,
        }
    }

    /// What an officer signs to reject.
    pub fn rejection(
        &self,
        reason: Reason,
        note: Option<&str>,
        officer: &str,
        at: Timestamp,
        previous: [u8; 32],
    ) -> OfficerStatement {
        let mut statement = self.approval(officer, at, previous);
        statement.act = "reject".to_owned();
        statement.terms.push(("reason", reason.as_str().to_owned()));
        statement.terms.extend(note.map(|note| ("note-sha256", hex::encode(sha256(note.as_bytes())))));
        statement
    }

    /// This statement approves it: the very content, on the very evidence.
    pub fn is_approved_by(&self, statement: &OfficerStatement) -> bool {
        let meant = self.approval(&statement.officer, statement.at, statement.previous);
        meant == *statement
    }
}

/// Why the signatures are no approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// What is there instead of a statement is none.
    #[error("what was signed is not a statement of an officer")]
    NotAStatement,
    /// A statement is missing between two, or they were put in another order.
    #[error("the statements about the application do not follow one another")]
    BrokenChain,
    /// Somebody signed something else: other content, other evidence, another round.
    #[error("an approval is about something else than what is to be signed")]
    OtherContent,
    /// Only reviewers approve.
    #[error("an approval was signed by an officer who is no reviewer")]
    NotAReviewer,
    /// Four eyes.
    #[error("an approval was signed by the officer who registered the application")]
    OwnApplication,
    /// Too few, or one officer twice.
    #[error("{found} of {needed} approvals")]
    TooFew {
        /// By different officers.
        found: usize,
        /// By the policy.
        needed: usize,
    },
    /// Before the application came to the reviewers, in the future, or too long ago.
    #[error("an approval was not signed between the submission and now, or is older than 7 days")]
    OutOfTime,
    /// The certificate would begin before it was approved.
    #[error("the certificate would begin before it was approved")]
    BeforeApproval,
    /// The last word was a rejection.
    #[error("the application was rejected")]
    Rejected,
}

/// Of the statements about an application (their texts, the earliest first) those that approve since it came to the reviewers,
/// each with its place.
///
/// # Errors
/// [`NotApproved::NotAStatement`], [`NotApproved::BrokenChain`], [`NotApproved::Rejected`].
pub fn of_this_round<'a>(
    texts: impl IntoIterator<Item = &'a [u8]>,
    under_review_since: Timestamp,
) -> Result<Vec<(usize, OfficerStatement)>, NotApproved> {
    let statements: Option<Vec<OfficerStatement>> = texts.into_iter().map(OfficerStatement::read).collect();
    let statements = statements.ok_or(NotApproved::NotAStatement)?;
    let mut previous = FIRST;
    for statement in &statements {
        if statement.previous != previous {
            return Err(NotApproved::BrokenChain);
        }
        previous = statement.sha256();
    }
    let since = under_review_since.to_string();
    let of_this_round = |statement: &OfficerStatement| statement.term("under-review-since") == Some(&since);
    if statements.last().is_some_and(|last| last.act == "reject" && of_this_round(last)) {
        return Err(NotApproved::Rejected);
    }
    let approves = |statement: &OfficerStatement| statement.act == "approve" && of_this_round(statement);
    Ok(statements.into_iter().enumerate().filter(|(_, statement)| approves(statement)).collect())
}

/// Whether the approvals were signed in this round and lately, and no certificate that begins at `not_before` would be older than
/// they are.
///
/// # Errors
/// [`NotApproved::OutOfTime`], [`NotApproved::BeforeApproval`].
pub fn check_times(
    approvals: &[SignedStatement],
    approvable: &Approvable,
    not_before: Timestamp,
    now: Timestamp,
) -> Result<(), NotApproved> {
    for signed in approvals {
        let at = signed.statement.at;
        let in_time = at >= approvable.under_review_since.whole_minutes() && at <= now.plus(SKEW);
        if !in_time || now.since(at) > LONGEST {
            return Err(NotApproved::OutOfTime);
        }
        if not_before.plus(SKEW) < at {
            return Err(NotApproved::BeforeApproval);
        }
    }
    Ok(())
}

/// The officers who approved. `approvals` are those [`of_this_round`], each verified, none by a revoked certificate.
///
/// # Errors
/// [`NotApproved`].
pub fn judge(
    approvals: &[SignedStatement],
    registration: &Registration,
    approvable: &Approvable,
    policy: &Policy,
) -> Result<BTreeSet<String>, NotApproved> {
    let mut officers = BTreeSet::new();
    for signed in approvals {
        if !approvable.is_approved_by(&signed.statement) {
            return Err(NotApproved::OtherContent);
        }
        if signed.officer.role != Role::Reviewer {
            return Err(NotApproved::NotAReviewer);
        }
        if registration.registered_by.as_deref() == Some(&signed.officer.login) {
            return Err(NotApproved::OwnApplication);
        }
        officers.insert(signed.officer.login.clone());
    }
    let needed = policy.approvals(registration.subject_type, registration.channel);
    match officers.len() {
        found if found < needed => Err(NotApproved::TooFew { found, needed }),
        _ => Ok(officers),
    }
}
