//! Invoices and the payments that settle them. An application has at most one that is open or paid.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use ca_core::calendar::tashkent_date;
use ca_core::fee::Quote;
use diesel::prelude::*;

use crate::connection::on_both;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{invoice_numbers, invoices, payments};
use crate::{audit, jobs, messages};

/// An invoice with the rule it froze.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = invoices, treat_none_as_default_value = false)]
pub struct Invoice {
    /// Its name in URLs.
    pub id: String,
    /// Its number in the year's series, as printed.
    pub number: String,
    /// What it is for.
    pub application_id: String,
    /// `open`, `paid`, `expired`, `cancelled` or `refunded`.
    pub state: String,
    /// To pay, in tiyin.
    pub amount_tiyin: i64,
    /// The BHM used, in tiyin.
    pub bhm_tiyin: i64,
    /// Since when that BHM holds.
    pub bhm_since: String,
    /// The rate used, in hundredths of a percent.
    pub rate_basis_points: i32,
    /// The discount used, in hundredths of a percent.
    pub discount_basis_points: i32,
    /// The name of the rule used.
    pub rule: String,
    /// When it was written, unix milliseconds.
    pub created_at: i64,
    /// Until when it can be paid, unix milliseconds.
    pub expires_at: i64,
    /// When it was paid, unix milliseconds.
    pub paid_at: Option<i64>,
    /// The benefit that made the price.
    pub benefit: Option<String>,
}

/// Writes an invoice for an application that has no live one. One that a benefit made free is paid at once: nobody will.
///
/// # Errors
/// [`StoreError::Conflict`] if it has one.
pub fn write(
    connection: &mut Connection,
    application: ApplicationId,
    quote: &Quote,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Invoice, StoreError> {
    let invoice = Invoice {
        id: uuid::Uuid::new_v4().to_string(),
        number: next_number(connection, now)?,
        application_id: application.to_string(),
        state: if quote.is_free() { "paid" } else { "open" }.to_owned(),
        amount_tiyin: quote.amount_tiyin,
        bhm_tiyin: quote.bhm_tiyin,
        bhm_since: quote.bhm_since.to_string(),
        rate_basis_points: quote.rate_basis_points,
        discount_basis_points: quote.discount_basis_points,
        rule: quote.rule.clone(),
        created_at: now.unix_millis(),
        expires_at: expires_at.unix_millis(),
        paid_at: quote.is_free().then_some(now.unix_millis()),
        benefit: quote.benefit.clone(),
    };
    diesel::insert_into(invoices::table).values(&invoice).execute(connection)?;
    let entry = audit::Entry {
        at: now,
        actor: "clock".to_owned(),
        action: "invoice.write".to_owned(),
        object: format!("application:{application}"),
        details: serde_json::json!({ "number": invoice.number, "amount_tiyin": invoice.amount_tiyin, "rule": invoice.rule }),
    };
    audit::record(connection, &[entry])?;
    Ok(invoice)
}

/// The next number of the year's series, without gaps: `M-2026-0000001`.
fn next_number(connection: &mut Connection, now: Timestamp) -> Result<String, StoreError> {
    let year = tashkent_date(now).year();
    let last = on_both!(connection, c => {
        diesel::insert_into(invoice_numbers::table)
            .values((invoice_numbers::year.eq(year), invoice_numbers::last.eq(1_i64)))
            .on_conflict(invoice_numbers::year)
            .do_update()
            .set(invoice_numbers::last.eq(invoice_numbers::last + 1))
            .returning(invoice_numbers::last)
            .get_result::<i64>(c)
    })?;
    Ok(format!("M-{year}-{last:07}"))
}

/// The newest invoice of an application.
///
/// # Errors
/// The database's.
pub fn newest(
    connection: &mut Connection,
    application: ApplicationId,
) -> Result<Option<Invoice>, StoreError> {
    Ok(invoices::table
        .filter(invoices::application_id.eq(application.to_string()))
        .order((invoices::created_at.desc(), invoices::number.desc()))
        .select(Invoice::as_select())
        .first(connection)
        .optional()?)
}

/// The newest invoices of these applications.
///
/// # Errors
/// The database's.
pub fn newest_of(
    connection: &mut Connection,
    applications: &[ApplicationId],
) -> Result<Vec<Invoice>, StoreError> {
    let ids: Vec<String> = applications.iter().map(ToString::to_string).collect();
    let mut all: Vec<Invoice> = invoices::table
        .filter(invoices::application_id.eq_any(ids))
        .order((invoices::application_id, invoices::created_at.desc(), invoices::number.desc()))
        .select(Invoice::as_select())
        .load(connection)?;
    all.dedup_by(|later, first| later.application_id == first.application_id);
    Ok(all)
}

/// The invoice with this name.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<Invoice, StoreError> {
    Ok(invoices::table.find(id.to_owned()).select(Invoice::as_select()).first(connection)?)
}

