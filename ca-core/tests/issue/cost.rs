//! What a certificate costs: `cargo test --release -p ca-core --test issue -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Duration;

use crate::authority::{Authority, person, profile, request, subject_key};

/// The time this thread has had a processor, whatever else the machine does.
fn cpu() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

fn each(what: &str, count: u32, mut step: impl FnMut()) -> Duration {
    let start = cpu();
    (0..count).for_each(|_| step());
    let each = (cpu() - start) / count;
    println!("{what}: {each:?}");
    each
}

#[test]
#[ignore = "a measurement: only its release build says anything"]
fn preparing_costs_well_under_60_microseconds() {
    let authority = Authority::new();
    let (issuing, profile) = (&authority.issuing, profile("legal_entity"));
    let request = request(person(), subject_key("P-256"), 9);
    let tbs = issuing.prepare(&profile, request.clone()).unwrap().tbs().to_vec();
    let count = 20_000;
    each("one P-256 signature", count, || drop(black_box(issuing.signer().sign(&tbs).unwrap())));
    let prepare = each("prepare (build, throwaway signature, lint)", count, || {
        drop(black_box(issuing.prepare(&profile, request.clone()).unwrap()));
    });
    each("prepare and issue", count, || {
        let prepared = issuing.prepare(&profile, request.clone()).unwrap();
        drop(black_box(issuing.issue(prepared).unwrap()));
    });
    assert!(prepare < Duration::from_micros(60), "{prepare:?}");
}
