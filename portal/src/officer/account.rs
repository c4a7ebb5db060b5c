//! An officer's own account: another password, an authenticator app.

use std::fmt::Write;

use actix_web::{HttpResponse, web};
use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use serde::Deserialize;
use serde_json::json;

use super::sign_in::refused;
use super::{ACCOUNT, Account, Desk, told};
use crate::api::Failure;
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};

/// White around a QR code, in modules (ISO/IEC 18004 section 6.3.8).
const QUIET: usize = 4;

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route(ACCOUNT, web::get().to(account))
        .route("/officer/account/password", web::post().to(change_password))
        .route("/officer/account/keys", web::post().to(choose_keys))
        .route("/officer/account/totp", web::post().to(enrol))
        .route("/officer/account/totp/confirmation", web::post().to(confirm))
        .route("/officer/account/recovery-codes", web::post().to(renew_codes));
}

#[derive(Template)]
#[template(path = "office_account.html")]
struct AccountPage {
    p: Page,
    me: Account,
    done: String,
    password: Objections,
    totp: Objections,
    enrolment: Option<Enrolment>,
    codes: Objections,
    /// Told this once.
    recovery_codes: Vec<String>,
}

/// Recovery codes that were just made.
#[derive(Debug, Deserialize)]
struct RecoveryCodes {
    #[serde(flatten)]
    account: Account,
    recovery_codes: Vec<String>,
}

/// A secret that waits for the proof that an app has it.
#[derive(Debug, Deserialize)]
struct Enrolment {
    enrolment: String,
    secret: String,
    otpauth_uri: String,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

impl AccountPage {
    fn of(desk: &Desk) -> Self {
        Self {
            p: desk.page_at(ACCOUNT),
            me: desk.me.clone(),
            done: String::new(),
            password: Objections::default(),
            totp: Objections::default(),
            enrolment: None,
            codes: Objections::default(),
            recovery_codes: Vec::new(),
        }
    }

    /// The codes are told, and nothing is to be done first any more.
    fn tell(&mut self, RecoveryCodes { account, recovery_codes }: RecoveryCodes) {
        self.p.officer = Some(account.clone());
        self.me = account;
        self.recovery_codes = recovery_codes;
    }
}

async fn account(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let mut page = AccountPage::of(&desk);
    page.done = told(&page.p, &asked.done);
    show(&desk.visitor, &page)
}

async fn change_password(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let mut page = AccountPage::of(&desk);
    let new = fields.verbatim("new");
    if new != fields.verbatim("again") {
        page.password = Objections::to("again", page.p.o("passwords-differ"));
        return show(&desk.visitor, &page);
    }
    let change = json!({"old": fields.verbatim("old"), "new": new});
    match desk.post("/api/v1/officer/password").json(&change).done().await {
        Ok(()) => Ok(see("/officer/account?done=password")),
        Err(failure) => {
            page.password = refused(failure)?;
            show(&desk.visitor, &page)
        }
    }
}

/// Single keys, for this browser only: whoever speaks to the computer, or types with a tremor, switches them off.
async fn choose_keys(Posted { visitor, fields }: Posted) -> HttpResponse {
    let mut response = see(ACCOUNT);
    visitor.use_keys(&mut response, fields.get("keys") == "on");
    response
}

async fn enrol(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let mut page = AccountPage::of(&desk);
    let mut asked = fields.object(&["totp"]);
    asked.insert("password".to_owned(), fields.verbatim("password").into());
    match desk.post("/api/v1/officer/totp").json(&asked).read().await {
        Ok(enrolment) => page.enrolment = Some(enrolment),
        Err(failure) => page.totp = refused(failure)?,
    }
    show(&desk.visitor, &page)
}

async fn confirm(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let code: String = fields.get("code").chars().filter(char::is_ascii_digit).collect();
    let proof = json!({"enrolment": fields.get("enrolment"), "code": code});
    let mut page = AccountPage::of(&desk);
    match desk.post("/api/v1/officer/totp/confirmation").json(&proof).read().await {
        Ok(codes) => {
            page.tell(codes);
            page.done = told(&page.p, "totp");
            show(&desk.visitor, &page)
        }
        Err(failure) => {
            page.totp = refused(failure)?;
            // An enrolment that has expired is of no more use; another one is begun.
            page.enrolment = page.totp.on("enrolment").is_empty().then(|| Enrolment::again(&fields));
            show(&desk.visitor, &page)
        }
    }
}

async fn renew_codes(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let mut page = AccountPage::of(&desk);
    let mut asked = fields.object(&["totp"]);
    asked.insert("password".to_owned(), fields.verbatim("password").into());
    match desk.post("/api/v1/officer/totp/recovery-codes").json(&asked).read().await {
        Ok(codes) => page.tell(codes),
        Err(failure) => page.codes = refused(failure)?,
    }
    show(&desk.visitor, &page)
}

impl Enrolment {
    /// As it came back with a wrong code.
    fn again(fields: &Fields) -> Self {
        let said = |name: &str| fields.get(name).to_owned();
        Self { enrolment: said("enrolment"), secret: said("secret"), otpauth_uri: said("otpauth_uri") }
    }

    /// The address as a QR code, for an SVG: its modules as one path, and how many there are on a side. None if it is
    /// longer than a QR code holds; then it is typed.
    fn qr(&self) -> Option<(String, usize)> {
        let code = QrCode::with_error_correction_level(&self.otpauth_uri, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (index, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                let (x, y) = (index % width + QUIET, index / width + QUIET);
                write!(path, "M{x} {y}h1v1h-1z").ok()?;
            }
        }
        Some((path, width + 2 * QUIET))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qr_code_begins_with_its_finder_pattern_behind_the_quiet_zone() {
        let otpauth_uri = "otpauth://totp/Muhr:reviewer?secret=ABC&issuer=Muhr".to_owned();
        let enrolment = Enrolment { enrolment: String::new(), secret: String::new(), otpauth_uri };
        let (path, side) = enrolment.qr().unwrap();
        assert!(path.starts_with("M4 4h1v1h-1zM5 4h1v1h-1z"), "{path}");
        assert_eq!((side - 2 * QUIET - 17) % 4, 0, "a version of ISO/IEC 18004 has 17 + 4v modules");
    }

    #[test]
    fn what_no_qr_code_holds_is_typed() {
        let otpauth_uri = "x".repeat(4000);
        assert!(Enrolment { enrolment: String::new(), secret: String::new(), otpauth_uri }.qr().is_none());
    }
}
