//! An application for a certificate: its state says whose move it is, and a command is a decision, not an act.
//!
//! Every command is a method that returns a [`Transition`] for the store to make durable, or a [`Refusal`] that names
//! the rule it keeps. The whole (state x command) table is one snapshot in the tests below.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::fee::Channel;
use crate::subject::{Subject, SubjectType};

/// Names an application; time-ordered (UUIDv7), so that pages and queues run from oldest to newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApplicationId(Uuid);

impl ApplicationId {
    /// A new name.
    pub fn new(now: Timestamp) -> Self {
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        let nanos = u32::try_from(now.unix_millis().rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for ApplicationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// Whose move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The applicant's move (or that of the officer registering them): complete the facts and submit.
    Draft,
    /// A registration officer's move: verify identity, then approve, return or reject.
    UnderReview,
    /// The CA's move: sign.
    Approved,
    /// Nobody's move: the certificate exists.
    Issued,
    /// Nobody's move: an officer refused, with a reason.
    Rejected,
    /// Nobody's move: the applicant gave up.
    Withdrawn,
    /// Nobody's move: the draft was left alone too long.
    Expired,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::UnderReview,
        Self::Approved,
        Self::Issued,
        Self::Rejected,
        Self::Withdrawn,
        Self::Expired,
    ];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::UnderReview => "under_review",
            Self::Approved => "approved",
            Self::Issued => "issued",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// Whose move it is.
    pub fn next_actor(self) -> NextActor {
        match self {
            Self::Draft => NextActor::Applicant,
            Self::UnderReview => NextActor::RegistrationOfficer,
            Self::Approved => NextActor::Ca,
            Self::Issued | Self::Rejected | Self::Withdrawn | Self::Expired => NextActor::Nobody,
        }
    }
}

/// The text is not the name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of an application")]
pub struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

/// Whose move it is, in the words of RFC 3647.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextActor {
    /// The one who applies, or the officer who registers them.
    Applicant,
    /// An officer in the reviewer role.
    RegistrationOfficer,
    /// `ca-signer`.
    Ca,
    /// The application has ended.
    Nobody,
}

impl NextActor {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applicant => "applicant",
            Self::RegistrationOfficer => "registration_officer",
            Self::Ca => "ca",
            Self::Nobody => "nobody",
        }
    }
}

/// What an officer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Registers walk-in applicants.
    Registrar,
    /// Reviews: approves, returns, rejects.
    Reviewer,
    /// Changes the status of certificates.
    Revocation,
    /// Reads everything, changes nothing.
    Auditor,
    /// Keeps officers and settings; approves nothing.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Registrar, Self::Reviewer, Self::Revocation, Self::Auditor, Self::Admin];

    /// The name in the API, on the command line and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::Reviewer => "reviewer",
            Self::Revocation => "revocation",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

/// The text is not the name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role: registrar, reviewer, revocation, auditor or admin")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// An officer as decisions see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// The login, which also names the officer in events and audit entries.
    pub login: String,
    /// What they may do.
    pub role: Role,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The one who applies.
    Applicant,
    /// An officer, by login.
    Officer(String),
    /// A channel partner, by its name in the settings.
    Partner(String),
    /// `ca-signer`.
    Ca,
    /// The passing of time.
    Clock,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applicant => f.write_str("applicant"),
            Self::Officer(login) => write!(f, "officer:{login}"),
            Self::Partner(name) => write!(f, "partner:{name}"),
            Self::Ca => f.write_str("ca"),
            Self::Clock => f.write_str("clock"),
        }
    }
}

