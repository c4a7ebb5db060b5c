//! A database of one test's own, and the life of an application in it, by the same verbs that the API uses.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Barrier;
use std::time::Duration;

use ca_core::application::{Actor, Application, ApplicationId, DocumentKind, Officer, Role, Transition};
use ca_core::fee::{Channel, Quote};
use ca_core::payment::HOLD;
use ca_core::subject::{Subject, SubjectForm, SubjectType};
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use config::settings::Sources;
use config::tables::Tables;
use store::applications::{self, NewApplication};
use store::certificates::NewCertificate;
use store::documents::{self, Document};
use store::invoices::{self, Invoice};
use store::issuance::{self, Intent, Signed};
use store::issuers::{self, Issuer};
use store::jobs::{self, Job, JobKind};
use store::payments::{self, Announced};
use store::{Connection, Database, Options, StoreError, Target, migrations, officers};

use crate::person::{Person, next_number};
use crate::postgres::Server;
use crate::stack;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The moment at which everything happens, unless a test says otherwise.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().expect("a moment")
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    now().plus(Duration::from_secs(seconds))
}

pub(crate) struct Ground {
    pub(crate) store: Database,
    /// For other people's programs.
    pub(crate) address: String,
}

impl Drop for Ground {
    fn drop(&mut self) {
        Server::drop_used_database(&self.address);
    }
}

impl Ground {
    /// With all tables, a registrar, a reviewer and a pretended CA.
    pub(crate) fn new(kind: stack::Database) -> Self {
        let ground = Self::with_officers(kind);
        ground.write(|c| {
            issuers::insert(c, &issuer(issuers::ROOT, "root", None), now())?;
            issuers::insert(c, &issuer(issuers::ISSUING, "issuing", Some(issuers::ROOT)), now())
        });
        ground
    }

    pub(crate) fn with_officers(kind: stack::Database) -> Self {
        let ground = Self::empty(kind);
        migrations::up(&ground.store).expect("migrations run");
        ground.write(|c| {
            officers::add(c, "registrar", Role::Registrar, "no password", "test", now())?;
            officers::add(c, "reviewer", Role::Reviewer, "no password", "test", now())
        });
        ground
    }

    /// Without tables.
    pub(crate) fn empty(kind: stack::Database) -> Self {
        let file = || stack::fresh_folder().join("rules.sqlite").display().to_string();
        let address = kind.address().unwrap_or_else(file);
        let store = open(&address, Duration::from_secs(30));
        Self { store, address }
    }

    #[track_caller]
    pub(crate) fn write<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> T {
        self.store.write(f).expect("the database does it")
    }

    #[track_caller]
    pub(crate) fn read<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> T {
        self.store.read(f).expect("the database does it")
    }

