//! Who may take a certificate's validity away, why, and when it may come back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// RFC 5280 section 5.3.1 reason codes that can stand in a status record. `certificateHold` is a status of its own
/// ([`Status::Suspended`]) and `removeFromCRL` exists only in delta CRLs; neither is a reason here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// 0: no reason given; not written in CRL entries (RFC 5280 section 5.3.1).
    Unspecified,
    /// 1: the subscriber's private key is lost or known to another.
    KeyCompromise,
    /// 2: the CA's private key is known to another.
    #[serde(rename = "cACompromise")]
    CaCompromise,
    /// 3: the subject's name or other information has changed.
    AffiliationChanged,
    /// 4: another certificate has taken its place.
    Superseded,
    /// 5: the certificate is no longer needed.
    CessationOfOperation,
    /// 9: a privilege contained in the certificate has been withdrawn.
    PrivilegeWithdrawn,
    /// 10: the attribute authority's key is known to another.
    #[serde(rename = "aACompromise")]
    AaCompromise,
}

impl Reason {
    /// Every reason, in the order of its code.
    pub const ALL: [Self; 8] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The CRLReason code.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason with this CRLReason code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// RFC 5280's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a reason of RFC 5280 that may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a revocation reason of RFC 5280")]
pub struct UnknownReason;

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(UnknownReason)
    }
}

/// What is true of a certificate now, apart from the passing of its validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nobody has taken its validity away.
    Good,
    /// `certificateHold`: may be restored, or revoked for good.
    Suspended {
        /// When it was suspended.
        since: Timestamp,
    },
    /// For ever.
    Revoked {
        /// When it was revoked; for a revocation out of suspension, when it was suspended (RFC 5280 section 5.3.1).
        since: Timestamp,
        /// Why.
        reason: Reason,
        /// When the key is suspected to have been compromised (RFC 5280 section 5.3.2), never after `since`.
        invalidity_date: Option<Timestamp>,
    },
}

impl Status {
    /// `good`, `suspended` or `revoked`, as the register shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspended { .. } => "suspended",
            Self::Revoked { .. } => "revoked",
        }
    }
}

/// Who asks for a change of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requester {
    /// The subscriber, known by a confirmed phone.
    Holder,
    /// An officer in the revocation role.
    RevocationOfficer,
    /// The CA itself, from the command line.
    Ca,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Take the validity away for ever.
    Revoke {
        /// Why.
        reason: Reason,
        /// Since when the key is suspected, if known.
        invalidity_date: Option<Timestamp>,
    },
    /// `certificateHold`.
    Suspend,
    /// End of `certificateHold`.
    Restore,
}

/// Why a change of status is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// RFC 5280 section 5.3.1 lets nothing but a hold end.
    #[error("a revoked certificate stays revoked")]
    AlreadyRevoked,
    /// Suspending twice would move the date of the hold.
    #[error("the certificate is already suspended")]
    AlreadySuspended,
    /// There is no hold to end.
    #[error("the certificate is not suspended")]
    NotSuspended,
    /// An expired certificate needs no change of status.
    #[error("the certificate has expired")]
    Expired,
    /// The reason is for somebody else to give.
    #[error("this reason cannot be given by the one who asks")]
    ReasonNotAllowed,
    /// A hold that an officer or the CA may have put is ended by a revocation officer.
    #[error("only a revocation officer can restore a certificate")]
    RestorationNotAllowed,
    /// RFC 5280 section 5.3.2: the key cannot become suspect after the revocation it caused.
    #[error("the invalidity date lies in the future")]
    InvalidityInFuture,
}

impl Requester {
    /// RFC 5280 names the reasons; the practice statement says who can know them. Only the CA knows of its own
    /// compromise; a privilege is withdrawn by an authority, never by its bearer.
    pub fn may_give(self, reason: Reason) -> bool {
        match reason {
            Reason::Unspecified
            | Reason::KeyCompromise
            | Reason::AffiliationChanged
            | Reason::Superseded
            | Reason::CessationOfOperation => true,
            Reason::PrivilegeWithdrawn => self != Self::Holder,
            Reason::CaCompromise | Reason::AaCompromise => self == Self::Ca,
        }
    }
}

