//! What is answered, as OpenSSL and x509-ocsp read it.

use std::sync::Arc;
use std::time::Duration;

use ca_core::crl::Revocation;
use ca_core::ocsp::{Answer, CertStatus, ErrorStatus, Request, Responder, UnfitResponder, Validity};
use ca_core::revocation::{Reason, Status};
use der::{Decode, Encode};
use x509_ocsp::{BasicOcspResponse, OcspResponse, OcspResponseStatus, ResponderId, Version};

use crate::authority::{Algorithm, Authority, TestKey, now, serial};

const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// The status each of the five certificates has, in the order of their serials from 1.
fn statuses() -> [CertStatus; 5] {
    let since = now().minus(Duration::from_secs(3600));
    let revoked = |reason| Status::Revoked { since, reason, invalidity_date: None };
    [
        Status::Good.into(),
        revoked(Reason::KeyCompromise).into(),
        revoked(Reason::Unspecified).into(),
        Status::Suspended { since }.into(),
        CertStatus::Unknown,
    ]
}

const NAMES: [&str; 5] = ["good", "compromised", "unexplained", "held", "unheard"];

fn authority(algorithm: Algorithm) -> Authority {
    let authority = Authority::new(algorithm);
    for (name, number) in NAMES.into_iter().zip(1..) {
        authority.issue(name, serial(number));
    }
    authority
}

/// Has OpenSSL ask about all five, answers into `r.der`, and returns question and answer.
fn ask_and_answer(authority: &Authority, responder: &Responder, options: &str) -> (Vec<u8>, Vec<u8>) {
    let certificates: String = NAMES.iter().map(|name| format!(" -cert {name}.pem")).collect();
    let (_, said) = authority.openssl(&format!("ocsp -issuer ca.pem {options}{certificates} -reqout q.der"));
    let question = std::fs::read(authority.path().join("q.der")).expect(&said);
    let request = Request::decode(&question).unwrap();
    let answers: Vec<_> = request
        .cert_ids
        .iter()
        .zip(statuses())
        .map(|(id, status)| Answer { cert_id: id.encoded(), status, archive_cutoff: None })
        .collect();
    let validity = responder.validity(now(), now(), LIFETIME).unwrap();
    let answer = responder.respond(&answers, &validity, request.nonce).unwrap();
    authority.write("r.der", &answer);
    (question, answer)
}

/// What OpenSSL says of the answer in `r.der`: beside the question, for the nonce (it reads no question when it is told
/// of certificates), and then for each certificate.
fn openssl_reads(authority: &Authority, options: &str) -> String {
    let ids: String = NAMES.iter().map(|name| format!(" -cert {name}.pem")).collect();
    let beside = authority.openssl("ocsp -reqin q.der -respin r.der -CAfile ca.pem -issuer ca.pem").1;
    let each = authority
        .openssl(&format!("ocsp -no_nonce -respin r.der -CAfile ca.pem -issuer ca.pem {options}{ids}"));
    assert_eq!(each.1.matches("Response verify OK").count(), 1, "{}", each.1);
    beside + &each.1
}

#[test]
fn openssl_believes_every_status_under_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let authority = authority(algorithm);
        let (key, certificate) = authority.responder(algorithm);
        let responder = Responder::new(key, &certificate, &authority.certificate).unwrap();
        for options in ["-no_nonce", "-nonce", "-nonce -sha256", "-no_nonce -sha512"] {
            ask_and_answer(&authority, &responder, options);
            let said = openssl_reads(
                &authority,
                options.trim_start_matches("-no_nonce").trim_start_matches("-nonce"),
            );
            assert_eq!(said.matches("Response verify OK").count(), 2, "{algorithm:?} {options}: {said}");
            assert!(!said.to_lowercase().contains("nonce"), "{algorithm:?} {options}: {said}");
            let status = |name: &str| {
                let (_, rest) = said.split_once(&format!("{name}.pem: ")).expect(&said);
                rest.split("This Update").next().unwrap().trim().to_owned()
            };
            assert_eq!(status("good"), "good");
            assert_eq!(status("unheard"), "unknown");
        }
        let said = openssl_reads(&authority, "-resp_text");
        for (line, count) in [
            ("Cert Status: good", 1),
            ("Cert Status: revoked", 3),
            ("Revocation Reason: keyCompromise (0x1)", 1),
            ("Revocation Reason: certificateHold (0x6)", 1),
            ("Revocation Reason: ", 2),
            ("Cert Status: unknown", 1),
        ] {
            assert_eq!(said.matches(line).count(), count, "{line}: {said}");
        }
    }
}

