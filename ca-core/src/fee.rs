//! What a certificate costs: a dated table in, a quote with its reasons out. Money is integer tiyin (1/100 so'm).

mod benefit;
mod entry;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::Timestamp;
use crate::calendar::{full_date, tashkent_date};
use crate::subject::SubjectType;

pub use benefit::{Benefit, Claim, ClaimError, names_benefit};
pub use entry::Entry;

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

/// The base calculation amounts, rates, discounts and benefits, each valid from its day until the next entry of its series
/// or the day it ends. Read from `config/fees.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "FeeFile")]
pub struct FeeTable {
    bhm: Vec<Bhm>,
    rates: Vec<Rate>,
    discounts: Vec<Discount>,
    benefits: Vec<Benefit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeeFile {
    bhm: Vec<Bhm>,
    rates: Vec<Rate>,
    #[serde(default)]
    discounts: Vec<Discount>,
    #[serde(default)]
    benefits: Vec<Benefit>,
}

/// The base calculation amount (bazaviy hisoblash miqdori) from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bhm {
    #[serde(with = "crate::calendar")]
    from: Date,
    tiyin: i64,
    /// Where the figure comes from, for the people who check the table.
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    subject_type: SubjectType,
    #[serde(with = "crate::calendar")]
    from: Date,
    basis_points: i32,
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discount {
    channel: Channel,
    #[serde(with = "crate::calendar")]
    from: Date,
    basis_points: i32,
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
    /// A figure nobody can check is not charged.
    #[error("an entry of {0} names no source")]
    Source(String),
    /// On some day with a BHM there would be no price.
    #[error("the rates of {0} are missing or start after the first BHM value")]
    Gap(SubjectType),
    /// Rules and URLs carry the name.
    #[error("{0} is not a name of a benefit: 1 to 64 of a-z, 0-9 and -")]
    BenefitName(String),
    /// Every day has one entry of a name at most.
    #[error("two entries of {0} share a day")]
    Overlap(String),
    /// A benefit that benefits nobody is a mistake.
    #[error("{0} reduces nothing or is for nobody")]
    EmptyBenefit(String),
}

/// Why there is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    /// The day lies before the table's first one.
    #[error("the fee table starts later than this day")]
    BeforeTable,
    /// The benefit cannot be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
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
    /// The reduction of that share, the channel's or the benefit's, in hundredths of a percent of it.
    pub discount_basis_points: i32,
    /// The benefit that made the reduction.
    pub benefit: Option<String>,
    /// What is to be paid in tiyin.
    pub amount_tiyin: i64,
    /// The entries used, stable: `bhm-2025-08-01/natural_person-2018-06-09/online`.
    pub rule: String,
}

impl Quote {
    /// Nothing is to be paid, because a benefit says so: nobody pays and no payment is waited for.
    pub fn is_free(&self) -> bool {
        self.amount_tiyin == 0 && self.benefit.is_some()
    }
}

impl TryFrom<FeeFile> for FeeTable {
    type Error = FeeTableError;

    fn try_from(file: FeeFile) -> Result<Self, FeeTableError> {
        let first = file.bhm.first().ok_or(FeeTableError::NoBhm)?.from;
        check_series("bhm", file.bhm.iter().map(|entry| (entry.from, entry.source.as_str())))?;
        if let Some(entry) = file.bhm.iter().find(|entry| entry.tiyin <= 0) {
            return Err(FeeTableError::Amount(full_date(entry.from)));
        }
        for subject_type in SubjectType::ALL {
            let series = || file.rates.iter().filter(move |rate| rate.subject_type == subject_type);
            check_series(subject_type.as_str(), series().map(|rate| (rate.from, rate.source.as_str())))?;
            check_shares(subject_type.as_str(), series().map(|rate| rate.basis_points))?;
            if series().next().is_none_or(|rate| rate.from > first) {
                return Err(FeeTableError::Gap(subject_type));
            }
        }
        for channel in Channel::ALL {
            let series = || file.discounts.iter().filter(move |discount| discount.channel == channel);
            check_series(
                channel.as_str(),
                series().map(|discount| (discount.from, discount.source.as_str())),
            )?;
            check_shares(channel.as_str(), series().map(|discount| discount.basis_points))?;
        }
        benefit::check(&file.benefits)?;
        Ok(Self { bhm: file.bhm, rates: file.rates, discounts: file.discounts, benefits: file.benefits })
    }
}

fn check_series<'a>(name: &str, entries: impl Iterator<Item = (Date, &'a str)>) -> Result<(), FeeTableError> {
    let mut previous = None;
    for (from, source) in entries {
        if previous >= Some(from) {
            return Err(FeeTableError::Order(name.to_owned()));
        }
        if source.trim().is_empty() {
            return Err(FeeTableError::Source(name.to_owned()));
        }
        previous = Some(from);
    }
    Ok(())
}

