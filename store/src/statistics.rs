//! What happened in a period, counted by the database: few rows come out of it, however many applications there are.

use ca_core::Timestamp;
use ca_core::calendar::{TASHKENT, tashkent_date, tashkent_midnight};
use ca_core::working_day::{Allowance, allowance};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use time::{Date, Duration, Weekday};

use crate::database::Connection;
use crate::error::StoreError;

const DAY_MILLIS: i64 = 86_400_000;

/// From the first moment of a day in Tashkent until before the first moment of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    first: Date,
    last: Date,
}

/// The period ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a period of at least a day")]
pub struct NotAPeriod;

/// What may happen to an application on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Happening {
    /// A draft came into being.
    Created,
    /// It was handed in; once more after each return.
    Submitted,
    /// An officer approved it; once more if the CA's lint refused it meanwhile.
    Approved,
    /// An officer rejected it.
    Rejected,
    /// The CA signed its certificate.
    Issued,
}

/// How often something happened on a day, in a region, by a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The day in Tashkent.
    pub day: Date,
    /// SOATO code of the application's region.
    pub region: i32,
    /// The name of the application's channel.
    pub channel: String,
    /// What happened.
    pub happening: Happening,
    /// How often; never nought.
    pub count: i64,
}

/// How long officers took. A decision is an approval, a rejection or a return; its time runs from the last submission
/// before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Decisions in the period.
    pub count: i64,
    /// Those within the legal clock's working day.
    pub within_working_day: i64,
    /// Whole seconds that half of the decisions did not exceed; none without decisions.
    pub median_seconds: Option<i64>,
    /// Whole seconds that nine tenths of the decisions did not exceed; none without decisions.
    pub ninth_decile_seconds: Option<i64>,
    /// Whole seconds of the slowest; none without decisions.
    pub slowest_seconds: Option<i64>,
}

impl Period {
    /// From the first day to the last, both included.
    ///
    /// # Errors
    /// [`NotAPeriod`] if the last comes before the first.
    pub fn new(first: Date, last: Date) -> Result<Self, NotAPeriod> {
        if last < first { Err(NotAPeriod) } else { Ok(Self { first, last }) }
    }

    /// The first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// The last day.
    pub fn last(self) -> Date {
        self.last
    }

    /// Its days, in order.
    pub fn days(self) -> impl Iterator<Item = Date> {
        let (first, count) = (self.first, (self.last - self.first).whole_days());
        (0..=count).map(move |days| first + Duration::days(days))
    }

    /// Unix milliseconds of its first moment, and of the first after it.
    fn bounds(self) -> (i64, i64) {
        let end = tashkent_midnight(self.last).unix_millis() + DAY_MILLIS;
        (tashkent_midnight(self.first).unix_millis(), end)
    }
}

impl Happening {
    /// From the name of a command in `application_events`, or `create`.
    fn of(command: &str) -> Result<Self, StoreError> {
        match command {
            "create" => Ok(Self::Created),
            "submit" => Ok(Self::Submitted),
            "approve" => Ok(Self::Approved),
            "reject" => Ok(Self::Rejected),
            "issue" => Ok(Self::Issued),
            _ => Err(StoreError::corrupt("an event that was not asked for")),
        }
    }
}

