//! How much there is of what, as numbers and as bars.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::Desk;
use crate::api::Failure;
use crate::page::{Page, show};

/// The order in which an application goes through them.
const STATES: [&str; 7] = ["draft", "under_review", "approved", "issued", "rejected", "withdrawn", "expired"];
const STATUSES: [&str; 4] = ["good", "suspended", "revoked", "expired"];

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/statistics", web::get().to(statistics));
}

/// Counts at this moment.
#[derive(Debug, Deserialize)]
struct Statistics {
    applications: BTreeMap<String, i64>,
    certificates: BTreeMap<String, i64>,
    jobs: Vec<JobCount>,
}

/// Jobs of one kind in one state.
#[derive(Debug, Deserialize)]
struct JobCount {
    kind: String,
    state: String,
    count: i64,
}

/// A bar of a chart.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    name: &'static str,
    count: i64,
    /// In thousandths of the longest.
    length: i64,
}

/// Bars of one kind, with the names of its title and of its bars' texts.
#[derive(Debug)]
struct Chart {
    title: &'static str,
    group: &'static str,
    bars: Vec<Bar>,
}

#[derive(Template)]
#[template(path = "office_statistics.html")]
struct StatisticsPage {
    p: Page,
    charts: [Chart; 2],
    jobs: Vec<JobCount>,
    /// This officer reads every application.
    reads: bool,
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

async fn statistics(desk: Desk) -> Result<HttpResponse, Failure> {
    let told: Statistics = desk.get("/api/v1/officer/statistics").read().await?;
    let page = StatisticsPage {
        p: desk.page(),
        charts: [
            Chart { title: "room-queue", group: "state", bars: bars(&STATES, &told.applications) },
            Chart {
                title: "room-certificates",
                group: "certificate-status",
                bars: bars(&STATUSES, &told.certificates),
            },
        ],
        jobs: told.jobs,
        reads: desk.me.reads_all(),
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
}
