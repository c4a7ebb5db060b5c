//! Every data key under the newest master key, and every application with a key of its own.
//!
//! Each application is a step of its own whose progress is in its row: what was interrupted is continued by doing it again, and
//! whoever reads meanwhile reads the earlier or the later state.

use ca_core::application::ApplicationId;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::json;
use store::documents::{self, Document};
use store::{audit, data_keys};

use super::{CustodyError, ask, delete, read, tell};
use crate::applications::documents::new_object_key;
use crate::context::Context;
use crate::vault::DataKey;

/// Applications looked at in one go.
const BATCH: i64 = 200;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Applications that had no key of their own and have one now.
    pub adopted: u64,
    /// Documents that were sealed with the service's key and are now sealed with their application's.
    pub resealed: u64,
    /// Keys that were wrapped anew.
    pub rewrapped: u64,
    /// Documents that do not open, each named in the log; they stay as they are.
    pub unopened: u64,
}

/// Does what is left to do. A document that does not open keeps nothing else from being done.
///
/// # Errors
/// The first key that does not open, or database or store; what was done before it stays done.
pub async fn rotate(context: &Context) -> Result<Rotated, CustodyError> {
    let mut done = Rotated::default();
    adopt(context, &mut done).await?;
    // Before the documents, so that one that is damaged does not tie everybody's keys to the old master key.
    rewrap(context, &mut done).await?;
    reseal(context, &mut done).await?;
    let entry = entry(context, done);
    tell(context, move |connection| audit::record(connection, &[entry])).await?;
    Ok(done)
}

fn entry(context: &Context, done: Rotated) -> audit::Entry {
    let Rotated { adopted, resealed, rewrapped, unopened } = done;
    audit::Entry {
        at: context.now(),
        actor: "operator".to_owned(),
        action: "evidence.rotate".to_owned(),
        object: format!("master-key:{}", context.vault.newest()),
        details: json!({
            "adopted": adopted, "resealed": resealed, "rewrapped": rewrapped, "unopened": unopened,
        }),
    }
}

async fn adopt(context: &Context, done: &mut Rotated) -> Result<(), CustodyError> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let page = ask(context, move |connection| data_keys::without(connection, &from, BATCH)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.to_string();
        for id in page {
            let vault = context.vault.clone();
            context.decide(move |connection| vault.key_of(connection, id).map(drop)).await?;
            done.adopted += 1;
        }
    }
}

async fn reseal(context: &Context, done: &mut Rotated) -> Result<(), CustodyError> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let page = ask(context, move |connection| documents::after(connection, &from, BATCH)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.object_key);
        for document in page {
            match reseal_one(context, &document).await {
                Ok(true) => done.resealed += 1,
                Ok(false) => {}
                // Its own fault; without database, store or token there is none to be found.
                Err(error) if error.is_of_document() => {
                    let (application, kind) = (document.application, document.kind.as_str());
                    tracing::error!(%application, kind, %error, "a document does not open, and stays as it is");
                    done.unopened += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The object is sealed anew under another name, and only when the row names it is the earlier one deleted.
async fn reseal_one(context: &Context, document: &Document) -> Result<bool, CustodyError> {
    let sealed = match read(context, &document.object_key).await {
        Ok(sealed) if DataKey::is_former(&sealed) => sealed,
        Ok(_) => return Ok(false),
        // Handed in anew meanwhile, and so sealed with the application's key.
        Err(object_store::Error::NotFound { .. }) if !is_named(context, document).await? => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let of = document.application;
    let found = ask(context, move |connection| data_keys::of(connection, of)).await?;
    let key = context.vault.unwrap(of, &found.ok_or(CustodyError::NoKey)?.key)?;
    let opened = key.open(document.kind, &sealed)?;
    let object_key = new_object_key();
    let anew = PutPayload::from(key.seal(document.kind, &opened)?);
    context.documents.put(&Path::from(object_key.as_str()), anew).await?;
    let (moving, to) = (document.clone(), object_key.clone());
    let moved = tell(context, move |connection| documents::relocate(connection, &moving, &to)).await?;
    delete(context, if moved { &document.object_key } else { &object_key }).await?;
    Ok(moved)
}

async fn is_named(context: &Context, document: &Document) -> Result<bool, CustodyError> {
    let of = document.application;
    let rows = ask(context, move |connection| documents::of(connection, of)).await?;
    Ok(rows.iter().any(|row| row.object_key == document.object_key))
}

async fn rewrap(context: &Context, done: &mut Rotated) -> Result<(), CustodyError> {
    let mut after = String::new();
    loop {
        let (from, newest) = (after.clone(), context.vault.newest().to_owned());
        let page = ask(context, move |connection| data_keys::not_under(connection, &newest, &from, BATCH));
        let page = page.await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.to_string();
        done.rewrapped += rewrap_all(context, page).await?;
    }
}

async fn rewrap_all(
    context: &Context,
    page: Vec<(ApplicationId, data_keys::WrappedKey)>,
) -> Result<u64, CustodyError> {
    let mut anew = Vec::with_capacity(page.len());
    for (id, key) in page {
        if let Some(wrapped) = context.vault.rewrap(id, &key)? {
            anew.push((id, key, wrapped));
        }
    }
    tell(context, move |connection| {
        let mut changed = 0;
        for (id, earlier, wrapped) in &anew {
            changed += u64::from(data_keys::rewrap(connection, *id, earlier, wrapped)?);
        }
        Ok(changed)
    })
    .await
}
