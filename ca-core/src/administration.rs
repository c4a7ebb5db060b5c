//! What administrators decide on: officers and their roles, prices, partners. One proposes, another decides; only a door
//! is closed by one alone, because waiting would leave it open.

use serde::{Deserialize, Serialize};

use crate::application::Role;
use crate::fee::Entry;

/// The act of the statement by which an administrator proposes one.
pub const PROPOSE: &str = "propose";
/// The act of the statement by which another puts it in force, or signs it as one of those who have to.
pub const CONFIRM: &str = "confirm";

/// An administrative act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Act {
    /// Open an officer's account.
    OfficerAdd {
        /// The account.
        login: String,
        /// What the officer may do.
        role: Role,
    },
    /// Give an officer another role.
    OfficerRole {
        /// The account.
        login: String,
        /// What the officer may do from then on.
        role: Role,
    },
    /// Give an officer a new one-time password and take authenticator and recovery codes away: both are lost.
    OfficerReset {
        /// The account.
        login: String,
    },
    /// Close an officer's account and end its sessions.
    OfficerDisable {
        /// The account.
        login: String,
    },
    /// Open an account that was closed, with a new one-time password.
    OfficerReopen {
        /// The account.
        login: String,
    },
    /// Add an entry to the fee table, from a future day on.
    Fee {
        /// Which.
        entry: Entry,
    },
    /// Take an entry that an act added out of the fee table, before its day.
    FeeWithdrawal {
        /// The act that added it.
        act: String,
        /// What it added, for those who decide.
        entry: Entry,
    },
    /// Take no more requests from a partner.
    PartnerSuspension {
        /// Its name in the settings.
        partner: String,
    },
    /// Take a suspended partner's requests again.
    PartnerRestoration {
        /// Its name in the settings.
        partner: String,
    },
}

impl Act {
    /// The name of its kind, in the API and in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OfficerAdd { .. } => "officer-add",
            Self::OfficerRole { .. } => "officer-role",
            Self::OfficerReset { .. } => "officer-reset",
            Self::OfficerDisable { .. } => "officer-disable",
            Self::OfficerReopen { .. } => "officer-reopen",
            Self::Fee { .. } => "fee",
            Self::FeeWithdrawal { .. } => "fee-withdrawal",
            Self::PartnerSuspension { .. } => "partner-suspension",
            Self::PartnerRestoration { .. } => "partner-restoration",
        }
    }

    /// What every statement about it says of it, whoever signs.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn terms(&self, reason: &str) -> Result<Vec<(&'static str, String)>, serde_json::Error> {
        Ok(vec![
            ("kind", self.kind().to_owned()),
            ("content", serde_json::to_string(self)?),
            ("reason", reason.to_owned()),
        ])
    }

    /// What it is about: `officer:<login>`, `fee:<series>`, `act:<id>` or `partner:<name>`.
    pub fn object(&self) -> String {
        match self {
            Self::Fee { entry } => format!("fee:{}", entry.series()),
            Self::FeeWithdrawal { act, .. } => format!("act:{act}"),
            Self::PartnerSuspension { partner } | Self::PartnerRestoration { partner } => {
                format!("partner:{partner}")
            }
            Self::OfficerAdd { .. }
            | Self::OfficerRole { .. }
            | Self::OfficerReset { .. }
            | Self::OfficerDisable { .. }
            | Self::OfficerReopen { .. } => format!("officer:{}", self.login().unwrap_or_default()),
        }
    }

    /// The officer it is about.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::OfficerAdd { login, .. }
            | Self::OfficerRole { login, .. }
            | Self::OfficerReset { login }
            | Self::OfficerDisable { login }
            | Self::OfficerReopen { login } => Some(login),
            Self::Fee { .. }
            | Self::FeeWithdrawal { .. }
            | Self::PartnerSuspension { .. }
            | Self::PartnerRestoration { .. } => None,
        }
    }

    /// It takes effect when it is proposed: it only takes away, and what it takes away may be in the wrong hands.
    pub fn is_urgent(&self) -> bool {
        matches!(self, Self::OfficerDisable { .. } | Self::PartnerSuspension { .. })
    }

    /// This officer may not decide on it: it is their own proposal, or it is about them.
    pub fn is_own(&self, proposed_by: &str, officer: &str) -> bool {
        proposed_by == officer || self.login() == Some(officer)
    }
}

/// What has become of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActState {
    /// Another administrator has to decide.
    Proposed,
    /// It counts, or has been carried out.
    InForce,
    /// Another administrator said no.
    Refused,
    /// Its administrator took it back.
    Withdrawn,
    /// A later act ended it.
    Revoked,
}

impl ActState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Proposed, Self::InForce, Self::Refused, Self::Withdrawn, Self::Revoked];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::InForce => "in_force",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Revoked => "revoked",
        }
    }
}

/// The longest login.
const LOGIN_MAX: usize = 32;

/// Whether the text may be a login: 1 to 32 of a-z, 0-9, dot and hyphen. Events and audit entries carry it.
pub fn is_login(text: &str) -> bool {
    (1..=LOGIN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_decides_on_their_own_proposal_or_on_themselves() {
        let act = Act::OfficerRole { login: "third".to_owned(), role: Role::Admin };
        assert!(act.is_own("first", "first") && act.is_own("first", "third"));
        assert!(!act.is_own("first", "second"));
        let partner = Act::PartnerRestoration { partner: "bank".to_owned() };
        assert!(partner.is_own("first", "first") && !partner.is_own("first", "third"));
    }

    #[test]
    fn only_what_takes_away_is_urgent() {
        let login = || "third".to_owned();
        let urgent: Vec<_> = [
            Act::OfficerAdd { login: login(), role: Role::Reviewer },
            Act::OfficerReset { login: login() },
            Act::OfficerDisable { login: login() },
            Act::OfficerReopen { login: login() },
            Act::PartnerSuspension { partner: "bank".to_owned() },
            Act::PartnerRestoration { partner: "bank".to_owned() },
        ]
        .into_iter()
        .filter(Act::is_urgent)
        .map(|act| act.kind())
        .collect();
        assert_eq!(urgent, ["officer-disable", "partner-suspension"]);
    }

    #[test]
    fn a_kind_is_written_as_it_is_called() {
        let kinds = [
            "officer-add",
            "officer-role",
            "officer-reset",
            "officer-disable",
            "officer-reopen",
            "fee",
            "fee-withdrawal",
            "partner-suspension",
            "partner-restoration",
        ];
        for kind in kinds {
            let said = serde_json::json!({
                "kind": kind, "login": "third", "role": "admin", "partner": "bank", "act": "1",
                "entry": {"series": "bhm", "from": "2027-01-01", "tiyin": 1, "source": "a test"},
            });
            let act: Act = serde_json::from_value(said).unwrap();
            assert_eq!(act.kind(), kind);
            assert_eq!(serde_json::to_value(&act).unwrap()["kind"], kind);
        }
    }

    #[test]
    fn a_login_is_short_and_plain() {
        assert!(["a", "reviewer2", "m.namunaeva", "x-1"].into_iter().all(is_login));
        assert!(!["", "A", "a b", "ў", "a:b", "a/b"].into_iter().any(is_login));
        assert!(is_login(&"a".repeat(32)) && !is_login(&"a".repeat(33)));
    }
}
