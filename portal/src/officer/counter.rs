//! The counter: what is done while the applicant stands there, from the invoice to the key on their drive.
//!
//! The officer brings the page, the applicant the password: it is typed at this keyboard by whom it belongs to, and neither
//! it nor the key leaves the browser.

use actix_multipart::form::MultipartForm;
use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Desk, query, told};
use crate::api::{Failure, List};
use crate::applications::{Upload, alias, certificate, invoice, invoice_pdf, media_type, receipt, statement};
use crate::form::{Objections, Posted};
use crate::page::{Page, see, show};
use crate::places::{named, regions};
use crate::record::{Application, Invoice, application, call_of, segment};

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    let step = |name: &str| format!("/officer/applications/{{id}}/{name}");
    cfg.route(&step("counter"), web::get().to(counter))
        .route(&step("payment"), web::post().to(record))
        .route(&step("payment/state"), web::get().to(payment_state))
        .route(&step("key"), web::post().to(made_key))
        .route(&step("documents/{kind}"), web::post().to(uploaded))
        .route(&step("submission"), web::post().to(submitted))
        .route(&step("withdrawal"), web::post().to(withdrawn))
        .route(&step("receipt"), web::post().to(received))
        // The applicant's own: the API lets in who registered the application.
        .route(&step("invoice.pdf"), web::get().to(invoice_pdf))
        .route(&step("statement"), web::get().to(statement))
        .route(&step("receipt"), web::get().to(receipt))
        .route(&step("certificate.{form}"), web::get().to(certificate));
}

/// Cash or a transfer that an officer has recorded and nobody has confirmed.
#[derive(Debug, Deserialize)]
struct Recorded {
    application: String,
    way: String,
    receipt_number: String,
    recorded_by: Option<String>,
    recorded_at: Timestamp,
}

/// A step that was refused, and why.
#[derive(Default)]
struct Refused {
    step: String,
    objections: Objections,
}

#[derive(Template)]
#[template(path = "office_counter.html")]
struct CounterPage {
    p: Page,
    a: Application,
    invoice: Option<Invoice>,
    recorded: Option<Recorded>,
    /// The page makes the key's first password.
    generated: bool,
    /// This officer takes money.
    takes_money: bool,
    place: String,
    alias: String,
    refused: Refused,
    done: String,
    /// Path of the application in the office.
    here: String,
}

#[derive(Template)]
#[template(path = "office_payment_state.html")]
struct PaymentState {
    p: Page,
    here: String,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

impl CounterPage {
    /// Why this step was refused just now.
    fn refused_on(&self, step: &str) -> &Objections {
        static NONE: Objections = Objections::NONE;
        if self.refused.step == step { &self.refused.objections } else { &NONE }
    }

    /// The step that a document of this kind is.
    fn upload_step(&self, kind: &str) -> String {
        format!("document/{kind}")
    }

    /// What came in for this step: the number that stands before it becomes a tick.
    fn mark(&self, lacking: &str) -> &'static str {
        if self.a.state != "draft" || !self.a.lacks(lacking) { "done" } else { "open" }
    }
}

async fn counter(
    desk: Desk,
    id: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let mut page = page(&desk, &id, Refused::default()).await?;
    page.done = told(&page.p, &asked.done);
    show(&desk.visitor, &page)
}

async fn page(desk: &Desk, id: &str, refused: Refused) -> Result<CounterPage, Failure> {
    let (portal, visitor) = (&desk.portal, &desk.visitor);
    let a = application(&portal.api, visitor, id).await?;
    let draft = a.state == "draft";
    let invoice = if draft { Some(invoice(portal, visitor, id).await?) } else { None };
    let recorded = match &invoice {
        Some(invoice) if invoice.state == "open" => recorded(desk, &a.id).await?,
        _ => None,
    };
    let alias = alias(portal, visitor, &a).await?;
    let place = named(&regions(&portal.api, visitor).await?, a.district, visitor.language);
    let here = format!("/officer/applications/{}", a.id);
    Ok(CounterPage {
        p: desk.page_at(&format!("{here}/counter")).with_keys().received("register"),
        here,
        generated: portal.generated_key_passwords,
        takes_money: desk.me.is("registrar"),
        done: String::new(),
        a,
        invoice,
        recorded,
        place,
        alias,
        refused,
    })
}

