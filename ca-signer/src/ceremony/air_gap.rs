//! The root on a machine without a network: requests and answers are carried by files.
//!
//! The root's machine has an installation of its own, with a database that knows what the root has signed, and an audit log.
//! The other takes over what comes back: certificates, and the root's CRL.

use std::collections::HashSet;

use ca_core::crl::{Entry, Judge, visit};
use ca_core::issue::{Certificate, Issuer};
use ca_core::path::issued_by;
use ca_core::revocation::{Reason, Status};
use ca_core::signer::KeyAlgorithm;
use ca_core::{SerialNumber, Timestamp};
use store::certificates::{self, StoredCertificate};
use store::crls::{self, CrlKind, Issue, Signed};
use store::{Connection, StoreError, audit, feed, issuers, responders};

use super::succession::{common_name_of, next_id, present};
use super::{
    Ceremony, CeremonyError, CrlSigner, ISSUING_PROFILE, Made, Names, ROOT_CRL_VALIDITY, attribute_of,
    issuer_row, names_of, not_compromised, open_issuer, publish_audit_key, requested_key, spki_sha256,
    store_made,
};
use crate::certification_request::certification_request;
use crate::keyring::{AUDIT, Keyring, OCSP, OFFICER_CA, SUCCESSOR};
use crate::officer_ca::NewOfficerCa;
use crate::responder_certificate::responders_key;

/// What the names of responders' certificates by the root begin with, in an [`Answer`].
const ROOTS_OCSP: &str = "ocsp-root";

/// How long the root certifies a responder, in calendar months: nearly as long as its CRL, because people have to come.
const ROOTS_OCSP_MONTHS: u32 = 12;

/// A certification request for the root, with the short name of whom it is for: an issuing CA's, or of responders one that
/// begins with `ocsp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its name, which its file has too.
    pub name: String,
    /// PKCS #10, PEM or DER.
    pub request: Vec<u8>,
    /// SHA-256 of the SubjectPublicKeyInfo that is to be certified.
    pub spki_sha256: [u8; 32],
}

impl Ask {
    /// Reads a request, and has it prove its key.
    ///
    /// # Errors
    /// [`CeremonyError::WeakKey`].
    pub fn read(name: String, request: Vec<u8>) -> Result<Self, CeremonyError> {
        let spki_sha256 = requested_key(&request)?.sha256();
        Ok(Self { name, request, spki_sha256 })
    }
}

/// What the root is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The first issuing CA's certificate, or that of a successor with another key; and the responder's.
    Key,
    /// Another certificate for the issuing CA's present key; and the responder's.
    Renewal,
    /// The responder's alone.
    Responder,
}

/// What comes back from the root, all DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The root's certificate.
    pub root: Vec<u8>,
    /// Its newest CRL.
    pub crl: Vec<u8>,
    /// What it has certified: by the names of the requests, those of responders beginning with `ocsp-root`.
    pub certificates: Vec<(String, Vec<u8>)>,
}

/// What an installation has taken over from the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// The names of what was not there.
    pub taken: Vec<String>,
    /// How many certificates are revoked by it.
    pub revoked: usize,
}

