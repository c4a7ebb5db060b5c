//! The legal clock: an application is decided within one working day (law no. OʻRQ-793 of 2022).
//!
//! Working days are Monday to Friday in Tashkent. Public holidays are declared from year to year and are not known here:
//! the clock then asks for more than the law does, never for less.

use ca_core::Timestamp;
use ca_core::calendar::TASHKENT;
use time::{Duration, OffsetDateTime, Weekday};

/// With less than this left, in milliseconds, an application is pressing.
const PRESSING: i64 = 4 * 3_600_000;

/// How much time is left for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// When the working day is over.
    pub(super) due: Timestamp,
    /// Milliseconds until then; negative once it is over.
    left: i64,
}

impl Clock {
    /// The clock of what was submitted then.
    pub(super) fn of(submitted_at: Timestamp, now: Timestamp) -> Self {
        let due = due(submitted_at);
        Self { due, left: due.unix_millis() - now.unix_millis() }
    }

    /// The time is over.
    pub(super) fn is_over(&self) -> bool {
        self.left < 0
    }

    /// `plenty`, `pressing` or `over`.
    pub(super) fn pressure(&self) -> &'static str {
        match self.left {
            ..0 => "over",
            0..PRESSING => "pressing",
            _ => "plenty",
        }
    }

    /// Days, hours and whole minutes, left or over.
    pub(super) fn parts(&self) -> (i64, i64, i64) {
        let minutes = self.left.abs() / 60_000;
        (minutes / 1440, minutes / 60 % 24, minutes % 60)
    }
}

/// One working day after a moment: the same time on the next working day. A weekend has no working time, so what comes in
/// then counts from Monday's first minute.
fn due(submitted_at: Timestamp) -> Timestamp {
    let local = submitted_at.to_offset_date_time().to_offset(TASHKENT);
    let begin = if is_weekend(local) { next_monday(local) } else { local };
    let mut due = begin + Duration::DAY;
    while is_weekend(due) {
        due += Duration::DAY;
    }
    Timestamp::from(due)
}

fn is_weekend(at: OffsetDateTime) -> bool {
    matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn next_monday(at: OffsetDateTime) -> OffsetDateTime {
    let days = 7 - i64::from(at.weekday().number_days_from_monday());
    at.replace_time(time::Time::MIDNIGHT) + Duration::days(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_of(submitted: &str) -> String {
        due(submitted.parse().unwrap()).to_string()
    }

    #[test]
    fn a_decision_is_due_at_the_same_time_on_the_next_working_day() {
        // A Tuesday, 15:30 in Tashkent.
        assert_eq!(due_of("2026-11-24T10:30:00Z"), "2026-11-25T10:30:00Z");
    }

    #[test]
    fn what_comes_on_friday_is_due_on_monday() {
        assert_eq!(due_of("2026-11-27T10:30:00Z"), "2026-11-30T10:30:00Z");
    }

    #[test]
    fn what_comes_at_the_weekend_has_all_of_monday() {
        let end_of_monday = "2026-11-30T19:00:00Z";
        for submitted in ["2026-11-27T19:00:00Z", "2026-11-28T10:00:00Z", "2026-11-29T18:59:59Z"] {
            assert_eq!(due_of(submitted), end_of_monday, "{submitted}");
        }
    }

    #[test]
    fn days_begin_at_midnight_in_tashkent() {
        // Friday 23:59 there, and a minute later, which is still Friday in UTC.
        assert_eq!(due_of("2026-11-27T18:59:00Z"), "2026-11-30T18:59:00Z");
        assert_eq!(due_of("2026-11-27T19:00:00Z"), "2026-11-30T19:00:00Z");
    }

    #[test]
    fn the_clock_warns_before_it_is_over() {
        let at = |now: &str| Clock::of("2026-11-24T10:00:00Z".parse().unwrap(), now.parse().unwrap());
        assert_eq!(at("2026-11-24T10:00:00Z").pressure(), "plenty");
        assert_eq!(at("2026-11-25T06:00:00Z").pressure(), "plenty");
        assert_eq!(at("2026-11-25T06:00:01Z").pressure(), "pressing");
        assert_eq!(at("2026-11-25T10:00:00Z").pressure(), "pressing");
        assert_eq!(at("2026-11-25T10:00:01Z").pressure(), "over");
        assert_eq!(at("2026-11-24T11:30:00Z").parts(), (0, 22, 30));
        assert_eq!(at("2026-11-27T12:05:00Z").parts(), (2, 2, 5));
    }
}
