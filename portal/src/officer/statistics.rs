//! How much there is of what, and what happened in a period: as numbers, as bars, and in words.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::calendar::parse_full_date;
use serde::Deserialize;
use time::Date;

use super::{Desk, query};
use crate::api::Failure;
use crate::form::Objections;
use crate::page::{Page, show};
use crate::places::{Region, regions};

mod chart;

use chart::{Chart, Column, Count, GROUND, Line, Mark};

/// The order in which an application goes through them.
const STATES: [&str; 7] = ["draft", "under_review", "approved", "issued", "rejected", "withdrawn", "expired"];
const STATUSES: [&str; 4] = ["good", "suspended", "revoked", "expired"];
const PATH: &str = "/api/v1/officer/statistics";

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/statistics", web::get().to(statistics));
}

/// Counts at this moment, and of a period.
#[derive(Debug, Deserialize)]
struct Statistics {
    applications: BTreeMap<String, i64>,
    certificates: BTreeMap<String, i64>,
    jobs: Vec<JobCount>,
    #[serde(deserialize_with = "day")]
    from: Date,
    #[serde(deserialize_with = "day")]
    to: Date,
    days: Vec<DayFlow>,
    regions: Vec<RegionFlow>,
    channels: Vec<ChannelFlow>,
    decisions: Decisions,
}

/// Jobs of one kind in one state.
#[derive(Debug, Deserialize)]
struct JobCount {
    kind: String,
    state: String,
    count: i64,
}

/// How often what happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Flow {
    created: i64,
    submitted: i64,
    approved: i64,
    rejected: i64,
    issued: i64,
}

#[derive(Debug, Deserialize)]
struct DayFlow {
    #[serde(deserialize_with = "day")]
    day: Date,
    #[serde(flatten)]
    flow: Flow,
    revoked: i64,
}

#[derive(Debug, Deserialize)]
struct RegionFlow {
    region: u16,
    #[serde(flatten)]
    flow: Flow,
}

#[derive(Debug, Deserialize)]
struct ChannelFlow {
    channel: String,
    #[serde(flatten)]
    flow: Flow,
}

/// How long officers took, in seconds.
#[derive(Debug, Default, Deserialize)]
struct Decisions {
    count: i64,
    within_working_day: i64,
    #[serde(default)]
    median_seconds: i64,
    #[serde(default)]
    ninth_decile_seconds: i64,
    #[serde(default)]
    slowest_seconds: i64,
}

/// A row of a table of what happened, under its name.
#[derive(Debug)]
struct Row {
    name: String,
    flow: Flow,
}

/// Rows of one kind, with the names of their titles' texts.
#[derive(Debug)]
struct Ledger {
    title: &'static str,
    of: &'static str,
    rows: Vec<Row>,
    total: Flow,
}

/// A bar of a count.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    name: &'static str,
    count: i64,
    /// In thousandths of the longest.
    length: i64,
}

/// Bars of one kind, with the names of its title and of its bars' texts.
#[derive(Debug)]
struct Stock {
    title: &'static str,
    group: &'static str,
    bars: Vec<Bar>,
}

#[derive(Template)]
#[template(path = "office_statistics.html")]
struct StatisticsPage {
    p: Page,
    objections: Objections,
    /// What stands in the form, `YYYY-MM-DD`.
    asked: Asked,
    from: String,
    to: String,
    /// None if nothing was submitted or decided.
    chart: Option<Chart>,
    days: Vec<DayFlow>,
    ledgers: [Ledger; 2],
    decisions: Decisions,
    stocks: [Stock; 2],
    jobs: Vec<JobCount>,
    /// This officer reads every application.
    reads: bool,
}

/// The period that is asked for.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

impl Decisions {
    /// Whole percent within a working day, rounded down: one that was late is not told as none.
    fn percent(&self) -> String {
        (self.within_working_day * 100 / self.count.max(1)).to_string()
    }
}

impl StatisticsPage {
    fn date(&self, day: &Date) -> String {
        self.p.date(*day)
    }

    /// So long it took at most: minutes begun count whole.
    fn span(&self, seconds: &i64) -> String {
        let minutes = ((seconds + 59) / 60).max(1);
        self.p.time_span(minutes / 1440, minutes / 60 % 24, minutes % 60)
    }

    /// What a column of the chart says.
    fn told(&self, count: &Count) -> String {
        let said = [
            ("flow-submitted", count.submitted),
            ("flow-approved", count.approved),
            ("flow-rejected", count.rejected),
        ]
        .map(|(name, number)| format!("{} {number}", self.p.o(name)));
        format!("{}: {}", self.p.date(count.day), said.join(", "))
    }
}

