//! An officer signs in and out.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::{ACCOUNT, Account, own_path};
use crate::Portal;
use crate::api::Failure;
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::visitor::Visitor;

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/officer/sign-in", web::get().to(form))
        .route("/officer/sign-in", web::post().to(signed_in))
        .route("/officer/sign-out", web::post().to(sign_out));
}

#[derive(Template)]
#[template(path = "office_sign_in.html")]
struct SignInPage {
    p: Page,
    fields: Fields,
    objections: Objections,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Session {
    token: String,
    #[serde(flatten)]
    account: Account,
}

async fn form(
    portal: web::Data<Portal>,
    visitor: Visitor,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let visitor = visitor.stranger();
    let mut fields = Fields::default();
    fields.set("next", own_path(&asked.next));
    show(&visitor, &SignInPage { p: portal.page(&visitor), fields, objections: Objections::default() })
}

async fn signed_in(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
) -> Result<HttpResponse, Failure> {
    let visitor = visitor.stranger();
    let mut said = fields.object(&["login"]);
    said.insert("password".to_owned(), fields.verbatim("password").into());
    // A recovery code has letters too.
    let code: String = fields.get("totp").chars().filter(char::is_ascii_alphanumeric).collect();
    if !code.is_empty() {
        said.insert("totp".to_owned(), code.into());
    }
    match portal.api.post(&visitor, "/api/v1/officer/sessions").json(&said).read::<Session>().await {
        Ok(Session { token, account }) => {
            let first = account.has_to_act_first();
            let mut response = see(if first { ACCOUNT } else { own_path(fields.get("next")) });
            visitor.sign_in(&mut response, &token);
            Ok(response)
        }
        Err(failure) => {
            let objections = refused(failure)?;
            let mut fields = fields;
            fields.set("password", "");
            fields.set("totp", "");
            show(&visitor, &SignInPage { p: portal.page(&visitor), fields, objections })
        }
    }
}

/// What a password or a code was refused for. That is 401, and yet to be mended on the same page.
///
/// # Errors
/// Any other failure.
pub(super) fn refused(failure: Failure) -> Result<Objections, Failure> {
    match failure {
        Failure::Problem(problem) if ["sign-in-failed", "totp-required"].contains(&problem.kind.as_str()) => {
            Ok(Objections::of(&problem))
        }
        other => Objections::answerable(other),
    }
}

/// The token dies at the API as well; one that is dead already is only forgotten.
async fn sign_out(
    portal: web::Data<Portal>,
    Posted { visitor, .. }: Posted,
) -> Result<HttpResponse, Failure> {
    match portal.api.delete(&visitor, "/api/v1/officer/sessions/current").done().await {
        Ok(()) => {}
        Err(failure) if failure.is_unauthenticated() => {}
        Err(failure) => return Err(failure),
    }
    let mut response = see("/officer/sign-in");
    visitor.sign_out(&mut response);
    Ok(response)
}
