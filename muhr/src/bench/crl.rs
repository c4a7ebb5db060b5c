//! How long a full CRL takes, and how much memory.

use ca_core::SerialNumber;
use ca_core::crl::{CertificateList, DistributionPoint, Entry, Issuer, Revocation, Scope};
use ca_core::revocation::Reason;
use ca_core::signer::{FileKey, KeyAlgorithm};

use super::meter::{Meter, figure, peak_resident_mebibytes};
use super::temporary;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many revoked certificates.
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    temporary(|place| {
        let (_, certificate) = super::ca(place)?;
        let key = FileKey::generate(KeyAlgorithm::P256)?;
        let issuer = Issuer::from_certificate(&certificate)?;
        let before = peak_resident_mebibytes();
        let now = place.settings(&[])?.clock().now();
        let list = CertificateList {
            issuer: &issuer,
            number: 1,
            this_update: now,
            next_update: now.plus(std::time::Duration::from_secs(86_400)),
            distribution_point: DistributionPoint {
                uri: "http://127.0.0.1/repository/ca.crl",
                scope: Scope::UserCertificates,
            },
        };
        let revocation =
            Revocation { since: now, reason_code: Some(Reason::KeyCompromise.code()), invalidity_date: None };
        let meter = Meter::start();
        let entries = (0..arguments.count).filter_map(|n| Some(Entry { serial: serial(n)?, revocation }));
        let crl = list.sign(entries, &key)?;
        let (wall, cpu) = meter.read();
        figure("crl.entries", arguments.count as f64, "entries");
        figure("crl.wall", wall.as_secs_f64(), "s");
        figure("crl.cpu", cpu.as_secs_f64(), "s CPU");
        figure("crl.size", crl.len() as f64 / 1_048_576.0, "MiB");
        figure("crl.resident", peak_resident_mebibytes() - before, "MiB above the start");
        Ok(())
    })
}

/// Ascending serials of 16 octets, like real ones.
fn serial(n: u64) -> Option<SerialNumber> {
    let mut octets = [0x40_u8; 16];
    octets[1..9].copy_from_slice(&n.to_be_bytes());
    SerialNumber::try_from(octets.as_slice()).ok()
}