impl Ceremony<'_> {
    /// Makes the root (P-384) and an audit key on a machine of their own.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn init_root(&mut self, names: &Names) -> Result<Answer, CeremonyError> {
        let Self { database, settings, keyring, now, .. } = *self;
        self.nothing_is_there(&[issuers::ROOT, AUDIT])?;
        let mut key = keyring.make_issuer(issuers::ROOT, KeyAlgorithm::P384)?;
        let mut audit_key = keyring.make_audit()?;
        let entries = self.generated(&[(issuers::ROOT, &key), (AUDIT, &audit_key)]);
        let (root, made) = self.certifier(names)?.root(key.signer())?;
        self.transcript.certificate("certificate-signed", &made.certificate);
        publish_audit_key(settings, audit_key.signer().public_key())?;
        key.keep()?;
        audit_key.keep()?;
        database.write(|connection| -> Result<(), CeremonyError> {
            issuers::insert(connection, &issuer_row(issuers::ROOT, &made), now)?;
            store_made(connection, &made, now)?;
            Ok(audit::record(connection, &entries)?)
        })?;
        self.place_certificates()?;
        self.answer(&root, Vec::new())
    }

    /// Has the root certify what another machine asks for, at most one issuing CA at a time, under the name that is given here: a
    /// request only proves its key. `vouched` are the names and keys (SHA-256 of the SubjectPublicKeyInfo) that people have brought on
    /// another way than the requests: all of those that are asked for.
    ///
    /// # Errors
    /// [`CeremonyError`]; nothing is signed then.
    pub fn certify(
        &mut self,
        issuing_name: Option<&str>,
        vouched: &[(String, [u8; 32])],
        asks: &[Ask],
    ) -> Result<Answer, CeremonyError> {
        let Self { database, keyring, now, .. } = *self;
        let root = open_issuer(database, keyring, issuers::ROOT)?;
        let names = names_of(root.certificate());
        let certified = database.read(|c| certificates::signed_by(c, issuers::ROOT))?;
        let mut wanted = Vec::with_capacity(asks.len());
        for ask in asks {
            let file = format!("{}.csr", ask.name);
            let hash = hex::encode(ask.spki_sha256);
            self.transcript.note("certificate-asked-for", format_args!("{}, spki-sha256 {hash}", ask.name));
            // With its name: a file on the way is renamed as easily as exchanged, and its name says what the key becomes.
            if !vouched.iter().any(|(name, key)| *name == ask.name && *key == ask.spki_sha256) {
                return Err(carried(
                    &file,
                    format!(
                        "nobody has vouched for its key. If the transcript of the other machine's ceremony, on paper, \
                         has it as the key `{0}`, give --spki-sha256 {0}={hash}",
                        ask.name
                    ),
                ));
            }
            let key = requested_key(&ask.request)?;
            let profile = if ask.name.starts_with(OCSP) { responders::PROFILE } else { ISSUING_PROFILE };
            is_clean(&certified, profile, &ask.spki_sha256).map_err(|why| carried(&file, why))?;
            if asks.iter().filter(|other| other.spki_sha256 == ask.spki_sha256).count() > 1 {
                return Err(carried(&file, "two requests are for one key"));
            }
            wanted.push(match (ask.name.strip_prefix(OCSP), issuing_name) {
                (Some(which), _) => (format!("{ROOTS_OCSP}{which}"), None, key),
                (None, _) if !is_issuing_name(&ask.name) => {
                    return Err(carried(&file, "this is no name of an issuing CA or of a responder"));
                }
                (None, None) => return Err(carried(&file, "an issuing CA needs a name: --issuing-name")),
                (None, Some(name)) => {
                    is_free(&certified, name, &ask.spki_sha256).map_err(|why| carried(&file, why))?;
                    (ask.name.clone(), Some(name), key)
                }
            });
        }
        let is_nobodys = |(name, key): &&(String, [u8; 32])| {
            !asks.iter().any(|ask| ask.name == *name && ask.spki_sha256 == *key)
        };
        if let Some((name, key)) = vouched.iter().find(is_nobodys) {
            let why = format!("there is no request {name}.csr for the key {}", hex::encode(key));
            return Err(carried("--spki-sha256", why));
        }
        if wanted.iter().filter(|(_, issuing, _)| issuing.is_some()).count() > 1 {
            return Err(carried("*.csr", "the root certifies one issuing CA at a time"));
        }
        let certifier = self.certifier(&names)?;
        let mut signed = Vec::with_capacity(wanted.len());
        for (name, issuing, key) in wanted {
            let made = match issuing {
                Some(issuing) => {
                    certifier.below(&root, issuers::ROOT, ISSUING_PROFILE, issuing, key.spki_der())?
                }
                None => certifier.responder(&root, issuers::ROOT, key.spki_der(), Some(ROOTS_OCSP_MONTHS))?,
            };
            self.transcript.certificate("certificate-signed", &made.certificate);
            signed.push((name, made));
        }
        database.write(|connection| -> Result<(), StoreError> {
            signed.iter().try_for_each(|(_, made)| store_made(connection, made, now))
        })?;
        self.answer(&root, signed.into_iter().map(|(name, made)| (name, made.certificate.der)).collect())
    }

    /// With the root's certificate and a new CRL of it.
    fn answer(
        &mut self,
        root: &Issuer,
        certificates: Vec<(String, Vec<u8>)>,
    ) -> Result<Answer, CeremonyError> {
        let signer = CrlSigner::new(issuers::ROOT, root.certificate(), root.signer().clone(), self.settings)?;
        let number = signer.sign(self.database, "", ROOT_CRL_VALIDITY, self.now)?;
        self.transcript.line("crl-signed", format_args!("{} {number}", issuers::ROOT));
        let crl = self.database.read(|connection| whole(connection, number))?;
        Ok(Answer { root: root.certificate().to_vec(), crl, certificates })
    }

    /// Makes what keys are missing of an installation whose root is elsewhere, and what the root is asked for. Keys that were made
    /// and not certified yet are asked for again.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn request_certificates(
        &mut self,
        organization: &str,
        wanted: Wanted,
    ) -> Result<Vec<Ask>, CeremonyError> {
        let Self { database, keyring, .. } = *self;
        let id = match wanted {
            Wanted::Key => {
                let id = next_id(database)?;
                if !keyring.has_issuer(&id)? {
                    self.make_keys(&id, organization)?;
                }
                Some(id)
            }
            Wanted::Renewal => {
                let id = present(database)?.id;
                // Another one under its name would answer for certificates it never signed.
                if !keyring.has_issuer(&id)? {
                    return Err(CeremonyError::NoSuchCa(id));
                }
                Some(id)
            }
            Wanted::Responder => None,
        };
        let mut keys = Vec::new();
        if let Some(id) = id {
            keys.push((id.clone(), keyring.issuer(&id)?));
        }
        // Responders on machines of their own bring their requests themselves.
        if wanted == Wanted::Responder || keyring.has_responder()? {
            let key = keyring.responder()?;
            not_compromised(database, &spki_sha256(key.public_key())?)?;
            keys.push((OCSP.to_owned(), key));
        }
        let ask = |(name, key): (String, _)| {
            self.transcript.known_key("certificate-asked-for", &name, std::sync::Arc::as_ref(&key));
            Ask::read(name, certification_request(key)?.into_bytes())
        };
        keys.into_iter().map(ask).collect()
    }

    /// The key of an issuing CA to be; of the first one, everything else that an installation has, too.
    fn make_keys(&mut self, id: &str, organization: &str) -> Result<(), CeremonyError> {
        let Self { database, settings, keyring, now, .. } = *self;
        let mut issuing = keyring.make_issuer(id, KeyAlgorithm::P256)?;
        let mut entries = self.generated(&[(id, &issuing)]);
        if id == issuers::ISSUING {
            self.nothing_is_there(&[OCSP, AUDIT, OFFICER_CA])?;
            let mut ocsp = keyring.make_responder()?;
            let mut audit_key = keyring.make_audit()?;
            let mut officers = NewOfficerCa::make(settings, keyring, organization, now)?;
            let keys = [(OCSP, &ocsp), (AUDIT, &audit_key), (OFFICER_CA, officers.key())];
            entries.extend(self.generated(&keys));
            self.transcript.certificate("certificate-signed", officers.certificate());
            publish_audit_key(settings, audit_key.signer().public_key())?;
            ocsp.keep()?;
            audit_key.keep()?;
            officers.keep(settings)?;
        }
        // Last: a ceremony that was cut off before has asked for nothing.
        issuing.keep()?;
        Ok(database.write(|connection| audit::record(connection, &entries))?)
    }

    /// Takes over what came from the root: all of it, or nothing. The first time, `root_sha256` is the fingerprint of its
    /// certificate that people have brought in another way; from then on the root is known.
    ///
    /// # Errors
    /// [`CeremonyError::Carried`]: something does not fit; others.
    pub fn install(
        &mut self,
        answer: &Answer,
        root_sha256: Option<[u8; 32]>,
    ) -> Result<Installed, CeremonyError> {
        let Self { database, keyring, now, .. } = *self;
        let known = database.read(issuers::all)?;
        let root = trusted_root(&known, answer, root_sha256)?;
        self.is_trusted(&answer.root)?;
        let (issue, listed) = roots_crl(answer, now)?;
        let newest = database.read(|connection| crls::newest(connection, issuers::ROOT, ""))?;
        let is_news = newest.as_ref().is_none_or(|newest| newest.number < issue.number);
        let mut revoked: HashSet<SerialNumber> = listed.iter().map(|entry| entry.serial).collect();
        if let Some(newest) = newest.filter(|_| !is_news) {
            let octets = database.read(|connection| whole(connection, newest.number))?;
            visit(octets.as_slice(), |entry| revoked.extend([entry.serial]))
                .map_err(|fault| carried("root.crl", fault))?;
        }
        let next = next_id(database)?;
        let (mut responders, mut beginnings) = (Vec::new(), Vec::new());
        let mut installed = Installed::default();
        for (name, der) in &answer.certificates {
            let file = format!("{name}.cer");
            issued_by(der, &answer.root).map_err(|fault| carried(&file, fault))?;
            let is_responder = name.starts_with(ROOTS_OCSP);
            let profile = if is_responder { responders::PROFILE } else { ISSUING_PROFILE };
            let made = read(&file, der, profile)?;
            if database.read(|connection| is_known(connection, &made))? {
                continue;
            }
            if revoked.contains(&made.certificate.serial) {
                return Err(carried(&file, "the root has revoked it"));
            }
            self.transcript.note_certificate("certificate-brought", &made.certificate);
            installed.taken.push(name.clone());
            if is_responder {
                self.is_of_a_responder(&made, &answer.root).map_err(|why| carried(&file, why))?;
                responders.push(made);
            } else {
                fits(&known, &next, keyring, name, &made)?;
                beginnings.push(self.beginning(name, made)?);
            }
        }
        let outcome = database.write(|connection| -> Result<_, CeremonyError> {
            if let Some(root) = &root {
                issuers::insert(connection, &issuer_row(issuers::ROOT, root), now)?;
                store_made(connection, root, now)?;
            }
            for made in &responders {
                store_made(connection, made, now)?;
            }
            for beginning in &beginnings {
                beginning.commit(connection, now)?;
            }
            let told = certificates::take_over(connection, issuers::ROOT, &listed, "operator", now)?;
            // After them: the CRL that came tells of every change there is.
            if is_news {
                let last_change = feed::latest(connection)?;
                let octets = &mut answer.crl.as_slice();
                let entries = i64::try_from(listed.len()).unwrap_or(i64::MAX);
                let mut signed = Signed { kind: CrlKind::Full, base: None, entries, octets };
                crls::adopt(connection, &Issue { last_change, ..issue.clone() }, &mut signed, now)?;
            }
            Ok(told)
        })?;
        for made in &responders {
            self.transcript.certificate("certificate-taken-over", &made.certificate);
        }
        if is_news {
            self.transcript.line("crl-taken-over", format_args!("{} {}", issuers::ROOT, issue.number));
            installed.taken.push("root.crl".to_owned());
        }
        if let Some(root) = root {
            self.transcript.certificate("root-trusted", &root.certificate);
            installed.taken.push(issuers::ROOT.to_owned());
        }
        for serial in &outcome.unknown {
            self.transcript.line("revocation-of-nothing-here", serial);
        }
        installed.revoked = outcome.changed;
        if outcome.changed > 0 {
            self.transcript.line("revocations-taken-over", outcome.changed);
        }
        for beginning in beginnings {
            self.begun(&beginning)?;
        }
        // Also after one that was cut off here.
        self.place_certificates()?;
        Ok(installed)
    }

    /// It certifies the key of a responder of ours, for the root.
    fn is_of_a_responder(&self, made: &Made, root: &[u8]) -> Result<(), CeremonyError> {
        let key = responders_key(&made.certificate.der, root)?;
        not_compromised(self.database, &made.spki_sha256)?;
        let is_certified = |certified: &responders::Certified| certified.spki_sha256 == made.spki_sha256;
        if self.database.read(responders::newest)?.iter().any(is_certified) {
            return Ok(());
        }
        if self.keyring.has_responder()? && self.keyring.responder()?.public_key() == key {
            return Ok(());
        }
        Err(CeremonyError::WeakKey(
            "it is of no responder here: `muhr ca renew-ocsp` certifies one".to_owned(),
        ))
    }
}

