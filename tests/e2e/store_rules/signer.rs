//! The signer on a real store: what it finds after another has died, and what one bad job does to the others.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use ca_core::algorithm::SignatureAlgorithm;
use ca_core::application::{ApplicationId, State};
use ca_core::approval::{Approvable, content_sha256};
use ca_core::csr::{CertificationRequest, SubjectPublicKey};
use ca_core::issue::{Issuer, Request};
use ca_core::officer_statement::FIRST;
use ca_core::revocation::{Reason, Status};
use ca_core::signer::{AbsentKey, SignError, Signer};
use ca_core::{SerialNumber, Timestamp};
use ca_signer::ceremony::{self, Ceremony, CeremonyError, Names, ResponderKey, Succession, Wanted};
use ca_signer::officer_ca::OfficerCa;
use ca_signer::{Keyring, SigningService};
use config::Settings;
use config::tables::Tables;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509;
use store::crls::CrlKind;
use store::issuance::{self, Intent};
use store::jobs::NewJob;
use store::{
    StoreError, applications, certificates, crls, feed, issuers, jobs, officer_statements, responders,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::stage::{Ground, HOUR, at_once, reviewer, settings};
use crate::key::Key;
use crate::officer::sign_with;
use crate::stack::Database;

on_both_databases!(
    what_a_dead_signer_recorded_is_signed_with_the_same_serial,
    signers_at_once_issue_each_application_once,
    a_job_that_cannot_be_settled_does_not_hold_up_the_others,
    while_nothing_can_be_issued_revocations_are_told,
    a_key_that_fails_loses_neither_the_crl_nor_its_job,
    a_crl_of_another_issuer_waits_for_its_key_and_is_done_by_hand,
    a_ceremony_cut_off_names_the_files_in_its_way,
    a_signer_without_the_successors_key_leaves_its_work_to_others,
    a_signer_that_missed_the_end_of_its_key_signs_nothing_that_counts,
    a_key_is_not_destroyed_under_a_signer_that_uses_it,
    a_key_is_not_destroyed_while_something_is_being_begun,
    what_a_lost_key_had_begun_its_successor_begins_anew,
    a_key_called_lost_under_a_signer_that_has_it_leaves_the_work_to_the_successor,
    names_of_authorities_are_compared_as_relying_parties_do,
    a_responders_key_that_somebody_else_may_know_is_certified_no_more,
);

const PASSPHRASE: &[u8] = b"only a test";

/// A ground with a real CA.
struct Ca {
    ground: Ground,
    settings: Arc<Settings>,
    /// The reviewer's key and certificate, PEM.
    reviewer: PathBuf,
}

impl Ca {
    fn new(kind: Database) -> Self {
        let ground = Ground::with_officers(kind);
        let settings = Arc::new(settings(&[("crl.min_interval_seconds", "0")]));
        let now = settings.clock().now();
        let names = Names::default();
        let keyring = Keyring::with_passphrase(&settings, PASSPHRASE);
        Ceremony::unattended("ca.init", &ground.store, &settings, &keyring).init(&names).expect("a ceremony");
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
        let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
        let public_key =
            SubjectPublicKey::from_spki_der(&key.public_key_to_der().expect("DER")).expect("P-256");
        let certified = OfficerCa::open(&settings, &keyring)
            .expect("it was made")
            .certify(&ground.store, &reviewer(), &public_key, "test", now)
            .expect("a certificate");
        let certificate = X509::from_der(&certified.der).and_then(|read| read.to_pem()).expect("PEM");
        let both = [key.private_key_to_pem_pkcs8().expect("PEM"), certificate].concat();
        let file = settings.keys.directory.join("reviewer.pem");
        std::fs::write(&file, both).expect("the folder is ours");
        drop(keyring);
        Self { ground, settings, reviewer: file }
    }

    fn service(&self) -> SigningService {
        let settings = Arc::clone(&self.settings);
        let keyring = Keyring::with_passphrase(&self.settings, PASSPHRASE);
        SigningService::open(self.ground.store.clone(), settings, &keyring).expect("a signer")
    }

    /// Approved, with a key of its own.
    fn approved(&self) -> ApplicationId {
        let csr = CertificationRequest::parse(&Key::p256().csr()).expect("a request");
        let id = self.ground.under_review_with(csr.der(), &csr.public_key().sha256());
        self.approve(id, &csr);
        id
    }

    /// With the reviewer's signature, made by OpenSSL.
    fn approve(&self, id: ApplicationId, csr: &CertificationRequest) {
        let now = self.settings.clock().now();
        let application = self.ground.application(id);
        let issuing = self.ground.read(|c| issuers::find(c, issuers::ISSUING));
        let absent = AbsentKey::of_certificate(&issuing.certificate).expect("a key");
        let issuer = Issuer::new(&issuing.certificate, Arc::new(absent)).expect("an issuer");
        let tables = Tables::load(&self.settings.data).expect("tables");
        let (region, district) = (tables.regions.get(1726), tables.regions.district(1726, 1_726_262));
        let (region, district) = (region.expect("a region"), district.expect("a district of it"));
        let request = Request {
            subject: application.subject.certificate_fields(region, district, None),
            public_key: csr.public_key().spki_der().to_vec(),
            serial: SerialNumber::random().expect("random octets"),
            now,
            urls: self.settings.issuance.urls(issuers::ISSUING),
            months: Some(self.settings.issuance.validity_months),
        };
        let profile = tables.profiles.get("natural_person").expect("a profile");
        let prepared = issuer.prepare(profile, request).expect("it keeps the rules");
        let since = self.ground.read(|c| officer_statements::under_review_since(c, &[id]))[&id];
        let approvable = Approvable {
            application: id,
            content_sha256: content_sha256(prepared.tbs(), &(&application).into()).expect("readable"),
            evidence_sha256: self.ground.read(|c| store::documents::evidence_of(c, &[id]))[&id],
            under_review_since: since,
        };
        let statement = approvable.approval("reviewer", now.whole_minutes(), FIRST);
        let signature = openssl::base64::decode_block(&sign_with(&self.reviewer, &statement.text()));
        let transition = application.approve(&reviewer(), now).expect("under review");
        self.ground.write(|c| {
            officer_statements::record(c, &statement, signature.as_ref().expect("Base64"), now)?;
            applications::apply(c, &transition)
        });
    }

    fn state(&self, id: ApplicationId) -> State {
        self.ground.application(id).state
    }

    fn suspend(&self, id: ApplicationId) {
        let now = self.settings.clock().now();
        self.ground.write(|c| {
            let stored = certificates::of_application(c, id)?.ok_or(StoreError::NotFound)?;
            certificates::change_status(c, &stored, Status::Suspended { since: now }, "test", now)
        });
    }

    /// How many certificates the newest CRL of the issuing CA lists, read by somebody else's parser.
    fn listed(&self) -> usize {
        let der = self.ground.read(|c| {
            let newest = crls::newest(c, issuers::ISSUING, "")?.ok_or(StoreError::NotFound)?;
            let first = crls::chunk(c, (issuers::ISSUING, ""), (newest.number, CrlKind::Full), 0)?;
            first.ok_or(StoreError::NotFound)
        });
        let (_, list) = CertificateRevocationList::from_der(&der).expect("a CRL");
        list.iter_revoked_certificates().count()
    }
}

fn what_a_dead_signer_recorded_is_signed_with_the_same_serial(kind: Database) {
    let ca = Ca::new(kind);
    let id = ca.approved();
    // A signer whose key fails has recorded its intent, as one has that was killed at this moment.
    let key = Arc::new(Failing::new(&ca, usize::MAX));
    let dying = ca.with_key(key);
    assert!(matches!(dying.work("dying"), Err(StoreError::Unavailable(_))));
    assert_eq!(ca.state(id), State::Approved);
    let recorded: Intent =
        ca.ground.read(|c| issuance::pending_intents(c, &[id])).remove(&id).expect("recorded");
    ca.ground.rows("UPDATE jobs SET leased_until = 0"); // its lease has run out
    assert_eq!(ca.service().work("heir").expect("it works"), 1);
    let certificate = ca.ground.read(|c| certificates::of_application(c, id)).expect("issued");
    assert_eq!(certificate.certificate.serial, recorded.serial);
    assert_eq!(ca.ground.count(&format!("intents WHERE application_id = '{id}'")), 1);
}

fn signers_at_once_issue_each_application_once(kind: Database) {
    let ca = Ca::new(kind);
    let ids: Vec<ApplicationId> = (0..12).map(|_| ca.approved()).collect();
    let service = ca.service();
    at_once(4, |n| {
        for round in 0..6 {
            service.work(&format!("signer {n}")).expect("it works");
            // Leases that run out while their owners work.
            if round % 2 == n % 2 {
                ca.ground.write(|c| {
                    jobs::claim(
                        c,
                        jobs::JobKind::IssueCertificate,
                        "nobody",
                        ca.settings.clock().now(),
                        HOUR,
                        0,
                    )
                });
                ca.ground.rows("UPDATE jobs SET leased_until = 0");
            }
        }
    });
    for id in &ids {
        assert_eq!(ca.state(*id), State::Issued);
    }
    assert_eq!(ca.ground.count("certificates WHERE application_id IS NOT NULL"), 12);
    assert_eq!(ca.ground.count("intents WHERE application_id IS NOT NULL"), 12);
    let report = ca.ground.read(|connection| store::verification::verify(connection, None));
    assert_eq!((report.findings, report.applications), (vec![], 12));
}

fn a_job_that_cannot_be_settled_does_not_hold_up_the_others(kind: Database) {
    let ca = Ca::new(kind);
    let (first, broken, last) = (ca.approved(), ca.approved(), ca.approved());
    ca.ground.rows(&format!("UPDATE applications SET subject = '{{}}' WHERE id = '{broken}'"));
    ca.service().work("signer").expect("it works");
    assert_eq!((ca.state(first), ca.state(last)), (State::Issued, State::Issued));
    let left = "SELECT attempts, state, last_error IS NOT NULL FROM jobs WHERE kind = 'issue-certificate'";
    let yes = if ca.ground.is_postgres() { "t" } else { "1" };
    assert_eq!(ca.ground.rows(left), [format!("1|ready|{yes}")]);
    assert_eq!(ca.service().work("signer").expect("it works"), 0, "it waits");
}

fn while_nothing_can_be_issued_revocations_are_told(kind: Database) {
    let ca = Ca::new(kind);
    let issued = ca.approved();
    ca.service().work("signer").expect("it works");
    ca.suspend(issued);
    ca.approved();
    // The one signature for the certificate fails, the one for the CRL does not.
    let service = ca.with_key(Arc::new(Failing::new(&ca, 1)));
    assert!(service.work("signer").is_err());
    assert_eq!(ca.listed(), 1);
}

fn a_key_that_fails_loses_neither_the_crl_nor_its_job(kind: Database) {
    let ca = Ca::new(kind);
    let issued = ca.approved();
    ca.service().work("signer").expect("it works");
    ca.suspend(issued);
    let service = ca.with_key(Arc::new(Failing::new(&ca, 1)));
    service.work("signer").expect("the failure is the job's");
    assert_eq!(ca.ground.count("jobs WHERE kind = 'sign-crl' AND last_error IS NOT NULL"), 1);
    assert_eq!(ca.listed(), 0);
    ca.ground.rows("UPDATE jobs SET run_at = 0");
    service.work("signer").expect("it works");
    assert_eq!((ca.listed(), ca.ground.count("jobs WHERE kind = 'sign-crl'")), (1, 0));
    let newest = ca.ground.read(|c| crls::newest(c, issuers::ISSUING, "")).expect("a CRL");
    assert_eq!((newest.number, newest.last_change), (2, ca.ground.read(feed::latest)));
}

fn a_crl_of_another_issuer_waits_for_its_key_and_is_done_by_hand(kind: Database) {
    let ca = Ca::new(kind);
    let now = ca.settings.clock().now();
    let signed = ca.ground.read(|c| feed::snapshot(c, 0, 100)).into_iter().map(|(_, change)| change);
    let mut by_the_root = signed.filter(|change| change.issuer == issuers::ROOT).map(|change| change.serial);
    let serial = by_the_root.next_back().expect("the root signed itself and the issuing CA");
    let revoked = Status::Revoked { since: now, reason: Reason::CessationOfOperation, invalidity_date: None };
    ca.ground.write(|c| {
        let stored = certificates::find(c, &serial)?;
        certificates::change_status(c, &stored, revoked, "test", now)
    });
    ca.service().work("signer").expect("it works");
    let left = ca.ground.rows("SELECT dedup_key, last_error FROM jobs WHERE kind = 'sign-crl'");
    assert!(left[0].starts_with("root|") && left[0].contains("muhr crl now"), "{left:?}");
    let keyring = Keyring::with_passphrase(&ca.settings, PASSPHRASE);
    ceremony::sign_crl(&ca.ground.store, &ca.settings, issuers::ROOT, &keyring, now).expect("by hand");
    assert_eq!(ca.ground.count("jobs WHERE kind = 'sign-crl'"), 0);
}

fn a_ceremony_cut_off_names_the_files_in_its_way(kind: Database) {
    let ground = Ground::with_officers(kind);
    let settings = settings(&[]);
    let keyring = Keyring::with_passphrase(&settings, PASSPHRASE);
    let init = || Ceremony::unattended("ca.init", &ground.store, &settings, &keyring).init(&Names::default());
    // The keys are written before the database is told of them.
    ground.rows("ALTER TABLE certificates RENAME TO hidden");
    assert!(matches!(init(), Err(CeremonyError::Store(_))));
    ground.rows("ALTER TABLE hidden RENAME TO certificates");
    let Err(CeremonyError::FilesExist(files)) = init() else { panic!("it overwrites keys") };
    assert_eq!(files.len(), 5);
    let message = CeremonyError::FilesExist(files.clone()).to_string();
    for file in files {
        assert!(message.contains(&file.display().to_string()), "{message}");
        std::fs::remove_file(file).expect("moved away");
    }
    init().expect("nothing is in its way");
    assert!(matches!(init(), Err(CeremonyError::CaExists)));
}

impl Ca {
    fn hold<T>(
        &self,
        acts: impl FnOnce(&mut Ceremony<'_>) -> Result<T, CeremonyError>,
    ) -> Result<T, CeremonyError> {
        let keyring = Keyring::with_passphrase(&self.settings, PASSPHRASE);
        acts(&mut Ceremony::unattended("ca.test", &self.ground.store, &self.settings, &keyring))
    }

    fn rekey(&self) {
        self.hold(|ceremony| ceremony.succeed(&Succession::Rekey { common_name: None }))
            .expect("a successor");
    }
}

fn a_signer_without_the_successors_key_leaves_its_work_to_others(kind: Database) {
    let ca = Ca::new(kind);
    let of_the_first = ca.service();
    ca.rekey();
    // What the successor's signer has left when it died.
    let id = ca.approved();
    let dying = ca.with_key(Arc::new(Failing::new(&ca, usize::MAX)));
    assert!(dying.work("dying").is_err());
    ca.ground.tamper(&format!("UPDATE intents SET issuer_id = 'ca-2' WHERE application_id = '{id}'"));
    ca.ground.rows("UPDATE jobs SET leased_until = 0");
    let now = ca.settings.clock().now();
    ca.ground.write(|c| jobs::enqueue(c, &[NewJob::sign_crl("ca-2", "", now)], now));
    for _ in 0..3 {
        ca.ground.rows("UPDATE jobs SET run_at = 0");
        of_the_first.work("signer").expect("it works");
    }
    assert_eq!(ca.state(id), State::Approved);
    let waiting = "SELECT attempts, state, last_error FROM jobs WHERE last_error IS NOT NULL ORDER BY kind";
    let left = ca.ground.rows(waiting);
    let why = "the key of `ca-2` is not here";
    // The attempt of the one that died counts; waiting does not.
    assert!(left[0].starts_with(&format!("1|ready|{why}")), "{left:?}");
    assert!(left[1].starts_with(&format!("0|ready|{why}")), "{left:?}");
    // People are told how long they wait, not since when somebody last looked.
    let due = ca.ground.rows("SELECT min(run_at) FROM jobs WHERE last_error IS NOT NULL");
    assert!(due[0].parse::<i64>().is_ok_and(|due| due >= now.unix_millis()), "{due:?}");
    let longest = ca.ground.read(jobs::longest_waiting);
    for kind in ["issue-certificate", "sign-crl"] {
        let since = longest.iter().find(|(of, _)| of == kind).map(|(_, since)| *since);
        assert_eq!(since, Some(Timestamp::from_unix_millis(0)), "{kind}");
    }
    ca.ground.rows("UPDATE jobs SET run_at = 0");
    ca.service().work("heir").expect("it works");
    assert_eq!(ca.ground.count("jobs WHERE kind = 'sign-crl'"), 0);

    // One that only revokes any more holds nobody up.
    let key = ca.settings.keys.directory.join("ca.key");
    std::fs::rename(&key, key.with_extension("away")).expect("the folder is ours");
    let another = ca.approved();
    ca.service().work("signer").expect("it works");
    assert_eq!(ca.state(another), State::Issued);
}

fn a_signer_that_missed_the_end_of_its_key_signs_nothing_that_counts(kind: Database) {
    let ca = Ca::new(kind);
    let of_the_first = ca.service();
    ca.rekey();
    ca.hold(|ceremony| ceremony.destroy_key(issuers::ISSUING)).expect("nothing holds");
    let last = ca.ground.read(|c| crls::newest(c, issuers::ISSUING, "")).expect("a CRL");
    assert_eq!(last.next_update, Timestamp::MAX);
    let now = ca.settings.clock().now();
    let id = ca.approved();
    ca.ground.write(|c| jobs::enqueue(c, &[NewJob::sign_crl(issuers::ISSUING, "", now)], now));
    of_the_first.work("late").expect("it works");
    assert_eq!(ca.state(id), State::Approved);
    assert_eq!(ca.ground.count(&format!("intents WHERE application_id = '{id}'")), 0);
    assert_eq!(ca.ground.read(|c| crls::newest(c, issuers::ISSUING, "")), Some(last));
    assert_eq!(ca.ground.count("jobs WHERE kind = 'sign-crl'"), 0);
    let heads = ca.ground.read(crls::heads).into_iter();
    let keys: Vec<(String, bool)> = heads.map(|head| (head.issuer, head.has_key)).collect();
    assert_eq!(keys, [("ca".to_owned(), false), ("ca-2".to_owned(), true), ("root".to_owned(), true)]);
    ca.ground.rows("UPDATE jobs SET run_at = 0, leased_until = 0");
    ca.service().work("heir").expect("it works");
    assert_eq!(ca.state(id), State::Issued);
}

fn a_key_is_not_destroyed_under_a_signer_that_uses_it(kind: Database) {
    let ca = Ca::new(kind);
    let id = ca.approved();
    assert!(ca.with_key(Arc::new(Failing::new(&ca, usize::MAX))).work("dying").is_err());
    ca.rekey();
    let destroy = || ca.hold(|ceremony| ceremony.destroy_key(issuers::ISSUING));
    assert!(matches!(destroy(), Err(CeremonyError::StillIntended(_))));
    ca.ground.rows("UPDATE jobs SET run_at = 0, leased_until = 0");
    ca.service().work("signer").expect("it works");
    assert_eq!(ca.state(id), State::Issued);
    assert!(matches!(destroy(), Err(CeremonyError::StillNeeded(..))));
    // A CRL that holds no longer than others is not the last one.
    let ended = ca.ground.store.write(|c| crls::end(c, issuers::ISSUING, Timestamp::MAX));
    assert!(matches!(ended, Err(StoreError::Conflict(_))), "{ended:?}");
    assert!(ca.settings.keys.directory.join("ca.key").exists());
}

fn a_key_is_not_destroyed_while_something_is_being_begun(kind: Database) {
    let ca = Ca::new(kind);
    let id = ca.approved();
    assert!(ca.with_key(Arc::new(Failing::new(&ca, usize::MAX))).work("dying").is_err());
    let intent: Intent =
        ca.ground.read(|c| issuance::pending_intents(c, &[id])).remove(&id).expect("recorded");
    ca.ground.tamper(&format!("DELETE FROM intents WHERE application_id = '{id}'"));
    ca.rekey();
    // The signer's transaction has asked for the key and is not at its end while the ceremony looks.
    let (begun, has_begun) = std::sync::mpsc::channel();
    let now = ca.settings.clock().now();
    let destroyed = std::thread::scope(|scope| {
        let (ca, intent) = (&ca, &intent);
        scope.spawn(move || {
            ca.ground.write(|c| {
                let recorded = issuance::record_intents(c, std::slice::from_ref(intent), now)?;
                begun.send(recorded).expect("somebody listens");
                std::thread::sleep(std::time::Duration::from_millis(700));
                Ok(())
            });
        });
        assert_eq!(has_begun.recv().expect("recorded"), 1);
        ca.hold(|ceremony| ceremony.destroy_key(issuers::ISSUING))
    });
    assert!(matches!(destroyed, Err(CeremonyError::StillIntended(_))), "{destroyed:?}");
    assert!(ca.ground.read(|c| issuers::find(c, issuers::ISSUING)).has_key());
}

fn what_a_lost_key_had_begun_its_successor_begins_anew(kind: Database) {
    let ca = Ca::new(kind);
    let (issued, id) = (ca.approved(), ca.approved());
    let key = Arc::new(Failing::new(&ca, usize::MAX));
    ca.ground.rows(&format!("UPDATE jobs SET run_at = 9999999999999 WHERE dedup_key LIKE '%{id}%'"));
    ca.service().work("signer").expect("it works");
    ca.ground.rows("UPDATE jobs SET run_at = 0");
    assert!(ca.with_key(key).work("dying").is_err());
    let begun: Intent =
        ca.ground.read(|c| issuance::pending_intents(c, &[id])).remove(&id).expect("recorded");
    let give_up = || ca.hold(|ceremony| ceremony.give_up_key(issuers::ISSUING));
    assert!(matches!(give_up(), Err(CeremonyError::NoSuccessor(_))));
    let root = ca.hold(|ceremony| ceremony.give_up_key(issuers::ROOT));
    assert!(matches!(root, Err(CeremonyError::NoSuccessor(_))), "{root:?}");
    ca.rekey();
    assert!(matches!(give_up(), Err(CeremonyError::NotLost(_))));
    let file = ca.settings.keys.directory.join("ca.key");
    std::fs::remove_file(&file).expect("lost");
    ca.suspend(issued);
    ca.ground.rows("UPDATE jobs SET run_at = 0, leased_until = 0");
    ca.service().work("signer").expect("it works");
    assert_eq!((ca.state(id), ca.ground.count("jobs WHERE kind = 'sign-crl'")), (State::Approved, 1));

    give_up().expect("nobody has it");
    assert!(matches!(give_up(), Err(CeremonyError::NoSuchCa(_))));
    assert_eq!(ca.ground.count("jobs WHERE kind = 'sign-crl'"), 0);
    ca.ground.rows("UPDATE jobs SET run_at = 0, leased_until = 0");
    ca.service().work("heir").expect("it works");
    assert_eq!(ca.state(id), State::Issued);
    let certificate = ca.ground.read(|c| certificates::of_application(c, id)).expect("issued").certificate;
    assert_eq!(certificate.issuer, "ca-2");
    assert_ne!(certificate.serial, begun.serial);
    let told = "SELECT object, details FROM audit_entries WHERE action IN ('key.give-up', 'intent.abandon') ORDER BY id";
    let told = ca.ground.rows(told);
    assert!(told[0].starts_with(&format!("certificate:ca/{}", begun.serial)), "{told:?}");
    assert!(told[1].starts_with("key:ca|") && told[1].contains("\"begun\":1"), "{told:?}");
    let report = ca.ground.read(|connection| store::verification::verify(connection, None));
    assert_eq!(report.findings, vec![]);
}

fn a_key_called_lost_under_a_signer_that_has_it_leaves_the_work_to_the_successor(kind: Database) {
    let ca = Arc::new(Ca::new(kind));
    let id = ca.approved();
    let interrupted = Interrupted { key: Failing::new(&ca, 0), ca: Arc::clone(&ca), once: Once::new() };
    ca.with_key(Arc::new(interrupted)).work("signer").expect("it works");
    assert_eq!(ca.state(id), State::Approved);
    assert_eq!(
        ca.ground.count("certificates WHERE application_id IS NOT NULL"),
        0,
        "nobody sees what it signed"
    );
    ca.ground.rows("UPDATE jobs SET run_at = 0, leased_until = 0");
    ca.service().work("heir").expect("it works");
    let certificate = ca.ground.read(|c| certificates::of_application(c, id)).expect("issued").certificate;
    assert_eq!(certificate.issuer, "ca-2");
}

/// A key whose token is called lost, wrongly, between the intent and the signature.
struct Interrupted {
    key: Failing,
    ca: Arc<Ca>,
    once: Once,
}

impl Signer for Interrupted {
    fn algorithm(&self) -> &SignatureAlgorithm {
        self.key.algorithm()
    }

    fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.once.call_once(|| {
            self.ca.rekey();
            std::fs::remove_file(self.ca.settings.keys.directory.join("ca.key")).expect("lost");
            self.ca.hold(|ceremony| ceremony.give_up_key(issuers::ISSUING)).expect("a successor is there");
        });
        self.key.sign(message)
    }
}

/// RFC 5280 section 7.1: neither case nor the number of spaces makes two names of one.
fn names_of_authorities_are_compared_as_relying_parties_do(kind: Database) {
    let ground = Ground::with_officers(kind);
    let settings = settings(&[]);
    let keyring = Keyring::with_passphrase(&settings, PASSPHRASE);
    let names = Names { issuing: "MUHR  root ca".to_owned(), ..Names::default() };
    let init = Ceremony::unattended("ca.init", &ground.store, &settings, &keyring).init(&names);
    assert!(matches!(init, Err(CeremonyError::Uncertifiable(_))), "{init:?}");
    assert!(!settings.keys.directory.join("root.key").exists(), "no key is made for what is refused");

    let ca = Ca::new(kind);
    for taken in ["muhr  ISSUING CA", "muhr root  ca"] {
        let common_name = Some(taken.to_owned());
        let rekey = ca.hold(|ceremony| ceremony.succeed(&Succession::Rekey { common_name }));
        assert!(matches!(rekey, Err(CeremonyError::Uncertifiable(_))), "{taken}: {rekey:?}");
    }
    ca.rekey();
}

fn a_responders_key_that_somebody_else_may_know_is_certified_no_more(kind: Database) {
    let ca = Ca::new(kind);
    let keyring = Keyring::with_passphrase(&ca.settings, PASSPHRASE);
    let now = ca.settings.clock().now();
    let renew = |key: ResponderKey<'_>| {
        ceremony::renew_ocsp(&ca.ground.store, &ca.settings, issuers::ISSUING, &key, &keyring, now)
    };
    let ask = || ca.hold(|ceremony| ceremony.request_certificates("Muhr", Wanted::Responder));
    renew(ResponderKey::Own).expect("nobody knows it");
    let request = ask().expect("nobody knows it").remove(0).request;

    let certified = ca.ground.read(responders::newest).pop().expect("a responder");
    let (_, certificate) = X509Certificate::from_der(&certified.certificate).expect("a certificate");
    let serial = SerialNumber::try_from(certificate.raw_serial()).expect("a serial number");
    let revoked = Status::Revoked { since: now, reason: Reason::KeyCompromise, invalidity_date: None };
    ca.ground.write(|c| {
        let stored = certificates::find(c, &serial)?;
        certificates::change_status(c, &stored, revoked, "test", now)
    });
    let own = renew(ResponderKey::Own).err();
    assert!(matches!(own, Some(CeremonyError::WeakKey(_))), "{own:?}");
    // Its request from another machine is refused as well, and another key's is not.
    let carried = renew(ResponderKey::Request(&request)).err();
    assert!(matches!(carried, Some(CeremonyError::WeakKey(_))), "{carried:?}");
    renew(ResponderKey::Request(&Key::p256().csr())).expect("another key");
    let asked = ask().err();
    assert!(matches!(asked, Some(CeremonyError::WeakKey(_))), "{asked:?}");
}

/// The issuing CA's key behind a wire that is broken at first.
struct Failing {
    key: Arc<dyn Signer>,
    failures: AtomicUsize,
}

impl Failing {
    fn new(ca: &Ca, failures: usize) -> Self {
        let file = ca.settings.keys.directory.join("ca.key");
        let key = ca_signer::keys::load(&file, PASSPHRASE).expect("a key");
        Self { key: Arc::new(key), failures: AtomicUsize::new(failures) }
    }
}

impl Signer for Failing {
    fn algorithm(&self) -> &SignatureAlgorithm {
        self.key.algorithm()
    }

    fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let fails =
            self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if fails.is_ok() { Err(SignError("the wire is broken".to_owned())) } else { self.key.sign(message) }
    }
}

impl Ca {
    fn with_key(&self, key: Arc<dyn Signer>) -> SigningService {
        let issuing = self.ground.read(|c| issuers::find(c, issuers::ISSUING));
        let settings = Arc::clone(&self.settings);
        SigningService::with_key(self.ground.store.clone(), settings, &issuing.certificate, key)
            .expect("a signer")
    }
}
