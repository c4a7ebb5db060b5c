//! What is owed back goes back once, by the way an officer chose.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::officer::{Officer, pages};
use crate::payments::{Bank, Click, Due, Payme, Paynet, ledger_holds, merchant, shared};
use crate::person::next_number;
use crate::stack::{Database, Stack, eventually};

on_both_databases!(
    what_a_rejected_applicant_paid_through_click_goes_back_through_click,
    what_a_withdrawn_applicant_paid_through_payme_goes_back_when_payme_cancels,
    payme_and_paynet_take_back_what_is_due_without_being_asked,
    payme_takes_back_what_was_paid_for_a_draft,
    money_given_back_by_hand_is_given_back_at_once,
    what_click_does_not_give_back_is_due_again,
    what_payme_does_not_give_back_is_taken_out_of_its_hands,
    a_reversal_whose_answer_was_lost_is_not_made_twice,
    nobody_gives_back_the_cash_they_took,
    of_twenty_executions_at_once_one_gives_the_money_back,
    only_those_who_may_give_money_back_do,
    an_application_that_goes_on_owes_nothing,
);

/// A call that failed is made again, later each time.
const PATIENCE: Duration = Duration::from_secs(60);
const GIVEN_BACK: [&str; 4] = ["charge", "payment", "refund-due", "refund"];
const OWED: [&str; 3] = ["charge", "payment", "refund-due"];

/// The refund of this invoice in a state, or nothing.
fn refund(officer: &Officer, due: &Due, state: &str) -> Option<Value> {
    let items = pages(&officer.client, &format!("/api/v1/officer/refunds?state={state}"));
    let mut own = items.into_iter().filter(|item| item["invoice"]["id"] == due.id.as_str());
    let found = own.next();
    assert!(own.next().is_none(), "two refunds of {}", due.number);
    found
}

#[track_caller]
fn in_state(officer: &Officer, due: &Due, state: &str) -> Value {
    eventually(&format!("the refund of {} is {state}", due.number), PATIENCE, || refund(officer, due, state))
}

fn post(officer: &Officer, refund: &Value, verb: &str, body: &Value) -> Answer {
    let id = refund["id"].as_str().unwrap_or_else(|| panic!("no id in {refund}"));
    officer.client.post(&format!("/api/v1/officer/refunds/{id}/{verb}"), body)
}

fn by_provider(officer: &Officer, refund: &Value) -> Answer {
    post(officer, refund, "execution", &json!({"way": "provider", "reason": "ariza rad etildi"}))
}

fn by_hand(officer: &Officer, refund: &Value, way: &str) -> Answer {
    let number = format!("RKO-{:06}", next_number());
    let body = json!({"way": way, "reason": "ariza rad etildi", "receipt_number": number});
    post(officer, refund, "execution", &body)
}

#[track_caller]
fn was_given_back(stack: &Stack, due: &Due) {
    eventually(&format!("{} is refunded", due.number), PATIENCE, || {
        (due.state(stack) == "refunded").then_some(())
    });
    due.is_booked(stack, &GIVEN_BACK);
    let rows = format!("SELECT state, amount_tiyin FROM refunds WHERE invoice_id = '{}'", due.id);
    assert_eq!(stack.rows(&rows), [format!("done|{}", due.amount)]);
}

fn submitted_and_rejected(stack: &Stack, due: &Due) {
    due.application.submit().json();
    Officer::reviewer(stack)
        .reject(&due.application.id, "identity-mismatch", "Pasport boshqa shaxsniki")
        .json();
}

fn what_a_rejected_applicant_paid_through_click_goes_back_through_click(database: Database) {
    let (stack, merchant) = (shared(database), merchant(database));
    let admin = Officer::named(&stack, "admin");
    let due = Due::fresh(&stack).with_papers();
    let trans = Click::new(&stack).pays(&due.number, due.amount);
    assert_eq!(refund(&admin, &due, "due"), None);
    submitted_and_rejected(&stack, &due);
    let owed = in_state(&admin, &due, "due");
    for (member, expected) in [
        ("application", json!(due.application.id)),
        ("provider", json!("click")),
        ("amount_tiyin", json!(due.amount)),
        ("state", json!("due")),
        ("cause", json!("rejected")),
    ] {
        assert_eq!(owed[member], expected, "{member} in {owed}");
    }
    assert!(owed["due_at"].is_string(), "{owed}");
    assert_eq!(owed["invoice"]["number"], due.number.as_str(), "{owed}");
    due.is_booked(&stack, &OWED);
    assert_eq!(
        (due.state(&stack).as_str(), merchant.reversals(trans.paydoc)),
        ("paid", 0),
        "owed, not returned"
    );
    let executing = by_provider(&admin, &owed).is(200).json();
    assert!([json!("executing"), json!("done")].contains(&executing["state"]), "{executing}");
    was_given_back(&stack, &due);
    in_state(&admin, &due, "done");
    assert_eq!(merchant.reversals(trans.paydoc), 1);
    by_provider(&admin, &owed).problem(409, "refund-not-due");
    by_hand(&admin, &owed, "cash").problem(409, "refund-not-due");
    post(&admin, &owed, "abandonment", &json!({"reason": "kech"})).is(409);
    was_given_back(&stack, &due);
    assert_eq!(merchant.reversals(trans.paydoc), 1);
    merchant.was_always_authorized();
    ledger_holds(&stack);
}

