//! "My applications": each with its timeline and whose move it is, and the steps that a draft still needs.

use actix_multipart::form::MultipartForm;
use actix_multipart::form::bytes::Bytes;
use actix_multipart::form::text::Text;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::json;

use crate::Portal;
use crate::api::{Failure, List};
use crate::form::{Objections, Posted};
use crate::page::{Page, see, show};
use crate::places::{named, regions};
use crate::record::{Application, Invoice, application, call_of, segment};
use crate::visitor::Visitor;

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    let step = |name: &str| format!("/applications/{{id}}/{name}");
    cfg.route("/applications", web::get().to(list))
        .route("/applications/{id}", web::get().to(timeline))
        .route(&step("key"), web::get().to(key))
        .route(&step("key"), web::post().to(made_key))
        .route(&step("payment"), web::get().to(payment))
        .route(&step("payment/state"), web::get().to(payment_state))
        .route(&step("payment/bill"), web::post().to(bill))
        .route(&step("payment/play"), web::post().to(play))
        .route(&step("invoice.pdf"), web::get().to(invoice_pdf))
        .route(&step("documents"), web::get().to(documents))
        .route(&step("documents/{kind}"), web::post().to(uploaded))
        .route(&step("review"), web::get().to(review))
        .route(&step("review"), web::post().to(submitted))
        .route(&step("statement"), web::get().to(statement))
        .route(&step("renewal"), web::post().to(signed_renewal))
        .route(&step("withdrawal"), web::post().to(withdrawn))
        .route(&step("receipt"), web::get().to(receipt))
        .route(&step("receipt"), web::post().to(received))
        .route(&step("certificate.{form}"), web::get().to(certificate));
}

#[derive(Template)]
#[template(path = "applications.html")]
struct ListPage {
    p: Page,
    applications: Vec<Application>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "application.html")]
struct TimelinePage {
    p: Page,
    a: Application,
    place: String,
    /// The name of the key in its file.
    alias: String,
}

#[derive(Template)]
#[template(path = "application_key.html")]
struct KeyPage {
    p: Page,
    a: Application,
    objections: Objections,
}

#[derive(Template)]
#[template(path = "application_payment.html")]
struct PaymentPage {
    p: Page,
    a: Application,
    invoice: Invoice,
    bills: bool,
    billed: bool,
    sandbox: bool,
}

#[derive(Template)]
#[template(path = "payment_state.html")]
struct PaymentState {
    p: Page,
    id: String,
    invoice: Invoice,
}

#[derive(Template)]
#[template(path = "application_documents.html")]
struct DocumentsPage {
    p: Page,
    a: Application,
    refused: String,
    objections: Objections,
}

#[derive(Template)]
#[template(path = "application_review.html")]
struct ReviewPage {
    p: Page,
    a: Application,
    place: String,
    objections: Objections,
}

async fn list(
    portal: web::Data<Portal>,
    visitor: Visitor,
    query: web::Query<std::collections::HashMap<String, String>>,
) -> Result<HttpResponse, Failure> {
    let after = query.get("after").map(|after| format!("?after={}", segment(after))).unwrap_or_default();
    let List { items, next } =
        portal.api.get(&visitor, &format!("/api/v1/applications{after}")).read().await?;
    let mut applications: Vec<Application> = items;
    applications.reverse();
    show(&visitor, &ListPage { p: portal.page(&visitor), applications, next })
}

async fn timeline(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let a = application(&portal.api, &visitor, &id).await?;
    let place = named(&regions(&portal.api, &visitor).await?, a.district, visitor.language);
    let p = portal.page(&visitor);
    let p = if a.certificate.is_some() { p.with_keys() } else { p };
    let alias = alias(&portal, &visitor, &a).await?;
    show(&visitor, &TimelinePage { p: p.received("identity"), a, place, alias })
}

/// What the key of an issued certificate is called in its file; empty before.
pub(crate) async fn alias(portal: &Portal, visitor: &Visitor, a: &Application) -> Result<String, Failure> {
    if a.certificate.is_none() {
        return Ok(String::new());
    }
    let path = call_of(&a.id, "certificate");
    let (_, der) = portal.api.get(visitor, &path).accept("application/pkix-cert").octets().await?;
    ca_core::key_file::alias(&der).map_err(|error| Failure::Unreachable(error.to_string()))
}

