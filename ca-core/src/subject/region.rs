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
    /// Every name is shown to somebody.
    #[error("a name of {0} is empty")]
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
    fn complete(&self) -> bool {
        [&self.uz, &self.uz_cyrl, &self.kaa, &self.ru, &self.en].iter().all(|name| !name.trim().is_empty())
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
    if !region.names.complete() {
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
        if !district.names.complete() {
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
