//! `Idempotency-Key`: the same POST again gets the same answer and does nothing twice.

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, web};
use store::idempotency::{self, Answer, Known};

use crate::auth::sha256;
use crate::context::Context;
use crate::json::{collect, declared_length};
use crate::problem::{Kind, Problem};
use crate::request::address;

/// How long a request may be under way before its key is free again: its process must have died.
const PATIENCE_MILLIS: i64 = 60_000;

/// Remembers answers to POSTs that carry a key.
///
/// # Errors
/// 400 for a key that is none; 409 while the same request is under way; 422 for a key of another request.
pub(crate) async fn remember(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let key =
        request.headers().get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
    let (Some(key), &Method::POST) = (key, request.method()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if !(1..=128).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::new(Kind::MalformedRequest).into());
    }
    let context =
        request.app_data::<web::Data<Context>>().cloned().ok_or_else(|| Problem::internal("no context"))?;
    let body = collect(
        request.take_payload(),
        declared_length(request.request()),
        context.settings.http.max_json_bytes,
    )
    .await?;
    let owner = owner(&request, &context);
    let fingerprint = fingerprint(&request, &body);
    request.set_payload(Payload::from(web::Bytes::from(body)));

    let now = context.now();
    let (owned, keyed) = (owner.clone(), key.clone());
    let known = context
        .write(move |connection| {
            Ok(idempotency::reserve(connection, &owned, &keyed, &fingerprint, PATIENCE_MILLIS, now)?)
        })
        .await?;
    match known {
        Known::OtherRequest => return Err(Problem::new(Kind::IdempotencyKeyReused).into()),
        Known::InProgress => return Err(Problem::new(Kind::RequestInProgress).after(1).into()),
        Known::Answered(answer) => return Ok(request.into_response(replay(&context, &owner, &key, &answer)?)),
        Known::Fresh => {}
    }
    let http_request = request.request().clone();
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => ServiceResponse::new(http_request, error.error_response()),
    };
    keep(&context, owner, key, response).await
}

/// Keeps what would be the same another time; a failure of ours and a limit are worth another try.
async fn keep(
    context: &Context,
    owner: String,
    key: String,
    response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let status = response.status();
    if !status.is_success() {
        context.write(move |connection| Ok(idempotency::release(connection, &owner, &key)?)).await?;
        return Ok(response);
    }
    let (http_request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| Problem::internal("an answer without end"))?;
    let content_type =
        head.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let sealed =
        context.sealer.seal(seal_context(&owner, &key).as_bytes(), &body).map_err(Problem::internal)?;
    let answer = Answer { status: i32::from(status.as_u16()), content_type, body: sealed };
    context.write(move |connection| Ok(idempotency::answer(connection, &owner, &key, &answer)?)).await?;
    Ok(ServiceResponse::new(http_request, head.set_body(body).map_into_boxed_body()))
}

fn replay(context: &Context, owner: &str, key: &str, answer: &Answer) -> Result<HttpResponse, Problem> {
    let body =
        context.sealer.open(seal_context(owner, key).as_bytes(), &answer.body).map_err(Problem::internal)?;
    let status = u16::try_from(answer.status).ok().and_then(|s| StatusCode::from_u16(s).ok());
    Ok(HttpResponse::build(status.unwrap_or(StatusCode::OK))
        .insert_header((header::CONTENT_TYPE, answer.content_type.as_str()))
        .insert_header(("idempotency-replayed", "true"))
        .body(body.to_vec()))
}

fn seal_context(owner: &str, key: &str) -> String {
    format!("idempotency/{owner}/{key}")
}

/// Keys of different people never meet: whoever shows a token owns it by the token, others by their address.
fn owner(request: &ServiceRequest, context: &Context) -> String {
    let shown = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    let named = shown.unwrap_or_else(|| {
        address(request.request(), &context.settings.http.trusted_proxies).to_string().into_bytes()
    });
    hex::encode(sha256(&named))
}

fn fingerprint(request: &ServiceRequest, body: &[u8]) -> [u8; 32] {
    let mut whole = format!("{} {}\n", request.method(), request.uri()).into_bytes();
    whole.extend_from_slice(body);
    sha256(&whole)
}
