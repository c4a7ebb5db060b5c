//! An application as people and their programs read it.

use std::sync::Arc;

use ca_core::Timestamp;
use ca_core::application::{ApplicationId, Fact};
use ca_core::calendar::full_date;
use ca_core::csr;
use ca_core::revocation::Status;
use ca_core::subject::{DocumentNumber, Subject};
use config::Language;
use config::texts::{text, text_or};
use serde::Serialize;
use store::applications::{self, Event, StoredApplication};
use store::certificates::{self, StoredCertificate};
use store::data_keys::{self, SealedData};
use store::documents::{self, Document};
use store::invoices::{self, Invoice};
use store::{Connection, receipts, renewals};

use super::invoice::state_now;
use crate::problem::Problem;
use crate::vault::{Vault, VaultError};

/// In whose language, as of when, and with which keys.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// What `Accept-Language` asks for.
    pub(crate) language: Language,
    /// The moment of the request.
    pub(crate) now: Timestamp,
    /// Opens what is sealed in rows.
    pub(crate) vault: Arc<Vault>,
}

/// An application.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Application)]
pub(crate) struct ApplicationView {
    /// Its name.
    pub(crate) id: String,
    /// `draft`, `under_review`, `approved`, `issued`, `rejected`, `withdrawn` or `expired`.
    state: &'static str,
    /// Whose move it is: `applicant`, `registration_officer`, `ca` or `nobody`.
    next_actor: &'static str,
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    subject_type: &'static str,
    /// `online`, `my.gov.uz` or `service-center`.
    channel: &'static str,
    /// The benefit that an officer or a partner has claimed for the applicant.
    #[serde(skip_serializing_if = "Option::is_none")]
    benefit: Option<String>,
    /// Who is to be certified, as stated.
    subject: SubjectView,
    /// SOATO code.
    region: i32,
    /// SOATO code.
    district: i32,
    /// For notices by mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// What the certificate is for.
    purpose: String,
    /// The tag of the language that notices and reasons are told in.
    language: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was last handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    submitted_at: Option<Timestamp>,
    /// The facts still needed before it can be submitted: `offer`, `csr`, `payment`, `photo`, `selfie`,
    /// `power-of-attorney`.
    missing: Vec<&'static str>,
    /// Why an officer returned or rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalView>,
    /// The certificate, once it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateSummary>,
    /// Since when the holder's receipt, signed with the certified key, is here; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Timestamp>,
    /// The certificate that it renews; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal: Option<RenewalView>,
    /// What an officer will look at twice.
    warnings: Vec<WarningView>,
    /// The newest invoice; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<InvoiceSummary>,
    /// What was handed in; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<Vec<DocumentView>>,
    /// The key of the certification request; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyView>,
    /// What happened, oldest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<EventView>>,
}

/// The subject of a certificate; the fields that belong to its type.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Subject)]
pub(crate) struct SubjectView {
    /// Personal number of the holder, 14 digits.
    pinfl: String,
    /// Passport or ID card number: two Latin letters and seven digits. Absent once it has been erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    passport: Option<String>,
    surname: String,
    given_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    patronymic: Option<String>,
    /// The same as in the PINFL.
    #[schema(format = Date)]
    birth_date: String,
    /// Taxpayer number, 9 digits; of a sole proprietor or legal entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    stir: Option<String>,
    /// Name of a legal entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// The holder's position in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Personal number of its head.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_pinfl: Option<String>,
}

/// Why an officer returned or rejected an application.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Refusal)]
pub(crate) struct RefusalView {
    /// From the list of reasons.
    reason: &'static str,
    /// The reason in the reader's language.
    text: String,
    /// What the officer adds.
    note: Option<String>,
}

/// A certificate in an application.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CertificateSummary {
    /// Lower-case hex.
    serial: String,
    /// The short name of the CA that signed it.
    issuer: String,
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// `good`, `suspended`, `revoked` or `expired`.
    status: &'static str,
}

/// What an application renews.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Renewal)]
pub(crate) struct RenewalView {
    /// The certificate's, lower-case hex.
    serial: String,
    /// `good`, `suspended`, `revoked` or `expired`.
    status: &'static str,
    /// The application it was issued for.
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    /// Since when the statement, signed with its key, is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    signed_at: Option<Timestamp>,
}

