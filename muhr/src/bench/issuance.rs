//! From approved applications to stored certificates: lint, intent, signature, audit and change feed included.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ca_core::application::{Actor, Application, ApplicationId, DocumentKind, Officer, Role};
use ca_core::approval::{Approvable, content_sha256};
use ca_core::audit::{AuditKeys, History, Report};
use ca_core::csr::{CertificationRequest, SubjectPublicKey};
use ca_core::fee::{Channel, FeeTable};
use ca_core::issue::{Issuer, Request};
use ca_core::officer_statement::FIRST;
use ca_core::payment::HOLD;
use ca_core::signer::{AbsentKey, FileKey, KeyAlgorithm, Signer};
use ca_core::subject::{Subject, SubjectForm, SubjectType};
use ca_core::{SerialNumber, Timestamp};
use ca_signer::officer_ca::OfficerCa;
use ca_signer::{HeadSigner, Keyring, SigningService};
use config::Settings;
use config::tables::Tables;
use key_tool::cms;
use store::applications::NewApplication;
use store::documents::Document;
use store::payments::{self, Announced};
use store::{
    Database, StoreError, applications, documents, invoices, issuers, officer_statements, verification,
};

use super::meter::{Meter, figure};
use super::{PASSPHRASE, ca, in_temporary};
use crate::audit::{export, trust_here};
use crate::commands::Place;
use crate::failure::Failure;
use crate::officer;

/// Applications prepared in one transaction.
const CHUNK: usize = 500;
/// Keys made beforehand; each is one person's, so each person gets several certificates.
const KEYS: usize = 500;
/// Where they live: a region and a district of it.
const REGION: u16 = 1726;
const DISTRICT: u32 = 1_726_262;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An EMPTY PostgreSQL database, or the path of an SQLite file to be made; without it, one in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How many certificates.
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Signer threads.
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    in_temporary(arguments.database.clone(), |place| measure(arguments, place))
}

fn measure(arguments: &Arguments, place: &Place) -> Result<(), Failure> {
    let (database, _) = ca(place)?;
    let settings = place.settings(&[])?;
    let prepared = Meter::start();
    let keyring = Keyring::with_passphrase(&settings, PASSPHRASE);
    prepare(&database, &settings, &keyring, arguments.count)?;
    figure("issuance.preparation", prepared.read().0.as_secs_f64(), "s");

    let bare = bare_signatures()?;
    figure("issuance.baseline.signature", bare, "us CPU");
    let service = Arc::new(SigningService::open(database.clone(), Arc::clone(&settings), &keyring)?);
    let done = Arc::new(AtomicUsize::new(0));
    let failed = Arc::new(AtomicBool::new(false));
    let meter = Meter::start();
    std::thread::scope(|scope| {
        for worker in 0..arguments.workers.max(1) {
            let (service, done, failed) = (Arc::clone(&service), Arc::clone(&done), Arc::clone(&failed));
            scope.spawn(move || {
                while done.load(Ordering::Relaxed) < arguments.count && !failed.load(Ordering::Relaxed) {
                    match service.work(&format!("bench-{worker}")) {
                        Ok(settled) => done.fetch_add(settled, Ordering::Relaxed),
                        Err(error) => {
                            tracing::error!(%error, "measurement failed");
                            failed.store(true, Ordering::Relaxed);
                            0
                        }
                    };
                }
            });
        }
    });
    let (wall, cpu) = meter.read();
    if failed.load(Ordering::Relaxed) {
        return Err(Failure::new(format!("not all of {} were issued", arguments.count)));
    }
    let count = arguments.count as f64;
    figure("issuance.rate", count / wall.as_secs_f64(), "certificates/s");
    figure("issuance.cpu", cpu.as_secs_f64() * 1e6 / count, "us CPU/certificate");
    figure("issuance.cpu.ratio", cpu.as_secs_f64() * 1e6 / count / bare, "x one signature");
    audit(&database, &settings, &keyring, arguments.count as u64)
}

