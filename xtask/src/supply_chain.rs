//! What the program is made of: licences, sources and what is banned (cargo-deny), what nobody uses (cargo-machete), and the list of
//! it all for others (`cargo xtask sbom`, CycloneDX 1.6).

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::steps;
use crate::workspace::Workspace;

const MACHETE: &str = "0.9.2";

/// Reads a bill of materials with software that others wrote: the schema, and that every reference leads somewhere.
const JUDGE: &str = "\
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = open(sys.argv[1], encoding='utf-8').read()
fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if fault: sys.exit(f'not CycloneDX 1.6: {fault}')
bom = json.loads(text)
refs = {c['bom-ref'] for c in bom['components']} | {bom['metadata']['component']['bom-ref']}
for d in bom['dependencies']:
    for ref in [d['ref'], *d.get('dependsOn', [])]:
        if ref not in refs: sys.exit(f'{ref} is no component')
print(len(bom['components']), 'components')
";

/// Every check; `oracles` is the folder of the Python judges, which cargo-deny is among.
pub(crate) fn check(workspace: &Workspace, oracles: &Path) -> Result<(), String> {
    let deny = |network: &str, which: &[&str]| {
        let mut deny = Command::new(oracles.join("bin/cargo-deny"));
        deny.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
        steps::succeed(deny.args(["--log-level", "error", network, "check"]).args(which))
    };
    deny("--locked", &["licenses", "bans", "sources"])?;
    // The database of advisories is a git repository; where it has been fetched before, it is asked.
    if advisories_are_here() {
        deny("--frozen", &["advisories"])?;
    } else {
        println!("xtask: no RustSec database here; `cargo deny check advisories` fetches it and asks it");
    }
    machete(workspace)?;
    let list = workspace.target.join("sbom.cdx.json");
    fs::write(&list, bill(workspace)?).map_err(|error| format!("{}: {error}", list.display()))?;
    steps::succeed(Command::new(oracles.join("bin/python")).args(["-c", JUDGE]).arg(&list))
}

fn advisories_are_here() -> bool {
    let cargo = env::var_os("CARGO_HOME").map(Into::into);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let databases = cargo.or_else(home).map(|cargo: std::path::PathBuf| cargo.join("advisory-dbs"));
    databases.and_then(|folder| fs::read_dir(folder).ok()).is_some_and(|mut entries| entries.next().is_some())
}

/// Installs cargo-machete if it is missing, and has it look for dependencies that no source names.
fn machete(workspace: &Workspace) -> Result<(), String> {
    let mut version = workspace.cargo(&["machete", "--version"]);
    let version = version.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        let install = ["install", "--quiet", "--locked", "cargo-machete", "--version", MACHETE];
        steps::succeed(Command::new("cargo").args(install))?;
    }
    let members = cargo_metadata(workspace, &["--no-deps"])?;
    let members = members["packages"].as_array().into_iter().flatten();
    let folders = members.filter_map(|member| Path::new(member["manifest_path"].as_str()?).parent());
    // `cargo run` names xtask's package in the environment, from which machete concludes that cargo has not started it.
    steps::succeed(workspace.cargo(&["machete"]).env_remove("CARGO_PKG_NAME").args(folders))
}

