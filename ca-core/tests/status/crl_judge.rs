//! A CRL that takes something back is not published. The CRLs judged here are rcgen's as well as our own.

use std::time::Duration;

use ca_core::crl::{
    CertificateList, DistributionPoint, Entry, Fault, Issuer, Judge, Judgement, Kind, Revocation, Scope,
    Summary, Unreadable,
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
            kind: Kind::Full { delta_uri: None },
            number,
            this_update,
            next_update: this_update.plus(24 * HOUR),
            distribution_point: DistributionPoint { uri: CRL_URI, scope: Scope::UserCertificates },
        };
        list.sign(entries.iter().copied(), key).unwrap()
    }

    fn judge(&self, previous: Option<&[u8]>, new: &[u8]) -> Result<Judgement, Fault> {
        self.judge_ending(previous, new, Some(Timestamp::MAX))
    }

    /// All certificates end then; `None`: nobody knows of any.
    fn judge_ending(
        &self,
        previous: Option<&[u8]>,
        new: &[u8],
        end: Option<Timestamp>,
    ) -> Result<Judgement, Fault> {
        judge(&self.authority.certificate, now(), end).full(previous, new)
    }
}

fn judge(
    issuer_certificate: &[u8],
    now: Timestamp,
    end: Option<Timestamp>,
) -> Judge<'_, impl FnMut(&[SerialNumber]) -> Vec<(SerialNumber, Timestamp)>> {
    let ends =
        move |serials: &[SerialNumber]| serials.iter().filter_map(|&serial| Some((serial, end?))).collect();
    Judge { issuer_certificate, now, most_octets: 1 << 20, file_name: None, ends }
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
        assert_eq!(
            issued.judge(None, &first).map(|judged| (judged.summary.entries, judged.added)),
            Ok((3, 3))
        );
        let judged = issued.judge(Some(&first), &second).unwrap();
        let Summary { this_update, next_update, .. } = judged.summary;
        assert_eq!(next_update.since(this_update), 24 * HOUR);
        let summary = Summary { number: 2, base: None, this_update, next_update, entries: 4 };
        assert_eq!(judged, Judgement { summary, added: 2, removed: 1 });
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
    let judge_with = |end| issued.judge_ending(Some(&first), &without, end);
    assert_eq!(judge_with(Some(now().minus(3 * HOUR))).map(|judged| judged.removed), Ok(1));
    assert_eq!(judge_with(Some(now().minus(HOUR))), Err(Fault::Vanished(serial(2))));
    assert_eq!(judge_with(None), Err(Fault::Vanished(serial(2))));
    // A publisher that missed the CRL in between cannot know that it still had the entry.
    let third = issued.crl(3, 0, &[revoked(1)]);
    let judge_third = |end| issued.judge_ending(Some(&first), &third, Some(end));
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
    let early =
        judge(&issued.authority.certificate, now().minus(3 * HOUR), None).full(None::<&[u8]>, &first[..]);
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
    let unfit = judge(&responder, now(), None).full(None::<&[u8]>, &forged[..]);
    assert!(matches!(unfit, Err(Fault::Unfit(_))));

    let good = issued.crl(1, 1, &[revoked(1), held(2)]);
    assert!(issued.judge(None, &good).is_ok());
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        assert!(issued.judge(None, &damaged).is_err(), "octet {at}");
    }
    assert_eq!(issued.judge(None, &[&good[..], &[0]].concat()), Err(Unreadable::NotACrl.into()));
    assert_eq!(issued.judge(Some(&good[1..]), &good), Err(Fault::Previous(Unreadable::NotACrl)));
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
fn an_entry_that_stands_twice_or_does_not_ascend_is_noticed_in_anybodys_crl() {
    let issued = Issued::new();
    let judge_rcgen = |serials| {
        let crl = rcgen_crl(serials).signed_by(issued.authority.issuer()).unwrap();
        issued.judge(None, crl.der()).map(|judged| judged.summary.entries)
    };
    assert_eq!(judge_rcgen(&[1, 2]), Ok(2));
    for serials in [&[1, 1], &[2, 1]] {
        assert_eq!(judge_rcgen(serials), Err(Unreadable::Entry.into()));
    }
}

#[test]
fn a_crl_for_another_place_or_beyond_its_size_is_refused() {
    let issued = Issued::new();
    let crl = issued.crl(1, 1, &[revoked(1)]);
    let judged = |file_name, most_octets| {
        let judge = judge(&issued.authority.certificate, now(), None);
        Judge { file_name, most_octets, ..judge }.full(None::<&[u8]>, &crl[..]).map(|judged| judged.added)
    };
    let size = crl.len() as u64;
    assert_eq!(judged(Some("issuing.crl"), size), Ok(1));
    for other in ["g.crl", "issuing-0-of-2.crl", ""] {
        assert_eq!(judged(Some(other), size), Err(Fault::DistributionPoint), "{other}");
    }
    assert_eq!(judged(None, size - 1), Err(Unreadable::TooLarge(size).into()));
    let rcgen = rcgen_crl(&[1]).signed_by(issued.authority.issuer()).unwrap();
    let placeless =
        Judge { file_name: Some("issuing.crl"), ..judge(&issued.authority.certificate, now(), None) }
            .full(None::<&[u8]>, &rcgen.der()[..]);
    assert_eq!(placeless, Err(Fault::DistributionPoint));
}
