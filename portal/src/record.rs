//! What the API says of an application and its invoice, as far as the pages show it.

use ca_core::Timestamp;
use serde::Deserialize;

use crate::api::{Api, Failure};
use crate::visitor::Visitor;

/// An application, as far as the pages show it.
#[derive(Debug, Deserialize)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) next_actor: String,
    pub(crate) subject_type: String,
    pub(crate) subject: Subject,
    pub(crate) district: u32,
    #[serde(default)]
    pub(crate) email: String,
    pub(crate) purpose: String,
    pub(crate) language: String,
    pub(crate) created_at: Timestamp,
    pub(crate) missing: Vec<String>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) certificate: Option<Certified>,
    pub(crate) received_at: Option<Timestamp>,
    pub(crate) renewal: Option<Renewal>,
    #[serde(default)]
    pub(crate) warnings: Vec<Warning>,
    #[serde(default)]
    pub(crate) documents: Vec<Document>,
    pub(crate) key: Option<Key>,
    #[serde(default)]
    pub(crate) history: Vec<Event>,
}

/// Who is to be certified.
#[derive(Debug, Deserialize)]
pub(crate) struct Subject {
    pub(crate) pinfl: String,
    pub(crate) passport: String,
    pub(crate) surname: String,
    pub(crate) given_name: String,
    #[serde(default)]
    pub(crate) patronymic: String,
    pub(crate) birth_date: String,
    #[serde(default)]
    pub(crate) stir: String,
    #[serde(default)]
    pub(crate) organization: String,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) head_pinfl: String,
}

/// Why it was returned or rejected.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// A certificate, in short.
#[derive(Debug, Deserialize)]
pub(crate) struct Certified {
    pub(crate) serial: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) status: String,
}

/// The certificate that an application renews.
#[derive(Debug, Deserialize)]
pub(crate) struct Renewal {
    pub(crate) serial: String,
    pub(crate) status: String,
    /// The application it was issued for: its key may be in this browser.
    #[serde(default)]
    pub(crate) application: String,
    pub(crate) signed_at: Option<Timestamp>,
}

/// What is to be looked at twice.
#[derive(Debug, Deserialize)]
pub(crate) struct Warning {
    pub(crate) detail: String,
}

/// What was handed in.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    pub(crate) kind: String,
    pub(crate) size_bytes: i64,
    pub(crate) uploaded_at: Timestamp,
}

/// The key that is to be certified.
#[derive(Debug, Deserialize)]
pub(crate) struct Key {
    pub(crate) kind: String,
    pub(crate) spki_sha256: String,
}

/// What happened.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) command: String,
    pub(crate) note: Option<String>,
}

/// An invoice.
#[derive(Debug, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) state: String,
    pub(crate) amount_tiyin: i64,
    pub(crate) rule_text: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) pay_links: Vec<PayLink>,
}

/// Where to pay.
#[derive(Debug, Deserialize)]
pub(crate) struct PayLink {
    pub(crate) provider: String,
    pub(crate) url: String,
}

impl Subject {
    /// Surname, given name, patronymic.
    pub(crate) fn full_name(&self) -> String {
        [&self.surname, &self.given_name, &self.patronymic]
            .map(String::as_str)
            .join(" ")
            .trim_end()
            .to_owned()
    }

    /// The number that the key's file is named after: the taxpayer's, else the person's.
    pub(crate) fn owner_number(&self) -> &str {
        if self.stir.is_empty() { &self.pinfl } else { &self.stir }
    }
}

impl Application {
    pub(crate) fn lacks(&self, fact: &str) -> bool {
        self.missing.iter().any(|missing| missing == fact)
    }

    /// A document of this kind.
    pub(crate) fn document(&self, kind: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.kind == kind)
    }

    /// The kinds of documents it has or needs, in the order people are asked for them.
    pub(crate) fn document_kinds(&self) -> Vec<&'static str> {
        // Whoever has signed a renewal may still be asked for a picture.
        let picture = |kind: &str| self.renewal.is_some() && kind != "power-of-attorney";
        let wanted = |kind: &&'static str| self.lacks(kind) || self.document(kind).is_some() || picture(kind);
        ["photo", "selfie", "power-of-attorney"].into_iter().filter(wanted).collect()
    }

    /// The page where the applicant goes on, while it is a draft.
    pub(crate) fn next_step(&self) -> &'static str {
        let documents = ["photo", "selfie", "power-of-attorney"];
        if self.lacks("csr") {
            "key"
        } else if self.lacks("payment") {
            "payment"
        } else if documents.into_iter().any(|kind| self.lacks(kind)) {
            "documents"
        } else {
            "review"
        }
    }
}

/// One application with everything that belongs to it.
///
/// # Errors
/// The API's.
pub(crate) async fn application(api: &Api, visitor: &Visitor, id: &str) -> Result<Application, Failure> {
    api.get(visitor, &format!("/api/v1/applications/{}", segment(id))).read().await
}

/// The API's address of what belongs to an application: its invoice, its request, its certificate.
pub(crate) fn call_of(id: &str, what: &str) -> String {
    format!("/api/v1/applications/{}/{what}", segment(id))
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
