//! The root on a machine without a network: requests and answers are carried by files.
//!
//! The root's machine has an installation of its own, with a database that knows what the root has signed, and an audit log.
//! The other takes over what comes back: certificates, and the root's CRL.

use ca_core::Timestamp;
use ca_core::crl::{Judge, summary};
use ca_core::issue::{Certificate, Issuer};
use ca_core::path::issued_by;
use ca_core::signer::KeyAlgorithm;
use config::Settings;
use config::tables::Tables;
use store::crls::{self, CrlKind, Issue, Signed};
use store::{Connection, Database, StoreError, audit, certificates, feed, issuers, responders};

use super::succession::{common_name_of, next_id, present};
use super::{
    Ceremony, CeremonyError, CrlSigner, Made, Names, ROOT_CRL_VALIDITY, Transcript, attribute_of, generated,
    issuer_row, names_of, nothing_is_there, open_issuer, publish_audit_key, replace, requested_key,
    spki_sha256, store_made,
};
use crate::certification_request::certification_request;
use crate::keyring::{AUDIT, Keyring, OCSP, OFFICER_CA, SUCCESSOR};
use crate::officer_ca::NewOfficerCa;

/// The responder's certificate by the root, in an [`Answer`].
const ROOTS_OCSP: &str = "ocsp-root";

/// A certification request for the root, with the short name of whom it is for: an issuing CA's, or `ocsp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its name, which its file has too.
    pub name: String,
    /// PKCS #10, PEM or DER.
    pub request: Vec<u8>,
}

/// What comes back from the root, all DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The root's certificate.
    pub root: Vec<u8>,
    /// Its newest CRL.
    pub crl: Vec<u8>,
    /// What it has certified: by the names of the requests, and `ocsp-root` for the responder.
    pub certificates: Vec<(String, Vec<u8>)>,
}

