//! Payments through Paynet: made at a terminal, performed by one call.

use serde_json::{Value, json};

use crate::officer::Officer;
use crate::payments::{
    Bank, Click, DAY, Due, EXISTS, Paynet, Trans, ledger_holds, local_time, now, shared, start,
};
use crate::stack::Database;

on_both_databases!(
    paynet_pays_and_the_certificate_is_issued,
    a_caller_without_the_password_is_refused_by_http_and_by_code,
    another_amount_is_refused,
    a_transaction_performed_again_exists_already,
    a_cancelled_transaction_stays_cancelled,
    what_was_performed_is_not_cancelled_once_the_application_is_submitted,
    what_cannot_be_paid_is_not_available,
    an_expired_invoice_is_not_available_and_an_old_transaction_exists_still,
    the_statement_lists_what_was_performed,
    bad_requests_are_answered_and_break_nothing,
);

const NOT_JSON: i64 = -32_700;
const NOT_RPC: i64 = -32_600;
const NO_METHOD: i64 = -32_601;
const NOT_CANCELLED: i64 = 77;
const UNAVAILABLE: i64 = 100;
const CANCELLED_ALREADY: i64 = 202;
const UNKNOWN_TRANSACTION: i64 = 203;
const UNKNOWN_INVOICE: i64 = 302;
const UNKNOWN_SERVICE: i64 = 305;
const MISSING: i64 = 411;
const BAD_LOGIN: i64 = 412;
const WRONG_AMOUNT: i64 = 413;
const BAD_DATE: i64 = 414;

const DONE: i64 = 1;
const CANCELLED: i64 = 2;
const NOT_FOUND: i64 = 3;

fn paynet_pays_and_the_certificate_is_issued(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let paynet = Paynet::new(&stack);
    let shown = paynet.information(&due.number).well();
    assert_eq!(shown["status"], "0", "{shown}");
    let fields = shown["fields"].as_object().unwrap_or_else(|| panic!("no fields in {shown}"));
    let mut texts = fields.values().filter_map(Value::as_str);
    assert!(texts.any(|text| text == due.number), "the payer reads which invoice it is: {shown}");
    let [soum, tiyin] = [due.amount / 100, due.amount];
    let amounts = ["amount", "amount_tiyin"].map(|name| fields.get(name).map_or(0, number));
    assert!([[soum, tiyin], [tiyin, 0]].contains(&amounts), "{shown}");
    let transaction = Paynet::transaction();
    assert_eq!(paynet.check(transaction).well()["transactionState"], NOT_FOUND);
    let performed = paynet.perform(transaction, &due.number, due.amount).well();
    assert!(performed["timestamp"].is_string() && performed["fields"].is_object(), "{performed}");
    let check = paynet.check(transaction).well();
    assert_eq!(check["transactionState"], DONE, "{check}");
    assert_eq!(check["providerTrnId"], performed["providerTrnId"], "{check}");
    due.is_paid_by(&stack, "paynet");
    due.application.submit().json();
    Officer::reviewer(&stack).approve(&due.application.id).json();
    due.application.wait_until("issued");
    ledger_holds(&stack);
}

/// A number, or one in quotation marks.
fn number(value: &Value) -> i64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().unwrap_or_else(|error| panic!("{value} is no number: {error}"))
}

fn a_caller_without_the_password_is_refused_by_http_and_by_code(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let paynet = Paynet::new(&stack);
    let params = json!({
        "serviceId": Paynet::service(), "transactionId": Paynet::transaction(), "amount": due.amount,
        "fields": {"invoice": due.number},
    });
    let body = json!({"jsonrpc": "2.0", "id": 4711, "method": "PerformTransaction", "params": params});
    for who in
        [None, Some(("", "")), Some(("paynet", "")), Some(("paynet", "another")), Some(("Paycom", "another"))]
    {
        let exchange = paynet.stranger(who, &body);
        assert_eq!((exchange.answer.status, exchange.code()), (401, BAD_LOGIN), "{exchange}");
    }
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
}

fn another_amount_is_refused(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let paynet = Paynet::new(&stack);
    for amount in
        [due.amount - 1, due.amount + 1, due.amount / 100, due.amount * 100, 0, -due.amount, i64::MAX]
    {
        let transaction = Paynet::transaction();
        paynet.perform(transaction, &due.number, amount).refused(WRONG_AMOUNT);
        assert_eq!(paynet.check(transaction).well()["transactionState"], NOT_FOUND);
    }
    due.is_unpaid(&stack);
    paynet.pays(&due.number, due.amount);
    due.is_paid_by(&stack, "paynet");
}

