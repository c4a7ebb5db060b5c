//! What is read from a request, compared with what OpenSSL put in and what x509-ocsp and `ocsp` read.

use std::panic::catch_unwind;

use ca_core::ocsp::{ErrorStatus, HashAlgorithm, IssuerKeyIds, Request, RequestError};
use der::{Decode, Encode};
use x509_ocsp::OcspRequest;

use crate::authority::{Algorithm, Authority, serial};

fn authority() -> Authority {
    let authority = Authority::new(Algorithm::P256);
    authority.issue("alisher", serial(1));
    authority.issue("zulfiya", serial(2));
    authority
}

/// A request by `openssl ocsp`.
fn asked(authority: &Authority, question: &str) -> Vec<u8> {
    let (_, said) = authority.openssl(&format!("ocsp -issuer ca.pem {question} -reqout q.der"));
    std::fs::read(authority.path().join("q.der")).expect(&said)
}

/// Panics unless x509-ocsp reads the same from the same octets.
fn assert_x509_ocsp_agrees(octets: &[u8]) {
    let ours = Request::decode(octets).unwrap();
    let theirs = OcspRequest::from_der(octets).unwrap();
    let listed: Vec<_> =
        theirs.tbs_request.request_list.iter().map(|r| r.req_cert.to_der().unwrap()).collect();
    assert_eq!(ours.cert_ids.iter().map(|id| id.encoded().to_vec()).collect::<Vec<_>>(), listed);
    for (our, their) in ours.cert_ids.iter().zip(&theirs.tbs_request.request_list) {
        if let Some(serial) = our.serial() {
            assert_eq!(serial.as_bytes(), their.req_cert.serial_number.as_bytes());
        }
        let object_identifier = our.algorithm().map(HashAlgorithm::object_identifier);
        assert!(object_identifier.is_none_or(|id| id == their.req_cert.hash_algorithm.oid));
    }
    assert_eq!(ours.nonce.map(<[u8]>::to_vec), theirs.nonce().map(|nonce| nonce.0.into_bytes()));
}

#[test]
fn every_request_that_openssl_makes_is_understood() {
    use HashAlgorithm::{Sha1, Sha256, Sha384, Sha512};
    let authority = authority();
    let issuer = IssuerKeyIds::of_certificate(&authority.certificate).unwrap();
    let stranger = IssuerKeyIds::of_certificate(&Authority::new(Algorithm::P256).certificate).unwrap();
    let both = "-cert alisher.pem -cert zulfiya.pem";
    for (question, algorithms) in [
        ("-no_nonce -cert alisher.pem".to_owned(), &[Sha1][..]),
        (format!("-nonce {both}"), &[Sha1, Sha1]),
        (format!("-no_nonce -sha256 {both}"), &[Sha256, Sha256]),
        ("-nonce -sha384 -cert alisher.pem".to_owned(), &[Sha384]),
        ("-nonce -sha512 -cert alisher.pem".to_owned(), &[Sha512]),
        ("-sha256 -cert alisher.pem -sha1 -cert zulfiya.pem".to_owned(), &[Sha256, Sha1]),
        (format!("-nonce {both} -signer alisher.pem -signkey alisher.key"), &[Sha1, Sha1]),
        (format!("-no_nonce {both} -signer alisher.pem -signkey alisher.key -no_certs"), &[Sha1, Sha1]),
    ] {
        let octets = asked(&authority, &question);
        let request = Request::decode(&octets).unwrap();
        assert_eq!(request.nonce.is_none(), question.contains("-no_nonce"), "{question}");
        assert_eq!(request.cert_ids.len(), algorithms.len(), "{question}");
        for ((id, algorithm), number) in request.cert_ids.iter().zip(algorithms).zip(1..) {
            assert_eq!(id.algorithm(), Some(*algorithm), "{question}");
            assert_eq!(id.serial(), Some(serial(number)), "{question}");
            assert!(issuer.names(id) && !stranger.names(id), "{question}");
        }
        assert_x509_ocsp_agrees(&octets);
    }
}

