//! What the figures count: by the day in Tashkent, by the legal clock, and the same on both databases.

use ca_core::Timestamp;
use ca_core::application::{Actor, ApplicationId, Reason};
use ca_core::working_day::due;
use store::statistics::{self, Decisions, Happening, Period};
use time::Date;
use time::macros::date;

use super::stage::{Ground, now, reviewer};
use crate::stack::Database;

on_both_databases!(
    everything_that_happened_is_counted_on_its_day,
    a_day_begins_at_midnight_in_tashkent,
    a_period_without_anything_is_empty,
    only_subscribers_revoked_certificates_are_counted,
    the_median_and_the_slow_tail_are_those_of_a_sorted_list,
    a_decision_is_timed_from_the_last_submission_before_it,
    the_database_keeps_the_same_legal_clock,
);

/// The day on which everything happens, a Friday.
const DAY: Date = date!(2026 - 11 - 20);

fn period(first: Date, last: Date) -> Period {
    Period::new(first, last).expect("a period")
}

fn decisions(ground: &Ground, first: Date, last: Date) -> Decisions {
    ground.read(|c| statistics::decisions(c, period(first, last)))
}

/// Behind the store's back: an application's past, as it could have been.
fn happened(ground: &Ground, id: ApplicationId, events: &[(Timestamp, &str)]) {
    let rows: Vec<String> = events
        .iter()
        .map(|(at, command)| format!("('{id}', {}, 'test', '{command}', 'x', 'y')", at.unix_millis()))
        .collect();
    let columns = "application_id, at, actor, command, from_state, to_state";
    ground.rows(&format!("INSERT INTO application_events ({columns}) VALUES {}", rows.join(", ")));
}

fn everything_that_happened_is_counted_on_its_day(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    ground.issued();
    let refused = ground.under_review();
    ground.apply(
        |it| it.reject(&reviewer(), Reason::SuspectedFraud, None, now()).expect("under review"),
        refused,
    );
    let elsewhere = ground.draft();
    ground.rows(&format!(
        "UPDATE applications SET region = 1703, channel = 'service-center' WHERE id = '{elsewhere}'"
    ));
    let mut tallies: Vec<_> = ground
        .read(|c| statistics::tallies(c, period(DAY, DAY)))
        .into_iter()
        .map(|tally| {
            assert_eq!(tally.day, DAY);
            (tally.region, tally.channel, tally.happening, tally.count)
        })
        .collect();
    tallies.sort();
    let online = |happening, count| (1726, "online".to_owned(), happening, count);
    assert_eq!(
        tallies,
        [
            (1703, "service-center".to_owned(), Happening::Created, 1),
            online(Happening::Created, 3),
            online(Happening::Submitted, 3),
            online(Happening::Approved, 2),
            online(Happening::Rejected, 1),
            online(Happening::Issued, 2),
        ]
    );
}

fn a_day_begins_at_midnight_in_tashkent(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.draft();
    let moments = ["2026-11-21T18:59:59.999Z", "2026-11-21T19:00:00Z", "2026-11-22T18:59:59.999Z"];
    let submitted = moments.map(|at| (at.parse().expect("a moment"), "submit"));
    happened(&ground, id, &submitted);
    let on = |first, last| {
        let tallies = ground.read(|c| statistics::tallies(c, period(first, last)));
        let mut days: Vec<_> = tallies.into_iter().map(|tally| (tally.day, tally.count)).collect();
        days.sort();
        days
    };
    let (saturday, sunday) = (date!(2026 - 11 - 21), date!(2026 - 11 - 22));
    assert_eq!(on(saturday, sunday), [(saturday, 1), (sunday, 2)]);
    assert_eq!(on(sunday, sunday), [(sunday, 2)]);
    assert_eq!(on(saturday, saturday), [(saturday, 1)]);
}

