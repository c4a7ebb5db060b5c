//! How much there is of what.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use ca_core::application::{Role, State};
use serde::Serialize;
use store::{applications, certificates, jobs};

use crate::auth::SignedIn;
use crate::context::Context;
use crate::problem::{Document, Problem, only};

/// Counts at this moment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Statistics {
    /// Applications by state; every state is there.
    applications: BTreeMap<String, i64>,
    /// Subscribers' certificates by status: `good`, `suspended`, `revoked` and `expired`.
    certificates: BTreeMap<&'static str, i64>,
    /// Jobs that wait or need somebody.
    jobs: Vec<JobCount>,
}

/// Jobs of one kind in one state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobCount {
    /// `issue-certificate`, `sign-crl` or `send-message`.
    kind: String,
    /// `ready`, or `dead`: it failed too often.
    state: String,
    count: i64,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/v1/officer/statistics").route(web::get().to(get)).default_service(only("GET")),
    );
}

/// Statistics
#[utoipa::path(get, path = "/api/v1/officer/statistics", tag = "officers", operation_id = "statistics",
    security(("officer" = [])),
    responses(
        (status = 200, description = "counts", body = Statistics),
        (status = 403, description = "forbidden", body = Document),
    ))]
pub(crate) async fn get(context: web::Data<Context>, officer: SignedIn) -> Result<HttpResponse, Problem> {
    officer.require(&[Role::Reviewer, Role::Auditor, Role::Admin])?;
    let now = context.now();
    let statistics = context
        .read(move |connection| {
            let mut states: BTreeMap<String, i64> =
                State::ALL.map(|state| (state.as_str().to_owned(), 0)).into();
            states.extend(applications::counts(connection)?);
            let counted = certificates::counts(connection, now)?;
            let jobs = jobs::counts(connection)?;
            Ok(Statistics {
                applications: states,
                certificates: BTreeMap::from([
                    ("good", counted.good),
                    ("suspended", counted.suspended),
                    ("revoked", counted.revoked),
                    ("expired", counted.expired),
                ]),
                jobs: jobs.into_iter().map(|(kind, state, count)| JobCount { kind, state, count }).collect(),
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(statistics))
}