#[test]
fn the_ocsp_crate_reads_the_same_from_what_it_can_read() {
    let authority = authority();
    for question in ["-no_nonce -cert alisher.pem", "-nonce -cert alisher.pem -cert zulfiya.pem"] {
        let octets = asked(&authority, question);
        let ours = Request::decode(&octets).unwrap();
        let theirs = catch_unwind(|| ocsp::request::OcspRequest::parse(&octets)).unwrap().unwrap();
        let serials = theirs.extract_certid_owned().into_iter().map(|id| id.serial_num).collect::<Vec<_>>();
        let ours =
            ours.cert_ids.iter().map(|id| id.serial().unwrap().as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(ours, serials);
    }
}

fn has_long_arc(octets: &[u8]) -> bool {
    OcspRequest::from_der(octets).is_err_and(|error| error.kind() == der::ErrorKind::OidMalformed)
}

/// Whatever octet is damaged: a refusal, or the same reading as x509-ocsp's. Never a panic.
#[test]
fn a_damaged_request_is_refused_or_read_as_x509_ocsp_reads_it() {
    let authority = authority();
    for question in ["-nonce -sha256 -cert alisher.pem", "-no_nonce -cert alisher.pem -cert zulfiya.pem"] {
        let whole = asked(&authority, question);
        let mut refused = 0;
        for at in 0..whole.len() {
            assert!(Request::decode(&whole[..at]).is_err(), "cut after {at}");
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[at] = value;
                match Request::decode(&damaged) {
                    // x509-ocsp cannot hold an arc of more than 32 bits; object identifiers have no such limit.
                    Ok(_) if has_long_arc(&damaged) => {}
                    Ok(_) => assert_x509_ocsp_agrees(&damaged),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 256 * 20, "{refused}");
    }
}

// Requests that no well-behaved client makes, by hand.

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [&head, content].concat()
}

const SHA1: &[u8] = &[0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0];

fn cert_id(algorithm: &[u8], hash_octets: usize, serial: &[u8]) -> Vec<u8> {
    let hash = tlv(4, &vec![7; hash_octets]);
    tlv(0x30, &[algorithm, &hash, &hash, &tlv(2, serial)].concat())
}

fn request_with(before: &[u8], ids: &[Vec<u8>], single: &[u8], after: &[u8], signature: &[u8]) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| tlv(0x30, &[id, single].concat())).collect();
    let tbs = tlv(0x30, &[before, &tlv(0x30, &list), after].concat());
    tlv(0x30, &[&tbs, signature].concat())
}

fn one() -> Vec<Vec<u8>> {
    vec![cert_id(SHA1, 20, &[5])]
}

fn extension(last_arc: u8, critical: &[u8], value: &[u8]) -> Vec<u8> {
    let id = tlv(6, &[0x2b, 6, 1, 5, 5, 7, 48, 1, last_arc]);
    tlv(0x30, &[&id, critical, &tlv(4, value)].concat())
}

fn with_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    request_with(&[], &one(), &[], &tlv(0xa2, &tlv(0x30, &extensions.concat())), &[])
}

fn nonce(octets: usize) -> Vec<u8> {
    extension(2, &[], &tlv(4, &vec![9; octets]))
}

const CRITICAL: &[u8] = &[1, 1, 0xff];

#[track_caller]
fn assert_refused(octets: &[u8], expected: RequestError) {
    let refusal = Request::decode(octets).unwrap_err();
    assert_eq!(refusal, expected);
    assert_eq!(refusal.status(), ErrorStatus::MalformedRequest);
}

#[test]
fn a_request_asks_about_1_to_20_certificates() {
    for count in [1, 20] {
        let octets = request_with(&[], &vec![one().remove(0); count], &[], &[], &[]);
        assert_eq!(Request::decode(&octets).unwrap().cert_ids.len(), count);
        assert_x509_ocsp_agrees(&octets);
    }
    for count in [0, 21, 100] {
        assert_refused(
            &request_with(&[], &vec![one().remove(0); count], &[], &[], &[]),
            RequestError::CertIdCount,
        );
    }
}

#[test]
fn a_nonce_has_1_to_128_octets_and_stands_once() {
    for octets in [1, 16, 23, 32, 128] {
        let request = with_extensions(&[nonce(octets)]);
        assert_eq!(Request::decode(&request).unwrap().nonce.map(<[u8]>::len), Some(octets));
        assert_x509_ocsp_agrees(&request);
    }
    for refused in [nonce(0), nonce(129), nonce(4096), extension(2, &[], &[9; 16]), extension(2, &[], &[])] {
        assert_refused(&with_extensions(&[refused]), RequestError::Nonce);
    }
    let trailing = extension(2, &[], &[tlv(4, &[9; 16]), vec![5, 0]].concat());
    assert_refused(&with_extensions(&[trailing]), RequestError::Nonce);
    assert_refused(&with_extensions(&[nonce(16), nonce(16)]), RequestError::RepeatedExtension);
    let critical = with_extensions(&[extension(2, CRITICAL, &tlv(4, &[9; 16]))]);
    assert!(Request::decode(&critical).unwrap().nonce.is_some());
}

#[test]
fn an_unknown_extension_is_ignored_unless_it_is_critical() {
    let unknown = |critical| extension(99, critical, &[5, 0]);
    let single = |critical| request_with(&[], &one(), &tlv(0xa0, &tlv(0x30, &unknown(critical))), &[], &[]);
    assert!(Request::decode(&with_extensions(&[unknown(&[])])).is_ok());
    assert!(Request::decode(&single(&[])).is_ok());
    assert_refused(&with_extensions(&[unknown(CRITICAL)]), RequestError::CriticalExtension);
    assert_refused(&single(CRITICAL), RequestError::CriticalExtension);
    assert_refused(&with_extensions(&[unknown(&[1, 1, 0])]), RequestError::NotDer);
    assert_refused(&with_extensions(&[unknown(&[1, 1, 1])]), RequestError::NotDer);
    let many: Vec<_> = (20..37).map(|arc| extension(arc, &[], &[5, 0])).collect();
    assert!(Request::decode(&with_extensions(&many[..16])).is_ok());
    assert_refused(&with_extensions(&many), RequestError::ExtensionCount);
}

