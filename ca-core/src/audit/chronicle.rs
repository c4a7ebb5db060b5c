//! What sealed entries tell happened, in their order: was every application paid, and approved by as many officers' signatures as the
//! policy asks for, before its certificate was issued? Asked of the log itself, with what officers signed beside it, so that
//! whoever has a copy needs nobody's database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::Deserialize;

use super::attachment::{Examined, ExaminedCertificate, ExaminedStatement, Findings};
use super::{Entry, Hash, LATENESS};
use crate::administration::{Act, CONFIRM, PROPOSE};
use crate::application::{ApplicationId, DocumentKind, Role, State};
use crate::approval::{
    Approvable, NotApproved, Policy, Registration, content_sha256_of_certificate, evidence_sha256, judge,
};
use crate::fee::names_benefit;
use crate::issue::Certificate;
use crate::officer_statement::{FIRST, SignedStatement};
use crate::subject::SubjectType;
use crate::{SerialNumber, Timestamp};

/// In how many milliseconds a statement is signed after it was asked for at the most, and how far two clocks may be apart: a
/// statement names the minute in which it was asked for.
const LATEST: i64 = 20 * 60 * 1000;
const SKEW: i64 = 5 * 60 * 1000;

/// The entry of what an officer signed.
const SIGN: &str = "statement.sign";
/// What the object identifiers of PINFL and STIR in a subject begin with.
const NATIONAL_NUMBERS: &str = "1.2.860.3.16.1.";

/// So many findings are told one by one.
const TOLD: usize = 1000;

/// Whom signatures are believed from.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Certificates of officer CAs, DER: the present one, and those before it.
    pub officer_cas: Vec<Vec<u8>>,
    /// How many officers have to sign what.
    pub policy: Policy,
    /// Certificates of the CAs, DER. With them every certificate must be there, signed by one of them.
    pub issuers: Vec<Vec<u8>>,
    /// When the oldest officer CA began; none without one.
    since: Option<Timestamp>,
}

impl Trust {
    /// In these certificates, DER, and this policy.
    pub fn new(officer_cas: Vec<Vec<u8>>, policy: Policy, issuers: Vec<Vec<u8>>) -> Self {
        let always = Timestamp::from_unix_millis(i64::MIN);
        let begins = |ca: &Vec<u8>| Certificate::read(ca).map_or(always, |ca| ca.not_before);
        let since = officer_cas.iter().map(begins).min();
        Self { officer_cas, policy, issuers, since }
    }

    /// Whether nobody could sign yet: no officer CA is as old.
    pub fn precedes(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at < since)
    }
}

/// Something that the entries tell and that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The sequence number of the entry.
    pub sequence: i64,
    /// What it is about.
    pub object: String,
    /// What is wrong.
    pub fault: Broken,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, sequence {}: {}", self.object, self.sequence, self.fault)
    }
}

/// The rule that a history breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Its details are none that entries of this kind have.
    #[error("the entry says what entries of its kind say")]
    Unreadable,
    /// The log does not tell how the application began, or it was issued before.
    #[error("an application is told of from its beginning, and has one certificate")]
    NoBeginning,
    /// No payment before the certificate, or it was taken back.
    #[error("a certificate is issued for a paid application")]
    Unpaid,
    /// It was not with the reviewers.
    #[error("a certificate is issued for an application that was submitted for review")]
    NotUnderReview,
    /// The officers did not sign this.
    #[error(
        "a certificate is issued for an application that officers have approved by their signatures: {0}"
    )]
    NotApproved(#[from] NotApproved),
    /// There is no statement, or another one than the entry tells of.
    #[error("what an officer signed is there, as the log tells")]
    NoStatement,
    /// A statement was left out, or comes in another order.
    #[error("the statements about one object follow one another")]
    BrokenChain,
    /// The signature does not hold, or nobody whom the officer CA knew made it.
    #[error("what an officer signed is signed by that officer's certificate")]
    Signature,
    /// The log does not tell that this certificate was given to the officer.
    #[error("the log tells of the certificate that an officer signs with")]
    UnknownCertificate,
    /// It was revoked before.
    #[error("an officer signs with a certificate that is not revoked")]
    RevokedCertificate,
    /// The certificate is another one than the entry tells of.
    #[error("a certificate is the one that the log tells of")]
    OtherCertificate,
    /// It is not in the export.
    #[error("a certificate that the log tells of is there")]
    NoCertificate,
    /// Somebody ordered it.
    #[error("a subscriber's certificate answers an application")]
    NoApplication,
    /// The signature came later or earlier than it says, or than the head over it.
    #[error("a statement of an officer is recorded when it is signed")]
    OutOfTime,
    /// Too few have signed it.
    #[error("an act is in force when as many administrators have signed it as the policy asks for")]
    NotEnacted,
    /// None of the CAs has signed it.
    #[error("a certificate is signed by one of the CAs")]
    OtherIssuer,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Certificates for applications that the log tells of.
    pub certificates: u64,
    /// How many of them were there to be compared with what was signed.
    pub compared: u64,
    /// How many are older than every officer CA: nobody could sign for them.
    pub unsigned: u64,
    /// What officers signed.
    pub statements: u64,
    /// Everything that must not be.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub untold: u64,
}

