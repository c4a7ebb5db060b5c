//! The officers' pages: sign-in and account, the work queue and its decisions, the counter, money, messages, certificates,
//! figures and the audit log.
//!
//! What an officer may do, the API decides. The pages only leave out what it would refuse.

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;

use crate::Portal;
use crate::api::{Call, Failure};
use crate::page::Page;
use crate::visitor::Visitor;

mod account;
mod administration;
mod audit;
mod certificates;
mod counter;
mod messages;
mod payments;
mod queue;
mod reconciliations;
mod refunds;
mod register;
mod review;
mod sessions;
mod sign_in;
mod signing;
mod statistics;
mod working_day;

/// Where an officer changes the password and enrols an authenticator.
pub(crate) const ACCOUNT: &str = "/officer/account";

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.configure(sign_in::configure)
        .configure(account::configure)
        .configure(sessions::configure)
        .configure(signing::configure)
        .configure(queue::configure)
        .configure(review::configure)
        .configure(register::configure)
        .configure(counter::configure)
        .configure(payments::configure)
        .configure(refunds::configure)
        .configure(reconciliations::configure)
        .configure(messages::configure)
        .configure(certificates::configure)
        .configure(statistics::configure)
        .configure(audit::configure)
        .configure(administration::configure);
}

/// An officer's account, as the API tells it to its officer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub(crate) login: String,
    pub(crate) role: String,
    pub(crate) must_change_password: bool,
    pub(crate) must_enrol_totp: bool,
    pub(crate) totp_enrolled: bool,
    pub(crate) recovery_codes_left: i64,
}

/// A part of the office that its navigation leads to.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// The roles that the API lets in.
    roles: &'static [&'static str],
}

const ROOMS: [Room; 10] = [
    Room { name: "queue", path: "/officer", roles: &["registrar", "reviewer", "auditor"] },
    Room { name: "register", path: "/officer/register", roles: &["registrar", "reviewer"] },
    Room {
        name: "payments",
        path: "/officer/payments",
        roles: &["registrar", "reviewer", "auditor", "admin"],
    },
    Room { name: "refunds", path: "/officer/refunds", roles: &["registrar", "auditor", "admin"] },
    Room {
        name: "messages",
        path: "/officer/messages",
        roles: &["registrar", "reviewer", "auditor", "admin"],
    },
    Room {
        name: "certificates",
        path: "/officer/certificates",
        roles: &["registrar", "reviewer", "revocation", "auditor", "admin"],
    },
    Room { name: "statistics", path: "/officer/statistics", roles: &["reviewer", "auditor", "admin"] },
    Room {
        name: "reconciliations",
        path: "/officer/reconciliations",
        roles: &["registrar", "auditor", "admin"],
    },
    Room { name: "audit", path: "/officer/audit", roles: &["auditor", "admin"] },
    Room { name: "administration", path: "/officer/administration", roles: &["auditor", "admin"] },
];

/// The doors of the administration, by name.
pub(crate) const DOORS: [(&str, &str); 5] = [
    ("acts", "/officer/administration"),
    ("officers", "/officer/administration/officers"),
    ("prices", "/officer/administration/prices"),
    ("profiles", "/officer/administration/profiles"),
    ("partners", "/officer/administration/partners"),
];

impl Room {
    /// The page at this path is in here.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let below =
            |room: &str| path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if self.path == "/officer" {
            path == "/officer" || below("/officer/applications")
        } else {
            below(self.path)
        }
    }
}

impl Account {
    /// Where this role may go; nowhere while something is to be done first.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &'static Room> {
        let open = !self.has_to_act_first();
        ROOMS.iter().filter(move |room| open && room.roles.contains(&self.role.as_str()))
    }

    /// The officer has this role.
    pub(crate) fn is(&self, role: &str) -> bool {
        self.role == role
    }

    /// The officer may go to this room.
    fn enters(&self, name: &str) -> bool {
        self.rooms().any(|room| room.name == name)
    }

    /// The officer reads every application; a registrar only those they registered.
    fn reads_all(&self) -> bool {
        self.enters("queue") && !self.is("registrar")
    }

    /// Something is to be done before anything else.
    fn has_to_act_first(&self) -> bool {
        self.must_change_password || self.must_enrol_totp
    }
}

/// An officer at work: whoever asks for a page of the office has signed in, and has done what was to be done first.
#[derive(Debug)]
pub(crate) struct Desk {
    portal: web::Data<Portal>,
    visitor: Visitor,
    me: Account,
    /// The page was only looked at.
    looks: bool,
}

impl Desk {
    fn page(&self) -> Page {
        self.portal.page(&self.visitor).of_officer(self.me.clone())
    }

    /// The page at this path, also when it is shown again because a form was refused: in another language it is asked for
    /// there, since nothing can be looked at where the form went.
    fn page_at(&self, path: &str) -> Page {
        let page = self.page();
        if self.looks { page } else { page.at(path) }
    }

