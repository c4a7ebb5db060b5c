//! What a partner does: apply for somebody it has identified, and see what became of it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{Actor, ApplicationId, Fact};
use ca_core::calendar::{tashkent_date, tashkent_midnight};
use serde::Serialize;
use std::time::Duration;
use store::applications::{self, Filter, StoredApplication};
use store::invoices::{self, Invoice};
use store::{Connection, StoreError, audit, turns};

use super::{Partner, SignedBy};
use crate::applications::invoice::{self, InvoiceView};
use crate::applications::{ApplicationForm, PageQuery, Reader, Registration, named};
use crate::auth::{Acting, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::{self, List};
use crate::problem::{Document, Kind, Problem, only};

/// An application as the partner sees that made it: nothing of the person, whom the partner knows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PartnerApplication)]
pub(crate) struct PartnerView {
    /// Its name.
    id: String,
    /// `draft`, `under_review`, `approved`, `issued`, `rejected`, `withdrawn` or `expired`.
    state: &'static str,
    /// Whose move it is: `applicant`, `registration_officer`, `ca` or `nobody`.
    next_actor: &'static str,
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    subject_type: &'static str,
    /// The partner's.
    channel: &'static str,
    /// The benefit that was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    benefit: Option<String>,
    /// The facts still needed before the applicant can submit it.
    missing: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The newest invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<InvoiceView>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/partner/applications")
            .route(web::get().to(list))
            .route(web::post().to(create))
            .default_service(only("GET, POST")),
    )
    .service(
        web::resource("/v1/partner/applications/{id}").route(web::get().to(get)).default_service(only("GET")),
    )
    .service(
        web::resource("/v1/partner/applications/{id}/invoice")
            .route(web::get().to(get_invoice))
            .default_service(only("GET")),
    );
}

/// Apply for somebody the partner has identified
///
/// The body is an applicant's, with the applicant's `phone` and, if the partner has checked it, a `benefit`. The application
/// belongs to that phone: the applicant confirms it by SMS and goes on. Messages to them are in the language of
/// `Accept-Language`.
#[utoipa::path(post, path = "/api/v1/partner/applications", tag = "partners", operation_id = "partner_apply",
    security(("partner" = [])), request_body = ApplicationForm,
    responses(
        (status = 201, description = "a draft", body = PartnerView),
        (status = 401, description = "unauthenticated; the rule says why", body = Document),
        (status = 403, description = "channel-not-authenticated: another channel is named", body = Document),
        (status = 409, description = "too-many-open-applications of the phone", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
        (status = 429, description = "too-many-requests: the rule is daily-quota or per-minute", body = Document),
    ))]
pub(crate) async fn create(
    context: web::Data<Context>,
    request: HttpRequest,
    Then(SignedBy(partner), Json(form)): Then<SignedBy, Json<ApplicationForm>>,
) -> Result<HttpResponse, Problem> {
    let reader = Reader::of(&context, &request);
    let mut stated = form.check(&context.regions, reader.now).map_err(Problem::fields)?;
    if stated.channel.is_some_and(|channel| channel != partner.channel) {
        return Err(Problem::new(Kind::ChannelNotAuthenticated));
    }
    let phone = stated.phone.take().ok_or_else(|| Problem::field("/phone", "required"))?;
    let mut new = stated.application(phone.as_e164().to_owned(), partner.channel, &reader);
    new.registered_partner = Some(partner.name.clone());
    let registration =
        Registration::prepare(&context, new, Actor::Partner(partner.name.clone()), &reader).await?;
    let made = context
        .decide(move |connection| {
            // Decided in the transaction that uses it up, one at a time: the quota cannot be overdrawn.
            if !partner.may_apply(connection, reader.now)? {
                return Ok(None);
            }
            registration.make(connection)?;
            let stored = applications::find(connection, registration.id())?;
            Ok(Some((stored, invoices::newest(connection, registration.id())?)))
        })
        .await?;
    let Some((stored, invoice)) = made else { return Err(quota_used(reader.now)) };
    let view = PartnerView::of(&stored, invoice, &context, &reader)?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/v1/partner/applications/{}", view.id)))
        .json(view))
}

