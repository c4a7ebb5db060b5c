//! OCSP answers: how long the index takes to be ready and how large it is, what an answer costs without HTTP and over
//! it, each beside a baseline of the same run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use ca_core::{SerialNumber, Timestamp};
use config::Settings;
use der::asn1::{BitString, OctetString};
use der::{Decode, Encode};
use ocsp_responder::{Follower, Reply, Service};
use store::{Database, StoreError, issuers, status};
use x509_cert::ext::Extension;

use super::load::{self, Load};
use super::meter::{Meter, figure, peak_resident_mebibytes, resident_mebibytes};
use super::{PASSPHRASE, ca, in_temporary};
use crate::commands::{Place, keyring};
use crate::failure::Failure;
use crate::roles;

/// Answers measured without HTTP.
const ANSWERS: usize = 50_000;

/// Different certificates asked about over HTTP.
const ASKED: usize = 10_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An EMPTY PostgreSQL database, or the path of an SQLite file to be made; without it, one in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How many certificates the responder knows.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// How long each load over HTTP lasts; 0 leaves HTTP out. The load comes from wrk, h2load and, for the comparison,
    /// goes to `openssl ocsp`: from Debian's wrk, nghttp2-client and openssl.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    in_temporary(arguments.database.clone(), |place| measure(arguments, place))
}

fn measure(arguments: &Arguments, place: &Place) -> Result<(), Failure> {
    let (database, issuer) = ca(place)?;
    let mut settings = Settings::clone(&*place.settings(&[])?);
    std::fs::write(settings.keys.directory.join("passphrase"), PASSPHRASE)?;
    let snapshot = settings.data.directory.join("measured.index");
    settings.ocsp.snapshot_file = Some(snapshot.clone());
    let asked = fill(&database, arguments.count, settings.clock().now())?;
    figure("ocsp.certificates", arguments.count as f64, "certificates");

    // From the database; the follower leaves the snapshot that the second start reads.
    let (service, follower) = start("ocsp.load.database", &settings, &database, arguments.count)?;
    drop((follower, service));
    figure("ocsp.snapshot", std::fs::metadata(&snapshot)?.len() as f64, "octets");
    let (service, follower) = start("ocsp.load.snapshot", &settings, &database, arguments.count)?;

    let known = Known::of(&issuer)?;
    let signature = bare_signatures()?;
    figure("ocsp.baseline.signature", signature, "us CPU");
    without_http(&service, &known, &asked, signature)?;
    if arguments.seconds > 0 {
        let requests = |nonce: bool| -> Result<Vec<Vec<u8>>, Failure> {
            asked
                .iter()
                .enumerate()
                .map(|(n, serial)| known.request(serial, nonce.then_some(n as u64)))
                .collect()
        };
        let folder = settings.data.directory.join("load");
        std::fs::create_dir_all(&folder)?;
        let plain = Load::prepare(&folder, "plain", &requests(false)?)?;
        let nonce = Load::prepare(&folder, "nonce", &requests(true)?)?;
        let Reply::Answer(answer) = service.reply(&known.request(&asked[0], None)?) else {
            return Err(Failure::new("the responder does not answer"));
        };
        let patience = settings.http.request_timeout;
        load::over_http(
            &service,
            patience,
            answer.der.clone(),
            signature,
            &plain,
            &nonce,
            arguments.seconds,
        )?;
        openssl(&settings, &folder, &nonce, arguments)?;
    }
    drop(follower);
    Ok(())
}

