//! What the entries of the audit log tell of: what officers signed, and the certificates that were issued.

use std::collections::HashMap;

use ca_core::SerialNumber;
use ca_core::audit::{Attachment, Entry, Hash};
use ca_core::digest::sha256;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{certificates, officer_statements};

/// An issuer and a serial number.
type Named = (String, SerialNumber);

/// What stands beside each of these entries, in their order; nothing is believed because it is there. Certificates only if they are
/// wanted.
///
/// # Errors
/// The database's.
pub fn beside(
    connection: &mut Connection,
    entries: &[Entry],
    with_certificates: bool,
) -> Result<Vec<Option<Attachment>>, StoreError> {
    let mut statements = statements(connection, entries)?;
    let mut certificates = if with_certificates { issued(connection, entries)? } else { HashMap::new() };
    // One entry tells of each: another of the same page stands alone.
    let beside = |entry: &Entry| match signed_in(entry) {
        Some(sha256) => statements.remove(&sha256),
        None => certificates.remove(&issued_in(entry)?).map(Attachment::Certificate),
    };
    Ok(entries.iter().map(beside).collect())
}

/// The statement that an entry tells of: its SHA-256.
fn signed_in(entry: &Entry) -> Option<Hash> {
    if entry.action != "statement.sign" {
        return None;
    }
    let details: serde_json::Value = serde_json::from_str(&entry.details).ok()?;
    hex::decode(details["sha256"].as_str()?).ok()?.try_into().ok()
}

/// The certificate that an entry tells of.
fn issued_in(entry: &Entry) -> Option<Named> {
    let (issuer, serial) = entry.object.strip_prefix("certificate:")?.split_once('/')?;
    Some((issuer.to_owned(), serial.parse().ok()?)).filter(|_| entry.action == "certificate.issue")
}

fn statements(
    connection: &mut Connection,
    entries: &[Entry],
) -> Result<HashMap<Hash, Attachment>, StoreError> {
    let told: Vec<Hash> = entries.iter().filter_map(signed_in).collect();
    let mut found = HashMap::new();
    for some in told.chunks(1000) {
        let some: Vec<&[u8]> = some.iter().map(|sha256| sha256.as_slice()).collect();
        let rows: Vec<(Vec<u8>, Vec<u8>)> = officer_statements::table
            .filter(officer_statements::sha256.eq_any(some))
            .select((officer_statements::statement, officer_statements::signature))
            .load(connection)?;
        // By what it is, whatever the column says.
        let named = |(text, signature): (Vec<u8>, Vec<u8>)| {
            (sha256(&text), Attachment::Statement { text, signature })
        };
        found.extend(rows.into_iter().map(named));
    }
    Ok(found)
}

fn issued(connection: &mut Connection, entries: &[Entry]) -> Result<HashMap<Named, Vec<u8>>, StoreError> {
    let told: Vec<Named> = entries.iter().filter_map(issued_in).collect();
    let mut found = HashMap::new();
    for some in told.chunks(1000) {
        let serials: Vec<&[u8]> = some.iter().map(|(_, serial)| serial.as_bytes()).collect();
        let rows: Vec<(String, Vec<u8>, Vec<u8>)> = certificates::table
            .filter(certificates::serial.eq_any(serials))
            .select((certificates::issuer_id, certificates::serial, certificates::certificate))
            .load(connection)?;
        let named = |(issuer, serial, der): (String, Vec<u8>, Vec<u8>)| {
            Some(((issuer, SerialNumber::try_from(&serial[..]).ok()?), der))
        };
        found.extend(rows.into_iter().filter_map(named));
    }
    Ok(found)
}
