//! Key files: PKCS#8 under a passphrase, readable by their owner only, never overwritten.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use ca_core::signer::{FileKey, KeyFileError};
use tempfile::NamedTempFile;
use token_key::TokenError;
use zeroize::Zeroizing;

use crate::shares::ShareError;

/// Why a key file or its passphrase cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The content is no key, or the passphrase is wrong.
    #[error("{path}: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: KeyFileError,
    },
    /// The passphrase file is empty.
    #[error("{0}: a passphrase file holds a passphrase in its first line")]
    EmptyPassphrase(PathBuf),
    /// The PIN file is not UTF-8, which PINs are (PKCS #11 v3.0 section 5.6.8).
    #[error("{0}: a PIN is text")]
    PinIsNoText(PathBuf),
    /// What somebody brought opens nothing.
    #[error("share {0}: {1}")]
    Share(String, ShareError),
    /// Nobody could be asked.
    #[error("a secret that is in no file is asked for on the terminal: {0}")]
    Ask(std::io::Error),
    /// The settings place a key on a token and do not say which.
    #[error("the settings name no token, or no key on it: see `muhr check-config`")]
    Unnamed,
    /// The token, or the key on it, cannot be had.
    #[error(transparent)]
    Token(#[from] TokenError),
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    move |reason| KeyError::File { path: path.to_owned(), reason }
}

/// Reads a key file.
///
/// # Errors
/// [`KeyError`].
pub fn load(path: &Path, passphrase: &[u8]) -> Result<FileKey, KeyError> {
    let pem = Zeroizing::new(fs::read_to_string(path).map_err(file_error(path))?);
    FileKey::from_encrypted_pem(&pem, passphrase)
        .map_err(|reason| KeyError::Key { path: path.to_owned(), reason })
}

/// Writes a key file that does not exist yet. Opening it costs so many passes of scrypt.
///
/// # Errors
/// [`KeyError`]; a file that exists stays as it is.
pub fn store(path: &Path, key: &FileKey, passphrase: &[u8], passes: u16) -> Result<(), KeyError> {
    let pem = key.to_pem_encrypted_by(passphrase, passes);
    let pem = pem.map_err(|reason| KeyError::Key { path: path.to_owned(), reason })?;
    write_new(path, pem.as_bytes())
}

/// Writes a file that does not exist yet, for its owner's eyes only, and sees it safely on the disk.
///
/// # Errors
/// [`KeyError::File`].
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    if let Some(directory) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(file_error(directory))?;
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file_error(path))?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| sync_name(path));
    if written.is_err() {
        // Ours, and worth nothing: the next attempt shall not find half a key.
        let _ = fs::remove_file(path);
    }
    written.map_err(file_error(path))
}

/// Overwrites a file with other octets, sees them on the disk, and removes it. What lies below the file system may keep the old
/// ones: whoever must be sure destroys the medium.
///
/// # Errors
/// [`KeyError::File`].
pub fn destroy(path: &Path) -> Result<(), KeyError> {
    let overwrite = || -> std::io::Result<()> {
        let length = fs::metadata(path)?.len();
        let mut octets = vec![0; usize::try_from(length).unwrap_or_default()];
        SystemRandom::new().fill(&mut octets).map_err(std::io::Error::other)?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(&octets)?;
        file.sync_all()?;
        fs::remove_file(path)?;
        sync_name(path)
    };
    overwrite().map_err(file_error(path))
}

/// Writes a file for its owner's eyes only in the place of an earlier one, in one step.
///
/// # Errors
/// [`KeyError::File`]; the earlier one stays.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    // Under a name of its own, because two processes may be at it.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = NamedTempFile::new_in(directory).and_then(|mut beside| {
        beside.write_all(content)?;
        beside.as_file().sync_all()?;
        beside.persist(path).map_err(|failed| failed.error)?;
        sync_name(path)
    });
    written.map_err(file_error(path))
}

/// Puts a whole file into the place of another, in one step.
///
/// # Errors
/// [`KeyError::File`].
pub(crate) fn move_over(from: &Path, to: &Path) -> Result<(), KeyError> {
    fs::rename(from, to).and_then(|()| sync_name(to)).map_err(file_error(to))
}

/// A file is there after a loss of power only if its directory has been written too.
fn sync_name(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// The first line of a passphrase file.
///
/// # Errors
/// [`KeyError`].
pub fn passphrase(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file_error(path))?);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.as_bytes().to_vec())),
        _ => Err(KeyError::EmptyPassphrase(path.to_owned())),
    }
}
