//! OCSP answers from memory, without HTTP around them: the index, the request's decoding and the signature.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use ca_core::{SerialNumber, Timestamp};
use der::asn1::{BitString, OctetString};
use der::{Decode, Encode};
use ocsp_responder::{Follower, Reply, Service};
use store::certificates::NewCertificate;
use store::issuance::Intent;
use store::{Database, StoreError, issuance, issuers};
use x509_cert::ext::Extension;

use super::meter::{Meter, figure, peak_resident_mebibytes};
use super::{PASSPHRASE, ca, in_temporary};
use crate::commands::Place;
use crate::failure::Failure;
use crate::roles;

/// Requests measured.
const REQUESTS: usize = 50_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An EMPTY PostgreSQL database, or the path of an SQLite file to be made; without it, one in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How many certificates the responder knows.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    in_temporary(arguments.database.clone(), |place| measure(arguments, place))
}

fn measure(arguments: &Arguments, place: &Place) -> Result<(), Failure> {
    let (database, issuer) = ca(place)?;
    std::fs::write(place.settings(&[])?.keys.directory.join("passphrase"), PASSPHRASE)?;
    let settings = place.settings(&[])?;
    let serials = fill(&database, arguments.count, settings.clock().now())?;

    let before = peak_resident_mebibytes();
    let service = roles::open_ocsp(&settings, &database)?;
    let loading = Meter::start();
    let follower = Follower::start(Arc::clone(&service), database, &settings.ocsp)?;
    while !service.is_ready() {
        if loading.read().0 > Duration::from_secs(600) {
            return Err(Failure::new("the responder does not become ready"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    figure("ocsp.load", loading.read().0.as_secs_f64(), "s");
    let resident = (peak_resident_mebibytes() - before) * 1_048_576.0 / arguments.count as f64;
    figure("ocsp.resident", resident, "octets/certificate at the peak");

    let bare = bare_signatures()?;
    figure("ocsp.baseline.signature", bare, "us CPU");
    let known = Known::of(&issuer)?;
    let plain = answers(&service, &known, &serials, false)?;
    figure("ocsp.no_nonce.first", plain, "us CPU/answer");
    figure("ocsp.no_nonce", answers(&service, &known, &serials, false)?, "us CPU/answer");
    let nonce = answers(&service, &known, &serials, true)?;
    figure("ocsp.nonce", nonce, "us CPU/answer");
    figure("ocsp.nonce.ratio", nonce / bare, "x one signature");
    drop(follower);
    Ok(())
}

/// CPU microseconds of one P-256 signature over 300 octets, by the same library.
fn bare_signatures() -> Result<f64, Failure> {
    let key = FileKey::generate(KeyAlgorithm::P256)?;
    let meter = Meter::start();
    for _ in 0..REQUESTS {
        key.sign(&[7; 300])?;
    }
    Ok(meter.read().1.as_secs_f64() * 1e6 / REQUESTS as f64)
}

/// Certificates that exist for the responder: their bytes are never looked at here.
fn fill(database: &Database, count: usize, now: Timestamp) -> Result<Vec<SerialNumber>, Failure> {
    let serials: Vec<SerialNumber> = (0..count).map(|_| SerialNumber::random()).collect::<Result<_, _>>()?;
    for chunk in serials.chunks(1000) {
        database.write(|connection| -> Result<(), StoreError> {
            let intents: Vec<Intent> = chunk.iter().map(intent).collect();
            issuance::record_intents(connection, &intents, now)?;
            for serial in chunk {
                issuance::store_own(connection, &certificate(serial, now), now)?;
            }
            Ok(())
        })?;
    }
    Ok(serials)
}

fn intent(serial: &SerialNumber) -> Intent {
    Intent {
        issuer: issuers::ISSUING.to_owned(),
        serial: *serial,
        application: None,
        profile: "measurement".to_owned(),
        tbs: vec![0],
    }
}

fn certificate(serial: &SerialNumber, now: Timestamp) -> NewCertificate {
    NewCertificate {
        issuer: issuers::ISSUING.to_owned(),
        serial: *serial,
        application: None,
        profile: "measurement".to_owned(),
        subject: String::new(),
        common_name: String::new(),
        pinfl: None,
        stir: None,
        spki_sha256: [0; 32],
        der: vec![0],
        not_before: now,
        not_after: now.plus_months(12),
        crl_partition: String::new(),
    }
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
    let requests: Vec<Vec<u8>> = (0..REQUESTS)
        .map(|n| known.request(&serials[n % serials.len()], nonce.then_some(n as u64)))
        .collect::<Result<_, _>>()?;
    let meter = Meter::start();
    for request in &requests {
        if let Reply::Error(status) = service.reply(request) {
            return Err(Failure::new(format!("the responder answers {status:?}")));
        }
    }
    Ok(meter.read().1.as_secs_f64() * 1e6 / REQUESTS as f64)
}
