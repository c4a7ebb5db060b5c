//! The token maker's library, started once in a process (PKCS #11 v3.0 section 5.4).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use crate::error::{TokenError, said};

/// A module is not started again sooner than this after the last time: a token that is away is not asked for in a circle.
const PAUSE: Duration = Duration::from_secs(1);

/// A loaded library. C_Initialize and C_Finalize are about all sessions of the process: all keys share it.
pub(crate) struct Module {
    context: Pkcs11,
    life: RwLock<Life>,
}

/// Between two starts.
struct Life {
    /// Sessions and handles of an earlier one mean nothing any more.
    generation: u64,
    begun: Instant,
}

/// As long as it lives, the module is not started again.
pub(crate) struct Inside<'a> {
    module: &'a Module,
    life: RwLockReadGuard<'a, Life>,
}

impl Module {
    /// The library of this path, loaded and started if nobody has done so in this process.
    pub(crate) fn load(path: &Path) -> Result<Arc<Self>, TokenError> {
        static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());
        let failed = |reason: String| TokenError::Module { module: path.to_owned(), reason };
        let path = path.canonicalize().map_err(|error| failed(error.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&path) {
            return Ok(Arc::clone(module));
        }
        let context = Pkcs11::new(&path).map_err(|error| failed(error.to_string()))?;
        start(&context).map_err(|error| failed(said(&error)))?;
        let life = RwLock::new(Life { generation: 0, begun: Instant::now() });
        let module = Arc::new(Self { context, life });
        loaded.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// For calls.
    pub(crate) fn enter(&self) -> Inside<'_> {
        Inside { module: self, life: self.life.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Ends the life in which somebody has met a failure, and begins another: many modules see a token that came back only
    /// then. Waits for all calls; nobody may be inside on this thread. False if it is too soon to try again.
    pub(crate) fn restart(&self, failed_in: u64) -> Result<bool, Error> {
        let mut life = self.life.write().unwrap_or_else(PoisonError::into_inner);
        if life.generation != failed_in {
            return Ok(true);
        }
        if life.generation > 0 && life.begun.elapsed() < PAUSE {
            return Ok(false);
        }
        // What it says does not matter: the start will say whether it works again.
        let _ = self.context.clone().finalize();
        life.generation += 1;
        life.begun = Instant::now();
        start(&self.context)?;
        Ok(true)
    }
}

impl Inside<'_> {
    pub(crate) fn context(&self) -> &Pkcs11 {
        &self.module.context
    }

    pub(crate) fn generation(&self) -> u64 {
        self.life.generation
    }
}

fn start(context: &Pkcs11) -> Result<(), Error> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}
