//! `SIGTERM`: what is under way is finished, nothing new begins, nothing is lost.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::applicant::{Applicant, SubjectType};
use crate::picture;
use crate::stack::{Database, Role};

on_both_databases!(
    sigterm_finishes_the_request_under_way_and_exits_well,
    a_restart_finds_everything_as_it_was,
);

fn sigterm_finishes_the_request_under_way_and_exits_well(database: Database) {
    let stack = database.start();
    let applicant = Applicant::with_confirmed_phone(&stack);
    let application = applicant.apply(SubjectType::NaturalPerson);
    let request = application
        .client
        .request(reqwest::Method::PUT, &application.path("/documents/photo"))
        .build()
        .expect("a request");
    let token = request.headers()["authorization"].to_str().expect("text").to_owned();
    let address = stack.base.trim_start_matches("http://");
    let (body, path) = (picture::photo(), application.path("/documents/photo"));
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Type: image/jpeg\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let (first, second) = body.split_at(body.len() / 2);
    let mut upload = TcpStream::connect(address).expect("it listens");
    upload.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    upload.write_all(head.as_bytes()).expect("open");
    upload.write_all(first).expect("open");
    thread::sleep(Duration::from_millis(300));

    stack.begin_to_terminate(Role::All);
    thread::sleep(Duration::from_millis(500));
    assert!(!answers(address), "it takes new requests after SIGTERM");
    upload.write_all(second).expect("still open");
    let mut answer = [0; 12];
    upload.read_exact(&mut answer).expect("an answer to the request under way");
    assert!(answer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&answer));
    drop(upload);
    let status = stack.wait_for_end(Role::All, Duration::from_secs(25));
    assert!(status.success(), "{status}");

    stack.run(Role::All);
    let missing = application.view()["missing"].to_string();
    assert!(!missing.contains("photo"), "{missing}");
}

/// Whether a new connection gets any answer.
fn answers(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = write!(stream, "GET /api/v1/regions HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).is_ok() && &answer[9..12] == b"200"
}

fn a_restart_finds_everything_as_it_was(database: Database) {
    let stack = database.start();
    let issued = crate::applicant::Application::issued(&stack, SubjectType::NaturalPerson);
    let (certificate, view) = (issued.certificate(), issued.view());
    assert!(stack.terminate(Role::All).success());
    stack.run(Role::All);
    assert_eq!(issued.certificate(), certificate);
    assert_eq!(issued.view(), view);
    let relying_party = crate::relying_party::RelyingParty::receiving(&stack, &certificate);
    assert_eq!(relying_party.status(), "good");
    relying_party.openssl_verify_with_crl().well();
    stack.muhr(&["audit", "verify"]).well();
}
