//! The legal clock: an application is decided within one working day (law no. OʻRQ-793 of 2022).
//!
//! Working days are Monday to Friday in Tashkent. Public holidays are declared from year to year and are not known here:
//! the clock then asks for more than the law does, never for less.

use time::{Duration, Weekday};

use crate::Timestamp;
use crate::calendar::TASHKENT;

/// How long a decision may take on what comes in on some weekday.
///
/// The clock is given as data so that a database can be asked the same question about many decisions at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Until the same time of day, so many days later.
    SameTime(u8),
    /// Until the midnight that begins the day so many days later: a weekend has no working time, so what comes in then
    /// counts from Monday's first minute.
    Midnight(u8),
}

/// What is submitted on this weekday in Tashkent is to be decided by then.
pub fn allowance(submitted_on: Weekday) -> Allowance {
    match submitted_on {
        Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday => Allowance::SameTime(1),
        Weekday::Friday => Allowance::SameTime(3),
        Weekday::Saturday => Allowance::Midnight(3),
        Weekday::Sunday => Allowance::Midnight(2),
    }
}

/// One working day after a moment. A decision at this very moment is still in time.
pub fn due(submitted_at: Timestamp) -> Timestamp {
    let local = submitted_at.to_offset_date_time().to_offset(TASHKENT);
    Timestamp::from(match allowance(local.weekday()) {
        Allowance::SameTime(days) => local + Duration::days(days.into()),
        Allowance::Midnight(days) => local.replace_time(time::Time::MIDNIGHT) + Duration::days(days.into()),
    })
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
}
