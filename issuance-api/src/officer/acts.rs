//! What administrators decide on, two together or as many as the policy says: officers and their roles, prices, partners.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::administration::{Act, ActState, CONFIRM, PROPOSE, is_login};
use ca_core::application::Role;
use ca_core::calendar::{parse_full_date, tashkent_date};
use ca_core::fee::Entry;
use ca_core::officer_statement::{FIRST, OfficerStatement, signature};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use store::acts::{self, StoredAct};
use store::officer_statements::{self, StoredStatement};
use store::{Connection, StoreError, officers, turns};

use super::statements::{ApprovalsView, accept, offer};
use crate::applications::to_sign;
use crate::auth::{SignedIn, Then};
use crate::context::Context;
use crate::json::Json;
use crate::list::{self, List};
use crate::passwords;
use crate::payments::counter::{Explanation, text};
use crate::problem::{Document, FieldError, Kind, Problem, only};

/// The longest name of an act that added an entry to the fee table, or name of its source.
const SOURCE_MAX: usize = 200;

/// What is proposed. Which fields it takes depends on `kind`.
#[derive(Debug, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NewAct {
    /// `officer-add`, `officer-role` (both with `login` and `role`), `officer-reset`, `officer-disable`, `officer-reopen`
    /// (with `login`), `fee` (with `series` and what it needs), `fee-withdrawal` (with `act`), `partner-suspension` or
    /// `partner-restoration` (with `partner`).
    kind: String,
    /// Why, for the audit log.
    reason: String,
    /// An officer's account.
    login: Option<String>,
    /// `registrar`, `reviewer`, `revocation`, `auditor` or `admin`.
    role: Option<String>,
    /// `bhm` (with `tiyin`), `rate` (with `subject_type` and `basis_points`) or `discount` (with `channel` and
    /// `basis_points`); each with `from` and `source`.
    series: Option<String>,
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    subject_type: Option<String>,
    /// `online`, `my.gov.uz` or `service-center`.
    channel: Option<String>,
    /// The first day in Tashkent, after today.
    #[schema(format = Date)]
    from: Option<String>,
    /// The base calculation amount.
    tiyin: Option<i64>,
    /// Hundredths of a percent, 0 to 10000.
    basis_points: Option<i32>,
    /// Which act says so.
    source: Option<String>,
    /// The id of the act that added an entry to the fee table.
    act: Option<String>,
    /// A partner's name in the settings.
    partner: Option<String>,
    /// Detached CMS (RFC 5652) over the statement of the proposal, DER in Base64, with the administrator's certificate in it.
    signature: Option<String>,
}

/// A confirmation is a signature.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// Detached CMS (RFC 5652) over the statement of the confirmation, DER in Base64, with the administrator's certificate in it.
    #[schema(value_type = String, required = true)]
    signature: Option<String>,
}

/// An act, as administrators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Act)]
pub(crate) struct ActView {
    id: String,
    /// `kind` and what it is about: `login`, `role`, `entry`, `act` or `partner`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    act: Act,
    reason: String,
    /// `proposed`, `in_force`, `refused`, `withdrawn` or `revoked` (ended by a later act).
    state: String,
    proposed_by: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_reason: Option<String>,
    /// Half of the one-time password waits for who proposed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    half_waits: bool,
    /// Of a proposal: who has signed it, and how many administrators have to.
    #[serde(skip_serializing_if = "Option::is_none")]
    signatures: Option<ApprovalsView>,
}

impl ActView {
    /// With the signatures under a proposal.
    fn of(connection: &mut Connection, context: &Context, stored: StoredAct) -> Result<Self, Problem> {
        let signatures = match stored.state == ActState::Proposed.as_str() {
            true => Some(ApprovalsView {
                given: signed_by(connection, &stored)?,
                needed: context.approval.administrators(),
            }),
            false => None,
        };
        Ok(Self { signatures, ..Self::from(stored) })
    }
}

