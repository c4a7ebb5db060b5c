//! Payments: what may be paid, what may be taken back, and who comes first. A decision, not an act.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::Timestamp;
use crate::application::State;

/// How long a provider's transaction keeps an invoice from the others without being performed: Payme's 43 200 000 ms,
/// used for all.
pub const HOLD: Duration = Duration::from_secs(12 * 3600);
/// How long cash or a bank transfer that an officer has recorded waits for a second officer.
pub const COUNTER_HOLD: Duration = Duration::from_secs(7 * 24 * 3600);
/// Payme's reason 4: the transaction ran out of time. Ours for every transaction that did.
pub const TIMED_OUT: i32 = 4;

/// What has become of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// It can be paid.
    Open,
    /// It was.
    Paid,
    /// Its time has passed.
    Expired,
    /// Its application ended before it was paid.
    Cancelled,
    /// What was paid was returned.
    Refunded,
}

impl InvoiceState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Open, Self::Paid, Self::Expired, Self::Cancelled, Self::Refunded];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

/// What has become of a provider's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Announced: it keeps the invoice from others.
    Created,
    /// The money has moved.
    Performed,
    /// It has not, or it has moved back.
    Cancelled,
}

impl PaymentState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Created, Self::Performed, Self::Cancelled];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Performed => "performed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The text is not the name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of an invoice or a payment")]
pub struct UnknownState;

impl FromStr for InvoiceState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

impl FromStr for PaymentState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

/// Why a provider's call is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Objection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    UnknownInvoice,
    /// The amounts differ.
    #[error("the invoice is for another amount")]
    WrongAmount,
    /// Another transaction paid it.
    #[error("the invoice is paid already")]
    Paid,
    /// Its time has passed.
    #[error("the invoice has expired")]
    Expired,
    /// Its application has ended, or the money was returned.
    #[error("the invoice is cancelled")]
    Cancelled,
    /// Another transaction that may still be performed keeps it.
    #[error("the invoice is being paid by another transaction")]
    BeingPaid,
    /// There is no such transaction.
    #[error("there is no such transaction")]
    UnknownTransaction,
    /// The transaction's name was used for another invoice or amount.
    #[error("the transaction is about something else")]
    OtherTransaction,
    /// It was cancelled.
    #[error("the transaction is cancelled")]
    TransactionCancelled,
    /// Nobody performed it in time.
    #[error("the transaction has run out of time")]
    TimedOut,
    /// What was bought with it is being made or was delivered.
    #[error("the transaction cannot be cancelled any more")]
    NotCancellable,
}

impl Objection {
    /// Every objection.
    pub const ALL: [Self; 11] = [
        Self::UnknownInvoice,
        Self::WrongAmount,
        Self::Paid,
        Self::Expired,
        Self::Cancelled,
        Self::BeingPaid,
        Self::UnknownTransaction,
        Self::OtherTransaction,
        Self::TransactionCancelled,
        Self::TimedOut,
        Self::NotCancellable,
    ];

    /// The name in problems, and of its text after `payment-`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownInvoice => "unknown-invoice",
            Self::WrongAmount => "wrong-amount",
            Self::Paid => "already-paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::BeingPaid => "being-paid",
            Self::UnknownTransaction => "unknown-transaction",
            Self::OtherTransaction => "other-transaction",
            Self::TransactionCancelled => "transaction-cancelled",
            Self::TimedOut => "timed-out",
            Self::NotCancellable => "not-cancellable",
        }
    }
}

/// An invoice as somebody who wants to pay it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payable {
    /// What has become of it.
    pub state: InvoiceState,
    /// What is to be paid, in tiyin.
    pub amount_tiyin: i64,
    /// Until when.
    pub expires_at: Timestamp,
    /// A transaction of somebody else keeps it until then.
    pub held_until: Option<Timestamp>,
}

impl Payable {
    /// May a new transaction over this amount begin? What is wrong with the invoice is said before what is wrong with the
    /// amount: a payer who cannot pay at all is not sent away to correct a figure.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn accept(&self, amount_tiyin: i64, now: Timestamp) -> Result<(), Objection> {
        match self.state {
            InvoiceState::Paid => return Err(Objection::Paid),
            InvoiceState::Expired => return Err(Objection::Expired),
            InvoiceState::Cancelled | InvoiceState::Refunded => return Err(Objection::Cancelled),
            InvoiceState::Open if self.expires_at <= now => return Err(Objection::Expired),
            InvoiceState::Open => {}
        }
        if self.held_until.is_some_and(|until| now < until) {
            return Err(Objection::BeingPaid);
        }
        if self.amount_tiyin != amount_tiyin {
            return Err(Objection::WrongAmount);
        }
        Ok(())
    }
}

/// A transaction as decisions see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// What has become of it.
    pub state: PaymentState,
    /// Until when it may be performed.
    pub held_until: Timestamp,
    /// Why it was cancelled, in Payme's numbers.
    pub cancel_reason: Option<i32>,
}

