//! Recovery codes: what an officer signs in with when the phone with the authenticator is lost. Each works once.

use actix_web::{HttpResponse, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base32::Alphabet;
use serde::Serialize;
use store::officers;

use super::sessions::{AccountView, compare, judge, unlocked};
use super::totp::NewTotp;
use crate::auth::{SignedIn, sha256};
use crate::context::Context;
use crate::json::Json;
use crate::problem::{Document, Problem, only};

/// As many as are handed out at a time.
const CODES: usize = 10;
/// 80 bits each: nobody guesses them, and nobody finds them by their hashes.
const OCTETS: usize = 10;
/// Letters of a code, in groups of four.
const LETTERS: usize = OCTETS * 8 / 5;

/// New codes, as they are told, once; their SHA-256 is kept.
pub(super) struct RecoveryCodes {
    /// `7zkc-94x0-hm3t-vw1e`
    pub(super) codes: Vec<String>,
    pub(super) sha256: Vec<[u8; 32]>,
}

impl RecoveryCodes {
    /// Draws them.
    ///
    /// # Errors
    /// The system's random generator failed.
    pub(super) fn draw() -> Result<Self, Problem> {
        let mut drawn = Self { codes: Vec::with_capacity(CODES), sha256: Vec::with_capacity(CODES) };
        for _ in 0..CODES {
            let mut octets = [0_u8; OCTETS];
            SystemRandom::new().fill(&mut octets).map_err(|_| Problem::internal("no random bytes"))?;
            let letters: Vec<char> =
                base32::encode(Alphabet::Crockford, &octets).to_ascii_lowercase().chars().collect();
            let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
            drawn.codes.push(groups.join("-"));
            drawn.sha256.push(sha256(&octets));
        }
        Ok(drawn)
    }
}

/// The SHA-256 of what may be a code, however it was typed: in capitals, without hyphens, with an O for a zero.
pub(super) fn typed(text: &str) -> Option<[u8; 32]> {
    let letters: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
    if letters.len() != LETTERS {
        return None;
    }
    let plain = letters.to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    base32::decode(Alphabet::Crockford, &plain)
        .filter(|octets| octets.len() == OCTETS)
        .map(|octets| sha256(&octets))
}

/// Codes that are told this once.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RecoveryCodesView {
    #[serde(flatten)]
    pub(super) account: AccountView,
    /// Each signs in once, in place of the authenticator's code. They are not told again.
    pub(super) recovery_codes: Vec<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/totp/recovery-codes")
            .route(web::post().to(renew))
            .default_service(only("POST")),
    );
}

/// Ask for new recovery codes
///
/// Those of before are worth nothing from then on.
#[utoipa::path(
    post,
    path = "/api/v1/officer/totp/recovery-codes",
    tag = "officers",
    operation_id = "renew_recovery_codes",
    security(("officer" = [])),
    request_body = NewTotp,
    responses(
        (status = 200, description = "ten codes", body = RecoveryCodesView),
        (status = 401, description = "sign-in-failed, totp-required", body = Document),
        (status = 422, description = "invalid-fields: no authenticator is enrolled", body = Document),
        (status = 429, description = "account-locked", body = Document),
    )
)]
pub(crate) async fn renew(
    context: web::Data<Context>,
    officer: SignedIn,
    Json(body): Json<NewTotp>,
) -> Result<HttpResponse, Problem> {
    let (now, login, client) = (context.now(), officer.officer.login, officer.client_sha256);
    let account = unlocked(&context, login.clone(), client, now).await?;
    if account.totp_secret.is_none() {
        return Err(Problem::field("/totp", "totp-not-enrolled"));
    }
    let compared = compare(&context, body.password, Some(account)).await?;
    let (inner, drawn) = (context.as_ref().clone(), RecoveryCodes::draw()?);
    let account = context
        .write(move |connection| {
            let account = officers::find(connection, &login)?;
            if account.totp_secret.is_none() {
                return Err(Problem::field("/totp", "totp-not-enrolled"));
            }
            let judged = judge(&inner, connection, &account, client, &compared, body.totp.as_deref(), now)?;
            if let Err(refused) = judged {
                return Ok(Err(refused));
            }
            officers::set_recovery_codes(connection, &login, &drawn.sha256, now)?;
            Ok(Ok((AccountView::read(&inner, connection, &login)?, drawn.codes)))
        })
        .await?;
    let (account, recovery_codes) = account?;
    Ok(told(account, recovery_codes))
}

/// An answer that nobody may keep.
pub(super) fn told(account: AccountView, recovery_codes: Vec<String>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(RecoveryCodesView { account, recovery_codes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_again_however_it_is_typed() {
        let drawn = RecoveryCodes::draw().unwrap();
        assert_eq!((drawn.codes.len(), drawn.sha256.len()), (CODES, CODES));
        for (code, sha256) in drawn.codes.iter().zip(&drawn.sha256) {
            assert_eq!(code.len(), LETTERS + 3);
            let capitals = code.to_uppercase().replace('-', " ").replace('0', "o").replace('1', "L");
            for written in [code.clone(), code.replace('-', ""), capitals] {
                assert_eq!(typed(&written), Some(*sha256), "{written}");
            }
        }
        assert_eq!(drawn.sha256.iter().collect::<std::collections::HashSet<_>>().len(), CODES);
    }

    #[test]
    fn what_is_no_code_is_not_looked_for() {
        for other in
            ["", "123456", "7zkc-94x0-hm3t-vw1", "7zkc-94x0-hm3t-vw1ee", "7zkc-94x0-hm3t-vw1u", "ўўўўўўўў"]
        {
            assert_eq!(typed(other), None, "{other}");
        }
    }
}
