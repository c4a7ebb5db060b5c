//! A delta and any full CRL since its base are together the full CRL that was signed with it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::OnceLock;
use std::time::Duration;

use ca_core::crl::{
    CertificateList, CrlError, DistributionPoint, Entry, Fault, Issuer, Judge, Judgement, Kind, Revocation,
    Scope, delta_place,
};
use ca_core::revocation::{Reason, Status};
use ca_core::signer::FileKey;
use ca_core::{SerialNumber, Timestamp};
use proptest::prelude::*;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::authority::{self, Algorithm, Authority, CRL_URI, serial};

const HOUR: Duration = Duration::from_secs(3600);

/// One moment for everything here: CRLs that were signed together have the same dates.
fn now() -> Timestamp {
    static NOW: OnceLock<Timestamp> = OnceLock::new();
    *NOW.get_or_init(authority::now)
}

struct Signing {
    authority: Authority,
    issuer: Issuer,
}

impl Signing {
    fn new() -> Self {
        let authority = Authority::new(Algorithm::P256);
        let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
        Self { authority, issuer }
    }

    fn list<'a>(&'a self, kind: Kind<'a>, number: u64) -> CertificateList<'a> {
        CertificateList {
            issuer: &self.issuer,
            kind,
            number,
            this_update: now().minus(HOUR),
            next_update: now().plus(HOUR),
            distribution_point: DistributionPoint { uri: CRL_URI, scope: Scope::UserCertificates },
        }
    }

    fn full(&self, number: u64, entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
        let delta = delta_place(CRL_URI);
        self.list(Kind::Full { delta_uri: Some(&delta) }, number).sign(entries, &self.authority.key).unwrap()
    }

    fn delta(&self, base: u64, number: u64, entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
        self.list(Kind::Delta { base }, number).sign(entries, &self.authority.key).unwrap()
    }

    /// Of certificates that are all valid.
    fn judge(&self, previous: Option<&[u8]>, full: &[u8], delta: &[u8]) -> Result<Judgement, Fault> {
        let ends = |serials: &[SerialNumber]| serials.iter().map(|&s| (s, Timestamp::MAX)).collect();
        let issuer_certificate = &self.authority.certificate;
        Judge { issuer_certificate, now: now(), most_octets: 1 << 20, file_name: Some("issuing.crl"), ends }
            .delta(previous, full, delta)
    }
}

fn revoked(number: u32, reason: Reason) -> Entry {
    let status = Status::Revoked { since: now().minus(2 * HOUR), reason, invalidity_date: None };
    Entry { serial: serial(number), revocation: Revocation::of(status).unwrap() }
}

fn held(number: u32) -> Entry {
    let status = Status::Suspended { since: now().minus(2 * HOUR) };
    Entry { serial: serial(number), revocation: Revocation::of(status).unwrap() }
}

fn ended(number: u32) -> Entry {
    Entry { serial: serial(number), revocation: Revocation::ended(now().minus(HOUR)) }
}

#[test]
fn openssl_reads_where_the_delta_is_and_what_it_takes_back() {
    let signing = Signing::new();
    signing.authority.write("full.crl", &signing.full(8, [held(1)]));
    let (_, said) = signing.authority.openssl("crl -inform DER -in full.crl -CAfile ca.pem -noout -text");
    for words in
        ["verify OK", "X509v3 Freshest CRL:", "issuing-delta.crl", "CRL Number: \n                8\n"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("Delta CRL Indicator") && !said.contains("Freshest CRL: critical"), "{said}");
    let delta = signing.delta(7, 8, [held(1), revoked(2, Reason::Superseded), ended(3)]);
    signing.authority.write("delta.crl", &delta);
    let (_, said) = signing.authority.openssl("crl -inform DER -in delta.crl -CAfile ca.pem -noout -text");
    for words in [
        "verify OK",
        "X509v3 Delta CRL Indicator: critical\n                7\n",
        "CRL Number: \n                8\n",
        "repository/issuing.crl",
        "Remove From CRL",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("Freshest"), "{said}");
}

