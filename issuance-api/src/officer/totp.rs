//! One-time codes of an authenticator app (RFC 6238): the second factor of an officer.
//!
//! Enrolment keeps nothing: its secret travels to the officer and back inside a sealed `enrolment`, and is stored once a
//! code proves that the app has it.

use actix_web::{HttpResponse, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca_core::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::officers;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::recovery_codes::{RecoveryCodes, RecoveryCodesView, told};
use super::sessions::{AccountView, compare, judge, secret, unlocked};
use crate::auth::Unready;
use crate::context::Context;
use crate::json::Json;
use crate::problem::{Document, Problem, only};
use crate::sealed::Sealer;

/// RFC 4226 section 4, requirement 6: 160 bits are recommended.
const SECRET_OCTETS: usize = 20;
/// How long an enrolment waits for its code.
const ENROLMENT: std::time::Duration = std::time::Duration::from_secs(600);

/// SHA-1, six digits and thirty seconds: what every authenticator app speaks.
fn totp(login: &str, secret: &[u8]) -> Result<Totp, Problem> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_issuer(Some("Muhr"))
        .with_account_name(login)
        .build()
        .map_err(Problem::internal)
}

fn check(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let seconds = u64::try_from(now.unix_seconds()).ok()?;
    totp.check(code, seconds).and_then(|step| i64::try_from(step).ok())
}

fn context_of(login: &str) -> Vec<u8> {
    format!("totp/{login}").into_bytes()
}

fn enrolment_of(login: &str) -> Vec<u8> {
    format!("totp-enrolment/{login}").into_bytes()
}

/// The time step a code belongs to: the present one or its neighbours.
///
/// # Errors
/// The stored secret cannot be opened.
pub(super) fn step(
    sealer: &Sealer,
    login: &str,
    sealed: &[u8],
    code: &str,
    now: Timestamp,
) -> Result<Option<i64>, Problem> {
    let secret = sealer.open(&context_of(login), sealed).map_err(Problem::internal)?;
    Ok(check(&totp(login, &secret)?, code, now))
}

/// Signing in once more, because a stolen token must not be able to change the second factor.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTotp {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    pub(super) password: SecretString,
    /// A code of the authenticator that is enrolled, if one is; or a recovery code.
    pub(super) totp: Option<String>,
}

/// A secret for an authenticator app, not yet in use.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Enrolment {
    /// To be sent back with a code.
    enrolment: String,
    /// The secret in base32, for typing.
    secret: String,
    /// The secret as `otpauth://` URI, for a QR code.
    otpauth_uri: String,
    /// Until when it may be confirmed.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The proof that the app has the secret.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentProof {
    enrolment: String,
    /// The six digits that the app shows.
    code: String,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/officer/totp").route(web::post().to(enrol)).default_service(only("POST")));
    cfg.service(
        web::resource("/v1/officer/totp/confirmation")
            .route(web::post().to(confirm))
            .default_service(only("POST")),
    );
}

/// Begin to enrol an authenticator
#[utoipa::path(
    post,
    path = "/api/v1/officer/totp",
    tag = "officers",
    security(("officer" = [])),
    request_body = NewTotp,
    responses(
        (status = 200, description = "a secret that waits for its confirmation", body = Enrolment),
        (status = 401, description = "sign-in-failed, totp-required", body = Document),
        (status = 429, description = "account-locked", body = Document),
    )
)]
pub(crate) async fn enrol(
    context: web::Data<Context>,
    Unready(officer): Unready,
    Json(body): Json<NewTotp>,
) -> Result<HttpResponse, Problem> {
    let (now, login, client) = (context.now(), officer.officer.login, officer.client_sha256);
    let account = unlocked(&context, login.clone(), client, now).await?;
    let compared = compare(&context, body.password, Some(account)).await?;
    let (inner, named) = (context.as_ref().clone(), login.clone());
    context
        .write(move |connection| {
            let account = officers::find(connection, &named)?;
            judge(&inner, connection, &account, client, &compared, body.totp.as_deref(), now)
        })
        .await??;
    let expires_at = now.plus(ENROLMENT);
    let mut secret = Zeroizing::new([0_u8; SECRET_OCTETS]);
    SystemRandom::new().fill(secret.as_mut()).map_err(|_| Problem::internal("no random bytes"))?;
    let totp = totp(&login, secret.as_ref())?;
    let travelling = [expires_at.unix_millis().to_be_bytes().as_slice(), secret.as_ref()].concat();
    let sealed = context.sealer.seal(&enrolment_of(&login), &travelling).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(Enrolment {
        enrolment: URL_SAFE_NO_PAD.encode(sealed),
        secret: totp.secret().to_base32(),
        otpauth_uri: totp.to_url().map_err(Problem::internal)?,
        expires_at,
    }))
}

