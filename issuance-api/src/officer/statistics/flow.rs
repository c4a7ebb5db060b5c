//! What happened in a period: days, regions and channels, folded from the tallies that the database counted.

use std::collections::BTreeMap;

use ca_core::calendar::full_date;
use ca_core::fee::Channel;
use ca_core::subject::Regions;
use serde::Serialize;
use store::statistics::{Decisions, Happening, Period, Tally};
use time::Date;

/// How often what happened to applications.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Flow {
    /// Drafts that came into being.
    created: i64,
    /// Handed in; once more after each return.
    submitted: i64,
    /// Approved by an officer; once more if the CA's lint refused one meanwhile.
    approved: i64,
    /// Rejected by an officer.
    rejected: i64,
    /// Certificates signed.
    issued: i64,
}

/// A day in Tashkent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct DayFlow {
    /// `YYYY-MM-DD`.
    #[schema(format = Date)]
    day: String,
    #[serde(flatten)]
    flow: Flow,
    /// Subscribers' certificates revoked on it.
    revoked: i64,
}

/// A region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct RegionFlow {
    /// SOATO code; its names are in `/api/v1/regions`.
    region: i32,
    #[serde(flatten)]
    flow: Flow,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct ChannelFlow {
    /// `online`, `my.gov.uz` or `service-center`.
    channel: String,
    #[serde(flatten)]
    flow: Flow,
}

/// How long officers took: from a submission to the approval, rejection or return that answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct DecisionTimes {
    /// Decisions in the period.
    count: i64,
    /// Those within one working day: at the latest at the same time on the next working day.
    within_working_day: i64,
    /// Seconds that half of the decisions did not exceed; absent without decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    median_seconds: Option<i64>,
    /// Seconds that nine tenths of the decisions did not exceed; absent without decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    ninth_decile_seconds: Option<i64>,
    /// Seconds of the slowest; absent without decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    slowest_seconds: Option<i64>,
}

/// A period by day, region and channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flows {
    pub(super) days: Vec<DayFlow>,
    pub(super) regions: Vec<RegionFlow>,
    pub(super) channels: Vec<ChannelFlow>,
}

impl Flow {
    fn add(&mut self, tally: &Tally) {
        let counted = match tally.happening {
            Happening::Created => &mut self.created,
            Happening::Submitted => &mut self.submitted,
            Happening::Approved => &mut self.approved,
            Happening::Rejected => &mut self.rejected,
            Happening::Issued => &mut self.issued,
        };
        *counted += tally.count;
    }
}

impl Flows {
    /// Every day of the period, every region and every channel, also those where nothing happened.
    pub(super) fn of(
        period: Period,
        tallies: &[Tally],
        revocations: &[(Date, i64)],
        regions: &Regions,
    ) -> Self {
        let mut days: BTreeMap<Date, Flow> = period.days().map(|day| (day, Flow::default())).collect();
        let mut by_region: BTreeMap<i32, Flow> =
            regions.iter().map(|region| (i32::from(region.code), Flow::default())).collect();
        let mut by_channel = Channel::ALL.map(|channel| (channel.as_str().to_owned(), Flow::default()));
        for tally in tallies {
            days.entry(tally.day).or_default().add(tally);
            // A region that has left the list since then still counts.
            by_region.entry(tally.region).or_default().add(tally);
            if let Some((_, flow)) = by_channel.iter_mut().find(|(channel, _)| *channel == tally.channel) {
                flow.add(tally);
            }
        }
        let revoked: BTreeMap<Date, i64> = revocations.iter().copied().collect();
        Self {
            days: days
                .into_iter()
                .map(|(day, flow)| DayFlow {
                    revoked: revoked.get(&day).copied().unwrap_or(0),
                    day: full_date(day),
                    flow,
                })
                .collect(),
            regions: by_region.into_iter().map(|(region, flow)| RegionFlow { region, flow }).collect(),
            channels: by_channel.map(|(channel, flow)| ChannelFlow { channel, flow }).into(),
        }
    }
}

impl From<Decisions> for DecisionTimes {
    fn from(decisions: Decisions) -> Self {
        let Decisions { count, within_working_day, median_seconds, ninth_decile_seconds, slowest_seconds } =
            decisions;
        Self { count, within_working_day, median_seconds, ninth_decile_seconds, slowest_seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn tally(day: Date, region: i32, channel: &str, happening: Happening, count: i64) -> Tally {
        Tally { day, region, channel: channel.to_owned(), happening, count }
    }

    fn regions() -> Regions {
        let names = serde_json::json!({"uz": "x", "uz-Cyrl": "x", "kaa": "x", "ru": "x", "en": "x"});
        let region = |code: u16| serde_json::json!({"code": code, "names": names, "districts": [{"code": u32::from(code) * 1000 + 1, "names": names}]});
        serde_json::from_value(serde_json::json!({"regions": [region(1703), region(1726)]})).unwrap()
    }

    #[test]
    fn every_day_region_and_channel_is_there_and_what_happened_is_added_up() {
        let (monday, tuesday) = (date!(2026 - 11 - 23), date!(2026 - 11 - 24));
        let period = Period::new(monday, date!(2026 - 11 - 25)).unwrap();
        let tallies = [
            tally(monday, 1726, "online", Happening::Created, 5),
            tally(monday, 1726, "my.gov.uz", Happening::Created, 2),
            tally(tuesday, 1726, "online", Happening::Issued, 3),
            tally(tuesday, 1799, "online", Happening::Rejected, 1),
        ];
        let flows = Flows::of(period, &tallies, &[(tuesday, 4)], &regions());
        let days: Vec<_> =
            flows.days.iter().map(|it| (it.day.as_str(), it.flow.created, it.revoked)).collect();
        assert_eq!(days, [("2026-11-23", 7, 0), ("2026-11-24", 0, 4), ("2026-11-25", 0, 0)]);
        let found: Vec<_> =
            flows.regions.iter().map(|it| (it.region, it.flow.created, it.flow.rejected)).collect();
        assert_eq!(found, [(1703, 0, 0), (1726, 7, 0), (1799, 0, 1)], "1799 is in the list no more");
        let found: Vec<_> = flows.channels.iter().map(|it| (it.channel.as_str(), it.flow.issued)).collect();
        assert_eq!(found, [("online", 3), ("my.gov.uz", 0), ("service-center", 0)]);
    }
}
