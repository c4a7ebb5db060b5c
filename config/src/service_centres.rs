//! Where people are served in person: public service centres and tax offices, from a file of the operator's.

use ca_core::subject::{Names, Phone, Regions};
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::tables::{TablesError, table};

/// Invented, and said to be so in every name.
const INVENTED: &str = include_str!("../service_centres.toml");
/// A list without a file is an empty one: addresses are not made up for real people.
const NONE: &str = "service_centres = []";

/// Service centres in the order of the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceCentres {
    service_centres: Vec<ServiceCentre>,
}

/// A place with a counter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceCentre {
    /// What it is.
    pub kind: CentreKind,
    /// SOATO code of its region.
    pub region: u16,
    /// SOATO code of its district.
    pub district: u32,
    /// Its name in every language.
    pub names: Names,
    /// Street and house in every language, without region and district.
    pub address: Names,
    /// Its telephone.
    pub phone: Phone,
    /// When it is open, in Tashkent; closed at every other time. Never empty.
    pub hours: Vec<Hours>,
    /// Degrees north of the equator (WGS 84), if it is known; then the longitude is as well.
    pub latitude: Option<f64>,
    /// Degrees east of Greenwich (WGS 84).
    pub longitude: Option<f64>,
}

/// What a place with a counter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CentreKind {
    /// A public service centre (DXM).
    ServiceCentre,
    /// A tax office.
    TaxOffice,
}

/// The same hours on neighbouring days of a week.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The first of the days.
    pub from: Day,
    /// The last of them; the first itself if it is one day.
    pub to: Day,
    /// `HH:MM`.
    pub opens: String,
    /// `HH:MM`, later than it opens.
    pub closes: String,
}

/// A day of the week, Monday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "days of the week")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Why a place in the list cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Rule {
    #[error("there is no such region, or the district is another region's")]
    Place,
    #[error("the name or the address is empty or longer than 128 characters in some language")]
    Text,
    #[error("hours are HH:MM, close later than they open and go on in the order of the week")]
    Hours,
    #[error("latitude and longitude are given together, in degrees, and lie in Uzbekistan")]
    Position,
}

impl ServiceCentres {
    /// The list of the settings' file; without a file none, and in a sandbox invented ones.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a place against a rule: which one, and which rule.
    pub fn load(settings: &Settings, regions: &Regions) -> Result<Self, TablesError> {
        let (name, built_in) = if settings.is_sandbox() {
            ("service_centres.toml", INVENTED)
        } else {
            ("no service centres", NONE)
        };
        let file = settings.data.service_centres_file.as_deref();
        let centres: Self = table(file, name, built_in)?;
        for (index, centre) in centres.iter().enumerate() {
            match (centre.check(regions), file) {
                (Ok(()), _) => (),
                // The operator's own list of regions may lack those of the invented places.
                (Err(Rule::Place), None) => return Ok(Self { service_centres: Vec::new() }),
                (Err(rule), _) => {
                    let file = file.map_or_else(|| name.to_owned(), |file| file.display().to_string());
                    let rule = format!("entry {}, {}: {rule}", index + 1, centre.names.uz);
                    return Err(TablesError::Rule { file, rule });
                }
            }
        }
        Ok(centres)
    }

    /// Every place, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &ServiceCentre> {
        self.service_centres.iter()
    }
}

impl ServiceCentre {
    fn check(&self, regions: &Regions) -> Result<(), Rule> {
        regions.district(self.region, self.district).map_err(|_| Rule::Place)?;
        if !self.names.is_complete() || !self.address.is_complete() {
            return Err(Rule::Text);
        }
        let in_order =
            self.hours.windows(2).all(|pair| pair[0].to < pair[1].from || pair[0].is_before(&pair[1]));
        if self.hours.is_empty() || !in_order || !self.hours.iter().all(Hours::are_some) {
            return Err(Rule::Hours);
        }
        match (self.latitude, self.longitude) {
            (None, None) => Ok(()),
            // Around the country: what lies outside was mistyped, or written the other way round.
            (Some(north), Some(east)) if (37.0..46.0).contains(&north) && (55.5..73.5).contains(&east) => {
                Ok(())
            }
            _ => Err(Rule::Position),
        }
    }
}

