//! Where an officer is signed in, and the end of what should not be: a browser in a room that somebody else uses, a laptop that is
//! gone. Administrators see to other officers' sessions too.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use ca_core::Timestamp;
use serde::Deserialize;

use super::{Desk, query, told};
use crate::api::{Failure, List};
use crate::form::Posted;
use crate::page::{Page, see, show};

const PLACE: &str = "/officer/account/sessions";

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route(PLACE, web::get().to(sessions)).route(PLACE, web::post().to(end));
}

/// A session that lives, as the API tells of it.
#[derive(Debug, Deserialize)]
struct Session {
    id: String,
    user_agent: Option<String>,
    created_at: Timestamp,
    used_at: Timestamp,
    expires_at: Timestamp,
    current: bool,
}

#[derive(Template)]
#[template(path = "office_sessions.html")]
struct SessionsPage {
    p: Page,
    done: String,
    login: String,
    own: bool,
    sessions: Vec<Session>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    login: String,
    #[serde(default)]
    done: String,
}

async fn sessions(desk: Desk, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    if desk.me.has_to_act_first() {
        return Err(Failure::AccountFirst);
    }
    let p = desk.page();
    let own = asked.login.is_empty() || asked.login == desk.me.login;
    let login = if own { desk.me.login.clone() } else { asked.login.clone() };
    let path = format!("/api/v1/officer/sessions{}", query(&[("login", &login)]));
    let list: List<Session> = desk.get(&path).read().await?;
    let done = told(&p, &asked.done);
    show(&desk.visitor, &SessionsPage { p, done, login, own, sessions: list.items })
}

async fn end(desk: Desk, Posted { fields, .. }: Posted) -> Result<HttpResponse, Failure> {
    let login = fields.get("login");
    // It goes into a path.
    let id: String = fields.get("id").chars().filter(char::is_ascii_hexdigit).collect();
    let path = format!("/api/v1/officer/sessions/{id}{}", query(&[("login", login)]));
    match desk.portal.api.delete(&desk.visitor, &path).done().await {
        Ok(()) => {}
        // It ended by itself meanwhile.
        Err(failure) if failure.status() == StatusCode::NOT_FOUND => {}
        Err(failure) => return Err(failure),
    }
    Ok(see(&format!("{PLACE}{}", query(&[("login", login), ("done", "session")]))))
}
