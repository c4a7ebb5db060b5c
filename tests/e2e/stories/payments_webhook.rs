//! Payments that a bank reports in signed calls, and where all providers may call from.

use serde_json::{Value, json};

use crate::officer::Officer;
use crate::payments::{
    Bank, Click, DAY, Due, Exchange, Payme, Paynet, Receipt, Report, Trans, bank_secret, ledger_holds, now,
    shared, signature, start,
};
use crate::stack::Database;

on_both_databases!(
    a_bank_pays_and_the_certificate_is_issued,
    a_report_that_the_bank_did_not_sign_just_now_is_not_heard,
    another_amount_is_refused,
    a_report_made_again_is_answered_the_same,
    what_cannot_be_paid_is_refused_by_its_rule,
    an_expired_invoice_is_refused_and_a_days_old_report_is_signed_anew,
    bad_reports_are_answered_and_break_nothing,
    each_provider_is_heard_only_from_its_own_addresses,
);

const PATH: &str = "/payments/webhook/bank";

fn a_bank_pays_and_the_certificate_is_issued(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack).with_papers();
    let report = Report::of(&due.number, due.amount);
    let answer = Bank::new(&stack).report(&report).answer.is(200).json();
    let expected = json!({
        "transaction": report.transaction, "invoice": due.id, "number": due.number, "state": "paid",
        "amount_tiyin": due.amount,
    });
    assert_eq!(answer, expected);
    due.is_paid_by(&stack, "bank");
    due.application.submit().json();
    Officer::reviewer(&stack).approve(&due.application.id).json();
    due.application.wait_until("issued");
    ledger_holds(&stack);
}

fn a_report_that_the_bank_did_not_sign_just_now_is_not_heard(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let bank = Bank::new(&stack);
    let body = Report::of(&due.number, due.amount).body().to_string();
    let genuine = signature(bank_secret(), now(), body.as_bytes());
    let (time, tag) = genuine.split_once(',').expect("time and tag");
    let headers = [
        None,
        Some(String::new()),
        Some(tag.to_owned()),
        Some(time.to_owned()),
        Some(format!("{time},v1=")),
        Some(format!("{time},v0={}", &tag[3..])),
        Some(format!("t=0,{tag}")),
        Some(format!("t={},{tag}", now() + 1000)),
        Some(format!("t=99999999999999999999,{tag}")),
        Some(signature("another secret that is long enough to be one", now(), body.as_bytes())),
        Some(signature(bank_secret(), now() - 330, body.as_bytes())),
        Some(signature(bank_secret(), now() + 330, body.as_bytes())),
        Some(signature(bank_secret(), now(), b"{}")),
    ];
    for header in headers {
        let exchange = bank.with_header(PATH, header.as_deref(), body.as_bytes());
        assert_eq!(exchange.answer.status, 401, "{exchange}");
        exchange.answer.problem(401, "unauthenticated");
    }
    let genuine = signature(bank_secret(), now(), body.as_bytes());
    for path in ["/payments/webhook/nobody", "/payments/webhook/click", "/payments/webhook/BANK"] {
        bank.with_header(path, Some(&genuine), body.as_bytes()).answer.problem(404, "not-found");
    }
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
}

/// The payment is refused by this rule.
#[track_caller]
fn is_refused_by(exchange: &Exchange, rule: &str) {
    assert_eq!(exchange.answer.status, 409, "{exchange}");
    let problem = exchange.answer.problem(409, "invoice-not-payable");
    assert_eq!(problem["errors"][0]["rule"], rule, "{exchange}");
}

fn another_amount_is_refused(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let bank = Bank::new(&stack);
    for amount in [due.amount - 1, due.amount + 1, due.amount / 100, due.amount * 100] {
        is_refused_by(&bank.report(&Report::of(&due.number, amount)), "wrong-amount");
    }
    for amount in [0, -due.amount] {
        let exchange = bank.report(&Report::of(&due.number, amount));
        assert!([400, 409, 422].contains(&exchange.answer.status), "{exchange}");
    }
    due.is_unpaid(&stack);
    bank.pays(&due.number, due.amount);
    due.is_paid_by(&stack, "bank");
}

