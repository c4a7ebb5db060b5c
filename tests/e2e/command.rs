//! Other people's programs, run to the end.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) out: String,
    pub(crate) err: String,
    /// Its exit code, unless a signal ended it.
    pub(crate) code: Option<i32>,
    what: String,
}

impl Said {
    /// It ended with success; otherwise the test fails with everything it said.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert!(self.success, "{} failed\n{}\n{}", self.what, self.out, self.err);
        self
    }

    /// It refused, and said why in these words.
    #[track_caller]
    pub(crate) fn refused_with(self, words: &str) -> Self {
        assert!(!self.success, "{} should have refused\n{}\n{}", self.what, self.out, self.err);
        assert!(
            self.all().contains(words),
            "{} refused without {words:?}\n{}\n{}",
            self.what,
            self.out,
            self.err
        );
        self
    }

    /// Both streams.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs a program from the search path.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Said {
    finish(Command::new(find(program)).args(arguments), b"")
}

/// Runs a prepared command with this on its standard input.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Said {
    let what = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{what} does not start: {error}"));
    // A program that reads nothing closes its end early; what it says decides, not that.
    let _ = child.stdin.take().expect("it was piped").write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the child is ours to wait for");
    Said {
        success: status.success(),
        code: status.code(),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
        what,
    }
}

/// The program's file. An absent judge fails the run; it never passes in silence.
pub(crate) fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgresql = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(postgresql.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            let package = debian_package(program);
            panic!("{program} is not installed; it is in Debian's {package} (`cargo xtask test` installs it)")
        })
}

fn debian_package(program: &str) -> &str {
    match program {
        "initdb" | "postgres" | "psql" => "postgresql",
        "apache2" => "apache2-bin",
        "certtool" | "ocsptool" => "gnutls-bin",
        "java" | "keytool" => "default-jdk-headless",
        "pk12util" => "libnss3-tools",
        "softhsm2-util" => "softhsm2",
        other => other,
    }
}
