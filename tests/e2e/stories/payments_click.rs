//! Payments through CLICK, as its SHOP-API makes them.

use std::time::Duration;

use serde_json::json;

use crate::officer::Officer;
use crate::payments::{
    ALREADY_PAID, Bank, Click, DAY, Due, Payme, Receipt, Trans, confirmed, ledger_holds, merchant, shared,
    start,
};
use crate::stack::{Database, eventually};

on_both_databases!(
    click_pays_and_the_certificate_is_issued,
    a_call_that_click_did_not_sign_changes_nothing,
    another_amount_is_refused_however_it_is_written,
    a_call_made_again_is_one_payment,
    complete_before_its_prepare_is_refused_and_after_it_taken,
    a_payment_that_failed_at_click_is_cancelled_for_good,
    an_invoice_that_is_being_paid_is_nobody_elses,
    what_cannot_be_paid_is_not_prepared,
    an_expired_invoice_is_refused_and_yesterdays_calls_pay_nothing_again,
    bad_forms_are_answered_and_break_nothing,
    click_shows_the_payer_a_bill_until_it_is_paid,
    a_bill_that_click_does_not_show_has_failed,
);

const BAD_SIGNATURE: i64 = -1;
const WRONG_AMOUNT: i64 = -2;
const UNKNOWN_ACTION: i64 = -3;
const UNKNOWN_INVOICE: i64 = -5;
const UNKNOWN_TRANSACTION: i64 = -6;
const BAD_REQUEST: i64 = -8;
const CANCELLED: i64 = -9;

const FORM: &str = "application/x-www-form-urlencoded";
const PATHS: [&str; 2] = ["/payments/click/prepare", "/payments/click/complete"];

/// CLICK is asked about a bill once a minute.
const PATIENCE: Duration = Duration::from_secs(100);

fn click_pays_and_the_certificate_is_issued(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    assert_eq!(trans.amount, "28840", "whole so'm");
    let prepare_id = click.prepared(&trans);
    due.is_unpaid(&stack);
    due.application.submit().problem(409, "submission-incomplete");
    let confirm_id = confirmed(&click.complete(&trans, prepare_id), &trans);
    assert!(prepare_id > 0 && confirm_id > 0);
    due.is_paid_by(&stack, "click");
    due.application.submit().json();
    Officer::reviewer(&stack).approve(&due.application.id).json();
    due.application.wait_until("issued");
    ledger_holds(&stack);
}

fn a_call_that_click_did_not_sign_changes_nothing(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    let signed = Click::prepare_form(&trans);
    let mut forged = vec![
        signed.clone().signed_with("another"),
        signed.clone().signed_with(""),
        signed.clone().with("sign_string", ""),
        signed.clone().with("sign_string", "0"),
        signed.clone().with("sign_string", &"0".repeat(32)),
        signed.clone().with("service_id", "47122").signed(),
    ];
    let altered = [
        ("click_trans_id", (trans.id + 1).to_string()),
        ("merchant_trans_id", other.number.clone()),
        ("amount", "28840.00".to_owned()),
        ("sign_time", "2026-01-01 00:00:00".to_owned()),
        ("service_id", "47122".to_owned()),
    ];
    forged.extend(altered.map(|(name, value)| signed.clone().with(name, &value)));
    for form in &forged {
        let exchange = click.send_prepare(form);
        let code = exchange.code();
        // A signature that is too short is none at all.
        assert!(
            code == BAD_SIGNATURE || code == BAD_REQUEST && form.get("sign_string").len() < 32,
            "{exchange}"
        );
    }
    let prepare_id = click.prepared(&trans);
    let signed = Click::complete_form(&trans, prepare_id, 0);
    for form in [
        signed.clone().signed_with("another"),
        signed.clone().with("merchant_prepare_id", &(prepare_id + 1).to_string()),
        signed.clone().with("sign_string", Click::prepare_form(&trans).get("sign_string")),
        signed.clone().with("amount", "1"),
    ] {
        click.send_complete(&form).refused(BAD_SIGNATURE);
    }
    due.is_unpaid(&stack);
    other.is_unpaid(&stack);
    assert_eq!(other.live_payments(&stack), Vec::<String>::new());
    confirmed(&click.complete(&trans, prepare_id), &trans);
    due.is_paid_by(&stack, "click");
}

