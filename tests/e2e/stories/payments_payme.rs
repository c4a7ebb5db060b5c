//! Payments through Payme, as its Merchant API makes them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::officer::Officer;
use crate::payments::{
    Bank, Click, DAY, Due, Exchange, PAYME_WAITS, Payme, Receipt, Trans, authorization, ledger_holds, shared,
    start,
};
use crate::stack::Database;

on_both_databases!(
    payme_pays_and_the_certificate_is_issued,
    a_caller_without_the_key_is_refused_under_its_own_request,
    another_amount_is_refused,
    a_call_made_again_is_answered_the_same,
    what_was_not_created_is_not_performed_cancelled_or_known,
    a_cancelled_transaction_is_over_and_leaves_the_invoice_to_others,
    what_was_performed_is_not_cancelled_once_the_application_is_submitted,
    an_account_that_cannot_be_paid_is_named_in_three_languages,
    after_twelve_hours_a_transaction_is_not_performed_any_more,
    the_statement_tells_what_became_of_each_transaction,
    fiscal_data_is_kept,
    bad_requests_are_answered_and_break_nothing,
);

const NOT_POST: i64 = -32_300;
const NOT_JSON: i64 = -32_700;
const NOT_RPC: i64 = -32_600;
const NO_METHOD: i64 = -32_601;
const BAD_PARAMS: i64 = -32_602;
const NOT_ALLOWED: i64 = -32_504;
const WRONG_AMOUNT: i64 = -31_001;
const UNKNOWN_TRANSACTION: i64 = -31_003;
const NOT_CANCELLED: i64 = -31_007;
const NOT_PERFORMED: i64 = -31_008;
const UNKNOWN_INVOICE: i64 = -31_050;
const PAID: i64 = -31_051;
const EXPIRED: i64 = -31_052;
const GONE: i64 = -31_053;
const BEING_PAID: i64 = -31_054;

fn payme_pays_and_the_certificate_is_issued(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let payme = Payme::new(&stack);
    let receipt = Receipt::over(&due.number, due.amount);
    assert_eq!(payme.check_perform(&receipt).well()["allow"], true);
    let created = payme.create(&receipt).well();
    assert_eq!(created["state"], 1, "{created}");
    assert!(created["transaction"].is_string(), "{created}");
    due.is_unpaid(&stack);
    let performed = payme.perform(&receipt).well();
    assert_eq!((&performed["state"], &performed["transaction"]), (&json!(2), &created["transaction"]));
    let check = payme.check(&receipt).well();
    for (member, expected) in [
        ("create_time", &created["create_time"]),
        ("perform_time", &performed["perform_time"]),
        ("cancel_time", &json!(0)),
        ("transaction", &created["transaction"]),
        ("state", &json!(2)),
        ("reason", &Value::Null),
    ] {
        assert_eq!(&check[member], expected, "{member} in {check}");
    }
    let [create_time, perform_time] = ["create_time", "perform_time"].map(|name| milliseconds(&check, name));
    assert!(create_time <= perform_time && perform_time - create_time < 600_000, "{check}");
    due.is_paid_by(&stack, "payme");
    due.application.submit().json();
    Officer::reviewer(&stack).approve(&due.application.id).json();
    due.application.wait_until("issued");
    ledger_holds(&stack);
}

fn milliseconds(answer: &Value, name: &str) -> i64 {
    let time = answer[name].as_i64().unwrap_or_else(|| panic!("no {name} in {answer}"));
    assert!(time > 1_700_000_000_000, "{name} is not in milliseconds: {answer}");
    time
}

fn a_caller_without_the_key_is_refused_under_its_own_request(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    let receipt = Receipt::over(&due.number, due.amount);
    let create =
        json!({"id": receipt.id, "time": receipt.time, "amount": receipt.amount, "account": receipt.account});
    let body = json!({"jsonrpc": "2.0", "id": 4711, "method": "CreateTransaction", "params": create});
    let strangers = [
        None,
        Some(String::new()),
        Some("Basic".to_owned()),
        Some("Basic !!!".to_owned()),
        Some("Basic UGF5Y29t".to_owned()),
        Some(authorization("")),
        Some(authorization("another")),
        Some(authorization("another").replace("Basic ", "Bearer ")),
    ];
    for stranger in strangers {
        let exchange = payme.stranger(Method::POST, stranger.as_deref(), &body);
        assert_eq!(exchange.refused(NOT_ALLOWED)["id"], 4711, "{exchange}");
    }
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        payme.stranger(method, None, &body).refused(NOT_POST);
    }
}

