//! The one place where the system clock is read. Everything else is told the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ca_core::Timestamp;

/// The system's clock, in the sandbox moved by `clock_offset_seconds`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemClock {
    offset_seconds: i64,
}

impl SystemClock {
    /// A clock that is ahead of the system's by so many seconds; negative is behind.
    ///
    /// [`Settings::check`](crate::Settings::check) refuses any offset in production.
    pub fn with_offset(offset_seconds: i64) -> Self {
        Self { offset_seconds }
    }

    /// The present moment. A system clock outside the years 1970 to 9999 gives the nearest bound.
    #[allow(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let system = Timestamp::EPOCH.plus(elapsed);
        let offset = Duration::from_secs(self.offset_seconds.unsigned_abs());
        if self.offset_seconds < 0 { system.minus(offset) } else { system.plus(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_with_an_offset_is_that_far_from_the_system_clock() {
        let day = 86_400;
        let (behind, now, ahead) = (
            SystemClock::with_offset(-day).now(),
            SystemClock::default().now(),
            SystemClock::with_offset(day).now(),
        );
        assert!(now.since(behind).as_secs().abs_diff(86_400) <= 1);
        assert!(ahead.since(now).as_secs().abs_diff(86_400) <= 1);
        assert!(now > "2026-01-01T00:00:00Z".parse().unwrap());
    }
}