/// What `muhr audit verify` does about the same certificates, here and elsewhere, where there are only files.
fn audit(database: &Database, settings: &Settings, keyring: &Keyring<'_>, count: u64) -> Result<(), Failure> {
    let signer = HeadSigner::open(database.clone(), settings, keyring)?
        .ok_or_else(|| Failure::new("the ceremony makes an audit key"))?;
    signer.seal()?;
    let keys = AuditKeys::from_pem(&std::fs::read(settings.audit_key_file())?)?;
    let trust = trust_here(settings, database, &[])?
        .ok_or_else(|| Failure::new("the ceremony makes an officer CA"))?;

    let meter = Meter::start();
    let (log, rows) = database.read(|connection| -> Result<_, StoreError> {
        let now = settings.clock().now();
        let log = verification::verify_log(connection, &keys, Vec::new(), Some(&trust), now)?;
        Ok((log, verification::verify(connection, Some(&trust))?))
    })?;
    verified("issuance.verify", meter.read(), &log.log, &log.history, count)?;
    if let Some(finding) = rows.findings.first() {
        return Err(Failure::new(format!("{}: {}", finding.object, finding.rule)));
    }
    if rows.applications != count {
        return Err(Failure::new(format!("only {} of {count} were issued", rows.applications)));
    }

    let file = settings.data.directory.join("audit.jsonl");
    let exported = Meter::start();
    let (entries, _) = database.read(|connection| export::write(connection, &file, true))?;
    figure("issuance.export", entries as f64 / exported.read().0.as_secs_f64(), "entries/s");
    let meter = Meter::start();
    let (report, history) = export::verify(&file, &keys, Some(&trust), Vec::new())?;
    let history = history.ok_or_else(|| Failure::new("the export has no statements"))?;
    verified("issuance.verify.file", meter.read(), &report, &history, count)
}

/// How fast it was, if nothing was found and nothing left out.
fn verified(
    name: &str,
    (wall, cpu): (Duration, Duration),
    log: &Report,
    history: &History,
    count: u64,
) -> Result<(), Failure> {
    if !log.faults.is_empty() || !history.findings.is_empty() || history.compared != count {
        return Err(Failure::new("the log is not what was issued"));
    }
    let cpu = cpu.as_secs_f64() * 1e6 / count as f64;
    figure(name, count as f64 / wall.as_secs_f64(), "certificates/s");
    figure(&format!("{name}.entries"), log.entries as f64 / wall.as_secs_f64(), "entries/s");
    figure(&format!("{name}.cpu"), cpu, "us CPU/certificate");
    Ok(())
}

/// CPU microseconds of one P-256 signature over 900 octets, by the same library.
fn bare_signatures() -> Result<f64, Failure> {
    let key = FileKey::generate(KeyAlgorithm::P256)?;
    let message = [7_u8; 900];
    let count = 30_000;
    let meter = Meter::start();
    for _ in 0..count {
        key.sign(&message)?;
    }
    Ok(meter.read().1.as_secs_f64() * 1e6 / f64::from(count))
}

