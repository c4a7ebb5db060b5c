//! What operators look at: every metric that an alert or the dashboard names is there, and readiness names the part that is not.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::applicant::{Application, SubjectType};
use crate::command::run;
use crate::key::text;
use crate::officer::Officer;
use crate::postgres::{Server, psql};
use crate::stack::{Database, Role, Stack, eventually, fresh_folder};

on_both_databases!(
    every_metric_of_alerts_and_dashboard_is_exported,
    readiness_names_the_part_that_is_not_ready
);

const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/muhr.json");
/// What Prometheus makes itself.
const ITS_OWN: &[&str] = &["up", "node_textfile_mtime_seconds"];
/// They are there only where a gateway is configured; the stories of text messages see them move.
const OF_GATEWAYS: &[&str] = &["muhr_sms_balance", "muhr_sms_gateway_state"];

/// The names of metrics in an expression of Prometheus: words that are neither labels, functions nor keywords.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let (mut names, mut word, mut in_braces, mut in_quotes) = (BTreeSet::new(), String::new(), false, false);
    for letter in expression.chars().chain([' ']) {
        if letter == '"' {
            in_quotes = !in_quotes;
        }
        if !in_quotes && (letter.is_ascii_alphanumeric() || letter == '_') {
            word.push(letter);
            continue;
        }
        // Labels after `by` hold no underscore with another word of ours, and stand in no metric's place.
        let is_metric =
            ["muhr_", "ocsp_", "crl_", "http_", "signer_", "up"].iter().any(|start| word.starts_with(start));
        let is_aside = in_braces || in_quotes || (word == "up" && letter != '{');
        if is_metric && !is_aside {
            names.insert(word.clone());
        }
        word.clear();
        match letter {
            '{' => in_braces = true,
            '}' => in_braces = false,
            _ => {}
        }
    }
    names
}

fn used() -> BTreeSet<String> {
    let expressions = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut used: BTreeSet<String> = expressions.flat_map(metrics_of).collect();
    assert!(used.len() > 15, "{used:?}");
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets")) {
        let expression = target["expr"].as_str().expect("an expression");
        let of_panel = metrics_of(expression);
        assert!(!of_panel.is_empty(), "{expression}");
        used.extend(of_panel);
    }
    used
}

