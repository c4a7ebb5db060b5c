//! What a transaction promises.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use store::{Connection, StoreError, captchas};

use super::stage::{Ground, later, open};
use crate::stack::Database;

on_both_databases!(
    what_an_error_interrupts_is_not_there,
    what_a_panic_interrupts_is_not_there_and_the_pool_goes_on,
    a_reader_sees_one_state_of_the_database,
    whoever_waits_too_long_for_another_is_told_so,
);

fn add(c: &mut Connection, id: &str) -> Result<(), StoreError> {
    captchas::insert(c, id, "answer", later(60))
}

fn what_an_error_interrupts_is_not_there(kind: Database) {
    let ground = Ground::new(kind);
    let failed: Result<(), StoreError> = ground.store.write(|c| {
        add(c, "a")?;
        add(c, "a")
    });
    assert!(matches!(failed, Err(StoreError::Conflict(_))), "{failed:?}");
    assert_eq!(ground.count("captchas"), 0);
}

fn what_a_panic_interrupts_is_not_there_and_the_pool_goes_on(kind: Database) {
    let ground = Ground::new(kind);
    for round in 0..20 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            ground.write(|c| -> Result<(), StoreError> {
                add(c, &format!("lost {round}"))?;
                std::panic::resume_unwind(Box::new("on purpose"))
            });
        }));
        assert!(panicked.is_err());
    }
    for round in 0..20 {
        ground.write(|c| add(c, &round.to_string()));
    }
    assert_eq!(ground.count("captchas"), 20);
}

fn a_reader_sees_one_state_of_the_database(kind: Database) {
    let ground = Ground::new(kind);
    ground.write(|c| add(c, "a"));
    let seen = ground.read(|c| {
        let before = captchas::answer(c, "b").is_ok();
        captchas::answer(c, "a")?;
        ground.write(|other| add(other, "b"));
        Ok((before, captchas::answer(c, "b").is_ok()))
    });
    assert_eq!(seen, (false, false));
    ground.read(|c| captchas::answer(c, "b"));
}

fn whoever_waits_too_long_for_another_is_told_so(kind: Database) {
    let ground = Ground::new(kind);
    ground.write(|c| add(c, "a"));
    let impatient = open(&ground.address, Duration::from_millis(300));
    let take = |c: &mut Connection| captchas::take(c, "a", later(0));
    impatient.read(|c| captchas::answer(c, "a")).expect("a connection");
    let (holding, is_held) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let done = is_done;
            ground.write(|c| {
                take(c)?;
                holding.send(()).expect("the other thread");
                done.recv().expect("the other thread");
                Ok(())
            });
        });
        is_held.recv().expect("the other thread");
        let asked = Instant::now();
        let waited = impatient.write(take);
        assert!(matches!(waited, Err(StoreError::Unavailable(_))), "{waited:?}");
        assert!(asked.elapsed() < Duration::from_secs(5));
        done.send(()).expect("the other thread");
    });
    assert_eq!(impatient.write(take).expect("nobody holds it"), None);
}
