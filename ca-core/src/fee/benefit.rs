//! Benefits: reductions for a category of people, each as long as the act that grants it is in force.
//!
//! Nobody claims one for themselves. A registrar who has seen the paper claims it, or a partner that keeps the register.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use super::{FeeTableError, WHOLE, check_series, check_shares};
use crate::calendar::{self, full_date};
use crate::subject::SubjectType;

/// Longest name of a benefit, in octets.
const NAME_MAX: usize = 64;

/// That somebody falls under a benefit, as checked by the one who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The benefit's name in the fee table.
    pub benefit: &'a str,
    /// SOATO code of the district the subject lives in.
    pub district: u32,
}

/// A benefit from a day on, until another one if the act ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benefit {
    name: String,
    /// What people read, by the tag of their language.
    #[serde(default)]
    titles: BTreeMap<String, String>,
    /// Everybody if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_types: Option<Vec<SubjectType>>,
    /// SOATO codes; the whole country if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    districts: Option<Vec<u32>>,
    #[serde(with = "calendar")]
    from: Date,
    /// The last day.
    #[serde(
        default,
        deserialize_with = "calendar::deserialize_some",
        serialize_with = "calendar::serialize_some",
        skip_serializing_if = "Option::is_none"
    )]
    until: Option<Date>,
    pub(super) basis_points: i32,
    source: String,
}

impl Benefit {
    /// How a rule names the entry: `benefit:<name>-<first day>`.
    pub(super) fn rule(&self) -> String {
        format!("benefit:{}-{}", self.name, full_date(self.from))
    }

    /// The name that is claimed.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn in_force(&self, day: Date) -> bool {
        self.from <= day && self.until.is_none_or(|last| day <= last)
    }

    fn covers(&self, subject_type: SubjectType, district: u32) -> bool {
        let of_the_type = self.subject_types.as_ref().is_none_or(|types| types.contains(&subject_type));
        of_the_type && self.districts.as_ref().is_none_or(|districts| districts.contains(&district))
    }
}

/// True if a rule of a quote says that this benefit made the price.
pub fn names_benefit(rule: &str, benefit: &str) -> bool {
    rule.split('/').filter_map(|part| part.strip_prefix("benefit:")).any(|entry| {
        entry.strip_prefix(benefit).is_some_and(|from| {
            from.strip_prefix('-').is_some_and(|day| calendar::parse_full_date(day).is_ok())
        })
    })
}

/// Why a claim does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The table has no such benefit, or not on this day.
    #[error("there is no such benefit on this day")]
    Unknown,
    /// It is for other subjects or other districts.
    #[error("the benefit does not cover this subject or district")]
    NotCovered,
}

/// The entry that a claim stands on.
pub(super) fn claimed<'a>(
    benefits: &'a [Benefit],
    claim: Claim<'_>,
    subject_type: SubjectType,
    day: Date,
) -> Result<&'a Benefit, ClaimError> {
    let mut named = benefits.iter().filter(|benefit| benefit.name == claim.benefit);
    let benefit = named.rfind(|benefit| benefit.in_force(day)).ok_or(ClaimError::Unknown)?;
    if benefit.covers(subject_type, claim.district) { Ok(benefit) } else { Err(ClaimError::NotCovered) }
}

/// What people read in this language, as the newest entry says it.
pub(super) fn title<'a>(benefits: &'a [Benefit], name: &str, language: &str) -> Option<&'a str> {
    let mut named = benefits.iter().rev().filter(|benefit| benefit.name == name);
    named.find_map(|benefit| benefit.titles.get(language)).map(String::as_str)
}

/// Keeps the rules of the table's benefits.
pub(super) fn check(benefits: &[Benefit]) -> Result<(), FeeTableError> {
    for benefit in benefits {
        let name = benefit.name.as_str();
        let slug = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !slug || name.is_empty() || name.len() > NAME_MAX {
            return Err(FeeTableError::BenefitName(name.to_owned()));
        }
        let series = || benefits.iter().filter(|other| other.name == benefit.name);
        check_series(name, series().map(|entry| (entry.from, entry.source.as_str())))?;
        check_shares(name, series().map(|entry| entry.basis_points))?;
        let nothing = benefit.basis_points == 0;
        let nobody = benefit.subject_types.as_ref().is_some_and(Vec::is_empty)
            || benefit.districts.as_ref().is_some_and(Vec::is_empty);
        if nothing || nobody {
            return Err(FeeTableError::EmptyBenefit(name.to_owned()));
        }
        if benefit.until.is_some_and(|last| last < benefit.from) {
            return Err(FeeTableError::Order(name.to_owned()));
        }
        let ends_late = |(one, next): (&Benefit, &Benefit)| one.until.is_none_or(|last| last >= next.from);
        if series().zip(series().skip(1)).any(ends_late) {
            return Err(FeeTableError::Overlap(name.to_owned()));
        }
    }
    Ok(())
}