/// `ca`, `ca-2` and so on.
fn is_issuing_name(name: &str) -> bool {
    let number = name.strip_prefix(SUCCESSOR).map(str::parse::<u32>);
    name == issuers::ISSUING || matches!(number, Some(Ok(2..)))
}

/// A key is for one thing, and one that somebody else may know is for none.
pub(super) fn is_clean(certified: &[StoredCertificate], profile: &str, key: &[u8; 32]) -> Result<(), String> {
    for StoredCertificate { certificate, status, .. } in certified {
        if certificate.spki_sha256 != *key {
            continue;
        }
        if certificate.profile != profile {
            return Err(format!(
                "this key is certified as `{}`, which is something else",
                certificate.common_name
            ));
        }
        if matches!(status, Status::Revoked { reason: Reason::KeyCompromise | Reason::CaCompromise, .. }) {
            return Err("this key was revoked because somebody else may know it".to_owned());
        }
    }
    Ok(())
}

/// A key that the root has certified keeps its name, unless that was revoked; and no other key ever has it, the root's own
/// included.
pub(super) fn is_free(certified: &[StoredCertificate], name: &str, key: &[u8; 32]) -> Result<(), String> {
    for StoredCertificate { certificate, status, .. } in certified {
        let has_name = folded(&certificate.common_name) == folded(name);
        let has_key = certificate.spki_sha256 == *key;
        if has_name && !has_key {
            return Err(format!("`{name}` is the name of another key: another key has another name"));
        }
        if has_key && !has_name && !matches!(status, Status::Revoked { .. }) {
            return Err(format!(
                "this key is certified as `{}`, and keeps that name",
                certificate.common_name
            ));
        }
    }
    Ok(())
}

