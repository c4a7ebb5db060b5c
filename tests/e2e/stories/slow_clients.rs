//! Clients that never come to the end of what they began to say.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::applicant::{Application, SubjectType};
use crate::relying_party::RelyingParty;
use crate::stack::Database;

on_both_databases!(a_body_that_comes_an_octet_a_second_is_cut_off);

const PATIENCE: Duration = Duration::from_secs(2);

fn a_body_that_comes_an_octet_a_second_is_cut_off(database: Database) {
    let stack = database.start_with(&[("HTTP__REQUEST_TIMEOUT_SECONDS", "2")]);
    let issued = Application::issued(&stack, SubjectType::NaturalPerson);
    let others = RelyingParty::receiving(&stack, &issued.certificate());

    let mut slow = TcpStream::connect(stack.base.trim_start_matches("http://")).expect("it listens");
    slow.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
    let head = "POST /ocsp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ocsp-request\r\n\
                Content-Length: 100\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("it listens");
    let started = Instant::now();
    while !is_cut_off(&mut slow) {
        assert!(started.elapsed() < 2 * PATIENCE, "still listening after {:?}", started.elapsed());
        assert_eq!(others.status(), "good", "nobody else waits");
    }
    assert!(started.elapsed() >= PATIENCE / 2, "cut off after {:?}", started.elapsed());
}

/// One more octet, and a second for an answer: 408, or the end of the connection.
fn is_cut_off(slow: &mut TcpStream) -> bool {
    if slow.write_all(b"0").is_err() {
        return true;
    }
    let mut answer = [0; 512];
    match slow.read(&mut answer) {
        Ok(0) => true,
        Ok(octets) => {
            let answer = String::from_utf8_lossy(&answer[..octets]);
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            true
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            true
        }
    }
}
