//! PostgreSQL stopped and started again under load.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::applicant::{Application, SubjectType};
use crate::http::try_send;
use crate::officer::Officer;
use crate::postgres::Server;
use crate::relying_party::RelyingParty;
use crate::stack::{Role, Stack, eventually, fresh_folder};
use crate::stories::signer_kills::many_under_review;

#[test]
fn while_postgresql_is_down_requests_get_503_and_afterwards_everything_goes_on() {
    let server = Server::start();
    let stack = Stack::prepare(
        fresh_folder(),
        Some(server.fresh_database()),
        &[("LIMITS__REQUESTS_PER_ADDRESS_PER_MINUTE", "10000000")],
    );
    stack.run(Role::All);
    let issued = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &issued.certificate());
    let waiting = many_under_review(&stack, 6);
    let reviewer = Officer::reviewer(&stack);

    let (over, answers) = (AtomicBool::new(false), Mutex::new(BTreeMap::<u16, u32>::new()));
    thread::scope(|scope| {
        for application in &waiting[..4] {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let request = application.client.request(reqwest::Method::GET, &application.path(""));
                    let answer = try_send(request).expect("an answer, whatever it says");
                    if answer.status == 503 {
                        answer.problem(503, "service-unavailable");
                        assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
                    }
                    *answers.lock().expect("no panic").entry(answer.status).or_default() += 1;
                }
            });
        }
        // Ends the load even when the story fails in the middle; otherwise the scope would wait for ever.
        let _end = AtEnd(&over);
        thread::sleep(Duration::from_millis(500));
        server.stop();
        let asked = Instant::now();
        reviewer.approve(&waiting[0].id).problem(503, "service-unavailable");
        assert!(asked.elapsed() < Duration::from_secs(8), "an answer took {:?}", asked.elapsed());
        let sign_in = json!({"login": "reviewer", "password": "whatever it is"});
        stack.anybody().post("/api/v1/officer/sessions", &sign_in).problem(503, "service-unavailable");
        assert_eq!(relying_party.status(), "good", "OCSP answers from memory");
        relying_party.fetch_crl();
        assert!(!stack.is_ready(Role::All), "not ready without a database");
        thread::sleep(Duration::from_millis(500));
        server.resume();
        eventually("ready again", Duration::from_secs(15), || stack.is_ready(Role::All).then_some(()));
        for application in &waiting {
            eventually("approved", Duration::from_secs(5), || {
                (reviewer.approve(&application.id).status == 200).then_some(())
            });
        }
    });
    let answers = answers.into_inner().expect("no panic");
    eprintln!("answers under load by status: {answers:?}");
    assert!(answers.keys().eq([200, 503].iter()), "{answers:?}");

    for application in &waiting {
        application.wait_until("issued");
    }
    Officer::revocation(&stack).revoke(&issued.serial(), "superseded").json_or_empty();
    // The feed reconnects in its own time; from then on it is as quick as ever.
    eventually("OCSP says revoked", Duration::from_secs(5), || {
        (relying_party.status() == "revoked").then_some(())
    });
    stack.muhr(&["audit", "verify"]).well();
}

pub(super) struct AtEnd<'a>(pub(super) &'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