fn another_amount_is_refused(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    for amount in
        [due.amount - 1, due.amount + 1, due.amount / 100, due.amount * 100, 0, 1, -due.amount, i64::MAX]
    {
        let receipt = Receipt::over(&due.number, amount);
        payme.check_perform(&receipt).refused(WRONG_AMOUNT);
        payme.create(&receipt).refused(WRONG_AMOUNT);
        payme.check(&receipt).refused(UNKNOWN_TRANSACTION);
    }
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
    payme.pays(&due.number, due.amount);
    due.is_paid_by(&stack, "payme");
}

fn a_call_made_again_is_answered_the_same(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let payme = Payme::new(&stack);
    let receipt = Receipt::over(&due.number, due.amount);
    let created = payme.create(&receipt).well();
    assert_eq!(payme.create(&receipt).well(), created);
    // The same name for something else is refused.
    let moved = Receipt { account: json!({"invoice": other.number}), ..receipt.clone() };
    let exchange = payme.create(&moved);
    assert!(exchange.code() < 0, "a transaction is about one invoice: {exchange}");
    let performed = payme.perform(&receipt).well();
    for _ in 0..3 {
        assert_eq!(payme.perform(&receipt).well(), performed);
    }
    assert_eq!(payme.check(&receipt).well()["state"], 2);
    due.is_paid_by(&stack, "payme");
    other.is_unpaid(&stack);
}

fn what_was_not_created_is_not_performed_cancelled_or_known(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    let receipt = Receipt::over(&due.number, due.amount);
    payme.perform(&receipt).refused(UNKNOWN_TRANSACTION);
    payme.cancel(&receipt, 3).refused(UNKNOWN_TRANSACTION);
    payme.check(&receipt).refused(UNKNOWN_TRANSACTION);
    due.is_unpaid(&stack);
    payme.create(&receipt).well();
    payme.perform(&receipt).well();
    due.is_paid_by(&stack, "payme");
}

fn a_cancelled_transaction_is_over_and_leaves_the_invoice_to_others(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    let receipt = Receipt::over(&due.number, due.amount);
    let created = payme.create(&receipt).well();
    let cancelled = payme.cancel(&receipt, 3).well();
    assert_eq!((&cancelled["state"], &cancelled["transaction"]), (&json!(-1), &created["transaction"]));
    milliseconds(&cancelled, "cancel_time");
    assert_eq!(payme.cancel(&receipt, 3).well(), cancelled);
    let check = payme.check(&receipt).well();
    let seen = [&check["state"], &check["reason"], &check["perform_time"], &check["cancel_time"]];
    assert_eq!(seen, [&json!(-1), &json!(3), &json!(0), &cancelled["cancel_time"]], "{check}");
    payme.perform(&receipt).refused(NOT_PERFORMED);
    let exchange = payme.create(&receipt);
    assert!(exchange.code() == NOT_PERFORMED || exchange.well()["state"] == -1, "{exchange}");
    due.is_unpaid(&stack);
    payme.pays(&due.number, due.amount);
    due.is_paid_by(&stack, "payme");
    assert_eq!(payme.cancel(&receipt, 3).well(), cancelled, "the old one stays what it was");
    due.is_paid_by(&stack, "payme");
}

fn what_was_performed_is_not_cancelled_once_the_application_is_submitted(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let payme = Payme::new(&stack);
    let receipt = payme.pays(&due.number, due.amount);
    due.application.submit().json();
    payme.cancel(&receipt, 5).refused(NOT_CANCELLED);
    Officer::reviewer(&stack).approve(&due.application.id).json();
    due.application.wait_until("issued");
    payme.cancel(&receipt, 5).refused(NOT_CANCELLED);
    assert_eq!(payme.check(&receipt).well()["state"], 2);
    due.is_paid_by(&stack, "payme");
}

/// The account's field is named, and each reader finds a sentence.
#[track_caller]
fn names_the_account(exchange: &Exchange, code: i64) {
    let refusal = exchange.refused(code);
    assert_eq!(refusal["error"]["data"], "invoice", "{exchange}");
    for language in ["ru", "uz", "en"] {
        let text = refusal["error"]["message"][language].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no message in {language}: {exchange}");
    }
}

