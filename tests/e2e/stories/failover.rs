//! PostgreSQL's primary dies, its replica is promoted: with synchronous replication nothing is lost that was acknowledged.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::applicant::{Applicant, Application, SubjectType, form};
use crate::http::{Answer, Client, try_send};
use crate::officer::Officer;
use crate::postgres::{Server, psql};
use crate::relying_party::{OCSP_KNOWS, RelyingParty};
use crate::stack::{Role, Stack, eventually, fresh_folder};
use crate::stories::signer_kills::many_under_review;

/// What a success answered; during a failover anything else may come, but an answer comes.
fn try_get(client: &Client, path: &str) -> Option<Answer> {
    Some(try_send(client.request(Method::GET, path)).expect("an answer, whatever it says"))
        .filter(|answer| answer.status == 200)
}

fn try_post(client: &Client, path: &str, body: &Value) -> Option<Answer> {
    let request = client.request(Method::POST, path).json(body);
    Some(try_send(request).expect("an answer, whatever it says")).filter(|answer| answer.status < 300)
}

/// Signs what is to be signed for this decision, and posts it; whether it was acknowledged.
fn try_decide(officer: &Officer<'_>, path: &str, query: &str, body: &Value) -> bool {
    let Some(statement) = try_get(&officer.client, &format!("{path}-statement{query}")) else { return false };
    let mut body = body.clone();
    body["signature"] = officer.sign(&statement.body).into();
    try_post(&officer.client, path, &body).is_some()
}

