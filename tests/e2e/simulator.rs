//! SMS gateways as they behave on good and bad days, over HTTP: the calls of Eskiz and PlayMobile, and what they took.

use std::collections::{HashMap, VecDeque};
use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::{Value, json};

use crate::postgres::free_port;
use crate::server::{Reply, Request, Server, reply};

/// What a gateway does with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Play {
    /// Takes it.
    Well,
    /// Answers with this status and JSON, and does not take it.
    Status(u16, Value),
    /// A page in HTML, as from a proxy on a bad day, with 200.
    Page,
    /// 429, and come back after so many seconds.
    TooMany(u32),
    /// Takes it, and answers much later than anybody waits.
    Slow,
    /// Takes it and hangs up.
    HangUp,
    /// The token, good or not, has expired.
    Expired,
}

/// How long [`Play::Slow`] takes.
const SLOW: Duration = Duration::from_secs(30);

/// A message as a gateway took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) phone: String,
    pub(crate) text: String,
    /// PlayMobile: as we called it.
    pub(crate) id: String,
    /// Eskiz: where it reports.
    pub(crate) callback: String,
}

#[derive(Default)]
struct State {
    plays: VecDeque<Play>,
    always: Option<Play>,
    taken: Vec<Taken>,
    /// `METHOD /path` of every request.
    calls: Vec<String>,
    token: u32,
    refresh_refused: bool,
    statuses: HashMap<String, String>,
}

/// One gateway.
#[derive(Clone)]
pub(crate) struct Gateway {
    /// What to configure as its base.
    pub(crate) base: String,
    server: Server<State>,
}

impl Gateway {
    pub(crate) fn eskiz() -> Self {
        Self::start("/api", eskiz)
    }

    pub(crate) fn playmobile() -> Self {
        Self::start("/broker-api", playmobile)
    }

    /// An address where nobody listens.
    pub(crate) fn down() -> String {
        format!("http://127.0.0.1:{}/api", free_port())
    }

    fn start(path: &str, answer: fn(&mut State, &Request) -> Reply) -> Self {
        let server = Server::start(State::default(), answer);
        Self { base: format!("{}{path}", server.address), server }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.server.state()
    }

    /// What it does with the next messages; afterwards it works again.
    pub(crate) fn plays(&self, plays: &[Play]) {
        self.state().plays.extend(plays.iter().cloned());
    }

    /// What it does with every message from now on.
    pub(crate) fn always(&self, play: Play) {
        self.state().always = Some(play);
    }

    /// Everything it has taken so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state().taken.clone()
    }

    /// What it has taken for a phone, `+998…`.
    pub(crate) fn taken_for(&self, phone: &str) -> Vec<Taken> {
        let digits = phone.trim_start_matches('+');
        self.taken().into_iter().filter(|taken| taken.phone == digits).collect()
    }

    /// How often this was called.
    pub(crate) fn calls(&self, call: &str) -> usize {
        self.state().calls.iter().filter(|known| known.starts_with(call)).count()
    }

    /// Eskiz: no token that was given so far is good any more.
    pub(crate) fn forget_token(&self) {
        self.state().token += 1;
    }

    /// Eskiz: an old token is not renewed.
    pub(crate) fn refuse_refresh(&self) {
        self.state().refresh_refused = true;
    }

    /// Eskiz: what it says about messages when it is asked.
    pub(crate) fn says(&self, message: &str, status: &str) {
        self.state().statuses.insert(message.to_owned(), status.to_owned());
    }
}

impl Request {
    /// A field of a form.
    fn field(&self, name: &str) -> String {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next();
        decoded(value.unwrap_or_else(|| panic!("no {name} in {}", self.body)))
    }
}

fn decoded(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::new(), text.bytes());
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).expect("hex")
            }
            other => other,
        });
    }
    String::from_utf8(octets).expect("UTF-8")
}

