//! What every handler stands on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::web;
use ca_core::Timestamp;
use ca_core::approval::Policy;
use ca_core::fee::{FeeTable, FeeTableError};
use ca_core::subject::Regions;
use config::Settings;
use config::clock::SystemClock;
use config::service_centres::ServiceCentres;
use config::tables::{Profiles, Tables, TablesError};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use store::{Connection, Database, acts};
use tokio::sync::{Notify, Semaphore};
use zeroize::Zeroizing;

use crate::limits::Limits;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::partners::{PartnerKeyError, Partners};
use crate::passwords::Passwords;
use crate::payments::Providers;
use crate::problem::{Kind, Problem};
use crate::sealed::Sealer;
use crate::service_key::{Hasher, ServiceKey};
use crate::sms::{AccountError, Gateways};
use crate::vault::{Vault, VaultError};

/// What every handler stands on. Cloning shares.
#[derive(Clone)]
pub struct Context {
    /// The memory.
    pub database: Database,
    /// How the process was told to start.
    pub settings: Arc<Settings>,
    /// The one clock.
    pub clock: SystemClock,
    /// What things cost by the settings; see [`Self::prices`].
    pub fees: Arc<FeeTable>,
    /// Where people live.
    pub regions: Arc<Regions>,
    /// Where people are served in person.
    pub service_centres: Arc<ServiceCentres>,
    /// What certificates say.
    pub profiles: Arc<Profiles>,
    /// How many officers sign what, as people are told; the signer counts by its own copy.
    pub approval: Policy,
    /// Seals what must not lie about in the clear.
    pub sealer: Arc<Sealer>,
    /// Seals the evidence of applications.
    pub vault: Arc<Vault>,
    /// Hashes what is too short to be hashed without a key.
    pub hasher: Arc<Hasher>,
    /// Where sealed documents are kept.
    pub documents: Arc<dyn ObjectStore>,
    /// Decoding a picture takes hundreds of megabytes: only so many at once.
    pub decoders: Arc<Semaphore>,
    /// How often is too often.
    pub limits: Arc<Limits>,
    /// Officers' passwords.
    pub passwords: Arc<Passwords>,
    /// Who takes money for us.
    pub providers: Arc<Providers>,
    /// Sites that apply for others.
    pub partners: Arc<Partners>,
    /// Who carries text messages.
    pub gateways: Arc<Gateways>,
    /// Who carries mail.
    pub mailer: Arc<Mailer>,
    /// Rung when a message waits.
    pub doorbell: Arc<Notify>,
    /// What is counted for operators.
    pub metrics: Arc<Metrics>,
}

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The fee table, the list of regions or that of service centres.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// A file or folder named in the settings.
    #[error("{key} = {path}: {reason}")]
    Path {
        /// The setting.
        key: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings' fee table and the entries that administrators have added do not fit together.
    #[error("data.fees_file and the entries that administrators have added (Administration, Prices): {0}")]
    Fees(#[from] FeeTableError),
    /// The master keys.
    #[error("documents.master_keys: {0}")]
    Vault(#[from] VaultError),
    /// Officers' passwords cannot be hashed like this.
    #[error("officers: {0}")]
    Passwords(String),
    /// A partner's key.
    #[error(transparent)]
    Partners(#[from] PartnerKeyError),
    /// A gateway of messages or a payment provider.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// Pictures decoded at one time.
const DECODERS: usize = 2;

impl Context {
    /// Reads everything the settings name: tables, the service's key and the master keys, the folder for documents, providers' secrets,
    /// partners' keys.
    ///
    /// # Errors
    /// The setting whose file is absent or not what it should be.
    pub fn start(settings: Settings, database: Database) -> Result<Self, StartError> {
        let tables = Tables::load(&settings.data)?;
        let key = service_key(&settings.documents.key_file)?;
        // While the database cannot be reached nobody is told a price, and a later start checks again.
        if let Ok(added) = database.read(acts::fee_entries) {
            tables.fees.with(added)?;
        }
        let key_error = |error| path_error("documents.key_file", &settings.documents.key_file, error);
        let hasher = Arc::new(key.hasher().map_err(key_error)?);
        let sealer = Arc::new(key.sealer().map_err(key_error)?);
        let vault = Vault::open(&settings.documents, Arc::clone(&sealer))?;
        Ok(Self {
            database,
            clock: settings.clock(),
            fees: Arc::new(tables.fees),
            service_centres: Arc::new(ServiceCentres::load(&settings, &tables.regions)?),
            regions: Arc::new(tables.regions),
            profiles: Arc::new(tables.profiles),
            approval: tables.approval,
            sealer,
            vault: Arc::new(vault),
            gateways: Arc::new(Gateways::open(&settings, &hasher)?),
            mailer: Arc::new(Mailer::open(&settings.mail)?),
            hasher,
            documents: Arc::new(folder(&settings.documents.directory)?),
            decoders: Arc::new(Semaphore::new(DECODERS)),
            limits: Arc::new(Limits::new(&settings.limits)),
            passwords: Arc::new(Passwords::new(&settings.officers).map_err(StartError::Passwords)?),
            providers: Arc::new(Providers::open(&settings)?),
            partners: Arc::new(Partners::load(&settings.partners)?),
            doorbell: Arc::new(Notify::new()),
            metrics: Arc::default(),
            settings: Arc::new(settings),
        })
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What things cost: the settings' table with the entries that administrators have added.
    ///
    /// # Errors
    /// 503 if the database cannot be reached; an added entry that breaks a rule of the table as it is now.
    pub fn prices(&self, connection: &mut Connection) -> Result<FeeTable, Problem> {
        self.fees.with(acts::fee_entries(connection)?).map_err(Problem::internal)
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

    /// Loads, decides and applies in one writing transaction. If somebody else moved first, it is decided once more on
    /// what is there now: the refusal then says whose move it is. On PostgreSQL a decision may read the application
    /// before the other's commit and the last statement about it afterwards, hence the outdated statement.
    ///
    /// # Errors
    /// Whatever `f` says; 503 if the database cannot be reached.
    pub async fn decide<T: Send + 'static>(
        &self,
        f: impl Fn(&mut Connection) -> Result<T, Problem> + Clone + Send + 'static,
    ) -> Result<T, Problem> {
        match self.write(f.clone()).await {
            Err(problem) if [Kind::Conflict, Kind::StatementOutdated].contains(&problem.kind()) => {
                self.write(f).await
            }
            decided => decided,
        }
    }
}

fn path_error(key: &'static str, path: &Path, reason: impl ToString) -> StartError {
    StartError::Path { key, path: path.to_owned(), reason: reason.to_string() }
}

fn service_key(path: &Path) -> Result<ServiceKey, StartError> {
    let key = "documents.key_file";
    let octets = std::fs::read(path).map_err(|error| path_error(key, path, error))?;
    ServiceKey::new(&Zeroizing::new(octets)).map_err(|error| path_error(key, path, error))
}

fn folder(path: &Path) -> Result<LocalFileSystem, StartError> {
    let key = "documents.directory";
    std::fs::create_dir_all(path).map_err(|error| path_error(key, path, error))?;
    LocalFileSystem::new_with_prefix(path).map_err(|error| path_error(key, path, error))
}
