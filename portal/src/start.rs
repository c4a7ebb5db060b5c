//! The first page: what the signature is, what it costs today, where to begin.

use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::future::try_join3;
use serde::Deserialize;

use crate::Portal;
use crate::api::Failure;
use crate::page::{Page, show};
use crate::visitor::Visitor;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/", web::get().to(start)).route("/", web::head().to(start));
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    p: Page,
    fees: [Fee; 3],
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
    let (natural, sole, legal) =
        try_join3(fee("natural_person"), fee("sole_proprietor"), fee("legal_entity")).await?;
    show(&visitor, &StartPage { p: portal.page(&visitor), fees: [natural, sole, legal] })
}
