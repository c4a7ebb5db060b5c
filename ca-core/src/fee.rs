//! What a certificate costs: a dated table in, a quote with its reasons out. Money is integer tiyin (1/100 so'm).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::Timestamp;
use crate::calendar::{full_date, tashkent_date};
use crate::subject::SubjectType;

/// 100 %.
const WHOLE: i32 = 10_000;

/// The way an application came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// The authority's own portal or API.
    #[serde(rename = "online")]
    Online,
    /// The state's portal of services, as an authenticated partner.
    #[serde(rename = "my.gov.uz")]
    MyGov,
    /// A registration officer's desk.
    #[serde(rename = "service-center")]
    ServiceCenter,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 3] = [Self::Online, Self::MyGov, Self::ServiceCenter];

    /// The name in JSON, in the database and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::MyGov => "my.gov.uz",
            Self::ServiceCenter => "service-center",
        }
    }

    /// True if the channel is a partner's and only an authenticated partner may claim it: its discount is never given to
    /// an applicant who merely says so.
    pub fn requires_partner(self) -> bool {
        self == Self::MyGov
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a channel: online, my.gov.uz or service-center")]
pub struct UnknownChannel;

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownChannel)
    }
}

/// The base calculation amounts, rates and discounts, each valid from its day until the next entry of its series. Read
/// from `config/fees.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "FeeFile")]
pub struct FeeTable {
    bhm: Vec<Bhm>,
    rates: Vec<Rate>,
    discounts: Vec<Discount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeeFile {
    bhm: Vec<Bhm>,
    rates: Vec<Rate>,
    #[serde(default)]
    discounts: Vec<Discount>,
}

/// The base calculation amount (bazaviy hisoblash miqdori) from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bhm {
    #[serde(with = "crate::calendar")]
    from: Date,
    tiyin: i64,
    /// Where the figure comes from; read by people who check the table.
    #[allow(dead_code)]
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    subject_type: SubjectType,
    #[serde(with = "crate::calendar")]
    from: Date,
    basis_points: i32,
    #[allow(dead_code)]
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discount {
    channel: Channel,
    #[serde(with = "crate::calendar")]
    from: Date,
    basis_points: i32,
    #[allow(dead_code)]
    source: String,
}

/// Why a fee table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeeTableError {
    /// Nothing to multiply.
    #[error("the table has no BHM value")]
    NoBhm,
    /// Two entries of one series must not compete for a day.
    #[error("the start dates of {0} do not ascend")]
    Order(String),
    /// An amount must be positive.
    #[error("the BHM from {0} is not positive")]
    Amount(String),
    /// 0 to 10 000 basis points.
    #[error("a rate or discount of {0} is outside 0 to 10000 basis points")]
    BasisPoints(String),
    /// On some day with a BHM there would be no price.
    #[error("the rates of {0} start after the first BHM value")]
    Gap(SubjectType),
}

/// Why there is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    /// The day lies before the table's first one.
    #[error("the fee table starts later than this day")]
    BeforeTable,
}

/// A price and everything that made it. An invoice freezes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// For whom.
    pub subject_type: SubjectType,
    /// Through which channel.
    pub channel: Channel,
    /// The base calculation amount in tiyin.
    pub bhm_tiyin: i64,
    /// The day since which it applies.
    #[serde(with = "crate::calendar")]
    pub bhm_since: Date,
    /// The share of the BHM, in hundredths of a percent.
    pub rate_basis_points: i32,
    /// The channel's reduction of that share, in hundredths of a percent of it.
    pub discount_basis_points: i32,
    /// What is to be paid in tiyin.
    pub amount_tiyin: i64,
    /// The entries used, stable: `bhm-2025-08-01/natural_person-2018-06-09/online`.
    pub rule: String,
}

impl TryFrom<FeeFile> for FeeTable {
    type Error = FeeTableError;

    fn try_from(file: FeeFile) -> Result<Self, FeeTableError> {
        let first = file.bhm.first().ok_or(FeeTableError::NoBhm)?.from;
        ascending("bhm", file.bhm.iter().map(|entry| entry.from))?;
        if let Some(entry) = file.bhm.iter().find(|entry| entry.tiyin <= 0) {
            return Err(FeeTableError::Amount(full_date(entry.from)));
        }
        for subject_type in SubjectType::ALL {
            let series = || file.rates.iter().filter(move |rate| rate.subject_type == subject_type);
            ascending(subject_type.as_str(), series().map(|rate| rate.from))?;
            within(subject_type.as_str(), series().map(|rate| rate.basis_points))?;
            if series().next().is_none_or(|rate| rate.from > first) {
                return Err(FeeTableError::Gap(subject_type));
            }
        }
        for channel in Channel::ALL {
            let series = || file.discounts.iter().filter(move |discount| discount.channel == channel);
            ascending(channel.as_str(), series().map(|discount| discount.from))?;
            within(channel.as_str(), series().map(|discount| discount.basis_points))?;
        }
        Ok(Self { bhm: file.bhm, rates: file.rates, discounts: file.discounts })
    }
}

fn ascending(series: &str, dates: impl Iterator<Item = Date>) -> Result<(), FeeTableError> {
    if dates.is_sorted_by(|earlier, later| earlier < later) {
        Ok(())
    } else {
        Err(FeeTableError::Order(series.to_owned()))
    }
}

fn within(series: &str, mut basis_points: impl Iterator<Item = i32>) -> Result<(), FeeTableError> {
    if basis_points.all(|points| (0..=WHOLE).contains(&points)) {
        Ok(())
    } else {
        Err(FeeTableError::BasisPoints(series.to_owned()))
    }
}

impl FeeTable {
    /// The price on the Tashkent day of `at`: BHM x rate x (1 - discount), rounded once, half up, to a whole tiyin. No
    /// act on rounding is known; with a BHM in whole thousands of so'm and rates in whole percents nothing is rounded.
    ///
    /// # Errors
    /// [`FeeError::BeforeTable`] for days that the table does not know.
    pub fn quote(
        &self,
        subject_type: SubjectType,
        channel: Channel,
        at: Timestamp,
    ) -> Result<Quote, FeeError> {
        let day = tashkent_date(at);
        let bhm = self.bhm.iter().rfind(|bhm| bhm.from <= day).ok_or(FeeError::BeforeTable)?;
        let rate = self.rates.iter().rfind(|rate| rate.subject_type == subject_type && rate.from <= day);
        let rate = rate.ok_or(FeeError::BeforeTable)?;
        let discount =
            self.discounts.iter().rfind(|discount| discount.channel == channel && discount.from <= day);
        let discount_basis_points = discount.map_or(0, |discount| discount.basis_points);
        let via = discount
            .map_or(channel.to_string(), |discount| format!("{channel}-{}", full_date(discount.from)));
        Ok(Quote {
            subject_type,
            channel,
            bhm_tiyin: bhm.tiyin,
            bhm_since: bhm.from,
            rate_basis_points: rate.basis_points,
            discount_basis_points,
            amount_tiyin: amount(bhm.tiyin, rate.basis_points, discount_basis_points),
            rule: format!("bhm-{}/{subject_type}-{}/{via}", full_date(bhm.from), full_date(rate.from)),
        })
    }
}

/// Between 0 and `bhm`, because both factors lie between 0 and 1.
fn amount(bhm: i64, rate: i32, discount: i32) -> i64 {
    let whole = i128::from(WHOLE) * i128::from(WHOLE);
    let exact = i128::from(bhm) * i128::from(rate) * i128::from(WHOLE - discount);
    i64::try_from((exact + whole / 2) / whole).unwrap_or(bhm)
}
