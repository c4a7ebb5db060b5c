//! `muhr certificate`: single certificates by the operator's hand, recorded like all others.

use std::fs;
use std::path::{Path, PathBuf};

use ca_core::SerialNumber;
use ca_core::crl::{self, Judge, partition_name};
use ca_core::csr::{CertificationRequest, check_history};
use ca_core::issue::{Request, render};
use ca_core::profile::SubjectFields;
use ca_core::revocation::{Change, Reason, Requester, decide};
use ca_signer::ceremony;
use config::tables::Tables;
use store::certificates::{NewCertificate, TakenOver};
use store::issuance::Intent;
use store::{StoreError, audit, certificates, issuance, issuers};

use crate::commands::{Place, keyring};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sign a certificate that no application asks for: a server of the CA, a test of a profile. It stands in the
    /// register and the audit log as the operator's.
    Issue {
        /// The profile's name.
        #[arg(long)]
        profile: String,
        /// The subject's fields as a JSON object, for example {"common_name": "..."}.
        #[arg(long, value_name = "FILE")]
        subject_json: PathBuf,
        /// The certification request, DER or PEM.
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a certificate in the name of the CA.
    Revoke {
        /// Lower-case hex.
        serial: SerialNumber,
        /// RFC 5280's name, for example keyCompromise.
        #[arg(long)]
        reason: Reason,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke every certificate of a profile that is neither revoked nor expired: the plan for a profile whose keys can
    /// no longer be trusted. Cut off, it is run again and goes on.
    MassRevoke {
        /// The profile's name.
        #[arg(long)]
        profile: String,
        /// RFC 5280's name, for example keyCompromise.
        #[arg(long)]
        reason: Reason,
        #[command(flatten)]
        place: Place,
    },
    /// Take over what a CRL of ours tells and the register does not: after a restore the published CRL still has the revocations and
    /// holds that came after the backup.
    RevokeListed {
        /// A full CRL, DER, as it was published.
        #[arg(long, value_name = "FILE")]
        crl: PathBuf,
        /// Whose: a CA's short name, as `muhr ca list` has it. Without it, that of the CA that signed it.
        #[arg(long, value_name = "NAME")]
        issuer: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Show a certificate as people read it, with its status.
    Show {
        /// Lower-case hex.
        serial: SerialNumber,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Issue { profile, subject_json, csr, place } => issue(&place, &profile, &subject_json, &csr),
        Command::Revoke { serial, reason, place } => revoke(&place, &serial, reason),
        Command::MassRevoke { profile, reason, place } => mass_revoke(&place, &profile, reason),
        Command::RevokeListed { crl, issuer, place } => revoke_listed(&place, &crl, issuer.as_deref()),
        Command::Show { serial, place } => show(&place, &serial),
    }
}

fn issue(place: &Place, profile: &str, subject_json: &PathBuf, csr: &PathBuf) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let now = settings.clock().now();
    let tables = Tables::load(&settings.data)?;
    let chosen =
        tables.profiles.get(profile).ok_or_else(|| Failure::new(format!("no profile `{profile}`")))?;
    let subject: SubjectFields = serde_json::from_slice(&fs::read(subject_json)?)?;
    let request = CertificationRequest::parse(&fs::read(csr)?)?;
    let key = request.public_key();
    let holder = subject.pinfl.clone().unwrap_or_default();
    let uses = database.read(|c| certificates::uses_of_key(c, &key.sha256()))?;
    check_history(&uses, &holder)?;

    let ca = database.read(issuers::current)?.id;
    let issuer = ceremony::open_issuer(&database, &keyring(&settings), &ca)?;
    let prepared = issuer.prepare(
        chosen,
        Request {
            subject: subject.clone(),
            public_key: key.spki_der().to_vec(),
            serial: SerialNumber::random()?,
            now,
            urls: settings.issuance.urls(&ca),
            months: None,
        },
    )?;
    let intent = Intent {
        issuer: ca.clone(),
        serial: prepared.serial(),
        application: None,
        profile: profile.to_owned(),
        tbs: prepared.tbs().to_vec(),
    };
    database.write(|c| issuance::record_intents(c, &[intent], now))?;
    let signed = issuer.issue(prepared)?;
    let stored = NewCertificate {
        issuer: ca.clone(),
        serial: signed.serial,
        application: None,
        profile: profile.to_owned(),
        subject: signed.subject_text(),
        common_name: subject.common_name.unwrap_or_default(),
        pinfl: subject.pinfl,
        stir: subject.organization_stir.or(subject.uid),
        spki_sha256: key.sha256(),
        der: signed.der.clone(),
        not_before: signed.not_before,
        not_after: signed.not_after,
        crl_partition: partition_name(signed.crl_partition),
    };
    database.write(|c| -> Result<(), StoreError> {
        issuance::store_own(c, &stored, now)?;
        let entry = audit::Entry {
            at: now,
            actor: "operator".to_owned(),
            action: "certificate.order".to_owned(),
            object: format!("certificate:{ca}/{}", signed.serial),
            details: serde_json::json!({ "profile": profile }),
        };
        audit::record(c, &[entry])
    })?;
    say(pem(&signed.der));
    Ok(())
}

/// RFC 7468 section 5.
fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", lines.join("\n"))
}