/// An invoice in an application.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct InvoiceSummary {
    id: String,
    /// `open`, `paid`, `expired`, `cancelled` or `refunded`.
    state: String,
    amount_tiyin: i64,
}

/// A document that was handed in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Document)]
pub(crate) struct DocumentView {
    /// `photo`, `selfie` or `power-of-attorney`.
    kind: &'static str,
    /// What it is kept as.
    media_type: String,
    size_bytes: i64,
    #[schema(value_type = String, format = DateTime)]
    uploaded_at: Timestamp,
}

/// The key of a certification request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyView {
    /// For example `P-256` or `RSA-3072`.
    kind: String,
    /// SHA-256 of the SubjectPublicKeyInfo, hex.
    spki_sha256: String,
}

/// Something that happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `applicant`, `officer`, `ca` or `clock`.
    actor: String,
    /// The verb.
    command: String,
    /// The state before.
    from: String,
    /// The state after.
    to: String,
    /// An officer's reason.
    reason: Option<String>,
    /// What the officer added.
    note: Option<String>,
}

/// Something an officer will look at twice, though nothing forbids it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Warning)]
pub(crate) struct WarningView {
    /// The rule's name, stable.
    rule: &'static str,
    /// What may be wrong, in the reader's language.
    detail: String,
}

/// The application with this name as it is now, with everything that belongs to it.
///
/// # Errors
/// 404; the database's.
pub(crate) fn of(
    connection: &mut Connection,
    id: ApplicationId,
    reader: &Reader,
) -> Result<ApplicationView, Problem> {
    let stored = applications::find(connection, id)?;
    whole(connection, stored, reader)
}

/// One application with everything that belongs to it.
///
/// # Errors
/// The database's.
pub(crate) fn whole(
    connection: &mut Connection,
    stored: StoredApplication,
    reader: &Reader,
) -> Result<ApplicationView, Problem> {
    let id = stored.application.id;
    let certificate = certificates::of_application(connection, id)?;
    let invoice = invoices::newest(connection, id)?;
    let documents = documents::of(connection, id)?;
    let history = applications::history(connection, id)?;
    let received_at = receipts::received_at(connection, id)?;
    let renewal = renewals::of(connection, id)?.map(|renewal| RenewalView {
        serial: renewal.certificate.certificate.serial.to_string(),
        status: status_at(&renewal.certificate, reader.now),
        application: renewal.certificate.certificate.application.map(|id| id.to_string()),
        signed_at: renewal.signed_at,
    });
    let key = stored.csr.as_deref().map(key).transpose()?;
    let sealed = data_keys::of(connection, id)?;
    let view = summary(stored, certificate.as_ref(), sealed.as_ref(), reader)?;
    Ok(ApplicationView {
        invoice: invoice.map(|invoice| InvoiceSummary::at(invoice, reader.now)),
        documents: Some(documents.into_iter().map(DocumentView::from).collect()),
        key,
        received_at,
        renewal,
        history: Some(history.into_iter().map(EventView::from).collect()),
        ..view
    })
}

/// The same applications, in the same order, without what is not in lists.
///
/// # Errors
/// The database's.
pub(crate) fn in_list(
    connection: &mut Connection,
    stored: Vec<StoredApplication>,
    reader: &Reader,
) -> Result<Vec<ApplicationView>, Problem> {
    let ids: Vec<ApplicationId> = stored.iter().map(|stored| stored.application.id).collect();
    let certificates = certificates::of_applications(connection, &ids)?;
    let sealed: Vec<(ApplicationId, SealedData)> = data_keys::of_many(connection, &ids)?;
    stored
        .into_iter()
        .map(|stored| {
            let id = stored.application.id;
            let certificate = certificates.iter().find(|stored| stored.certificate.application == Some(id));
            let sealed = sealed.iter().find(|(of, _)| *of == id).map(|(_, sealed)| sealed);
            summary(stored, certificate, sealed, reader)
        })
        .collect()
}