/// The larger reduction counts: a benefit takes the place of a channel's discount and is never added to it.
pub(super) fn larger(discount: i32, benefit: Option<&Benefit>) -> (i32, Option<&Benefit>) {
    match benefit {
        Some(benefit) if benefit.basis_points > discount => (benefit.basis_points.min(WHOLE), Some(benefit)),
        _ => (discount, None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, FeeError, FeeTable};
    use super::*;

    /// Made-up benefits on the real table.
    const BENEFITS: &str = r#"
        [[benefits]]
        name = "pupils"
        titles = { uz = "oʻquvchilar", en = "pupils" }
        subject_types = ["natural_person"]
        from = "2025-09-01"
        until = "2025-12-31"
        basis_points = 10_000
        source = "a test"

        [[benefits]]
        name = "pupils"
        subject_types = ["natural_person"]
        from = "2026-09-01"
        basis_points = 5000
        source = "a test"

        [[benefits]]
        name = "pilot-district"
        districts = [1703202, 1703203]
        from = "2025-09-01"
        basis_points = 500
        source = "a test"
    "#;

    fn table(benefits: &str) -> Result<FeeTable, String> {
        let fees = concat!(include_str!("../../../config/fees.toml"), "\n");
        toml::from_str(&format!("{fees}{benefits}")).map_err(|error| error.to_string())
    }

    fn quote(benefit: &str, channel: Channel, day: &str) -> Result<(i64, Option<String>), FeeError> {
        let claim = Claim { benefit, district: 1_703_202 };
        let at = format!("{day}T12:00:00+05:00").parse().unwrap();
        let quote = table(BENEFITS).unwrap().quote(SubjectType::NaturalPerson, channel, Some(claim), at)?;
        assert_eq!(quote.benefit.is_some(), quote.rule.contains("/benefit:"), "{}", quote.rule);
        Ok((quote.amount_tiyin, quote.benefit))
    }

    #[test]
    fn a_benefit_holds_from_its_first_day_to_its_last() {
        let unknown = Err(FeeError::Claim(ClaimError::Unknown));
        let pupils = Some("pupils".to_owned());
        assert_eq!(quote("pupils", Channel::Online, "2025-08-31"), unknown);
        assert_eq!(quote("pupils", Channel::Online, "2025-09-01"), Ok((0, pupils.clone())));
        assert_eq!(quote("pupils", Channel::Online, "2025-12-31"), Ok((0, pupils.clone())));
        assert_eq!(quote("pupils", Channel::Online, "2026-01-01"), unknown);
        assert_eq!(quote("pupils", Channel::Online, "2026-09-01"), Ok((1_442_000, pupils)));
        assert_eq!(quote("poets", Channel::Online, "2026-09-01"), unknown);
    }

    #[test]
    fn the_larger_reduction_counts_and_the_rule_names_it() {
        let district = Some("pilot-district".to_owned());
        assert_eq!(quote("pilot-district", Channel::Online, "2026-09-01"), Ok((2_739_800, district)));
        assert_eq!(quote("pilot-district", Channel::MyGov, "2026-09-01"), Ok((2_595_600, None)));
        let at = "2025-09-01T12:00:00+05:00".parse().unwrap();
        let claim = Claim { benefit: "pupils", district: 1_726_262 };
        let fees = table(BENEFITS).unwrap();
        let quote = fees.quote(SubjectType::NaturalPerson, Channel::MyGov, Some(claim), at).unwrap();
        assert_eq!(quote.rule, "bhm-2025-08-01/natural_person-2018-06-09/benefit:pupils-2025-09-01");
        assert_eq!((quote.discount_basis_points, quote.amount_tiyin), (10_000, 0));
        assert!(names_benefit(&quote.rule, "pupils"));
        assert!(!names_benefit(&quote.rule, "pupil") && !names_benefit(&quote.rule, ""));
        assert!(!names_benefit("bhm-2025-08-01/benefit:pupils", "pupils"));
    }

    #[test]
    fn a_benefit_is_for_its_subjects_and_districts() {
        let at = "2025-09-01T12:00:00+05:00".parse().unwrap();
        let fees = table(BENEFITS).unwrap();
        let quote = |subject_type, benefit, district| {
            fees.quote(subject_type, Channel::ServiceCenter, Some(Claim { benefit, district }), at)
                .map(|_| ())
        };
        let not_covered = Err(FeeError::Claim(ClaimError::NotCovered));
        assert_eq!(quote(SubjectType::LegalEntity, "pupils", 1_703_202), not_covered);
        assert_eq!(quote(SubjectType::NaturalPerson, "pilot-district", 1_726_262), not_covered);
        assert_eq!(quote(SubjectType::LegalEntity, "pilot-district", 1_703_203), Ok(()));
    }

    #[test]
    fn people_read_the_title_in_their_language() {
        let fees = table(BENEFITS).unwrap();
        assert_eq!(fees.benefit_title("pupils", "uz"), Some("oʻquvchilar"));
        assert_eq!(fees.benefit_title("pupils", "ru"), None);
        assert_eq!(fees.benefit_title("poets", "uz"), None);
    }

    #[test]
    fn benefits_that_leave_a_price_open_are_refused() {
        for (from, to, rule) in [
            ("\"pupils\"", "\"Pupils\"", "Pupils is not a name"),
            ("until = \"2025-12-31\"", "until = \"2025-08-31\"", "the start dates of pupils do not ascend"),
            ("until = \"2025-12-31\"", "until = \"2026-09-01\"", "two entries of pupils share a day"),
            ("until = \"2025-12-31\"", "", "two entries of pupils share a day"),
            ("until = \"2025-12-31\"", "until = \"2025-12-32\"", "not a date written as YYYY-MM-DD"),
            ("basis_points = 500\n", "basis_points = 10001\n", "pilot-district is outside 0 to 10000"),
            ("basis_points = 500\n", "basis_points = 0\n", "pilot-district reduces nothing or is for nobody"),
            ("[1703202, 1703203]", "[]", "pilot-district reduces nothing or is for nobody"),
            ("source = \"a test\"", "source = \"\"", "an entry of pupils names no source"),
        ] {
            assert!(BENEFITS.contains(from), "{from}");
            let message = table(&BENEFITS.replacen(from, to, 1)).unwrap_err();
            assert!(message.contains(rule), "{message}");
        }
    }
}
