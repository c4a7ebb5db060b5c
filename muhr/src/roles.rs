//! One role each, for production, and how a process serves HTTP and stops.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use aws_lc_rs::digest;
use ca_core::signer::Signer;
use ca_signer::{Keyring, SigningService};
use config::Settings;
use config::settings::Role;
use crl_publisher::{Publisher, Worker};
use issuance_api::context::Context;
use issuance_api::operations::{Check, Operations};
use prometheus_client::registry::Registry;
use store::Database;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::{Place, keyring, runtime};
use crate::failure::Failure;

/// Everything a process runs. A role that it does not run is absent.
#[derive(Default)]
pub(crate) struct Roles {
    pub(crate) api: Option<web::Data<Context>>,
    pub(crate) portal: Option<Arc<portal::Portal>>,
    pub(crate) ocsp: Option<Arc<ocsp_responder::Service>>,
    pub(crate) crl: Option<Arc<Publisher>>,
    pub(crate) signer: Option<Arc<SigningService>>,
}

pub(crate) fn api(place: &Place) -> Result<(), Failure> {
    let (settings, database) = place.open(&[Role::Api])?;
    let roles = Roles {
        api: Some(open_api(&settings, &database)?),
        portal: Some(open_portal(&settings)?),
        ..Roles::default()
    };
    serve(&settings, &database, roles)
}

pub(crate) fn signer(place: &Place) -> Result<(), Failure> {
    let (settings, database) = place.open(&[Role::Signer])?;
    let signer = SigningService::open(database, Arc::clone(&settings), &keyring(&settings))?;
    // No listening port, not even for its own health: its heartbeat is its log and the queue it empties.
    let stop = Arc::new(AtomicBool::new(false));
    let workers = start_signers(&Arc::new(signer), &stop)?;
    tracing::info!("signing");
    runtime()?.block_on(stopped())?;
    finish(&stop, workers);
    Ok(())
}

pub(crate) fn ocsp(place: &Place) -> Result<(), Failure> {
    let (settings, database) = place.open(&[Role::Ocsp])?;
    let roles =
        Roles { ocsp: Some(open_ocsp(&settings, &database, &keyring(&settings))?), ..Roles::default() };
    serve(&settings, &database, roles)
}

pub(crate) fn crl(place: &Place) -> Result<(), Failure> {
    let (settings, database) = place.open(&[Role::Crl])?;
    let roles = Roles { crl: Some(open_crl(&settings, &database)?), ..Roles::default() };
    serve(&settings, &database, roles)
}

pub(crate) fn open_api(settings: &Settings, database: &Database) -> Result<web::Data<Context>, Failure> {
    let mut settings = settings.clone();
    settings.http.trusted_proxies.extend(own_addresses(&settings));
    Ok(web::Data::new(Context::start(settings, database.clone())?))
}

pub(crate) fn open_portal(settings: &Settings) -> Result<Arc<portal::Portal>, Failure> {
    Ok(Arc::new(portal::Portal::new(settings).map_err(|error| Failure::new(error.to_string()))?))
}

/// Where this process's own portal calls from: it tells for whom.
fn own_addresses(settings: &Settings) -> [IpAddr; 3] {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), settings.http.listen.ip()]
}

pub(crate) fn open_ocsp(
    settings: &Settings,
    database: &Database,
    keyring: &Keyring<'_>,
) -> Result<Arc<ocsp_responder::Service>, Failure> {
    let issuers = database.read(store::issuers::all)?;
    let key = keyring.responder()?;
    let certificates = responder_certificates(settings, database, &issuers, key.as_ref())?;
    let clock = settings.clock();
    let service = ocsp_responder::Service::new(&settings.ocsp, clock, &issuers, key, &certificates)?;
    Ok(Arc::new(service))
}

/// What the CAs have certified the responder's key with: the file that came with the key, and what the database has
/// that is newer.
fn responder_certificates(
    settings: &Settings,
    database: &Database,
    issuers: &[store::issuers::Issuer],
    key: &dyn Signer,
) -> Result<Vec<Vec<u8>>, Failure> {
    let spki_sha256 = digest::digest(&digest::SHA256, key.public_key());
    let mut certificates: Vec<Vec<u8>> = database
        .read(store::responders::newest)?
        .into_iter()
        .filter(|certified| certified.spki_sha256 == spki_sha256.as_ref())
        .filter(|certified| issuers.iter().any(|issuer| issuer.id == certified.issuer))
        .map(|certified| certified.certificate)
        .collect();
    match std::fs::read(&settings.ocsp.certificate_file) {
        Ok(certificate) => certificates.push(certificate),
        Err(error) if certificates.is_empty() => {
            let path = settings.ocsp.certificate_file.display();
            return Err(Failure::new(format!(
                "no CA has certified this responder's key, and {path}: {error}; `muhr ca renew-ocsp` certifies it"
            )));
        }
        Err(_) => {}
    }
    Ok(certificates)
}

pub(crate) fn open_crl(settings: &Settings, database: &Database) -> Result<Arc<Publisher>, Failure> {
    Ok(Arc::new(Publisher::new(settings, database.clone())?))
}

/// Serves on the settings' addresses until the process is told to stop.
pub(crate) fn serve(settings: &Arc<Settings>, database: &Database, roles: Roles) -> Result<(), Failure> {
    let public = TcpListener::bind(settings.http.listen)
        .map_err(|error| Failure::new(format!("{}: {error}", settings.http.listen)))?;
    let operations = TcpListener::bind(settings.operations.listen)
        .map_err(|error| Failure::new(format!("{}: {error}", settings.operations.listen)))?;
    serve_on(settings, database, roles, public, operations, || {})
}

