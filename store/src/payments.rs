//! Providers' transactions over invoices: announced, performed, cancelled; each step once, whoever races.
//!
//! Whoever changes a transaction holds its invoice's row, and before that, where the application matters, the
//! application's: everybody takes them in this order.

use std::time::Duration;

use ca_core::Timestamp;
use ca_core::application::State;
use ca_core::payment::{Effect, InvoiceState, Objection, Payable, PaymentState, TIMED_OUT, Transaction};
use diesel::prelude::*;

use crate::connection::{load_locked, on_both};
use crate::database::Connection;
use crate::error::StoreError;
use crate::invoices::{self, Invoice};
use crate::kept::Piece::{self, Sql};
use crate::ledger::{self, Posting};
use crate::refunds::{self, Cause};
use crate::schema::{applications, invoices as invoice_table, payments};
use crate::{Page, audit, kept};

/// A provider's transaction over an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payments)]
pub struct Payment {
    /// Our number of it.
    pub id: i64,
    /// What it pays.
    pub invoice_id: String,
    /// The provider's name; `cash` and `bank-transfer` are an officer's records.
    pub provider: String,
    /// The provider's name of it, or the receipt's number.
    pub provider_transaction: String,
    /// `created`, `performed` or `cancelled`.
    pub state: String,
    /// In tiyin.
    pub amount_tiyin: i64,
    /// When the provider says it began, unix milliseconds.
    pub provider_time: i64,
    /// When we heard of it, unix milliseconds.
    pub created_at: i64,
    /// Until when it may be performed, unix milliseconds.
    pub held_until: i64,
    /// When the money moved, unix milliseconds; it stays when the money moved back.
    pub performed_at: Option<i64>,
    /// When it was cancelled, unix milliseconds.
    pub cancelled_at: Option<i64>,
    /// Why, in Payme's numbers.
    pub cancel_reason: Option<i32>,
    /// The officer who recorded cash or a transfer.
    pub recorded_by: Option<String>,
    /// The other one, who confirmed it.
    pub confirmed_by: Option<String>,
    /// What else the provider told, a JSON object.
    pub details: String,
}

impl Payment {
    /// What has become of it, as decisions see it.
    ///
    /// # Errors
    /// The row says something else.
    pub fn state(&self) -> Result<PaymentState, StoreError> {
        self.state.parse().map_err(StoreError::corrupt)
    }

    fn transaction(&self) -> Result<Transaction, StoreError> {
        Ok(Transaction {
            state: self.state()?,
            held_until: Timestamp::from_unix_millis(self.held_until),
            cancel_reason: self.cancel_reason,
        })
    }
}

/// What is known of a transaction when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The provider's name.
    pub provider: String,
    /// The provider's name of the transaction.
    pub transaction: String,
    /// In tiyin.
    pub amount_tiyin: i64,
    /// When the provider says it began.
    pub at: Timestamp,
    /// How long it keeps the invoice from others.
    pub hold: Duration,
    /// The officer who records cash or a transfer.
    pub recorded_by: Option<String>,
    /// What else the provider tells.
    pub details: serde_json::Value,
}

#[derive(Insertable)]
#[diesel(table_name = payments, treat_none_as_default_value = false)]
struct NewRow<'a> {
    invoice_id: &'a str,
    provider: &'a str,
    provider_transaction: &'a str,
    state: &'static str,
    amount_tiyin: i64,
    provider_time: i64,
    created_at: i64,
    held_until: i64,
    performed_at: Option<i64>,
    recorded_by: Option<&'a str>,
    details: String,
}

/// The transaction with this name.
///
/// # Errors
/// The database's.
pub fn find(
    connection: &mut Connection,
    provider: &str,
    transaction: &str,
) -> Result<Option<Payment>, StoreError> {
    Ok(payments::table
        .filter(payments::provider.eq(provider))
        .filter(payments::provider_transaction.eq(transaction))
        .select(Payment::as_select())
        .first(connection)
        .optional()?)
}