impl From<StoredAct> for ActView {
    fn from(stored: StoredAct) -> Self {
        let StoredAct {
            id,
            act,
            reason,
            state,
            proposed_by,
            proposed_at,
            decided_by,
            decided_at,
            decision_reason,
            half_waits,
        } = stored;
        Self {
            id,
            act,
            reason,
            state,
            proposed_by,
            proposed_at,
            decided_by,
            decided_at,
            decision_reason,
            half_waits,
            signatures: None,
        }
    }
}

/// An act that has just been put in force.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct EnactedView {
    #[serde(flatten)]
    act: ActView,
    /// The second half of the password of an account that was opened or reset, told this once. The first is the proposer's: an
    /// account that one administrator could use would be a second voice of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_time_password_half: Option<String>,
}

/// The first half of a one-time password.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PasswordHalf {
    /// The account's.
    login: String,
    /// Told this once.
    one_time_password_half: String,
}

/// Which acts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActsQuery {
    /// `proposed`, `in_force`, `refused`, `withdrawn` or `revoked`; every state if absent.
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on a page: 50 if absent, at most 200.
    limit: Option<String>,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/acts")
            .route(web::get().to(list))
            .route(web::post().to(propose))
            .default_service(only("GET, POST")),
    )
    .service(
        web::resource("/v1/officer/acts/statement")
            .route(web::get().to(proposal_statement))
            .default_service(only("GET")),
    )
    .service(
        web::resource("/v1/officer/acts/{id}/confirmation-statement")
            .route(web::get().to(confirmation_statement))
            .default_service(only("GET")),
    )
    .service(
        web::resource("/v1/officer/acts/{id}/confirmation")
            .route(web::post().to(confirm))
            .default_service(only("POST")),
    )
    .service(
        web::resource("/v1/officer/acts/{id}/password-half")
            .route(web::post().to(password_half))
            .default_service(only("POST")),
    )
    .service(
        web::resource("/v1/officer/acts/{id}/refusal")
            .route(web::post().to(refuse))
            .default_service(only("POST")),
    )
    .service(
        web::resource("/v1/officer/acts/{id}/withdrawal")
            .route(web::post().to(withdraw))
            .default_service(only("POST")),
    );
}

/// Administrative acts, newest first
#[utoipa::path(get, path = "/api/v1/officer/acts", tag = "administration", operation_id = "acts",
    security(("officer" = [])), params(ActsQuery),
    responses(
        (status = 200, description = "a page", body = List<ActView>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn list(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<ActsQuery>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Admin, Role::Auditor])?;
    let limit = list::limit(query.limit.as_deref())?;
    let before = list::after_moment(query.after.as_deref())?;
    let named = |name: &str| ActState::ALL.into_iter().find(|state| state.as_str() == name);
    let state = query
        .state
        .as_deref()
        .map(|name| named(name).ok_or_else(|| Problem::field("/state", "not-a-choice")));
    let state = state.transpose()?;
    let inner = context.as_ref().clone();
    let list = context
        .read(move |connection| {
            let page = acts::page(connection, state, before, limit)?;
            let view = |stored| ActView::of(connection, &inner, stored);
            let items = page.items.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
            Ok(List { items, next: page.next })
        })
        .await?;
    Ok(HttpResponse::Ok().json(list))
}

/// What to sign to propose an act
///
/// The exact bytes, for an act of these fields. They hold for 15 minutes, or until an administrator signs something else about
/// the same.
#[utoipa::path(get, path = "/api/v1/officer/acts/statement", tag = "administration", operation_id = "proposal_statement",
    security(("officer" = [])), params(NewAct),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden, own-act", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn proposal_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    query: web::Query<NewAct>,
) -> Result<HttpResponse, Problem> {
    let (wanted, reason) = query.into_inner().wanted_by(&officer)?;
    let (inner, now, login) = (context.as_ref().clone(), context.now(), officer.officer.login);
    let text = context
        .read(move |connection| {
            let act = wanted.fitting(&inner, connection, now)?;
            offer(connection, &said(PROPOSE, &act, &reason, &login, now)?, now)
        })
        .await?;
    Ok(to_sign(text))
}

