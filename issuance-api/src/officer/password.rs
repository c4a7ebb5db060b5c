//! An officer replaces their password.

use actix_web::{HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use store::officers;
use store::sessions::{self, SessionKind};
use zxcvbn::{Score, zxcvbn};

use super::sessions::{AccountView, compare, not_locked, secret, unlocked};
use crate::auth::Unready;
use crate::context::Context;
use crate::json::Json;
use crate::problem::{Document, Kind, Problem, only};

/// Long enough for any passphrase, short enough to hash.
const PASSWORD_MAX: usize = 256;

/// The old password and the new one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    old: SecretString,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    new: SecretString,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/password").route(web::post().to(change)).default_service(only("POST")),
    );
}

/// Change the password
///
/// Every other session of the officer ends.
#[utoipa::path(
    post,
    path = "/api/v1/officer/password",
    tag = "officers",
    security(("officer" = [])),
    request_body = PasswordChange,
    responses(
        (status = 200, description = "the new password holds", body = AccountView),
        (status = 401, description = "sign-in-failed: the old password is wrong", body = Document),
        (status = 422, description = "invalid-fields: the new password is too short or the old one", body = Document),
        (status = 429, description = "account-locked", body = Document),
    )
)]
pub(crate) async fn change(
    context: web::Data<Context>,
    Unready(officer): Unready,
    Json(PasswordChange { old, new }): Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let (now, login, client) = (context.now(), officer.officer.login, officer.client_sha256);
    acceptable(&login, &old, &new, context.settings.officers.password_min_characters)?;
    let account = unlocked(&context, login.clone(), client, now).await?;
    let compared = compare(&context, old, Some(account)).await?;
    let hash = context.passwords.hash(new).await?;
    let inner = context.as_ref().clone();
    let account = context
        .write(move |connection| {
            let account = officers::find(connection, &login)?;
            let locked_until = officers::locked_until(connection, &account, client.as_ref())?;
            if let Err(locked) = not_locked(locked_until, now) {
                return Ok(Err(locked));
            }
            if !compared.is_of(&account) {
                let (failures, lockout) =
                    (inner.settings.officers.lockout_failures, inner.settings.officers.lockout);
                officers::sign_in_failed(connection, &login, client.as_ref(), failures, lockout, now)?;
                return Ok(Err(Problem::new(Kind::SignInFailed)));
            }
            officers::set_password(connection, &login, &account.password_hash, &hash, now)?;
            sessions::close_others(connection, SessionKind::Officer, &login, &officer.token_sha256)?;
            Ok(Ok(AccountView::read(&inner, connection, &login)?))
        })
        .await??;
    Ok(HttpResponse::Ok().json(account))
}

/// Length is what makes a password strong, and that nobody would try it early (NIST SP 800-63B section 5.1.1.2); no
/// composition is asked for.
fn acceptable(login: &str, old: &SecretString, new: &SecretString, min: usize) -> Result<(), Problem> {
    let (old, new) = (old.expose_secret(), new.expose_secret());
    let rule = match new.chars().count() {
        length if length < min => "too-short",
        length if length > PASSWORD_MAX => "too-long",
        _ if new == old || new.eq_ignore_ascii_case(login) => "password-same",
        // What is in every list of stolen passwords is long in vain, and so are words, dates and rows of keys.
        _ if zxcvbn(new, &[login, old, "muhr"]).score() < Score::Three => "password-guessable",
        _ => return Ok(()),
    };
    Err(Problem::field("/new", rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_long_and_new() {
        let judged = |new: &str| acceptable("registrar-of-all", &"the old one!".into(), &new.into(), 12);
        assert_eq!(judged("nine tin otters hum"), Ok(()));
        assert_eq!(judged("ўн икки ҳарф"), Ok(()));
        assert_eq!(judged("eleven char"), Err(Problem::field("/new", "too-short")));
        assert_eq!(judged("the old one!"), Err(Problem::field("/new", "password-same")));
        assert_eq!(judged("Registrar-of-all"), Err(Problem::field("/new", "password-same")));
        for guessed in [
            "password1234",
            "qwertyuiop[]",
            "123456789012",
            "P@ssw0rd1234",
            "Registrar-of-all1",
            "aaaaaaaaaaaa",
            "muhr muhr muhr",
            "iloveyou2024",
        ] {
            assert_eq!(judged(guessed), Err(Problem::field("/new", "password-guessable")), "{guessed}");
        }
        assert_eq!(judged(&"x".repeat(257)), Err(Problem::field("/new", "too-long")));
    }
}
