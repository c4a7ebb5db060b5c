//! Officers sign in: guesses of strangers lock nobody else out, sessions are one client's, seen and ended.

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::{Answer, Client, send};
use crate::stack::{Database, Stack};

on_both_databases!(
    strangers_who_guess_do_not_lock_the_officer_out_of_a_known_client,
    a_session_is_of_one_client_and_a_stolen_token_ends_it,
    sessions_are_seen_and_ended_by_their_officer_or_an_administrator,
    a_password_from_the_lists_is_refused,
);

const SESSIONS: &str = "/api/v1/officer/sessions";
/// As a browser of the portal draws it.
const BROWSER: &str = "Ym93c2VyLWJyb3dzZXItYnJvd3Nlci1icm93c2VyLTE";

/// A new officer with a password of their own, who is nobody in the other stories.
fn hire(stack: &Stack, role: &str) -> (String, String) {
    let login = format!("{role}-{}", crate::person::next_number());
    let password = stack.add_officer(&login, role);
    (login, password)
}

fn sign_in(client: &Client, name: Option<&str>, login: &str, password: &str) -> Answer {
    let mut request = client.request(Method::POST, SESSIONS);
    if let Some(name) = name {
        request = request.header("muhr-client", name).header("user-agent", "a browser");
    }
    send(request.json(&json!({"login": login, "password": password})))
}

fn stranger(stack: &Stack) -> Client {
    Client::new(&stack.base, crate::person::next_number())
}

fn token(answer: Answer) -> String {
    answer.is(201).json()["token"].as_str().expect("a token").to_owned()
}

fn strangers_who_guess_do_not_lock_the_officer_out_of_a_known_client(database: Database) {
    let stack = database.shared();
    let (login, password) = hire(&stack, "reviewer");
    let office = stranger(&stack);
    token(sign_in(&office, Some(BROWSER), &login, &password));

    for n in 0..8 {
        let attacker = stranger(&stack);
        let named = format!("attackers-client-number-{n}");
        let answer = sign_in(&attacker, (n % 2 == 0).then_some(named.as_str()), &login, "a guess");
        assert!([401, 429].contains(&answer.status), "{}", answer.text());
    }
    sign_in(&stranger(&stack), None, &login, &password).problem(429, "account-locked");
    sign_in(&stranger(&stack), Some("attackers-client-number-0"), &login, &password)
        .problem(429, "account-locked");
    // The officer's own browser is not locked, and stays that way; and its sign-in gives the strangers no new tries.
    token(sign_in(&office, Some(BROWSER), &login, &password));
    sign_in(&stranger(&stack), None, &login, &password).problem(429, "account-locked");

    // Who guesses from the known client locks that one alone.
    for _ in 0..5 {
        sign_in(&office, Some(BROWSER), &login, "a guess").problem(401, "sign-in-failed");
    }
    sign_in(&office, Some(BROWSER), &login, &password).problem(429, "account-locked");
}

fn a_session_is_of_one_client_and_a_stolen_token_ends_it(database: Database) {
    let stack = database.shared();
    let (login, password) = hire(&stack, "reviewer");
    let office = stranger(&stack);
    let token = token(sign_in(&office, Some(BROWSER), &login, &password));
    let current = |name: Option<&str>| {
        let request = office.with_token(&token).request(Method::GET, "/api/v1/officer/sessions/current");
        send(match name {
            Some(name) => request.header("muhr-client", name),
            None => request,
        })
    };
    current(Some(BROWSER)).is(200);
    current(Some("another-client-of-some-length")).problem(401, "unauthenticated");
    current(Some(BROWSER)).problem(401, "unauthenticated");
    let said = stack.rows(&format!(
        "SELECT count(*) FROM audit_entries WHERE action = 'officer.session-stolen' AND object = 'officer:{login}'"
    ));
    assert_eq!(said, ["1"]);
}

fn sessions_are_seen_and_ended_by_their_officer_or_an_administrator(database: Database) {
    let stack = database.shared();
    let (login, password) = hire(&stack, "reviewer");
    let office = stranger(&stack);
    let (first, second) =
        (token(sign_in(&office, None, &login, &password)), token(sign_in(&office, None, &login, &password)));
    let (first, second) = (office.with_token(&first), office.with_token(&second));
    let listed = |client: &Client, path: &str| -> Vec<Value> {
        client.get(path).json()["items"].as_array().expect("a list").clone()
    };
    let own = listed(&second, SESSIONS);
    assert_eq!(own.iter().map(|session| session["current"] == true).collect::<Vec<_>>(), [false, true]);
    let id = |session: &Value| session["id"].as_str().expect("an id").to_owned();
    send(second.request(Method::DELETE, &format!("{SESSIONS}/{}", id(&own[0])))).is(204);
    first.get(SESSIONS).problem(401, "unauthenticated");
    send(second.request(Method::DELETE, &format!("{SESSIONS}/{}", id(&own[0])))).problem(404, "not-found");

    let reviewer = stack.signed_in("reviewer");
    reviewer.get(&format!("{SESSIONS}?login={login}")).problem(403, "forbidden");
    let admin = stack.signed_in("admin");
    let theirs = listed(&admin, &format!("{SESSIONS}?login={login}"));
    assert_eq!(theirs.len(), 1);
    let end = format!("{SESSIONS}/{}?login={login}", id(&theirs[0]));
    send(reviewer.request(Method::DELETE, &end)).problem(403, "forbidden");
    send(admin.request(Method::DELETE, &end)).is(204);
    second.get(SESSIONS).problem(401, "unauthenticated");
    let ended = stack.rows(&format!(
        "SELECT actor FROM audit_entries WHERE action = 'officer.session-end' AND object = 'officer:{login}' ORDER BY id"
    ));
    assert_eq!(ended, [format!("officer:{login}"), "officer:admin".to_owned()]);
}

fn a_password_from_the_lists_is_refused(database: Database) {
    let stack = database.shared();
    let (login, password) = hire(&stack, "reviewer");
    let office = stranger(&stack);
    let office = office.with_token(&token(sign_in(&office, None, &login, &password)));
    let change = |new: &str| office.post("/api/v1/officer/password", &json!({"old": password, "new": new}));
    for guessed in ["password1234", "qwertyuiop123", "111111111111"] {
        change(guessed).problem(422, "invalid-fields");
    }
    change("nine tin otters hum").is(200);
}