fn what_a_withdrawn_applicant_paid_through_payme_goes_back_when_payme_cancels(database: Database) {
    let stack = shared(database);
    let registrar = Officer::named(&stack, "registrar");
    let due = Due::fresh(&stack).with_papers();
    let payme = Payme::new(&stack);
    let receipt = payme.pays(&due.number, due.amount);
    due.application.submit().json();
    payme.cancel(&receipt, 5).refused(-31_007);
    due.application.withdraw().json_or_empty();
    let owed = in_state(&registrar, &due, "due");
    assert_eq!((&owed["provider"], &owed["cause"]), (&json!("payme"), &json!("withdrawn")), "{owed}");
    assert_eq!(by_provider(&registrar, &owed).is(200).json()["state"], "executing");
    assert_eq!(due.state(&stack), "paid", "Payme has not said yet that the money is back");
    due.is_booked(&stack, &OWED);
    by_provider(&registrar, &owed).problem(409, "refund-not-due");
    let cancelled = payme.cancel(&receipt, 5).well();
    assert_eq!(cancelled["state"], -2, "{cancelled}");
    was_given_back(&stack, &due);
    assert_eq!(payme.cancel(&receipt, 5).well(), cancelled);
    let check = payme.check(&receipt).well();
    assert_eq!((&check["state"], &check["reason"]), (&json!(-2), &json!(5)), "{check}");
    assert_ne!(check["perform_time"], 0, "it was performed all the same: {check}");
    payme.perform(&receipt).refused(-31_008);
    was_given_back(&stack, &due);
    ledger_holds(&stack);
}

fn payme_and_paynet_take_back_what_is_due_without_being_asked(database: Database) {
    let stack = shared(database);
    let admin = Officer::named(&stack, "admin");
    let [first, second] = [(); 2].map(|()| Due::fresh(&stack).with_papers());
    let (payme, paynet) = (Payme::new(&stack), Paynet::new(&stack));
    let receipt = payme.pays(&first.number, first.amount);
    let transaction = paynet.pays(&second.number, second.amount);
    for due in [&first, &second] {
        submitted_and_rejected(&stack, due);
        in_state(&admin, due, "due");
    }
    assert_eq!(payme.cancel(&receipt, 5).well()["state"], -2);
    assert_eq!(paynet.cancel(transaction).well()["transactionState"], 2);
    for due in [&first, &second] {
        was_given_back(&stack, due);
        let done = in_state(&admin, due, "done");
        by_hand(&admin, &done, "cash").problem(409, "refund-not-due");
    }
    ledger_holds(&stack);
}

fn payme_takes_back_what_was_paid_for_a_draft(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let payme = Payme::new(&stack);
    let receipt = payme.pays(&due.number, due.amount);
    let cancelled = payme.cancel(&receipt, 5).well();
    assert_eq!(cancelled["state"], -2, "{cancelled}");
    assert_eq!(payme.cancel(&receipt, 5).well(), cancelled);
    was_given_back(&stack, &due);
    due.application.submit().problem(409, "submission-incomplete");
    ledger_holds(&stack);
}

fn money_given_back_by_hand_is_given_back_at_once(database: Database) {
    let stack = shared(database);
    let admin = Officer::named(&stack, "admin");
    let bank = Bank::new(&stack);
    for way in ["cash", "bank-transfer"] {
        let due = Due::fresh(&stack).with_papers();
        bank.pays(&due.number, due.amount);
        submitted_and_rejected(&stack, &due);
        let owed = in_state(&admin, &due, "due");
        let without_receipt = json!({"way": way, "reason": "ariza rad etildi"});
        post(&admin, &owed, "execution", &without_receipt).names("/receipt_number");
        let without_reason = json!({"way": way, "receipt_number": "RKO-1"});
        post(&admin, &owed, "execution", &without_reason).names("/reason");
        let unknown_way = json!({"way": "cheque", "reason": "x", "receipt_number": "RKO-1"});
        post(&admin, &owed, "execution", &unknown_way).names("/way");
        due.is_booked(&stack, &OWED);
        assert_eq!(by_hand(&admin, &owed, way).is(200).json()["state"], "done");
        was_given_back(&stack, &due);
        by_hand(&admin, &owed, way).problem(409, "refund-not-due");
        by_provider(&admin, &owed).problem(409, "refund-not-due");
    }
    let nothing = json!({"id": "00000000-0000-7000-8000-000000000000"});
    by_hand(&admin, &nothing, "cash").problem(404, "not-found");
    ledger_holds(&stack);
}

