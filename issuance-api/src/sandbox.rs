//! The sandbox: what was sent, what the pictures say, and a payment provider that pays whatever it is told to. It is
//! registered in the sandbox only.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::jobs::{self, JobKind};
use store::messages::{self, Delivered};
use store::{Connection, captchas, invoices};

use crate::context::Context;
use crate::json::Json;
use crate::list::{self, List};
use crate::payments::PaymentProvider;
use crate::payments::webhook::{PaymentReport, SIGNATURE};
use crate::problem::{Document, Kind, Problem, only};

/// How long a look at the messages waits for those that are on their way.
const PATIENCE: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(20);
/// How long the played provider waits for the answer to its call.
const CALL: Duration = Duration::from_secs(10);

/// A message as the sandbox's gateway received it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxMessage)]
pub(crate) struct MessageView {
    id: i64,
    /// `sms` or `mail`.
    channel: String,
    /// Phone (E.164) or mail address.
    to: String,
    /// The text's name.
    template: String,
    /// The tag of its language.
    language: String,
    /// As sent.
    text: String,
    /// The one-time code in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Delivered> for MessageView {
    fn from(message: Delivered) -> Self {
        let Delivered { id, channel, to, template, language, text, code, at } = message;
        Self { id, channel, to, template, language, text, code, at }
    }
}

/// The answer of a picture puzzle.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CaptchaAnswer {
    answer: String,
}

/// How the played provider pays. Without a body it pays what the invoice asks for, as a new transaction.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlayedPayment {
    /// The transaction's name, to report the same one twice.
    transaction: Option<String>,
    /// Another amount, in tiyin.
    amount_tiyin: Option<i64>,
}

/// What the provider saw.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ProviderView {
    provider: String,
    transaction: String,
    /// The HTTP status of our answer to its call.
    status: u16,
    /// Our answer.
    #[schema(value_type = Object)]
    answer: Value,
}

/// Whose messages.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesQuery {
    /// A phone (E.164, its plus sign as `%2B`) or a mail address; everybody's if absent.
    to: Option<String>,
    /// At most so many, 50 if absent, 200 at most.
    limit: Option<String>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/messages").route(web::get().to(read)).default_service(only("GET")))
        .service(web::resource("/captchas/{id}").route(web::get().to(captcha)).default_service(only("GET")))
        .service(
            web::resource("/payments/{invoice}").route(web::post().to(pay)).default_service(only("POST")),
        );
}

/// Messages as sent, newest first
///
/// Waits until what an earlier request caused has been sent.
#[utoipa::path(get, path = "/sandbox/messages", tag = "sandbox", operation_id = "sandbox_messages",
    params(MessagesQuery), responses((status = 200, description = "the newest messages", body = List<MessageView>)))]
pub(crate) async fn read(
    context: web::Data<Context>,
    query: web::Query<MessagesQuery>,
) -> Result<HttpResponse, Problem> {
    let limit = list::limit(query.limit.as_deref())?;
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        let now = context.now();
        let due = move |c: &mut Connection| {
            Ok(jobs::any_due(c, JobKind::SendMessage, now)? || jobs::any_due(c, JobKind::SendMail, now)?)
        };
        if !context.read(due).await? {
            break;
        }
        context.doorbell.notify_one();
        actix_web::rt::time::sleep(STEP).await;
        waited += STEP;
    }
    // A plus sign that nobody encoded arrives as a space.
    let to = query.into_inner().to.map(|to| to.replacen(' ', "+", 1));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let delivered = context.read(move |c| Ok(messages::delivered(c, to.as_deref(), limit)?)).await?;
    let items = delivered.into_iter().map(MessageView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next: None }))
}

/// What a picture says
#[utoipa::path(get, path = "/sandbox/captchas/{id}", tag = "sandbox", operation_id = "sandbox_captcha",
    params(("id" = String, Path, description = "the captcha")),
    responses(
        (status = 200, description = "the answer", body = CaptchaAnswer),
        (status = 404, description = "not-found", body = Document),
    ))]
pub(crate) async fn captcha(
    context: web::Data<Context>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let answer = context.read(move |connection| Ok(captchas::answer(connection, &id)?)).await?;
    Ok(HttpResponse::Ok().json(CaptchaAnswer { answer }))
}

/// Pay an invoice
///
/// Plays a provider: reports the payment in a signed call to the real callback of this server, over HTTP. If that call is
/// refused, so is this one.
#[utoipa::path(post, path = "/sandbox/payments/{invoice}", tag = "sandbox", operation_id = "sandbox_payment",
    params(("invoice" = String, Path, description = "the invoice's id or number")), request_body = PlayedPayment,
    responses(
        (status = 200, description = "what the provider saw", body = ProviderView),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "invoice-not-payable", body = Document),
    ))]
pub(crate) async fn pay(
    context: web::Data<Context>,
    request: HttpRequest,
    invoice: web::Path<String>,
    Json(played): Json<PlayedPayment>,
) -> Result<HttpResponse, Problem> {
    let invoice = context.read(move |connection| Ok(invoices::named(connection, &invoice)?)).await?;
    let provider =
        context.providers.played().ok_or_else(|| Problem::internal("the sandbox has no payment provider"))?;
    let transaction = played.transaction.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let now = context.now();
    let report = PaymentReport {
        transaction: transaction.clone(),
        invoice: invoice.id,
        amount_tiyin: played.amount_tiyin.unwrap_or(invoice.amount_tiyin),
        at: now,
    };
    let body = serde_json::to_vec(&report).map_err(Problem::internal)?;
    let signature = provider.sign(&body, now);
    let provider = provider.name().to_owned();
    let url = format!("http://{}/payments/webhook/{provider}", own_address(&request));
    let (status, answer) = call(&url, &signature, body).await?;
    if !status.is_success() {
        return Err(Problem::relayed(&answer));
    }
    let view = ProviderView { provider, transaction, status: status.as_u16(), answer };
    Ok(HttpResponse::Ok().json(view))
}

