//! The folder that relying parties read from: `ISSUER.crl` and `ISSUER.cer`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use actix_web::web::Bytes;
use aws_lc_rs::digest::{SHA256, digest};
use ca_core::Timestamp;
use ca_core::crl::summary;

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The newest CRL of an issuer.
    Crl,
    /// Its certificate.
    Certificate,
}

impl Kind {
    /// RFC 5280 sections 4.2.1.13 and 4.2.2.1 name the extensions.
    fn file_name(self, issuer: &str) -> String {
        match self {
            Self::Crl => format!("{issuer}.crl"),
            Self::Certificate => format!("{issuer}.cer"),
        }
    }

    fn of_file_name(name: &str) -> Option<Self> {
        let (issuer, extension) = name.rsplit_once('.')?;
        let kind = match extension {
            "crl" => Self::Crl,
            "cer" => Self::Certificate,
            _ => return None,
        };
        (!issuer.is_empty() && !name.starts_with('.')).then_some(kind)
    }
}

/// One published file.
#[derive(Debug)]
pub struct Published {
    /// What it is.
    pub kind: Kind,
    /// DER.
    pub octets: Bytes,
    /// A strong entity tag, quotes included.
    pub entity_tag: String,
    /// When it was placed.
    pub modified: SystemTime,
    /// Of a CRL: until when it may be relied upon.
    pub next_update: Option<Timestamp>,
}

/// The folder, and what is in it in memory: requests do not wait for a disk.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
    files: RwLock<HashMap<String, Arc<Published>>>,
}

impl Repository {
    /// Opens the folder, makes it if it is not there, and reads what was published before. What is damaged is left out.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let repository = Self { folder: folder.to_owned(), files: RwLock::default() };
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            if let Some((name, kind)) = name.to_str().and_then(|name| Some((name, Kind::of_file_name(name)?)))
            {
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

    /// What is published of this issuer.
    pub fn of_issuer(&self, issuer: &str, kind: Kind) -> Option<Arc<Published>> {
        self.find(&kind.file_name(issuer))
    }

    /// Whether there is a CRL and none has outlived its nextUpdate, for `/health/ready`.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let mut crls = files.values().filter(|file| file.kind == Kind::Crl).peekable();
        crls.peek().is_some() && crls.all(|crl| crl.next_update.is_some_and(|next_update| next_update > now))
    }

    /// Puts a file in the place of the one before it. Whoever reads sees the whole old one or the whole new one; after
    /// a loss of power too, for the content is on the disk before its name is, and its name before this returns.
    ///
    /// # Errors
    /// The disk is full or read-only: what was published stays.
    pub fn place(&self, issuer: &str, kind: Kind, octets: &[u8]) -> io::Result<()> {
        let name = kind.file_name(issuer);
        let temporary = self.folder.join(format!(".{name}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(&name))?;
        File::open(&self.folder)?.sync_all()?;
        self.read(&name, kind)
    }

    /// Takes a file of the folder into memory.
    fn read(&self, name: &str, kind: Kind) -> io::Result<()> {
        let path = self.folder.join(name);
        let octets = fs::read(&path)?;
        let next_update = match kind {
            Kind::Crl => {
                let summary =
                    summary(&octets).map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
                Some(summary.next_update)
            }
            Kind::Certificate => None,
        };
        let published = Published {
            kind,
            entity_tag: format!("\"{}\"", hex::encode(digest(&SHA256, &octets))),
            octets: octets.into(),
            modified: fs::metadata(&path)?.modified()?,
            next_update,
        };
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(name.to_owned(), Arc::new(published));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_placed_is_there_after_a_restart_and_nothing_else_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("new");
        let repository = Repository::open(&path).unwrap();
        repository.place("ca", Kind::Certificate, b"first").unwrap();
        repository.place("ca", Kind::Certificate, b"second").unwrap();
        for stray in [".ca.cer.new", "notes.txt", ".cer", "ca", "damaged.crl"] {
            fs::write(path.join(stray), b"stray").unwrap();
        }
        for repository in [repository, Repository::open(&path).unwrap()] {
            assert_eq!(repository.find("ca.cer").unwrap().octets, "second");
            for name in ["", ".", "..", "../ca.cer", ".ca.cer.new", "notes.txt", ".cer", "ca", "damaged.crl"]
            {
                assert!(repository.find(name).is_none(), "{name}");
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_one_before_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let repository = Repository::open(folder.path()).unwrap();
        repository.place("ca", Kind::Certificate, b"first").unwrap();
        fs::create_dir(folder.path().join(".ca.cer.new")).unwrap();
        assert!(repository.place("ca", Kind::Certificate, b"second").is_err());
        assert_eq!(repository.of_issuer("ca", Kind::Certificate).unwrap().octets, "first");
        assert_eq!(fs::read(folder.path().join("ca.cer")).unwrap(), b"first");
    }
}
