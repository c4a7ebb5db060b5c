//! Mail to a server of other people's making, that has its bad days too.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::applicant::{Applicant, Application, SubjectType};
use crate::mail_server::{Dkim, MailServer, Tls};
use crate::officer::{Officer, pages};
use crate::stack::{Database, Role, eventually};

on_both_databases!(
    mail_arrives_encrypted_signed_in_two_forms_and_with_a_calendar,
    mail_that_is_put_off_comes_and_mail_that_is_refused_is_dead_at_once,
    a_mail_server_that_is_down_holds_up_no_text_message,
    no_mail_leaves_without_the_encryption_that_was_asked_for,
);

const PATIENCE: Duration = Duration::from_secs(30);

fn address(application: &Application) -> String {
    format!("applicant{}@example.uz", application.person.number)
}

fn mail_arrives_encrypted_signed_in_two_forms_and_with_a_calendar(database: Database) {
    let server = MailServer::start(Tls::Starttls, Some(Dkim::Rsa), "");
    let stack = database.start_with(&server.settings());
    let application = Application::issued(&stack, SubjectType::LegalEntity);
    let to = address(&application);
    server.mail(&to, "Arizangiz koʻrib chiqilmoqda");
    server.mail(&to, "-hisob toʻlandi");
    let mail = server.mail(&to, "Sertifikatingiz tayyor");
    assert_eq!((&mail["tls"], &mail["login"], &mail["defects"]), (&json!(true), &json!("muhr"), &json!([])));
    assert_eq!(mail["dkim"], true, "{}", mail["headers"]);
    assert_eq!((&mail["from"], &mail["to"]), (&json!("muhr@muhr.example"), &json!([to])));
    assert_eq!(
        mail["types"],
        json!(["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar"])
    );
    let headers = &mail["headers"];
    assert_eq!(headers["from"], "Muhr <muhr@muhr.example>");
    assert_eq!(
        (&headers["auto-submitted"], &headers["content-language"]),
        (&json!("auto-generated"), &json!("uz"))
    );
    assert!(headers["message-id"].as_str().is_some_and(|id| id.ends_with("@muhr.example>")), "{headers}");
    assert!(headers["list-unsubscribe"].is_null(), "only reminders: {headers}");
    let [text, html] =
        ["text", "html"].map(|half| mail[half].as_str().expect("a half").replace("\r\n", "\n"));
    let sentence = "«Mening arizalarim» boʻlimidan oling.";
    assert!(text.starts_with("Assalomu alaykum!\n\nSertifikatingiz tayyor, "), "{text}");
    assert!(text.contains(sentence) && html.contains(sentence), "{text}{html}");
    assert!(
        html.contains("<html lang=\"uz\">") && html.contains(&format!("<a href=\"{}\">", stack.base)),
        "{html}"
    );

    let view = application.view();
    let event = &mail["attachments"][0]["event"];
    let not_after = view["certificate"]["not_after"].as_str().expect("a time");
    assert_eq!(event["start"], not_after.replace('Z', "+00:00"), "{mail}");
    assert_eq!(event["alarms"], json!([-30, -7, -1]));
    assert_eq!(event["uid"], format!("{}@muhr.example", application.serial()));
    assert!(!stack.log().contains(&to), "addresses are not logged");
    let sent = "SELECT DISTINCT state, gateway FROM deliveries WHERE channel = 'mail'";
    assert_eq!(stack.rows(sent), ["sent|smtp"]);
}

