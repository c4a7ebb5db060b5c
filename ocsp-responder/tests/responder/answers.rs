//! What is answered for several CAs, for what was never issued, for what has expired, under a renewed certificate.

use std::time::Duration;

use ca_core::SerialNumber;
use ca_core::revocation::{Reason, Status};
use config::settings::{Ocsp, Unissued};
use der::Encode;
use x509_ocsp::{BasicOcspResponse, CertStatus};

use crate::stage::{Stage, post, settings, within};

const SECOND: Duration = Duration::from_secs(1);

fn extension_ids(basic: &BasicOcspResponse) -> Vec<String> {
    let extensions = basic.tbs_response_data.response_extensions.iter().flatten();
    extensions.map(|extension| extension.extn_id.to_string()).collect()
}

fn singles(basic: &BasicOcspResponse) -> Vec<Vec<String>> {
    let of = |single: &x509_ocsp::SingleResponse| {
        let extensions = single.single_extensions.iter().flatten();
        extensions.map(|extension| extension.extn_id.to_string()).collect()
    };
    basic.tbs_response_data.responses.iter().map(of).collect()
}

#[test]
fn certificates_of_several_cas_are_answered_for_in_one_response() {
    let stage = Stage::new();
    let ours = stage.issue();
    let theirs = stage.store(|new| new.issuer = "root".to_owned());
    let since = stage.clock.now();
    stage.change(theirs, Status::Revoked { since, reason: Reason::Superseded, invalidity_date: None });
    let question = |nonce: &str, first: SerialNumber, second: SerialNumber| {
        stage.question(&format!("{nonce} -serial 0x{first} -issuer other.pem"), &[second])
    };
    within(SECOND, || {
        let told = stage.post(&question("-no_nonce", ours, theirs)).statuses();
        matches!(told[..], [CertStatus::Good(_), CertStatus::Revoked(_)])
    });
    // Each serial exists under its own CA only.
    let crossed = stage.post(&question("-nonce", theirs, ours));
    assert!(matches!(crossed.statuses()[..], [CertStatus::Unknown(_), CertStatus::Unknown(_)]));
    // Whoever asked about a CA's certificate finds the responder's certificate by that CA.
    assert_eq!(crossed.basic().certs.unwrap().len(), 2);
    assert_eq!(stage.post(&stage.question("-nonce", &[ours])).basic().certs.unwrap().len(), 1);
    for (authority, serial, status) in [("ca.pem", ours, "good"), ("other.pem", theirs, "revoked")] {
        let ask =
            format!("ocsp -issuer {authority} -CAfile {authority} -url {} -serial 0x{serial}", stage.url());
        let (_, said) = stage.openssl(&ask);
        assert!(said.contains("Response verify OK") && said.contains(&format!(": {status}")), "{said}");
    }
}

#[test]
fn a_serial_that_was_never_issued_is_told_as_configured() {
    for (unissued, extensions) in
        [(Unissued::Unknown, vec![]), (Unissued::Revoked, vec!["1.3.6.1.5.5.7.48.1.9"])]
    {
        let stage = Stage::with(Ocsp { unissued, ..settings() });
        let basic = stage.post(&stage.question("-no_nonce", &[SerialNumber::random().unwrap()])).basic();
        assert_eq!(extension_ids(&basic), extensions);
        match (unissued, basic.tbs_response_data.responses[0].cert_status) {
            (Unissued::Unknown, CertStatus::Unknown(_)) => {}
            (Unissued::Revoked, CertStatus::Revoked(info)) => {
                assert_eq!(info.revocation_time.0.to_unix_duration(), Duration::ZERO);
                assert_eq!(info.revocation_reason.map(|reason| reason as u8), Some(6));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_expired_certificate_keeps_its_status_with_the_archive_cutoff() {
    const ARCHIVE_CUTOFF: &str = "1.3.6.1.5.5.7.48.1.6";
    for (days, expected) in [(0, vec![vec![], vec![]]), (3650, vec![vec![], vec![ARCHIVE_CUTOFF.to_owned()]])]
    {
        let stage = Stage::with(Ocsp { archive_cutoff_days: days, ..settings() });
        let valid = stage.issue();
        let ended = stage.clock.now().minus(Duration::from_secs(60));
        let expired = stage.store(|new| new.not_after = ended);
        within(SECOND, || stage.statuses(&[valid, expired]).iter().all(|s| matches!(s, CertStatus::Good(_))));
        let basic = stage.post(&stage.question("-no_nonce", &[valid, expired])).basic();
        assert_eq!(singles(&basic), expected);
        if days > 0 {
            // Not before the CA's own beginning, a day ago.
            let extensions = basic.tbs_response_data.responses[1].single_extensions.as_ref().unwrap();
            let text = String::from_utf8_lossy(&extensions[0].extn_value.as_bytes()[2..]).into_owned();
            let began = stage.clock.now().minus(Duration::from_secs(86_400)).to_offset_date_time();
            assert!(
                text.starts_with(&format!(
                    "{}{:02}{:02}",
                    began.year(),
                    u8::from(began.month()),
                    began.day()
                )),
                "{text}"
            );
        }
    }
}

#[test]
fn a_renewed_certificate_takes_the_place_of_the_old_one_while_answers_go_on() {
    let stage = Stage::with(Ocsp { reconcile: Duration::from_millis(200), ..settings() });
    let serial = stage.issue();
    within(SECOND, || matches!(stage.statuses(&[serial])[..], [CertStatus::Good(_)]));
    let question = stage.question("-nonce", &[serial]);
    let kept = stage.post(&stage.question("-no_nonce", &[serial])).body;
    let renewed = stage.certify_responder(25);
    within(3 * SECOND, || {
        let certificates = stage.post(&question).basic().certs.unwrap();
        certificates[0].to_der().unwrap() == renewed
    });
    // What was signed before is as good as it was.
    assert_eq!(stage.post(&stage.question("-no_nonce", &[serial])).body, kept);
    // One that ends earlier is no renewal.
    stage.certify_responder(22);
    std::thread::sleep(SECOND);
    let certificates = stage.post(&question).basic().certs.unwrap();
    assert_eq!(certificates[0].to_der().unwrap(), renewed);
}

#[test]
fn a_worker_that_is_behind_gives_what_is_signed_and_refuses_to_sign() {
    let stage = Stage::new();
    let serial = stage.issue();
    within(SECOND, || matches!(stage.statuses(&[serial])[..], [CertStatus::Good(_)]));
    let [kept, nonce] = ["-no_nonce", "-nonce"].map(|nonce| stage.question(nonce, &[serial]));
    // In one connection and so on one worker: it comes to the last two when it has been away for long.
    let first =
        replace(&post("application/ocsp-request", &kept), b"Connection: close", b"Connection: keep-alive");
    let busy = b"GET /busy HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let last = post("application/ocsp-request", &nonce);
    let told = stage.exchange(&[first.clone(), busy, first, last].concat());
    let text = String::from_utf8_lossy(&told).into_owned();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
    assert_eq!(text.matches("HTTP/1.1 503 Service Unavailable").count(), 1, "{text}");
    assert!(text.to_lowercase().contains("retry-after: 1"), "{text}");
    within(SECOND, || stage.post(&nonce).status == 200);
}

fn replace(octets: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = octets.windows(from.len()).position(|window| window == from).unwrap();
    [&octets[..at], to, &octets[at + from.len()..]].concat()
}
