//! The legal clock of what waits for a decision, as officers see it.

use ca_core::Timestamp;
use ca_core::working_day::due;

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

#[cfg(test)]
mod tests {
    use super::*;

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