fn what_click_does_not_give_back_is_due_again(database: Database) {
    let (stack, merchant) = (shared(database), merchant(database));
    let admin = Officer::named(&stack, "admin");
    let due = Due::fresh(&stack).with_papers();
    let trans = Click::new(&stack).pays(&due.number, due.amount);
    submitted_and_rejected(&stack, &due);
    merchant.keeps(trans.paydoc, -17);
    let owed = in_state(&admin, &due, "due");
    post(&admin, &owed, "abandonment", &json!({"reason": "hali boshlanmagan"}))
        .problem(409, "refund-not-due");
    assert_eq!(by_provider(&admin, &owed).is(200).json()["state"], "executing");
    // CLICK says no: by itself, or by an officer who has waited, the debt is due again, and nothing went back.
    thread::sleep(Duration::from_secs(3));
    if let Some(executing) = refund(&admin, &due, "executing") {
        post(&admin, &executing, "abandonment", &json!({"reason": "CLICK qaytarmadi"})).is(200);
    }
    let again = in_state(&admin, &due, "due");
    assert_eq!(again["id"], owed["id"], "the same debt");
    due.is_booked(&stack, &OWED);
    assert_eq!(by_hand(&admin, &again, "bank-transfer").is(200).json()["state"], "done");
    was_given_back(&stack, &due);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(merchant.reversals(trans.paydoc), 0, "what was given back by hand is not asked of CLICK");
    ledger_holds(&stack);
}

fn what_payme_does_not_give_back_is_taken_out_of_its_hands(database: Database) {
    let stack = shared(database);
    let admin = Officer::named(&stack, "admin");
    let due = Due::fresh(&stack).with_papers();
    let payme = Payme::new(&stack);
    let receipt = payme.pays(&due.number, due.amount);
    submitted_and_rejected(&stack, &due);
    let owed = in_state(&admin, &due, "due");
    assert_eq!(by_provider(&admin, &owed).is(200).json()["state"], "executing");
    by_hand(&admin, &owed, "cash").problem(409, "refund-not-due");
    post(&admin, &owed, "abandonment", &json!({})).names("/reason");
    let abandoned = post(&admin, &owed, "abandonment", &json!({"reason": "Payme qaytarmadi"})).is(200).json();
    assert_eq!((&abandoned["id"], &abandoned["state"]), (&owed["id"], &json!("due")), "{abandoned}");
    due.is_booked(&stack, &OWED);
    assert_eq!(by_hand(&admin, &owed, "cash").is(200).json()["state"], "done");
    was_given_back(&stack, &due);
    // Payme comes too late.
    payme.cancel(&receipt, 5).refused(-31_007);
    assert_eq!(payme.check(&receipt).well()["state"], 2);
    was_given_back(&stack, &due);
    ledger_holds(&stack);
}

fn a_reversal_whose_answer_was_lost_is_not_made_twice(database: Database) {
    let (stack, merchant) = (shared(database), merchant(database));
    let admin = Officer::named(&stack, "admin");
    let due = Due::fresh(&stack).with_papers();
    let trans = Click::new(&stack).pays(&due.number, due.amount);
    submitted_and_rejected(&stack, &due);
    merchant.says_nothing_of(trans.paydoc);
    let owed = in_state(&admin, &due, "due");
    by_provider(&admin, &owed).is(200);
    was_given_back(&stack, &due);
    assert_eq!(merchant.reversals(trans.paydoc), 1);
    ledger_holds(&stack);
}

fn nobody_gives_back_the_cash_they_took(database: Database) {
    let stack = shared(database);
    let [registrar, admin] = ["registrar", "admin"].map(|login| Officer::named(&stack, login));
    let due = Due::fresh(&stack).with_papers();
    let path = format!("/api/v1/officer/applications/{}/payment", due.application.id);
    let receipt = format!("KV-{:06}", next_number());
    let recorded =
        registrar.client.post(&path, &json!({"way": "cash", "receipt_number": receipt})).is(201).json();
    let id = recorded["id"].as_str().map_or_else(|| recorded["id"].to_string(), str::to_owned);
    let confirmation = format!("/api/v1/officer/payments/{id}/confirmation");
    Officer::reviewer(&stack).client.post(&confirmation, &json!({})).is(200);
    due.is_paid_by(&stack, "cash");
    submitted_and_rejected(&stack, &due);
    let owed = in_state(&admin, &due, "due");
    for way in ["cash", "bank-transfer"] {
        let refused = by_hand(&registrar, &owed, way);
        assert_eq!(refused.status, 403, "{}", refused.text());
    }
    due.is_booked(&stack, &OWED);
    assert_eq!(by_hand(&admin, &owed, "cash").is(200).json()["state"], "done");
    was_given_back(&stack, &due);
    ledger_holds(&stack);
}

