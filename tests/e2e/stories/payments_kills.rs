//! `kill -9` in the middle of payments, again and again: what was acknowledged is there once, and nothing is there twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::auditor;
use crate::payments::{Bank, Click, Due, Payme, Paynet, Provider, Receipt, Verdict, ledger_holds, start};
use crate::stack::{Database, Role, Stack};

on_both_databases!(fifty_kills_in_the_middle_of_payments_lose_none_and_double_none);

const KILLS: usize = 50;
/// The third is wanted by two providers.
const INVOICES_PER_LIFE: usize = 3;
const PAYERS_PER_LIFE: usize = 4;

fn fifty_kills_in_the_middle_of_payments_lose_none_and_double_none(database: Database) {
    // Everything is filled in first, by people who come from many addresses.
    let stack = start(database, &[]);
    let started = Instant::now();
    let dues = Due::many(&stack, (KILLS + 2) * INVOICES_PER_LIFE);
    eprintln!("{:?} to fill in", started.elapsed());
    let (first, others) = dues.split_at(INVOICES_PER_LIFE);
    let (second, others) = others.split_at(INVOICES_PER_LIFE);

    // Two rounds without a kill: the first warms up, the second tells how long the providers take.
    let (_, mut paid) = life(&stack, 0, first, None);
    let undisturbed = Instant::now();
    paid.extend(life(&stack, 1, second, None).1);
    let whole = undisturbed.elapsed();
    let (mut hurt, mut lives, mut horizon) = (0, 0, whole);
    for (kill, batch) in others.chunks(INVOICES_PER_LIFE).enumerate() {
        let (unfinished, more) = life(&stack, kill, batch, Some(moment(kill, horizon)));
        paid.extend(more);
        // The machine was slow when the whole was measured: kills that come too late come sooner from now on.
        horizon = if unfinished == 0 { horizon * 4 / 5 } else { whole.min(horizon * 11 / 10) };
        hurt += usize::from(unfinished > 0);
        lives += 1;
    }
    eprintln!("{database:?}: {hurt} of {lives} kills fell into a payment; {:?} in all", started.elapsed());
    assert_eq!(lives, KILLS);
    assert!(hurt >= KILLS / 5, "only {hurt} kills fell into a payment of {whole:?}; move the moments");
    assert_eq!(paid.len(), dues.len(), "every invoice found its payer");
    for (due, provider) in dues.iter().zip(paid) {
        due.is_paid_by(&stack, provider);
    }
    assert_eq!(stack.rows("SELECT count(*) FROM payments WHERE state = 'created'"), ["0"]);
    assert!(ledger_holds(&stack) >= dues.len() as u64);
    auditor::finds_nothing(&stack);
    // The last life still works.
    let due = Due::fresh(&stack);
    let payme = Payme::new(&stack);
    let receipt = Receipt::over(&due.number, due.amount);
    payme.create(&receipt).well();
    payme.perform(&receipt).well();
    due.is_paid_by(&stack, "payme");
}

/// Spread over the time that the providers take, no two alike.
fn moment(kill: usize, whole: Duration) -> Duration {
    let share = u32::try_from(kill * 37 % KILLS).expect("few");
    whole * share / u32::try_from(KILLS).expect("few") + Duration::from_micros(kill as u64 * 13)
}

/// The providers pay, and the process is killed meanwhile and started again. How many were not done when it was killed,
/// and by whom each invoice was paid.
fn life(stack: &Stack, turn: usize, dues: &[Due], kill: Option<Duration>) -> (usize, Vec<&'static str>) {
    let payers: Vec<(usize, Box<dyn Provider>)> =
        (0..PAYERS_PER_LIFE).map(|n| (n.min(INVOICES_PER_LIFE - 1), provider(stack, turn + n))).collect();
    let done = AtomicUsize::new(0);
    let (mut unfinished, mut paid) = (0, vec![Vec::new(); dues.len()]);
    let mut refusals = Vec::new();
    let run = |(which, provider): &(usize, Box<dyn Provider>)| {
        let verdict = provider.pay(&dues[*which].number, dues[*which].amount);
        done.fetch_add(1, Ordering::SeqCst);
        (*which, provider.name(), verdict)
    };
    let run = &run;
    thread::scope(|scope| {
        let runs: Vec<_> = payers.iter().map(|payer| scope.spawn(move || run(payer))).collect();
        if let Some(moment) = kill {
            thread::sleep(moment);
            unfinished = PAYERS_PER_LIFE - done.load(Ordering::SeqCst);
            stack.kill(Role::All);
            stack.run(Role::All);
        }
        for run in runs {
            match run.join().expect("no panic") {
                (which, name, Verdict::Paid) => paid[which].push(name),
                (_, name, Verdict::Refused(why)) => refusals.push(format!("{name}: {why}")),
            }
        }
    });
    let one = |names: &Vec<&'static str>| match names[..] {
        [name] => name,
        _ => panic!("paid by {names:?} in turn {turn}; refused: {refusals:#?}"),
    };
    (unfinished, paid.iter().map(one).collect())
}

fn provider(stack: &Stack, n: usize) -> Box<dyn Provider> {
    match n % 4 {
        0 => Box::new(Click::new(stack)),
        1 => Box::new(Payme::new(stack)),
        2 => Box::new(Paynet::new(stack)),
        _ => Box::new(Bank::new(stack)),
    }
}
