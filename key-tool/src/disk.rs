//! Where key files lie, and how one is written so that nothing half-written counts as saved.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ca_core::key_file::{EXTENSION, FOLDER};
use tempfile::NamedTempFile;

use crate::trouble::{Exit, Trouble};

/// More entries than a folder of keys has.
const MAX_ENTRIES: usize = 10_000;

/// The roots of disks that may carry keys: what is mounted by hand or by the desktop.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn drives() -> Vec<PathBuf> {
    let mut roots = vec![PathBuf::from("/media")];
    roots.extend(folders_in(Path::new("/media")));
    roots.extend(folders_in(Path::new("/mnt")));
    if let Some(user) = std::env::var_os("USER") {
        for place in ["/media", "/run/media"] {
            roots.extend(folders_in(&Path::new(place).join(&user)));
        }
    }
    roots.retain(|root| root.is_dir());
    roots
}

/// The volumes.
#[cfg(target_os = "macos")]
pub fn drives() -> Vec<PathBuf> {
    folders_in(Path::new("/Volumes"))
}

/// The drive letters that answer.
#[cfg(windows)]
pub fn drives() -> Vec<PathBuf> {
    let roots = (b'A'..=b'Z').map(|letter| PathBuf::from(format!("{}:\\", char::from(letter))));
    roots.filter(|root| root.is_dir()).collect()
}

#[cfg(not(windows))]
fn folders_in(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().take(MAX_ENTRIES);
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The key files of a disk: in its root and in `DSKEYS` there, nowhere else.
pub fn key_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in [root.join(FOLDER), root.to_owned()] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_ENTRIES);
        let is_key = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(EXTENSION))
                && path.is_file()
        };
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_key).collect();
        found.sort();
        files.append(&mut found);
    }
    files
}

/// The folder for new keys on a disk, made if need be.
///
/// # Errors
/// It cannot be made.
pub fn key_folder(root: &Path) -> Result<PathBuf, Trouble> {
    if !root.is_dir() {
        return Err(Trouble::new("no-such-drive", Exit::Disk).about(root));
    }
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Trouble::writing(&folder, &error))?;
    Ok(folder)
}

/// A file of at most so many octets.
///
/// # Errors
/// It cannot be read, or is larger.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Trouble> {
    let mut octets = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut octets))
        .map_err(|error| Trouble::reading(path, &error))?;
    if octets.len() as u64 > most {
        return Err(Trouble::new("too-large", Exit::File).about(path));
    }
    Ok(octets)
}

/// Writes a file that is not there yet: a temporary file beside it, flushed to the disk and read back, gets the name in
/// one step, and never in the place of another.
///
/// # Errors
/// The file exists, the disk is full, read-only or gone. What was there before is there still.
pub fn write_new(path: &Path, octets: &[u8]) -> Result<(), Trouble> {
    let written = prepared(path, octets)?;
    match written.persist_noclobber(path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Trouble::writing(path, &refused.error));
        }
        // A file system without links (FAT outside Linux): take the name first, then the place.
        Err(refused) => {
            File::create_new(path).map_err(|error| Trouble::writing(path, &error))?;
            if let Err(failed) = refused.file.persist(path) {
                let _ = fs::remove_file(path);
                return Err(Trouble::writing(path, &failed.error));
            }
        }
    }
    flush_folder(path);
    Ok(())
}

/// As [`write_new`], in the place of the file that is there.
///
/// # Errors
/// As [`write_new`]; the old file stays whole.
pub fn replace(path: &Path, octets: &[u8]) -> Result<(), Trouble> {
    let written = prepared(path, octets)?;
    written.persist(path).map_err(|failed| Trouble::writing(path, &failed.error))?;
    flush_folder(path);
    Ok(())
}

/// A temporary file beside `path` with these octets on the disk. Only its owner reads it, where the disk knows owners.
fn prepared(path: &Path, octets: &[u8]) -> Result<NamedTempFile, Trouble> {
    let failed = |error: io::Error| Trouble::writing(path, &error);
    let mut file = tempfile::Builder::new().prefix(".muhr-").tempfile_in(folder_of(path)).map_err(failed)?;
    file.write_all(octets).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    let mut back = Vec::with_capacity(octets.len());
    file.reopen().and_then(|mut again| again.read_to_end(&mut back)).map_err(failed)?;
    if back != octets {
        return Err(Trouble::new("not-read-back", Exit::Disk).about(path));
    }
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The name, too, must survive a pulled plug. Where folders cannot be flushed, the system does it on its own.
fn flush_folder(path: &Path) {
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all_and_never_over_another() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("DS1.pfx");
        write_new(&path, b"one").unwrap();
        let refused = write_new(&path, b"two").unwrap_err();
        assert_eq!((refused.name(), refused.exit()), ("exists", Exit::Disk));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");
        let nowhere = write_new(&folder.path().join("none/DS1.pfx"), b"x").unwrap_err();
        assert_eq!(nowhere.exit(), Exit::Disk);
    }

    #[test]
    fn keys_are_found_in_the_root_and_in_dskeys_only() {
        let drive = tempfile::TempDir::new().unwrap();
        let folder = key_folder(drive.path()).unwrap();
        fs::create_dir(folder.join("deeper")).unwrap();
        for file in ["DSKEYS/b.pfx", "DSKEYS/a.PFX", "c.pfx", "d.txt", "DSKEYS/deeper/e.pfx"] {
            fs::write(drive.path().join(file), b"").unwrap();
        }
        let names: Vec<String> = key_files(drive.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["a.PFX", "b.pfx", "c.pfx"]);
        assert_eq!(key_folder(&drive.path().join("gone")).unwrap_err().name(), "no-such-drive");
    }
}
