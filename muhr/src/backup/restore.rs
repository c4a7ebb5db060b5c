//! `muhr restore`: a backup into an empty place, and `muhr step-forward` for a database that came back in another way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use age::{Decryptor, Identity, IdentityFile, scrypt};
use ca_core::Timestamp;
use config::Settings;
use config::settings::{DatabaseUrl, MasterKey};
use flate2::read::GzDecoder;
use secrecy::ExposeSecret;
use store::{Database, Target, migrations, restoration};
use tar::{Archive, Entry};

use super::postgres::Load;
use super::{
    DOCUMENT_KEY, DOCUMENTS, FORMAT, KEYS, MANIFEST, MASTER_KEYS, POSTGRES, REPOSITORY, SQLITE, at,
    passphrase,
};
use crate::commands::{Place, open_database};
use crate::failure::{Failure, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// What `muhr backup` made.
    file: PathBuf,
    /// The key: a file that `age-keygen` made.
    #[arg(long, value_name = "FILE", required_unless_present = "passphrase_file")]
    identity: Option<PathBuf>,
    /// The passphrase in the first line of a file, if it was made with one.
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// What the backup says of itself.
struct Manifest {
    made_at: Timestamp,
}

/// A database that is being brought back: not there for anybody before [`Incoming::finish`].
enum Incoming {
    Sqlite(Unfinished),
    Postgres(Load),
}

/// A file that is not in its place yet; what does not get there is removed.
struct Unfinished {
    file: PathBuf,
    place: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

pub(crate) fn restore(arguments: &Restore) -> Result<(), Failure> {
    let settings = arguments.place.settings(&[])?;
    let identities = identities(arguments)?;
    demand_emptiness(&settings)?;
    let file = BufReader::new(File::open(&arguments.file).map_err(at(&arguments.file))?);
    let opened = Decryptor::new_buffered(file)
        .and_then(|sealed| sealed.decrypt(identities.iter().map(AsRef::as_ref)))
        .map_err(|error| Failure::new(format!("{}: {error}", arguments.file.display())))?;
    let manifest = unpack(Archive::new(GzDecoder::new(opened)), &settings).inspect_err(|_| {
        // They were empty: what is in them is half of what should be.
        for folder in [&settings.documents.directory, &settings.crl.repository_directory] {
            let _ = fs::remove_dir_all(folder);
        }
    })?;
    let database = open_database(&settings)?;
    let migrated = migrations::up(&database)?.versions;
    if !migrated.is_empty() {
        say(format!("brought to this version's shape: {}", migrated.join(", ")));
    }
    let objects = database.read(restoration::document_objects)?;
    let lost = objects.iter().filter(|object| !settings.documents.directory.join(object).is_file()).count();
    say(format!("restored as of {}: {} documents", manifest.made_at, objects.len() - lost));
    if lost > 0 {
        say(format!("{lost} documents are missing that were replaced while the backup was made"));
    }
    advance(&settings, &database, manifest.made_at)?;
    say("before the signer starts: OPERATIONS.md, \"After a restore\"");
    Ok(())
}

/// Moves on every number that may have been given since this moment.
pub(crate) fn step_forward(place: &Place, since: Timestamp) -> Result<(), Failure> {
    let (settings, database) = place.open(&[])?;
    advance(&settings, &database, since)
}

fn advance(settings: &Settings, database: &Database, since: Timestamp) -> Result<(), Failure> {
    let now = settings.clock().now();
    if since > now {
        return Err(Failure::new(format!("{since} has not come yet: is the clock right?")));
    }
    let pause = settings.crl.min_interval.max(Duration::from_secs(1));
    for step in database.write(|c| restoration::step_forward(c, now.since(since), pause, now))? {
        say(format!("{} go on after {} (was {})", step.what, step.to, step.from));
    }
    Ok(())
}

fn identities(arguments: &Restore) -> Result<Vec<Box<dyn Identity>>, Failure> {
    if let Some(path) = &arguments.passphrase_file {
        return Ok(vec![Box::new(scrypt::Identity::new(passphrase(path)?))]);
    }
    let path = arguments.identity.as_deref().unwrap_or(Path::new(""));
    let file =
        IdentityFile::from_buffer(BufReader::new(File::open(path).map_err(at(path))?)).map_err(at(path))?;
    let unusable = |error: age::DecryptError| Failure::new(format!("{}: {error}", path.display()));
    Ok(file.into_identities().map_err(unusable)?.into_iter().map(|identity| identity as _).collect())
}

/// Nothing of what a restore brings is there: what was there would be lost, or be half of something.
fn demand_emptiness(settings: &Settings) -> Result<(), Failure> {
    for folder in [&settings.documents.directory, &settings.crl.repository_directory] {
        match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entries => {
                if entries.map_err(at(folder))?.next().is_some() {
                    return Err(Failure::new(format!("{} is not empty", folder.display())));
                }
            }
        }
    }
    let is_empty = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => !path.exists(),
        DatabaseUrl::Postgres(_) => restoration::is_empty(&open_database(settings)?)?,
    };
    if is_empty {
        Ok(())
    } else {
        Err(Failure::new("there is a database already: restore into an empty one"))
    }
}