/// A command has an effect, or had it before: the same call twice does what one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is to be done.
    Now,
    /// It was done before.
    Already,
}

impl Transaction {
    /// Has the money moved?
    ///
    /// # Errors
    /// It was cancelled, ran out of time, or its invoice is not open any more.
    pub fn perform(&self, invoice: InvoiceState, now: Timestamp) -> Result<Effect, Objection> {
        match self.state {
            PaymentState::Performed => Ok(Effect::Already),
            PaymentState::Cancelled if self.cancel_reason == Some(TIMED_OUT) => Err(Objection::TimedOut),
            PaymentState::Cancelled => Err(Objection::TransactionCancelled),
            PaymentState::Created if self.held_until <= now => Err(Objection::TimedOut),
            PaymentState::Created => match invoice {
                InvoiceState::Open => Ok(Effect::Now),
                InvoiceState::Paid => Err(Objection::Paid),
                InvoiceState::Expired => Err(Objection::Expired),
                InvoiceState::Cancelled | InvoiceState::Refunded => Err(Objection::Cancelled),
            },
        }
    }

    /// Is it taken back? After the money has moved only while nothing was made for it, or while we owe it anyway and have
    /// not begun to return it in another way.
    ///
    /// # Errors
    /// [`Objection::NotCancellable`].
    pub fn cancel(&self, application: State, refund: Refundable) -> Result<Effect, Objection> {
        match self.state {
            PaymentState::Cancelled => Ok(Effect::Already),
            PaymentState::Created => Ok(Effect::Now),
            PaymentState::Performed => match (refund, application) {
                (Refundable::Due, _) | (Refundable::NotDue, State::Draft) => Ok(Effect::Now),
                (Refundable::Elsewhere | Refundable::NotDue, _) => Err(Objection::NotCancellable),
            },
        }
    }
}

/// What is known of the refund of a performed transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refundable {
    /// Nothing is owed.
    NotDue,
    /// It is owed, and the provider may return it.
    Due,
    /// It was returned in another way.
    Elsewhere,
}

impl fmt::Display for InvoiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for PaymentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    /// What every command does to a transaction in every state, over an invoice or an application in every state.
    #[test]
    fn the_whole_table_of_transactions() {
        let mut table = String::new();
        for state in PaymentState::ALL {
            let transaction = Transaction { state, held_until: at(100), cancel_reason: None };
            for invoice in InvoiceState::ALL {
                let decided = transaction.perform(invoice, at(99));
                writeln!(table, "perform {state} of an invoice {invoice}: {decided:?}").unwrap();
            }
            for refund in [Refundable::NotDue, Refundable::Due, Refundable::Elsewhere] {
                for application in State::ALL {
                    let decided = transaction.cancel(application, refund);
                    let application = application.as_str();
                    writeln!(table, "cancel {state}, {application}, refund {refund:?}: {decided:?}").unwrap();
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_transaction_runs_out_of_time_to_the_second() {
        let created = Transaction { state: PaymentState::Created, held_until: at(100), cancel_reason: None };
        assert_eq!(created.perform(InvoiceState::Open, at(99)), Ok(Effect::Now));
        assert_eq!(created.perform(InvoiceState::Open, at(100)), Err(Objection::TimedOut));
        let cancelled =
            Transaction { state: PaymentState::Cancelled, cancel_reason: Some(TIMED_OUT), ..created };
        assert_eq!(cancelled.perform(InvoiceState::Open, at(0)), Err(Objection::TimedOut));
    }

    #[test]
    fn an_open_invoice_takes_its_exact_amount_in_time_from_one_payer() {
        let payable = Payable {
            state: InvoiceState::Open,
            amount_tiyin: 2_884_000,
            expires_at: at(100),
            held_until: None,
        };
        assert_eq!(payable.accept(2_884_000, at(99)), Ok(()));
        assert_eq!(payable.accept(2_884_000, at(100)), Err(Objection::Expired));
        for wrong in [2_883_999, 2_884_001, 0, -2_884_000, i64::MAX] {
            assert_eq!(payable.accept(wrong, at(99)), Err(Objection::WrongAmount));
        }
        let held = Payable { held_until: Some(at(50)), ..payable };
        assert_eq!(held.accept(2_884_000, at(49)), Err(Objection::BeingPaid));
        assert_eq!(held.accept(2_884_000, at(50)), Ok(()));
        for (state, objection) in [
            (InvoiceState::Paid, Objection::Paid),
            (InvoiceState::Expired, Objection::Expired),
            (InvoiceState::Cancelled, Objection::Cancelled),
            (InvoiceState::Refunded, Objection::Cancelled),
        ] {
            assert_eq!(Payable { state, ..payable }.accept(1, at(99)), Err(objection));
        }
    }
}
