//! The invoice of an application: what it costs, with the rule it froze, and where to pay.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::{ApplicationId, State};
use ca_core::calendar::parse_full_date;
use ca_core::fee::{FeeError, Quote};
use serde::Serialize;
use store::applications::StoredApplication;
use store::{Connection, invoices};

use super::{Reader, claim, named};
use crate::auth::Acting;
use crate::context::Context;
use crate::fees::{Percent, rule_text};
use crate::invoice_pdf;
use crate::problem::{Kind, Problem, only};

/// An invoice.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Invoice)]
pub(crate) struct InvoiceView {
    /// Its name.
    id: String,
    /// Its number, as printed.
    number: String,
    /// `open`, `paid`, `expired`, `cancelled` or `refunded`.
    state: &'static str,
    /// To pay, in tiyin (1/100 so'm).
    amount_tiyin: i64,
    /// The base calculation amount (BHM) it froze, in tiyin.
    bhm_tiyin: i64,
    /// The day since which that BHM applies.
    #[schema(format = Date)]
    bhm_since: String,
    /// The share of the BHM, in percent.
    #[schema(value_type = f64)]
    rate_percent: Percent,
    /// The reduction of that share, the channel's or the benefit's, in percent of it.
    #[schema(value_type = f64)]
    discount_percent: Percent,
    /// The benefit that made the reduction.
    #[serde(skip_serializing_if = "Option::is_none")]
    benefit: Option<String>,
    /// The entries of the fee table that were used.
    rule: String,
    /// The same in words, in the reader's language.
    rule_text: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when it can be paid.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Timestamp>,
    /// Where to pay while it is open.
    pay_links: Vec<PayLink>,
}

/// Where to pay.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PayLink {
    /// The payment provider's name.
    provider: String,
    url: String,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/applications/{id}/invoice").route(web::get().to(get)).default_service(only("GET")),
    )
    .service(
        web::resource("/v1/applications/{id}/invoice.pdf")
            .route(web::get().to(pdf))
            .default_service(only("GET")),
    );
}

/// The newest invoice
///
/// If it has expired while the application is still a draft, a new one is written at today's price.
#[utoipa::path(get, path = "/api/v1/applications/{id}/invoice", tag = "applications", operation_id = "invoice",
    security(("applicant" = []), ("officer" = [])), params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "the invoice", body = InvoiceView),
        (status = 404, description = "not-found", body = crate::problem::Document),
    ))]
pub(crate) async fn get(
    context: web::Data<Context>,
    request: HttpRequest,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reader = Reader::of(&context, &request);
    let (stored, invoice) = current(&context, acting, named(&id)?, &reader).await?;
    Ok(HttpResponse::Ok().json(InvoiceView::at(&stored, invoice, &context, &reader)?))
}

/// The newest invoice to print
#[utoipa::path(get, path = "/api/v1/applications/{id}/invoice.pdf", tag = "applications",
    operation_id = "invoice_pdf", security(("applicant" = []), ("officer" = [])),
    params(("id" = String, Path, description = "the application")),
    responses(
        (status = 200, description = "one A4 page in the language of Accept-Language", content_type = "application/pdf", body = Vec<u8>),
        (status = 404, description = "not-found", body = crate::problem::Document),
    ))]
pub(crate) async fn pdf(
    context: web::Data<Context>,
    request: HttpRequest,
    acting: Acting,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reader = Reader::of(&context, &request);
    let (stored, invoice) = current(&context, acting, named(&id)?, &reader).await?;
    let number = invoice.number.clone();
    let shared = context.clone();
    let page = web::block(move || print(&shared, &stored, &invoice, &reader)).await??;
    let disposition = format!("inline; filename=\"{number}.pdf\"");
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/pdf"))
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(page))
}

/// The newest invoice; for a draft whose invoice has expired, a new one.
///
/// # Errors
/// 404.
pub(crate) async fn current(
    context: &Context,
    acting: Acting,
    id: ApplicationId,
    reader: &Reader,
) -> Result<(StoredApplication, invoices::Invoice), Problem> {
    let asking = acting.clone();
    let (stored, newest) = context
        .read(move |connection| {
            let stored = asking.find(connection, id)?;
            Ok((stored, invoices::newest(connection, id)?))
        })
        .await?;
    match newest {
        Some(invoice) if !needs_another(&stored, &invoice, reader.now) => Ok((stored, invoice)),
        None if stored.application.state != State::Draft => Err(Problem::new(Kind::NotFound)),
        _ => {
            let (shared, now) = (context.clone(), reader.now);
            context.decide(move |connection| renewed(connection, &shared, &acting, id, now)).await
        }
    }
}

