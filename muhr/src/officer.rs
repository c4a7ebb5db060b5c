//! `muhr officer`: accounts of the back office.

use std::fs;
use std::path::PathBuf;

use ca_core::Timestamp;
use ca_core::administration::is_login;
use ca_core::application::Role;
use ca_core::bundle;
use ca_signer::ceremony;
use ca_signer::officer_ca::{self, OfficerCa};
use config::Settings;
use issuance_api::passwords::{self, Passwords};
use secrecy::ExposeSecret;
use store::officer_statements::{self, OfficerCertificate};
use store::{Database, officers};

use crate::commands::{Place, keyring};
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
    /// Certify an officer's key, where the officer CA's key is. Prints the certificate, which the officer signs decisions with.
    Certify {
        /// Whose.
        login: String,
        /// registrar, reviewer, revocation, auditor or admin: what the certificate shall say, and the account has to.
        #[arg(long)]
        role: Role,
        /// The certification request of the officer's key, DER or PEM.
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke every certificate of an officer: nothing they are signed with counts any more.
    RevokeCertificates {
        /// Whose.
        login: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make the officer CA of an installation that was made without one.
    InitCa {
        /// The organization that runs the CA.
        #[arg(long)]
        organization: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Close an account, end its sessions and revoke its certificates.
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
        Command::Certify { login, role, csr, place } => {
            let (settings, database) = place.open(&[])?;
            let now = settings.clock().now();
            let account = database.read(|c| officers::find(c, &login))?;
            if account.disabled_at.is_some() {
                return Err(Failure::new(format!("{login}: the account is closed")));
            }
            // What a database says of a role is no reason to certify it.
            if account.officer.role != role {
                let stored = account.officer.role.as_str();
                return Err(Failure::new(format!(
                    "{login} is {stored} in the database, not {}",
                    role.as_str()
                )));
            }
            let key = ceremony::requested_key(&fs::read(csr)?)?;
            let authority = OfficerCa::open(&settings, &keyring(&settings))?;
            let certificate = authority.certify(&database, &account.officer, &key, "operator", now)?;
            say(bundle::pem([certificate.der.as_slice()]).trim_end());
        }
        Command::RevokeCertificates { login, place } => {
            let (settings, database) = place.open(&[])?;
            let now = settings.clock().now();
            let known = database.read(|c| officer_statements::certificates_of(c, &login))?;
            let revoked =
                database.write(|c| officer_statements::revoke_certificates(c, &login, "operator", now))?;
            remember(&settings, &known)?;
            say(format!("{login}: {revoked} revoked"));
        }
        Command::InitCa { organization, place } => {
            let (settings, database) = place.open(&[])?;
            let (ring, now) = (keyring(&settings), settings.clock().now());
            let organization = organization.unwrap_or(ceremony::Names::default().organization);
            officer_ca::init(&database, &settings, &ring, &organization, now)?;
            say(format!(
                "the officer CA's certificate is {}",
                officer_ca::certificate_file(&settings).display()
            ));
        }
        Command::Disable { login, place } => {
            let (settings, database) = place.open(&[])?;
            let known = database.read(|c| officer_statements::certificates_of(c, &login))?;
            database.write(|c| officers::disable(c, &login, "operator", settings.clock().now()))?;
            remember(&settings, &known)?;
            say(format!("{login}: disabled"));
        }
    }
    Ok(())
}

/// On the signer's machine revocations are written down at once, where nobody who only has the database reaches them.
fn remember(settings: &Settings, certificates: &[OfficerCertificate]) -> Result<(), Failure> {
    let serials: Vec<_> = certificates.iter().map(|certificate| certificate.serial).collect();
    if !officer_ca::remember_revoked(settings, &serials)? {
        say("the signer is elsewhere: it learns of this from the database, within a second");
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