/// The transaction with our number.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn by_id(connection: &mut Connection, id: i64) -> Result<Payment, StoreError> {
    Ok(payments::table.find(id).select(Payment::as_select()).first(connection)?)
}

/// The transaction with this name, and the one of the invoice that is not cancelled: in one question, because every
/// payment asks it.
fn known_and_live(
    connection: &mut Connection,
    invoice: &str,
    announced: &Announced,
) -> Result<(Option<Payment>, Option<Payment>), StoreError> {
    let named = payments::provider
        .eq(announced.provider.clone())
        .and(payments::provider_transaction.eq(announced.transaction.clone()));
    let live = payments::invoice_id.eq(invoice.to_owned()).and(payments::state.ne("cancelled"));
    let found: Vec<Payment> =
        payments::table.filter(named.or(live)).select(Payment::as_select()).load(connection)?;
    let is_known = |payment: &&Payment| {
        payment.provider == announced.provider && payment.provider_transaction == announced.transaction
    };
    let is_live = |payment: &&Payment| {
        payment.invoice_id == invoice && payment.state != PaymentState::Cancelled.as_str()
    };
    Ok((found.iter().find(is_known).cloned(), found.iter().find(is_live).cloned()))
}

/// The transaction of an invoice that is not cancelled.
fn live(connection: &mut Connection, invoice: &str) -> Result<Option<Payment>, StoreError> {
    Ok(payments::table
        .filter(payments::invoice_id.eq(invoice))
        .filter(payments::state.ne("cancelled"))
        .select(Payment::as_select())
        .first(connection)
        .optional()?)
}

/// May an invoice be paid with this amount by a new transaction?
///
/// # Errors
/// The database's.
pub fn acceptable(
    connection: &mut Connection,
    invoice: &Invoice,
    amount_tiyin: i64,
    now: Timestamp,
) -> Result<Result<(), Objection>, StoreError> {
    let live = live(connection, &invoice.id)?;
    accepts(invoice, live.as_ref(), amount_tiyin, now)
}

fn accepts(
    invoice: &Invoice,
    live: Option<&Payment>,
    amount_tiyin: i64,
    now: Timestamp,
) -> Result<Result<(), Objection>, StoreError> {
    let payable = Payable {
        state: invoice.state()?,
        amount_tiyin: invoice.amount_tiyin,
        expires_at: Timestamp::from_unix_millis(invoice.expires_at),
        held_until: live.map(|payment| Timestamp::from_unix_millis(payment.held_until)),
    };
    Ok(payable.accept(amount_tiyin, now))
}

/// Has the transaction begun before? If not, the invoice takes it.
fn begin(
    connection: &mut Connection,
    invoice: &Invoice,
    announced: &Announced,
    now: Timestamp,
) -> Result<Result<Option<Payment>, Objection>, StoreError> {
    let (known, live) = known_and_live(connection, &invoice.id, announced)?;
    if let Some(known) = known {
        let same = known.invoice_id == invoice.id && known.amount_tiyin == announced.amount_tiyin;
        return Ok(if same { Ok(Some(known)) } else { Err(Objection::OtherTransaction) });
    }
    if let Err(objection) = accepts(invoice, live.as_ref(), announced.amount_tiyin, now)? {
        return Ok(Err(objection));
    }
    // One that ran out of time makes room.
    if let Some(late) = live {
        end(connection, &late, TIMED_OUT, now)?;
    }
    Ok(Ok(None))
}

