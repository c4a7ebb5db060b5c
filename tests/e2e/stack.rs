//! A running Muhr: its own folder, its own port, its own database, one process or one per role.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{self, Said};
use crate::http::{Answer, Client, try_send};
use crate::postgres::{Server, free_port};
use crate::program::program;
use crate::sql::{lines, sqlite_file, try_rows};
use crate::token::Token;
use crate::{janitor, person};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
    /// PostgreSQL, with the keys of every authority and of the audit log on a PKCS #11 token.
    PostgresAndToken,
}

/// The stack that stories share on one database. Prints the story's part of the log when the story fails.
pub(crate) struct Shared {
    stack: &'static Stack,
    log_start: usize,
}

pub(crate) struct Stack {
    /// Everything Muhr writes.
    pub(crate) folder: PathBuf,
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    settings: Vec<(String, String)>,
    /// Variables that are not settings.
    environment: Vec<(String, String)>,
    processes: Mutex<HashMap<Role, Process>>,
    /// Tokens by login: passwords are for one sign-in.
    sessions: Mutex<HashMap<String, String>>,
}

/// What one process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// `muhr up`: every role.
    All,
    Api,
    Signer,
    Ocsp,
    Crl,
}

struct Process {
    child: Child,
    ready: Ready,
}

/// What tells that a process is ready.
#[derive(Clone)]
enum Ready {
    /// It answers here.
    Address(String),
    /// The signer listens nowhere: it says so in the log, behind this many bytes.
    Log(usize),
}

impl Database {
    /// The stack for stories that leave it as usable as they found it.
    pub(crate) fn shared(self) -> Shared {
        program();
        static SQLITE: OnceLock<Stack> = OnceLock::new();
        static POSTGRES: OnceLock<Stack> = OnceLock::new();
        static TOKEN: OnceLock<(Token, Stack)> = OnceLock::new();
        Shared::of(match self {
            Self::Sqlite => SQLITE.get_or_init(|| self.start()),
            Self::Postgres => POSTGRES.get_or_init(|| self.start()),
            Self::PostgresAndToken => {
                let (_, stack) = TOKEN.get_or_init(|| {
                    let token = Token::new();
                    let stack = token.stack(self, &[("KEYS__TOKEN__ROOT_LABEL", "root")]);
                    stack.run(Role::All);
                    (token, stack)
                });
                stack
            }
        })
    }

    /// Where a new and empty database is; nowhere but in the stack's own folder for SQLite.
    pub(crate) fn address(self) -> Option<String> {
        (self != Self::Sqlite).then(|| Server::shared().fresh_database())
    }

    /// Octets, given in hexadecimal, as the database writes them.
    pub(crate) fn blob(self, hex: impl Display) -> String {
        match self {
            Self::Sqlite => format!("x'{hex}'"),
            Self::Postgres | Self::PostgresAndToken => format!("'\\x{hex}'::bytea"),
        }
    }

    /// A stack of its own.
    pub(crate) fn start(self) -> Stack {
        self.start_with(&[])
    }

    /// A stack of its own, with `SECTION__KEY` settings that differ from the default.
    pub(crate) fn start_with(self, settings: &[(&str, &str)]) -> Stack {
        let stack = Stack::prepare(fresh_folder(), self.address(), settings);
        stack.run(Role::All);
        stack
    }

    /// A process per role, as in production, on keys and officers that a first `muhr up` made.
    pub(crate) fn start_roles(self) -> Stack {
        self.start_roles_with(&[])
    }

    pub(crate) fn start_roles_with(self, settings: &[(&str, &str)]) -> Stack {
        let [ocsp, crl] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
        let (ocsp, crl) = (format!("{ocsp}/ocsp"), format!("{crl}/repository"));
        let places = [("ISSUANCE__OCSP_URL", ocsp.as_str()), ("ISSUANCE__REPOSITORY_URL", crl.as_str())];
        let stack = self.start_with(&[settings, &places].concat());
        stack.terminate(Role::All);
        for role in [Role::Api, Role::Signer, Role::Ocsp, Role::Crl] {
            stack.run(role);
        }
        stack
    }
}

