//! The shape of the memory comes and goes. That both databases have the same is in `stories/schema.rs`.

use store::migrations;

use super::stage::{Ground, at_once};
use crate::stack::Database;

on_both_databases!(
    migrations_run_up_and_down_and_up_again,
    processes_that_start_together_migrate_once,
    a_database_that_is_ahead_of_nothing_has_nothing_pending,
);

fn migrations_run_up_and_down_and_up_again(kind: Database) {
    let ground = Ground::empty(kind);
    let versions = migrations::up(&ground.store).expect("up").versions;
    assert!(!versions.is_empty());
    ground.rows("SELECT count(*) FROM certificates");
    migrations::down(&ground.store).expect("down");
    assert!(migrations::pending(&ground.store).expect("an answer"));
    assert_eq!(migrations::up(&ground.store).expect("up again").versions, versions);
    ground.rows("SELECT count(*) FROM certificates");
}

fn processes_that_start_together_migrate_once(kind: Database) {
    let ground = Ground::empty(kind);
    let done = at_once(6, |_| migrations::up(&ground.store).expect("up").versions);
    assert_eq!(done.iter().filter(|versions| !versions.is_empty()).count(), 1, "{done:?}");
}

fn a_database_that_is_ahead_of_nothing_has_nothing_pending(kind: Database) {
    let ground = Ground::new(kind);
    assert!(!migrations::pending(&ground.store).expect("an answer"));
    assert_eq!(migrations::up(&ground.store).expect("up").versions, Vec::<String>::new());
}