fn another_amount_is_refused_however_it_is_written(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    for amount in ["28840.01", "28839.99", "28839", "28841", "2884", "2884000", "0", "0.01"] {
        click.prepare(&trans.with_amount(amount)).refused(WRONG_AMOUNT);
    }
    for amount in
        ["-28840", "28840.001", "2.884e4", "NaN", "inf", "28,840", "+", "0x70a8", "9".repeat(40).as_str()]
    {
        let exchange = click.prepare(&trans.with_amount(amount));
        assert!([WRONG_AMOUNT, BAD_REQUEST].contains(&exchange.code()), "{exchange}");
    }
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());

    let prepare_id = click.prepared(&trans.with_amount("28840.0"));
    click.complete(&trans.with_amount("28840.01"), prepare_id).refused(WRONG_AMOUNT);
    click.complete(&trans.with_amount("28839.99"), prepare_id).refused(WRONG_AMOUNT);
    due.is_unpaid(&stack);
    confirmed(&click.complete(&trans.with_amount("28840.00"), prepare_id), &trans);
    due.is_paid_by(&stack, "click");
}

fn a_call_made_again_is_one_payment(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    let prepare_id = click.prepared(&trans);
    for _ in 0..3 {
        assert_eq!(click.prepared(&trans), prepare_id, "the same transaction");
    }
    let moved = Trans { merchant_trans_id: other.number.clone(), ..trans.clone() };
    let exchange = click.prepare(&moved);
    assert!(exchange.code() < 0, "a transaction is about one invoice: {exchange}");
    confirmed(&click.complete(&trans, prepare_id), &trans);
    for _ in 0..3 {
        click.complete(&trans, prepare_id).refused(ALREADY_PAID);
        click.prepare(&trans).refused(ALREADY_PAID);
    }
    click.prepare(&Trans::over(&due.number, due.amount)).refused(ALREADY_PAID);
    // What is paid is not undone by a call that says otherwise later.
    let exchange = click.cancel(&trans, prepare_id);
    assert!([ALREADY_PAID, CANCELLED].contains(&exchange.code()), "{exchange}");
    due.is_paid_by(&stack, "click");
    other.is_unpaid(&stack);
}

fn complete_before_its_prepare_is_refused_and_after_it_taken(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let click = Click::new(&stack);
    let (trans, others) = (Trans::over(&due.number, due.amount), Trans::over(&other.number, other.amount));
    click.complete(&trans, 1).refused(UNKNOWN_TRANSACTION);
    click.cancel(&trans, 1).refused(UNKNOWN_TRANSACTION);
    due.is_unpaid(&stack);
    let (prepare_id, others_id) = (click.prepared(&trans), click.prepared(&others));
    assert_ne!(prepare_id, others_id);
    for wrong in [others_id, 0, -1, i64::MAX] {
        click.complete(&trans, wrong).refused(UNKNOWN_TRANSACTION);
    }
    due.is_unpaid(&stack);
    confirmed(&click.complete(&trans, prepare_id), &trans);
    due.is_paid_by(&stack, "click");
    other.is_unpaid(&stack);
}

fn a_payment_that_failed_at_click_is_cancelled_for_good(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    let prepare_id = click.prepared(&trans);
    click.cancel(&trans, prepare_id).refused(CANCELLED);
    click.cancel(&trans, prepare_id).refused(CANCELLED);
    click.complete(&trans, prepare_id).refused(CANCELLED);
    click.prepare(&trans).refused(CANCELLED);
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
    click.pays(&due.number, due.amount);
    due.is_paid_by(&stack, "click");
}

fn an_invoice_that_is_being_paid_is_nobody_elses(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let (click, payme) = (Click::new(&stack), Payme::new(&stack));
    let first = Trans::over(&due.number, due.amount);
    let prepare_id = click.prepared(&first);
    let exchange = click.prepare(&Trans::over(&due.number, due.amount));
    let refusal = exchange.refused(CANCELLED);
    assert!(refusal["error_note"].as_str().is_some_and(|note| !note.is_empty()), "{exchange}");
    confirmed(&click.complete(&first, prepare_id), &first);
    due.is_paid_by(&stack, "click");

    let receipt = Receipt::over(&other.number, other.amount);
    payme.create(&receipt).well();
    let waiting = Trans::over(&other.number, other.amount);
    click.prepare(&waiting).refused(CANCELLED);
    payme.cancel(&receipt, 3).well();
    let prepare_id = click.prepared(&waiting);
    confirmed(&click.complete(&waiting, prepare_id), &waiting);
    other.is_paid_by(&stack, "click");
}

