//! The pages for applicants, officers and the public.
//!
//! A client of the HTTP API and nothing else: what the pages can do, any program can do that calls it. Every page works
//! without scripts, but for what only a script can do, making a key and using a camera.

use std::sync::Arc;

use actix_multipart::MultipartError;
use actix_multipart::form::MultipartFormConfig;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use config::clock::SystemClock;
use config::{Language, Settings};

mod api;
mod applications;
mod apply;
mod assets;
mod authorities;
mod certificates;
mod form;
mod officer;
mod page;
mod places;
mod record;
mod service_centres;
mod signatures;
mod start;
mod visitor;

pub use api::Api;
use api::{Failure, Problem};
use page::{Page, see};
use visitor::{OFFICER, Visitor};

const PRACTICE_STATEMENT: &str = include_str!("../../docs/CPS.md");

/// Scripts, styles and pictures of our own and from nowhere else; no frame around us; forms come back to us (CSP level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the pages stand on.
#[derive(Debug, Clone)]
pub struct Portal {
    api: Api,
    clock: SystemClock,
    default_language: Language,
    secure: bool,
    max_document_bytes: usize,
    sandbox: bool,
    /// At a counter the page makes a key's first password.
    generated_key_passwords: bool,
}

impl Portal {
    /// The portal of these settings, over the API that this machine serves.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(settings: &Settings) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self {
            api: Api::at(settings.http.listen)?,
            clock: settings.clock(),
            default_language: settings.default_language,
            secure: settings.public_url.is_https(),
            max_document_bytes: settings.http.max_document_bytes,
            sandbox: settings.is_sandbox(),
            generated_key_passwords: settings.officers.generated_key_passwords,
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn page(&self, visitor: &Visitor) -> Page {
        Page::of(visitor, self.now())
    }
}

/// Mounts every page. To be called last: what no page is at is answered with a page that says so.
pub fn configure(cfg: &mut web::ServiceConfig, portal: &Arc<Portal>) {
    let scope = web::scope("")
        .app_data(web::Data::from(Arc::clone(portal)))
        .app_data(web::PayloadConfig::new(form::LIMIT))
        .app_data(files(portal.max_document_bytes))
        .configure(assets::configure)
        .configure(start::configure)
        .configure(apply::configure)
        .configure(applications::configure)
        .configure(certificates::configure)
        .configure(signatures::configure)
        .configure(service_centres::configure)
        .configure(authorities::configure)
        .configure(officer::configure)
        .route("/cps", web::get().to(practice_statement))
        .default_service(web::to(nothing_here))
        .wrap(from_fn(frame))
        .wrap(Compress::default());
    cfg.service(scope);
}

/// A file and a few small fields, all of it in memory; what is larger the API would refuse as well.
fn files(max_document_bytes: usize) -> MultipartFormConfig {
    MultipartFormConfig::default()
        .total_limit(max_document_bytes + form::LIMIT)
        .memory_limit(max_document_bytes + form::LIMIT)
        .error_handler(|error, _| match error {
            MultipartError::Payload(_) | MultipartError::Field { .. } => form::too_large().into(),
            _ => Failure::ForeignForm.into(),
        })
}

async fn practice_statement() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .body(PRACTICE_STATEMENT)
}

async fn nothing_here() -> Result<HttpResponse, Failure> {
    let problem = Problem { kind: "not-found".to_owned(), status: 404, ..Problem::default() };
    Err(Failure::Problem(Box::new(problem)))
}

