//! What is held about one person: for the person who asks, and whoever has to answer them (law O'RQ-547).

use ca_core::SerialNumber;
use ca_core::application::ApplicationId;
use diesel::prelude::*;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::certificates::{self, StoredCertificate};
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::certificates as certificate_rows;
use crate::schema::{applications, deliveries, invoices, payments, receipts, refunds, renewals};

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = invoices)]
struct InvoiceRow {
    id: String,
    number: String,
    state: String,
    amount_tiyin: i64,
    rule: String,
    benefit: Option<String>,
    created_at: i64,
    expires_at: i64,
    paid_at: Option<i64>,
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = payments)]
struct PaymentRow {
    invoice_id: String,
    provider: String,
    provider_transaction: String,
    state: String,
    amount_tiyin: i64,
    created_at: i64,
    performed_at: Option<i64>,
    cancelled_at: Option<i64>,
    recorded_by: Option<String>,
    details: String,
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = refunds)]
struct RefundRow {
    invoice_id: String,
    state: String,
    cause: String,
    amount_tiyin: i64,
    way: Option<String>,
    receipt_number: Option<String>,
    due_at: i64,
    done_at: Option<i64>,
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = deliveries)]
struct DeliveryRow {
    channel: String,
    template: String,
    language: String,
    state: String,
    gateway: Option<String>,
    created_at: i64,
    sent_at: Option<i64>,
}

/// What the person signed, as it came: CMS and CSR in DER, written in hexadecimal.
#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = applications)]
struct SignedRow {
    phone: String,
    #[serde(serialize_with = "octets")]
    csr: Option<Vec<u8>>,
    #[serde(serialize_with = "octets")]
    statement_cms: Option<Vec<u8>>,
}

fn octets<S: Serializer>(octets: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    octets.as_ref().map(hex::encode).serialize(serializer)
}

/// The applications a person has made, and those in which they are the head of the organization; by name.
///
/// # Errors
/// The database's.
pub fn applications(
    connection: &mut Connection,
    pinfl: &str,
) -> Result<(Vec<ApplicationId>, Vec<ApplicationId>), StoreError> {
    let own: Vec<String> = applications::table
        .filter(applications::pinfl.eq(pinfl))
        .order(applications::id)
        .select(applications::id)
        .load(connection)?;
    // Only whoever applied is in a column; this question is rare enough to read everything for.
    let head: Vec<String> = applications::table
        .filter(applications::subject.like(format!("%\"head_pinfl\":\"{pinfl}\"%")))
        .filter(applications::pinfl.ne(pinfl))
        .order(applications::id)
        .select(applications::id)
        .load(connection)?;
    let parsed = |ids: Vec<String>| -> Result<Vec<ApplicationId>, StoreError> {
        ids.iter().map(|id| id.parse().map_err(StoreError::corrupt)).collect()
    };
    Ok((parsed(own)?, parsed(head)?))
}

/// The certificates that name a person, also those whose application is no more.
///
/// # Errors
/// The database's.
pub fn certificates(connection: &mut Connection, pinfl: &str) -> Result<Vec<StoredCertificate>, StoreError> {
    let serials: Vec<Vec<u8>> = certificate_rows::table
        .filter(certificate_rows::pinfl.eq(pinfl))
        .order(certificate_rows::id)
        .select(certificate_rows::serial)
        .load(connection)?;
    serials
        .iter()
        .map(|serial| {
            let serial = SerialNumber::try_from(serial.as_slice()).map_err(StoreError::corrupt)?;
            certificates::find(connection, &serial)
        })
        .collect()
}

/// What was paid, told and signed for an application.
///
/// # Errors
/// The database's.
pub fn beside(connection: &mut Connection, application: ApplicationId) -> Result<Value, StoreError> {
    let id = application.to_string();
    let signed: SignedRow = applications::table.find(&id).select(SignedRow::as_select()).first(connection)?;
    let invoices: Vec<InvoiceRow> = invoices::table
        .filter(invoices::application_id.eq(&id))
        .order(invoices::created_at)
        .select(InvoiceRow::as_select())
        .load(connection)?;
    let numbers: Vec<&str> = invoices.iter().map(|invoice| invoice.id.as_str()).collect();
    let payments: Vec<PaymentRow> = payments::table
        .filter(payments::invoice_id.eq_any(numbers))
        .order(payments::id)
        .select(PaymentRow::as_select())
        .load(connection)?;
    let refunds: Vec<RefundRow> = refunds::table
        .filter(refunds::application_id.eq(&id))
        .order(refunds::due_at)
        .select(RefundRow::as_select())
        .load(connection)?;
    let messages: Vec<DeliveryRow> = deliveries::table
        .filter(deliveries::application_id.eq(&id))
        .order(deliveries::id)
        .select(DeliveryRow::as_select())
        .load(connection)?;
    let receipt: Option<Vec<u8>> =
        receipts::table.find(&id).select(receipts::cms).first(connection).optional()?;
    let renewal: Option<Option<Vec<u8>>> =
        renewals::table.find(&id).select(renewals::statement_cms).first(connection).optional()?;
    Ok(json!({
        "signed": signed,
        "invoices": invoices,
        "payments": payments,
        "refunds": refunds,
        "messages": messages,
        "receipt_cms": receipt.map(hex::encode),
        "renewal_statement_cms": renewal.flatten().map(hex::encode),
    }))
}
