//! Regions and districts.

use config::Language;
use serde::Deserialize;

use crate::api::{Api, Failure, List};
use crate::visitor::Visitor;

/// A region with its districts.
#[derive(Debug, Deserialize)]
pub(crate) struct Region {
    pub(crate) code: u16,
    names: Names,
    pub(crate) districts: Vec<District>,
}

/// A district, or a city of regional rank.
#[derive(Debug, Deserialize)]
pub(crate) struct District {
    pub(crate) code: u32,
    names: Names,
}

/// A text in every language.
#[derive(Debug, Deserialize)]
pub(crate) struct Names {
    uz: String,
    #[serde(rename = "uz-Cyrl")]
    uz_cyrl: String,
    kaa: String,
    ru: String,
    en: String,
}

impl Names {
    pub(crate) fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Uz => &self.uz,
            Language::UzCyrl => &self.uz_cyrl,
            Language::Kaa => &self.kaa,
            Language::Ru => &self.ru,
            Language::En => &self.en,
        }
    }
}

impl Region {
    pub(crate) fn name(&self, language: &Language) -> &str {
        self.names.in_language(*language)
    }
}

impl District {
    pub(crate) fn name(&self, language: &Language) -> &str {
        self.names.in_language(*language)
    }
}

/// Every region.
///
/// # Errors
/// The API's.
pub(crate) async fn regions(api: &Api, visitor: &Visitor) -> Result<Vec<Region>, Failure> {
    let list: List<Region> = api.get(visitor, "/api/v1/regions").read().await?;
    Ok(list.items)
}

/// A district's name with its region's.
pub(crate) fn named(regions: &[Region], district: u32, language: Language) -> String {
    let found = regions.iter().find_map(|region| {
        let district = region.districts.iter().find(|known| known.code == district)?;
        Some(format!("{}, {}", region.name(&language), district.name(&language)))
    });
    found.unwrap_or_default()
}

/// A district's name alone.
pub(crate) fn district_name(regions: &[Region], district: u32, language: Language) -> &str {
    let districts = regions.iter().flat_map(|region| &region.districts);
    let mut found = districts.filter(|known| known.code == district);
    found.next().map_or("", |district| district.name(&language))
}

/// The region that a district's code begins with.
pub(crate) fn region_of(district: &str) -> &str {
    district.get(..4).unwrap_or_default()
}