/// What an administrator says about an act.
fn said(
    verb: &str,
    act: &Act,
    reason: &str,
    login: &str,
    at: Timestamp,
) -> Result<OfficerStatement, Problem> {
    Ok(OfficerStatement {
        act: verb.to_owned(),
        object: act.object(),
        terms: act.terms(reason).map_err(Problem::internal)?,
        officer: login.to_owned(),
        at,
        previous: FIRST,
    })
}

/// The administrators whose signatures stand under a proposal: who proposed it, and who has confirmed it since. Those who are none any
/// more, and signatures by certificates that are revoked, do not count: audits of the log do not count them either.
fn signed_by(connection: &mut Connection, stored: &StoredAct) -> Result<BTreeSet<String>, Problem> {
    let object = stored.act.object();
    let terms = stored.act.terms(&stored.reason).map_err(Problem::internal)?;
    let statements = officer_statements::about(connection, std::slice::from_ref(&object))?;
    let mut signers = BTreeSet::new();
    for signed in statements.get(&object).into_iter().flatten() {
        let Some(statement) = OfficerStatement::read(&signed.statement) else { continue };
        match statement.act.as_str() {
            // Whatever was confirmed before was another proposal.
            PROPOSE if statement.terms == terms => signers.clear(),
            CONFIRM if statement.terms == terms => {}
            _ => continue,
        }
        if holds(connection, &statement, signed)? {
            signers.insert(statement.officer);
        }
    }
    let mut signed_by = BTreeSet::new();
    for login in signers {
        if is_administrator(connection, &login)? {
            signed_by.insert(login);
        }
    }
    Ok(signed_by)
}

/// Whether a statement is signed with a certificate of the officer whom it names, and that is not revoked.
fn holds(
    connection: &mut Connection,
    statement: &OfficerStatement,
    stored: &StoredStatement,
) -> Result<bool, Problem> {
    let Ok(signed) = signature(&stored.statement, &stored.signature) else { return Ok(false) };
    let theirs = officer_statements::certificates_of(connection, &statement.officer)?;
    Ok(theirs.iter().any(|known| known.der == signed.certificate && known.revoked_at.is_none()))
}

