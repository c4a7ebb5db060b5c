//! Certificate status while things break: no database, another time, killed processes, idle crowds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use der::Decode as _;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus};

use crate::applicant::{Application, SubjectType};
use crate::command::{self, run};
use crate::janitor;
use crate::officer::Officer;
use crate::postgres::Server;
use crate::relying_party::{OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, Role, Stack, eventually, fresh_folder};

on_both_databases!(
    a_responder_killed_while_it_starts_or_writes_its_index_comes_back_and_is_right,
    a_publisher_killed_at_any_moment_leaves_a_crl_that_verifies,
    a_clock_set_back_and_forth_makes_no_answer_of_another_time,
);

/// An answer as x509-ocsp reads it: its times in unix seconds and its status.
#[derive(Debug)]
pub(super) struct Told {
    produced_at: u64,
    this_update: u64,
    next_update: u64,
    pub(super) status: CertStatus,
}

/// `None` if the responder answers tryLater.
pub(super) fn ask(relying_party: &RelyingParty, question: &[u8]) -> Option<Told> {
    let request = relying_party.client().request(reqwest::Method::POST, &relying_party.ocsp);
    let answer =
        crate::http::send(request.header("Content-Type", "application/ocsp-request").body(question.to_vec()))
            .is(200);
    let response = OcspResponse::from_der(&answer.body).expect("an OCSPResponse");
    match response.response_status {
        OcspResponseStatus::Successful => {}
        OcspResponseStatus::TryLater => return None,
        other => panic!("{other:?}"),
    }
    let octets = response.response_bytes.expect("a successful response").response;
    let data = BasicOcspResponse::from_der(octets.as_bytes()).expect("a basic response").tbs_response_data;
    let seconds = |at: x509_ocsp::OcspGeneralizedTime| at.0.to_unix_duration().as_secs();
    let single = &data.responses[0];
    Some(Told {
        produced_at: seconds(data.produced_at),
        this_update: seconds(single.this_update),
        next_update: seconds(single.next_update.expect("a next update")),
        status: single.cert_status,
    })
}

/// A certificate and the question about it.
struct Subject {
    application: Application,
    relying_party: RelyingParty,
    question: Vec<u8>,
}

impl Subject {
    fn issued(stack: &Stack) -> Self {
        let application = Application::issued(stack, SubjectType::NaturalPerson);
        let relying_party = RelyingParty::receiving(stack, &application.certificate());
        let question = relying_party.question("-no_nonce", &application.serial());
        Self { application, relying_party, question }
    }

    fn told(&self) -> Option<Told> {
        ask(&self.relying_party, &self.question)
    }

    fn is_good(&self) -> Option<bool> {
        self.told().map(|told| matches!(told.status, CertStatus::Good(_)))
    }

    fn revoke(&self, stack: &Stack) {
        Officer::revocation(stack).revoke(&self.application.serial(), "keyCompromise").json_or_empty();
    }
}

/// 60 seconds is the shortest validity that the settings allow.
#[test]
fn without_its_database_a_responder_answers_until_next_update_and_not_longer() {
    let server = Server::start();
    let settings = [("OCSP__VALIDITY_SECONDS", "60")];
    let stack = Stack::prepare(fresh_folder(), Some(server.fresh_database()), &settings);
    stack.run(Role::All);
    let (good, revoked) = (Subject::issued(&stack), Subject::issued(&stack));
    assert_eq!((good.is_good(), revoked.is_good()), (Some(true), Some(true)));
    revoked.revoke(&stack);
    sleep(OCSP_KNOWS);
    server.stop();
    let stopped = Instant::now();
    let (mut answered, mut ended) = (0, None);
    while stopped.elapsed() < Duration::from_secs(70) {
        let told = good.told();
        assert_ne!(revoked.is_good(), Some(true), "told right before the outage, or not at all");
        match told {
            Some(told) => {
                assert!(ended.is_none(), "it has answered again without a database");
                assert!(told.next_update <= told.this_update + 60);
                answered += 1;
            }
            None => ended = ended.or(Some(stopped.elapsed())),
        }
        sleep(Duration::from_millis(500));
    }
    let ended = ended.expect("answers end with what they are known from");
    assert!(answered > 80, "{answered} answers");
    assert!((50..=61).contains(&ended.as_secs()), "tryLater after {ended:?}");
    assert!(!stack.is_ready(Role::All));
    server.resume();
    eventually("it answers again", Duration::from_secs(10), || good.is_good());
    assert_eq!((good.is_good(), revoked.is_good()), (Some(true), Some(false)));
}