/// RFC 5280 section 6.3.3: OpenSSL with `-use_deltas` puts both together.
#[test]
fn openssl_refuses_what_only_the_delta_lists_and_accepts_what_it_takes_back() {
    let signing = Signing::new();
    for (name, number) in [("restored", 1), ("lost", 2), ("good", 3)] {
        signing.authority.issue(name, serial(number));
    }
    signing.authority.write("full.der", &signing.full(7, [held(1)]));
    signing.authority.write("delta.der", &signing.delta(7, 8, [ended(1), revoked(2, Reason::KeyCompromise)]));
    for name in ["full", "delta"] {
        signing.authority.openssl(&format!("crl -inform DER -in {name}.der -out {name}.pem"));
    }
    for (name, is_good) in [("restored", true), ("lost", false), ("good", true)] {
        let both = format!(
            "verify -CAfile ca.pem -crl_check -extended_crl -use_deltas -CRLfile full.pem -CRLfile delta.pem {name}.pem"
        );
        let (accepted, said) = signing.authority.openssl(&both);
        assert_eq!(accepted, is_good, "{name}: {said}");
    }
}

#[test]
fn a_delta_that_hides_invents_or_contradicts_is_refused() {
    let signing = Signing::new();
    let (lost, other) = (revoked(2, Reason::KeyCompromise), revoked(4, Reason::Superseded));
    let before = signing.full(6, [held(1), other]);
    let full = signing.full(7, [lost, other]);
    let judged = |delta: &[u8]| signing.judge(Some(&before), &full, delta).map(|judged| judged.summary.base);
    assert_eq!(judged(&signing.delta(5, 7, [ended(1), lost])), Ok(Some(5)));
    assert_eq!(judged(&signing.delta(5, 7, [ended(1), lost, other])), Ok(Some(5)));
    let contradicts = |entries: &[Entry], base| judged(&signing.delta(base, 7, entries.iter().copied()));
    let of = |number| Err(Fault::Contradiction(serial(number)));
    assert_eq!(contradicts(&[ended(1)], 5), of(2), "a revocation is missing");
    assert_eq!(contradicts(&[lost], 5), Err(Fault::Vanished(serial(1))), "the end of a hold is missing");
    assert_eq!(contradicts(&[ended(1), lost, revoked(3, Reason::Superseded)], 5), of(3), "nobody revoked it");
    assert_eq!(contradicts(&[ended(1), revoked(2, Reason::Superseded)], 5), of(2), "another reason");
    assert_eq!(contradicts(&[ended(1), lost, ended(4)], 5), of(4), "it is revoked still");
    // Who holds what came before the base is not the delta's concern.
    assert_eq!(contradicts(&[], 7), Ok(Some(7)));

    let later = signing.delta(5, 8, [ended(1), lost]);
    assert_eq!(judged(&later), Err(Fault::NotTogether));
    assert_eq!(judged(&full), Err(Fault::Kind));
    let whole = |crl: &[u8]| {
        let ends = |_: &[SerialNumber]| Vec::new();
        let issuer_certificate = &signing.authority.certificate;
        Judge { issuer_certificate, now: now(), most_octets: 1 << 20, file_name: None, ends }
            .full(None::<&[u8]>, crl)
    };
    assert_eq!(whole(&signing.delta(5, 7, [lost])), Err(Fault::Kind));
    assert_eq!(whole(&signing.delta(5, 7, [ended(1)])), Err(Fault::RemovedInFull(serial(1))));
}

#[test]
fn what_makes_no_delta_is_not_signed() {
    let signing = Signing::new();
    let key = &signing.authority.key;
    let full = signing.list(Kind::Full { delta_uri: None }, 7).sign([ended(1)], key);
    assert_eq!(full, Err(CrlError::RemovedInFull(serial(1))));
    assert_eq!(signing.list(Kind::Delta { base: 8 }, 7).sign([], key), Err(CrlError::Base));
    let nowhere = signing.list(Kind::Full { delta_uri: Some("") }, 7).sign([], key);
    assert_eq!(nowhere, Err(CrlError::Uri));
}