/// Why an officer returns or rejects an application: a list, so that the applicant reads it in their own language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The photo cannot be recognised.
    PhotoUnclear,
    /// The selfie cannot be recognised, or the passport in it cannot be read.
    SelfieUnclear,
    /// The document in the selfie is not the one stated.
    DocumentMismatch,
    /// The person in the pictures is not the one stated.
    IdentityMismatch,
    /// Something stated is incomplete.
    DataIncomplete,
    /// A representative of a legal entity sent no power of attorney.
    PowerOfAttorneyMissing,
    /// The power of attorney does not cover this.
    PowerOfAttorneyInvalid,
    /// Somebody else seems to act in the subject's name.
    SuspectedFraud,
    /// The same person has the same application open.
    DuplicateApplication,
    /// See the note.
    Other,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::PhotoUnclear,
        Self::SelfieUnclear,
        Self::DocumentMismatch,
        Self::IdentityMismatch,
        Self::DataIncomplete,
        Self::PowerOfAttorneyMissing,
        Self::PowerOfAttorneyInvalid,
        Self::SuspectedFraud,
        Self::DuplicateApplication,
        Self::Other,
    ];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PhotoUnclear => "photo-unclear",
            Self::SelfieUnclear => "selfie-unclear",
            Self::DocumentMismatch => "document-mismatch",
            Self::IdentityMismatch => "identity-mismatch",
            Self::DataIncomplete => "data-incomplete",
            Self::PowerOfAttorneyMissing => "power-of-attorney-missing",
            Self::PowerOfAttorneyInvalid => "power-of-attorney-invalid",
            Self::SuspectedFraud => "suspected-fraud",
            Self::DuplicateApplication => "duplicate-application",
            Self::Other => "other",
        }
    }
}

/// Something `submit` looks for. None of them is a state: none of them makes it somebody else's move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The offer is accepted.
    Offer,
    /// A certification request with a valid proof of possession.
    Csr,
    /// The invoice is paid.
    Payment,
    /// A photo of the subject.
    Photo,
    /// The subject with the open passport; in a service centre an officer sees them instead.
    Selfie,
    /// A legal entity's authority for a holder who is not its head (law O'RQ-793).
    PowerOfAttorney,
}

impl Fact {
    /// The name in the API and of the text that asks for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Csr => "csr",
            Self::Payment => "payment",
            Self::Photo => "photo",
            Self::Selfie => "selfie",
            Self::PowerOfAttorney => "power-of-attorney",
        }
    }
}

/// A document an applicant hands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A photo of the subject.
    Photo,
    /// The subject with the open passport.
    Selfie,
    /// A legal entity's power of attorney, a picture or a PDF.
    PowerOfAttorney,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Photo, Self::Selfie, Self::PowerOfAttorney];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Selfie => "selfie",
            Self::PowerOfAttorney => "power-of-attorney",
        }
    }
}

impl FromStr for DocumentKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// What is there and what is not, read with the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The offer was accepted.
    pub offer_accepted: bool,
    /// A certification request is stored.
    pub csr: bool,
    /// The live invoice is paid.
    pub paid: bool,
    /// The kinds of documents that are stored.
    pub documents: Vec<DocumentKind>,
    /// The statement is signed with the key of the holder's valid certificate, which is renewed: whoever was identified
    /// for that one has shown who they are.
    pub renewal_signed: bool,
}

/// An application as decisions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its name.
    pub id: ApplicationId,
    /// Whose move it is.
    pub state: State,
    /// Who is to be certified.
    pub subject: Subject,
    /// Where it came in.
    pub channel: Channel,
    /// The registrar who registered a walk-in applicant.
    pub registered_by: Option<String>,
    /// What `submit` looks at.
    pub facts: Facts,
    /// When it was created.
    pub created_at: Timestamp,
    /// When somebody last moved it.
    pub updated_at: Timestamp,
}

/// A decision: the store makes it durable if the application is still in `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Which application.
    pub application: ApplicationId,
    /// The verb, for the event and the audit entry.
    pub command: &'static str,
    /// The state it was decided in.
    pub from: State,
    /// The state it leads to.
    pub to: State,
    /// Who decided.
    pub actor: Actor,
    /// For a return or a rejection.
    pub reason: Option<Reason>,
    /// What the officer adds, or the finding of the signer's lint.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is somebody else's move, or nobody's.
    #[error("the application is {}: next to act: {}", .0.as_str(), .0.next_actor().as_str())]
    WrongState(State),
    /// Four eyes: whoever registered an applicant does not approve them.
    #[error("an officer cannot decide on an application they registered")]
    OwnApplication,
    /// The officer's role does not include this.
    #[error("the role does not allow this")]
    RoleNotAllowed,
    /// Facts are missing.
    #[error("facts are missing")]
    Incomplete(Vec<Fact>),
}

