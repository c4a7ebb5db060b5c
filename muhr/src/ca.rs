//! `muhr ca`: the key ceremony; and `muhr crl now`.

use std::path::{Path, PathBuf};

use ca_signer::ceremony::{self, Names, ResponderKey};
use store::issuers;

use crate::commands::{Place, keyring};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make root, issuing CA, OCSP signer and audit key. Refuses to overwrite anything.
    Init {
        /// The organization that runs the CA.
        #[arg(long)]
        organization: Option<String>,
        /// Common name of the root.
        #[arg(long)]
        root_name: Option<String>,
        /// Common name of the issuing CA.
        #[arg(long)]
        issuing_name: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List the CA certificates.
    List(Place),
    /// Certify an OCSP responder's key for its next months. The issuing CA's signer does so by itself for keys that it
    /// has certified before; a new responder and the root need this.
    RenewOcsp {
        /// In whose name: `ca` or `root`.
        #[arg(long, default_value = issuers::ISSUING, value_parser = [issuers::ISSUING, issuers::ROOT])]
        issuer: String,
        /// Another responder's certification request (`muhr ocsp key` prints it), instead of the key that is here.
        #[arg(long, value_name = "FILE")]
        csr: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init { organization, root_name, issuing_name, place } => {
            let (settings, database) = place.open(&[])?;
            let default = Names::default();
            let names = Names {
                organization: organization.unwrap_or(default.organization),
                root: root_name.unwrap_or(default.root),
                issuing: issuing_name.unwrap_or(default.issuing),
                ocsp: default.ocsp,
            };
            ceremony::init(&database, &settings, &keyring(&settings), &names, settings.clock().now())?;
            let directory = settings.keys.directory.display();
            say(format!(
                "the certificates of root and issuing CA, and keys that are on no token, are in {directory}"
            ));
            list(&place)
        }
        Command::List(place) => list(&place),
        Command::RenewOcsp { issuer, csr, place } => renew_ocsp(&place, &issuer, csr.as_deref()),
    }
}

fn renew_ocsp(place: &Place, issuer: &str, csr: Option<&Path>) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let issuer = if issuer == issuers::ROOT { issuers::ROOT } else { issuers::ISSUING };
    let request = csr.map(std::fs::read).transpose()?;
    let key = request.as_deref().map_or(ResponderKey::Own, ResponderKey::Request);
    let (keyring, now) = (keyring(&settings), settings.clock().now());
    let certificate = ceremony::renew_ocsp(&database, &settings, issuer, &key, &keyring, now)?;
    say(format!("OCSP signer {} is certified until {}", certificate.serial, certificate.not_after));
    Ok(())
}

fn list(place: &Place) -> Result<(), Failure> {
    let (_, database) = place.open(&[])?;
    for issuer in database.read(issuers::all)? {
        say(format!(
            "{:<8} {:<8} {} to {}  {}",
            issuer.id, issuer.kind, issuer.not_before, issuer.not_after, issuer.subject
        ));
    }
    Ok(())
}

/// `muhr crl now`.
pub(crate) fn crl_now(place: &Place, issuer: &str) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    let now = settings.clock().now();
    for (partition, number) in ceremony::sign_crl(&database, &settings, issuer, &keyring(&settings), now)? {
        let of = if partition.is_empty() { issuer.to_owned() } else { format!("{issuer}, {partition}") };
        say(format!("CRL {number} of {of} is signed; the publisher places it"));
    }
    Ok(())
}
