//! CLICK, Merchant API: what it answers when Muhr sends a payer an invoice or takes a payment back.
//! <https://docs.click.uz/merchant-api-request/>

use std::collections::{HashMap, HashSet};
use std::sync::MutexGuard;

use openssl::hash::MessageDigest;
use serde_json::{Value, json};

use super::{click, digest};
use crate::server::{Reply, Request, Server, reply};

/// The user in the `Auth` header.
const USER: u64 = 88_142;
const ROOT: &str = "/v2/merchant";

/// An invoice as CLICK shows it to the payer.
#[derive(Clone, Debug)]
pub(crate) struct Bill {
    pub(crate) id: u64,
    /// As it was asked for.
    pub(crate) asked: Value,
    /// Below zero: gone; 0: shown.
    status: i64,
}

#[derive(Default)]
struct State {
    bills: Vec<Bill>,
    /// `click_paydoc_id` of each reversal, as often as it was carried out.
    reversed: Vec<u64>,
    /// Payments that CLICK does not take back, and the code it says so with.
    kept: HashMap<u64, i64>,
    /// Payments whose reversal is carried out, and the connection lost before that is said.
    unsaid: HashSet<u64>,
    /// Phones that CLICK does not know.
    strangers: Vec<String>,
    /// Calls whose `Auth` header was wrong.
    unauthorized: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct ClickMerchant {
    api: String,
    server: Server<State>,
}

impl ClickMerchant {
    pub(crate) fn start() -> Self {
        let server = Server::start(State::default(), answer);
        Self { api: format!("{}{ROOT}", server.address), server }
    }

    /// How a stack is told of it.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("PAYMENTS__CLICK__API_URL", self.api.as_str()),
            ("PAYMENTS__CLICK__MERCHANT_USER_ID", "88142"),
            ("PAYMENTS__CLICK__TIMEOUT_SECONDS", "2"),
        ]
    }

    /// The bills that were made out for this invoice of ours.
    pub(crate) fn bills(&self, number: &str) -> Vec<Bill> {
        let state = self.state();
        state.bills.iter().filter(|bill| bill.asked["merchant_trans_id"] == number).cloned().collect()
    }

    /// How often it has taken this payment back.
    pub(crate) fn reversals(&self, paydoc: u64) -> usize {
        self.state().reversed.iter().filter(|reversed| **reversed == paydoc).count()
    }

    /// From now on it does not take this payment back.
    pub(crate) fn keeps(&self, paydoc: u64, code: i64) {
        self.state().kept.insert(paydoc, code);
    }

    /// It takes this payment back, and nobody hears of it.
    pub(crate) fn says_nothing_of(&self, paydoc: u64) {
        self.state().unsaid.insert(paydoc);
    }

    /// The payer has no account there.
    pub(crate) fn does_not_know(&self, phone: &str) {
        self.state().strangers.push(phone.trim_start_matches('+').to_owned());
    }

    /// The payer has put the bill away.
    pub(crate) fn drops(&self, bill: u64) {
        for known in self.state().bills.iter_mut().filter(|known| known.id == bill) {
            known.status = -99;
        }
    }

    /// Every call showed that it knew the secret.
    #[track_caller]
    pub(crate) fn was_always_authorized(&self) {
        let state = self.state();
        assert!(state.unauthorized.is_empty(), "{:#?}", state.unauthorized);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.server.state()
    }
}

/// `Auth: merchant_user_id:sha1(timestamp + secret_key):timestamp`
fn is_authorized(request: &Request) -> bool {
    let mut parts = request.header("auth").split(':');
    let (user, tag, time) = (parts.next(), parts.next(), parts.next());
    let time = time.unwrap_or_default();
    !time.is_empty()
        && time.chars().all(|character| character.is_ascii_digit())
        && user == Some(&USER.to_string())
        && tag == Some(&digest(MessageDigest::sha1(), &format!("{time}{}", click::SECRET)))
        && parts.next().is_none()
}

fn answer(state: &mut State, request: &Request) -> Reply {
    if !is_authorized(request) {
        state.unauthorized.push(format!("{} with Auth: {}", request.line, request.header("auth")));
        return reply(401, &json!({"error_code": -401, "error_note": "Unauthorized"}));
    }
    let service = click::SERVICE.to_string();
    let Some(call) = request.line.replacen(ROOT, "", 1).split_once(" /").map(|(method, path)| {
        [method.to_owned()].into_iter().chain(path.split('/').map(str::to_owned)).collect::<Vec<_>>()
    }) else {
        return reply(404, &json!({}));
    };
    match call.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["POST", "invoice", "create"] => create(state, request),
        ["GET", "invoice", "status", of, id] if *of == service => status(state, id),
        ["GET", "payment", "status", of, id] if *of == service => payment(state, id),
        ["DELETE", "payment", "reversal", of, id] if *of == service => reverse(state, id),
        _ => reply(404, &json!({"error_code": -404, "error_note": format!("no {}", request.line)})),
    }
}

fn create(state: &mut State, request: &Request) -> Reply {
    let asked: Value = serde_json::from_str(&request.body).unwrap_or(Value::Null);
    let phone = asked["phone_number"].as_str().unwrap_or_default();
    let well_formed = asked["service_id"] == click::SERVICE
        && asked["amount"].is_number()
        && asked["merchant_trans_id"].is_string()
        && phone.len() == 12
        && phone.starts_with("998");
    if !well_formed {
        return reply(400, &json!({"error_code": -400, "error_note": format!("bad request: {asked}")}));
    }
    if state.strangers.iter().any(|stranger| stranger == phone) {
        return reply(200, &json!({"error_code": -301, "error_note": "Пользователь не найден"}));
    }
    let id = 4_000_000_000 + state.bills.len() as u64;
    state.bills.push(Bill { id, asked, status: 0 });
    reply(200, &json!({"error_code": 0, "error_note": "Success", "invoice_id": id}))
}

fn status(state: &State, id: &str) -> Reply {
    match state.bills.iter().find(|bill| bill.id.to_string() == id) {
        Some(bill) => {
            let note = if bill.status < 0 { "Deleted" } else { "Pending" };
            let status = bill.status;
            reply(
                200,
                &json!({"error_code": 0, "error_note": "Success", "invoice_status": status, "invoice_status_note": note}),
            )
        }
        None => reply(200, &json!({"error_code": -302, "error_note": "no such invoice"})),
    }
}

/// 2: the payment stands; below zero: it was taken back.
fn payment(state: &State, id: &str) -> Reply {
    let Ok(paydoc) = id.parse::<u64>() else { return no_payment() };
    let status = if state.reversed.contains(&paydoc) { -1 } else { 2 };
    let said =
        json!({"error_code": 0, "error_note": "Success", "payment_id": paydoc, "payment_status": status});
    reply(200, &said)
}

fn reverse(state: &mut State, id: &str) -> Reply {
    let Ok(paydoc) = id.parse::<u64>() else { return no_payment() };
    if let Some(code) = state.kept.get(&paydoc) {
        return reply(200, &json!({"error_code": code, "error_note": "the payment cannot be taken back"}));
    }
    if state.reversed.contains(&paydoc) {
        return reply(200, &json!({"error_code": -9, "error_note": "the payment was taken back before"}));
    }
    state.reversed.push(paydoc);
    let well = reply(200, &json!({"error_code": 0, "error_note": "Success", "payment_id": paydoc}));
    Reply { hang_up: state.unsaid.remove(&paydoc), ..well }
}

fn no_payment() -> Reply {
    reply(400, &json!({"error_code": -400, "error_note": "no such payment"}))
}