/// Makes the root (P-384) and an audit key on a machine of their own.
///
/// # Errors
/// [`CeremonyError`].
pub fn init_root(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    names: &Names,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<Answer, CeremonyError> {
    nothing_is_there(database, keyring, &[issuers::ROOT, AUDIT])?;
    let ceremony = Ceremony { settings, profiles: Tables::load(&settings.data)?.profiles, names, now };
    let mut key = keyring.make_issuer(issuers::ROOT, KeyAlgorithm::P384)?;
    let mut audit_key = keyring.make_audit()?;
    let entries = generated(transcript, &[(issuers::ROOT, &key), (AUDIT, &audit_key)], now);
    let (root, made) = ceremony.root(key.signer())?;
    transcript.certificate("certificate-signed", &made.certificate);
    publish_audit_key(settings, audit_key.signer().public_key())?;
    key.keep()?;
    audit_key.keep()?;
    replace(&settings.keys.directory.join("root.cer"), &made.certificate.der)?;
    database.write(|connection| -> Result<(), CeremonyError> {
        issuers::insert(connection, &issuer_row(issuers::ROOT, &made), now)?;
        store_made(connection, &made, now)?;
        Ok(audit::record(connection, &entries)?)
    })?;
    answer(database, settings, &root, Vec::new(), transcript, now)
}

/// Has the root certify what another machine asks for. The names are given here: a request only proves its key.
///
/// # Errors
/// [`CeremonyError`].
pub fn certify(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    issuing_name: &str,
    asks: &[Ask],
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<Answer, CeremonyError> {
    let root = open_issuer(database, keyring, issuers::ROOT)?;
    let names = names_of(root.certificate());
    let profiles = Tables::load(&settings.data)?.profiles;
    let ceremony = Ceremony { settings, profiles, names: &names, now };
    let mut signed = Vec::with_capacity(asks.len());
    for ask in asks {
        let (profile, name, common_name) = match ask.name.as_str() {
            OCSP => (responders::PROFILE, ROOTS_OCSP, names.ocsp.as_str()),
            name if is_issuing_name(name) => ("issuing_ca", name, issuing_name),
            other => return Err(carried(&format!("{other}.csr"), "this is no name of an issuing CA")),
        };
        let key = requested_key(&ask.request)?;
        let spki_sha256 = hex::encode(ca_core::digest::sha256(key.spki_der()));
        transcript.line("certificate-asked-for", format_args!("{name}, spki-sha256 {spki_sha256}"));
        let made = ceremony.below(&root, issuers::ROOT, profile, common_name, key.spki_der())?;
        transcript.certificate("certificate-signed", &made.certificate);
        signed.push((name.to_owned(), made));
    }
    database.write(|connection| -> Result<(), StoreError> {
        signed.iter().try_for_each(|(_, made)| store_made(connection, made, now))
    })?;
    let certificates = signed.into_iter().map(|(name, made)| (name, made.certificate.der)).collect();
    answer(database, settings, &root, certificates, transcript, now)
}

/// `ca`, `ca-2` and so on.
fn is_issuing_name(name: &str) -> bool {
    let number = name.strip_prefix(SUCCESSOR).map(str::parse::<u32>);
    name == issuers::ISSUING || matches!(number, Some(Ok(2..)))
}

/// With the root's certificate and a new CRL of it.
fn answer(
    database: &Database,
    settings: &Settings,
    root: &Issuer,
    certificates: Vec<(String, Vec<u8>)>,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<Answer, CeremonyError> {
    let signer = CrlSigner::new(issuers::ROOT, root.certificate(), root.signer().clone(), settings)?;
    let number = signer.sign(database, "", ROOT_CRL_VALIDITY, now)?;
    transcript.line("crl-signed", format_args!("{} {number}", issuers::ROOT));
    let crl = database.read(|connection| whole(connection, number))?;
    Ok(Answer { root: root.certificate().to_vec(), crl, certificates })
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

/// Makes the keys of an installation whose root is elsewhere, and what the root is asked for. Where there is a CA, it is the key
/// of its successor; with `is_renewal`, its own again. Keys that were made and not certified yet are asked for again.
///
/// # Errors
/// [`CeremonyError`].
pub fn request_certificates(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    organization: &str,
    is_renewal: bool,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<Vec<Ask>, CeremonyError> {
    let is_first = !database.read(issuers::all)?.iter().any(issuers::Issuer::is_issuing);
    let id = if is_renewal { present(database)?.id } else { next_id(database)? };
    let mut wanted = vec![id.as_str()];
    if is_first {
        wanted.push(OCSP);
    }
    // A renewal is of a key that is there: another one under its name would answer for certificates it never signed.
    if is_renewal && !keyring.has_issuer(&id)? {
        return Err(CeremonyError::NoSuchCa(id));
    }
    if !keyring.has_issuer(&id)? {
        let mut issuing = keyring.make_issuer(&id, KeyAlgorithm::P256)?;
        let mut entries = generated(transcript, &[(&id, &issuing)], now);
        if is_first {
            nothing_is_there(database, keyring, &[OCSP, AUDIT, OFFICER_CA])?;
            let mut ocsp = keyring.make_responder()?;
            let mut audit_key = keyring.make_audit()?;
            let mut officers = NewOfficerCa::make(settings, keyring, organization, now)?;
            let keys = [(OCSP, &ocsp), (AUDIT, &audit_key), (OFFICER_CA, officers.key())];
            entries.extend(generated(transcript, &keys, now));
            transcript.certificate("certificate-signed", officers.certificate());
            publish_audit_key(settings, audit_key.signer().public_key())?;
            ocsp.keep()?;
            audit_key.keep()?;
            officers.keep(settings)?;
        }
        // Last: a ceremony that was cut off before has asked for nothing.
        issuing.keep()?;
        database.write(|connection| audit::record(connection, &entries))?;
    }
    wanted
        .into_iter()
        .map(|name| {
            let key = if name == OCSP { keyring.responder()? } else { keyring.issuer(name)? };
            transcript.known_key("certificate-asked-for", name, key.as_ref());
            Ok(Ask { name: name.to_owned(), request: certification_request(key)?.into_bytes() })
        })
        .collect()
}

/// Takes over what came from the root. The first time, `root_sha256` is the fingerprint of its certificate that people have
/// brought in another way; from then on the root is known. Returns the names of what was taken over, none of which was there.
///
/// # Errors
/// [`CeremonyError::Carried`]: something does not fit, and nothing of it was taken; others.
pub fn install(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    answer: &Answer,
    root_sha256: Option<[u8; 32]>,
    transcript: &mut Transcript,
    now: Timestamp,
) -> Result<Vec<String>, CeremonyError> {
    let known = database.read(issuers::all)?;
    let root = trusted_root(&known, answer, root_sha256)?;
    let issue = roots_crl(answer, now)?;
    let next = next_id(database)?;
    let mut issuing = Vec::new();
    let mut signed = Vec::new();
    for (name, der) in &answer.certificates {
        let file = format!("{name}.cer");
        issued_by(der, &answer.root).map_err(|fault| carried(&file, fault))?;
        let profile = if name == ROOTS_OCSP { responders::PROFILE } else { "issuing_ca" };
        let made = read(&file, der, profile)?;
        if database.read(|connection| is_known(connection, &made.certificate))? {
            continue;
        }
        transcript.certificate("certificate-taken-over", &made.certificate);
        if name == ROOTS_OCSP {
            signed.push(made);
        } else {
            fits(&known, &next, keyring, name, &made)?;
            issuing.push((name.clone(), made));
        }
    }
    let newest = database.read(|connection| crls::newest(connection, issuers::ROOT, ""))?;
    let is_news = newest.is_none_or(|newest| newest.number < issue.number);
    let mut taken: Vec<String> = signed.iter().map(|_| ROOTS_OCSP.to_owned()).collect();
    database.write(|connection| -> Result<(), CeremonyError> {
        if let Some(root) = &root {
            issuers::insert(connection, &issuer_row(issuers::ROOT, root), now)?;
            store_made(connection, root, now)?;
        }
        for made in &signed {
            store_made(connection, made, now)?;
        }
        if is_news {
            let octets = &mut answer.crl.as_slice();
            let last_change = feed::latest(connection)?;
            let entries = summary(answer.crl.as_slice()).map_or(0, |summary| summary.entries);
            let entries = i64::try_from(entries).unwrap_or(i64::MAX);
            let mut signed = Signed { kind: CrlKind::Full, base: None, entries, octets };
            crls::adopt(connection, &Issue { last_change, ..issue.clone() }, &mut signed, now)?;
        }
        Ok(())
    })?;
    if is_news {
        transcript.line("crl-taken-over", format_args!("{} {}", issuers::ROOT, issue.number));
        taken.push("root.crl".to_owned());
    }
    if let Some(root) = root {
        transcript.certificate("root-trusted", &root.certificate);
        replace(&settings.keys.directory.join("root.cer"), &root.certificate.der)?;
        taken.push(issuers::ROOT.to_owned());
    }
    for (id, made) in issuing {
        let names = names_of(&made.certificate.der);
        let profiles = Tables::load(&settings.data)?.profiles;
        let ceremony = Ceremony { settings, profiles, names: &names, now };
        ceremony.establish(database, keyring, &id, &made, transcript)?;
        taken.push(id);
    }
    Ok(taken)
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

/// The root's CRL, verified.
fn roots_crl(answer: &Answer, now: Timestamp) -> Result<Issue, CeremonyError> {
    let judge = Judge {
        issuer_certificate: &answer.root,
        now,
        most_octets: u64::MAX,
        file_name: None,
        ends: |_: &[ca_core::SerialNumber]| Vec::new(),
    };
    let summary = judge.genuine(answer.crl.as_slice()).map_err(|fault| carried("root.crl", fault))?;
    if summary.base.is_some() {
        return Err(carried("root.crl", "a delta CRL does not tell everything"));
    }
    Ok(Issue {
        issuer: issuers::ROOT.to_owned(),
        partition: String::new(),
        number: i64::try_from(summary.number).map_err(|_| carried("root.crl", "its number is too high"))?,
        this_update: summary.this_update,
        next_update: summary.next_update,
        last_change: 0,
    })
}

/// A certificate that the root has signed.
fn read(file: &str, der: &[u8], profile: &'static str) -> Result<Made, CeremonyError> {
    let certificate = Certificate::read(der).map_err(|error| carried(file, error))?;
    let key = ca_core::signer::AbsentKey::of_certificate(der).map_err(|error| carried(file, error))?;
    let common_name = attribute_of(der, const_oid::db::rfc4519::COMMON_NAME).unwrap_or_default();
    let spki_sha256 = spki_sha256(ca_core::signer::Signer::public_key(&key))?;
    Ok(Made { issuer: issuers::ROOT.to_owned(), profile, common_name, certificate, spki_sha256 })
}

fn is_known(connection: &mut Connection, certificate: &Certificate) -> Result<bool, StoreError> {
    match certificates::find(connection, &certificate.serial) {
        Ok(stored) => Ok(stored.certificate.der == certificate.der),
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
        (None, Some(other)) => {
            Err(carried(&file, format!("`{}` has this name already: another key has another", other.id)))
        }
        _ => Ok(()),
    }
}
