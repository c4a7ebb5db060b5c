//! Invoices are numbered without gaps and paid once.

use ca_core::Timestamp;
use ca_core::application::{Actor, ApplicationId};
use ca_core::payment::{Effect, Objection};
use store::StoreError;
use store::invoices::{self, Invoice};
use store::payments::{self, Announced, Payment};

use super::stage::{Ground, HOUR, assert_distinct, at_once, later, now, payment, quote};
use crate::stack::Database;

on_both_databases!(
    the_same_transaction_pays_once_and_is_answered_the_same,
    another_transaction_does_not_pay_again,
    another_amount_does_not_pay,
    an_expired_or_cancelled_invoice_cannot_be_paid,
    of_two_payments_at_once_one_is_taken,
    one_transaction_called_twice_at_once_is_answered_twice_the_same,
    a_transaction_pays_one_invoice,
    invoice_numbers_have_no_gaps_and_no_doubles,
    a_second_live_invoice_is_refused_and_takes_no_number,
);

type Paid = Result<(Payment, Effect), Objection>;

fn pay(ground: &Ground, invoice: &Invoice, payment: &Announced) -> Paid {
    pay_at(ground, invoice, payment, now())
}

fn pay_at(ground: &Ground, invoice: &Invoice, payment: &Announced, at: Timestamp) -> Paid {
    ground.write(|c| {
        let locked = invoices::lock(c, &invoice.id)?;
        payments::pay(c, &locked, payment, at)
    })
}

fn open_invoice(ground: &Ground) -> (ApplicationId, Invoice) {
    let id = ground.draft();
    (id, ground.invoice(id))
}

/// Rows that a payment writes.
fn trace(ground: &Ground) -> [u64; 4] {
    [
        "payments",
        "ledger_postings WHERE kind = 'payment'",
        "audit_entries WHERE action = 'invoice.pay'",
        "jobs WHERE dedup_key LIKE 'paid:%'",
    ]
    .map(|table| ground.count(table))
}

fn the_same_transaction_pays_once_and_is_answered_the_same(kind: Database) {
    let ground = Ground::new(kind);
    let (id, invoice) = open_invoice(&ground);
    let once = payment(&invoice, "t");
    let (first, effect) = pay(&ground, &invoice, &once).expect("taken");
    assert_eq!((first.state.as_str(), first.performed_at), ("performed", Some(now().unix_millis())));
    assert_eq!((effect, pay(&ground, &invoice, &once)), (Effect::Now, Ok((first, Effect::Already))));
    let paid = ground.invoice(id);
    assert_eq!((paid.state.as_str(), paid.paid_at), ("paid", Some(now().unix_millis())));
    assert_eq!(trace(&ground), [1; 4]);
    assert!(ground.application(id).facts.paid);
}

fn another_transaction_does_not_pay_again(kind: Database) {
    let ground = Ground::new(kind);
    let (_, invoice) = open_invoice(&ground);
    pay(&ground, &invoice, &payment(&invoice, "t")).expect("taken");
    assert_eq!(pay(&ground, &invoice, &payment(&invoice, "u")), Err(Objection::Paid));
    let elsewhere = Announced { provider: "post".to_owned(), ..payment(&invoice, "t") };
    assert_eq!(pay(&ground, &invoice, &elsewhere), Err(Objection::Paid));
    assert_eq!(trace(&ground), [1; 4]);
}

fn another_amount_does_not_pay(kind: Database) {
    let ground = Ground::new(kind);
    let (id, invoice) = open_invoice(&ground);
    for amount_tiyin in [invoice.amount_tiyin - 1, invoice.amount_tiyin + 1, 0, -invoice.amount_tiyin] {
        let other = Announced { amount_tiyin, ..payment(&invoice, "t") };
        assert_eq!(pay(&ground, &invoice, &other), Err(Objection::WrongAmount));
    }
    assert_eq!(ground.invoice(id).state, "open");
    assert_eq!(trace(&ground), [0; 4]);
}

