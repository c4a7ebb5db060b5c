//! The command line, and the settings every command starts with.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ca_core::Timestamp;
use ca_signer::Keyring;
use clap::{Args, Parser, Subcommand, ValueEnum};
use config::Settings;
use config::settings::{DatabaseUrl, Role, Sources};
use secrecy::ExposeSecret;
use store::migrations::Migrated;
use store::{Database, Options, Rights, Target, audit};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::{
    audit as audit_command, backup, bench, ca, certificate, evidence, failure, key, ledger, officer, person,
    responder, roles, sms, up,
};

/// Certification authority and online key issuance for Uzbekistan's electronic signature.
#[derive(Debug, Parser)]
#[command(name = "muhr", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// How the log is written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Json)]
    log: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a terminal.
    Pretty,
}

/// Where the settings come from.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct Place {
    /// Settings that take the place of the defaults (see config/default.toml).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory with everything this installation has written.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// postgres://USER:PASSWORD@HOST/NAME, or the path of an SQLite file.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every role in one process.
    Up {
        #[command(flatten)]
        place: Place,
        /// Where to listen for portal, API, OCSP and repository.
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Run the issuance API and the portal.
    Api(Place),
    /// Run the signer: the only role with the CA key.
    Signer(Place),
    /// Run the OCSP responder.
    Ocsp {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: Option<OcspCommand>,
    },
    /// Run the CRL publisher.
    Crl {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: Option<CrlCommand>,
    },
    /// The key ceremony: root, issuing CA, OCSP signer, audit key.
    #[command(subcommand)]
    Ca(ca::Command),
    /// Issue, revoke or show single certificates.
    #[command(subcommand)]
    Certificate(certificate::Command),
    /// The sealed audit log: verify, seal, export, prove; and that every certificate has its application, payment, approval
    /// and intent.
    #[command(subcommand)]
    Audit(audit_command::Command),
    /// Prove that the ledger balances, and compare it with what payment providers state.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Applicants' pictures and papers: master keys, and a proof of what is kept.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// What is held about one person.
    #[command(subcommand)]
    Person(person::Command),
    /// Officers' accounts.
    #[command(subcommand)]
    Officer(officer::Command),
    /// Bring the database to this version's shape.
    Migrate {
        #[command(flatten)]
        place: Place,
        /// Undo every migration: ALL DATA IS LOST.
        #[arg(long)]
        down: bool,
    },
    /// Database, documents and published files at this moment, in one encrypted file.
    Backup(backup::Backup),
    /// Bring a backup back into an empty place.
    Restore(backup::Restore),
    /// After a database came back older than it was, by other means than `muhr restore`: go on behind every number that may have
    /// been given since.
    StepForward {
        #[command(flatten)]
        place: Place,
        /// The moment of which the database is, for example 2026-11-27T21:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Timestamp,
    },
    /// Read the settings and name every mistake; look whether the tokens they name are there.
    CheckConfig(Place),
    /// The text messages there are.
    #[command(subcommand)]
    Sms(sms::Command),
    /// Keys on this machine: make, apply, list, sign, verify. Needs no server.
    Key(key::Arguments),
    /// Decode one file of an applicant from standard input: the registration authority starts this for each upload.
    #[command(hide = true)]
    DecodePicture {
        /// picture or paper.
        purpose: String,
        /// The media type that was stated.
        media_type: String,
    },
    /// Wrap and unwrap with the master keys of a token: the registration authority starts this, and asks on standard input.
    #[command(hide = true)]
    HoldMasterKeys(evidence::TokenArguments),
    /// Measure, one JSON line a figure.
    #[command(subcommand)]
    Bench(bench::Command),
}

#[derive(Debug, Subcommand)]
enum OcspCommand {
    /// Make this responder's key if there is none, and print the certification request for `muhr ca renew-ocsp --csr`.
    Key(Place),
}

#[derive(Debug, Subcommand)]
enum CrlCommand {
    /// Sign the next CRL at once, with the key that is here.
    Now {
        #[command(flatten)]
        place: Place,
        /// The issuer's short name; the CA that issues if there is none.
        #[arg(long)]
        issuer: Option<String>,
    },
}