/// Does what is to be done with a message; `taken` and `well` are what it is when all is well.
fn play(state: &mut State, taken: Taken, well: Reply) -> Reply {
    let next = state.plays.pop_front().or_else(|| state.always.clone()).unwrap_or(Play::Well);
    if [Play::Well, Play::Slow, Play::HangUp].contains(&next) {
        state.taken.push(taken);
    }
    match next {
        Play::Well => well,
        Play::Slow => Reply { wait: SLOW, ..well },
        Play::HangUp => Reply { hang_up: true, ..well },
        Play::Status(status, body) => reply(status, &body),
        Play::Page => Reply {
            headers: "content-type: text/html\r\n".to_owned(),
            body: "<!doctype html><title>Maintenance</title>".to_owned(),
            ..well
        },
        Play::TooMany(seconds) => {
            let headers = format!("retry-after: {seconds}\r\n");
            Reply { headers, ..reply(429, &json!({"message": "Too Many Attempts."})) }
        }
        Play::Expired => reply(401, &json!({"message": "Expired"})),
    }
}

/// As its packages on PyPI call it, and what they read in its answers.
fn eskiz(state: &mut State, request: &Request) -> Reply {
    state.calls.push(request.line.clone());
    let token = json!({
        "message": "token_generated", "data": {"token": format!("token-{}", state.token)}, "token_type": "bearer",
    });
    let unauthorized = || reply(401, &json!({"message": "Unauthorized", "status": "error"}));
    let shown = request.headers.get("authorization").cloned().unwrap_or_default();
    let known = shown == format!("Bearer token-{}", state.token);
    match request.line.as_str() {
        "POST /api/auth/login" => {
            let right = request.field("email") == "muhr@example.uz" && request.field("password") == "secret";
            if right { reply(200, &token) } else { unauthorized() }
        }
        "PATCH /api/auth/refresh" if state.refresh_refused || !shown.starts_with("Bearer token-") => {
            unauthorized()
        }
        "PATCH /api/auth/refresh" => reply(200, &token),
        _ if !known => unauthorized(),
        "GET /api/user/get-limit" => reply(200, &json!({"data": {"balance": 125_000}})),
        "POST /api/message/sms/send" => {
            assert_eq!(request.field("from"), "4546");
            let taken = Taken {
                phone: request.field("mobile_phone"),
                text: request.field("message"),
                id: format!("eskiz-{}", state.taken.len()),
                callback: request.field("callback_url"),
            };
            let well = json!({"id": taken.id, "message": "Waiting for SMS provider", "status": "waiting"});
            play(state, taken, reply(200, &well))
        }
        line => match line.strip_prefix("GET /api/message/sms/status_by_id/") {
            Some(id) => {
                let status = state.statuses.get(id).cloned().unwrap_or_else(|| "TRANSMTD".to_owned());
                reply(200, &json!({"status": "success", "data": {"id": id, "status": status}}))
            }
            None => reply(404, &json!({"message": "Not Found"})),
        },
    }
}

fn playmobile(state: &mut State, request: &Request) -> Reply {
    state.calls.push(request.line.clone());
    // muhr:secret
    if request.headers.get("authorization").map(String::as_str) != Some("Basic bXVocjpzZWNyZXQ=") {
        return reply(401, &json!({"error-code": 103, "error-description": "Unauthorized"}));
    }
    if request.line != "POST /broker-api/send" {
        return reply(404, &json!({}));
    }
    let said: Value = serde_json::from_str(&request.body).expect("JSON");
    let message = &said["messages"][0];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {said}")).to_owned();
    let taken = Taken {
        phone: text(&message["recipient"]),
        text: text(&message["sms"]["content"]["text"]),
        id: text(&message["message-id"]),
        callback: String::new(),
    };
    assert!(taken.id.len() <= 20, "{}", taken.id);
    assert_eq!(message["sms"]["originator"], "3700");
    let well =
        Reply { headers: String::new(), body: "Request is received".to_owned(), ..reply(200, &json!({})) };
    play(state, taken, well)
}