fn check_shares(name: &str, mut basis_points: impl Iterator<Item = i32>) -> Result<(), FeeTableError> {
    if basis_points.all(|points| (0..=WHOLE).contains(&points)) {
        Ok(())
    } else {
        Err(FeeTableError::BasisPoints(name.to_owned()))
    }
}

impl FeeTable {
    /// The price on the Tashkent day of `at`: BHM x rate x (1 - reduction), rounded once, half up, to a whole tiyin. No
    /// act on rounding is known; with a BHM in whole thousands of so'm and rates in whole percents nothing is rounded.
    /// The reduction is the channel's discount or the claimed benefit, whichever is larger.
    ///
    /// # Errors
    /// [`FeeError::BeforeTable`] for days that the table does not know, [`FeeError::Claim`] for a claim that does not
    /// hold.
    pub fn quote(
        &self,
        subject_type: SubjectType,
        channel: Channel,
        claim: Option<Claim<'_>>,
        at: Timestamp,
    ) -> Result<Quote, FeeError> {
        let day = tashkent_date(at);
        let bhm = self.bhm.iter().rfind(|bhm| bhm.from <= day).ok_or(FeeError::BeforeTable)?;
        let rate = self.rates.iter().rfind(|rate| rate.subject_type == subject_type && rate.from <= day);
        let rate = rate.ok_or(FeeError::BeforeTable)?;
        let discount =
            self.discounts.iter().rfind(|discount| discount.channel == channel && discount.from <= day);
        let claimed =
            claim.map(|claim| benefit::claimed(&self.benefits, claim, subject_type, day)).transpose()?;
        let (reduction, benefit) =
            benefit::larger(discount.map_or(0, |discount| discount.basis_points), claimed);
        let via = match (benefit, discount) {
            (Some(benefit), _) => benefit.rule(),
            (None, Some(discount)) => format!("{channel}-{}", full_date(discount.from)),
            (None, None) => channel.to_string(),
        };
        Ok(Quote {
            subject_type,
            channel,
            bhm_tiyin: bhm.tiyin,
            bhm_since: bhm.from,
            rate_basis_points: rate.basis_points,
            discount_basis_points: reduction,
            benefit: benefit.map(|benefit| benefit.name().to_owned()),
            amount_tiyin: amount(bhm.tiyin, rate.basis_points, reduction),
            rule: format!("bhm-{}/{subject_type}-{}/{via}", full_date(bhm.from), full_date(rate.from)),
        })
    }

    /// Every entry of every benefit, in the order of the table.
    pub fn benefits(&self) -> &[Benefit] {
        &self.benefits
    }

    /// What people read for a benefit in the language with this tag, if the table says it.
    pub fn benefit_title(&self, name: &str, language: &str) -> Option<&str> {
        benefit::title(&self.benefits, name, language)
    }
}

