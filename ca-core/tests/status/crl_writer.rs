//! What a CRL says, as OpenSSL and x509-parser read it and as rcgen would have written it.

use std::time::Duration;

use ca_core::crl::{
    CertificateList, CrlError, DistributionPoint, Entry, Issuer, Kind, Revocation, Scope, UnfitIssuer,
};
use ca_core::revocation::{Reason, Status};
use ca_core::{SerialNumber, Timestamp};
use rcgen::{
    CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope,
    KeyIdMethod, RevocationReason, RevokedCertParams,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer, ParsedExtension};

use crate::authority::{Algorithm, Authority, CRL_URI, now, serial};

const USERS: DistributionPoint<'_> = DistributionPoint { uri: CRL_URI, scope: Scope::UserCertificates };
const DAY: Duration = Duration::from_secs(86_400);

fn entry(number: u32, status: Status) -> Entry {
    Entry { serial: serial(number), revocation: Revocation::of(status).unwrap() }
}

/// A hold, then one entry for every reason, with an invalidity date on each second one.
fn entries() -> Vec<Entry> {
    let since = now().minus(DAY);
    let revoked = Reason::ALL.into_iter().zip(2..).map(|(reason, number)| {
        let invalidity_date = (number % 2 == 0).then(|| since.minus(DAY));
        entry(number, Status::Revoked { since, reason, invalidity_date })
    });
    [entry(1, Status::Suspended { since })].into_iter().chain(revoked).collect()
}

fn list(issuer: &Issuer) -> CertificateList<'_> {
    CertificateList {
        issuer,
        kind: Kind::Full { delta_uri: None },
        number: 200,
        this_update: now(),
        next_update: now().plus(DAY),
        distribution_point: USERS,
    }
}

#[test]
fn a_crl_reads_like_this_to_openssl() {
    let authority = Authority::new(Algorithm::ALL[0]);
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    authority.write("list.crl", &list(&issuer).sign(entries(), &authority.key).unwrap());
    let (_, said) = authority.openssl("crl -inform DER -in list.crl -noout -text");
    // The key and the moment are others in every run: what depends on them is left out.
    let is_hex = |line: &str| line.len() > 40 && line.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    let lines: Vec<String> = said
        .lines()
        .take_while(|line| !line.contains("Signature Value"))
        .filter(|line| !is_hex(line.trim()))
        .map(|line| match line.strip_suffix(" GMT") {
            Some(dated) => format!("{}<date>", &dated[..dated.len() - "Nov 21 01:43:49 2026".len()]),
            None => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!("crl", lines.join("\n"));
}

#[test]
fn openssl_verifies_and_lists_the_crl_under_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let authority = Authority::new(algorithm);
        let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
        let crl = list(&issuer).sign(entries(), &authority.key).unwrap();
        authority.write("list.crl", &crl);
        let (verified, said) = authority.openssl("crl -inform DER -in list.crl -CAfile ca.pem -noout -text");
        assert!(verified && said.contains("verify OK"), "{algorithm:?}: {said}");
        for (line, count) in [
            ("Version 2 (0x1)", 1),
            ("X509v3 CRL Number: \n                200\n", 1),
            ("X509v3 Issuing Distribution Point: critical\n", 1),
            ("URI:http://muhr.example/repository/issuing.crl", 1),
            ("Only User Certificates", 1),
            ("Serial Number: 414141414141414141414141000000", 9),
            ("X509v3 CRL Reason Code", 8),
            ("Certificate Hold", 1),
            ("Key Compromise", 1),
            ("Unspecified", 0),
            ("Invalidity Date", 4),
        ] {
            assert_eq!(said.matches(line).count(), count, "{algorithm:?} {line}: {said}");
        }
    }
}

#[test]
fn a_revoked_or_held_certificate_is_refused_by_openssl_and_no_other() {
    let authority = Authority::new(Algorithm::P256);
    for (name, number) in [("held", 1), ("revoked", 3), ("good", 77)] {
        authority.issue(name, serial(number));
    }
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    for (entries, refused) in [(entries(), &["held", "revoked"][..]), (Vec::new(), &[])] {
        let crl = list(&issuer).sign(entries, &authority.key).unwrap();
        authority.write("list.crl", &crl);
        authority.openssl("crl -inform DER -in list.crl -out list.pem");
        for name in ["held", "revoked", "good"] {
            let verify = format!("verify -CAfile ca.pem -crl_check -CRLfile list.pem {name}.pem");
            let (accepted, said) = authority.openssl(&verify);
            assert_eq!(!accepted, refused.contains(&name), "{name}: {said}");
            assert_eq!(said.contains("certificate revoked"), refused.contains(&name), "{name}: {said}");
        }
    }
}

/// RFC 5280 section 6.3.3 step b: the scope excludes it, whatever the entries say.
#[test]
fn a_crl_about_ca_certificates_vouches_for_no_person_before_openssl() {
    let authority = Authority::new(Algorithm::P256);
    authority.issue("good", serial(77));
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    for distribution_point in [
        DistributionPoint { uri: CRL_URI, scope: Scope::CaCertificates },
        DistributionPoint { uri: "http://muhr.example/other.crl", scope: Scope::UserCertificates },
    ] {
        let crl = CertificateList { distribution_point, ..list(&issuer) }.sign([], &authority.key).unwrap();
        authority.write("list.crl", &crl);
        authority.openssl("crl -inform DER -in list.crl -out list.pem");
        let (accepted, said) =
            authority.openssl("verify -CAfile ca.pem -crl_check -CRLfile list.pem good.pem");
        assert!(!accepted && said.contains("scope"), "{said}");
    }
}