fn every_metric_of_alerts_and_dashboard_is_exported(database: Database) {
    let stack = database.start();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    Officer::revocation(&stack).revoke(&application.serial(), "superseded").json_or_empty();
    let missing = |exported: &str| -> Vec<String> {
        let has_series = |name: &str| {
            exported.lines().any(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
            })
        };
        used().into_iter().filter(|name| !ITS_OWN.contains(&name.as_str()) && !has_series(name)).collect()
    };
    let exported = eventually("every metric has a series", Duration::from_secs(20), || {
        let exported = stack.metrics(Role::All);
        missing(&exported).iter().all(|name| OF_GATEWAYS.contains(&name.as_str())).then_some(exported)
    });
    for name in missing(&exported) {
        assert!(
            include_str!("text_messages.rs").contains(&format!("{name}{{gateway=")),
            "{name}: nobody sees it"
        );
    }
    // The test itself: a name that nothing exports is missed.
    assert_eq!(metrics_of(r#"sum by (le) (rate(muhr_nothing_bucket{x="muhr_label"}[5m])) > 2"#).len(), 1);

    // What they say is true.
    let line = |start: &str| {
        let found = exported.lines().find(|line| line.starts_with(start));
        let value = found.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {start} in\n{exported}"))
    };
    assert!(line(r#"signer_certificates_total{outcome="issued"}"#) >= 1.0);
    assert!(line("signer_signature_seconds_sum") > 0.0);
    assert!(line(r#"muhr_issuance_seconds{share="1"}"#) < 60.0);
    assert!(line(r#"muhr_payment_calls_total{provider="sandbox",outcome="followed"}"#) >= 1.0);
    let end = line(r#"muhr_own_certificate_not_after_seconds{certificate="ca"}"#);
    let issuing = stack.anybody().get("/repository/ca.cer").is(200).body;
    let file = stack.folder.join("issuing.der");
    fs::write(&file, issuing).expect("our folder");
    let file = text(&file);
    let now: f64 = run("date", ["+%s"]).well().out.trim().parse().expect("a number");
    let ends_within = |seconds: f64| {
        let seconds = format!("{seconds:.0}");
        !run("openssl", ["x509", "-inform", "DER", "-in", &file, "-noout", "-checkend", &seconds]).success
    };
    assert!(!ends_within(end - now - 60.0) && ends_within(end - now + 60.0), "{end}");
}

fn readiness(stack: &Stack, role: Role) -> (u16, Value) {
    let answer = stack.readiness(role);
    (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
}

fn readiness_names_the_part_that_is_not_ready(database: Database) {
    let stack = database.start();
    let (status, said) = readiness(&stack, Role::All);
    assert_eq!((status, &said["ready"]), (200, &Value::Bool(true)), "{said}");
    for part in ["database", "documents", "master key", "ocsp", "repository", "signer"] {
        assert_eq!(said["parts"][part]["ready"], true, "{said}");
    }
    let folder = stack.folder.join("documents");
    fs::rename(&folder, stack.folder.join("elsewhere")).expect("our folder");
    let (status, said) = readiness(&stack, Role::All);
    assert_eq!((status, &said["ready"]), (503, &Value::Bool(false)), "{said}");
    assert_eq!(said["parts"]["documents"]["trouble"], "the folder of documents is not there", "{said}");
    assert_eq!(said["parts"]["ocsp"]["ready"], true, "{said}");
    fs::rename(stack.folder.join("elsewhere"), &folder).expect("our folder");
    assert_eq!(readiness(&stack, Role::All).0, 200);
}

#[test]
fn a_signer_that_listens_nowhere_writes_its_counts_and_a_responder_asks_for_no_foreign_table() {
    let server = Server::start();
    let owner = server.fresh_database();
    let folder = fresh_folder();
    let file = folder.join("muhr_signer.prom");
    let settings = [("OPERATIONS__TEXTFILE", file.to_str().expect("text"))];
    let mut stack = Stack::prepare(folder.clone(), Some(owner.clone()), &settings);
    stack.run(Role::All);
    assert!(stack.terminate(Role::All).success());
    psql(&owner, include_str!("../../../deploy/postgres/roles.sql")).well();
    stack.muhr(&["migrate"]).well();
    stack.run(Role::Signer);
    let written = eventually("its counts", Duration::from_secs(5), || fs::read_to_string(&file).ok());
    assert!(written.contains("signer_certificates_total{outcome=\"issued\"} 0"), "{written}");
    assert!(!written.contains("# EOF"), "{written}");
    let says = |part: &str, ready: u8| {
        let line = format!("muhr_part_ready{{part=\"{part}\"}} {ready}\n");
        fs::read_to_string(&file).is_ok_and(|written| written.contains(&line)).then_some(())
    };
    assert!(listening(stack.process(Role::Signer)).is_empty());
    let patience = Duration::from_secs(60);
    eventually("its key is ready", patience, || says("signer", 1).and_then(|()| says("database", 1)));
    server.stop();
    eventually("its database is not", patience, || says("database", 0).and_then(|()| says("signer", 1)));
    server.resume();
    eventually("its database is again", patience, || says("database", 1));
    // Under its own role a responder reads neither jobs nor applications, and need not.
    stack.set("DATABASE__URL", &owner.replace("muhr@", "muhr_ocsp@"));
    stack.run(Role::Ocsp);
    assert_eq!(listening(stack.process(Role::Ocsp)).len(), 2, "questions, and operations");
    let exported = stack.metrics(Role::Ocsp);
    assert!(exported.contains("ocsp_as_of_seconds") && !exported.contains("muhr_jobs"), "{exported}");
    assert!(!stack.log().contains("permission denied"), "{}", stack.log());
}

/// The TCP sockets on which a process listens (proc(5)): their inodes.
fn listening(process: u32) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("our child").flatten();
    let names: Vec<String> = open
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        .collect();
    let tables =
        ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default());
    let sockets = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // LISTEN is 0A.
        (fields.get(3) == Some(&"0A")).then(|| fields.get(9).copied()).flatten()
    });
    sockets.filter(|inode| names.contains(&format!("socket:[{inode}]"))).map(str::to_owned).collect()
}
