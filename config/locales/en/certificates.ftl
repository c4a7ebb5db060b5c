certificate-status-good = Valid
certificate-status-suspended = Suspended
certificate-status-revoked = Revoked
certificate-status-expired = Expired

# RFC 5280 section 5.3.1.
revocation-reason-unspecified = No reason given
revocation-reason-keyCompromise = The key was lost, stolen or seen by others
revocation-reason-cACompromise = The authority's key was compromised
revocation-reason-affiliationChanged = The holder's data or position changed
revocation-reason-superseded = Replaced by another certificate
revocation-reason-cessationOfOperation = No longer needed
revocation-reason-certificateHold = Suspended
revocation-reason-privilegeWithdrawn = The right to it was withdrawn
revocation-reason-aACompromise = An attribute authority's key was compromised

# Why a status cannot be changed.
status-change-already-revoked = The certificate is revoked, and revocation is final.
status-change-already-suspended = The certificate is already suspended.
status-change-not-suspended = The certificate is not suspended.
status-change-expired = The certificate has expired.
status-change-reason-not-allowed = You cannot give this reason.
status-change-restoration-not-allowed = Only a revocation officer can restore a certificate.
status-change-invalidity-in-future = The day since when the key is suspected lies in the future.