fn a_report_made_again_is_answered_the_same(database: Database) {
    let stack = shared(database);
    let (due, other) = (Due::fresh(&stack), Due::fresh(&stack));
    let bank = Bank::new(&stack);
    let report = Report::of(&due.number, due.amount);
    let first = bank.report(&report).answer.is(200);
    for _ in 0..3 {
        assert_eq!(bank.report(&report).answer.is(200).json(), first.json());
    }
    let by_id = Report { invoice: due.id.clone(), ..report.clone() };
    assert_eq!(bank.report(&by_id).answer.is(200).json(), first.json());
    is_refused_by(&bank.report(&Report::of(&due.number, due.amount)), "already-paid");
    let moved = Report { invoice: other.number.clone(), ..report };
    let exchange = bank.report(&moved);
    assert_eq!(exchange.answer.status, 409, "a transaction is about one invoice: {exchange}");
    due.is_paid_by(&stack, "bank");
    other.is_unpaid(&stack);
}

fn what_cannot_be_paid_is_refused_by_its_rule(database: Database) {
    let stack = shared(database);
    let [paid, withdrawn, held] = [(); 3].map(|()| Due::fresh(&stack));
    let (bank, payme) = (Bank::new(&stack), Payme::new(&stack));
    payme.pays(&paid.number, paid.amount);
    withdrawn.application.withdraw().json_or_empty();
    let receipt = Receipt::over(&held.number, held.amount);
    payme.create(&receipt).well();
    for (due, rule) in [(&paid, "already-paid"), (&withdrawn, "cancelled"), (&held, "being-paid")] {
        is_refused_by(&bank.report(&Report::of(&due.number, due.amount)), rule);
    }
    for unknown in ["M-2026-9999999", "' OR 1=1 --"] {
        let exchange = bank.report(&Report::of(unknown, paid.amount));
        assert_eq!(exchange.answer.status, 404, "{exchange}");
        exchange.answer.problem(404, "not-found");
    }
    payme.perform(&receipt).well();
    for due in [&paid, &held] {
        due.is_paid_by(&stack, "payme");
    }
    assert_eq!(withdrawn.live_payments(&stack), Vec::<String>::new());
}

fn an_expired_invoice_is_refused_and_a_days_old_report_is_signed_anew(database: Database) {
    let mut stack = start(database, &[("INVOICES__VALIDITY_DAYS", "1")]);
    let [paid, untouched] = [(); 2].map(|()| Due::fresh(&stack));
    let bank = Bank::new(&stack);
    let report = Report::of(&paid.number, paid.amount);
    let first = bank.report(&report).answer.is(200).json();
    let later = DAY + 3600;
    stack.travel(later);
    let overheard = bank.report(&report);
    assert_eq!(overheard.answer.status, 401, "an old signature is worth nothing: {overheard}");
    assert_eq!(bank.signed_at(now() + later, &report.body()).answer.is(200).json(), first);
    paid.is_paid_by(&stack, "bank");
    let late = Report { at: now() + later, ..Report::of(&untouched.number, untouched.amount) };
    is_refused_by(&bank.signed_at(now() + later, &late.body()), "expired");
    assert_eq!(untouched.live_payments(&stack), Vec::<String>::new());
    ledger_holds(&stack);
}

