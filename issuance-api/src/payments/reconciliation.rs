//! Compares the ledger's transactions of some days with what a provider states about them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use ca_core::Timestamp;
use ca_core::calendar::{full_date, tashkent_midnight};
use ca_core::payment::PaymentState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::payments::{self, Payment};
use store::reconciliations::{self, Reconciliation};
use store::{Connection, Database, StoreError};
use time::{Date, Duration};

/// Transactions compared at a time: years of a large authority.
const MOST: i64 = 10_000_000;
/// The longest statement that is read, in octets.
const STATEMENT_MAX: u64 = 1 << 30;

/// A line of a provider's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The provider's name of the transaction.
    pub transaction: String,
    /// In tiyin.
    pub amount_tiyin: i64,
    /// What the provider says has become of it.
    pub state: PaymentState,
}

/// Why a statement cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The file is absent, may not be read, or is longer than any statement.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is no statement.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Counted from 1; 0 for a JSON document as a whole.
        line: usize,
        /// What is expected there.
        reason: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One thing in which the two differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The provider's name of the transaction.
    pub transaction: String,
    /// `missing-here`, `missing-there`, `amount` or `state`.
    pub kind: &'static str,
    /// What we have: an amount in tiyin, or a state; null if nothing.
    pub ours: Value,
    /// What the provider has.
    pub theirs: Value,
}

/// Payme's `GetStatement` result, by itself or with JSON-RPC around it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Answer { result: Transactions },
    Result(Transactions),
}

#[derive(Deserialize)]
struct Transactions {
    transactions: Vec<Stated>,
}

#[derive(Deserialize)]
struct Stated {
    id: String,
    amount: i64,
    state: i64,
}

/// Reads a statement file, `.json` or `.csv` by its name.
///
/// # Errors
/// It cannot be read, or is no statement.
pub fn read(file: &Path) -> Result<Vec<Line>, StatementError> {
    let unreadable = |reason: String| StatementError::Unreadable { file: file.to_owned(), reason };
    let metadata = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?;
    if metadata.len() > STATEMENT_MAX {
        return Err(unreadable("longer than any statement".to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let lines =
        if file.extension().is_some_and(|ending| ending == "json") { json(&text)? } else { csv(&text)? };
    let mut names = HashSet::new();
    for (index, line) in lines.iter().enumerate() {
        if !names.insert(&line.transaction) {
            let reason = format!("transaction {} is there twice", line.transaction);
            return Err(StatementError::Malformed { line: index + 1, reason });
        }
    }
    Ok(lines)
}

fn json(text: &str) -> Result<Vec<Line>, StatementError> {
    let malformed = |reason: String| StatementError::Malformed { line: 0, reason };
    let document: Document = serde_json::from_str(text)
        .map_err(|_| malformed("an object with \"transactions\" is expected".to_owned()))?;
    let (Document::Answer { result } | Document::Result(result)) = document;
    let line = |stated: Stated| {
        let state = match stated.state {
            1 => PaymentState::Created,
            2 => PaymentState::Performed,
            -1 | -2 => PaymentState::Cancelled,
            other => return Err(malformed(format!("{other} is no state of {}", stated.id))),
        };
        Ok(Line { transaction: stated.id, amount_tiyin: stated.amount, state })
    };
    result.transactions.into_iter().map(line).collect()
}

const COLUMNS: [&str; 3] = ["transaction", "amount_tiyin", "state"];

/// `transaction,amount_tiyin,state` and whatever else, in any order, with a line of names. Nothing of that needs quotes.
fn csv(text: &str) -> Result<Vec<Line>, StatementError> {
    let malformed = |line: usize, reason: &str| StatementError::Malformed { line, reason: reason.to_owned() };
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let names: Vec<&str> = lines
        .next()
        .map(|(_, names)| names.split(',').map(str::trim).collect())
        .ok_or_else(|| malformed(1, "a line of names is expected"))?;
    let column = |name| {
        let found = names.iter().position(|known| *known == name);
        found.ok_or_else(|| malformed(1, &format!("a column {name} is expected")))
    };
    let [transaction, amount, state] = [column(COLUMNS[0])?, column(COLUMNS[1])?, column(COLUMNS[2])?];
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let number = index + 1;
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let field = |at: usize| {
                let found = fields.get(at).copied().filter(|text| !text.is_empty());
                found.ok_or_else(|| malformed(number, &format!("{} is empty", names[at])))
            };
            Ok(Line {
                transaction: field(transaction)?.to_owned(),
                amount_tiyin: field(amount)?
                    .parse()
                    .map_err(|_| malformed(number, "amount_tiyin is a whole number"))?,
                state: field(state)?
                    .parse()
                    .map_err(|_| malformed(number, "state is created, performed or cancelled"))?,
            })
        })
        .collect()
}

/// What was compared, and in what the two differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Transactions of ours.
    pub ours: usize,
    /// Transactions of theirs.
    pub theirs: usize,
    /// Every difference, by the transaction's name.
    pub differences: Vec<Difference>,
}