fn a_transaction_performed_again_exists_already(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let paynet = Paynet::new(&stack);
    let transaction = paynet.pays(&due.number, due.amount);
    for _ in 0..3 {
        paynet.perform(transaction, &due.number, due.amount).refused(EXISTS);
    }
    paynet.perform(transaction, &other.number, other.amount).refused(EXISTS);
    paynet.perform(Paynet::transaction(), &due.number, due.amount).refused(UNAVAILABLE);
    assert_eq!(paynet.check(transaction).well()["transactionState"], DONE);
    due.is_paid_by(&stack, "paynet");
    other.is_unpaid(&stack);
}

fn a_cancelled_transaction_stays_cancelled(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let paynet = Paynet::new(&stack);
    let unknown = Paynet::transaction();
    paynet.cancel(unknown).refused(UNKNOWN_TRANSACTION);
    let transaction = paynet.pays(&due.number, due.amount);
    let before = paynet.check(transaction).well();
    let cancelled = paynet.cancel(transaction).well();
    assert_eq!(cancelled["transactionState"], CANCELLED, "{cancelled}");
    assert_eq!(cancelled["providerTrnId"], before["providerTrnId"], "{cancelled}");
    paynet.cancel(transaction).refused(CANCELLED_ALREADY);
    assert_eq!(paynet.check(transaction).well()["transactionState"], CANCELLED);
    let again = paynet.perform(transaction, &due.number, due.amount);
    assert!([EXISTS, CANCELLED_ALREADY].contains(&again.code()), "{again}");
    due.is_booked(&stack, &["charge", "payment", "refund-due", "refund"]);
    assert_eq!(due.state(&stack), "refunded");
    due.application.submit().problem(409, "submission-incomplete");
    ledger_holds(&stack);
}

fn what_was_performed_is_not_cancelled_once_the_application_is_submitted(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let paynet = Paynet::new(&stack);
    let transaction = paynet.pays(&due.number, due.amount);
    due.application.submit().json();
    paynet.cancel(transaction).refused(NOT_CANCELLED);
    Officer::reviewer(&stack).approve(&due.application.id).json();
    due.application.wait_until("issued");
    paynet.cancel(transaction).refused(NOT_CANCELLED);
    due.is_paid_by(&stack, "paynet");
}

fn what_cannot_be_paid_is_not_available(database: Database) {
    let stack = shared(database);
    let [paid, withdrawn, held, by_id] = [(); 4].map(|()| Due::fresh(&stack));
    let (paynet, click) = (Paynet::new(&stack), Click::new(&stack));
    Bank::new(&stack).pays(&paid.number, paid.amount);
    withdrawn.application.withdraw().json_or_empty();
    let trans = Trans::over(&held.number, held.amount);
    let prepare_id = click.prepared(&trans);
    for (number, code) in [
        ("M-2026-9999999", UNKNOWN_INVOICE),
        ("' OR 1=1 --", UNKNOWN_INVOICE),
        ("M-\0", UNKNOWN_INVOICE),
        (&paid.number, UNAVAILABLE),
        (&withdrawn.number, UNAVAILABLE),
        (&held.number, UNAVAILABLE),
    ] {
        paynet.information(number).refused(code);
        paynet.perform(Paynet::transaction(), number, paid.amount).refused(code);
    }
    click.complete(&trans, prepare_id).well();
    held.is_paid_by(&stack, "click");
    paid.is_paid_by(&stack, "bank");
    paynet.pays(&by_id.id, by_id.amount);
    by_id.is_paid_by(&stack, "paynet");
}

fn an_expired_invoice_is_not_available_and_an_old_transaction_exists_still(database: Database) {
    let mut stack = start(database, &[("INVOICES__VALIDITY_DAYS", "1")]);
    let [paid, untouched] = [(); 2].map(|()| Due::fresh(&stack));
    let paynet = Paynet::new(&stack);
    let transaction = paynet.pays(&paid.number, paid.amount);
    stack.travel(DAY + 3600);
    paynet.perform(transaction, &paid.number, paid.amount).refused(EXISTS);
    assert_eq!(paynet.check(transaction).well()["transactionState"], DONE);
    paid.is_paid_by(&stack, "paynet");
    paynet.information(&untouched.number).refused(UNAVAILABLE);
    paynet.perform(Paynet::transaction(), &untouched.number, untouched.amount).refused(UNAVAILABLE);
    assert_eq!(untouched.live_payments(&stack), Vec::<String>::new());
    ledger_holds(&stack);
}

