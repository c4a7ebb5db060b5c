//! The `muhr` that the stories run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::command;
use crate::stack::fresh_folder;

/// The `muhr` of this very source, built first if need be and linked aside, so that a build elsewhere
/// cannot replace it in the middle of a run.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref().unwrap_or_else(|failure| panic!("muhr does not build\n{failure}"))
}

fn build() -> Result<PathBuf, String> {
    let test = std::env::current_exe().expect("we are a file");
    let profile = test.ancestors().nth(2).expect("TARGET/PROFILE/deps/e2e-HASH");
    let target = profile.parent().expect("PROFILE lies in TARGET");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "muhr", "--target-dir"]).arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let said = command::finish(cargo.current_dir(env!("CARGO_MANIFEST_DIR")), b"");
    if !said.success {
        return Err(said.err);
    }
    let (built, ours) = (profile.join("muhr"), fresh_folder().join("muhr"));
    fs::hard_link(&built, &ours).or_else(|_| fs::copy(&built, &ours).map(drop)).expect("muhr was built");
    Ok(ours)
}