fn an_expired_or_cancelled_invoice_cannot_be_paid(kind: Database) {
    let ground = Ground::new(kind);
    let (id, invoice) = open_invoice(&ground);
    let late = later(3600);
    let answer = |at| pay_at(&ground, &invoice, &payment(&invoice, "t"), at);
    assert_eq!(answer(late), Err(Objection::Expired), "nobody has swept yet");
    assert_eq!(ground.write(|c| invoices::expire(c, late, 100)), 1);
    assert_eq!(ground.invoice(id).state, "expired");
    assert_eq!(answer(now()), Err(Objection::Expired));

    let (id, invoice) = open_invoice(&ground);
    ground.apply(|it| it.withdraw(Actor::Applicant, now()).expect("a draft"), id);
    assert_eq!(pay(&ground, &invoice, &payment(&invoice, "t")), Err(Objection::Cancelled));
    assert_eq!(trace(&ground), [0; 4]);
}

fn of_two_payments_at_once_one_is_taken(kind: Database) {
    let ground = Ground::new(kind);
    for round in 1..=8 {
        let (_, invoice) = open_invoice(&ground);
        let answers = at_once(4, |n| pay(&ground, &invoice, &payment(&invoice, &n.to_string())));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(
            answers.iter().filter_map(|answer| answer.as_ref().err()).all(|it| *it == Objection::Paid),
            "{answers:?}"
        );
        assert_eq!(trace(&ground), [round; 4]);
    }
}

fn one_transaction_called_twice_at_once_is_answered_twice_the_same(kind: Database) {
    let ground = Ground::new(kind);
    for round in 1..=8 {
        let (_, invoice) = open_invoice(&ground);
        let once = payment(&invoice, "t");
        let answers = at_once(4, |_| pay(&ground, &invoice, &once).expect("taken"));
        assert!(answers.iter().all(|(payment, _)| payment.state == "performed"), "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, effect)| *effect == Effect::Now).count(), 1, "{answers:?}");
        assert_eq!(trace(&ground), [round; 4]);
    }
}

fn a_transaction_pays_one_invoice(kind: Database) {
    let ground = Ground::new(kind);
    let ((_, first), (id, second)) = (open_invoice(&ground), open_invoice(&ground));
    let once = payment(&first, "t");
    pay(&ground, &first, &once).expect("taken");
    assert_eq!(pay(&ground, &second, &once), Err(Objection::OtherTransaction));
    assert_eq!(ground.invoice(id).state, "open");
    assert_eq!(trace(&ground), [1; 4]);
}

fn invoice_numbers_have_no_gaps_and_no_doubles(kind: Database) {
    let ground = Ground::new(kind);
    let numbers = at_once(6, |writer| {
        let write = |n: usize| {
            // Every third is given up after it took its number.
            let id = ground.created();
            let written = ground.store.write(|c| {
                let invoice = invoices::write(c, id, &quote(), now().plus(HOUR), now())?;
                if (writer + n).is_multiple_of(3) { Err(StoreError::NotFound) } else { Ok(invoice.number) }
            });
            written.ok()
        };
        (0..12).filter_map(write).collect::<Vec<_>>()
    });
    let mut numbers: Vec<String> = numbers.into_iter().flatten().collect();
    assert_distinct(&numbers);
    numbers.sort();
    let expected: Vec<String> = (1..=numbers.len()).map(|n| format!("M-2026-{n:07}")).collect();
    assert_eq!(numbers, expected);
}

fn a_second_live_invoice_is_refused_and_takes_no_number(kind: Database) {
    let ground = Ground::new(kind);
    let (id, _) = open_invoice(&ground);
    let second = ground.store.write(|c| invoices::write(c, id, &quote(), now().plus(HOUR), now()));
    assert!(matches!(second, Err(StoreError::Conflict(_))));
    let (_, next) = open_invoice(&ground);
    assert_eq!(next.number, "M-2026-0000002");
    ground.write(|c| invoices::expire(c, later(3600), 100));
    ground.write(|c| invoices::write(c, id, &quote(), later(7200), now()).map(drop));
    assert_eq!(ground.invoice(id).state, "open");
}