    fn get(&self, path: &str) -> Call {
        self.portal.api.get(&self.visitor, path)
    }

    fn post(&self, path: &str) -> Call {
        self.portal.api.post(&self.visitor, path)
    }
}

impl FromRequest for Desk {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let visitor = Visitor::of(request);
        let portal = request.app_data::<web::Data<Portal>>().cloned();
        let looks = request.method().is_safe();
        let on_account = request.path().starts_with(ACCOUNT);
        Box::pin(async move {
            let portal = portal.ok_or_else(|| Failure::Unreachable("no portal is set up".to_owned()))?;
            let me: Account = portal.api.get(&visitor, "/api/v1/officer/sessions/current").read().await?;
            if me.has_to_act_first() && !on_account {
                return Err(Failure::AccountFirst);
            }
            Ok(Self { portal, visitor, me, looks })
        })
    }
}

/// A path of the office, and nothing that leads elsewhere.
fn own_path(path: &str) -> &str {
    let inside = path == "/officer" || path.starts_with("/officer/") || path.starts_with("/officer?");
    if inside && !path.contains(|letter: char| letter == '\\' || letter.is_control()) {
        path
    } else {
        "/officer"
    }
}

/// There is a form at this address that can be asked for again; a refused one may stand where only forms go.
pub(crate) fn has_form(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path == "/officer/register" || path.ends_with("/counter") || DOORS.iter().any(|(_, door)| *door == path)
}

/// A query without what is empty, with its question mark.
fn query(pairs: &[(&str, &str)]) -> String {
    let said = pairs.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// The page that a list's `next` leads to.
fn more(path: &str, narrowed: &[(&str, &str)], next: Option<&String>) -> String {
    let Some(next) = next else { return String::new() };
    format!("{path}{}", query(&[narrowed, &[("after", next)]].concat()))
}

/// What was just done, told on the next page: the name of a text, and nothing that is not one.
fn told(page: &Page, done: &str) -> String {
    let known = [
        "approve",
        "approve-one",
        "return",
        "reject",
        "password",
        "totp",
        "session",
        "confirm",
        "cancel",
        "execute",
        "abandon",
        "resend",
        "revoke",
        "suspend",
        "restore",
        "record",
        "key",
        "document",
        "submit",
        "withdraw",
        "act-proposal",
        "act-urgent",
        "act-confirmation",
        "act-refusal",
        "act-withdrawal",
    ];
    if known.contains(&done) { page.o(&format!("done-{done}")) } else { String::new() }
}

/// A room that this role does not enter is explained rather than shown empty.
fn elsewhere(me: &Account) -> Option<HttpResponse> {
    let first = me.rooms().next()?;
    (!me.enters("queue")).then(|| crate::page::see(first.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_officer_is_not_led_out_of_the_office() {
        for elsewhere in
            ["", "/", "/applications", "//officer", "/officers", "/officer/\\x", "https://example.uz"]
        {
            assert_eq!(own_path(elsewhere), "/officer", "{elsewhere}");
        }
        assert_eq!(own_path("/officer/applications/1?done=approve"), "/officer/applications/1?done=approve");
        assert_eq!(own_path("/officer?q=1"), "/officer?q=1");
    }

    #[test]
    fn a_page_is_in_one_room_only() {
        for path in
            ["/officer", "/officer/applications/1/counter", "/officer/register", "/officer/payments/7"]
        {
            assert_eq!(ROOMS.iter().filter(|room| room.holds(path)).count(), 1, "{path}");
        }
        assert!(!ROOMS.iter().any(|room| room.holds("/officer/account")));
    }

    #[test]
    fn a_role_sees_only_its_rooms_and_none_before_its_own_account_is_in_order() {
        let account = |role: &str, must_change_password| Account {
            login: "namuna".to_owned(),
            role: role.to_owned(),
            must_change_password,
            must_enrol_totp: false,
            totp_enrolled: false,
            recovery_codes_left: 0,
        };
        let rooms = |account: Account| account.rooms().map(|room| room.name).collect::<Vec<_>>();
        assert_eq!(rooms(account("revocation", false)), ["certificates"]);
        assert_eq!(rooms(account("revocation", true)), [""; 0]);
        for role in ["registrar", "reviewer", "auditor", "admin"] {
            assert!(account(role, false).enters("certificates"), "{role}");
        }
        assert!(!account("registrar", false).reads_all() && account("auditor", false).reads_all());
    }

    #[test]
    fn empty_values_are_left_out_of_a_query() {
        assert_eq!(query(&[("state", ""), ("q", "")]), "");
        assert_eq!(
            query(&[("state", "draft"), ("q", "Ўткир & Co")]),
            "?state=draft&q=%D0%8E%D1%82%D0%BA%D0%B8%D1%80+%26+Co"
        );
        assert_eq!(
            more("/officer", &[("state", "draft")], Some(&"7.a".to_owned())),
            "/officer?state=draft&after=7.a"
        );
        assert_eq!(more("/officer", &[], None), "");
    }
}
