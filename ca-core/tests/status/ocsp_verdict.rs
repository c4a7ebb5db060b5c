//! The asking side: OpenSSL reads the question and answers it, and is believed only where it must be.

use std::time::Duration;

use ca_core::ocsp::{Request, Standing, Unbelievable, question, verdict};

use crate::authority::{Algorithm, Authority, now, serial};

const NONCE: &[u8] = &[7; 16];

/// Three certificates, of which OpenSSL's index knows two.
fn authority() -> Authority {
    let authority = Authority::new(Algorithm::P256);
    for (name, number) in [("good", 1), ("revoked", 2), ("unheard", 3)] {
        authority.issue(name, serial(number));
        authority.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.der"));
    }
    let line = |kind: &str, since: &str, number: u32| {
        format!(
            "{kind}\t491231235959Z\t{since}\t{}\tunknown\t/CN=x\n",
            serial(number).to_string().to_uppercase()
        )
    };
    let index = line("V", "", 1) + &line("R", "260101000000Z,keyCompromise", 2);
    authority.write("index.txt", index.as_bytes());
    authority.write("ca.key", authority.key.pair().serialize_pem().as_bytes());
    authority
}

fn certificate(authority: &Authority, name: &str) -> Vec<u8> {
    std::fs::read(authority.path().join(format!("{name}.der"))).unwrap()
}

/// OpenSSL's answer to our question about this certificate, signed as the options say.
fn answer(authority: &Authority, name: &str, signer: &str) -> Vec<u8> {
    let asked = question(&certificate(authority, name), &authority.certificate, NONCE).unwrap();
    Request::decode(&asked).unwrap();
    authority.write("q.der", &asked);
    let (_, said) = authority
        .openssl(&format!("ocsp -index index.txt -CA ca.pem {signer} -reqin q.der -respout r.der -ndays 1"));
    std::fs::read(authority.path().join("r.der")).expect(&said)
}

const BY_THE_CA: &str = "-rsigner ca.pem -rkey ca.key";

#[test]
fn what_openssl_answers_is_what_is_read() {
    let authority = authority();
    for (name, standing) in [
        ("good", Standing::Good),
        ("revoked", Standing::Revoked("2026-01-01T00:00:00Z".parse().unwrap())),
        ("unheard", Standing::Unknown),
    ] {
        let answer = answer(&authority, name, BY_THE_CA);
        let read = verdict(&answer, &certificate(&authority, name), &authority.certificate, NONCE, now());
        assert_eq!(read.unwrap().status, standing, "{name}");
    }
}

#[test]
fn a_responder_is_believed_if_the_issuer_authorized_it() {
    let authority = authority();
    let (key, der) = authority.responder(Algorithm::P384);
    let unauthorized = authority.responder_certificate(&key, false, true);
    let stranger = Authority::new(Algorithm::P256).responder_certificate(&key, true, true);
    authority.write("responder.key", key.pair().serialize_pem().as_bytes());
    for (der, believed) in [(der, true), (unauthorized, false), (stranger, false)] {
        authority.write("responder.der", &der);
        authority.openssl("x509 -inform DER -in responder.der -out responder.pem");
        let answer = answer(&authority, "good", "-rsigner responder.pem -rkey responder.key");
        let read = verdict(&answer, &certificate(&authority, "good"), &authority.certificate, NONCE, now());
        match read {
            Ok(read) => assert!(believed && read.status == Standing::Good),
            Err(fault) => assert!(!believed && fault == Unbelievable::Signature, "{fault}"),
        }
    }
}

#[test]
fn an_answer_to_another_question_an_old_and_a_changed_one_are_not_believed() {
    let authority = authority();
    let received = answer(&authority, "good", BY_THE_CA);
    let read = |response: &[u8], name: &str, nonce: &[u8], now| {
        verdict(response, &certificate(&authority, name), &authority.certificate, nonce, now).map(|_| ())
    };
    assert_eq!(read(&received, "good", NONCE, now()), Ok(()));
    assert_eq!(read(&received, "revoked", NONCE, now()), Err(Unbelievable::OtherQuestion));
    assert_eq!(read(&received, "good", &[8; 16], now()), Err(Unbelievable::OtherQuestion));
    let days = |count: u32| Duration::from_secs(86_400) * count;
    assert_eq!(read(&received, "good", NONCE, now().plus(days(2))), Err(Unbelievable::NotCurrent));
    assert_eq!(read(&received, "good", NONCE, now().minus(days(2))), Err(Unbelievable::NotCurrent));
    assert_eq!(read(b"", "good", NONCE, now()), Err(Unbelievable::NotAnAnswer));
    // OCSPResponse { tryLater }
    assert_eq!(read(&[0x30, 3, 0x0a, 1, 3], "good", NONCE, now()), Err(Unbelievable::Refused));
    let since = received.windows(2).position(|part| part == [0x80, 0]).expect("good [0]");
    let mut unknown = received.clone();
    unknown[since] = 0x82;
    assert_eq!(read(&unknown, "good", NONCE, now()), Err(Unbelievable::Signature));
    for at in 0..received.len() {
        let mut changed = received.clone();
        changed[at] ^= 0x21;
        let _ = read(&changed, "good", NONCE, now());
    }
}
