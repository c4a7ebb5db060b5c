//! What a provider says it took is compared with what Muhr says it got.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::Said;
use crate::payments::{
    Bank, Click, DAY, Due, Payme, Paynet, Receipt, Report, day, ledger_holds, now, rfc3339, start,
};
use crate::stack::{Database, Stack, eventually, fresh_folder};

on_both_databases!(
    paymes_statement_is_compared_with_ours_entry_by_entry,
    a_table_of_any_provider_is_compared_with_ours_entry_by_entry,
    a_statement_that_cannot_be_read_is_refused,
    yesterdays_statement_is_compared_by_itself_and_once,
    a_ledger_that_somebody_changed_is_found,
);

/// Compares yesterday, today and tomorrow, in Tashkent.
fn reconcile(stack: &Stack, provider: &str, file: &str, text: &str) -> Said {
    let statement: PathBuf = stack.folder.join(file);
    fs::write(&statement, text).expect("our folder");
    let (from, to) = (day(now() - DAY), day(now() + DAY));
    let statement = statement.display().to_string();
    stack.muhr(&[
        "ledger",
        "reconcile",
        "--provider",
        provider,
        "--from",
        &from,
        "--to",
        &to,
        "--statement",
        &statement,
    ])
}

/// `transaction kind` of each difference, in order, after the last line has counted them.
#[track_caller]
fn differences(said: &Said) -> Vec<String> {
    let parse = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", said.all()))
    };
    let lines: Vec<Value> = said.out.lines().map(parse).collect();
    let (last, found) = lines.split_last().unwrap_or_else(|| panic!("nothing was said: {}", said.all()));
    assert_eq!(last["differences"], found.len(), "{}", said.all());
    assert_eq!(said.success, found.is_empty(), "{}", said.all());
    let text = |line: &Value, member: &str| {
        let value = &line[member];
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    };
    for line in found {
        let members = line.as_object().unwrap_or_else(|| panic!("no object: {line}"));
        assert!(members.contains_key("ours") && members.contains_key("theirs"), "{line}");
    }
    let mut all: Vec<String> =
        found.iter().map(|line| format!("{} {}", text(line, "transaction"), text(line, "kind"))).collect();
    all.sort();
    all
}

#[track_caller]
fn differ(said: &Said, mut expected: Vec<String>) {
    expected.sort();
    assert_eq!(differences(said), expected, "{}", said.all());
}

fn paymes_statement_is_compared_with_ours_entry_by_entry(database: Database) {
    let stack = start(database, &[]);
    let payme = Payme::new(&stack);
    let dues = Due::many(&stack, 5);
    let receipts: Vec<Receipt> = dues[..4].iter().map(|due| payme.pays(&due.number, due.amount)).collect();
    let cancelled = Receipt::over(&dues[4].number, dues[4].amount);
    payme.create(&cancelled).well();
    payme.cancel(&cancelled, 3).well();
    // Another provider's payments are no business of Payme's.
    let other = Due::fresh(&stack);
    Bank::new(&stack).pays(&other.number, other.amount);
    let statement = payme.statement((now() - DAY) * 1000, (now() + DAY) * 1000).well();
    let entries = statement["transactions"].as_array().expect("a list").clone();
    assert_eq!(entries.len(), 5, "{statement}");
    let with = |entries: &[Value]| json!({"transactions": entries}).to_string();
    differ(&reconcile(&stack, "payme", "equal.json", &with(&entries)), vec![]);

    let position = |receipt: &Receipt| {
        entries.iter().position(|entry| entry["id"] == receipt.id.as_str()).expect("it is listed")
    };
    let mut changed = entries.clone();
    changed[position(&receipts[0])]["amount"] = json!(receipts[0].amount + 1);
    changed[position(&receipts[1])]["state"] = json!(-2);
    let mut unknown = entries[position(&receipts[2])].clone();
    unknown["id"] = json!("65a1b2c3ffffffffffffffff");
    changed.push(unknown);
    changed.remove(position(&receipts[3]));
    let said = reconcile(&stack, "payme", "different.json", &with(&changed));
    differ(
        &said,
        vec![
            format!("{} amount", receipts[0].id),
            format!("{} state", receipts[1].id),
            "65a1b2c3ffffffffffffffff missing-here".to_owned(),
            format!("{} missing-there", receipts[3].id),
        ],
    );
    // Nothing was mended by looking.
    for due in &dues[..4] {
        due.is_paid_by(&stack, "payme");
    }
    ledger_holds(&stack);
}

fn a_table_of_any_provider_is_compared_with_ours_entry_by_entry(database: Database) {
    let stack = start(database, &[]);
    let (click, paynet, bank) = (Click::new(&stack), Paynet::new(&stack), Bank::new(&stack));
    for provider in ["click", "paynet", "bank"] {
        let dues = Due::many(&stack, 4);
        let transactions: Vec<String> = dues
            .iter()
            .map(|due| match provider {
                "click" => click.pays(&due.number, due.amount).id.to_string(),
                "paynet" => paynet.pays(&due.number, due.amount).to_string(),
                _ => bank.pays(&due.number, due.amount).transaction,
            })
            .collect();
        let at = rfc3339(now());
        let table = |rows: &[(&str, i64, &str)]| {
            let lines = rows
                .iter()
                .map(|(transaction, amount, state)| format!("{transaction},{amount},{state},{at}\n"));
            ["transaction,amount_tiyin,state,at\n".to_owned()].into_iter().chain(lines).collect::<String>()
        };
        let equal: Vec<(&str, i64, &str)> = transactions
            .iter()
            .zip(&dues)
            .map(|(transaction, due)| (transaction.as_str(), due.amount, "performed"))
            .collect();
        differ(&reconcile(&stack, provider, "equal.csv", &table(&equal)), vec![]);
        let mut changed = equal.clone();
        changed[0].1 -= 1;
        changed[1].2 = "cancelled";
        changed[2].0 = "4000000000";
        let said = reconcile(&stack, provider, "different.csv", &table(&changed));
        differ(
            &said,
            vec![
                format!("{} amount", transactions[0]),
                format!("{} state", transactions[1]),
                "4000000000 missing-here".to_owned(),
                format!("{} missing-there", transactions[2]),
            ],
        );
        let all: Vec<String> =
            transactions.iter().map(|transaction| format!("{transaction} missing-there")).collect();
        differ(&reconcile(&stack, provider, "empty.csv", &table(&[])), all);
    }
    ledger_holds(&stack);
}

