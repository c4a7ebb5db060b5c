//! What no program can do, however wrong it is: the database itself refuses.

use store::issuance;

use super::stage::{Ground, intent, now};
use crate::sql::try_rows;
use crate::stack::Database;

on_both_databases!(
    an_application_has_one_certificate,
    an_issuer_uses_a_serial_once,
    an_application_has_one_live_invoice,
    an_application_has_one_intent_that_stands,
    a_certificate_has_its_intent,
    a_state_is_one_of_the_design,
    a_transaction_of_a_provider_pays_once,
    an_invoice_has_one_transaction_that_is_not_cancelled,
    a_posting_moves_the_whole_amount_between_the_accounts_of_its_kind,
    a_posting_is_neither_changed_nor_deleted,
    what_was_paid_is_not_released,
    a_job_of_a_kind_is_queued_once,
);

/// The statement breaks this kind of constraint, in the words of both databases.
#[track_caller]
fn refused(ground: &Ground, sql: &str, constraint: &str) {
    let sql = match ground.is_postgres() {
        true => sql.to_owned(),
        false => format!("PRAGMA foreign_keys = ON; {sql}"),
    };
    let said = try_rows(&ground.address, &sql);
    assert!(!said.success, "the database takes it: {sql}");
    assert!(said.all().to_lowercase().contains(constraint), "{sql}: {}", said.all());
}

/// The insert of a copy of the table's rows under other keys.
fn copy(table: &str, columns: &str, values: &str) -> String {
    format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {table}")
}

const CERTIFICATE: &str = "issuer_id, serial, application_id, profile, subject, common_name, common_name_folded, \
                           spki_sha256, certificate, not_before, not_after, issued_at, status";

fn an_application_has_one_certificate(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    ground.write(|c| issuance::record_intents(c, &[intent(None)], now()));
    let other = "(SELECT serial FROM intents WHERE application_id IS NULL)";
    let values = CERTIFICATE.replace("serial", other);
    refused(&ground, &copy("certificates", CERTIFICATE, &values), "application_id");
}

fn an_issuer_uses_a_serial_once(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    let values = CERTIFICATE.replace("application_id", "NULL");
    refused(&ground, &copy("certificates", CERTIFICATE, &values), "serial");
    let columns = "issuer_id, serial, profile, tbs, state, recorded_at";
    refused(&ground, &copy("intents", columns, columns), "unique");
}

fn an_application_has_one_live_invoice(kind: Database) {
    let ground = Ground::new(kind);
    ground.draft();
    let columns = "id, number, application_id, state, amount_tiyin, bhm_tiyin, bhm_since, rate_basis_points, \
                   discount_basis_points, rule, created_at, expires_at";
    let other = |state: &str| columns.replace("id, number,", "'x', 'x',").replace("state", state);
    for state in ["'open'", "'paid'"] {
        refused(&ground, &copy("invoices", columns, &other(state)), "unique");
    }
    ground.rows(&copy("invoices", columns, &other("'cancelled'")));
}

fn an_application_has_one_intent_that_stands(kind: Database) {
    let ground = Ground::new(kind);
    let id = ground.approved();
    ground.write(|c| issuance::record_intents(c, &[intent(Some(id))], now()));
    let columns = "issuer_id, serial, application_id, profile, tbs, state, recorded_at";
    let octets = if ground.is_postgres() { "'\\x42'::bytea" } else { "x'42'" };
    let values = columns.replace("serial", octets);
    refused(&ground, &copy("intents", columns, &values), "unique");
    ground.rows(&copy("intents", columns, &values.replace("state", "'abandoned'")));
}

fn a_certificate_has_its_intent(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    refused(&ground, "DELETE FROM intents", "foreign key");
}

fn a_state_is_one_of_the_design(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    for (table, column) in [
        ("applications", "state"),
        ("invoices", "state"),
        ("intents", "state"),
        ("certificates", "status"),
        ("jobs", "state"),
        ("officers", "role"),
        ("issuers", "kind"),
    ] {
        refused(&ground, &format!("UPDATE {table} SET {column} = 'paused'"), "check");
    }
}

fn a_transaction_of_a_provider_pays_once(kind: Database) {
    let ground = Ground::new(kind);
    ground.under_review();
    ground.draft();
    let open = "(SELECT id FROM invoices WHERE state = 'open')";
    let columns = "invoice_id, provider, provider_transaction, state, amount_tiyin, provider_time, created_at, held_until, performed_at, details";
    refused(&ground, &copy("payments", columns, &columns.replace("invoice_id", open)), "unique");
}

fn an_invoice_has_one_transaction_that_is_not_cancelled(kind: Database) {
    let ground = Ground::new(kind);
    ground.under_review();
    let columns = "invoice_id, provider, provider_transaction, state, amount_tiyin, provider_time, created_at, held_until, performed_at, details";
    for state in ["'created'", "'performed'"] {
        let another = columns.replace("provider_transaction", "'another'").replace("state", state);
        refused(&ground, &copy("payments", columns, &another), "unique");
    }
}

fn a_posting_moves_the_whole_amount_between_the_accounts_of_its_kind(kind: Database) {
    let ground = Ground::new(kind);
    ground.draft();
    let columns = "invoice_id, kind, debit, credit, amount_tiyin, at";
    let post = |kind: &str, debit: &str, credit: &str, amount: &str| {
        copy("ledger_postings", columns, &format!("invoice_id, {kind}, {debit}, {credit}, {amount}, at"))
    };
    refused(&ground, &post("kind", "debit", "credit", "amount_tiyin"), "unique");
    for (kind, debit, credit) in [
        ("'release'", "'invoice'", "'fee'"),
        ("'payment'", "'invoice'", "'provider:bank'"),
        ("'payment'", "'provider:'", "'invoice'"),
        ("'refund'", "'fee'", "'provider:bank'"),
        ("'gift'", "'provider:bank'", "'fee'"),
    ] {
        refused(&ground, &post(kind, debit, credit, "amount_tiyin"), "check");
    }
    for amount in ["amount_tiyin - 1", "amount_tiyin + 1"] {
        refused(&ground, &post("'release'", "'fee'", "'invoice'", amount), "foreign key");
    }
}

fn a_posting_is_neither_changed_nor_deleted(kind: Database) {
    let ground = Ground::new(kind);
    ground.draft();
    refused(&ground, "UPDATE ledger_postings SET at = at + 1", "append-only");
    refused(&ground, "DELETE FROM ledger_postings", "append-only");
}

fn what_was_paid_is_not_released(kind: Database) {
    let ground = Ground::new(kind);
    ground.under_review();
    let columns = "invoice_id, kind, debit, credit, amount_tiyin, at";
    let released = "invoice_id, 'release', 'fee', 'invoice', amount_tiyin, at";
    let charge = format!("{} WHERE kind = 'charge'", copy("ledger_postings", columns, released));
    refused(&ground, &charge, "unique");
}

fn a_job_of_a_kind_is_queued_once(kind: Database) {
    let ground = Ground::new(kind);
    ground.approved();
    let columns = "kind, dedup_key, payload, state, run_at, attempts, max_attempts, leased_until, created_at";
    refused(&ground, &copy("jobs", columns, columns), "unique");
}
