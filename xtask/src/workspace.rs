//! Where the repository and the build output are.

use std::env;
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Workspace {
    /// The repository's root; every command runs there.
    pub(crate) root: PathBuf,
    /// The build output, absolute: `CARGO_TARGET_DIR` or `target`.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace that this very program belongs to, wherever it was called from.
    pub(crate) fn find() -> Result<Self, String> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().ok_or("xtask lies outside of a workspace")?.to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // A relative one is relative to where the person stands, not to the root we move to.
            Some(given) => {
                env::current_dir().map_err(|error| format!("no current folder: {error}"))?.join(given)
            }
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The cargo that runs us, at the root, building into the same place.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).args(arguments);
        cargo
    }
}
