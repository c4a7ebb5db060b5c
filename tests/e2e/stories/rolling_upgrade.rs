//! Two API instances and two responders over one PostgreSQL, restarted in turn under load: no request fails.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::Duration;

use crate::applicant::{Application, SubjectType};
use crate::officer::{Officer, key_of, sign_with};
use crate::postgres::{Server, free_port};
use crate::relying_party::RelyingParty;
use crate::stack::{Role, Stack, eventually, fresh_folder};
use crate::stories::signer_kills::many_under_review;

/// What shares requests out between two instances as long as they say that they are ready. Nothing is asked twice.
struct Balancer<'a> {
    instances: [Instance<'a>; 2],
    next: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

struct Instance<'a> {
    stack: &'a Stack,
    role: Role,
    address: String,
    /// Whoever asks holds it meanwhile: once it is no more to be asked, nobody is asking.
    is_asked: RwLock<bool>,
    /// How often in a row it was not ready, as it said or did not say.
    unready: AtomicUsize,
    /// What was answered with a success.
    answered: AtomicUsize,
}

/// One bad answer is an accident.
const FALL: usize = 3;

impl<'a> Balancer<'a> {
    fn over(role: Role, instances: [(&'a Stack, &str); 2]) -> Self {
        let instances = instances.map(|(stack, base)| Instance {
            stack,
            role,
            address: base.trim_start_matches("http://").to_owned(),
            is_asked: RwLock::new(false),
            unready: AtomicUsize::new(FALL),
            answered: AtomicUsize::default(),
        });
        Self { instances, next: AtomicUsize::default(), failures: Mutex::default() }
    }

    /// Asks both how they are.
    fn look(&self) {
        for instance in &self.instances {
            match instance.stack.is_ready(instance.role) {
                true => instance.unready.store(0, Ordering::Relaxed),
                false => _ = instance.unready.fetch_add(1, Ordering::Relaxed),
            }
            let is_asked = instance.unready.load(Ordering::Relaxed) < FALL;
            *instance.is_asked.write().expect("no panic") = is_asked;
        }
    }

    fn asks(&self, stack: &Stack) -> bool {
        let instance = self.instances.iter().find(|instance| std::ptr::eq(instance.stack, stack));
        *instance.expect("one of both").is_asked.read().expect("no panic")
    }

    fn ask(&self, head: &str, body: &[u8]) {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..2 {
            let instance = &self.instances[(first + turn) % 2];
            let is_asked = instance.is_asked.read().expect("no panic");
            if !*is_asked {
                continue;
            }
            match answer(&instance.address, head, body) {
                Ok(200..=299) => {
                    instance.answered.fetch_add(1, Ordering::Relaxed);
                }
                other => self.fails(format!("{head}: {other:?}")),
            }
            return;
        }
        self.fails(format!("{head}: nobody is ready"));
    }

    fn fails(&self, what: String) {
        self.failures.lock().expect("no panic").push(what);
    }
}

/// The status of the whole answer, as long as its length says it is.
fn answer(host: &str, head: &str, body: &[u8]) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(host)?;
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

/// Ends the load even when the story fails in the middle.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Tells it to stop, and waits until it says that it is about to.
fn begin_to_stop(stack: &Stack, role: Role) {
    stack.begin_to_terminate(role);
    eventually("it says that it is about to stop", Duration::from_secs(30), || {
        stack.readiness(role).text().contains("it is about to stop").then_some(())
    });
}

/// A keep-alive connection ends with the answer that is given while its instance is about to stop.
fn closes_what_it_answers(host: &str) -> bool {
    let mut stream = TcpStream::connect(host).expect("it listens still");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    write!(stream, "GET /api/v1/regions HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("a request");
    let mut said = String::new();
    stream.read_to_string(&mut said).is_ok() && said.to_lowercase().contains("\r\nconnection: close\r\n")
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
        // Until it is told a second time: the machine may be busy.
        ("HTTP__DRAIN_SECONDS", "60"),
    ];
    let first = Stack::prepare(folder.clone(), Some(address.clone()), &[&settings[..], &limits].concat());
    first.run(Role::All);
    begin_to_stop(&first, Role::All);
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
    let api = Balancer::over(Role::Api, [(&first, &first.base), (&second, &second.base)]);
    let responders = Balancer::over(Role::Ocsp, [(&first, &ocsp), (&second, &second_ocsp)]);
    let over = AtomicBool::new(false);
    api.look();
    responders.look();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                api.look();
                responders.look();
                thread::sleep(Duration::from_millis(50));
            }
        });
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
        let in_turn = [
            (&first, Role::Api),
            (&first, Role::Ocsp),
            (&second, Role::Api),
            (&second, Role::Ocsp),
            (&first, Role::Signer),
            (&first, Role::Crl),
        ];
        for ((stack, role), application) in in_turn.into_iter().zip(&waiting) {
            let balancer = match role {
                Role::Api => Some(&api),
                Role::Ocsp => Some(&responders),
                _ => None,
            };
            if role != Role::Signer {
                begin_to_stop(stack, role);
            }
            if let Some(balancer) = balancer {
                let noticed = || (!balancer.asks(stack)).then_some(());
                eventually("it is asked no more", Duration::from_secs(30), noticed);
            }
            if role == Role::Api {
                let host = stack.base.trim_start_matches("http://");
                assert!(closes_what_it_answers(host), "a connection is kept that is about to be closed");
            }
            // The second time it waits no more.
            assert!(stack.terminate(role).success(), "{role:?}");
            // Work goes on meanwhile, at the other instance.
            let other = if std::ptr::eq(stack, &first) { &second } else { &first };
            let path = format!("/api/v1/officer/applications/{}/approval", application.id);
            let reviewer = reviewer.at(&other.base);
            let statement = reviewer.get(&format!("{path}-statement")).is(200);
            let signature = sign_with(&key_of(&first, "reviewer"), &statement.body);
            reviewer.post(&path, &serde_json::json!({"signature": signature})).json();
            stack.run(role);
            if let Some(balancer) = balancer {
                eventually("it is asked again", Duration::from_secs(30), || {
                    balancer.asks(stack).then_some(())
                });
            }
            thread::sleep(Duration::from_millis(300));
        }
    });
    for balanced in [&api, &responders] {
        let failures = balanced.failures.lock().expect("no panic");
        assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), &failures[..failures.len().min(5)]);
        let answered =
            balanced.instances.each_ref().map(|instance| instance.answered.load(Ordering::Relaxed));
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
        if role != Role::Signer {
            begin_to_stop(stack, role);
        }
        assert!(stack.terminate(role).success(), "{role:?}");
    }
    first.muhr(&["audit", "verify"]).well();
}
