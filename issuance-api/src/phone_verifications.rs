//! One-time codes that prove a phone is in the hands of the one who asks.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use ca_core::Timestamp;
use ca_core::subject::{Phone, PhoneError};
use config::Language;
use serde::{Deserialize, Serialize};
use store::phone_verifications::{self, PhoneVerification};
use store::sessions::{self, SessionKind};
use store::{Connection, StoreError, audit, jobs, messages, turns};

use crate::auth::Token;
use crate::captchas;
use crate::context::Context;
use crate::json::Json;
use crate::limits::network;
use crate::problem::{FieldError, Kind, Problem, only};
use crate::request::{address, language};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A request for a code.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerificationForm {
    /// A phone of Uzbekistan, `+998` and nine digits.
    phone: Option<String>,
    /// The puzzle that was solved.
    captcha_id: Option<String>,
    /// What its picture shows.
    captcha_text: Option<String>,
}

/// A code on its way.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Verification {
    /// Its name, to confirm it with.
    id: String,
    /// From when another may be asked for.
    #[schema(value_type = String, format = DateTime)]
    resend_at: Timestamp,
    /// Until when the code works.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The code that came.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmationForm {
    /// Its digits.
    code: Option<String>,
}

/// The applicant's token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TokenView {
    /// For `Authorization: Bearer`. It is told once.
    pub(crate) token: String,
    /// Until when it works.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/phone-verifications").route(web::post().to(create)).default_service(only("POST")),
    )
    .service(
        web::resource("/v1/phone-verifications/{id}/confirmation")
            .route(web::post().to(confirm))
            .default_service(only("POST")),
    );
}

/// Ask for a code by SMS
///
/// The picture puzzle is used up by any answer. The message is sent in the language of `Accept-Language`.
#[utoipa::path(post, path = "/api/v1/phone-verifications", tag = "applicants", operation_id = "verify_phone",
    request_body = VerificationForm,
    responses(
        (status = 202, description = "a code is on its way", body = Verification),
        (status = 422, description = "invalid-fields, captcha-wrong, captcha-expired", body = crate::problem::Document),
        (status = 429, description = "resend-too-soon, too-many-requests; with Retry-After", body = crate::problem::Document),
    ))]
pub(crate) async fn create(
    context: web::Data<Context>,
    request: HttpRequest,
    Json(form): Json<VerificationForm>,
) -> Result<HttpResponse, Problem> {
    let asked = form.read().map_err(Problem::fields)?;
    let from = address(&request, &context.settings.http.trusted_proxies);
    let new = New::draw(&context, &asked.phone, from, language(&request))?;
    let verification = new.view();
    let shared = context.clone();
    // A wrong answer uses the puzzle up, so the transaction ends well either way.
    context.write(move |connection| asked.answer_and_send(connection, &shared, new)).await??;
    Ok(HttpResponse::Accepted().insert_header((header::CACHE_CONTROL, "no-store")).json(verification))
}

/// Confirm the phone with the code
#[utoipa::path(post, path = "/api/v1/phone-verifications/{id}/confirmation", tag = "applicants",
    operation_id = "confirm_phone", params(("id" = String, Path, description = "the verification")),
    request_body = ConfirmationForm,
    responses(
        (status = 200, description = "the phone is confirmed", body = TokenView),
        (status = 404, description = "not-found", body = crate::problem::Document),
        (status = 409, description = "code-used", body = crate::problem::Document),
        (status = 410, description = "code-expired", body = crate::problem::Document),
        (status = 422, description = "invalid-fields, code-wrong", body = crate::problem::Document),
        (status = 429, description = "code-exhausted", body = crate::problem::Document),
    ))]
pub(crate) async fn confirm(
    context: web::Data<Context>,
    id: web::Path<String>,
    Json(form): Json<ConfirmationForm>,
) -> Result<HttpResponse, Problem> {
    let code = form.code.ok_or_else(|| Problem::field("/code", "required"))?;
    let now = context.now();
    let token = Token::random()?;
    let expires_at = now.plus(context.settings.sessions.applicant_lifetime);
    let (shared, token_sha256) = (context.clone(), token.sha256());
    // A wrong code is counted, so the transaction ends well either way.
    let judged = move |connection: &mut Connection| {
        let judged = judge(connection, &shared, &id, code.trim(), now)?;
        if let Ok(phone) = &judged {
            let kind = SessionKind::Applicant;
            sessions::open(connection, &token_sha256, kind, phone, expires_at, now)?;
        }
        record(connection, &id, judged.is_ok(), now)?;
        Ok(judged)
    };
    context.write(judged).await??;
    let view = TokenView { token: token.reveal().to_owned(), expires_at };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(view))
}

