//! The Debian packages that the build and the tests stand on, installed when they are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Debian package and what shows that its content is here, by whatever way it came.
pub(crate) struct Package {
    name: &'static str,
    proof: Proof,
}

enum Proof {
    /// Programs on the search path, or among PostgreSQL's own, which Debian keeps off it.
    Programs(&'static [&'static str]),
    /// A library that `pkg-config` knows.
    Library(&'static str),
    /// A module that `python3` can import.
    PythonModule(&'static str),
    /// A file of its own.
    File(&'static str),
}

/// What `cargo build` needs beyond Rust and a C compiler.
pub(crate) const BUILD: &[Package] = &[
    Package { name: "pkg-config", proof: Proof::Programs(&["pkg-config"]) },
    Package { name: "libpq-dev", proof: Proof::Library("libpq") },
    Package { name: "libssl-dev", proof: Proof::Library("openssl") },
    Package { name: "nodejs", proof: Proof::Programs(&["node"]) },
    Package { name: "npm", proof: Proof::Programs(&["npm"]) },
];

/// What the tests need on top: databases, and software that judges what we produce.
pub(crate) const TEST: &[Package] = &[
    Package { name: "age", proof: Proof::Programs(&["age", "age-keygen"]) },
    Package { name: "postgresql", proof: Proof::Programs(&["initdb", "postgres", "pg_ctl", "psql"]) },
    Package { name: "sqlite3", proof: Proof::Programs(&["sqlite3"]) },
    Package { name: "openssl", proof: Proof::Programs(&["openssl"]) },
    Package { name: "gnutls-bin", proof: Proof::Programs(&["certtool"]) },
    Package { name: "libnss3-tools", proof: Proof::Programs(&["pk12util"]) },
    Package { name: "default-jdk-headless", proof: Proof::Programs(&["java", "javac"]) },
    Package { name: "python3-venv", proof: Proof::PythonModule("ensurepip") },
    Package { name: "curl", proof: Proof::Programs(&["curl"]) },
    Package { name: "nginx", proof: Proof::Programs(&["nginx"]) },
    Package { name: "apache2-bin", proof: Proof::Programs(&["apache2"]) },
    Package { name: "faketime", proof: Proof::Programs(&["faketime"]) },
    // The tool; the PKCS #11 module that tests load comes with it as libsofthsm2.
    Package { name: "softhsm2", proof: Proof::Programs(&["softhsm2-util"]) },
    Package { name: "libsofthsm2", proof: Proof::File("/usr/lib/softhsm/libsofthsm2.so") },
    // Pages are as wide as their letters.
    Package {
        name: "fonts-noto-core",
        proof: Proof::File("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"),
    },
    Package {
        name: "fonts-dejavu-core",
        proof: Proof::File("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"),
    },
    Package { name: "chromium", proof: Proof::Programs(&["chromium"]) },
    Package { name: "g++", proof: Proof::Programs(&["g++"]) },
];

/// Leaves with every package present. Touches neither apt nor the network when they already are.
pub(crate) fn ensure(packages: &[Package]) -> Result<(), String> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    println!("xtask: installing {}", missing.join(" "));
    let by_hand = format!("install by hand: apt-get install {}", missing.join(" "));
    if on_path("apt-get").is_none() {
        return Err(format!("this is not Debian; {by_hand} (or your system's packages of the same content)"));
    }
    let root = succeeds(Command::new("sh").args(["-c", r#"test "$(id -u)" = 0"#]));
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Err(format!("not root, and sudo wants a password; {by_hand}"));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        if !root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]).args(arguments);
        let status = command.stdin(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(&missing);
    if !apt(&["update"]) || !apt(&install) {
        return Err(format!("apt-get did not install {}; {by_hand}", missing.join(" ")));
    }
    let still = self::missing(packages);
    if still.is_empty() { Ok(()) } else { Err(format!("still missing after apt-get: {}", still.join(" "))) }
}

fn missing(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().filter(|package| !package.proof.holds()).map(|package| package.name).collect()
}

impl Proof {
    fn holds(&self) -> bool {
        match self {
            Self::Programs(names) => {
                names.iter().all(|name| on_path(name).or_else(|| in_postgresql(name)).is_some())
            }
            Self::Library(name) => succeeds(Command::new("pkg-config").args(["--exists", name])),
            Self::PythonModule(name) => {
                succeeds(Command::new("python3").args(["-c", &format!("import {name}")]))
            }
            Self::File(path) => Path::new(path).is_file(),
        }
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn in_postgresql(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir(Path::new("/usr/lib/postgresql")).ok()?;
    versions.flatten().map(|version| version.path().join("bin").join(program)).find(|file| file.is_file())
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
