//! One entry of a series of the fee table, as officers read it and add to it.

use serde::{Deserialize, Serialize};
use time::Date;

use super::{Bhm, Channel, Discount, FeeFile, FeeTable, FeeTableError, Rate};
use crate::subject::SubjectType;

/// An entry of a series: it applies from its day in Tashkent until the next one of the same series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "series", rename_all = "kebab-case")]
pub enum Entry {
    /// The base calculation amount.
    Bhm {
        /// The first day.
        #[serde(with = "crate::calendar")]
        from: Date,
        /// The amount, above 0.
        tiyin: i64,
        /// The act that says so.
        source: String,
    },
    /// A kind of subject's share of it.
    Rate {
        /// Whose.
        subject_type: SubjectType,
        /// The first day.
        #[serde(with = "crate::calendar")]
        from: Date,
        /// The share in hundredths of a percent, 0 to 10 000.
        basis_points: i32,
        /// The act that says so.
        source: String,
    },
    /// A channel's reduction of that share.
    Discount {
        /// Which channel's.
        channel: Channel,
        /// The first day.
        #[serde(with = "crate::calendar")]
        from: Date,
        /// The reduction in hundredths of a percent of the share, 0 to 10 000.
        basis_points: i32,
        /// The act that says so.
        source: String,
    },
}

impl Entry {
    /// The name of its series: `bhm`, `rate/natural_person`, `discount/my.gov.uz`.
    pub fn series(&self) -> String {
        match self {
            Self::Bhm { .. } => "bhm".to_owned(),
            Self::Rate { subject_type, .. } => format!("rate/{subject_type}"),
            Self::Discount { channel, .. } => format!("discount/{channel}"),
        }
    }

    /// Its first day.
    pub fn from(&self) -> Date {
        match self {
            Self::Bhm { from, .. } | Self::Rate { from, .. } | Self::Discount { from, .. } => *from,
        }
    }
}

impl FeeTable {
    /// The table with more entries.
    ///
    /// # Errors
    /// [`FeeTableError`]: an entry breaks a rule of the table, for example a day that has one of its series already.
    pub fn with(&self, entries: impl IntoIterator<Item = Entry>) -> Result<Self, FeeTableError> {
        let Self { mut bhm, mut rates, mut discounts, benefits } = self.clone();
        for entry in entries {
            match entry {
                Entry::Bhm { from, tiyin, source } => bhm.push(Bhm { from, tiyin, source }),
                Entry::Rate { subject_type, from, basis_points, source } => {
                    rates.push(Rate { subject_type, from, basis_points, source });
                }
                Entry::Discount { channel, from, basis_points, source } => {
                    discounts.push(Discount { channel, from, basis_points, source });
                }
            }
        }
        // Sorting keeps what has the same day side by side, where it is found out.
        bhm.sort_by_key(|entry| entry.from);
        rates.sort_by_key(|entry| entry.from);
        discounts.sort_by_key(|entry| entry.from);
        FeeFile { bhm, rates, discounts, benefits }.try_into()
    }

    /// Every entry of every series: base amounts, shares by kind of subject, reductions by channel; each series by day.
    pub fn entries(&self) -> Vec<Entry> {
        let bhm = self.bhm.iter().map(|entry| Entry::Bhm {
            from: entry.from,
            tiyin: entry.tiyin,
            source: entry.source.clone(),
        });
        let rates = SubjectType::ALL.into_iter().flat_map(|subject_type| {
            self.rates.iter().filter(move |rate| rate.subject_type == subject_type).map(move |rate| {
                Entry::Rate {
                    subject_type,
                    from: rate.from,
                    basis_points: rate.basis_points,
                    source: rate.source.clone(),
                }
            })
        });
        let discounts = Channel::ALL.into_iter().flat_map(|channel| {
            self.discounts.iter().filter(move |discount| discount.channel == channel).map(move |discount| {
                Entry::Discount {
                    channel,
                    from: discount.from,
                    basis_points: discount.basis_points,
                    source: discount.source.clone(),
                }
            })
        });
        bhm.chain(rates).chain(discounts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn table() -> FeeTable {
        toml::from_str(include_str!("../../../config/fees.toml")).unwrap()
    }

    fn bhm(from: Date, tiyin: i64) -> Entry {
        Entry::Bhm { from, tiyin, source: "a test".to_owned() }
    }

    #[test]
    fn an_added_entry_counts_from_its_day_on_and_changes_nothing_before() {
        let more = table()
            .with([
                bhm(date!(2027 - 01 - 01), 50_000_000),
                Entry::Rate {
                    subject_type: SubjectType::NaturalPerson,
                    from: date!(2027 - 02 - 01),
                    basis_points: 500,
                    source: "a test".to_owned(),
                },
            ])
            .unwrap();
        let price = |day: &str| {
            let at = format!("{day}T00:00:00+05:00").parse().unwrap();
            more.quote(SubjectType::NaturalPerson, Channel::Online, None, at).unwrap()
        };
        assert_eq!(price("2026-12-31").amount_tiyin, 2_884_000);
        assert_eq!(price("2027-01-01").amount_tiyin, 3_500_000);
        assert_eq!(price("2027-02-01").amount_tiyin, 2_500_000);
        assert_eq!(price("2027-02-01").rule, "bhm-2027-01-01/natural_person-2027-02-01/online");
        assert_eq!(more.entries().len(), table().entries().len() + 2);
        assert_eq!(table().with([]).unwrap(), table());
    }

    #[test]
    fn an_entry_that_breaks_a_rule_is_not_added() {
        for (entry, error) in [
            (bhm(date!(2025 - 08 - 01), 1), FeeTableError::Order("bhm".to_owned())),
            (bhm(date!(2027 - 01 - 01), 0), FeeTableError::Amount("2027-01-01".to_owned())),
            (
                Entry::Discount {
                    channel: Channel::MyGov,
                    from: date!(2027 - 01 - 01),
                    basis_points: 10_001,
                    source: "a test".to_owned(),
                },
                FeeTableError::BasisPoints("my.gov.uz".to_owned()),
            ),
            (
                Entry::Bhm { from: date!(2027 - 01 - 01), tiyin: 1, source: " ".to_owned() },
                FeeTableError::Source("bhm".to_owned()),
            ),
        ] {
            assert_eq!(table().with([entry]), Err(error));
        }
    }

    #[test]
    fn an_entry_is_written_with_the_name_of_its_series() {
        let entry = Entry::Discount {
            channel: Channel::MyGov,
            from: date!(2027 - 01 - 01),
            basis_points: 500,
            source: "a test".to_owned(),
        };
        let written = serde_json::to_value(&entry).unwrap();
        assert_eq!(
            written,
            serde_json::json!({"series": "discount", "channel": "my.gov.uz", "from": "2027-01-01", "basis_points": 500, "source": "a test"})
        );
        assert_eq!(serde_json::from_value::<Entry>(written).unwrap(), entry);
        assert_eq!(entry.series(), "discount/my.gov.uz");
    }
}
