//! The certification authorities: their fingerprints, and where certificates and CRLs are.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use crate::Portal;
use crate::api::{Failure, List};
use crate::page::{Page, show};
use crate::visitor::Visitor;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/authorities", web::get().to(page));
}

/// A CA as the API tells of it.
#[derive(Debug, Deserialize)]
struct Authority {
    id: String,
    kind: String,
    subject: String,
    not_before: Timestamp,
    not_after: Timestamp,
    sha256: String,
    certificate_url: String,
    crl_url: String,
    retired_at: Option<Timestamp>,
    key_destroyed_at: Option<Timestamp>,
}

impl Authority {
    /// The name that people know it by.
    fn title(&self) -> String {
        let attributes = ca_core::key_file::attributes(&self.subject);
        let name = attributes.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("cn"));
        name.map_or_else(|| self.id.clone(), |(_, value)| value)
    }

    /// In groups of four digits, to be compared by eye.
    fn fingerprint(&self) -> Vec<String> {
        let digits: Vec<char> = self.sha256.to_uppercase().chars().collect();
        digits.chunks(4).map(|group| group.iter().collect()).collect()
    }

    /// What it does now.
    fn state(&self, p: &Page) -> String {
        match (self.key_destroyed_at, self.retired_at) {
            (Some(at), _) => p.with("authorities-ended", "date", &p.day(&at)),
            (None, Some(at)) => p.with("authorities-retired", "date", &p.day(&at)),
            (None, None) if self.kind == "root" => p.t("authorities-root"),
            (None, None) => p.t("authorities-issuing"),
        }
    }
}

#[derive(Template)]
#[template(path = "authorities.html")]
struct AuthoritiesPage {
    p: Page,
    authorities: Vec<Authority>,
}

async fn page(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let list: List<Authority> = portal.api.get(&visitor, "/api/v1/authorities").read().await?;
    show(&visitor, &AuthoritiesPage { p: portal.page(&visitor), authorities: list.items })
}