fn the_statement_lists_what_was_performed(database: Database) {
    let stack = shared(database);
    let [kept, taken_back] = [(); 2].map(|()| Due::fresh(&stack));
    let paynet = Paynet::new(&stack);
    let [done, cancelled] = [&kept, &taken_back].map(|due| paynet.pays(&due.number, due.amount));
    paynet.cancel(cancelled).well();
    let (from, to) = (local_time(now() - 600), local_time(now() + 600));
    let statement = paynet.statement(&from, &to).well();
    let entries = statement["statements"].as_array().unwrap_or_else(|| panic!("none in {statement}"));
    let of = |transaction: u64| -> Vec<&Value> {
        let transaction = i64::try_from(transaction).expect("a number of ours");
        entries.iter().filter(|entry| number(&entry["transactionId"]) == transaction).collect()
    };
    let [entry] = of(done)[..] else { panic!("{done} is not there once: {statement}") };
    assert_eq!(number(&entry["amount"]), kept.amount, "{entry}");
    assert_eq!(entry["providerTrnId"], paynet.check(done).well()["providerTrnId"], "{entry}");
    assert!(entry["timestamp"].is_string(), "{entry}");
    assert!(of(cancelled).is_empty(), "{statement}");
    let long_ago = paynet.statement("2024-01-01 00:00:00", "2024-01-31 23:59:59").well();
    assert_eq!(long_ago["statements"], json!([]));
}

fn bad_requests_are_answered_and_break_nothing(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let paynet = Paynet::new(&stack);
    for body in ["", "{", "not json", "{\"id\":1}}", "\u{0}"] {
        paynet.raw(body).refused(NOT_JSON);
    }
    paynet.raw(vec![0xff, 0xfe]).refused(NOT_JSON);
    for body in ["1", "null", "{}", "{\"id\":1}", "{\"id\":1,\"method\":5}"] {
        paynet.raw(body).refused(NOT_RPC);
    }
    for body in ["[]".to_owned(), "[{}]".to_owned(), "[".repeat(20_000), "{\"a\":".repeat(10_000)] {
        let exchange = paynet.raw(body);
        assert!([NOT_JSON, NOT_RPC].contains(&exchange.code()), "{exchange}");
    }
    paynet.raw(vec![b' '; 65 * 1024]).answer.problem(413, "payload-too-large");
    for method in ["", "performTransaction", "CheckPerformTransaction", "\0"] {
        paynet.call(method, &json!({})).refused(NO_METHOD);
    }
    let methods =
        ["GetInformation", "PerformTransaction", "CheckTransaction", "CancelTransaction", "GetStatement"];
    for method in methods {
        for params in [json!({}), json!({"serviceId": Paynet::service()})] {
            paynet.call(method, &params).refused(MISSING);
        }
        for params in [json!(null), json!([]), json!(1), json!("x")] {
            let exchange = paynet.call(method, &params);
            assert!([MISSING, NOT_RPC, -32_602].contains(&exchange.code()), "{exchange}");
        }
    }
    let good = json!({
        "serviceId": Paynet::service(), "transactionId": Paynet::transaction(), "amount": due.amount,
        "fields": {"invoice": due.number},
    });
    for member in ["serviceId", "transactionId", "amount", "fields"] {
        let mut params = good.clone();
        params.as_object_mut().expect("an object").remove(member);
        paynet.call("PerformTransaction", &params).refused(MISSING);
    }
    let mut elsewhere = good.clone();
    elsewhere["serviceId"] = json!(Paynet::service() + 1);
    for method in ["GetInformation", "PerformTransaction", "CheckTransaction", "CancelTransaction"] {
        paynet.call(method, &elsewhere).refused(UNKNOWN_SERVICE);
    }
    for (member, bad) in [
        ("amount", json!("much")),
        ("amount", json!(0.5)),
        ("fields", json!([])),
        ("fields", json!({"invoice": {}})),
        ("transactionId", json!({})),
        ("transactionId", json!("")),
    ] {
        let mut params = good.clone();
        params[member] = bad;
        let exchange = paynet.call("PerformTransaction", &params);
        let expected = [MISSING, WRONG_AMOUNT, UNKNOWN_INVOICE, -32_602];
        assert!(expected.contains(&exchange.code()), "{exchange}");
    }
    for (from, to) in [("yesterday", "2026-01-01 00:00:00"), ("2026-01-01 00:00:00", "2026-02-30 00:00:00")] {
        paynet.statement(from, to).refused(BAD_DATE);
    }
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
}
