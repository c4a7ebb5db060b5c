//! The key ceremonies: root, issuing CA, officer CA and OCSP signer come into being; the issuing CA gets another certificate or a
//! successor, with the root's key here or on a machine without a network; keys are destroyed.
//!
//! Keys are generated here and leave this process only as encrypted files, or by their tokens, which they never leave. What
//! already exists is never overwritten.

mod air_gap;
mod custody;
mod destruction;
mod succession;
mod transcript;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use ca_core::audit::AuditKeys;
use ca_core::crl::partition_name;
use ca_core::csr::{CertificationRequest, SubjectPublicKey};
use ca_core::issue::{Certificate, Issuer, IssuerError, Request, Urls, Violation};
use ca_core::profile::{Profile, SubjectFields};
use ca_core::signer::{KeyAlgorithm, SignError, Signer};
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use config::tables::{Profiles, Tables, TablesError};
use store::certificates::NewCertificate;
use store::issuance::Intent;
use store::{Database, StoreError, audit, crls, issuance, issuers, responders};

use const_oid::ObjectIdentifier;
use der::Decode;

use crate::keyring::{AUDIT, Keyring, NewKey, OCSP, OFFICER_CA};
use crate::keys::KeyError;
use crate::officer_ca::NewOfficerCa;
use crate::revocation_list::{CrlSigner, SignCrlError};

pub use air_gap::{Answer, Ask, Installed, Wanted};
pub use succession::Succession;
use transcript::Transcript;

/// How long the root's CRL holds: it is signed by hand, and says something new only when an issuing CA ends.
const ROOT_CRL_VALIDITY: std::time::Duration = std::time::Duration::from_secs(366 * 24 * 3600);

/// The profile of every issuing CA's certificate.
const ISSUING_PROFILE: &str = "issuing_ca";

/// The names the certificates of the CA carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The organization that runs the CA, for example `Muhr`.
    pub organization: String,
    /// Common name of the root.
    pub root: String,
    /// Common name of the issuing CA.
    pub issuing: String,
    /// Common name of the OCSP signer.
    pub ocsp: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            organization: "Muhr".to_owned(),
            root: "Muhr Root CA".to_owned(),
            issuing: "Muhr Issuing CA".to_owned(),
            ocsp: "Muhr OCSP Signer".to_owned(),
        }
    }
}

