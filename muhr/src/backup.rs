//! `muhr backup`: database, documents and published files at one moment, in one encrypted file; [`restore`] brings it back.
//!
//! The file is age (age-encryption.org/v1) around gzip around tar, so that whoever has the key opens it without Muhr as well:
//! `age --decrypt --identity KEY FILE | tar --extract --gzip`. The database is its last member: when a restore comes to it, everything
//! else is in place, and it is made valid only after the file has been read to its authentic end. Keys are not in it unless asked for.

mod postgres;
mod restore;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::secrecy::SecretString;
use age::{Encryptor, Recipient, x25519};
use ca_core::Timestamp;
use config::Settings;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use store::{Database, Target, migrations, restoration};
use tar::{Builder, Header};

use crate::commands::Place;
use crate::failure::{Failure, say};

pub(crate) use restore::{Restore, restore, step_forward};

/// What this version writes and reads.
const FORMAT: u64 = 1;
const MANIFEST: &str = "manifest.json";
const DOCUMENTS: &str = "documents";
const REPOSITORY: &str = "repository";
const KEYS: &str = "keys";
const DOCUMENT_KEY: &str = "documents.key";
/// The master keys, each under its place in `documents.master_keys`.
const MASTER_KEYS: &str = "master-keys";
const SQLITE: &str = "database.sqlite";
/// The dump in pieces, in order: tar wants to know the length of a member before its first octet.
const POSTGRES: &str = "database.pgdump";
const PIECE: u64 = 4 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The file to make. What exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Whose key opens it: `age1…`, as `age-keygen` prints. May be given several times; each key opens it alone.
    #[arg(long = "to", value_name = "RECIPIENT", required_unless_present = "passphrase_file")]
    recipients: Vec<String>,
    /// A passphrase in the first line of a file opens it instead.
    #[arg(long, value_name = "FILE", conflicts_with = "recipients")]
    passphrase_file: Option<PathBuf>,
    /// Key files too: those of `keys.directory`, still under their passphrase, and the documents' key.
    #[arg(long)]
    with_keys: bool,
    #[command(flatten)]
    place: Place,
}

type Archive = Builder<GzEncoder<age::stream::StreamWriter<BufWriter<File>>>>;

/// How much of what is in a backup.
#[derive(Debug, Default, Clone, Copy)]
struct Content {
    documents: u64,
    published: u64,
    keys: u64,
}

pub(crate) fn backup(arguments: &Backup) -> Result<(), Failure> {
    let (settings, database) = arguments.place.open(&[])?;
    let encryptor = encryptor(arguments)?;
    if arguments.out.exists() {
        return Err(Failure::new(format!("{} is there already", arguments.out.display())));
    }
    let partial = partial(&arguments.out);
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&partial).map_err(at(&partial))?;
    let written = write(file, encryptor, arguments.with_keys, &settings, &database).and_then(|content| {
        fs::rename(&partial, &arguments.out).map_err(at(&arguments.out))?;
        // A file is there after a loss of power only if its directory has been written too.
        let directory = arguments.out.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(content)
    });
    let Content { documents, published, keys } = written.inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })?;
    let size = fs::metadata(&arguments.out)?.len();
    say(format!(
        "{}: the database, {documents} documents, {published} published files, {keys} key files; {size} octets",
        arguments.out.display()
    ));
    Ok(())
}

fn encryptor(arguments: &Backup) -> Result<Encryptor, Failure> {
    if let Some(path) = &arguments.passphrase_file {
        return Ok(Encryptor::with_user_passphrase(passphrase(path)?));
    }
    let parse = |name: &String| {
        x25519::Recipient::from_str(name).map_err(|error| {
            Failure::new(format!("{name}: {error}; a recipient is what `age-keygen` prints, age1…"))
        })
    };
    let recipients = arguments.recipients.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn Recipient))?)
}

fn passphrase(path: &Path) -> Result<SecretString, Failure> {
    let octets = ca_signer::keys::passphrase(path)?;
    let text =
        std::str::from_utf8(&octets).map_err(|_| Failure::new(format!("{}: not UTF-8", path.display())))?;
    Ok(SecretString::from(text.to_owned()))
}

/// Beside the file, so that it can be renamed into its place.
fn partial(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    out.with_file_name(name)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::new(format!("{}: {error}", path.display()))
}