/// A responder that knows everything: how long that took, and its memory for each certificate.
fn start(
    name: &str,
    settings: &Settings,
    database: &Database,
    count: usize,
) -> Result<(Arc<Service>, Follower), Failure> {
    let service = roles::open_ocsp(settings, database, &keyring(settings))?;
    let before = resident_mebibytes();
    let loading = Meter::start();
    let follower = Follower::start(Arc::clone(&service), database.clone(), &settings.ocsp)?;
    while !service.is_ready() {
        if loading.read().0 > Duration::from_secs(600) {
            return Err(Failure::new("the responder does not become ready"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    figure(name, loading.read().0.as_secs_f64(), "s");
    let grown = (resident_mebibytes() - before) * 1_048_576.0;
    // Where memory of an earlier start is used again, nothing is to be learnt.
    if grown / count as f64 >= 28.0 {
        figure(&format!("{name}.resident"), grown / count as f64, "octets/certificate");
    }
    figure(&format!("{name}.resident.peak"), peak_resident_mebibytes(), "MiB in all");
    Ok((service, follower))
}

fn without_http(
    service: &Service,
    known: &Known,
    asked: &[SerialNumber],
    signature: f64,
) -> Result<(), Failure> {
    figure("ocsp.no_nonce.first", answers(service, known, asked, false)?, "us CPU/answer");
    figure("ocsp.no_nonce", answers(service, known, asked, false)?, "us CPU/answer");
    let nonce = answers(service, known, asked, true)?;
    figure("ocsp.nonce", nonce, "us CPU/answer");
    figure("ocsp.nonce.ratio", nonce / signature, "x one signature");
    Ok(())
}

/// CPU microseconds of one P-256 signature over 300 octets, by the same library.
fn bare_signatures() -> Result<f64, Failure> {
    let key = FileKey::generate(KeyAlgorithm::P256)?;
    let meter = Meter::start();
    for _ in 0..ANSWERS {
        key.sign(&[7; 300])?;
    }
    Ok(meter.read().1.as_secs_f64() * 1e6 / ANSWERS as f64)
}

/// The feed of so many certificates, of which the responder needs nothing else. Returns those that are asked about.
fn fill(database: &Database, count: usize, now: Timestamp) -> Result<Vec<SerialNumber>, Failure> {
    let mut asked = Vec::with_capacity(ASKED);
    let mut left = count;
    while left > 0 {
        let serials: Vec<SerialNumber> =
            (0..left.min(100_000)).map(|_| SerialNumber::random()).collect::<Result<_, _>>()?;
        database.write(|c| -> Result<(), StoreError> {
            status::rehearse(c, issuers::ISSUING, &serials, now.plus_months(12), now)
        })?;
        // From everywhere in the index.
        let share = (ASKED * serials.len()).div_ceil(count).min(serials.len());
        asked.extend_from_slice(&serials[..share]);
        left -= serials.len();
    }
    asked.truncate(ASKED);
    Ok(asked)
}

/// `openssl ocsp` on the same machine in the same run, with a thousand certificates and a nonce in every question.
fn openssl(settings: &Settings, folder: &Path, nonce: &Load, arguments: &Arguments) -> Result<(), Failure> {
    let mut index = String::new();
    for n in 0..1000 {
        let serial = SerialNumber::random()?.to_string().to_uppercase();
        index.push_str(&format!("V\t360101000000Z\t\t{serial}\tunknown\t/CN=measured {n}\n"));
    }
    std::fs::write(folder.join("index.txt"), index)?;
    load::against_openssl(settings, folder, nonce, arguments.seconds)
}

/// What a CertID says of the issuer.
struct Known {
    name_hash: OctetString,
    key_hash: OctetString,
}

impl Known {
    fn of(certificate: &[u8]) -> Result<Self, Failure> {
        let tbs = x509_cert::Certificate::from_der(certificate)?.tbs_certificate;
        let sha1 =
            |data: &[u8]| OctetString::new(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref());
        let key: &BitString = &tbs.subject_public_key_info.subject_public_key;
        Ok(Self { name_hash: sha1(&tbs.subject.to_der()?)?, key_hash: sha1(key.raw_bytes())? })
    }

    fn request(&self, serial: &SerialNumber, nonce: Option<u64>) -> Result<Vec<u8>, Failure> {
        let cert_id = x509_ocsp::CertId {
            hash_algorithm: spki::AlgorithmIdentifierOwned {
                oid: const_oid::db::rfc5912::ID_SHA_1,
                parameters: Some(der::asn1::Null.into()),
            },
            issuer_name_hash: self.name_hash.clone(),
            issuer_key_hash: self.key_hash.clone(),
            serial_number: x509_cert::serial_number::SerialNumber::new(serial.as_bytes())?,
        };
        let nonce = nonce.map(|n| -> Result<Extension, der::Error> {
            let value = OctetString::new([n.to_be_bytes(); 4].concat())?;
            Ok(Extension {
                extn_id: const_oid::db::rfc6960::ID_PKIX_OCSP_NONCE,
                critical: false,
                extn_value: OctetString::new(value.to_der()?)?,
            })
        });
        let tbs_request = x509_ocsp::TbsRequest {
            version: x509_ocsp::Version::V1,
            requestor_name: None,
            request_list: vec![x509_ocsp::Request { req_cert: cert_id, single_request_extensions: None }],
            request_extensions: nonce.transpose()?.map(|extension| vec![extension]),
        };
        Ok(x509_ocsp::OcspRequest { tbs_request, optional_signature: None }.to_der()?)
    }
}

/// CPU microseconds of one answer.
fn answers(service: &Service, known: &Known, serials: &[SerialNumber], nonce: bool) -> Result<f64, Failure> {
    let requests: Vec<Vec<u8>> = (0..ANSWERS)
        .map(|n| known.request(&serials[n % serials.len()], nonce.then_some(n as u64)))
        .collect::<Result<_, _>>()?;
    let meter = Meter::start();
    for request in &requests {
        if !matches!(service.reply(request), Reply::Answer(_)) {
            return Err(Failure::new("the responder does not answer"));
        }
    }
    Ok(meter.read().1.as_secs_f64() * 1e6 / ANSWERS as f64)
}
