//! What administrators keep: officers and their roles, prices, profiles, partners. One proposes, another decides.

use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use ca_core::calendar::tashkent_date;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::payments::Asked;
use super::{Desk, more, query, signing, told};
use crate::api::{Failure, List};
use crate::form::{Fields, Objections, Posted};
use crate::page::{Page, see, show};
use crate::record::segment;

/// Where acts are decided on.
const ACTS: &str = "/officer/administration";
const OFFICERS: &str = "/officer/administration/officers";
const PRICES: &str = "/officer/administration/prices";
const PARTNERS: &str = "/officer/administration/partners";

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route(ACTS, web::get().to(acts))
        .route("/officer/administration/acts", web::post().to(propose))
        .route("/officer/administration/acts/statement", web::post().to(proposal_statement))
        .route(
            "/officer/administration/acts/{id}/confirmation/statement",
            web::post().to(confirmation_statement),
        )
        .route(
            "/officer/administration/acts/{id}/{verb:confirmation|refusal|withdrawal|password-half}",
            web::post().to(decide),
        )
        .route(OFFICERS, web::get().to(officers))
        .route(PRICES, web::get().to(prices))
        .route("/officer/administration/profiles", web::get().to(profiles))
        .route(PARTNERS, web::get().to(partners));
}

/// What one administrator proposed, and what became of it.
#[derive(Debug, Deserialize)]
struct Act {
    id: String,
    kind: String,
    login: Option<String>,
    role: Option<String>,
    entry: Option<Entry>,
    partner: Option<String>,
    reason: String,
    state: String,
    proposed_by: String,
    proposed_at: Timestamp,
    decided_by: Option<String>,
    decided_at: Option<Timestamp>,
    decision_reason: Option<String>,
    /// Half of the one-time password waits for who proposed it.
    #[serde(default)]
    half_waits: bool,
    /// Of a proposal.
    signatures: Option<Signatures>,
}

/// Who has signed a proposal, and how many administrators have to.
#[derive(Debug, Deserialize)]
struct Signatures {
    given: Vec<String>,
    needed: usize,
}

/// An entry of the fee table.
#[derive(Debug, Deserialize)]
struct Entry {
    series: String,
    subject_type: Option<String>,
    channel: Option<String>,
    from: String,
    tiyin: Option<i64>,
    basis_points: Option<i32>,
    source: String,
    act: Option<String>,
    #[serde(default)]
    time: String,
}

impl Entry {
    /// What it is the price, the share or the reduction of.
    fn series(&self, p: &Page) -> String {
        let whose = match (&self.subject_type, &self.channel) {
            (Some(subject_type), _) => p.name("subject-type", subject_type),
            (_, Some(channel)) => p.name("channel", channel),
            _ => return p.o("series-bhm"),
        };
        format!("{}: {whose}", p.o(&format!("series-{}", self.series)))
    }

    /// How much.
    fn value(&self, p: &Page) -> String {
        match (self.tiyin, self.basis_points) {
            (Some(tiyin), _) => p.money(&tiyin),
            (_, Some(points)) => config::texts::percent(points),
            _ => String::new(),
        }
    }
}

