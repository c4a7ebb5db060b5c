//! How the authority is set up, for administrators and auditors to read: officers, prices, profiles, partners.

use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::application::Role;
use ca_core::calendar::{tashkent_date, tashkent_midnight};
use ca_core::fee::{Benefit, Entry};
use ca_core::profile::{Profile, ProfileDocument};
use serde::Serialize;
use store::{acts, applications, officers};

use crate::auth::SignedIn;
use crate::context::Context;
use crate::problem::{Document, Problem, only};

/// A list that is never long enough for pages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Items<T> {
    items: Vec<T>,
}

/// An officer, as administrators see them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OfficerEntry)]
pub(crate) struct OfficerView {
    login: String,
    /// `registrar`, `reviewer`, `revocation`, `auditor` or `admin`.
    role: &'static str,
    totp_enrolled: bool,
    /// The password is still the one somebody else made.
    must_change_password: bool,
    /// After too many wrong passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    locked_until: Option<Timestamp>,
    /// The account is closed since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
}

/// An entry of the fee table.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct FeeEntry {
    /// `series` (`bhm`, `rate`, `discount`), `from`, `source`, and `tiyin` or `basis_points` with `subject_type` or
    /// `channel`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    entry: Entry,
    /// The act that added it; absent for one of the settings' file.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<String>,
    /// `past`, `present` or `future`.
    time: &'static str,
}

/// The fee table.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct FeeTableView {
    /// Each series by day.
    entries: Vec<FeeEntry>,
    /// As in the settings' file: `name`, `titles`, `subject_types`, `districts`, `from`, `until`, `basis_points`, `source`.
    #[schema(value_type = Vec<Object>)]
    benefits: Vec<Benefit>,
}

/// A channel partner, as administrators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PartnerEntry)]
pub(crate) struct PartnerEntry {
    name: String,
    channel: &'static str,
    /// The ids of the keys it signs with.
    keys: Vec<String>,
    /// Applications a day; 0 is any number.
    daily_quota: u32,
    /// Requests a minute.
    per_minute: u32,
    /// Applications since midnight in Tashkent.
    applications_today: i64,
    /// Its requests are not taken.
    suspended: bool,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/officers").route(web::get().to(accounts)).default_service(only("GET")),
    )
    .service(
        web::resource("/v1/officer/fee-table").route(web::get().to(fee_table)).default_service(only("GET")),
    )
    .service(
        web::resource("/v1/officer/profiles").route(web::get().to(profiles)).default_service(only("GET")),
    )
    .service(
        web::resource("/v1/officer/partners").route(web::get().to(partners)).default_service(only("GET")),
    );
}

const READERS: [Role; 2] = [Role::Admin, Role::Auditor];

/// Officers, by login
#[utoipa::path(get, path = "/api/v1/officer/officers", tag = "administration", operation_id = "officers",
    security(("officer" = [])),
    responses(
        (status = 200, description = "every account", body = Items<OfficerView>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn accounts(
    context: web::Data<Context>,
    officer: SignedIn,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let now = context.now();
    let accounts = context.read(move |connection| Ok(officers::all(connection)?)).await?;
    let view = |account: officers::Account| OfficerView {
        login: account.officer.login,
        role: account.officer.role.as_str(),
        totp_enrolled: account.totp_secret.is_some(),
        must_change_password: account.must_change_password,
        locked_until: account.locked_until.filter(|until| *until > now),
        disabled_at: account.disabled_at,
    };
    Ok(HttpResponse::Ok().json(Items { items: accounts.into_iter().map(view).collect() }))
}

/// The fee table with everything that was added to it
#[utoipa::path(get, path = "/api/v1/officer/fee-table", tag = "administration", operation_id = "fee_table",
    security(("officer" = [])),
    responses(
        (status = 200, description = "past, present and future entries", body = FeeTableView),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn fee_table(
    context: web::Data<Context>,
    officer: SignedIn,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let (inner, today) = (context.as_ref().clone(), tashkent_date(context.now()));
    let (table, added) = context
        .read(move |connection| Ok((inner.prices(connection)?, acts::in_force(connection, "fee")?)))
        .await?;
    let entries = table.entries();
    let time = |index: usize, entry: &Entry| {
        let next = entries.get(index + 1).filter(|next| next.series() == entry.series());
        match (entry.from() <= today, next.is_some_and(|next| next.from() <= today)) {
            (false, _) => "future",
            (true, true) => "past",
            (true, false) => "present",
        }
    };
    let act_of = |entry: &Entry| {
        let adds = |act: &ca_core::administration::Act| matches!(act, ca_core::administration::Act::Fee { entry: added } if added == entry);
        added.iter().find(|stored| adds(&stored.act)).map(|stored| stored.id.clone())
    };
    let view = |(index, entry): (usize, &Entry)| FeeEntry {
        entry: entry.clone(),
        act: act_of(entry),
        time: time(index, entry),
    };
    Ok(HttpResponse::Ok().json(FeeTableView {
        entries: entries.iter().enumerate().map(view).collect(),
        benefits: table.benefits().to_vec(),
    }))
}

/// Certificate profiles, by name
#[utoipa::path(get, path = "/api/v1/officer/profiles", tag = "administration", operation_id = "profiles",
    security(("officer" = [])),
    responses(
        (status = 200, description = "as in the settings' files", body = Items<serde_json::Value>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn profiles(
    context: web::Data<Context>,
    officer: SignedIn,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let items: Vec<ProfileDocument> = context.profiles.iter().map(Profile::document).collect();
    Ok(HttpResponse::Ok().json(Items { items }))
}

/// Channel partners, by name
#[utoipa::path(get, path = "/api/v1/officer/partners", tag = "administration", operation_id = "partners",
    security(("officer" = [])),
    responses(
        (status = 200, description = "every partner of the settings", body = Items<PartnerEntry>),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn partners(
    context: web::Data<Context>,
    officer: SignedIn,
) -> Result<HttpResponse, Problem> {
    officer.require(&READERS)?;
    let (settings, today) = (context.settings.clone(), tashkent_midnight(tashkent_date(context.now())));
    let items = context
        .read(move |connection| {
            let mut items = Vec::with_capacity(settings.partners.len());
            for (name, partner) in &settings.partners {
                items.push(PartnerEntry {
                    name: name.clone(),
                    channel: partner.channel.as_str(),
                    keys: partner.keys.keys().cloned().collect(),
                    daily_quota: partner.daily_quota,
                    per_minute: partner.per_minute,
                    applications_today: applications::of_partner_since(connection, name, today)?,
                    suspended: acts::is_suspended(connection, name)?,
                });
            }
            items.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(items)
        })
        .await?;
    Ok(HttpResponse::Ok().json(Items { items }))
}
