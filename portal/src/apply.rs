//! From the first question to a draft: who applies and where, the phone, the person.
//!
//! Until the API keeps the application, what was typed is in the browser's own cookie. A sign-in that ends on the way costs
//! another code, and no typing.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use ca_core::subject::{Pinfl, Stir, SubjectForm, SubjectType};
use config::texts::text;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Portal;
use crate::api::{Failure, Problem};
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::places::{Region, named, region_of, regions};
use crate::record::{Application, segment};
use crate::visitor::Visitor;

/// Which fields the answer to the first question has.
const WHO: [&str; 4] = ["subject_type", "district", "number", "phone"];
/// The fields of the subject in the API.
const SUBJECT: [&str; 10] = [
    "pinfl",
    "passport",
    "surname",
    "given_name",
    "patronymic",
    "birth_date",
    "stir",
    "organization",
    "title",
    "head_pinfl",
];
/// What else is asked about the person.
const REST: [&str; 3] = ["email", "purpose", "offer_accepted"];
/// What belongs to the code on its way.
const CODE: [&str; 4] = ["verification", "resend_at", "phone", "next"];

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/apply", web::get().to(who))
        .route("/apply", web::post().to(said_who))
        .route("/apply/identity", web::get().to(identity))
        .route("/apply/identity", web::post().to(said_identity))
        .route("/apply/check", web::post().to(check))
        .route("/sign-in", web::get().to(sign_in))
        .route("/sign-in", web::post().to(asked_to_sign_in))
        .route("/sign-in/code", web::get().to(code))
        .route("/sign-in/code", web::post().to(typed_code))
        .route("/sign-out", web::post().to(sign_out));
}

/// A puzzle that a person can solve.
#[derive(Debug, Deserialize)]
struct Captcha {
    id: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    question: String,
}

#[derive(Template)]
#[template(path = "apply_who.html")]
struct WhoPage {
    p: Page,
    fields: Fields,
    objections: Objections,
    regions: Vec<Region>,
    captcha: Option<Captcha>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    p: Page,
    fields: Fields,
    objections: Objections,
    captcha: Captcha,
}

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct CodePage {
    p: Page,
    fields: Fields,
    objections: Objections,
    /// Seconds until another code may be asked for.
    wait: i64,
}

#[derive(Template)]
#[template(path = "apply_identity.html")]
struct IdentityPage {
    p: Page,
    fields: Fields,
    objections: Objections,
    place: String,
}

/// A picture, or a sum in words for whoever has asked for that.
async fn captcha(portal: &Portal, visitor: &Visitor, fields: &Fields) -> Result<Captcha, Failure> {
    let kind = if fields.get("puzzle") == "arithmetic" { "arithmetic" } else { "picture" };
    portal.api.post(visitor, "/api/v1/captchas").json(&json!({ "kind": kind })).read().await
}

async fn who(
    portal: web::Data<Portal>,
    visitor: Visitor,
    query: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let mut fields = Fields::from(visitor.draft());
    fields.set("puzzle", &query.puzzle);
    who_page(&portal, &visitor, fields, Objections::default()).await
}

async fn who_page(
    portal: &Portal,
    visitor: &Visitor,
    fields: Fields,
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let regions = regions(&portal.api, visitor).await?;
    let captcha = match visitor.token() {
        Some(_) => None,
        None => Some(captcha(portal, visitor, &fields).await?),
    };
    show(visitor, &WhoPage { p: portal.page(visitor), fields, objections, regions, captcha })
}

async fn said_who(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
) -> Result<HttpResponse, Failure> {
    let mut draft = Fields::from(visitor.draft()).merged(&Fields::from(fields.only(&WHO)));
    if let Err(objections) = first_answers(&visitor, &fields) {
        return who_page(&portal, &visitor, fields, objections).await;
    }
    let number = fields.get("number");
    draft.set(
        if number.len() == 9 && fields.get("subject_type") != "natural_person" { "stir" } else { "pinfl" },
        number,
    );
    if visitor.token().is_some() {
        let mut response = see("/apply/identity");
        visitor.keep_draft(&mut response, &kept(&draft));
        return Ok(response);
    }
    draft.set("next", "/apply/identity");
    match send_code(&portal, &visitor, &fields, draft).await? {
        Ok(response) => Ok(response),
        Err(objections) => who_page(&portal, &visitor, fields, objections).await,
    }
}

