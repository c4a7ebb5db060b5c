//! A CRL that takes something back is not published. The CRLs judged here are rcgen's as well as our own.

use std::time::Duration;

use ca_core::crl::{
    CertificateList, DistributionPoint, Entry, Fault, Issuer, Judgement, Revocation, Scope, judge,
};
use ca_core::revocation::{Reason, Status};
use ca_core::signer::Signer;
use ca_core::{SerialNumber, Timestamp};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams};

use crate::authority::{Algorithm, Authority, CRL_URI, now, serial};

const HOUR: Duration = Duration::from_secs(3600);

struct Issued {
    authority: Authority,
    issuer: Issuer,
}

impl Issued {
    fn new() -> Self {
        let authority = Authority::new(Algorithm::P256);
        let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
        Self { authority, issuer }
    }

    /// Number and entries; signed `hours` ago for a day.
    fn crl(&self, number: u64, hours: u32, entries: &[Entry]) -> Vec<u8> {
        self.crl_by(&self.authority.key, number, hours, entries)
    }

    fn crl_by(&self, key: &dyn Signer, number: u64, hours: u32, entries: &[Entry]) -> Vec<u8> {
        let this_update = now().minus(hours * HOUR);
        let list = CertificateList {
            issuer: &self.issuer,
            number,
            this_update,
            next_update: this_update.plus(24 * HOUR),
            distribution_point: DistributionPoint { uri: CRL_URI, scope: Scope::UserCertificates },
        };
        list.sign(entries.iter().copied(), key).unwrap()
    }

    fn judge(&self, previous: Option<&[u8]>, new: &[u8]) -> Result<Judgement, Fault> {
        judge(previous, new, &self.authority.certificate, now(), |_| Some(Timestamp::MAX))
    }
}

fn revoked(number: u32) -> Entry {
    let status = Status::Revoked { since: now(), reason: Reason::Superseded, invalidity_date: None };
    Entry { serial: serial(number), revocation: Revocation::of(status).unwrap() }
}

fn held(number: u32) -> Entry {
    let status = Status::Suspended { since: now() };
    Entry { serial: serial(number), revocation: Revocation::of(status).unwrap() }
}

#[test]
fn a_crl_that_adds_and_ends_holds_is_published() {
    for algorithm in Algorithm::ALL {
        let authority = Authority::new(algorithm);
        let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
        let issued = Issued { authority, issuer };
        let first = issued.crl(1, 2, &[revoked(1), held(2), held(3)]);
        let second = issued.crl(2, 1, &[revoked(1), revoked(3), revoked(4), held(5)]);
        assert_eq!(issued.judge(None, &first).map(|judged| (judged.entries, judged.added)), Ok((3, 3)));
        let judged = issued.judge(Some(&first), &second).unwrap();
        let expected = Judgement {
            number: 2,
            this_update: now().minus(HOUR),
            next_update: now().plus(23 * HOUR),
            entries: 4,
            added: 2,
            removed: 1,
        };
        assert!(judged.this_update.since(expected.this_update) < HOUR, "{judged:?}");
        let times = (expected.this_update, expected.next_update);
        assert_eq!(Judgement { this_update: times.0, next_update: times.1, ..judged }, expected);
    }
}

#[test]
fn a_revocation_neither_vanishes_before_its_time_nor_becomes_a_hold() {
    let issued = Issued::new();
    let first = issued.crl(1, 2, &[revoked(1), revoked(2)]);
    let without = issued.crl(2, 1, &[revoked(1)]);
    assert_eq!(issued.judge(Some(&first), &without), Err(Fault::Vanished(serial(2))));
    let softened = issued.crl(2, 1, &[revoked(1), held(2)]);
    assert_eq!(issued.judge(Some(&first), &softened), Err(Fault::Softened(serial(2))));
    // RFC 5280 section 3.3: the first CRL must have been signed after the certificate's end.
    let judge_with = |not_after: Option<Timestamp>| {
        judge(Some(&first), &without, &issued.authority.certificate, now(), |_: &SerialNumber| not_after)
    };
    assert_eq!(judge_with(Some(now().minus(3 * HOUR))).map(|judged| judged.removed), Ok(1));
    assert_eq!(judge_with(Some(now().minus(HOUR))), Err(Fault::Vanished(serial(2))));
    assert_eq!(judge_with(None), Err(Fault::Vanished(serial(2))));
    // A publisher that missed the CRL in between cannot know that it still had the entry.
    let third = issued.crl(3, 0, &[revoked(1)]);
    let judge_third =
        |end: Timestamp| judge(Some(&first), &third, &issued.authority.certificate, now(), |_| Some(end));
    assert_eq!(judge_third(now().minus(HOUR)).map(|judged| judged.removed), Ok(1));
    assert_eq!(judge_third(now().plus(HOUR)), Err(Fault::Vanished(serial(2))));
}