/// Reads entries in the order of their sequence numbers.
pub struct Chronicle<'t> {
    trust: Option<&'t Trust>,
    /// Applications that have no certificate yet.
    stories: HashMap<String, Story>,
    /// The newest statement about each object.
    chains: HashMap<String, Hash>,
    /// What administrators have signed about each object of their acts, of what is not decided on yet.
    proposals: HashMap<String, Vec<SignedStatement>>,
    /// The certificates of each officer.
    certified: HashMap<String, Vec<SerialNumber>>,
    /// Since when (unix milliseconds) officers' certificates are revoked.
    revoked: HashMap<SerialNumber, i64>,
    /// Statements that no head covers yet: sequence, object, unix milliseconds.
    uncovered: Vec<(i64, String, i64)>,
    /// When the last head was sealed, unix milliseconds.
    sealed_at: Option<Timestamp>,
    history: History,
}

/// What is known of an application.
struct Story {
    id: ApplicationId,
    registration: Registration,
    /// The benefit that was claimed.
    benefit: Option<String>,
    /// Amounts of its invoices, by their numbers.
    invoices: HashMap<String, i64>,
    is_paid: bool,
    documents: BTreeMap<DocumentKind, Hash>,
    /// Since when it is with the reviewers.
    under_review_since: Option<Timestamp>,
    /// Those of this round.
    approvals: Vec<SignedStatement>,
    is_rejected: bool,
}

#[derive(Deserialize)]
struct Created {
    channel: String,
    subject_type: String,
    benefit: Option<String>,
    /// Entries of before it was told have the registrar as their actor.
    registered_by: Option<String>,
}

#[derive(Deserialize)]
struct Invoiced {
    number: String,
    amount_tiyin: i64,
    #[serde(default)]
    rule: String,
}

#[derive(Deserialize)]
struct Moved {
    to: String,
}

#[derive(Deserialize)]
struct Uploaded {
    kind: String,
    sha256: String,
}

#[derive(Deserialize)]
struct Stated {
    sha256: String,
}

#[derive(Deserialize)]
struct Decided {
    act: Act,
    /// Entries of before it was told have none.
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Certified {
    serial: String,
}

#[derive(Deserialize)]
struct Issued {
    application: Option<String>,
    profile: String,
    certificate_sha256: Option<String>,
}

impl<'t> Chronicle<'t> {
    /// Nothing has happened yet. Without trust, signatures are not looked at.
    pub fn new(trust: Option<&'t Trust>) -> Self {
        let (stories, chains, proposals, certified, revoked) = Default::default();
        let (uncovered, history) = Default::default();
        Self { trust, stories, chains, proposals, certified, revoked, uncovered, sealed_at: None, history }
    }

    /// The next entry, with what stands beside it.
    pub fn entry(&mut self, sequence: i64, entry: &Entry, attachment: Option<&Examined>) {
        if entry.action == SIGN {
            self.uncovered.push((sequence, entry.object.clone(), entry.at));
        }
        if let Err(fault) = self.follow(entry, attachment.map(|examined| &examined.0)) {
            self.found(sequence, entry.object.clone(), fault);
        }
    }