fn is_administrator(connection: &mut Connection, login: &str) -> Result<bool, Problem> {
    match officers::find(connection, login) {
        Ok(account) => Ok(account.disabled_at.is_none() && account.officer.role == Role::Admin),
        Err(StoreError::NotFound) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

/// A proposal that can still be put in force: nobody has decided on it, and who proposed it is an administrator still.
///
/// # Errors
/// 409 `act-not-open`.
fn open(connection: &mut Connection, stored: &StoredAct) -> Result<(), Problem> {
    let is_open = stored.state == ActState::Proposed.as_str();
    if is_open && is_administrator(connection, &stored.proposed_by)? {
        Ok(())
    } else {
        Err(Problem::new(Kind::ActNotOpen))
    }
}

/// Propose an act
///
/// Another administrator decides on it, or as many as the policy says. Closing an account and suspending a partner count at once.
#[utoipa::path(post, path = "/api/v1/officer/acts", tag = "administration", operation_id = "propose_act",
    security(("officer" = [])), request_body = NewAct,
    responses(
        (status = 201, description = "proposed, or in force if it is urgent", body = ActView),
        (status = 403, description = "forbidden, own-act, officer-not-certified", body = Document),
        (status = 409, description = "conflict: the same is proposed already; statement-outdated", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn propose(
    context: web::Data<Context>,
    Then(officer, Json(new)): Then<SignedIn, Json<NewAct>>,
) -> Result<HttpResponse, Problem> {
    let signature = new.signature.clone();
    let (wanted, reason) = new.wanted_by(&officer)?;
    let (inner, now, officer) = (context.as_ref().clone(), context.now(), officer.officer);
    let proposed = context
        .write(move |connection| {
            let login = officer.login.clone();
            at_the_table(connection, &login)?;
            let act = wanted.fitting(&inner, connection, now)?;
            let said = said(PROPOSE, &act, &reason, &login, now)?;
            accept(connection, &officer, signature.as_deref(), &said, now)?;
            let stored = acts::propose(connection, &act, &reason, &login, now)?;
            if act.is_urgent() {
                carry_out(connection, &act, None, &format!("officer:{login}"), now)?;
            }
            ActView::of(connection, &inner, stored)
        })
        .await?;
    Ok(HttpResponse::Created().json(proposed))
}

/// What to sign to put a proposal in force
///
/// The exact bytes.
#[utoipa::path(get, path = "/api/v1/officer/acts/{id}/confirmation-statement", tag = "administration",
    operation_id = "confirmation_statement", security(("officer" = [])),
    params(("id" = String, Path, description = "the act")),
    responses(
        (status = 200, description = "the statement", body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden, own-act", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "act-not-open, already-approved", body = Document),
    ))]
pub(crate) async fn confirmation_statement(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Admin])?;
    let (id, now, login) = (id.into_inner(), context.now(), officer.officer.login);
    let text = context
        .read(move |connection| {
            let stored = acts::find(connection, &id)?;
            if !stored.may_be_ended_by(&login, ActState::InForce) {
                return Err(Problem::new(Kind::OwnAct));
            }
            open(connection, &stored)?;
            if signed_by(connection, &stored)?.contains(&login) {
                return Err(Problem::new(Kind::AlreadyApproved));
            }
            offer(connection, &said(CONFIRM, &stored.act, &stored.reason, &login, now)?, now)
        })
        .await?;
    Ok(to_sign(text))
}

/// Put a proposal in force
///
/// By another administrator than the one who proposed it, and not by the officer it is about. Where the policy asks for more than two,
/// it stays proposed until the last of them has signed.
#[utoipa::path(post, path = "/api/v1/officer/acts/{id}/confirmation", tag = "administration", operation_id = "confirm_act",
    security(("officer" = [])), params(("id" = String, Path, description = "the act")), request_body = Confirmation,
    responses(
        (status = 200, description = "in force, or one signature nearer to it", body = EnactedView),
        (status = 403, description = "forbidden, own-act", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "act-not-open, already-approved; conflict: it does not fit any more", body = Document),
    ))]
pub(crate) async fn confirm(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(officer, Json(form)): Then<SignedIn, Json<Confirmation>>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Admin])?;
    let (id, now, officer) = (id.into_inner(), context.now(), officer.officer);
    let named = id.clone();
    let proposed = context.read(move |connection| Ok(acts::find(connection, &named)?)).await?;
    let password = match proposed.act {
        Act::OfficerAdd { .. } | Act::OfficerReset { .. } | Act::OfficerReopen { .. } => {
            Some(SharedPassword::draw(&context, &id).await?)
        }
        _ => None,
    };
    let inner = context.as_ref().clone();
    let enacted = context
        .write(move |connection| {
            let login = officer.login.clone();
            at_the_table(connection, &login)?;
            let stored = acts::find(connection, &id)?;
            let act = &stored.act;
            if !stored.may_be_ended_by(&login, ActState::InForce) {
                return Err(Problem::new(Kind::OwnAct));
            }
            open(connection, &stored)?;
            let others = acts::fee_entries(connection)?;
            fits(&inner, connection, act, others, now).map_err(Problem::as_unfit)?;
            let mut signed_by = signed_by(connection, &stored)?;
            if !signed_by.insert(login.clone()) {
                return Err(Problem::new(Kind::AlreadyApproved));
            }
            let said = said(CONFIRM, act, &stored.reason, &login, now)?;
            accept(connection, &officer, form.signature.as_deref(), &said, now)?;
            if signed_by.len() < inner.approval.administrators() {
                acts::confirmed(connection, &stored, &login, now)?;
                return Ok((ActView::of(connection, &inner, stored)?, None));
            }
            let taken = acts::decide(connection, &id, ActState::InForce, &login, None, now)?;
            let mut taken = taken.ok_or_else(|| Problem::new(Kind::ActNotOpen))?;
            let hash = password.as_ref().map(|password| password.hash.as_str());
            carry_out(connection, act, hash, &format!("officer:{login}"), now)?;
            if let Some(password) = &password {
                acts::keep_half(connection, &id, &password.sealed_first)?;
                taken.half_waits = true;
            }
            Ok((ActView::from(taken), password.map(|password| password.second)))
        })
        .await?;
    let (act, second) = enacted;
    let one_time_password_half = second.as_ref().map(SecretString::expose_secret).map(str::to_owned);
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(EnactedView { act, one_time_password_half }))
}

