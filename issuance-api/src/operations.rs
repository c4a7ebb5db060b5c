//! Health and metrics, on a port of their own that the internet must not reach.

use std::fmt::Write;
use std::sync::Mutex;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::jobs;
use store::{Database, StoreError, applications, audit_heads, migrations};

/// A role's own word on whether it can do its work: its name and the question.
pub type Check = (&'static str, Box<dyn Fn() -> bool + Send + Sync>);

type Labels = Vec<(String, String)>;

/// What the operations port knows.
pub struct Operations {
    database: Database,
    registry: Mutex<Registry>,
    checks: Vec<Check>,
    applications: Family<Labels, Gauge>,
    jobs: Family<Labels, Gauge>,
    audit_head: Gauge,
    audit_unsealed: Gauge,
}

impl Operations {
    /// With the metrics the roles have registered already.
    pub fn new(database: Database, mut registry: Registry, checks: Vec<Check>) -> Self {
        let applications = Family::<Labels, Gauge>::default();
        registry.register("muhr_applications", "Applications by state", applications.clone());
        let jobs = Family::<Labels, Gauge>::default();
        registry.register("muhr_jobs", "Queued jobs by kind and state", jobs.clone());
        let (audit_head, audit_unsealed) = (Gauge::default(), Gauge::default());
        registry.register(
            "muhr_audit_head_seconds",
            "Unix time of the newest head of the audit log",
            audit_head.clone(),
        );
        let help = "Audit entries since the last one under a head";
        registry.register("muhr_audit_unsealed_entries", help, audit_unsealed.clone());
        let registry = Mutex::new(registry);
        Self { database, registry, checks, applications, jobs, audit_head, audit_unsealed }
    }

    /// Reads what is counted in the database.
    fn count(&self) -> Result<(), StoreError> {
        let (states, queued, head, waiting) = self.database.read(|c| {
            let (states, queued) = (applications::counts(c)?, jobs::counts(c)?);
            Ok::<_, StoreError>((states, queued, audit_heads::newest(c)?, audit_heads::waiting(c)?))
        })?;
        self.audit_head.set(head.map_or(0, |head| head.sealed_at / 1000));
        self.audit_unsealed.set(waiting);
        self.applications.clear();
        for (state, count) in states {
            self.applications.get_or_create(&vec![("state".to_owned(), state)]).set(count);
        }
        self.jobs.clear();
        for (kind, state, count) in queued {
            let labels = vec![("kind".to_owned(), kind), ("state".to_owned(), state)];
            self.jobs.get_or_create(&labels).set(count);
        }
        Ok(())
    }
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

/// 200 when the database is in this version's shape and every role can do its work; else 503 with what cannot.
async fn ready(operations: web::Data<Operations>) -> HttpResponse {
    let checked = web::block(move || {
        let database = match migrations::pending(&operations.database) {
            Ok(false) => None,
            Ok(true) => Some("the database is not in this version's shape"),
            Err(_) => Some("the database cannot be reached"),
        };
        let mut said = database.map(|why| format!("database: {why}\n")).unwrap_or_default();
        for (name, check) in &operations.checks {
            if !check() && writeln!(said, "{name}: not ready").is_err() {
                break;
            }
        }
        said
    })
    .await;
    match checked {
        Ok(said) if said.is_empty() => HttpResponse::Ok().body("ready\n"),
        Ok(said) => HttpResponse::ServiceUnavailable().body(said),
        Err(_) => HttpResponse::ServiceUnavailable().body("stopping\n"),
    }
}

/// OpenMetrics text. What is counted in the database is left as it was while the database is away.
async fn metrics(operations: web::Data<Operations>) -> HttpResponse {
    let counted = operations.clone();
    if !matches!(web::block(move || counted.count()).await, Ok(Ok(()))) {
        tracing::warn!("metrics of the database are out of date");
    }
    let mut text = String::new();
    let encoded = operations.registry.lock().map(|registry| encode(&mut text, &registry));
    match encoded {
        Ok(Ok(())) => HttpResponse::Ok()
            .insert_header((
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ))
            .body(text),
        _ => HttpResponse::InternalServerError().finish(),
    }
}
