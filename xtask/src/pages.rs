//! The portal's scripts, built by npm from `portal/`, and the tests that use its pages in a browser.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::steps;
use crate::workspace::Workspace;

/// Builds `portal/dist`, which the program then carries within it.
pub(crate) fn build(workspace: &Workspace) -> Result<(), String> {
    npm(workspace, "portal", &["run", "--silent", "build"])
}

/// Types, lint and unit tests of the scripts.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    npm(workspace, "portal", &["run", "--silent", "check"])?;
    npm(workspace, "portal", &["test", "--silent"])
}

/// Whole stories in Chromium; pictures of the pages end up in the build output.
pub(crate) fn browse(workspace: &Workspace) -> Result<(), String> {
    npm(workspace, "tests/browser", &["test", "--silent"])
}

fn npm(workspace: &Workspace, folder: &str, arguments: &[&str]) -> Result<(), String> {
    let folder = workspace.root.join(folder);
    if !is_installed(&folder) {
        steps::succeed(command(workspace, &folder).args(["ci", "--silent", "--no-audit", "--no-fund"]))?;
    }
    steps::succeed(command(workspace, &folder).args(arguments))
}

fn command(workspace: &Workspace, folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder).env("CARGO_TARGET_DIR", &workspace.target);
    npm
}

/// npm writes down what it installed; a lock file that is newer asks for something else.
fn is_installed(folder: &Path) -> bool {
    let changed = |file: &str| fs::metadata(folder.join(file)).and_then(|data| data.modified()).ok();
    let (locked, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    installed.is_some() && installed >= locked
}