impl Application {
    /// The kind of subject.
    pub fn subject_type(&self) -> SubjectType {
        self.subject.subject_type()
    }

    /// The facts still needed before it can be submitted, in the order people are asked for them.
    pub fn missing(&self) -> Vec<Fact> {
        let has = |kind| self.facts.documents.contains(&kind);
        [
            (Fact::Offer, self.facts.offer_accepted),
            (Fact::Csr, self.facts.csr),
            (Fact::Payment, self.facts.paid),
            (Fact::Photo, has(DocumentKind::Photo) || self.facts.renewal_signed),
            (
                Fact::Selfie,
                has(DocumentKind::Selfie)
                    || self.channel == Channel::ServiceCenter
                    || self.facts.renewal_signed,
            ),
            (Fact::PowerOfAttorney, has(DocumentKind::PowerOfAttorney) || !self.subject.representative()),
        ]
        .into_iter()
        .filter_map(|(fact, there)| (!there).then_some(fact))
        .collect()
    }

    /// May the facts be changed? Only while it is the applicant's move.
    ///
    /// # Errors
    /// [`Refusal::WrongState`].
    pub fn edit(&self) -> Result<(), Refusal> {
        match self.state {
            State::Draft => Ok(()),
            other => Err(Refusal::WrongState(other)),
        }
    }

    /// The applicant hands it in.
    ///
    /// # Errors
    /// [`Refusal::WrongState`], [`Refusal::Incomplete`].
    pub fn submit(&self, actor: Actor, now: Timestamp) -> Result<Transition, Refusal> {
        self.edit()?;
        match self.missing() {
            missing if missing.is_empty() => Ok(self.moves_to(State::UnderReview, "submit", actor, now)),
            missing => Err(Refusal::Incomplete(missing)),
        }
    }

    /// The applicant gives up, before an officer has decided.
    ///
    /// # Errors
    /// [`Refusal::WrongState`].
    pub fn withdraw(&self, actor: Actor, now: Timestamp) -> Result<Transition, Refusal> {
        match self.state {
            State::Draft | State::UnderReview => Ok(self.moves_to(State::Withdrawn, "withdraw", actor, now)),
            other => Err(Refusal::WrongState(other)),
        }
    }

    /// Decides; does not act. The CA signs what an officer approved, and nothing else.
    ///
    /// # Errors
    /// [`Refusal::RoleNotAllowed`], [`Refusal::WrongState`], [`Refusal::OwnApplication`]; [`Refusal::Incomplete`] if what was
    /// paid was returned meanwhile.
    pub fn approve(&self, officer: &Officer, now: Timestamp) -> Result<Transition, Refusal> {
        self.review(officer)?;
        if !self.facts.paid {
            return Err(Refusal::Incomplete(vec![Fact::Payment]));
        }
        Ok(self.moves_to(State::Approved, "approve", Actor::Officer(officer.login.clone()), now))
    }

    /// Sends it back to the applicant, who may mend and submit again.
    ///
    /// # Errors
    /// [`Refusal::RoleNotAllowed`], [`Refusal::WrongState`], [`Refusal::OwnApplication`].
    pub fn send_back(
        &self,
        officer: &Officer,
        reason: Reason,
        note: Option<String>,
        now: Timestamp,
    ) -> Result<Transition, Refusal> {
        self.review(officer)?;
        let moved = self.moves_to(State::Draft, "return", Actor::Officer(officer.login.clone()), now);
        Ok(Transition { reason: Some(reason), note, ..moved })
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`Refusal::RoleNotAllowed`], [`Refusal::WrongState`], [`Refusal::OwnApplication`].
    pub fn reject(
        &self,
        officer: &Officer,
        reason: Reason,
        note: Option<String>,
        now: Timestamp,
    ) -> Result<Transition, Refusal> {
        self.review(officer)?;
        let moved = self.moves_to(State::Rejected, "reject", Actor::Officer(officer.login.clone()), now);
        Ok(Transition { reason: Some(reason), note, ..moved })
    }