#[test]
fn another_questions_nonce_is_noticed_by_openssl() {
    let authority = authority(Algorithm::P256);
    let (key, certificate) = authority.responder(Algorithm::P256);
    let responder = Responder::new(key, &certificate, &authority.certificate).unwrap();
    ask_and_answer(&authority, &responder, "-nonce");
    authority.openssl("ocsp -issuer ca.pem -nonce -cert good.pem -reqout q.der");
    let said = openssl_reads(&authority, "");
    assert!(said.contains("Nonce Verify error"), "{said}");
}

#[test]
fn x509_ocsp_reads_what_was_meant_and_writes_the_same_octets() {
    let authority = authority(Algorithm::P256);
    let (key, certificate) = authority.responder(Algorithm::P256);
    let responder = Responder::new(key, &certificate, &authority.certificate).unwrap();
    for options in ["-no_nonce", "-nonce -sha384"] {
        let (question, answer) = ask_and_answer(&authority, &responder, options);
        let request = Request::decode(&question).unwrap();
        let response = OcspResponse::from_der(&answer).unwrap();
        assert_eq!(response.to_der().unwrap(), answer);
        assert_eq!(response.response_status, OcspResponseStatus::Successful);
        let basic = response.response_bytes.unwrap().response;
        let basic = BasicOcspResponse::from_der(basic.as_bytes()).unwrap();
        assert_eq!(basic.tbs_response_data.version, Version::V1);
        assert!(matches!(basic.tbs_response_data.responder_id, ResponderId::ByKey(_)));
        assert_eq!(basic.nonce().map(|nonce| nonce.0.into_bytes()), request.nonce.map(<[u8]>::to_vec));
        assert_eq!(basic.certs.unwrap()[0].to_der().unwrap(), certificate);
        let singles = &basic.tbs_response_data.responses;
        for ((single, id), status) in singles.iter().zip(&request.cert_ids).zip(statuses()) {
            assert_eq!(single.cert_id.to_der().unwrap(), id.encoded());
            let seconds = |at: x509_ocsp::OcspGeneralizedTime| at.0.to_unix_duration().as_secs() as i64;
            let life = seconds(single.next_update.unwrap()) - seconds(single.this_update);
            assert_eq!(life, LIFETIME.as_secs() as i64);
            assert_eq!(seconds(single.this_update), seconds(basic.tbs_response_data.produced_at));
            match (single.cert_status, status) {
                (x509_ocsp::CertStatus::Good(_), CertStatus::Good) => {}
                (x509_ocsp::CertStatus::Unknown(_), CertStatus::Unknown) => {}
                (x509_ocsp::CertStatus::Revoked(theirs), CertStatus::Revoked(ours)) => {
                    assert_eq!(seconds(theirs.revocation_time), ours.since.unix_seconds());
                    assert_eq!(theirs.revocation_reason.map(|reason| reason as u8), ours.reason_code);
                }
                (theirs, ours) => panic!("{theirs:?} is not {ours:?}"),
            }
        }
        assert_eq!(singles.len(), 5);
    }
}