/// The answers that the API hears of only later.
fn first_answers(visitor: &Visitor, fields: &Fields) -> Result<(), Objections> {
    let said = |key: &str| text(visitor.language, key, &[]);
    let subject_type: Option<SubjectType> = fields.get("subject_type").parse().ok();
    let Some(subject_type) = subject_type else {
        return Err(Objections::to("subject_type", said("portal-choose-kind")));
    };
    if fields.get("district").is_empty() {
        return Err(Objections::to("district", said("portal-choose-district")));
    }
    let number = fields.get("number");
    let stir = subject_type != SubjectType::NaturalPerson && Stir::parse(number).is_ok();
    match Pinfl::parse(number) {
        _ if stir => Ok(()),
        Ok(_) => Ok(()),
        Err(_) if number.len() == 14 => Err(Objections::to("number", said("field-pinfl-check-digit"))),
        Err(_) if subject_type == SubjectType::NaturalPerson => {
            Err(Objections::to("number", said("field-pinfl-length")))
        }
        Err(_) => Err(Objections::to("number", said("portal-number-form"))),
    }
}

/// Has a code sent and leads to where it is typed.
async fn send_code(
    portal: &Portal,
    visitor: &Visitor,
    fields: &Fields,
    mut draft: Fields,
) -> Result<Result<HttpResponse, Objections>, Failure> {
    #[derive(Deserialize)]
    struct Verification {
        id: String,
        resend_at: ca_core::Timestamp,
    }
    let phone = international(fields.get("phone"));
    let asked = portal.api.post(visitor, "/api/v1/phone-verifications").json(&json!({
        "phone": phone, "captcha_id": fields.get("captcha_id"), "captcha_text": fields.get("captcha_text"),
    }));
    match asked.read::<Verification>().await {
        Ok(verification) => {
            draft.set("phone", &phone);
            draft.set("verification", &verification.id);
            draft.set("resend_at", &verification.resend_at.to_string());
            let mut response = see("/sign-in/code");
            visitor.keep_draft(&mut response, &kept(&draft));
            Ok(Ok(response))
        }
        Err(Failure::Problem(problem)) if problem.is_answerable() => Ok(Err(objections_to_phone(&problem))),
        Err(failure) => Err(failure),
    }
}

fn objections_to_phone(problem: &Problem) -> Objections {
    match problem.kind.as_str() {
        "captcha-wrong" | "captcha-expired" => {
            Objections::to("captcha_text", format!("{}. {}", problem.title, problem.detail))
        }
        _ => Objections::of(problem),
    }
}

/// Nine digits are a number of this country; spaces, brackets and dashes are how people set them apart.
pub(crate) fn international(phone: &str) -> String {
    let bare: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    match bare.len() {
        9 if !bare.starts_with('+') => format!("+998{bare}"),
        12 if bare.starts_with("998") => format!("+{bare}"),
        _ => bare,
    }
}

fn kept(draft: &Fields) -> Vec<(String, String)> {
    draft.only(&[&WHO[..], &SUBJECT, &REST, &CODE].concat())
}

/// A path of this portal, and nothing that leads elsewhere.
fn own_path(path: &str) -> &str {
    let inside = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(|letter: char| letter == '\\' || letter.is_control());
    if inside { path } else { "/applications" }
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
    #[serde(default)]
    puzzle: String,
}

async fn sign_in(
    portal: web::Data<Portal>,
    visitor: Visitor,
    query: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let mut fields = Fields::from(visitor.draft());
    fields.set("next", own_path(&query.next));
    fields.set("puzzle", &query.puzzle);
    let captcha = captcha(&portal, &visitor, &fields).await?;
    show(
        &visitor,
        &SignInPage { p: portal.page(&visitor), fields, objections: Objections::default(), captcha },
    )
}

