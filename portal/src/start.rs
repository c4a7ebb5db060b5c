//! The first page: what the signature is, what it costs today, where to begin.

use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::future::try_join4;
use serde::Deserialize;

use crate::Portal;
use crate::api::Failure;
use crate::page::{Page, show};
use crate::service_centres::centres;
use crate::visitor::Visitor;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/", web::get().to(start)).route("/", web::head().to(start));
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    p: Page,
    fees: [Fee; 3],
    /// Places are known where people are served in person.
    centres: bool,
}

/// The price of today for a kind of subject.
#[derive(Debug, Deserialize)]
struct Fee {
    subject_type: String,
    amount_tiyin: i64,
    rule_text: String,
}

async fn start(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fee =
        |kind: &str| portal.api.get(&visitor, &format!("/api/v1/fees?subject_type={kind}")).read::<Fee>();
    let centres = centres(&portal.api, &visitor);
    let (natural, sole, legal, centres) =
        try_join4(fee("natural_person"), fee("sole_proprietor"), fee("legal_entity"), centres).await?;
    let page =
        StartPage { p: portal.page(&visitor), fees: [natural, sole, legal], centres: !centres.is_empty() };
    show(&visitor, &page)
}
