//! A SoftHSM2 of its own for each test. The module is a state of the whole process and reads its settings from the
//! environment when it starts: so each test is a process, with a folder that is removed afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use ca_core::signer::{KeyAlgorithm, Signer};
use tempfile::TempDir;
use token_key::{KeyName, Token, TokenError, TokenKey, TokenName};

pub(crate) const PIN: &str = "271828";
const OFFICERS_PIN: &str = "31415926";
/// SoftHSM2's own name for where its settings are.
const SETTINGS: &str = "SOFTHSM2_CONF";
/// Tells the process of one test that it is one, and where its folder is.
const FOLDER: &str = "MUHR_TEST_STAGE";

/// A folder with a token in it.
pub(crate) struct Stage {
    folder: PathBuf,
}

/// Runs the test of this name, the whole path of it, in a process with a token of its own.
pub(crate) fn alone(test: &str, story: impl FnOnce(&Stage)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return story(&Stage { folder: folder.into() });
    }
    let folder = TempDir::new().unwrap();
    let stage = Stage { folder: folder.path().to_owned() };
    fs::create_dir(stage.tokens()).unwrap();
    let settings = folder.path().join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        stage.tokens().display()
    );
    fs::write(&settings, text).unwrap();
    stage.initialize("muhr", &settings);
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.args(["--exact", test, "--nocapture", "--include-ignored"]);
    let output = itself.env(SETTINGS, &settings).env(FOLDER, &stage.folder).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "{:?}", output.status);
}

impl Stage {
    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let file = self.folder.join(name);
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// A token of this label, by SoftHSM's own tool.
    pub(crate) fn initialize(&self, label: &str, settings: &Path) {
        let mut tool = Command::new("softhsm2-util");
        tool.args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", OFFICERS_PIN]);
        well(&tool.env(SETTINGS, settings).output().expect("softhsm2-util is Debian's softhsm2"));
    }

    pub(crate) fn another(&self, label: &str) {
        self.initialize(label, &self.folder.join("softhsm2.conf"));
    }

    /// Everything on the token is forgotten.
    pub(crate) fn exchange(&self) {
        fs::remove_dir_all(self.tokens()).unwrap();
        fs::create_dir(self.tokens()).unwrap();
        self.another("muhr");
    }

    pub(crate) fn unplug(&self) {
        fs::rename(self.tokens(), self.folder.join("unplugged")).unwrap();
    }

    pub(crate) fn plug_in(&self) {
        let _ = fs::remove_dir_all(self.tokens());
        fs::rename(self.folder.join("unplugged"), self.tokens()).unwrap();
    }

    pub(crate) fn token(&self) -> Arc<Token> {
        self.token_named(TokenName::Label("muhr".to_owned()), PIN).unwrap()
    }

    pub(crate) fn token_named(&self, name: TokenName, pin: &str) -> Result<Arc<Token>, TokenError> {
        Token::new(&module(), name, pin.to_owned().into(), 4)
    }

    pub(crate) fn generated(&self, label: &str, algorithm: KeyAlgorithm) -> TokenKey {
        TokenKey::generate(self.token(), labelled(label), label, algorithm).unwrap()
    }

    /// Whether OpenSSL accepts the signature.
    pub(crate) fn openssl_verifies(&self, key: &TokenKey, message: &[u8], signature: &[u8]) -> bool {
        let [public, message, signature] =
            [("public.der", key.public_key()), ("message", message), ("signature", signature)]
                .map(|(name, content)| self.file(name, content));
        let hash = if key.algorithm().name.ends_with("SHA384") { "-sha384" } else { "-sha256" };
        let arguments =
            ["dgst", hash, "-verify", &public, "-keyform", "DER", "-signature", &signature, &message];
        Command::new("openssl").args(arguments).output().unwrap().status.success()
    }
}

/// Where Debian has the module.
pub(crate) fn module() -> PathBuf {
    PathBuf::from("/usr/lib/softhsm/libsofthsm2.so")
}

pub(crate) fn labelled(label: &str) -> KeyName {
    KeyName::new(Some(label.to_owned()), None).unwrap()
}

#[track_caller]
pub(crate) fn well(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