fn write(
    file: File,
    encryptor: Encryptor,
    with_keys: bool,
    settings: &Settings,
    database: &Database,
) -> Result<Content, Failure> {
    let encrypted = encryptor.wrap_output(BufWriter::new(file))?;
    let mut archive = Builder::new(GzEncoder::new(encrypted, Compression::fast()));
    let content = match database.target() {
        Target::Sqlite(path) => {
            let made_at = settings.clock().now();
            let copy = Copy::of(database, path)?;
            let content = write_files(&mut archive, with_keys, made_at, settings, database)?;
            archive.append_file(SQLITE, &mut File::open(&copy.path)?)?;
            content
        }
        Target::Postgres(url) => {
            // Before the snapshot, so that it is never later than what it dates.
            let made_at = settings.clock().now();
            restoration::with_snapshot(database, |snapshot| {
                let content = write_files(&mut archive, with_keys, made_at, settings, database)?;
                let mut dump = postgres::Dump::start(url, snapshot)?;
                write_pieces(&mut archive, &mut dump.output)?;
                dump.finish()?;
                Ok::<_, Failure>(content)
            })?
        }
    };
    let mut file =
        archive.into_inner()?.finish()?.finish()?.into_inner().map_err(|error| error.into_error())?;
    file.flush()?;
    file.sync_all()?;
    Ok(content)
}

/// A copy of an SQLite database, removed when it has been read.
struct Copy {
    path: PathBuf,
}

impl Copy {
    fn of(database: &Database, original: &Path) -> Result<Self, Failure> {
        let mut name = original.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.copy", std::process::id()));
        let copy = Self { path: original.with_file_name(name) };
        // VACUUM INTO takes an empty file: made by us, it is its owner's alone from the start.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&copy.path)
            .map_err(at(&copy.path))?;
        restoration::copy_sqlite(database, &copy.path)?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Everything but the database. A document is written before the row that names it, so what rows of the earlier moment name is there
/// now, unless it has been replaced since.
fn write_files(
    archive: &mut Archive,
    with_keys: bool,
    made_at: Timestamp,
    settings: &Settings,
    database: &Database,
) -> Result<Content, Failure> {
    let manifest = json!({
        "format": FORMAT,
        "muhr": env!("CARGO_PKG_VERSION"),
        "made_at": made_at.to_string(),
        "made_at_unix_millis": made_at.unix_millis(),
        "database": match database.target() { Target::Sqlite(_) => SQLITE, Target::Postgres(_) => POSTGRES },
        "migrations": migrations::known(database.target())?,
    });
    append(archive, MANIFEST, serde_json::to_string_pretty(&manifest)?.as_bytes())?;
    let mut content = Content::default();
    // What is being written has a `#` in its name until it is whole.
    let is_whole = |path: &Path| !path.to_string_lossy().contains('#');
    content.documents = append_folder(archive, DOCUMENTS, &settings.documents.directory, &is_whole)?;
    let is_published = |path: &Path| path.extension().is_some_and(|kind| kind == "crl" || kind == "cer");
    let is_published = |path: &Path| is_published(path) && path.components().count() == 1;
    content.published =
        append_folder(archive, REPOSITORY, &settings.crl.repository_directory, &is_published)?;
    if with_keys {
        let is_key = |path: &Path| {
            let kind = path.extension().unwrap_or_default();
            ["key", "cer", "pem"].iter().any(|wanted| kind == *wanted) || path.ends_with("revoked-officers")
        };
        content.keys = append_folder(archive, KEYS, &settings.keys.directory, &is_key)?;
        content.keys += u64::from(append_file(archive, DOCUMENT_KEY, &settings.documents.key_file)?);
        let places = settings.documents.master_keys.iter().enumerate();
        for (place, file) in places.filter_map(|(place, key)| Some((place, key.file()?))) {
            content.keys += u64::from(append_file(archive, &format!("{MASTER_KEYS}/{place}"), file)?);
        }
    }
    Ok(content)
}

fn append(archive: &mut Archive, name: &str, octets: &[u8]) -> Result<(), Failure> {
    let mut header = Header::new_gnu();
    header.set_size(octets.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, octets)?;
    Ok(())
}

/// The files of a folder and of those within it that are wanted; how many. A folder that is not there has none.
fn append_folder(
    archive: &mut Archive,
    name: &str,
    folder: &Path,
    is_wanted: &dyn Fn(&Path) -> bool,
) -> Result<u64, Failure> {
    let (mut count, mut folders) = (0, vec![PathBuf::new()]);
    while let Some(within) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&within)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(at(&folder.join(&within)))?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (within.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && is_wanted(&path) {
                count += u64::from(append_file(
                    archive,
                    &format!("{name}/{}", path.display()),
                    &folder.join(&path),
                )?);
            }
        }
    }
    Ok(count)
}

/// Whether it was there.
fn append_file(archive: &mut Archive, name: &str, path: &Path) -> Result<bool, Failure> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        file => {
            archive.append_file(name, &mut file.map_err(at(path))?)?;
            Ok(true)
        }
    }
}

fn write_pieces(archive: &mut Archive, from: &mut impl Read) -> Result<(), Failure> {
    for number in 0.. {
        let mut piece = Vec::new();
        from.take(PIECE).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        append(archive, &format!("{POSTGRES}/{number:08}"), &piece)?;
    }
    Ok(())
}