fn what_cannot_be_paid_is_not_prepared(database: Database) {
    let stack = shared(database);
    let [by_id, paid, withdrawn] = [(); 3].map(|()| Due::fresh(&stack));
    let click = Click::new(&stack);
    for unknown in ["M-2026-9999999", "M-1999-0000001", "0", "' OR 1=1 --"] {
        click.prepare(&Trans::over(unknown, paid.amount)).refused(UNKNOWN_INVOICE);
    }
    let exchange = click.prepare(&Trans::over(&"9".repeat(2000), paid.amount));
    assert!([UNKNOWN_INVOICE, BAD_REQUEST].contains(&exchange.code()), "{exchange}");
    Bank::new(&stack).pays(&paid.number, paid.amount);
    click.prepare(&Trans::over(&paid.number, paid.amount)).refused(ALREADY_PAID);
    paid.is_paid_by(&stack, "bank");
    withdrawn.application.withdraw().json_or_empty();
    click.prepare(&Trans::over(&withdrawn.number, withdrawn.amount)).refused(CANCELLED);
    assert_eq!(withdrawn.live_payments(&stack), Vec::<String>::new());
    click.pays(&by_id.id, by_id.amount);
    by_id.is_paid_by(&stack, "click");
}

fn an_expired_invoice_is_refused_and_yesterdays_calls_pay_nothing_again(database: Database) {
    let mut stack = start(database, &[("INVOICES__VALIDITY_DAYS", "1")]);
    let [paid, prepared, untouched] = [(); 3].map(|()| Due::fresh(&stack));
    let click = Click::new(&stack);
    let [done, begun] = [&paid, &prepared].map(|due| Trans::over(&due.number, due.amount));
    let prepare = Click::prepare_form(&done);
    let done_id = click.prepared(&done);
    let complete = Click::complete_form(&done, done_id, 0);
    confirmed(&click.send_complete(&complete), &done);
    let begun_id = click.prepared(&begun);
    stack.travel(DAY + 3600);
    click.send_prepare(&prepare).refused(ALREADY_PAID);
    click.send_complete(&complete).refused(ALREADY_PAID);
    paid.is_paid_by(&stack, "click");
    click.prepare(&Trans::over(&untouched.number, untouched.amount)).refused(CANCELLED);
    click.complete(&begun, begun_id).refused(CANCELLED);
    for due in [&prepared, &untouched] {
        let performed =
            format!("SELECT count(*) FROM payments WHERE invoice_id = '{}' AND state = 'performed'", due.id);
        assert_eq!(stack.rows(&performed), ["0"]);
    }
    ledger_holds(&stack);
}

