//! Picture puzzles, each good for one answer.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::Timestamp;
use serde::Serialize;
use store::{Connection, captchas};

use crate::captcha_picture;
use crate::context::Context;
use crate::limits::Counted;
use crate::problem::{Kind, Problem, only};
use crate::request::address;

/// A picture puzzle.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Captcha {
    /// Its name, to answer it with.
    id: String,
    /// A PNG as a data URI.
    image: String,
    /// Until when it can be answered.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/captchas").route(web::post().to(create)).default_service(only("POST")));
}

/// Ask for a picture puzzle
///
/// Each is good for one answer, right or wrong.
#[utoipa::path(post, path = "/api/v1/captchas", tag = "applicants", operation_id = "create_captcha",
    responses(
        (status = 201, description = "the puzzle", body = Captcha),
        (status = 429, description = "too-many-requests", body = crate::problem::Document),
    ))]
pub(crate) async fn create(
    context: web::Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let from = address(&request, &context.settings.http.trusted_proxies);
    context.limits.count(Counted::Captcha, from)?;
    let characters = context.settings.captcha.characters;
    let puzzle = web::block(move || captcha_picture::draw(characters)).await?.map_err(Problem::internal)?;
    let captcha = Captcha {
        id: uuid::Uuid::new_v4().to_string(),
        image: format!("data:image/png;base64,{}", STANDARD.encode(&puzzle.png)),
        expires_at: context.now().plus(context.settings.captcha.lifetime),
    };
    let (id, expires_at) = (captcha.id.clone(), captcha.expires_at);
    context
        .write(move |connection| Ok(captchas::insert(connection, &id, &puzzle.answer, expires_at)?))
        .await?;
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(captcha))
}

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