impl Hours {
    /// After a break on the same days, in the afternoon for example.
    fn is_before(&self, later: &Self) -> bool {
        (self.from, self.to) == (later.from, later.to) && self.closes < later.opens
    }

    fn are_some(&self) -> bool {
        let [opens, closes] = [&self.opens, &self.closes].map(|text| is_time(text));
        opens && closes && self.opens < self.closes && self.from <= self.to
    }
}

/// `HH:MM`; texts of this form are in the order of the times.
fn is_time(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else { return false };
    let below = |text: &str, limit: u8| {
        text.len() == 2
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u8>().is_ok_and(|n| n < limit)
    };
    below(hours, 24) && below(minutes, 60)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::Sources;
    use crate::tables::Tables;

    fn load(environment: &str, file: &Path) -> Result<ServiceCentres, TablesError> {
        let sources = Sources::default()
            .with("environment", environment)
            .with("data.service_centres_file", file.to_str().unwrap());
        let settings = Settings::load(&sources, &[]).unwrap();
        let regions = Tables::load(&settings.data).unwrap().regions;
        ServiceCentres::load(&settings, &regions)
    }

    #[track_caller]
    fn refused(from: &str, to: &str, rule: Rule) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("centres.toml");
        assert!(INVENTED.contains(from), "{from}");
        std::fs::write(&file, INVENTED.replacen(from, to, 1)).unwrap();
        match load("sandbox", &file) {
            Err(TablesError::Rule { rule: said, .. }) => assert!(said.ends_with(&rule.to_string()), "{said}"),
            other => panic!("{from} -> {to}: {other:?}"),
        }
    }

    #[test]
    fn nobody_is_sent_to_an_address_that_somebody_made_up() {
        let invented = load("sandbox", Path::new("")).unwrap();
        assert_eq!(invented.iter().count(), 3);
        for centre in invented.iter() {
            assert!(centre.names.en.contains("invented") && centre.names.uz.contains("oʻylab topilgan"));
        }
        let settings = Settings::load(&Sources::default(), &[]).unwrap();
        let regions = Tables::load(&settings.data).unwrap().regions;
        let production = Settings { environment: crate::settings::Environment::Production, ..settings };
        assert_eq!(ServiceCentres::load(&production, &regions).unwrap().iter().count(), 0);
    }

    #[test]
    fn a_place_that_breaks_a_rule_stops_the_start_and_is_named() {
        refused("region = 1726", "region = 1799", Rule::Place);
        refused("district = 1703401", "district = 1726266", Rule::Place);
        refused("en = \"1 Example Street\"", "en = \" \"", Rule::Text);
        for (from, to) in [
            ("opens = \"09:00\"", "opens = \"9:00\""),
            ("closes = \"18:00\"", "closes = \"24:00\""),
            ("closes = \"18:00\"", "closes = \"09:00\""),
            ("to = \"friday\"", "to = \"saturday\""),
            ("from = \"saturday\"", "from = \"sunday\""),
        ] {
            refused(from, to, Rule::Hours);
        }
        refused("latitude = 41.3", "latitude = 69.25", Rule::Position);
        refused("longitude = 69.25\n", "", Rule::Position);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("centres.toml");
        assert!(matches!(load("sandbox", &file), Err(TablesError::Unreadable { .. })));
        for (from, to) in [("tax-office", "bank"), ("+998 71 000 00 01", "+7 71"), ("hours", "times")] {
            std::fs::write(&file, INVENTED.replacen(from, to, 1)).unwrap();
            assert!(matches!(load("sandbox", &file), Err(TablesError::Rule { .. })), "{to}");
        }
    }

    #[test]
    fn a_break_at_noon_is_no_mistake() {
        let hours = |opens: &str, closes: &str| Hours {
            from: Day::Monday,
            to: Day::Friday,
            opens: opens.to_owned(),
            closes: closes.to_owned(),
        };
        assert!(hours("09:00", "13:00").is_before(&hours("14:00", "18:00")));
        assert!(!hours("09:00", "14:00").is_before(&hours("13:00", "18:00")));
        for wrong in ["", "9:00", "09:60", "24:00", "+9:00", "09:00:00", "0९:00"] {
            assert!(!is_time(wrong), "{wrong}");
        }
    }
}
