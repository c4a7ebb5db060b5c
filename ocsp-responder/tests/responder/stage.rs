//! A CA, its database, and its responder on a port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use ca_core::SerialNumber;
use ca_core::revocation::Status;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use config::clock::SystemClock;
use config::settings::{Ocsp, OcspToken, Unissued};
use der::Decode;
use diesel::connection::SimpleConnection;
use ocsp_responder::{Follower, Service, configure};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo,
};
use store::certificates::NewCertificate;
use store::issuance::Intent;
use store::issuers::Issuer;
use store::{Connection, Database, Options, Target, certificates, issuance, issuers, responders};
use tempfile::TempDir;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus};

/// How long a client may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) database: Database,
    pub(crate) clock: SystemClock,
    pub(crate) service: Arc<Service>,
    pub(crate) settings: Ocsp,
    pub(crate) follower: Option<Follower>,
    ca: CertifiedIssuer<'static, KeyPair>,
    issuers: Vec<Issuer>,
    key: Arc<FileKey>,
    certificates: Vec<Vec<u8>>,
    address: SocketAddr,
    server: ServerHandle,
}

pub(crate) fn settings() -> Ocsp {
    Ocsp {
        validity: Duration::from_secs(43_200),
        key_file: PathBuf::new(),
        certificate_file: PathBuf::new(),
        passphrase_file: None,
        token: OcspToken::default(),
        max_request_bytes: 8192,
        feed_poll: Duration::from_millis(50),
        reconcile: Duration::from_secs(30),
        snapshot_file: None,
        snapshot: Duration::from_secs(600),
        unissued: Unissued::Unknown,
        archive_cutoff_days: 0,
        kept_answers_bytes: 1 << 24,
        overload: Duration::from_millis(250),
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Ocsp) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = SystemClock::default();
        let target = Target::Sqlite(folder.path().join("muhr.sqlite"));
        let database = Database::open(target, &Options::default()).unwrap();
        store::migrations::up(&database).unwrap();
        let key = Arc::new(FileKey::generate(KeyAlgorithm::P256).unwrap());
        let (ca, other) =
            (certification_authority("Sinov CA", &clock), certification_authority("Boshqa CA", &clock));
        let mut certificates = Vec::new();
        let mut all = Vec::new();
        for (id, name, ca) in [(issuers::ISSUING, "ca.pem", &ca), (issuers::ROOT, "other.pem", &other)] {
            std::fs::write(folder.path().join(name), ca.pem()).unwrap();
            let issuer = Issuer {
                id: id.to_owned(),
                kind: if id == issuers::ROOT { "root" } else { "issuing" }.to_owned(),
                parent: None,
                certificate: ca.der().to_vec(),
                subject: name.to_owned(),
                not_before: clock.now().minus(DAY),
                not_after: clock.now().plus(30 * DAY),
                retired_at: None,
                key_destroyed_at: None,
            };
            database.write(|c| issuers::insert(c, &issuer, clock.now())).unwrap();
            certificates.push(responder_certificate(ca, key.public_key(), &clock, 20));
            all.push(issuer);
        }
        let service = Service::new(&settings, clock, &all, key.clone(), &certificates).unwrap();
        let service = Arc::new(service);
        let (address, server) = serve(service.clone());
        let mut stage = Self {
            folder,
            database,
            clock,
            service,
            settings,
            follower: None,
            ca,
            issuers: all,
            key,
            certificates,
            address,
            server,
        };
        stage.follow();
        stage
    }

    /// Starts following the database and waits until the index is loaded.
    pub(crate) fn follow(&mut self) {
        let follower = Follower::start(self.service.clone(), self.database.clone(), &self.settings).unwrap();
        self.follower = Some(follower);
        within(Duration::from_secs(5), || self.service.is_ready());
    }

    /// The process ends and another one starts on the same database and files.
    pub(crate) fn restart(&mut self) {
        self.follower = None;
        let (key, settings) = (self.key.clone(), &self.settings);
        let service = Service::new(settings, self.clock, &self.issuers, key, &self.certificates).unwrap();
        self.service = Arc::new(service);
        drop(self.server.stop(false));
        (self.address, self.server) = serve(self.service.clone());
        self.follow();
    }

    /// The CA certifies the responder's key again, for so many days.
    pub(crate) fn certify_responder(&self, days: u32) -> Vec<u8> {
        let der = responder_certificate(&self.ca, self.key.public_key(), &self.clock, days);
        let spki_sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.key.public_key());
        let not_after = self.clock.now().plus(days * DAY);
        self.store(|certificate| {
            certificate.profile = responders::PROFILE.to_owned();
            certificate.spki_sha256.copy_from_slice(spki_sha256.as_ref());
            (certificate.der, certificate.not_after) = (der.clone(), not_after);
        });
        der
    }

    /// Stores a certificate of which only the serial matters here.
    pub(crate) fn issue(&self) -> SerialNumber {
        self.store(|_| {})
    }

    pub(crate) fn store(&self, change: impl FnOnce(&mut NewCertificate)) -> SerialNumber {
        let serial = SerialNumber::random().unwrap();
        let now = self.clock.now();
        let mut certificate = NewCertificate {
            issuer: issuers::ISSUING.to_owned(),
            serial,
            application: None,
            profile: "natural-person".to_owned(),
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
        change(&mut certificate);
        let intent = Intent {
            issuer: certificate.issuer.clone(),
            serial,
            application: None,
            profile: certificate.profile.clone(),
            tbs: vec![0x30, 0],
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

    /// Changes rows as nobody in the product does: without telling the feed.
    pub(crate) fn without_feed(&self, sql: &str) {
        self.database.write(|c| Ok::<_, store::StoreError>(c.batch_execute(sql)?)).unwrap();
    }

    /// A request about these serials by `openssl ocsp`.
    pub(crate) fn question(&self, options: &str, serials: &[SerialNumber]) -> Vec<u8> {
        let serials: String = serials.iter().map(|serial| format!(" -serial 0x{serial}")).collect();
        let (_, said) = self.openssl(&format!("ocsp -issuer ca.pem {options}{serials} -reqout q.der"));
        std::fs::read(self.folder.path().join("q.der")).expect(&said)
    }

    pub(crate) fn openssl(&self, arguments: &str) -> (bool, String) {
        let mut command = Command::new("openssl");
        let output =
            command.args(arguments.split_whitespace()).current_dir(self.folder.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/ocsp", self.address)
    }

    /// Sends these octets and reads the response to its end.
    pub(crate) fn send(&self, octets: &[u8]) -> Response {
        Response::parse(&self.exchange(octets))
    }

    pub(crate) fn post(&self, body: &[u8]) -> Response {
        self.send(&post("application/ocsp-request", body))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    /// All that is answered to these octets.
    pub(crate) fn exchange(&self, octets: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(octets).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        response
    }

    /// GET or HEAD of a path below the host, with more header lines.
    pub(crate) fn get(&self, method: &str, path: &str, headers: &str) -> Response {
        self.send(
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes(),
        )
    }

    /// What is told of each serial, asked without a nonce.
    pub(crate) fn statuses(&self, serials: &[SerialNumber]) -> Vec<CertStatus> {
        self.post(&self.question("-no_nonce", serials)).statuses()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The future only waits for the end, which nobody needs to.
        drop(self.server.stop(false));
    }
}

pub(crate) fn post(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /ocsp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Waits for it to be true.
#[track_caller]
pub(crate) fn within(limit: Duration, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn certification_authority(name: &str, clock: &SystemClock) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = clock.now().minus(DAY).to_offset_date_time();
    params.not_after = clock.now().plus(30 * DAY).to_offset_date_time();
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn responder_certificate(
    ca: &CertifiedIssuer<'_, KeyPair>,
    public_key: &[u8],
    clock: &SystemClock,
    days: u32,
) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sinov OCSP");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 5], vec![5, 0])];
    params.not_before = clock.now().minus(DAY).to_offset_date_time();
    params.not_after = clock.now().plus(days * DAY).to_offset_date_time();
    let public_key = SubjectPublicKeyInfo::from_der(public_key).unwrap();
    params.signed_by(&public_key, ca).unwrap().der().to_vec()
}

/// Serves on a thread of its own, as `muhr ocsp` does in its process.
fn serve(service: Arc<Service>) -> (SocketAddr, ServerHandle) {
    let (started, start) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let application = move || {
                App::new().configure(|app| {
                    configure(app, service.clone(), PATIENCE);
                    app.route("/busy", web::get().to(busy));
                })
            };
            let server =
                HttpServer::new(application).workers(2).disable_signals().bind(("127.0.0.1", 0)).unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            started.send((address, server.handle())).unwrap();
            server.await
        })
    });
    start.recv().unwrap()
}

/// A worker that does not come around for a while.
async fn busy() -> HttpResponse {
    std::thread::sleep(Duration::from_millis(700));
    HttpResponse::Ok().finish()
}

pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn parse(octets: &[u8]) -> Self {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(octets[..end].to_vec()).unwrap();
        Self { status: head[9..12].parse().unwrap(), head, body: octets[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn ocsp(&self) -> OcspResponse {
        assert_eq!(self.status, 200, "{}", self.head);
        assert_eq!(self.header("content-type"), Some("application/ocsp-response"));
        OcspResponse::from_der(&self.body).unwrap()
    }

    pub(crate) fn error(&self) -> OcspResponseStatus {
        self.ocsp().response_status
    }

    pub(crate) fn basic(&self) -> BasicOcspResponse {
        let octets = self.ocsp().response_bytes.expect("a successful response").response;
        BasicOcspResponse::from_der(octets.as_bytes()).unwrap()
    }

    pub(crate) fn statuses(&self) -> Vec<CertStatus> {
        self.basic().tbs_response_data.responses.iter().map(|single| single.cert_status).collect()
    }
}
