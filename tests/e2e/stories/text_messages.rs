//! Text messages through gateways that work, fail, and forget.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::key::text;
use crate::officer::{Officer, pages};
use crate::person::Person;
use crate::simulator::{Gateway, Play, Taken};
use crate::stack::{Database, Role, Stack, eventually, fresh_folder};

on_both_databases!(
    a_code_goes_through_eskiz_and_what_became_of_it_comes_back,
    an_expired_token_is_renewed_or_asked_for_again,
    whatever_goes_wrong_at_one_gateway_the_code_comes_through_the_other,
    a_gateway_that_keeps_failing_is_left_alone_until_one_message_has_tried_it,
    a_text_that_one_gateway_does_not_know_goes_elsewhere_and_a_bad_phone_nowhere,
    a_notice_that_may_have_been_taken_is_sent_again_under_its_name,
    killed_in_the_middle_of_messages_it_loses_none_and_doubles_none,
    at_night_codes_are_sent_and_notices_wait_for_the_morning,
    a_report_that_does_not_come_is_asked_for,
    production_runs_with_real_gateways_and_nothing_of_the_sandbox,
);

const PATIENCE: Duration = Duration::from_secs(10);
/// A claim ends ten seconds after the gateways' time.
const LEASE: Duration = Duration::from_secs(45);

/// Two gateways, Eskiz first, and a stack that uses them.
struct Stage {
    eskiz: Gateway,
    playmobile: Gateway,
    stack: Stack,
}

impl Stage {
    fn new(database: Database, settings: &[(&str, &str)]) -> Self {
        let (eskiz, playmobile) = (Gateway::eskiz(), Gateway::playmobile());
        let stack = started(database, &eskiz.base, &playmobile.base, settings);
        Self { eskiz, playmobile, stack }
    }

    /// Somebody who has asked for a code.
    fn asked(&self) -> Applicant {
        let applicant = Applicant::new(&self.stack);
        applicant.ask_for_code().is(202);
        applicant
    }

    /// Somebody whose phone is confirmed, by a code that came through one of the gateways.
    fn confirmed(&self) -> Applicant {
        let mut applicant = Applicant::new(&self.stack);
        let verification = applicant.ask_for_code().is(202).json();
        let code = code_in(&self.arrived(&applicant).text);
        let token = applicant.confirm(&verification, &code).json();
        applicant.client = applicant.client.with_token(token["token"].as_str().expect("a token"));
        applicant
    }

    /// The first message that came for them.
    #[track_caller]
    fn arrived(&self, applicant: &Applicant) -> Taken {
        eventually("the code has come", PATIENCE, || self.taken_for(&applicant.person).into_iter().next())
    }

    fn taken_for(&self, person: &Person) -> Vec<Taken> {
        let [first, second] = [&self.eskiz, &self.playmobile].map(|gateway| gateway.taken_for(&person.phone));
        [first, second].concat()
    }

    /// `state|gateway` of the deliveries of a template, oldest first.
    fn deliveries(&self, template: &str) -> Vec<String> {
        let query = format!(
            "SELECT state, gateway FROM deliveries WHERE template = '{template}' AND channel = 'sms' ORDER BY id"
        );
        self.stack.rows(&query)
    }

    /// An application that is under review: a notice is on its way.
    fn under_review(&self) -> Application {
        let application = self.confirmed().apply(SubjectType::NaturalPerson);
        application.complete();
        application.submit().json();
        application
    }
}

/// With passwords in files and short patience.
fn started(database: Database, eskiz: &str, playmobile: &str, settings: &[(&str, &str)]) -> Stack {
    let password = fresh_folder().join("password");
    fs::write(&password, "secret\n").expect("our folder");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("our file");
    let password = password.display().to_string();
    let ours = [
        ("SMS__PROVIDERS", "eskiz,playmobile"),
        ("SMS__BREAKER_FAILURES", "100"),
        ("SMS__BREAKER_REST_SECONDS", "3"),
        ("SMS__ESKIZ__BASE_URL", eskiz),
        ("SMS__ESKIZ__LOGIN", "muhr@example.uz"),
        ("SMS__ESKIZ__PASSWORD_FILE", &password),
        ("SMS__ESKIZ__TIMEOUT_SECONDS", "2"),
        ("SMS__PLAYMOBILE__BASE_URL", playmobile),
        ("SMS__PLAYMOBILE__LOGIN", "muhr"),
        ("SMS__PLAYMOBILE__PASSWORD_FILE", &password),
        ("SMS__PLAYMOBILE__TIMEOUT_SECONDS", "2"),
    ];
    let kept = ours.into_iter().filter(|(key, _)| settings.iter().all(|(other, _)| other != key));
    let all: Vec<(&str, &str)> = kept.chain(settings.iter().copied()).collect();
    database.start_with(&all)
}