fn a_responder_killed_while_it_starts_or_writes_its_index_comes_back_and_is_right(database: Database) {
    let stack = database.start_roles_with(&[("OCSP__SNAPSHOT_SECONDS", "1")]);
    let subjects: Vec<Subject> = (0..4).map(|_| Subject::issued(&stack)).collect();
    for round in 0..20_u64 {
        stack.kill(Role::Ocsp);
        let revoked = round as usize / 5;
        if round % 5 == 2 {
            subjects[revoked].revoke(&stack);
        }
        stack.spawn(Role::Ocsp);
        // From the first instructions to well after the first snapshot.
        sleep(Duration::from_millis(round * round * 5));
    }
    stack.kill(Role::Ocsp);
    stack.run(Role::Ocsp);
    for subject in &subjects {
        assert_eq!(subject.is_good(), Some(false), "every revocation is told");
    }
    let later = Subject::issued(&stack);
    assert_eq!(later.is_good(), Some(true));

    // Half a file, and one with a flipped bit, as a broken disk leaves it.
    let file = stack.folder.join("ocsp.index");
    eventually("the index is written", Duration::from_secs(10), || file.exists().then_some(()));
    stack.kill(Role::Ocsp);
    let whole = fs::read(&file).expect("it is there");
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 1;
    for damaged in [&whole[..whole.len() / 2], &flipped] {
        fs::write(&file, damaged).expect("our folder");
        stack.run(Role::Ocsp);
        assert_eq!((subjects[0].is_good(), later.is_good()), (Some(false), Some(true)));
        stack.kill(Role::Ocsp);
    }
    assert!(stack.log().contains("the snapshot of the index is not used"));
    stack.run(Role::Ocsp);
}

fn a_publisher_killed_at_any_moment_leaves_a_crl_that_verifies(database: Database) {
    let stack = database
        .start_roles_with(&[("CRL__MIN_INTERVAL_SECONDS", "0"), ("CRL__DUE_CHECK_MILLISECONDS", "100")]);
    let subjects: Vec<Subject> = (0..6).map(|_| Subject::issued(&stack)).collect();
    let file = stack.folder.join("repository/ca.crl").display().to_string();
    let authorities = subjects[0].relying_party.file("authorities.pem");
    let mut number = 0;
    for round in 0..20_u64 {
        match subjects.get(round as usize / 4) {
            Some(subject) if round % 4 == 0 => subject.revoke(&stack),
            // A hold and its end, to have something to publish every time.
            _ => {
                let officer = Officer::revocation(&stack);
                let held = subjects[5].application.serial();
                let _ = if round % 2 == 1 { officer.suspend(&held) } else { officer.restore(&held) };
            }
        }
        sleep(Duration::from_millis(round * 37 % 700));
        stack.kill(Role::Crl);
        let read = ["crl", "-inform", "DER", "-in", &file, "-CAfile", &authorities, "-noout", "-crlnumber"];
        let said = run("openssl", read).well();
        assert!(said.all().contains("verify OK"), "{}", said.all());
        let hex = said.out.trim().trim_start_matches("crlNumber=0x").trim_start_matches("crlNumber=");
        let placed = u64::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{}", said.all()));
        assert!(placed >= number, "CRL {placed} after {number}");
        number = placed;
        stack.spawn(Role::Crl);
    }
    assert!(number > 3, "something was published: {number}");
    stack.kill(Role::Crl);
    stack.run(Role::Crl);
    for subject in &subjects[..5] {
        eventually("the CRL lists it", Duration::from_secs(20), || subject.relying_party.crl_reason());
    }
}