    /// The next head, over the entries since the last one, that the audit key has signed. It bounds the times of what officers signed:
    /// an entry has a time of its writer's choice.
    pub fn head(&mut self, sealed_at: Timestamp) {
        let sealed = sealed_at.unix_millis();
        let before = self.sealed_at.replace(sealed_at);
        let earliest = before.map_or(i64::MIN, |at| at.minus(LATENESS).unix_millis().saturating_sub(SKEW));
        for (sequence, object, at) in std::mem::take(&mut self.uncovered) {
            if !(earliest..=sealed.saturating_add(SKEW)).contains(&at) {
                self.found(sequence, object, Broken::OutOfTime);
            }
        }
    }

    fn found(&mut self, sequence: i64, object: String, fault: Broken) {
        if self.history.findings.len() < TOLD {
            self.history.findings.push(Finding { sequence, object, fault });
        } else {
            self.history.untold += 1;
        }
    }

    /// The log ends here.
    pub fn finish(self) -> History {
        self.history
    }

    fn follow(&mut self, entry: &Entry, attachment: Option<&Findings>) -> Result<(), Broken> {
        match entry.action.as_str() {
            "application.create" => self.created(entry),
            "certificate.issue" => self.issued(entry, attachment),
            SIGN => self.signed(entry, attachment),
            "act.enact" => self.enacted(entry),
            "act.refuse" | "act.withdraw" => self.proposal(entry).map(drop),
            "officer.certify" => self.officer_certified(entry),
            "officer.revoke-certificates" => {
                for serial in self.certified.get(&entry.object).into_iter().flatten() {
                    self.revoked.entry(*serial).or_insert(entry.at);
                }
                Ok(())
            }
            _ => match self.stories.get_mut(&entry.object) {
                Some(story) => story.follow(entry),
                None => Ok(()),
            },
        }
    }

    fn created(&mut self, entry: &Entry) -> Result<(), Broken> {
        let Created { channel, subject_type, benefit, registered_by } = details(entry)?;
        let id = entry.object.strip_prefix("application:").and_then(|id| id.parse().ok());
        let registration = Registration {
            subject_type: subject_type.parse().map_err(|_| Broken::Unreadable)?,
            channel: channel.parse().map_err(|_| Broken::Unreadable)?,
            registered_by: registered_by.or_else(|| entry.actor.strip_prefix("officer:").map(str::to_owned)),
        };
        let (invoices, documents, approvals) = Default::default();
        let story = Story {
            id: id.ok_or(Broken::Unreadable)?,
            // Applicants cannot give themselves what only others vouch for.
            benefit: benefit.filter(|_| entry.actor != "applicant"),
            registration,
            invoices,
            is_paid: false,
            documents,
            under_review_since: None,
            approvals,
            is_rejected: false,
        };
        self.stories.insert(entry.object.clone(), story);
        Ok(())
    }

    fn officer_certified(&mut self, entry: &Entry) -> Result<(), Broken> {
        let Certified { serial } = details(entry)?;
        let serial = serial.parse().map_err(|_| Broken::Unreadable)?;
        self.certified.entry(entry.object.clone()).or_default().push(serial);
        Ok(())
    }

