//! What an officer signs when they decide: who, what about, on what terms, when, and after which statement.
//!
//! A statement is text that a person can read. It is signed as detached CMS (RFC 5652) with the key of the officer's
//! certificate, and `ca-signer` reads and verifies it again before it signs anything because of it.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{PoisonError, RwLock};

use x509_parser::x509::X509Name;

use crate::application::Role;
use crate::digest::sha256;
use crate::path::{PathFault, path, read, validity};
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
        let (act, object) =
            (field(lines.next()?, "act")?.to_owned(), unescape(field(lines.next()?, "object")?)?);
        let mut terms = Vec::new();
        let officer = loop {
            let (name, value) = lines.next()??;
            if name == "officer" {
                break unescape(value)?;
            }
            let name = TERMS.into_iter().find(|term| *term == name)?;
            terms.push((name, unescape(value)?));
        };
        let at = field(lines.next()?, "at")?.parse().ok()?;
        let previous = hex::decode(field(lines.next()?, "previous")?).ok()?.try_into().ok()?;
        let statement = Self { act, object, terms, officer, at, previous };
        (statement.text() == text).then_some(statement)
    }

    /// The same said in another minute, after another statement.
    #[must_use]
    pub fn following(&self, previous: [u8; 32], at: Timestamp) -> Self {
        Self { at, previous, ..self.clone() }
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

/// The value of a line that has this name.
fn field<'a>(line: Option<(&'a str, &'a str)>, name: &str) -> Option<&'a str> {
    line.filter(|(found, _)| *found == name).map(|(_, value)| value)
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

/// Verifies the detached CMS over a statement: signature and certificate up to the officer CA's own certificate `anchor` (DER), at
/// the time of the statement. Whether the certificate is revoked is the caller's to know.
///
/// # Errors
/// A [`StatementFault`].
pub fn verify(
    statement: OfficerStatement,
    cms: &[u8],
    anchor: &[u8],
) -> Result<SignedStatement, StatementFault> {
    let signed = signature(&statement.text(), cms)?;
    let officer = officer_of(&signed.certificate, anchor, statement.at)?;
    SignedStatement::by(officer, statement)
}

impl SignedStatement {
    fn by(officer: SigningOfficer, statement: OfficerStatement) -> Result<Self, StatementFault> {
        if officer.login != statement.officer {
            return Err(StatementFault::OtherOfficer);
        }
        Ok(Self { statement, officer })
    }
}

/// Verifies many statements. An officer signs thousands with one certificate: that the officer CA signed it is found out once.
pub struct OfficerCertificates<'a> {
    /// Certificates of officer CAs, each with the unix second in which the next one took its place.
    anchors: Vec<(&'a [u8], i64)>,
    /// By the certificate's DER; only those that hold.
    known: RwLock<HashMap<Vec<u8>, Known>>,
}

#[derive(Clone)]
struct Known {
    officer: SigningOfficer,
    /// When both the certificate and the officer CA's are valid, and no other officer CA has come, in unix seconds.
    valid: RangeInclusive<i64>,
}

impl<'a> OfficerCertificates<'a> {
    /// Those of officer CAs with these certificates, DER, in any order. Each is believed for statements of before the next began, to the
    /// minute that a statement names. When it was made a statement says itself: the log's times and heads bound that.
    pub fn of(anchors: &'a [Vec<u8>]) -> Self {
        let begins = |der: &[u8]| read(der).map_or(i64::MAX, |read| validity(&read).0);
        let mut begun: Vec<(&[u8], i64)> = anchors.iter().map(|der| (&der[..], begins(der))).collect();
        begun.sort_by_key(|(_, begins)| *begins);
        let ends = begun.iter().skip(1).map(|(_, begins)| begins.saturating_add(60)).chain([i64::MAX]);
        let anchors = begun.iter().zip(ends).map(|((der, _), end)| (*der, end)).collect();
        Self { anchors, known: RwLock::default() }
    }

    /// As [`verify`](self::verify), up to any of the officer CAs.
    ///
    /// # Errors
    /// A [`StatementFault`].
    pub fn verify(&self, statement: OfficerStatement, cms: &[u8]) -> Result<SignedStatement, StatementFault> {
        let signed = signature(&statement.text(), cms)?;
        let known =
            self.known.read().unwrap_or_else(PoisonError::into_inner).get(&signed.certificate).cloned();
        let holds = known.filter(|known| known.valid.contains(&statement.at.unix_seconds()));
        let officer = match holds {
            Some(known) => known.officer,
            None => self.find(signed.certificate, statement.at)?,
        };
        SignedStatement::by(officer, statement)
    }

    fn find(&self, certificate: Vec<u8>, at: Timestamp) -> Result<SigningOfficer, StatementFault> {
        let mut fault = PathFault::NoIssuer.into();
        for (anchor, end) in &self.anchors {
            if at.unix_seconds() >= *end {
                continue;
            }
            match officer_of(&certificate, anchor, at) {
                Ok(officer) => {
                    let valid = [&certificate, *anchor].map(|der| read(der).map(|read| validity(&read)));
                    if let [Ok((from, until)), Ok((ca_from, ca_until))] = valid {
                        let known = Known {
                            officer: officer.clone(),
                            valid: from.max(ca_from)..=until.min(ca_until).min(end - 1),
                        };
                        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
                        all.insert(certificate, known);
                    }
                    return Ok(officer);
                }
                Err(found) => fault = found,
            }
        }
        Err(fault)
    }
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
fn officer_of(certificate: &[u8], anchor: &[u8], at: Timestamp) -> Result<SigningOfficer, StatementFault> {
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

#[cfg(test)]
mod tests {
    use openssl::cms::{CMSOptions, CmsContentInfo};
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// An officer CA from the first of a month until the end of 2026, and an officer of its own until the end of June.
    struct Officers {
        anchor: Vec<u8>,
        certificate: Vec<u8>,
        key: Vec<u8>,
    }

    impl Officers {
        fn new(login: &str, from: u8) -> Self {
            let named = |name: &str, until: u8, is_ca: IsCa| {
                let mut params = CertificateParams::new(Vec::new()).unwrap();
                params.distinguished_name = DistinguishedName::new();
                params.distinguished_name.push(DnType::CommonName, name);
                params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 12]), "reviewer");
                params.not_before = rcgen::date_time_ymd(2026, 1, 1);
                params.not_after = rcgen::date_time_ymd(2026, until, 30);
                params.is_ca = is_ca;
                params
            };
            let ca_key = KeyPair::generate().unwrap();
            let mut ca = named("Officer CA", 12, IsCa::Ca(BasicConstraints::Unconstrained));
            ca.not_before = rcgen::date_time_ymd(2026, from, 1);
            let anchor = ca.self_signed(&ca_key).unwrap().der().to_vec();
            let key = KeyPair::generate().unwrap();
            let leaf = named(login, 6, IsCa::NoCa).signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
            Self { anchor, certificate: leaf.der().to_vec(), key: key.serialize_der() }
        }

        /// The signature of OpenSSL.
        fn sign(&self, statement: &OfficerStatement) -> Vec<u8> {
            let certificate = X509::from_der(&self.certificate).unwrap();
            let key = PKey::private_key_from_der(&self.key).unwrap();
            let options = CMSOptions::DETACHED | CMSOptions::BINARY;
            let text = statement.text();
            let signed = CmsContentInfo::sign(Some(&certificate), Some(&key), None, Some(&text), options);
            signed.unwrap().to_der().unwrap()
        }
    }

    fn said(officer: &str, at: &str) -> OfficerStatement {
        OfficerStatement {
            act: "approve".to_owned(),
            object: "application:1".to_owned(),
            terms: Vec::new(),
            officer: officer.to_owned(),
            at: at.parse().unwrap(),
            previous: FIRST,
        }
    }

    #[test]
    fn a_certificate_that_is_known_is_believed_for_its_time_and_its_owner_only() {
        let [officers, others] = [2, 1].map(|from| Officers::new("a.karimova", from));
        let anchors = [officers.anchor.clone(), others.anchor.clone()];
        let certificates = OfficerCertificates::of(&anchors);
        let judge = |statement: OfficerStatement| {
            let cms = officers.sign(&statement);
            let alone = verify(statement.clone(), &cms, &officers.anchor);
            let known = certificates.verify(statement, &cms);
            assert_eq!(known, alone);
            known
        };
        for _ in 0..2 {
            let signed = judge(said("a.karimova", "2026-03-01T08:00:00Z")).unwrap();
            assert_eq!((signed.officer.login.as_str(), signed.officer.role), ("a.karimova", Role::Reviewer));
            assert_eq!(judge(said("b.karimov", "2026-03-01T08:00:00Z")), Err(StatementFault::OtherOfficer));
            let late = judge(said("a.karimova", "2026-08-01T08:00:00Z"));
            assert_eq!(late, Err(PathFault::NotValidThen.into()));
        }
        let statement = said("a.karimova", "2026-03-01T08:00:00Z");
        let cms = officers.sign(&statement);
        let changed = said("a.karimova", "2026-03-01T08:01:00Z");
        assert!(matches!(certificates.verify(changed, &cms), Err(StatementFault::Signature(_))));
        let strangers = [others.anchor.clone()];
        assert!(OfficerCertificates::of(&strangers).verify(statement, &cms).is_err());
        // The officer CA before this one is believed for its own time.
        let (before, since) =
            (said("a.karimova", "2026-01-20T08:00:00Z"), said("a.karimova", "2026-02-01T00:01:00Z"));
        let [known, late] =
            [before, since].map(|said| certificates.verify(said.clone(), &others.sign(&said)));
        assert!(known.is_ok() && late.is_err(), "{known:?} {late:?}");
    }

    #[test]
    fn a_statement_is_read_as_it_was_written_and_in_no_other_form() {
        let statement = OfficerStatement {
            act: "propose".to_owned(),
            object: "officer:m.namunaeva".to_owned(),
            terms: vec![
                ("kind", "officer-add".to_owned()),
                ("reason", "a \\ and\nofficer: other".to_owned()),
            ],
            officer: "admin".to_owned(),
            at: Timestamp::from_unix_seconds(1_790_000_040),
            previous: [7; 32],
        };
        let text = statement.text();
        assert_eq!(OfficerStatement::read(&text), Some(statement.clone()));
        assert_eq!(String::from_utf8_lossy(&text).lines().count(), 8);
        let changed =
            |from: &str, to: &str| String::from_utf8_lossy(&text).replacen(from, to, 1).into_bytes();
        for other in [
            changed("kind: ", "mood: "),
            changed("\nat: ", "\nat:"),
            changed("0707", "07 7"),
            changed("muhr-officer-statement/1", "muhr-officer-statement/2"),
            [&text[..], b"\n"].concat(),
            text[..text.len() - 1].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(OfficerStatement::read(&other), None, "{}", String::from_utf8_lossy(&other));
        }
        assert_ne!(statement.following(statement.sha256(), statement.at).sha256(), statement.sha256());
    }
}
