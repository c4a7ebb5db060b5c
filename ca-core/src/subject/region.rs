//! Regions and districts by their SOATO codes.

use serde::{Deserialize, Serialize};

/// One name in the languages of the service, each under its language tag (BCP 47).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Uzbek, Latin script.
    pub uz: String,
    /// Uzbek, Cyrillic script.
    #[serde(rename = "uz-Cyrl")]
    pub uz_cyrl: String,
    /// Karakalpak, Latin script.
    pub kaa: String,
    /// Russian.
    pub ru: String,
    /// English.
    pub en: String,
}

/// A region (viloyat), the Republic of Karakalpakstan, or the city of Tashkent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// SOATO code of four digits.
    pub code: u16,
    /// Its names.
    pub names: Names,
    /// Its districts and cities of regional rank.
    pub districts: Vec<District>,
}

/// A district (tuman) or a city of regional rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct District {
    /// SOATO code: seven digits, or ten for a district inside a city; the first four are the region's.
    pub code: u32,
    /// Its names.
    pub names: Names,
}

/// Every region, read from `config/regions.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RegionsFile")]
pub struct Regions {
    regions: Vec<Region>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionsFile {
    regions: Vec<Region>,
}

/// Why a list of regions cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegionsError {
    /// Nobody could apply.
    #[error("there are no regions, or region {0} has no districts")]
    Empty(u16),
    /// SOATO: regions have four digits and ascend.
    #[error("region {0} does not have four digits or does not follow in ascending order")]
    RegionCode(u16),
    /// SOATO: a district's code starts with its region's and the codes ascend.
    #[error("district {0} does not start with its region's code or does not follow in ascending order")]
    DistrictCode(u32),
    /// Every name is shown to somebody and may stand in a certificate.
    #[error("a name of {0} is empty or longer than 128 characters")]
    Name(u32),
}

/// Why a place is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// No such region.
    #[error("there is no region with this code")]
    UnknownRegion,
    /// The region has no such district; it may be another region's.
    #[error("the region has no district with this code")]
    UnknownDistrict,
}

impl Names {
    /// Longest name in characters (RFC 5280 appendix A.1, ub-state-name and ub-locality-name).
    const MAX: usize = 128;

    /// Nobody who reads one of the languages finds it empty, or too long for a certificate.
    pub fn is_complete(&self) -> bool {
        let all = [&self.uz, &self.uz_cyrl, &self.kaa, &self.ru, &self.en];
        all.iter().all(|name| !name.trim().is_empty() && name.chars().count() <= Self::MAX)
    }
}

impl TryFrom<RegionsFile> for Regions {
    type Error = RegionsError;

    fn try_from(file: RegionsFile) -> Result<Self, RegionsError> {
        if file.regions.is_empty() {
            return Err(RegionsError::Empty(0));
        }
        let mut previous = 999;
        for region in &file.regions {
            if region.code <= previous || region.code > 9999 {
                return Err(RegionsError::RegionCode(region.code));
            }
            previous = region.code;
            check_region(region)?;
        }
        Ok(Self { regions: file.regions })
    }
}

fn check_region(region: &Region) -> Result<(), RegionsError> {
    if region.districts.is_empty() {
        return Err(RegionsError::Empty(region.code));
    }
    if !region.names.is_complete() {
        return Err(RegionsError::Name(u32::from(region.code)));
    }
    let mut previous = 0;
    for district in &region.districts {
        let in_region =
            [1_000, 1_000_000].iter().any(|below| district.code / below == u32::from(region.code));
        if !in_region || district.code <= previous {
            return Err(RegionsError::DistrictCode(district.code));
        }
        previous = district.code;
        if !district.names.is_complete() {
            return Err(RegionsError::Name(district.code));
        }
    }
    Ok(())
}

