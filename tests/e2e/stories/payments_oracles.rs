//! Other merchants' packages judge the players and, through them, Muhr: what they would refuse, the players do not say;
//! the codes they answer, Muhr answers.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command;
use crate::payments::{ALREADY_PAID, Click, ClickMerchant, Due, Form, Payme, Receipt, Trans, shared};
use crate::relying_party::oracles;
use crate::stack::Database;

on_both_databases!(the_codes_of_other_merchants_are_ours);

/// What a script of ours, over other people's packages, makes of this.
#[track_caller]
fn judged(script: &str, input: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/judges").join(script);
    let python = oracles().join("bin/python");
    assert!(python.is_file(), "{} is missing; `cargo xtask test` makes it", python.display());
    let said = command::finish(
        Command::new(python).arg(script).env("NO_PROXY", "127.0.0.1"),
        input.to_string().as_bytes(),
    )
    .well();
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.all()))
}

#[test]
fn click_pkg_accepts_the_signatures_that_our_click_makes_and_no_others() {
    let trans = Trans::over("M-2026-0000001", 2_884_000);
    let (prepare, complete) = (Click::prepare_form(&trans), Click::complete_form(&trans, 4711, 0));
    let decimal = Click::prepare_form(&trans.with_amount("28840.00"));
    let altered = complete.clone().with("amount", "28840.00");
    let others = prepare.clone().signed_with("another");
    let forms = [&prepare, &complete, &decimal, &altered, &others].map(Form::as_json);
    let input = json!({"service_id": Form::service(), "secret": Form::secret(), "forms": forms});
    let verdicts = judged("click_signatures.py", &input);
    assert_eq!(verdicts, json!([0, 0, 0, -1, -1]), "{input}");
}

#[test]
fn our_merchant_api_accepts_the_calls_that_click_pkg_makes() {
    let merchant = ClickMerchant::start();
    let [(_, api), (_, user), _] = merchant.settings();
    let input = json!({
        "api": api, "merchant_user_id": user, "secret": Form::secret(), "service_id": click_service(),
        "amount": 28_840, "phone_number": "998901234567", "merchant_trans_id": "M-2026-0000001",
    });
    let answer = judged("click_invoice.py", &input);
    assert_eq!(answer["error_code"], 0, "{answer}");
    let [bill] = merchant.bills("M-2026-0000001").try_into().expect("one bill");
    assert_eq!(answer["invoice_id"], bill.id, "{answer}");
    merchant.was_always_authorized();
}

fn click_service() -> u64 {
    Form::service().parse().expect("a number")
}

/// Each rule is broken on purpose, and the code compared with the one that the package raises for it.
fn the_codes_of_other_merchants_are_ours(database: Database) {
    let codes = judged("payment_codes.py", &json!({}));
    let code = |package: &str, name: &str| {
        codes[package][name].as_i64().unwrap_or_else(|| panic!("{package} has no {name}: {codes}"))
    };
    let stack = shared(database);
    let due = Due::fresh(&stack);
    let (click, payme) = (Click::new(&stack), Payme::new(&stack));

    let receipt = Receipt::over(&due.number, due.amount);
    let wrong_amount = Receipt { amount: 1, ..receipt.clone() };
    let nobody = Receipt::over("M-2026-9999999", due.amount);
    let unknown =
        payme.stranger(reqwest::Method::POST, None, &json!({"id": 1, "method": "CheckTransaction"}));
    for (name, exchange) in [
        ("PermissionDenied", unknown),
        ("MethodNotFound", payme.call("Nothing", &json!({}))),
        ("IncorrectAmount", payme.check_perform(&wrong_amount)),
        ("AccountDoesNotExist", payme.check_perform(&nobody)),
        ("InvalidFiscalParams", payme.call("SetFiscalData", &json!({}))),
        ("ParseError", payme.raw("{")),
        ("InvalidRequestError", payme.raw("{}")),
        ("InvalidParamsError", payme.call("PerformTransaction", &json!({}))),
        ("TransportError", payme.stranger(reqwest::Method::GET, None, &json!({}))),
    ] {
        assert_eq!(exchange.code(), code("payme", name), "{name}: {exchange}");
    }

    let trans = Trans::over(&due.number, due.amount);
    let form = Click::prepare_form(&trans);
    let failed = Trans::over(&due.number, due.amount);
    let failed_id = click.prepared(&failed);
    let cancelled = click.cancel(&failed, failed_id);
    let before_prepare = click.complete(&trans, 1);
    let prepare_id = click.prepared(&trans);
    click.complete(&trans, prepare_id).well();
    for (name, exchange) in [
        ("AuthFailed", click.send_prepare(&form.clone().signed_with("another"))),
        ("IncorrectAmount", click.prepare(&Trans::over(&Due::fresh(&stack).number, 1))),
        ("UnSupportedAction", click.send_prepare(&form.clone().with("action", "7").signed())),
        ("BadRequest", click.send_prepare(&form.without("amount"))),
        ("TransactionNotFound", before_prepare),
        ("TransactionCancelled", cancelled),
        ("AlreadyPaid", click.prepare(&trans)),
    ] {
        assert_eq!(exchange.code(), code("click", name), "{name}: {exchange}");
    }
    assert_eq!(code("click", "AlreadyPaid"), ALREADY_PAID);
    due.is_paid_by(&stack, "click");
}
