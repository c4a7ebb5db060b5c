//! Evidence that has been kept long enough is erased: its key, its documents' rows and what is personal beside them.

use ca_core::Timestamp;
use ca_core::application::{ApplicationId, State};
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use serde_json::json;

use crate::applications::ERASED;
use crate::database::Connection;
use crate::documents::{self, Document};
use crate::error::StoreError;
use crate::schema::{applications, certificates, data_keys, documents as rows, refunds, renewals};
use crate::{audit, data_keys as keys};

/// States in which an application has come to nothing.
const REFUSED: [State; 3] = [State::Rejected, State::Withdrawn, State::Expired];

/// Since when what may be erased has rested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// Applications that came to nothing before this moment.
    pub refused_before: Timestamp,
    /// Applications whose certificate ended before this moment.
    pub ended_before: Timestamp,
}

/// Applications whose evidence is to be erased, in the order of their names, beginning after one; and the name to go on
/// after, if there may be more. What is still owed to somebody keeps an application, and so does a renewal that stands on
/// its evidence.
///
/// # Errors
/// The database's.
pub fn due(
    connection: &mut Connection,
    periods: Periods,
    after: &str,
    limit: i64,
) -> Result<(Vec<ApplicationId>, Option<String>), StoreError> {
    let refused: Vec<String> = applications::table
        .filter(applications::state.eq_any(REFUSED.map(State::as_str)))
        .filter(applications::updated_at.lt(periods.refused_before.unix_millis()))
        .filter(applications::phone.ne(""))
        .filter(applications::id.gt(after))
        .filter(not(exists(
            refunds::table
                .filter(refunds::application_id.eq(applications::id))
                .filter(refunds::state.ne("done")),
        )))
        .order(applications::id)
        .limit(limit)
        .select(applications::id)
        .load(connection)?;
    let ended: Vec<(String, i64)> = certificates::table
        .inner_join(applications::table)
        .filter(certificates::not_after.lt(periods.ended_before.unix_millis()))
        .filter(applications::state.eq(State::Issued.as_str()))
        .filter(applications::phone.ne(""))
        .filter(applications::id.gt(after))
        .order(applications::id)
        .limit(limit)
        .select((applications::id, certificates::id))
        .load(connection)?;
    // Beyond the shorter of two full lists the other one may have gaps.
    let full = |length: usize, last: Option<&String>| last.filter(|_| length as i64 >= limit).cloned();
    let ends = [full(refused.len(), refused.last()), full(ended.len(), ended.last().map(|(id, _)| id))];
    let next = ends.into_iter().flatten().min();
    let mut found = Vec::new();
    for (id, certificate) in ended {
        if is_free(connection, certificate)? {
            found.push(id);
        }
    }
    found.extend(refused);
    found.sort();
    found.retain(|id| next.as_ref().is_none_or(|next| id <= next));
    let found = found.iter().map(|id| id.parse().map_err(StoreError::corrupt)).collect::<Result<_, _>>()?;
    Ok((found, next))
}

/// Nothing that is kept renews the certificate: a renewal has no pictures of its own.
fn is_free(connection: &mut Connection, certificate: i64) -> Result<bool, StoreError> {
    let renewing: i64 = renewals::table
        .filter(renewals::certificate_id.eq(certificate))
        .filter(not(exists(
            data_keys::table
                .filter(data_keys::application_id.eq(renewals::application_id))
                .filter(data_keys::erased_at.is_not_null()),
        )))
        .count()
        .get_result(connection)?;
    Ok(renewing == 0)
}

/// Erases an application's evidence, in the caller's transaction, and says what it was. Of an application that came to
/// nothing the whole person is forgotten; of an issued one what the certificate says stays, as the register of
/// certificates does.
///
/// # Errors
/// [`StoreError::Conflict`] if it has been erased already, or is in no state to be.
pub fn erase(
    connection: &mut Connection,
    application: ApplicationId,
    now: Timestamp,
) -> Result<Vec<Document>, StoreError> {
    let id = application.to_string();
    let state: String = applications::table.find(&id).select(applications::state).first(connection)?;
    let kept = applications::table.find(&id).filter(applications::phone.ne(""));
    let reachable = (
        applications::phone.eq(""),
        applications::email.eq(None::<String>),
        applications::refusal_note.eq(None::<String>),
    );
    let blanked = if state == State::Issued.as_str() {
        diesel::update(kept).set(reachable).execute(connection)?
    } else if REFUSED.iter().any(|refused| refused.as_str() == state) {
        let person = (
            applications::pinfl.eq(""),
            applications::stir.eq(None::<String>),
            applications::common_name.eq(""),
            applications::subject.eq(ERASED),
            applications::purpose.eq(""),
            applications::csr.eq(None::<Vec<u8>>),
            applications::spki_sha256.eq(None::<Vec<u8>>),
            applications::statement_cms.eq(None::<Vec<u8>>),
        );
        diesel::update(kept).set((reachable, person)).execute(connection)?
    } else {
        0
    };
    if blanked == 0 {
        return Err(StoreError::Conflict("application state".to_owned()));
    }
    // The renewal's statement carries the holder's certificate.
    diesel::update(renewals::table.find(&id))
        .set((renewals::statement_cms.eq(None::<Vec<u8>>), renewals::signed_at.eq(None::<i64>)))
        .execute(connection)?;
    let gone = documents::of(connection, application)?;
    diesel::delete(rows::table.filter(rows::application_id.eq(&id))).execute(connection)?;
    keys::erase(connection, application, now)?;
    let hashes: Vec<_> = gone
        .iter()
        .map(|document| json!({ "kind": document.kind.as_str(), "sha256": hex::encode(&document.sha256) }))
        .collect();
    let details = json!({ "state": state, "documents": hashes });
    audit::of_application(connection, application, "evidence.erase", details, "clock", now)?;
    Ok(gone)
}

/// Applications that were erased and of which something is still there.
///
/// # Errors
/// The database's.
pub fn leftovers(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let documents = rows::table.filter(rows::application_id.eq(applications::id));
    let personal = applications::phone
        .ne("")
        .or(applications::email.is_not_null())
        .or(applications::state.ne(State::Issued.as_str()).and(applications::subject.ne(ERASED)));
    Ok(data_keys::table
        .inner_join(applications::table)
        .filter(data_keys::erased_at.is_not_null())
        .filter(personal.or(exists(documents)))
        .order(applications::id)
        .select(applications::id)
        .load(connection)?)
}
