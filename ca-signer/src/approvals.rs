//! Who approved? Asked of the signatures, with nothing believed but the signer's own files: the officer CA's certificate, the
//! policy, and the list of officers' certificates that were revoked.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ca_core::application::{Application, ApplicationId};
use ca_core::approval::{self, Approvable, NotApproved, Policy, content_sha256};
use ca_core::officer_statement::{self, OfficerStatement, SignedStatement, StatementFault};
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use store::officer_statements::{self, StoredStatement};
use store::{Connection, Database, StoreError, documents};

use crate::keys::KeyError;
use crate::officer_ca;

/// Why an application is not approved, whatever its state says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unapproved {
    /// It never came to the reviewers.
    #[error("the application never waited for a reviewer")]
    NeverReviewed,
    /// The certificate to be cannot be read.
    #[error(transparent)]
    Content(#[from] approval::Unreadable),
    /// A signature is none.
    #[error("the signature under a statement does not count: {0}")]
    Signature(#[from] StatementFault),
    /// By a certificate that was revoked.
    #[error("a statement was signed with a revoked certificate of an officer")]
    Revoked,
    /// The signatures say something else.
    #[error("the application is not approved: {0}")]
    Not(#[from] NotApproved),
}

/// What the database has about the approvals of a batch. None of it is believed yet.
pub(crate) struct Claims {
    statements: HashMap<String, Vec<StoredStatement>>,
    evidence: HashMap<ApplicationId, [u8; 32]>,
    since: HashMap<ApplicationId, Timestamp>,
}

impl Claims {
    pub(crate) fn load(connection: &mut Connection, ids: &[ApplicationId]) -> Result<Self, StoreError> {
        let objects: Vec<String> = ids.iter().map(|id| format!("application:{id}")).collect();
        Ok(Self {
            statements: officer_statements::about(connection, &objects)?,
            since: officer_statements::under_review_since(connection, ids)?,
            evidence: documents::evidence_of(connection, ids)?,
        })
    }
}

/// The signer's own knowledge of officers.
pub(crate) struct Witness {
    anchor: Vec<u8>,
    policy: Policy,
    revoked: Mutex<Revoked>,
}

/// Serial numbers that were seen as revoked once. They are kept in a file of the signer's, so that whoever can write into the
/// database cannot take a revocation back.
struct Revoked {
    file: PathBuf,
    serials: HashSet<SerialNumber>,
}

impl Witness {
    pub(crate) fn open(settings: &Settings, policy: Policy) -> Result<Self, KeyError> {
        let file = officer_ca::revoked_file(settings);
        // It is made with the officer CA: one that is missing was lost, and with it who must not be heard any more.
        let known =
            fs::read_to_string(&file).map_err(|reason| KeyError::File { path: file.clone(), reason })?;
        let serials =
            known.lines().map(str::parse).collect::<Result<_, _>>().map_err(|_| KeyError::File {
                path: file.clone(),
                reason: std::io::Error::new(std::io::ErrorKind::InvalidData, "a line is no serial number"),
            })?;
        Ok(Self {
            anchor: officer_ca::anchor(settings)?,
            policy,
            revoked: Mutex::new(Revoked { file, serials }),
        })
    }

    /// Learns what was revoked meanwhile. What was learnt once is never forgotten.
    pub(crate) fn learn(&self, database: &Database) -> Result<(), StoreError> {
        let told = database.read(officer_statements::revoked)?;
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        for serial in told {
            if !revoked.serials.contains(&serial) {
                officer_ca::append_revoked(&revoked.file, serial).map_err(|error| {
                    StoreError::Unavailable(format!("the list of revoked officers' certificates: {error}"))
                })?;
                revoked.serials.insert(serial);
                tracing::warn!(%serial, "an officer's certificate is revoked");
            }
        }
        Ok(())
    }

    /// Holds if enough reviewers signed that the certificate with these to-be-signed bytes is made for the application.
    pub(crate) fn approved(
        &self,
        claims: &Claims,
        application: &Application,
        (tbs, not_before): (&[u8], Timestamp),
        now: Timestamp,
    ) -> Result<(), Unapproved> {
        let under_review_since = *claims.since.get(&application.id).ok_or(Unapproved::NeverReviewed)?;
        let registration = application.into();
        let approvable = Approvable {
            application: application.id,
            content_sha256: content_sha256(tbs, &registration)?,
            evidence_sha256: claims.evidence.get(&application.id).copied().unwrap_or_default(),
            under_review_since,
        };
        let object = format!("application:{}", application.id);
        let stored = claims.statements.get(&object).map_or(&[][..], Vec::as_slice);
        let texts = stored.iter().map(|stored| stored.statement.as_slice());
        let mut verified = Vec::new();
        let mut has_revoked = false;
        for (place, statement) in approval::of_this_round(texts, under_review_since)? {
            match self.verify(statement, &stored[place].signature) {
                // Others may be enough without it.
                Err(Unapproved::Revoked) => has_revoked = true,
                signed => verified.push(signed?),
            }
        }
        approval::check_times(&verified, &approvable, not_before, now)?;
        match approval::judge(&verified, &registration, &approvable, &self.policy) {
            Err(NotApproved::TooFew { .. }) if has_revoked => Err(Unapproved::Revoked),
            judged => Ok(judged.map(|_| ())?),
        }
    }

    fn verify(&self, statement: OfficerStatement, cms: &[u8]) -> Result<SignedStatement, Unapproved> {
        let verified = officer_statement::verify(statement, cms, &self.anchor)?;
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        if revoked.serials.contains(&verified.officer.serial) {
            Err(Unapproved::Revoked)
        } else {
            Ok(verified)
        }
    }
}
