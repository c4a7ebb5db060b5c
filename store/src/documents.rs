//! Where the sealed bytes of an applicant's documents are.

use std::collections::HashMap;

use ca_core::Timestamp;
use ca_core::application::{ApplicationId, DocumentKind, State};
use ca_core::approval::evidence_sha256;
use diesel::prelude::*;

use crate::audit;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{applications, documents};

/// A stored document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Whose.
    pub application: ApplicationId,
    /// Which.
    pub kind: DocumentKind,
    /// Its media type after re-encoding.
    pub media_type: String,
    /// Its size before sealing, in octets.
    pub size_bytes: i64,
    /// SHA-256 of what is sealed.
    pub sha256: Vec<u8>,
    /// Where the object store keeps it.
    pub object_key: String,
    /// When it was handed in.
    pub uploaded_at: Timestamp,
}

#[derive(Queryable)]
struct Row {
    application_id: String,
    kind: String,
    media_type: String,
    size_bytes: i64,
    sha256: Vec<u8>,
    object_key: String,
    uploaded_at: i64,
}

impl TryFrom<Row> for Document {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            application: row.application_id.parse().map_err(StoreError::corrupt)?,
            kind: row.kind.parse().map_err(|()| StoreError::corrupt("a kind of document"))?,
            media_type: row.media_type,
            size_bytes: row.size_bytes,
            sha256: row.sha256,
            object_key: row.object_key,
            uploaded_at: Timestamp::from_unix_millis(row.uploaded_at),
        })
    }
}

/// Records a document of a draft, in place of an earlier one of its kind. Returns the object the earlier one leaves
/// behind, to be deleted after the commit.
///
/// # Errors
/// [`StoreError::Conflict`] if the application is no draft any more.
pub fn put(
    connection: &mut Connection,
    document: &Document,
    actor: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let id = document.application.to_string();
    let still_draft = diesel::update(applications::table.find(&id))
        .filter(applications::state.eq(State::Draft.as_str()))
        .set(applications::updated_at.eq(now.unix_millis()))
        .execute(connection)?;
    if still_draft == 0 {
        return Err(StoreError::Conflict("application state".to_owned()));
    }
    let earlier: Option<String> = documents::table
        .find((&id, document.kind.as_str()))
        .select(documents::object_key)
        .first(connection)
        .optional()?;
    diesel::delete(documents::table.find((&id, document.kind.as_str()))).execute(connection)?;
    diesel::insert_into(documents::table)
        .values((
            documents::application_id.eq(&id),
            documents::kind.eq(document.kind.as_str()),
            documents::media_type.eq(&document.media_type),
            documents::size_bytes.eq(document.size_bytes),
            documents::sha256.eq(&document.sha256),
            documents::object_key.eq(&document.object_key),
            documents::uploaded_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    let entry = audit::Entry {
        at: now,
        actor: actor.to_owned(),
        action: "application.document".to_owned(),
        object: format!("application:{id}"),
        details: serde_json::json!({ "kind": document.kind.as_str(), "sha256": hex::encode(&document.sha256) }),
    };
    audit::record(connection, &[entry])?;
    Ok(earlier)
}

/// What the documents of each of these applications are: see [`evidence_sha256`]. An application without documents has one, too.
///
/// # Errors
/// The database's.
pub fn evidence_of(
    connection: &mut Connection,
    ids: &[ApplicationId],
) -> Result<HashMap<ApplicationId, [u8; 32]>, StoreError> {
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, String, Vec<u8>)> = documents::table
        .filter(documents::application_id.eq_any(&names))
        .select((documents::application_id, documents::kind, documents::sha256))
        .load(connection)?;
    let mut digests: HashMap<String, Vec<(DocumentKind, Vec<u8>)>> = HashMap::new();
    for (id, kind, sha256) in rows {
        let kind = kind.parse().map_err(|()| StoreError::corrupt("a kind of document"))?;
        digests.entry(id).or_default().push((kind, sha256));
    }
    let evidence = ids.iter().zip(&names).map(|(id, name)| {
        let of_one = digests.get(name).into_iter().flatten();
        (*id, evidence_sha256(of_one.map(|(kind, sha256)| (*kind, sha256.as_slice()))))
    });
    Ok(evidence.collect())
}

/// The documents of an application.
///
/// # Errors
/// The database's.
pub fn of(connection: &mut Connection, application: ApplicationId) -> Result<Vec<Document>, StoreError> {
    let rows: Vec<Row> = documents::table
        .filter(documents::application_id.eq(application.to_string()))
        .order(documents::kind)
        .load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Documents of all applications in the order of their objects' names, beginning after one.
///
/// # Errors
/// The database's.
pub fn after(connection: &mut Connection, object_key: &str, limit: i64) -> Result<Vec<Document>, StoreError> {
    let rows: Vec<Row> = documents::table
        .filter(documents::object_key.gt(object_key))
        .order(documents::object_key)
        .limit(limit)
        .load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The same document is in another object from now on. False if another document has taken its place meanwhile.
///
/// # Errors
/// The database's.
pub fn relocate(
    connection: &mut Connection,
    document: &Document,
    object_key: &str,
) -> Result<bool, StoreError> {
    let row = documents::table.find((document.application.to_string(), document.kind.as_str()));
    let moved = diesel::update(row.filter(documents::object_key.eq(&document.object_key)))
        .set(documents::object_key.eq(object_key))
        .execute(connection)?;
    Ok(moved == 1)
}