/// Why a ceremony did not take place, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// There is a CA in the database.
    #[error("this database has a CA already; a ceremony never overwrites one")]
    CaExists,
    /// There are key files.
    #[error(
        "a ceremony never overwrites a key. The database has no CA, but there are {}. If `muhr ca request` made them, \
         `muhr ca install` goes on. If an earlier ceremony was cut off, nothing was signed with them that anybody has seen: \
         move them away and begin again. If the database was lost, restore it instead",
        listed(.0)
    )]
    FilesExist(Vec<PathBuf>),
    /// The file of the root's certificate has another one.
    #[error(
        "{}: the root's certificate in this file is another than the one this is about, or cannot be read. It is what audits begin at, and \
         no ceremony writes over it: find out which of both is the root that people have trusted",
        .0.display()
    )]
    AnotherRoot(PathBuf),
    /// There is an audit key.
    #[error("there is an audit key already; a ceremony never overwrites one")]
    AuditKeyExists,
    /// There is no CA yet.
    #[error("there is no CA in this database yet: run `muhr ca init`")]
    NoCa,
    /// One person alone holds no ceremony.
    #[error("a ceremony takes two people at least: name everybody with --present \"NAME, ROLE\"")]
    TooFew,
    /// Nobody, or one person alone, or more than there are.
    #[error("two shares at least are needed, and no more than are made")]
    Shares,
    /// The root certifies no name and no key for two things.
    #[error("{0}")]
    Uncertifiable(String),
    /// The root's signature takes people.
    #[error(
        "the root certifies the keys of other machines in a ceremony: `muhr ca certify`, and `muhr ca install` after it"
    )]
    RootAlone,
    /// A file from the other machine is not what it should be.
    #[error("{0}: {1}")]
    Carried(String, String),
    /// The key still has to revoke.
    #[error(
        "`{0}` has certificates that hold until {1}, and must be able to revoke them: destroy its key after that"
    )]
    StillNeeded(String, Timestamp),
    /// A certificate that it means to sign is not signed yet.
    #[error(
        "`{0}` has begun to issue a certificate that it has not signed: let its signer run until that is done"
    )]
    StillIntended(String),
    /// A key that is to be called lost is here.
    #[error("the key of `{0}` is here: destroy it without --lost")]
    NotLost(String),
    /// The key of the CA that issues.
    #[error("`{0}` has no successor: its key stays")]
    NoSuccessor(String),
    /// There is no such CA, or its key is gone.
    #[error("there is no CA `{0}` with a key")]
    NoSuchCa(String),
    /// A built-in profile is missing from the configuration.
    #[error("there is no profile `{0}`")]
    NoProfile(&'static str),
    /// A key cannot be had or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key and a certificate do not fit.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A certificate breaks its profile.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A key is too weak to be certified, or no audit key.
    #[error("a key of the CA: {0}")]
    WeakKey(String),
    /// The system's random generator failed.
    #[error(transparent)]
    Random(#[from] ca_core::serial::RandomUnavailable),
    /// A CRL was not signed.
    #[error(transparent)]
    Crl(#[from] SignCrlError),
    /// A table of the configuration is broken.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// A certificate file cannot be written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The memory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A certificate made in a ceremony, with the profile it has.
pub(crate) struct Made {
    issuer: String,
    profile: &'static str,
    common_name: String,
    pub(crate) certificate: Certificate,
    spki_sha256: [u8; 32],
}

/// A ceremony that is being held: where, with whose keys, and what is written down of it.
pub struct Ceremony<'a> {
    database: &'a Database,
    settings: &'a Settings,
    keyring: &'a Keyring<'a>,
    transcript: Transcript,
    now: Timestamp,
}

impl<'a> Ceremony<'a> {
    /// With the name of its audit entry, before these people: "NAME, ROLE" each. The audit key is opened first, if there is one:
    /// what cannot be told is not done.
    ///
    /// # Errors
    /// [`CeremonyError::TooFew`] of a CA that is no sandbox; the audit key cannot be had.
    pub fn attended(
        name: &'static str,
        present: &[String],
        database: &'a Database,
        settings: &'a Settings,
        keyring: &'a Keyring<'a>,
    ) -> Result<Self, CeremonyError> {
        let mut ceremony = Self::unattended(name, database, settings, keyring);
        ceremony.transcript.people(present, settings)?;
        if keyring.has_audit()? {
            keyring.audit()?;
        }
        Ok(ceremony)
    }

    /// That a program holds for itself, as a sandbox does. Its transcript need not be kept.
    pub fn unattended(
        name: &'static str,
        database: &'a Database,
        settings: &'a Settings,
        keyring: &'a Keyring<'a>,
    ) -> Self {
        let now = settings.clock().now();
        Self { database, settings, keyring, transcript: Transcript::begin(name, now), now }
    }

    /// Notes a file that was written, with this content.
    pub fn wrote(&mut self, path: &Path, content: &[u8]) {
        self.transcript.wrote(path, content);
    }

    /// Notes a file that was read, with this content.
    pub fn has_read(&mut self, path: &Path, content: &[u8]) {
        self.transcript.has_read(path, content);
    }

    /// Signs the transcript and keeps it; of one that failed, with the reason, if anything had been done. Returns its place.
    ///
    /// # Errors
    /// [`CeremonyError`]: no place to write to, or the audit key failed. What the ceremony did stays done.
    pub fn end(mut self, failure: Option<&str>) -> Result<Option<PathBuf>, CeremonyError> {
        if let Some(reason) = failure {
            if !self.transcript.tells_of_acts() {
                return Ok(None);
            }
            self.transcript.failed(reason);
        }
        self.transcript.finish(self.database, self.settings, self.keyring).map(Some)
    }

    fn certifier<'b>(&self, names: &'b Names) -> Result<Certifier<'b>, CeremonyError>
    where
        'a: 'b,
    {
        let profiles = Tables::load(&self.settings.data)?.profiles;
        Ok(Certifier { settings: self.settings, profiles, names, now: self.now })
    }

    /// There is no CA, and none of these keys has a file in its way.
    fn nothing_is_there(&self, keys: &[&str]) -> Result<(), CeremonyError> {
        if !self.database.read(issuers::all)?.is_empty() {
            return Err(CeremonyError::CaExists);
        }
        let mut existing = self.keyring.files_in_the_way(keys);
        existing.extend(Some(self.root_file()).filter(|file| file.exists()));
        if existing.is_empty() { Ok(()) } else { Err(CeremonyError::FilesExist(existing)) }
    }

    /// The root's certificate, which people have put their trust in: audits of the database begin at this file.
    fn root_file(&self) -> PathBuf {
        self.settings.keys.directory.join("root.cer")
    }

    /// The root is the one in the file, if there is one: a database that names another was exchanged, or is another installation's.
    fn is_trusted(&self, root: &[u8]) -> Result<(), CeremonyError> {
        let file = self.root_file();
        match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(present) if present == root => Ok(()),
            _ => Err(CeremonyError::AnotherRoot(file)),
        }
    }

    /// Every CA's certificate in its file, as the database has it; and the responder's, if there is none.
    fn place_certificates(&mut self) -> Result<(), CeremonyError> {
        let file = &self.settings.ocsp.certificate_file;
        let present = self.database.read(issuers::current).map(|issuer| issuer.id).unwrap_or_default();
        let mut certified = self.database.read(responders::newest)?;
        certified.retain(|certified| certified.issuer == present);
        if !file.exists() && !certified.is_empty() {
            // A key that cannot be had now is no failure of what was done.
            let own = match self.keyring.has_responder() {
                Ok(true) => self.keyring.responder().ok(),
                _ => None,
            };
            let key = own.map(|own| digest(&SHA256, own.public_key()).as_ref().to_vec());
            if let Some(own) = certified.iter().find(|certified| Some(&certified.spki_sha256) == key.as_ref())
            {
                replace(file, &own.certificate)?;
                self.transcript.wrote(file, &own.certificate);
            }
        }
        for issuer in self.database.read(issuers::all)? {
            let path = self.settings.keys.directory.join(format!("{}.cer", issuer.id));
            if issuer.id == issuers::ROOT {
                self.is_trusted(&issuer.certificate)?;
            }
            if fs::read(&path).is_ok_and(|present| present == issuer.certificate) {
                continue;
            }
            replace(&path, &issuer.certificate)?;
            self.transcript.wrote(&path, &issuer.certificate);
        }
        Ok(())
    }

    /// Keys have come into being: for the transcript, and for the log.
    fn generated(&mut self, keys: &[(&str, &NewKey)]) -> Vec<audit::Entry> {
        let told = keys.iter().map(|(name, new)| {
            self.transcript.key(name, new);
            key_generated(name, new, self.now)
        });
        told.collect()
    }

    /// Something of the operator's doing, for the log.
    fn entry(&self, action: &str, object: String, details: serde_json::Value) -> audit::Entry {
        entry(self.now, action, object, details)
    }
}

