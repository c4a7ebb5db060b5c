//! The ledger: append-only, in double entry. A row moves an amount from the account it credits to the one it debits, so
//! the sum over all accounts is nought by construction; [`verify`] compares it with what invoices, payments and refunds say.

use std::collections::{BTreeMap, HashMap};

use ca_core::Timestamp;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{invoices, ledger_postings, payments, refunds};
use crate::verification::Finding;

/// What moves.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = ledger_postings, treat_none_as_default_value = false)]
pub(crate) struct Posting {
    invoice_id: String,
    kind: &'static str,
    debit: String,
    credit: String,
    amount_tiyin: i64,
    at: i64,
}

impl Posting {
    fn new(
        invoice: &str,
        kind: &'static str,
        (debit, credit): (&str, &str),
        amount: i64,
        at: Timestamp,
    ) -> Self {
        Self {
            invoice_id: invoice.to_owned(),
            kind,
            debit: debit.to_owned(),
            credit: credit.to_owned(),
            amount_tiyin: amount,
            at: at.unix_millis(),
        }
    }

    /// An invoice is written: it is owed.
    pub(crate) fn charge(invoice: &str, amount: i64, at: Timestamp) -> Self {
        Self::new(invoice, "charge", ("invoice", "fee"), amount, at)
    }

    /// It expired or was cancelled: it is owed no more.
    pub(crate) fn release(invoice: &str, amount: i64, at: Timestamp) -> Self {
        Self::new(invoice, "release", ("fee", "invoice"), amount, at)
    }

    /// A provider has the money for us.
    pub(crate) fn payment(invoice: &str, provider: &str, amount: i64, at: Timestamp) -> Self {
        Self::new(invoice, "payment", (&account(provider), "invoice"), amount, at)
    }

    /// We owe it back.
    pub(crate) fn refund_due(invoice: &str, amount: i64, at: Timestamp) -> Self {
        Self::new(invoice, "refund-due", ("fee", "refund"), amount, at)
    }

    /// It was given back, by a provider, from the cash desk or from the account.
    pub(crate) fn refund(invoice: &str, provider: &str, amount: i64, at: Timestamp) -> Self {
        Self::new(invoice, "refund", ("refund", &account(provider)), amount, at)
    }
}

fn account(provider: &str) -> String {
    format!("provider:{provider}")
}

/// Writes postings. An invoice over nothing moves nothing.
pub(crate) fn post(connection: &mut Connection, mut postings: Vec<Posting>) -> Result<(), StoreError> {
    postings.retain(|posting| posting.amount_tiyin > 0);
    if !postings.is_empty() {
        insert_all!(connection, ledger_postings::table, &postings)?;
    }
    Ok(())
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Invoices looked at.
    pub invoices: u64,
    /// Postings looked at.
    pub postings: u64,
    /// The balance of each account, in tiyin: debits less credits.
    pub accounts: BTreeMap<String, i64>,
    /// Everything that must not be.
    pub findings: Vec<Finding>,
}

const PAGE: i64 = 1000;

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = BigInt)]
    balance: i64,
}

#[derive(Queryable)]
struct InvoiceRow {
    id: String,
    state: String,
    amount: i64,
}

#[derive(Queryable)]
struct PaymentRow {
    invoice: String,
    provider: String,
    state: String,
    performed: Option<i64>,
}

#[derive(Queryable)]
struct RefundRow {
    invoice: String,
    state: String,
    way: Option<String>,
}

#[derive(Queryable)]
struct PostingRow {
    invoice: String,
    kind: String,
    debit: String,
    credit: String,
    amount: i64,
}

/// Looks at every invoice with its payments, refund and postings.
///
/// # Errors
/// The database's.
pub fn verify(connection: &mut Connection) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let sums: Vec<Sum> = diesel::sql_query(
        "SELECT account, CAST(sum(amount) AS BIGINT) AS balance FROM (\
           SELECT debit AS account, amount_tiyin AS amount FROM ledger_postings \
           UNION ALL SELECT credit, -amount_tiyin FROM ledger_postings) AS entries GROUP BY account",
    )
    .load(connection)?;
    report.accounts = sums.into_iter().map(|sum| (sum.account, sum.balance)).collect();
    if report.accounts.values().map(|balance| i128::from(*balance)).sum::<i128>() != 0 {
        report
            .findings
            .push(Finding { object: "ledger".to_owned(), rule: "all accounts together are nought" });
    }
    let mut after = String::new();
    loop {
        let page: Vec<InvoiceRow> = invoices::table
            .filter(invoices::id.gt(&after))
            .order(invoices::id)
            .limit(PAGE)
            .select((invoices::id, invoices::state, invoices::amount_tiyin))
            .load(connection)?;
        let Some(last) = page.last() else { return Ok(report) };
        after.clone_from(&last.id);
        check(connection, &page, &mut report)?;
    }
}