/// As relying parties compare names: without regard to case and the number of spaces (RFC 5280 section 7.1).
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The octets of a CRL of the root.
fn whole(connection: &mut Connection, number: i64) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    for position in 0.. {
        match crls::chunk(connection, (issuers::ROOT, ""), (number, CrlKind::Full), position)? {
            Some(piece) => octets.extend(piece),
            None => break,
        }
    }
    Ok(octets)
}

fn carried(file: &str, why: impl ToString) -> CeremonyError {
    CeremonyError::Carried(file.to_owned(), why.to_string())
}

/// The root, if it is new here and people vouch for it.
fn trusted_root(
    known: &[issuers::Issuer],
    answer: &Answer,
    root_sha256: Option<[u8; 32]>,
) -> Result<Option<Made>, CeremonyError> {
    const FILE: &str = "root.cer";
    if let Some(root) = known.iter().find(|issuer| issuer.id == issuers::ROOT) {
        let same = root.certificate == answer.root;
        return if same { Ok(None) } else { Err(carried(FILE, "this is another root than the one here")) };
    }
    issued_by(&answer.root, &answer.root).map_err(|fault| carried(FILE, fault))?;
    let fingerprint = ca_core::digest::sha256(&answer.root);
    match root_sha256 {
        Some(told) if told == fingerprint => read(FILE, &answer.root, "root").map(Some),
        Some(_) => Err(carried(FILE, "its fingerprint is not the one that --root-sha256 gives")),
        None => Err(carried(
            FILE,
            format!(
                "nobody has vouched for this root. If the transcript of its ceremony has the fingerprint {0}, \
                 give it with --root-sha256",
                hex::encode(fingerprint)
            ),
        )),
    }
}

