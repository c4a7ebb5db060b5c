//! Two administrators and what they decide on.

use ca_core::application::Role;
use serde_json::{Value, json};

use crate::context::Context;
use crate::harness::{Ask, Harness};

const ACTS: &str = "/api/v1/officer/acts";

fn decision(act: &Value, verb: &str, body: &Value) -> Ask {
    Ask::post(&format!("{ACTS}/{}/{verb}", act["id"].as_str().unwrap()), body)
}

fn confirmation(act: &Value) -> Ask {
    decision(act, "confirmation", &json!({}))
}

fn half(act: &Value) -> Ask {
    decision(act, "password-half", &json!({}))
}

fn bhm(from: &str, tiyin: i64) -> Value {
    json!({"kind": "fee", "series": "bhm", "from": from, "tiyin": tiyin, "source": "a test", "reason": "a decree"})
}

#[actix_web::test]
async fn an_account_is_opened_by_two_and_its_password_is_told_once() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let [first, second] = [&harness.officer("first", Role::Admin), &harness.officer("second", Role::Admin)];
    let add = json!({"kind": "officer-add", "login": "m.namunaeva", "role": "reviewer", "reason": "a new colleague"});
    let act = &Ask::post(ACTS, &add).with(first).of(app).await.is(201);
    assert_eq!((&act["state"], &act["proposed_by"]), (&json!("proposed"), &json!("first")));
    Ask::post(ACTS, &add).with(second).of(app).await.is_problem(409, "conflict");
    confirmation(act).with(first).of(app).await.is_problem(403, "own-act");
    let enacted = confirmation(act).with(second).of(app).await;
    assert_eq!(enacted.headers.get("cache-control").unwrap(), "no-store");
    let enacted = enacted.is(200);
    assert_eq!((&enacted["state"], &enacted["decided_by"]), (&json!("in_force"), &json!("second")));
    confirmation(act).with(second).of(app).await.is_problem(409, "act-not-open");
    // Neither of the two can sign in with what they know.
    let second_half = enacted["one_time_password_half"].as_str().unwrap();
    half(act).with(second).of(app).await.is_problem(404, "not-found");
    let first_half = half(act).with(first).of(app).await.is(200);
    let first_half = first_half["one_time_password_half"].as_str().unwrap();
    half(act).with(first).of(app).await.is_problem(404, "not-found");
    let sign_in = |password: &str| {
        Ask::post("/api/v1/officer/sessions", &json!({"login": "m.namunaeva", "password": password}))
    };
    for alone in [first_half, second_half] {
        sign_in(alone).of(app).await.is_problem(401, "sign-in-failed");
    }
    let password = [first_half, second_half].concat();
    assert_eq!(sign_in(&password).of(app).await.is(201)["role"], "reviewer");

    let listed = Ask::get(ACTS).with(first).of(app).await.is(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(first_half) && !listed.to_string().contains(second_half));
    let officers = Ask::get("/api/v1/officer/officers").with(first).of(app).await.is(200);
    let logins: Vec<_> = officers["items"].as_array().unwrap().iter().map(|item| &item["login"]).collect();
    assert_eq!(logins, ["first", "m.namunaeva", "second"]);
}