fn bad_reports_are_answered_and_break_nothing(database: Database) {
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let bank = Bank::new(&stack);
    let nested = "[".repeat(20_000);
    let mut bodies: Vec<Vec<u8>> =
        ["", "{", "null", "1", "[]", "{}", "\"text\"", "\u{0}", nested.as_str()].map(Vec::from).to_vec();
    bodies.push(vec![0xff, 0xfe]);
    let good = Report::of(&due.number, due.amount).body();
    for (member, bad) in [
        ("transaction", json!("")),
        ("transaction", json!("x".repeat(10_000))),
        ("transaction", json!(5)),
        ("invoice", json!(null)),
        ("invoice", json!(5)),
        ("amount_tiyin", json!("2884000")),
        ("amount_tiyin", json!(2_884_000.5)),
        ("amount_tiyin", json!(null)),
        ("at", json!("yesterday")),
        ("at", json!("2026-02-30T00:00:00Z")),
        ("at", json!(1_790_000_000)),
        ("extra", json!(1)),
    ] {
        let mut body = good.clone();
        body[member] = bad;
        bodies.push(body.to_string().into_bytes());
    }
    for member in ["transaction", "invoice", "amount_tiyin", "at"] {
        let mut body = good.clone();
        body.as_object_mut().expect("an object").remove(member);
        bodies.push(body.to_string().into_bytes());
    }
    for body in bodies {
        let exchange = bank.raw(&body);
        assert!([400, 422].contains(&exchange.answer.status), "{exchange}");
        assert_eq!(exchange.answer.header("content-type"), "application/problem+json", "{exchange}");
    }
    for (member, value) in [("invoice", "M-\0"), ("transaction", "T-\0")] {
        let mut body = good.clone();
        body[member] = Value::from(value);
        let exchange = bank.raw(body.to_string().as_bytes());
        assert!([400, 404, 409, 422].contains(&exchange.answer.status), "{exchange}");
    }
    bank.raw(&vec![b' '; 65 * 1024]).answer.problem(413, "payload-too-large");
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
}

/// The number of 127.200.`third`.`fourth` for a caller.
fn address(third: u32, fourth: u32) -> u32 {
    199 << 16 | third << 8 | fourth
}

fn each_provider_is_heard_only_from_its_own_addresses(database: Database) {
    let stack = start(
        database,
        &[
            ("PAYMENTS__CLICK__CALLBACK_ADDRESSES", "127.200.0.1,127.200.1.0/24"),
            ("PAYMENTS__PAYME__CALLBACK_ADDRESSES", "127.200.2.0/24"),
            ("PAYMENTS__PAYNET__CALLBACK_ADDRESSES", "127.200.3.0/24"),
            ("PAYMENTS__WEBHOOK__BANK__CALLBACK_ADDRESSES", "127.200.4.0/24"),
        ],
    );
    let foreign = [(0, 2), (2, 1), (3, 1), (4, 1), (5, 1)];
    let due = Due::fresh(&stack);
    for (third, fourth) in foreign {
        let exchange =
            Click::at(&stack, address(third, fourth)).prepare(&Trans::over(&due.number, due.amount));
        exchange.answer.problem(403, "forbidden");
    }
    for (third, fourth) in [(0, 1), (1, 1), (3, 1), (4, 1)] {
        let number = address(third, fourth);
        let receipt = Receipt::over(&due.number, due.amount);
        Payme::at(&stack, number).create(&receipt).answer.problem(403, "forbidden");
    }
    for (third, fourth) in [(0, 1), (1, 1), (2, 1), (4, 1)] {
        Paynet::at(&stack, address(third, fourth)).information(&due.number).answer.problem(403, "forbidden");
    }
    for (third, fourth) in [(0, 1), (1, 1), (2, 1), (3, 1)] {
        let exchange = Bank::at(&stack, address(third, fourth)).report(&Report::of(&due.number, due.amount));
        exchange.answer.problem(403, "forbidden");
    }
    due.is_unpaid(&stack);
    assert_eq!(due.live_payments(&stack), Vec::<String>::new());
    // From where they should be, each is heard.
    let [first, second, third, fourth] = [(); 4].map(|()| Due::fresh(&stack));
    Click::at(&stack, address(0, 1)).pays(&due.number, due.amount);
    Click::at(&stack, address(1, 77)).pays(&first.number, first.amount);
    Payme::at(&stack, address(2, 77)).pays(&second.number, second.amount);
    Paynet::at(&stack, address(3, 77)).pays(&third.number, third.amount);
    Bank::at(&stack, address(4, 77)).pays(&fourth.number, fourth.amount);
    for (due, provider) in
        [(&due, "click"), (&first, "click"), (&second, "payme"), (&third, "paynet"), (&fourth, "bank")]
    {
        due.is_paid_by(&stack, provider);
    }
}