fn a_clock_set_back_and_forth_makes_no_answer_of_another_time(database: Database) {
    let mut stack = database.start();
    let (good, revoked) = (Subject::issued(&stack), Subject::issued(&stack));
    let nonce = good.relying_party.question("-nonce", &good.application.serial());
    revoked.revoke(&stack);
    eventually("OCSP knows", OCSP_KNOWS, || (revoked.is_good() == Some(false)).then_some(()));
    stack.terminate(Role::All);
    let clock = stack.folder.join("clock");
    fs::write(&clock, "+0").expect("our folder");
    stack.set_environment("LD_PRELOAD", &libfaketime().display().to_string());
    stack.set_environment("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string());
    for (name, value) in
        [("FAKETIME_NO_CACHE", "1"), ("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
    {
        stack.set_environment(name, value);
    }
    stack.run(Role::Ocsp);
    for offset in [0_i64, 3600, -3600, 172_800, 0, -172_800, 0] {
        let there = || (real_seconds() + offset).unsigned_abs();
        fs::write(&clock, format!("{offset:+}")).expect("our folder");
        // What was asked while the clock was set is answered as of one time or the other, or not at all.
        eventually(&format!("an answer of the time {offset:+}"), Duration::from_secs(5), || {
            ask(&good.relying_party, &nonce).filter(|told| told.produced_at.abs_diff(there()) <= 5)
        });
        for _ in 0..10 {
            // Signed now, and kept from another time.
            let questions = [(&nonce, true), (&good.question, true), (&revoked.question, false)];
            for (question, is_good) in questions {
                let before = there();
                let told = ask(&good.relying_party, question).expect("an answer");
                assert_eq!(matches!(told.status, CertStatus::Good(_)), is_good, "{offset:+}: {told:?}");
                let times = (told.this_update, told.produced_at, told.next_update);
                assert!(times.0 <= times.1 && times.1 <= there(), "{offset:+}: {told:?}");
                assert!(times.2 > before, "{offset:+}: {told:?}");
            }
            sleep(Duration::from_millis(50));
        }
    }
    assert!(stack.log().contains("the system clock was set"), "steps are told");
}

/// By another program's clock: nobody has set that.
fn real_seconds() -> i64 {
    run("date", ["+%s"]).well().out.trim().parse().expect("a number")
}

/// Debian's faketime, whichever machine this is.
fn libfaketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("a Debian system").flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
        .expect("libfaketime is in Debian's package faketime (`cargo xtask test` installs it)")
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_waiting() {
    let stack = Database::Sqlite.start_with(&[("HTTP__REQUEST_TIMEOUT_SECONDS", "8")]);
    let subject = Subject::issued(&stack);
    let process = stack.process(Role::All);
    run("prlimit", ["--pid", &process.to_string(), "--nofile=16384:"]).well();
    let before = resident_mebibytes(process);
    let script = "import resource, socket, sys\n\
                  resource.setrlimit(resource.RLIMIT_NOFILE, (16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n\
                  host, port = sys.argv[1].split(':')\n\
                  idle = [socket.create_connection((host, int(port)), 20) for _ in range(10000)]\n\
                  print('open', flush=True)\n\
                  def closed(s):\n    \
                      s.settimeout(40)\n    \
                      try:\n        \
                          while s.recv(4096): pass\n        \
                          return True\n    \
                      except ConnectionError: return True\n    \
                      except OSError: return False\n\
                  print(sum(map(closed, idle)), flush=True)\n";
    let address = stack.base.trim_start_matches("http://");
    let mut crowd = Command::new(command::find("python3"))
        .args(["-c", script, address])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    janitor::will_end(crowd.id(), "KILL");
    let mut said = BufReader::new(crowd.stdout.take().expect("it was piped")).lines();
    assert_eq!(said.next().expect("a line").expect("text"), "open");
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(subject.is_good(), Some(true));
        assert!(asked.elapsed() < Duration::from_secs(1), "an answer took {:?}", asked.elapsed());
    }
    let grown = resident_mebibytes(process) - before;
    eprintln!("10,000 idle connections take {grown} MiB");
    assert!(grown < 400, "10,000 idle connections take {grown} MiB");
    // Whoever asks nothing is shown out.
    assert_eq!(said.next().expect("a line").expect("text"), "10000");
    crowd.wait().expect("our child");
    janitor::has_ended(crowd.id());
}

fn resident_mebibytes(process: u32) -> i64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("our child");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|number| number.parse::<i64>().ok()).expect("a number") / 1024
}