#[test]
fn acceptable_responses_and_preferred_algorithms_are_understood() {
    let basic = tlv(0x30, &tlv(6, &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1]));
    let other = tlv(0x30, &tlv(6, &[0x2a, 3]));
    let preferred = tlv(0x30, &tlv(0x30, &tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]))));
    for understood in [
        extension(4, &[], &basic),
        extension(4, CRITICAL, &basic),
        extension(4, &[], &other),
        extension(8, &[], &preferred),
        extension(8, CRITICAL, &preferred),
    ] {
        let octets = with_extensions(&[understood, nonce(16)]);
        assert!(Request::decode(&octets).unwrap().nonce.is_some());
        assert_x509_ocsp_agrees(&octets);
    }
    assert_refused(&with_extensions(&[extension(4, CRITICAL, &other)]), RequestError::CriticalExtension);
}

#[test]
fn an_integer_that_is_no_serial_is_read_but_names_no_certificate() {
    for integer in [&[0][..], &[0xff], &[0x7f; 21], &[0x7f; 1000]] {
        let octets = request_with(&[], &[cert_id(SHA1, 20, integer)], &[], &[], &[]);
        assert_eq!(Request::decode(&octets).unwrap().cert_ids[0].serial(), None);
    }
    for not_minimal in [&[][..], &[0, 5], &[0xff, 0x80]] {
        let octets = request_with(&[], &[cert_id(SHA1, 20, not_minimal)], &[], &[], &[]);
        assert_refused(&octets, RequestError::NotDer);
    }
}

#[test]
fn a_hash_has_its_algorithms_length_and_no_parameters_but_null() {
    let absent = tlv(0x30, &SHA1[2..9]);
    let md5 = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5]));
    let parameters = tlv(0x30, &[&SHA1[2..9], &[4, 0]].concat());
    let decode = |id: Vec<u8>| {
        let octets = request_with(&[], &[id], &[], &[], &[]);
        Request::decode(&octets).map(|request| request.cert_ids[0].algorithm())
    };
    assert_eq!(decode(cert_id(&absent, 20, &[5])), Ok(Some(HashAlgorithm::Sha1)));
    assert_eq!(decode(cert_id(&md5, 16, &[5])), Ok(None));
    assert_eq!(decode(cert_id(&parameters, 20, &[5])), Err(RequestError::HashParameters));
    for octets in [0, 19, 21, 32, 4000] {
        assert_eq!(decode(cert_id(SHA1, octets, &[5])), Err(RequestError::HashLength));
    }
}

#[test]
fn names_and_signatures_are_ignored_but_well_formed() {
    let name = tlv(0xa1, &tlv(0x82, b"muhr.example"));
    let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
    let signature = |bits: &[u8]| tlv(0xa0, &tlv(0x30, &[algorithm.clone(), tlv(3, bits)].concat()));
    let octets = request_with(&name, &one(), &[], &[], &signature(&[0, 1, 2, 3]));
    assert_eq!(Request::decode(&octets).unwrap().cert_ids.len(), 1);
    assert_x509_ocsp_agrees(&octets);
    for (name, signature) in [
        (vec![0xa1, 0], Vec::new()),
        (tlv(0xa1, &[0x9f, 0x1f, 1, 0x78]), Vec::new()),
        (Vec::new(), tlv(0xa0, &[])),
        (Vec::new(), signature(&[])),
        (Vec::new(), signature(&[9, 1])),
        (Vec::new(), tlv(0xa0, &tlv(0x30, &tlv(3, &[0, 1])))),
    ] {
        assert_refused(&request_with(&name, &one(), &[], &[], &signature), RequestError::NotDer);
    }
}

#[test]
fn only_the_der_of_one_version_1_request_is_a_request() {
    let good = request_with(&[], &one(), &[], &[], &[]);
    assert!(Request::decode(&good).is_ok());
    for version in [0, 1] {
        let octets = request_with(&tlv(0xa0, &tlv(2, &[version])), &one(), &[], &[], &[]);
        assert_refused(&octets, RequestError::Version);
    }
    let indefinite = [&[0x30, 0x80], &good[2..], &[0, 0]].concat();
    let nested = (0..200).fold(vec![0x30, 0], |inner, _| tlv(0x30, &inner));
    let authority = Authority::new(Algorithm::P256);
    for refused in [
        [&good[..], &[0]].concat(),
        Vec::new(),
        vec![0x30, 0],
        vec![0x30, 2, 0x30, 0],
        b"MEUwQzBBMD8wPTAJBgUrDgMCGgUA".to_vec(),
        [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &good[2..]].concat(),
        indefinite,
        nested,
        authority.certificate,
    ] {
        assert_refused(&refused, RequestError::NotDer);
    }
}