/// Ask for the first half of a one-time password
///
/// By who proposed the act; the second half was told to who confirmed it. Told once.
#[utoipa::path(post, path = "/api/v1/officer/acts/{id}/password-half", tag = "administration", operation_id = "password_half",
    security(("officer" = [])), params(("id" = String, Path, description = "the act")),
    responses(
        (status = 200, description = "the half", body = PasswordHalf),
        (status = 403, description = "forbidden", body = Document),
        (status = 404, description = "not-found: it has been told, or is somebody else's", body = Document),
    ))]
pub(crate) async fn password_half(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Admin])?;
    let (id, now, proposer) = (id.into_inner(), context.now(), officer.officer.login);
    let named = id.clone();
    let (stored, sealed) = context
        .write(move |connection| {
            at_the_table(connection, &proposer)?;
            let sealed = acts::take_half(connection, &named, &proposer, now)?;
            Ok((acts::find(connection, &named)?, sealed))
        })
        .await?;
    let opened = context.sealer.open(&half_of(&id), &sealed).map_err(Problem::internal)?;
    let half = String::from_utf8(opened.to_vec()).map_err(Problem::internal)?;
    let login = stored.act.login().unwrap_or_default().to_owned();
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(PasswordHalf { login, one_time_password_half: half }))
}

/// A one-time password that two have to put together.
struct SharedPassword {
    /// Of the whole.
    hash: String,
    /// Waits for who proposed it.
    sealed_first: Vec<u8>,
    /// Told to who confirms it.
    second: SecretString,
}

impl SharedPassword {
    async fn draw(context: &Context, act: &str) -> Result<Self, Problem> {
        let [first, second] = [passwords::one_time(), passwords::one_time()];
        let (first, second) = (first.map_err(Problem::internal)?, second.map_err(Problem::internal)?);
        let whole = SecretString::from([first.expose_secret(), second.expose_secret()].concat());
        Ok(Self {
            hash: context.passwords.hash(whole).await?,
            sealed_first: context
                .sealer
                .seal(&half_of(act), first.expose_secret().as_bytes())
                .map_err(Problem::internal)?,
            second,
        })
    }
}

/// What a half of a password is sealed for.
fn half_of(act: &str) -> Vec<u8> {
    format!("password-half/{act}").into_bytes()
}

/// Administrators decide one after the other, so that what fits still fits when it counts; and whoever was closed or given
/// another role meanwhile decides no more.
///
/// # Errors
/// 403.
fn at_the_table(connection: &mut Connection, login: &str) -> Result<(), Problem> {
    turns::take(connection, "administration")?;
    if is_administrator(connection, login)? { Ok(()) } else { Err(Problem::new(Kind::Forbidden)) }
}

/// Refuse a proposal
#[utoipa::path(post, path = "/api/v1/officer/acts/{id}/refusal", tag = "administration", operation_id = "refuse_act",
    security(("officer" = [])), params(("id" = String, Path, description = "the act")), request_body = Explanation,
    responses(
        (status = 200, description = "refused", body = ActView),
        (status = 403, description = "forbidden, own-act", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "act-not-open", body = Document),
        (status = 422, description = "invalid-fields", body = Document),
    ))]
pub(crate) async fn refuse(
    context: web::Data<Context>,
    id: web::Path<String>,
    Then(officer, Json(why)): Then<SignedIn, Json<Explanation>>,
) -> Result<HttpResponse, Problem> {
    end(&context, officer, id.into_inner(), ActState::Refused, Some(why.stated()?)).await
}

