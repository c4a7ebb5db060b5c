//! The publisher over a real database, folder and HTTP; the CRLs are read by OpenSSL.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod stage;

use std::fs;
use std::time::Duration;

use ca_core::revocation::{Reason, Status};
use ca_core::{SerialNumber, Timestamp};

use crate::stage::{Stage, within};

const SECOND: Duration = Duration::from_secs(1);

fn revoked(stage: &Stage) -> Status {
    Status::Revoked { since: stage.clock.now(), reason: Reason::KeyCompromise, invalidity_date: None }
}

fn is_listed(stage: &Stage, serial: SerialNumber) -> bool {
    let crl = stage.get("GET", "/repository/ca.crl", "");
    assert_eq!(crl.status, 200);
    fs::write(stage.path("served.crl"), &crl.body).unwrap();
    stage.openssl("x509 -inform DER -in ca.cer -out ca.pem");
    let (verified, said) = stage.openssl("crl -inform DER -in served.crl -CAfile ca.pem -noout -text");
    assert!(verified && said.contains("verify OK"), "{said}");
    said.contains(&serial.to_string().to_uppercase())
}

#[test]
fn a_revocation_stands_in_the_published_crl_soon_after() {
    let stage = Stage::new();
    let (kept, lost) = (stage.issue(), stage.issue());
    stage.sign_until_published(1);
    assert!(!is_listed(&stage, lost));
    stage.change(lost, revoked(&stage));
    stage.sign_until_published(2);
    assert!(is_listed(&stage, lost) && !is_listed(&stage, kept));
    assert_eq!(fs::read(stage.path("repository/ca.cer")).unwrap(), stage.issuer.certificate);
    assert!(stage.publisher.is_ready());
    assert!(!stage.publisher.repository().is_ready(Timestamp::MAX, Duration::ZERO));
}

/// The job that its revocation queues is the one the signer has in hand already.
#[test]
fn a_revocation_while_the_signer_is_at_work_gets_the_next_crl() {
    let stage = Stage::new();
    let serial = stage.issue();
    let job = stage.claim();
    let crl = stage.crl(1, &[]);
    stage.change(serial, revoked(&stage));
    stage.store(&crl, job);
    stage.sign_until_published(2);
    assert!(is_listed(&stage, serial));
}

#[test]
fn a_crl_that_forgets_a_revocation_is_not_published() {
    let stage = Stage::new();
    let serials = [stage.issue(), stage.issue()];
    stage.change(serials[0], revoked(&stage));
    stage.sign_until_published(1);
    stage.change(serials[1], revoked(&stage));
    let job = stage.claim();
    stage.store(&stage.crl(2, &serials[1..]), job);
    std::thread::sleep(SECOND);
    assert!(is_listed(&stage, serials[0]) && !is_listed(&stage, serials[1]));
    // Once the signer has been mended, the next one is right.
    stage.change(stage.issue(), revoked(&stage));
    stage.sign_until_published(3);
    assert!(is_listed(&stage, serials[0]) && is_listed(&stage, serials[1]));
}

#[test]
fn a_restarted_publisher_goes_on_from_what_is_published() {
    let mut stage = Stage::new();
    let serial = stage.issue();
    stage.change(serial, revoked(&stage));
    stage.sign_until_published(1);
    stage.restart();
    assert!(is_listed(&stage, serial));
    let job = stage.enqueue_and_claim();
    stage.store(&stage.crl(2, &[]), job);
    std::thread::sleep(SECOND);
    assert!(is_listed(&stage, serial), "the entry vanished");
}

#[test]
fn a_damaged_file_is_not_served_and_does_not_hide_what_it_listed() {
    let mut stage = Stage::new();
    let serial = stage.issue();
    stage.change(serial, revoked(&stage));
    stage.sign_until_published(1);
    stage.worker = None;
    fs::write(stage.path("repository/ca.crl"), b"damaged").unwrap();
    stage.restart();
    within(2 * SECOND, || stage.published_number() == Some(1));
    assert!(is_listed(&stage, serial));

    stage.worker = None;
    fs::write(stage.path("repository/ca.crl"), b"damaged").unwrap();
    let job = stage.enqueue_and_claim();
    stage.store(&stage.crl(2, &[]), job);
    stage.restart();
    std::thread::sleep(SECOND);
    assert_eq!(stage.get("GET", "/repository/ca.crl", "").status, 404);
    assert!(!stage.publisher.is_ready());
}

#[test]
fn files_are_served_with_types_tags_and_dates() {
    let stage = Stage::new();
    stage.sign_until_published(1);
    for (path, content_type) in
        [("/repository/ca.crl", "application/pkix-crl"), ("/repository/ca.cer", "application/pkix-cert")]
    {
        let whole = stage.get("GET", path, "");
        assert_eq!((whole.status, whole.header("content-type")), (200, Some(content_type)));
        assert_eq!(whole.body, fs::read(stage.path(&path[1..])).unwrap());
        assert!(whole.header("cache-control").unwrap().contains("public"));
        let (tag, date) = (whole.header("etag").unwrap(), whole.header("last-modified").unwrap());
        let head = stage.get("HEAD", path, "");
        assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, Some(tag)));
        for known in [
            format!("If-None-Match: \"x\", {tag}\r\n"),
            "If-None-Match: *\r\n".to_owned(),
            format!("If-Modified-Since: {date}\r\n"),
        ] {
            let answer = stage.get("GET", path, &known);
            assert_eq!(
                (answer.status, answer.body.len(), answer.header("etag")),
                (304, 0, Some(tag)),
                "{known}"
            );
        }
        for unknown in [
            "If-None-Match: \"x\"\r\n".to_owned(),
            format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {date}\r\n"),
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(),
        ] {
            assert_eq!(stage.get("GET", path, &unknown).status, 200, "{unknown}");
        }
        let refused = stage.get("POST", path, "Content-Length: 0\r\n");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    }
    for path in ["/repository/root.crl", "/repository/..%2fca.pem", "/repository/.ca.crl.new", "/repository/"]
    {
        assert_eq!(stage.get("GET", path, "").status, 404, "{path}");
    }
}