/// Makes certificates by the profiles, in the names of an authority.
struct Certifier<'a> {
    settings: &'a Settings,
    profiles: Profiles,
    names: &'a Names,
    now: Timestamp,
}

impl Ceremony<'_> {
    /// Makes root (P-384), issuing CA (P-256), OCSP signer (P-256) and officer CA (P-256), their certificates and first CRLs, and
    /// the audit key (P-256).
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn init(&mut self, names: &Names) -> Result<(), CeremonyError> {
        let Self { database, settings, keyring, now, .. } = *self;
        self.nothing_is_there(&[issuers::ROOT, issuers::ISSUING, OFFICER_CA, OCSP, AUDIT])?;
        if air_gap::folded(&names.issuing) == air_gap::folded(&names.root) {
            let why = format!("`{}` is the root's name: the issuing CA has another", names.root);
            return Err(CeremonyError::Uncertifiable(why));
        }
        let certifier = self.certifier(names)?;
        let mut root_new = keyring.make_issuer(issuers::ROOT, KeyAlgorithm::P384)?;
        let mut issuing_new = keyring.make_issuer(issuers::ISSUING, KeyAlgorithm::P256)?;
        let mut ocsp_new = keyring.make_responder()?;
        let mut officers = NewOfficerCa::make(settings, keyring, &names.organization, now)?;
        let mut audit_new = keyring.make_audit()?;
        let generated = self.generated(&[
            (issuers::ROOT, &root_new),
            (issuers::ISSUING, &issuing_new),
            (OCSP, &ocsp_new),
            (AUDIT, &audit_new),
            (OFFICER_CA, officers.key()),
        ]);
        let [root_key, issuing_key, ocsp_key] =
            [&root_new, &issuing_new, &ocsp_new].map(|new| Arc::clone(new.signer()));

        let (root, root_made) = certifier.root(&root_key)?;
        let issuing_made = certifier.below(
            &root,
            issuers::ROOT,
            ISSUING_PROFILE,
            &names.issuing,
            issuing_key.public_key(),
        )?;
        let issuing = Issuer::new(&issuing_made.certificate.der, Arc::clone(&issuing_key))?;
        // One key, certified by both: one responder answers about all certificates.
        let public_key = ocsp_key.public_key();
        let ocsp_made = certifier.responder(&issuing, issuers::ISSUING, public_key, None)?;
        let root_ocsp_made = certifier.responder(&root, issuers::ROOT, public_key, None)?;

        for made in [&root_made, &issuing_made, &ocsp_made, &root_ocsp_made] {
            self.transcript.certificate("certificate-signed", &made.certificate);
        }
        self.transcript.certificate("certificate-signed", officers.certificate());
        // The keys are there for good before anything says that they exist.
        publish_audit_key(settings, audit_new.signer().public_key())?;
        for new in [&mut root_new, &mut issuing_new, &mut ocsp_new, &mut audit_new] {
            new.keep()?;
        }
        officers.keep(settings)?;
        replace(&settings.ocsp.certificate_file, &ocsp_made.certificate.der)?;

        database.write(|connection| -> Result<(), CeremonyError> {
            issuers::insert(connection, &issuer_row(issuers::ROOT, &root_made), now)?;
            issuers::insert(connection, &issuer_row(issuers::ISSUING, &issuing_made), now)?;
            for made in [&root_made, &issuing_made, &root_ocsp_made, &ocsp_made] {
                store_made(connection, made, now)?;
            }
            let details = serde_json::json!({ "root": names.root, "issuing": names.issuing });
            let entry = self.entry("ca.init", format!("issuer:{}", issuers::ISSUING), details);
            audit::record(connection, &generated)?;
            Ok(audit::record(connection, &[entry])?)
        })?;
        self.place_certificates()?;
        CrlSigner::new(issuers::ROOT, root.certificate(), root_key, settings)?.sign(
            database,
            "",
            ROOT_CRL_VALIDITY,
            now,
        )?;
        CrlSigner::new(issuers::ISSUING, issuing.certificate(), issuing_key, settings)?.sign(
            database,
            "",
            settings.crl.validity,
            now,
        )?;
        Ok(())
    }
}