    fn signed(&mut self, entry: &Entry, attachment: Option<&Findings>) -> Result<(), Broken> {
        self.history.statements += 1;
        let told = hash(&details::<Stated>(entry)?.sha256)?;
        let Some(Findings::Statement(examined)) = attachment else { return Err(Broken::NoStatement) };
        let ExaminedStatement { sha256, statement, signed } = &**examined;
        let statement = statement.as_ref().filter(|read| read.object == entry.object);
        let statement = statement.filter(|_| *sha256 == told).ok_or(Broken::NoStatement)?;
        let previous = self.chains.insert(entry.object.clone(), told).unwrap_or(FIRST);
        if statement.previous != previous {
            return Err(Broken::BrokenChain);
        }
        if self.trust.is_none() {
            return Ok(());
        }
        let signed = signed.as_ref().ok_or(Broken::Signature)?;
        let certified = self.certified.get(&format!("officer:{}", signed.officer.login));
        if !certified.is_some_and(|serials| serials.contains(&signed.officer.serial)) {
            return Err(Broken::UnknownCertificate);
        }
        if self.is_revoked(&signed.officer.serial, entry.at) {
            return Err(Broken::RevokedCertificate);
        }
        // Nobody signs today with a key that ended, in the name of a time when it had not.
        let age = entry.at.saturating_sub(signed.statement.at.unix_millis());
        if !(-SKEW..=LATEST).contains(&age) {
            return Err(Broken::OutOfTime);
        }
        if let Some(story) = self.stories.get_mut(&entry.object) {
            story.hear(signed.clone());
        } else if matches!(signed.statement.act.as_str(), PROPOSE | CONFIRM) {
            let about = self.proposals.entry(entry.object.clone()).or_default();
            if signed.statement.act == PROPOSE {
                // Whatever was signed before was another proposal.
                about.retain(|known| known.statement.terms != signed.statement.terms);
            }
            about.push(signed.clone());
        }
        Ok(())
    }

    /// What was signed of an act that is decided on by this entry, which ends its being a proposal.
    fn proposal(&mut self, entry: &Entry) -> Result<(Act, Vec<SignedStatement>), Broken> {
        let Decided { act, reason } = details(entry)?;
        let terms = act.terms(&reason).map_err(|_| Broken::Unreadable)?;
        let about = self.proposals.get_mut(&act.object());
        let signed =
            about.map(|about| about.extract_if(.., |known| known.statement.terms == terms).collect());
        Ok((act, signed.unwrap_or_default()))
    }

    fn enacted(&mut self, entry: &Entry) -> Result<(), Broken> {
        let (act, signed) = self.proposal(entry)?;
        let Some(trust) = self.trust else { return Ok(()) };
        // An entry has a time of its writer's choice, but no earlier one than the head before it.
        let at = entry.at.max(self.sealed_at.map_or(i64::MIN, Timestamp::unix_millis));
        if trust.precedes(Timestamp::from_unix_millis(at)) {
            return Ok(());
        }
        // Nobody decides about themselves.
        let counts = |signed: &&SignedStatement| {
            signed.officer.role == Role::Admin
                && act.login() != Some(&signed.officer.login)
                && !self.is_revoked(&signed.officer.serial, at)
        };
        let administrators: BTreeSet<&str> =
            signed.iter().filter(counts).map(|signed| signed.officer.login.as_str()).collect();
        let needed = if act.is_urgent() { 1 } else { trust.policy.administrators() };
        if administrators.len() < needed { Err(Broken::NotEnacted) } else { Ok(()) }
    }

    /// By then, and not only in the moment in which somebody acted on it.
    fn is_revoked(&self, serial: &SerialNumber, at: i64) -> bool {
        self.revoked.get(serial).is_some_and(|since| since.saturating_add(SKEW) < at)
    }

