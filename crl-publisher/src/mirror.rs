//! The second place: an object store that gets every file after the local folder has it, tried again until it has.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, RetryConfig};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use crate::repository::Repository;

/// How long a store that failed is left alone; doubled up to a minute.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long one request to the store is repeated.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets read at a time.
const BLOCK: usize = 256 << 10;

/// Why there is no second place.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The address or the environment makes no store.
    #[error("crl.store_url: {0}")]
    Store(#[from] object_store::Error),
    /// The system gives no thread.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

/// The thread that copies; it stops when this is dropped.
pub(crate) struct Mirror {
    names: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

struct Copier {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// A folder keeps none.
    keeps_attributes: bool,
    repository: Arc<Repository>,
    runtime: Runtime,
    left: Gauge,
}

impl Mirror {
    /// Starts with everything that is published: what changed while nobody copied is not known.
    pub(crate) fn start(url: &str, repository: Arc<Repository>, left: Gauge) -> Result<Self, MirrorError> {
        let (store, prefix, keeps_attributes) = open(url)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let waiting: BTreeSet<String> = repository.names().into_iter().collect();
        let copier = Copier { store, prefix, keeps_attributes, repository, runtime, left };
        let (names, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("crl-mirror".to_owned())
            .spawn(move || copier.run(waiting, &receiver))?;
        Ok(Self { names: Some(names), thread: Some(thread) })
    }

    /// This file has changed.
    pub(crate) fn copy(&self, name: &str) {
        if let Some(names) = &self.names
            && names.send(name.to_owned()).is_err()
        {
            tracing::error!(name, "nobody copies to crl.store_url any more");
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        drop(self.names.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the copying to crl.store_url had panicked");
        }
    }
}

/// The store, the place in it, and whether it keeps content types.
fn open(url: &str) -> Result<(Arc<dyn ObjectStore>, Path, bool), object_store::Error> {
    if let Some(folder) = url.strip_prefix("file://") {
        return Ok((Arc::new(LocalFileSystem::new_with_prefix(folder)?), Path::default(), false));
    }
    let place = url.strip_prefix("s3://").unwrap_or(url);
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    // Credentials, region and endpoint are where the store's own tools look for them.
    let retry = RetryConfig { max_retries: 2, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).build()?;
    Ok((Arc::new(store), Path::from(prefix), true))
}

impl Copier {
    fn run(&self, mut waiting: BTreeSet<String>, names: &Receiver<String>) {
        let mut wait = FIRST_WAIT;
        loop {
            // A store that failed once is asked for nothing else in this round: a process that shall end does not wait.
            let mut is_away = false;
            waiting.retain(|name| {
                if !is_away && let Err(error) = self.copy(name) {
                    tracing::error!(name, %error, "not copied to crl.store_url; trying again");
                    is_away = true;
                }
                is_away
            });
            self.left.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
            wait = if waiting.is_empty() { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
            let pause = if waiting.is_empty() { LONGEST_WAIT } else { wait };
            match names.recv_timeout(pause) {
                Ok(name) => waiting.extend([name].into_iter().chain(names.try_iter())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn copy(&self, name: &str) -> Result<(), std::io::Error> {
        self.runtime.block_on(async {
            let content_type = match name.rsplit_once('.') {
                Some((_, "crl")) => "application/pkix-crl",
                Some((_, "heads")) => "text/plain; charset=utf-8",
                _ => "application/pkix-cert",
            };
            let attributes = Attributes::from_iter([
                (Attribute::ContentType, content_type),
                (Attribute::CacheControl, "max-age=60, public, no-transform, must-revalidate"),
            ]);
            let to = self.prefix.clone().join(name);
            let mut writer = BufWriter::new(Arc::clone(&self.store), to);
            if self.keeps_attributes {
                writer = writer.with_attributes(attributes);
            }
            let mut file = tokio::fs::File::open(self.repository.path(name)).await?;
            let mut block = vec![0; BLOCK];
            loop {
                match file.read(&mut block).await? {
                    0 => return writer.shutdown().await,
                    read => writer.write_all(&block[..read]).await?,
                }
            }
        })
    }
}