#[actix_web::test]
async fn as_many_administrators_sign_as_the_policy_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("approval.toml");
    let policy =
        "natural_person = 1\nsole_proprietor = 1\nlegal_entity = 2\nat_a_counter = 2\nadministration = 3\n";
    std::fs::write(&file, policy).unwrap();
    let harness = Harness::start_with(&[("data.approval_file", file.to_str().unwrap())]);
    let app = &harness.app().await;
    let [first, second, third, fourth] =
        ["first", "second", "third", "fourth"].map(|login| harness.officer(login, Role::Admin));
    let signed = |act: &Value| (act["state"].clone(), act["signatures"]["given"].clone());
    let proposed = |given: &[&str]| (json!("proposed"), json!(given));

    let act = &Ask::post(ACTS, &bhm("2027-01-01", 50_000_000)).with(&first).of(app).await.is(201);
    assert_eq!((signed(act), &act["signatures"]["needed"]), (proposed(&["first"]), &json!(3)));
    let once = confirmation(act).with(&second).of(app).await.is(200);
    assert_eq!(signed(&once), proposed(&["first", "second"]));
    confirmation(act).with(&second).of(app).await.is_problem(409, "already-approved");
    // Who is closed meanwhile has signed nothing.
    let close = json!({"kind": "officer-disable", "login": "second", "reason": "left"});
    Ask::post(ACTS, &close).with(&third).of(app).await.is(201);
    let twice = confirmation(act).with(&third).of(app).await.is(200);
    assert_eq!(signed(&twice), proposed(&["first", "third"]));
    let listed = Ask::get(&format!("{ACTS}?state=proposed")).with(&first).of(app).await.is(200);
    assert_eq!(signed(&listed["items"][0]), proposed(&["first", "third"]));
    let enacted = confirmation(act).with(&fourth).of(app).await.is(200);
    assert_eq!((&enacted["state"], &enacted["decided_by"]), (&json!("in_force"), &json!("fourth")));

    // Another proposal about the same takes nobody's signature away; one whose proposer is gone is not put in force.
    let role = json!({"kind": "officer-role", "login": "fifth", "role": "auditor", "reason": "a change"});
    harness.officer("fifth", Role::Reviewer);
    let act = &Ask::post(ACTS, &role).with(&first).of(app).await.is(201);
    confirmation(act).with(&third).of(app).await.is(200);
    let reset = json!({"kind": "officer-reset", "login": "fifth", "reason": "lost"});
    let reset = &Ask::post(ACTS, &reset).with(&fourth).of(app).await.is(201);
    let sixth = harness.officer("sixth", Role::Admin);
    let close = json!({"kind": "officer-disable", "login": "fourth", "reason": "left"});
    Ask::post(ACTS, &close).with(&sixth).of(app).await.is(201);
    confirmation(reset).with(&first).of(app).await.is_problem(409, "act-not-open");
    let enacted = confirmation(act).with(&sixth).of(app).await.is(200);
    assert_eq!(enacted["state"], "in_force");

    // What was signed under one proposal is not signed under the next that says the same.
    let again = bhm("2027-02-01", 60_000_000);
    let act = &Ask::post(ACTS, &again).with(&first).of(app).await.is(201);
    confirmation(act).with(&third).of(app).await.is(200);
    decision(act, "withdrawal", &json!({})).with(&first).of(app).await.is(200);
    let act = &Ask::post(ACTS, &again).with(&first).of(app).await.is(201);
    let once = confirmation(act).with(&sixth).of(app).await.is(200);
    assert_eq!(signed(&once), proposed(&["first", "sixth"]));
    let enacted = confirmation(act).with(&third).of(app).await.is(200);
    assert_eq!(enacted["state"], "in_force");
}

#[actix_web::test]
async fn a_proposal_signed_with_a_key_that_is_revoked_since_needs_another_signature() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let [first, second, third] =
        ["first", "second", "third"].map(|login| harness.officer(login, Role::Admin));
    let act = &Ask::post(ACTS, &bhm("2027-01-01", 50_000_000)).with(&first).of(app).await.is(201);
    let now = harness.context.now();
    harness.write(|c| store::officer_statements::revoke_certificates(c, "first", "test", now));
    let once = confirmation(act).with(&second).of(app).await.is(200);
    assert_eq!((&once["state"], &once["signatures"]["given"]), (&json!("proposed"), &json!(["second"])));
    let enacted = confirmation(act).with(&third).of(app).await.is(200);
    assert_eq!(enacted["state"], "in_force");
}

#[actix_web::test]
async fn nobody_decides_on_themselves() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let [first, second] = [&harness.officer("first", Role::Admin), &harness.officer("second", Role::Admin)];
    let third = &harness.officer("third", Role::Admin);
    let role = |login: &str| json!({"kind": "officer-role", "login": login, "role": "auditor", "reason": "a change"});
    Ask::post(ACTS, &role("first")).with(first).of(app).await.is_problem(403, "own-act");
    let act = &Ask::post(ACTS, &role("second")).with(first).of(app).await.is(201);
    confirmation(act).with(second).of(app).await.is_problem(403, "own-act");
    let why = &json!({"reason": "I like it here"});
    decision(act, "refusal", why).with(second).of(app).await.is_problem(403, "own-act");
    decision(act, "refusal", why).with(first).of(app).await.is_problem(403, "own-act");
    decision(act, "withdrawal", &json!({})).with(third).of(app).await.is_problem(403, "own-act");
    confirmation(act).with(third).of(app).await.is(200);
    Ask::get(ACTS).with(second).of(app).await.is_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn only_administrators_propose_and_auditors_read() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let auditor = &harness.officer("auditor", Role::Auditor);
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    for place in ["acts", "officers", "fee-table", "profiles", "partners"] {
        let path = format!("/api/v1/officer/{place}");
        Ask::get(&path).with(auditor).of(app).await.is(200);
        Ask::get(&path).with(reviewer).of(app).await.is_problem(403, "forbidden");
    }
    Ask::post(ACTS, &bhm("2099-01-01", 1)).with(auditor).of(app).await.is_problem(403, "forbidden");
}