fn an_account_that_cannot_be_paid_is_named_in_three_languages(database: Database) {
    let stack = shared(database);
    let [paid, withdrawn, held, by_id] = [(); 4].map(|()| Due::fresh(&stack));
    let (payme, click) = (Payme::new(&stack), Click::new(&stack));
    Bank::new(&stack).pays(&paid.number, paid.amount);
    withdrawn.application.withdraw().json_or_empty();
    let trans = Trans::over(&held.number, held.amount);
    let prepare_id = click.prepared(&trans);
    for (number, code) in [
        ("M-2026-9999999", UNKNOWN_INVOICE),
        ("' OR 1=1 --", UNKNOWN_INVOICE),
        ("M-\0", UNKNOWN_INVOICE),
        (&paid.number, PAID),
        (&withdrawn.number, GONE),
        (&held.number, BEING_PAID),
    ] {
        let receipt = Receipt::over(number, paid.amount);
        names_the_account(&payme.check_perform(&receipt), code);
        names_the_account(&payme.create(&receipt), code);
    }
    click.complete(&trans, prepare_id).well();
    held.is_paid_by(&stack, "click");
    paid.is_paid_by(&stack, "bank");
    // Another transaction of Payme is another all the same.
    let first = Receipt::over(&by_id.id, by_id.amount);
    payme.create(&first).well();
    names_the_account(&payme.create(&Receipt::over(&by_id.number, by_id.amount)), BEING_PAID);
    payme.perform(&first).well();
    by_id.is_paid_by(&stack, "payme");
}

fn after_twelve_hours_a_transaction_is_not_performed_any_more(database: Database) {
    let mut stack = start(database, &[]);
    let [in_time, late, paid, untouched] = [(); 4].map(|()| Due::fresh(&stack));
    let payme = Payme::new(&stack);
    let [first, second] = [&in_time, &late].map(|due| Receipt::over(&due.number, due.amount));
    payme.create(&first).well();
    payme.create(&second).well();
    let done = payme.pays(&paid.number, paid.amount);
    let performed = payme.perform(&done).well();
    stack.travel(PAYME_WAITS - 600);
    payme.perform(&first).well();
    in_time.is_paid_by(&stack, "payme");
    stack.travel(PAYME_WAITS + 60);
    payme.perform(&second).refused(NOT_PERFORMED);
    let check = payme.check(&second).well();
    assert_eq!((&check["state"], &check["reason"]), (&json!(-1), &json!(4)), "{check}");
    payme.perform(&second).refused(NOT_PERFORMED);
    late.is_unpaid(&stack);
    let third = Receipt::at(&late.number, late.amount, crate::payments::now() + PAYME_WAITS + 60);
    payme.create(&third).well();
    payme.perform(&third).well();
    late.is_paid_by(&stack, "payme");
    // Days later nothing is paid twice, and an invoice nobody paid is too old.
    stack.travel(5 * DAY);
    assert_eq!(payme.perform(&done).well(), performed);
    let receipt = Receipt::at(&untouched.number, untouched.amount, crate::payments::now() + 5 * DAY);
    names_the_account(&payme.check_perform(&receipt), EXPIRED);
    names_the_account(&payme.create(&receipt), EXPIRED);
    for due in [&in_time, &late, &paid] {
        due.is_paid_by(&stack, "payme");
    }
    ledger_holds(&stack);
}

