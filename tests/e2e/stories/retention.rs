//! What has been kept long enough is erased, and it is seen that it is gone.

use std::time::Duration;

use serde_json::Value;

use crate::applicant::{Application, SubjectType};
use crate::auditor;
use crate::officer::{Officer, pages};
use crate::stack::{Database, Role, Stack, eventually};

on_both_databases!(
    evidence_goes_when_its_time_has_come_and_not_before,
    a_look_at_evidence_that_is_not_under_review_needs_a_reason,
);

const DAY: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(20);

fn objects(stack: &Stack, id: &str) -> Vec<String> {
    stack.rows(&format!("SELECT object_key FROM documents WHERE application_id = '{id}'"))
}

fn is_erased(stack: &Stack, id: &str) -> bool {
    stack.rows(&format!(
        "SELECT count(*) FROM data_keys WHERE application_id = '{id}' AND erased_at IS NOT NULL"
    )) == ["1"]
}

fn entries(stack: &Stack, object: &str, action: &str) -> Vec<Value> {
    let rows = stack.rows(&format!(
        "SELECT details FROM audit_entries WHERE object = '{object}' AND action = '{action}' ORDER BY id"
    ));
    rows.iter().map(|row| serde_json::from_str(row).expect("JSON")).collect()
}

fn evidence_goes_when_its_time_has_come_and_not_before(database: Database) {
    let mut stack =
        database.start_with(&[("RETENTION__REFUSED_DAYS", "30"), ("RETENTION__AFTER_END_YEARS", "1")]);
    let issued = Application::issued(&stack, SubjectType::NaturalPerson);
    let waiting = Application::under_review(&stack, SubjectType::NaturalPerson);
    let refused = Application::under_review(&stack, SubjectType::NaturalPerson);
    Officer::reviewer(&stack).reject(&refused.id, "photo-unclear", "no face").json();
    let hashes: Vec<String> = stack
        .rows(&format!("SELECT sha256 FROM documents WHERE application_id = '{}' ORDER BY kind", refused.id));
    let (kept, gone) = (objects(&stack, &issued.id), objects(&stack, &refused.id));
    assert_eq!((kept.len(), gone.len(), hashes.len()), (2, 2, 2));
    stack.rows("UPDATE refunds SET state = 'done', way = 'cash', executed_at = 1, done_at = 1, receipt_number = 'x', \
                executed_by = 'reviewer', reason = 'x'");

    stack.travel(29 * DAY);
    std::thread::sleep(Duration::from_secs(2));
    assert!(!is_erased(&stack, &refused.id), "a day is left");
    stack.travel(31 * DAY);
    eventually("the refused one is erased", PATIENCE, || is_erased(&stack, &refused.id).then_some(()));
    for object in &gone {
        assert!(!stack.folder.join("documents").join(object).exists(), "{object} is still there");
    }
    let row = format!(
        "SELECT phone, pinfl, common_name, subject, purpose, coalesce(email, '-') FROM applications WHERE id = '{}'",
        refused.id
    );
    assert_eq!(stack.rows(&row), ["|||||-"]);
    let erased = entries(&stack, &format!("application:{}", refused.id), "evidence.erase");
    assert_eq!(erased.len(), 1);
    let listed = erased[0]["documents"].as_array().expect("a list");
    assert_eq!(listed.iter().map(|document| &document["kind"]).collect::<Vec<_>>(), ["photo", "selfie"]);
    assert!(listed.iter().all(|document| document["sha256"].as_str().is_some_and(|hash| hash.len() == 64)));
    assert!(!is_erased(&stack, &waiting.id) && !is_erased(&stack, &issued.id));
    stack.muhr(&["evidence", "verify"]).well();
    auditor::finds_nothing(&stack);

    // A year of validity, and a year after it.
    stack.terminate(Role::All);
    stack.set("CLOCK_OFFSET_SECONDS", &(366 * 2 * DAY).to_string());
    stack.muhr(&["crl", "now", "--issuer", "root"]).well();
    stack.run(Role::All);
    eventually("the issued one is erased", PATIENCE, || is_erased(&stack, &issued.id).then_some(()));
    for object in &kept {
        assert!(!stack.folder.join("documents").join(object).exists(), "{object} is still there");
    }
    let row =
        format!("SELECT phone, coalesce(email, '-'), pinfl FROM applications WHERE id = '{}'", issued.id);
    assert_eq!(stack.rows(&row), [format!("|-|{}", issued.person.pinfl)]);
    assert_eq!(entries(&stack, &format!("application:{}", issued.id), "evidence.erase").len(), 1);
    let said = stack.muhr(&["evidence", "verify"]).well();
    assert!(said.out.contains("0 findings"), "{}", said.out);
    auditor::finds_nothing(&stack);

    // A file that comes back, and a row.
    stack.rows(&format!("UPDATE applications SET phone = '+998901234567' WHERE id = '{}'", refused.id));
    let said = stack.muhr(&["evidence", "verify"]);
    assert!(
        !said.success && said.out.contains(&format!("application:{}: it was erased", refused.id)),
        "{}",
        said.all()
    );
}

fn a_look_at_evidence_that_is_not_under_review_needs_a_reason(database: Database) {
    let stack = database.shared();
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let path = format!("/api/v1/officer/applications/{}/documents/photo", application.id);
    let (reviewer, auditor) = (Officer::reviewer(&stack).client, Officer::named(&stack, "auditor").client);
    reviewer.get(&path).is(200);
    auditor.get(&path).problem(422, "invalid-fields");
    auditor.get(&format!("{path}?reason=curiosity")).problem(422, "invalid-fields");
    auditor.get(&format!("{path}?reason=inspection")).is(200);
    Officer::reviewer(&stack).approve(&application.id).json();
    application.wait_until("issued");
    reviewer.get(&path).problem(422, "invalid-fields");
    reviewer.get(&format!("{path}?reason=complaint")).is(200);
    let looks = entries(&stack, &format!("application:{}", application.id), "evidence.view");
    let reasons: Vec<&Value> = looks.iter().map(|look| &look["reason"]).collect();
    assert_eq!(reasons, ["review", "inspection", "complaint"]);
    let seen = pages(&auditor, "/api/v1/officer/audit");
    assert!(seen.iter().any(|entry| entry["action"] == "evidence.view"
        && entry["actor"] == "officer:auditor"
        && entry["details"]["reason"] == "inspection"));
}
