//! Payments at the counter and by bank transfer: one officer records, another confirms.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::officer::{Officer, pages};
use crate::payments::{Bank, Click, Due, Report, Trans, ledger_holds, shared};
use crate::person::next_number;
use crate::stack::{Database, Stack};

on_both_databases!(
    cash_recorded_by_one_officer_is_paid_when_another_confirms,
    a_bank_transfer_is_recorded_and_confirmed_like_cash,
    nobody_confirms_a_payment_they_recorded,
    a_receipt_pays_once,
    a_cancelled_record_leaves_the_invoice_to_others,
    what_is_being_paid_or_paid_is_not_recorded_again,
    only_those_who_may_record_and_confirm_do,
    a_record_that_says_too_little_is_refused_by_the_field,
    of_many_records_and_confirmations_at_once_one_wins,
);

fn receipt() -> String {
    format!("KV-{:06}", next_number())
}

fn record(officer: &Officer, due: &Due, way: &str, receipt: &str) -> Answer {
    let path = format!("/api/v1/officer/applications/{}/payment", due.application.id);
    officer.client.post(&path, &json!({"way": way, "receipt_number": receipt}))
}

fn confirm(officer: &Officer, payment: &Value) -> Answer {
    officer.client.post(&path(payment, "confirmation"), &json!({}))
}

fn cancel(officer: &Officer, payment: &Value) -> Answer {
    officer.client.post(&path(payment, "cancellation"), &json!({"reason": "xato kiritilgan"}))
}

fn path(payment: &Value, verb: &str) -> String {
    let id = match &payment["id"] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => panic!("no id in {payment}"),
    };
    format!("/api/v1/officer/payments/{id}/{verb}")
}

/// Is the record among those that wait for a second officer?
fn waits(officer: &Officer, payment: &Value) -> bool {
    let waiting = pages(&officer.client, "/api/v1/officer/payments?state=created");
    waiting.iter().any(|known| known["id"] == payment["id"])
}

fn officers(stack: &Stack) -> [Officer<'_>; 2] {
    ["registrar", "reviewer"].map(|login| Officer::named(stack, login))
}

fn cash_recorded_by_one_officer_is_paid_when_another_confirms(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let [registrar, reviewer] = officers(&stack);
    let number = receipt();
    let recorded = record(&registrar, &due, "cash", &number).is(201).json();
    for (member, expected) in [
        ("way", json!("cash")),
        ("receipt_number", json!(number)),
        ("state", json!("created")),
        ("amount_tiyin", json!(due.amount)),
        ("recorded_by", json!("registrar")),
    ] {
        assert_eq!(recorded[member], expected, "{member} in {recorded}");
    }
    let invoice = [&recorded["invoice"]["id"], &recorded["invoice"]["number"]];
    assert_eq!(invoice, [due.id.as_str(), due.number.as_str()], "{recorded}");
    assert!(recorded["recorded_at"].is_string(), "{recorded}");
    due.is_unpaid(&stack);
    due.application.submit().problem(409, "submission-incomplete");
    assert!(waits(&reviewer, &recorded));

    let confirmed = confirm(&reviewer, &recorded).is(200).json();
    assert_eq!((&confirmed["id"], &confirmed["state"]), (&recorded["id"], &json!("performed")));
    assert_eq!(confirm(&reviewer, &recorded).is(200).json(), confirmed, "again, the same");
    assert!(!waits(&reviewer, &recorded));
    due.is_paid_by(&stack, "cash");
    cancel(&registrar, &recorded).problem(409, "payment-not-open");
    due.is_paid_by(&stack, "cash");
    due.application.submit().json();
    reviewer.approve(&due.application.id).json();
    due.application.wait_until("issued");
    ledger_holds(&stack);
}

fn a_bank_transfer_is_recorded_and_confirmed_like_cash(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let [registrar, _] = officers(&stack);
    let recorded = record(&Officer::named(&stack, "admin"), &due, "bank-transfer", &receipt()).is(201).json();
    assert_eq!((&recorded["way"], &recorded["recorded_by"]), (&json!("bank-transfer"), &json!("admin")));
    assert_eq!(confirm(&registrar, &recorded).is(200).json()["state"], "performed");
    due.is_paid_by(&stack, "bank-transfer");
}

fn nobody_confirms_a_payment_they_recorded(database: Database) {
    let stack = shared(database);
    let [registrar, reviewer] = officers(&stack);
    let admin = Officer::named(&stack, "admin");
    for (one, another) in [(&registrar, &reviewer), (&admin, &registrar), (&registrar, &admin)] {
        let due = Due::fresh(&stack);
        let recorded = record(one, &due, "cash", &receipt()).is(201).json();
        confirm(one, &recorded).problem(403, "own-payment");
        due.is_unpaid(&stack);
        confirm(another, &recorded).is(200);
        due.is_paid_by(&stack, "cash");
    }
}

fn a_receipt_pays_once(database: Database) {
    let stack = shared(database);
    let [first, second, third] = [(); 3].map(|()| Due::fresh(&stack));
    let [registrar, reviewer] = officers(&stack);
    let number = receipt();
    let recorded = record(&registrar, &first, "cash", &number).is(201).json();
    record(&registrar, &second, "cash", &number).problem(409, "receipt-already-recorded");
    confirm(&reviewer, &recorded).is(200);
    record(&registrar, &second, "cash", &number).problem(409, "receipt-already-recorded");
    // The bank counts its papers by itself.
    record(&registrar, &third, "bank-transfer", &number).is(201);
    first.is_paid_by(&stack, "cash");
    second.is_unpaid(&stack);
    assert_eq!(second.live_payments(&stack), Vec::<String>::new());
}