fn mail_that_is_put_off_comes_and_mail_that_is_refused_is_dead_at_once(database: Database) {
    let server =
        MailServer::start(Tls::Implicit, Some(Dkim::Ed25519), "accept,greylist,drop,deaf,accept,refuse");
    let stack = database.start_with(&server.settings());
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    let to = address(&application);
    eventually("the invoice is sent", PATIENCE, || {
        let row = "SELECT state FROM deliveries WHERE template = 'invoice' AND channel = 'mail'";
        (stack.rows(row) == ["sent"]).then_some(())
    });
    application.complete();
    // Put off, cut off in the middle, taken without a word, taken.
    eventually("it is sent", Duration::from_secs(45), || {
        let row = "SELECT state, attempts FROM deliveries WHERE template = 'paid' AND channel = 'mail'";
        (stack.rows(row) == ["sent|4"]).then_some(())
    });
    let twice = server.all(&to, "-hisob toʻlandi");
    assert_eq!(twice.len(), 2, "the server hung up instead of saying that it has it");
    assert!(twice.iter().all(|mail| mail["dkim"] == true), "{twice:?}");
    let names: HashSet<&str> =
        twice.iter().filter_map(|mail| mail["headers"]["message-id"].as_str()).collect();
    assert_eq!(names.len(), 1, "readers see that it is one mail");
    assert_eq!(twice[0]["headers"]["date"], twice[1]["headers"]["date"]);
    let texts = format!(
        "SELECT count(*) FROM sandbox_messages WHERE template = 'paid' AND recipient = '{}'",
        application.person.phone
    );
    assert_eq!(stack.rows(&texts), ["1"], "a failing mail repeats no SMS");

    application.submit().json();
    let officer = Officer::named(&stack, "admin");
    let dead = eventually("it is given up", PATIENCE, || {
        pages(&officer.client, "/api/v1/officer/messages?state=dead").into_iter().next()
    });
    assert_eq!((&dead["attempts"], &dead["channel"]), (&json!(1), &json!("mail")));
    assert_eq!((&dead["to"], &dead["last_error"]), (&json!("a***@example.uz"), &json!("smtp: 550")));
    let jobs = "SELECT state, last_error FROM jobs WHERE kind = 'send-mail'";
    assert_eq!(stack.rows(jobs), ["dead|smtp: 550"]);
    let resend = format!("/api/v1/officer/messages/{}/resend", dead["id"]);
    officer.client.post(&resend, &json!({})).is(200);
    let mail: Value = server.mail(&to, "Arizangiz koʻrib chiqilmoqda");
    assert!(!names.contains(mail["headers"]["message-id"].as_str().expect("a name")));
    assert!(pages(&officer.client, "/api/v1/officer/messages?state=dead").is_empty());
}

fn a_mail_server_that_is_down_holds_up_no_text_message(database: Database) {
    let server = MailServer::start(Tls::None, None, "");
    let settings = [server.settings(), vec![("MAIL__SMTP__PORT", "1")]].concat();
    let mut stack = database.start_with(&settings);
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    application.complete();
    let state = |channel: &str| {
        stack.rows(&format!("SELECT state FROM deliveries WHERE template = 'paid' AND channel = '{channel}'"))
    };
    eventually("the SMS is sent", PATIENCE, || (state("sms") == ["sent"]).then_some(()));
    assert_eq!(state("mail"), ["queued"]);
    stack.terminate(Role::All);
    let port = server.settings().into_iter().find(|(key, _)| *key == "MAIL__SMTP__PORT").expect("a port").1;
    stack.set("MAIL__SMTP__PORT", port);
    stack.run(Role::All);
    let mail = server.mail(&address(&application), "-hisob toʻlandi");
    assert_eq!((&mail["tls"], &mail["login"], &mail["dkim"]), (&json!(false), &Value::Null, &Value::Null));
}

fn no_mail_leaves_without_the_encryption_that_was_asked_for(database: Database) {
    let plain = MailServer::start(Tls::None, None, "");
    let strangers = MailServer::start(Tls::Starttls, None, "");
    for (server, setting) in [
        // It has no STARTTLS; it is certified by a CA that the system does not know.
        (&plain, ("MAIL__SMTP__TLS", "starttls")),
        (&strangers, ("MAIL__SMTP__CA_FILE", "")),
    ] {
        let stack = database.start_with(&[server.settings(), vec![setting]].concat());
        let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
        application.complete();
        let error = eventually("it has tried", PATIENCE, || {
            let query = "SELECT last_error FROM deliveries WHERE channel = 'mail' AND last_error IS NOT NULL";
            stack.rows(query).into_iter().next()
        });
        assert!(error.starts_with("smtp: "), "{error}");
        assert_eq!(stack.rows("SELECT DISTINCT state FROM deliveries WHERE channel = 'mail'"), ["queued"]);
        assert!(server.taken().is_empty());
    }
}
