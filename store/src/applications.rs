//! Applications, their events, and the one place where a decision becomes durable.

use ca_core::Timestamp;
use ca_core::application::{Application, ApplicationId, DocumentKind, Facts, Reason, State, Transition};
use ca_core::fee::Channel;
use ca_core::subject::Subject;
use diesel::prelude::*;

use crate::connection::insert_all;
use crate::database::Connection;
use crate::error::StoreError;
use crate::jobs::{JobKind, NewJob};
use crate::schema::{application_events, applications, documents, invoices};
use crate::{Page, audit, jobs, messages, renewals};

/// In the place of a subject that was erased: see [`crate::retention`]. Such an application is there only for what refers
/// to it.
pub(crate) const ERASED: &str = "";

/// An application to be created, as a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApplication {
    /// Its name.
    pub id: ApplicationId,
    /// Who is to be certified.
    pub subject: Subject,
    /// Where it came in.
    pub channel: Channel,
    /// The confirmed phone, E.164: the account it belongs to.
    pub phone: String,
    /// SOATO code of the region.
    pub region: i32,
    /// SOATO code of the district.
    pub district: i32,
    /// For notices by mail.
    pub email: Option<String>,
    /// What the certificate is for (law O'RQ-793).
    pub purpose: String,
    /// The tag of the language the applicant reads.
    pub language: String,
    /// Whether and when the offer was accepted.
    pub offer_accepted_at: Option<Timestamp>,
    /// The registrar of a walk-in applicant.
    pub registered_by: Option<String>,
    /// The partner that identified the applicant, by its name in the settings.
    pub registered_partner: Option<String>,
    /// The benefit that the registrar or the partner claims for the applicant.
    pub benefit: Option<String>,
}

/// An application with everything that is stored beside what decisions look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApplication {
    /// What decisions look at.
    pub application: Application,
    /// The confirmed phone, E.164: the account it belongs to.
    pub phone: String,
    /// SOATO code of the region.
    pub region: i32,
    /// SOATO code of the district.
    pub district: i32,
    /// For notices by mail.
    pub email: Option<String>,
    /// What the certificate is for.
    pub purpose: String,
    /// The tag of the language the applicant reads.
    pub language: String,
    /// The certification request, DER.
    pub csr: Option<Vec<u8>>,
    /// SHA-256 of the SubjectPublicKeyInfo in it.
    pub spki_sha256: Option<Vec<u8>>,
    /// Why an officer returned or rejected it, until it is submitted again.
    pub refusal: Option<(Reason, Option<String>)>,
    /// When it was last submitted.
    pub submitted_at: Option<Timestamp>,
    /// The partner that identified the applicant, by its name in the settings.
    pub registered_partner: Option<String>,
    /// The benefit that the registrar or the partner claims for the applicant.
    pub benefit: Option<String>,
}

/// Something that happened to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The verb.
    pub command: String,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// An officer's reason.
    pub reason: Option<String>,
    /// An officer's note, or the signer's finding.
    pub note: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = applications, treat_none_as_default_value = false)]
struct NewRow<'a> {
    id: String,
    state: &'a str,
    subject_type: &'a str,
    channel: &'a str,
    phone: &'a str,
    pinfl: &'a str,
    stir: Option<&'a str>,
    common_name: String,
    subject: String,
    region: i32,
    district: i32,
    email: Option<&'a str>,
    purpose: &'a str,
    language: &'a str,
    offer_accepted_at: Option<i64>,
    registered_by: Option<&'a str>,
    registered_partner: Option<&'a str>,
    benefit: Option<&'a str>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = applications)]
struct Row {
    id: String,
    state: String,
    channel: String,
    phone: String,
    subject: String,
    region: i32,
    district: i32,
    email: Option<String>,
    purpose: String,
    language: String,
    offer_accepted_at: Option<i64>,
    registered_by: Option<String>,
    csr: Option<Vec<u8>>,
    spki_sha256: Option<Vec<u8>>,
    refusal_reason: Option<String>,
    refusal_note: Option<String>,
    submitted_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    registered_partner: Option<String>,
    benefit: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = application_events, treat_none_as_default_value = false)]
struct NewEvent<'a> {
    application_id: String,
    at: i64,
    actor: String,
    command: &'a str,
    from_state: &'a str,
    to_state: &'a str,
    reason: Option<&'a str>,
    note: Option<&'a str>,
}

