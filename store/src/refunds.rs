//! What is owed back: due when a paid application ends without a certificate, returned once.

use ca_core::Timestamp;
use ca_core::application::State;
use ca_core::payment::{PaymentState, Refundable};
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::invoices::{self, Invoice};
use crate::jobs::{self, JobKind, NewJob};
use crate::ledger::{self, Posting};
use crate::payments::{self, Payment};
use crate::schema::{invoices as invoice_table, payments as payment_table, refunds};
use crate::{Page, audit};

/// Payme's reason 5: money is returned. Ours for every transaction whose money was.
pub const RETURNED: i32 = 5;

/// Why something is owed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An officer rejected the application.
    Rejected,
    /// The applicant gave up.
    Withdrawn,
    /// The draft was left alone too long.
    Expired,
    /// The provider took the money back by itself.
    Cancelled,
}

impl Cause {
    /// The cause that a state of an application is, if it is one.
    pub(crate) fn of(state: State) -> Option<Self> {
        match state {
            State::Rejected => Some(Self::Rejected),
            State::Withdrawn => Some(Self::Withdrawn),
            State::Expired => Some(Self::Expired),
            State::Draft | State::UnderReview | State::Approved | State::Issued => None,
        }
    }

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the provider that took it.
    Provider,
    /// From the cash desk.
    Cash,
    /// From the account.
    BankTransfer,
}

impl Way {
    /// The name in the API and in the database; of cash and transfers also the provider's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Cash => "cash",
            Self::BankTransfer => "bank-transfer",
        }
    }
}

/// What is owed back.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = refunds, treat_none_as_default_value = false)]
pub struct Refund {
    /// Its name.
    pub id: String,
    /// Which invoice was paid.
    pub invoice_id: String,
    /// By which transaction.
    pub payment_id: i64,
    /// For which application.
    pub application_id: String,
    /// `due`, `executing` or `done`.
    pub state: String,
    /// See [`Cause`].
    pub cause: String,
    /// In tiyin.
    pub amount_tiyin: i64,
    /// See [`Way`].
    pub way: Option<String>,
    /// The executing officer's.
    pub reason: Option<String>,
    /// Of cash or a transfer.
    pub receipt_number: Option<String>,
    /// The officer who executes it.
    pub executed_by: Option<String>,
    /// What the provider said last.
    pub last_error: Option<String>,
    /// Since when, unix milliseconds.
    pub due_at: i64,
    /// When an officer took it in hand, unix milliseconds.
    pub executed_at: Option<i64>,
    /// When the money had moved, unix milliseconds.
    pub done_at: Option<i64>,
}

/// The paid invoice, which the caller has locked, is owed back.
pub(crate) fn become_due(
    connection: &mut Connection,
    invoice: &Invoice,
    cause: Cause,
    now: Timestamp,
) -> Result<(), StoreError> {
    let paid: Option<i64> = payment_table::table
        .filter(payment_table::invoice_id.eq(&invoice.id))
        .filter(payment_table::state.eq(PaymentState::Performed.as_str()))
        .select(payment_table::id)
        .first(connection)
        .optional()?;
    // What cost nothing is paid without a payment.
    let Some(payment_id) = paid else { return Ok(()) };
    let refund = Refund {
        id: uuid::Uuid::new_v4().to_string(),
        invoice_id: invoice.id.clone(),
        payment_id,
        application_id: invoice.application_id.clone(),
        state: "due".to_owned(),
        cause: cause.as_str().to_owned(),
        amount_tiyin: invoice.amount_tiyin,
        way: None,
        reason: None,
        receipt_number: None,
        executed_by: None,
        last_error: None,
        due_at: now.unix_millis(),
        executed_at: None,
        done_at: None,
    };
    diesel::insert_into(refunds::table).values(&refund).execute(connection)?;
    ledger::post(connection, vec![Posting::refund_due(&invoice.id, invoice.amount_tiyin, now)])?;
    record(connection, "refund.due", "clock", &refund, now)
}

/// May the provider take the money of this invoice back?
pub(crate) fn refundable(connection: &mut Connection, invoice: &str) -> Result<Refundable, StoreError> {
    let refund = of_invoice(connection, invoice)?;
    Ok(match refund {
        None => Refundable::NotDue,
        Some(refund) if refund.state == "done" => Refundable::Elsewhere,
        Some(_) => Refundable::Due,
    })
}

fn of_invoice(connection: &mut Connection, invoice: &str) -> Result<Option<Refund>, StoreError> {
    Ok(refunds::table
        .filter(refunds::invoice_id.eq(invoice))
        .select(Refund::as_select())
        .first(connection)
        .optional()?)
}

/// The refund with this name.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<Refund, StoreError> {
    Ok(refunds::table.find(id.to_owned()).select(Refund::as_select()).first(connection)?)
}

/// A refund with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The refund.
    pub refund: Refund,
    /// The transaction that paid.
    pub payment: Payment,
    /// The invoice's number.
    pub number: String,
}

/// A refund with what it is about.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn owed(connection: &mut Connection, id: &str) -> Result<Owed, StoreError> {
    let refund = find(connection, id)?;
    let payment = payments::by_id(connection, refund.payment_id)?;
    let number = invoices::find(connection, &refund.invoice_id)?.number;
    Ok(Owed { refund, payment, number })
}

