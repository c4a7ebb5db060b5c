//! Numbers of the change feed grow in the order of commits: a reader that asks for what came after the last never misses
//! one.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ca_core::SerialNumber;
use ca_core::revocation::{Reason, Status};
use store::{certificates, feed, issuance, issuers};

use super::stage::{Ground, at_once, certificate, intent, now};
use crate::stack::Database;

on_both_databases!(
    a_reader_that_remembers_the_last_change_misses_none,
    a_change_is_told_with_the_status_it_led_to,
    a_snapshot_has_every_certificate_once,
    only_changes_of_status_make_a_crl_due,
);

const WRITERS: usize = 6;
const EACH: usize = 25;

fn a_reader_that_remembers_the_last_change_misses_none(kind: Database) {
    let ground = Ground::new(kind);
    let written = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let mut told: Vec<SerialNumber> = Vec::new();
    let recorded: HashSet<SerialNumber> = std::thread::scope(|scope| {
        let writers = scope.spawn(|| {
            let serials = at_once(WRITERS, |writer| {
                let store = |n: usize| {
                    let intent = intent(None);
                    ground.write(|c| {
                        issuance::record_intents(c, std::slice::from_ref(&intent), now())?;
                        issuance::store_own(c, &certificate(&intent), now())?;
                        // Some take long between their number and their commit.
                        if (writer + n).is_multiple_of(3) {
                            std::thread::sleep(Duration::from_millis(4));
                        }
                        Ok(())
                    });
                    written.fetch_add(1, Ordering::Relaxed);
                    intent.serial
                };
                (0..EACH).map(store).collect::<Vec<_>>()
            });
            over.store(true, Ordering::Release);
            serials.into_iter().flatten().collect()
        });
        let mut last = 0;
        loop {
            let is_over = over.load(Ordering::Acquire);
            let changes = ground.read(|c| feed::since(c, last, 5));
            for (number, change) in &changes {
                assert!(*number > last, "numbers grow");
                last = *number;
                told.push(change.serial);
            }
            if is_over && changes.is_empty() {
                break;
            }
        }
        writers.join().expect("no panic")
    });
    assert_eq!(recorded.len(), WRITERS * EACH);
    assert_eq!(told.len(), recorded.len(), "each is told once");
    assert_eq!(told.into_iter().collect::<HashSet<_>>(), recorded);
}

fn a_change_is_told_with_the_status_it_led_to(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    let held = Status::Suspended { since: now() };
    let revoked =
        Status::Revoked { since: now(), reason: Reason::KeyCompromise, invalidity_date: Some(now()) };
    for status in [held, Status::Good, revoked] {
        ground.write(|c| {
            let stored = certificates::find(c, &serial)?;
            certificates::change_status(c, &stored, status, "test", now())
        });
    }
    let changes = ground.read(|c| feed::since(c, 0, 100));
    let statuses: Vec<Status> = changes.iter().map(|(_, change)| change.status).collect();
    assert_eq!(statuses, [Status::Good, held, Status::Good, revoked]);
    assert!(changes.iter().all(|(_, change)| change.serial == serial && change.issuer == "ca"));
    assert_eq!(ground.read(feed::latest), changes.last().expect("four").0);
}

fn a_snapshot_has_every_certificate_once(kind: Database) {
    let ground = Ground::new(kind);
    let mut issued: Vec<SerialNumber> = (0..7).map(|_| ground.issued().1).collect();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = ground.read(|c| feed::snapshot(c, after, 3));
        let Some((row, _)) = page.last() else { break };
        after = *row;
        seen.extend(page.iter().map(|(_, change)| change.serial));
    }
    issued.sort();
    seen.sort();
    assert_eq!(seen, issued);
}

fn only_changes_of_status_make_a_crl_due(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    let due = |after| ground.read(|c| feed::latest_for_crl(c, issuers::ISSUING, "", after));
    assert_eq!(due(0), None, "a new certificate is on no CRL");
    ground.write(|c| {
        let stored = certificates::find(c, &serial)?;
        certificates::change_status(c, &stored, Status::Suspended { since: now() }, "test", now())
    });
    let latest = ground.read(feed::latest);
    assert_eq!((due(0), due(latest)), (Some(latest), None));
    assert_eq!(ground.read(|c| feed::latest_for_crl(c, issuers::ROOT, "", 0)), None);
}