/// The root's CRL, verified, and what it lists.
fn roots_crl(answer: &Answer, now: Timestamp) -> Result<(Issue, Vec<Entry>), CeremonyError> {
    const FILE: &str = "root.crl";
    let judge = Judge {
        issuer_certificate: &answer.root,
        now,
        most_octets: u64::MAX,
        file_name: None,
        ends: |_: &[SerialNumber]| Vec::new(),
    };
    let summary = judge.genuine(answer.crl.as_slice()).map_err(|fault| carried(FILE, fault))?;
    if summary.base.is_some() {
        return Err(carried(FILE, "a delta CRL does not tell everything"));
    }
    let mut listed = Vec::new();
    visit(answer.crl.as_slice(), |entry| listed.push(entry)).map_err(|fault| carried(FILE, fault))?;
    let issue = Issue {
        issuer: issuers::ROOT.to_owned(),
        partition: String::new(),
        number: i64::try_from(summary.number).map_err(|_| carried(FILE, "its number is too high"))?,
        this_update: summary.this_update,
        next_update: summary.next_update,
        last_change: 0,
    };
    Ok((issue, listed))
}

/// A certificate that the root has signed.
fn read(file: &str, der: &[u8], profile: &'static str) -> Result<Made, CeremonyError> {
    let certificate = Certificate::read(der).map_err(|error| carried(file, error))?;
    let key = ca_core::signer::AbsentKey::of_certificate(der).map_err(|error| carried(file, error))?;
    let common_name = attribute_of(der, const_oid::db::rfc4519::COMMON_NAME).unwrap_or_default();
    let spki_sha256 = spki_sha256(ca_core::signer::Signer::public_key(&key))?;
    Ok(Made { issuer: issuers::ROOT.to_owned(), profile, common_name, certificate, spki_sha256 })
}