#[actix_web::test]
async fn an_account_is_closed_at_once_and_opened_again_by_two() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let [first, second] = [&harness.officer("first", Role::Admin), &harness.officer("second", Role::Admin)];
    let reviewer = &harness.officer("reviewer", Role::Reviewer);
    let act = |kind: &str| json!({"kind": kind, "login": "reviewer", "reason": "a test"});
    let closed = Ask::post(ACTS, &act("officer-disable")).with(first).of(app).await.is(201);
    assert_eq!(closed["state"], "in_force");
    Ask::get("/api/v1/officer/applications").with(reviewer).of(app).await.is_problem(401, "unauthenticated");
    let again = Ask::post(ACTS, &act("officer-disable")).with(first).of(app).await;
    assert_eq!(again.is_problem(422, "invalid-fields")["errors"][0]["rule"], "login-closed");
    let open = &Ask::post(ACTS, &act("officer-reopen")).with(first).of(app).await.is(201);
    let opened = confirmation(open).with(second).of(app).await.is(200);
    let first_half = half(open).with(first).of(app).await.is(200);
    let halves = [&first_half, &opened].map(|told| told["one_time_password_half"].as_str().unwrap());
    let sign_in = json!({"login": "reviewer", "password": halves.concat()});
    Ask::post("/api/v1/officer/sessions", &sign_in).of(app).await.is(201);
    let twice = Ask::post(ACTS, &act("officer-reopen")).with(first).of(app).await;
    assert_eq!(twice.is_problem(422, "invalid-fields")["errors"][0]["rule"], "login-open");
}

#[actix_web::test]
async fn a_price_changes_on_its_day_and_not_in_invoices_that_are_written() {
    let mut harness = Harness::start();
    let [first, second] = [&harness.officer("first", Role::Admin), &harness.officer("second", Role::Admin)];
    let day = |days: i64| {
        let day = ca_core::calendar::tashkent_date(harness.context.now()) + time::Duration::days(days);
        ca_core::calendar::full_date(day)
    };
    let [today, tomorrow, later] = [day(0), day(1), day(2)];
    let fee = || Ask::get("/api/v1/fees?subject_type=natural_person");
    {
        let app = &harness.app().await;
        let refused = Ask::post(ACTS, &bhm(&today, 50_000_000)).with(first).of(app).await;
        assert_eq!(refused.is_problem(422, "invalid-fields")["errors"][0]["rule"], "not-future");
        let act = &Ask::post(ACTS, &bhm(&tomorrow, 50_000_000)).with(first).of(app).await.is(201);
        confirmation(act).with(second).of(app).await.is(200);
        let taken = Ask::post(ACTS, &bhm(&tomorrow, 60_000_000)).with(first).of(app).await;
        assert_eq!(taken.is_problem(422, "invalid-fields")["errors"][0]["rule"], "day-taken");
        let twice = Ask::post(ACTS, &bhm(&tomorrow, 50_000_000)).with(first).of(app).await;
        assert_eq!(twice.is_problem(422, "invalid-fields")["errors"][0]["rule"], "day-taken");
        let mistaken = &Ask::post(ACTS, &bhm(&later, 1)).with(first).of(app).await.is(201);
        confirmation(mistaken).with(second).of(app).await.is(200);
        let away = json!({"kind": "fee-withdrawal", "act": mistaken["id"], "reason": "a slip of the finger"});
        let away = &Ask::post(ACTS, &away).with(second).of(app).await.is(201);
        assert_eq!(away["entry"]["tiyin"], 1, "whoever decides sees what is taken out");
        confirmation(away).with(first).of(app).await.is(200);
        let table = Ask::get("/api/v1/officer/fee-table").with(first).of(app).await.is(200);
        let future: Vec<_> =
            table["entries"].as_array().unwrap().iter().filter(|entry| entry["time"] == "future").collect();
        assert_eq!(
            (future.len(), &future[0]["tiyin"], &future[0]["act"]),
            (1, &json!(50_000_000), &act["id"])
        );
        assert_eq!(fee().of(app).await.is(200)["amount_tiyin"], 2_884_000);
    }
    harness.travel(24 * 3600);
    let app = &harness.app().await;
    let price = fee().of(app).await.is(200);
    assert_eq!((&price["amount_tiyin"], &price["bhm_since"]), (&json!(3_500_000), &json!(tomorrow)));
}

