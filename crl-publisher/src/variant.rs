//! A compressed copy beside a published file. Its name carries the hash of what it is a copy of, so that one of an
//! earlier file is never taken for the present one's.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Below this a copy spares no packet; above the other the time it takes would hold up the next CRL.
const WORTH_WHILE: std::ops::RangeInclusive<u64> = 1400..=64 << 20;

/// The variant of the file `name` with this SHA-256, if there is one.
pub(crate) fn find(folder: &Path, name: &str, sha256: &str) -> Option<PathBuf> {
    Some(path(folder, name, sha256)).filter(|path| path.is_file())
}

/// Makes the variant of a file, if it is a tenth smaller at least, and removes those of its predecessors.
pub(crate) fn make(folder: &Path, name: &str, sha256: &str) -> io::Result<()> {
    let (variant, plain) = (path(folder, name, sha256), folder.join(name));
    let size = fs::metadata(&plain)?.len();
    if !variant.is_file() && WORTH_WHILE.contains(&size) {
        let new = folder.join(format!(".{name}.gz.new"));
        let mut encoder = GzEncoder::new(File::create(&new)?, Compression::fast());
        io::copy(&mut BufReader::new(File::open(&plain)?), &mut encoder)?;
        let file = encoder.finish()?;
        file.sync_all()?;
        if file.metadata()?.len() <= size / 10 * 9 {
            fs::rename(&new, &variant)?;
        } else {
            fs::remove_file(&new)?;
        }
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (found, prefix) = (entry.file_name(), format!(".{name}."));
        let is_variant =
            found.to_str().is_some_and(|found| found.starts_with(&prefix) && found.ends_with(".gz"));
        if is_variant && entry.path() != variant {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn path(folder: &Path, name: &str, sha256: &str) -> PathBuf {
    folder.join(format!(".{name}.{sha256}.gz"))
}