async fn asked_to_sign_in(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
) -> Result<HttpResponse, Failure> {
    let mut draft = Fields::from(visitor.draft());
    draft.set("next", own_path(fields.get("next")));
    match send_code(&portal, &visitor, &fields, draft).await? {
        Ok(response) => Ok(response),
        Err(objections) => {
            let captcha = captcha(&portal, &visitor, &fields).await?;
            show(&visitor, &SignInPage { p: portal.page(&visitor), fields, objections, captcha })
        }
    }
}

async fn code(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = Fields::from(visitor.draft());
    if fields.get("verification").is_empty() {
        return Ok(see("/sign-in"));
    }
    code_page(&portal, &visitor, fields, Objections::default())
}

fn code_page(
    portal: &Portal,
    visitor: &Visitor,
    fields: Fields,
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let p = portal.page(visitor);
    let resend: Option<ca_core::Timestamp> = fields.get("resend_at").parse().ok();
    let wait = resend.map_or(0, |at| (at.unix_seconds() - p.now.unix_seconds()).max(0));
    show(visitor, &CodePage { p, fields, objections, wait })
}

async fn typed_code(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
) -> Result<HttpResponse, Failure> {
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    let mut draft = Fields::from(visitor.draft());
    let path = format!("/api/v1/phone-verifications/{}/confirmation", segment(draft.get("verification")));
    let typed: String = fields.get("code").chars().filter(|c| !c.is_whitespace()).collect();
    match portal.api.post(&visitor, &path).json(&json!({ "code": typed })).read::<Token>().await {
        Ok(token) => {
            let mut response = see(own_path(draft.get("next")));
            visitor.sign_in(&mut response, &token.token);
            for name in ["verification", "resend_at", "next"] {
                draft.set(name, "");
            }
            visitor.keep_draft(&mut response, &kept(&draft));
            Ok(response)
        }
        Err(Failure::Problem(problem)) if problem.is_answerable() => {
            let said = format!("{}. {}", problem.title, problem.detail);
            code_page(&portal, &visitor, draft, Objections::to("code", said))
        }
        Err(failure) => Err(failure),
    }
}

async fn sign_out(Posted { visitor, .. }: Posted) -> HttpResponse {
    let mut response = see("/");
    visitor.sign_out(&mut response);
    visitor.keep_draft(&mut response, &[]);
    response
}

async fn identity(portal: web::Data<Portal>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let mut fields = Fields::from(visitor.draft());
    if fields.get("subject_type").is_empty() || fields.get("district").is_empty() {
        return Ok(see("/apply"));
    }
    if let Ok(pinfl) = Pinfl::parse(fields.get("pinfl"))
        && fields.get("birth_date").is_empty()
    {
        fields.set("birth_date", &ca_core::calendar::full_date(pinfl.birth_date()));
    }
    identity_page(&portal, &visitor, fields, Objections::default()).await
}

async fn identity_page(
    portal: &Portal,
    visitor: &Visitor,
    fields: Fields,
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let regions = regions(&portal.api, visitor).await?;
    let place = named(&regions, fields.get("district").parse().unwrap_or_default(), visitor.language);
    show(visitor, &IdentityPage { p: portal.page(visitor), fields, objections, place })
}

async fn said_identity(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
) -> Result<HttpResponse, Failure> {
    let typed = Fields::from(fields.only(&[&SUBJECT[..], &REST].concat()));
    let draft = Fields::from(visitor.draft());
    // What is no longer typed was taken back.
    let draft = Fields::from(draft.only(&[&WHO[..], &CODE].concat())).merged(&typed);
    let created = portal
        .api
        .post(&visitor, "/api/v1/applications")
        // A form is one wish, however often it is sent.
        .idempotent(fields.get("csrf"))
        .json(&application_of(&draft))
        .read::<Application>()
        .await;
    match created {
        Ok(application) => {
            let mut response = see(&format!("/applications/{}/key", application.id));
            visitor.keep_draft(&mut response, &draft.only(&["phone"]));
            Ok(response)
        }
        Err(Failure::Problem(problem)) if problem.is_answerable() => {
            identity_page(&portal, &visitor, draft, Objections::of(&problem)).await
        }
        Err(failure) if failure.is_unauthenticated() => {
            let mut response = see("/sign-in?next=%2Fapply%2Fidentity");
            visitor.sign_out(&mut response);
            visitor.keep_draft(&mut response, &kept(&draft));
            Ok(response)
        }
        Err(failure) => Err(failure),
    }
}