/// Makes the audit key of an installation that has none.
///
/// # Errors
/// [`CeremonyError`]; a key that exists stays as it is.
pub fn init_audit(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    now: Timestamp,
) -> Result<(), CeremonyError> {
    if keyring.has_audit()? {
        return Err(CeremonyError::AuditKeyExists);
    }
    let mut new = keyring.make_audit()?;
    let generated = key_generated(AUDIT, &new, now);
    publish_audit_key(settings, new.signer().public_key())?;
    new.keep()?;
    Ok(database.write(|connection| audit::record(connection, &[generated]))?)
}

/// What auditors need: beside it stay the keys that signed before.
fn publish_audit_key(settings: &Settings, public_key: &[u8]) -> Result<(), CeremonyError> {
    let path = settings.audit_key_file();
    let mut pem = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| CeremonyError::File(path.clone(), error))?,
    };
    pem.push_str(&AuditKeys::pem(public_key).map_err(|refusal| CeremonyError::WeakKey(refusal.to_string()))?);
    replace(&path, pem.as_bytes())
}

/// A key has come into being; its name is that of its file.
fn key_generated(name: &str, new: &NewKey, now: Timestamp) -> audit::Entry {
    let spki_sha256 = hex::encode(digest(&SHA256, new.signer().public_key()));
    let details = serde_json::json!({ "spki_sha256": spki_sha256, "on_token": new.is_on_token() });
    entry(now, "key.generate", format!("key:{name}"), details)
}

