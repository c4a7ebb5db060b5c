//! The publisher over a real database, folder and HTTP; the CRLs are read by OpenSSL.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod second_place;
mod stage;

use std::fs;
use std::io::Read;
use std::time::Duration;

use ca_core::crl::{Entry, Revocation};
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
    assert!(!stage.publisher.repository().is_ready(Timestamp::MAX, Duration::ZERO, &[]));
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

/// Too many to be held in memory.
fn many(stage: &Stage) -> Vec<Entry> {
    let revocation = Revocation::of(revoked(stage)).unwrap();
    let serial = |n: u32| SerialNumber::try_from(&[&[0x41; 12][..], &n.to_be_bytes()].concat()[..]).unwrap();
    (0..4000).map(|n| Entry { serial: serial(n), revocation }).collect()
}

#[test]
fn a_part_of_a_long_list_is_served_and_a_part_of_another_is_not_mixed_in() {
    let stage = Stage::new();
    let job = stage.claim();
    let pair = stage.pair(1, 0, &many(&stage), &[]);
    stage.store(&pair, job);
    within(10 * SECOND, || stage.published_number() == Some(1));
    let (size, path) = (pair.full.len(), "/repository/ca.crl");
    assert!(size > 128 << 10);
    let whole = stage.get("GET", path, "");
    assert_eq!((whole.status, whole.body.len(), whole.header("accept-ranges")), (200, size, Some("bytes")));
    assert_eq!(whole.body, pair.full);
    let tag = whole.header("etag").unwrap().to_owned();
    let last = size - 1;
    for (range, first, last) in [
        ("0-0", 0, 0),
        ("65530-65545", 65_530, 65_545),
        ("100000-", 100_000, last),
        ("-100", size - 100, last),
        ("0-99999999", 0, last),
    ] {
        let part = stage.get("GET", path, &format!("Range: bytes={range}\r\nIf-Range: {tag}\r\n"));
        assert_eq!(part.body, pair.full[first..=last], "{range}");
        if part.body.len() < size {
            let expected = format!("bytes {first}-{last}/{size}");
            assert_eq!((part.status, part.header("content-range")), (206, Some(expected.as_str())));
        }
    }
    let beyond = stage.get("GET", path, &format!("Range: bytes={size}-\r\n"));
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{size}").as_str()));
    for whole in [
        "Range: bytes=0-1,5-6\r\n",
        "Range: bytes=0-1\r\nIf-Range: \"another\"\r\n",
        "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Range: pages=1-2\r\n",
    ] {
        let answer = stage.get("GET", path, whole);
        assert_eq!((answer.status, answer.body.len()), (200, size), "{whole}");
    }
    let head = stage.get("HEAD", path, "Range: bytes=0-1\r\n");
    let length = size.to_string();
    assert_eq!(
        (head.status, head.body.len(), head.header("content-length")),
        (200, 0, Some(length.as_str()))
    );
}

