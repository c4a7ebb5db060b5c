//! A CA, its database, and its responder on a port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer, dev::ServerHandle};
use ca_core::SerialNumber;
use ca_core::revocation::Status;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use config::clock::SystemClock;
use config::settings::Ocsp;
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
use store::{Connection, Database, Options, Target, certificates, issuance, issuers};
use tempfile::TempDir;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus};

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) database: Database,
    pub(crate) clock: SystemClock,
    pub(crate) service: Arc<Service>,
    pub(crate) settings: Ocsp,
    pub(crate) follower: Option<Follower>,
    address: SocketAddr,
    server: ServerHandle,
}

pub(crate) fn settings() -> Ocsp {
    Ocsp {
        validity: Duration::from_secs(43_200),
        key_file: PathBuf::new(),
        certificate_file: PathBuf::new(),
        passphrase_file: None,
        max_request_bytes: 8192,
        feed_poll: Duration::from_millis(50),
        reconcile: Duration::from_secs(30),
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
        let ca = certification_authority(&clock);
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let issuer = Issuer {
            id: issuers::ISSUING.to_owned(),
            kind: "issuing".to_owned(),
            parent: None,
            certificate: ca.der().to_vec(),
            subject: "CN=Sinov CA".to_owned(),
            not_before: clock.now(),
            not_after: clock.now().plus(30 * DAY),
        };
        database.write(|c| issuers::insert(c, &issuer, clock.now())).unwrap();
        let key = FileKey::generate(KeyAlgorithm::P256).unwrap();
        let certificate = responder_certificate(&ca, key.public_key(), &clock);
        let service = Service::new(&settings, clock, &[issuer], Arc::new(key), &certificate).unwrap();
        let service = Arc::new(service);
        let (address, server) = serve(service.clone());
        let mut stage = Self { folder, database, clock, service, settings, follower: None, address, server };
        stage.follow();
        stage
    }

    /// Starts following the database and waits until the index is loaded.
    pub(crate) fn follow(&mut self) {
        let follower = Follower::start(self.service.clone(), self.database.clone(), &self.settings).unwrap();
        self.follower = Some(follower);
        within(Duration::from_secs(5), || self.service.is_ready());
    }

    /// Stores a certificate of which only the serial matters here.
    pub(crate) fn issue(&self) -> SerialNumber {
        let serial = SerialNumber::random().unwrap();
        let now = self.clock.now();
        let certificate = NewCertificate {
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
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(octets).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        Response::parse(&response)
    }

    pub(crate) fn post(&self, body: &[u8]) -> Response {
        self.send(&post("application/ocsp-request", body))
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

fn certification_authority(clock: &SystemClock) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sinov CA");
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
) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sinov OCSP");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 5], vec![5, 0])];
    params.not_before = clock.now().minus(DAY).to_offset_date_time();
    params.not_after = clock.now().plus(30 * DAY).to_offset_date_time();
    let public_key = SubjectPublicKeyInfo::from_der(public_key).unwrap();
    params.signed_by(&public_key, ca).unwrap().der().to_vec()
}

/// Serves on a thread of its own, as `muhr ocsp` does in its process.
fn serve(service: Arc<Service>) -> (SocketAddr, ServerHandle) {
    let (started, start) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let application = move || App::new().configure(|app| configure(app, service.clone()));
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