fn bad_forms_are_answered_and_break_nothing(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let click = Click::new(&stack);
    let trans = Trans::over(&due.number, due.amount);
    let bodies: [(&str, &[u8]); 10] = [
        (FORM, b""),
        (FORM, b"&&&==&"),
        (FORM, b"%zz=%f"),
        (FORM, b"click_trans_id"),
        (FORM, b"click_trans_id=1&click_trans_id=2"),
        (FORM, b"click_trans_id=%ff%fe&amount=%00"),
        (FORM, b"\xff\xfe\x00"),
        ("application/json", b"{\"click_trans_id\": 1}"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", b"click_trans_id=1"),
    ];
    for path in PATHS {
        for (content_type, body) in bodies {
            click.send_raw(path, content_type, body.to_vec()).refused(BAD_REQUEST);
        }
        let long = click.send_raw(path, FORM, [b"amount=".to_vec(), vec![b'1'; 65 * 1024]].concat());
        long.answer.problem(413, "payload-too-large");
    }
    let fields =
        ["click_trans_id", "service_id", "merchant_trans_id", "amount", "action", "sign_time", "sign_string"];
    for field in fields {
        click.send_prepare(&Click::prepare_form(&trans).without(field)).refused(BAD_REQUEST);
    }
    let number = "9".repeat(40);
    let malformed = [
        ("click_trans_id", "abc"),
        ("click_trans_id", ""),
        ("click_trans_id", &number),
        ("service_id", "abc"),
        ("merchant_trans_id", ""),
        ("merchant_trans_id", "M-\0"),
        ("amount", ""),
        ("amount", "much"),
        ("action", ""),
        ("error", "none"),
        ("sign_time", ""),
        ("sign_time", "\0"),
    ];
    for (field, value) in malformed {
        let exchange = click.send_prepare(&Click::prepare_form(&trans).with(field, value).signed());
        assert_eq!(exchange.answer.status, 200, "{exchange}");
        assert!((-9..0).contains(&exchange.code()) || field == "sign_time", "{field}: {exchange}");
    }
    let other_action = Click::prepare_form(&trans).with("action", "7").signed();
    click.send_prepare(&other_action).refused(UNKNOWN_ACTION);
    let prepare_id = click.prepared(&trans);
    let complete = Click::complete_form(&trans, prepare_id, 0);
    click.send_complete(&complete.clone().without("merchant_prepare_id").signed()).refused(BAD_REQUEST);
    click.send_complete(&complete.clone().with("merchant_prepare_id", "x").signed()).refused(BAD_REQUEST);
    due.is_unpaid(&stack);
    confirmed(&click.send_complete(&complete), &trans);
    due.is_paid_by(&stack, "click");
}

/// `state` of the bills of an invoice, as the applicant sees them.
fn bills(due: &Due) -> Vec<String> {
    let page = due.application.client.get(&due.application.path("/invoice/bills")).json();
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
    items.iter().map(|bill| bill["state"].as_str().expect("a state").to_owned()).collect()
}

fn ask_for_bill(due: &Due) {
    let path = due.application.path("/invoice/bills");
    let answer = due.application.client.post(&path, &json!({"provider": "click"})).is(202).json();
    assert_eq!((&answer["provider"], &answer["state"]), (&json!("click"), &json!("queued")), "{answer}");
    assert!(answer["id"].is_string() && answer["created_at"].is_string(), "{answer}");
}

#[track_caller]
fn becomes(due: &Due, state: &str) {
    eventually(&format!("the bill of {} is {state}", due.number), PATIENCE, || {
        (bills(due) == [state]).then_some(())
    });
}

fn click_shows_the_payer_a_bill_until_it_is_paid(database: Database) {
    let (stack, merchant) = (shared(database), merchant(database));
    let [due, dropped] = [(); 2].map(|()| Due::fresh(&stack));
    for due in [&due, &dropped] {
        ask_for_bill(due);
        becomes(due, "sent");
        let [bill] = merchant.bills(&due.number).try_into().expect("one bill");
        assert_eq!(bill.asked["amount"].as_f64(), Some(28_840.0), "so'm: {}", bill.asked);
        assert_eq!(bill.asked["phone_number"], due.application.person.phone.trim_start_matches('+'));
    }
    let path = due.application.path("/invoice/bills");
    let again = due.application.client.post(&path, &json!({"provider": "click"}));
    assert!([202, 409].contains(&again.status), "{}", again.text());
    // The payer agrees in CLICK's application, and CLICK calls us.
    Click::new(&stack).pays(&due.number, due.amount);
    due.is_paid_by(&stack, "click");
    merchant.drops(merchant.bills(&dropped.number)[0].id);
    becomes(&due, "paid");
    assert_eq!(merchant.bills(&due.number).len(), 1, "one bill, however often it was asked for");
    becomes(&dropped, "cancelled");
    dropped.is_unpaid(&stack);
    merchant.was_always_authorized();
}

fn a_bill_that_click_does_not_show_has_failed(database: Database) {
    let (stack, merchant) = (shared(database), merchant(database));
    let due = Due::fresh(&stack);
    merchant.does_not_know(&due.application.person.phone);
    ask_for_bill(&due);
    becomes(&due, "failed");
    assert!(merchant.bills(&due.number).is_empty());
    // The way to pay by hand stays open.
    Click::new(&stack).pays(&due.number, due.amount);
    due.is_paid_by(&stack, "click");
}