    /// The CA has signed.
    ///
    /// # Errors
    /// [`Refusal::WrongState`].
    pub fn issue(&self, now: Timestamp) -> Result<Transition, Refusal> {
        match self.state {
            State::Approved => Ok(self.moves_to(State::Issued, "issue", Actor::Ca, now)),
            other => Err(Refusal::WrongState(other)),
        }
    }

    /// The CA's lint refused what was approved; an officer must look at the finding.
    ///
    /// # Errors
    /// [`Refusal::WrongState`].
    pub fn refuse_issuance(&self, finding: String, now: Timestamp) -> Result<Transition, Refusal> {
        match self.state {
            State::Approved => {
                let moved = self.moves_to(State::UnderReview, "refuse-issuance", Actor::Ca, now);
                Ok(Transition { note: Some(finding), ..moved })
            }
            other => Err(Refusal::WrongState(other)),
        }
    }

    /// A draft that was left alone for `lifetime` ends.
    ///
    /// # Errors
    /// [`Refusal::WrongState`] also while the draft is still young.
    pub fn expire(&self, lifetime: Duration, now: Timestamp) -> Result<Transition, Refusal> {
        match self.state {
            State::Draft if now.since(self.updated_at) >= lifetime => {
                Ok(self.moves_to(State::Expired, "expire", Actor::Clock, now))
            }
            other => Err(Refusal::WrongState(other)),
        }
    }

    /// May this officer decide on this application now?
    fn review(&self, officer: &Officer) -> Result<(), Refusal> {
        match self.state {
            _ if officer.role != Role::Reviewer => Err(Refusal::RoleNotAllowed),
            State::UnderReview if self.registered_by.as_deref() == Some(&officer.login) => {
                Err(Refusal::OwnApplication)
            }
            State::UnderReview => Ok(()),
            other => Err(Refusal::WrongState(other)),
        }
    }

    fn moves_to(&self, to: State, command: &'static str, actor: Actor, at: Timestamp) -> Transition {
        Transition {
            application: self.id,
            command,
            from: self.state,
            to,
            actor,
            reason: None,
            note: None,
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::SubjectForm;

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000)
    }

    fn officer(login: &str, role: Role) -> Officer {
        Officer { login: login.to_owned(), role }
    }

    /// An invented person; the check digit is computed (weights 7, 3, 1).
    fn form() -> SubjectForm {
        let first_13 = "3010190111222";
        let weights = [7, 3, 1].into_iter().cycle();
        let sum: u32 = first_13.bytes().zip(weights).map(|(d, w)| u32::from(d - b'0') * w).sum();
        serde_json::from_value(serde_json::json!({
            "pinfl": format!("{first_13}{}", sum % 10),
            "passport": "AA1234567",
            "surname": "Namunayev",
            "given_name": "Namuna",
            "birth_date": "1990-01-01",
        }))
        .unwrap()
    }

    fn application(state: State) -> Application {
        Application {
            id: ApplicationId::new(now()),
            state,
            subject: form().check(SubjectType::NaturalPerson, now()).unwrap().0,
            channel: Channel::Online,
            registered_by: None,
            facts: Facts {
                offer_accepted: true,
                csr: true,
                paid: true,
                documents: vec![DocumentKind::Photo, DocumentKind::Selfie],
                renewal_signed: false,
            },
            created_at: now(),
            updated_at: now(),
        }
    }