#[test]
fn twenty_answers_need_longer_lengths_and_stay_der() {
    let authority = authority(Algorithm::Rsa);
    let (key, certificate) = authority.responder(Algorithm::Rsa);
    let responder = Responder::new(key, &certificate, &authority.certificate).unwrap();
    let (question, _) = ask_and_answer(&authority, &responder, "-no_nonce -sha512");
    let request = Request::decode(&question).unwrap();
    let good =
        Answer { cert_id: request.cert_ids[0].encoded(), status: CertStatus::Good, archive_cutoff: None };
    let answers = [good; 20];
    let validity = responder.validity(now(), now(), LIFETIME).unwrap();
    let answer = responder.respond(&answers, &validity, Some(&[7; 128])).unwrap();
    assert_eq!(OcspResponse::from_der(&answer).unwrap().to_der().unwrap(), answer);
}

#[test]
fn a_certificate_never_issued_may_be_told_as_revoked_in_the_extended_form() {
    let authority = authority(Algorithm::P256);
    let (key, certificate) = authority.responder(Algorithm::P256);
    let responder = Responder::new(key, &certificate, &authority.certificate).unwrap();
    let (question, _) = ask_and_answer(&authority, &responder, "-nonce");
    let request = Request::decode(&question).unwrap();
    let cutoff = now().minus(LIFETIME);
    let answers: Vec<_> = request
        .cert_ids
        .iter()
        .zip([CertStatus::Good, CertStatus::NeverIssued])
        .map(|(id, status)| Answer { cert_id: id.encoded(), status, archive_cutoff: Some(cutoff) })
        .collect();
    let validity = responder.validity(now(), now(), LIFETIME).unwrap();
    let answer = responder.respond(&answers, &validity, request.nonce).unwrap();
    let response = OcspResponse::from_der(&answer).unwrap();
    assert_eq!(response.to_der().unwrap(), answer);
    let basic = BasicOcspResponse::from_der(response.response_bytes.unwrap().response.as_bytes()).unwrap();
    let extensions = basic.tbs_response_data.response_extensions.unwrap();
    let ids: Vec<String> = extensions.iter().map(|extension| extension.extn_id.to_string()).collect();
    assert_eq!(ids, ["1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.48.1.9"]);
    authority.write("r.der", &answer);
    let said = openssl_reads(&authority, "-resp_text");
    for (line, count) in [
        ("Revocation Time: Jan  1 00:00:00 1970 GMT", 2),
        ("Revocation Reason: certificateHold (0x6)", 1),
        ("OCSP Archive Cutoff", 2),
    ] {
        assert_eq!(said.matches(line).count(), count, "{line}: {said}");
    }
}

#[test]
fn one_key_answers_for_every_ca_that_certified_it() {
    let (ours, other) = (authority(Algorithm::P256), authority(Algorithm::P256));
    let key = Arc::new(TestKey::generate(Algorithm::P256));
    let [one, two] = [&ours, &other].map(|authority| {
        let certificate = authority.responder_certificate(&key, true, true);
        Arc::new(Responder::new(key.clone(), &certificate, &authority.certificate).unwrap())
    });
    let ask = |authority: &Authority| {
        authority.openssl("ocsp -no_nonce -issuer ca.pem -cert good.pem -reqout q.der");
        std::fs::read(authority.path().join("q.der")).unwrap()
    };
    let (first, second) = (ask(&ours), ask(&other));
    let ids = [&first, &second].map(|question| Request::decode(question).unwrap().cert_ids[0]);
    let answers =
        ids.map(|id| Answer { cert_id: id.encoded(), status: CertStatus::Good, archive_cutoff: None });
    let validity = one.validity(now(), now(), LIFETIME).unwrap();
    let answer = one.respond_with(&[two], &answers, &validity, None).unwrap();
    let response = OcspResponse::from_der(&answer).unwrap();
    assert_eq!(response.to_der().unwrap(), answer);
    let basic = BasicOcspResponse::from_der(response.response_bytes.unwrap().response.as_bytes()).unwrap();
    let certificates = basic.certs.unwrap();
    let ResponderId::ByKey(id) = &basic.tbs_response_data.responder_id else { panic!("by name") };
    for (certificate, authority) in certificates.iter().zip([&ours, &other]) {
        // The ResponderID names both certificates, and OpenSSL believes each under its own CA.
        let key = certificate.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, key);
        assert_eq!(hash.as_ref(), id.as_bytes());
        authority.write("responder.der", &certificate.to_der().unwrap());
        authority.openssl("x509 -inform DER -in responder.der -out responder.pem");
        let (valid, said) = authority.openssl("verify -CAfile ca.pem responder.pem");
        assert!(valid, "{said}");
    }
    assert_eq!(certificates.len(), 2);
}

