//! How much there is of what, and what happened in a period.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{Role, State};
use ca_core::calendar::{full_date, parse_full_date, tashkent_date};
use serde::{Deserialize, Serialize};
use store::statistics::{self, Period};
use store::{Connection, StoreError, applications, certificates, jobs};
use time::{Date, Duration};

use crate::auth::SignedIn;
use crate::context::Context;
use crate::problem::{Document, FieldError, Problem, only};

mod flow;

use flow::{ChannelFlow, DayFlow, DecisionTimes, Flows, RegionFlow};

/// Days of a period that nobody asked for, and of the longest that anybody may ask for.
const DAYS: i64 = 30;
const DAYS_MAX: i64 = 366;

/// Counts at this moment, and of a period.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Statistics {
    /// Applications by state, at this moment; every state is there.
    applications: BTreeMap<String, i64>,
    /// Subscribers' certificates by status, at this moment: `good`, `suspended`, `revoked` and `expired`.
    certificates: BTreeMap<&'static str, i64>,
    /// Jobs that wait or need somebody, at this moment.
    jobs: Vec<JobCount>,
    /// The first day of the period, in Tashkent.
    #[schema(format = Date)]
    from: String,
    /// Its last day.
    #[schema(format = Date)]
    to: String,
    /// Every day of the period, in order.
    days: Vec<DayFlow>,
    /// Every region, in the order of the codes.
    regions: Vec<RegionFlow>,
    /// Every channel.
    channels: Vec<ChannelFlow>,
    decisions: DecisionTimes,
}

/// Jobs of one kind in one state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobCount {
    /// `issue-certificate`, `sign-crl` or `send-message`.
    kind: String,
    /// `ready`, or `dead`: it failed too often.
    state: String,
    count: i64,
}

/// Which period.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PeriodQuery {
    /// The first day, `YYYY-MM-DD`, in Tashkent; if absent, 30 days end with `to`.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day, at most 366 days with it; today if absent.
    #[param(format = Date)]
    to: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/statistics").route(web::get().to(get)).default_service(only("GET")),
    );
}

/// Statistics
///
/// Counts at this moment, and what happened in a period by day, region and channel.
#[utoipa::path(get, path = "/api/v1/officer/statistics", tag = "officers", operation_id = "statistics",
    security(("officer" = [])), params(PeriodQuery),
    responses(
        (status = 200, description = "counts", body = Statistics),
        (status = 403, description = "forbidden", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<PeriodQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Reviewer, Role::Auditor, Role::Admin])?;
    let now = context.now();
    let period = query.read(tashkent_date(now)).map_err(Problem::fields)?;
    let regions = context.regions.clone();
    let statistics = context
        .read(move |connection| {
            let tallies = statistics::tallies(connection, period)?;
            let revocations = statistics::revocations(connection, period)?;
            let Flows { days, regions, channels } = Flows::of(period, &tallies, &revocations, &regions);
            Ok(Statistics {
                applications: states(connection)?,
                certificates: statuses(connection, now)?,
                jobs: waiting(connection)?,
                from: full_date(period.first()),
                to: full_date(period.last()),
                days,
                regions,
                channels,
                decisions: statistics::decisions(connection, period)?.into(),
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(statistics))
}

impl PeriodQuery {
    /// The period that is asked for; nothing written into a form is as good as nothing said.
    fn read(&self, today: Date) -> Result<Period, Vec<FieldError>> {
        let day = |text: &Option<String>, pointer: &str| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => parse_full_date(text).map(Some).map_err(|_| FieldError::new(pointer, "date-form")),
        };
        let (from, to) = match (day(&self.from, "/from"), day(&self.to, "/to")) {
            (Ok(from), Ok(to)) => (from, to),
            (from, to) => return Err([from.err(), to.err()].into_iter().flatten().collect()),
        };
        let last = to.unwrap_or(today);
        let first = from.unwrap_or_else(|| last.saturating_sub(Duration::days(DAYS - 1)));
        let refused = |rule| vec![FieldError::new("/from", rule)];
        let period = Period::new(first, last).map_err(|_| refused("period-backwards"))?;
        if (last - first).whole_days() >= DAYS_MAX {
            return Err(refused("period-too-long"));
        }
        Ok(period)
    }
}

fn states(connection: &mut Connection) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut states: BTreeMap<String, i64> = State::ALL.map(|state| (state.as_str().to_owned(), 0)).into();
    states.extend(applications::counts(connection)?);
    Ok(states)
}

fn statuses(connection: &mut Connection, now: Timestamp) -> Result<BTreeMap<&'static str, i64>, StoreError> {
    let counted = certificates::counts(connection, now)?;
    Ok(BTreeMap::from([
        ("good", counted.good),
        ("suspended", counted.suspended),
        ("revoked", counted.revoked),
        ("expired", counted.expired),
    ]))
}

fn waiting(connection: &mut Connection) -> Result<Vec<JobCount>, StoreError> {
    let jobs = jobs::counts(connection)?;
    Ok(jobs.into_iter().map(|(kind, state, count)| JobCount { kind, state, count }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const TODAY: Date = date!(2026 - 11 - 27);

    fn read(query: &str) -> Result<(Date, Date), Vec<String>> {
        let query = web::Query::<PeriodQuery>::from_query(query).unwrap().into_inner();
        let said = |errors: Vec<FieldError>| {
            errors.into_iter().map(|error| format!("{} {}", error.pointer, error.text)).collect()
        };
        query.read(TODAY).map(|period| (period.first(), period.last())).map_err(said)
    }

    #[test]
    fn thirty_days_until_today_are_told_if_nobody_says_which() {
        let month = Ok((date!(2026 - 10 - 29), TODAY));
        assert_eq!(read(""), month);
        assert_eq!(read("from=&to="), month, "as an empty form has it");
        assert_eq!(read("to=2026-03-01"), Ok((date!(2026 - 01 - 31), date!(2026 - 03 - 01))));
        assert_eq!(read("from=2026-11-27"), Ok((TODAY, TODAY)));
    }

    #[test]
    fn a_period_has_at_most_366_days() {
        assert!(read("from=2024-01-01&to=2024-12-31").is_ok(), "a leap year");
        let too_long = Err(vec!["/from field-period-too-long".to_owned()]);
        assert_eq!(read("from=2024-01-01&to=2025-01-01"), too_long);
        assert_eq!(read("from=0000-01-01"), too_long);
        assert!(read("from=9999-12-31&to=9999-12-31").is_ok());
    }

    #[test]
    fn what_is_no_period_is_named() {
        assert_eq!(
            read("from=27.11.2026&to=2026-02-30"),
            Err(vec!["/from field-date-form".to_owned(), "/to field-date-form".to_owned()])
        );
        for backwards in ["from=2026-11-28", "from=2026-11-02&to=2026-11-01"] {
            assert_eq!(read(backwards), Err(vec!["/from field-period-backwards".to_owned()]), "{backwards}");
        }
    }
}
