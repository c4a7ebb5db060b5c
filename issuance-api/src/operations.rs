//! Health and metrics, on a port of their own that the internet must not reach.

mod parts;

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use ca_core::Timestamp;
use ca_core::revocation::Status;
use config::clock::SystemClock;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use store::alarms::AlarmKind;
use store::responders;
use store::{
    Connection, Database, StoreError, alarms, applications, audit_heads, certificates, issuance, issuers,
    jobs,
};

pub use parts::{Check, Parts};

/// Of how recent certificates the waiting is told.
const RECENT: Duration = Duration::from_secs(300);

type Labels = Vec<(String, String)>;
type Seconds = Gauge<f64, AtomicU64>;

/// What the operations port knows.
pub struct Operations {
    database: Database,
    registry: Mutex<Registry>,
    parts: Parts,
    counts: Option<Counts>,
}

/// What is counted in the database.
struct Counts {
    clock: SystemClock,
    applications: Family<Labels, Gauge>,
    jobs: Family<Labels, Gauge>,
    waiting: Family<Labels, Seconds>,
    certificates: Family<Labels, Gauge>,
    issuance: Family<Labels, Seconds>,
    own: Family<Labels, Gauge>,
    alarms: Family<Labels, Gauge>,
    audit_head: Gauge,
    audit_unsealed: Gauge,
}

/// One reading of the database.
struct Reading {
    applications: Vec<(String, i64)>,
    jobs: Vec<(String, String, i64)>,
    waiting: Vec<(String, Timestamp)>,
    certificates: certificates::Counts,
    waits: Vec<i64>,
    own: Vec<(String, Timestamp)>,
    alarms: Vec<(AlarmKind, i64)>,
    /// Unix milliseconds of the newest head.
    audit_head: i64,
    audit_unsealed: i64,
}

impl Operations {
    /// With the metrics the roles have registered already. The clock is for what is counted in the database, which only the API's role
    /// may read.
    pub fn new(
        database: Database,
        mut registry: Registry,
        checks: Vec<Check>,
        counting: Option<SystemClock>,
    ) -> Self {
        let counts = counting.map(|clock| Counts::new(clock, &mut registry));
        let parts = Parts::new(database.clone(), checks, &mut registry);
        Self { database, registry: Mutex::new(registry), parts, counts }
    }
}

impl Counts {
    fn new(clock: SystemClock, registry: &mut Registry) -> Self {
        let counts = Self {
            clock,
            applications: Family::default(),
            jobs: Family::default(),
            waiting: Family::default(),
            certificates: Family::default(),
            issuance: Family::default(),
            own: Family::default(),
            alarms: Family::default(),
            audit_head: Gauge::default(),
            audit_unsealed: Gauge::default(),
        };
        registry.register("muhr_applications", "Applications by state", counts.applications.clone());
        registry.register("muhr_jobs", "Queued jobs by kind and state", counts.jobs.clone());
        let waiting = "How long the job of a kind is overdue that waits longest";
        registry.register("muhr_job_waiting_seconds", waiting, counts.waiting.clone());
        let certificates = "Subscribers' certificates by status";
        registry.register("muhr_certificates", certificates, counts.certificates.clone());
        let issuance =
            "From approval to certificate, of the last five minutes: 0.5 half of them, 1 all of them";
        registry.register("muhr_issuance_seconds", issuance, counts.issuance.clone());
        let own = "Unix time at which a certificate of our own ends: CAs and responders";
        registry.register("muhr_own_certificate_not_after_seconds", own, counts.own.clone());
        let alarms = "Alarms that were ever raised, by kind";
        registry.register("muhr_alarms", alarms, counts.alarms.clone());
        let head = "Unix time of the newest head of the audit log";
        registry.register("muhr_audit_head_seconds", head, counts.audit_head.clone());
        let unsealed = "Audit entries since the last one under a head";
        registry.register("muhr_audit_unsealed_entries", unsealed, counts.audit_unsealed.clone());
        counts
    }

    fn read(&self, connection: &mut Connection, now: Timestamp) -> Result<Reading, StoreError> {
        let issuers = issuers::all(connection)?.into_iter().map(|issuer| (issuer.id, issuer.not_after));
        let mut own: Vec<(String, Timestamp)> = issuers.collect();
        for responder in responders::newest(connection)? {
            // One that was given up is not renewed; one that ended long ago is somebody's who is gone.
            if responder.status == Status::Good
                && now.since(responder.not_after) < Duration::from_secs(30 * 86_400)
            {
                let key: String =
                    responder.spki_sha256.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
                own.push((format!("ocsp {key} by {}", responder.issuer), responder.not_after));
            }
        }
        Ok(Reading {
            applications: applications::counts(connection)?,
            jobs: jobs::counts(connection)?,
            waiting: jobs::longest_waiting(connection)?,
            certificates: certificates::counts(connection, now)?,
            waits: issuance::waits(connection, now.minus(RECENT))?,
            own,
            alarms: alarms::counts(connection)?,
            audit_head: audit_heads::newest(connection)?.map_or(0, |head| head.sealed_at),
            audit_unsealed: audit_heads::waiting(connection)?,
        })
    }

