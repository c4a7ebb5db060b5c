//! Which of an issuer's CRLs a certificate belongs to.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use crate::SerialNumber;

/// One of the parts that an issuer's certificates are spread over by their serials, each with a CRL of its own whose
/// address stands in the certificate (RFC 5280 section 5.2.5). An issuer with one CRL has none.
///
/// It is decided when the certificate is made and stands in it from then on: another number of shards in the profile
/// changes nothing about certificates that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    shard: u16,
    shards: u16,
}

impl Partition {
    /// The most shards a profile may have: a CRL each, all of them signed anew every day.
    pub const MOST: u16 = 4096;

    /// The shard of this certificate among `shards` of them; `None` for one or none, which is the undivided list.
    ///
    /// The first four octets of SHA-256 of the serial number's content octets, as a number, modulo `shards`: even for
    /// any serials, and the same whoever computes it.
    pub fn of(serial: &SerialNumber, shards: u16) -> Option<Self> {
        if shards < 2 {
            return None;
        }
        let hash = digest(&SHA256, serial.as_bytes());
        let number =
            hash.as_ref().iter().take(4).fold(0_u32, |number, &octet| number << 8 | u32::from(octet));
        let shard = (number % u32::from(shards)) as u16;
        Some(Self { shard, shards })
    }
}

/// The name of a partition in databases and file names; the undivided list's is empty.
pub fn partition_name(partition: Option<Partition>) -> String {
    partition.map(|partition| partition.to_string()).unwrap_or_default()
}

/// Where the CRL of the partition with this name is, beside the undivided one of its issuer: `…/ca-3-of-20.crl` beside
/// `…/ca.crl`.
pub fn place(undivided_uri: &str, partition_name: &str) -> String {
    if partition_name.is_empty() { undivided_uri.to_owned() } else { beside(undivided_uri, partition_name) }
}

/// Where the delta CRL of a full one is: `…/ca-delta.crl` beside `…/ca.crl`.
pub fn delta_place(full_uri: &str) -> String {
    beside(full_uri, "delta")
}

fn beside(uri: &str, what: &str) -> String {
    format!("{}-{what}.crl", uri.strip_suffix(".crl").unwrap_or(uri))
}

/// As it is named in databases and file names, for example `3-of-20`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-of-{}", self.shard, self.shards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = "11-of-20";

    #[test]
    fn serials_are_spread_evenly_and_always_the_same_way() {
        let serial = |n: u32| SerialNumber::try_from(&[&[0x41][..], &n.to_be_bytes()].concat()[..]).unwrap();
        assert_eq!(Partition::of(&serial(1), 1), None);
        assert_eq!(Partition::of(&serial(1), 0), None);
        // printf '\x41\0\0\0\x01' | sha256sum
        assert_eq!(partition_name(Partition::of(&serial(1), 20)), EXPECTED);
        let mut counts = [0; 20];
        for n in 0..20_000 {
            counts[usize::from(Partition::of(&serial(n), 20).unwrap().shard)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_shard_and_a_delta_are_beside_the_undivided_list() {
        let undivided = "http://muhr.example/repository/ca.crl";
        assert_eq!(place(undivided, ""), undivided);
        let shard = place(undivided, "3-of-20");
        assert_eq!(shard, "http://muhr.example/repository/ca-3-of-20.crl");
        assert_eq!(delta_place(&shard), "http://muhr.example/repository/ca-3-of-20-delta.crl");
    }
}
