//! A private PostgreSQL server: its own folder, its own port, nothing left behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::{command, janitor};

static SHARED: OnceLock<Server> = OnceLock::new();

pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    /// What it is told on its command line.
    options: &'static [&'static str],
    process: Mutex<Option<Child>>,
}

impl Server {
    /// The one that stories share, started when the first of them asks.
    pub(crate) fn shared() -> &'static Self {
        // Nobody stops it: what the system has been told need not be on the disk.
        let options = &["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_wal_size=128MB"];
        SHARED.get_or_init(|| Self::start_with(options))
    }

    /// One of its own, for a story that stops it.
    pub(crate) fn start() -> Self {
        Self::start_with(&["-c", "fsync=on", "-c", "full_page_writes=on", "-c", "max_wal_size=128MB"])
    }

    fn start_with(options: &'static [&'static str]) -> Self {
        let folder = own_folder();
        let mut initdb = as_unprivileged("initdb");
        initdb.args([
            "--auth=trust",
            "--username=muhr",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ]);
        command::finish(initdb.arg(folder.join("data")), b"").well();
        let server = Self { port: free_port(), folder, options, process: Mutex::new(None) };
        server.resume();
        server
    }

    /// A second server that follows this one. From then on nothing is acknowledged here before it is written there as well.
    pub(crate) fn start_synchronous_replica(&self) -> Self {
        let folder = own_folder();
        let mut copy = as_unprivileged("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "muhr"]);
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]);
        command::finish(copy.arg("-D").arg(folder.join("data")), b"").well();
        let replica = Self { port: free_port(), folder, options: self.options, process: Mutex::new(None) };
        replica.resume();
        let administrator = self.address("postgres");
        psql(&administrator, "ALTER SYSTEM SET synchronous_standby_names = '*'").well();
        psql(&administrator, "SELECT pg_reload_conf()").well();
        let started = Instant::now();
        while psql(&administrator, "SELECT sync_state FROM pg_stat_replication").out.trim() != "sync" {
            assert!(started.elapsed() < Duration::from_secs(30), "the replica does not follow");
            std::thread::sleep(Duration::from_millis(50));
        }
        replica
    }

    /// Ends at once, with nothing written that was not written yet.
    pub(crate) fn kill(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut process = process.expect("it runs");
        process.kill().expect("our child");
        process.wait().expect("our child");
        janitor::has_ended(process.id());
    }

    /// Address and port.
    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// An empty database of its own; the address is what `muhr --database` takes.
    pub(crate) fn fresh_database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("muhr_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        psql(&self.address("postgres"), &format!("CREATE DATABASE {name}")).well();
        self.address(&name)
    }

    /// Takes a database of the shared server off the disk: hundreds of them are some gigabytes. One that somebody else still uses, or
    /// that is elsewhere, stays.
    pub(crate) fn drop_database(address: &str) {
        Self::drop_database_with(address, "");
    }

    /// The same, whoever still has a connection.
    pub(crate) fn drop_used_database(address: &str) {
        Self::drop_database_with(address, "WITH (FORCE)");
    }

    fn drop_database_with(address: &str, how: &str) {
        let Some(server) = SHARED.get() else { return };
        if let Some((_, name)) = address.split_once(&format!("{}/", server.authority())) {
            let said = psql(&server.address("postgres"), &format!("DROP DATABASE IF EXISTS {name} {how}"));
            if !said.success {
                eprintln!("{name} stays: {}", said.all());
            }
        }
    }

    /// Stops as an administrator would who does not wait for anybody: open transactions are rolled back.
    pub(crate) fn stop(&self) {
        let Some(mut process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        command::run("kill", ["-INT", &process.id().to_string()]).well();
        process.wait().expect("our child");
        janitor::has_ended(process.id());
    }

    /// Starts on the same data and the same port, and is ready for connections afterwards.
    pub(crate) fn resume(&self) {
        let log =
            fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log file");
        let process = as_unprivileged("postgres")
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-k")
            .arg(&self.folder)
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
            ])
            .args(["-c", "synchronous_commit=on"])
            .args(self.options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("postgres starts");
        janitor::will_end(process.id(), "INT");
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        let started = Instant::now();
        while !psql(&self.address("postgres"), "SELECT 1").success {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "PostgreSQL is not ready after 30 s:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where one of its databases is.
    pub(crate) fn address(&self, database: &str) -> String {
        format!("postgres://muhr@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One statement; rows as lines, columns parted by `|`.
pub(crate) fn psql(address: &str, statement: &str) -> command::Said {
    command::run("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", statement])
}

/// A port that nobody listens on and that nobody was told of before. It lies below those that the system gives to whoever asks for
/// any (`net.ipv4.ip_local_port_range`), so that it is still free when it is used.
pub(crate) fn free_port() -> u16 {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 22_000;
    // Test runs beside each other begin at different places.
    let start = std::process::id().wrapping_mul(7919);
    loop {
        let next = start.wrapping_add(TOLD.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(FIRST + next).expect("below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder that the server's account may write to.
fn own_folder() -> PathBuf {
    let folder =
        tempfile::Builder::new().prefix("muhr-postgres-").tempdir().expect("a temporary folder").keep();
    janitor::will_remove(&folder);
    if let Some((user, group)) = unprivileged() {
        chown(&folder, Some(user), Some(group)).expect("root may give a folder away");
    }
    folder
}

fn as_unprivileged(program: &str) -> Command {
    let mut command = Command::new(command::find(program));
    command.current_dir("/");
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    command
}

/// PostgreSQL refuses to run as root: then Debian's `postgres` user runs it, or `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        if !is_root() {
            return None;
        }
        let accounts = fs::read_to_string(Path::new("/etc/passwd")).expect("a list of accounts");
        let numbers = |name: &str| {
            let line = accounts.lines().find(|line| line.starts_with(&format!("{name}:")))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        Some(numbers("postgres").or_else(|| numbers("nobody")).expect("an account without privileges"))
    })
}

/// Whether this test runs as root.
pub(crate) fn is_root() -> bool {
    command::run("id", ["-u"]).out.trim() == "0"
}

#[test]
fn a_private_server_is_stopped_and_resumed_on_the_same_data() {
    let server = Server::start();
    let address = server.fresh_database();
    psql(&address, "CREATE TABLE kept (number INTEGER); INSERT INTO kept VALUES (7)").well();
    server.stop();
    assert!(!psql(&address, "SELECT 1").success);
    server.resume();
    assert_eq!(psql(&address, "SELECT number FROM kept").well().out.trim(), "7");
}
