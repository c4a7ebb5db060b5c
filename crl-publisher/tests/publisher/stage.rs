//! A CA whose signer is this test, its database and its publisher.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer};
use ca_core::SerialNumber;
use ca_core::crl::{self, CertificateList, DistributionPoint, Entry, Revocation, Scope};
use ca_core::revocation::Status;
use ca_core::signer::{FileKey, Signer};
use config::Settings;
use config::clock::SystemClock;
use config::settings::{Role, Sources};
use crl_publisher::{Publisher, Worker, configure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use store::certificates::NewCertificate;
use store::crls::{CrlKind, Issue, Signed};
use store::issuance::Intent;
use store::issuers::Issuer;
use store::jobs::{JobKind, NewJob};
use store::{
    Connection, Database, Options, StoreError, Target, certificates, crls, feed, issuance, issuers, jobs,
};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);

/// A full CRL and the delta signed with it.
pub(crate) struct Pair {
    issue: Issue,
    pub(crate) full: Vec<u8>,
    pub(crate) delta: Vec<u8>,
}

impl Pair {
    pub(crate) fn last_change(&self) -> i64 {
        self.issue.last_change
    }

    pub(crate) fn with_delta(self, delta: Vec<u8>) -> Self {
        Self { delta, ..self }
    }
}

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) clock: SystemClock,
    pub(crate) issuer: Issuer,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) worker: Option<Worker>,
    pub(crate) settings: Vec<(&'static str, String)>,
    database: Database,
    key: FileKey,
    address: SocketAddr,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With settings that differ from the default.
    pub(crate) fn with(settings: &[(&'static str, &str)]) -> Self {
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let folder = TempDir::new().unwrap();
        let clock = SystemClock::default();
        let target = Target::Sqlite(folder.path().join("muhr.sqlite"));
        let database = Database::open(target, &Options::default()).unwrap();
        store::migrations::up(&database).unwrap();
        let (issuer, key) = issuer(&clock);
        database.write(|c| issuers::insert(c, &issuer, clock.now())).unwrap();
        std::fs::write(folder.path().join("ca.cer"), &issuer.certificate).unwrap();
        let (publisher, worker, address) = start(&folder, &database, &settings);
        Self { folder, clock, issuer, publisher, worker: Some(worker), settings, database, key, address }
    }

    /// What a new process finds: the folder and the database.
    pub(crate) fn restart(&mut self) {
        self.worker = None;
        let (publisher, worker, address) = start(&self.folder, &self.database, &self.settings);
        self.publisher = publisher;
        self.worker = Some(worker);
        self.address = address;
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn issue(&self) -> SerialNumber {
        let serial = SerialNumber::random().unwrap();
        let now = self.clock.now();
        let profile = "natural-person".to_owned();
        let intent = Intent {
            issuer: self.issuer.id.clone(),
            serial,
            application: None,
            profile: profile.clone(),
            tbs: vec![0x30, 0],
        };
        let certificate = NewCertificate {
            issuer: self.issuer.id.clone(),
            serial,
            application: None,
            profile,
            subject: "CN=Sinov".to_owned(),
            common_name: "Sinov".to_owned(),
            pinfl: None,
            stir: None,
            spki_sha256: [7; 32],
            der: vec![0x30, 0],
            not_before: now,
            not_after: now.plus(DAY),
            crl_partition: String::new(),
        };
        let store = |c: &mut Connection| {
            issuance::record_intents(c, &[intent], now)?;
            issuance::store_own(c, &certificate, now)
        };
        self.database.write(store).unwrap();
        serial
    }

    pub(crate) fn change(&self, serial: SerialNumber, status: Status) {
        let change = |c: &mut Connection| {
            let stored = certificates::find(c, &serial)?;
            certificates::change_status(c, &stored, status, "test", self.clock.now())
        };
        self.database.write(change).unwrap();
    }

    /// Waits for the publisher to ask for a CRL and takes the job, as a signer does.
    pub(crate) fn claim(&self) -> i64 {
        let mut claimed = None;
        within(Duration::from_secs(5), || {
            claimed = self.try_claim();
            claimed.is_some()
        });
        claimed.unwrap()
    }

    pub(crate) fn enqueue_and_claim(&self) -> i64 {
        let now = self.clock.now();
        let job = NewJob::sign_crl(&self.issuer.id, "", now);
        self.database.write(|c| jobs::enqueue(c, &[job], now)).unwrap();
        self.claim()
    }

    fn try_claim(&self) -> Option<i64> {
        let claim = |c: &mut Connection| {
            jobs::claim(c, JobKind::SignCrl, "test", self.clock.now(), Duration::from_secs(60), 1)
        };
        self.database.write(claim).unwrap().first().map(|job| job.id)
    }

    /// A CRL of these certificates, by the database's status.
    pub(crate) fn crl(&self, number: u64, serials: &[SerialNumber]) -> Pair {
        let read = |c: &mut Connection| {
            Ok::<_, StoreError>((certificates::ends(c, &self.issuer.id, serials)?, feed::latest(c)?))
        };
        let (found, last_change) = self.database.read(read).unwrap();
        let mut entries: Vec<_> = found
            .into_iter()
            .filter_map(|(serial, _, status)| Some(Entry { serial, revocation: Revocation::of(status)? }))
            .collect();
        entries.sort_by_key(|entry| entry.serial);
        self.pair(number, last_change, &entries, &entries)
    }

    /// A full CRL of these entries, and a delta of those.
    pub(crate) fn pair(&self, number: u64, last_change: i64, full: &[Entry], delta: &[Entry]) -> Pair {
        let now = self.clock.now();
        let issuer = crl::Issuer::from_certificate(&self.issuer.certificate).unwrap();
        let uri = "http://muhr.example/repository/ca.crl";
        let list = CertificateList {
            issuer: &issuer,
            kind: crl::Kind::Full { delta_uri: Some("http://muhr.example/repository/ca-delta.crl") },
            number,
            this_update: now,
            next_update: now.plus(DAY),
            distribution_point: DistributionPoint { uri, scope: Scope::UserCertificates },
        };
        let changes = CertificateList { kind: crl::Kind::Delta { base: 1 }, ..list };
        Pair {
            issue: Issue {
                issuer: self.issuer.id.clone(),
                partition: String::new(),
                number: i64::try_from(number).unwrap(),
                this_update: now,
                next_update: now.plus(DAY),
                last_change,
            },
            full: list.sign(full.iter().copied(), &self.key).unwrap(),
            delta: changes.sign(delta.iter().copied(), &self.key).unwrap(),
        }
    }

    pub(crate) fn store(&self, pair: &Pair, job: i64) {
        let store = |c: &mut Connection| {
            let mut signed = [
                Signed { kind: CrlKind::Full, base: None, entries: 0, octets: &mut &pair.full[..] },
                Signed { kind: CrlKind::Delta, base: Some(1), entries: 0, octets: &mut &pair.delta[..] },
            ];
            crls::insert(c, &pair.issue, &mut signed, Duration::ZERO, self.clock.now())?;
            jobs::complete(c, &[job])
        };
        self.database.write(store).unwrap();
    }

    /// Signs what the publisher asks for until it has published this number.
    pub(crate) fn sign_until_published(&self, number: u64) {
        within(Duration::from_secs(10), || {
            if let Some(job) = self.try_claim() {
                let read = |c: &mut Connection| {
                    let newest = crls::newest(c, &self.issuer.id, "")?.map_or(0, |crl| crl.number);
                    let all = certificates::not_good(c, (&self.issuer.id, ""), self.clock.now(), None, 1000)?;
                    Ok::<_, StoreError>((newest, all))
                };
                let (newest, all) = self.database.read(read).unwrap();
                let serials: Vec<_> = all.into_iter().map(|(serial, _)| serial).collect();
                self.store(&self.crl(u64::try_from(newest).unwrap() + 1, &serials), job);
            }
            self.published_number() >= Some(number)
        });
    }

    pub(crate) fn published_number(&self) -> Option<u64> {
        self.publisher.repository().find("ca.crl")?.summary.map(|summary| summary.number)
    }

    pub(crate) fn openssl(&self, arguments: &str) -> (bool, String) {
        let mut command = Command::new("openssl");
        let output =
            command.args(arguments.split_whitespace()).current_dir(self.folder.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub(crate) fn get(&self, method: &str, path: &str, headers: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        Response::parse(&response)
    }
}

#[track_caller]
pub(crate) fn within(limit: Duration, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn issuer(clock: &SystemClock) -> (Issuer, FileKey) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sinov CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = clock.now().minus(DAY).to_offset_date_time();
    params.not_after = clock.now().plus(30 * DAY).to_offset_date_time();
    let pair = KeyPair::generate().unwrap();
    let key = FileKey::from_pkcs8_der(pair.serialized_der()).unwrap();
    let ca = CertifiedIssuer::self_signed(params, pair).unwrap();
    assert_eq!(key.algorithm().name, "ecdsa-with-SHA256");
    let issuer = Issuer {
        id: issuers::ISSUING.to_owned(),
        kind: "issuing".to_owned(),
        parent: None,
        certificate: ca.der().to_vec(),
        subject: "CN=Sinov CA".to_owned(),
        not_before: clock.now(),
        not_after: clock.now().plus(30 * DAY),
        retired_at: None,
        key_destroyed_at: None,
    };
    (issuer, key)
}

fn start(
    folder: &TempDir,
    database: &Database,
    settings: &[(&'static str, String)],
) -> (Arc<Publisher>, Worker, SocketAddr) {
    let sources = Sources::default()
        .with("data.directory", folder.path().to_str().unwrap())
        .with("crl.due_check_milliseconds", "100");
    let sources = settings.iter().fold(sources, |sources, (key, value)| sources.with(key, value.as_str()));
    let settings = Settings::load(&sources, &[Role::Crl]).unwrap();
    let publisher = Arc::new(Publisher::new(&settings, database.clone()).unwrap());
    let worker = Worker::start(publisher.clone()).unwrap();
    (publisher.clone(), worker, serve(publisher))
}

fn serve(publisher: Arc<Publisher>) -> SocketAddr {
    let (started, start) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let application = move || {
                let publisher = publisher.clone();
                App::new().configure(move |app| configure(app, &publisher))
            };
            let server =
                HttpServer::new(application).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
            started.send(server.addrs()[0]).unwrap();
            server.run().await
        })
    });
    start.recv().unwrap()
}

pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(octets: &[u8]) -> Self {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(octets[..end].to_vec()).unwrap();
        Self { status: head[9..12].parse().unwrap(), head, body: octets[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