/// The two ways of a signer: a digest made on the way, and the whole message.
#[test]
fn a_key_that_signs_digests_signs_lists_of_any_size_and_another_says_its_limit() {
    let signing = Signing::new();
    let key = FileKey::from_pkcs8_der(signing.authority.key.pair().serialized_der()).unwrap();
    let many = || (0..200_000).map(|number| Ok::<_, CrlError>(revoked(number, Reason::KeyCompromise)));
    let list = signing.list(Kind::Full { delta_uri: None }, 7);
    let (mut spool, mut out) = (Cursor::new(Vec::new()), Vec::new());
    let written = list.write(many(), &key, &mut spool, &mut out).unwrap();
    assert_eq!((written.entries, written.octets), (200_000, out.len() as u64));
    signing.authority.write("list.crl", &out);
    let (verified, said) = signing.authority.openssl("crl -inform DER -in list.crl -CAfile ca.pem -noout");
    assert!(verified && said.contains("verify OK"), "{said}");
    let whole = list.write(many(), &signing.authority.key, &mut spool, &mut Vec::new());
    assert_eq!(whole, Err(CrlError::NoPrehash));
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Hold,
    Revoke,
    Restore,
}

/// What happened between two CRLs: which certificates changed, and how.
fn histories() -> impl Strategy<Value = Vec<Vec<(u32, Change)>>> {
    let change = prop_oneof![Just(Change::Hold), Just(Change::Revoke), Just(Change::Restore)];
    prop::collection::vec(prop::collection::vec((0..12_u32, change), 0..6), 2..7)
}

/// As a client without any of our code does it.
fn merged(base: &[u8], delta: &[u8]) -> BTreeMap<Vec<u8>, u8> {
    let mut known = listed(base);
    for (serial, code) in listed(delta) {
        if code == 8 {
            known.remove(&serial);
        } else {
            known.insert(serial, code);
        }
    }
    known
}

fn listed(crl: &[u8]) -> BTreeMap<Vec<u8>, u8> {
    let (_, read) = CertificateRevocationList::from_der(crl).unwrap();
    let code = |entry: &x509_parser::prelude::RevokedCertificate<'_>| {
        entry.reason_code().map_or(0, |(_, code)| code.0)
    };
    read.iter_revoked_certificates().map(|entry| (entry.raw_serial().to_vec(), code(entry))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn base_and_delta_are_the_present_in_every_history(history in histories()) {
        let signing = Signing::new();
        let mut state: BTreeMap<u32, Entry> = BTreeMap::new();
        let mut changed: BTreeMap<u32, usize> = BTreeMap::new();
        let mut fulls: Vec<Vec<u8>> = Vec::new();
        for (round, changes) in history.iter().enumerate() {
            for &(number, change) in changes {
                let is_revoked = state.get(&number).is_some_and(|entry| entry.revocation.reason_code == Some(4));
                match change {
                    _ if is_revoked => continue,
                    Change::Hold => state.insert(number, held(number)),
                    Change::Revoke => state.insert(number, revoked(number, Reason::Superseded)),
                    Change::Restore => state.remove(&number),
                };
                changed.insert(number, round);
            }
            let number = round as u64 + 1;
            let full = signing.full(number, state.values().copied());
            for (base, held_by_client) in fulls.iter().enumerate() {
                let since = changed.iter().filter(|&(_, &at)| at > base);
                let told: Vec<Entry> =
                    since.map(|(&n, _)| state.get(&n).copied().unwrap_or_else(|| ended(n))).collect();
                let delta = signing.delta(base as u64 + 1, number, told.iter().copied());
                prop_assert_eq!(merged(held_by_client, &delta), listed(&full));
                let previous = fulls.last().map(Vec::as_slice);
                prop_assert!(signing.judge(previous, &full, &delta).is_ok());
                for left_out in 0..told.len() {
                    let rest = told.iter().enumerate().filter(|&(n, _)| n != left_out).map(|(_, entry)| *entry);
                    let lacking = signing.delta(base as u64 + 1, number, rest);
                    // Only a change since the last full CRL can be told from an older one that made no difference to it.
                    let differs = previous.is_some_and(|previous| {
                        let serial = told[left_out].serial.as_bytes();
                        listed(previous).get(serial) != listed(&full).get(serial)
                    });
                    prop_assert_eq!(signing.judge(previous, &full, &lacking).is_err(), differs);
                }
            }
            fulls.push(full);
        }
    }
}