/// The TBSCertList: everything signed.
fn signed_part(crl: &[u8]) -> Vec<u8> {
    CertificateRevocationList::from_der(crl).unwrap().1.tbs_cert_list.as_ref().to_vec()
}

fn rcgen_reason(code: u8) -> RevocationReason {
    match code {
        1 => RevocationReason::KeyCompromise,
        2 => RevocationReason::CaCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        6 => RevocationReason::CertificateHold,
        9 => RevocationReason::PrivilegeWithdrawn,
        10 => RevocationReason::AaCompromise,
        other => panic!("{other} is no reason"),
    }
}

#[test]
fn rcgen_writes_the_same_octets() {
    let far = "2051-02-03T04:05:06Z".parse::<Timestamp>().unwrap();
    for algorithm in Algorithm::ALL {
        let authority = Authority::new(algorithm);
        let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
        let key_identifier = authority_key_identifier(&authority);
        for (entries, number, next_update, scope, rcgen_scope) in [
            (entries(), 200, now().plus(DAY), Scope::UserCertificates, CrlScope::UserCertsOnly),
            (Vec::new(), 1, far, Scope::CaCertificates, CrlScope::CaCertsOnly),
            (entries(), u64::MAX, far, Scope::UserCertificates, CrlScope::UserCertsOnly),
        ] {
            let ours = CertificateList {
                number,
                next_update,
                distribution_point: DistributionPoint { uri: CRL_URI, scope },
                ..list(&issuer)
            };
            let theirs = CertificateRevocationListParams {
                this_update: ours.this_update.to_offset_date_time(),
                next_update: next_update.to_offset_date_time(),
                crl_number: number.into(),
                issuing_distribution_point: Some(CrlIssuingDistributionPoint {
                    distribution_point: CrlDistributionPoint { uris: vec![CRL_URI.to_owned()] },
                    scope: Some(rcgen_scope),
                }),
                revoked_certs: entries
                    .iter()
                    .map(|Entry { serial, revocation }| RevokedCertParams {
                        serial_number: serial.as_bytes().to_vec().into(),
                        revocation_time: revocation.since.to_offset_date_time(),
                        reason_code: revocation.reason_code.map(rcgen_reason),
                        invalidity_date: revocation.invalidity_date.map(Timestamp::to_offset_date_time),
                    })
                    .collect(),
                key_identifier_method: KeyIdMethod::PreSpecified(key_identifier.clone()),
            };
            let theirs = theirs.signed_by(authority.issuer()).unwrap();
            let ours = ours.sign(entries, &authority.key).unwrap();
            assert_eq!(
                hex::encode(signed_part(&ours)),
                hex::encode(signed_part(theirs.der())),
                "{algorithm:?}"
            );
        }
    }
}

fn authority_key_identifier(authority: &Authority) -> Vec<u8> {
    let (_, certificate) = x509_parser::parse_x509_certificate(&authority.certificate).unwrap();
    let identifier = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    });
    identifier.unwrap()
}

#[test]
fn x509_parser_reads_every_entry_back() {
    let authority = Authority::new(Algorithm::P256);
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    let many: Vec<_> = (1..=3000).map(|n| entry(n, Status::Suspended { since: now() })).collect();
    for entries in [entries(), Vec::new(), many] {
        let crl = list(&issuer).sign(entries.clone(), &authority.key).unwrap();
        let (rest, parsed) = CertificateRevocationList::from_der(&crl).unwrap();
        assert!(rest.is_empty());
        let read: Vec<_> = parsed
            .iter_revoked_certificates()
            .map(|revoked| Entry {
                serial: SerialNumber::try_from(revoked.raw_serial()).unwrap(),
                revocation: Revocation {
                    since: Timestamp::from_unix_seconds(revoked.revocation_date.timestamp()),
                    reason_code: revoked.reason_code().map(|(_, code)| code.0),
                    invalidity_date: revoked
                        .invalidity_date()
                        .map(|(_, at)| Timestamp::from_unix_seconds(at.timestamp())),
                },
            })
            .collect();
        assert_eq!(read, entries);
    }
}

#[test]
fn entries_ascend_by_number_and_none_stands_twice() {
    let authority = Authority::new(Algorithm::P256);
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    let held = |serial| Entry { serial, revocation: entries()[0].revocation };
    let short = SerialNumber::try_from(&[0x7f][..]).unwrap();
    assert!(list(&issuer).sign([held(short), held(serial(1)), held(serial(2))], &authority.key).is_ok());
    for last in [short, serial(1), serial(2)] {
        let refused = list(&issuer).sign([held(serial(1)), held(serial(2)), held(last)], &authority.key);
        assert_eq!(refused, Err(CrlError::NotAscending(last)));
    }
}

#[test]
fn a_crl_that_nobody_could_use_is_not_signed() {
    let authority = Authority::new(Algorithm::P256);
    let issuer = Issuer::from_certificate(&authority.certificate).unwrap();
    let stale = CertificateList { next_update: now(), this_update: now(), ..list(&issuer) };
    assert_eq!(stale.sign([], &authority.key), Err(CrlError::Dates));
    for uri in ["", "http://muhr.example/oʻzbek.crl", "http://muhr.example/a b.crl"] {
        let distribution_point = DistributionPoint { uri, ..USERS };
        let refused = CertificateList { distribution_point, ..list(&issuer) }.sign([], &authority.key);
        assert_eq!(refused, Err(CrlError::Uri));
    }
    let (_, responder) = authority.responder(Algorithm::P256);
    assert_eq!(Issuer::from_certificate(&responder), Err(UnfitIssuer::NotForCrls));
    assert_eq!(Issuer::from_certificate(&responder[1..]), Err(UnfitIssuer::NotACertificate));
}
