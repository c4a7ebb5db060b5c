//! Puzzles that tell people from programs, each good for one answer: a picture, or a sum in words for those who cannot see it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::Timestamp;
use config::Language;
use config::texts::text;
use serde::{Deserialize, Serialize};
use store::{Connection, captchas};

use crate::captcha_picture;
use crate::context::Context;
use crate::json::Json;
use crate::limits::Counted;
use crate::problem::{Kind, Problem, only};
use crate::request::{address, language};

/// Which puzzle is asked for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CaptchaKind {
    /// Characters to read from a picture.
    #[default]
    Picture,
    /// A sum in words, in the language of `Accept-Language`: a screen reader can say it (WCAG 2.2, 1.1.1).
    Arithmetic,
}

/// A request for a puzzle.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaptchaForm {
    /// `picture` if absent, or `arithmetic`.
    #[serde(default)]
    kind: CaptchaKind,
}

/// A puzzle.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Captcha {
    /// Its name, to answer it with.
    id: String,
    /// A PNG as a data URI, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// The question in words, of a sum; the answer is a number in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<String>,
    /// Until when it can be answered.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/captchas").route(web::post().to(create)).default_service(only("POST")));
}

/// Ask for a puzzle
///
/// Each is good for one answer, right or wrong.
#[utoipa::path(post, path = "/api/v1/captchas", tag = "applicants", operation_id = "create_captcha",
    request_body = CaptchaForm,
    responses(
        (status = 201, description = "the puzzle", body = Captcha),
        (status = 429, description = "too-many-requests", body = crate::problem::Document),
    ))]
pub(crate) async fn create(
    context: web::Data<Context>,
    request: HttpRequest,
    Json(form): Json<CaptchaForm>,
) -> Result<HttpResponse, Problem> {
    let from = address(&request, &context.settings.http.trusted_proxies);
    context.limits.count(Counted::Captcha, from)?;
    let expires_at = context.now().plus(context.settings.captcha.lifetime);
    let mut captcha =
        Captcha { id: uuid::Uuid::new_v4().to_string(), image: None, question: None, expires_at };
    let answer = match form.kind {
        CaptchaKind::Picture => {
            let characters = context.settings.captcha.characters;
            let puzzle =
                web::block(move || captcha_picture::draw(characters)).await?.map_err(Problem::internal)?;
            captcha.image = Some(format!("data:image/png;base64,{}", STANDARD.encode(&puzzle.png)));
            puzzle.answer
        }
        CaptchaKind::Arithmetic => {
            let (question, answer) = sum(language(&request))?;
            captcha.question = Some(question);
            answer
        }
    };
    let id = captcha.id.clone();
    context.write(move |connection| Ok(captchas::insert(connection, &id, &answer, expires_at)?)).await?;
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(captcha))
}

/// A sum of two numbers from 2 to 12 in words, and its answer in digits.
fn sum(language: Language) -> Result<(String, String), Problem> {
    let mut octets = [0; 2];
    SystemRandom::new().fill(&mut octets).map_err(|_| Problem::internal(NoRandomness))?;
    let [first, second] = octets.map(|octet| 2 + octet % 11);
    let word = |number: u8| text(language, &format!("captcha-number-{number}"), &[]);
    let values = [("first", &*word(first)), ("second", &*word(second))];
    Ok((text(language, "captcha-sum", &values), (first + second).to_string()))
}

#[derive(Debug, thiserror::Error)]
#[error("the system gives no random octets")]
struct NoRandomness;

/// Uses a puzzle up. To be committed whatever comes of it.
///
/// # Errors
/// The outer error is the database's; the inner one says that the answer was wrong, or too late.
pub(crate) fn answer(
    connection: &mut Connection,
    id: &str,
    text: &str,
    now: Timestamp,
) -> Result<Result<(), Problem>, Problem> {
    Ok(match captchas::take(connection, id, now)? {
        Some(answer) if captcha_picture::is_answer(&answer, text) => Ok(()),
        None if captchas::has_lapsed(connection, id, now)? => Err(Problem::new(Kind::CaptchaExpired)),
        // Another text; or the puzzle was used before, or never given out.
        _ => Err(Problem::new(Kind::CaptchaWrong)),
    })
}