    /// Behind the store's back.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        crate::sql::rows(&self.address, sql)
    }

    /// Behind the store's back and without the database's guards.
    #[track_caller]
    pub(crate) fn tamper(&self, sql: &str) {
        crate::sql::tamper(&self.address, sql);
    }

    #[track_caller]
    pub(crate) fn count(&self, table_and_filter: &str) -> u64 {
        let rows = self.rows(&format!("SELECT count(*) FROM {table_and_filter}"));
        rows[0].parse().expect("a number")
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.store.target(), Target::Postgres(_))
    }

    /// The application as it is now.
    #[track_caller]
    pub(crate) fn application(&self, id: ApplicationId) -> Application {
        self.read(|c| applications::find(c, id)).application
    }

    #[track_caller]
    pub(crate) fn apply(&self, decide: impl FnOnce(&Application) -> Transition, id: ApplicationId) {
        let transition = decide(&self.application(id));
        self.write(|c| applications::apply(c, &transition));
    }

    /// An application of somebody new, with nothing but the form.
    pub(crate) fn created(&self) -> ApplicationId {
        let id = ApplicationId::new(now());
        let new = NewApplication {
            id,
            subject: somebody(),
            channel: Channel::Online,
            phone: "+998901234567".to_owned(),
            region: 1726,
            district: 1_726_262,
            email: None,
            purpose: "a test".to_owned(),
            language: "uz".to_owned(),
            offer_accepted_at: Some(now()),
            registered_by: None,
            registered_partner: None,
            benefit: None,
        };
        self.write(|c| applications::create(c, &new, "applicant", now()));
        id
    }

    /// An application of somebody new, with its pictures and an open invoice.
    pub(crate) fn draft(&self) -> ApplicationId {
        let id = self.created();
        self.write(|c| {
            for kind in [DocumentKind::Photo, DocumentKind::Selfie] {
                documents::put(c, &document(id, kind), "applicant", now())?;
            }
            invoices::write(c, id, &quote(), now().plus(HOUR), now()).map(drop)
        });
        id
    }

    pub(crate) fn invoice(&self, id: ApplicationId) -> Invoice {
        self.read(|c| invoices::newest(c, id)).expect("an invoice")
    }

    pub(crate) fn under_review(&self) -> ApplicationId {
        self.under_review_with(b"a request", &[7; 32])
    }

    /// With this certification request.
    pub(crate) fn under_review_with(&self, csr: &[u8], spki_sha256: &[u8; 32]) -> ApplicationId {
        let id = self.draft();
        let invoice = self.invoice(id);
        self.write(|c| {
            applications::set_csr(c, id, csr, spki_sha256, "applicant", now())?;
            let locked = invoices::lock(c, &invoice.id)?;
            payments::pay(c, &locked, &payment(&invoice, "a transaction"), now()).map(drop)
        });
        self.apply(|application| application.submit(Actor::Applicant, now()).expect("complete"), id);
        id
    }

    pub(crate) fn approved(&self) -> ApplicationId {
        let id = self.under_review();
        self.approve(id);
        id
    }

    pub(crate) fn approve(&self, id: ApplicationId) {
        self.apply(|application| application.approve(&reviewer(), now()).expect("under review"), id);
    }

    /// The job of an approved application, claimed by a signer who died right after.
    pub(crate) fn issue_job(&self, id: ApplicationId) -> Job {
        let claimed =
            self.write(|c| jobs::claim(c, JobKind::IssueCertificate, "a dead signer", now(), HOUR, 1000));
        claimed.into_iter().find(|job| job.key == id.to_string()).expect("approval queues a job")
    }

    /// From approval to the stored certificate, by a pretended signature.
    pub(crate) fn issued(&self) -> (ApplicationId, SerialNumber) {
        let id = self.approved();
        let intent = intent(Some(id));
        let signed = signed(&self.application(id), &intent, self.issue_job(id).id);
        self.write(|c| {
            issuance::record_intents(c, std::slice::from_ref(&intent), now())?;
            assert_eq!(issuance::settle(c, &[signed], now())?, 1);
            Ok(())
        });
        (id, intent.serial)
    }
}

/// A pool with 16 connections: concurrency is what most of these tests are about.
pub(crate) fn open(address: &str, patience: Duration) -> Database {
    let target = match address.starts_with("postgres://") {
        true => Target::Postgres(address.to_owned()),
        false => Target::Sqlite(address.into()),
    };
    Database::open(target, &Options { connections: 16, patience, ..Options::default() }).expect("a pool")
}

pub(crate) fn reviewer() -> Officer {
    Officer { login: "reviewer".to_owned(), role: Role::Reviewer }
}

fn issuer(id: &str, kind: &str, parent: Option<&str>) -> Issuer {
    Issuer {
        id: id.to_owned(),
        kind: kind.to_owned(),
        parent: parent.map(str::to_owned),
        certificate: id.as_bytes().to_vec(),
        subject: id.to_owned(),
        not_before: now(),
        not_after: Timestamp::MAX,
        retired_at: None,
        key_destroyed_at: None,
    }
}