/// The audit log knows the verification, never the phone.
fn record(connection: &mut Connection, id: &str, is_right: bool, now: Timestamp) -> Result<(), StoreError> {
    let action = if is_right { "applicant.sign-in" } else { "applicant.sign-in-failed" };
    let entry = audit::Entry {
        at: now,
        actor: if is_right { "applicant" } else { "anonymous" }.to_owned(),
        action: action.to_owned(),
        object: format!("phone-verification:{id}"),
        details: serde_json::json!({}),
    };
    audit::record(connection, &[entry])
}

/// What the sealed code in a job is sealed for.
pub(crate) fn sealing_context(verification: &str) -> String {
    format!("code/{verification}")
}

struct Asked {
    phone: Phone,
    captcha_id: String,
    captcha_text: String,
}

impl VerificationForm {
    fn read(self) -> Result<Asked, Vec<FieldError>> {
        let phone = match self.phone.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => Err("required"),
            Some(text) => Phone::parse(text).map_err(|error| match error {
                PhoneError::Country => "phone-country",
                PhoneError::Form | PhoneError::Digits => "phone-form",
            }),
        };
        match (phone, self.captcha_id, self.captcha_text) {
            (Ok(phone), Some(captcha_id), Some(captcha_text)) => {
                Ok(Asked { phone, captcha_id, captcha_text })
            }
            (phone, captcha_id, captcha_text) => {
                let absent = |there: bool, pointer| (!there).then(|| FieldError::new(pointer, "required"));
                Err([
                    phone.err().map(|rule| FieldError::new("/phone", rule)),
                    absent(captcha_id.is_some(), "/captcha_id"),
                    absent(captcha_text.is_some(), "/captcha_text"),
                ]
                .into_iter()
                .flatten()
                .collect())
            }
        }
    }
}

/// A verification with its code, to be stored and sent if it may be.
struct New {
    row: PhoneVerification,
    sealed_code: Vec<u8>,
}

impl New {
    fn draw(context: &Context, phone: &Phone, from: IpAddr, language: Language) -> Result<Self, Problem> {
        let settings = &context.settings.sms;
        let now = context.now();
        let id = uuid::Uuid::new_v4().to_string();
        let code = random_code(settings.code_digits)?;
        let sealing = sealing_context(&id);
        let address = context.hasher.hash("address", network(from).to_string().as_bytes());
        Ok(Self {
            sealed_code: context
                .sealer
                .seal(sealing.as_bytes(), code.as_bytes())
                .map_err(Problem::internal)?,
            row: PhoneVerification {
                phone: phone.as_e164().to_owned(),
                address: hex::encode(address),
                code_hash: context.hasher.hash(&sealing, code.as_bytes()).to_vec(),
                language: language.tag().to_owned(),
                attempts: 0,
                created_at: now.unix_millis(),
                resend_at: now.plus(settings.resend).unix_millis(),
                expires_at: now.plus(settings.code_lifetime).unix_millis(),
                confirmed_at: None,
                id,
            },
        })
    }

    fn view(&self) -> Verification {
        Verification {
            id: self.row.id.clone(),
            resend_at: Timestamp::from_unix_millis(self.row.resend_at),
            expires_at: Timestamp::from_unix_millis(self.row.expires_at),
        }
    }
}

impl Asked {
    fn answer_and_send(
        &self,
        connection: &mut Connection,
        context: &Context,
        new: New,
    ) -> Result<Result<(), Problem>, Problem> {
        let now = Timestamp::from_unix_millis(new.row.created_at);
        if let Err(refused) = captchas::answer(connection, &self.captcha_id, &self.captcha_text, now)? {
            return Ok(Err(refused));
        }
        if let Err(refused) = may_be_sent(connection, context, &new.row, now)? {
            return Ok(Err(refused));
        }
        phone_verifications::insert(connection, &new.row)?;
        jobs::enqueue(connection, &[messages::code(&new.row.id, &new.sealed_code, now)], now)?;
        Ok(Ok(()))
    }
}

/// The limits that bound what SMS cost, and how often one phone rings.
fn may_be_sent(
    connection: &mut Connection,
    context: &Context,
    row: &PhoneVerification,
    now: Timestamp,
) -> Result<Result<(), Problem>, Problem> {
    let settings = &context.settings.sms;
    for name in [&row.phone, &row.address] {
        turns::take(connection, &format!("sms/{name}"))?;
    }
    if let Some(at) = phone_verifications::resend_at(connection, &row.phone)?.filter(|at| *at > now) {
        let wait = at.since(now).as_secs() + 1;
        return Ok(Err(Problem::new(Kind::ResendTooSoon).after(wait.min(settings.resend.as_secs()))));
    }
    let asked_since = |connection: &mut Connection, since| {
        phone_verifications::asked_since(connection, &row.phone, &row.address, now.minus(since))
    };
    let (phone_hour, address_hour) = asked_since(connection, HOUR)?;
    let (phone_day, _) = asked_since(connection, DAY)?;
    let too_many = if phone_day >= settings.per_phone_per_day.into() {
        Some(DAY)
    } else if phone_hour >= settings.per_phone_per_hour.into()
        || address_hour >= settings.per_address_per_hour.into()
    {
        Some(HOUR)
    } else {
        None
    };
    Ok(match too_many {
        Some(wait) => Err(Problem::new(Kind::TooManyRequests).after(wait.as_secs())),
        None => Ok(()),
    })
}