/// Refunds in a state, those that are due longest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &mut Connection,
    state: Option<&str>,
    after: Option<(i64, String)>,
    limit: usize,
) -> Result<Page<Owed>, StoreError> {
    let mut query =
        refunds::table.inner_join(invoice_table::table).inner_join(payment_table::table).into_boxed();
    if let Some(state) = state {
        query = query.filter(refunds::state.eq(state.to_owned()));
    }
    if let Some((due_at, id)) = after {
        query =
            query.filter(refunds::due_at.gt(due_at).or(refunds::due_at.eq(due_at).and(refunds::id.gt(id))));
    }
    let rows: Vec<(Refund, Payment, String)> = query
        .order((refunds::due_at, refunds::id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select((Refund::as_select(), Payment::as_select(), invoice_table::number))
        .load(connection)?;
    let items = rows.into_iter().map(|(refund, payment, number)| Owed { refund, payment, number }).collect();
    Ok(Page::from_rows(items, limit, |item: &Owed| format!("{}.{}", item.refund.due_at, item.refund.id)))
}

/// How an officer executes a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Who.
    pub login: String,
    /// How.
    pub way: Way,
    /// Why, for the record.
    pub reason: String,
    /// Of cash or a transfer.
    pub receipt_number: Option<String>,
    /// The provider does it when we call; otherwise somebody does it there, and the provider calls us.
    pub by_call: bool,
}

/// An officer takes a due refund in hand. Cash and transfers are done with that; a provider that must be called is, from
/// the jobs queue. `None` if it is not due.
///
/// # Errors
/// [`StoreError::Conflict`] if the receipt is another refund's.
pub fn execute(
    connection: &mut Connection,
    id: &str,
    execution: &Execution,
    now: Timestamp,
) -> Result<Option<Refund>, StoreError> {
    let refund = find(connection, id)?;
    let invoice = invoices::lock(connection, &refund.invoice_id)?;
    let taken = diesel::update(refunds::table.find(&refund.id))
        .filter(refunds::state.eq("due"))
        .set((
            refunds::state.eq("executing"),
            refunds::way.eq(execution.way.as_str()),
            refunds::reason.eq(&execution.reason),
            refunds::receipt_number.eq(execution.receipt_number.as_deref()),
            refunds::executed_by.eq(&execution.login),
            refunds::executed_at.eq(now.unix_millis()),
            refunds::last_error.eq(None::<String>),
        ))
        .execute(connection)?;
    if taken == 0 {
        return Ok(None);
    }
    let refund = find(connection, id)?;
    record(connection, "refund.execute", &format!("officer:{}", execution.login), &refund, now)?;
    match execution.way {
        Way::Cash | Way::BankTransfer => done(connection, &invoice, &refund, execution.way.as_str(), now)?,
        Way::Provider if execution.by_call => {
            let job = NewJob {
                kind: JobKind::ExecuteRefund,
                key: refund.id.clone(),
                payload: "{}".to_owned(),
                run_at: now,
            };
            jobs::enqueue(connection, &[job], now)?;
        }
        Way::Provider => {}
    }
    find(connection, id).map(Some)
}

/// The provider could not, or will not: the refund is due again. `None` if it is not in the provider's hands.
///
/// # Errors
/// The database's.
pub fn give_back(
    connection: &mut Connection,
    id: &str,
    actor: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Option<Refund>, StoreError> {
    let refund = find(connection, id)?;
    invoices::lock(connection, &refund.invoice_id)?;
    let changed = diesel::update(refunds::table.find(&refund.id))
        .filter(refunds::state.eq("executing"))
        .set((refunds::state.eq("due"), refunds::last_error.eq(reason)))
        .execute(connection)?;
    if changed == 0 {
        return Ok(None);
    }
    jobs::complete_named(connection, JobKind::ExecuteRefund, id)?;
    let refund = find(connection, id)?;
    record(connection, "refund.give-back", actor, &refund, now)?;
    Ok(Some(refund))
}

/// The provider has returned the money after our call.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn confirm(connection: &mut Connection, id: &str, now: Timestamp) -> Result<(), StoreError> {
    let refund = find(connection, id)?;
    let invoice = invoices::lock(connection, &refund.invoice_id)?;
    let payment = payments::by_id(connection, refund.payment_id)?;
    if find(connection, id)?.state != "done" {
        done(connection, &invoice, &refund, &payment.provider, now)?;
        payments::end(connection, &payment, RETURNED, now)?;
    }
    Ok(())
}

/// The provider of an invoice, which the caller has locked, has returned what was due by itself.
pub(crate) fn returned(
    connection: &mut Connection,
    invoice: &Invoice,
    now: Timestamp,
) -> Result<(), StoreError> {
    let refund = of_invoice(connection, &invoice.id)?.ok_or(StoreError::NotFound)?;
    diesel::update(refunds::table.find(&refund.id))
        .set(refunds::way.eq(Way::Provider.as_str()))
        .execute(connection)?;
    jobs::complete_named(connection, JobKind::ExecuteRefund, &refund.id)?;
    let payment = payments::by_id(connection, refund.payment_id)?;
    done(connection, invoice, &refund, &payment.provider, now)
}

fn done(
    connection: &mut Connection,
    invoice: &Invoice,
    refund: &Refund,
    from: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(refunds::table.find(&refund.id))
        .set((refunds::state.eq("done"), refunds::done_at.eq(now.unix_millis())))
        .execute(connection)?;
    ledger::post(connection, vec![Posting::refund(&invoice.id, from, invoice.amount_tiyin, now)])?;
    invoices::set_refunded(connection, invoice, now)?;
    record(connection, "refund.done", &format!("provider:{from}"), refund, now)
}

fn record(
    connection: &mut Connection,
    action: &str,
    actor: &str,
    refund: &Refund,
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = audit::Entry {
        at: now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: format!("application:{}", refund.application_id),
        details: serde_json::json!({
            "refund": refund.id,
            "cause": refund.cause,
            "amount_tiyin": refund.amount_tiyin,
            "way": refund.way,
            "reason": refund.reason,
            "receipt_number": refund.receipt_number,
        }),
    };
    audit::record(connection, &[entry])
}
