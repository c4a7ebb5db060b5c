//! Decisions are signatures: the page of an officer's key, and the statements that are signed with it.
//!
//! The key is in the officer's browser and nowhere else. The portal passes on what the API wants signed, byte for byte, and the
//! signature with the form that it belongs to.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{Account, Desk};
use crate::api::Failure;
use crate::applications::passed_on;
use crate::form::Objections;
use crate::page::{Page, show};

/// Where an officer's key is made, certified and forgotten.
const KEY: &str = "/officer/account/key";

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route(KEY, web::get().to(key));
}

#[derive(Template)]
#[template(path = "office_key.html")]
struct KeyPage {
    p: Page,
    me: Account,
}

async fn key(desk: Desk) -> Result<HttpResponse, Failure> {
    show(&desk.visitor, &KeyPage { p: desk.page().with_keys(), me: desk.me.clone() })
}

/// What the API wants signed, for the browser. Where it objects there is nothing to sign: the form is then sent without a
/// signature, and the objection is told where it belongs.
///
/// # Errors
/// The API is not there.
pub(super) async fn statement(desk: &Desk, path: &str) -> Result<HttpResponse, Failure> {
    match desk.get(path).octets().await {
        Err(Failure::Problem(_)) => Ok(HttpResponse::NoContent().finish()),
        octets => passed_on(octets?, "inline"),
    }
}

/// The objections to a decision. One that came without a signature, from a page without scripts, is told what it lacks.
///
/// # Errors
/// Any failure that the officer can do nothing about on the same page.
pub(super) fn objections(p: &Page, failure: Failure) -> Result<Objections, Failure> {
    let unsigned = failure.problem().is_some_and(|problem| problem.kind == "invalid-fields");
    let objections = Objections::answerable(failure)?;
    if unsigned && !objections.on("signature").is_empty() {
        return Ok(Objections::to("signature", p.o("unsigned")));
    }
    Ok(objections)
}
