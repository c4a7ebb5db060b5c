//! A moment, passed in by the caller: nothing in this crate reads a clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, UtcOffset};

/// A moment in UTC with millisecond resolution, between 1970-01-01 and 9999-12-31T23:59:59.999Z.
///
/// It is stored as unix milliseconds, written in JSON as RFC 3339, and in certificates as whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The number is outside the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is outside the years 1970 to 9999")]
pub struct OutOfRange;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59Z: "no well-defined expiration date" (RFC 5280 section 4.1.2.5).
    pub const MAX: Self = Self(253_402_300_799_000);

    /// From unix milliseconds; a number outside the supported years is moved to the nearest bound.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX.0 + 999))
    }

    /// From unix seconds; a number outside the supported years is moved to the nearest bound.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same moment without its fraction of a second, as certificates and CRLs write it.
    pub fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// The beginning of the minute.
    pub fn whole_minutes(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60_000))
    }

    /// Later by `duration`, at most [`Timestamp::MAX`].
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// Earlier by `duration`, at least [`Timestamp::EPOCH`].
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }

    /// Later by calendar months; a day the month does not have becomes its last day (31 January + 1 = 28 February).
    pub fn plus_months(self, months: u32) -> Self {
        let at = self.to_offset_date_time();
        let counted = u32::from(u8::from(at.month())) - 1 + months;
        let year = at.year() + i32::try_from(counted / 12).unwrap_or(i32::MAX / 2);
        if year > 9999 {
            return Self::MAX;
        }
        let month = Month::January.nth_next((counted % 12) as u8);
        let day = at.day().min(month.length(year));
        match Date::from_calendar_date(year, month, day) {
            Ok(date) => Self::from(at.replace_date(date)),
            Err(_) => Self::MAX,
        }
    }

    /// The time elapsed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// For calendars and formatting.
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(at: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        Self::from_unix_millis(at.unix_timestamp() * 1000 + i64::from(at.millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_offset_date_time().format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = OutOfRange;

    fn from_str(text: &str) -> Result<Self, OutOfRange> {
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| OutOfRange)?;
        let at = at.to_offset(UtcOffset::UTC);
        if (1970..=9999).contains(&at.year()) { Ok(Self::from(at)) } else { Err(OutOfRange) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_later_never_leaves_the_month() {
        let january = "2027-01-31T10:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(january.plus_months(1).to_string(), "2027-02-28T10:00:00Z");
        assert_eq!(january.plus_months(13).to_string(), "2028-02-29T10:00:00Z");
        assert_eq!(Timestamp::MAX.plus_months(1), Timestamp::MAX);
    }

    #[test]
    fn the_text_form_is_rfc_3339_in_utc() {
        let at = "2026-11-20T05:00:00.250+05:00".parse::<Timestamp>().unwrap();
        assert_eq!(at.to_string(), "2026-11-20T00:00:00.25Z");
        assert_eq!(at.whole_seconds().to_string(), "2026-11-20T00:00:00Z");
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
    }
}