fn summary(
    stored: StoredApplication,
    certificate: Option<&StoredCertificate>,
    sealed: Option<&SealedData>,
    reader: &Reader,
) -> Result<ApplicationView, Problem> {
    let application = &stored.application;
    let passport = match sealed {
        Some(sealed) => match reader.vault.document_number(application.id, sealed) {
            // All else of it can be seen, and decided, meanwhile.
            Err(VaultError::Away(why)) => {
                tracing::warn!(why, "the number of an identity document is not shown");
                None
            }
            number => number?,
        },
        None => application.subject.person().document.clone(),
    };
    Ok(ApplicationView {
        id: application.id.to_string(),
        state: application.state.as_str(),
        next_actor: application.state.next_actor().as_str(),
        subject_type: application.subject_type().as_str(),
        channel: application.channel.as_str(),
        benefit: stored.benefit,
        subject: SubjectView::of(&application.subject, passport.as_ref()),
        region: stored.region,
        district: stored.district,
        missing: application.missing().into_iter().map(Fact::as_str).collect(),
        certificate: certificate.map(|certificate| CertificateSummary::at(certificate, reader.now)),
        warnings: warnings(&application.subject, reader.language),
        refusal: stored.refusal.map(|(reason, note)| RefusalView {
            reason: reason.as_str(),
            text: text(reader.language, &format!("reason-{}", reason.as_str()), &[]),
            note,
        }),
        created_at: application.created_at,
        updated_at: application.updated_at,
        submitted_at: stored.submitted_at,
        email: stored.email,
        purpose: stored.purpose,
        language: stored.language,
        received_at: None,
        renewal: None,
        invoice: None,
        documents: None,
        key: None,
        history: None,
    })
}

fn warnings(subject: &Subject, language: Language) -> Vec<WarningView> {
    let warnings = subject.warnings().into_iter().map(|warning| warning.name());
    warnings
        .map(|rule| WarningView { rule, detail: text_or(language, &format!("warning-{rule}"), &[], rule) })
        .collect()
}

/// What was stored was proved when it came in.
fn key(csr: &[u8]) -> Result<KeyView, Problem> {
    let key = csr::public_key_of(csr).map_err(Problem::internal)?;
    Ok(KeyView { kind: key.kind().to_string(), spki_sha256: hex::encode(key.sha256()) })
}

impl CertificateSummary {
    /// With the status it has at this moment.
    pub(crate) fn at(stored: &StoredCertificate, now: Timestamp) -> Self {
        let certificate = &stored.certificate;
        Self {
            serial: certificate.serial.to_string(),
            issuer: certificate.issuer.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            status: status_at(stored, now),
        }
    }
}

/// Revoked stays revoked; otherwise the end of validity outweighs what was true before it.
pub(crate) fn status_at(stored: &StoredCertificate, now: Timestamp) -> &'static str {
    match stored.status {
        Status::Revoked { .. } => stored.status.as_str(),
        _ if now > stored.certificate.not_after => "expired",
        Status::Good | Status::Suspended { .. } => stored.status.as_str(),
    }
}

impl InvoiceSummary {
    fn at(invoice: Invoice, now: Timestamp) -> Self {
        Self {
            state: state_now(&invoice, now).to_owned(),
            id: invoice.id,
            amount_tiyin: invoice.amount_tiyin,
        }
    }
}

impl SubjectView {
    fn of(subject: &Subject, passport: Option<&DocumentNumber>) -> Self {
        let person = subject.person();
        let head = match subject {
            Subject::LegalEntity { head_pinfl, .. } => Some(head_pinfl.as_str().to_owned()),
            _ => None,
        };
        Self {
            pinfl: person.pinfl.as_str().to_owned(),
            passport: passport.map(|number| number.as_str().to_owned()),
            surname: person.surname.as_str().to_owned(),
            given_name: person.given_name.as_str().to_owned(),
            patronymic: person.patronymic.as_ref().map(|name| name.as_str().to_owned()),
            birth_date: full_date(person.birth_date),
            stir: subject.stir().map(|stir| stir.as_str().to_owned()),
            organization: subject.organization().map(|name| name.as_str().to_owned()),
            title: subject.title().map(|title| title.as_str().to_owned()),
            head_pinfl: head,
        }
    }
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            kind: document.kind.as_str(),
            media_type: document.media_type,
            size_bytes: document.size_bytes,
            uploaded_at: document.uploaded_at,
        }
    }
}

/// Which officer it was, and what the CA's lint found, is for officers.
impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let actor = event.actor.split(':').next().unwrap_or_default().to_owned();
        let note = if actor == "officer" { event.note } else { None };
        Self {
            at: event.at,
            actor,
            command: event.command,
            from: event.from,
            to: event.to,
            reason: event.reason,
            note,
        }
    }
}
