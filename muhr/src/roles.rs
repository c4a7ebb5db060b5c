//! One role each, for production, and how a process serves HTTP and stops.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Condition, DefaultHeaders, Next, from_fn};
use actix_web::{App, HttpServer, web};
use aws_lc_rs::digest;
use ca_core::signer::Signer;
use ca_signer::{HeadSigner, Keyring, SigningService};
use config::Settings;
use config::settings::Role;
use crl_publisher::{Publisher, Worker};
use issuance_api::context::Context;
use issuance_api::operations::{Check, Operations, Parts};
use prometheus_client::registry::Registry;
use store::{Database, audit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::commands::{Place, keyring, runtime};
use crate::failure::Failure;
use crate::tls::{self, Shown};

/// Everything a process runs. A role that it does not run is absent.
#[derive(Default)]
pub(crate) struct Roles {
    pub(crate) api: Option<web::Data<Context>>,
    pub(crate) portal: Option<Arc<portal::Portal>>,
    pub(crate) ocsp: Option<Arc<ocsp_responder::Service>>,
    pub(crate) crl: Option<Arc<Publisher>>,
    pub(crate) signer: Option<Arc<SigningService>>,
    pub(crate) heads: Option<Arc<HeadSigner>>,
}

impl Roles {
    /// As `muhr` is told to run them.
    fn name(&self) -> &'static str {
        match (&self.signer, &self.api, &self.ocsp) {
            (Some(_), ..) => "up",
            (_, Some(_), _) => "api",
            (_, _, Some(_)) => "ocsp",
            _ => "crl",
        }
    }
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
    let keyring = keyring(&settings);
    let signer = SigningService::open(database.clone(), Arc::clone(&settings), &keyring)?;
    let heads = open_heads(&settings, &database, &keyring)?;
    // Passphrases, and keys that nothing here signs with from now on.
    drop(keyring);
    tell_of_process(&settings, &database, "start", "signer");
    // No listening port, not even for its own health: its heartbeat is its log, the queue it empties, and a file of what it counts and
    // whether it is ready.
    let mut registry = Registry::default();
    signer.register(&mut registry);
    let signer = Arc::new(signer);
    let parts = Arc::new(Parts::new(database.clone(), vec![check_of(&signer)], &mut registry));
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = start_signers(&signer, &stop)?;
    workers.extend(heads.as_ref().map(|heads| start_sealing(heads, &stop)).transpose()?);
    tracing::info!("signing");
    runtime()?.block_on(async {
        let mut stop_signals = StopSignals::new()?;
        tokio::select! {
            () = stop_signals.next() => Ok::<(), Failure>(()),
            never = keep_writing(settings.operations.textfile.as_deref(), &parts, &registry) => match never {},
        }
    })?;
    finish(&stop, workers);
    tell_of_process(&settings, &database, "stop", "signer");
    seal_at_the_end(heads.as_deref());
    Ok(())
}

/// Without an audit key everything else goes on, as in an installation that was made before there was one.
pub(crate) fn open_heads(
    settings: &Settings,
    database: &Database,
    keyring: &Keyring<'_>,
) -> Result<Option<Arc<HeadSigner>>, Failure> {
    let heads = HeadSigner::open(database.clone(), settings, keyring)?;
    if heads.is_none() {
        tracing::warn!("there is no audit key, so the audit log is not sealed: run `muhr audit init`");
    }
    Ok(heads.map(Arc::new))
}

/// The audit log tells of every process when it starts, with what settings, and when it stops. A database that is away keeps
/// none from it.
fn tell_of_process(settings: &Settings, database: &Database, what: &str, role: &str) {
    let entry = audit::Entry {
        at: settings.clock().now(),
        actor: "operator".to_owned(),
        action: format!("process.{what}"),
        object: format!("process:{role}"),
        details: serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "settings_sha256": hex::encode(digest::digest(&digest::SHA256, settings.effective.as_bytes())),
        }),
    };
    if let Err(error) = database.write(|connection| audit::record(connection, &[entry])) {
        tracing::error!(%error, what, role, "the audit log does not tell of this process");
    }
}