/// A step of a draft; what is no draft any more has only its timeline.
async fn draft(
    portal: &Portal,
    visitor: &Visitor,
    id: &str,
) -> Result<Result<Application, HttpResponse>, Failure> {
    let a = application(&portal.api, visitor, id).await?;
    Ok(if a.state == "draft" { Ok(a) } else { Err(see(&format!("/applications/{}", a.id))) })
}

async fn key(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    match draft(&portal, &visitor, &id).await? {
        Ok(a) => {
            let p = portal.page(&visitor).with_keys().received("identity who");
            show(&visitor, &KeyPage { p, a, objections: Objections::default() })
        }
        Err(response) => Ok(response),
    }
}

async fn made_key(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "csr");
    let csr = fields.get("csr").as_bytes().to_vec();
    let put = portal.api.put(&visitor, &path).body("application/x-pem-file", csr).read::<Application>().await;
    match put {
        Ok(a) => Ok(see(&format!("/applications/{}/{}", a.id, a.next_step()))),
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            let a = application(&portal.api, &visitor, &id).await?;
            show(&visitor, &KeyPage { p: portal.page(&visitor).with_keys(), a, objections })
        }
    }
}

pub(crate) async fn invoice(portal: &Portal, visitor: &Visitor, id: &str) -> Result<Invoice, Failure> {
    portal.api.get(visitor, &call_of(id, "invoice")).read().await
}

async fn payment(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
    query: web::Query<std::collections::HashMap<String, String>>,
) -> Result<HttpResponse, Failure> {
    let a = match draft(&portal, &visitor, &id).await? {
        Ok(a) => a,
        Err(response) => return Ok(response),
    };
    let mut invoice = invoice(&portal, &visitor, &id).await?;
    // The sandbox's provider has no page; it is played with a button.
    invoice.pay_links.retain(|link| link.provider != "sandbox");
    let bills = invoice.pay_links.iter().any(|link| link.provider == "click");
    let page = PaymentPage {
        p: portal.page(&visitor),
        a,
        invoice,
        bills,
        billed: query.contains_key("billed"),
        sandbox: portal.sandbox,
    };
    show(&visitor, &page)
}

/// The part of the page that is asked for again and again until the invoice is paid.
async fn payment_state(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let invoice = invoice(&portal, &visitor, &id).await?;
    let state = PaymentState { p: portal.page(&visitor), id: id.into_inner(), invoice };
    show(&visitor, &state)
}

async fn bill(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "invoice/bills");
    let bill = portal.api.post(&visitor, &path).idempotent(fields.get("csrf"));
    bill.json(&json!({"provider": fields.get("provider")})).done().await?;
    Ok(see(&format!("/applications/{}/payment?billed=1", segment(&id))))
}

/// The sandbox plays its payment provider; anywhere else the API knows no such call.
async fn play(
    portal: web::Data<Portal>,
    Posted { visitor, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let invoice = invoice(&portal, &visitor, &id).await?;
    portal.api.post(&visitor, &format!("/sandbox/payments/{}", segment(&invoice.id))).done().await?;
    Ok(see(&format!("/applications/{}/payment", segment(&id))))
}

pub(crate) async fn invoice_pdf(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "invoice.pdf");
    passed_on(portal.api.get(&visitor, &path).octets().await?, "inline; filename=\"invoice.pdf\"")
}

/// What the API sent, as it sent it.
pub(crate) fn passed_on(
    (media_type, octets): (String, Vec<u8>),
    disposition: &str,
) -> Result<HttpResponse, Failure> {
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(octets))
}

async fn documents(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    match draft(&portal, &visitor, &id).await? {
        Ok(a) => {
            let (p, refused, objections) =
                (portal.page(&visitor).with_keys(), String::new(), Objections::default());
            show(&visitor, &DocumentsPage { p, a, refused, objections })
        }
        Err(response) => Ok(response),
    }
}

/// The statement, signed with the key of the certificate that is renewed, takes the place of the pictures.
async fn signed_renewal(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = portal.api.put(&visitor, &call_of(&id, "renewal")).json(&fields.object(&["statement_cms"]));
    match call.read::<Application>().await {
        Ok(a) => Ok(see(&format!("/applications/{}/{}", a.id, a.next_step()))),
        Err(failure) => {
            let (refused, objections) = ("renewal".to_owned(), Objections::answerable(failure)?);
            let a = application(&portal.api, &visitor, &id).await?;
            show(&visitor, &DocumentsPage { p: portal.page(&visitor).with_keys(), a, refused, objections })
        }
    }
}

