//! The folder that relying parties read from: `ISSUER.crl`, `ISSUER-delta.crl`, the shards', `ISSUER.cer`, and
//! `audit-YYYY-MM-DD.heads`.
//!
//! What is in it is known by heart; the octets of long files stay on the disk.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use actix_web::web::Bytes;
use aws_lc_rs::digest::{Context, SHA256};
use ca_core::Timestamp;
use ca_core::crl::{Summary, summary};

use crate::variant;

/// A file of at most so many octets is kept in memory too.
const SMALL: u64 = 64 << 10;
/// Octets read at a time.
const BLOCK: usize = 64 << 10;
/// The folder below that is not served: earlier CRLs, by name and number.
const ARCHIVE: &str = "archive";

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The newest CRL of a partition, full or delta.
    Crl,
    /// The certificate of an issuer.
    Certificate,
    /// A day's heads of the audit log.
    AuditHeads,
}

impl Kind {
    /// RFC 5280 sections 4.2.1.13 and 4.2.2.1 name the extensions.
    fn of_file_name(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let kind = match extension {
            "crl" => Self::Crl,
            "cer" => Self::Certificate,
            "heads" => Self::AuditHeads,
            _ => return None,
        };
        (!stem.is_empty() && !name.starts_with('.')).then_some(kind)
    }
}

/// One representation of what is published: as it is, or compressed.
#[derive(Debug, Clone)]
pub struct Octets {
    /// How many.
    pub size: u64,
    /// A strong entity tag, quotes included.
    pub entity_tag: String,
    path: PathBuf,
    /// Device, inode, size and change time: whether the path still leads to these octets.
    identity: (u64, u64, u64, i64, i64),
    /// All of them, if they are few.
    held: Option<Bytes>,
}

/// One published file.
#[derive(Debug, Clone)]
pub struct Published {
    /// What it is.
    pub kind: Kind,
    /// DER.
    pub plain: Octets,
    /// The same compressed with gzip, where that spares something.
    pub gzip: Option<Octets>,
    /// When it was placed.
    pub modified: SystemTime,
    /// What a CRL says of itself.
    pub summary: Option<Summary>,
}

/// Where octets are read from.
pub enum Source {
    /// Memory.
    Held(Bytes),
    /// A file that stays what it is, even when another takes its name.
    File(File),
}

impl Octets {
    /// The octets, if the path still leads to them.
    ///
    /// # Errors
    /// Another file has taken its place, or the disk fails.
    pub fn open(&self) -> io::Result<Source> {
        if let Some(held) = &self.held {
            return Ok(Source::Held(held.clone()));
        }
        let file = File::open(&self.path)?;
        if identity(&file.metadata()?) == self.identity {
            Ok(Source::File(file))
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, "another file has taken its place"))
        }
    }

    fn read(path: PathBuf, tag: impl Fn(&str) -> String) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        let metadata = file.metadata()?;
        let hash = sha256(&mut file)?;
        let held = match metadata.len() {
            ..=SMALL => Some(fs::read(&path)?.into()),
            _ => None,
        };
        let entity_tag = format!("\"{}\"", tag(&hash));
        Ok(Self { size: metadata.len(), entity_tag, path, identity: identity(&metadata), held })
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64, u64, i64, i64) {
    (metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

fn sha256(file: &mut File) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex::encode(context.finish())),
            read => context.update(&block[..read]),
        }
    }
}

/// A file beside the published ones that nobody sees yet.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    name: String,
}

impl Staged {
    /// What has been staged, from its start.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

/// What was not placed goes; of what was placed the name is another's.
impl Drop for Staged {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "not thrown away");
            }
            _ => {}
        }
    }
}

/// The folder, and what is in it.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
    kept: usize,
    files: RwLock<HashMap<String, Arc<Published>>>,
}