/// What the process did last is sealed before it is gone.
fn seal_at_the_end(heads: Option<&HeadSigner>) {
    if let Some(Err(error)) = heads.map(HeadSigner::seal) {
        tracing::error!(%error, "the audit log is not sealed");
    }
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
    let now = settings.clock().now();
    let issuers = database.read(|connection| store::issuers::answered_for(connection, now))?;
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
    // The file is from when the key was new, maybe by a CA whose key is gone.
    if certificates.is_empty() {
        let path = settings.ocsp.certificate_file.display();
        certificates.push(std::fs::read(&settings.ocsp.certificate_file).map_err(|error| {
            Failure::new(format!(
                "no CA has certified this responder's key, and {path}: {error}; `muhr ca renew-ocsp` certifies it"
            ))
        })?);
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
    tell_of_process(settings, database, "start", roles.name());
    let mut workers = match &roles.signer {
        Some(signer) => start_signers(signer, &stop)?,
        None => Vec::new(),
    };
    workers.extend(roles.heads.as_ref().map(|heads| start_sealing(heads, &stop)).transpose()?);
    let follower = roles
        .ocsp
        .as_ref()
        .map(|service| ocsp_responder::Follower::start(Arc::clone(service), database.clone(), &settings.ocsp))
        .transpose()?;
    let publisher = roles.crl.as_ref().map(|publisher| Worker::start(Arc::clone(publisher))).transpose()?;
    actix_web::rt::System::new().block_on(async {
        let shown = settings.http.tls.listen.map(|_| Shown::open(&settings.http.tls)).transpose()?;
        let following = shown.clone().map(|shown| actix_web::rt::spawn(shown.follow()));
        let leaving = Arc::new(AtomicBool::new(false));
        let (server, handle) = public_server(settings, &roles, public, shown, &leaving)?;
        let (operations_server, operations_handle) =
            operations_server(settings, database, &roles, operations, &leaving)?;
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
        let mut stop_signals = StopSignals::new()?;
        ready();
        stop_signals.next().await;
        tracing::info!("stopping");
        leave(settings.http.drain, &leaving, &mut stop_signals).await;
        handle.stop(true).await;
        operations_handle.stop(false).await;
        stopping.send_replace(true);
        server.await??;
        operations_server.await??;
        following.inspect(|following| following.abort());
        for work in background.into_iter().flatten() {
            work.await?;
        }
        Ok::<(), Failure>(())
    })?;
    drop((follower, publisher));
    finish(&stop, workers);
    tell_of_process(settings, database, "stop", roles.name());
    seal_at_the_end(roles.heads.as_deref());
    Ok(())
}

/// Two years, in seconds (RFC 6797): who has come by TLS once comes by nothing else.
const STRICT_TRANSPORT: (&str, &str) = ("Strict-Transport-Security", "max-age=63072000");

fn public_server(
    settings: &Settings,
    roles: &Arc<Roles>,
    listener: TcpListener,
    shown: Option<Arc<Shown>>,
    leaving: &Arc<AtomicBool>,
) -> Result<(actix_web::dev::Server, ServerHandle), Failure> {
    let http = &settings.http;
    let is_tls = shown.is_some();
    let patience = http.request_timeout;
    let (roles, leaving) = (Arc::clone(roles), Arc::clone(leaving));
    let server = HttpServer::new(move || {
        let (roles, leaving) = (Arc::clone(&roles), Arc::clone(&leaving));
        let strict = DefaultHeaders::new().add(STRICT_TRANSPORT);
        let farewell = from_fn(move |request, next| farewell(Arc::clone(&leaving), request, next));
        App::new().wrap(Condition::new(is_tls, strict)).wrap(farewell).configure(move |cfg| {
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
    .on_connect(tls::note_client)
    .disable_signals()
    .listen(listener)?;
    let server = match (http.tls.listen, shown) {
        (Some(address), Some(shown)) => {
            let listener = TcpListener::bind(address)
                .map_err(|error| Failure::new(format!("http.tls.listen, {address}: {error}")))?;
            server.listen_rustls_0_23(listener, tls::server_config(&http.tls, shown)?)?
        }
        _ => server,
    }
    .run();
    let handle = server.handle();
    Ok((server, handle))
}

fn operations_server(
    settings: &Settings,
    database: &Database,
    roles: &Arc<Roles>,
    listener: TcpListener,
    leaving: &Arc<AtomicBool>,
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
    if let Some(signer) = &roles.signer {
        signer.register(&mut registry);
    }
    let mut checks: Vec<Check> = Vec::new();
    let mut check = |part, trouble, is_ready| checks.push(Check { part, trouble, is_ready });
    let leaving = Arc::clone(leaving);
    check("process", "it is about to stop", Box::new(move || !leaving.load(Ordering::Relaxed)));
    if let Some(context) = &roles.api {
        let documents = settings.documents.directory.clone();
        let trouble = "the folder of documents is not there";
        check("documents", trouble, Box::new(move || documents.is_dir()));
        let vault = context.vault.clone();
        let trouble = "the token with the master key cannot be used";
        check("master key", trouble, Box::new(move || vault.is_ready()));
    }
    if let Some(service) = roles.ocsp.clone() {
        let trouble = "its index is too old, or its certificate or its key cannot be used";
        check("ocsp", trouble, Box::new(move || service.is_ready()));
    }
    if let Some(publisher) = roles.crl.clone() {
        let trouble = "a revocation list is missing or about to end";
        check("repository", trouble, Box::new(move || publisher.is_ready()));
    }
    checks.extend(roles.signer.as_ref().map(check_of));
    let counting = roles.api.is_some().then(|| settings.clock());
    let operations = web::Data::new(Operations::new(database.clone(), registry, checks, counting));
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

fn check_of(signer: &Arc<SigningService>) -> Check {
    let signer = Arc::clone(signer);
    Check {
        part: "signer",
        trouble: "its key cannot be reached",
        is_ready: Box::new(move || signer.is_ready()),
    }
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
            Ok(std::thread::Builder::new().name(name).spawn(move || keep(&stop, || signer.run(&stop)))?)
        })
        .collect()
}

/// Writes what is counted, and which part is ready, into a file for the collector of a machine's text files (node_exporter's `textfile`), which reads it whole.
async fn keep_writing(file: Option<&Path>, parts: &Arc<Parts>, registry: &Registry) -> Infallible {
    let mut tick = tokio::time::interval(Duration::from_secs(15));
    loop {
        tick.tick().await;
        let asked = Arc::clone(parts);
        if tokio::task::spawn_blocking(move || asked.ask()).await.is_err() {
            tracing::warn!("whether its parts are ready is not known");
        }
        if let (Some(file), Some(text)) = (file, issuance_api::operations::text(registry)) {
            // That collector reads Prometheus' older format, which has no end mark.
            let text = text.trim_end_matches("# EOF\n");
            let partial = file.with_extension("partial");
            if let Err(error) = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, file))
            {
                tracing::warn!(file = %file.display(), %error, "what is counted cannot be written");
            }
        }
    }
}

fn start_sealing(heads: &Arc<HeadSigner>, stop: &Arc<AtomicBool>) -> Result<JoinHandle<()>, Failure> {
    let (heads, stop) = (Arc::clone(heads), Arc::clone(stop));
    Ok(std::thread::Builder::new()
        .name("heads".to_owned())
        .spawn(move || keep(&stop, || heads.run(&stop)))?)
}

/// A worker that panics leaves nothing half done, its transaction is rolled back: it starts again, and says so.
fn keep(stop: &AtomicBool, run: impl Fn()) {
    while !stop.load(Ordering::Relaxed) {
        if catch_unwind(AssertUnwindSafe(&run)).is_err() {
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

/// Serves on for a while and says that it will not: whoever shares requests out sends the next ones elsewhere, so that nobody is
/// connecting when the listener closes. A second signal is an end to that.
async fn leave(drain: Duration, leaving: &AtomicBool, stop_signals: &mut StopSignals) {
    leaving.store(true, Ordering::Relaxed);
    tokio::select! {
        () = tokio::time::sleep(drain) => {}
        () = stop_signals.next() => {}
    }
}

/// While the process is leaving, each connection ends with its answer: no request comes by one that is about to be closed.
async fn farewell(
    leaving: Arc<AtomicBool>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut answer = next.call(request).await?;
    if leaving.load(Ordering::Relaxed) {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answer)
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
