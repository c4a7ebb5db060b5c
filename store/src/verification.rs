//! Does every certificate stand on a paid, reviewed, approved application? Asked of the rows themselves.

mod approvals;
mod log;

use std::collections::{HashMap, HashSet};

use ca_core::audit::{Trust, is_subscribers};
use ca_core::digest::sha256;
use ca_core::fee::names_benefit;
use ca_core::issue::Certificate;
use ca_core::revocation::Status;
use diesel::prelude::*;

use crate::certificates::{STATUS, StatusColumns};
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{
    application_events, applications, audit_entries, certificates, intents, invoices, payments,
};

use approvals::Witnesses;
pub use log::{LogReport, verify_log};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `certificate:<issuer>/<serial>` or `application:<id>`.
    pub object: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Certificates looked at.
    pub certificates: u64,
    /// Issued applications looked at.
    pub applications: u64,
    /// Everything that must not be.
    pub findings: Vec<Finding>,
}

const PAGE: i64 = 1000;

const ISSUE: &str = "certificate.issue";
const SUSPENDED: &str = "certificate.suspended";
const RESTORED: &str = "certificate.restored";
const REVOKED: &str = "certificate.revoked";

#[derive(Queryable)]
struct CertificateRow {
    id: i64,
    issuer: String,
    serial: Vec<u8>,
    application: Option<String>,
    profile: String,
    der: Vec<u8>,
    not_before: i64,
    status: StatusColumns,
}

/// Looks at every certificate and at every issued application; with `trust`, at the signatures of the officers as well.
///
/// # Errors
/// The database's.
pub fn verify(connection: &mut Connection, trust: Option<&Trust>) -> Result<Report, StoreError> {
    let witnesses = trust.map(Witnesses::from);
    let mut report = Report::default();
    let mut after = 0;
    loop {
        let page: Vec<CertificateRow> = certificates::table
            .filter(certificates::id.gt(after))
            .order(certificates::id)
            .limit(PAGE)
            .select((
                certificates::id,
                certificates::issuer_id,
                certificates::serial,
                certificates::application_id,
                certificates::profile,
                certificates::certificate,
                certificates::not_before,
                STATUS,
            ))
            .load(connection)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        report.certificates += page.len() as u64;
        check_intents(connection, &page, &mut report)?;
        check_applications(connection, &page, &mut report)?;
        check_audit(connection, &page, &mut report)?;
        if let Some(witnesses) = &witnesses {
            approvals::check(connection, &page, witnesses, &mut report)?;
        }
    }
    check_issued(connection, &mut report)?;
    check_told(connection, &mut report)?;
    Ok(report)
}

impl CertificateRow {
    fn object(&self) -> String {
        format!("certificate:{}/{}", self.issuer, hex::encode(&self.serial))
    }

    fn breaks(&self, rule: &'static str, report: &mut Report) {
        report.findings.push(Finding { object: self.object(), rule });
    }
}

