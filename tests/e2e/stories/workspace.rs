//! The dependency graph of the workspace stays the one in docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Each member and the members it may depend on; `tests` may look at anything.
const EDGES: &[(&str, &[&str])] = &[
    ("ca-core", &[]),
    ("muhr-config", &["ca-core"]),
    ("store", &["ca-core"]),
    // The PKCS #11 module that it loads is somebody else's code: it goes into processes that sign.
    ("token-key", &["ca-core"]),
    ("ca-signer", &["ca-core", "store", "muhr-config", "token-key"]),
    ("issuance-api", &["ca-core", "store", "muhr-config"]),
    ("ocsp-responder", &["ca-core", "store", "muhr-config"]),
    ("crl-publisher", &["ca-core", "store", "muhr-config"]),
    // A client of the API: what it shows it was told over HTTP.
    ("portal", &["ca-core", "muhr-config"]),
    ("key-tool", &["ca-core", "muhr-config"]),
    (
        "muhr",
        &[
            "ca-core",
            "store",
            "muhr-config",
            "ca-signer",
            "issuance-api",
            "ocsp-responder",
            "crl-publisher",
            "portal",
            "key-tool",
        ],
    ),
    ("xtask", &[]),
];

/// What the rules and the exact bytes know nothing of: HTTP, SQL, clocks, processes.
const OUTSIDE_CA_CORE: &[&str] = &[
    "actix-web",
    "diesel",
    "reqwest",
    "tokio",
    "hyper",
    "libsqlite3-sys",
    "pq-sys",
    "lettre",
    "config",
    "clap",
];

#[test]
fn members_depend_on_each_other_only_as_designed() {
    let metadata = metadata();
    let names: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let edges: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for package in metadata.workspace_packages() {
        if package.name.as_str() == "tests" {
            continue;
        }
        let allowed = edges.get(package.name.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{} is not in the design", package.name));
        for dependency in
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
        {
            let name = dependency.name.as_str();
            assert!(
                !names.contains(name) || allowed.contains(&name),
                "{} must not depend on {name}",
                package.name
            );
        }
    }
}

#[test]
fn xtask_depends_on_a_reader_of_json_and_nothing_else() {
    let metadata = metadata();
    let xtask = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == "xtask");
    let needed: Vec<&str> =
        xtask.expect("a member").dependencies.iter().map(|needed| needed.name.as_str()).collect();
    assert_eq!(needed, ["serde_json"]);
}

#[test]
fn the_rules_reach_no_http_no_sql_and_no_process() {
    let reached = reached_by("ca-core");
    for outside in OUTSIDE_CA_CORE {
        assert!(!reached.contains(*outside), "ca-core reaches {outside}");
    }
}

#[test]
fn who_never_signs_cannot_load_a_pkcs11_module() {
    for member in
        ["ca-core", "store", "issuance-api", "portal", "crl-publisher", "ocsp-responder", "key-tool"]
    {
        assert!(!reached_by(member).contains("cryptoki"), "{member} reaches cryptoki");
    }
}

/// Every crate that this member is built with, however far away; what only its tests use does not count.
fn reached_by(member: &str) -> BTreeSet<String> {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let name = |id| metadata[id].name.to_string();
    let start = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == member);
    let mut open = vec![&start.expect("a member").id];
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == *id).expect("every package is resolved");
        for dependency in &node.deps {
            let built = dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if built && reached.insert(name(&dependency.pkg)) {
                open.push(&dependency.pkg);
            }
        }
    }
    reached
}

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).exec().expect("cargo metadata")
}
