//! A profile is revoked as a whole while relying parties ask.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use x509_ocsp::CertStatus;

use crate::applicant::{Application, SubjectType};
use crate::relying_party::{OCSP_KNOWS, RelyingParty};
use crate::stack::{Database, Stack, eventually};
use crate::stories::database_outage::AtEnd;
use crate::stories::ocsp_faults::ask;

on_both_databases!(answers_stay_right_through_a_mass_revocation);

const CERTIFICATES: u32 = 20_000;

fn answers_stay_right_through_a_mass_revocation(database: Database) {
    let stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    certificates_of_a_profile(&stack, database);
    // From the whole of it, the first and the last included.
    let serials: Vec<String> = (0..40).map(|n| serial(1 + n * (CERTIFICATES - 1) / 39)).collect();
    let questions: Vec<Vec<u8>> =
        serials.iter().map(|serial| relying_party.question("-no_nonce", serial)).collect();
    let untouched = relying_party.question("-no_nonce", &application.serial());
    for question in &questions {
        eventually("OCSP knows them", Duration::from_secs(10), || {
            (status(&relying_party, question) == "good").then_some(())
        });
    }
    let (over, latencies) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let took = thread::scope(|scope| {
        for asker in 0..4 {
            let (over, latencies, questions, relying_party) = (&over, &latencies, &questions, &relying_party);
            scope.spawn(move || {
                let mut revoked = vec![false; questions.len()];
                let mut mine = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    for (question, revoked) in questions.iter().zip(&mut revoked).skip(asker).step_by(4) {
                        let asked = Instant::now();
                        let told = status(relying_party, question);
                        mine.push(asked.elapsed());
                        assert!(!(*revoked && told != "revoked"), "a revocation was taken back: {told}");
                        *revoked = told == "revoked";
                    }
                }
                latencies.lock().expect("no panic").extend(mine);
            });
        }
        let _end = AtEnd(&over);
        let started = Instant::now();
        let said = stack
            .muhr(&["certificate", "mass-revoke", "--profile", "storm", "--reason", "keyCompromise"])
            .well();
        let took = started.elapsed();
        assert!(said.out.contains(&CERTIFICATES.to_string()), "{}", said.all());
        thread::sleep(OCSP_KNOWS);
        for question in &questions {
            assert_eq!(status(&relying_party, question), "revoked");
        }
        assert_eq!(status(&relying_party, &untouched), "good");
        took
    });
    let mut latencies = latencies.into_inner().expect("no panic");
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    eprintln!(
        "{CERTIFICATES} revoked in {took:?} while {} were answered: p50 {:?}, p99 {:?}",
        latencies.len(),
        at(0.5),
        at(0.99)
    );
    // The bound of a busy test machine, not the figure.
    assert!(at(0.99) < Duration::from_secs(1), "p99 {:?}", at(0.99));
}

/// 16 octets, in hex: `M` and the number.
fn serial(number: u32) -> String {
    format!("M{number:015}").bytes().map(|octet| format!("{octet:02x}")).collect()
}

/// Rows as the signer leaves them, but for the octets of the certificates, which nobody asks for here.
fn certificates_of_a_profile(stack: &Stack, database: Database) {
    let (series, octets, key, empty) = match database {
        Database::Sqlite => (
            format!(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {CERTIFICATES})"
            ),
            "CAST(printf('M%015d', n) AS BLOB)",
            "CAST(printf('M%031d', n) AS BLOB)",
            "x'00'",
        ),
        Database::Postgres | Database::PostgresAndToken => (
            format!("WITH n AS (SELECT generate_series(1, {CERTIFICATES}) AS n)"),
            "convert_to('M' || lpad(n::text, 15, '0'), 'UTF8')",
            "convert_to('M' || lpad(n::text, 31, '0'), 'UTF8')",
            "'\\x00'::bytea",
        ),
    };
    let (now, end) = ("1790000000000", "1890000000000");
    for insert in [
        format!(
            "INSERT INTO intents (issuer_id, serial, profile, tbs, state, recorded_at) \
             {series} SELECT 'ca', {octets}, 'storm', {empty}, 'recorded', {now} FROM n"
        ),
        format!(
            "INSERT INTO certificates (issuer_id, serial, profile, subject, common_name, common_name_folded, spki_sha256, \
             certificate, not_before, not_after, issued_at, status) \
             {series} SELECT 'ca', {octets}, 'storm', '', '', '', {key}, {empty}, {now}, {end}, {now}, 'good' FROM n"
        ),
        format!(
            "INSERT INTO status_changes (kind, issuer_id, serial, not_after, status, at) \
             {series} SELECT 'issued', 'ca', {octets}, {end}, 'good', {now} FROM n"
        ),
    ] {
        stack.try_rows(&insert).well();
    }
}

fn status(relying_party: &RelyingParty, question: &[u8]) -> &'static str {
    match ask(relying_party, question).expect("a successful response").status {
        CertStatus::Good(_) => "good",
        CertStatus::Revoked(_) => "revoked",
        CertStatus::Unknown(_) => "unknown",
    }
}