fn unpack<R: Read>(mut archive: Archive<R>, settings: &Settings) -> Result<Manifest, Failure> {
    let mut manifest = None;
    let mut incoming: Option<Incoming> = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let is_plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !entry.header().entry_type().is_file() || !is_plain {
            return Err(unknown(&name));
        }
        let mut parts = name.components();
        let first =
            parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        let within = parts.as_path();
        if manifest.is_none() && first != MANIFEST {
            return Err(Failure::new("this is no backup that `muhr backup` made"));
        }
        match first.as_str() {
            MANIFEST => manifest = Some(read_manifest(&mut entry, settings)?),
            DOCUMENTS => place(&mut entry, &settings.documents.directory.join(within))?,
            REPOSITORY => place(&mut entry, &settings.crl.repository_directory.join(within))?,
            KEYS => place(&mut entry, &settings.keys.directory.join(within))?,
            DOCUMENT_KEY => place(&mut entry, &settings.documents.key_file)?,
            MASTER_KEYS => {
                let number: Option<usize> = within.to_str().and_then(|number| number.parse().ok());
                let key = number.and_then(|number| settings.documents.master_keys.get(number));
                let file = key.and_then(MasterKey::file).ok_or_else(|| {
                    Failure::new("documents.master_keys names no file for a master key that the backup has")
                })?;
                place(&mut entry, file)?;
            }
            SQLITE | POSTGRES => match &mut incoming {
                Some(incoming) => incoming.take(&mut entry)?,
                None => incoming.insert(Incoming::start(settings)?).take(&mut entry)?,
            },
            _ => return Err(unknown(&name)),
        }
    }
    // tar ends before its file does. Only the last octet shows that nothing was cut off or changed.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    let cut_off = || Failure::new("the backup has no database");
    let manifest = manifest.ok_or_else(cut_off)?;
    incoming.ok_or_else(cut_off)?.finish()?;
    Ok(manifest)
}

fn unknown(name: &Path) -> Failure {
    Failure::new(format!("the backup holds what this version does not know: {}", name.display()))
}

fn read_manifest(entry: &mut impl Read, settings: &Settings) -> Result<Manifest, Failure> {
    let manifest: serde_json::Value = serde_json::from_reader(entry)?;
    if manifest["format"] != FORMAT {
        return Err(Failure::new(format!(
            "a backup of format {}; this version reads {FORMAT}",
            manifest["format"]
        )));
    }
    let (kind, target) = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => (SQLITE, Target::Sqlite(path.clone())),
        DatabaseUrl::Postgres(url) => (POSTGRES, Target::Postgres(url.expose_secret().to_owned())),
    };
    if manifest["database"] != kind {
        return Err(Failure::new(format!(
            "the backup has {}, and the settings name the other kind of database",
            manifest["database"]
        )));
    }
    let known = migrations::known(&target)?;
    let mut versions =
        manifest["migrations"].as_array().into_iter().flatten().filter_map(|version| version.as_str());
    if let Some(later) = versions.find(|version| !known.iter().any(|known| known == version)) {
        return Err(Failure::new(format!("the backup is of a later version of Muhr: migration {later}")));
    }
    let made_at = manifest["made_at_unix_millis"].as_i64();
    let made_at = made_at.ok_or_else(|| Failure::new("the backup does not say when it was made"))?;
    Ok(Manifest { made_at: Timestamp::from_unix_millis(made_at) })
}

/// A file that was not there, its owner's alone, on the disk when this returns.
fn place(entry: &mut Entry<'_, impl Read>, path: &Path) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
    io::copy(entry, &mut file)?;
    file.sync_all()?;
    Ok(())
}

impl Incoming {
    fn start(settings: &Settings) -> Result<Self, Failure> {
        match &settings.database.url {
            DatabaseUrl::Sqlite(place) => {
                let mut name = place.file_name().unwrap_or_default().to_owned();
                name.push(".incoming");
                let file = place.with_file_name(name);
                // What an earlier restore that was killed has left.
                let _ = fs::remove_file(&file);
                Ok(Self::Sqlite(Unfinished { file, place: place.clone() }))
            }
            DatabaseUrl::Postgres(url) => Ok(Self::Postgres(Load::start(url.expose_secret())?)),
        }
    }

    fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Failure> {
        match self {
            Self::Sqlite(unfinished) => place(entry, &unfinished.file),
            Self::Postgres(load) => load.take(entry),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(to) => fs::rename(&to.file, &to.place).map_err(at(&to.place)),
            Self::Postgres(load) => load.finish(),
        }
    }
}
