//! Where people are served in person, by region.

use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::future::try_join;
use serde::Deserialize;

use crate::Portal;
use crate::api::{Api, Failure, List};
use crate::page::{Page, show};
use crate::places::{Names, Region, district_name, regions};
use crate::visitor::Visitor;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/service-centres", web::get().to(page));
}

/// A public service centre or a tax office.
#[derive(Debug, Deserialize)]
pub(crate) struct Centre {
    kind: String,
    region: u16,
    district: u32,
    names: Names,
    address: Names,
    phone: String,
    hours: Vec<Hours>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// The same hours on neighbouring days.
#[derive(Debug, Deserialize)]
struct Hours {
    from: String,
    to: String,
    opens: String,
    closes: String,
}

/// A centre in the reader's language.
#[derive(Debug)]
struct Shown {
    name: String,
    kind: String,
    address: String,
    /// For people, and for what dials.
    phone: String,
    phone_link: String,
    hours: Vec<String>,
    /// Degrees north and east, and a link that programs with maps know (RFC 5870).
    position: Option<(String, String)>,
}

/// The centres of a region.
#[derive(Debug)]
struct Group {
    code: u16,
    name: String,
    centres: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "service_centres.html")]
struct CentresPage {
    p: Page,
    /// Every region to choose from: code, name, whether it is chosen.
    choices: Vec<(u16, String, bool)>,
    groups: Vec<Group>,
    /// Nowhere is any.
    empty: bool,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    region: String,
}

/// Every centre.
///
/// # Errors
/// The API's.
pub(crate) async fn centres(api: &Api, visitor: &Visitor) -> Result<Vec<Centre>, Failure> {
    let list: List<Centre> = api.get(visitor, "/api/v1/service-centres").read().await?;
    Ok(list.items)
}

async fn page(
    portal: web::Data<Portal>,
    visitor: Visitor,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let (centres, regions) = try_join(centres(&portal.api, &visitor), regions(&portal.api, &visitor)).await?;
    let p = portal.page(&visitor);
    // What is no region is as good as none: everything is shown.
    let chosen =
        regions.iter().map(|region| region.code).find(|code| asked.region.trim() == code.to_string());
    let choice =
        |region: &Region| (region.code, region.name(&p.language).to_owned(), chosen == Some(region.code));
    let page = CentresPage {
        choices: regions.iter().map(choice).collect(),
        groups: groups(&p, &centres, &regions, chosen),
        empty: centres.is_empty(),
        p,
    };
    show(&visitor, &page)
}

/// By region in the order of the regions, without those that have none.
fn groups(p: &Page, centres: &[Centre], regions: &[Region], chosen: Option<u16>) -> Vec<Group> {
    let asked_for = regions.iter().filter(|region| chosen.is_none_or(|code| code == region.code));
    let group = |region: &Region| Group {
        code: region.code,
        name: region.name(&p.language).to_owned(),
        centres: centres
            .iter()
            .filter(|centre| centre.region == region.code)
            .map(|centre| shown(p, centre, regions))
            .collect(),
    };
    asked_for.map(group).filter(|group| !group.centres.is_empty()).collect()
}

fn shown(p: &Page, centre: &Centre, regions: &[Region]) -> Shown {
    let district = district_name(regions, centre.district, p.language);
    let position = centre.latitude.zip(centre.longitude).map(|(north, east)| {
        let (north, east) = (format!("{north:.5}"), format!("{east:.5}"));
        (format!("{north}, {east}"), format!("geo:{north},{east}"))
    });
    Shown {
        name: centre.names.in_language(p.language).to_owned(),
        kind: p.t(&format!("places-kind-{}", centre.kind)),
        address: format!("{district}, {}", centre.address.in_language(p.language)),
        phone: spaced(&centre.phone),
        phone_link: format!("tel:{}", centre.phone),
        hours: centre.hours.iter().map(|hours| said(p, hours)).collect(),
        position,
    }
}

/// `Mon–Fri 09:00–18:00`, in the reader's language.
fn said(p: &Page, hours: &Hours) -> String {
    let day = |name: &str| p.t(&format!("weekday-{name}"));
    let days = if hours.from == hours.to {
        day(&hours.from)
    } else {
        format!("{}–{}", day(&hours.from), day(&hours.to))
    };
    format!("{days} {}–{}", hours.opens, hours.closes)
}

/// `+998711234567` as people write it: `+998 71 123 45 67`, held together by no-break spaces.
fn spaced(phone: &str) -> String {
    let parts = [0..4, 4..6, 6..9, 9..11, 11..13].map(|part| phone.get(part));
    let [Some(a), Some(b), Some(c), Some(d), Some(e)] = parts else { return phone.to_owned() };
    [a, b, c, d, e].join("\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_is_written_as_people_read_it() {
        assert_eq!(spaced("+998710000001"), "+998\u{a0}71\u{a0}000\u{a0}00\u{a0}01");
        assert_eq!(spaced("+99871"), "+99871");
    }
}