/// Serves on listeners that are bound already; `ready` is called when requests are answered.
pub(crate) fn serve_on(
    settings: &Arc<Settings>,
    database: &Database,
    roles: Roles,
    public: TcpListener,
    operations: TcpListener,
    ready: impl FnOnce(),
) -> Result<(), Failure> {
    let roles = Arc::new(roles);
    let stop = Arc::new(AtomicBool::new(false));
    let signers = roles.signer.as_ref().map(|signer| start_signers(signer, &stop)).transpose()?;
    let follower = roles
        .ocsp
        .as_ref()
        .map(|service| ocsp_responder::Follower::start(Arc::clone(service), database.clone(), &settings.ocsp))
        .transpose()?;
    let publisher = roles.crl.as_ref().map(|publisher| Worker::start(Arc::clone(publisher))).transpose()?;
    actix_web::rt::System::new().block_on(async {
        let (server, handle) = public_server(settings, &roles, public)?;
        let (operations_server, operations_handle) = operations_server(database, &roles, operations)?;
        let (stopping, _) = tokio::sync::watch::channel(false);
        let background = roles.api.as_ref().map(|context| {
            let messenger = issuance_api::messenger::run(context.clone().into_inner(), stopping.subscribe());
            let housekeeping =
                issuance_api::housekeeping::run(context.clone().into_inner(), stopping.subscribe());
            let payments =
                issuance_api::payments::worker::run(context.clone().into_inner(), stopping.subscribe());
            [
                actix_web::rt::spawn(messenger),
                actix_web::rt::spawn(housekeeping),
                actix_web::rt::spawn(payments),
            ]
        });
        let server = actix_web::rt::spawn(server);
        let operations_server = actix_web::rt::spawn(operations_server);
        ready();
        stopped().await?;
        tracing::info!("stopping");
        handle.stop(true).await;
        operations_handle.stop(false).await;
        stopping.send_replace(true);
        server.await??;
        operations_server.await??;
        for work in background.into_iter().flatten() {
            work.await?;
        }
        Ok::<(), Failure>(())
    })?;
    drop((follower, publisher));
    finish(&stop, signers.unwrap_or_default());
    Ok(())
}

fn public_server(
    settings: &Settings,
    roles: &Arc<Roles>,
    listener: TcpListener,
) -> Result<(actix_web::dev::Server, ServerHandle), Failure> {
    let http = &settings.http;
    let patience = http.request_timeout;
    let roles = Arc::clone(roles);
    let server = HttpServer::new(move || {
        let roles = Arc::clone(&roles);
        App::new().configure(move |cfg| {
            if let Some(service) = &roles.ocsp {
                ocsp_responder::configure(cfg, Arc::clone(service), patience);
            }
            if let Some(publisher) = &roles.crl {
                crl_publisher::configure(cfg, publisher);
            }
            if let Some(context) = &roles.api {
                issuance_api::configure(cfg, context);
            }
            if let Some(portal) = &roles.portal {
                portal::configure(cfg, portal);
            }
        })
    })
    .workers(workers(http.workers))
    .max_connections(http.max_connections)
    .keep_alive(http.keep_alive)
    .client_request_timeout(http.request_timeout)
    .client_disconnect_timeout(http.disconnect_timeout)
    .shutdown_timeout(http.shutdown.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok((server, handle))
}

fn operations_server(
    database: &Database,
    roles: &Arc<Roles>,
    listener: TcpListener,
) -> Result<(actix_web::dev::Server, ServerHandle), Failure> {
    let mut registry = Registry::default();
    if let Some(context) = &roles.api {
        context.metrics.register(&mut registry);
    }
    if let Some(service) = &roles.ocsp {
        service.register(&mut registry);
    }
    if let Some(publisher) = &roles.crl {
        publisher.register(&mut registry);
    }
    let mut checks: Vec<Check> = Vec::new();
    if let Some(service) = roles.ocsp.clone() {
        checks.push(("ocsp", Box::new(move || service.is_ready())));
    }
    if let Some(publisher) = roles.crl.clone() {
        checks.push(("repository", Box::new(move || publisher.is_ready())));
    }
    if let Some(signer) = roles.signer.clone() {
        checks.push(("signer", Box::new(move || signer.is_ready())));
    }
    let operations = web::Data::new(Operations::new(database.clone(), registry, checks));
    let server = HttpServer::new(move || {
        let operations = operations.clone();
        App::new().configure(move |cfg| issuance_api::operations::configure(cfg, &operations))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok((server, handle))
}

fn workers(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        given => given,
    }
}

/// Two threads keep the key busy while the other waits for the database.
fn start_signers(
    signer: &Arc<SigningService>,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<JoinHandle<()>>, Failure> {
    (0..2)
        .map(|n| {
            let (signer, stop) = (Arc::clone(signer), Arc::clone(stop));
            let name = format!("signer-{n}");
            Ok(std::thread::Builder::new().name(name).spawn(move || keep_signing(&signer, &stop))?)
        })
        .collect()
}

/// A worker that panics leaves nothing half done, its transaction is rolled back: it starts again, and says so.
fn keep_signing(signer: &SigningService, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        if catch_unwind(AssertUnwindSafe(|| signer.run(stop))).is_err() {
            tracing::error!("a signer has panicked; it starts again");
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// A batch under way is settled before the process ends.
fn finish(stop: &AtomicBool, workers: Vec<JoinHandle<()>>) {
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        if worker.join().is_err() {
            tracing::error!("a signer had panicked");
        }
    }
}

/// Until SIGTERM or SIGINT.
async fn stopped() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