/// The payment of this application that waits for its confirmation.
async fn recorded(desk: &Desk, id: &str) -> Result<Option<Recorded>, Failure> {
    let path = "/api/v1/officer/payments?state=created&limit=200";
    let waiting: List<Recorded> = desk.get(path).read().await?;
    Ok(waiting.items.into_iter().find(|payment| payment.application == id))
}

/// On with the counter, or the same page with what was refused.
async fn went_on(
    desk: &Desk,
    id: &str,
    step: &str,
    outcome: Result<(), Failure>,
) -> Result<HttpResponse, Failure> {
    match outcome {
        Ok(()) => {
            let told = query(&[("done", step.split('/').next().unwrap_or_default())]);
            Ok(see(&format!("/officer/applications/{}/counter{told}", segment(id))))
        }
        Err(failure) => {
            let objections = Objections::answerable(failure)?;
            let refused = Refused { step: step.to_owned(), objections };
            show(&desk.visitor, &page(desk, id, refused).await?)
        }
    }
}

async fn record(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&format!("/api/v1/officer/applications/{}/payment", segment(&id)));
    let taken = fields.object(&["way", "receipt_number"]);
    let outcome = call.idempotent(fields.get("csrf")).json(&taken).done().await;
    went_on(&desk, &id, "record", outcome).await
}

/// The part of the page that is asked for until the invoice is paid.
async fn payment_state(desk: Desk, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    let invoice = invoice(&desk.portal, &desk.visitor, &id).await?;
    let here = format!("/officer/applications/{}", segment(&id));
    show(&desk.visitor, &PaymentState { p: desk.page(), here, state: invoice.state })
}

async fn made_key(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = call_of(&id, "csr");
    let csr = fields.get("csr").as_bytes().to_vec();
    // The password first: one that opens nothing does no harm, a key that nobody can open does.
    let password = fields.verbatim("key_password");
    if !password.is_empty() {
        let sent =
            desk.post(&call_of(&id, "key-password")).json(&json!({ "password": password })).done().await;
        if sent.is_err() {
            return went_on(&desk, &id, "key", sent).await;
        }
    }
    let put = desk.portal.api.put(&desk.visitor, &path).body("application/x-pem-file", csr);
    went_on(&desk, &id, "key", put.done().await).await
}

async fn uploaded(
    desk: Desk,
    path: web::Path<(String, String)>,
    MultipartForm(upload): MultipartForm<Upload>,
) -> Result<HttpResponse, Failure> {
    let (id, kind) = path.into_inner();
    if !desk.visitor.gave(&upload.csrf) {
        return Err(Failure::ForeignForm);
    }
    let octets = upload.file.data.to_vec();
    let step = format!("document/{kind}");
    let Some(media_type) = media_type(&octets) else {
        let objections = Objections::to("", desk.page().t("not-a-picture"));
        return show(&desk.visitor, &page(&desk, &id, Refused { step, objections }).await?);
    };
    let to = format!("/api/v1/applications/{}/documents/{}", segment(&id), segment(&kind));
    let put = desk.portal.api.put(&desk.visitor, &to).body(media_type, octets);
    went_on(&desk, &id, &step, put.done().await).await
}

async fn submitted(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&call_of(&id, "submission"));
    let signed = fields.object(&["statement_cms"]);
    let outcome = call.idempotent(fields.get("csrf")).json(&signed).done().await;
    went_on(&desk, &id, "submit", outcome).await
}

/// The written key has signed that it is the one of the certificate. A script asks, and has to hear of a refusal by its
/// status.
async fn received(
    desk: Desk,
    Posted { fields, .. }: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let call = desk.post(&call_of(&id, "receipt"));
    let signed = fields.object(&["receipt_cms"]);
    call.json(&signed).done().await?;
    Ok(see(&format!("/officer/applications/{}/counter", segment(&id))))
}

async fn withdrawn(desk: Desk, _: Posted, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    let call = desk.post(&call_of(&id, "withdrawal"));
    went_on(&desk, &id, "withdraw", call.done().await).await
}
