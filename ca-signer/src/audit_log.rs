//! Seals the audit log: gives new entries their places and signs a tree head over them, every minute and on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::audit::{Head, Leaf, MAX_BATCH, SignedHead, Tree};
use ca_core::digest::sha256;
use ca_core::signer::{SignError, Signer};
use config::Settings;
use config::clock::SystemClock;
use serde_json::json;
use store::{Connection, Database, StoreError, audit, audit_heads};

use crate::keyring::Keyring;
use crate::keys::{self, KeyError};

/// How often a sealer looks whether it is to stop.
const STEP: Duration = Duration::from_millis(200);

/// Signs the heads of one installation's log.
pub struct HeadSigner {
    database: Database,
    clock: SystemClock,
    interval: Duration,
    key: Arc<dyn Signer>,
    /// The newest head that was signed here: a log that has lost it was cut off.
    memory: PathBuf,
}

/// Why a head was not made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The memory of the newest head cannot be read or written.
    #[error(transparent)]
    Memory(#[from] KeyError),
    /// What is remembered, or stored, is no head.
    #[error("{0} holds no head")]
    NoHead(String),
    /// The log lacks a head that was signed here, or has another one in its place. To go on would make two histories.
    #[error(
        "head {0} was signed here and is not in the database: rows were taken out, or a backup was restored that is older. \
         See docs/OPERATIONS.md, \"The audit log\""
    )]
    Lost(i64),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HeadSigner {
    /// With the audit key from where the settings say it is; `None` if there is none yet.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(
        database: Database,
        settings: &Settings,
        keyring: &Keyring<'_>,
    ) -> Result<Option<Self>, KeyError> {
        if !keyring.has_audit()? {
            return Ok(None);
        }
        Ok(Some(Self {
            database,
            clock: settings.clock(),
            interval: settings.audit.head,
            key: keyring.audit()?,
            memory: keyring.audit_memory(),
        }))
    }

    /// Seals in every interval until `stop` is set, on this thread. A failure is told, and the next interval tries again.
    pub fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let pause = match self.seal_if_due() {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "the audit log is not sealed");
                    self.interval.min(Duration::from_secs(5))
                }
            };
            let mut waited = Duration::ZERO;
            while waited < pause && !stop.load(Ordering::Relaxed) {
                let step = STEP.min(pause - waited);
                std::thread::sleep(step);
                waited += step;
            }
        }
    }

    /// Another signer may have sealed: one head an interval is enough. Returns how long there is nothing to do.
    fn seal_if_due(&self) -> Result<Duration, SealError> {
        let newest = self.database.read(audit_heads::newest)?;
        let now = self.clock.now();
        let last = newest.map(|head| Timestamp::from_unix_millis(head.sealed_at));
        // A clock that was set back must not keep the log open until it has caught up.
        if let Some(age) = last.filter(|last| *last <= now).map(|last| now.since(last))
            && age < self.interval
        {
            return Ok(self.interval - age);
        }
        self.seal()?;
        Ok(self.interval)
    }

    /// Signs heads until every entry of this moment has one; at least one, which is empty if nothing is new.
    ///
    /// # Errors
    /// [`SealError`]; heads that were stored before it stay.
    pub fn seal(&self) -> Result<Vec<Head>, SealError> {
        self.check_memory()?;
        let now = self.clock.now();
        let mut after = self.database.read(|c| audit_heads::settled(c, now))?;
        let mut heads = Vec::new();
        loop {
            let Some((head, last)) = self.seal_batch(after)? else { return Ok(heads) };
            heads.push(head);
            match last {
                Some(last) if head.count as usize == MAX_BATCH => after = last,
                _ => return Ok(heads),
            }
        }
    }

    /// Seals the next entries. The head and the largest number in it; `None` if another signer was faster.
    fn seal_batch(&self, after: i64) -> Result<Option<(Head, Option<i64>)>, SealError> {
        let look = |c: &mut Connection| {
            Ok::<_, StoreError>((audit_heads::newest(c)?, audit_heads::unsealed(c, after)?))
        };
        let (newest, entries) = self.database.read(look)?;
        let before = match &newest {
            None => None,
            Some(stored) => Some(
                Head::parse(&stored.signed.text)
                    .filter(|head| head.number == stored.number)
                    .ok_or_else(|| SealError::NoHead(format!("row {} of audit_heads", stored.number)))?,
            ),
        };
        let first = before.map_or(1, |head| head.end());
        let leaves: Vec<Leaf> = (first..)
            .zip(&entries)
            .map(|(sequence, entry)| Leaf { sequence, entry: entry.id, hash: entry.leaf(sequence) })
            .collect();
        let mut tree = Tree::default();
        tree.extend(leaves.iter().map(|leaf| leaf.hash));
        let head = Head {
            number: before.map_or(1, |head| head.number + 1),
            first,
            count: leaves.len() as i64,
            root: tree.root(),
            previous: newest.as_ref().map_or([0; 32], |stored| stored.signed.hash()),
            key: sha256(self.key.public_key()),
            // A clock that is set back does not turn the order of heads around.
            sealed_at: before.map_or(self.clock.now(), |head| head.sealed_at.max(self.clock.now())),
        };
        let text = head.text();
        let signed = SignedHead { signature: self.key.sign(text.as_bytes())?, text };
        match self.database.write(|c| audit_heads::add(c, &head, &signed, &leaves)) {
            Err(StoreError::Conflict(_)) => return Ok(None),
            added => added?,
        }
        keys::replace(&self.memory, signed.block().as_bytes())?;
        Ok(Some((head, leaves.last().map(|leaf| leaf.entry))))
    }

    /// The newest head that was signed here must be in the log.
    fn check_memory(&self) -> Result<(), SealError> {
        let Some(remembered) = remembered(&self.memory)? else { return Ok(()) };
        let number = remembered.number().unwrap_or(0);
        let stored = self.database.read(|c| audit_heads::find(c, number))?;
        match stored {
            Some(stored) if stored.signed.text == remembered.text => Ok(()),
            _ => Err(SealError::Lost(number)),
        }
    }

    /// Goes on after heads were lost, as with a restored backup: the log tells from now on which one was the last.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn accept_loss(&self) -> Result<Vec<Head>, SealError> {
        if let Err(SealError::Lost(number)) = self.check_memory() {
            let remembered = remembered(&self.memory)?;
            let entry = audit::Entry {
                at: self.clock.now(),
                actor: "operator".to_owned(),
                action: "audit.loss".to_owned(),
                object: format!("audit-head:{number}"),
                details: json!({ "head_sha256": remembered.map(|head| hex::encode(head.hash())) }),
            };
            self.database.write(|c| audit::record(c, &[entry]))?;
            let path = &self.memory;
            fs::rename(path, path.with_extension(format!("head.lost-{number}")))
                .map_err(|reason| KeyError::File { path: path.clone(), reason })?;
        }
        self.seal()
    }
}

/// The newest head that was signed with the keys here, if anything is remembered.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn remembered(memory: &Path) -> Result<Option<SignedHead>, SealError> {
    let text = match fs::read_to_string(memory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|reason| KeyError::File { path: memory.to_owned(), reason })?,
    };
    match SignedHead::read_blocks(&text).as_deref() {
        Some([head]) => Ok(Some(head.clone())),
        _ => Err(SealError::NoHead(memory.display().to_string())),
    }
}