/// Take a proposal of one's own back
#[utoipa::path(post, path = "/api/v1/officer/acts/{id}/withdrawal", tag = "administration", operation_id = "withdraw_act",
    security(("officer" = [])), params(("id" = String, Path, description = "the act")),
    responses(
        (status = 200, description = "withdrawn", body = ActView),
        (status = 403, description = "forbidden, own-act: it is somebody else's", body = Document),
        (status = 404, description = "not-found", body = Document),
        (status = 409, description = "act-not-open", body = Document),
    ))]
pub(crate) async fn withdraw(
    context: web::Data<Context>,
    officer: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    end(&context, officer, id.into_inner(), ActState::Withdrawn, None).await
}

/// Ends a proposal without carrying it out.
async fn end(
    context: &Context,
    officer: SignedIn,
    id: String,
    state: ActState,
    reason: Option<String>,
) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Admin])?;
    let (now, login) = (context.now(), officer.officer.login);
    let ended = context
        .write(move |connection| {
            at_the_table(connection, &login)?;
            let stored = acts::find(connection, &id)?;
            if !stored.may_be_ended_by(&login, state) {
                return Err(Problem::new(Kind::OwnAct));
            }
            let ended = acts::decide(connection, &id, state, &login, reason.as_deref(), now)?;
            ended.ok_or_else(|| Problem::new(Kind::ActNotOpen))
        })
        .await?;
    Ok(HttpResponse::Ok().json(ActView::from(ended)))
}

/// What somebody wants, as far as it can be read without the database.
enum Wanted {
    /// All of it.
    Act(Act),
    /// To take out what the act with this name has added.
    FeeWithdrawal(String),
}

impl Wanted {
    /// The officer it is about.
    fn login(&self) -> Option<&str> {
        match self {
            Self::Act(act) => act.login(),
            Self::FeeWithdrawal(_) => None,
        }
    }

    /// The act, if it fits what is there now.
    fn fitting(self, context: &Context, connection: &mut Connection, now: Timestamp) -> Result<Act, Problem> {
        let act = self.found(connection)?;
        let others = acts::fee_entries(connection)?;
        fits(context, connection, &act, others, now)?;
        Ok(act)
    }

    /// The act, with what is to be taken out, so that whoever decides reads what it is.
    ///
    /// # Errors
    /// 422 if nothing that is in force has this name.
    fn found(self, connection: &mut Connection) -> Result<Act, Problem> {
        let named = match self {
            Self::Act(act) => return Ok(act),
            Self::FeeWithdrawal(named) => named,
        };
        match acts::find(connection, &named) {
            Ok(StoredAct { act: Act::Fee { entry }, state, .. }) if state == ActState::InForce.as_str() => {
                Ok(Act::FeeWithdrawal { act: named, entry })
            }
            Ok(_) | Err(StoreError::NotFound) => Err(Problem::field("/act", "act-unknown")),
            Err(other) => Err(other.into()),
        }
    }
}

impl NewAct {
    /// What this administrator wants, and why. Nobody proposes anything about themselves.
    fn wanted_by(self, officer: &SignedIn) -> Result<(Wanted, String), Problem> {
        officer.require(&[Role::Admin])?;
        let reason = text(self.reason.clone(), "/reason", 500)?;
        let wanted = self.read()?;
        if wanted.login() == Some(&officer.officer.login) {
            return Err(Problem::new(Kind::OwnAct));
        }
        Ok((wanted, reason))
    }

    /// What is wanted, if every field it needs is there and says something.
    fn read(self) -> Result<Wanted, Problem> {
        let mut objections = Vec::new();
        let wanted = if self.kind == "fee-withdrawal" {
            present(self.act, "/act", &mut objections).map(Wanted::FeeWithdrawal)
        } else {
            self.act(&mut objections).map(Wanted::Act)
        };
        match wanted {
            Some(wanted) if objections.is_empty() => Ok(wanted),
            _ => Err(Problem::fields(objections)),
        }
    }

