//! The README's two commands: `cargo xtask up` runs everything, `cargo xtask test` checks everything.
//!
//! Both install the Debian packages they stand on when those are missing, so that a fresh Debian 12
//! with Rust and a C compiler needs nothing else. Hardly a dependency: this is compiled before anything.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the person who typed it")]

mod fuzzing;
mod oracles;
mod packages;
mod pages;
mod steps;
mod supply_chain;
mod workspace;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask up [-- ARGUMENTS OF muhr up]   build Muhr and run every role on SQLite in ./var
       cargo xtask portal                         build the scripts of the pages, for those who call cargo themselves
       cargo xtask sbom                           print the bill of materials of muhr (CycloneDX 1.6, JSON)
       cargo xtask test                           install what the tests need, then run every check and test";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = if arguments.is_empty() { String::new() } else { arguments.remove(0) };
    let outcome = Workspace::find().and_then(|workspace| match command.as_str() {
        "up" => up(&workspace, &arguments),
        "portal" => packages::ensure(packages::BUILD).and_then(|()| pages::build(&workspace)),
        "sbom" if arguments.is_empty() => supply_chain::bill(&workspace).map(|bill| print!("{bill}")),
        "test" if arguments.is_empty() => test(&workspace),
        _ => Err(USAGE.to_owned()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Builds `muhr` in release and becomes it, so that signals reach it directly.
fn up(workspace: &Workspace, arguments: &[String]) -> Result<(), String> {
    packages::ensure(packages::BUILD)?;
    pages::build(workspace)?;
    let built = workspace.cargo(&["build", "--release", "--package", "muhr"]).status();
    if !built.map_err(|error| format!("cargo does not start: {error}"))?.success() {
        return Err("xtask up: muhr does not build".to_owned());
    }
    let own = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    let program = workspace.target.join("release/muhr");
    let mut muhr = Command::new(&program);
    muhr.current_dir(&workspace.root).arg("up");
    if !own.iter().any(|argument| argument == "--data" || argument.starts_with("--data=")) {
        muhr.args(["--data", "./var"]);
    }
    let error = muhr.args(own).exec();
    Err(format!("xtask up: {} does not start: {error}", program.display()))
}

/// What `.ci/run` runs: formatting, lints, the build, every test; the first failure ends it.
fn test(workspace: &Workspace) -> Result<(), String> {
    let mut run = steps::Run::start();
    run.step("packages", || {
        packages::ensure(packages::BUILD)?;
        packages::ensure(packages::TEST)
    })?;
    let mut oracles = None;
    run.step("oracles", || oracles::ensure(workspace).map(|folder| oracles = Some(folder)))?;
    let oracles = oracles.unwrap_or_default();
    run.step("portal", || pages::build(workspace).and_then(|()| pages::check(workspace)))?;
    run.step("supply", || supply_chain::check(workspace, &oracles))?;
    for (name, arguments) in [
        ("format", &["fmt", "--all", "--check"][..]),
        ("lint", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ("build", &["build", "--package", "muhr"]),
        ("test", &["test", "--workspace", "--no-fail-fast"]),
    ] {
        run.step(name, || {
            let mut cargo = workspace.cargo(arguments);
            steps::succeed(cargo.env(oracles::VARIABLE, &oracles))
        })?;
    }
    run.step("browser", || pages::browse(workspace))?;
    run.step("fuzz", || fuzzing::run(workspace))?;
    run.finish();
    Ok(())
}
