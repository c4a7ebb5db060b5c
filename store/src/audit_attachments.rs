//! What the entries of the audit log tell of: what officers signed, and the certificates that were issued.

use std::collections::{BTreeSet, HashMap};

use ca_core::SerialNumber;
use ca_core::audit::{Attachment, Entry, Hash};
use ca_core::digest::sha256;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::officer_statements::{self, StoredStatement};
use crate::schema::certificates;

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
    let statements = statements(connection, entries)?;
    let certificates = if with_certificates { issued(connection, entries)? } else { HashMap::new() };
    let beside = |entry: &Entry| {
        if let Some(sha256) = signed_in(entry) {
            let StoredStatement { statement: text, signature } = statements.get(&sha256)?.clone();
            return Some(Attachment::Statement { text, signature });
        }
        certificates.get(&issued_in(entry)?).map(|der| Attachment::Certificate(der.clone()))
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
fn issued_in(entry: &Entry) -> Option<SerialNumber> {
    let (_, serial) = entry.object.strip_prefix("certificate:")?.split_once('/')?;
    serial.parse().ok().filter(|_| entry.action == "certificate.issue")
}

fn statements(
    connection: &mut Connection,
    entries: &[Entry],
) -> Result<HashMap<Hash, StoredStatement>, StoreError> {
    let told = entries.iter().filter(|entry| signed_in(entry).is_some());
    let objects: BTreeSet<String> = told.map(|entry| entry.object.clone()).collect();
    let objects: Vec<String> = objects.into_iter().collect();
    let mut found = HashMap::new();
    for some in objects.chunks(1000) {
        let about = officer_statements::about(connection, some)?;
        found.extend(about.into_values().flatten().map(|stored| (sha256(&stored.statement), stored)));
    }
    Ok(found)
}

fn issued(
    connection: &mut Connection,
    entries: &[Entry],
) -> Result<HashMap<SerialNumber, Vec<u8>>, StoreError> {
    let serials: Vec<SerialNumber> = entries.iter().filter_map(issued_in).collect();
    let mut found = HashMap::new();
    for some in serials.chunks(1000) {
        let serials: Vec<&[u8]> = some.iter().map(|serial| serial.as_bytes()).collect();
        let rows: Vec<(Vec<u8>, Vec<u8>)> = certificates::table
            .filter(certificates::serial.eq_any(serials))
            .select((certificates::serial, certificates::certificate))
            .load(connection)?;
        let named =
            |(serial, der): (Vec<u8>, Vec<u8>)| Some((SerialNumber::try_from(&serial[..]).ok()?, der));
        found.extend(rows.into_iter().filter_map(named));
    }
    Ok(found)
}