    fn issued(&mut self, entry: &Entry, attachment: Option<&Findings>) -> Result<(), Broken> {
        let Issued { application, profile, certificate_sha256 } = details(entry)?;
        let told = certificate_sha256.as_deref().map(hash).transpose()?;
        let mut certificate = None;
        if let Some(Findings::Certificate(ExaminedCertificate { sha256, read, .. })) = attachment {
            let read = read.as_ref().filter(|_| told.is_none_or(|told| *sha256 == told));
            let serial = entry.object.rsplit('/').next().unwrap_or_default();
            let read = read.filter(|read| read.serial.to_string() == serial);
            certificate = Some(read.ok_or(Broken::OtherCertificate)?);
        }
        if self.trust.is_some_and(|trust| !trust.issuers.is_empty()) {
            match attachment {
                Some(Findings::Certificate(examined)) if examined.is_issued => {}
                Some(Findings::Certificate(_)) => return Err(Broken::OtherIssuer),
                _ => return Err(Broken::NoCertificate),
            }
        }
        let Some(application) = application else {
            let named = certificate.map(Certificate::subject_text).unwrap_or_default();
            return if is_subscribers(&profile, &named) { Err(Broken::NoApplication) } else { Ok(()) };
        };
        self.history.certificates += 1;
        let story = self.stories.remove(&format!("application:{application}"));
        let mut story = story.ok_or(Broken::NoBeginning)?;
        // What officers approved whose certificates were revoked before counts no more.
        story.approvals.retain(|signed| !self.is_revoked(&signed.officer.serial, entry.at));
        if !story.is_paid {
            return Err(Broken::Unpaid);
        }
        let under_review_since = story.under_review_since.ok_or(Broken::NotUnderReview)?;
        let Some(trust) = self.trust else { return Ok(()) };
        if certificate.is_some_and(|read| trust.precedes(read.not_before)) {
            self.history.unsigned += 1;
            return Ok(());
        }
        if story.is_rejected {
            return Err(NotApproved::Rejected.into());
        }
        let content_sha256 = match certificate {
            Some(read) => {
                self.history.compared += 1;
                content_sha256_of_certificate(&read.der, &story.registration)
                    .map_err(|_| Broken::OtherCertificate)?
            }
            // What it says is not here to be seen: at least all of them signed the same.
            None => story.signed_content().unwrap_or_default(),
        };
        let documents = story.documents.iter().map(|(kind, sha256)| (*kind, sha256.as_slice()));
        let approvable = Approvable {
            application: story.id,
            content_sha256,
            evidence_sha256: evidence_sha256(documents),
            under_review_since,
        };
        judge(&story.approvals, &story.registration, &approvable, &trust.policy)?;
        Ok(())
    }
}

impl Story {
    fn follow(&mut self, entry: &Entry) -> Result<(), Broken> {
        match entry.action.as_str() {
            "invoice.write" => {
                let Invoiced { number, amount_tiyin, rule } = details(entry)?;
                let named = self.benefit.as_deref().is_some_and(|benefit| names_benefit(&rule, benefit));
                self.is_paid = amount_tiyin == 0 && named;
                self.invoices.insert(number, amount_tiyin);
            }
            "invoice.pay" => {
                let Invoiced { number, amount_tiyin, .. } = details(entry)?;
                self.is_paid = amount_tiyin > 0 && self.invoices.get(&number) == Some(&amount_tiyin);
            }
            "invoice.take-back" => self.is_paid = false,
            "application.document" => {
                let Uploaded { kind, sha256 } = details(entry)?;
                let kind = kind.parse().map_err(|()| Broken::Unreadable)?;
                self.documents.insert(kind, hash(&sha256)?);
            }
            action if action.starts_with("application.") => {
                // Whatever else happens to an application does not move it.
                if let Ok(Moved { to }) = details(entry) {
                    self.moved(&to, Timestamp::from_unix_millis(entry.at));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn moved(&mut self, to: &str, at: Timestamp) {
        if to == State::UnderReview.as_str() {
            self.under_review_since = Some(at);
            self.approvals.clear();
            self.is_rejected = false;
        } else if to != State::Approved.as_str() {
            self.under_review_since = None;
        }
    }

    /// What an officer has signed about it, if it is about this round.
    fn hear(&mut self, signed: SignedStatement) {
        let since = self.under_review_since.map(|since| since.to_string());
        if since.is_none() || signed.statement.term("under-review-since") != since.as_deref() {
            return;
        }
        match signed.statement.act.as_str() {
            "approve" => self.approvals.push(signed),
            "reject" => self.is_rejected = true,
            _ => {}
        }
    }

    fn signed_content(&self) -> Option<Hash> {
        hash(self.approvals.first()?.statement.term("content-sha256")?).ok()
    }
}

/// Whether a certificate is of the kind that applications are for: by its profile, or because a personal or taxpayer's number is in
/// its subject (as [`Certificate::subject_text`] has it), whatever its profile is called.
pub fn is_subscribers(profile: &str, subject: &str) -> bool {
    profile.parse::<SubjectType>().is_ok() || subject.contains(NATIONAL_NUMBERS)
}

fn details<'a, T: Deserialize<'a>>(entry: &'a Entry) -> Result<T, Broken> {
    serde_json::from_str(&entry.details).map_err(|_| Broken::Unreadable)
}

fn hash(text: &str) -> Result<Hash, Broken> {
    hex::decode(text).ok().and_then(|octets| octets.try_into().ok()).ok_or(Broken::Unreadable)
}