/// Applications that went the whole way to their approval, by the same decisions, verbs and signatures as over HTTP.
fn prepare(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    count: usize,
) -> Result<(), Failure> {
    let now = settings.clock().now();
    let tables = Tables::load(&settings.data)?;
    let people: Vec<(Subject, CertificationRequest)> =
        (0..KEYS.min(count)).map(|n| person(n, now)).collect::<Result<_, Failure>>()?;
    let reviewer = Reviewer::appoint(database, settings, keyring, now)?;
    let issuing = database.read(|connection| issuers::find(connection, issuers::ISSUING))?;
    let absent = AbsentKey::of_certificate(&issuing.certificate)?;
    let issuer = Issuer::new(&issuing.certificate, Arc::new(absent))?;
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(CHUNK) {
        database.write(|connection| -> Result<(), Failure> {
            for n in chunk {
                let (subject, csr) = &people[n % people.len()];
                let id = apply(connection, subject, csr, &tables.fees, now)?;
                let stored = applications::find(connection, id)?;
                applications::apply(connection, &stored.application.submit(Actor::Applicant, now)?)?;
                let stored = applications::find(connection, id)?;
                let tbs = to_be_signed(&issuer, &tables, settings, &stored.application, csr, now)?;
                reviewer.approve(connection, &stored.application, &tbs, now)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// What the certificate would be.
fn to_be_signed(
    issuer: &Issuer,
    tables: &Tables,
    settings: &Settings,
    application: &Application,
    csr: &CertificationRequest,
    now: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let missing = || Failure::new("a table has not what is measured with");
    let region = tables.regions.get(REGION).ok_or_else(missing)?;
    let district = tables.regions.district(REGION, DISTRICT).map_err(|_| missing())?;
    let profile = tables.profiles.get(application.subject_type().as_str()).ok_or_else(missing)?;
    let request = Request {
        subject: application.subject.certificate_fields(region, district, None),
        public_key: csr.public_key().spki_der().to_vec(),
        serial: SerialNumber::random()?,
        now,
        urls: settings.issuance.urls(issuers::ISSUING),
        months: Some(settings.issuance.validity_months),
    };
    Ok(issuer.prepare(profile, request)?.tbs().to_vec())
}

/// An officer with a certified key.
struct Reviewer {
    officer: Officer,
    key: FileKey,
    certificate: Vec<u8>,
}

impl Reviewer {
    fn appoint(
        database: &Database,
        settings: &Settings,
        keyring: &Keyring<'_>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let officer = Officer { login: "reviewer".to_owned(), role: Role::Reviewer };
        officer::add(database, settings, &officer.login, officer.role, now)?;
        let key = FileKey::generate(KeyAlgorithm::P256)?;
        let public_key = SubjectPublicKey::from_spki_der(key.public_key())?;
        let certified =
            OfficerCa::open(settings, keyring)?.certify(database, &officer, &public_key, "operator", now)?;
        Ok(Self { officer, key, certificate: certified.der })
    }

    fn approve(
        &self,
        connection: &mut store::Connection,
        application: &Application,
        tbs: &[u8],
        now: Timestamp,
    ) -> Result<(), Failure> {
        let transition = application.approve(&self.officer, now)?;
        let evidence = documents::evidence_of(connection, &[application.id])?;
        let approvable = Approvable {
            application: application.id,
            content_sha256: content_sha256(tbs, &application.into())?,
            evidence_sha256: evidence.get(&application.id).copied().unwrap_or_default(),
            under_review_since: now,
        };
        let statement = approvable.approval(&self.officer.login, now, FIRST);
        let signature =
            cms::sign(&self.key, std::slice::from_ref(&self.certificate), &statement.text(), true, now)
                .map_err(|_| Failure::new("the officer's key does not sign"))?;
        officer_statements::record(connection, &statement, &signature, now)?;
        applications::apply(connection, &transition)?;
        Ok(())
    }
}

fn apply(
    connection: &mut store::Connection,
    subject: &Subject,
    csr: &CertificationRequest,
    fees: &FeeTable,
    now: Timestamp,
) -> Result<ApplicationId, Failure> {
    let id = ApplicationId::new(now);
    let new = NewApplication {
        id,
        subject: subject.clone(),
        channel: Channel::Online,
        phone: "+998901234567".to_owned(),
        region: i32::from(REGION),
        district: i32::try_from(DISTRICT).unwrap_or_default(),
        email: None,
        purpose: "measurement".to_owned(),
        language: "uz".to_owned(),
        offer_accepted_at: Some(now),
        registered_by: None,
        registered_partner: None,
        benefit: None,
    };
    applications::create(connection, &new, "applicant", now)?;
    applications::set_csr(connection, id, csr.der(), &csr.public_key().sha256(), "applicant", now)?;
    for kind in [DocumentKind::Photo, DocumentKind::Selfie] {
        let document = Document {
            application: id,
            kind,
            media_type: "image/jpeg".to_owned(),
            size_bytes: 1,
            sha256: vec![0; 32],
            object_key: "measurement".to_owned(),
            uploaded_at: now,
        };
        documents::put(connection, &document, "applicant", now)?;
    }
    let quote = fees.quote(subject.subject_type(), Channel::Online, None, now)?;
    let expires_at = now.plus(Duration::from_secs(3600));
    let invoice = invoices::write(connection, id, &quote, expires_at, now)?;
    let payment = Announced {
        provider: "measurement".to_owned(),
        transaction: invoice.id.clone(),
        amount_tiyin: invoice.amount_tiyin,
        at: now,
        hold: HOLD,
        recorded_by: None,
        details: serde_json::json!({}),
    };
    let paid = payments::pay(connection, &invoice, &payment, now)?;
    paid.map_err(|refusal| StoreError::Conflict(refusal.to_string()))?;
    Ok(id)
}

/// A made-up person with a valid number, and their certification request.
pub(super) fn person(n: usize, now: Timestamp) -> Result<(Subject, CertificationRequest), Failure> {
    let first_13 = format!("3010190{:06}", n % 1_000_000);
    let weights = [7, 3, 1].into_iter().cycle();
    let sum: u32 =
        first_13.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let form: SubjectForm = serde_json::from_value(serde_json::json!({
        "pinfl": format!("{first_13}{}", sum % 10),
        "passport": "AA1234567",
        "surname": "Namunayev",
        "given_name": "Namuna",
        "birth_date": "1990-01-01",
    }))?;
    let (subject, _) =
        form.check(SubjectType::NaturalPerson, now).map_err(|errors| Failure::new(format!("{errors:?}")))?;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let csr = rcgen::CertificateParams::default().serialize_request(&key)?;
    Ok((subject, CertificationRequest::parse(csr.der())?))
}