/// Between 0 and `bhm`, because both factors lie between 0 and 1.
fn amount(bhm: i64, rate: i32, discount: i32) -> i64 {
    let whole = i128::from(WHOLE) * i128::from(WHOLE);
    let exact = i128::from(bhm) * i128::from(rate) * i128::from(WHOLE - discount);
    i64::try_from((exact + whole / 2) / whole).unwrap_or(bhm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    const FEES: &str = include_str!("../../config/fees.toml");

    fn table() -> FeeTable {
        toml::from_str(FEES).unwrap()
    }

    fn amount_on(day: &str, subject_type: SubjectType, channel: Channel) -> i64 {
        let at = format!("{day}T12:00:00+05:00").parse().unwrap();
        table().quote(subject_type, channel, None, at).unwrap().amount_tiyin
    }

    #[test]
    fn the_prices_are_those_of_the_published_guides() {
        use Channel::{MyGov, Online, ServiceCenter};
        use SubjectType::{LegalEntity, NaturalPerson, SoleProprietor};
        for (day, subject_type, channel, som) in [
            ("2025-01-15", NaturalPerson, Online, 26_250),
            ("2025-01-15", LegalEntity, Online, 37_500),
            ("2025-01-15", NaturalPerson, MyGov, 23_625),
            ("2025-01-15", LegalEntity, MyGov, 33_750),
            ("2025-09-06", NaturalPerson, Online, 28_840),
            ("2025-09-06", NaturalPerson, ServiceCenter, 28_840),
            ("2025-09-06", LegalEntity, ServiceCenter, 41_200),
            ("2025-09-06", SoleProprietor, Online, 41_200),
            ("2025-09-06", NaturalPerson, MyGov, 25_956),
            ("2025-09-06", LegalEntity, MyGov, 37_080),
        ] {
            assert_eq!(amount_on(day, subject_type, channel), som * 100, "{day} {subject_type} {channel}");
        }
    }

    #[test]
    fn a_price_changes_at_midnight_in_tashkent() {
        let quote = |at: &str| {
            table().quote(SubjectType::LegalEntity, Channel::Online, None, at.parse().unwrap()).unwrap()
        };
        assert_eq!(quote("2025-07-31T18:59:59.999Z").bhm_since, date!(2024 - 10 - 01));
        assert_eq!(quote("2025-07-31T19:00:00Z").bhm_since, date!(2025 - 08 - 01));
        let before = table().quote(
            SubjectType::LegalEntity,
            Channel::Online,
            None,
            "2019-08-31T18:59:59Z".parse().unwrap(),
        );
        assert_eq!(before, Err(FeeError::BeforeTable));
    }

    #[test]
    fn a_quote_names_the_entries_it_used() {
        let at = "2026-11-20T07:00:00Z".parse().unwrap();
        let quote = table().quote(SubjectType::NaturalPerson, Channel::MyGov, None, at).unwrap();
        assert_eq!(quote.rule, "bhm-2025-08-01/natural_person-2018-06-09/my.gov.uz-2019-09-01");
        assert_eq!(
            (quote.bhm_tiyin, quote.rate_basis_points, quote.discount_basis_points),
            (41_200_000, 700, 1000)
        );
        let online = table().quote(SubjectType::SoleProprietor, Channel::Online, None, at).unwrap();
        assert_eq!(online.rule, "bhm-2025-08-01/sole_proprietor-2018-06-09/online");
        let json = serde_json::to_string(&quote).unwrap();
        assert_eq!(serde_json::from_str::<Quote>(&json).unwrap(), quote);
    }

    #[test]
    fn only_a_partner_speaks_for_my_gov_uz() {
        let partners: Vec<&str> = Channel::ALL
            .into_iter()
            .filter(|channel| channel.requires_partner())
            .map(Channel::as_str)
            .collect();
        assert_eq!(partners, ["my.gov.uz"]);
        for channel in Channel::ALL {
            assert_eq!(channel.as_str().parse(), Ok(channel));
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.as_str());
        }
        assert_eq!("mygov".parse::<Channel>(), Err(UnknownChannel));
    }

    #[test]
    fn a_table_that_leaves_a_price_open_is_refused() {
        let refusal = |from: &str, to: &str| {
            assert!(FEES.contains(from), "{from}");
            toml::from_str::<FeeTable>(&FEES.replacen(from, to, 1)).unwrap_err().to_string()
        };
        for (from, to, rule) in [
            ("2021-09-01", "2021-02-01", "the start dates of bhm do not ascend"),
            ("tiyin = 22_300_000", "tiyin = 0", "the BHM from 2019-09-01 is not positive"),
            (
                "basis_points = 700",
                "basis_points = 10001",
                "natural_person is outside 0 to 10000 basis points",
            ),
            ("basis_points = 700", "basis_points = -1", "natural_person is outside 0 to 10000 basis points"),
            ("2018-06-09", "2019-09-02", "the rates of natural_person are missing or start after"),
            (
                "\"sole_proprietor\"",
                "\"legal_entity\"",
                "the rates of sole_proprietor are missing or start after",
            ),
            ("source = \"press, September 2025\"", "source = \" \"", "an entry of bhm names no source"),
            ("from = \"2025-08-01\"", "from = \"2025-08-32\"", "not a date written as YYYY-MM-DD"),
            ("tiyin = 22_300_000", "som = 223_000", "unknown field `som`"),
        ] {
            let message = refusal(from, to);
            assert!(message.contains(rule), "{message}");
        }
    }

    #[test]
    fn a_fraction_of_a_tiyin_is_rounded_half_up() {
        // 7 % of 50 is 3.5; 7 % of 49 is 3.43; nine tenths of 7 % of 50 is 3.15.
        assert_eq!(amount(50, 700, 0), 4);
        assert_eq!(amount(49, 700, 0), 3);
        assert_eq!(amount(50, 700, 1000), 3);
        assert_eq!(amount(i64::MAX, WHOLE, 0), i64::MAX);
    }

    proptest! {
        #[test]
        fn a_price_is_never_negative_nor_above_the_bhm(bhm in 1i64.., rate in 0..=WHOLE, discount in 0..=WHOLE) {
            let price = amount(bhm, rate, discount);
            prop_assert!((0..=bhm).contains(&price));
            prop_assert!(price <= amount(bhm, rate, 0));
        }

        #[test]
        fn every_day_since_the_first_bhm_has_a_price(seconds in 1_567_278_000i64..4_000_000_000, which in 0usize..9) {
            let (subject_type, channel) = (SubjectType::ALL[which / 3], Channel::ALL[which % 3]);
            let quote = table().quote(subject_type, channel, None, Timestamp::from_unix_seconds(seconds)).unwrap();
            prop_assert!(quote.amount_tiyin > 0 && quote.amount_tiyin <= quote.bhm_tiyin);
            prop_assert!(quote.bhm_since <= tashkent_date(Timestamp::from_unix_seconds(seconds)));
        }
    }
}
