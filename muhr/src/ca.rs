//! `muhr ca`: the key ceremony; and `muhr crl now`.

use ca_signer::ceremony::{self, Names};

use crate::commands::{Place, passphrase};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make root, issuing CA and OCSP signer. Refuses to overwrite anything.
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
    /// Certify the OCSP signer's key for its next months.
    RenewOcsp(Place),
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
            ceremony::init(&database, &settings, &passphrase(&settings)?, &names, settings.clock().now())?;
            say(format!("root, issuing CA and OCSP signer are in {}", settings.keys.directory.display()));
            list(&place)
        }
        Command::List(place) => list(&place),
        Command::RenewOcsp(place) => {
            let (settings, database) = place.open(&[])?;
            let now = settings.clock().now();
            let certificate = ceremony::renew_ocsp(&database, &settings, &passphrase(&settings)?, now)?;
            say(format!("OCSP signer {} is certified until {}", certificate.serial, certificate.not_after));
            Ok(())
        }
    }
}

fn list(place: &Place) -> Result<(), Failure> {
    let (_, database) = place.open(&[])?;
    for issuer in database.read(store::issuers::all)? {
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
    for (partition, number) in ceremony::sign_crl(&database, &settings, issuer, &passphrase(&settings)?, now)?
    {
        let of = if partition.is_empty() { issuer.to_owned() } else { format!("{issuer}, {partition}") };
        say(format!("CRL {number} of {of} is signed; the publisher places it"));
    }
    Ok(())
}