    /// What every command leads to in a state, one line a command.
    fn line(application: &Application) -> Vec<String> {
        let reviewer = officer("reviewer", Role::Reviewer);
        let late = now().plus(Duration::from_secs(3600));
        let commands: [(&str, Result<Transition, Refusal>); 8] = [
            ("submit", application.submit(Actor::Applicant, now())),
            ("withdraw", application.withdraw(Actor::Applicant, now())),
            ("approve", application.approve(&reviewer, now())),
            ("return", application.send_back(&reviewer, Reason::PhotoUnclear, None, now())),
            ("reject", application.reject(&reviewer, Reason::SuspectedFraud, None, now())),
            ("issue", application.issue(now())),
            ("refuse-issuance", application.refuse_issuance("finding".to_owned(), now())),
            ("expire", application.expire(Duration::from_secs(3600), late)),
        ];
        commands
            .into_iter()
            .map(|(command, outcome)| {
                let outcome = match outcome {
                    Ok(transition) => {
                        assert_eq!(transition.command, command);
                        assert_eq!(transition.from, application.state);
                        format!("-> {}", transition.to.as_str())
                    }
                    Err(refusal) => format!("   {refusal}"),
                };
                format!("{:<13} {command:<16} {outcome}", application.state.as_str())
            })
            .collect()
    }

    #[test]
    fn the_whole_table_of_states_and_commands() {
        let table: Vec<String> = State::ALL.into_iter().flat_map(|state| line(&application(state))).collect();
        insta::assert_snapshot!("state by command", table.join("\n"));
    }

    #[test]
    fn a_state_says_whose_move_it_is() {
        let movers = State::ALL.map(|state| (state.as_str(), state.next_actor().as_str()));
        insta::assert_debug_snapshot!("whose move", movers);
    }

    #[test]
    fn nothing_is_submitted_before_every_fact_is_there() {
        let mut application = application(State::Draft);
        application.facts = Facts::default();
        let missing = vec![Fact::Offer, Fact::Csr, Fact::Payment, Fact::Photo, Fact::Selfie];
        assert_eq!(application.missing(), missing);
        assert_eq!(application.submit(Actor::Applicant, now()), Err(Refusal::Incomplete(missing)));
        application.channel = Channel::ServiceCenter;
        assert!(!application.missing().contains(&Fact::Selfie), "an officer sees a walk-in applicant");
        application.channel = Channel::Online;
        application.facts.renewal_signed = true;
        assert_eq!(
            application.missing(),
            [Fact::Offer, Fact::Csr, Fact::Payment],
            "the present key has shown who it is"
        );
    }

    #[test]
    fn a_representative_needs_a_power_of_attorney_and_a_head_does_not() {
        let form = form();
        let head = |head: &str| SubjectForm {
            stir: Some("301234567".to_owned()),
            organization: Some("Namuna MChJ".to_owned()),
            title: Some("Direktor".to_owned()),
            head_pinfl: Some(head.to_owned()),
            ..form.clone()
        };
        let own = form.pinfl.clone().unwrap();
        let mut application = application(State::Draft);
        application.subject = head(&own).check(SubjectType::LegalEntity, now()).unwrap().0;
        assert_eq!(application.missing(), []);
        let other = "30101901112234";
        if let Ok((subject, _)) = head(other).check(SubjectType::LegalEntity, now()) {
            application.subject = subject;
            assert_eq!(application.missing(), [Fact::PowerOfAttorney]);
        } else {
            panic!("{other} is not a PINFL: compute another");
        }
    }

    #[test]
    fn no_officer_decides_on_an_application_they_registered() {
        let mut application = application(State::UnderReview);
        application.registered_by = Some("reviewer".to_owned());
        let own = officer("reviewer", Role::Reviewer);
        assert_eq!(application.approve(&own, now()), Err(Refusal::OwnApplication));
        assert_eq!(application.reject(&own, Reason::Other, None, now()), Err(Refusal::OwnApplication));
        assert!(application.approve(&officer("another", Role::Reviewer), now()).is_ok());
    }

    #[test]
    fn only_reviewers_decide() {
        let application = application(State::UnderReview);
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Reviewer) {
            assert_eq!(application.approve(&officer("other", role), now()), Err(Refusal::RoleNotAllowed));
        }
    }
}