#[test]
fn a_compressed_variant_is_for_those_who_ask_and_never_an_earlier_ones() {
    let stage = Stage::new();
    let job = stage.claim();
    let mut entries = many(&stage);
    stage.store(&stage.pair(1, 0, &entries, &[]), job);
    let path = "/repository/ca.crl";
    let gzip = || stage.get("GET", path, "Accept-Encoding: br, gzip;q=0.5\r\n");
    for number in 1..=2 {
        within(10 * SECOND, || {
            // The number first: an answer asked for before it may be of the list before this one.
            stage.published_number() == Some(number) && {
                let answer = gzip();
                answer.status == 200 && answer.header("content-encoding") == Some("gzip")
            }
        });
        let (compressed, plain) = (gzip(), stage.get("GET", path, ""));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&compressed.body[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
        assert!(compressed.body.len() * 10 < plain.body.len() * 9);
        assert_eq!(
            (compressed.header("vary"), plain.header("vary")),
            (Some("Accept-Encoding"), Some("Accept-Encoding"))
        );
        assert_eq!(plain.header("content-encoding"), None);
        let tags = (compressed.header("etag").unwrap(), plain.header("etag").unwrap());
        assert_ne!(tags.0, tags.1);
        for (tag, coding, status) in [(tags.0, "gzip", 304), (tags.1, "gzip", 200), (tags.1, "gzip;q=0", 304)]
        {
            let asked = format!("If-None-Match: {tag}\r\nAccept-Encoding: {coding}\r\n");
            assert_eq!(stage.get("GET", path, &asked).status, status, "{asked}");
        }
        let part = stage.get("GET", path, "Range: bytes=0-9\r\nAccept-Encoding: gzip\r\n");
        assert_eq!(
            (part.status, &part.body[..], part.header("content-encoding")),
            (206, &plain.body[..10], None)
        );
        if number == 1 {
            entries.push(Entry { serial: stage.issue(), ..entries[0] });
            entries.sort_by_key(|entry| entry.serial);
            let job = stage.enqueue_and_claim();
            stage.store(&stage.pair(2, 0, &entries, &[]), job);
        }
    }
    let variants = fs::read_dir(stage.path("repository"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".gz"));
    assert_eq!(variants.count(), 1, "earlier ones are gone");
}

#[test]
fn earlier_lists_are_kept_and_not_served() {
    let stage = Stage::with(&[("crl.kept", "2")]);
    for number in 1..=3 {
        let job = stage.enqueue_and_claim();
        stage.store(&stage.crl(number, &[]), job);
        within(10 * SECOND, || stage.published_number() == Some(number));
    }
    let kept = |name: &str| {
        let entries = fs::read_dir(stage.path("repository/archive").join(name)).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let two = ["00000000000000000002.crl", "00000000000000000003.crl"];
    within(5 * SECOND, || kept("ca.crl") == two && kept("ca-delta.crl") == two);
    assert_eq!(
        fs::read(stage.path("repository/archive/ca.crl/00000000000000000003.crl")).unwrap(),
        stage.get("GET", "/repository/ca.crl", "").body
    );
    for path in ["archive", "archive/ca.crl", "archive/ca.crl/00000000000000000003.crl"] {
        assert_eq!(stage.get("GET", &format!("/repository/{path}"), "").status, 404, "{path}");
    }
}

#[test]
fn a_delta_is_published_beside_the_full_list_and_a_wrong_one_is_not() {
    let stage = Stage::new();
    let (first, second) = (stage.issue(), stage.issue());
    stage.change(first, revoked(&stage));
    stage.sign_until_published(1);
    let delta = || stage.publisher.repository().find("ca-delta.crl").unwrap().summary.unwrap().number;
    within(5 * SECOND, || stage.publisher.repository().find("ca-delta.crl").is_some());
    assert_eq!(delta(), 1);

    stage.change(second, revoked(&stage));
    let job = stage.claim();
    let right = stage.crl(2, &[first, second]);
    let entries = |serials: &[SerialNumber]| {
        let revocation = Revocation::of(revoked(&stage)).unwrap();
        serials.iter().map(|&serial| Entry { serial, revocation }).collect::<Vec<_>>()
    };
    let wrong = stage.pair(2, right.last_change(), &[], &entries(&[first]));
    stage.store(&right.with_delta(wrong.delta), job);
    within(10 * SECOND, || stage.published_number() == Some(2));
    std::thread::sleep(SECOND);
    assert_eq!(delta(), 1, "a delta that hides a revocation stays away");
    assert!(is_listed(&stage, second), "the full list is right");
}

#[test]
fn what_a_dying_publisher_has_left_is_thrown_away_and_the_list_before_it_stays() {
    let mut stage = Stage::new();
    let serial = stage.issue();
    stage.change(serial, revoked(&stage));
    stage.sign_until_published(1);
    within(5 * SECOND, || stage.publisher.repository().find("ca-delta.crl").is_some());
    stage.worker = None;
    let job = stage.enqueue_and_claim();
    let next = stage.crl(2, &[serial]);
    stage.store(&next, job);
    // Cut off while writing, and between writing and renaming.
    fs::write(stage.path("repository/.ca.crl.new"), &next.full[..100]).unwrap();
    fs::write(stage.path("repository/.ca-delta.crl.new"), &next.delta).unwrap();
    fs::write(stage.path("repository/.ca.crl.gz.new"), b"half").unwrap();
    stage.restart();
    assert!(is_listed(&stage, serial));
    within(10 * SECOND, || stage.published_number() == Some(2));
    within(5 * SECOND, || {
        let names = fs::read_dir(stage.path("repository")).unwrap();
        names.into_iter().all(|entry| !entry.unwrap().file_name().to_str().unwrap().ends_with(".new"))
    });
}

#[test]
fn a_list_about_to_end_alarms_before_it_has() {
    let mut stage = Stage::new();
    stage.sign_until_published(1);
    within(5 * SECOND, || stage.publisher.is_ready());
    let metrics = |stage: &Stage| {
        let mut registry = prometheus_client::registry::Registry::default();
        stage.publisher.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    let until = stage.publisher.repository().find("ca.crl").unwrap().summary.unwrap().next_update;
    let told = metrics(&stage);
    for line in [
        format!("crl_next_update_seconds{{crl=\"ca.crl\"}} {}\n", until.unix_seconds()),
        "crl_published_number{crl=\"ca.crl\"} 1\n".to_owned(),
        "crl_publication_failures_total 0\n".to_owned(),
    ] {
        assert!(told.contains(&line), "{line}: {told}");
    }
    // Of a day, 23 hours later: less than the two hours of the alarm, and nobody signs.
    stage.settings.push(("clock_offset_seconds", "82800".to_owned()));
    stage.restart();
    assert!(!stage.publisher.is_ready());
    stage.settings.push(("clock_offset_seconds", "72000".to_owned()));
    stage.restart();
    assert!(stage.publisher.is_ready());
    assert!(metrics(&stage).contains("crl_published_number{crl=\"ca.crl\"} 1"));
}