fn entry(now: Timestamp, action: &str, object: String, details: serde_json::Value) -> audit::Entry {
    audit::Entry { at: now, actor: "operator".to_owned(), action: action.to_owned(), object, details }
}

/// Whose key a responder's certificate is for.
pub enum ResponderKey<'a> {
    /// The key that the settings name, in a file or on a token; made if it is missing.
    Own,
    /// Another responder's, which asks with this certification request (PKCS#10, DER or PEM).
    Request(&'a [u8]),
}

/// Certifies a responder's key in the name of an issuer whose key is here, for the next months.
///
/// # Errors
/// [`CeremonyError`].
pub fn renew_ocsp(
    database: &Database,
    settings: &Settings,
    issuer_id: &str,
    key: &ResponderKey<'_>,
    keyring: &Keyring<'_>,
    now: Timestamp,
) -> Result<Certificate, CeremonyError> {
    if issuer_id == issuers::ROOT && matches!(key, ResponderKey::Request(_)) {
        return Err(CeremonyError::RootAlone);
    }
    let issuer = open_issuer(database, keyring, issuer_id)?;
    let public_key = match key {
        ResponderKey::Own => {
            if !keyring.has_responder()? {
                let mut new = keyring.make_responder()?;
                let generated = key_generated(OCSP, &new, now);
                new.keep()?;
                database.write(|connection| audit::record(connection, &[generated]))?;
            }
            keyring.responder()?.public_key().to_vec()
        }
        ResponderKey::Request(request) => requested_key(request)?.spki_der().to_vec(),
    };
    not_compromised(database, &spki_sha256(&public_key)?)?;
    let profiles = Tables::load(&settings.data)?.profiles;
    let made = certify_responder(&issuer, issuer_id, settings, profiles, &public_key, now)?;
    database.write(|connection| store_made(connection, &made, now))?;
    // The file is what a responder has before it has seen the database: of the CA that certifies now.
    if matches!(key, ResponderKey::Own) && database.read(issuers::current)?.id == issuer_id {
        replace(&settings.ocsp.certificate_file, &made.certificate.der)?;
    }
    Ok(made.certificate)
}

/// No certificate over this key was revoked because somebody else may know it.
fn not_compromised(database: &Database, key: &[u8; 32]) -> Result<(), CeremonyError> {
    let uses = database.read(|connection| store::certificates::uses_of_key(connection, key))?;
    if uses.iter().any(|used| used.revoked_for_compromise) {
        return Err(CeremonyError::WeakKey("it was revoked because somebody else may know it".to_owned()));
    }
    Ok(())
}

/// A certificate for a responder's key, not stored yet.
pub(crate) fn certify_responder(
    issuer: &Issuer,
    issuer_id: &str,
    settings: &Settings,
    profiles: Profiles,
    public_key: &[u8],
    now: Timestamp,
) -> Result<Made, CeremonyError> {
    let names = &names_of(issuer.certificate());
    let certifier = Certifier { settings, profiles, names, now };
    certifier.responder(issuer, issuer_id, public_key, None)
}

/// The organization a CA was named with, which whatever it certifies for us is named with too.
fn names_of(authority: &[u8]) -> Names {
    Names { organization: organization_of(authority), ..Names::default() }
}