/// What the API is sent for a filled-in form.
pub(crate) fn application_of(fields: &Fields) -> Value {
    let mut body = fields.object(&["subject_type", "district", "email", "purpose"]);
    let mut subject = fields.object(&SUBJECT);
    if let Some(passport) = subject.get("passport").and_then(Value::as_str) {
        let bare: String = passport.chars().filter(|c| !c.is_whitespace()).collect();
        subject.insert("passport".to_owned(), bare.to_uppercase().into());
    }
    match fields.get("subject_type") {
        "natural_person" => drop_fields(&mut subject, &["stir", "organization", "title", "head_pinfl"]),
        "sole_proprietor" => drop_fields(&mut subject, &["organization", "title", "head_pinfl"]),
        _ => {}
    }
    body.insert("region".to_owned(), region_of(fields.get("district")).into());
    body.insert("subject".to_owned(), subject.into());
    body.insert("offer_accepted".to_owned(), (!fields.get("offer_accepted").is_empty()).into());
    body.into()
}

fn drop_fields(subject: &mut serde_json::Map<String, Value>, names: &[&str]) {
    subject.retain(|name, _| !names.contains(&name.as_str()));
}

/// What is wrong with the field that was just left, as a fragment; nothing if it is right.
async fn check(
    portal: web::Data<Portal>,
    request: HttpRequest,
    Posted { visitor, fields }: Posted,
) -> HttpResponse {
    let name =
        request.headers().get("hx-trigger-name").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = objection_to(&visitor, &fields, name, portal.now()).unwrap_or_default();
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(said)
}

fn objection_to(visitor: &Visitor, fields: &Fields, name: &str, now: ca_core::Timestamp) -> Option<String> {
    let subject_type: SubjectType = fields.get("subject_type").parse().ok()?;
    let subject = application_of(fields).get_mut("subject")?.take();
    let form: SubjectForm = serde_json::from_value(subject).ok()?;
    let objections = form.check(subject_type, now).err()?;
    let objection =
        objections.into_iter().find(|objection| objection.pointer.trim_start_matches('/') == name)?;
    Some(text(visitor.language, &format!("field-{}", objection.rule.name()), &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_may_be_written_as_people_write_it() {
        for written in ["+998 90 123-45-67", "998901234567", "90 123 45 67", "(90) 123-45-67"] {
            assert_eq!(international(written), "+998901234567", "{written}");
        }
        assert_eq!(international("+1 202 555 0123"), "+12025550123");
    }

    #[test]
    fn nobody_is_led_away_from_the_portal() {
        for elsewhere in
            ["https://example.uz", "//example.uz", "/\\example.uz", "javascript:x", "", "/a\r\nb"]
        {
            assert_eq!(own_path(elsewhere), "/applications", "{elsewhere}");
        }
        assert_eq!(own_path("/applications/1/key?x=1"), "/applications/1/key?x=1");
    }

    #[test]
    fn fields_of_another_kind_of_subject_are_left_out() {
        let fields = Fields::from(vec![
            ("subject_type".to_owned(), "natural_person".to_owned()),
            ("stir".to_owned(), "301234567".to_owned()),
            ("passport".to_owned(), "aa 1234567".to_owned()),
            ("district".to_owned(), "1726266".to_owned()),
        ]);
        assert_eq!(
            application_of(&fields),
            json!({
                "subject_type": "natural_person", "district": "1726266", "region": "1726",
                "subject": {"passport": "AA1234567"}, "offer_accepted": false,
            })
        );
    }
}