pub(crate) fn somebody() -> Subject {
    let person = Person::new();
    let form: SubjectForm = serde_json::from_value(serde_json::json!({
        "pinfl": person.pinfl,
        "passport": person.passport,
        "surname": person.surname,
        "given_name": person.given_name,
        "birth_date": person.birth_date,
    }))
    .expect("a form");
    form.check(SubjectType::NaturalPerson, now()).expect("a made-up person keeps the rules").0
}

fn document(application: ApplicationId, kind: DocumentKind) -> Document {
    Document {
        application,
        kind,
        media_type: "image/jpeg".to_owned(),
        size_bytes: 1,
        sha256: vec![0; 32],
        object_key: "nowhere".to_owned(),
        uploaded_at: now(),
    }
}

/// What a natural person pays online.
pub(crate) fn quote() -> Quote {
    let settings = settings(&[]);
    let fees = Tables::load(&settings.data).expect("the built-in tables").fees;
    fees.quote(SubjectType::NaturalPerson, Channel::Online, None, now()).expect("a price")
}

/// The defaults, below a folder of their own.
pub(crate) fn settings(values: &[(&str, &str)]) -> Settings {
    let folder = stack::fresh_folder().display().to_string();
    let sources = Sources::default().with("data.directory", folder);
    let sources = values.iter().fold(sources, |sources, (key, value)| sources.with(key, *value));
    Settings::load(&sources, &[]).expect("settings")
}

/// Enough for the invoice; the provider's names of transactions differ from run to run.
pub(crate) fn payment(invoice: &Invoice, transaction: &str) -> Announced {
    Announced {
        provider: "bank".to_owned(),
        transaction: format!("{transaction} for {}", invoice.number),
        amount_tiyin: invoice.amount_tiyin,
        at: now(),
        hold: HOLD,
        recorded_by: None,
        details: serde_json::json!({}),
    }
}

/// A serial of its own.
pub(crate) fn serial() -> SerialNumber {
    SerialNumber::random().expect("random octets")
}

/// What a signer means to sign.
pub(crate) fn intent(application: Option<ApplicationId>) -> Intent {
    let serial = serial();
    Intent {
        issuer: issuers::ISSUING.to_owned(),
        serial,
        application,
        profile: "natural_person".to_owned(),
        tbs: format!("to be signed {serial}").into_bytes(),
    }
}

/// What became of it: the outer SEQUENCE of a certificate around the recorded octets.
pub(crate) fn certificate(intent: &Intent) -> NewCertificate {
    let length = u8::try_from(intent.tbs.len()).expect("a short form length");
    NewCertificate {
        issuer: intent.issuer.clone(),
        serial: intent.serial,
        application: intent.application,
        profile: intent.profile.clone(),
        subject: "CN=somebody".to_owned(),
        common_name: format!("Somebody {}", next_number()),
        pinfl: None,
        stir: None,
        spki_sha256: [7; 32],
        der: [&[0x30, length], intent.tbs.as_slice()].concat(),
        not_before: now(),
        not_after: now().plus_months(12),
        crl_partition: String::new(),
    }
}

pub(crate) fn signed(application: &Application, intent: &Intent, job: i64) -> Signed {
    let transition = application.issue(now()).expect("approved");
    Signed { certificate: certificate(intent), transition, job }
}

/// So many threads that start together; what each brought.
pub(crate) fn at_once<T: Send>(count: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|n| {
                let (start, f) = (&start, &f);
                scope.spawn(move || {
                    start.wait();
                    f(n)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// Nothing in it twice.
#[track_caller]
pub(crate) fn assert_distinct<T: Eq + Hash + Clone + std::fmt::Debug>(items: &[T]) {
    let mut seen = HashSet::new();
    for item in items {
        assert!(seen.insert(item.clone()), "{item:?} is there twice");
    }
}