/// Decides the status that follows; the store makes it durable if the current status is still the one given.
///
/// # Errors
/// A [`Refusal`] naming the rule that forbids the change.
pub fn decide(
    current: Status,
    not_after: Timestamp,
    change: Change,
    requester: Requester,
    now: Timestamp,
) -> Result<Status, Refusal> {
    if now > not_after {
        return Err(Refusal::Expired);
    }
    match (change, current) {
        (_, Status::Revoked { .. }) => Err(Refusal::AlreadyRevoked),
        (Change::Suspend, Status::Suspended { .. }) => Err(Refusal::AlreadySuspended),
        (Change::Suspend, Status::Good) => Ok(Status::Suspended { since: now.whole_seconds() }),
        (Change::Restore, Status::Good) => Err(Refusal::NotSuspended),
        (Change::Restore, Status::Suspended { .. }) if requester == Requester::Holder => {
            Err(Refusal::RestorationNotAllowed)
        }
        (Change::Restore, Status::Suspended { .. }) => Ok(Status::Good),
        (Change::Revoke { reason, .. }, _) if !requester.may_give(reason) => Err(Refusal::ReasonNotAllowed),
        (Change::Revoke { invalidity_date: Some(at), .. }, _) if at > now => Err(Refusal::InvalidityInFuture),
        (Change::Revoke { reason, invalidity_date }, current) => {
            let since = match current {
                Status::Suspended { since } => since,
                _ => now.whole_seconds(),
            };
            Ok(Status::Revoked {
                since,
                reason,
                invalidity_date: invalidity_date.map(Timestamp::whole_seconds),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_123;

    fn change(current: Status, change: Change, requester: Requester) -> Result<Status, Refusal> {
        let now = Timestamp::from_unix_millis(NOW);
        decide(current, now.plus_months(1), change, requester, now)
    }

    fn revoke(reason: Reason) -> Change {
        Change::Revoke { reason, invalidity_date: None }
    }

    #[test]
    fn every_reason_survives_its_name_and_its_code() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!("certificateHold".parse::<Reason>(), Err(UnknownReason));
        assert_eq!(Reason::from_code(6), None);
    }

    #[test]
    fn only_the_ca_speaks_of_its_own_compromise_and_no_holder_of_privileges() {
        let refused = |requester: Requester| {
            Reason::ALL
                .into_iter()
                .filter(|r| !requester.may_give(*r))
                .map(Reason::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(refused(Requester::Holder), ["cACompromise", "privilegeWithdrawn", "aACompromise"]);
        assert_eq!(refused(Requester::RevocationOfficer), ["cACompromise", "aACompromise"]);
        assert_eq!(refused(Requester::Ca), [""; 0]);
        let asked = change(Status::Good, revoke(Reason::CaCompromise), Requester::Holder);
        assert_eq!(asked, Err(Refusal::ReasonNotAllowed));
    }

    #[test]
    fn a_revocation_is_for_ever_and_a_hold_is_not() {
        let since = Timestamp::from_unix_millis(NOW).whole_seconds();
        let revoked = change(Status::Good, revoke(Reason::Superseded), Requester::Holder).unwrap();
        assert_eq!(revoked, Status::Revoked { since, reason: Reason::Superseded, invalidity_date: None });
        for again in [revoke(Reason::KeyCompromise), Change::Suspend, Change::Restore] {
            assert_eq!(change(revoked, again, Requester::Ca), Err(Refusal::AlreadyRevoked));
        }
        let held = change(Status::Good, Change::Suspend, Requester::Holder).unwrap();
        assert_eq!(change(held, Change::Restore, Requester::Holder), Err(Refusal::RestorationNotAllowed));
        assert_eq!(change(held, Change::Restore, Requester::RevocationOfficer), Ok(Status::Good));
        assert_eq!(change(held, Change::Suspend, Requester::Holder), Err(Refusal::AlreadySuspended));
    }

    #[test]
    fn a_revocation_out_of_suspension_keeps_the_date_of_the_hold() {
        let since = Timestamp::from_unix_seconds(1_780_000_000);
        let revoked =
            change(Status::Suspended { since }, revoke(Reason::KeyCompromise), Requester::RevocationOfficer);
        assert_eq!(
            revoked,
            Ok(Status::Revoked { since, reason: Reason::KeyCompromise, invalidity_date: None })
        );
    }

    #[test]
    fn neither_an_expired_certificate_nor_a_future_compromise_is_recorded() {
        let now = Timestamp::from_unix_millis(NOW);
        let late = decide(Status::Good, Timestamp::from_unix_seconds(1), Change::Suspend, Requester::Ca, now);
        assert_eq!(late, Err(Refusal::Expired));
        let future =
            Change::Revoke { reason: Reason::KeyCompromise, invalidity_date: Some(now.plus_months(1)) };
        assert_eq!(change(Status::Good, future, Requester::Ca), Err(Refusal::InvalidityInFuture));
    }
}