fn code_in(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(digits.len(), 6, "{text}");
    digits
}

fn a_code_goes_through_eskiz_and_what_became_of_it_comes_back(database: Database) {
    let stage = Stage::new(database, &[]);
    let applicant = stage.confirmed();
    assert_eq!(stage.deliveries("code"), ["sent|eskiz"]);
    let message = &stage.eskiz.taken_for(&applicant.person.phone)[0];
    let report = |path: &str, content_type: &str, body: &str| {
        stage.stack.anybody().post_raw(path, content_type, body.as_bytes().to_vec())
    };
    let path = message.callback.strip_prefix(&stage.stack.base).expect("our own address").to_owned();
    let form = |status: &str| {
        format!(
            "message_id={}&user_sms_id=&country=UZ&phone_number={}&sms_count=1&status={status}&status_date=",
            message.id, message.phone
        )
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    // Strangers do not know the token.
    let forged = format!("{}0", &path[..path.len() - 1]);
    let forged = if forged == path { format!("{}1", &path[..path.len() - 1]) } else { forged };
    report(&forged, FORM, &form("UNDELIV")).problem(404, "not-found");
    report(&path, FORM, &"x".repeat(65 * 1024)).problem(413, "payload-too-large");
    report(&path, FORM, "status").is(200);
    report(&path, "application/json", "{").problem(400, "malformed-request");
    report(&path, FORM, &form("TRANSMTD")).is(200);
    assert_eq!(stage.deliveries("code"), ["sent|eskiz"]);
    report(&path, FORM, &form("DELIVRD")).is(200);
    assert_eq!(stage.deliveries("code"), ["delivered|eskiz"]);
    let late = json!({"message_id": message.id, "status": "UNDELIV"});
    report(&path, "application/json", &late.to_string()).is(200);
    assert_eq!(stage.deliveries("code"), ["delivered|eskiz"], "the last word is the first last word");
    let metrics = stage.stack.metrics(Role::All);
    assert!(metrics.contains("muhr_sms_balance{gateway=\"eskiz\"} 125000"), "{metrics}");
    assert_eq!(metrics.matches("# TYPE muhr_messages ").count(), 1);
    assert_eq!(stage.eskiz.calls("POST /api/auth/login"), 1);
    assert!(!stage.stack.log().contains(&message.phone), "phones are not logged");
}

fn an_expired_token_is_renewed_or_asked_for_again(database: Database) {
    let stage = Stage::new(database, &[]);
    stage.confirmed();
    stage.eskiz.forget_token();
    stage.confirmed();
    let [refreshes, logins] = ["PATCH /api/auth/refresh", "POST /api/auth/login"];
    assert_eq!((stage.eskiz.calls(refreshes), stage.eskiz.calls(logins)), (1, 1));
    stage.eskiz.refuse_refresh();
    stage.eskiz.forget_token();
    stage.confirmed();
    assert_eq!((stage.eskiz.calls(refreshes), stage.eskiz.calls(logins)), (2, 2));
    assert_eq!(stage.deliveries("code"), ["sent|eskiz"; 3]);
    assert!(stage.playmobile.taken().is_empty());
}

fn whatever_goes_wrong_at_one_gateway_the_code_comes_through_the_other(database: Database) {
    let stage = Stage::new(database, &[("SMS__BREAKER_REST_SECONDS", "1")]);
    let broken = json!({"message": "Server Error"});
    for play in [
        Play::Page,
        Play::Status(500, broken.clone()),
        Play::Status(503, broken.clone()),
        Play::Status(402, json!({"message": "no money"})),
        Play::Slow,
        Play::HangUp,
        Play::TooMany(1),
    ] {
        // A gateway that asked for a rest has had it.
        eventually("Eskiz is tried again", PATIENCE, || {
            let before = stage.eskiz.calls("POST /api/message");
            stage.confirmed();
            (stage.eskiz.calls("POST /api/message") > before).then_some(())
        });
        stage.eskiz.plays(std::slice::from_ref(&play));
        let applicant = stage.asked();
        let arrived = eventually("the code has come", PATIENCE, || {
            stage.playmobile.taken_for(&applicant.person.phone).into_iter().next()
        });
        code_in(&arrived.text);
        eventually(&format!("{play:?}: that it was sent is noted"), PATIENCE, || {
            (stage.deliveries("code").last().map(String::as_str) == Some("sent|playmobile")).then_some(())
        });
    }
    // A token that is always refused, then no answer at all.
    stage.eskiz.always(Play::Expired);
    let applicant = stage.asked();
    eventually("the code has come", PATIENCE, || {
        stage.playmobile.taken_for(&applicant.person.phone).into_iter().next()
    });
    let down = started(database, &Gateway::down(), &stage.playmobile.base, &[]);
    let applicant = Applicant::new(&down);
    applicant.ask_for_code().is(202);
    eventually("the code has come", PATIENCE, || {
        stage.playmobile.taken_for(&applicant.person.phone).into_iter().next()
    });
}

fn a_gateway_that_keeps_failing_is_left_alone_until_one_message_has_tried_it(database: Database) {
    let settings = [("SMS__BREAKER_FAILURES", "2"), ("SMS__BREAKER_REST_SECONDS", "4")];
    let stage = Stage::new(database, &settings);
    stage.eskiz.always(Play::Status(500, json!({})));
    let calls = || stage.eskiz.calls("POST /api/message");
    stage.confirmed();
    stage.confirmed();
    assert_eq!(calls(), 2);
    let open = || stage.stack.metrics(Role::All).contains("muhr_sms_gateway_state{gateway=\"eskiz\"} 2");
    assert!(open());
    stage.confirmed();
    assert_eq!(calls(), 2, "nobody waits for it");
    std::thread::sleep(Duration::from_secs(4));
    stage.confirmed();
    assert_eq!(calls(), 3, "one has tried");
    assert!(open());
    stage.eskiz.always(Play::Well);
    std::thread::sleep(Duration::from_secs(4));
    stage.confirmed();
    stage.confirmed();
    assert_eq!(calls(), 5);
    assert!(!open());
    // It says itself how long it wants to be left alone.
    stage.eskiz.plays(&[Play::TooMany(3)]);
    stage.confirmed();
    stage.confirmed();
    assert_eq!(calls(), 6);
    std::thread::sleep(Duration::from_secs(3));
    stage.confirmed();
    assert_eq!(calls(), 7);
}

fn a_text_that_one_gateway_does_not_know_goes_elsewhere_and_a_bad_phone_nowhere(database: Database) {
    let stage = Stage::new(database, &[]);
    let unknown_text = json!({"status": "error", "message": "Этот текст не прошёл модерацию"});
    stage.eskiz.plays(&[Play::Status(400, unknown_text)]);
    let applicant = stage.confirmed();
    assert_eq!(stage.playmobile.taken_for(&applicant.person.phone).len(), 1);

    let application = applicant.apply(SubjectType::NaturalPerson);
    eventually("the invoice is told", PATIENCE, || {
        (stage.deliveries("invoice") == ["sent|eskiz"]).then_some(())
    });
    application.complete();
    eventually("the payment is told", PATIENCE, || {
        (stage.deliveries("paid") == ["sent|eskiz"]).then_some(())
    });
    let bad_phone = json!({"status": "error", "message": {"mobile_phone": ["The phone is invalid."]}});
    stage.eskiz.plays(&[Play::Status(422, bad_phone)]);
    application.submit().json();
    eventually("it is given up", PATIENCE, || {
        (stage.deliveries("application-received") == ["failed|eskiz"]).then_some(())
    });

    let officer = Officer::named(&stage.stack, "registrar");
    let dead = pages(&officer.client, "/api/v1/officer/messages?state=dead");
    assert_eq!(dead.len(), 1, "{dead:?}");
    let phone = &application.person.phone;
    let masked = format!("{}*****{}", &phone[..6], &phone[11..]);
    assert_eq!((&dead[0]["to"], &dead[0]["application"]), (&json!(masked), &json!(application.id)));
    assert_eq!(dead[0]["last_error"], "eskiz: HTTP 422, the phone is refused");
    assert_eq!((&dead[0]["template"], &dead[0]["segments"]), (&json!("application-received"), &json!(1)));
    let resend = format!("/api/v1/officer/messages/{}/resend", dead[0]["id"]);
    application.client.post(&resend, &json!({})).problem(403, "forbidden");
    Officer::named(&stage.stack, "auditor").client.post(&resend, &json!({})).problem(403, "forbidden");
    assert_eq!(officer.client.post(&resend, &json!({})).json()["state"], "queued");
    eventually("it is sent", PATIENCE, || {
        (stage.deliveries("application-received") == ["sent|eskiz"]).then_some(())
    });
    officer.client.post(&resend, &json!({})).problem(409, "conflict");
    officer.client.post("/api/v1/officer/messages/999999/resend", &json!({})).problem(404, "not-found");
    officer.client.get("/api/v1/officer/messages?state=lost").names("/state");
    assert!(pages(&officer.client, "/api/v1/officer/messages?state=dead").is_empty());
    let all = pages(&officer.client, "/api/v1/officer/messages?limit=2");
    assert!(all.len() >= 3, "{all:?}");
    let audited = "SELECT actor, object FROM audit_entries WHERE action = 'message.resend'";
    assert_eq!(stage.stack.rows(audited), [format!("officer:registrar|message:{}", dead[0]["id"])]);
    assert_eq!(stage.eskiz.taken_for(phone).len(), 3, "invoice, payment, and the one sent again");
    assert_eq!(stage.playmobile.taken_for(phone).len(), 1, "the code only");
}

fn a_notice_that_may_have_been_taken_is_sent_again_under_its_name(database: Database) {
    let stage = Stage::new(database, &[("SMS__PROVIDERS", "playmobile,eskiz")]);
    let applicant = stage.confirmed();
    let application = applicant.apply(SubjectType::NaturalPerson);
    eventually("the invoice is told", PATIENCE, || {
        (stage.deliveries("invoice") == ["sent|playmobile"]).then_some(())
    });
    stage.playmobile.plays(&[Play::Slow, Play::Status(500, json!({}))]);
    application.complete();
    let phone = &application.person.phone;
    let notices = || -> Vec<Taken> {
        let taken = stage.playmobile.taken_for(phone);
        taken.into_iter().filter(|taken| taken.text.contains("Rahmat")).collect()
    };
    eventually("it is sent", Duration::from_secs(30), || {
        (stage.deliveries("paid") == ["sent|playmobile"]).then_some(())
    });
    let ids: HashSet<String> = notices().into_iter().map(|taken| taken.id).collect();
    assert_eq!((notices().len(), ids.len()), (2, 1), "handed over twice under one name");
    assert!(stage.eskiz.taken().is_empty());
}

fn killed_in_the_middle_of_messages_it_loses_none_and_doubles_none(database: Database) {
    let settings = [("SMS__PROVIDERS", "playmobile"), ("SMS__PLAYMOBILE__TIMEOUT_SECONDS", "5")];
    let stage = Stage::new(database, &settings);
    let applications: Vec<Application> = (0..10).map(|_| stage.under_review()).collect();
    let reviewer = Officer::reviewer(&stage.stack);
    for (n, application) in applications.iter().enumerate() {
        // Taken, and not answered before the end: nobody knows whether it was taken.
        if n % 2 == 0 {
            stage.playmobile.plays(&[Play::Slow]);
        }
        reviewer.reject(&application.id, "photo-unclear", "note").json();
        // From before the job is claimed to after the gateway has the message.
        std::thread::sleep(Duration::from_millis(u64::try_from(n).expect("few") * 12));
        stage.stack.kill(Role::All);
        stage.stack.run(Role::All);
    }
    eventually("every notice is sent", LEASE, || {
        let sent = stage.deliveries("rejected").iter().filter(|row| *row == "sent|playmobile").count();
        (sent == applications.len()).then_some(())
    });
    assert_eq!(stage.deliveries("rejected").len(), applications.len());
    for application in &applications {
        let ids: HashSet<String> = notices(&stage, &application.person, "rejected").into_iter().collect();
        assert_eq!(ids.len(), 1, "one name, however often it was handed over: {ids:?}");
    }
}

/// The names under which the notices of a person were handed over.
fn notices(stage: &Stage, person: &Person, template: &str) -> Vec<String> {
    let start = match template {
        "rejected" => "Muhr: arizangiz rad",
        other => panic!("what does {other} begin with?"),
    };
    let taken = stage.playmobile.taken_for(&person.phone);
    taken.into_iter().filter(|taken| taken.text.starts_with(start)).map(|taken| taken.id).collect()
}

fn at_night_codes_are_sent_and_notices_wait_for_the_morning(database: Database) {
    let now: i64 = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as i64;
    let hour = (now / 3600 + 5) % 24;
    let (from, until) = (hour.to_string(), ((hour + 2) % 24).to_string());
    let night = [("SMS__QUIET_FROM_HOUR", from.as_str()), ("SMS__QUIET_UNTIL_HOUR", &until)];
    let mut stage = Stage::new(database, &night);
    let application = stage.under_review();
    eventually("mail is not held", PATIENCE, || {
        let mail =
            "SELECT state FROM deliveries WHERE template = 'application-received' AND channel = 'mail'";
        (stage.stack.rows(mail) == ["sent"]).then_some(())
    });
    assert_eq!(stage.deliveries("application-received"), ["queued|"]);
    assert_eq!(stage.taken_for(&application.person).len(), 1, "the code");
    stage.stack.terminate(Role::All);
    stage.stack.set("CLOCK_OFFSET_SECONDS", "7200");
    stage.stack.run(Role::All);
    eventually("the morning has come", PATIENCE, || {
        (stage.deliveries("application-received") == ["sent|eskiz"]).then_some(())
    });
}

fn a_report_that_does_not_come_is_asked_for(database: Database) {
    let mut stage = Stage::new(database, &[]);
    let applicant = stage.confirmed();
    let message = stage.eskiz.taken_for(&applicant.person.phone)[0].clone();
    stage.eskiz.says(&message.id, "DELIVRD");
    stage.stack.terminate(Role::All);
    stage.stack.set("CLOCK_OFFSET_SECONDS", "301");
    stage.stack.run(Role::All);
    eventually("Eskiz was asked", PATIENCE, || {
        (stage.deliveries("code") == ["delivered|eskiz"]).then_some(())
    });
}

fn production_runs_with_real_gateways_and_nothing_of_the_sandbox(database: Database) {
    let mut stage = Stage::new(database, &[]);
    stage.stack.terminate(Role::All);
    for (key, value) in [
        ("ENVIRONMENT", "production"),
        ("KEYS__SCRYPT_PASSES", "5"),
        ("PUBLIC_URL", "https://muhr.example"),
        ("ISSUANCE__OCSP_URL", "http://muhr.example/ocsp"),
        ("ISSUANCE__REPOSITORY_URL", "http://muhr.example/repository"),
        ("OFFICERS__TOTP_REQUIRED", "true"),
        ("MAIL__PROVIDER", "smtp"),
        ("MAIL__SENDER", "muhr@muhr.example"),
        ("MAIL__SMTP__HOST", "mail.example"),
    ] {
        stage.stack.set(key, value);
    }
    // A CA that people are to trust is made before people.
    let folder = fresh_folder();
    fs::create_dir(folder.join("keys")).expect("our folder");
    let passphrase = "keys/passphrase";
    fs::copy(stage.stack.folder.join(passphrase), folder.join(passphrase)).expect("our folder");
    let empty = text(&folder.join("empty.sqlite"));
    let up = ["up", "--data", &text(&folder), "--database", &empty];
    stage.stack.muhr(&up).refused_with("run `muhr ca init`");
    assert!(!folder.join("keys/ca.key").exists());
    stage.stack.run(Role::Api);
    let applicant = Applicant::new(&stage.stack);
    applicant.client.get("/sandbox/messages").is(404);
    let captcha = applicant.client.post("/api/v1/captchas", &json!({})).json();
    let id = captcha["id"].as_str().expect("an id");
    // Nobody but the database tells what the picture says.
    let answer = stage.stack.rows(&format!("SELECT answer FROM captchas WHERE id = '{id}'"));
    let verification = applicant.ask_for_code_with(id, &answer[0]).is(202).json();
    let message = stage.arrived(&applicant);
    applicant.confirm(&verification, &code_in(&message.text)).is(200);
    assert!(
        message.callback.starts_with("https://muhr.example/callbacks/sms/eskiz/"),
        "{}",
        message.callback
    );
}
