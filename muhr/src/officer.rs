//! `muhr officer`: accounts of the back office.

use ca_core::Timestamp;
use ca_core::administration::is_login;
use ca_core::application::Role;
use config::Settings;
use issuance_api::passwords::{self, Passwords};
use secrecy::ExposeSecret;
use store::{Database, officers};

use crate::commands::Place;
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Open an account; its one-time password is printed once.
    Add {
        /// Small letters, digits, dot and hyphen.
        login: String,
        /// registrar, reviewer, revocation, auditor or admin.
        #[arg(long)]
        role: Role,
        #[command(flatten)]
        place: Place,
    },
    /// List the accounts.
    List(Place),
    /// Close an account and end its sessions.
    Disable {
        /// Whose.
        login: String,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { login, role, place } => {
            let (settings, database) = place.open(&[])?;
            let now = settings.clock().now();
            let password = add(&database, &settings, &login, role, now)?;
            say(format!("{login}: one-time password {password}"));
        }
        Command::List(place) => {
            let (_, database) = place.open(&[])?;
            for account in database.read(officers::all)? {
                let state = if account.disabled_at.is_some() { "disabled" } else { "active" };
                let totp = if account.totp_secret.is_some() { "totp" } else { "password only" };
                say(format!(
                    "{:<20} {:<10} {state:<8} {totp}",
                    account.officer.login,
                    account.officer.role.as_str()
                ));
            }
        }
        Command::Disable { login, place } => {
            let (settings, database) = place.open(&[])?;
            database.write(|c| officers::disable(c, &login, "operator", settings.clock().now()))?;
            say(format!("{login}: disabled"));
        }
    }
    Ok(())
}

/// Opens an account and returns its one-time password.
pub(crate) fn add(
    database: &Database,
    settings: &Settings,
    login: &str,
    role: Role,
    now: Timestamp,
) -> Result<String, Failure> {
    if !is_login(login) {
        return Err(Failure::new("a login is 1 to 32 small letters, digits, dots and hyphens"));
    }
    let password = passwords::one_time().map_err(Failure::new)?;
    let passwords = Passwords::new(&settings.officers).map_err(Failure::new)?;
    let hash = passwords.hash_now(&password).map_err(Failure::new)?;
    database.write(|c| officers::add(c, login, role, &hash, "operator", now))?;
    Ok(password.expose_secret().to_owned())
}
