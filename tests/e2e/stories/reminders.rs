//! A certificate's end is told 30, 7 and 1 days before, each once.

use std::time::Duration;

use serde_json::json;

use crate::applicant::{Application, SubjectType};
use crate::mail_server::{MailServer, Tls};
use crate::officer::Officer;
use crate::stack::{Database, Stack, eventually};

on_both_databases!(the_end_of_a_certificate_is_told_once_for_each_day_that_was_not_slept_through);

const PATIENCE: Duration = Duration::from_secs(20);
const DAY: i64 = 86_400;

/// `channel|state` of the reminders of so many days.
fn reminders(stack: &Stack, days: u32) -> Vec<String> {
    stack.rows(&format!(
        "SELECT channel, state FROM deliveries WHERE fact LIKE 'expiring-{days}:certificate:%' ORDER BY channel"
    ))
}

fn the_end_of_a_certificate_is_told_once_for_each_day_that_was_not_slept_through(database: Database) {
    let server = MailServer::start(Tls::None, None, "");
    let mut stack = database.start_with(&server.settings());
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let revoked = Application::issued(&stack, SubjectType::NaturalPerson);
    Officer::revocation(&stack).revoke(&revoked.serial(), "superseded").json_or_empty();
    let to = format!("applicant{}@example.uz", application.person.number);

    stack.travel(330 * DAY);
    std::thread::sleep(Duration::from_secs(2));
    assert!(reminders(&stack, 30).is_empty(), "35 days are left");
    stack.travel(337 * DAY);
    let both = ["mail|sent", "sms|sent"];
    eventually("30 days before", PATIENCE, || (reminders(&stack, 30) == both).then_some(()));
    let mail = server.mail(&to, "gacha amal qiladi");
    assert_eq!(mail["attachments"][0]["event"]["alarms"], json!([-30, -7, -1]));
    let headers = &mail["headers"];
    assert_eq!(headers["list-unsubscribe-post"], "List-Unsubscribe=One-Click");
    let link = headers["list-unsubscribe"].as_str().expect("a link").trim_matches(['<', '>']).to_owned();
    assert!(mail["text"].as_str().is_some_and(|text| text.contains(&link)), "{mail}");

    // Looking at the link does nothing yet; asking does.
    let page = stack.anybody().get(&link).is(200).text();
    assert!(page.contains("<form method=\"post\">"), "{page}");
    assert_eq!(stack.rows("SELECT count(*) FROM mail_opt_outs"), ["0"]);
    let one_click = "List-Unsubscribe=One-Click";
    for _ in 0..2 {
        stack.anybody().post_raw(&link, "application/x-www-form-urlencoded", one_click).is(200);
    }
    assert_eq!(stack.rows("SELECT count(*) FROM mail_opt_outs"), ["1"]);
    let forged = format!("{}{}", &link[..link.len() - 1], if link.ends_with('0') { '1' } else { '0' });
    stack
        .anybody()
        .post_raw(&forged, "application/x-www-form-urlencoded", one_click)
        .problem(404, "not-found");

    // The seventh day passes while nothing runs.
    stack.travel(365 * DAY - DAY / 2);
    eventually("a day before", PATIENCE, || (reminders(&stack, 1) == ["sms|sent"]).then_some(()));
    stack.travel(365 * DAY - DAY / 2 + 120);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(reminders(&stack, 30), both);
    assert!(reminders(&stack, 7).is_empty());
    assert_eq!(reminders(&stack, 1), ["sms|sent"]);
    let phone = &application.person.phone;
    let texts = format!(
        "SELECT count(*) FROM sandbox_messages WHERE template = 'expiring' AND recipient = '{phone}'"
    );
    assert_eq!(stack.rows(&texts), ["2"]);
    assert_eq!(server.all(&to, "gacha amal qiladi").len(), 1);
}