/// Compares the days from `first` to `last` in Tashkent with a statement of them.
///
/// # Errors
/// The database's.
pub fn compare(
    connection: &mut Connection,
    provider: &str,
    (first, last): (Date, Date),
    theirs: &[Line],
) -> Result<Comparison, StoreError> {
    let (from, until) = (tashkent_midnight(first), tashkent_midnight(last + Duration::DAY));
    let to = Timestamp::from_unix_millis(until.unix_millis() - 1);
    let ours = payments::statement(connection, provider, from, to, MOST)?;
    let mut by_name: BTreeMap<String, (Option<Payment>, Option<&Line>)> = ours
        .into_iter()
        .map(|stated| (stated.payment.provider_transaction.clone(), (Some(stated.payment), None)))
        .collect();
    let count = by_name.len();
    for line in theirs {
        let entry = by_name.entry(line.transaction.clone()).or_default();
        entry.1 = Some(line);
        if entry.0.is_none() {
            // The provider may date it on another day than we.
            entry.0 = payments::find(connection, provider, &line.transaction)?;
        }
    }
    let mut differences = Vec::new();
    for (transaction, (ours, theirs)) in by_name {
        differences.extend(differ(&transaction, ours.as_ref(), theirs)?);
    }
    Ok(Comparison { ours: count, theirs: theirs.len(), differences })
}

/// What never moved money is no difference if the other side does not have it.
fn differ(
    transaction: &str,
    ours: Option<&Payment>,
    theirs: Option<&Line>,
) -> Result<Option<Difference>, StoreError> {
    let difference =
        |kind, ours, theirs| Ok(Some(Difference { transaction: transaction.to_owned(), kind, ours, theirs }));
    let moved = |state: PaymentState| state == PaymentState::Performed;
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let state = ours.state()?;
            if ours.amount_tiyin != theirs.amount_tiyin {
                return difference("amount", ours.amount_tiyin.into(), theirs.amount_tiyin.into());
            }
            if moved(state) != moved(theirs.state) {
                return difference("state", state.as_str().into(), theirs.state.as_str().into());
            }
            Ok(None)
        }
        (None, Some(theirs)) if moved(theirs.state) => {
            difference("missing-here", Value::Null, theirs.amount_tiyin.into())
        }
        (Some(ours), None) if moved(ours.state()?) => {
            difference("missing-there", ours.amount_tiyin.into(), Value::Null)
        }
        _ => Ok(None),
    }
}

/// The statement of a provider's day in a folder: `PROVIDER-YYYY-MM-DD.json` or `.csv`.
pub fn file_of(folder: &Path, provider: &str, day: Date) -> Option<PathBuf> {
    let name = format!("{provider}-{}", full_date(day));
    ["json", "csv"]
        .map(|ending| folder.join(format!("{name}.{ending}")))
        .into_iter()
        .find(|file| file.is_file())
}

/// Compares and keeps what was found.
///
/// # Errors
/// The database's.
pub fn reconcile(
    database: &Database,
    provider: &str,
    days: (Date, Date),
    theirs: &[Line],
    now: Timestamp,
) -> Result<Comparison, StoreError> {
    let found = database.read(|connection| compare(connection, provider, days, theirs))?;
    let kept = Reconciliation {
        provider: provider.to_owned(),
        first_day: full_date(days.0),
        last_day: full_date(days.1),
        ours: i64::try_from(found.ours).unwrap_or(i64::MAX),
        theirs: i64::try_from(found.theirs).unwrap_or(i64::MAX),
        differences: serde_json::to_value(&found.differences)
            .map_err(|e| StoreError::Corrupt(e.to_string()))?,
        at: now,
    };
    database.write(|connection| reconciliations::keep(connection, &kept))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_statement_say_the_same() {
        let from_csv = csv("\u{feff}at,transaction,state,amount_tiyin\r\n\
             2026-11-26,T-1,performed,2884000\r\n2026-11-26,T-2, cancelled ,100\r\n\r\n")
        .unwrap();
        let transactions = r#"{"transactions":[{"id":"T-1","amount":2884000,"state":2,"time":1},
            {"id":"T-2","amount":100,"state":-2}]}"#;
        assert_eq!(json(transactions).unwrap(), from_csv);
        assert_eq!(json(&format!(r#"{{"id":1,"result":{transactions}}}"#)).unwrap(), from_csv);
    }

    #[test]
    fn what_is_no_statement_is_refused_with_its_line() {
        for (text, said) in [
            ("", "line 1: a line of names is expected"),
            ("transaction,amount_tiyin\n", "line 1: a column state is expected"),
            ("transaction,amount_tiyin,state\nT,1.5,performed\n", "line 2: amount_tiyin is a whole number"),
            ("transaction,amount_tiyin,state\n\nT,1,paid\n", "line 3: state is created"),
            ("transaction,amount_tiyin,state\nT,1\n", "line 2: state is empty"),
        ] {
            let error = csv(text).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
        for text in ["", "[]", "{}", r#"{"transactions":[{"id":"T","amount":1,"state":7}]}"#] {
            assert!(json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_transaction_that_is_stated_twice_is_refused() {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(&file, "transaction,amount_tiyin,state\nT,1,performed\nT,1,performed\n").unwrap();
        assert!(read(file.path()).unwrap_err().to_string().contains("twice"));
    }
}
