//! What administrators have proposed and decided: officers, prices, partners. An act is changed only by what ends it.

use ca_core::Timestamp;
use ca_core::administration::{Act, ActState};
use ca_core::fee::Entry;
use diesel::prelude::*;

use crate::database::Connection;
use crate::error::StoreError;
use crate::schema::acts;
use crate::{Page, audit};

/// An act with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAct {
    /// Its name.
    pub id: String,
    /// What is to be done, or was.
    pub act: Act,
    /// Why, in the words of who proposed it.
    pub reason: String,
    /// See [`ActState`].
    pub state: String,
    /// The login of the administrator who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// The login of the administrator who decided on it; none of an urgent one or one that was taken back.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why it was refused.
    pub decision_reason: Option<String>,
    /// Half of the one-time password waits for who proposed it.
    pub half_waits: bool,
}

impl StoredAct {
    /// This officer may bring the proposal into this state: its own administrator takes it back, another one decides.
    pub fn may_be_ended_by(&self, login: &str, state: ActState) -> bool {
        match state {
            ActState::Withdrawn => self.proposed_by == login,
            _ => !self.act.is_own(&self.proposed_by, login),
        }
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = acts, treat_none_as_default_value = false)]
struct Row {
    id: String,
    kind: String,
    object: String,
    content: String,
    reason: String,
    state: String,
    proposed_by: String,
    proposed_at: i64,
    decided_by: Option<String>,
    decided_at: Option<i64>,
    decision_reason: Option<String>,
    sealed_half: Option<Vec<u8>>,
}

impl TryFrom<Row> for StoredAct {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            act: serde_json::from_str(&row.content).map_err(StoreError::corrupt)?,
            reason: row.reason,
            state: row.state,
            proposed_by: row.proposed_by,
            proposed_at: Timestamp::from_unix_millis(row.proposed_at),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(Timestamp::from_unix_millis),
            decision_reason: row.decision_reason,
            half_waits: row.sealed_half.is_some(),
        })
    }
}

/// Keeps a proposal; an urgent act is in force with that.
///
/// # Errors
/// [`StoreError::Conflict`] if the same is proposed already.
pub fn propose(
    connection: &mut Connection,
    act: &Act,
    reason: &str,
    login: &str,
    now: Timestamp,
) -> Result<StoredAct, StoreError> {
    let state = if act.is_urgent() { ActState::InForce } else { ActState::Proposed };
    let row = Row {
        id: uuid::Uuid::new_v4().to_string(),
        kind: act.kind().to_owned(),
        object: act.object(),
        content: serde_json::to_string(act).map_err(StoreError::corrupt)?,
        reason: reason.to_owned(),
        state: state.as_str().to_owned(),
        proposed_by: login.to_owned(),
        proposed_at: now.unix_millis(),
        decided_by: None,
        decided_at: None,
        decision_reason: None,
        sealed_half: None,
    };
    diesel::insert_into(acts::table).values(&row).execute(connection)?;
    let stored = StoredAct::try_from(row)?;
    record(connection, &stored, if act.is_urgent() { "act.enact" } else { "act.propose" }, login, now)?;
    Ok(stored)
}

/// The act with this name.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn find(connection: &mut Connection, id: &str) -> Result<StoredAct, StoreError> {
    // PostgreSQL takes no text with a NUL; what was never a name is not there.
    if uuid::Uuid::parse_str(id).is_err() {
        return Err(StoreError::NotFound);
    }
    acts::table.find(id.to_owned()).select(Row::as_select()).first::<Row>(connection)?.try_into()
}

