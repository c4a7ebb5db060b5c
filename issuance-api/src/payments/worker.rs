//! Calls providers: refunds they execute, bills they show; and compares yesterday with their statements.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use ca_core::Timestamp;
use ca_core::calendar::{end_of_hours, full_date, parse_full_date, tashkent_date};
use futures_util::future::join_all;
use serde_json::Value;
use store::bills::{self, Outcome};
use store::jobs::{self, Job, JobKind};
use store::{Connection, StoreError, applications, invoices, payments, reconciliations, refunds};
use tokio::sync::watch;

use super::click::merchant::{CallError, Merchant};
use super::reconciliation;
use crate::auth::Token;
use crate::context::Context;

/// What is done here.
const KINDS: [JobKind; 3] = [JobKind::ExecuteRefund, JobKind::SendBill, JobKind::Reconcile];
/// The queue is looked at this often.
const IDLE: Duration = Duration::from_millis(500);
/// Jobs claimed at a time; they are done side by side.
const BATCH: usize = 8;
/// A claim is free for another worker this long after a provider could still be busy with it.
const MARGIN: Duration = Duration::from_secs(20);
/// A bill is asked about this often until it is paid or refused.
const BILL_ASKED: Duration = Duration::from_secs(60);
/// A statement that is not there yet is looked for this often.
const STATEMENT_ASKED: Duration = Duration::from_secs(600);