/// The invoice with this name or number: providers know the number that is printed.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn named(connection: &mut Connection, name: &str) -> Result<Invoice, StoreError> {
    Ok(invoices::table
        .filter(invoices::id.eq(name.to_owned()).or(invoices::number.eq(name.to_owned())))
        .select(Invoice::as_select())
        .first(connection)?)
}

/// Open invoices whose time has passed become expired. Returns how many did.
///
/// # Errors
/// The database's.
pub fn expire(connection: &mut Connection, now: Timestamp) -> Result<usize, StoreError> {
    Ok(diesel::update(invoices::table)
        .filter(invoices::state.eq("open"))
        .filter(invoices::expires_at.le(now.unix_millis()))
        .set(invoices::state.eq("expired"))
        .execute(connection)?)
}

/// This open invoice's time has passed.
///
/// # Errors
/// The database's.
pub fn lapse(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    diesel::update(invoices::table.find(id.to_owned()))
        .filter(invoices::state.eq("open"))
        .set(invoices::state.eq("expired"))
        .execute(connection)?;
    Ok(())
}

/// An ended application's open invoice is cancelled.
pub(crate) fn cancel_open(connection: &mut Connection, application: ApplicationId) -> Result<(), StoreError> {
    diesel::update(invoices::table)
        .filter(invoices::application_id.eq(application.to_string()))
        .filter(invoices::state.eq("open"))
        .set(invoices::state.eq("cancelled"))
        .execute(connection)?;
    Ok(())
}

/// What a provider says was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The provider's name.
    pub provider: String,
    /// The provider's name of the transaction: the same one pays once.
    pub transaction: String,
    /// What was paid, in tiyin.
    pub amount_tiyin: i64,
    /// When the provider says it was paid.
    pub paid_at: Timestamp,
}

/// Why a payment is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    /// The amounts differ.
    #[error("the invoice is for another amount")]
    WrongAmount,
    /// It was paid by another transaction.
    #[error("the invoice is paid already")]
    AlreadyPaid,
    /// It has expired or was cancelled or refunded.
    #[error("the invoice cannot be paid any more")]
    NotPayable,
}

/// Takes a payment. The same transaction again is answered like the first time.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown invoice.
pub fn pay(
    connection: &mut Connection,
    invoice_id: &str,
    payment: &Payment,
    now: Timestamp,
) -> Result<Result<Invoice, PaymentRefusal>, StoreError> {
    let invoice = find(connection, invoice_id)?;
    if let Some(settled) = settled(connection, invoice_id, payment)? {
        return Ok(settled);
    }
    if invoice.amount_tiyin != payment.amount_tiyin {
        return Ok(Err(PaymentRefusal::WrongAmount));
    }
    let paid = diesel::update(invoices::table.find(&invoice.id))
        .filter(invoices::state.eq("open"))
        .filter(invoices::expires_at.gt(now.unix_millis()))
        .set((invoices::state.eq("paid"), invoices::paid_at.eq(now.unix_millis())))
        .execute(connection)?;
    if paid == 0 {
        // The same call at the same moment may have waited here for the other one to commit.
        return Ok(settled(connection, invoice_id, payment)?.unwrap_or(Err(PaymentRefusal::NotPayable)));
    }
    diesel::insert_into(payments::table)
        .values((
            payments::invoice_id.eq(&invoice.id),
            payments::provider.eq(&payment.provider),
            payments::provider_transaction.eq(&payment.transaction),
            payments::amount_tiyin.eq(payment.amount_tiyin),
            payments::at.eq(payment.paid_at.unix_millis()),
        ))
        .execute(connection)?;
    let entry = audit::Entry {
        at: now,
        actor: format!("provider:{}", payment.provider),
        action: "invoice.pay".to_owned(),
        object: format!("application:{}", invoice.application_id),
        details: serde_json::json!({ "number": invoice.number, "amount_tiyin": payment.amount_tiyin, "transaction": payment.transaction }),
    };
    audit::record(connection, &[entry])?;
    let application = invoice.application_id.parse().map_err(StoreError::corrupt)?;
    jobs::enqueue(connection, &[messages::notice(application, "paid", &invoice.id, now)], now)?;
    Ok(Ok(Invoice { state: "paid".to_owned(), paid_at: Some(now.unix_millis()), ..invoice }))
}

/// What a payment is answered if the invoice has been paid before.
fn settled(
    connection: &mut Connection,
    invoice_id: &str,
    payment: &Payment,
) -> Result<Option<Result<Invoice, PaymentRefusal>>, StoreError> {
    let known: Option<(String, String)> = payments::table
        .filter(payments::invoice_id.eq(invoice_id))
        .select((payments::provider, payments::provider_transaction))
        .first(connection)
        .optional()?;
    let Some((provider, transaction)) = known else { return Ok(None) };
    let same = provider == payment.provider && transaction == payment.transaction;
    Ok(Some(if same { Ok(find(connection, invoice_id)?) } else { Err(PaymentRefusal::AlreadyPaid) }))
}