#[derive(Template)]
#[template(path = "office_acts.html")]
struct ActsPage {
    p: Page,
    done: String,
    state: String,
    states: [&'static str; 5],
    found: List<Act>,
    more: String,
    objections: Objections,
    login: String,
    /// Half of the password of an account, with its login and which half it is; told this once.
    half: Option<(String, String, &'static str)>,
    /// This officer may decide.
    acts: bool,
}

impl ActsPage {
    /// This officer may put it in force or refuse it.
    fn decides(&self, act: &Act) -> bool {
        self.acts && act.proposed_by != self.login && act.login.as_ref() != Some(&self.login)
    }

    /// This officer's signature is not under it yet.
    fn signs(&self, act: &Act) -> bool {
        !act.signatures.as_ref().is_some_and(|signatures| signatures.given.contains(&self.login))
    }
}

async fn acts(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let page = acts_page(&desk, &asked, Objections::default()).await?;
    show(&desk.visitor, &page)
}

async fn acts_page(desk: &Desk, asked: &Asked, objections: Objections) -> Result<ActsPage, Failure> {
    let acts = desk.me.is("admin");
    let p = decided_at(desk, ACTS);
    let state = asked.state.as_deref().unwrap_or("proposed");
    let asked_for = query(&[("state", state), ("after", &asked.after)]);
    let found: List<Act> = desk.get(&format!("/api/v1/officer/acts{asked_for}")).read().await?;
    Ok(ActsPage {
        done: told(&p, &asked.done),
        state: state.to_owned(),
        states: ["proposed", "in_force", "refused", "withdrawn", "revoked"],
        more: more(ACTS, &[("state", state)], found.next.as_ref()),
        found,
        objections,
        login: desk.me.login.clone(),
        half: None,
        acts,
        p,
    })
}

/// An act that was put in force, or lacks further signatures.
#[derive(Debug, Deserialize)]
struct Enacted {
    state: Option<String>,
    login: Option<String>,
    one_time_password_half: Option<String>,
}

async fn decide(
    desk: Desk,
    Posted { fields, .. }: Posted,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (id, verb) = path.into_inner();
    let mut call = desk.post(&format!("/api/v1/officer/acts/{}/{verb}", segment(&id)));
    match verb.as_str() {
        "refusal" => call = call.json(&fields.object(&["reason"])),
        "confirmation" => call = call.json(&fields.object(&["signature"])),
        _ => {}
    }
    match call.read::<Enacted>().await {
        Ok(Enacted { login: Some(login), one_time_password_half: Some(half), .. }) => {
            let state = (verb == "password-half").then(|| "in_force".to_owned());
            let asked = Asked { state, ..Asked::default() };
            let mut page = acts_page(&desk, &asked, Objections::default()).await?;
            page.half = Some((login, half, if verb == "password-half" { "first" } else { "second" }));
            show(&desk.visitor, &page)
        }
        Ok(enacted) if verb == "confirmation" && enacted.state.as_deref() == Some("proposed") => {
            Ok(see(&format!("{ACTS}?done=approve-one")))
        }
        Ok(_) => Ok(see(&format!("{ACTS}?done=act-{verb}"))),
        Err(failure) => {
            let objections = signing::objections(&desk.page(), failure)?;
            let page = acts_page(&desk, &Asked::default(), objections).await?;
            show(&desk.visitor, &page)
        }
    }
}

/// Sends a proposal; where it is refused, the page that it came from is shown again with what was typed.
async fn propose(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let mut signed = proposal(&fields);
    signed.extend(fields.object(&["signature"]));
    let call = desk.post("/api/v1/officer/acts").json(&signed);
    match call.read::<Act>().await {
        Ok(act) if act.state == "in_force" => Ok(see(&format!("{ACTS}?state=in_force&done=act-urgent"))),
        Ok(_) => Ok(see(&format!("{ACTS}?done=act-proposal"))),
        Err(failure) => {
            let objections = signing::objections(&desk.page(), failure)?;
            let kind = fields.get("kind").to_owned();
            let objections = match kind.as_str() {
                "officer-add" | "fee" => objections,
                _ => objections.with_unplaced(&["login", "role", "act", "partner", "reason"]),
            };
            match kind.split('-').next() {
                Some("fee") => prices_page(&desk, fields, objections).await,
                Some("partner") => partners_page(&desk, objections).await,
                _ => officers_page(&desk, fields, objections).await,
            }
        }
    }
}

async fn proposal_statement(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let proposal = proposal(&fields);
    let said = proposal.iter().map(|(name, value)| {
        (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    let said: Vec<_> = said.collect();
    let said: Vec<_> = said.iter().map(|(name, value)| (*name, value.as_str())).collect();
    signing::statement(&desk, &format!("/api/v1/officer/acts/statement{}", query(&said))).await
}

async fn confirmation_statement(
    desk: Desk,
    _: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let path = format!("/api/v1/officer/acts/{}/confirmation-statement", segment(&id));
    signing::statement(&desk, &path).await
}

/// A page on which administrators decide; others only look at it.
fn decided_at(desk: &Desk, path: &str) -> Page {
    let p = desk.page_at(path);
    if desk.me.is("admin") { p.with_keys() } else { p }
}

/// What was typed, with so'm as tiyin and percent as hundredths of it. What is no number goes as it is, for the API to say.
fn proposal(fields: &Fields) -> Map<String, Value> {
    let mut proposal = fields.object(&[
        "kind",
        "reason",
        "login",
        "role",
        "series",
        "subject_type",
        "channel",
        "from",
        "source",
        "act",
        "partner",
    ]);
    for (typed, name) in [("som", "tiyin"), ("percent", "basis_points")] {
        let text: String = fields.get(typed).chars().filter(|letter| !letter.is_whitespace()).collect();
        if !text.is_empty() {
            let number = hundredths(&text).map_or_else(|| Value::from(text), Value::from);
            proposal.insert(name.to_owned(), number);
        }
    }
    proposal
}

/// `7,5` and `7.5` are 750.
fn hundredths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once([',', '.']).unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fraction)
}

/// An officer's account.
#[derive(Debug, Deserialize)]
struct Officer {
    login: String,
    role: String,
    totp_enrolled: bool,
    must_change_password: bool,
    locked_until: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "office_officers.html")]
struct OfficersPage {
    p: Page,
    officers: Vec<Officer>,
    roles: [&'static str; 5],
    fields: Fields,
    objections: Objections,
    login: String,
    acts: bool,
}

impl OfficersPage {
    /// What was typed into this officer's form, or the form for a new one.
    fn typed(&self, kind: &str, login: &str, name: &str) -> &str {
        if self.is_refused(kind, login) { self.fields.get(name) } else { "" }
    }

    fn is_refused(&self, kind: &str, login: &str) -> bool {
        self.fields.get("kind") == kind && (kind == "officer-add" || self.fields.get("login") == login)
    }
}

async fn officers(desk: Desk) -> Result<HttpResponse, Failure> {
    officers_page(&desk, Fields::default(), Objections::default()).await
}

async fn officers_page(desk: &Desk, fields: Fields, objections: Objections) -> Result<HttpResponse, Failure> {
    let found: List<Officer> = desk.get("/api/v1/officer/officers").read().await?;
    let page = OfficersPage {
        p: decided_at(desk, OFFICERS),
        officers: found.items,
        roles: ["registrar", "reviewer", "revocation", "auditor", "admin"],
        fields,
        objections,
        login: desk.me.login.clone(),
        acts: desk.me.is("admin"),
    };
    show(&desk.visitor, &page)
}

#[derive(Debug, Deserialize)]
struct FeeTable {
    entries: Vec<Entry>,
    benefits: Vec<Benefit>,
}

#[derive(Debug, Deserialize)]
struct Benefit {
    name: String,
    #[serde(default)]
    titles: std::collections::BTreeMap<String, String>,
    from: String,
    until: Option<String>,
    basis_points: i32,
    source: String,
}

impl Benefit {
    fn title(&self, p: &Page) -> &str {
        self.titles.get(p.language.tag()).unwrap_or(&self.name)
    }

    fn reduction(&self) -> String {
        config::texts::percent(self.basis_points)
    }
}

#[derive(Template)]
#[template(path = "office_prices.html")]
struct PricesPage {
    p: Page,
    table: FeeTable,
    subject_types: [&'static str; 3],
    channels: [&'static str; 3],
    fields: Fields,
    objections: Objections,
    /// The first day that an entry may have.
    tomorrow: String,
    acts: bool,
}

impl PricesPage {
    /// This form was refused.
    fn is_refused(&self, series: &str) -> bool {
        self.fields.get("kind") == "fee" && self.fields.get("series") == series
    }

    fn typed(&self, series: &str, name: &str) -> &str {
        if self.is_refused(series) { self.fields.get(name) } else { "" }
    }

    fn wrong(&self, series: &str, name: &str) -> &str {
        if self.is_refused(series) { self.objections.on(name) } else { "" }
    }
}

async fn prices(desk: Desk) -> Result<HttpResponse, Failure> {
    prices_page(&desk, Fields::default(), Objections::default()).await
}

async fn prices_page(desk: &Desk, fields: Fields, objections: Objections) -> Result<HttpResponse, Failure> {
    let table: FeeTable = desk.get("/api/v1/officer/fee-table").read().await?;
    let p = decided_at(desk, PRICES);
    let tomorrow = tashkent_date(p.now).next_day().map(ca_core::calendar::full_date).unwrap_or_default();
    let page = PricesPage {
        table,
        subject_types: ["natural_person", "sole_proprietor", "legal_entity"],
        channels: ["online", "my.gov.uz", "service-center"],
        fields,
        objections,
        tomorrow,
        acts: desk.me.is("admin"),
        p,
    };
    show(&desk.visitor, &page)
}

/// A certificate profile as it is written in its file.
#[derive(Debug, Deserialize)]
struct Profile {
    name: String,
    kind: String,
    default_months: u32,
    max_months: u32,
    subject: Vec<Attribute>,
    key_usage: Vec<String>,
    extended_key_usage: Vec<String>,
    policy: Option<String>,
    path_len: Option<u8>,
    crl_distribution_point: bool,
    crl_shards: u16,
    ocsp: bool,
    ca_issuers: bool,
}

/// An attribute of its subject.
#[derive(Debug, Deserialize)]
struct Attribute {
    attribute: String,
    field: Option<String>,
    text: Option<String>,
    #[serde(default)]
    optional: bool,
}

impl Profile {
    /// What certificates say about where their status is.
    fn pointers(&self) -> String {
        let shards =
            if self.crl_shards > 1 { format!("CRL × {}", self.crl_shards) } else { "CRL".to_owned() };
        let said = [
            (self.crl_distribution_point, shards.as_str()),
            (self.ocsp, "OCSP"),
            (self.ca_issuers, "caIssuers"),
        ];
        said.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Template)]
#[template(path = "office_profiles.html")]
struct ProfilesPage {
    p: Page,
    profiles: Vec<Profile>,
}

async fn profiles(desk: Desk) -> Result<HttpResponse, Failure> {
    let found: List<Profile> = desk.get("/api/v1/officer/profiles").read().await?;
    show(&desk.visitor, &ProfilesPage { p: desk.page(), profiles: found.items })
}

/// A channel partner.
#[derive(Debug, Deserialize)]
struct Partner {
    name: String,
    channel: String,
    keys: Vec<String>,
    daily_quota: u32,
    per_minute: u32,
    applications_today: i64,
    suspended: bool,
}

#[derive(Template)]
#[template(path = "office_partners.html")]
struct PartnersPage {
    p: Page,
    partners: Vec<Partner>,
    objections: Objections,
    acts: bool,
}

async fn partners(desk: Desk) -> Result<HttpResponse, Failure> {
    partners_page(&desk, Objections::default()).await
}

async fn partners_page(desk: &Desk, objections: Objections) -> Result<HttpResponse, Failure> {
    let found: List<Partner> = desk.get("/api/v1/officer/partners").read().await?;
    let page = PartnersPage {
        p: decided_at(desk, PARTNERS),
        partners: found.items,
        objections,
        acts: desk.me.is("admin"),
    };
    show(&desk.visitor, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_and_shares_are_typed_as_people_write_them() {
        for (typed, number) in [("7", 700), ("7,5", 750), ("7.05", 705), ("412000", 41_200_000), ("0", 0)] {
            assert_eq!(hundredths(typed), Some(number), "{typed}");
        }
        for other in ["", "-7", "7,555", "7,5,5", "seven", ",5", "9223372036854775807"] {
            assert_eq!(hundredths(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_number_is_left_for_the_api_to_refuse() {
        let fields = |som: &str| {
            Fields::from(vec![("kind".to_owned(), "fee".to_owned()), ("som".to_owned(), som.to_owned())])
        };
        assert_eq!(proposal(&fields("412 000"))["tiyin"], 41_200_000);
        assert_eq!(proposal(&fields("much"))["tiyin"], "much");
        assert!(!proposal(&fields("")).contains_key("tiyin"));
    }
}