/// Works until `stop` turns true.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let owner = Token::random().map_or_else(
        |_| format!("payments-{}", std::process::id()),
        |token| format!("payments-{}", token.reveal()),
    );
    while !*stop.borrow() {
        match round(&context, &owner).await {
            Ok(done) if done > 0 => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "calls to payment providers wait"),
        }
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Claims what is due and does it. Returns how many jobs there were.
async fn round(context: &Arc<Context>, owner: &str) -> Result<usize, StoreError> {
    let now = context.now();
    let patience = context.providers.merchant.as_ref().map_or(Duration::ZERO, Merchant::patience);
    let name = owner.to_owned();
    let due = look_up(context, move |c| {
        KINDS.into_iter().map(|kind| jobs::any_due(c, kind, now)).collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let mut done = 0;
    for (kind, _) in KINDS.into_iter().zip(due).filter(|(_, due)| *due) {
        let name = name.clone();
        // Two calls may stand behind a job: what became of the last attempt, and another one.
        let lease = patience * 2 + MARGIN;
        let claimed = in_database(context, move |c| jobs::claim(c, kind, &name, now, lease, BATCH)).await?;
        done += claimed.len();
        for settled in join_all(claimed.into_iter().map(|job| settle(context, kind, job))).await {
            settled?;
        }
    }
    Ok(done)
}

/// What is to become of a job.
enum Fate {
    /// It is done, or there is nothing to do.
    Done,
    /// It is looked at again then; that is no failure.
    Later(Timestamp),
    /// It failed, for this reason; worth another try.
    Failed(String),
}

async fn settle(context: &Arc<Context>, kind: JobKind, job: Job) -> Result<(), StoreError> {
    let fate = match kind {
        JobKind::ExecuteRefund => refund(context, &job).await,
        JobKind::SendBill => bill(context, &job).await,
        _ => compare(context, &job).await,
    };
    let fate = fate.unwrap_or_else(|error| Fate::Failed(error.to_string()));
    let now = context.now();
    in_database(context, move |c| match &fate {
        Fate::Done => jobs::complete(c, &[job.id]),
        Fate::Later(at) => jobs::postpone(c, &job, *at),
        Fate::Failed(reason) => {
            let dead = jobs::retry(c, &job, reason, now)?;
            // What a provider does not do falls back to people.
            match kind {
                JobKind::ExecuteRefund if dead => {
                    refunds::give_back(c, &job.key, "clock", reason, now).map(|_| ())
                }
                JobKind::SendBill if dead => {
                    bills::note(c, &job.key, &Outcome::Failed(reason.clone()), now)?;
                    jobs::complete(c, &[job.id])
                }
                _ => Ok(()),
            }
        }
    })
    .await
}

/// Has CLICK return a payment. What became of an earlier attempt is asked first: it may have had success.
async fn refund(context: &Arc<Context>, job: &Job) -> Result<Fate, StoreError> {
    let id = job.key.clone();
    let owed = look_up(context, move |c| refunds::owed(c, &id)).await?;
    let Some(merchant) = &context.providers.merchant else {
        return Ok(Fate::Failed("click is not called here".to_owned()));
    };
    if owed.refund.state != "executing" {
        return Ok(Fate::Done);
    }
    let details: Value = serde_json::from_str(&owed.payment.details).unwrap_or_default();
    let Some(document) = details["click_paydoc_id"].as_str() else {
        return give_back(context, &owed.refund.id, "click's number of the payment is not known").await;
    };
    let now = context.now();
    let returned = job.attempt > 1 && matches!(merchant.payment_is_cancelled(document, now).await, Ok(true));
    let done = if returned { Ok(()) } else { merchant.reverse(document, now).await };
    match done {
        Ok(()) => {
            let id = owed.refund.id;
            in_database(context, move |c| refunds::confirm(c, &id, now)).await?;
            Ok(Fate::Done)
        }
        Err(CallError::Refused(code)) => {
            give_back(context, &owed.refund.id, &format!("click refuses: error {code}")).await
        }
        Err(error) => Ok(Fate::Failed(error.to_string())),
    }
}

/// The job leaves the queue with that.
async fn give_back(context: &Arc<Context>, id: &str, reason: &str) -> Result<Fate, StoreError> {
    let (id, reason, now) = (id.to_owned(), reason.to_owned(), context.now());
    in_database(context, move |c| refunds::give_back(c, &id, "provider:click", &reason, now)).await?;
    Ok(Fate::Done)
}

/// Asks for a bill, and then from time to time what has become of it.
async fn bill(context: &Arc<Context>, job: &Job) -> Result<Fate, StoreError> {
    let id = job.key.clone();
    let (bill, invoice, phone) = look_up(context, move |c| {
        let bill = bills::find(c, &id)?;
        let invoice = invoices::find(c, &bill.invoice_id)?;
        let phone = applications::find(c, invoice.application()?)?.phone;
        Ok((bill, invoice, phone))
    })
    .await?;
    let Some(merchant) = &context.providers.merchant else {
        return Ok(Fate::Failed("click is not called here".to_owned()));
    };
    let now = context.now();
    let outcome = if invoice.state == "paid" {
        Outcome::Paid
    } else if !payments::is_open(&invoice, now) {
        Outcome::Cancelled
    } else {
        let asked = match &bill.provider_bill {
            None => {
                let created = merchant.create_bill(&invoice.number, invoice.amount_tiyin, &phone, now).await;
                created.map(Outcome::Sent)
            }
            Some(named) => match merchant.bill_is_cancelled(named, now).await {
                Ok(false) => return Ok(Fate::Later(now.plus(BILL_ASKED))),
                Ok(true) => Ok(Outcome::Cancelled),
                Err(error) => Err(error),
            },
        };
        match asked {
            Ok(outcome) => outcome,
            Err(CallError::Refused(code)) => Outcome::Failed(format!("click refuses: error {code}")),
            Err(error) => return Ok(Fate::Failed(error.to_string())),
        }
    };
    let sent = matches!(outcome, Outcome::Sent(_));
    in_database(context, move |c| bills::note(c, &bill.id, &outcome, now)).await?;
    Ok(if sent { Fate::Later(now.plus(BILL_ASKED)) } else { Fate::Done })
}

/// Compares a provider's day with its statement, once that is there.
async fn compare(context: &Arc<Context>, job: &Job) -> Result<Fate, StoreError> {
    let named = job.key.split_once('/');
    let Some((provider, day)) = named.and_then(|(name, day)| Some((name, parse_full_date(day).ok()?))) else {
        return Ok(Fate::Failed("not a provider and a day".to_owned()));
    };
    let Some(folder) = &context.settings.payments.reconciliation.directory else { return Ok(Fate::Done) };
    let Some(file) = reconciliation::file_of(folder, provider, day) else {
        let now = context.now();
        tracing::warn!(provider, day = full_date(day), "a payment provider's statement is not there");
        // Four days of patience; then the job fails until it is dead, for an officer to see.
        let late = now.since(ca_core::calendar::tashkent_midnight(day)) > Duration::from_secs(4 * 24 * 3600);
        return Ok(if late {
            Fate::Failed("the statement is not there".to_owned())
        } else {
            Fate::Later(now.plus(STATEMENT_ASKED))
        });
    };
    let (shared, provider, now) = (Arc::clone(context), provider.to_owned(), context.now());
    let compared = blocking(move || {
        let theirs = match reconciliation::read(&file) {
            Ok(theirs) => theirs,
            Err(error) => return Ok(Err(error.to_string())),
        };
        reconciliation::reconcile(&shared.database, &provider, (day, day), &theirs, now).map(Ok)
    })
    .await?;
    match compared {
        Ok(found) if found.differences.is_empty() => {}
        Ok(found) => tracing::error!(
            job = %job.key,
            differences = found.differences.len(),
            "the ledger and a payment provider's statement differ"
        ),
        Err(reason) => return Ok(Fate::Failed(reason)),
    }
    Ok(Fate::Done)
}

/// Every morning yesterday is to be compared, for each provider.
///
/// # Errors
/// The database's.
pub(crate) fn plan(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    let settings = &context.settings.payments.reconciliation;
    if settings.directory.is_none() || end_of_hours(now, 0, settings.hour).is_some() {
        return Ok(());
    }
    let Some(yesterday) = tashkent_date(now).previous_day().map(full_date) else { return Ok(()) };
    context.database.write(|c| {
        for provider in context.providers.names() {
            reconciliations::request(c, provider, &yesterday, now, now)?;
        }
        Ok(())
    })
}

/// Without the write lock, which others need more.
async fn look_up<T: Send + 'static>(
    context: &Arc<Context>,
    f: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let database = context.database.clone();
    blocking(move || database.read(f)).await
}

async fn in_database<T: Send + 'static>(
    context: &Arc<Context>,
    f: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let database = context.database.clone();
    blocking(move || database.write(f)).await
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    web::block(f).await.map_err(|error| StoreError::Unavailable(error.to_string()))?
}