/// The counts of these names; the longest bar is whole, and what is there at all can be seen.
fn bars(names: &[&'static str], counts: &BTreeMap<String, i64>) -> Vec<Bar> {
    let longest = counts.values().copied().max().unwrap_or(0).max(1);
    let bar = |name: &'static str| {
        let count = counts.get(name).copied().unwrap_or(0);
        let length = if count > 0 { (count * 1000 / longest).max(4) } else { 0 };
        Bar { name, count, length }
    };
    names.iter().copied().map(bar).collect()
}

fn ledger(title: &'static str, of: &'static str, rows: Vec<Row>) -> Ledger {
    let sum = |of: fn(&Flow) -> i64| rows.iter().map(|row| of(&row.flow)).sum();
    let total = Flow {
        created: sum(|it| it.created),
        submitted: sum(|it| it.submitted),
        approved: sum(|it| it.approved),
        rejected: sum(|it| it.rejected),
        issued: sum(|it| it.issued),
    };
    Ledger { title, of, rows, total }
}

fn ledgers(p: &Page, told: (Vec<RegionFlow>, Vec<ChannelFlow>), regions: &[Region]) -> [Ledger; 2] {
    let region = |it: RegionFlow| {
        let known = regions.iter().find(|region| region.code == it.region);
        let name = known.map_or_else(|| it.region.to_string(), |region| region.name(&p.language).to_owned());
        Row { name, flow: it.flow }
    };
    let channel = |it: ChannelFlow| Row { name: p.name("channel", &it.channel), flow: it.flow };
    [
        ledger("by-region", "region", told.0.into_iter().map(region).collect()),
        ledger("by-channel", "channel", told.1.into_iter().map(channel).collect()),
    ]
}

fn chart(days: &[DayFlow]) -> Option<Chart> {
    let count = |it: &DayFlow| {
        let Flow { submitted, approved, rejected, .. } = it.flow;
        Count { day: it.day, submitted, approved, rejected }
    };
    Chart::of(days.iter().map(count).collect())
}

fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text: String = Deserialize::deserialize(deserializer)?;
    parse_full_date(&text).map_err(serde::de::Error::custom)
}

async fn statistics(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let asked = asked.into_inner();
    let period = query(&[("from", asked.from.trim()), ("to", asked.to.trim())]);
    // A period that is none is objected to above the figures of the usual one.
    let (told, objections) = match desk.get(&format!("{PATH}{period}")).read::<Statistics>().await {
        Ok(told) => (told, Objections::default()),
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            (desk.get(PATH).read().await?, objections)
        }
    };
    let regions = regions(&desk.portal.api, &desk.visitor).await?;
    let p = desk.page();
    let full = ca_core::calendar::full_date;
    let shown =
        if objections.is_empty() { Asked { from: full(told.from), to: full(told.to) } } else { asked };
    let page = StatisticsPage {
        objections,
        asked: shown,
        from: p.date(told.from),
        to: p.date(told.to),
        chart: chart(&told.days),
        days: told.days,
        ledgers: ledgers(&p, (told.regions, told.channels), &regions),
        decisions: told.decisions,
        stocks: [
            Stock { title: "room-queue", group: "state", bars: bars(&STATES, &told.applications) },
            Stock {
                title: "room-certificates",
                group: "certificate-status",
                bars: bars(&STATUSES, &told.certificates),
            },
        ],
        jobs: told.jobs,
        reads: desk.me.reads_all(),
        p,
    };
    show(&desk.visitor, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_whole_and_none_that_counts_is_invisible() {
        let counts = BTreeMap::from([("good".to_owned(), 5000), ("revoked".to_owned(), 1)]);
        let lengths: Vec<_> = bars(&STATUSES, &counts).into_iter().map(|bar| bar.length).collect();
        assert_eq!(lengths, [1000, 0, 4, 0]);
        assert!(bars(&STATUSES, &BTreeMap::new()).iter().all(|bar| bar.length == 0));
    }

    #[test]
    fn only_all_of_them_are_a_hundred_percent() {
        let decisions =
            |count, within_working_day| Decisions { count, within_working_day, ..Decisions::default() };
        assert_eq!(decisions(1000, 999).percent(), "99");
        assert_eq!(decisions(1000, 1000).percent(), "100");
        assert_eq!(decisions(0, 0).percent(), "0");
    }
}