#[test]
fn an_error_has_a_status_and_nothing_else() {
    for (status, expected) in [
        (ErrorStatus::MalformedRequest, OcspResponse::malformed_request()),
        (ErrorStatus::InternalError, OcspResponse::internal_error()),
        (ErrorStatus::TryLater, OcspResponse::try_later()),
        (ErrorStatus::Unauthorized, OcspResponse::unauthorized()),
    ] {
        assert_eq!(status.response(), expected.to_der().unwrap());
    }
}

#[test]
fn only_a_certificate_for_the_key_and_for_ocsp_makes_a_responder() {
    let authority = Authority::new(Algorithm::P256);
    let key = Arc::new(TestKey::generate(Algorithm::P256));
    let other = TestKey::generate(Algorithm::P256);
    let refusal =
        |certificate: Vec<u8>| Responder::new(key.clone(), &certificate, &authority.certificate).err();
    assert_eq!(refusal(authority.responder_certificate(&key, true, true)), None);
    assert_eq!(refusal(authority.responder_certificate(&other, true, true)), Some(UnfitResponder::OtherKey));
    assert_eq!(refusal(authority.responder_certificate(&key, false, true)), Some(UnfitResponder::NotForOcsp));
    assert_eq!(refusal(authority.responder_certificate(&key, true, false)), Some(UnfitResponder::NoNocheck));
    // It is called the same and has another key.
    let stranger = Authority::new(Algorithm::P256);
    assert_eq!(refusal(stranger.responder_certificate(&key, true, true)), Some(UnfitResponder::OtherIssuer));
    let trailing = [authority.responder_certificate(&key, true, true), vec![0]].concat();
    assert_eq!(refusal(trailing), Some(UnfitResponder::NotACertificate));
}

#[test]
fn an_answer_outlives_neither_the_responders_certificate_nor_the_knowledge_it_is_made_of() {
    let authority = Authority::new(Algorithm::P256);
    let (key, certificate) = authority.responder(Algorithm::P256);
    let responder = Responder::new(key, &certificate, &authority.certificate).unwrap();
    let end = responder.not_after();
    let late = end.minus(Duration::from_secs(60));
    let expected = Validity { produced_at: late, this_update: late, next_update: end };
    assert_eq!(responder.validity(late, late, LIFETIME), Some(expected));
    assert_eq!(responder.validity(end, end, LIFETIME), None);

    let (as_of, second) = (now(), Duration::from_secs(1));
    let last = as_of.plus(LIFETIME).minus(second);
    let expected = Validity { produced_at: last, this_update: as_of, next_update: last.plus(second) };
    assert_eq!(responder.validity(as_of, last, LIFETIME), Some(expected));
    assert_eq!(responder.validity(as_of, last.plus(second), LIFETIME), None);
    // A clock set back makes no answer that begins in the future.
    let back = as_of.minus(second);
    assert_eq!(responder.validity(as_of, back, LIFETIME).map(|validity| validity.this_update), Some(back));
}

#[test]
fn a_hold_is_told_as_certificate_hold_and_no_reason_as_none() {
    let since = now();
    let revocation = |status| match CertStatus::from(status) {
        CertStatus::Revoked(Revocation { reason_code, .. }) => reason_code,
        other => panic!("{other:?}"),
    };
    assert_eq!(revocation(Status::Suspended { since }), Some(6));
    for reason in Reason::ALL {
        let code = revocation(Status::Revoked { since, reason, invalidity_date: None });
        assert_eq!(code, (reason != Reason::Unspecified).then(|| reason.code()));
    }
}
