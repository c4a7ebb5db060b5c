//! Applications that have something in common: what an officer compares before deciding.

use ca_core::application::ApplicationId;
use diesel::prelude::*;

use crate::applications::StoredApplication;
use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::{applications, documents};

/// At most so many of each kind are named.
const LIMIT: i64 = 20;

/// What two applications have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// The person, while both are somebody's move.
    Pinfl,
    /// The key.
    Key,
    /// The photo, octet by octet.
    Photo,
}

impl Same {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinfl => "pinfl",
            Self::Key => "key",
            Self::Photo => "photo",
        }
    }
}

/// Another application that has something in common with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The other one.
    pub application: ApplicationId,
    /// Its state.
    pub state: String,
    /// What they have in common.
    pub same: Same,
}

/// The applications that have person, key or photo in common with this one, newest first.
///
/// # Errors
/// The database's.
pub fn of(
    connection: &mut Connection,
    stored: &StoredApplication,
    photo_sha256: Option<&[u8]>,
) -> Result<Vec<Duplicate>, StoreError> {
    let id = stored.application.id.to_string();
    let others = || {
        applications::table
            .filter(applications::id.ne(id.clone()))
            .order(applications::id.desc())
            .limit(LIMIT)
            .select((applications::id, applications::state))
    };
    let pinfl = stored.application.subject.person().pinfl.as_str();
    let mut found: Vec<(Same, Vec<(String, String)>)> = vec![(
        Same::Pinfl,
        others()
            .filter(applications::pinfl.eq(pinfl))
            .filter(applications::state.eq_any(["draft", "under_review", "approved"]))
            .load(connection)?,
    )];
    if let Some(key) = &stored.spki_sha256 {
        found.push((Same::Key, others().filter(applications::spki_sha256.eq(key)).load(connection)?));
    }
    if let Some(sha256) = photo_sha256 {
        let holders: Vec<String> = documents::table
            .filter(documents::sha256.eq(sha256))
            .filter(documents::kind.eq("photo"))
            .filter(documents::application_id.ne(id.clone()))
            .limit(LIMIT)
            .select(documents::application_id)
            .load(connection)?;
        found.push((Same::Photo, others().filter(applications::id.eq_any(holders)).load(connection)?));
    }
    found
        .into_iter()
        .flat_map(|(same, rows)| rows.into_iter().map(move |row| (same, row)))
        .map(|(same, (id, state))| {
            Ok(Duplicate { application: id.parse().map_err(StoreError::corrupt)?, state, same })
        })
        .collect()
}