#[test]
fn the_number_grows_and_time_does_not_run_back() {
    let issued = Issued::new();
    let first = issued.crl(7, 2, &[]);
    for number in [1, 6, 7] {
        assert_eq!(issued.judge(Some(&first), &issued.crl(number, 1, &[])), Err(Fault::Number));
    }
    assert!(issued.judge(Some(&first), &issued.crl(8, 2, &[])).is_ok());
    let older = issued.judge(Some(&first), &issued.crl(8, 3, &[]));
    assert!(matches!(older, Err(Fault::Dates { .. })), "{older:?}");
    let stale = issued.judge(None, &issued.crl(1, 25, &[]));
    assert!(matches!(stale, Err(Fault::Dates { .. })), "{stale:?}");
    let early = judge(None, &first, &issued.authority.certificate, now().minus(3 * HOUR), |_| None);
    assert!(matches!(early, Err(Fault::Dates { .. })), "{early:?}");
}

#[test]
fn a_crl_of_another_key_or_name_or_with_a_changed_octet_is_refused() {
    let issued = Issued::new();
    let other = Issued::new();
    let forged = issued.crl_by(&other.authority.key, 1, 1, &[]);
    assert_eq!(issued.judge(None, &forged), Err(Fault::Signature));
    // Both are called the same, so the key identifier tells them apart.
    assert_eq!(issued.judge(None, &other.crl(1, 1, &[])), Err(Fault::KeyIdentifier));
    let p384 = crate::authority::TestKey::generate(Algorithm::P384);
    let rsa = crate::authority::TestKey::generate(Algorithm::Rsa);
    assert_eq!(issued.judge(None, &issued.crl_by(&p384, 1, 1, &[])), Err(Fault::Signature));
    assert_eq!(issued.judge(None, &issued.crl_by(&rsa, 1, 1, &[])), Err(Fault::Algorithm));
    let (_, responder) = issued.authority.responder(Algorithm::P256);
    assert!(matches!(judge(None, &forged, &responder, now(), |_| None), Err(Fault::Unfit(_))));

    let good = issued.crl(1, 1, &[revoked(1), held(2)]);
    assert!(issued.judge(None, &good).is_ok());
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        assert!(issued.judge(None, &damaged).is_err(), "octet {at}");
    }
    assert_eq!(issued.judge(None, &[&good[..], &[0]].concat()), Err(Fault::NotACrl));
    assert_eq!(issued.judge(Some(&good[1..]), &good), Err(Fault::Previous));
}

#[test]
fn another_issuers_crl_is_refused_whatever_it_is_called() {
    let issued = Issued::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Boshqa CA");
    let stranger = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let crl = rcgen_crl(&[]).signed_by(&stranger).unwrap();
    assert_eq!(issued.judge(None, crl.der()), Err(Fault::Issuer));
}

fn rcgen_crl(serials: &[u32]) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: now().minus(HOUR).to_offset_date_time(),
        next_update: now().plus(HOUR).to_offset_date_time(),
        crl_number: 1u64.into(),
        issuing_distribution_point: None,
        revoked_certs: serials
            .iter()
            .map(|&number| RevokedCertParams {
                serial_number: serial(number).as_bytes().to_vec().into(),
                revocation_time: now().to_offset_date_time(),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

#[test]
fn a_repeated_entry_is_noticed_in_anybodys_crl() {
    let issued = Issued::new();
    let judge_rcgen = |serials| {
        let crl = rcgen_crl(serials).signed_by(issued.authority.issuer()).unwrap();
        issued.judge(None, crl.der()).map(|judged| judged.entries)
    };
    assert_eq!(judge_rcgen(&[2, 1]), Ok(2));
    assert_eq!(judge_rcgen(&[1, 1]), Err(Fault::Entry));
}