fn the_statement_tells_what_became_of_each_transaction(database: Database) {
    let stack = shared(database);
    let [performed, cancelled, waiting] = [(); 3].map(|()| Due::fresh(&stack));
    let payme = Payme::new(&stack);
    let done = payme.pays(&performed.number, performed.amount);
    let [gone, open] = [&cancelled, &waiting].map(|due| Receipt::over(&due.number, due.amount));
    payme.create(&gone).well();
    payme.cancel(&gone, 3).well();
    payme.create(&open).well();
    let statement = payme.statement(done.time, open.time).well();
    let entries = statement["transactions"].as_array().unwrap_or_else(|| panic!("none in {statement}"));
    let times: Vec<i64> = entries.iter().map(|entry| milliseconds(entry, "time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    for receipt in [&done, &gone, &open] {
        let own: Vec<&Value> = entries.iter().filter(|entry| entry["id"] == receipt.id.as_str()).collect();
        let [entry] = own.as_slice() else { panic!("{} is there {} times", receipt.id, own.len()) };
        assert_eq!((&entry["amount"], &entry["account"]), (&json!(receipt.amount), &receipt.account));
        assert_eq!(entry["time"], receipt.time, "as Payme said it: {entry}");
        let check = payme.check(receipt).well();
        for member in ["create_time", "perform_time", "cancel_time", "transaction", "state", "reason"] {
            assert_eq!(entry[member], check[member], "{member} in {entry}");
        }
    }
    let before = payme.statement(done.time - 60_000_000, done.time - 30_000_000).well();
    assert!(!before.to_string().contains(&done.id), "{before}");
}

fn fiscal_data_is_kept(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    let receipt = payme.pays(&due.number, due.amount);
    let fiscal_data = json!({
        "receipt_id": 121, "status_code": 0, "message": "accepted", "terminal_id": "EP000000000025",
        "fiscal_sign": "800031554082", "qr_code_url": "https://ofd.soliq.uz/check?t=EP000000000025",
        "date": "20260706221021",
    });
    let params = json!({"id": receipt.id, "type": "PERFORM", "fiscal_data": fiscal_data});
    for _ in 0..2 {
        assert_eq!(payme.call("SetFiscalData", &params).well()["success"], true);
    }
    for params in [json!({"id": receipt.id}), json!({"id": receipt.id, "type": 1, "fiscal_data": "x"})] {
        payme.call("SetFiscalData", &params).refused(BAD_PARAMS);
    }
    due.is_paid_by(&stack, "payme");
}

fn bad_requests_are_answered_and_break_nothing(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    for body in ["", " ", "{", "{\"id\":1", "not json", "{\"id\":1}}", "\u{0}", "[1,"] {
        payme.raw(body).refused(NOT_JSON);
    }
    payme.raw(vec![0xff, 0xfe]).refused(NOT_JSON);
    for body in ["1", "null", "\"text\"", "{}", "{\"id\":1}", "{\"id\":1,\"method\":5}", "{\"method\":null}"]
    {
        payme.raw(body).refused(NOT_RPC);
    }
    // A batch, and nesting beyond reason.
    for body in ["[]".to_owned(), "[{}]".to_owned(), "[".repeat(20_000), "{\"a\":".repeat(10_000)] {
        let exchange = payme.raw(body);
        assert!([NOT_JSON, NOT_RPC].contains(&exchange.code()), "{exchange}");
    }
    payme.raw(vec![b' '; 65 * 1024]).answer.problem(413, "payload-too-large");
    for method in ["", "checkPerformTransaction", "ChangePassword", "CreateTransaction ", "\0"] {
        payme.call(method, &json!({})).refused(NO_METHOD);
    }
    let methods = [
        "CheckPerformTransaction",
        "CreateTransaction",
        "PerformTransaction",
        "CancelTransaction",
        "CheckTransaction",
        "GetStatement",
        "SetFiscalData",
    ];
    for method in methods {
        for params in [json!(null), json!({}), json!({"id": null, "from": "x"})] {
            payme.call(method, &params).refused(BAD_PARAMS);
        }
        for params in [json!([]), json!(1), json!("x")] {
            let exchange = payme.call(method, &params);
            assert!([BAD_PARAMS, NOT_RPC].contains(&exchange.code()), "{exchange}");
        }
    }
    let receipt = Receipt::over(&due.number, due.amount);
    let good =
        json!({"id": receipt.id, "time": receipt.time, "amount": receipt.amount, "account": receipt.account});
    for (member, bad) in [
        ("id", json!(5)),
        ("id", json!("")),
        ("time", json!("now")),
        ("time", json!(1.5)),
        ("amount", json!("2884000")),
        ("amount", json!(2_884_000.5)),
        ("amount", json!(null)),
        ("account", json!(null)),
        ("account", json!([])),
        ("account", json!({})),
        ("account", json!({"order": due.number})),
        ("account", json!({"invoice": {}})),
    ] {
        let mut params = good.clone();
        params[member] = bad;
        let exchange = payme.call("CreateTransaction", &params);
        let expected = [BAD_PARAMS, WRONG_AMOUNT, UNKNOWN_INVOICE];
        assert!(expected.contains(&exchange.code()), "{exchange}");
    }
    payme.call("CancelTransaction", &json!({"id": receipt.id, "reason": "x"})).refused(BAD_PARAMS);
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
}