/// The phone, if this is its code. An answer is counted before it is judged, so that parallel guesses are all counted.
fn judge(
    connection: &mut Connection,
    context: &Context,
    id: &str,
    code: &str,
    now: Timestamp,
) -> Result<Result<String, Problem>, Problem> {
    let row = phone_verifications::find(connection, id)?;
    let refused = |kind| Ok(Err(Problem::new(kind)));
    if row.confirmed_at.is_some() {
        return refused(Kind::CodeUsed);
    }
    if row.expires_at <= now.unix_millis() {
        return refused(Kind::CodeExpired);
    }
    let tries = i32::try_from(context.settings.sms.code_tries).unwrap_or(i32::MAX);
    if !phone_verifications::count_attempt(connection, id, tries)? {
        return refused(Kind::CodeExhausted);
    }
    if !context.hasher.is_hash_of(&row.code_hash, &sealing_context(id), code.as_bytes()) {
        return refused(Kind::CodeWrong);
    }
    match phone_verifications::confirm(connection, id, now) {
        Ok(()) => Ok(Ok(row.phone)),
        Err(StoreError::Conflict(_)) => refused(Kind::CodeUsed),
        Err(other) => Err(other.into()),
    }
}

/// So many digits from the system's random generator, every code as likely as every other.
fn random_code(digits: u32) -> Result<String, Problem> {
    let count = 10_u64.checked_pow(digits).ok_or_else(|| Problem::internal("too many digits"))?;
    // What lies beyond the last whole multiple would make some codes likelier: it is drawn again.
    let fair = u64::MAX - u64::MAX % count;
    loop {
        let mut octets = [0_u8; 8];
        SystemRandom::new().fill(&mut octets).map_err(|_| Problem::internal("no random bytes"))?;
        let drawn = u64::from_be_bytes(octets);
        if drawn < fair {
            return Ok(format!("{:0width$}", drawn % count, width = digits as usize));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::harness::{Answer, Ask, Harness};

    const PHONE: &str = "+998901234567";

    /// A solved puzzle and the request for a code.
    async fn asked(harness: &Harness, phone: &str, right: bool) -> (Value, Answer) {
        let app = &harness.app().await;
        let captcha = Ask::post("/api/v1/captchas", &json!({})).of(app).await.is(201);
        assert!(captcha["image"].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
        let id = captcha["id"].as_str().unwrap();
        let text = harness.write(|connection| store::captchas::answer(connection, id));
        let text = if right { text } else { "?".to_owned() };
        let form = json!({"phone": phone, "captcha_id": id, "captcha_text": text});
        (form.clone(), Ask::post("/api/v1/phone-verifications", &form).of(app).await)
    }

    async fn confirmed(harness: &Harness, id: &str, code: &str) -> Answer {
        let path = format!("/api/v1/phone-verifications/{id}/confirmation");
        Ask::post(&path, &json!({"code": code})).of(&harness.app().await).await
    }

    /// The code as the messenger would read it.
    fn sent(harness: &Harness) -> String {
        let now = harness.context.now();
        let job = harness
            .write(|connection| jobs::claim(connection, jobs::JobKind::SendMessage, "test", now, HOUR, 1));
        let Ok(messages::Message::Code { verification, sealed_code }) = serde_json::from_str(&job[0].payload)
        else {
            panic!("{job:?}")
        };
        let sealed = hex::decode(sealed_code).unwrap();
        let code = harness.context.sealer.open(sealing_context(&verification).as_bytes(), &sealed).unwrap();
        String::from_utf8(code.to_vec()).unwrap()
    }

    fn other_than(code: &str) -> String {
        format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
    }

    #[actix_web::test]
    async fn the_code_that_was_sent_confirms_the_phone_once() {
        let harness = Harness::start();
        let (form, verification) = asked(&harness, PHONE, true).await;
        let verification = verification.is(202);
        let id = verification["id"].as_str().unwrap();
        let code = sent(&harness);
        confirmed(&harness, id, &other_than(&code)).await.is_problem(422, "code-wrong");
        let token = confirmed(&harness, id, &code).await.is(200);
        let token = token["token"].as_str().unwrap();
        let app = &harness.app().await;
        Ask::get("/api/v1/applications").with(token).of(app).await.is(200);
        Ask::get("/api/v1/applications").with("guessed").of(app).await.is_problem(401, "unauthenticated");
        confirmed(&harness, id, &code).await.is_problem(409, "code-used");
        confirmed(&harness, "nobody", &code).await.is_problem(404, "not-found");
        let again = Ask::post("/api/v1/phone-verifications", &form).of(app).await;
        again.is_problem(422, "captcha-wrong");
    }

    #[actix_web::test]
    async fn guessing_ends_after_five_tries() {
        let harness = Harness::start();
        let id = asked(&harness, PHONE, true).await.1.is(202)["id"].as_str().unwrap().to_owned();
        let code = sent(&harness);
        for _ in 0..5 {
            confirmed(&harness, &id, &other_than(&code)).await.is_problem(422, "code-wrong");
        }
        confirmed(&harness, &id, &code).await.is_problem(429, "code-exhausted");
    }

    #[actix_web::test]
    async fn a_wrong_answer_uses_the_puzzle_up_and_sends_nothing() {
        let harness = Harness::start();
        let (mut form, refused) = asked(&harness, PHONE, false).await;
        refused.is_problem(422, "captcha-wrong");
        let id = form["captcha_id"].as_str().unwrap().to_owned();
        form["captcha_text"] = json!(harness.write(|connection| store::captchas::answer(connection, &id)));
        let app = &harness.app().await;
        let again = Ask::post("/api/v1/phone-verifications", &form).of(app).await;
        again.is_problem(422, "captcha-wrong");
        let now = harness.context.now();
        let due = harness.write(|connection| jobs::any_due(connection, jobs::JobKind::SendMessage, now));
        assert!(!due);
    }

    #[actix_web::test]
    async fn one_phone_and_one_address_are_sent_only_so_many_codes() {
        let settings = [("sms.per_phone_per_hour", "1"), ("sms.per_address_per_hour", "2")];
        let mut harness = Harness::start_with(&settings);
        asked(&harness, PHONE, true).await.1.is(202);
        let soon = asked(&harness, PHONE, true).await.1;
        soon.is_problem(429, "resend-too-soon");
        assert_eq!(soon.headers.get("retry-after").unwrap(), "60");
        harness.travel(61);
        let hour = asked(&harness, PHONE, true).await.1;
        hour.is_problem(429, "too-many-requests");
        assert_eq!(hour.headers.get("retry-after").unwrap(), "3600");
        asked(&harness, "+998901234568", true).await.1.is(202);
        asked(&harness, "+998901234569", true).await.1.is_problem(429, "too-many-requests");
        harness.travel(3_700);
        asked(&harness, PHONE, true).await.1.is(202);
    }

    #[actix_web::test]
    async fn a_code_and_a_puzzle_expire() {
        let mut harness = Harness::start();
        let id = asked(&harness, PHONE, true).await.1.is(202)["id"].as_str().unwrap().to_owned();
        let captcha = Ask::post("/api/v1/captchas", &json!({})).of(&harness.app().await).await.is(201);
        harness.travel(301);
        confirmed(&harness, &id, &sent(&harness)).await.is_problem(410, "code-expired");
        let form = json!({"phone": PHONE, "captcha_id": captcha["id"], "captcha_text": "?"});
        let late = Ask::post("/api/v1/phone-verifications", &form).of(&harness.app().await).await;
        late.is_problem(422, "captcha-expired");
    }

    #[test]
    fn a_code_has_six_digits_and_every_digit_occurs_everywhere() {
        let mut seen = [[false; 10]; 6];
        for _ in 0..1000 {
            let code = random_code(6).unwrap();
            assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
            for (place, digit) in code.bytes().enumerate() {
                seen[place][usize::from(digit - b'0')] = true;
            }
        }
        assert_eq!(seen, [[true; 10]; 6]);
    }

    #[test]
    fn a_form_is_refused_with_every_objection() {
        let errors = |form: VerificationForm| {
            let errors = form.read().err().unwrap_or_default();
            errors.into_iter().map(|error| format!("{} {}", error.pointer, error.text)).collect::<Vec<_>>()
        };
        assert_eq!(
            errors(VerificationForm::default()),
            ["/phone field-required", "/captcha_id field-required", "/captcha_text field-required"]
        );
        let form = |phone: &str| VerificationForm {
            phone: Some(phone.to_owned()),
            captcha_id: Some(String::new()),
            captcha_text: Some(String::new()),
        };
        assert_eq!(errors(form("+12025550123")), ["/phone field-phone-country"]);
        assert_eq!(errors(form("998")), ["/phone field-phone-form"]);
        assert_eq!(errors(form(" +998 90 123 45 67 ")), [""; 0]);
    }
}