/// Confirm the authenticator with a code
///
/// The answer tells ten recovery codes, which are not told again.
#[utoipa::path(
    post,
    path = "/api/v1/officer/totp/confirmation",
    tag = "officers",
    security(("officer" = [])),
    request_body = EnrolmentProof,
    responses(
        (status = 200, description = "from now on sign-in asks for a code", body = RecoveryCodesView),
        (status = 422, description = "invalid-fields: a wrong code, or an enrolment that has expired", body = Document),
    )
)]
pub(crate) async fn confirm(
    context: web::Data<Context>,
    Unready(officer): Unready,
    Json(body): Json<EnrolmentProof>,
) -> Result<HttpResponse, Problem> {
    let (now, login) = (context.now(), officer.officer.login);
    let secret = travelled(&context.sealer, &login, &body.enrolment, now)
        .ok_or_else(|| Problem::field("/enrolment", "enrolment-expired"))?;
    let step = check(&totp(&login, &secret)?, &body.code, now)
        .ok_or_else(|| Problem::field("/code", "totp-code"))?;
    let sealed = context.sealer.seal(&context_of(&login), &secret).map_err(Problem::internal)?;
    let (inner, drawn) = (context.as_ref().clone(), RecoveryCodes::draw()?);
    let account = context
        .write(move |connection| {
            officers::set_totp(connection, &login, Some(&sealed), Some(step), now)?;
            officers::set_recovery_codes(connection, &login, &drawn.sha256, now)?;
            AccountView::read(&inner, connection, &login)
        })
        .await?;
    Ok(told(account, drawn.codes))
}

/// The secret of an enrolment of this officer that has not expired.
fn travelled(sealer: &Sealer, login: &str, enrolment: &str, now: Timestamp) -> Option<Zeroizing<Vec<u8>>> {
    let sealed = URL_SAFE_NO_PAD.decode(enrolment).ok()?;
    let opened = sealer.open(&enrolment_of(login), &sealed).ok()?;
    let (expires_at, secret) = opened.split_first_chunk::<8>()?;
    let expires_at = Timestamp::from_unix_millis(i64::from_be_bytes(*expires_at));
    (expires_at > now).then(|| Zeroizing::new(secret.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        let totp = totp("reviewer", b"12345678901234567890").unwrap();
        // The appendix prints eight digits; an app shows the last six.
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let now = Timestamp::from_unix_seconds(seconds);
            assert_eq!(check(&totp, code, now), Some(seconds / 30));
            assert_eq!(check(&totp, code, now.plus(std::time::Duration::from_secs(61))), None);
        }
        for wrong in ["", "28708", "2870822", "abcdef", "287083"] {
            assert_eq!(check(&totp, wrong, Timestamp::from_unix_seconds(59)), None);
        }
    }

    #[test]
    fn an_enrolment_is_one_officers_and_expires() {
        let sealer = Sealer::new([7; 32]).unwrap();
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let travelling = [now.unix_millis().to_be_bytes().as_slice(), b"secret"].concat();
        let sealed = sealer.seal(&enrolment_of("reviewer"), &travelling).unwrap();
        let enrolment = URL_SAFE_NO_PAD.encode(sealed);
        let before = now.minus(std::time::Duration::from_millis(1));
        assert_eq!(travelled(&sealer, "reviewer", &enrolment, before).unwrap().as_slice(), b"secret");
        assert!(travelled(&sealer, "reviewer", &enrolment, now).is_none());
        assert!(travelled(&sealer, "auditor", &enrolment, before).is_none());
        assert!(travelled(&sealer, "reviewer", "x", before).is_none());
    }
}
