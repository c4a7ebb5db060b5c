//! The status of a certificate: one row, changed from what was decided on, and listed in order.

use ca_core::SerialNumber;
use ca_core::revocation::{Reason, Status};
use store::{StoreError, certificates, issuers};

use super::stage::{Ground, at_once, later, now, serial};
use crate::stack::Database;

on_both_databases!(
    of_two_changes_of_a_status_at_once_one_wins,
    a_hold_that_was_put_again_is_another_hold,
    what_is_not_good_comes_in_ascending_pages,
    an_entry_leaves_the_list_after_a_list_that_was_made_after_its_end,
    a_key_is_known_by_everybody_who_used_it,
);

fn revoked(reason: Reason) -> Status {
    Status::Revoked { since: now(), reason, invalidity_date: None }
}

fn change(ground: &Ground, serial: &SerialNumber, to: Status) {
    ground.write(|c| {
        let stored = certificates::find(c, serial)?;
        certificates::change_status(c, &stored, to, "test", now())
    });
}

fn of_two_changes_of_a_status_at_once_one_wins(kind: Database) {
    let ground = Ground::new(kind);
    for round in 1..=6 {
        let (_, serial) = ground.issued();
        let stored = ground.read(|c| certificates::find(c, &serial));
        let wanted = [revoked(Reason::Superseded), Status::Suspended { since: now() }];
        let outcomes = at_once(4, |n| {
            ground.store.write(|c| certificates::change_status(c, &stored, wanted[n % 2], "test", now()))
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(StoreError::Conflict(_)))));
        assert_eq!(ground.count("status_changes WHERE kind = 'changed'"), round);
        let audit = "audit_entries WHERE action IN ('certificate.revoked', 'certificate.suspended')";
        assert_eq!(ground.count(audit), round);
    }
}

fn a_hold_that_was_put_again_is_another_hold(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    change(&ground, &serial, Status::Suspended { since: now() });
    let decided_on = ground.read(|c| certificates::find(c, &serial));
    change(&ground, &serial, Status::Good);
    change(&ground, &serial, Status::Suspended { since: later(60) });
    let to = revoked(Reason::KeyCompromise);
    let late = ground.store.write(|c| certificates::change_status(c, &decided_on, to, "test", now()));
    assert!(matches!(late, Err(StoreError::Conflict(_))));
    let status = ground.read(|c| certificates::find(c, &serial)).status;
    assert_eq!(status, Status::Suspended { since: later(60) });
}

fn what_is_not_good_comes_in_ascending_pages(kind: Database) {
    let ground = Ground::new(kind);
    let mut expected: Vec<SerialNumber> = (0..11).map(|_| ground.issued().1).collect();
    for (n, serial) in expected.iter().enumerate() {
        let to = if n % 2 == 0 { revoked(Reason::Superseded) } else { Status::Suspended { since: now() } };
        change(&ground, serial, to);
    }
    ground.issued();
    let restored = ground.issued().1;
    change(&ground, &restored, Status::Suspended { since: now() });
    change(&ground, &restored, Status::Good);
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page =
            ground.read(|c| certificates::not_good(c, (issuers::ISSUING, ""), now(), after.as_ref(), 4));
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        seen.extend(page.into_iter().map(|(serial, _)| serial));
    }
    expected.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(seen, expected);
    assert!(ground.read(|c| certificates::not_good(c, (issuers::ROOT, ""), now(), None, 4)).is_empty());
}

fn an_entry_leaves_the_list_after_a_list_that_was_made_after_its_end(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    change(&ground, &serial, revoked(Reason::Superseded));
    let end = now().plus_months(12);
    let listed = |at| ground.read(|c| certificates::not_good(c, (issuers::ISSUING, ""), at, None, 4)).len();
    assert_eq!((listed(end), listed(end.plus(std::time::Duration::from_millis(1)))), (1, 0));
    let ends = ground.read(|c| certificates::ends(c, issuers::ISSUING, &[serial, super::stage::serial()]));
    assert_eq!(ends, [(serial, end, revoked(Reason::Superseded))]);
}

fn a_key_is_known_by_everybody_who_used_it(kind: Database) {
    let ground = Ground::new(kind);
    let (_, first) = ground.issued();
    ground.issued();
    change(&ground, &first, revoked(Reason::KeyCompromise));
    let uses = ground.read(|c| certificates::uses_of_key(c, &[7; 32]));
    assert_eq!(uses.len(), 2);
    assert_eq!(uses.iter().filter(|used| used.revoked_for_compromise).count(), 1);
    assert!(ground.read(|c| certificates::uses_of_key(c, &[8; 32])).is_empty());
    assert!(matches!(ground.store.read(|c| certificates::find(c, &serial())), Err(StoreError::NotFound)));
}
