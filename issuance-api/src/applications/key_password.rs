//! The first password of a key that was made at a counter, where a centre's rules demand a generated one: it goes to the
//! applicant's phone and nowhere else, and is replaced when the key is written onto the drive.

use actix_web::{HttpResponse, web};
use ca_core::application::ApplicationId;
use ca_core::fee::Channel;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use store::{audit, jobs, messages, turns};

use super::named;
use crate::auth::{Acting, SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::officer::secret;
use crate::problem::{Document, Kind, Problem, only};

/// Passwords that one application may have sent: a counter makes one, and another when something went wrong.
const MOST: i64 = 5;

/// The password that a counter's page has made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPassword {
    /// Three groups of four Latin letters and digits, with hyphens: it stands in a message of ours, so it can be nothing else.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/key-password")
            .route(web::post().to(send))
            .default_service(only("POST")),
    );
}

/// What the sealed password in a job is sealed for.
pub(crate) fn sealing_context(id: ApplicationId) -> String {
    format!("key-password/{id}")
}

/// Send the first password of a key to the applicant's phone
///
/// For the officer who registered the applicant, where `officers.generated_key_passwords` says so. It is not kept.
#[utoipa::path(post, path = "/api/v1/applications/{id}/key-password", tag = "applications", operation_id = "send_key_password",
    security(("officer" = [])), params(("id" = String, Path, description = "the application")), request_body = KeyPassword,
    responses(
        (status = 204, description = "on its way"),
        (status = 403, description = "forbidden: not here, or not at a counter", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "wrong-state", body = Document),
        (status = 429, description = "too-many-requests", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn send(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(officer, Json(KeyPassword { password })): Then<SignedIn, Json<KeyPassword>>,
) -> Result<HttpResponse, Problem> {
    if !context.settings.officers.generated_key_passwords {
        return Err(Problem::new(Kind::Forbidden));
    }
    let (id, now) = (named(&id)?, context.now());
    let text = password.expose_secret();
    if !is_generated(text) {
        return Err(Problem::field("/password", "key-password"));
    }
    let sealed = context.sealer.seal(sealing_context(id).as_bytes(), text.as_bytes());
    let sealed = sealed.map_err(Problem::internal)?;
    let acting = Acting::Officer(officer);
    context
        .write(move |connection| {
            let stored = acting.find(connection, id)?;
            stored.application.edit()?;
            if stored.application.channel != Channel::ServiceCenter {
                return Err(Problem::new(Kind::Forbidden));
            }
            turns::take(connection, &format!("application/{id}"))?;
            if messages::key_passwords_of(connection, id)? >= MOST {
                return Err(Problem::new(Kind::TooManyRequests).after(3600));
            }
            jobs::enqueue(connection, &[messages::key_password(id, &sealed, now)], now)?;
            let entry = audit::Entry {
                at: now,
                actor: acting.actor().to_string(),
                action: messages::KEY_PASSWORD_SENT.to_owned(),
                object: format!("application:{id}"),
                details: json!({}),
            };
            Ok(audit::record(connection, &[entry])?)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What a counter's page makes: `w7Kd-Rm4x-Qp9T`.
fn is_generated(text: &str) -> bool {
    let group = |group: &str| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.split('-').count() == 3 && text.split('-').all(group)
}