impl Stack {
    /// Everything but the processes.
    pub(crate) fn prepare(folder: PathBuf, address: Option<String>, settings: &[(&str, &str)]) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let base = format!("http://{listen}");
        let mut all: Vec<(String, String)> = vec![
            ("HTTP__LISTEN".to_owned(), listen),
            ("HTTP__WORKERS".to_owned(), "2".to_owned()),
            // Some thousand keys are made and opened; what their passphrases cost is looked at elsewhere.
            ("KEYS__SCRYPT_PASSES".to_owned(), "1".to_owned()),
            ("DATA__DIRECTORY".to_owned(), folder.display().to_string()),
            // Stories run at night, too.
            ("SMS__QUIET_FROM_HOUR".to_owned(), "0".to_owned()),
            ("SMS__QUIET_UNTIL_HOUR".to_owned(), "0".to_owned()),
        ];
        all.extend(address.map(|address| ("DATABASE__URL".to_owned(), address)));
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let (environment, processes, sessions) = Default::default();
        Self { folder, base, settings: all, environment, processes, sessions }
    }

    /// Starts the role and waits until it says that it is ready.
    pub(crate) fn run(&self, role: Role) {
        self.spawn(role);
        let started = Instant::now();
        while !self.is_ready(role) {
            let ended = self.with_process(role, |process| process.child.try_wait().expect("our child"));
            assert!(ended.is_none(), "{role:?} ended with {ended:?}\n{}", self.log_tail(0));
            let waited = started.elapsed();
            assert!(
                waited < Duration::from_secs(60),
                "{role:?} is not ready after 60 s\n{}",
                self.log_tail(0)
            );
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Starts the role without waiting.
    pub(crate) fn spawn(&self, role: Role) {
        let operations = format!("127.0.0.1:{}", free_port());
        let log_start = self.log().len();
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let mut command = self.command();
        command.env("MUHR__OPERATIONS__LISTEN", &operations);
        match role {
            Role::All => {
                let listen = self.base.trim_start_matches("http://");
                command.arg("up").arg("--data").arg(&self.folder).args(["--listen", listen]);
                if let Some(address) = self.setting("DATABASE__URL") {
                    command.args(["--database", address]);
                }
            }
            Role::Api | Role::Signer | Role::Ocsp | Role::Crl => {
                // Certificates name the places where the responder and the publisher are.
                let place = match role {
                    Role::Ocsp => self.setting("ISSUANCE__OCSP_URL"),
                    Role::Crl => self.setting("ISSUANCE__REPOSITORY_URL"),
                    _ => None,
                };
                if let Some(place) = place {
                    let authority =
                        place.trim_start_matches("http://").split('/').next().expect("host and port");
                    command.env("MUHR__HTTP__LISTEN", authority);
                }
                command.arg(role.name()).arg("--config").arg(self.config());
            }
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        janitor::will_end(child.id(), "TERM");
        let ready = match role {
            Role::Signer => Ready::Log(log_start),
            _ => Ready::Address(format!("http://{operations}/health/ready")),
        };
        let process = Process { child, ready };
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).insert(role, process);
    }

    /// Not one that does not run.
    pub(crate) fn is_ready(&self, role: Role) -> bool {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ready) = processes.get(&role).map(|process| process.ready.clone()) else { return false };
        drop(processes);
        match ready {
            Ready::Log(start) => self.log()[start..].contains(r#""message":"signing""#),
            Ready::Address(address) => {
                let request = self.anybody().request(reqwest::Method::GET, &address);
                try_send(request).is_ok_and(|answer| answer.status == 200)
            }
        }
    }

    /// The number of its process.
    pub(crate) fn process(&self, role: Role) -> u32 {
        self.with_process(role, |process| process.child.id())
    }

    /// What it says of its parts.
    pub(crate) fn readiness(&self, role: Role) -> Answer {
        match self.with_process(role, |process| process.ready.clone()) {
            Ready::Address(address) => self.anybody().get(&address),
            Ready::Log(_) => panic!("the signer listens nowhere"),
        }
    }

    /// What its operations port counts.
    pub(crate) fn metrics(&self, role: Role) -> String {
        match self.with_process(role, |process| process.ready.clone()) {
            Ready::Address(address) => {
                self.anybody().get(&address.replace("/health/ready", "/metrics")).is(200).text()
            }
            Ready::Log(_) => panic!("the signer listens nowhere"),
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&self, role: Role) {
        let mut process = self.take_process(role);
        process.child.kill().expect("our child can be killed");
        process.child.wait().expect("our child");
        janitor::has_ended(process.child.id());
    }

    /// `SIGTERM`, and the exit status once it has obeyed.
    pub(crate) fn terminate(&self, role: Role) -> ExitStatus {
        self.begin_to_terminate(role);
        self.wait_for_end(role, Duration::from_secs(30))
    }

    /// Only the signal.
    pub(crate) fn begin_to_terminate(&self, role: Role) {
        let id = self.with_process(role, |process| process.child.id());
        command::run("kill", ["-TERM", &id.to_string()]).well();
    }

    pub(crate) fn wait_for_end(&self, role: Role, patience: Duration) -> ExitStatus {
        let mut process = self.take_process(role);
        let started = Instant::now();
        let status = loop {
            if let Some(status) = process.child.try_wait().expect("our child") {
                break status;
            }
            if started.elapsed() > patience {
                let _ = process.child.kill();
                panic!("{role:?} still runs {patience:?} after SIGTERM\n{}", self.log_tail(0));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        janitor::has_ended(process.child.id());
        status
    }

    /// A `muhr` command on this stack's data and database.
    pub(crate) fn muhr(&self, arguments: &[&str]) -> Said {
        command::finish(self.command().args(arguments), b"")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.current_dir(&self.folder);
        for (key, value) in &self.settings {
            command.env(format!("MUHR__{key}"), value);
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// An address of its own and no token.
    pub(crate) fn anybody(&self) -> Client {
        static ANYBODY: OnceLock<Client> = OnceLock::new();
        ANYBODY.get_or_init(|| Client::new("", person::next_number())).at(&self.base)
    }

    /// The signed-in officer with that login: one of those the sandbox made, or a new one named `second-ROLE`.
    pub(crate) fn signed_in(&self, login: &str) -> Client {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let client = Client::new(&self.base, person::next_number());
        let token = sessions.entry(login.to_owned()).or_insert_with(|| {
            let password = match &self.secrets("sandbox-officers.json")[login] {
                Value::String(password) => password.clone(),
                _ => self.add_officer(login, login.trim_start_matches("second-")),
            };
            let sign_in = serde_json::json!({"login": login, "password": password});
            let session = client.post("/api/v1/officer/sessions", &sign_in).json();
            session["token"].as_str().expect("a token").to_owned()
        });
        client.with_token(token)
    }

    /// A file of names and secrets that `muhr up` wrote for the sandbox, for its owner's eyes only.
    pub(crate) fn secrets(&self, name: &str) -> Value {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.folder.join(name);
        let mode = fs::metadata(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{} is readable by others", file.display());
        serde_json::from_slice(&fs::read(&file).expect("readable by us")).expect("JSON")
    }

    /// Rows of a query straight from the database, columns parted by `|`.
    pub(crate) fn rows(&self, query: &str) -> Vec<String> {
        lines(self.try_rows(query))
    }

    /// Behind everybody's back.
    pub(crate) fn tamper(&self, statement: &str) {
        match self.setting("DATABASE__URL") {
            Some(address) => crate::sql::tamper(address, statement),
            None => crate::sql::tamper(&sqlite_file(&self.folder).display().to_string(), statement),
        }
    }

    /// A statement that the database may refuse.
    pub(crate) fn try_rows(&self, query: &str) -> Said {
        match self.setting("DATABASE__URL") {
            Some(address) => try_rows(address, query),
            None => try_rows(&sqlite_file(&self.folder).display().to_string(), query),
        }
    }

    /// Adds an officer with `muhr officer add`; the one-time password it prints.
    pub(crate) fn add_officer(&self, login: &str, role: &str) -> String {
        let said = self.muhr(&["officer", "add", login, "--role", role]).well();
        let password = said.out.split_whitespace().last().unwrap_or_default();
        assert!(password.len() >= 12, "no one-time password in {}", said.out);
        password.to_owned()
    }

    /// Another value for processes that start from now on.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Starts again, so many seconds later than it is.
    pub(crate) fn travel(&mut self, seconds: i64) {
        self.terminate(Role::All);
        self.set("CLOCK_OFFSET_SECONDS", &seconds.to_string());
        self.run(Role::All);
    }

    /// The default again, for processes that start from now on.
    pub(crate) fn unset(&mut self, key: &str) {
        self.settings.retain(|(name, _)| name != key);
    }

    /// A variable of the environment for processes that start from now on.
    pub(crate) fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Officers sign in again: their sessions ended while the clock was another. Their passwords were for one sign-in.
    pub(crate) fn forget_sessions(&self) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// What separate roles read, besides the environment: the payment provider that `muhr up` made for itself.
    fn config(&self) -> PathBuf {
        let file = self.folder.join("muhr.toml");
        let text = match self.setting("ENVIRONMENT") {
            Some("production") => "",
            _ => {
                "[payments.webhook.sandbox]\nsecret_file = \"payments-sandbox.secret\"\n\
                 pay_url = \"http://127.0.0.1/sandbox/pay/{number}\"\n"
            }
        };
        fs::write(&file, text).expect("the folder is ours");
        file
    }

    fn log_file(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self, from: usize) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.get(from..).unwrap_or(&log).lines().collect();
        let tail = &lines[lines.len().saturating_sub(60)..];
        format!("--- the end of {}'s log ---\n{}\n---", self.base, tail.join("\n"))
    }

    fn with_process<T>(&self, role: Role, work: impl FnOnce(&mut Process) -> T) -> T {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        work(processes.get_mut(&role).unwrap_or_else(|| panic!("{role:?} does not run")))
    }

    fn take_process(&self, role: Role) -> Process {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.remove(&role).unwrap_or_else(|| panic!("{role:?} does not run"))
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::All => "up",
            Self::Api => "api",
            Self::Signer => "signer",
            Self::Ocsp => "ocsp",
            Self::Crl => "crl",
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail(0));
        }
        let roles: Vec<Role> =
            self.processes.get_mut().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        for role in roles {
            let mut process = self.take_process(role);
            let _ = command::run("kill", ["-TERM", &process.child.id().to_string()]);
            for _ in 0..100 {
                if process.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = process.child.kill();
            let _ = process.child.wait();
            janitor::has_ended(process.child.id());
        }
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(self.log_file());
        if let Some(address) = self.setting("DATABASE__URL") {
            Server::drop_database(address);
        }
    }
}

impl Shared {
    pub(crate) fn of(stack: &'static Stack) -> Self {
        Self { stack, log_start: stack.log().len() }
    }
}

impl Deref for Shared {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        self.stack
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.stack.log_tail(self.log_start));
        }
    }
}

/// A folder inside one that the janitor removes, so that logs beside it go with it.
pub(crate) fn fresh_folder() -> PathBuf {
    static PARENT: OnceLock<PathBuf> = OnceLock::new();
    let parent = PARENT.get_or_init(|| {
        let folder =
            tempfile::Builder::new().prefix("muhr-e2e-").tempdir().expect("a temporary folder").keep();
        janitor::will_remove(&folder);
        folder
    });
    tempfile::Builder::new().prefix("stack-").tempdir_in(parent).expect("a temporary folder").keep()
}

/// Asks again until there is an answer, and fails when patience ends first.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(started.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_millis(250));
    }
}
