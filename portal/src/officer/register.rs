//! Somebody stands at the counter: an application is registered from their document.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::subject::Pinfl;
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use crate::api::Failure;
use crate::apply::{application_of, international};
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::places::{Region, regions};
use crate::record::Application;

const KINDS: [&str; 3] = ["natural_person", "sole_proprietor", "legal_entity"];

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/register", web::get().to(form))
        .route("/officer/register", web::post().to(registered));
}

#[derive(Template)]
#[template(path = "office_register.html")]
struct RegisterPage {
    p: Page,
    fields: Fields,
    objections: Objections,
    regions: Vec<Region>,
    kinds: [&'static str; 3],
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    kind: String,
}

async fn form(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let mut fields = Fields::default();
    fields.set("subject_type", &asked.kind);
    page(&desk, fields, Objections::default()).await
}

async fn page(desk: &Desk, mut fields: Fields, objections: Objections) -> Result<HttpResponse, Failure> {
    if !KINDS.contains(&fields.get("subject_type")) {
        fields.set("subject_type", KINDS[0]);
    }
    let regions = regions(&desk.portal.api, &desk.visitor).await?;
    show(&desk.visitor, &RegisterPage { p: desk.page(), fields, objections, regions, kinds: KINDS })
}

async fn registered(desk: Desk, Posted { mut fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    if fields.get("birth_date").is_empty()
        && let Ok(pinfl) = Pinfl::parse(fields.get("pinfl"))
    {
        fields.set("birth_date", &ca_core::calendar::full_date(pinfl.birth_date()));
    }
    // A form is one wish, however often it is sent.
    let call = desk.post("/api/v1/officer/applications").idempotent(fields.get("csrf"));
    match call.json(&walk_in(&fields)).read::<Application>().await {
        Ok(application) => Ok(see(&format!("/officer/applications/{}/counter", application.id))),
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            page(&desk, fields, objections).await
        }
    }
}

/// An applicant's body with the phone and the benefit, to which the registrar has checked the right.
fn walk_in(fields: &Fields) -> Value {
    let mut body = application_of(fields);
    if let Some(body) = body.as_object_mut() {
        body.insert("phone".to_owned(), international(fields.get("phone")).into());
        body.extend(fields.object(&["benefit"]));
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_in_has_a_phone_and_a_benefit_only_if_one_is_claimed() {
        let mut fields = Fields::default();
        fields.set("subject_type", "natural_person");
        fields.set("phone", "90 123 45 67");
        fields.set("benefit", " ");
        assert_eq!(walk_in(&fields)["phone"], "+998901234567");
        assert_eq!(walk_in(&fields).get("benefit"), None);
        fields.set("benefit", "lyceum-pupils");
        assert_eq!(walk_in(&fields)["benefit"], "lyceum-pupils");
    }
}