fn a_cancelled_record_leaves_the_invoice_to_others(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let [registrar, reviewer] = officers(&stack);
    let recorded = record(&registrar, &due, "cash", &receipt()).is(201).json();
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    click.prepare(&trans).refused(-9);
    assert_eq!(cancel(&registrar, &recorded).is(200).json()["state"], "cancelled");
    confirm(&reviewer, &recorded).problem(409, "payment-not-open");
    assert!(!waits(&reviewer, &recorded));
    due.is_unpaid(&stack);
    let prepare_id = click.prepared(&trans);
    click.complete(&trans, prepare_id).well();
    due.is_paid_by(&stack, "click");
    let missing = json!({"id": 999_999_999});
    confirm(&reviewer, &missing).problem(404, "not-found");
    cancel(&registrar, &missing).problem(404, "not-found");
}

fn what_is_being_paid_or_paid_is_not_recorded_again(database: Database) {
    let stack = shared(database);
    let [held, paid, withdrawn] = [(); 3].map(|()| Due::fresh(&stack));
    let [registrar, reviewer] = officers(&stack);
    let recorded = record(&registrar, &held, "cash", &receipt()).is(201).json();
    record(&registrar, &held, "cash", &receipt()).problem(409, "invoice-not-payable");
    record(&registrar, &held, "bank-transfer", &receipt()).problem(409, "invoice-not-payable");
    let bank = Bank::new(&stack);
    let exchange = bank.report(&Report::of(&held.number, held.amount));
    assert_eq!(exchange.answer.status, 409, "{exchange}");
    confirm(&reviewer, &recorded).is(200);
    held.is_paid_by(&stack, "cash");
    bank.pays(&paid.number, paid.amount);
    record(&registrar, &paid, "cash", &receipt()).problem(409, "invoice-not-payable");
    paid.is_paid_by(&stack, "bank");
    withdrawn.application.withdraw().json_or_empty();
    let refused = record(&registrar, &withdrawn, "cash", &receipt());
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(withdrawn.live_payments(&stack), Vec::<String>::new());
}

fn only_those_who_may_record_and_confirm_do(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let [registrar, reviewer] = officers(&stack);
    for login in ["reviewer", "revocation", "auditor"] {
        record(&Officer::named(&stack, login), &due, "cash", &receipt()).problem(403, "forbidden");
    }
    let strangers = [(&due.application.client, &[401_u16, 403][..]), (&stack.anybody(), &[401_u16][..])];
    let recorded = record(&registrar, &due, "cash", &receipt()).is(201).json();
    for (client, expected) in strangers {
        let body = json!({"way": "cash", "receipt_number": receipt()});
        let refused =
            client.post(&format!("/api/v1/officer/applications/{}/payment", due.application.id), &body);
        assert!(expected.contains(&refused.status), "{}", refused.text());
        let refused = client.post(&path(&recorded, "confirmation"), &json!({}));
        assert!(expected.contains(&refused.status), "{}", refused.text());
        let refused = client.get("/api/v1/officer/payments?state=created");
        assert!(expected.contains(&refused.status), "{}", refused.text());
    }
    for login in ["revocation", "auditor"] {
        confirm(&Officer::named(&stack, login), &recorded).problem(403, "forbidden");
    }
    due.is_unpaid(&stack);
    confirm(&reviewer, &recorded).is(200);
    due.is_paid_by(&stack, "cash");
}

fn a_record_that_says_too_little_is_refused_by_the_field(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let [registrar, _] = officers(&stack);
    let post = |body: &Value| {
        let path = format!("/api/v1/officer/applications/{}/payment", due.application.id);
        registrar.client.post(&path, body)
    };
    post(&json!({"way": "barter", "receipt_number": receipt()})).names("/way");
    post(&json!({"way": "click", "receipt_number": receipt()})).names("/way");
    post(&json!({"receipt_number": receipt()})).names("/way");
    post(&json!({"way": "cash"})).names("/receipt_number");
    post(&json!({"way": "cash", "receipt_number": ""})).names("/receipt_number");
    post(&json!({"way": "cash", "receipt_number": "x".repeat(1000)})).names("/receipt_number");
    let nobody = "/api/v1/officer/applications/00000000-0000-7000-8000-000000000000/payment";
    let body = json!({"way": "cash", "receipt_number": receipt()});
    registrar.client.post(nobody, &body).problem(404, "not-found");
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
}

fn of_many_records_and_confirmations_at_once_one_wins(database: Database) {
    const MANY: usize = 10;
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let [registrar, reviewer] = officers(&stack);
    let start = Barrier::new(MANY);
    let recorded: Vec<Answer> = thread::scope(|scope| {
        let run = || {
            start.wait();
            record(&registrar, &due, "cash", &receipt())
        };
        let runs: Vec<_> = (0..MANY).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).collect()
    });
    let won: Vec<&Answer> = recorded.iter().filter(|answer| answer.status == 201).collect();
    let statuses: Vec<u16> = recorded.iter().map(|answer| answer.status).collect();
    assert_eq!(won.len(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let payment = won[0].json();
    // A confirmation and a cancellation meet: one of the two is true afterwards.
    let start = Barrier::new(2);
    let (confirmed, cancelled) = thread::scope(|scope| {
        let one = scope.spawn(|| {
            start.wait();
            confirm(&reviewer, &payment).status
        });
        let other = scope.spawn(|| {
            start.wait();
            cancel(&registrar, &payment).status
        });
        (one.join().expect("no panic"), other.join().expect("no panic"))
    });
    match (confirmed, cancelled) {
        (200, 409) => due.is_paid_by(&stack, "cash"),
        (409, 200) => due.is_unpaid(&stack),
        other => panic!("confirmation and cancellation were answered {other:?}"),
    }
    ledger_holds(&stack);
}
