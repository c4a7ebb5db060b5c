//! Days: RFC 3339 full-dates and the day it is in Tashkent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::format_description::StaticFormatDescription;
use time::macros::{format_description, offset};
use time::{Date, Time, UtcOffset};

use crate::Timestamp;

/// Uzbekistan Time, UTC+5 all year since 1993.
pub const TASHKENT: UtcOffset = offset!(+5);
const FULL_DATE: StaticFormatDescription = format_description!("[year]-[month]-[day]");
const TIME_OF_DAY: StaticFormatDescription = format_description!("[hour]:[minute]:[second]");

/// The text is not an RFC 3339 full-date (section 5.6), or names a day that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date written as YYYY-MM-DD")]
pub struct NotADate;

/// The calendar day in Tashkent at this moment: ages and prices change at its midnight.
pub fn tashkent_date(at: Timestamp) -> Date {
    at.to_offset_date_time().to_offset(TASHKENT).date()
}

/// When it ends, if this moment lies in the hours of the day in Tashkent, from `from` o'clock until before `until`
/// o'clock, that may span midnight. The same hour twice is no time at all.
pub fn end_of_hours(at: Timestamp, from: u8, until: u8) -> Option<Timestamp> {
    let local = at.to_offset_date_time().to_offset(TASHKENT);
    let hour = local.hour();
    let inside = if from <= until { (from..until).contains(&hour) } else { hour >= from || hour < until };
    if !inside {
        return None;
    }
    let today = local.replace_time(Time::from_hms(until, 0, 0).ok()?);
    Some(Timestamp::from(if today > local { today } else { today + time::Duration::DAY }))
}

/// Reads an RFC 3339 full-date: exactly four, two and two digits.
///
/// # Errors
/// [`NotADate`] for any other form and for days that do not exist.
pub fn parse_full_date(text: &str) -> Result<Date, NotADate> {
    // The formatter also takes signed and longer years; RFC 3339 does not.
    if text.len() != 10 || !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(NotADate);
    }
    Date::parse(text, FULL_DATE).map_err(|_| NotADate)
}

/// Reads `YYYY-MM-DD HH:MM:SS`, the time of day in Tashkent, as its payment providers write it.
///
/// # Errors
/// [`NotADate`] for any other form and for moments that do not exist.
pub fn parse_tashkent_time(text: &str) -> Result<Timestamp, NotADate> {
    let (day, time) = text.split_once(' ').ok_or(NotADate)?;
    let digits = time.len() == 8 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    if !digits {
        return Err(NotADate);
    }
    let time = Time::parse(time, TIME_OF_DAY).map_err(|_| NotADate)?;
    Ok(Timestamp::from(parse_full_date(day)?.with_time(time).assume_offset(TASHKENT)))
}

/// Writes the time of day in Tashkent as `YYYY-MM-DD HH:MM:SS`.
pub fn tashkent_time(at: Timestamp) -> String {
    let local = at.to_offset_date_time().to_offset(TASHKENT);
    let (hour, minute, second) = local.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", full_date(local.date()))
}

/// Midnight in Tashkent at the beginning of a day.
pub fn tashkent_midnight(day: Date) -> Timestamp {
    Timestamp::from(day.midnight().assume_offset(TASHKENT))
}

/// Writes an RFC 3339 full-date.
pub fn full_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// For `#[serde(with = "...")]` on a [`Date`].
pub(crate) fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&full_date(*date))
}

/// For `#[serde(with = "...")]` on a [`Date`].
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    parse_full_date(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// For `#[serde(default, deserialize_with = "...")]` on an `Option<Date>`.
pub(crate) fn deserialize_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    deserialize(deserializer).map(Some)
}

/// For `#[serde(serialize_with = "...")]` on an `Option<Date>`.
pub(crate) fn serialize_some<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    date.map(full_date).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn the_day_changes_at_midnight_in_tashkent() {
        let before = "2026-03-01T18:59:59.999Z".parse().unwrap();
        let after = "2026-03-01T19:00:00Z".parse().unwrap();
        assert_eq!(tashkent_date(before), date!(2026 - 03 - 01));
        assert_eq!(tashkent_date(after), date!(2026 - 03 - 02));
    }

    #[test]
    fn the_night_spans_midnight_and_ends_in_the_morning() {
        let end =
            |at: &str, from, until| end_of_hours(at.parse().unwrap(), from, until).map(|end| end.to_string());
        let morning = Some("2026-03-02T03:00:00Z".to_owned());
        assert_eq!(end("2026-03-01T16:59:59.999Z", 22, 8), None);
        assert_eq!(end("2026-03-01T17:00:00Z", 22, 8), morning);
        assert_eq!(end("2026-03-01T19:30:00Z", 22, 8), morning);
        assert_eq!(end("2026-03-02T02:59:59.999Z", 22, 8), morning);
        assert_eq!(end("2026-03-02T03:00:00Z", 22, 8), None);
        assert_eq!(end("2026-03-01T19:30:00Z", 0, 8), morning);
        assert_eq!(end("2026-03-01T18:30:00Z", 0, 8), None);
        assert_eq!(end("2026-03-01T19:30:00Z", 5, 5), None);
    }

    #[test]
    fn the_time_of_day_in_tashkent_is_read_as_it_is_written() {
        let at = "2026-11-26T05:00:09Z".parse().unwrap();
        assert_eq!(tashkent_time(at), "2026-11-26 10:00:09");
        assert_eq!(parse_tashkent_time("2026-11-26 10:00:09"), Ok(at));
        assert_eq!(tashkent_midnight(date!(2026 - 11 - 26)), "2026-11-25T19:00:00Z".parse().unwrap());
        for other in ["2026-11-26", "2026-11-26 24:00:00", "2026-11-26T10:00:09", "2026-11-26 1:00:009", ""] {
            assert_eq!(parse_tashkent_time(other), Err(NotADate), "{other}");
        }
    }

    #[test]
    fn only_the_full_date_of_rfc_3339_is_read() {
        assert_eq!(parse_full_date("2004-02-29"), Ok(date!(2004 - 02 - 29)));
        assert_eq!(full_date(date!(2004 - 02 - 09)), "2004-02-09");
        for other in [
            "2003-02-29",
            "2004-2-29",
            "29.02.2004",
            "+004-02-29",
            "-004-02-29",
            "2004-02-29T",
            "",
            "2004-0२-9",
        ] {
            assert_eq!(parse_full_date(other), Err(NotADate), "{other}");
        }
    }
}
