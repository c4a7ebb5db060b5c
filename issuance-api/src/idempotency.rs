//! `Idempotency-Key`: the same POST again gets the same answer and does nothing twice.

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use store::idempotency::{self, Answer, Known};

use crate::auth::sha256;
use crate::context::Context;
use crate::json::{collect, declared_length};
use crate::partners::SignedBy;
use crate::problem::{Kind, Problem};
use crate::request::address;

/// How long a request may be under way before its key is free again: its process must have died.
const PATIENCE_MILLIS: i64 = 60_000;

/// What is to be done with a request.
enum Begun {
    /// It carries no key.
    Unkeyed,
    /// Its answer is known.
    Answered(HttpResponse),
    /// It is the first with its key.
    First(Reservation),
}

struct Reservation {
    context: web::Data<Context>,
    owner: String,
    key: String,
}

/// Remembers answers to POSTs that carry a key. Answers 400 for a key that is none, 409 while the same request is under
/// way, 422 for a key of another request.
///
/// # Errors
/// The inner service's.
pub(crate) async fn remember(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match begin(&mut request).await {
        Ok(Begun::Unkeyed) => Ok(next.call(request).await?.map_into_boxed_body()),
        Ok(Begun::Answered(answer)) => Ok(request.into_response(answer)),
        Ok(Begun::First(reservation)) => {
            let (request, answer) = next.call(request).await?.map_into_boxed_body().into_parts();
            let kept = reservation.keep(answer).await;
            Ok(ServiceResponse::new(request, kept.unwrap_or_else(|problem| problem.error_response())))
        }
        Err(problem) => Ok(request.into_response(problem.error_response())),
    }
}

async fn begin(request: &mut ServiceRequest) -> Result<Begun, Problem> {
    let key =
        request.headers().get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
    let (Some(key), &Method::POST) = (key, request.method()) else { return Ok(Begun::Unkeyed) };
    if !(1..=128).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(Problem::new(Kind::MalformedRequest));
    }
    let context =
        request.app_data::<web::Data<Context>>().cloned().ok_or_else(|| Problem::internal("no context"))?;
    let length = declared_length(request.request());
    let body = collect(request.take_payload(), length, context.settings.http.max_json_bytes).await?;
    let owner = owner(request, &context);
    let fingerprint = fingerprint(request, &body);
    request.set_payload(Payload::from(web::Bytes::from(body)));

    let now = context.now();
    let (owned, keyed) = (owner.clone(), key.clone());
    let known = context
        .write(move |connection| {
            Ok(idempotency::reserve(connection, &owned, &keyed, &fingerprint, PATIENCE_MILLIS, now)?)
        })
        .await?;
    match known {
        Known::OtherRequest => Err(Problem::new(Kind::IdempotencyKeyReused)),
        Known::InProgress => Err(Problem::new(Kind::RequestInProgress).after(1)),
        Known::Answered(answer) => replay(&context, &owner, &key, &answer).map(Begun::Answered),
        Known::Fresh => Ok(Begun::First(Reservation { context, owner, key })),
    }
}

impl Reservation {
    /// Keeps what would be the same another time; a refusal, a failure of ours and a limit are worth another try.
    async fn keep(self, response: HttpResponse) -> Result<HttpResponse, Problem> {
        let Self { context, owner, key } = self;
        let status = response.status();
        if !status.is_success() {
            context.write(move |connection| Ok(idempotency::release(connection, &owner, &key)?)).await?;
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = to_bytes(body).await.map_err(|_| Problem::internal("an answer without end"))?;
        let said = |name| {
            head.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let content_type = said(header::CONTENT_TYPE);
        // A location is one line (RFC 9110 section 5.5), so the first line is the location and the rest the body.
        let whole = [said(header::LOCATION).as_bytes(), b"\n", &body].concat();
        let sealed =
            context.sealer.seal(seal_context(&owner, &key).as_bytes(), &whole).map_err(Problem::internal)?;
        let answer = Answer { status: i32::from(status.as_u16()), content_type, body: sealed };
        context.write(move |connection| Ok(idempotency::answer(connection, &owner, &key, &answer)?)).await?;
        Ok(head.set_body(body).map_into_boxed_body())
    }
}

fn replay(context: &Context, owner: &str, key: &str, answer: &Answer) -> Result<HttpResponse, Problem> {
    let whole =
        context.sealer.open(seal_context(owner, key).as_bytes(), &answer.body).map_err(Problem::internal)?;
    let end =
        whole.iter().position(|octet| *octet == b'\n').ok_or_else(|| Problem::internal("a kept answer"))?;
    let status = u16::try_from(answer.status).ok().and_then(|s| StatusCode::from_u16(s).ok());
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::OK));
    if end > 0 {
        response.insert_header((header::LOCATION, &whole[..end]));
    }
    Ok(response
        .insert_header((header::CONTENT_TYPE, answer.content_type.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("idempotency-replayed", "true"))
        .body(whole[end + 1..].to_vec()))
}

fn seal_context(owner: &str, key: &str) -> String {
    format!("idempotency/{owner}/{key}")
}

/// Keys of different people never meet: a partner owns it by name, because it signs every request anew; whoever shows a
/// token by the token, others by their address.
fn owner(request: &ServiceRequest, context: &Context) -> String {
    if let Some(SignedBy(partner)) = request.extensions().get::<SignedBy>() {
        return format!("partner:{}", partner.name);
    }
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
