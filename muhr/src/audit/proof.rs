//! That one entry is in the log: what a stranger's program needs to check it, and nothing of the other entries.

use ca_core::audit::{Head, path, root_by_path};
use serde_json::json;
use store::{Connection, audit_heads};

use super::export::{EntryLine, HeadLine};
use crate::failure::Failure;

pub(super) fn of(connection: &mut Connection, id: i64) -> Result<serde_json::Value, Failure> {
    let broken = || Failure::new(format!("entry {id} cannot be proved: `muhr audit verify` says why"));
    let entry = audit_heads::entry(connection, id)?
        .ok_or_else(|| Failure::new(format!("there is no audit entry {id}")))?;
    let leaf = audit_heads::leaf_of(connection, id)?
        .ok_or_else(|| Failure::new(format!("entry {id} waits for its head: `muhr audit seal` makes one")))?;
    let stored = audit_heads::head_of(connection, leaf.sequence)?.ok_or_else(broken)?;
    let head = Head::parse(&stored.signed.text).ok_or_else(broken)?;
    let leaves = audit_heads::leaves_of(connection, &head)?;
    let index = usize::try_from(leaf.sequence - head.first)?;
    let hashes: Vec<_> = leaves.iter().map(|leaf| leaf.hash).collect();
    let path = path(&hashes, index).ok_or_else(broken)?;
    let root = root_by_path(&entry.leaf(leaf.sequence), index as u64, leaves.len() as u64, &path);
    if root != Some(head.root) {
        return Err(broken());
    }
    Ok(json!({
        "format": "muhr-audit-proof/1",
        "entry": EntryLine::new(&leaf, entry),
        "index": index,
        "tree_size": leaves.len(),
        "path": path.iter().map(hex::encode).collect::<Vec<_>>(),
        "head": HeadLine::new(&stored.signed),
    }))
}