/// What was signed is what was recorded before it was signed.
fn check_intents(
    connection: &mut Connection,
    page: &[CertificateRow],
    report: &mut Report,
) -> Result<(), StoreError> {
    let serials: Vec<&[u8]> = page.iter().map(|row| row.serial.as_slice()).collect();
    let rows: Vec<(String, Vec<u8>, Vec<u8>, String)> = intents::table
        .filter(intents::serial.eq_any(serials))
        .select((intents::issuer_id, intents::serial, intents::tbs, intents::state))
        .load(connection)?;
    let recorded: HashMap<_, _> =
        rows.into_iter().map(|(issuer, serial, tbs, state)| ((issuer, serial), (tbs, state))).collect();
    for row in page {
        match recorded.get(&(row.issuer.clone(), row.serial.clone())) {
            None => row.breaks("a certificate has an intent that was recorded before it was signed", report),
            Some((tbs, _)) if !tbs_of(&row.der).is_some_and(|signed| signed.starts_with(tbs)) => {
                row.breaks("a certificate says what its intent recorded", report);
            }
            Some((_, state)) if state != "recorded" => {
                row.breaks("the intent of a certificate was not given up", report);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The TBSCertificate and what follows it, inside the outer SEQUENCE of a Certificate (RFC 5280 section 4.1).
fn tbs_of(der: &[u8]) -> Option<&[u8]> {
    let length_octets = match *der.get(1)? {
        short if short < 0x80 => 0,
        long => usize::from(long & 0x7f),
    };
    der.get(2 + length_octets..)
}

/// The application is issued, paid, and approved by an officer who did not register it.
fn check_applications(
    connection: &mut Connection,
    page: &[CertificateRow],
    report: &mut Report,
) -> Result<(), StoreError> {
    let ids: Vec<&str> = page.iter().filter_map(|row| row.application.as_deref()).collect();
    let states: HashMap<String, (String, Option<String>)> = applications::table
        .filter(applications::id.eq_any(&ids))
        .select((applications::id, (applications::state, applications::registered_by)))
        .load::<(String, (String, Option<String>))>(connection)?
        .into_iter()
        .collect();
    // An invoice says what a payment has proved: somebody's transaction over that amount.
    let mut paid: HashSet<String> = invoices::table
        .inner_join(payments::table)
        .filter(invoices::application_id.eq_any(&ids))
        .filter(invoices::state.eq("paid"))
        .filter(invoices::amount_tiyin.eq(payments::amount_tiyin))
        .filter(payments::state.eq("performed"))
        .filter(invoices::amount_tiyin.gt(0))
        .select(invoices::application_id)
        .load(connection)?
        .into_iter()
        .collect();
    paid.extend(free_by_benefit(connection, &ids)?);
    let approvals: Vec<(String, String)> = application_events::table
        .filter(application_events::application_id.eq_any(&ids))
        .filter(application_events::command.eq("approve"))
        .order(application_events::id)
        .select((application_events::application_id, application_events::actor))
        .load(connection)?;
    // The last approval is the one that counts: an earlier one may have been refused by the signer's lint.
    let approved_by: HashMap<String, String> = approvals.into_iter().collect();
    for row in page {
        let Some(id) = &row.application else {
            let subject = Certificate::read(&row.der).map(|read| read.subject_text()).unwrap_or_default();
            if is_subscribers(&row.profile, &subject) {
                row.breaks("a subscriber's certificate answers an application", report);
            }
            continue;
        };
        match states.get(id) {
            None => row.breaks("a certificate answers an application that exists", report),
            Some((state, _)) if state != "issued" => {
                row.breaks("the application of a certificate is issued", report);
            }
            Some((_, registered_by)) => match approved_by.get(id) {
                None => row.breaks("the application of a certificate was approved", report),
                Some(actor) => {
                    let own =
                        registered_by.as_ref().is_some_and(|login| *actor == format!("officer:{login}"));
                    if own || !actor.starts_with("officer:") {
                        row.breaks(
                            "an application is approved by an officer who did not register it",
                            report,
                        );
                    }
                }
            },
        }
        if !paid.contains(id) {
            row.breaks("the application of a certificate is paid", report);
        }
    }
    Ok(())
}

/// The applications that a benefit made free: nothing to pay by a rule that names it, and a registrar or a partner claimed it.
fn free_by_benefit(connection: &mut Connection, ids: &[&str]) -> Result<Vec<String>, StoreError> {
    let claimed: HashMap<String, Option<String>> = applications::table
        .filter(applications::id.eq_any(ids))
        .filter(applications::registered_by.is_not_null().or(applications::registered_partner.is_not_null()))
        .select((applications::id, applications::benefit))
        .load::<(String, Option<String>)>(connection)?
        .into_iter()
        .collect();
    let free: Vec<(String, String, Option<String>)> = invoices::table
        .filter(invoices::application_id.eq_any(ids))
        .filter(invoices::state.eq("paid"))
        .filter(invoices::amount_tiyin.eq(0))
        .select((invoices::application_id, invoices::rule, invoices::benefit))
        .load(connection)?;
    let holds = |(id, rule, benefit): (String, String, Option<String>)| {
        let named = benefit.as_deref().is_some_and(|benefit| names_benefit(&rule, benefit));
        (named && claimed.get(&id) == Some(&benefit)).then_some(id)
    };
    Ok(free.into_iter().filter_map(holds).collect())
}

/// The audit log tells of it, of this very certificate, and of its status.
fn check_audit(
    connection: &mut Connection,
    page: &[CertificateRow],
    report: &mut Report,
) -> Result<(), StoreError> {
    let objects: Vec<String> =
        page.iter().map(|row| format!("certificate:{}/{}", row.issuer, shown(row))).collect();
    let rows: Vec<(String, String, String)> = audit_entries::table
        .filter(audit_entries::object.eq_any(&objects))
        .filter(audit_entries::action.eq_any([ISSUE, SUSPENDED, RESTORED, REVOKED]))
        .order(audit_entries::id)
        .select((audit_entries::object, audit_entries::action, audit_entries::details))
        .load(connection)?;
    let mut told: HashMap<String, Vec<(String, serde_json::Value)>> = HashMap::new();
    for (object, action, details) in rows {
        let details = serde_json::from_str(&details).map_err(StoreError::corrupt)?;
        told.entry(object).or_default().push((action, details));
    }
    for (row, object) in page.iter().zip(&objects) {
        let told = told.get(object).map_or(&[][..], Vec::as_slice);
        match told.iter().find(|(action, _)| action == ISSUE) {
            None => row.breaks("the audit log tells of the issuing of a certificate", report),
            Some((_, details)) => {
                let named = details["certificate_sha256"].as_str();
                if named.is_some_and(|named| named != hex::encode(sha256(&row.der))) {
                    row.breaks("a certificate is the one that the audit log tells of", report);
                }
            }
        }
        // The last change is what holds.
        let last = told.iter().rev().find(|(action, _)| action != ISSUE);
        let status = Status::try_from(row.status.clone())?;
        let agrees = match (last.map(|(action, details)| (action.as_str(), details)), status) {
            (None | Some((RESTORED, _)), Status::Good) | (Some((SUSPENDED, _)), Status::Suspended { .. }) => {
                true
            }
            (Some((REVOKED, details)), Status::Revoked { reason, .. }) => {
                details["reason"] == reason.as_str()
            }
            _ => false,
        };
        if !agrees {
            row.breaks("the status of a certificate is what the audit log tells", report);
        }
    }
    Ok(())
}

fn shown(row: &CertificateRow) -> String {
    ca_core::SerialNumber::try_from(row.serial.as_slice())
        .map_or_else(|_| hex::encode(&row.serial), |serial| serial.to_string())
}

/// What the audit log says was issued is there.
fn check_told(connection: &mut Connection, report: &mut Report) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page: Vec<(i64, String)> = audit_entries::table
            .filter(audit_entries::id.gt(after))
            .filter(audit_entries::action.eq(ISSUE))
            .order(audit_entries::id)
            .limit(PAGE)
            .select((audit_entries::id, audit_entries::object))
            .load(connection)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        let named = |object: &str| -> Option<(String, Vec<u8>)> {
            let (issuer, serial) = object.strip_prefix("certificate:")?.split_once('/')?;
            let serial: ca_core::SerialNumber = serial.parse().ok()?;
            Some((issuer.to_owned(), serial.as_bytes().to_vec()))
        };
        let told: Vec<_> = page.iter().map(|(_, object)| (object, named(object))).collect();
        let serials: Vec<&Vec<u8>> = told.iter().filter_map(|(_, named)| Some(&named.as_ref()?.1)).collect();
        let there: HashSet<(String, Vec<u8>)> = certificates::table
            .filter(certificates::serial.eq_any(serials))
            .select((certificates::issuer_id, certificates::serial))
            .load(connection)?
            .into_iter()
            .collect();
        for (object, named) in told {
            if !named.is_some_and(|named| there.contains(&named)) {
                let rule = "a certificate that the audit log tells of is in the register";
                report.findings.push(Finding { object: object.clone(), rule });
            }
        }
    }
}

/// An issued application has its certificate.
fn check_issued(connection: &mut Connection, report: &mut Report) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let page: Vec<String> = applications::table
            .filter(applications::state.eq("issued"))
            .filter(applications::id.gt(&after))
            .order(applications::id)
            .limit(PAGE)
            .select(applications::id)
            .load(connection)?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(last);
        report.applications += page.len() as u64;
        let certified: HashSet<String> = certificates::table
            .filter(certificates::application_id.eq_any(&page))
            .select(certificates::application_id)
            .load::<Option<String>>(connection)?
            .into_iter()
            .flatten()
            .collect();
        for id in page.iter().filter(|id| !certified.contains(*id)) {
            report.findings.push(Finding {
                object: format!("application:{id}"),
                rule: "an issued application has its certificate",
            });
        }
    }
}
