//! `muhr up`: every role in one process; what is not there yet is made.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use ca_core::Timestamp;
use ca_core::revocation::Status;
use ca_signer::ceremony::{self, Ceremony, CeremonyError, Names, ResponderKey};
use ca_signer::{Keyring, SigningService, officer_ca};
use config::Settings;
use config::settings::{MasterKey, Role};
use issuance_api::sealed::Sealer;
use store::{Database, StoreError, issuers, responders};

use crate::commands::{Place, keyring, open_database};
use crate::failure::{Failure, say};
use crate::roles::{self, Roles};
use crate::sandbox;

/// The OCSP signer's certificate is renewed when it has less than this to live.
const OCSP_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) fn run(place: &Place, listen: Option<SocketAddr>) -> Result<(), Failure> {
    // Read once without rules to learn where things are; the secrets that the rules ask for are made next.
    let mut sources = place.sources();
    let first = Settings::load(&sources, &[])?;
    let wanted = listen.unwrap_or(first.http.listen);
    let public = bind(wanted)?;
    let address = public.local_addr()?;
    sources = sources.with("http.listen", address.to_string());
    if first.is_sandbox() {
        let public_url = Settings::load(&sources, &[])?.public_url;
        let in_shares = first.keys.in_shares;
        sources = sandbox::secrets(&first.data.directory, public_url.as_str(), in_shares, sources)?;
    }
    for file in
        [Some(&first.documents.key_file), first.documents.master_keys.first().and_then(MasterKey::file)]
            .into_iter()
            .flatten()
    {
        if !file.exists() {
            Sealer::create_key_file(file)?;
        }
    }
    let settings = Arc::new(Settings::load(&sources, &Role::ALL)?);
    let operations = operations_listener(&settings)?;

    let database = open_database(&settings)?;
    store::migrations::up(&database)?;
    let keyring = keyring(&settings);
    certify(&database, &settings, &keyring)?;
    make_first_master_key(&database, &settings, &keyring)?;
    if settings.is_sandbox() {
        sandbox::officers(&database, &settings)?;
        sandbox::officer_keys(&database, &settings, &keyring)?;
    }
    let signer = SigningService::open(database.clone(), Arc::clone(&settings), &keyring)?;
    let roles = Roles {
        api: Some(roles::open_api(&settings, &database)?),
        portal: Some(roles::open_portal(&settings)?),
        ocsp: Some(roles::open_ocsp(&settings, &database, &keyring)?),
        crl: Some(roles::open_crl(&settings, &database)?),
        signer: Some(Arc::new(signer)),
        heads: roles::open_heads(&settings, &database, &keyring)?,
    };
    // Passphrases, and keys that nothing here signs with from now on.
    drop(keyring);
    let operations_address = operations.local_addr()?;
    roles::serve_on(&settings, &database, roles, public, operations, || {
        if let Err(failure) = welcome(&settings, &database, operations_address) {
            failure.tell();
        }
    })
}

/// On the token of a sandbox that has sealed nothing yet.
fn make_first_master_key(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
) -> Result<(), Failure> {
    let Some(MasterKey::OnToken(label)) = settings.documents.master_keys.first() else { return Ok(()) };
    if !settings.is_sandbox() || !database.read(store::data_keys::masters)?.is_empty() {
        return Ok(());
    }
    if !keyring.has_master(label)? {
        keyring.make_master(label)?;
    }
    Ok(())
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("{address}: {error}; choose another address with --listen ADDR:PORT"))
    })
}

/// The sandbox takes any free port where another sandbox has the usual one; production insists.
fn operations_listener(settings: &Settings) -> Result<TcpListener, Failure> {
    match TcpListener::bind(settings.operations.listen) {
        Err(_) if settings.is_sandbox() => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?),
        bound => bound.map_err(|error| Failure::new(format!("{}: {error}", settings.operations.listen))),
    }
}

/// A sandbox's CA on the first start, and an OCSP signer that will not end soon.
fn certify(database: &Database, settings: &Settings, keyring: &Keyring<'_>) -> Result<(), Failure> {
    let now = settings.clock().now();
    match database.read(issuers::current) {
        // Keys that people are to trust come into being before people.
        Err(StoreError::NotFound) if !settings.is_sandbox() => return Err(CeremonyError::NoCa.into()),
        Err(StoreError::NotFound) => {
            Ceremony::unattended("ca.init", database, settings, keyring).init(&Names::default())?;
        }
        Err(error) => return Err(error.into()),
        Ok(_) => renew_responder(database, settings, keyring, now)?,
    }
    // An installation of before officers signed.
    if !officer_ca::certificate_file(settings).exists() {
        officer_ca::init(database, settings, keyring, &Names::default().organization, now)?;
    }
    if !keyring.has_audit()? {
        ceremony::init_audit(database, settings, keyring, now)?;
    }
    Ok(())
}

/// The certificates of this process's responder, of each CA whose key is here. The signer renews the issuing CA's while
/// it runs, but not one that ended while nothing ran.
fn renew_responder(
    database: &Database,
    settings: &Settings,
    keyring: &Keyring<'_>,
    now: Timestamp,
) -> Result<(), Failure> {
    let key = keyring.responder()?;
    let spki_sha256 = digest::digest(&digest::SHA256, key.public_key());
    let newest = database.read(responders::newest)?;
    for issuer in database.read(issuers::all)?.into_iter().filter(issuers::Issuer::has_key) {
        let issuer = issuer.id.as_str();
        let known =
            newest.iter().find(|known| known.issuer == issuer && known.spki_sha256 == spki_sha256.as_ref());
        if known.is_some_and(|known| known.status != Status::Good) {
            tracing::error!(
                issuer,
                "the responder's certificate is revoked: move its key away, and `muhr ca renew-ocsp` makes another"
            );
            continue;
        }
        let ends = known.map_or(now, |known| known.not_after);
        if ends < now.plus(OCSP_RENEWAL) && keyring.may_have_issuer(issuer) {
            ceremony::renew_ocsp(database, settings, issuer, &ResponderKey::Own, keyring, now)?;
        }
    }
    Ok(())
}

/// Tells the one who started it where to go.
fn welcome(settings: &Settings, database: &Database, operations: SocketAddr) -> Result<(), Failure> {
    let url = settings.public_url.as_str();
    let issuing = database.read(issuers::current)?.id;
    say(format!("Muhr is ready at {url}"));
    say(format!("  portal      {url}/"));
    say(format!("  API         {url}/api/openapi.json, {url}/api/docs/"));
    say(format!("  OCSP        {url}/ocsp"));
    say(format!(
        "  repository  {url}/repository/{issuing}.crl, {url}/repository/{issuing}.cer, {url}/repository/root.cer"
    ));
    say(format!("  operations  http://{operations}/health/ready, http://{operations}/metrics"));
    if settings.is_sandbox() {
        say(format!(
            "  sandbox     {url}/sandbox/messages, officers' keys in {0}/sandbox-officers/, logins in {0}/sandbox-officers.json:",
            settings.data.directory.display()
        ));
        for (login, password) in sandbox::logins(&settings.data.directory)? {
            say(format!("    {login:<12}{password}"));
        }
    }
    Ok(())
}
