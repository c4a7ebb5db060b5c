//! Where people live: regions with their districts.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use ca_core::subject::{Names, Region};
use serde::Serialize;

use crate::context::Context;
use crate::problem::only;

/// A name in every language of the service, under its BCP 47 tag.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct NamesView {
    uz: String,
    #[serde(rename = "uz-Cyrl")]
    uz_cyrl: String,
    kaa: String,
    ru: String,
    en: String,
}

/// A region with its districts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RegionView {
    /// SOATO code of four digits.
    code: u16,
    names: NamesView,
    districts: Vec<DistrictView>,
}

/// A district, or a city of regional rank.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct DistrictView {
    /// SOATO code of seven or ten digits, starting with the region's.
    code: u32,
    names: NamesView,
}

/// Every region.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RegionList {
    items: Vec<RegionView>,
    /// Always null: there is one page.
    next: Option<String>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/regions").route(web::get().to(list)).default_service(only("GET")));
}

/// Regions and districts
///
/// SOATO codes with names in every language of the service.
#[utoipa::path(get, path = "/api/v1/regions", tag = "public", operation_id = "regions",
    responses((status = 200, description = "every region, in the order of the codes", body = RegionList)))]
pub(crate) async fn list(context: web::Data<Context>) -> HttpResponse {
    let items = context.regions.iter().map(RegionView::from).collect();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .json(RegionList { items, next: None })
}

impl From<&Region> for RegionView {
    fn from(region: &Region) -> Self {
        let districts = region.districts.iter();
        Self {
            code: region.code,
            names: NamesView::from(&region.names),
            districts: districts
                .map(|district| DistrictView { code: district.code, names: NamesView::from(&district.names) })
                .collect(),
        }
    }
}

impl From<&Names> for NamesView {
    fn from(names: &Names) -> Self {
        Self {
            uz: names.uz.clone(),
            uz_cyrl: names.uz_cyrl.clone(),
            kaa: names.kaa.clone(),
            ru: names.ru.clone(),
            en: names.en.clone(),
        }
    }
}
