//! The database goes away and comes back; the pool stays.

use std::time::{Duration, Instant};

use store::{StoreError, captchas, issuers};

use super::stage::{Ground, later, now, open};
use crate::disk::SmallDisk;
use crate::postgres::Server;
use crate::stack::{Database, eventually};

const PATIENCE: Duration = Duration::from_secs(2);

fn ask(store: &store::Database) -> Result<(), StoreError> {
    store.read(issuers::all).map(drop)
}

#[track_caller]
fn unavailable(outcome: &Result<(), StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

#[test]
fn while_the_server_is_stopped_everybody_is_told_soon_and_afterwards_the_pool_works_again() {
    let server = Server::start();
    let store = open(&server.fresh_database(), PATIENCE);
    store::migrations::up(&store).expect("migrations run");
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| ask(&store).expect("a server"));
            }
        });
        // In the middle of a transaction, and before the next.
        let interrupted = store.write(|c| {
            captchas::insert(c, "lost", "answer", later(60))?;
            server.stop();
            captchas::insert(c, "too", "answer", later(60))
        });
        unavailable(&interrupted);
        let asked = Instant::now();
        unavailable(&ask(&store));
        assert!(asked.elapsed() < PATIENCE * 2, "{:?}", asked.elapsed());
        unavailable(&store::migrations::pending(&store).map(drop));
        server.resume();
        eventually("the pool works again", Duration::from_secs(5), || ask(&store).ok());
        let lost = store.read(|c| captchas::answer(c, "lost"));
        assert!(matches!(lost, Err(StoreError::NotFound)), "{lost:?}");
    }
}

#[test]
fn a_commit_that_finds_no_server_is_unavailable_and_its_connection_is_not_used_again() {
    let server = Server::start();
    let store = open(&server.fresh_database(), PATIENCE);
    store::migrations::up(&store).expect("migrations run");
    let lost = store.write(|c| {
        captchas::insert(c, "lost", "answer", later(60))?;
        server.stop();
        Ok(())
    });
    unavailable(&lost);
    server.resume();
    eventually("the pool works again", Duration::from_secs(5), || ask(&store).ok());
    store.write(|c| captchas::insert(c, "lost", "answer", later(60))).expect("it is not there yet");
}

#[test]
fn a_service_starts_before_its_server_does() {
    let server = Server::start();
    let address = server.fresh_database();
    server.stop();
    let store = open(&address, PATIENCE);
    unavailable(&ask(&store));
    server.resume();
    eventually("migrations run", Duration::from_secs(10), || store::migrations::up(&store).ok());
    ask(&store).expect("a server");
}

#[test]
fn a_full_disk_under_sqlite_is_named_and_leaves_nothing_half_written() {
    let disk = SmallDisk::mount(8);
    let store = open(&disk.folder.join("full.sqlite").display().to_string(), PATIENCE);
    store::migrations::up(&store).expect("migrations run");
    store.write(|c| captchas::insert(c, "before", "answer", later(60))).expect("there is room");
    let ballast = disk.fill();
    let big = "x".repeat(1 << 20);
    let full = store.write(|c| {
        captchas::insert(c, "half", "answer", later(60))?;
        captchas::insert(c, "big", &big, later(60))
    });
    assert!(matches!(full, Err(StoreError::StorageFull(_))), "{full:?}");
    store.read(|c| captchas::answer(c, "before")).expect("what is there can be read");
    std::fs::remove_file(ballast).expect("our file");
    let half = store.read(|c| captchas::answer(c, "half"));
    assert!(matches!(half, Err(StoreError::NotFound)), "{half:?}");
    store.write(|c| captchas::insert(c, "half", "answer", later(60))).expect("there is room again");
}

#[test]
fn a_server_that_is_told_to_cancel_or_finds_a_deadlock_is_tried_again() {
    let ground = Ground::new(Database::Postgres);
    ground.write(|c| {
        captchas::insert(c, "a", "answer", later(60))?;
        captchas::insert(c, "b", "answer", later(60))
    });
    let met = std::sync::Barrier::new(2);
    let outcomes = super::stage::at_once(2, |n| {
        let (first, second) = if n == 0 { ("a", "b") } else { ("b", "a") };
        ground.store.write(|c| {
            captchas::take(c, first, now())?;
            met.wait();
            captchas::take(c, second, now()).map(drop)
        })
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    outcomes.iter().filter(|outcome| outcome.is_err()).for_each(unavailable);

    let killed = ground.store.write(|c| {
        captchas::insert(c, "c", "answer", later(60))?;
        ground.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        captchas::insert(c, "d", "answer", later(60))
    });
    unavailable(&killed);
    eventually("the pool works again", Duration::from_secs(5), || ask(&ground.store).ok());
}
