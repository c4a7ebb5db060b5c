//! Everything that is held about a person, as one archive: `person.json` and the documents as they were handed in.

use std::io::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::application::ApplicationId;
use ca_core::subject::Pinfl;
use config::Language;
use serde_json::{Value, json};
use store::audit::{self, Filter};
use store::documents::{self, Document};
use store::{Connection, applications, person};

use super::{CustodyError, ask, open, tell};
use crate::applications::{Reader, whole};
use crate::context::Context;
use crate::problem::Problem;

/// Audit entries about one thing; nothing has nearly as many.
const ENTRIES: usize = 10_000;

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Applications of the person.
    pub applications: usize,
    /// Certificates that name them.
    pub certificates: usize,
    /// Documents in the archive.
    pub documents: usize,
}

/// Writes the archive (POSIX tar) and an audit entry for each application that was looked at. The person is in no entry.
///
/// # Errors
/// The database or a document cannot be read; the archive cannot be written.
pub async fn export(
    context: &Context,
    pinfl: &Pinfl,
    reason: &str,
    actor: &str,
    archive: impl Write,
) -> Result<Exported, CustodyError> {
    let (number, vault) = (pinfl.clone(), Arc::clone(&context.vault));
    let reader = Reader { language: Language::En, now: context.now(), vault };
    let gathered = ask(context, move |connection| gather(connection, number.as_str(), &reader));
    let Gathered { person, applications, certificates, documents } = gathered.await?;
    let exported = Exported { applications: applications.len(), certificates, documents: documents.len() };
    // First written down, then shown.
    let entries = entries(context, &applications, exported, reason, actor);
    tell(context, move |connection| audit::record(connection, &entries)).await?;
    let mut tar = tar::Builder::new(archive);
    let text = serde_json::to_vec_pretty(&person).map_err(|error| Problem::internal(error.to_string()))?;
    append(context, &mut tar, "person.json", &text)?;
    for document in documents {
        let opened = open(context, &document).await?;
        append(context, &mut tar, &file_name(&document), &opened)?;
    }
    tar.into_inner()?.flush()?;
    Ok(exported)
}

struct Gathered {
    person: Value,
    applications: Vec<ApplicationId>,
    certificates: usize,
    documents: Vec<Document>,
}

fn gather(connection: &mut Connection, pinfl: &str, reader: &Reader) -> Result<Gathered, Problem> {
    let (own, head) = person::applications(connection, pinfl)?;
    let (mut told, mut papers) = (Vec::with_capacity(own.len()), Vec::new());
    for id in &own {
        let stored = applications::find(connection, *id)?;
        let handed_in = documents::of(connection, *id)?;
        let view = serde_json::to_value(whole(connection, stored, reader)?).map_err(Problem::internal)?;
        told.push(json!({
            "application": view,
            "beside": person::beside(connection, *id)?,
            "documents": handed_in.iter().map(described).collect::<Vec<_>>(),
            "audit": audit_of(connection, &format!("application:{id}"))?,
        }));
        papers.extend(handed_in);
    }
    let mut certificates = Vec::new();
    for stored in person::certificates(connection, pinfl)? {
        let certificate = &stored.certificate;
        let object = format!("certificate:{}/{}", certificate.issuer, certificate.serial);
        certificates.push(json!({
            "issuer": certificate.issuer,
            "serial": certificate.serial.to_string(),
            "subject": certificate.subject,
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
            "status": stored.status.as_str(),
            "certificate": STANDARD.encode(&certificate.der),
            "audit": audit_of(connection, &object)?,
        }));
    }
    let count = certificates.len();
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let person = json!({
        "pinfl": pinfl,
        "exported_at": reader.now,
        "applications": told,
        "head_in_applications": head,
        "certificates": certificates,
    });
    Ok(Gathered { person, applications: own, certificates: count, documents: papers })
}

fn audit_of(connection: &mut Connection, object: &str) -> Result<Vec<Value>, Problem> {
    let filter = Filter { actor: None, object: Some(object.to_owned()) };
    let mut entries = audit::newest(connection, &filter, None, ENTRIES)?.items;
    entries.reverse();
    let told = entries.into_iter().map(|(_, entry)| {
        json!({ "at": entry.at, "actor": entry.actor, "action": entry.action, "details": entry.details })
    });
    Ok(told.collect())
}

fn described(document: &Document) -> Value {
    json!({
        "kind": document.kind.as_str(),
        "media_type": document.media_type,
        "size_bytes": document.size_bytes,
        "sha256": hex::encode(&document.sha256),
        "uploaded_at": document.uploaded_at,
        "file": file_name(document),
    })
}

fn file_name(document: &Document) -> String {
    let extension = match document.media_type.as_str() {
        "image/png" => "png",
        "application/pdf" => "pdf",
        _ => "jpg",
    };
    format!("{}/{}.{extension}", document.application, document.kind.as_str())
}

fn append(
    context: &Context,
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    bytes: &[u8],
) -> Result<(), CustodyError> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(context.now().unix_seconds()).unwrap_or(0));
    tar.append_data(&mut header, name, bytes)?;
    Ok(())
}

/// One entry for each application, so that it is found with everything else that happened to it; one in any case.
fn entries(
    context: &Context,
    applications: &[ApplicationId],
    exported: Exported,
    reason: &str,
    actor: &str,
) -> Vec<audit::Entry> {
    let entry = |object: String| audit::Entry {
        at: context.now(),
        actor: actor.to_owned(),
        action: "person.export".to_owned(),
        object,
        details: json!({
            "reason": reason,
            "applications": exported.applications,
            "certificates": exported.certificates,
            "documents": exported.documents,
        }),
    };
    match applications {
        [] => vec![entry("person".to_owned())],
        some => some.iter().map(|id| entry(format!("application:{id}"))).collect(),
    }
}