fn by_invoice<T>(rows: Vec<T>, invoice: impl Fn(&T) -> &str) -> HashMap<String, Vec<T>> {
    let mut by = HashMap::<String, Vec<T>>::new();
    for row in rows {
        by.entry(invoice(&row).to_owned()).or_default().push(row);
    }
    by
}

fn check(connection: &mut Connection, page: &[InvoiceRow], report: &mut Report) -> Result<(), StoreError> {
    let ids: Vec<&str> = page.iter().map(|row| row.id.as_str()).collect();
    let postings: Vec<PostingRow> = ledger_postings::table
        .filter(ledger_postings::invoice_id.eq_any(&ids))
        .select((
            ledger_postings::invoice_id,
            ledger_postings::kind,
            ledger_postings::debit,
            ledger_postings::credit,
            ledger_postings::amount_tiyin,
        ))
        .load(connection)?;
    let paid: Vec<PaymentRow> = payments::table
        .filter(payments::invoice_id.eq_any(&ids))
        .select((payments::invoice_id, payments::provider, payments::state, payments::performed_at))
        .load(connection)?;
    let owed: Vec<RefundRow> = refunds::table
        .filter(refunds::invoice_id.eq_any(&ids))
        .select((refunds::invoice_id, refunds::state, refunds::way))
        .load(connection)?;
    report.invoices += page.len() as u64;
    report.postings += postings.len() as u64;
    let postings = by_invoice(postings, |row| &row.invoice);
    let paid = by_invoice(paid, |row| &row.invoice);
    let owed = by_invoice(owed, |row| &row.invoice);
    for invoice in page {
        let rows = |id: &str| postings.get(id).map_or(&[][..], Vec::as_slice);
        let paid = paid.get(&invoice.id).map_or(&[][..], Vec::as_slice);
        let owed = owed.get(&invoice.id).and_then(|rows| rows.first());
        for rule in broken(invoice, rows(&invoice.id), paid, owed) {
            report.findings.push(Finding { object: format!("invoice:{}", invoice.id), rule });
        }
    }
    Ok(())
}

/// The rules that an invoice and what belongs to it break.
fn broken(
    invoice: &InvoiceRow,
    postings: &[PostingRow],
    paid: &[PaymentRow],
    owed: Option<&RefundRow>,
) -> Vec<&'static str> {
    let posted = |kind: &str| postings.iter().find(|row| row.kind == kind);
    let free = invoice.amount == 0;
    let moved: Vec<&PaymentRow> = paid.iter().filter(|row| row.performed.is_some()).collect();
    let standing = paid.iter().filter(|row| row.state == "performed").count();
    let (is_paid, is_refunded) = (invoice.state == "paid", invoice.state == "refunded");
    let ended = matches!(invoice.state.as_str(), "expired" | "cancelled");
    let mut rules = Vec::new();
    let mut must = |holds: bool, rule| {
        if !holds {
            rules.push(rule);
        }
    };
    must(
        postings.iter().all(|row| row.amount == invoice.amount),
        "a posting moves the invoice's whole amount",
    );
    must(posted("charge").is_some() != free, "an invoice is charged once, unless it is over nothing");
    must(
        posted("release").is_some() == (ended && !free),
        "what expired or was cancelled is released, and nothing else",
    );
    must(
        posted("payment").is_some() == ((is_paid || is_refunded) && !free),
        "what was paid has a payment in the ledger, and nothing else",
    );
    must(moved.len() <= 1, "an invoice is paid at most once");
    must(
        moved.first().map(|row| account(&row.provider)) == posted("payment").map(|row| row.debit.clone()),
        "the ledger's payment is a provider's transaction",
    );
    must(!is_paid || free || standing == 1, "a paid invoice has a performed transaction");
    must(owed.is_some() == posted("refund-due").is_some(), "a refund that is due is posted");
    must(
        owed.is_some_and(|refund| refund.state == "done") == is_refunded
            && is_refunded == posted("refund").is_some(),
        "what was refunded was due, and is posted",
    );
    if let (Some(refund), Some(posting), Some(payment)) = (owed, posted("refund"), moved.first()) {
        let from = match refund.way.as_deref() {
            Some("provider") | None => payment.provider.as_str(),
            Some(way) => way,
        };
        must(posting.credit == account(from), "a refund comes from where it was executed");
    }
    rules
}