fn insert(
    connection: &mut Connection,
    invoice: &Invoice,
    announced: &Announced,
    state: PaymentState,
    now: Timestamp,
) -> Result<Payment, StoreError> {
    let row = NewRow {
        invoice_id: &invoice.id,
        provider: &announced.provider,
        provider_transaction: &announced.transaction,
        state: state.as_str(),
        amount_tiyin: announced.amount_tiyin,
        provider_time: announced.at.unix_millis(),
        created_at: now.unix_millis(),
        held_until: now.plus(announced.hold).unix_millis(),
        performed_at: (state == PaymentState::Performed).then_some(now.unix_millis()),
        recorded_by: announced.recorded_by.as_deref(),
        details: announced.details.to_string(),
    };
    Ok(on_both!(connection, c => {
        diesel::insert_into(payments::table).values(&row).returning(Payment::as_returning()).get_result(c)
    })?)
}

/// A transaction over the invoice, which the caller has locked, begins: it keeps the invoice from others. The same one
/// again is answered as the first time.
///
/// # Errors
/// [`StoreError::Conflict`] if the same transaction begins for
/// another invoice at this moment.
pub fn create(
    connection: &mut Connection,
    invoice: &Invoice,
    announced: &Announced,
    now: Timestamp,
) -> Result<Result<Payment, Objection>, StoreError> {
    match begin(connection, invoice, announced, now)? {
        Ok(None) => {
            invoices::hold(connection, invoice, now.plus(announced.hold))?;
            insert(connection, invoice, announced, PaymentState::Created, now).map(Ok)
        }
        Ok(Some(known)) => Ok(Ok(known)),
        Err(objection) => Ok(Err(objection)),
    }
}

/// A provider tells of a payment of the invoice, which the caller has locked, when it is done. The same one again changes nothing, and says so.
///
/// # Errors
/// As [`create`].
pub fn pay(
    connection: &mut Connection,
    invoice: &Invoice,
    announced: &Announced,
    now: Timestamp,
) -> Result<Result<(Payment, Effect), Objection>, StoreError> {
    match begin(connection, invoice, announced, now)? {
        Ok(None) => {
            let payment = insert(connection, invoice, announced, PaymentState::Performed, now)?;
            settle(connection, invoice, &payment, now)?;
            Ok(Ok((payment, Effect::Now)))
        }
        Ok(Some(known)) => perform(connection, &known, None, now),
        Err(objection) => Ok(Err(objection)),
    }
}

/// The money has moved: the invoice is paid. The same call again changes nothing, and says so.
///
/// A transaction that ran out of time is cancelled, with the objection as the answer.
///
/// # Errors
/// The database's.
pub fn perform(
    connection: &mut Connection,
    payment: &Payment,
    confirmed_by: Option<&str>,
    now: Timestamp,
) -> Result<Result<(Payment, Effect), Objection>, StoreError> {
    let invoice = invoices::lock(connection, &payment.invoice_id)?;
    let payment = by_id(connection, payment.id)?;
    match payment.transaction()?.perform(invoice.state()?, now) {
        Ok(Effect::Already) => Ok(Ok((payment, Effect::Already))),
        Ok(Effect::Now) => {
            let update = [
                Sql("UPDATE payments SET state = 'performed', performed_at = "),
                Piece::Number(now.unix_millis()),
                Sql(", confirmed_by = "),
                Piece::MaybeText(confirmed_by),
                Sql(" WHERE id = "),
                Piece::Number(payment.id),
            ];
            kept::execute(connection, &update)?;
            let payment = Payment {
                state: PaymentState::Performed.as_str().to_owned(),
                performed_at: Some(now.unix_millis()),
                confirmed_by: confirmed_by.map(str::to_owned),
                ..payment
            };
            settle(connection, &invoice, &payment, now)?;
            Ok(Ok((payment, Effect::Now)))
        }
        Err(objection) => {
            if payment.state()? == PaymentState::Created {
                end(connection, &payment, TIMED_OUT, now)?;
            }
            Ok(Err(objection))
        }
    }
}

