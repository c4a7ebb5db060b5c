//! Invoices that a provider was asked to show the payer in its own application or SMS.

use ca_core::Timestamp;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::{self, JobKind, NewJob};
use crate::schema::bills;

/// A bill.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = bills, treat_none_as_default_value = false)]
pub struct Bill {
    /// Its name.
    pub id: String,
    /// What is to be paid.
    pub invoice_id: String,
    /// Who shows it.
    pub provider: String,
    /// `queued`, `sent`, `paid`, `cancelled` or `failed`.
    pub state: String,
    /// The provider's name of it.
    pub provider_bill: Option<String>,
    /// What the provider said last.
    pub last_error: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub updated_at: i64,
}

/// Asks for a bill, from the jobs queue.
///
/// # Errors
/// [`StoreError::Conflict`] if one is under way.
pub fn request(
    connection: &mut Connection,
    invoice: &str,
    provider: &str,
    now: Timestamp,
) -> Result<Bill, StoreError> {
    let bill = Bill {
        id: uuid::Uuid::new_v4().to_string(),
        invoice_id: invoice.to_owned(),
        provider: provider.to_owned(),
        state: "queued".to_owned(),
        provider_bill: None,
        last_error: None,
        created_at: now.unix_millis(),
        updated_at: now.unix_millis(),
    };
    diesel::insert_into(bills::table).values(&bill).execute(connection)?;
    let job = NewJob { kind: JobKind::SendBill, key: bill.id.clone(), payload: "{}".to_owned(), run_at: now };
    jobs::enqueue(connection, &[job], now)?;
    Ok(bill)
}

/// The bill with this name.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<Bill, StoreError> {
    Ok(bills::table.find(id.to_owned()).select(Bill::as_select()).first(connection)?)
}

/// The bills of an invoice, oldest first.
///
/// # Errors
/// The database's.
pub fn of_invoice(connection: &mut Connection, invoice: &str) -> Result<Vec<Bill>, StoreError> {
    Ok(bills::table
        .filter(bills::invoice_id.eq(invoice))
        .order((bills::created_at, bills::id))
        .select(Bill::as_select())
        .load(connection)?)
}

/// What has become of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider shows it and calls it this.
    Sent(String),
    /// The payer paid it; the payment itself is told by the provider's own call.
    Paid,
    /// The payer or the provider refused it.
    Cancelled,
    /// It could not be sent; why.
    Failed(String),
}

/// Notes what has become of a bill that is under way.
///
/// # Errors
/// The database's.
pub fn note(
    connection: &mut Connection,
    id: &str,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let live = bills::table.find(id.to_owned()).filter(bills::state.eq_any(["queued", "sent"]));
    let (state, provider_bill, error) = match outcome {
        Outcome::Sent(name) => ("sent", Some(name), None),
        Outcome::Paid => ("paid", None, None),
        Outcome::Cancelled => ("cancelled", None, None),
        Outcome::Failed(error) => ("failed", None, Some(error)),
    };
    diesel::update(live)
        .set((
            bills::state.eq(state),
            provider_bill.map(|name| bills::provider_bill.eq(name)),
            error.map(|error| bills::last_error.eq(error)),
            bills::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    Ok(())
}