    fn update(&self, database: &Database) -> Result<(), StoreError> {
        let now = self.clock.now();
        let reading = database.read(|connection| self.read(connection, now))?;
        self.audit_head.set(reading.audit_head / 1000);
        self.audit_unsealed.set(reading.audit_unsealed);
        self.applications.clear();
        for (state, count) in reading.applications {
            self.applications.get_or_create(&labels([("state", &state)])).set(count);
        }
        self.jobs.clear();
        for (kind, state, count) in reading.jobs {
            self.jobs.get_or_create(&labels([("kind", &kind), ("state", &state)])).set(count);
        }
        self.waiting.clear();
        for kind in jobs::JobKind::ALL {
            self.waiting.get_or_create(&labels([("kind", kind.as_str())])).set(0.0);
        }
        for (kind, since) in reading.waiting {
            self.waiting.get_or_create(&labels([("kind", &kind)])).set(now.since(since).as_secs_f64());
        }
        let by_status = reading.certificates;
        for (status, count) in [
            ("good", by_status.good),
            ("suspended", by_status.suspended),
            ("revoked", by_status.revoked),
            ("expired", by_status.expired),
        ] {
            self.certificates.get_or_create(&labels([("status", status)])).set(count);
        }
        let waits = &reading.waits;
        for (share, wait) in [("0.5", waits.get(waits.len() / 2)), ("1", waits.last())] {
            let seconds =
                wait.map_or(0.0, |millis| Duration::from_millis(millis.unsigned_abs()).as_secs_f64());
            self.issuance.get_or_create(&labels([("share", share)])).set(seconds);
        }
        for (kind, count) in reading.alarms {
            self.alarms.get_or_create(&labels([("kind", kind.as_str())])).set(count);
        }
        self.own.clear();
        for (certificate, not_after) in reading.own {
            self.own.get_or_create(&labels([("certificate", &certificate)])).set(not_after.unix_seconds());
        }
        Ok(())
    }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Mounts `/health/live`, `/health/ready` and `/metrics`.
pub fn configure(cfg: &mut web::ServiceConfig, operations: &web::Data<Operations>) {
    cfg.app_data(operations.clone())
        .route("/health/live", web::get().to(live))
        .route("/health/ready", web::get().to(ready))
        .route("/metrics", web::get().to(metrics));
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().body("live\n")
}

/// 200 when the database is in this version's shape and every part can do its work, else 503; in JSON every part by its name, with
/// what is the matter.
async fn ready(operations: web::Data<Operations>) -> HttpResponse {
    let Ok(parts) = web::block(move || operations.parts.ask()).await else {
        return HttpResponse::ServiceUnavailable().json(json!({ "ready": false, "parts": {} }));
    };
    let ready = parts.iter().all(|(_, trouble)| trouble.is_none());
    let parts: serde_json::Map<String, serde_json::Value> = parts
        .into_iter()
        .map(|(part, trouble)| {
            let said = match trouble {
                None => json!({ "ready": true }),
                Some(trouble) => json!({ "ready": false, "trouble": trouble }),
            };
            (part.to_owned(), said)
        })
        .collect();
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(json!({ "ready": ready, "parts": parts }))
}

/// OpenMetrics text. What is counted in the database is left as it was while the database is away.
async fn metrics(operations: web::Data<Operations>) -> HttpResponse {
    let counted = operations.clone();
    let counted = web::block(move || {
        counted.parts.ask();
        match &counted.counts {
            Some(counts) => counts.update(&counted.database),
            None => Ok(()),
        }
    });
    if !matches!(counted.await, Ok(Ok(()))) {
        tracing::warn!("metrics of the database are out of date");
    }
    let text = operations.registry.lock().ok().and_then(|registry| text(&registry));
    match text {
        Some(text) => HttpResponse::Ok()
            .insert_header((
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ))
            .body(text),
        None => HttpResponse::InternalServerError().finish(),
    }
}

/// What a registry has, as OpenMetrics text.
pub fn text(registry: &Registry) -> Option<String> {
    let mut text = String::new();
    encode(&mut text, registry).ok().map(|()| text)
}