/// Whether this very certificate is here as what it is.
fn is_known(connection: &mut Connection, made: &Made) -> Result<bool, StoreError> {
    match certificates::find(connection, &made.certificate.serial) {
        Ok(StoredCertificate { certificate, .. }) => {
            Ok(certificate.der == made.certificate.der && certificate.profile == made.profile)
        }
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// It certifies the key of this name that is here; another one of the CA here, or a CA whose name nobody else has.
fn fits(
    known: &[issuers::Issuer],
    next: &str,
    keyring: &Keyring<'_>,
    id: &str,
    made: &Made,
) -> Result<(), CeremonyError> {
    let file = format!("{id}.cer");
    if id != next && !known.iter().any(|issuer| issuer.id == id && issuer.is_issuing()) {
        return Err(carried(&file, format!("there is no CA of this name; the next one is `{next}`")));
    }
    if !keyring.has_issuer(id)? {
        return Err(carried(&file, format!("there is no key `{id}` here: `muhr ca request` makes it")));
    }
    Issuer::new(&made.certificate.der, keyring.issuer(id)?)?;
    let subject = made.certificate.subject_text();
    let same_name = |issuer: &&issuers::Issuer| issuer.subject == subject;
    match (known.iter().find(|issuer| issuer.id == id), known.iter().find(same_name)) {
        (Some(present), _) if Issuer::new(&present.certificate, keyring.issuer(id)?).is_err() => {
            Err(carried(&file, "a renewal keeps the key"))
        }
        (Some(present), _) if present.subject != subject => {
            let name = common_name_of(&present.certificate);
            Err(carried(&file, format!("a renewal keeps the name: the root is to certify `{name}`")))
        }
        (Some(present), _) if present.not_after >= made.certificate.not_after => {
            Err(carried(&file, "the present one holds as long"))
        }
        (None, Some(other)) => {
            Err(carried(&file, format!("`{}` has this name already: another key has another", other.id)))
        }
        _ => Ok(()),
    }
}
