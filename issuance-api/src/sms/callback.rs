//! Gateways report what became of messages.
//!
//! The address a gateway is told for a message carries a token that only we can make, so that nobody else can report; the
//! settings can limit it to the gateway's own addresses as well.

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use serde::Deserialize;
use store::{Connection, StoreError, deliveries};

use crate::context::Context;
use crate::json::{collect, declared_length};
use crate::problem::{Document, Kind, Problem, only};
use crate::request::address;
use crate::service_key::Hasher;

/// The longest report that is read.
const REPORT_MAX: usize = 64 * 1024;

/// What Eskiz reports. Its form is not published; only the fields that are used are named here, and others are let pass.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(crate) struct EskizReport {
    /// `DELIVRD`, `UNDELIV`, `EXPIRED`, `REJECTD` and others.
    status: String,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/sms/eskiz/{token}").route(web::post().to(eskiz)).default_service(only("POST")),
    );
}

/// The token in the callback address of a delivery; one for each time an officer had it sent again.
pub(crate) fn token(hasher: &Hasher, delivery: i64, resends: i32) -> String {
    let named = format!("{delivery}.{resends}");
    format!("{named}.{}", hex::encode(hasher.hash("sms-callback", named.as_bytes())))
}

/// The delivery and its number of resends that a token was made for.
fn read_token(hasher: &Hasher, token: &str) -> Option<(i64, i32)> {
    let (named, hash) = token.rsplit_once('.')?;
    let hash = hex::decode(hash).ok()?;
    if !hasher.is_hash_of(&hash, "sms-callback", named.as_bytes()) {
        return None;
    }
    let (delivery, resends) = named.split_once('.')?;
    Some((delivery.parse().ok()?, resends.parse().ok()?))
}

/// Whether a message has arrived, in the words of gateways (SMPP 3.4 appendix B and what they make of it); `None` for
/// those that are not the last.
pub(crate) fn arrived(status: &str) -> Option<bool> {
    match status.trim().to_ascii_uppercase().as_str() {
        "DELIVRD" | "DELIVERED" => Some(true),
        "EXPIRED" | "UNDELIV" | "UNDELIVERED" | "UNDELIVERABLE" | "REJECTD" | "REJECTED" | "DELETED"
        | "FAILED" => Some(false),
        _ => None,
    }
}

/// Eskiz reports what became of a message
///
/// JSON or a form, at most 64 KiB. What is not a message's last state changes nothing.
#[utoipa::path(post, path = "/callbacks/sms/eskiz/{token}", tag = "gateways", operation_id = "eskiz_report",
    params(("token" = String, Path, description = "as in the callback_url that Eskiz was given")),
    request_body = EskizReport,
    responses(
        (status = 200, description = "noted"),
        (status = 403, description = "forbidden: not from an address of Eskiz", body = Document),
        (status = 404, description = "not-found: not our token", body = Document),
        (status = 413, description = "payload-too-large", body = Document),
    ))]
pub(crate) async fn eskiz(
    context: web::Data<Context>,
    request: HttpRequest,
    token: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let allowed = &context.settings.sms.eskiz.callback_addresses;
    let from = address(&request, &context.settings.http.trusted_proxies);
    if !allowed.is_empty() && !allowed.contains(&from) {
        return Err(Problem::new(Kind::Forbidden));
    }
    let (delivery, resends) =
        read_token(&context.hasher, &token).ok_or_else(|| Problem::new(Kind::NotFound))?;
    let body = collect(payload.into_inner(), declared_length(&request), REPORT_MAX).await?;
    let report = read(request.content_type(), &body)?;
    if let Some(arrived) = arrived(&report.status) {
        let now = context.now();
        context.write(move |c| Ok(note(c, delivery, resends, arrived, now)?)).await?;
    }
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

fn read(content_type: &str, body: &[u8]) -> Result<EskizReport, Problem> {
    let malformed = || Problem::new(Kind::MalformedRequest);
    if content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        return Ok(web::Query::<EskizReport>::from_query(text).map_err(|_| malformed())?.into_inner());
    }
    serde_json::from_slice(body).map_err(|_| malformed())
}

/// A report about a message that was sent again since is about the old one.
fn note(
    connection: &mut Connection,
    delivery: i64,
    resends: i32,
    arrived: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    if deliveries::find(connection, delivery)?.resends == resends {
        deliveries::report(connection, delivery, arrived, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_key::ServiceKey;

    #[test]
    fn a_token_is_of_one_delivery_and_nobody_else_can_make_one() {
        let hasher = |key| ServiceKey::new(&[key; 32]).unwrap().hasher().unwrap();
        let (ours, theirs) = (hasher(7), hasher(8));
        let made = token(&ours, 42, 1);
        assert_eq!(read_token(&ours, &made), Some((42, 1)));
        assert_eq!(read_token(&theirs, &made), None);
        assert_eq!(read_token(&ours, &made.replace("42.1", "43.1")), None);
        for wrong in ["", ".", "42.1", "42.1.", "42.1.zz", &made[..made.len() - 2]] {
            assert_eq!(read_token(&ours, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_report_is_read_as_form_and_as_json() {
        let form =
            b"message_id=4b1c&user_sms_id=&country=UZ&phone_number=998901234567&sms_count=1&status=DELIVRD";
        assert_eq!(read("application/x-www-form-urlencoded", form).unwrap().status, "DELIVRD");
        let json = br#"{"message_id": 4385062, "status": "UNDELIV", "status_date": "2026-11-26 10:00:00"}"#;
        assert_eq!(read("application/json", json).unwrap().status, "UNDELIV");
        for wrong in [&b"{}"[..], b"", b"\xff", b"message_id=1"] {
            assert!(read("application/json", wrong).is_err());
            assert!(read("application/x-www-form-urlencoded", wrong).is_err());
        }
    }

    #[test]
    fn only_last_states_count() {
        assert_eq!(arrived("DELIVRD"), Some(true));
        assert_eq!(arrived("rejectd "), Some(false));
        for on_its_way in ["waiting", "TRANSMTD", "ACCEPTD", "UNKNOWN", ""] {
            assert_eq!(arrived(on_its_way), None);
        }
    }
}
