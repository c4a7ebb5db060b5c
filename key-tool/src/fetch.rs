//! From the issued certificate to the key file for daily use.

use std::fs;
use std::path::{Path, PathBuf};

use ca_core::key_file::{EXTENSION, owner_number};
use ca_core::path::path as path_to;

use crate::apply::{Application, State};
use crate::cms::bundle;
use crate::key::{Key, public_key};
use crate::password::Password;
use crate::trouble::{Exit, Trouble};

/// Running numbers that are tried before a folder counts as full.
const LAST: u16 = 9999;

/// Downloads the certificate with its chain, holds it against the key, and writes `DS<number><NNNN>.pfx` into `folder`, under
/// the first number that is free. Only when the new file opens, the temporary one is removed.
///
/// # Errors
/// With [`Exit::Waiting`] it is still somebody else's move. The certificate is for another key; the disk fails. Then the
/// temporary key file stays.
pub fn fetch(
    application: &mut Application<'_>,
    folder: &Path,
    password: &Password,
) -> Result<PathBuf, Trouble> {
    let (server, view) = application.look()?;
    if view["state"] != "issued" {
        application.tell(&view);
        return Err(Trouble::new("not-issued", Exit::Waiting));
    }
    let received = server.download(&application.path("/certificate")?, "application/pkcs7-mime")?;
    let key = application.key;
    let chain = chain(&bundle(&received)?, key, application.clock.now())?;
    let path = write_under_free_number(key, &chain, folder, password)?;
    if path != key.path {
        let removed = fs::remove_file(&key.path);
        removed.map_err(|error| Trouble::writing(&key.path, &error))?;
    }
    State::remove(&key.path);
    Ok(path)
}

/// The key's certificate, its issuer's, the root's; every signature in between is checked.
fn chain(certificates: &[Vec<u8>], key: &Key, now: ca_core::Timestamp) -> Result<Vec<Vec<u8>>, Trouble> {
    use ca_core::signer::Signer as _;
    let others: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let own = others.iter().find(|it| public_key(it).is_ok_and(|theirs| theirs == key.signer.public_key()));
    let own = own.ok_or_else(|| Trouble::new("other-key", Exit::NotTrusted))?;
    let roots = others.iter().filter(|it| ca_core::path::issued_by(it, it).is_ok());
    let mut fault = Trouble::new("path-no-issuer", Exit::NotTrusted);
    for root in roots {
        match path_to(own, &others, root, now) {
            Ok(path) => return Ok(path.into_iter().map(<[u8]>::to_vec).collect()),
            Err(found) => fault = Trouble::on_path(found),
        }
    }
    Err(fault)
}

fn write_under_free_number(
    key: &Key,
    chain: &[Vec<u8>],
    folder: &Path,
    password: &Password,
) -> Result<PathBuf, Trouble> {
    let own = chain.first().map(Vec::as_slice).unwrap_or_default();
    let owner = owner_number(own).map_err(|_| Trouble::new("no-owner-number", Exit::NotTrusted))?;
    for stem in (1..=LAST).filter_map(|running| owner.file_stem(running)) {
        let path = folder.join(format!("{stem}.{EXTENSION}"));
        if path.exists() {
            continue;
        }
        match key.write_with(chain.to_vec(), &path, password) {
            // Somebody else took the name in this moment.
            Err(trouble) if trouble.name() == "exists" => {}
            Err(trouble) => return Err(trouble),
            Ok(_) => return Ok(path),
        }
    }
    Err(Trouble::new("folder-full", Exit::Disk).about(folder))
}