    fn act(self, objections: &mut Vec<FieldError>) -> Option<Act> {
        match self.kind.as_str() {
            "officer-add" | "officer-role" => {
                let login = login(self.login, objections);
                let role: Option<Role> = choice(self.role, "/role", objections);
                let (login, role) = (login?, role?);
                Some(if self.kind == "officer-add" {
                    Act::OfficerAdd { login, role }
                } else {
                    Act::OfficerRole { login, role }
                })
            }
            "officer-reset" => Some(Act::OfficerReset { login: login(self.login, objections)? }),
            "officer-disable" => Some(Act::OfficerDisable { login: login(self.login, objections)? }),
            "officer-reopen" => Some(Act::OfficerReopen { login: login(self.login, objections)? }),
            "fee" => self.entry(objections).map(|entry| Act::Fee { entry }),
            "partner-suspension" => {
                Some(Act::PartnerSuspension { partner: present(self.partner, "/partner", objections)? })
            }
            "partner-restoration" => {
                Some(Act::PartnerRestoration { partner: present(self.partner, "/partner", objections)? })
            }
            _ => {
                objections.push(FieldError::new("/kind", "not-a-choice"));
                None
            }
        }
    }

    /// An entry of the fee table.
    fn entry(self, objections: &mut Vec<FieldError>) -> Option<Entry> {
        let series = present(self.series, "/series", objections);
        let from = present(self.from, "/from", objections);
        let from = from.and_then(|day| {
            let read = parse_full_date(&day).ok();
            if read.is_none() {
                objections.push(FieldError::new("/from", "not-a-day"));
            }
            read
        });
        let source = present(self.source, "/source", objections).map(|source| source.trim().to_owned());
        let rule = match source.as_deref() {
            Some("") => Some("required"),
            Some(said) if said.chars().count() > SOURCE_MAX || said.contains(char::is_control) => {
                Some("too-long")
            }
            _ => None,
        };
        objections.extend(rule.map(|rule| FieldError::new("/source", rule)));
        let share = |objections: &mut Vec<FieldError>| {
            let points = present(self.basis_points, "/basis_points", objections)?;
            if !(0..=10_000).contains(&points) {
                objections.push(FieldError::new("/basis_points", "out-of-range"));
                return None;
            }
            Some(points)
        };
        match series?.as_str() {
            "bhm" => {
                let tiyin = present(self.tiyin, "/tiyin", objections);
                // Nobody's base amount is above a thousand million so'm: a slip of the finger is.
                if tiyin.is_some_and(|tiyin| !(1..=100_000_000_000).contains(&tiyin)) {
                    objections.push(FieldError::new("/tiyin", "out-of-range"));
                }
                Some(Entry::Bhm { from: from?, tiyin: tiyin?, source: source? })
            }
            "rate" => {
                let subject_type = choice(self.subject_type, "/subject_type", objections);
                let basis_points = share(objections);
                Some(Entry::Rate {
                    subject_type: subject_type?,
                    from: from?,
                    basis_points: basis_points?,
                    source: source?,
                })
            }
            "discount" => {
                let channel = choice(self.channel, "/channel", objections);
                let basis_points = share(objections);
                Some(Entry::Discount {
                    channel: channel?,
                    from: from?,
                    basis_points: basis_points?,
                    source: source?,
                })
            }
            _ => {
                objections.push(FieldError::new("/series", "not-a-choice"));
                None
            }
        }
    }
}

fn present<T>(value: Option<T>, pointer: &str, objections: &mut Vec<FieldError>) -> Option<T> {
    if value.is_none() {
        objections.push(FieldError::new(pointer, "required"));
    }
    value
}

fn choice<T: std::str::FromStr>(
    value: Option<String>,
    pointer: &str,
    objections: &mut Vec<FieldError>,
) -> Option<T> {
    let read = present(value, pointer, objections)?.parse().ok();
    if read.is_none() {
        objections.push(FieldError::new(pointer, "not-a-choice"));
    }
    read
}