/// Ends a proposal: another administrator puts it in force or refuses it, its own takes it back. `None` if it is no
/// proposal any more.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Conflict`] if who decides may not.
pub fn decide(
    connection: &mut Connection,
    id: &str,
    state: ActState,
    login: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Option<StoredAct>, StoreError> {
    let before = find(connection, id)?;
    let by_another = state != ActState::Withdrawn;
    if !before.may_be_ended_by(login, state) {
        return Err(StoreError::Conflict("a proposal that is not this officer's to decide on".to_owned()));
    }
    let changed = diesel::update(acts::table.find(id.to_owned()))
        .filter(acts::state.eq(ActState::Proposed.as_str()))
        .set((
            acts::state.eq(state.as_str()),
            acts::decided_by.eq(by_another.then_some(login)),
            acts::decided_at.eq(by_another.then_some(now.unix_millis())),
            acts::decision_reason.eq(reason),
        ))
        .execute(connection)?;
    if changed == 0 {
        return Ok(None);
    }
    let action = match state {
        ActState::InForce => "act.enact",
        ActState::Refused => "act.refuse",
        ActState::Withdrawn => "act.withdraw",
        ActState::Proposed | ActState::Revoked => {
            return Err(StoreError::Conflict(state.as_str().to_owned()));
        }
    };
    let after = find(connection, id)?;
    record(connection, &after, action, login, now)?;
    Ok(Some(after))
}

/// An administrator has signed a proposal that others have to sign as well.
///
/// # Errors
/// The database's.
pub fn confirmed(
    connection: &mut Connection,
    stored: &StoredAct,
    login: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    record(connection, stored, "act.confirm", login, now)
}

/// Keeps the sealed half of a one-time password until the proposer asks for it.
///
/// # Errors
/// The database's.
pub fn keep_half(connection: &mut Connection, id: &str, sealed: &[u8]) -> Result<(), StoreError> {
    diesel::update(acts::table.find(id.to_owned())).set(acts::sealed_half.eq(sealed)).execute(connection)?;
    Ok(())
}

/// The sealed half, for its proposer, once.
///
/// # Errors
/// [`StoreError::NotFound`] if there is none, or it is somebody else's.
pub fn take_half(
    connection: &mut Connection,
    id: &str,
    login: &str,
    now: Timestamp,
) -> Result<Vec<u8>, StoreError> {
    let stored = find(connection, id)?;
    let theirs = acts::table.find(id.to_owned()).filter(acts::proposed_by.eq(login.to_owned()));
    let half: Option<Vec<u8>> = theirs.select(acts::sealed_half).first(connection)?;
    let half = half.ok_or(StoreError::NotFound)?;
    let waits = acts::table.find(id.to_owned()).filter(acts::sealed_half.is_not_null());
    let taken = diesel::update(waits).set(acts::sealed_half.eq(None::<Vec<u8>>)).execute(connection)?;
    if taken == 0 {
        return Err(StoreError::NotFound);
    }
    record(connection, &stored, "act.password-half", login, now)?;
    Ok(half)
}

/// A later act ends what is in force about an object. How many were.
///
/// # Errors
/// The database's.
pub fn revoke(connection: &mut Connection, kind: &str, object: &str) -> Result<usize, StoreError> {
    let of_object =
        acts::table.filter(acts::kind.eq(kind.to_owned())).filter(acts::object.eq(object.to_owned()));
    Ok(diesel::update(of_object.filter(acts::state.eq(ActState::InForce.as_str())))
        .set(acts::state.eq(ActState::Revoked.as_str()))
        .execute(connection)?)
}

/// A later act ends this one, if it is in force.
///
/// # Errors
/// The database's.
pub fn revoke_one(connection: &mut Connection, id: &str) -> Result<bool, StoreError> {
    let one = acts::table.find(id.to_owned());
    let changed = diesel::update(one)
        .filter(acts::state.eq(ActState::InForce.as_str()))
        .set(acts::state.eq(ActState::Revoked.as_str()))
        .execute(connection)?;
    Ok(changed > 0)
}

/// The acts of a kind that are in force, in the order in which they were proposed.
///
/// # Errors
/// The database's.
pub fn in_force(connection: &mut Connection, kind: &str) -> Result<Vec<StoredAct>, StoreError> {
    let rows: Vec<Row> = acts::table
        .filter(acts::kind.eq(kind.to_owned()))
        .filter(acts::state.eq(ActState::InForce.as_str()))
        .order((acts::proposed_at, acts::id))
        .select(Row::as_select())
        .load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The entries that acts have added to the fee table.
///
/// # Errors
/// The database's.
pub fn fee_entries(connection: &mut Connection) -> Result<Vec<Entry>, StoreError> {
    let added = in_force(connection, "fee")?;
    Ok(added
        .into_iter()
        .filter_map(|stored| match stored.act {
            Act::Fee { entry } => Some(entry),
            _ => None,
        })
        .collect())
}

/// Whether a partner's requests are not taken at present.
///
/// # Errors
/// The database's.
pub fn is_suspended(connection: &mut Connection, partner: &str) -> Result<bool, StoreError> {
    let suspensions = acts::table
        .filter(acts::kind.eq("partner-suspension"))
        .filter(acts::object.eq(format!("partner:{partner}")))
        .filter(acts::state.eq(ActState::InForce.as_str()));
    Ok(diesel::select(diesel::dsl::exists(suspensions)).get_result(connection)?)
}

/// Acts in a state, or all of them, newest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &mut Connection,
    state: Option<ActState>,
    before: Option<(i64, String)>,
    limit: usize,
) -> Result<Page<StoredAct>, StoreError> {
    let mut query = acts::table.into_boxed();
    if let Some(state) = state {
        query = query.filter(acts::state.eq(state.as_str()));
    }
    if let Some((at, id)) = before {
        query = query.filter(acts::proposed_at.lt(at).or(acts::proposed_at.eq(at).and(acts::id.lt(id))));
    }
    let rows: Vec<Row> = query
        .order((acts::proposed_at.desc(), acts::id.desc()))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
        .select(Row::as_select())
        .load(connection)?;
    let items = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredAct>, _>>()?;
    Ok(Page::from_rows(items, limit, |item| format!("{}.{}", item.proposed_at.unix_millis(), item.id)))
}

fn record(
    connection: &mut Connection,
    stored: &StoredAct,
    action: &str,
    login: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = audit::Entry {
        at: now,
        actor: format!("officer:{login}"),
        action: action.to_owned(),
        object: format!("act:{}", stored.id),
        details: serde_json::json!({
            "act": stored.act, "about": stored.act.object(), "reason": stored.reason,
            "decision_reason": stored.decision_reason,
        }),
    };
    audit::record(connection, &[entry])
}
