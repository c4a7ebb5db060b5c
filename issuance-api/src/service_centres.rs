//! Where people are served in person.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use config::service_centres::{CentreKind, Day, Hours, ServiceCentre};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::problem::{Document, Problem, only};
use crate::regions::NamesView;

/// A public service centre or a tax office.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ServiceCentreView {
    /// `service-centre` or `tax-office`.
    #[schema(value_type = String)]
    kind: CentreKind,
    /// SOATO code of its region.
    region: u16,
    /// SOATO code of its district.
    district: u32,
    names: NamesView,
    /// Street and house, without region and district.
    address: NamesView,
    /// E.164.
    phone: String,
    /// When it is open, in Tashkent; closed at every other time.
    hours: Vec<HoursView>,
    /// Degrees north (WGS 84), if known; then `longitude` is there as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    /// Degrees east (WGS 84).
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
}

/// The same hours on neighbouring days of a week.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HoursView {
    /// The first of the days: `monday` to `sunday`.
    #[schema(value_type = String)]
    from: Day,
    /// The last of them.
    #[schema(value_type = String)]
    to: Day,
    /// `HH:MM`.
    opens: String,
    /// `HH:MM`.
    closes: String,
}

/// Service centres.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ServiceCentreList {
    items: Vec<ServiceCentreView>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// Which service centres.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ServiceCentreQuery {
    /// SOATO code of a region; all regions if absent.
    region: Option<String>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/service-centres").route(web::get().to(list)).default_service(only("GET")));
}

/// Service centres and tax offices
///
/// Where people are served in person. The list may be empty: then this authority has named none.
#[utoipa::path(get, path = "/api/v1/service-centres", tag = "public", operation_id = "service_centres",
    params(ServiceCentreQuery),
    responses(
        (status = 200, description = "in the operator's order", body = ServiceCentreList),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    query: web::Query<ServiceCentreQuery>,
) -> Result<HttpResponse, Problem> {
    let region = match query.region.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let code: u16 = text.parse().map_err(|_| Problem::field("/region", "wrong-type"))?;
            context.regions.get(code).ok_or_else(|| Problem::field("/region", "region-unknown"))?;
            Some(code)
        }
    };
    let here = |centre: &&ServiceCentre| region.is_none_or(|region| centre.region == region);
    let items = context.service_centres.iter().filter(here).map(ServiceCentreView::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .json(ServiceCentreList { items, next: None }))
}

impl From<&ServiceCentre> for ServiceCentreView {
    fn from(centre: &ServiceCentre) -> Self {
        Self {
            kind: centre.kind,
            region: centre.region,
            district: centre.district,
            names: NamesView::from(&centre.names),
            address: NamesView::from(&centre.address),
            phone: centre.phone.as_e164().to_owned(),
            hours: centre.hours.iter().map(HoursView::from).collect(),
            latitude: centre.latitude,
            longitude: centre.longitude,
        }
    }
}

impl From<&Hours> for HoursView {
    fn from(hours: &Hours) -> Self {
        Self { from: hours.from, to: hours.to, opens: hours.opens.clone(), closes: hours.closes.clone() }
    }
}

#[cfg(test)]
mod tests {
    use crate::harness::{Ask, Harness};

    #[actix_web::test]
    async fn anybody_reads_where_people_are_served_in_a_region_or_everywhere() {
        let harness = Harness::start();
        let app = &harness.app().await;
        let all = Ask::get("/api/v1/service-centres").of(app).await;
        assert_eq!(all.headers.get("cache-control").unwrap(), "public, max-age=3600");
        let all = all.is(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 3);
        let there = Ask::get("/api/v1/service-centres?region=1703").of(app).await.is(200);
        let [only] = &there["items"].as_array().unwrap()[..] else { panic!("{there}") };
        insta::assert_json_snapshot!("a service centre", only);
        let nowhere = Ask::get("/api/v1/service-centres?region=1735").of(app).await.is(200);
        assert_eq!(nowhere["items"], serde_json::json!([]));
        for wrong in ["1799", "x", "-1"] {
            let ask = Ask::get(&format!("/api/v1/service-centres?region={wrong}"));
            let problem = ask.of(app).await.is_problem(422, "invalid-fields");
            assert_eq!(problem["errors"][0]["pointer"], "/region");
        }
    }
}
