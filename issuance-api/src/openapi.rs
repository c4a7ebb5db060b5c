//! The description of the API at `/api/openapi.json`, and a page to read it at `/api/docs/`.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::only;
use crate::{
    applications, authorities, captchas, certificates, fees, officer, partners, payments,
    phone_verifications, regions, service_centres, signature_verifications, sms, unsubscribe,
};

/// What applicants and the public use.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muhr",
        description = "Certificates for Uzbekistan's electronic signature: application, review, status.",
        license(name = "Apache-2.0 OR MIT"),
    ),
    modifiers(&Tokens),
    paths(
        regions::list,
        service_centres::list,
        authorities::list,
        fees::now,
        captchas::create,
        phone_verifications::create,
        phone_verifications::confirm,
        applications::create,
        applications::list,
        applications::get,
        applications::withdraw,
        applications::csr::put,
        applications::documents::put,
        applications::invoice::get,
        applications::invoice::pdf,
        applications::submission::statement,
        applications::submission::submit,
        applications::certificate::download,
        signature_verifications::verify,
        applications::renewal::renew,
        applications::renewal::sign,
        applications::key_password::send,
        applications::receipt::text,
        applications::receipt::hand_in,
        certificates::list,
        certificates::get,
        certificates::revocation_statement,
        certificates::revoke,
        certificates::suspension_statement,
        certificates::suspend,
        certificates::restoration_statement,
        certificates::restore,
        partners::applications::create,
        partners::applications::list,
        partners::applications::get,
        partners::applications::get_invoice,
        payments::bills::request,
        payments::bills::list,
        payments::webhook::report,
        sms::callback::eskiz,
        unsubscribe::ask,
        unsubscribe::opt_out,
    ),
    components(schemas(crate::problem::Document)),
)]
struct Applicants;

/// How requests are authenticated.
struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        for (name, of) in [("applicant", "a confirmed phone"), ("officer", "a signed-in officer")] {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(format!("the token of {of}")))
                .build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
        let signed = "HTTP message signature (RFC 9421) by a key of the partner, with Signature-Input and Content-Digest";
        let signature = ApiKeyValue::with_description("Signature", signed);
        components.add_security_scheme("partner", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    }
}

/// The whole description.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Applicants::openapi();
    document.merge(officer::openapi());
    document
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    let document = document();
    cfg.service(
        web::resource("/openapi.json")
            .route(web::get().to(move || {
                let document = document.clone();
                async move {
                    HttpResponse::Ok()
                        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
                        .json(document)
                }
            }))
            .default_service(only("GET")),
    )
    .service(web::redirect("/docs", "/api/docs/"))
    .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/api/openapi.json")));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_api_is_described_like_this() {
        insta::assert_json_snapshot!("openapi", super::document());
    }
}