/// A picture or paper.
#[derive(MultipartForm)]
pub(crate) struct Upload {
    pub(crate) csrf: Text<String>,
    pub(crate) file: Bytes,
}

async fn uploaded(
    portal: web::Data<Portal>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    MultipartForm(upload): MultipartForm<Upload>,
) -> Result<HttpResponse, Failure> {
    let (id, kind) = path.into_inner();
    if !visitor.gave(&upload.csrf) {
        return Err(Failure::ForeignForm);
    }
    let Some(media_type) = media_type(&upload.file.data) else {
        let p = portal.page(&visitor).with_keys();
        let objections = Objections::to("", p.t("not-a-picture"));
        let a = application(&portal.api, &visitor, &id).await?;
        return show(&visitor, &DocumentsPage { p, a, refused: kind, objections });
    };
    let to = format!("/api/v1/applications/{}/documents/{}", segment(&id), segment(&kind));
    let put =
        portal.api.put(&visitor, &to).body(media_type, upload.file.data.to_vec()).read::<Application>().await;
    match put {
        Ok(a) => Ok(see(&match a.next_step() {
            "review" => format!("/applications/{}/review", a.id),
            _ => format!("/applications/{}/documents#{kind}", a.id),
        })),
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            let a = application(&portal.api, &visitor, &id).await?;
            show(
                &visitor,
                &DocumentsPage { p: portal.page(&visitor).with_keys(), a, refused: kind, objections },
            )
        }
    }
}

/// What the first octets say a file is; the browser only guesses from its name. The API judges; `None` is what it would not
/// even look at.
pub(crate) fn media_type(octets: &[u8]) -> Option<&'static str> {
    match octets {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'%', b'P', b'D', b'F', ..] => Some("application/pdf"),
        _ => None,
    }
}

async fn review(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    match draft(&portal, &visitor, &id).await? {
        Ok(a) => review_page(&portal, &visitor, a, Objections::default()).await,
        Err(response) => Ok(response),
    }
}

async fn review_page(
    portal: &Portal,
    visitor: &Visitor,
    a: Application,
    objections: Objections,
) -> Result<HttpResponse, Failure> {
    let place = named(&regions(&portal.api, visitor).await?, a.district, visitor.language);
    show(visitor, &ReviewPage { p: portal.page(visitor).with_keys(), a, place, objections })
}

async fn submitted(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "submission");
    let call = portal.api.post(&visitor, &path).idempotent(fields.get("csrf"));
    let body = fields.object(&["statement_cms"]);
    match call.json(&body).done().await {
        Ok(()) => Ok(see(&format!("/applications/{}", segment(&id)))),
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            let a = application(&portal.api, &visitor, &id).await?;
            review_page(&portal, &visitor, a, objections).await
        }
    }
}

pub(crate) async fn statement(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "statement");
    passed_on(portal.api.get(&visitor, &path).octets().await?, "inline")
}

pub(crate) async fn receipt(
    portal: web::Data<Portal>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "receipt");
    passed_on(portal.api.get(&visitor, &path).octets().await?, "inline")
}

async fn received(
    portal: web::Data<Portal>,
    Posted { visitor, fields }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "receipt");
    portal.api.post(&visitor, &path).json(&fields.object(&["receipt_cms"])).done().await?;
    Ok(see(&format!("/applications/{}", segment(&id))))
}

async fn withdrawn(
    portal: web::Data<Portal>,
    Posted { visitor, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "withdrawal");
    portal.api.post(&visitor, &path).done().await?;
    Ok(see(&format!("/applications/{}", segment(&id))))
}

pub(crate) async fn certificate(
    portal: web::Data<Portal>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (id, form) = path.into_inner();
    let media_type = match form.as_str() {
        "p7b" => "application/pkcs7-mime",
        "pem" => "application/x-pem-file",
        "ics" => "text/calendar",
        _ => "application/pkix-cert",
    };
    let call = portal.api.get(&visitor, &call_of(&id, "certificate"));
    let name = format!(
        "attachment; filename=\"certificate.{}\"",
        if media_type == "application/pkix-cert" { "cer" } else { &form }
    );
    passed_on(call.accept(media_type).octets().await?, &name)
}