/// The organization in the subject of a certificate.
pub(crate) fn organization_of(certificate: &[u8]) -> String {
    let organization = attribute_of(certificate, const_oid::db::rfc4519::ORGANIZATION_NAME);
    organization.unwrap_or_else(|| Names::default().organization)
}

/// An attribute of the subject of a certificate.
fn attribute_of(certificate: &[u8], oid: ObjectIdentifier) -> Option<String> {
    let subject = x509_cert::Certificate::from_der(certificate).ok()?.tbs_certificate.subject.0;
    let found = subject.iter().flat_map(|rdn| rdn.0.iter()).find(|attribute| attribute.oid == oid)?;
    std::str::from_utf8(found.value.value()).ok().map(str::to_owned)
}

/// Signs the next CRLs of an issuer whose key is here, of each of its partitions. Returns their names (empty for the
/// undivided one) and numbers.
///
/// # Errors
/// [`CeremonyError`].
pub fn sign_crl(
    database: &Database,
    settings: &Settings,
    issuer: &str,
    keyring: &Keyring<'_>,
    now: Timestamp,
) -> Result<Vec<(String, i64)>, CeremonyError> {
    let opened = open_issuer(database, keyring, issuer)?;
    let validity = if issuer == issuers::ROOT { ROOT_CRL_VALIDITY } else { settings.crl.validity };
    let signer = CrlSigner::new(issuer, opened.certificate(), Arc::clone(opened.signer()), settings)?;
    let heads = database.read(crls::heads)?.into_iter().filter(|head| head.issuer == issuer);
    heads
        .map(|head| {
            let number = signer.sign(database, &head.partition, validity, now)?;
            Ok((head.partition, number))
        })
        .collect()
}

/// An issuer of the database with its key.
///
/// # Errors
/// [`CeremonyError`].
pub fn open_issuer(database: &Database, keyring: &Keyring<'_>, id: &str) -> Result<Issuer, CeremonyError> {
    let row = match database.read(|connection| issuers::find(connection, id)) {
        Err(StoreError::NotFound) => return Err(CeremonyError::NoCa),
        other => other?,
    };
    Ok(Issuer::new(&row.certificate, keyring.issuer(id)?)?)
}

impl Certifier<'_> {
    fn root(&self, key: &Arc<dyn Signer>) -> Result<(Issuer, Made), CeremonyError> {
        let profile = self.profile("root")?;
        let request = self.request(issuers::ROOT, &self.names.root, key.public_key())?;
        let spki_sha256 = spki_sha256(&request.public_key)?;
        let (issuer, certificate) = Issuer::self_signed(profile, request, Arc::clone(key))?;
        let common_name = self.names.root.clone();
        let issuer_id = issuers::ROOT.to_owned();
        Ok((issuer, Made { issuer: issuer_id, profile: "root", common_name, certificate, spki_sha256 }))
    }

    fn below(
        &self,
        issuer: &Issuer,
        issuer_id: &str,
        profile: &'static str,
        common_name: &str,
        public_key: &[u8],
    ) -> Result<Made, CeremonyError> {
        let request = self.request(issuer_id, common_name, public_key)?;
        self.issue(issuer, issuer_id, profile, common_name, request)
    }

    /// For so many calendar months, or the profile's.
    fn responder(
        &self,
        issuer: &Issuer,
        issuer_id: &str,
        public_key: &[u8],
        months: Option<u32>,
    ) -> Result<Made, CeremonyError> {
        let name = self.names.ocsp.as_str();
        let request = Request { months, ..self.request(issuer_id, name, public_key)? };
        self.issue(issuer, issuer_id, responders::PROFILE, name, request)
    }

    fn issue(
        &self,
        issuer: &Issuer,
        issuer_id: &str,
        profile: &'static str,
        common_name: &str,
        request: Request,
    ) -> Result<Made, CeremonyError> {
        let spki_sha256 = spki_sha256(&request.public_key)?;
        let prepared = issuer.prepare(self.profile(profile)?, request)?;
        let certificate = issuer.issue(prepared)?;
        let issuer = issuer_id.to_owned();
        Ok(Made { issuer, profile, common_name: common_name.to_owned(), certificate, spki_sha256 })
    }

    fn profile(&self, name: &'static str) -> Result<&Profile, CeremonyError> {
        self.profiles.get(name).ok_or(CeremonyError::NoProfile(name))
    }

    fn request(&self, issuer: &str, common_name: &str, public_key: &[u8]) -> Result<Request, CeremonyError> {
        let subject = subject(common_name, None, &self.names.organization);
        request(subject, public_key, self.settings.issuance.urls(issuer), self.now)
    }
}

