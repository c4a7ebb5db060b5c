//! The registration authority over HTTP: applicants, officers, partners, payment providers.
//!
//! A handler is four short sentences: load, decide, apply, answer. `ca-core` decides, `store` makes it durable.

use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};

mod applications;
pub mod auth;
mod authorities;
pub mod captcha_picture;
mod captchas;
mod certificates;
pub mod context;
pub mod custody;
pub mod evidence;
mod fees;
#[cfg(test)]
mod harness;
pub mod housekeeping;
mod idempotency;
pub mod invoice_pdf;
mod json;
pub mod limits;
mod list;
pub mod mail;
pub mod messenger;
pub mod metrics;
mod negotiation;
mod officer;
pub mod openapi;
pub mod operations;
pub mod partners;
pub mod passwords;
pub mod payments;
mod phone_verifications;
pub mod problem;
mod regions;
pub mod request;
mod sandbox;
pub mod sealed;
mod service_centres;
pub mod service_key;
mod signature_verifications;
pub mod sms;
mod unsubscribe;
pub mod vault;

use context::Context;
use problem::{Kind, Problem};

/// Registers everything under `/api`, `/payments`, `/callbacks`, `/unsubscribe` and, in the sandbox only, `/sandbox`.
pub fn configure(cfg: &mut web::ServiceConfig, context: &web::Data<Context>) {
    cfg.app_data(context.clone())
        .app_data(web::QueryConfig::default().error_handler(|_, _| malformed()))
        .app_data(web::PathConfig::default().error_handler(|_, _| Problem::new(Kind::NotFound).into()));
    let api = web::scope("/api")
        .configure(openapi::configure)
        .configure(applicants)
        .configure(officer::configure)
        .configure(partners::applications::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(idempotency::remember))
        .wrap(from_fn(partners::authenticate))
        .wrap(from_fn(limits::count_requests))
        .wrap(from_fn(request::frame));
    let payments = web::scope("/payments")
        .configure(payments::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(request::frame));
    cfg.service(api).service(payments);
    let callbacks = web::scope("/callbacks")
        .configure(sms::callback::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(request::frame));
    let unsubscribe = web::scope("/unsubscribe")
        .configure(unsubscribe::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(request::frame));
    cfg.service(callbacks).service(unsubscribe);
    if context.settings.is_sandbox() {
        let sandbox = web::scope("/sandbox")
            .configure(sandbox::configure)
            .default_service(web::to(not_found))
            .wrap(from_fn(request::frame));
        cfg.service(sandbox);
    }
}

/// What applicants and the public use.
fn applicants(cfg: &mut web::ServiceConfig) {
    cfg.configure(regions::configure)
        .configure(service_centres::configure)
        .configure(authorities::configure)
        .configure(fees::configure)
        .configure(captchas::configure)
        .configure(phone_verifications::configure)
        .configure(payments::bills::configure)
        .configure(applications::configure)
        .configure(certificates::configure)
        .configure(signature_verifications::configure);
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound))
}

fn malformed() -> actix_web::Error {
    Problem::new(Kind::MalformedRequest).into()
}