impl Arguments {
    /// Log lines go to standard error. Nothing personal is in them: see the callers.
    pub(crate) fn start_logging(&self) {
        let filter = EnvFilter::try_from_env("MUHR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let writer = std::io::stderr;
        match self.log {
            LogFormat::Json => tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .with_env_filter(filter)
                .with_writer(writer)
                .init(),
            LogFormat::Pretty => tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(writer().is_terminal())
                .with_writer(writer)
                .init(),
        }
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Up { place, listen } => up::run(&place, listen),
            Command::Api(place) => roles::api(&place),
            Command::Signer(place) => roles::signer(&place),
            Command::Ocsp { place, command: None } => roles::ocsp(&place),
            Command::Ocsp { command: Some(OcspCommand::Key(place)), .. } => responder::key(&place),
            Command::Crl { command: Some(CrlCommand::Now { place, issuer }), .. } => {
                ca::crl_now(&place, issuer)
            }
            Command::Crl { place, command: None } => roles::crl(&place),
            Command::Ca(command) => ca::run(command),
            Command::Certificate(command) => certificate::run(command),
            Command::Audit(command) => audit_command::run(&command),
            Command::Ledger(command) => ledger::run(command),
            Command::Evidence(command) => evidence::run(&command),
            Command::Person(command) => person::run(&command),
            Command::DecodePicture { purpose, media_type } => evidence::decode(&purpose, &media_type),
            Command::HoldMasterKeys(arguments) => evidence::hold_master_keys(arguments),
            Command::Officer(command) => officer::run(command),
            Command::Migrate { place, down } => migrate(&place, down),
            Command::Backup(arguments) => backup::backup(&arguments),
            Command::Restore(arguments) => backup::restore(&arguments),
            Command::StepForward { place, since } => backup::step_forward(&place, since),
            Command::CheckConfig(place) => {
                let settings = place.settings(&Role::ALL)?;
                keyring(&settings).look_at_tokens()?.into_iter().for_each(failure::say);
                failure::say("the settings are in order");
                Ok(())
            }
            Command::Sms(command) => {
                sms::run(&command);
                Ok(())
            }
            Command::Key(arguments) => key::run(arguments),
            Command::Bench(command) => bench::run(command),
        }
    }
}

impl Place {
    /// Where the settings come from: file, environment, this command line.
    pub(crate) fn sources(&self) -> Sources {
        let mut sources = Sources::of_process(self.config.clone());
        if let Some(data) = &self.data {
            sources = sources.with("data.directory", data.display().to_string());
        }
        if let Some(database) = &self.database {
            sources = sources.with("database.url", database);
        }
        sources
    }

    /// The settings, with every rule kept that the roles need.
    pub(crate) fn settings(&self, roles: &[Role]) -> Result<Arc<Settings>, Failure> {
        Ok(Arc::new(Settings::load(&self.sources(), roles)?))
    }

    /// Settings and an open, migrated database.
    pub(crate) fn open(&self, roles: &[Role]) -> Result<(Arc<Settings>, Database), Failure> {
        let settings = self.settings(roles)?;
        let database = open_database(&settings)?;
        if store::migrations::pending(&database)? {
            return Err(Failure::new("the database is not in this version's shape: run `muhr migrate`"));
        }
        Ok((settings, database))
    }

    /// A place with its own data directory, for measurements.
    pub(crate) fn of(data: PathBuf, database: Option<String>) -> Self {
        Self { config: None, data: Some(data), database }
    }
}

/// The pool of the settings' database.
pub(crate) fn open_database(settings: &Settings) -> Result<Database, Failure> {
    let options = Options {
        connections: settings.database.pool_size,
        patience: settings.database.pool_timeout,
        statement_timeout: settings.database.statement_timeout,
    };
    let target = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Target::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Target::Postgres(url.expose_secret().to_owned()),
    };
    Ok(Database::open(target, &options)?)
}

/// The keys of the settings; a secret that is in no file is asked for on the terminal.
pub(crate) fn keyring(settings: &Settings) -> Keyring<'_> {
    Keyring::new(settings, |what| rpassword::prompt_password(what).map(Zeroizing::new))
}

/// What drives work that waits for objects, in a command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn migrate(place: &Place, down: bool) -> Result<(), Failure> {
    let settings = place.settings(&[])?;
    let database = open_database(&settings)?;
    if down {
        store::migrations::down(&database)?;
        failure::say("every migration is undone");
        return Ok(());
    }
    let Migrated { versions, rights } = store::migrations::up(&database)?;
    match versions.as_slice() {
        [] => failure::say("no migration was left to run"),
        versions => {
            let entry = audit::Entry {
                at: settings.clock().now(),
                actor: "operator".to_owned(),
                action: "database.migrate".to_owned(),
                object: "database".to_owned(),
                details: serde_json::json!({ "versions": versions }),
            };
            database.write(|connection| audit::record(connection, &[entry]))?;
            failure::say(format!("done: {}", versions.join(", ")));
        }
    }
    if let Some(Rights { granted, absent }) = rights {
        if !granted.is_empty() {
            failure::say(format!("rights given anew to {}", granted.join(", ")));
        }
        if !absent.is_empty() {
            failure::say(format!(
                "no rights for {}: the server has no such roles (deploy/postgres/roles.sql makes them)",
                absent.join(", ")
            ));
        }
    }
    Ok(())
}