#[actix_web::test]
async fn a_fee_file_that_competes_with_an_added_entry_is_found_at_the_start() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let [first, second] = [&harness.officer("first", Role::Admin), &harness.officer("second", Role::Admin)];
    let act = &Ask::post(ACTS, &bhm("2099-01-01", 50_000_000)).with(first).of(app).await.is(201);
    confirmation(act).with(second).of(app).await.is(200);
    let fees = harness.context.settings.data.directory.join("fees.toml");
    let entry = "[[bhm]]\nfrom = \"2099-01-01\"\ntiyin = 1\nsource = \"a test\"\n";
    std::fs::write(&fees, [include_str!("../../../../config/fees.toml"), entry].concat()).unwrap();
    let mut settings = harness.context.settings.as_ref().clone();
    settings.data.fees_file = Some(fees);
    let refused = Context::start(settings, harness.context.database.clone()).err().unwrap().to_string();
    assert!(refused.contains("data.fees_file") && refused.contains("bhm"), "{refused}");
}

#[actix_web::test]
async fn what_is_no_act_is_refused_field_by_field() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let first = &harness.officer("first", Role::Admin);
    for (body, pointers) in [
        (json!({"kind": "king", "reason": "x"}), vec![("/kind", "not-a-choice")]),
        (json!({"kind": "officer-reset", "login": "nobody", "reason": " "}), vec![("/reason", "required")]),
        (
            json!({"kind": "officer-reset", "login": "nobody", "reason": "x"}),
            vec![("/login", "login-unknown")],
        ),
        (
            json!({"kind": "officer-add", "login": "No Body", "role": "king", "reason": "x"}),
            vec![("/login", "login"), ("/role", "not-a-choice")],
        ),
        (
            json!({"kind": "fee", "series": "rate", "from": "tomorrow", "basis_points": 10_001, "reason": "x"}),
            vec![
                ("/from", "not-a-day"),
                ("/source", "required"),
                ("/subject_type", "required"),
                ("/basis_points", "out-of-range"),
            ],
        ),
        (
            json!({"kind": "fee", "series": "bhm", "from": "2099-01-01", "tiyin": 0, "source": "x", "reason": "x"}),
            vec![("/tiyin", "out-of-range")],
        ),
        (json!({"kind": "fee-withdrawal", "act": "x", "reason": "x"}), vec![("/act", "act-unknown")]),
        (json!({"kind": "fee-withdrawal", "act": "\u{0}", "reason": "x"}), vec![("/act", "act-unknown")]),
        (
            json!({"kind": "partner-suspension", "partner": "\u{0}", "reason": "x"}),
            vec![("/partner", "partner-unknown")],
        ),
        (
            json!({"kind": "partner-suspension", "partner": "x", "reason": "x"}),
            vec![("/partner", "partner-unknown")],
        ),
    ] {
        let refused = Ask::post(ACTS, &body).with(first).of(app).await.is_problem(422, "invalid-fields");
        let said: Vec<_> = refused["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (error["pointer"].as_str().unwrap(), error["rule"].as_str().unwrap()))
            .collect();
        assert_eq!(said, pointers, "{body}");
    }
}

#[actix_web::test]
async fn a_proposal_that_fits_no_more_is_not_put_in_force() {
    let mut harness = Harness::start();
    let first = &harness.officer("first", Role::Admin);
    let tomorrow = ca_core::calendar::tashkent_date(harness.context.now()).next_day().unwrap();
    let act = {
        let app = &harness.app().await;
        let body = bhm(&ca_core::calendar::full_date(tomorrow), 50_000_000);
        Ask::post(ACTS, &body).with(first).of(app).await.is(201)
    };
    harness.travel(48 * 3600);
    let app = &harness.app().await;
    let third = &harness.officer("third", Role::Admin);
    let refused = confirmation(&act).with(third).of(app).await.is_problem(409, "act-does-not-fit");
    assert_eq!(refused["errors"][0]["rule"], "not-future");
    let still = Ask::get(&format!("{ACTS}?state=proposed")).with(third).of(app).await.is(200);
    assert_eq!(still["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn whoever_was_closed_meanwhile_decides_no_more() {
    let harness = Harness::start();
    let app = &harness.app().await;
    let [first, second] = [&harness.officer("first", Role::Admin), &harness.officer("second", Role::Admin)];
    let act = &Ask::post(ACTS, &bhm("2099-01-01", 1)).with(first).of(app).await.is(201);
    // As if the request had been let in before the account was closed.
    harness.write(|connection| {
        store::officers::find(connection, "second")?;
        store::officers::set_role(connection, "second", Role::Auditor, "test", harness.context.now())
    });
    confirmation(act).with(second).of(app).await.is_problem(401, "unauthenticated");
    let table = harness.context.database.write(|connection| super::at_the_table(connection, "second"));
    assert!(table.is_err(), "the role is looked at again where it counts");
}