fn renewed(
    connection: &mut Connection,
    context: &Context,
    acting: &Acting,
    id: ApplicationId,
    now: Timestamp,
) -> Result<(StoredApplication, invoices::Invoice), Problem> {
    let stored = acting.find(connection, id)?;
    if let Some(invoice) = invoices::newest(connection, id)? {
        if !needs_another(&stored, &invoice, now) {
            return Ok((stored, invoice));
        }
        // What was returned leaves room for another; what is open is so until somebody says that its time has passed.
        if invoice.state == "open" && !invoices::lapse(connection, &invoice.id, now)? {
            return Ok((stored, invoices::find(connection, &invoice.id)?));
        }
    }
    let application = &stored.application;
    let fees = context.prices(connection)?;
    let price = |claim| fees.quote(application.subject_type(), application.channel, claim, now);
    let quote = match price(claim(stored.benefit.as_deref(), stored.district)) {
        // The benefit has ended meanwhile.
        Err(FeeError::Claim(_)) => price(None),
        quote => quote,
    };
    let quote = quote.map_err(Problem::internal)?;
    let expires_at = now.plus(context.settings.invoices.validity);
    let invoice = invoices::write(connection, id, &quote, expires_at, now)?;
    Ok((stored, invoice))
}

fn needs_another(stored: &StoredApplication, invoice: &invoices::Invoice, now: Timestamp) -> bool {
    stored.application.state == State::Draft
        && matches!(state_now(invoice, now), "expired" | "cancelled" | "refunded")
}

/// An open invoice whose time has passed is expired, also before anybody writes that down.
pub(super) fn state_now(invoice: &invoices::Invoice, now: Timestamp) -> &'static str {
    match invoice.state.as_str() {
        "open" if invoice.expires_at <= now.unix_millis() => "expired",
        "open" => "open",
        "paid" => "paid",
        "expired" => "expired",
        "refunded" => "refunded",
        _ => "cancelled",
    }
}

fn print(
    context: &Context,
    stored: &StoredApplication,
    invoice: &invoices::Invoice,
    reader: &Reader,
) -> Result<Vec<u8>, Problem> {
    let application = &stored.application;
    let quote = frozen(stored, invoice)?;
    let payer = match application.subject.organization() {
        Some(organization) => organization.as_str().to_owned(),
        None => application.subject.common_name(),
    };
    let links = pay_links(context, invoice);
    // Without a provider the applicant still finds the invoice where they applied.
    let applied =
        || context.settings.public_url.join(&format!("applications/{}", application.id)).to_string();
    let page = invoice_pdf::render(&invoice_pdf::Invoice {
        language: reader.language,
        number: &invoice.number,
        issued_at: Timestamp::from_unix_millis(invoice.created_at),
        expires_at: Timestamp::from_unix_millis(invoice.expires_at),
        recipient: &context.settings.invoices.recipient,
        payer: &payer,
        quote: &quote,
        rule_text: &rule_text(reader.language, &quote, &context.fees),
        pay_link: &links.into_iter().next().map_or_else(applied, |link| link.url),
    });
    page.map_err(Problem::internal)
}

/// The quote that the invoice froze.
fn frozen(stored: &StoredApplication, invoice: &invoices::Invoice) -> Result<Quote, Problem> {
    Ok(Quote {
        subject_type: stored.application.subject_type(),
        channel: stored.application.channel,
        bhm_tiyin: invoice.bhm_tiyin,
        bhm_since: parse_full_date(&invoice.bhm_since).map_err(Problem::internal)?,
        rate_basis_points: invoice.rate_basis_points,
        discount_basis_points: invoice.discount_basis_points,
        benefit: invoice.benefit.clone(),
        amount_tiyin: invoice.amount_tiyin,
        rule: invoice.rule.clone(),
    })
}

/// In the order of the providers' names.
fn pay_links(context: &Context, invoice: &invoices::Invoice) -> Vec<PayLink> {
    let links = context.providers.pay_links(&invoice.number, invoice.amount_tiyin);
    links.into_iter().map(|(provider, url)| PayLink { provider, url }).collect()
}

impl InvoiceView {
    /// As the reader sees it at this moment.
    ///
    /// # Errors
    /// A row that is not what it should be.
    pub(crate) fn at(
        stored: &StoredApplication,
        invoice: invoices::Invoice,
        context: &Context,
        reader: &Reader,
    ) -> Result<Self, Problem> {
        let rule_text = rule_text(reader.language, &frozen(stored, &invoice)?, &context.fees);
        let state = state_now(&invoice, reader.now);
        let pay_links = if state == "open" { pay_links(context, &invoice) } else { Vec::new() };
        Ok(Self {
            id: invoice.id,
            number: invoice.number,
            state,
            amount_tiyin: invoice.amount_tiyin,
            bhm_tiyin: invoice.bhm_tiyin,
            bhm_since: invoice.bhm_since,
            rate_percent: Percent(invoice.rate_basis_points),
            discount_percent: Percent(invoice.discount_basis_points),
            benefit: invoice.benefit,
            rule: invoice.rule,
            rule_text,
            created_at: Timestamp::from_unix_millis(invoice.created_at),
            expires_at: Timestamp::from_unix_millis(invoice.expires_at),
            paid_at: invoice.paid_at.map(Timestamp::from_unix_millis),
            pay_links,
        })
    }
}