/// Ends the load even when the story fails in the middle.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_primary_that_is_killed_takes_nothing_with_it_that_was_acknowledged() {
    let primary = Server::start();
    let replica = primary.start_synchronous_replica();
    let database = primary.fresh_database();
    let name = database.rsplit('/').next().expect("a name");
    let both = format!(
        "postgres://muhr@{},{}/{name}?target_session_attrs=read-write",
        primary.authority(),
        replica.authority()
    );
    let settings =
        [("LIMITS__REQUESTS_PER_ADDRESS_PER_MINUTE", "10000000"), ("APPLICATIONS__OPEN_PER_PHONE", "1000")];
    let stack = Stack::prepare(fresh_folder(), Some(both), &settings);
    stack.run(Role::All);
    let before = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &before.certificate());
    let revoked = Application::issued(&stack, SubjectType::NaturalPerson);
    Officer::revocation(&stack).revoke(&revoked.serial(), "superseded").json_or_empty();
    let valid: Vec<Application> =
        (0..8).map(|_| Application::issued(&stack, SubjectType::NaturalPerson)).collect();
    let serials: Vec<String> = valid.iter().map(Application::serial).collect();
    let waiting = many_under_review(&stack, 12);
    let unpaid: Vec<(Application, Value)> = (0..12)
        .map(|_| {
            let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
            let invoice = application.invoice();
            (application, invoice)
        })
        .collect();
    let (reviewer, revoker) = (Officer::reviewer(&stack), Officer::revocation(&stack));
    let writers: Vec<Applicant> = (0..2).map(|_| Applicant::with_confirmed_phone(&stack)).collect();

    let [over, promoted, dying] = [const { AtomicBool::new(false) }; 3];
    // So that something of each kind is under way when the primary dies, however fast the machine is.
    let pace = |done: &Mutex<Vec<usize>>, pause: u64| {
        thread::sleep(Duration::from_millis(pause));
        while done.lock().expect("no panic").len() >= 3
            && !dying.load(Ordering::Relaxed)
            && !over.load(Ordering::Relaxed)
        {
            thread::sleep(Duration::from_millis(5));
        }
    };
    let created = Mutex::new(Vec::<String>::new());
    let [approved, paid, ended] = [const { Mutex::new(Vec::<usize>::new()) }; 3];
    let afterwards = AtomicUsize::new(0);
    thread::scope(|scope| {
        for writer in &writers {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let body = form(&writer.person, SubjectType::NaturalPerson);
                    let request = writer.client.request(Method::POST, "/api/v1/applications").json(&body);
                    let was_promoted = promoted.load(Ordering::Relaxed);
                    match try_send(request).expect("an answer, whatever it says") {
                        answer if answer.status == 201 => {
                            let id = answer.json()["id"].as_str().expect("an id").to_owned();
                            created.lock().expect("no panic").push(id);
                            afterwards.fetch_add(usize::from(was_promoted), Ordering::Relaxed);
                        }
                        answer => {
                            answer.problem(503, "service-unavailable");
                        }
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
        scope.spawn(|| {
            for (number, application) in waiting.iter().enumerate() {
                let path = format!("/api/v1/officer/applications/{}/approval", application.id);
                if try_decide(&reviewer, &path, "", &json!({})) {
                    approved.lock().expect("no panic").push(number);
                }
                pace(&approved, 50);
            }
        });
        scope.spawn(|| {
            for (number, serial) in serials.iter().enumerate() {
                let path = format!("/api/v1/certificates/{serial}/revocation");
                if try_decide(&revoker, &path, "?reason=superseded", &json!({"reason": "superseded"})) {
                    ended.lock().expect("no panic").push(number);
                }
                pace(&ended, 80);
            }
        });
        scope.spawn(|| {
            for (number, (application, invoice)) in unpaid.iter().enumerate() {
                let id = invoice["id"].as_str().expect("an id");
                try_post(&application.client, &format!("/sandbox/payments/{id}"), &json!({}));
                // What is read has been acknowledged to whoever paid.
                for _ in 0..50 {
                    let seen = try_get(&application.client, &application.path("/invoice"));
                    if seen.is_some_and(|seen| seen.json()["state"] == "paid") {
                        paid.lock().expect("no panic").push(number);
                        break;
                    }
                    thread::sleep(Duration::from_millis(40));
                }
                pace(&paid, 20);
            }
        });
        let _end = AtEnd(&over);
        eventually("something of everything is acknowledged", Duration::from_secs(30), || {
            let some =
                [&approved, &paid, &ended].iter().all(|found| found.lock().expect("no panic").len() >= 3);
            (some && created.lock().expect("no panic").len() > 20).then_some(())
        });
        dying.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(60));
        primary.kill();
        // Somebody notices; Patroni would.
        thread::sleep(Duration::from_millis(300));
        psql(&replica.address("postgres"), "SELECT pg_promote()").well();
        promoted.store(true, Ordering::Relaxed);
        let began = Instant::now();
        eventually("work goes on at the new primary", Duration::from_secs(30), || {
            (afterwards.load(Ordering::Relaxed) >= 20).then_some(())
        });
        eprintln!("work went on {:?} after the promotion", began.elapsed());
    });

    let here = replica.address(name);
    let created = created.into_inner().expect("no panic");
    let [approved, paid, ended] = [approved, paid, ended].map(|found| found.into_inner().expect("no panic"));
    let counts = [created.len(), approved.len(), paid.len(), ended.len()];
    assert!(created.len() > 40 && counts.iter().all(|count| *count > 0), "{counts:?}");
    let kept = psql(&here, "SELECT id FROM applications").well().out;
    let kept: std::collections::HashSet<&str> = kept.lines().collect();
    let lost: Vec<&String> = created.iter().filter(|id| !kept.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged applications are lost", lost.len(), created.len());
    for number in approved {
        waiting[number].wait_until("issued");
    }
    for (application, invoice) in paid.into_iter().map(|number| &unpaid[number]) {
        assert_eq!(application.invoice()["state"], "paid", "{invoice}");
    }
    for serial in ended.into_iter().map(|number| &serials[number]) {
        let entry = stack.anybody().get(&format!("/api/v1/certificates/{serial}")).json();
        assert_eq!(entry["status"], "revoked", "{entry}");
    }
    assert_eq!(relying_party.status(), "good");
    let register = stack.anybody().get(&format!("/api/v1/certificates/{}", revoked.serial())).json();
    assert_eq!(register["status"], "revoked", "{register}");
    // The responder follows the new primary's feed.
    let after = Application::issued(&stack, SubjectType::NaturalPerson);
    let stranger = RelyingParty::receiving(&stack, &after.certificate());
    eventually("OCSP knows it", OCSP_KNOWS, || (stranger.status() == "good").then_some(()));
    stranger.openssl_verify().well();
    assert!(stack.is_ready(Role::All));
    assert!(stack.terminate(Role::All).success());
    stack.muhr(&["audit", "verify"]).well();
    stack.muhr(&["ledger", "verify"]).well();
}