fn login(value: Option<String>, objections: &mut Vec<FieldError>) -> Option<String> {
    let login = present(value, "/login", objections)?;
    if is_login(&login) {
        return Some(login);
    }
    objections.push(FieldError::new("/login", "login"));
    None
}

/// Whether the act can be carried out as things are, with these entries in the fee table besides its own.
///
/// # Errors
/// 422 at the field that does not fit.
fn fits(
    context: &Context,
    connection: &mut Connection,
    act: &Act,
    others: Vec<Entry>,
    now: Timestamp,
) -> Result<(), Problem> {
    let objection = match act {
        Act::OfficerAdd { login, .. } => existing(connection, login)?.map(|_| ("/login", "login-taken")),
        Act::OfficerRole { login, role } => match existing(connection, login)? {
            Some(account) if account.disabled_at.is_some() => Some(("/login", "login-closed")),
            Some(account) if account.officer.role == *role => Some(("/role", "same-role")),
            Some(_) => None,
            None => Some(("/login", "login-unknown")),
        },
        Act::OfficerReset { login } | Act::OfficerDisable { login } => match existing(connection, login)? {
            Some(account) if account.disabled_at.is_some() => Some(("/login", "login-closed")),
            Some(_) => None,
            None => Some(("/login", "login-unknown")),
        },
        Act::OfficerReopen { login } => match existing(connection, login)? {
            Some(account) if account.disabled_at.is_none() => Some(("/login", "login-open")),
            Some(_) => None,
            None => Some(("/login", "login-unknown")),
        },
        Act::Fee { entry } => {
            let table = context.fees.with(others).map_err(Problem::internal)?;
            if entry.from() <= tashkent_date(now) {
                Some(("/from", "not-future"))
            } else if table.with([entry.clone()]).is_err() {
                Some(("/from", "day-taken"))
            } else {
                None
            }
        }
        Act::FeeWithdrawal { act, entry } => {
            let in_force = acts::find(connection, act)?.state == ActState::InForce.as_str();
            if !in_force {
                Some(("/act", "act-unknown"))
            } else if entry.from() <= tashkent_date(now) {
                Some(("/act", "not-future"))
            } else {
                None
            }
        }
        Act::PartnerSuspension { partner } | Act::PartnerRestoration { partner } => {
            let suspending = matches!(act, Act::PartnerSuspension { .. });
            if !context.settings.partners.contains_key(partner) {
                return Err(Problem::field("/partner", "partner-unknown"));
            }
            match (suspending, acts::is_suspended(connection, partner)?) {
                (true, true) => Some(("/partner", "partner-suspended")),
                (false, false) => Some(("/partner", "partner-not-suspended")),
                _ => None,
            }
        }
    };
    objection.map_or(Ok(()), |(pointer, rule)| Err(Problem::field(pointer, rule)))
}

fn existing(connection: &mut Connection, login: &str) -> Result<Option<officers::Account>, Problem> {
    match officers::find(connection, login) {
        Ok(account) => Ok(Some(account)),
        Err(StoreError::NotFound) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Does what the act says. What an act only states, prices and suspensions, counts by being in force.
fn carry_out(
    connection: &mut Connection,
    act: &Act,
    password_hash: Option<&str>,
    actor: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    let hash = || password_hash.ok_or_else(|| Problem::internal("no password was made"));
    match act {
        Act::OfficerAdd { login, role } => officers::add(connection, login, *role, hash()?, actor, now)?,
        Act::OfficerRole { login, role } => officers::set_role(connection, login, *role, actor, now)?,
        Act::OfficerReset { login } => officers::reset(connection, login, hash()?, actor, now)?,
        Act::OfficerReopen { login } => officers::reopen(connection, login, hash()?, actor, now)?,
        Act::OfficerDisable { login } => officers::disable(connection, login, actor, now)?,
        Act::FeeWithdrawal { act, .. } => {
            acts::revoke_one(connection, act)?;
        }
        Act::PartnerRestoration { .. } => {
            acts::revoke(connection, "partner-suspension", &act.object())?;
        }
        Act::Fee { .. } | Act::PartnerSuspension { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
