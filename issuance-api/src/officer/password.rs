//! An officer replaces their password.

use actix_web::{HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use store::officers;
use store::sessions::{self, SessionKind};

use super::sessions::{AccountView, compare, not_locked, secret};
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
    let (now, login) = (context.now(), officer.officer.login);
    acceptable(&login, &old, &new, context.settings.officers.password_min_characters)?;
    let named = login.clone();
    let account = context.read(move |connection| Ok(officers::find(connection, &named)?)).await?;
    not_locked(account.locked_until, now)?;
    let compared = compare(&context, old, Some(account)).await?;
    let hash = context.passwords.hash(new).await?;
    let inner = context.as_ref().clone();
    let account = context
        .write(move |connection| {
            let account = officers::find(connection, &login)?;
            if let Err(locked) = not_locked(account.locked_until, now) {
                return Ok(Err(locked));
            }
            if !compared.is_of(&account) {
                let (failures, lockout) =
                    (inner.settings.officers.lockout_failures, inner.settings.officers.lockout);
                officers::sign_in_failed(connection, &login, failures, lockout, now)?;
                return Ok(Err(Problem::new(Kind::SignInFailed)));
            }
            officers::set_password(connection, &login, &account.password_hash, &hash, now)?;
            sessions::close_others(connection, SessionKind::Officer, &login, &officer.token_sha256)?;
            Ok(Ok(AccountView::read(&inner, connection, &login)?))
        })
        .await??;
    Ok(HttpResponse::Ok().json(account))
}

/// Length is what makes a password strong (NIST SP 800-63B section 5.1.1.2); no other composition is asked for.
fn acceptable(login: &str, old: &SecretString, new: &SecretString, min: usize) -> Result<(), Problem> {
    let (old, new) = (old.expose_secret(), new.expose_secret());
    let rule = match new.chars().count() {
        length if length < min => "too-short",
        length if length > PASSWORD_MAX => "too-long",
        _ if new == old || new.eq_ignore_ascii_case(login) => "password-same",
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
        assert_eq!(judged("twelve chars"), Ok(()));
        assert_eq!(judged("ўн икки ҳарф"), Ok(()));
        assert_eq!(judged("eleven char"), Err(Problem::field("/new", "too-short")));
        assert_eq!(judged("the old one!"), Err(Problem::field("/new", "password-same")));
        assert_eq!(judged("Registrar-of-all"), Err(Problem::field("/new", "password-same")));
        assert_eq!(judged(&"x".repeat(257)), Err(Problem::field("/new", "too-long")));
    }
}
