//! A short run of each fuzz target over its seeds; longer ones are a person's (docs/OPERATIONS.md says how).

use std::fs;
use std::process::{Command, Stdio};

use crate::steps;
use crate::workspace::Workspace;

const TARGETS: &[&str] = &["ocsp_request", "csr"];
const SECONDS: u32 = 30;

/// Installs cargo-fuzz if it is missing and runs every target. Seeds are read from `fuzz/corpus`; what is found on top
/// stays in the build output.
pub(crate) fn run(workspace: &Workspace) -> Result<(), String> {
    let version =
        workspace.cargo(&["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        let mut install = Command::new("cargo");
        steps::succeed(install.args([
            "install",
            "--quiet",
            "--locked",
            "cargo-fuzz",
            "--version",
            "0.13.2",
        ]))?;
    }
    let output = workspace.target.join("fuzz");
    for target in TARGETS {
        let found = output.join("corpus").join(target);
        let artifacts = output.join("artifacts").join(target);
        for folder in [&found, &artifacts] {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let mut fuzz = workspace.cargo(&["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
        // The instrumentation is behind compiler flags that stable Rust has and does not promise.
        fuzz.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", &output).arg(target).arg(&found);
        fuzz.arg(workspace.root.join("fuzz/corpus").join(target)).arg("--");
        fuzz.arg(format!("-max_total_time={SECONDS}")).args(["-max_len=8192", "-rss_limit_mb=2048"]);
        fuzz.args(["-print_final_stats=1", "-verbosity=0"]);
        fuzz.arg(format!("-artifact_prefix={}/", artifacts.display()));
        steps::succeed(&mut fuzz)?;
    }
    Ok(())
}