fn cargo_metadata(workspace: &Workspace, arguments: &[&str]) -> Result<Value, String> {
    let mut cargo = workspace.cargo(&["metadata", "--format-version", "1", "--locked"]);
    let said = cargo.args(arguments).stderr(Stdio::inherit()).output();
    let said = said.map_err(|error| format!("cargo does not start: {error}"))?;
    serde_json::from_slice(&said.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// The bill of materials of the program: the crates that `muhr` is linked from or built with, and the packages that the pages' scripts
/// are bundled from. The same sources give the same octets, so it carries neither a time nor a random number.
pub(crate) fn bill(workspace: &Workspace) -> Result<String, String> {
    let metadata = cargo_metadata(workspace, &[])?;
    let checksums = checksums(workspace)?;
    let packages: BTreeMap<&str, &Value> =
        each(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes: BTreeMap<&str, &Value> =
        each(&metadata["resolve"]["nodes"]).filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let root = packages.iter().find(|(_, package)| package["name"] == "muhr").map(|(id, _)| *id);
    let root = root.ok_or("cargo metadata names no muhr")?;
    let (mut reached, mut queue) = (BTreeSet::from([root]), vec![root]);
    let mut dependencies = Vec::new();
    while let Some(id) = queue.pop() {
        let needed: Vec<&str> = each(&nodes.get(id).copied().unwrap_or(&Value::Null)["deps"])
            // A dependency of tests alone is of a kind `dev`.
            .filter(|needed| each(&needed["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
            .filter_map(|needed| needed["pkg"].as_str())
            .collect();
        let names: BTreeSet<String> =
            needed.iter().filter_map(|id| packages.get(id)).map(|p| crate_url(p)).collect();
        dependencies.push((crate_url(packages[id]), names));
        queue.extend(needed.into_iter().filter(|id| reached.insert(*id)));
    }
    let scripts = scripts(workspace)?;
    let components = reached.iter().filter(|id| **id != root).map(|id| component(packages[id], &checksums));
    let mut components: Vec<Value> = components.chain(scripts).collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    dependencies.sort();
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "bom-ref": crate_url(packages[root]),
            "name": "muhr",
            "version": packages[root]["version"],
            "licenses": [{ "expression": packages[root]["license"] }],
        } },
        "components": components,
        "dependencies": dependencies
            .into_iter()
            .map(|(name, needed)| json!({ "ref": name, "dependsOn": needed }))
            .collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&bill).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Package URL (ECMA-427), which is the component's name in the bill as well.
fn crate_url(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap_or_default().replace('+', "%2B");
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let url = crate_url(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": url,
        "name": text("name"),
        "version": text("version"),
        "purl": url,
        // Cargo still takes `MIT/Apache-2.0`, which SPDX writes with OR.
        "licenses": match package["license"].as_str() {
            Some(license) => json!([{ "expression": license.replace(" / ", " OR ").replace('/', " OR ") }]),
            None => json!([{ "license": { "name": text("license_file") } }]),
        },
    });
    if let Some(checksum) = checksums.get(&(text("name"), text("version"))) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// SHA-256 of each crate's archive, by name and version, from Cargo.lock.
fn checksums(workspace: &Workspace) -> Result<BTreeMap<(String, String), String>, String> {
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock"))
        .map_err(|error| format!("Cargo.lock: {error}"))?;
    let of = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let read = |block| Some(((of(block, "name")?, of(block, "version")?), of(block, "checksum")?));
    Ok(lock.split("[[package]]").filter_map(read).collect())
}

/// The packages that the pages' scripts are bundled from; what only builds and tests them is not part of the program.
fn scripts(workspace: &Workspace) -> Result<Vec<Value>, String> {
    let lock = fs::read(workspace.root.join("portal/package-lock.json"));
    let lock = lock.map_err(|error| format!("portal/package-lock.json: {error}"))?;
    let lock: Value =
        serde_json::from_slice(&lock).map_err(|error| format!("portal/package-lock.json: {error}"))?;
    let packages = lock["packages"].as_object().into_iter().flatten();
    let bundled = packages.filter(|(path, package)| !path.is_empty() && package["dev"] != true);
    Ok(bundled
        .filter_map(|(path, package)| {
            let name = path.rsplit("node_modules/").next()?;
            let version = package["version"].as_str()?;
            let url = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
            let mut component = json!({
                "type": "library", "bom-ref": url, "name": name, "version": version, "purl": url,
            });
            if let Some(license) = package["license"].as_str() {
                component["licenses"] = json!([{ "expression": license }]);
            }
            Some(component)
        })
        .collect())
}