fn revoke(place: &Place, serial: &SerialNumber, reason: Reason) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let now = settings.clock().now();
    let change = Change::Revoke { reason, invalidity_date: None };
    database.write(|c| -> Result<(), Failure> {
        let stored = certificates::find(c, serial)?;
        let to = decide(stored.status, stored.certificate.not_after, change, Requester::Ca, now)?;
        Ok(certificates::change_status(c, &stored, to, "operator", now)?)
    })?;
    say(format!("{serial}: revoked ({reason})"));
    Ok(())
}

/// A step is a transaction: long enough to be cheap, short enough that nobody else waits for it.
const REVOKED_AT_A_TIME: i64 = 1000;

fn mass_revoke(place: &Place, profile: &str, reason: Reason) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let (mut after, mut revoked, mut steps) = (0, 0, 0);
    loop {
        let now = settings.clock().now();
        let step = database.write(|c| {
            certificates::revoke_some(c, (profile, reason), after, REVOKED_AT_A_TIME, "operator", now)
        })?;
        let Some(step) = step else { break };
        (after, revoked, steps) = (step.after, revoked + step.revoked, steps + 1);
        if steps % 10 == 0 {
            say(format!("{revoked} revoked"));
        }
    }
    say(format!("{revoked} certificates of profile {profile} are revoked ({reason})"));
    Ok(())
}

fn revoke_listed(place: &Place, path: &Path, issuer: Option<&str>) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let open = || fs::File::open(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())));
    let mut listed = Vec::new();
    let summary = crl::visit(open()?, |entry| listed.push(entry))?;
    if summary.base.is_some() {
        return Err(Failure::new("a delta CRL does not tell everything: give the full one"));
    }
    // Whose it is, its signature tells.
    let signed = |issuer: &issuers::Issuer| -> Result<bool, Failure> {
        let judge = Judge {
            issuer_certificate: &issuer.certificate,
            // It may have ended meanwhile, and is believed about its own time.
            now: summary.this_update,
            most_octets: u64::MAX,
            file_name: None,
            ends: |_: &[SerialNumber]| Vec::new(),
        };
        Ok(judge.genuine(open()?).is_ok())
    };
    let mut found = None;
    for known in database.read(issuers::all)? {
        if issuer.is_none_or(|id| known.id == id) && signed(&known)? {
            found = Some(known.id);
            break;
        }
    }
    let Some(issuer) = found else {
        return Err(Failure::new(format!("{}: this is no CRL of a CA that is here", path.display())));
    };
    let mut taken = TakenOver::default();
    for entries in listed.chunks(REVOKED_AT_A_TIME as usize) {
        let now = settings.clock().now();
        let step = database.write(|c| certificates::take_over(c, &issuer, entries, "operator", now))?;
        taken.changed += step.changed;
        taken.unknown.extend(step.unknown);
    }
    for serial in &taken.unknown {
        say(format!("{serial}: listed, and not in the register"));
    }
    say(format!(
        "CRL {} of {issuer}: {} entries, {} taken over, {} not in the register",
        summary.number,
        listed.len(),
        taken.changed,
        taken.unknown.len()
    ));
    Ok(())
}

fn show(place: &Place, serial: &SerialNumber) -> Result<(), Failure> {
    let (_, database) = place.open(&[])?;
    let stored = database.read(|c| certificates::find(c, serial))?;
    say(render(&stored.certificate.der)?);
    say(format!("Status: {}", stored.status.as_str()));
    Ok(())
}