impl Repository {
    /// Opens the folder, makes it if it is not there, and reads what was published before. What is damaged is left out;
    /// what a publisher that died has left half done is thrown away. Of each CRL `kept` are kept beside it.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path, kept: usize) -> io::Result<Self> {
        fs::create_dir_all(folder.join(ARCHIVE))?;
        let repository = Self { folder: folder.to_owned(), kept, files: RwLock::default() };
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with('.') && name.ends_with(".new") {
                tracing::info!(name, "thrown away: it was never published");
                fs::remove_file(folder.join(name)).or_else(|error| {
                    if error.kind() == io::ErrorKind::IsADirectory { Ok(()) } else { Err(error) }
                })?;
            } else if let Some(kind) = Kind::of_file_name(name) {
                match repository.read(name, kind) {
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        tracing::error!(name, %error, "not published");
                    }
                    read => read?,
                }
            }
        }
        Ok(repository)
    }

    /// What is published under this file name.
    pub fn find(&self, name: &str) -> Option<Arc<Published>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The names of everything that is published.
    pub fn names(&self) -> Vec<String> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Where the file of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether there is a CRL and each of them may be relied upon for longer than `alarm` from `now`, for
    /// `/health/ready`; those named in `last` excepted.
    pub fn is_ready(&self, now: Timestamp, alarm: std::time::Duration, last: &[String]) -> bool {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let mut crls = files.iter().filter_map(|(name, file)| Some((name, file.summary?))).peekable();
        crls.peek().is_some()
            && crls.all(|(name, crl)| last.contains(name) || crl.next_update.minus(alarm) > now)
    }

    /// Puts what `write` writes beside the published files, on the disk.
    ///
    /// # Errors
    /// What `write` fails with, or the disk.
    pub fn stage<E: From<io::Error>>(
        &self,
        name: &str,
        write: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<Staged, E> {
        let path = self.folder.join(format!(".{name}.new"));
        let mut file = File::create(&path)?;
        let staged = Staged { path, name: name.to_owned() };
        write(&mut file)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Puts a staged file in the place of the one before it. Whoever reads sees the whole old one or the whole new one;
    /// after a loss of power too, for the content is on the disk before its name is, and its name before this returns.
    /// `summary` is what a CRL says of itself.
    ///
    /// # Errors
    /// The disk is full or read-only: what was published stays.
    pub fn place(&self, staged: &Staged, summary: Option<Summary>) -> io::Result<()> {
        fs::rename(&staged.path, self.path(&staged.name))?;
        File::open(&self.folder)?.sync_all()?;
        let kind = Kind::of_file_name(&staged.name).ok_or(io::ErrorKind::InvalidFilename)?;
        self.learn(&staged.name, kind, summary)
    }

    /// Adds what takes its time and nobody waits for: an earlier CRL for the archive, and a compressed variant.
    ///
    /// # Errors
    /// The disk is full or read-only. The published file is in its place nevertheless.
    pub fn complete(&self, name: &str) -> io::Result<()> {
        let Some(published) = self.find(name) else { return Ok(()) };
        if let Some(summary) = published.summary {
            self.archive(name, summary.number)?;
        }
        variant::make(&self.folder, name, published.plain.entity_tag.trim_matches('"'))?;
        let gzip = self.variant(name, &published.plain)?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(name.to_owned(), Arc::new(Published { gzip, ..Published::clone(&published) }));
        Ok(())
    }

    fn archive(&self, name: &str, number: u64) -> io::Result<()> {
        let folder = self.folder.join(ARCHIVE).join(name);
        fs::create_dir_all(&folder)?;
        match fs::hard_link(self.path(name), folder.join(format!("{number:020}.crl"))) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut kept = fs::read_dir(&folder)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        kept.sort_unstable();
        let surplus = kept.len().saturating_sub(self.kept);
        kept.into_iter().take(surplus).try_for_each(|oldest| fs::remove_file(folder.join(oldest)))
    }

    /// Learns a file of the folder that was placed before this process began.
    fn read(&self, name: &str, kind: Kind) -> io::Result<()> {
        let summary = match kind {
            Kind::Crl => Some(
                summary(File::open(self.path(name))?)
                    .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?,
            ),
            Kind::Certificate | Kind::AuditHeads => None,
        };
        self.learn(name, kind, summary)
    }

    fn learn(&self, name: &str, kind: Kind, summary: Option<Summary>) -> io::Result<()> {
        let path = self.path(name);
        let modified = fs::metadata(&path)?.modified()?;
        let plain = Octets::read(path, str::to_owned)?;
        let published = Published { kind, gzip: self.variant(name, &plain)?, plain, modified, summary };
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(name.to_owned(), Arc::new(published));
        Ok(())
    }

    /// The compressed variant of these very octets, if there is one.
    fn variant(&self, name: &str, plain: &Octets) -> io::Result<Option<Octets>> {
        let hash = plain.entity_tag.trim_matches('"');
        let found = variant::find(&self.folder, name, hash);
        found.map(|path| Octets::read(path, |_| format!("{hash}-gzip"))).transpose()
    }
}

/// Puts octets that are no CRL in their place.
///
/// # Errors
/// The disk is full or read-only: what was published stays.
pub(crate) fn place_octets(repository: &Repository, name: &str, octets: &[u8]) -> io::Result<()> {
    let staged = repository.stage(name, |file| file.write_all(octets))?;
    repository.place(&staged, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(repository: &Repository, name: &str) -> Bytes {
        match repository.find(name).unwrap().plain.open().unwrap() {
            Source::Held(octets) => octets,
            Source::File(_) => panic!("a small file is held"),
        }
    }

    #[test]
    fn what_was_placed_is_there_after_a_restart_and_nothing_else_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("new");
        let repository = Repository::open(&path, 3).unwrap();
        place_octets(&repository, "ca.cer", b"first").unwrap();
        place_octets(&repository, "ca.cer", b"second").unwrap();
        for stray in [".ca.cer.new", "notes.txt", ".cer", "ca", "damaged.crl", ".ca.cer.0.gz"] {
            fs::write(path.join(stray), b"stray").unwrap();
        }
        for repository in [repository, Repository::open(&path, 3).unwrap()] {
            assert_eq!(held(&repository, "ca.cer"), "second");
            assert!(repository.find("ca.cer").unwrap().gzip.is_none());
            for name in [
                "",
                ".",
                "..",
                "../ca.cer",
                ".ca.cer.new",
                "notes.txt",
                ".cer",
                "ca",
                "damaged.crl",
                "archive",
            ] {
                assert!(repository.find(name).is_none(), "{name}");
            }
        }
        assert!(!path.join(".ca.cer.new").exists(), "what was never published is thrown away");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_one_before_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let repository = Repository::open(folder.path(), 3).unwrap();
        place_octets(&repository, "ca.cer", b"first").unwrap();
        fs::create_dir(folder.path().join(".ca.cer.new")).unwrap();
        assert!(place_octets(&repository, "ca.cer", b"second").is_err());
        assert_eq!(held(&repository, "ca.cer"), "first");
        assert_eq!(fs::read(folder.path().join("ca.cer")).unwrap(), b"first");
    }
}
