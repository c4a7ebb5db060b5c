//! Invoices. An application has at most one that is open or paid; what changes them is posted in the ledger.

use ca_core::Timestamp;
use ca_core::application::{ApplicationId, Transition};
use ca_core::calendar::tashkent_date;
use ca_core::fee::Quote;
use ca_core::payment::InvoiceState;
use diesel::prelude::*;

use crate::connection::{load_locked, on_both};
use crate::database::Connection;
use crate::error::StoreError;
use crate::kept::Piece::{self, Sql};
use crate::ledger::{self, Posting};
use crate::refunds::{self, Cause};
use crate::schema::{invoice_numbers, invoices};
use crate::{audit, jobs, kept, messages};

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
    ledger::post(connection, vec![Posting::charge(&invoice.id, invoice.amount_tiyin, now)])?;
    if !quote.is_free() {
        jobs::enqueue(connection, &[messages::notice(application, "invoice", &invoice.id, now)], now)?;
    }
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
    // PostgreSQL's texts have no room for it, so no invoice is called that.
    if name.contains('\0') {
        return Err(StoreError::NotFound);
    }
    Ok(invoices::table
        .filter(invoices::id.eq(name.to_owned()).or(invoices::number.eq(name.to_owned())))
        .select(Invoice::as_select())
        .first(connection)?)
}

/// The invoice with this name or number, kept from other writers until the end of the transaction.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn lock(connection: &mut Connection, name: &str) -> Result<Invoice, StoreError> {
    if name.contains('\0') {
        return Err(StoreError::NotFound);
    }
    let mut found: Vec<Invoice> = load_locked!(
        connection,
        invoices::table
            .filter(invoices::id.eq(name.to_owned()).or(invoices::number.eq(name.to_owned())))
            .select(Invoice::as_select())
    );
    found.pop().ok_or(StoreError::NotFound)
}

/// Open invoices whose time has passed become expired, at most so many. Returns how many did.
///
/// # Errors
/// The database's.
pub fn expire(connection: &mut Connection, now: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let passed = invoices::table
        .filter(invoices::state.eq("open"))
        .filter(invoices::expires_at.le(now.unix_millis()))
        .order(invoices::expires_at)
        .limit(limit);
    // An island: whoever pays one at this moment has it; the next round looks at it again.
    let passed: Vec<Invoice> = match connection {
        Connection::Postgres(c) => passed.select(Invoice::as_select()).for_update().skip_locked().load(c)?,
        Connection::Sqlite(c) => passed.select(Invoice::as_select()).load(c)?,
    };
    release(connection, &passed, InvoiceState::Expired, now)?;
    Ok(passed.len())
}

/// This open invoice's time has passed. Says whether it was still open.
///
/// # Errors
/// The database's.
pub fn lapse(connection: &mut Connection, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let invoice = lock(connection, id)?;
    let passed = invoice.state == InvoiceState::Open.as_str() && invoice.expires_at <= now.unix_millis();
    if passed {
        release(connection, &[invoice], InvoiceState::Expired, now)?;
    }
    Ok(passed)
}

/// What was owed is owed no more.
fn release(
    connection: &mut Connection,
    invoices: &[Invoice],
    to: InvoiceState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids: Vec<&str> = invoices.iter().map(|invoice| invoice.id.as_str()).collect();
    diesel::update(invoices::table.filter(invoices::id.eq_any(ids)))
        .set(invoices::state.eq(to.as_str()))
        .execute(connection)?;
    let postings: Vec<Posting> =
        invoices.iter().map(|invoice| Posting::release(&invoice.id, invoice.amount_tiyin, now)).collect();
    ledger::post(connection, postings)
}

/// If the application has ended without a certificate, its open invoice is cancelled and what was paid is to be returned.
pub(crate) fn application_ended(connection: &mut Connection, ended: &Transition) -> Result<(), StoreError> {
    let Some(cause) = Cause::of(ended.to) else { return Ok(()) };
    let (application, now) = (ended.application, ended.at);
    let live: Vec<Invoice> = load_locked!(
        connection,
        invoices::table
            .filter(invoices::application_id.eq(application.to_string()))
            .filter(invoices::state.eq_any(["open", "paid"]))
            .select(Invoice::as_select())
    );
    for invoice in live {
        if invoice.state == InvoiceState::Open.as_str() {
            release(connection, &[invoice], InvoiceState::Cancelled, now)?;
        } else {
            refunds::become_due(connection, &invoice, cause, now)?;
        }
    }
    Ok(())
}

/// Is there a paid invoice of this application?
pub(crate) fn is_paid(connection: &mut Connection, application: ApplicationId) -> Result<bool, StoreError> {
    let paid: Option<String> = invoices::table
        .filter(invoices::application_id.eq(application.to_string()))
        .filter(invoices::state.eq("paid"))
        .select(invoices::id)
        .first(connection)
        .optional()?;
    Ok(paid.is_some())
}

/// A transaction keeps the invoice: it can be paid at least until then.
pub(crate) fn hold(
    connection: &mut Connection,
    invoice: &Invoice,
    until: Timestamp,
) -> Result<(), StoreError> {
    if invoice.expires_at < until.unix_millis() {
        let (until, id) = (Piece::Number(until.unix_millis()), Piece::Text(&invoice.id));
        kept::execute(
            connection,
            &[Sql("UPDATE invoices SET expires_at = "), until, Sql(" WHERE id = "), id],
        )?;
    }
    Ok(())
}

/// The open invoice, which the caller has locked, is paid, and everybody who must know is told.
pub(crate) fn set_paid(
    connection: &mut Connection,
    invoice: &Invoice,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (paid_at, id) = (Piece::Number(now.unix_millis()), Piece::Text(&invoice.id));
    let update = [Sql("UPDATE invoices SET state = 'paid', paid_at = "), paid_at, Sql(" WHERE id = "), id];
    kept::execute(connection, &update)?;
    let application = invoice.application()?;
    jobs::enqueue(connection, &[messages::notice(application, "paid", &invoice.id, now)], now)
}

/// The paid invoice, which the caller has locked, was given back.
pub(crate) fn set_refunded(
    connection: &mut Connection,
    invoice: &Invoice,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(invoices::table.find(&invoice.id))
        .set(invoices::state.eq("refunded"))
        .execute(connection)?;
    let application = invoice.application()?;
    jobs::enqueue(connection, &[messages::notice(application, "refund", &invoice.id, now)], now)
}

impl Invoice {
    /// Which application it is for.
    ///
    /// # Errors
    /// The row names none.
    pub fn application(&self) -> Result<ApplicationId, StoreError> {
        self.application_id.parse().map_err(StoreError::corrupt)
    }

    /// What has become of it, as decisions see it.
    ///
    /// # Errors
    /// The row says something else.
    pub fn state(&self) -> Result<InvoiceState, StoreError> {
        self.state.parse().map_err(StoreError::corrupt)
    }
}
