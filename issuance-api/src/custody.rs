//! Evidence after it was handed in: it is opened, its keys are wrapped anew, and what is kept is proved.

pub mod export;
pub mod retention;
pub mod rotation;
pub mod verification;

use aws_lc_rs::digest;
use futures_util::TryFutureExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use store::documents::{self, Document};
use store::{Connection, StoreError, data_keys};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::problem::Problem;
use crate::sealed::SealError;
use crate::vault::VaultError;

/// Why evidence is not there or does not open.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of objects has no such object, or fails.
    #[error("the object store: {0}")]
    Objects(#[from] object_store::Error),
    /// The key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The document.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// The application has no key, though it has documents.
    #[error("the application has no key")]
    NoKey,
    /// It opens, and is not what was handed in.
    #[error("the document is not the one that was handed in")]
    Another,
    /// The archive cannot be written.
    #[error("the archive: {0}")]
    Archive(#[from] std::io::Error),
    /// A thread ended early, because the process does.
    #[error("the process is ending")]
    Ending,
}

impl CustodyError {
    /// Is it about this document, and not about what all of them need?
    fn is_of_document(&self) -> bool {
        match self {
            Self::Vault(error) => !matches!(error, VaultError::Away(_)),
            Self::Objects(error) => matches!(error, object_store::Error::NotFound { .. }),
            Self::Sealed(_) | Self::NoKey => true,
            Self::Store(_) | Self::Another | Self::Archive(_) | Self::Ending => false,
        }
    }
}

/// The bytes of a document. If it was moved between reading its row and its object, it is looked for once more.
///
/// # Errors
/// Its row or its object is gone; it does not open.
pub async fn open(context: &Context, document: &Document) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
    match open_as_named(context, document).await {
        Err(CustodyError::Objects(object_store::Error::NotFound { .. })) => {
            let (of, kind) = (document.application, document.kind);
            let again = ask(context, move |connection| documents::of(connection, of)).await?;
            let moved = again.into_iter().find(|again| again.kind == kind).ok_or(StoreError::NotFound)?;
            open_as_named(context, &moved).await
        }
        opened => opened,
    }
}

async fn open_as_named(context: &Context, document: &Document) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
    let of = document.application;
    let vault = context.vault.clone();
    let key = ask(context, move |connection| match data_keys::of(connection, of)? {
        Some(found) => Ok::<_, CustodyError>(Some(vault.unwrap(of, &found.key)?)),
        None => Ok(None),
    });
    let key = key.await?;
    let sealed = read(context, &document.object_key).await?;
    let opened = match key {
        Some(key) => key.open(document.kind, &sealed)?,
        None => context.vault.open_former(of, document.kind, &sealed)?,
    };
    let sha256 = digest::digest(&digest::SHA256, &opened);
    if sha256.as_ref() == document.sha256 { Ok(opened) } else { Err(CustodyError::Another) }
}

async fn read(context: &Context, object_key: &str) -> Result<Vec<u8>, object_store::Error> {
    let object = context.documents.get(&Path::from(object_key)).await?;
    Ok(object.bytes().await?.to_vec())
}

/// Deletes an object; that it is gone already is as good.
async fn delete(context: &Context, object_key: &str) -> Result<(), object_store::Error> {
    match context.documents.delete(&Path::from(object_key)).await {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        done => done,
    }
}

/// Reads rows; the database waits where waiting is allowed.
async fn ask<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    context: &Context,
    f: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
) -> Result<T, CustodyError>
where
    CustodyError: From<E>,
{
    let database = context.database.clone();
    Ok(tokio::task::spawn_blocking(move || database.read(f)).map_err(|_| CustodyError::Ending).await??)
}

/// Writes rows, all or none.
async fn tell<T: Send + 'static>(
    context: &Context,
    f: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, CustodyError> {
    let database = context.database.clone();
    Ok(tokio::task::spawn_blocking(move || database.write(f)).map_err(|_| CustodyError::Ending).await??)
}

impl From<CustodyError> for Problem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::Store(error) => error.into(),
            CustodyError::Vault(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<Problem> for CustodyError {
    fn from(problem: Problem) -> Self {
        Self::Store(StoreError::Corrupt(problem.to_string()))
    }
}