fn of_twenty_executions_at_once_one_gives_the_money_back(database: Database) {
    const MANY: usize = 20;
    let (stack, merchant) = (shared(database), merchant(database));
    let officers = ["admin", "registrar"].map(|login| Officer::named(&stack, login));
    let click = Click::new(&stack);
    for by_hand_too in [false, true] {
        let due = Due::fresh(&stack).with_papers();
        let trans = click.pays(&due.number, due.amount);
        submitted_and_rejected(&stack, &due);
        let owed = in_state(&officers[0], &due, "due");
        let start = Barrier::new(MANY);
        let answers: Vec<(usize, u16)> = thread::scope(|scope| {
            let (start, officers, owed) = (&start, &officers, &owed);
            let run = |n: usize| {
                scope.spawn(move || {
                    start.wait();
                    let officer = &officers[n % 2];
                    let answer = match n % 3 {
                        0 if by_hand_too => by_hand(officer, owed, "cash"),
                        1 if by_hand_too => by_hand(officer, owed, "bank-transfer"),
                        _ => by_provider(officer, owed),
                    };
                    (n, answer.status)
                })
            };
            let runs: Vec<_> = (0..MANY).map(run).collect();
            runs.into_iter().map(|run| run.join().expect("no panic")).collect()
        });
        let winners: Vec<usize> =
            answers.iter().filter(|(_, status)| *status == 200).map(|(n, _)| *n).collect();
        let [winner] = winners[..] else { panic!("{answers:?}") };
        assert!(answers.iter().all(|(_, status)| [200, 409].contains(status)), "{answers:?}");
        was_given_back(&stack, &due);
        // Whatever was asked of CLICK would have come by now.
        thread::sleep(Duration::from_secs(1));
        let through_click = !by_hand_too || winner % 3 == 2;
        assert_eq!(merchant.reversals(trans.paydoc), usize::from(through_click), "the winner was {winner}");
    }
    ledger_holds(&stack);
}

fn only_those_who_may_give_money_back_do(database: Database) {
    let stack = shared(database);
    let admin = Officer::named(&stack, "admin");
    let due = Due::fresh(&stack).with_papers();
    Bank::new(&stack).pays(&due.number, due.amount);
    submitted_and_rejected(&stack, &due);
    let owed = in_state(&admin, &due, "due");
    for login in ["reviewer", "revocation", "auditor"] {
        let officer = Officer::named(&stack, login);
        by_hand(&officer, &owed, "cash").problem(403, "forbidden");
        by_provider(&officer, &owed).problem(403, "forbidden");
    }
    let stranger = Officer::pretending(&stack, stack.anybody());
    by_hand(&stranger, &owed, "cash").problem(401, "unauthenticated");
    let applicant = Officer::pretending(&stack, due.application.client.clone());
    let refused = by_hand(&applicant, &owed, "cash");
    assert!([401, 403].contains(&refused.status), "{}", refused.text());
    due.is_booked(&stack, &OWED);
    by_hand(&admin, &owed, "cash").is(200);
    was_given_back(&stack, &due);
}

fn an_application_that_goes_on_owes_nothing(database: Database) {
    let stack = shared(database);
    let (admin, reviewer) = (Officer::named(&stack, "admin"), Officer::reviewer(&stack));
    let due = Due::fresh(&stack).with_papers();
    Paynet::new(&stack).pays(&due.number, due.amount);
    due.application.submit().json();
    reviewer.hand_back(&due.application.id, "photo-unclear", "Yuz koʻrinmayapti").json();
    assert_eq!(refund(&admin, &due, "due"), None);
    due.application.submit().json();
    reviewer.approve(&due.application.id).json();
    due.application.wait_until("issued");
    for state in ["due", "executing", "done"] {
        assert_eq!(refund(&admin, &due, state), None);
    }
    due.is_paid_by(&stack, "paynet");
    // Nobody paid, nothing is owed.
    let unpaid = Due::fresh(&stack);
    unpaid.application.withdraw().json_or_empty();
    assert_eq!(refund(&admin, &unpaid, "due"), None);
    unpaid.is_booked(&stack, &["charge", "release"]);
}
