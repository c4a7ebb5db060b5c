//! The price, and the discount that only an authenticated partner earns.

use serde_json::{Value, json};

use crate::applicant::{Applicant, SubjectType};
use crate::http::send;
use crate::partner::Partner;
use crate::stack::{Database, Stack};

on_both_databases!(
    the_invoice_freezes_the_base_amount_and_the_rate_it_used,
    the_my_gov_uz_discount_is_given_to_the_partner_that_signs,
    the_rule_of_a_price_is_told_in_the_readers_language,
    the_invoice_can_be_printed,
    a_payment_played_twice_is_one_payment,
);

/// 412 000 so'm of 2025: 7 % and 10 %, in tiyin, and through my.gov.uz a tenth less.
const PRICES: [(SubjectType, u64, u64); 2] =
    [(SubjectType::NaturalPerson, 2_884_000, 2_595_600), (SubjectType::LegalEntity, 4_120_000, 3_708_000)];

fn the_invoice_freezes_the_base_amount_and_the_rate_it_used(database: Database) {
    let stack = database.shared();
    for (subject_type, full, _) in PRICES {
        let application = Applicant::with_confirmed_phone(&stack).apply(subject_type);
        application.put_csr(&application.key.csr()).json_or_empty();
        let invoice = application.invoice();
        assert_eq!(invoice["amount_tiyin"], full, "{invoice}");
        assert_eq!(invoice["bhm_tiyin"], 41_200_000, "{invoice}");
        assert_eq!(invoice["discount_percent"], 0, "{invoice}");
        assert_eq!(invoice["state"], "open", "{invoice}");
        let path = format!("/api/v1/fees?subject_type={}", subject_type.name());
        let fee = stack.anybody().get(&path).json();
        assert!(numbers(&fee).contains(&full), "{full} is not in {fee}");
    }
}

fn the_my_gov_uz_discount_is_given_to_the_partner_that_signs(database: Database) {
    let stack = database.shared();
    let partner = Partner::of_the_sandbox(&stack);
    for (subject_type, _, discounted) in PRICES {
        let applicant = Applicant::new(&stack);
        let mut form = applicant.form(subject_type);
        form["phone"] = json!(applicant.person.phone);
        let view = partner.apply(&form).is(201).json();
        assert_eq!(view["channel"], "my.gov.uz", "{view}");
        assert_eq!(view["invoice"]["amount_tiyin"], discounted, "{view}");
        assert_eq!(view["invoice"]["discount_percent"], 10, "{view}");
    }
}

fn the_rule_of_a_price_is_told_in_the_readers_language(database: Database) {
    let stack = database.shared();
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    for (language, words) in [
        ("en", "7 % of the base calculation amount (412 000 soʻm since 01.08.2025)"),
        ("ru", "7 % от базовой расчётной величины (412 000 сум с 01.08.2025)"),
    ] {
        let fees = "/api/v1/fees?subject_type=natural_person";
        for path in [fees.to_owned(), application.path("/invoice")] {
            let request = application.client.request(reqwest::Method::GET, &path);
            let said = send(request.header("Accept-Language", language)).json();
            let text = said["rule_text"].as_str().unwrap_or_default().replace('\u{a0}', " ");
            assert!(text.starts_with(words), "{text}");
        }
    }
}

fn the_invoice_can_be_printed(database: Database) {
    let stack = database.shared();
    let application = Applicant::with_confirmed_phone(&stack).apply(SubjectType::NaturalPerson);
    let page = application.client.get(&application.path("/invoice.pdf")).is(200);
    assert_eq!(page.header("content-type"), "application/pdf");
    assert!(page.body.starts_with(b"%PDF-"), "not a PDF");
    assert!(page.body.trim_ascii_end().ends_with(b"%%EOF"), "not a whole PDF");
}

fn a_payment_played_twice_is_one_payment(database: Database) {
    let stack: &Stack = &database.shared();
    let application = Applicant::with_confirmed_phone(stack).apply(SubjectType::NaturalPerson);
    application.pay();
    let id = application.invoice()["id"].as_str().expect("an id").to_owned();
    let again = application.client.post(&format!("/sandbox/payments/{id}"), &json!({}));
    assert!(again.status < 500, "{}", again.text());
    assert_eq!(application.invoice()["state"], "paid");
}

fn numbers(value: &Value) -> Vec<u64> {
    match value {
        Value::Number(number) => number.as_u64().into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Object(members) => members.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}