#[derive(QueryableByName)]
struct TallyRow {
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = Integer)]
    region: i32,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    command: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct DayRow {
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct DecisionsRow {
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    in_time: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    median: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    ninth_decile: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    slowest: Option<i64>,
}

/// What happened to applications in the period, in no order: at most one row for a day, region, channel and happening.
///
/// # Errors
/// The database's.
pub fn tallies(connection: &mut Connection, period: Period) -> Result<Vec<Tally>, StoreError> {
    let (from, until) = period.bounds();
    let rows: Vec<TallyRow> = diesel::sql_query(format!(
        "SELECT {event_day} AS day, a.region AS region, a.channel AS channel, e.command AS command, \
           count(*) AS count \
         FROM application_events e JOIN applications a ON a.id = e.application_id \
         WHERE e.at >= {from} AND e.at < {until} AND e.command IN ('submit', 'approve', 'reject', 'issue') \
         GROUP BY {event_day}, a.region, a.channel, e.command \
         UNION ALL SELECT {created_day}, region, channel, 'create', count(*) FROM applications \
         WHERE created_at >= {from} AND created_at < {until} GROUP BY {created_day}, region, channel",
        event_day = day_of("e.at"),
        created_day = day_of("created_at"),
    ))
    .load(connection)?;
    let tally = |row: TallyRow| {
        Ok(Tally {
            day: date(row.day),
            region: row.region,
            channel: row.channel,
            happening: Happening::of(&row.command)?,
            count: row.count,
        })
    };
    rows.into_iter().map(tally).collect()
}

/// Subscribers' certificates revoked in the period, by the day in Tashkent; days without any are left out.
///
/// # Errors
/// The database's.
pub fn revocations(connection: &mut Connection, period: Period) -> Result<Vec<(Date, i64)>, StoreError> {
    let (from, until) = period.bounds();
    let rows: Vec<DayRow> = diesel::sql_query(format!(
        "SELECT {day} AS day, count(*) AS count FROM certificates \
         WHERE status = 'revoked' AND application_id IS NOT NULL \
           AND status_since >= {from} AND status_since < {until} GROUP BY {day}",
        day = day_of("status_since"),
    ))
    .load(connection)?;
    Ok(rows.into_iter().map(|row| (date(row.day), row.count)).collect())
}

/// How long the decisions of the period took.
///
/// Both databases count by whole seconds and add up from below. `percentile_disc` would say the same, but SQLite has none;
/// and to read every decision in order to sort it here would take memory without a bound.
///
/// # Errors
/// The database's.
pub fn decisions(connection: &mut Connection, period: Period) -> Result<Decisions, StoreError> {
    let (from, until) = period.bounds();
    let row: DecisionsRow = diesel::sql_query(format!(
        "WITH decided AS ( \
           SELECT d.at AS at, (SELECT max(s.at) FROM application_events s \
             WHERE s.application_id = d.application_id AND s.id < d.id AND s.command = 'submit') AS submitted_at \
           FROM application_events d \
           WHERE d.at >= {from} AND d.at < {until} AND d.command IN ('approve', 'reject', 'return')), \
         counted AS ( \
           SELECT (at - submitted_at) / 1000 AS seconds, count(*) AS count, \
             sum(CASE WHEN at <= {due} THEN 1 ELSE 0 END) AS in_time \
           FROM decided WHERE submitted_at IS NOT NULL GROUP BY (at - submitted_at) / 1000), \
         added_up AS ( \
           SELECT seconds, in_time, count, sum(count) OVER (ORDER BY seconds) AS so_far, sum(count) OVER () AS total \
           FROM counted) \
         SELECT CAST(coalesce(sum(count), 0) AS BIGINT) AS total, \
           CAST(coalesce(sum(in_time), 0) AS BIGINT) AS in_time, \
           min(CASE WHEN so_far * 2 >= total THEN seconds END) AS median, \
           min(CASE WHEN so_far * 10 >= total * 9 THEN seconds END) AS ninth_decile, \
           max(seconds) AS slowest FROM added_up",
        due = due_of("submitted_at"),
    ))
    .get_result(connection)?;
    Ok(Decisions {
        count: row.total,
        within_working_day: row.in_time,
        median_seconds: row.median,
        ninth_decile_seconds: row.ninth_decile,
        slowest_seconds: row.slowest,
    })
}

/// SQL for the number of the day in Tashkent, from 1970-01-01, of a column of unix milliseconds. Both databases round an
/// integer's quotient towards nought, which is down for every moment since then.
fn day_of(column: &str) -> String {
    format!("(({column} + {}) / {DAY_MILLIS})", i64::from(TASHKENT.whole_seconds()) * 1000)
}

/// The day with this number.
fn date(day: i64) -> Date {
    tashkent_date(Timestamp::from_unix_millis(day * DAY_MILLIS))
}

/// SQL for [`ca_core::working_day::due`] of a column of unix milliseconds: the same table of weekdays, written as a CASE.
fn due_of(column: &str) -> String {
    let day = day_of(column);
    let offset = i64::from(TASHKENT.whole_seconds()) * 1000;
    let mut weekday = Weekday::Monday;
    let cases: String = (0..7)
        .map(|_| {
            let number = weekday.number_days_from_monday();
            let due = match allowance(weekday) {
                Allowance::SameTime(days) => format!("{column} + {}", i64::from(days) * DAY_MILLIS),
                Allowance::Midnight(days) => format!("({day} + {days}) * {DAY_MILLIS} - {offset}"),
            };
            weekday = weekday.next();
            format!("WHEN {number} THEN {due} ")
        })
        .collect();
    // 1970-01-01 was a Thursday.
    format!("(CASE ({day} + 3) % 7 {cases}END)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_period_has_both_of_its_ends() {
        let period = Period::new(date!(2026 - 11 - 29), date!(2026 - 12 - 01)).unwrap();
        let days: Vec<_> = period.days().collect();
        assert_eq!(days, [date!(2026 - 11 - 29), date!(2026 - 11 - 30), date!(2026 - 12 - 01)]);
        let (from, until) = period.bounds();
        assert_eq!(Timestamp::from_unix_millis(from).to_string(), "2026-11-28T19:00:00Z");
        assert_eq!(Timestamp::from_unix_millis(until).to_string(), "2026-12-01T19:00:00Z");
    }

    #[test]
    fn a_period_does_not_end_before_it_begins() {
        let day = date!(2026 - 11 - 29);
        assert!(Period::new(day, day).is_ok());
        assert_eq!(Period::new(day, day.previous_day().unwrap()), Err(NotAPeriod));
    }

    #[test]
    fn the_last_day_of_the_calendar_is_one_like_any_other() {
        let period = Period::new(Date::MAX, Date::MAX).unwrap();
        assert_eq!(period.days().collect::<Vec<_>>(), [Date::MAX]);
        let (from, until) = period.bounds();
        assert_eq!(until - from, DAY_MILLIS);
    }
}
