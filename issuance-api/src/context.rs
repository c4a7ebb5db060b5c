//! What every handler stands on.

use std::sync::Arc;

use actix_web::web;
use ca_core::Timestamp;
use ca_core::fee::FeeTable;
use ca_core::subject::Regions;
use config::Settings;
use config::clock::SystemClock;
use object_store::ObjectStore;
use store::{Connection, Database};

use crate::limits::Limits;
use crate::passwords::Passwords;
use crate::payments::Webhooks;
use crate::problem::Problem;
use crate::sealed::Sealer;

/// What every handler stands on. Cloning shares.
#[derive(Clone)]
pub struct Context {
    /// The memory.
    pub database: Database,
    /// How the process was told to start.
    pub settings: Arc<Settings>,
    /// The one clock.
    pub clock: SystemClock,
    /// What things cost.
    pub fees: Arc<FeeTable>,
    /// Where people live.
    pub regions: Arc<Regions>,
    /// Seals what must not lie about in the clear.
    pub sealer: Arc<Sealer>,
    /// Where sealed documents are kept.
    pub documents: Arc<dyn ObjectStore>,
    /// How often is too often.
    pub limits: Arc<Limits>,
    /// Officers' passwords.
    pub passwords: Arc<Passwords>,
    /// Payment providers that report payments in signed calls.
    pub webhooks: Arc<Webhooks>,
    /// Rung when a message waits.
    pub doorbell: Arc<tokio::sync::Notify>,
}

impl Context {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs a reading transaction off the event loop.
    ///
    /// # Errors
    /// Whatever `f` says; 503 if the database cannot be reached.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let database = self.database.clone();
        web::block(move || database.read(f)).await?
    }

    /// Runs a writing transaction off the event loop; nothing is written if `f` fails.
    ///
    /// # Errors
    /// Whatever `f` says; 503 if the database cannot be reached.
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let database = self.database.clone();
        let written = web::block(move || database.write(f)).await?;
        // Whatever was written may have queued a message; an idle look at the queue costs less than a late SMS.
        self.doorbell.notify_one();
        written
    }
}
