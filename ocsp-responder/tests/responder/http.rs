use ca_core::ocsp::ErrorStatus;
use ca_core::revocation::{Reason, Status};
use x509_ocsp::{CertStatus, OcspResponseStatus};

use crate::stage::{PATIENCE, Stage, post, within};

const WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// The request in base64, as a path below `/ocsp/`.
fn base64(octets: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

#[test]
fn openssl_asks_over_http_and_believes_the_answer() {
    let stage = Stage::new();
    let serials = [stage.issue(), stage.issue(), stage.issue()];
    let since = stage.clock.now();
    let reason = Reason::KeyCompromise;
    stage.change(serials[1], Status::Revoked { since, reason, invalidity_date: None });
    stage.change(serials[2], Status::Suspended { since });
    within(WAIT, || matches!(stage.statuses(&serials)[2], CertStatus::Revoked(_)));
    for options in ["-nonce", "-no_nonce", "-nonce -sha256"] {
        let ids: String = serials.iter().map(|serial| format!(" -serial 0x{serial}")).collect();
        let ask = format!("ocsp -issuer ca.pem -CAfile ca.pem -url {} {options}{ids}", stage.url());
        let (_, said) = stage.openssl(&ask);
        assert!(said.contains("Response verify OK"), "{said}");
        for (line, count) in
            [(": good", 1), (": revoked", 2), ("Reason: keyCompromise", 1), ("Reason: certificateHold", 1)]
        {
            assert_eq!(said.matches(line).count(), count, "{line}: {said}");
        }
    }
}

#[test]
fn get_and_post_give_the_same_answer_with_what_caches_need() {
    let stage = Stage::new();
    let serial = stage.issue();
    within(WAIT, || matches!(stage.statuses(&[serial])[0], CertStatus::Good(_)));
    let question = stage.question("-no_nonce", &[serial]);
    let posted = stage.post(&question);
    let path = format!("/ocsp/{}", base64(&question));
    let got = stage.get("GET", &path, "");
    assert_eq!(got.body, posted.body);
    let double = stage.get("GET", &path.replace("/ocsp/", "/ocsp//").replace('=', ""), "");
    assert_eq!(double.body, posted.body);

    let tag = got.header("etag").unwrap();
    let cache = got.header("cache-control").unwrap();
    assert_eq!(cache, "max-age=3600, public, no-transform, must-revalidate");
    let update = got.basic().tbs_response_data.responses[0].this_update;
    let moment = |name: &str| {
        let text = got.header(name).unwrap();
        let format = time::macros::format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        time::PrimitiveDateTime::parse(text, &format).unwrap().assume_utc().unix_timestamp().unsigned_abs()
    };
    assert_eq!(moment("last-modified"), update.0.to_unix_duration().as_secs());
    assert_eq!(moment("expires") - moment("last-modified"), stage.settings.validity.as_secs());

    let unchanged = stage.get("GET", &path, &format!("If-None-Match: \"other\", {tag}\r\n"));
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("etag"), Some(tag));
    assert_eq!(stage.get("GET", &path, "If-None-Match: \"other\"\r\n").status, 200);
    let head = stage.get("HEAD", &path, "");
    assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, Some(tag)));
}

#[test]
fn an_answer_to_a_nonce_is_for_one_asker_and_an_error_for_none() {
    let stage = Stage::new();
    let serial = stage.issue();
    let question = stage.question("-nonce", &[serial]);
    let answers = [stage.post(&question), stage.get("GET", &format!("/ocsp/{}", base64(&question)), "")];
    for answer in &answers {
        assert!(answer.basic().nonce().is_some());
        assert!(answer.header("etag").is_none());
        assert!(answer.header("cache-control").unwrap().starts_with("max-age=0"));
    }
    let malformed = stage.post(b"no request");
    assert_eq!(malformed.body, ErrorStatus::MalformedRequest.response());
    assert_eq!(malformed.header("cache-control"), Some("no-store"));
    for path in ["/ocsp", "/ocsp/", "/ocsp/!!", "/ocsp/MEow%ZZ", "/ocsp/../../etc/passwd"] {
        assert_eq!(stage.get("GET", path, "").error(), OcspResponseStatus::MalformedRequest, "{path}");
    }
}

#[test]
fn what_is_no_ocsp_over_http_is_refused_in_http() {
    let stage = Stage::new();
    let question = stage.question("-no_nonce", &[stage.issue()]);
    assert_eq!(stage.send(&post("Application/OCSP-Request; charset=x", &question)).status, 200);
    assert_eq!(stage.send(&post("text/plain", &question)).status, 415);
    assert_eq!(stage.send(&post("application/ocsp-request", &[0x30; 8193])).status, 413);
    // Announced is enough: it is not waited for.
    let announced = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n\
                     Content-Length: 10995116277760\r\nConnection: close\r\n\r\n";
    assert_eq!(stage.send(announced.as_bytes()).status, 413);
    let chunk = format!("2001\r\n{}\r\n0\r\n\r\n", "0".repeat(8193));
    let chunked = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n\
                   Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    assert_eq!(stage.send(format!("{chunked}{chunk}").as_bytes()).status, 413);
    assert_eq!(stage.get("GET", &format!("/ocsp/{}", "A".repeat(9000)), "").status, 414);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let refused = stage.get(method, "/ocsp", "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD, POST")), "{method}");
    }
}

#[test]
fn another_cas_certificate_is_not_answered_for_alone_or_among_ours() {
    let stage = Stage::new();
    let stranger = Stage::new();
    let serial = stage.issue();
    assert_eq!(
        stage.post(&stranger.question("-no_nonce", &[serial])).error(),
        OcspResponseStatus::Unauthorized
    );
    let ours = stage.question("-no_nonce", &[serial]);
    let mut wrong_key = ours.clone();
    let name_hash = wrong_key.windows(2).rposition(|two| two == [4, 20]).unwrap();
    wrong_key[name_hash + 5] ^= 1;
    assert_eq!(stage.post(&wrong_key).error(), OcspResponseStatus::Unauthorized);
}

#[test]
fn a_client_that_does_not_send_its_request_is_cut_off() {
    use std::io::{Read, Write};
    let stage = Stage::new();
    let mut stream = stage.connect();
    let head = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\nContent-Length: 100\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let started = std::time::Instant::now();
    let mut said = Vec::new();
    // An octet now and then changes nothing.
    for _ in 0..30 {
        if stream.write_all(&[0x30]).is_err() || started.elapsed() > 2 * PATIENCE {
            break;
        }
        std::thread::sleep(PATIENCE / 10);
    }
    let _ = stream.read_to_end(&mut said);
    assert!(started.elapsed() < 4 * PATIENCE);
    assert!(said.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&said));
}