fn a_statement_that_cannot_be_read_is_refused(database: Database) {
    let stack = start(database, &[]);
    let at = rfc3339(now());
    let row = |text: &str| format!("transaction,amount_tiyin,state,at\n{text}\n");
    for (provider, file, text) in [
        ("payme", "bad.json", "{".to_owned()),
        ("payme", "bad.json", "[]".to_owned()),
        ("payme", "bad.json", json!({"transactions": [{"id": 1}]}).to_string()),
        ("bank", "bad.csv", String::new()),
        ("bank", "bad.csv", "a,b,c\n1,2,3\n".to_owned()),
        ("bank", "bad.csv", row("T-1")),
        ("bank", "bad.csv", row(&format!("T-1,much,performed,{at}"))),
        ("bank", "bad.csv", row(&format!("T-1,1,lost,{at}"))),
        ("nobody", "good.csv", "transaction,amount_tiyin,state,at\n".to_owned()),
    ] {
        let said = reconcile(&stack, provider, file, &text);
        assert!(!said.success, "{provider} {text:?}: {}", said.all());
        assert!(!said.out.contains("\"differences\":0"), "{provider} {text:?}: {}", said.all());
        assert!(!said.err.contains("panicked"), "{provider} {text:?}: {}", said.all());
    }
    let absent = stack.folder.join("absent.csv").display().to_string();
    let today = day(now());
    let arguments =
        ["ledger", "reconcile", "--provider", "bank", "--from", &today, "--to", &today, "--statement"];
    let said = stack.muhr(&[arguments.as_slice(), &[absent.as_str()]].concat());
    said.refused_with("absent.csv");
}

fn yesterdays_statement_is_compared_by_itself_and_once(database: Database) {
    let folder = fresh_folder();
    let directory = folder.display().to_string();
    let settings = [
        ("PAYMENTS__RECONCILIATION__DIRECTORY", directory.as_str()),
        ("PAYMENTS__RECONCILIATION__HOUR", "0"),
    ];
    let mut stack = start(database, &settings);
    let bank = Bank::new(&stack);
    let dues = Due::many(&stack, 2);
    let reports: Vec<Report> = dues.iter().map(|due| bank.pays(&due.number, due.amount)).collect();
    let today = day(now());
    let at = rfc3339(now());
    let (right, wrong) = (dues[0].amount, dues[1].amount + 1);
    let rows = [(&reports[0], right), (&reports[1], wrong)]
        .map(|(report, amount)| format!("{},{amount},performed,{at}\n", report.transaction));
    let table = format!("transaction,amount_tiyin,state,at\n{}", rows.concat());
    fs::write(folder.join(format!("bank-{today}.csv")), table).expect("our folder");

    stack.travel(DAY);
    let kept = format!("FROM reconciliations WHERE provider = 'bank' AND first_day = '{today}'");
    let columns = format!("SELECT first_day, last_day, ours, theirs {kept}");
    let expected = [format!("{today}|{today}|2|2")];
    eventually("yesterday is compared", Duration::from_secs(60), || {
        (stack.rows(&columns) == expected).then_some(())
    });
    let found = stack.rows(&format!("SELECT differences {kept}")).concat();
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"));
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["transaction"], reports[1].transaction.as_str(), "{found}");
    assert_eq!(found[0]["kind"], "amount", "{found}");
    stack.travel(DAY + 60);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stack.rows(&columns), expected, "once is enough");
}

/// What an insider with access to the database would do: an invoice that is paid by nothing.
fn a_ledger_that_somebody_changed_is_found(database: Database) {
    let stack = start(database, &[]);
    let [paid, forged] = [(); 2].map(|()| Due::fresh(&stack));
    Bank::new(&stack).pays(&paid.number, paid.amount);
    ledger_holds(&stack);
    for statement in ["UPDATE ledger_postings SET at = at + 1", "DELETE FROM ledger_postings"] {
        let said = stack.try_rows(statement);
        assert!(!said.success, "the ledger is append-only: {}", said.all());
    }
    let forgery = stack.try_rows(&format!("UPDATE invoices SET state = 'paid' WHERE id = '{}'", forged.id));
    if !forgery.success {
        // The database itself does not let it happen.
        return;
    }
    let said = stack.muhr(&["ledger", "verify"]);
    assert!(!said.success, "{}", said.all());
    let line = said.out.lines().last().unwrap_or_default();
    let verdict: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", said.all()));
    let findings = verdict["findings"].to_string();
    assert!(
        findings.contains(&forged.number) || findings.contains(&forged.id),
        "it says which: {}",
        said.all()
    );
    assert!(!findings.contains(&paid.number) && !findings.contains(&paid.id), "and no other: {}", said.all());
}