/// The invoice, which the caller has locked, is paid by this transaction.
fn settle(
    connection: &mut Connection,
    invoice: &Invoice,
    payment: &Payment,
    now: Timestamp,
) -> Result<(), StoreError> {
    let posting = Posting::payment(&invoice.id, &payment.provider, payment.amount_tiyin, now);
    ledger::post(connection, vec![posting])?;
    invoices::set_paid(connection, invoice, now)?;
    let actor = match &payment.confirmed_by {
        Some(login) => format!("officer:{login}"),
        None => format!("provider:{}", payment.provider),
    };
    record(connection, "invoice.pay", actor, invoice, payment, now)
}

/// The provider takes the transaction back. The same call again is answered as the first time.
///
/// # Errors
/// The database's.
pub fn cancel(
    connection: &mut Connection,
    payment: &Payment,
    reason: i32,
    now: Timestamp,
) -> Result<Result<Payment, Objection>, StoreError> {
    let invoice = invoices::find(connection, &payment.invoice_id)?;
    let states: Vec<String> = load_locked!(
        connection,
        applications::table.find(invoice.application_id.clone()).select(applications::state)
    );
    let application: State =
        states.first().ok_or(StoreError::NotFound)?.parse().map_err(StoreError::corrupt)?;
    let invoice = invoices::lock(connection, &invoice.id)?;
    let payment = by_id(connection, payment.id)?;
    let refund = refunds::refundable(connection, &invoice.id)?;
    match payment.transaction()?.cancel(application, refund) {
        Ok(Effect::Already) => return Ok(Ok(payment)),
        Ok(Effect::Now) => {}
        Err(objection) => return Ok(Err(objection)),
    }
    if payment.state()? == PaymentState::Performed {
        if refund == ca_core::payment::Refundable::NotDue {
            refunds::become_due(connection, &invoice, Cause::Cancelled, now)?;
        }
        refunds::returned(connection, &invoice, now)?;
        let actor = format!("provider:{}", payment.provider);
        record(connection, "invoice.take-back", actor, &invoice, &payment, now)?;
    }
    end(connection, &payment, reason, now).map(Ok)
}

/// Cancels a transaction.
pub(crate) fn end(
    connection: &mut Connection,
    payment: &Payment,
    reason: i32,
    now: Timestamp,
) -> Result<Payment, StoreError> {
    diesel::update(payments::table.find(payment.id))
        .set((
            payments::state.eq(PaymentState::Cancelled.as_str()),
            payments::cancelled_at.eq(now.unix_millis()),
            payments::cancel_reason.eq(reason),
        ))
        .execute(connection)?;
    Ok(Payment {
        state: PaymentState::Cancelled.as_str().to_owned(),
        cancelled_at: Some(now.unix_millis()),
        cancel_reason: Some(reason),
        ..payment.clone()
    })
}

/// An officer takes back what nobody has confirmed.
///
/// # Errors
/// The database's.
pub fn withdraw_record(
    connection: &mut Connection,
    payment: &Payment,
    login: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Option<Payment>, StoreError> {
    let invoice = invoices::lock(connection, &payment.invoice_id)?;
    let payment = by_id(connection, payment.id)?;
    if payment.state()? != PaymentState::Created {
        return Ok(None);
    }
    let ended = end(connection, &payment, 0, now)?;
    let entry = audit::Entry {
        at: now,
        actor: format!("officer:{login}"),
        action: "payment.cancel".to_owned(),
        object: format!("application:{}", invoice.application_id),
        details: serde_json::json!({ "number": invoice.number, "transaction": payment.provider_transaction, "reason": reason }),
    };
    audit::record(connection, &[entry])?;
    Ok(Some(ended))
}

fn record(
    connection: &mut Connection,
    action: &str,
    actor: String,
    invoice: &Invoice,
    payment: &Payment,
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = audit::Entry {
        at: now,
        actor,
        action: action.to_owned(),
        object: format!("application:{}", invoice.application_id),
        details: serde_json::json!({
            "number": invoice.number,
            "provider": payment.provider,
            "amount_tiyin": payment.amount_tiyin,
            "transaction": payment.provider_transaction,
        }),
    };
    audit::record(connection, &[entry])
}

/// Adds to what a provider told of a transaction.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn note(
    connection: &mut Connection,
    payment: &Payment,
    name: &str,
    value: serde_json::Value,
) -> Result<(), StoreError> {
    invoices::lock(connection, &payment.invoice_id)?;
    let known = by_id(connection, payment.id)?.details;
    let mut details: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&known).map_err(StoreError::corrupt)?;
    details.insert(name.to_owned(), value);
    diesel::update(payments::table.find(payment.id))
        .set(payments::details.eq(serde_json::Value::Object(details).to_string()))
        .execute(connection)?;
    Ok(())
}

