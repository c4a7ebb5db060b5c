//! How long a full CRL of any size takes to write and to judge, and how much memory.

use std::fs::File;
use std::io::Seek;
use std::sync::Arc;
use std::time::Duration;

use ca_core::crl::{
    CertificateList, CrlError, DistributionPoint, Entry, Issuer, Judge, Kind, Revocation, Scope,
};
use ca_core::issue::{Request, Urls};
use ca_core::profile::SubjectFields;
use ca_core::revocation::Reason;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use ca_core::{SerialNumber, Timestamp};
use config::tables::Tables;

use super::meter::{Meter, figure, peak_resident_mebibytes, reset_peak_resident};
use super::temporary;
use crate::failure::Failure;

const URI: &str = "http://127.0.0.1/repository/ca.crl";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many revoked certificates; may be given more than once.
    #[arg(long, default_values_t = [1_000, 100_000, 1_000_000, 5_000_000])]
    count: Vec<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    temporary(|place| {
        let settings = place.settings(&[])?;
        let now = settings.clock().now();
        let key: Arc<dyn Signer> = Arc::new(FileKey::generate(KeyAlgorithm::P256)?);
        let certificate = authority(&Tables::load(&settings.data)?, Arc::clone(&key), now)?;
        let issuer = Issuer::from_certificate(&certificate)?;
        for &count in &arguments.count {
            let list = |number| list(&issuer, number, now);
            reset_peak_resident()?;
            let meter = Meter::start();
            let mut first = write(&list(1), count, key.as_ref())?;
            report(&format!("crl.{count}"), &meter);
            figure(&format!("crl.{count}.size"), first.metadata()?.len() as f64, "octets");

            let mut second = write(&list(2), count, key.as_ref())?;
            first.rewind()?;
            second.rewind()?;
            reset_peak_resident()?;
            let meter = Meter::start();
            let judgement = Judge {
                issuer_certificate: &certificate,
                now,
                most_octets: u64::MAX,
                file_name: Some("ca.crl"),
                ends: |_: &[SerialNumber]| Vec::new(),
            }
            .full(Some(first), second)?;
            report(&format!("crl.{count}.judge"), &meter);
            if judgement.summary.entries != count {
                return Err(Failure::new("the judge has counted other entries than were written"));
            }
        }
        Ok(())
    })
}

/// A CA without a database and key files, whose opening would take more memory than all that is measured here.
fn authority(tables: &Tables, key: Arc<dyn Signer>, now: Timestamp) -> Result<Vec<u8>, Failure> {
    let profile = tables.profiles.get("root").ok_or_else(|| Failure::new("there is no profile `root`"))?;
    let request = Request {
        subject: SubjectFields {
            common_name: Some("Measurement".to_owned()),
            organization: Some("Muhr".to_owned()),
            country: Some("UZ".to_owned()),
            ..SubjectFields::default()
        },
        public_key: key.public_key().to_vec(),
        serial: SerialNumber::random()?,
        now,
        urls: Urls::below("http://127.0.0.1", "ca"),
        months: None,
    };
    Ok(ca_core::issue::Issuer::self_signed(profile, request, key)?.1.der)
}

fn report(name: &str, meter: &Meter) {
    let (wall, cpu) = meter.read();
    figure(&format!("{name}.wall"), wall.as_secs_f64(), "s");
    figure(&format!("{name}.cpu"), cpu.as_secs_f64(), "s CPU");
    figure(&format!("{name}.resident"), peak_resident_mebibytes(), "MiB at most");
}

fn list(issuer: &Issuer, number: u64, now: Timestamp) -> CertificateList<'_> {
    CertificateList {
        issuer,
        kind: Kind::Full { delta_uri: Some("http://127.0.0.1/repository/ca-delta.crl") },
        number,
        this_update: now,
        next_update: now.plus(Duration::from_secs(86_400)),
        distribution_point: DistributionPoint { uri: URI, scope: Scope::UserCertificates },
    }
}

/// Through files, as the signer does.
fn write(list: &CertificateList<'_>, count: u64, signer: &dyn Signer) -> Result<File, Failure> {
    let revocation = Revocation {
        since: list.this_update,
        reason_code: Some(Reason::KeyCompromise.code()),
        invalidity_date: None,
    };
    let entries =
        (0..count).filter_map(|n| Some(Ok::<_, CrlError>(Entry { serial: serial(n)?, revocation })));
    let (mut spool, mut out) = (tempfile::tempfile()?, tempfile::tempfile()?);
    list.write(entries, signer, &mut spool, &mut out)?;
    Ok(out)
}

/// Ascending serials of 16 octets, like real ones.
fn serial(n: u64) -> Option<SerialNumber> {
    let mut octets = [0x40_u8; 16];
    octets[1..9].copy_from_slice(&n.to_be_bytes());
    SerialNumber::try_from(octets.as_slice()).ok()
}
