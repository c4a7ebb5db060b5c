//! Two API instances and two responders over one PostgreSQL, restarted in turn under load: no request fails.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::applicant::{Application, SubjectType};
use crate::officer::{Officer, key_of, sign_with};
use crate::postgres::{Server, free_port};
use crate::relying_party::RelyingParty;
use crate::stack::{Role, Stack, fresh_folder};
use crate::stories::signer_kills::many_under_review;

/// Two instances, asked in turn. Whoever refuses the connection, or whose kernel resets it before a word came back because nobody had
/// taken it off a listening socket that was closed, has done nothing: then, and only then, the other one is asked, as a proxy does.
struct RoundRobin {
    instances: [String; 2],
    next: AtomicUsize,
    /// What was answered with a success, by instance.
    answered: [AtomicUsize; 2],
    /// Connections that were reset: at a restart, one or the other.
    resets: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl RoundRobin {
    fn over(instances: [&str; 2]) -> Self {
        let instances = instances.map(|base| base.trim_start_matches("http://").to_owned());
        Self {
            instances,
            next: AtomicUsize::default(),
            answered: Default::default(),
            resets: AtomicUsize::default(),
            failures: Mutex::default(),
        }
    }

    fn ask(&self, head: &str, body: &[u8]) {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..2 {
            let instance = (first + turn) % 2;
            let mut stream = match TcpStream::connect(&self.instances[instance]) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                stream => stream.expect("the loopback interface"),
            };
            match answer(&mut stream, &self.instances[instance], head, body) {
                Ok(200..=299) => {
                    self.answered[instance].fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    self.resets.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                other => self.fails(format!("{head}: {other:?}")),
            }
            return;
        }
        self.fails(format!("{head}: nobody listens"));
    }

    fn fails(&self, what: String) {
        self.failures.lock().expect("no panic").push(what);
    }
}

/// The status of the whole answer, as long as its length says it is.
fn answer(stream: &mut TcpStream, host: &str, head: &str, body: &[u8]) -> std::io::Result<u16> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    )?;
    write!(
        stream,
        "Content-Type: {}\r\n\r\n",
        if head.contains("/ocsp") { "application/ocsp-request" } else { "application/json" }
    )?;
    stream.write_all(body)?;
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    let cut_off =
        || std::io::Error::new(ErrorKind::UnexpectedEof, String::from_utf8_lossy(&said).into_owned());
    match read {
        Err(_) if !said.is_empty() => return Err(cut_off()),
        read => read?,
    };
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut_off)?;
    let head = String::from_utf8_lossy(&said[..end]).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    if length.is_some_and(|length| said.len() - end - 4 != length) {
        return Err(cut_off());
    }
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut_off)
}

/// How many processes are restarted.
const RESTARTS: usize = 6;

/// Ends the load even when the story fails in the middle.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn instances_that_are_restarted_in_turn_fail_no_request() {
    let address = Server::shared().fresh_database();
    let folder = fresh_folder();
    let [ocsp, crl, second_ocsp] =
        [free_port(), free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let (first_responder, repository) = (format!("{ocsp}/ocsp"), format!("{crl}/repository"));
    let second_responder = format!("{second_ocsp}/ocsp");
    let settings =
        [("ISSUANCE__OCSP_URL", first_responder.as_str()), ("ISSUANCE__REPOSITORY_URL", repository.as_str())];
    let limits = [
        // What a certificate says is approved: it must be the same at every instance.
        ("ISSUANCE__CPS_URL", "http://127.0.0.1/cps"),
        ("LIMITS__REQUESTS_PER_ADDRESS_PER_MINUTE", "10000000"),
        ("LIMITS__CAPTCHAS_PER_ADDRESS_PER_MINUTE", "10000000"),
    ];
    let first = Stack::prepare(folder.clone(), Some(address.clone()), &[&settings[..], &limits].concat());
    first.run(Role::All);
    assert!(first.terminate(Role::All).success());
    // Documents on a shared folder, keys of one responder in it: the second instance of each is another process on the same things.
    let apart = [
        ("ISSUANCE__OCSP_URL", second_responder.as_str()),
        settings[1],
        ("OCSP__SNAPSHOT_FILE", "second.index"),
    ];
    let second = Stack::prepare(folder, Some(address), &[&apart[..], &limits].concat());
    for role in [Role::Api, Role::Ocsp, Role::Signer, Role::Crl] {
        first.run(role);
    }
    second.run(Role::Api);
    second.run(Role::Ocsp);

    let issued = Application::issued(&first, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&first, &issued.certificate());
    let question = relying_party.question("-nonce", &issued.serial());
    let waiting = many_under_review(&first, 6);
    let reviewer = Officer::reviewer(&first).client;
    let bases = [first.base.as_str(), second.base.as_str()];
    let (api, responders) = (RoundRobin::over(bases), RoundRobin::over([&ocsp, &second_ocsp]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    api.ask("GET /api/v1/regions", b"");
                    api.ask("POST /api/v1/captchas", b"{}");
                    responders.ask("POST /ocsp", &question);
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let _end = AtEnd(&over);
        thread::sleep(Duration::from_millis(500));
        let in_turn: [_; RESTARTS] = [
            (&first, Role::Api),
            (&first, Role::Ocsp),
            (&second, Role::Api),
            (&second, Role::Ocsp),
            (&first, Role::Signer),
            (&first, Role::Crl),
        ];
        for ((stack, role), application) in in_turn.into_iter().zip(&waiting) {
            assert!(stack.terminate(role).success(), "{role:?}");
            // Work goes on meanwhile, at the other instance.
            let other = if std::ptr::eq(stack, &first) { &second } else { &first };
            let path = format!("/api/v1/officer/applications/{}/approval", application.id);
            let reviewer = reviewer.at(&other.base);
            let statement = reviewer.get(&format!("{path}-statement")).is(200);
            let signature = sign_with(&key_of(&first, "reviewer"), &statement.body);
            reviewer.post(&path, &serde_json::json!({"signature": signature})).json();
            stack.run(role);
            thread::sleep(Duration::from_millis(300));
        }
    });
    for balanced in [&api, &responders] {
        let failures = balanced.failures.lock().expect("no panic");
        assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), &failures[..failures.len().min(5)]);
        let resets = balanced.resets.load(Ordering::Relaxed);
        assert!(resets <= RESTARTS, "{resets} connections were reset");
        let answered = balanced.answered.each_ref().map(|count| count.load(Ordering::Relaxed));
        // Each has had its part, however busy the machine is.
        assert!(answered.iter().all(|count| *count > 10), "{answered:?}");
    }
    for application in &waiting {
        application.wait_until("issued");
    }
    assert_eq!(relying_party.status(), "good");
    for (stack, role) in
        [(&second, Role::Api), (&second, Role::Ocsp), (&first, Role::Api), (&first, Role::Signer)]
    {
        assert!(stack.terminate(role).success(), "{role:?}");
    }
    first.muhr(&["audit", "verify"]).well();
}