/// The address this server listens on, as it is reached from this machine.
fn own_address(request: &HttpRequest) -> std::net::SocketAddr {
    let mut address = request.app_config().local_addr();
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

async fn call(url: &str, signature: &str, body: Vec<u8>) -> Result<(reqwest::StatusCode, Value), Problem> {
    let unreachable = |error: reqwest::Error| {
        tracing::warn!(%error, "the sandbox's payment provider cannot reach us");
        Problem::new(Kind::ServiceUnavailable).after(1)
    };
    // The call stays on this machine: no proxy, and no certificates to load.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(CALL).build();
    let call = client.map_err(Problem::internal)?.post(url);
    let call = call.header(SIGNATURE, signature).header("content-type", "application/json").body(body);
    let answered = call.send().await.map_err(unreachable)?;
    let status = answered.status();
    Ok((status, answered.json().await.map_err(unreachable)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::{App, HttpServer};
    use serde_json::json;
    use tokio::sync::watch;

    use super::*;
    use crate::applications::form::tests::natural_person;
    use crate::harness::{Ask, Harness};

    const PHONE: &str = "+998901234567";

    #[actix_web::test]
    async fn a_payment_is_played_over_http_and_its_refusal_is_passed_on() {
        let harness = Harness::start();
        let app = &harness.app().await;
        let context = harness.context.clone();
        let server = HttpServer::new(move || App::new().configure(|cfg| crate::configure(cfg, &context)))
            .workers(1)
            .bind(("127.0.0.1", 0))
            .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.disable_signals().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let pay = async |invoice: &str, body: Value| {
            let answer = client.post(format!("{base}/sandbox/payments/{invoice}")).json(&body).send().await;
            let answer = answer.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };

        let token = harness.applicant(PHONE);
        let form = Ask::post("/api/v1/applications", &natural_person());
        let view = form.with(&token).of(app).await.is(201);
        let path = format!("/api/v1/applications/{}/invoice", view["id"].as_str().unwrap());
        let invoice = Ask::get(&path).with(&token).of(app).await.is(200);
        let id = invoice["id"].as_str().unwrap();
        let (status, problem) = pay(id, json!({"amount_tiyin": 1})).await;
        assert_eq!((status, &problem["type"]), (409, &json!("urn:muhr:problem:invoice-not-payable")));
        assert_eq!(problem["errors"][0]["rule"], "wrong-amount", "{problem}");
        let (status, seen) = pay(id, json!({"transaction": "T-1"})).await;
        assert_eq!((status, &seen["provider"], &seen["status"]), (200, &json!("bank"), &json!(200)));
        assert_eq!((&seen["transaction"], &seen["answer"]["state"]), (&json!("T-1"), &json!("paid")));
        assert_eq!(pay(invoice["number"].as_str().unwrap(), json!({"transaction": "T-1"})).await.0, 200);
        assert_eq!(pay(id, json!({})).await.0, 409);
        assert_eq!(pay("nothing", json!({})).await.0, 404);
        assert_eq!(Ask::get(&path).with(&token).of(app).await.is(200)["state"], "paid");
        handle.stop(false).await;
    }

    #[actix_web::test]
    async fn messages_are_shown_as_sent_with_what_the_request_before_caused() {
        let harness = Harness::start();
        let app = &harness.app().await;
        let (stop, stopping) = watch::channel(false);
        let context = Arc::clone(&harness.context.clone().into_inner());
        let messenger = actix_web::rt::spawn(crate::messenger::run(context, stopping));
        let captcha = Ask::post("/api/v1/captchas", &json!({})).of(app).await.is(201);
        let id = captcha["id"].as_str().unwrap();
        let answer = Ask::get(&format!("/sandbox/captchas/{id}")).of(app).await.is(200);
        let form = json!({"phone": PHONE, "captcha_id": id, "captcha_text": answer["answer"]});
        let sent = Ask::post("/api/v1/phone-verifications", &form).header("accept-language", "ru");
        let verification = sent.of(app).await.is(202);
        for to in ["%2B998901234567", "+998901234567"] {
            let messages = Ask::get(&format!("/sandbox/messages?to={to}")).of(app).await.is(200);
            let message = &messages["items"][0];
            assert_eq!((&message["to"], &message["language"]), (&json!(PHONE), &json!("ru")), "{to}");
            assert_eq!((&message["channel"], &messages["next"]), (&json!("sms"), &Value::Null));
            assert!(message["text"].as_str().unwrap().contains(message["code"].as_str().unwrap()));
        }
        let messages = Ask::get("/sandbox/messages").of(app).await.is(200);
        let code = json!({"code": messages["items"][0]["code"]});
        let path =
            format!("/api/v1/phone-verifications/{}/confirmation", verification["id"].as_str().unwrap());
        assert!(Ask::post(&path, &code).of(app).await.is(200)["token"].is_string());
        let nobody = Ask::get("/sandbox/messages?to=%2B998900000000").of(app).await.is(200);
        assert_eq!(nobody["items"], json!([]));
        Ask::get("/sandbox/captchas/unknown").of(app).await.is_problem(404, "not-found");
        Ask::get("/sandbox/elsewhere").of(app).await.is_problem(404, "not-found");
        stop.send_replace(true);
        messenger.await.unwrap();
    }
}