/// The partner's applications, oldest first
#[utoipa::path(get, path = "/api/v1/partner/applications", tag = "partners", operation_id = "partner_applications",
    security(("partner" = [])), params(PageQuery),
    responses(
        (status = 200, description = "a page", body = List<PartnerView>),
        (status = 401, description = "unauthenticated", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    request: HttpRequest,
    SignedBy(partner): SignedBy,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let limit = list::limit(query.limit.as_deref())?;
    let after: Option<ApplicationId> = list::after(query.after.as_deref())?;
    let reader = Reader::of(&context, &request);
    let filter = Filter { registered_partner: Some(partner.name.clone()), ..Filter::default() };
    let (page, mut invoices) = context
        .read(move |connection| {
            let page = applications::page(connection, &filter, after, limit)?;
            let ids: Vec<ApplicationId> = page.items.iter().map(|stored| stored.application.id).collect();
            let invoices = invoices::newest_of(connection, &ids)?;
            Ok((page, invoices))
        })
        .await?;
    let views: Result<Vec<PartnerView>, Problem> = page
        .items
        .iter()
        .map(|stored| {
            let id = stored.application.id.to_string();
            let own = invoices.iter().position(|invoice| invoice.application_id == id);
            PartnerView::of(stored, own.map(|own| invoices.swap_remove(own)), &context, &reader)
        })
        .collect();
    Ok(HttpResponse::Ok().json(List { items: views?, next: page.next }))
}

/// One of the partner's applications
#[utoipa::path(get, path = "/api/v1/partner/applications/{id}", tag = "partners",
    operation_id = "partner_application", security(("partner" = [])),
    params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the application", body = PartnerView),
        (status = 401, description = "unauthenticated", body = Document),
        (status = 404, description = "not-found: there is none, or it is somebody else's", body = Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    request: HttpRequest,
    SignedBy(partner): SignedBy,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let reader = Reader::of(&context, &request);
    let (stored, invoice) = context
        .read(move |connection| {
            let stored = Acting::Partner(partner).find(connection, id)?;
            Ok((stored, invoices::newest(connection, id)?))
        })
        .await?;
    Ok(HttpResponse::Ok().json(PartnerView::of(&stored, invoice, &context, &reader)?))
}

/// The newest invoice of one of the partner's applications
///
/// If it has expired while the application is still a draft, a new one is written at today's price.
#[utoipa::path(get, path = "/api/v1/partner/applications/{id}/invoice", tag = "partners",
    operation_id = "partner_invoice", security(("partner" = [])),
    params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the invoice", body = InvoiceView),
        (status = 401, description = "unauthenticated", body = Document),
        (status = 404, description = "not-found", body = Document),
    ))]
pub(crate) async fn get_invoice(
    context: web::Data<Context>,
    request: HttpRequest,
    SignedBy(partner): SignedBy,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reader = Reader::of(&context, &request);
    let (stored, invoice) =
        invoice::current(&context, Acting::Partner(partner), named(&id)?, &reader).await?;
    Ok(HttpResponse::Ok().json(InvoiceView::at(&stored, invoice, &context, &reader)?))
}

impl Partner {
    /// Is there something left of today's quota? If not, the audit log tells of it.
    fn may_apply(&self, connection: &mut Connection, now: Timestamp) -> Result<bool, StoreError> {
        if self.daily_quota == 0 {
            return Ok(true);
        }
        turns::take(connection, &format!("partners/{}", self.name))?;
        let today = tashkent_midnight(tashkent_date(now));
        if applications::of_partner_since(connection, &self.name, today)? < i64::from(self.daily_quota) {
            return Ok(true);
        }
        let actor = Actor::Partner(self.name.clone()).to_string();
        let entry = audit::Entry {
            at: now,
            object: actor.clone(),
            actor,
            action: "partner.quota-used".to_owned(),
            details: serde_json::json!({ "daily_quota": self.daily_quota }),
        };
        audit::record(connection, &[entry])?;
        Ok(false)
    }
}

fn quota_used(now: Timestamp) -> Problem {
    let tomorrow = tashkent_midnight(tashkent_date(now)).plus(Duration::from_secs(24 * 3600));
    let wait = tomorrow.since(now).as_secs() + 1;
    let text = "limit-daily-quota".to_owned();
    Problem::new(Kind::TooManyRequests).because("", text, "today's quota is used up").after(wait)
}

impl PartnerView {
    fn of(
        stored: &StoredApplication,
        invoice: Option<Invoice>,
        context: &Context,
        reader: &Reader,
    ) -> Result<Self, Problem> {
        let application = &stored.application;
        let invoice = invoice.map(|invoice| InvoiceView::at(stored, invoice, context, reader)).transpose()?;
        Ok(Self {
            id: application.id.to_string(),
            state: application.state.as_str(),
            next_actor: application.state.next_actor().as_str(),
            subject_type: application.subject_type().as_str(),
            channel: application.channel.as_str(),
            benefit: stored.benefit.clone(),
            missing: application.missing().into_iter().map(Fact::as_str).collect(),
            created_at: application.created_at,
            updated_at: application.updated_at,
            invoice,
        })
    }
}