/// The name of somebody or something of the authority itself.
pub(crate) fn subject(common_name: &str, title: Option<&str>, organization: &str) -> SubjectFields {
    SubjectFields {
        common_name: Some(common_name.to_owned()),
        title: title.map(str::to_owned),
        organization: Some(organization.to_owned()),
        country: Some("UZ".to_owned()),
        ..SubjectFields::default()
    }
}

/// A certificate for the profile's default validity.
pub(crate) fn request(
    subject: SubjectFields,
    public_key: &[u8],
    urls: Urls,
    now: Timestamp,
) -> Result<Request, CeremonyError> {
    let serial = SerialNumber::random()?;
    Ok(Request { subject, public_key: public_key.to_vec(), serial, now, urls, months: None })
}

/// The key of a certification request (PKCS #10, DER or PEM), proven.
///
/// # Errors
/// [`CeremonyError::WeakKey`].
pub fn requested_key(request: &[u8]) -> Result<SubjectPublicKey, CeremonyError> {
    let request = CertificationRequest::parse(request)
        .map_err(|refusal| CeremonyError::WeakKey(refusal.to_string()))?;
    Ok(request.public_key().clone())
}

fn spki_sha256(public_key: &[u8]) -> Result<[u8; 32], CeremonyError> {
    let key = SubjectPublicKey::from_spki_der(public_key)
        .map_err(|refusal| CeremonyError::WeakKey(refusal.to_string()))?;
    Ok(key.sha256())
}

/// The CA of a certificate that the root has signed, for the root itself or for another.
fn issuer_row(id: &str, made: &Made) -> issuers::Issuer {
    let is_root = id == issuers::ROOT;
    issuers::Issuer {
        id: id.to_owned(),
        kind: if is_root { "root" } else { "issuing" }.to_owned(),
        parent: (!is_root).then(|| issuers::ROOT.to_owned()),
        certificate: made.certificate.der.clone(),
        subject: made.certificate.subject_text(),
        not_before: made.certificate.not_before,
        not_after: made.certificate.not_after,
        retired_at: None,
        key_destroyed_at: None,
    }
}

/// Intent and certificate in the caller's transaction: what was signed is not seen before both are there.
pub(crate) fn store_made(
    connection: &mut store::Connection,
    made: &Made,
    now: Timestamp,
) -> Result<(), StoreError> {
    let intent = Intent {
        issuer: made.issuer.clone(),
        serial: made.certificate.serial,
        application: None,
        profile: made.profile.to_owned(),
        tbs: made.certificate.tbs.clone(),
    };
    issuance::record_intents(connection, &[intent], now)?;
    let certificate = NewCertificate {
        issuer: made.issuer.clone(),
        serial: made.certificate.serial,
        application: None,
        profile: made.profile.to_owned(),
        subject: made.certificate.subject_text(),
        common_name: made.common_name.clone(),
        pinfl: None,
        stir: None,
        spki_sha256: made.spki_sha256,
        der: made.certificate.der.clone(),
        not_before: made.certificate.not_before,
        not_after: made.certificate.not_after,
        crl_partition: partition_name(made.certificate.crl_partition),
    };
    issuance::store_own(connection, &certificate, now)
}

/// Writes a public file in one step, in place of an earlier one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), CeremonyError> {
    let failed = |error| CeremonyError::File(path.to_owned(), error);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let beside = path.with_extension("new");
    fs::write(&beside, content).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}