/// Creates a draft.
///
/// # Errors
/// The database's.
pub fn create(
    connection: &mut Connection,
    new: &NewApplication,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    // The number of the identity document is sealed apart: see `data_keys`.
    let mut bare = new.subject.clone();
    bare.take_document();
    let subject = serde_json::to_string(&bare).map_err(StoreError::corrupt)?;
    let row = NewRow {
        id: new.id.to_string(),
        state: State::Draft.as_str(),
        subject_type: new.subject.subject_type().as_str(),
        channel: new.channel.as_str(),
        phone: &new.phone,
        pinfl: new.subject.person().pinfl.as_str(),
        stir: new.subject.stir().map(|stir| stir.as_str()),
        common_name: new.subject.common_name(),
        subject,
        region: new.region,
        district: new.district,
        email: new.email.as_deref(),
        purpose: &new.purpose,
        language: &new.language,
        offer_accepted_at: new.offer_accepted_at.map(Timestamp::unix_millis),
        registered_by: new.registered_by.as_deref(),
        registered_partner: new.registered_partner.as_deref(),
        benefit: new.benefit.as_deref(),
        created_at: now.unix_millis(),
        updated_at: now.unix_millis(),
    };
    diesel::insert_into(applications::table).values(&row).execute(connection)?;
    let details = serde_json::json!({
        "channel": new.channel.as_str(),
        "subject_type": new.subject.subject_type().as_str(),
        "benefit": new.benefit,
        "registered_by": new.registered_by,
    });
    audit::of_application(connection, new.id, "application.create", details, actor, now)
}

/// One application with its facts.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: ApplicationId) -> Result<StoredApplication, StoreError> {
    find_many(connection, &[id])?.pop().ok_or(StoreError::NotFound)
}

/// These applications with their facts, oldest first; those that do not exist are left out.
///
/// # Errors
/// The database's.
pub fn find_many(
    connection: &mut Connection,
    ids: &[ApplicationId],
) -> Result<Vec<StoredApplication>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = applications::table
        .filter(applications::id.eq_any(ids))
        .filter(applications::subject.ne(ERASED))
        .order(applications::id)
        .select(Row::as_select())
        .load(connection)?;
    with_facts(connection, rows)
}

/// What a list of applications is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The account, E.164.
    pub phone: Option<String>,
    /// Whose move it is.
    pub state: Option<State>,
    /// A PINFL, a STIR, an application's name or the beginning of a subject's name.
    pub text: Option<String>,
    /// The registrar of walk-in applicants.
    pub registered_by: Option<String>,
    /// The partner that identified the applicants.
    pub registered_partner: Option<String>,
}