fn a_period_without_anything_is_empty(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    let after = period(date!(2026 - 11 - 21), date!(2027 - 11 - 20));
    assert_eq!(ground.read(|c| statistics::tallies(c, after)), []);
    assert_eq!(ground.read(|c| statistics::revocations(c, after)), []);
    assert_eq!(ground.read(|c| statistics::decisions(c, after)), Decisions::default());
}

fn only_subscribers_revoked_certificates_are_counted(kind: Database) {
    let ground = Ground::new(kind);
    let serials = [(); 4].map(|()| ground.issued().1);
    let at = now().unix_millis();
    for (serial, status) in serials.iter().zip(["revoked", "revoked", "suspended"]) {
        ground.rows(&format!(
            "UPDATE certificates SET status = '{status}', status_since = {at}, reason = 1 WHERE serial = {}",
            kind.blob(serial)
        ));
    }
    // A responder's or an authority's own certificate answers no application.
    ground.rows(&format!(
        "UPDATE certificates SET application_id = NULL WHERE serial = {}",
        kind.blob(serials[1])
    ));
    let revoked = ground.read(|c| statistics::revocations(c, period(DAY, DAY)));
    assert_eq!(revoked, [(DAY, 1)]);
}

fn the_median_and_the_slow_tail_are_those_of_a_sorted_list(kind: Database) {
    let ground = Ground::new(kind);
    let mut seconds = vec![600, 60, 60, 7200, 90, 30, 3600, 45, 100_000, 120, 61];
    for took in &seconds {
        let id = ground.draft();
        let decided = now().plus(std::time::Duration::from_secs(*took));
        happened(&ground, id, &[(now(), "submit"), (decided, "approve")]);
    }
    seconds.sort_unstable();
    let found = decisions(&ground, DAY, date!(2026 - 11 - 30));
    let place = |percent: usize| (seconds.len() * percent).div_ceil(100) - 1;
    let at = |place: usize| i64::try_from(seconds[place]).ok();
    assert_eq!(found.count, 11);
    assert_eq!(found.median_seconds, at(place(50)));
    assert_eq!(found.ninth_decile_seconds, at(place(90)));
    assert_eq!(found.slowest_seconds, Some(100_000));
    // That one was decided on the second day, and so it counts there.
    assert_eq!(decisions(&ground, DAY, DAY).count, 10);
}

fn a_decision_is_timed_from_the_last_submission_before_it(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.under_review();
    let at = |minutes: u64| now().plus(std::time::Duration::from_secs(minutes * 60));
    let other = Reason::PhotoUnclear;
    ground.apply(|it| it.send_back(&reviewer(), other, None, at(3)).expect("under review"), id);
    ground.apply(|it| it.submit(Actor::Applicant, at(60)).expect("complete"), id);
    ground.apply(|it| it.approve(&reviewer(), at(65)).expect("under review"), id);
    // The lint refused it: whoever approves again is as late as the first submission makes them.
    ground.apply(|it| it.refuse_issuance("a finding".to_owned(), at(66)).expect("approved"), id);
    ground.apply(|it| it.approve(&reviewer(), at(67)).expect("under review"), id);
    let found = decisions(&ground, DAY, DAY);
    assert_eq!((found.count, found.within_working_day), (3, 3));
    assert_eq!((found.median_seconds, found.slowest_seconds), (Some(5 * 60), Some(7 * 60)));
}

fn the_database_keeps_the_same_legal_clock(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.draft();
    // Every three hours of a week, and the last moment of each third hour.
    let mut submissions = 0;
    for hour in (0..7 * 24).step_by(3) {
        for millis in [0, 3_600_000 - 1] {
            let submitted = Timestamp::from_unix_millis(now().unix_millis() + hour * 3_600_000 + millis);
            let end = due(submitted);
            let late = Timestamp::from_unix_millis(end.unix_millis() + 1);
            happened(&ground, id, &[(submitted, "submit"), (end, "approve"), (late, "reject")]);
            submissions += 1;
        }
    }
    let found = decisions(&ground, DAY, date!(2026 - 12 - 31));
    assert_eq!((found.count, found.within_working_day), (2 * submissions, submissions));
}
