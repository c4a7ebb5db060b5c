//! What docs/CPS.md and docs/SECURITY.md promise names code and tests that are there.

use std::fs;
use std::path::{Path, PathBuf};

/// Clauses that promise nothing which software could keep.
const PROMISES_NOTHING: [&str; 2] = ["No stipulation", "Not offered."];

#[test]
fn every_clause_names_what_keeps_it() {
    let statement = document("docs/CPS.md");
    let clauses = clauses(&statement);
    assert!(clauses.len() > 100, "RFC 3647 has more than {} clauses", clauses.len());
    let mut wrong = Vec::new();
    for (heading, body) in &clauses {
        let (promise, kept) = body.split_once("Kept by ").unwrap_or((body, ""));
        let kept: Vec<&str> = quoted(kept).collect();
        if promise.trim().is_empty() || PROMISES_NOTHING.iter().any(|nothing| promise.starts_with(nothing)) {
            continue;
        }
        if kept.is_empty() {
            wrong.push(format!("{heading}: nothing keeps it"));
        }
        wrong.extend(kept.iter().filter_map(|name| missing(name)).map(|what| format!("{heading}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_threat_model_names_tests_that_are_there() {
    let model = document("docs/SECURITY.md");
    let named = quoted(&model).filter(|name| name.ends_with(".rs") || name.ends_with(".mjs"));
    let named: Vec<&str> = named.collect();
    assert!(named.len() > 20, "{named:?}");
    let wrong: Vec<&str> = named
        .into_iter()
        .filter(|name| !root().join(name).is_file() && !root().join("tests/e2e").join(name).is_file())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What is not there of a `file::function`, or of a file or folder.
fn missing(name: &str) -> Option<String> {
    let (file, function) =
        name.split_once("::").map_or((name, None), |(file, function)| (file, Some(function)));
    if !root().join(file).exists() {
        return Some(format!("no {file}"));
    }
    let function = function?;
    (!has_test(&document(file), function)).then(|| format!("no test {function} in {file}"))
}

/// Whether it runs: by itself, or because a list of stories (`on_both_databases!`) names it.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
    let (sync, asynchronous) = (format!("fn {function}("), format!("async fn {function}("));
    let Some(place) =
        lines.iter().position(|line| line.starts_with(&sync) || line.starts_with(&asynchronous))
    else {
        return false;
    };
    let attributes: Vec<&str> =
        lines[..place].iter().rev().take_while(|line| line.starts_with("#[")).copied().collect();
    let is_test = attributes.iter().any(|attribute| attribute.ends_with("test]"));
    let is_ignored = attributes.iter().any(|attribute| attribute.contains("ignore"));
    let listed = lines.join(" ").split("on_both_databases").skip(1).any(|list| {
        let names = list.split_once("!(").and_then(|(_, rest)| rest.split_once(");")).map(|(names, _)| names);
        names.is_some_and(|names| names.split(',').any(|name| name.trim() == function))
    });
    is_test && !is_ignored || listed
}

/// Each heading with what stands under it until the next, without the lines between.
fn clauses(text: &str) -> Vec<(&str, String)> {
    let mut clauses: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with("##"), clauses.last_mut()) {
            (true, _) => clauses.push((line.trim_start_matches(['#', ' ']), String::new())),
            (false, Some((_, body))) if !line.is_empty() => {
                body.push_str(line);
                body.push(' ');
            }
            (false, _) => {}
        }
    }
    clauses
}

/// What stands between pairs of backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
