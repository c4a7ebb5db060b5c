//! What an officer signs when they decide: who, what about, on what terms, when, and after which statement.
//!
//! A statement is text that a person can read. It is signed as detached CMS (RFC 5652) with the key of the officer's
//! certificate, and `ca-signer` reads and verifies it again before it signs anything because of it.

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::x509::X509Name;

use crate::application::Role;
use crate::path::{PathFault, path, read};
use crate::signed_document::{SignatureRefusal, Signed};
use crate::statement::{MAX_SIZE, StatementRefusal, push_line};
use crate::{SerialNumber, Timestamp};

/// The first line.
const VERSION: &str = "muhr-officer-statement/1";
/// A statement without one before it about the same thing.
pub const FIRST: [u8; 32] = [0; 32];

/// What is decided. The names of acts and terms are part of the format: signatures hold for years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerStatement {
    /// The verb: `approve`, `reject`, `revoke`, `suspend`, `restore`, `propose`, `confirm`.
    pub act: String,
    /// What about, as the audit log names it: `application:<id>`, `certificate:<issuer>/<serial>`, …
    pub object: String,
    /// What else is decided, in the order of the lines: names in kebab case, and values.
    pub terms: Vec<(&'static str, String)>,
    /// The officer's login, which is the common name of their certificate too.
    pub officer: String,
    /// When, to the minute.
    pub at: Timestamp,
    /// SHA-256 of the statement before this one about the same object, or [`FIRST`]: none can be left out unnoticed.
    pub previous: [u8; 32],
}

/// The terms a statement may have. Another one is not ours.
const TERMS: [&str; 8] = [
    "content-sha256",
    "evidence-sha256",
    "under-review-since",
    "reason",
    "note-sha256",
    "invalidity-date",
    "kind",
    "content",
];

impl OfficerStatement {
    /// The bytes to sign: UTF-8, the version and then one `name: value` line for each field, every line ended by LF.
    /// Backslashes and control characters in a value are written as `\u{hex}`, so no value can pretend to be a line.
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("{VERSION}\n");
        let mut line = |name: &str, value: &str| push_line(&mut text, name, value);
        line("act", &self.act);
        line("object", &self.object);
        for (name, value) in &self.terms {
            line(name, value);
        }
        line("officer", &self.officer);
        line("at", &self.at.to_string());
        line("previous", &hex::encode(self.previous));
        text.into_bytes()
    }

    /// Reads what [`text`](Self::text) writes, and nothing else.
    pub fn read(text: &[u8]) -> Option<Self> {
        let body = std::str::from_utf8(text).ok()?.strip_prefix(VERSION)?.strip_prefix('\n')?;
        let mut lines = body.strip_suffix('\n')?.split('\n').map(|line| line.split_once(": "));
        let mut next = |wanted: &str| match lines.next()?? {
            (name, value) if name == wanted => Some(value),
            _ => None,
        };
        let (act, object) = (next("act")?.to_owned(), unescape(next("object")?)?);
        let mut terms = Vec::new();
        let officer = loop {
            let (name, value) = lines.next()??;
            if name == "officer" {
                break unescape(value)?;
            }
            let name = TERMS.into_iter().find(|term| *term == name)?;
            terms.push((name, unescape(value)?));
        };
        let mut next = |wanted: &str| match lines.next()?? {
            (name, value) if name == wanted => Some(value),
            _ => None,
        };
        let at = next("at")?.parse().ok()?;
        let previous = hex::decode(next("previous")?).ok()?.try_into().ok()?;
        let statement = Self { act, object, terms, officer, at, previous };
        (statement.text() == text).then_some(statement)
    }

    /// The value of a term.
    pub fn term(&self, name: &str) -> Option<&str> {
        self.terms.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// How the next statement about the same object names this one.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.text())
    }
}

/// SHA-256 of octets.
pub(crate) fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, octets).as_ref());
    sha256
}

fn unescape(value: &str) -> Option<String> {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("\\u{") {
        let (code, after) = after.split_once('}')?;
        text.push_str(before);
        text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// Whose certificate of the officer CA it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningOfficer {
    /// The common name.
    pub login: String,
    /// The title: what the officer may do, in the eyes of the officer CA.
    pub role: Role,
    /// The certificate's serial number, by which it is revoked.
    pub serial: SerialNumber,
}

/// A statement with the officer who signed it. There is no other way to one than [`verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// What was signed.
    pub statement: OfficerStatement,
    /// By whom.
    pub officer: SigningOfficer,
}

/// Why a signature under a statement does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementFault {
    /// Not a statement of an officer.
    #[error("what was signed is not a statement of an officer")]
    NotAStatement,
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SignatureRefusal),
    /// The certificate does not come from the officer CA, or was not valid at the time of the statement.
    #[error("the certificate is not one of the officer CA's: {0}")]
    Path(#[from] PathFault),
    /// It comes from the officer CA and names no officer.
    #[error("the certificate names no officer and role")]
    NotAnOfficer,
    /// The statement names somebody else.
    #[error("the statement was signed by another officer than it names")]
    OtherOfficer,
}

impl StatementFault {
    /// The stable name, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAStatement => "not-a-statement",
            Self::Signature(refusal) => refusal.name(),
            Self::Path(_) => "not-of-the-officer-ca",
            Self::NotAnOfficer => "not-an-officer",
            Self::OtherOfficer => "other-officer",
        }
    }
}

/// Reads a statement and the detached CMS over it, and verifies signature and certificate up to the officer CA's own
/// certificate `anchor` (DER), at the time of the statement. Whether the certificate is revoked is the caller's to know.
///
/// # Errors
/// A [`StatementFault`].
pub fn verify(statement: &[u8], cms: &[u8], anchor: &[u8]) -> Result<SignedStatement, StatementFault> {
    let read = OfficerStatement::read(statement).ok_or(StatementFault::NotAStatement)?;
    let signed = signature(statement, cms)?;
    let officer = officer_of(&signed.certificate, anchor, read.at)?;
    if officer.login != read.officer {
        return Err(StatementFault::OtherOfficer);
    }
    Ok(SignedStatement { statement: read, officer })
}

/// The signature alone: whose certificate it is made with is for the caller to look at.
///
/// # Errors
/// A [`SignatureRefusal`].
pub fn signature(statement: &[u8], cms: &[u8]) -> Result<Signed, SignatureRefusal> {
    if cms.len() > MAX_SIZE {
        return Err(StatementRefusal::TooLarge.into());
    }
    let signed = Signed::read(cms)?;
    signed.verify(statement)?;
    Ok(signed)
}

/// The officer whom the officer CA has certified.
///
/// # Errors
/// A [`StatementFault`].
pub fn officer_of(
    certificate: &[u8],
    anchor: &[u8],
    at: Timestamp,
) -> Result<SigningOfficer, StatementFault> {
    path(certificate, &[], anchor, at)?;
    let read = read(certificate)?;
    let named = || {
        if read.is_ca() {
            return None;
        }
        let login = single(read.subject().iter_common_name())?;
        let title = x509_parser::oid_registry::OID_X509_TITLE;
        let role = single(X509Name::iter_by_oid(read.subject(), &title))?.parse().ok()?;
        let serial = SerialNumber::try_from(read.raw_serial()).ok()?;
        Some(SigningOfficer { login: login.to_owned(), role, serial })
    };
    named().ok_or(StatementFault::NotAnOfficer)
}

/// The value of an attribute that stands once.
fn single<'a>(
    mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> Option<&'a str> {
    match (values.next(), values.next()) {
        (Some(value), None) => value.as_str().ok(),
        _ => None,
    }
}