/// Transactions that ran out of time are cancelled, at most so many. Returns how many were looked at.
///
/// # Errors
/// The database's.
pub fn time_out(connection: &mut Connection, now: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let late: Vec<Payment> = payments::table
        .filter(payments::state.eq("created"))
        .filter(payments::held_until.le(now.unix_millis()))
        .order(payments::held_until)
        .limit(limit)
        .select(Payment::as_select())
        .load(connection)?;
    let mut ordered: Vec<&Payment> = late.iter().collect();
    ordered.sort_by(|one, other| one.invoice_id.cmp(&other.invoice_id)); // everybody takes locks in one order
    for payment in ordered {
        invoices::lock(connection, &payment.invoice_id)?;
        let payment = by_id(connection, payment.id)?;
        if payment.state()? == PaymentState::Created {
            end(connection, &payment, TIMED_OUT, now)?;
        }
    }
    Ok(late.len())
}

/// A transaction with the number of its invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The transaction.
    pub payment: Payment,
    /// The invoice's number.
    pub number: String,
    /// The application's name.
    pub application: String,
}

fn stated((payment, number, application): (Payment, String, String)) -> Stated {
    Stated { payment, number, application }
}

/// A provider's transactions that began in this time, both ends included, oldest first; at most so many.
///
/// # Errors
/// The database's.
pub fn statement(
    connection: &mut Connection,
    provider: &str,
    from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<Stated>, StoreError> {
    let rows: Vec<(Payment, String, String)> = payments::table
        .inner_join(invoice_table::table)
        .filter(payments::provider.eq(provider))
        .filter(payments::provider_time.ge(from.unix_millis()))
        .filter(payments::provider_time.le(to.unix_millis()))
        .order((payments::provider_time, payments::id))
        .limit(limit)
        .select((Payment::as_select(), invoice_table::number, invoice_table::application_id))
        .load(connection)?;
    Ok(rows.into_iter().map(stated).collect())
}

/// What officers recorded, in one state, oldest first.
///
/// # Errors
/// The database's.
pub fn recorded(
    connection: &mut Connection,
    state: Option<PaymentState>,
    after: i64,
    limit: usize,
) -> Result<Page<Stated>, StoreError> {
    let mut query = payments::table.inner_join(invoice_table::table).into_boxed();
    if let Some(state) = state {
        query = query.filter(payments::state.eq(state.as_str()));
    }
    let rows: Vec<(Payment, String, String)> = query
        .filter(payments::recorded_by.is_not_null())
        .filter(payments::id.gt(after))
        .order(payments::id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select((Payment::as_select(), invoice_table::number, invoice_table::application_id))
        .load(connection)?;
    let items = rows.into_iter().map(stated).collect();
    Ok(Page::from_rows(items, limit, |item: &Stated| item.payment.id.to_string()))
}

/// Is the invoice in the state that lets it be paid, for what is shown to people? See [`acceptable`] for the decision.
pub fn is_open(invoice: &Invoice, now: Timestamp) -> bool {
    invoice.state == InvoiceState::Open.as_str() && invoice.expires_at > now.unix_millis()
}