impl Regions {
    /// In ascending order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter()
    }

    /// The region with this code.
    pub fn get(&self, region: u16) -> Option<&Region> {
        self.regions.iter().find(|known| known.code == region)
    }

    /// The district, if it lies in the region.
    ///
    /// # Errors
    /// [`RegionError`] says which of the two is unknown.
    pub fn district(&self, region: u16, district: u32) -> Result<&District, RegionError> {
        let region = self.get(region).ok_or(RegionError::UnknownRegion)?;
        region.districts.iter().find(|known| known.code == district).ok_or(RegionError::UnknownDistrict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::text;

    const REGIONS: &str = include_str!("../../../config/regions.toml");

    fn regions() -> Regions {
        toml::from_str(REGIONS).unwrap()
    }

    fn all_names(names: &Names) -> [&str; 5] {
        [&names.uz, &names.uz_cyrl, &names.kaa, &names.ru, &names.en]
    }

    #[test]
    fn the_country_has_fourteen_regions_and_every_code_starts_with_its_regions() {
        let regions = regions();
        assert_eq!(regions.iter().count(), 14);
        assert_eq!(regions.iter().map(|region| region.districts.len()).sum::<usize>(), 209);
        for region in regions.iter() {
            for district in &region.districts {
                let code = district.code.to_string();
                assert!(
                    code.starts_with(&region.code.to_string()) && [7, 10].contains(&code.len()),
                    "{code}"
                );
                assert_eq!(regions.district(region.code, district.code), Ok(district));
            }
        }
    }

    #[test]
    fn a_place_name_is_written_in_the_script_of_its_language_and_differs_from_its_neighbours() {
        use crate::subject::Script::{Cyrillic, Latin};
        for region in regions().iter() {
            let districts = || region.districts.iter().map(|district| &district.names);
            for names in districts().chain([&region.names]) {
                for (name, script) in
                    all_names(names).into_iter().zip([Latin, Cyrillic, Latin, Cyrillic, Latin])
                {
                    assert_eq!(text::one_script(name), Ok(Some(script)), "{name}");
                    assert_eq!(text::canonical(name, Names::MAX).as_deref(), Ok(name));
                }
            }
            for language in 0..5 {
                let mut shown: Vec<&str> = districts().map(|names| all_names(names)[language]).collect();
                shown.sort_unstable();
                shown.dedup();
                assert_eq!(shown.len(), region.districts.len(), "{}", region.code);
            }
        }
    }

    #[test]
    fn a_district_of_another_region_is_refused() {
        let regions = regions();
        assert_eq!(regions.get(1726).unwrap().names.ru, "город Ташкент");
        assert_eq!(regions.district(1726, 1726294).unwrap().names.uz, "Chilonzor tumani");
        assert_eq!(regions.district(1703, 1726294), Err(RegionError::UnknownDistrict));
        assert_eq!(regions.district(1799, 1726294), Err(RegionError::UnknownRegion));
    }

    #[test]
    fn a_list_with_a_misplaced_code_or_a_missing_name_is_refused() {
        for (from, to, rule) in [
            ("code = 1703202", "code = 1706202", "district 1706202 does not start with its region's code"),
            ("code = 1703203", "code = 1703202", "district 1703202"),
            ("code = 1703203", "code = 17032031", "district 17032031"),
            ("code = 1706\n", "code = 1703\n", "region 1703 does not have four digits or does not follow"),
            ("code = 1703\n", "code = 170\n", "region 170 does not have four digits"),
            ("en = \"Andijan District\"", "en = \" \"", "a name of 1703203 is empty"),
            ("kaa = ", "kk = ", "unknown field `kk`"),
        ] {
            assert!(REGIONS.contains(from), "{from}");
            let message = toml::from_str::<Regions>(&REGIONS.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(message.contains(rule), "{message}");
        }
        let error = toml::from_str::<Regions>("regions = []").unwrap_err().to_string();
        assert!(error.contains("there are no regions"), "{error}");
    }
}