/// A page of applications, oldest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &mut Connection,
    filter: &Filter,
    after: Option<ApplicationId>,
    limit: usize,
) -> Result<Page<StoredApplication>, StoreError> {
    let mut query = applications::table.filter(applications::subject.ne(ERASED)).into_boxed();
    if let Some(phone) = &filter.phone {
        query = query.filter(applications::phone.eq(phone.clone()));
    }
    if let Some(state) = filter.state {
        query = query.filter(applications::state.eq(state.as_str()));
    }
    if let Some(login) = &filter.registered_by {
        query = query.filter(applications::registered_by.eq(login.clone()));
    }
    if let Some(partner) = &filter.registered_partner {
        query = query.filter(applications::registered_partner.eq(partner.clone()));
    }
    if let Some(text) = &filter.text {
        query = query.filter(
            applications::pinfl
                .eq(text.clone())
                .or(applications::stir.eq(text.clone()))
                .or(applications::id.eq(text.clone()))
                .or(applications::common_name
                    .ge(text.clone())
                    .and(applications::common_name.lt(format!("{text}\u{10ffff}")))),
        );
    }
    if let Some(after) = after {
        query = query.filter(applications::id.gt(after.to_string()));
    }
    let rows: Vec<Row> = query
        .order(applications::id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select(Row::as_select())
        .load(connection)?;
    let found = with_facts(connection, rows)?;
    Ok(Page::from_rows(found, limit, |stored| stored.application.id.to_string()))
}

fn with_facts(connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<StoredApplication>, StoreError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let there: Vec<(String, String)> = documents::table
        .filter(documents::application_id.eq_any(ids.clone()))
        .select((documents::application_id, documents::kind))
        .load(connection)?;
    let paid: Vec<String> = invoices::table
        .filter(invoices::application_id.eq_any(ids))
        .filter(invoices::state.eq("paid"))
        .select(invoices::application_id)
        .load(connection)?;
    let renewed = renewals::signed(connection, &rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>())?;
    rows.into_iter()
        .map(|row| {
            let kinds = there.iter().filter(|(id, _)| *id == row.id);
            let facts = Facts {
                offer_accepted: row.offer_accepted_at.is_some(),
                csr: row.csr.is_some(),
                paid: paid.contains(&row.id),
                renewal_signed: renewed.contains(&row.id),
                documents: kinds.filter_map(|(_, kind)| kind.parse::<DocumentKind>().ok()).collect(),
            };
            stored(row, facts)
        })
        .collect()
}

fn stored(row: Row, facts: Facts) -> Result<StoredApplication, StoreError> {
    let reason = row
        .refusal_reason
        .map(|name| Reason::ALL.into_iter().find(|reason| reason.as_str() == name).unwrap_or(Reason::Other));
    Ok(StoredApplication {
        application: Application {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            state: row.state.parse().map_err(StoreError::corrupt)?,
            subject: serde_json::from_str(&row.subject).map_err(StoreError::corrupt)?,
            channel: row.channel.parse().map_err(|_| StoreError::corrupt("a channel"))?,
            registered_by: row.registered_by,
            facts,
            created_at: Timestamp::from_unix_millis(row.created_at),
            updated_at: Timestamp::from_unix_millis(row.updated_at),
        },
        phone: row.phone,
        region: row.region,
        district: row.district,
        email: row.email,
        purpose: row.purpose,
        language: row.language,
        csr: row.csr,
        spki_sha256: row.spki_sha256,
        refusal: reason.map(|reason| (reason, row.refusal_note)),
        submitted_at: row.submitted_at.map(Timestamp::from_unix_millis),
        registered_partner: row.registered_partner,
        benefit: row.benefit,
    })
}

/// Stores the certification request of a draft.
///
/// # Errors
/// [`StoreError::Conflict`] if it is no draft any more.
pub fn set_csr(
    connection: &mut Connection,
    id: ApplicationId,
    csr: &[u8],
    spki_sha256: &[u8; 32],
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changed = diesel::update(applications::table.find(id.to_string()))
        .filter(applications::state.eq(State::Draft.as_str()))
        .set((
            applications::csr.eq(csr),
            applications::spki_sha256.eq(spki_sha256.as_slice()),
            applications::statement_cms.eq(None::<Vec<u8>>),
            applications::updated_at.eq(now.unix_millis()),
        ))
        .execute(connection)?;
    if changed == 0 {
        return Err(StoreError::Conflict("application state".to_owned()));
    }
    // The statement names the key.
    renewals::forget_signature(connection, id, actor, now)?;
    let details = serde_json::json!({ "spki_sha256": hex::encode(spki_sha256) });
    audit::of_application(connection, id, "application.csr", details, actor, now)
}

/// Keeps the signed statement that came with a submission.
///
/// # Errors
/// The database's.
pub fn set_statement(connection: &mut Connection, id: ApplicationId, cms: &[u8]) -> Result<(), StoreError> {
    diesel::update(applications::table.find(id.to_string()))
        .set(applications::statement_cms.eq(cms))
        .execute(connection)?;
    Ok(())
}

/// Other people who have used a key in an application that is still alive: one key is one person's.
///
/// # Errors
/// The database's.
pub fn other_holders_of_key(
    connection: &mut Connection,
    spki_sha256: &[u8; 32],
    pinfl: &str,
) -> Result<bool, StoreError> {
    let found: Option<String> = applications::table
        .filter(applications::spki_sha256.eq(spki_sha256.to_vec()))
        .filter(applications::pinfl.ne(pinfl))
        .filter(applications::state.eq_any(["draft", "under_review", "approved", "issued"]))
        .select(applications::id)
        .first(connection)
        .optional()?;
    Ok(found.is_some())
}

/// How many applications of a phone are somebody's move.
///
/// # Errors
/// The database's.
pub fn open_of(connection: &mut Connection, phone: &str) -> Result<i64, StoreError> {
    Ok(applications::table
        .filter(applications::phone.eq(phone))
        .filter(applications::state.eq_any(["draft", "under_review", "approved"]))
        .count()
        .get_result(connection)?)
}

/// How many applications a partner has created since a moment.
///
/// # Errors
/// The database's.
pub fn of_partner_since(
    connection: &mut Connection,
    partner: &str,
    since: Timestamp,
) -> Result<i64, StoreError> {
    Ok(applications::table
        .filter(applications::registered_partner.eq(partner))
        .filter(applications::created_at.ge(since.unix_millis()))
        .count()
        .get_result(connection)?)
}

/// Makes a decision durable in the caller's transaction: the state if nobody moved it first, the event, the follow-up
/// jobs and the audit entry.
///
/// # Errors
/// [`StoreError::Conflict`] if somebody moved it first.
pub fn apply(connection: &mut Connection, transition: &Transition) -> Result<(), StoreError> {
    let moved = diesel::update(applications::table.find(transition.application.to_string()))
        .filter(applications::state.eq(transition.from.as_str())) // somebody moved it first? then no row
        .set((
            applications::state.eq(transition.to.as_str()),
            applications::refusal_reason.eq(transition.reason.map(Reason::as_str)),
            applications::refusal_note.eq(transition.reason.and(transition.note.as_deref())),
            applications::updated_at.eq(transition.at.unix_millis()),
        ))
        .execute(connection)?;
    if moved == 0 {
        return Err(StoreError::Conflict("application state".to_owned()));
    }
    if transition.to == State::UnderReview && transition.from == State::Draft {
        diesel::update(applications::table.find(transition.application.to_string()))
            .set(applications::submitted_at.eq(transition.at.unix_millis()))
            .execute(connection)?;
    }
    // The application's row is held now: what was paid for it cannot be taken back before this decision is durable.
    if matches!(transition.to, State::UnderReview | State::Approved)
        && transition.from != State::Approved
        && !crate::invoices::is_paid(connection, transition.application)?
    {
        return Err(StoreError::Conflict("invoice state".to_owned()));
    }
    crate::invoices::application_ended(connection, transition)?;
    let entry = audit::Entry {
        at: transition.at,
        actor: transition.actor.to_string(),
        action: format!("application.{}", transition.command),
        object: format!("application:{}", transition.application),
        details: serde_json::json!({
            "from": transition.from.as_str(),
            "to": transition.to.as_str(),
            "reason": transition.reason,
        }),
    };
    audit::record(connection, &[entry])?;
    record(connection, std::slice::from_ref(transition))
}

/// Events and follow-up jobs of decisions whose states have been written.
pub(crate) fn record(connection: &mut Connection, transitions: &[Transition]) -> Result<(), StoreError> {
    for chunk in transitions.chunks(1000) {
        let events: Vec<NewEvent<'_>> = chunk
            .iter()
            .map(|t| NewEvent {
                application_id: t.application.to_string(),
                at: t.at.unix_millis(),
                actor: t.actor.to_string(),
                command: t.command,
                from_state: t.from.as_str(),
                to_state: t.to.as_str(),
                reason: t.reason.map(Reason::as_str),
                note: t.note.as_deref(),
            })
            .collect();
        insert_all!(connection, application_events::table, &events)?;
    }
    if let Some(now) = transitions.first().map(|t| t.at) {
        let follow_ups: Vec<NewJob> = transitions.iter().filter_map(follow_up).collect();
        jobs::enqueue(connection, &follow_ups, now)?;
    }
    Ok(())
}

/// What a decision sets in motion.
fn follow_up(transition: &Transition) -> Option<NewJob> {
    let notice = |event| {
        let fact = transition.application.to_string();
        Some(messages::notice(transition.application, event, &fact, transition.at))
    };
    match (transition.from, transition.to) {
        (_, State::Approved) => Some(NewJob {
            kind: JobKind::IssueCertificate,
            key: transition.application.to_string(),
            payload: "{}".to_owned(),
            run_at: transition.at,
        }),
        (State::Draft, State::UnderReview) => notice("received"),
        (State::UnderReview, State::Draft) => notice("returned"),
        (_, State::Rejected) => notice("rejected"),
        (_, State::Issued) => notice("issued"),
        _ => None,
    }
}

/// What happened to an application, oldest first.
///
/// # Errors
/// The database's.
pub fn history(connection: &mut Connection, id: ApplicationId) -> Result<Vec<Event>, StoreError> {
    type Columns = (i64, String, String, String, String, Option<String>, Option<String>);
    let rows: Vec<Columns> = application_events::table
        .filter(application_events::application_id.eq(id.to_string()))
        .order(application_events::id)
        .select((
            application_events::at,
            application_events::actor,
            application_events::command,
            application_events::from_state,
            application_events::to_state,
            application_events::reason,
            application_events::note,
        ))
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(at, actor, command, from, to, reason, note)| Event {
            at: Timestamp::from_unix_millis(at),
            actor,
            command,
            from,
            to,
            reason,
            note,
        })
        .collect())
}

/// Drafts nobody has touched since `before`, oldest first.
///
/// # Errors
/// The database's.
pub fn stale_drafts(
    connection: &mut Connection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<StoredApplication>, StoreError> {
    let rows: Vec<Row> = applications::table
        .filter(applications::state.eq(State::Draft.as_str()))
        .filter(applications::updated_at.lt(before.unix_millis()))
        .order(applications::id)
        .limit(limit)
        .select(Row::as_select())
        .load(connection)?;
    with_facts(connection, rows)
}

/// How many applications are in each state.
///
/// # Errors
/// The database's.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(applications::table
        .group_by(applications::state)
        .select((applications::state, diesel::dsl::count_star()))
        .load(connection)?)
}