/// The frame of every answer: the choice of a language, what to show when something failed, the headers that let in
/// nothing else.
async fn frame(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let visitor = request.extract::<Visitor>().await?;
    let mut response = match chosen_language(&request, &visitor) {
        Some(redirect) => request.into_response(redirect).map_into_boxed_body(),
        None => {
            let answered = next.call(request).await?;
            failed(answered.map_into_boxed_body(), &visitor)
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(self), microphone=(), geolocation=(), payment=(), usb=()"),
    );
    Ok(response)
}

/// `?lang=ru` chooses a language and leads back to the page without it.
fn chosen_language(request: &ServiceRequest, visitor: &Visitor) -> Option<HttpResponse> {
    let query = request.query_string();
    let mut asked: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let language = asked.iter().find(|(name, _)| name == "lang").and_then(|(_, tag)| tag.parse().ok())?;
    asked.retain(|(name, _)| name != "lang");
    let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
    let place =
        if rest.is_empty() { request.path().to_owned() } else { format!("{}?{rest}", request.path()) };
    let mut response = see(&place);
    visitor.speak(&mut response, language);
    Some(response)
}

/// A failure as a page in the visitor's language; whoever has to sign in first is led there and back.
fn failed(response: ServiceResponse, visitor: &Visitor) -> ServiceResponse {
    let Some(failure) = response.response().error().and_then(|error| error.as_error::<Failure>()) else {
        return response;
    };
    let answer = answer_to(failure, response.request(), visitor);
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, answer)
}

fn answer_to(failure: &Failure, request: &actix_web::HttpRequest, visitor: &Visitor) -> HttpResponse {
    match failure {
        Failure::Unreachable(_) | Failure::Template(_) => tracing::error!(error = %failure, "a page failed"),
        _ => {}
    }
    if matches!(failure, Failure::AccountFirst) {
        return see(officer::ACCOUNT);
    }
    if failure.is_unauthenticated() {
        if visitor.token().is_some() && request.method().is_safe() && is_public(request.path()) {
            let mut answer = see(&visitor.place);
            visitor.sign_out(&mut answer);
            return answer;
        }
        let office = visitor.place.starts_with(OFFICER);
        let sign_in = if office { "/officer/sign-in" } else { "/sign-in" };
        // A form is gone back to: what was typed into it is still in the tab.
        let form =
            || page_before(request).filter(|page| office && officer::has_form(page)).unwrap_or_default();
        let next = if request.method().is_safe() { visitor.place.clone() } else { form() };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
        let mut answer = see(&format!("{sign_in}?{query}"));
        visitor.sign_out(&mut answer);
        return answer;
    }
    let now =
        request.app_data::<web::Data<Portal>>().map_or(Timestamp::from_unix_millis(0), |portal| portal.now());
    let page = Page::of(visitor, now);
    let template = FailurePage::of(page, failure);
    page::show_as(failure.status(), visitor, &template)
        .unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

/// The page of this site that the request came from, by its `Referer`.
fn page_before(request: &actix_web::HttpRequest) -> Option<String> {
    let referer = request.headers().get(header::REFERER)?.to_str().ok()?;
    let (_, rest) = referer.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    (host == request.connection_info().host()).then(|| format!("/{path}"))
}

/// Pages that are there without a sign-in: one that has ended is only forgotten.
fn is_public(path: &str) -> bool {
    !["/applications", "/apply/identity", OFFICER].iter().any(|private| path.starts_with(private))
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    p: Page,
    title: String,
    detail: String,
}

impl FailurePage {
    fn of(p: Page, failure: &Failure) -> Self {
        let key = match failure {
            Failure::Problem(problem) => problem.kind.as_str(),
            Failure::Unreachable(_) => "service-unavailable",
            Failure::ForeignForm => "",
            Failure::AccountFirst => "forbidden",
            Failure::Template(_) => "internal-error",
        };
        if key.is_empty() {
            return Self { title: p.t("foreign-form-title"), detail: p.t("foreign-form-detail"), p };
        }
        let said = failure.problem().filter(|problem| !problem.title.is_empty());
        match said {
            Some(problem) => Self { title: problem.title.clone(), detail: problem.detail.clone(), p },
            None => Self {
                title: p.name("problem", &format!("{key}-title")),
                detail: p.name("problem", &format!("{key}-detail")),
                p,
            },
        }
    }
}
